"""Which accounts the builders of a step look at: one read beside the venues' quotes, and a second where the first names more."""

from __future__ import annotations

from collections.abc import Iterable

from solders.pubkey import Pubkey

from keeper.execution.builders.lending_refresh import needs_lending
from keeper.execution.builders.stake_exit import leaves_by_stake
from keeper.execution.lending_sight import sight_keys
from keeper.plan import Atomic, ClaimUnstake
from keeper.protocols.addresses import CLOCK_SYSVAR, RENT_SYSVAR
from keeper.protocols.market import Market
from keeper.protocols.stake import place_addresses
from keeper.protocols.token import associated_token_address
from keeper.units import SOL, SSOL


def first_look(owner: Pubkey, market: Market, step: Atomic) -> tuple[Pubkey, ...]:
    """Every account of ours and of the market that a builder may want to see."""
    mints = [SOL, SSOL, market.solayer.lst]
    keys = [owner, market.solayer.stake_pool, *market.lookup_tables]
    if market.lrt is not None:
        mints.append(market.lrt.glowsol)
        if market.lrt.program.mapping.queue is not None:
            keys.append(market.lrt.program.queue_address(owner))
    keys += [associated_token_address(owner, Pubkey.from_string(mint.address)) for mint in mints]
    return tuple(dict.fromkeys([*keys, *_stake_exits(owner, market, step), *_lending(owner, market, step)]))


def _lending(owner: Pubkey, market: Market, step: Atomic) -> Iterable[Pubkey]:
    lending = market.lending
    if lending is None or not needs_lending(step):
        return
    yield CLOCK_SYSVAR
    yield from sight_keys(lending)
    tokens = [(pool.mint, pool.token_program) for pool in lending.pools]
    tokens += [(raw.mint, raw.token_program) for raw in lending.raw]
    for mint, program in tokens:
        yield associated_token_address(owner, Pubkey.from_string(mint.address), program)


def _stake_exits(owner: Pubkey, market: Market, step: Atomic) -> Iterable[Pubkey]:
    requests = any(leaves_by_stake(intent) for intent in step.intents)
    claims = any(isinstance(intent, ClaimUnstake) and intent.ticket.way == "stake" for intent in step.intents)
    if requests or claims:
        yield from (CLOCK_SYSVAR, RENT_SYSVAR, *place_addresses(owner))
    if requests:
        yield from (market.solayer.validator_list, market.solayer.reserve_stake)
