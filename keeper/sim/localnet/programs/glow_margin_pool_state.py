"""State of one lending pool: its account's layout, interest, and what each action books.

Layout and formulas: shared facts, protocol.md 4.2 and 4.3. Money in base units; ``borrowed`` and ``uncollected_fees`` are raw
Numbers (see ``glow_margin_pool_number``), as are all rates.
"""

from __future__ import annotations

from dataclasses import dataclass

from solders.pubkey import Pubkey

from keeper.sim.localnet.programs.anchor import AnchorError, account_discriminator
from keeper.sim.localnet.programs.borsh import Reader, i64, u8, u16, u64
from keeper.sim.localnet.programs.glow_margin_config import NoOracle, Oracle, encode_oracle, read_oracle
from keeper.sim.localnet.programs.glow_margin_pool_exchange import Action, Amount, PoolError, of_notes, of_tokens
from keeper.sim.localnet.programs.glow_margin_pool_number import (
    BPS,
    ONE,
    checked,
    divide,
    down,
    growth,
    multiply,
    of_bps,
    of_integer,
    panic,
    up,
)

POOL_DISCRIMINATOR = account_discriminator("MarginPool")
POOL_SIZE = 432
"""Bytes of the account: the longest oracle ends at 425, and the program's own struct is aligned to 8."""
DISABLED, ALLOW_LENDING = 1, 2
YEAR = 31_536_000
HOUR = 3_600
MAX_ACCRUAL = 7 * 24 * HOUR
"""Seconds of interest that one call accrues at most."""
MAX_RATE = 2 * ONE
MAX_UTILISATION_BPS = 9_500
NO_ORACLE = NoOracle()


@dataclass(frozen=True, slots=True)
class PoolConfig:
    """Parameters of a pool. Rates in bps per year, utilisations and the fee (share of interest) in bps, limits in tokens."""

    flags: int = ALLOW_LENDING
    utilization_rate_1: int = 8_500
    utilization_rate_2: int = 9_500
    borrow_rate_0: int = 100
    borrow_rate_1: int = 1_500
    borrow_rate_2: int = 15_000
    borrow_rate_3: int = 20_000
    management_fee_rate: int = 2_000
    deposit_limit: int = 2**63
    borrow_limit: int = 2**63
    reserved: int = 0

    @classmethod
    def read(cls, reader: Reader) -> PoolConfig:
        flags = reader.u64()
        first, second, rate_0, rate_1, rate_2, rate_3, fee = (reader.u16() for _ in range(7))
        deposit_limit, borrow_limit, reserved = (reader.u64() for _ in range(3))
        return cls(flags, first, second, rate_0, rate_1, rate_2, rate_3, fee, deposit_limit, borrow_limit, reserved)

    def encode(self) -> bytes:
        rates = (
            self.utilization_rate_1,
            self.utilization_rate_2,
            self.borrow_rate_0,
            self.borrow_rate_1,
            self.borrow_rate_2,
            self.borrow_rate_3,
            self.management_fee_rate,
        )
        limits = u64(self.deposit_limit) + u64(self.borrow_limit) + u64(self.reserved)
        return u64(self.flags) + b"".join(u16(rate) for rate in rates) + limits


