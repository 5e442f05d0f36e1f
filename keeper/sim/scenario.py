"""A market that moves: traders push glowSOL's DEX price along a seeded path by real swaps.

The path is the price's distance from the redemption rate in basis points: mean-reverting noise, shocks both ways that fade, and
one depeg with its recovery. The traders own what they sell; when they run out they stop pushing, as people do.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from solders.keypair import Keypair
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from keeper.sim.localnet.interface import BankFace, ChainClock, TransactionRejected
from keeper.sim.localnet.market_addresses import Market
from keeper.sim.localnet.programs import cpi
from keeper.sim.localnet.programs.curves import BPS, CurveError
from keeper.sim.localnet.programs.dex_pool import swap_instruction
from keeper.sim.localnet.programs.dex_state import Curve, PoolState, quote, read_pool
from keeper.sim.localnet.programs.native_state import token_amount

PROBE = 10**7  # base units: small enough to read a marginal price, large enough that rounding does not show
SEARCH_STEPS = 40
MICRO = 10_000  # prices are compared in hundredths of a basis point


@dataclass(frozen=True, slots=True)
class ScenarioConfig:
    """``length`` in slots. Noise per step and shocks in basis points; ``depeg_bps`` below the redemption rate."""

    seed: int = 0
    length: int = 600
    every: int = 6
    noise_bps: float = 3.0
    reversion: float = 0.08
    shock_every: int = 36
    shock_bps: tuple[int, int] = (40, 110)
    shock_half_life: int = 30
    depeg_at: float = 0.45
    depeg_for: float = 0.12
    depeg_bps: int = 300


class PricePath:
    """The wished-for distance from the redemption rate, step by step. The same seed gives the same path."""

    def __init__(self, config: ScenarioConfig) -> None:
        self._config = config
        self._random = random.Random(config.seed)
        self._noise = 0.0
        self._shock = 0.0
        self._since_shock = 0
        self._up = self._random.random() < 0.5

    def at(self, slot: int) -> float:
        """Distance in bps at ``slot`` since the start (positive: a premium). Call with rising slots, once per step."""
        config = self._config
        self._noise += -config.reversion * self._noise + self._random.gauss(0.0, config.noise_bps)
        self._shock *= 0.5 ** (config.every / config.shock_half_life)
        self._since_shock += config.every
        if self._since_shock >= config.shock_every:
            self._since_shock = 0
            size = self._random.uniform(*config.shock_bps)
            self._shock += size if self._up else -size
            self._up = not self._up  # both directions get their share whatever the seed
        return self._noise + self._shock - self._depeg(slot)

    def _depeg(self, slot: int) -> float:
        """A fall within a twentieth of its span, a plateau, and a linear recovery over the second half."""
        config = self._config
        begin, span = config.depeg_at * config.length, config.depeg_for * config.length
        into = (slot - begin) / span if span else 2.0
        if not 0.0 <= into <= 1.0:
            return 0.0
        shape = min(into * 20.0, 1.0) if into < 0.5 else 2.0 * (1.0 - into)
        return config.depeg_bps * shape


class Scenario:
    """Register ``on_slot`` with ``bank.at_slot``. Counts its trades and failures for whoever watches."""

    def __init__(self, bank: BankFace, market: Market, config: ScenarioConfig | None = None) -> None:
        self._bank = bank
        self._market = market
        self._config = config or ScenarioConfig()
        self._path = PricePath(self._config)
        self._start = bank.clock.slot
        self.target_bps = 0.0
        self.trades = 0
        self.failures: dict[str, int] = {}

    def on_slot(self, clock: ChainClock) -> None:
        """Move the pools towards the path, every ``every`` slots, until ``length`` is over."""
        into = clock.slot - self._start
        if into > self._config.length or into % self._config.every:
            return
        self.target_bps = self._path.at(into)
        target = round((BPS + self.target_bps) * MICRO)
        for name, address in self._market.dex_pools.items():
            if name.startswith("glowSOL/SOL"):
                self._push(address, target)

    def _push(self, address: Pubkey, target: int) -> None:
        state = read_pool(self._bank.get_account, address)
        if state.pool.curve is not Curve.STABLE_SWAP:
            target = self._in_units_of(state, target)
        sell = marginal_price(state) > target
        source = state.pool.mint_a if sell else state.pool.mint_b
        trader = max(self._market.traders, key=lambda one: self._balance(one, source))
        amount = _amount_to_reach(state, target, sell, self._balance(trader, source))
        if amount >= PROBE:
            self._swap(trader, state, amount, a_to_b=sell)

    def _in_units_of(self, state: PoolState, target: int) -> int:
        """A constant-product pool has no rate of its own: take the redemption rate from the stable pool beside it."""
        stable = next(address for name, address in self._market.dex_pools.items() if name == "glowSOL/SOL stable")
        rate = read_pool(self._bank.get_account, stable).pool.rate
        own = state.pool.rate
        return target * rate.numerator * own.denominator // (rate.denominator * own.numerator)

    def _balance(self, trader: Keypair, mint: Pubkey) -> int:
        account = self._bank.get_account(cpi.associated_address(trader.pubkey(), mint))
        return token_amount(bytes(account.data)) if account is not None else 0

    def _swap(self, trader: Keypair, state: PoolState, amount: int, *, a_to_b: bool) -> None:
        owner = trader.pubkey()
        mints = (state.pool.mint_a, state.pool.mint_b) if a_to_b else (state.pool.mint_b, state.pool.mint_a)
        source, destination = (cpi.associated_address(owner, mint) for mint in mints)
        instruction = swap_instruction(
            state.pool, owner, source=source, destination=destination, amount_in=amount, minimum_out=0, a_to_b=a_to_b
        )
        blockhash, _ = self._bank.latest_blockhash()
        message = MessageV0.try_compile(owner, [instruction], [], blockhash)
        try:
            record = self._bank.process(VersionedTransaction(message, [trader]))
        except TransactionRejected as error:
            self._failed(str(error.error))
            return
        if record.err is None:
            self.trades += 1
        else:
            self._failed(str(record.err))

    def _failed(self, error: str) -> None:
        self.failures[error] = self.failures.get(error, 0) + 1


def marginal_price(state: PoolState) -> int:
    """Price of token A in its pool's own rate, in hundredths of a basis point of par; the middle of buying and selling."""
    rate = state.pool.rate
    sold = quote(state, PROBE, True).amount_out
    worth = PROBE * rate.numerator // rate.denominator
    bought = quote(state, worth, False).amount_out
    return (sold * BPS * MICRO // worth + PROBE * BPS * MICRO // max(bought, 1)) // 2


def _after(state: PoolState, amount: int, *, a_to_b: bool) -> PoolState:
    out = quote(state, amount, a_to_b).amount_out
    if a_to_b:
        return PoolState(state.pool, state.reserve_a + amount, state.reserve_b - out)
    return PoolState(state.pool, state.reserve_a - out, state.reserve_b + amount)


def _amount_to_reach(state: PoolState, target: int, sell: bool, balance: int) -> int:
    """The largest amount, within ``balance``, that does not carry the price past ``target``."""
    low, high = 0, balance
    for _ in range(SEARCH_STEPS):
        middle = (low + high) // 2
        if middle <= low:
            break
        try:
            price = marginal_price(_after(state, middle, a_to_b=sell))
            beyond = price < target if sell else price > target
        except CurveError:
            beyond = True
        low, high = (low, middle) if beyond else (middle, high)
    return low
