"""Solayer's staking under glowSOL: its programs, pools and tokens, and whether the stake pool is up to date."""

from __future__ import annotations

from collections.abc import Iterator

from solders.pubkey import Pubkey

from keeper.doctor.chart import PROGRAMS, Chart
from keeper.doctor.check import Check, Verdict, failed, passed
from keeper.protocols import addresses
from keeper.protocols.solayer import decode_restaking_pool
from keeper.protocols.stake_pool import Fee, withdraw_authority
from keeper.protocols.token import MintState, decode_token_account
from keeper.units import SSOL, STAKE_POOL_LST

FOREIGN = "this is not Solayer as it is known: check cluster.rpc and cluster.genesis_hash, and do not trade here"
DECIMALS = 9
DEAREST = 100
"""One in so many: a fee above 1 % is not one that the pool had before."""


def _programs(chart: Chart) -> Iterator[Verdict]:
    for name, program in PROGRAMS.items():
        if not chart.need(program, f"the {name} program").executable:
            yield failed(f"{program} is no program", FOREIGN, subject=name)
    yield passed(f"{' and '.join(PROGRAMS)} are there")


def _mints(chart: Chart) -> Iterator[Verdict]:
    wanted = {
        SSOL: (addresses.SSOL_MINT, addresses.RESTAKING_POOL),
        STAKE_POOL_LST: (addresses.LST_MINT, withdraw_authority(addresses.SOLAYER_STAKE_POOL)),
    }
    for token, (mint, authority) in wanted.items():
        state = chart.mint(mint, f"the mint of {token}")
        if state.decimals != DECIMALS:
            yield failed(f"{mint} has {state.decimals} decimals, expected {DECIMALS}", FOREIGN, subject=str(token))
        elif state.mint_authority != authority:
            found = f"{mint} is minted by {state.mint_authority}, expected {authority}"
            yield failed(found, FOREIGN, subject=str(token))
        else:
            yield passed(described(mint, state), subject=str(token))


def described(mint: Pubkey, state: MintState) -> str:
    """A mint in one line; a freeze authority is worth knowing: it could lock what is held."""
    freeze = f"; {state.freeze_authority} can freeze accounts" if state.freeze_authority is not None else ""
    return f"{mint}, minted by {state.mint_authority}{freeze}"


def _stake_pool(chart: Chart) -> Iterator[Verdict]:
    pool = chart.stake_pool()
    if pool.pool_mint != addresses.LST_MINT:
        yield failed(f"it mints {pool.pool_mint}, expected {addresses.LST_MINT}", FOREIGN)
        return
    chart.need(pool.reserve_stake, "the stake pool's reserve")
    chart.need(pool.validator_list, "the stake pool's validator list")
    if pool.sol_deposit_authority is not None:
        remedy = "nothing can be minted from SOL without that signature: ask Solayer, or trade without minting until it is gone"
        yield failed(f"deposits of SOL need the signature of {pool.sol_deposit_authority}", remedy)
        return
    yield passed(f"{pool.total_lamports} staked at {pool.rate} SOL a token")


def _epoch(chart: Chart) -> Iterator[Verdict]:
    pool, epoch = chart.stake_pool(), chart.now.epoch
    if pool.is_current(epoch):
        yield passed(f"updated in epoch {epoch}")
    else:
        remedy = (
            "wait: the pool's crank updates it in the first minutes of an epoch, and anybody may "
            "(solana stake-pool: spl-stake-pool update); until then nothing is minted or unstaked"
        )
        yield failed(f"last updated in epoch {pool.last_update_epoch}, it is epoch {epoch}", remedy)


def _fees(chart: Chart) -> Iterator[Verdict]:
    pool = chart.stake_pool()
    fees = {
        "SOL deposit": pool.sol_deposit_fee,
        "SOL withdrawal": pool.sol_withdrawal_fee,
        "stake withdrawal": pool.stake_withdrawal_fee,
    }
    dear = [name for name, fee in fees.items() if fee.exceeds(Fee(DEAREST, 1))]
    found = ", ".join(f"{name} {_percent(fee)}" for name, fee in fees.items())
    if dear:
        remedy = "the pool's manager raised it: quotes count it, so few trades pay; ask Solayer, or stop minting"
        yield failed(f"{found}: {', '.join(dear)} above 1 %", remedy)
    else:
        yield passed(found)


def _percent(fee: Fee) -> str:
    hundredths = 10_000 * fee.numerator // fee.denominator if fee.denominator else 0
    return f"{hundredths // 100}.{hundredths % 100:02d} %"


def _restaking_pool(chart: Chart) -> Iterator[Verdict]:
    """The wrapper is one to one, so its vault must hold as much LST as there is sSOL."""
    account = chart.need(addresses.RESTAKING_POOL, "Solayer's restaking pool")
    wrapper = decode_restaking_pool(account.data, owner=account.owner)
    if (wrapper.lst_mint, wrapper.rst_mint) != (addresses.LST_MINT, addresses.SSOL_MINT):
        yield failed(f"it wraps {wrapper.lst_mint} into {wrapper.rst_mint}", FOREIGN)
        return
    vault = chart.need(addresses.LST_VAULT, "the restaking pool's vault")
    held = decode_token_account(vault.data, owner_program=vault.owner).amount
    supply = chart.mint(addresses.SSOL_MINT, "the mint of sSOL").supply
    if held < supply:
        remedy = "sSOL is not fully backed: stop buying it, keep what is queued, and find out what happened"
        yield failed(f"the vault holds {held} base units of LST for {supply} of sSOL", remedy)
    else:
        yield passed(f"every sSOL is backed ({supply} base units)")


CHECKS = (
    Check("programs", _programs),
    Check("mint", _mints),
    Check("stake_pool", _stake_pool),
    Check("stake_pool_epoch", _epoch, blocks=False),
    Check("stake_pool_fees", _fees, blocks=False),
    Check("restaking_pool", _restaking_pool),
)