@dataclass(slots=True)
class MarginPool:
    """The pool's account. ``deposit_tokens``: idle tokens in the vault as booked."""

    bump: int
    airspace: Pubkey
    vault: Pubkey
    fee_destination: Pubkey
    deposit_note_mint: Pubkey
    loan_note_mint: Pubkey
    token_mint: Pubkey
    address: Pubkey
    config: PoolConfig
    borrowed: int = 0
    uncollected_fees: int = 0
    deposit_tokens: int = 0
    deposit_notes: int = 0
    loan_notes: int = 0
    accrued_until: int = 0
    oracle: Oracle = NO_ORACLE
    version: int = 0

    @classmethod
    def decode(cls, data: bytes) -> MarginPool:
        """Raises Anchor's 3003 for bytes that are no pool."""
        broken = AnchorError.ACCOUNT_DID_NOT_DESERIALIZE.error("margin_pool")
        reader = Reader(data, 8, error=broken)
        version, bump = reader.u8(), reader.u8()
        airspace, vault, fees, deposit_mint, loan_mint, mint, address = (reader.key() for _ in range(7))
        config = PoolConfig.read(reader)
        return cls(
            bump=bump,
            airspace=airspace,
            vault=vault,
            fee_destination=fees,
            deposit_note_mint=deposit_mint,
            loan_note_mint=loan_mint,
            token_mint=mint,
            address=address,
            config=config,
            borrowed=int.from_bytes(reader.take(24), "little"),
            uncollected_fees=int.from_bytes(reader.take(24), "little"),
            deposit_tokens=reader.u64(),
            deposit_notes=reader.u64(),
            loan_notes=reader.u64(),
            accrued_until=reader.i64(),
            oracle=read_oracle(reader),
            version=version,
        )

    def encode(self) -> bytes:
        keys = (
            self.airspace,
            self.vault,
            self.fee_destination,
            self.deposit_note_mint,
            self.loan_note_mint,
            self.token_mint,
            self.address,
        )
        body = b"".join(
            (
                POOL_DISCRIMINATOR,
                u8(self.version),
                u8(self.bump),
                *(bytes(key) for key in keys),
                self.config.encode(),
                self.borrowed.to_bytes(24, "little"),
                self.uncollected_fees.to_bytes(24, "little"),
                u64(self.deposit_tokens),
                u64(self.deposit_notes),
                u64(self.loan_notes),
                i64(self.accrued_until),
                encode_oracle(self.oracle),
            )
        )
        return body.ljust(POOL_SIZE, b"\0")

    @property
    def seeds(self) -> tuple[bytes, ...]:
        """What signs for the pool. Raises error 135100 while the pool is disabled."""
        if self.config.flags & DISABLED:
            raise PoolError.DISABLED.error("the pool is currently disabled")
        return (bytes(self.airspace), bytes(self.token_mint), bytes([self.bump]))

    # rates

    @property
    def total_value(self) -> int:
        return checked(self.borrowed + of_integer(self.deposit_tokens))

    @property
    def utilisation(self) -> int:
        """Raises ``ProgramError`` for a pool in which nothing is: the program divides by zero there."""
        return divide(self.borrowed, self.total_value)

    @property
    def deposit_rate(self) -> int:
        """Tokens a deposit note is worth."""
        return divide(
            max(ONE, checked(self.total_value - self.uncollected_fees)), of_integer(max(1, self.deposit_notes))
        )

    @property
    def loan_rate(self) -> int:
        """Tokens a loan note owes."""
        return divide(max(ONE, self.borrowed), of_integer(max(1, self.loan_notes)))

    @property
    def borrow_rate(self) -> int:
        """Interest per year at the present utilisation."""
        config = self.config
        if self.deposit_notes == 0:
            return of_bps(config.borrow_rate_0)
        used = self.utilisation
        first, second = of_bps(config.utilization_rate_1), of_bps(config.utilization_rate_2)
        if used <= first:
            return _between(used, 0, first, config.borrow_rate_0, config.borrow_rate_1)
        if used <= second:
            return _between(used, first, second, config.borrow_rate_1, config.borrow_rate_2)
        if used < ONE:
            return _between(used, second, ONE, config.borrow_rate_2, config.borrow_rate_3)
        return of_bps(config.borrow_rate_3)

    def accrue(self, now: int) -> bool:
        """Book interest up to ``now``, but for seven days at most. Whether that reached ``now``."""
        behind = now - self.accrued_until
        if behind < 0:
            raise panic("interest may not be accrued over a negative time period")
        span = min(behind, MAX_ACCRUAL)
        if span == 0:
            return True
        rate = self.borrow_rate
        if rate > MAX_RATE:
            raise panic("interest rate too large")
        interest = multiply(self.borrowed, growth(rate * span // YEAR, _terms(span)))
        self.borrowed = checked(self.borrowed + interest)
        self.uncollected_fees = checked(
            self.uncollected_fees + multiply(interest, of_bps(self.config.management_fee_rate))
        )
        self.accrued_until += span
        return span == behind

    def require_accrued(self, now: int) -> None:
        """Accrue, and raise error 135101 where that does not reach ``now``."""
        if not self.accrue(now):
            raise PoolError.INTEREST_ACCRUAL_BEHIND.error("interest accrual is too far behind")

    # exchange

    def tokens(self, tokens: int, action: Action) -> Amount:
        """The exchange of ``tokens`` at the present rate. Raises error 135104."""
        return of_tokens(tokens, self.deposit_rate if action.lends else self.loan_rate, action)

    def notes(self, notes: int, action: Action) -> Amount:
        """The exchange of ``notes`` at the present rate. Raises error 135104."""
        return of_notes(notes, self.deposit_rate if action.lends else self.loan_rate, action)

    # bookings

    def deposit(self, amount: Amount) -> None:
        """Raises error 135111 where idle tokens would exceed the limit."""
        self.deposit_tokens += amount.tokens
        if self.deposit_tokens > self.config.deposit_limit:
            raise PoolError.DEPOSIT_LIMIT_REACHED.error(f"{self.deposit_tokens} of {self.config.deposit_limit}")
        self.deposit_notes += amount.notes

    def withdraw(self, amount: Amount) -> None:
        """Raises error 135103 where the vault does not hold it."""
        self.deposit_tokens = _left(self.deposit_tokens, amount.tokens)
        self.deposit_notes = _left(self.deposit_notes, amount.notes)

    def borrow(self, amount: Amount) -> None:
        """Raises errors 135102, 135103, 135112 or 135109."""
        if not self.config.flags & ALLOW_LENDING:
            raise PoolError.DEPOSITS_ONLY.error("this pool only allows deposits")
        self.deposit_tokens = _left(self.deposit_tokens, amount.tokens)
        self.loan_notes += amount.notes
        self.borrowed = checked(self.borrowed + of_integer(amount.tokens))
        if self.borrowed > of_integer(self.config.borrow_limit):
            raise PoolError.BORROW_LIMIT_REACHED.error(f"{up(self.borrowed)} of {self.config.borrow_limit}")
        if self.utilisation * BPS // ONE > MAX_UTILISATION_BPS:
            raise PoolError.EXCEEDS_MAX_BORROW_UTIL_RATIO.error(f"{self.utilisation * BPS // ONE} bps")

    def repay(self, amount: Amount) -> None:
        """A repayment with tokens. Raises errors 135103 or 135108."""
        self.deposit_tokens += amount.tokens
        self._settle(amount)

    def repay_with_notes(self, repaid: Amount, burnt: Amount) -> None:
        """A repayment out of a deposit: no token moves. Raises errors 135103 or 135108."""
        self.deposit_notes = _left(self.deposit_notes, burnt.notes)
        self._settle(repaid)

    def _settle(self, amount: Amount) -> None:
        self.loan_notes = _left(self.loan_notes, amount.notes)
        if up(self.borrowed) < amount.tokens:
            raise PoolError.REPAYMENT_EXCEEDS_TOTAL_OUTSTANDING.error(f"{amount.tokens} of {up(self.borrowed)}")
        self.borrowed = max(0, self.borrowed - of_integer(amount.tokens))

    def collect_fees(self) -> int:
        """Turn uncollected fees into notes; how many. The rest stays uncollected."""
        rate = self.deposit_rate
        fee_notes = down(divide(self.uncollected_fees, rate))
        if fee_notes:
            self.uncollected_fees = checked(self.uncollected_fees - multiply(of_integer(fee_notes), rate))
            self.deposit_notes += fee_notes
        return fee_notes


def _between(used: int, low: int, high: int, low_bps: int, high_bps: int) -> int:
    """The rate at ``used`` on the straight line between two corners of the curve, rounded down."""
    rise = checked(of_bps(high_bps) - of_bps(low_bps))
    return of_bps(low_bps) + divide(multiply(used - low, rise), high - low)


def _left(held: int, taken: int) -> int:
    if taken > held:
        raise PoolError.INSUFFICIENT_LIQUIDITY.error(f"{taken} of {held}")
    return held - taken


def _terms(span: int) -> int:
    """Terms of the series that the program spends on ``span`` seconds."""
    for limit, terms in ((2 * HOUR, 5), (12 * HOUR, 6), (24 * HOUR, 7)):
        if span <= limit:
            return terms
    return 10
