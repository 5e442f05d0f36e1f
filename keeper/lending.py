"""Lending as a strategy sees it: the pools with their rates, and the keeper's own margin account with its health.

Values are lamports by the *oracle's* prices (a price is a ``Rate`` of lamports per base unit): the dollar leg of two prices
cancels here, as it does on chain while both use one SOL/USD update. Every rounding is against us. Health is the level that
Glow's app shows: HL = 1 - (required + liabilities) / weighted, with required = liabilities / leverage; the account may be
liquidated at 0 (shared facts, protocol.md 3.5).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

from keeper.units import BPS, Bps, Duration, Lamports, Mint, Rate, TokenAmount, UnitError

RATE_SCALE = 10**9
"""Interest rates here are integers per year in billionths: 50_000_000 is 5 %."""
RATE_YEAR = Duration(31_536_000)
"""The year of the pool program's rates: 365 days (shared facts, protocol.md 4.3)."""


@dataclass(frozen=True, slots=True)
class Note:
    """A note of a lending pool, as the margin account holds it: ``notes`` base units of ``mint`` (an address) stand for
    ``tokens`` base units of the pool's token, now; ``owed`` where they are a debt. What the books are priced by."""

    mint: str
    tokens: int
    notes: int
    owed: bool

    def __post_init__(self) -> None:
        if self.notes <= 0 or self.tokens < 0:
            raise UnitError(f"note {self.mint} needs tokens >= 0 for notes > 0, got {self.tokens} for {self.notes}")

    def worth(self, notes: int) -> int:
        """Base units of the pool's token, rounded against us: a debt up, a deposit down."""
        return -(-notes * self.tokens // self.notes) if self.owed else notes * self.tokens // self.notes


@dataclass(frozen=True, slots=True)
class LendingMarket:
    """One lending pool, with interest accrued to the View's block time.

    ``rate_line``: the borrow rate per year in billionths (continuously compounded), over the change of what is borrowed in
    base units: points with rising change, exact at and between them, because the rate is piecewise linear in utilisation and
    a loan moves only the numerator of that. ``lenders_share``: the part of that interest that lenders get. ``borrow_room``:
    the most that can be borrowed now (idle tokens, the 95 % cap on utilisation, the pool's limit). ``deposit_room``: what
    the pool still takes. ``problem``: why nothing may be entered here now, a reason code, empty when it may ("pool_paused",
    "lending_closed", "interest_behind", "oracle_stale", "oracle_unsure", "price_not_positive"); ``exit_problem``: why not
    even repaid or withdrawn. ``notes``: its deposit and its loan note.
    """

    address: str
    mint: Mint
    borrowed: TokenAmount
    idle: TokenAmount
    rate_line: tuple[tuple[int, int], ...]
    lenders_share: Bps
    borrow_room: TokenAmount
    deposit_room: TokenAmount
    problem: str = ""
    exit_problem: str = ""
    notes: tuple[Note, ...] = ()

    def __post_init__(self) -> None:
        changes = [change for change, _ in self.rate_line]
        if not changes or changes != sorted(set(changes)):
            raise UnitError(f"the rate line of {self.address} needs points with rising change, got {self.rate_line}")

    def borrow_rate(self, change: int = 0) -> int:
        """Billionths per year when ``change`` more (or, negative, less) is borrowed; rounded up. Outside the line: its end's
        rate."""
        line = self.rate_line
        if change <= line[0][0]:
            return line[0][1]
        for (low, at_low), (high, at_high) in pairwise(line):
            if change <= high:
                return at_low - ((at_low - at_high) * (change - low)) // (high - low)
        return line[-1][1]

    @property
    def utilisation(self) -> Bps:
        """Borrowed over everything, rounded up; zero in an empty pool."""
        whole = self.borrowed.units + self.idle.units
        return Bps(-(-self.borrowed.units * BPS // whole)) if whole else Bps(0)

    @property
    def deposit_rate(self) -> int:
        """What a lender earns per year in billionths: borrow rate x utilisation x lenders' share, rounded down."""
        return self.borrow_rate() * self.utilisation.value * self.lenders_share.value // BPS // BPS


@dataclass(frozen=True, slots=True)
class Collateral:
    """One place for collateral in the margin account, also while it is empty.

    ``market`` is what ``Deposit`` and ``Withdraw`` name it by; ``weight`` the worse of the position's and the configuration's;
    ``open``: the position exists, so that depositing opens no account; ``problem``: why it counts nothing now.
    ``lent``: it is a deposit in a lending pool (it earns, and leaves only while the pool has idle tokens). ``room`` bounds a
    deposit, ``exit_room`` a withdrawal, by what the pool takes and holds; None without bound. ``passage``: the account through
    which withdrawals pass exists, so that withdrawing opens none.
    """

    market: str
    mint: Mint
    amount: TokenAmount
    price: Rate
    weight: Bps
    open: bool = True
    lent: bool = False
    room: TokenAmount | None = None
    exit_room: TokenAmount | None = None
    problem: str = ""
    passage: bool = True

    @property
    def value(self) -> Lamports:
        """Worth by the oracle, rounded down, whether or not it counts."""
        return self.price.lamports(self.amount)

    @property
    def weighted(self) -> Lamports:
        """What it counts for health: nothing while its price is not usable."""
        return Lamports(0) if self.problem else self.weight.of(self.value)


@dataclass(frozen=True, slots=True)
class Loan:
    """What is owed to one lending pool, with interest accrued and rounded up; also while it is nothing.

    ``leverage``: hundredths (400 is 4 x), the worse of the position's and the configuration's; zero makes any debt fatal.
    ``problem``: why the debt cannot be valued, which makes the whole account's health unknown.
    """

    market: str
    mint: Mint
    amount: TokenAmount
    price: Rate
    leverage: int
    open: bool = True
    past_due: bool = False
    problem: str = ""

    @property
    def value(self) -> Lamports:
        """Worth by the oracle, rounded up."""
        return self.price.lamports_up(self.amount)

    @property
    def burden(self) -> Lamports:
        """Liability and required collateral together: value x (1 + 1 / leverage), rounded up."""
        if not self.leverage:
            return self.value * BPS * BPS
        return Lamports(-(-self.value.value * (self.leverage + 100) // self.leverage))


@dataclass(frozen=True, slots=True)
class Stress:
    """What a position must outlive: its collateral's price in SOL falls by ``fall``, every debt grows by ``growth``, and every
    collateral weight is lowered by ``drift`` (a weight of 95 % less 200 bps is 93 %)."""

    fall: Bps
    growth: Bps
    drift: Bps

    @classmethod
    def over(cls, fall: Bps, rate: Bps, span: Duration, drift: Bps) -> Stress:
        """Debt that grows at ``rate`` per year for ``span``, compounding. Rounded up: x + x^2 is above e^x - 1 up to x = 1.79."""
        yearly = BPS * RATE_YEAR.value
        grown = rate.value * span.value  # x in units of 1 / yearly
        return cls(fall, Bps(-(-(grown * yearly + grown * grown) * BPS // (yearly * yearly))), drift)


@dataclass(frozen=True, slots=True)
class MarginAccount:
    """The keeper's margin account. ``problem``: why nothing may be done with it now ("being_liquidated", "past_due",
    "unknown_position", "account_constrained", "loan_not_priced"), empty when all is well."""

    address: str
    collateral: tuple[Collateral, ...]
    loans: tuple[Loan, ...]
    problem: str = ""

    @property
    def assets(self) -> Lamports:
        return Lamports(sum(one.value.value for one in self.collateral))

    @property
    def debt(self) -> Lamports:
        return Lamports(sum(one.value.value for one in self.loans))

    @property
    def equity(self) -> Lamports:
        """Assets less debt by the oracle; negative when under water."""
        return self.assets - self.debt

    @property
    def weighted(self) -> Lamports:
        return Lamports(sum(one.weighted.value for one in self.collateral))

    @property
    def burden(self) -> Lamports:
        return Lamports(sum(one.burden.value for one in self.loans))

    @property
    def health(self) -> Bps:
        """HL in basis points, rounded down; 10 000 without debt, at most so, negative when liquidation is due."""
        burden, weighted = self.burden.value, self.weighted.value
        if not burden:
            return Bps(BPS)
        return Bps(BPS - -(-burden * BPS // weighted)) if weighted else Bps(-BPS)

    @property
    def leverage(self) -> Bps:
        """Assets over equity in basis points, rounded up: 10 000 is 1 x. Raises ``UnitError`` where equity is not positive."""
        if self.equity.value <= 0:
            raise UnitError(f"an account with equity {self.equity} has no leverage")
        return Bps(-(-self.assets.value * BPS // self.equity.value))

    def place(self, mint: Mint) -> Collateral | None:
        """The first place that takes ``mint``: the token itself before a deposit in its lending pool."""
        found = sorted((one for one in self.collateral if one.mint == mint), key=lambda one: one.lent)
        return found[0] if found else None

    def loan(self, mint: Mint) -> Loan | None:
        return next((one for one in self.loans if one.mint == mint), None)

    def changed(self, moved: Mapping[str, int]) -> MarginAccount:
        """The account after a change in base units by market: of a collateral place, or of a loan (``"loan:" + market``).

        Raises ``UnitError`` for a market that it does not know, or where less than nothing would be left.
        """
        known = {one.market for one in self.collateral} | {f"loan:{one.market}" for one in self.loans}
        if strangers := sorted(moved.keys() - known):
            raise UnitError(f"the margin account knows no {', '.join(strangers)}; it has {', '.join(sorted(known))}")
        return replace(
            self,
            collateral=tuple(
                replace(one, amount=_moved(one.amount, moved[one.market])) if one.market in moved else one
                for one in self.collateral
            ),
            loans=tuple(
                replace(one, amount=_moved(one.amount, moved[f"loan:{one.market}"]))
                if f"loan:{one.market}" in moved
                else one
                for one in self.loans
            ),
        )

    def shocked(self, fall: Bps, mint: Mint) -> MarginAccount:
        """The account if ``mint``'s price in SOL fell by ``fall``."""
        return replace(
            self,
            collateral=tuple(
                replace(one, price=one.price.discounted(fall)) if one.mint == mint else one for one in self.collateral
            ),
        )

    def priced(self, price: Rate, mint: Mint) -> MarginAccount:
        """The account with ``mint`` worth ``price`` at most."""
        return replace(
            self,
            collateral=tuple(
                replace(one, price=min(one.price, price)) if one.mint == mint else one for one in self.collateral
            ),
        )

    def stressed(self, stress: Stress, mint: Mint) -> MarginAccount:
        """The account after ``stress``, with ``mint`` as the collateral whose price falls."""
        fallen = self.shocked(stress.fall, mint)
        return replace(
            fallen,
            collateral=tuple(replace(one, weight=max(one.weight - stress.drift, Bps(0))) for one in fallen.collateral),
            loans=tuple(replace(one, amount=_grown(one.amount, stress.growth)) for one in fallen.loans),
        )


def _grown(amount: TokenAmount, growth: Bps) -> TokenAmount:
    return TokenAmount(amount.mint, -(-amount.units * (BPS + growth.value) // BPS))


def _moved(amount: TokenAmount, change: int) -> TokenAmount:
    if amount.units + change < 0:
        raise UnitError(f"{amount} cannot change by {change} base units")
    return TokenAmount(amount.mint, amount.units + change)
