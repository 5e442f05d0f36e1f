"""Best routes over the localnet's DEX pools: what stands behind the Jupiter-shaped HTTP face.

A route is one path of up to three pools, or two pool-disjoint paths that share the input in whole percents. Quotes are
exact: a route executed in the same state pays its ``out_amount`` to the unit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from solders.pubkey import Pubkey

from keeper.sim.localnet.interface import BankFace
from keeper.sim.localnet.programs.curves import CurveError
from keeper.sim.localnet.programs.dex_state import (
    DEX_LABELS,
    POOL_DISCRIMINATOR,
    PoolState,
    decode_pool,
    pool_state,
    quote,
)

MAX_HOPS = 3
IMPACT_PROBE = 10**8
"""Base units (0.1 token) whose price counts as the one before impact."""


@dataclass(frozen=True, slots=True)
class Leg:
    """One swap of a route. ``bps``: share of the input token's amount that goes this way. ``fee_amount`` as the pool
    takes it: of a constant-product pool in the input token, of a stable-swap pool in the output token."""

    pool: Pubkey
    label: str
    input_mint: Pubkey
    output_mint: Pubkey
    in_amount: int
    out_amount: int
    fee_amount: int
    bps: int
    state: PoolState


@dataclass(frozen=True, slots=True)
class Route:
    """Legs in execution order. ``price_impact``: share of value lost against the price of a small trade, >= 0."""

    input_mint: Pubkey
    output_mint: Pubkey
    legs: tuple[Leg, ...]
    in_amount: int
    out_amount: int
    price_impact: Decimal

    @property
    def intermediate_mints(self) -> tuple[Pubkey, ...]:
        """Tokens passed through; the taker needs an associated account of each."""
        seen = dict.fromkeys(leg.output_mint for leg in self.legs if leg.output_mint != self.output_mint)
        return tuple(seen)


Hop = tuple[PoolState, bool]
Path = tuple[Hop, ...]


def find_route(
    bank: BankFace,
    input_mint: Pubkey,
    output_mint: Pubkey,
    amount: int,
    *,
    dexes: frozenset[str] | None,
    exclude: frozenset[str],
    direct_only: bool,
) -> Route | None:
    """The route that pays most for ``amount`` base units; None when no pool leads there or it pays nothing.

    ``dexes``: only these labels (None: all); ``exclude``: none of these; ``direct_only``: one pool, no split.
    """
    if amount <= 0 or input_mint == output_mint:
        return None
    pools = tuple(
        state
        for state in read_pools(bank)
        if not state.pool.paused and (dexes is None or state.pool.label in dexes) and state.pool.label not in exclude
    )
    return _best(pools, input_mint, output_mint, amount, direct_only)


@lru_cache(maxsize=512)  # a keeper asks for the same sizes again and again, mostly while no pool has moved
def _best(
    pools: tuple[PoolState, ...], input_mint: Pubkey, output_mint: Pubkey, amount: int, direct_only: bool
) -> Route | None:
    paths = list(_paths(pools, input_mint, output_mint, 1 if direct_only else MAX_HOPS))
    priced = [(out, path) for path in paths if (out := _path_out(path, amount)) > 0]
    if not priced:
        return None
    best_out, best = max(priced, key=lambda item: item[0])
    shares: list[tuple[Path, int]] = [(best, 100)]
    if not direct_only:
        for _, other in priced:
            if _disjoint(best, other):
                percent, out = _best_split(best, other, amount)
                if out > best_out:
                    best_out, shares = out, [(best, percent), (other, 100 - percent)]
    legs = tuple(_legs(shares, amount))
    return Route(input_mint, output_mint, legs, amount, best_out, _impact(shares, amount, best_out))


def read_pools(bank: BankFace) -> list[PoolState]:
    """All DEX pools of the bank with their reserves, ordered by address."""
    found = []
    for program in DEX_LABELS:
        for address, account in bank.program_accounts(program):
            data = bytes(account.data)
            if data[:8] == POOL_DISCRIMINATOR:
                found.append(pool_state(bank.get_account, decode_pool(address, program, data)))
    return sorted(found, key=lambda state: bytes(state.pool.address))


def _paths(pools: Sequence[PoolState], source: Pubkey, target: Pubkey, hops: int) -> Iterator[Path]:
    def extend(path: Path, at: Pubkey, visited: frozenset[Pubkey]) -> Iterator[Path]:
        for state in pools:
            pool = state.pool
            if at not in (pool.mint_a, pool.mint_b):
                continue
            a_to_b = state.a_to_b(at)
            following = pool.mint_b if a_to_b else pool.mint_a
            if following in visited:
                continue
            longer = (*path, (state, a_to_b))
            if following == target:
                yield longer
            elif len(longer) < hops:
                yield from extend(longer, following, visited | {following})

    return extend((), source, frozenset({source}))


def _path_out(path: Path, amount: int) -> int:
    """What a path pays; 0 where it cannot."""
    for state, a_to_b in path:
        if amount <= 0:
            return 0
        try:
            amount = quote(state, amount, a_to_b).amount_out
        except CurveError:
            return 0
    return amount


def _disjoint(one: Path, other: Path) -> bool:
    """No common pool (their quotes would not add up) and no common intermediate token (their amounts would mix)."""
    pools = {state.pool.address for state, _ in one}
    between = _between(one)
    return all(state.pool.address not in pools for state, _ in other) and not between & _between(other)


def _between(path: Path) -> set[Pubkey]:
    return {state.pool.mint_b if a_to_b else state.pool.mint_a for state, a_to_b in path[:-1]}


def _best_split(one: Path, other: Path, amount: int) -> tuple[int, int]:
    """(percent through ``one``, amount out). Output is concave in the share, so a ternary search finds the best."""

    def out(percent: int) -> int:
        first = amount * percent // 100
        parts = _path_out(one, first), _path_out(other, amount - first)
        return sum(parts) if min(parts) > 0 else 0

    low, high = 1, 99
    while high - low > 2:
        left, right = low + (high - low) // 3, high - (high - low) // 3
        if out(left) < out(right):
            low = left + 1
        else:
            high = right
    best = max(range(low, high + 1), key=out)
    return best, out(best)


def _legs(shares: Iterable[tuple[Path, int]], amount: int) -> Iterator[Leg]:
    spent = 0
    parts = list(shares)
    for index, (path, percent) in enumerate(parts):
        flowing = amount - spent if index == len(parts) - 1 else amount * percent // 100
        spent += flowing
        bps = percent * 100
        for state, a_to_b in path:
            pool = state.pool
            mints = (pool.mint_a, pool.mint_b) if a_to_b else (pool.mint_b, pool.mint_a)
            amounts = quote(state, flowing, a_to_b)
            yield Leg(pool.address, pool.label, *mints, flowing, amounts.amount_out, amounts.fee, bps=bps, state=state)
            flowing, bps = amounts.amount_out, 10_000


def _impact(shares: list[tuple[Path, int]], amount: int, out: int) -> Decimal:
    """1 - price of the route / price of small trades along the same paths, in millionths of a bp at best."""
    probe = min(amount, IMPACT_PROBE)
    small = sum(Decimal(_path_out(path, probe)) * percent for path, percent in shares) / (100 * Decimal(probe))
    if small == 0:
        return Decimal(0)
    impact = 1 - Decimal(out) / amount / small
    return max(Decimal(0), impact).quantize(Decimal("1e-10"))
