"""What the keeper's own lookup table holds: every account that its steps name and that need not stand in the message itself.

Source of the list: shared facts, protocol.md 6. What the restaking program names is taken from the instructions that its IDL
makes, because nothing else knows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from solders.instruction import Instruction
from solders.pubkey import Pubkey

from keeper.execution.lending_sight import named_accounts
from keeper.protocols.addresses import (
    ASSOCIATED_TOKEN,
    CLOCK_SYSVAR,
    RENT_SYSVAR,
    SPL_TOKEN,
    STAKE,
    STAKE_HISTORY_SYSVAR,
    SYSTEM,
    TOKEN_2022,
)
from keeper.protocols.glow_lrt import IdlMismatch
from keeper.protocols.lending import LendingAddresses
from keeper.protocols.market import LrtAddresses, Market, SolayerAddresses
from keeper.protocols.token import associated_token_address
from keeper.units import SOL, SSOL, Lamports, Mint, TokenAmount


def wallet_tokens(market: Market) -> tuple[Mint, ...]:
    """The tokens that strategies keep in the wallet; wrapped SOL comes and goes within a step."""
    glow = () if market.lrt is None else (market.lrt.glowsol,)
    return (*glow, SSOL, market.solayer.lst)


def table_contents(owner: Pubkey, market: Market) -> tuple[Pubkey, ...]:
    """In a fixed order, without the wallet itself, which signs."""
    keys = [SYSTEM, SPL_TOKEN, TOKEN_2022, ASSOCIATED_TOKEN, STAKE, CLOCK_SYSVAR, RENT_SYSVAR, STAKE_HISTORY_SYSVAR]
    keys += _solayer(market.solayer)
    keys += [
        associated_token_address(owner, Pubkey.from_string(mint.address)) for mint in (SOL, *wallet_tokens(market))
    ]
    if market.lrt is not None:
        keys += _restaking(owner, market.lrt)
    if market.lending is not None:
        keys += _lending(market.lending)
    return tuple(key for key in dict.fromkeys(keys) if key != owner)


def _solayer(solayer: SolayerAddresses) -> list[Pubkey]:
    mints = [Pubkey.from_string(mint.address) for mint in (solayer.lst, solayer.ssol)]
    return [
        solayer.stake_pool_program,
        solayer.stake_pool,
        solayer.withdraw_authority,
        solayer.validator_list,
        solayer.reserve_stake,
        solayer.manager_fee,
        solayer.restaking_program,
        solayer.restaking_pool,
        solayer.lst_vault,
        *mints,
    ]


def _restaking(owner: Pubkey, lrt: LrtAddresses) -> list[Pubkey]:
    program, one = lrt.program, TokenAmount(lrt.glowsol, 1)
    builders: tuple[Callable[[], Instruction], ...] = (
        lambda: program.deposit_sol(owner, Lamports(1)),
        lambda: program.deposit_ssol(owner, TokenAmount(SSOL, 1)),
        lambda: program.create_queue(owner),
        lambda: program.request_unstake(owner, one, 0),
        lambda: program.claim_unstake(owner, 0),
        lambda: program.cancel_unstake(owner, 0),
    )
    keys = [program.program_id, lrt.pool, Pubkey.from_string(lrt.glowsol.address), lrt.ssol_vault]
    for build in builders:
        try:
            keys += [meta.pubkey for meta in build().accounts]
        except IdlMismatch:
            continue  # a role that this program is not mapped for: no step names it
    return keys


def _lending(lending: LendingAddresses) -> Iterable[Pubkey]:
    yield lending.airspace
    yield lending.margin_program
    yield from named_accounts(lending)
    for pool in lending.pools:
        yield from (pool.deposit_config, pool.loan_config)
