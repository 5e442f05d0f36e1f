"""The price publisher of the box: writes Pyth's push feeds at every slot, by the market's real redemption rates.

A crank of a sponsor would do it by transactions; a slot of a warped box is longer than a price may be old, so here the feeds are
written straight into their accounts, at the chain's own time. Faults are planted through the same object.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from random import Random

from solders.account import Account
from solders.pubkey import Pubkey

from keeper.protocols.addresses import PYTH_RECEIVER
from keeper.sim.localnet.interface import BankFace, ChainClock
from keeper.sim.localnet.lending_addresses import FEED_IDS, FEEDS, GLOWSOL_RATE, SOL_USD, SSOL_RATE
from keeper.sim.localnet.market_addresses import Market
from keeper.sim.localnet.market_rates import sol_values
from keeper.sim.localnet.programs.pyth_feed import PRICE_UPDATE_SIZE, PriceUpdate

EXPONENT = -8
UNIT = 10**8
BPS = 10_000


@dataclass(frozen=True, slots=True)
class OracleConfig:
    """``sol_usd``: price of SOL in 1e-8 dollars; each slot it moves by up to ``walk_bps`` at random, by ``seed``.

    ``conf_bps``: confidence of SOL/USD in bps of its price (the rates are sure to one unit).
    """

    sol_usd: int = 150 * UNIT
    walk_bps: int = 0
    conf_bps: int = 4
    seed: int = 0


@dataclass(frozen=True, slots=True)
class FeedFault:
    """What is wrong with one feed. ``stopped``: nothing is published any more. ``shift_bps``: its price is off by that much.
    ``price``: this instead (in 1e-8, may be zero or negative). ``conf_bps``: this confidence. ``signatures``: only so many
    of the guardians signed (a partial verification)."""

    stopped: bool = False
    shift_bps: int = 0
    price: int | None = None
    conf_bps: int | None = None
    signatures: int | None = None


NO_FAULT = FeedFault()


@dataclass(slots=True)
class Oracles:
    """The publisher of one market. ``faults`` by feed name: ``"SOL/USD"``, ``"sSOL/SOL"``, ``"glowSOL/SOL"``."""

    bank: BankFace
    market: Market
    config: OracleConfig = field(default_factory=OracleConfig)
    faults: dict[str, FeedFault] = field(default_factory=dict)
    sol_usd: int = 0
    _random: Random = field(init=False)
    _authority: Pubkey = field(init=False)
    _seen: tuple[bytes, ...] = ()
    _rates: dict[str, int] = field(default_factory=dict)
    _published: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._authority = self.market.operator.pubkey()
        self._random = Random(f"oracles {self.config.seed}")
        self.sol_usd = self.sol_usd or self.config.sol_usd

    def attach(self) -> None:
        """Publish at every slot from now on."""
        self.bank.at_slot(self.turn)

    def turn(self, clock: ChainClock) -> None:
        """One slot: SOL/USD takes its step, then all feeds are published."""
        if self.config.walk_bps:
            step = self._random.randint(-self.config.walk_bps, self.config.walk_bps)
            self.sol_usd = max(1, self.sol_usd * (BPS + step) // BPS)
        self.publish(clock)

    def publish(self, clock: ChainClock) -> None:
        """Write every feed that is not stopped, as published now."""
        for name, price in self.prices().items():
            fault = self.faults.get(name, NO_FAULT)
            if not fault.stopped:
                self._write(name, price, fault, clock)

    def prices(self) -> dict[str, int]:
        """True prices in 1e-8: redemption rates rounded down, and SOL in dollars."""
        sources = (
            self.market.stake_pool,
            self.market.lrt_pool,
            self.market.ssol_vault,
            self.market.glowsol_mint,
        )
        accounts = [self.bank.get_account(key) for key in sources]
        seen = tuple(b"" if one is None else one.lamports.to_bytes(8, "little") + one.data for one in accounts)
        if seen != self._seen:
            values = sol_values(self.bank, self.market)
            self._rates = {
                SSOL_RATE: values[self.market.ssol_mint].scale(UNIT),
                GLOWSOL_RATE: values[self.market.glowsol_mint].scale(UNIT),
            }
            self._seen = seen
        return {SOL_USD: self.sol_usd, **self._rates}

    def _write(self, name: str, true_price: int, fault: FeedFault, clock: ChainClock) -> None:
        price = true_price * (BPS + fault.shift_bps) // BPS if fault.price is None else fault.price
        conf_bps = fault.conf_bps
        if conf_bps is None:
            conf = abs(price) * self.config.conf_bps // BPS if name == SOL_USD else 1
        else:
            conf = abs(price) * conf_bps // BPS
        update = PriceUpdate(
            feed_id=FEED_IDS[name],
            price=price,
            conf=conf,
            exponent=EXPONENT,
            publish_time=clock.unix_timestamp,
            prev_publish_time=self._published.get(name, clock.unix_timestamp),
            ema_price=price,
            ema_conf=conf,
            posted_slot=clock.slot,
            write_authority=self._authority,
            signatures=fault.signatures,
        )
        self._published[name] = clock.unix_timestamp
        rent = self.bank.rent_exempt(PRICE_UPDATE_SIZE)
        self.bank.set_account(self.address(name), Account(rent, update.encode(), PYTH_RECEIVER))

    def address(self, name: str) -> Pubkey:
        """The account of a feed. Raises ``KeyError`` for a name that the market does not publish."""
        return FEEDS[name]

    # faults: each takes effect with the next publication, or at once with ``publish``

    def stop(self, *names: str) -> None:
        """Publish nothing more for these feeds (all, if none is named), so that they grow old."""
        for name in names or FEEDS:
            self.plant(name, replace(self.fault(name), stopped=True))

    def shock(self, name: str, bps: int) -> None:
        """Publish a price that is off by ``bps`` (-1500: 15 % too low): a depeg as the oracle sees it."""
        self.plant(name, replace(self.fault(name), shift_bps=bps))

    def override(self, name: str, price: int) -> None:
        """Publish this price in 1e-8, whatever is true; zero and negative ones too."""
        self.plant(name, replace(self.fault(name), price=price))

    def widen(self, name: str, conf_bps: int) -> None:
        """Publish this confidence, in bps of the price."""
        self.plant(name, replace(self.fault(name), conf_bps=conf_bps))

    def weaken(self, name: str, signatures: int) -> None:
        """Publish with a partial verification by so many guardians."""
        self.plant(name, replace(self.fault(name), signatures=signatures))

    def heal(self, *names: str) -> None:
        """Publish the truth again for these feeds (all, if none is named)."""
        for name in names or FEEDS:
            self.faults.pop(name, None)

    def fault(self, name: str) -> FeedFault:
        """What is planted at a feed. Raises ``KeyError`` for a name that the market does not publish."""
        self.address(name)
        return self.faults.get(name, NO_FAULT)

    def plant(self, name: str, fault: FeedFault) -> None:
        self.faults[name] = fault
