"""The keeper's arithmetic against the localnet's model of the pool program: two separate writings of the same facts.

They must agree to the last unit over random pools, dust and absurd ones included, and refuse the same things by the same codes.
"""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Callable

from hypothesis import assume, given
from hypothesis import strategies as st

from keeper.protocols import glow_margin_pool as keeper
from keeper.protocols.glow_margin_pool import ChangeKind, FullAmount, MarginPoolState, PoolAction, PoolConfig, PoolFlags
from keeper.protocols.glow_margin_pool import changes as keeper_changes
from keeper.protocols.glow_margin_pool import number192 as number
from keeper.sim.localnet.interface import ProgramError
from keeper.sim.localnet.programs import glow_margin_pool_exchange as model_exchange
from keeper.sim.localnet.programs import glow_margin_pool_number as model_number
from keeper.sim.localnet.programs.glow_margin_pool_state import MarginPool
from keeper.units import UnixTime
from tests.protocols.pool_bytes import NOW, ONE, QUOTE_FEED, a_pool, an_update, pool_bytes, pools

WEEK = 7 * 86_400
Outcome = tuple[str, object]
BPS = st.integers(0, 12_000) | st.integers(0, 65_535)


@st.composite
def absurd_pools(draw: st.DrawFn) -> MarginPoolState:
    """Anything that an account can hold: falling curves, corners past one, notes without tokens, numbers that overflow."""
    word = st.integers(0, 2**64 - 1) | st.integers(0, 100)
    raw = st.integers(0, 2**192 - 1) | st.integers(0, 10**36) | st.integers(0, 5 * ONE)
    return a_pool(
        config=PoolConfig(
            flags=PoolFlags(draw(st.integers(0, 3))),
            utilization_rate_1=draw(BPS),
            utilization_rate_2=draw(BPS),
            borrow_rate_0=draw(BPS),
            borrow_rate_1=draw(BPS),
            borrow_rate_2=draw(BPS),
            borrow_rate_3=draw(BPS),
            management_fee_rate=draw(BPS),
            deposit_limit=draw(word),
            borrow_limit=draw(word),
        ),
        borrowed=draw(raw),
        fees=draw(raw),
        idle=draw(word),
        deposit_notes=draw(word),
        loan_notes=draw(word),
    )


POOLS = pools() | absurd_pools()
AMOUNTS = st.integers(0, 10**17) | st.integers(0, 50)


def model_of(pool: MarginPoolState) -> MarginPool:
    return MarginPool.decode(pool_bytes(pool))


def same_state(pool: MarginPoolState, model: MarginPool) -> bool:
    return keeper.decode_margin_pool(model.encode()) == pool


def of_keeper(act: Callable[[], object]) -> Outcome:
    try:
        return "done", act()
    except keeper.PoolRefused as refused:
        return "refused", refused.code
    except keeper.PoolPanic:
        return "panic", None


def of_model(act: Callable[[], object]) -> Outcome:
    try:
        return "done", act()
    except ProgramError as failed:
        if isinstance(failed.error, dict):
            return "refused", failed.error["Custom"]
        return "panic", None
    except OverflowError:  # a word beyond 64 bits, which the model finds only when it writes its account
        return "panic", None


def as_model(amount: FullAmount) -> model_exchange.Amount:
    return model_exchange.Amount(amount.tokens, amount.notes)


@given(POOLS)
def test_accounts_are_written_and_read_alike(pool: MarginPoolState) -> None:
    assert same_state(pool, model_of(pool))


@given(POOLS)
def test_rates(pool: MarginPoolState) -> None:
    model = model_of(pool)
    for mine, theirs in (
        (lambda: keeper.utilisation(pool), lambda: model.utilisation),
        (lambda: keeper.current_rate(pool), lambda: model.borrow_rate),
        (lambda: keeper.deposit_note_rate(pool), lambda: model.deposit_rate),
        (lambda: keeper.loan_note_rate(pool), lambda: model.loan_rate),
    ):
        assert of_keeper(mine) == of_model(theirs)


@given(POOLS, st.integers(0, WEEK + 3) | st.integers(0, 3 * WEEK))
def test_accrual(pool: MarginPoolState, seconds: int) -> None:
    model = model_of(pool)

    def accrued() -> bytes:
        model.require_accrued(NOW + seconds)
        return model.encode()

    mine = of_keeper(lambda: keeper.accrue(pool, UnixTime(NOW + seconds)))
    theirs = of_model(accrued)
    if seconds > WEEK and theirs[0] == "panic":  # the keeper refuses the interval before it would reach the panic
        assert mine == ("refused", 135_101)
    elif theirs[0] == "done":
        assert same_state(keeper.accrue(pool, UnixTime(NOW + seconds)), model)
    else:
        assert mine == theirs


@given(POOLS, st.integers(0, 5 * WEEK))
def test_repeated_collects(pool: MarginPoolState, seconds: int) -> None:
    model, now = model_of(pool), NOW + seconds

    def collected() -> bytes:
        calls = 1
        while not model.accrue(now):
            calls += 1
        model.collect_fees()
        assert calls == max(1, keeper.collects_needed(pool, UnixTime(now)))
        return model.encode()

    mine, theirs = of_keeper(lambda: keeper.catch_up(pool, UnixTime(now))), of_model(collected)
    assert mine[0] == theirs[0]
    if theirs[0] == "done":
        assert same_state(keeper.catch_up(pool, UnixTime(now)), model)


@given(POOLS, st.sampled_from(PoolAction), AMOUNTS)
def test_exchange_and_rounding(pool: MarginPoolState, action: PoolAction, amount: int) -> None:
    model, theirs = model_of(pool), model_exchange.Action(action.value)
    for mine, other in ((keeper.from_tokens, model.tokens), (keeper.from_notes, model.notes)):
        left = of_keeper(lambda mine=mine: as_model(mine(pool, action, amount)))  # type: ignore[misc]  # bound per turn
        assert left == of_model(lambda other=other: other(amount, theirs))  # type: ignore[misc]  # bound per turn


@given(st.sampled_from(PoolAction), st.sampled_from(ChangeKind), AMOUNTS, AMOUNTS, AMOUNTS)
def test_changes(action: PoolAction, kind: ChangeKind, amount: int, source: int, destination: int) -> None:
    mine = of_keeper(
        lambda: keeper_changes.tokens_to_move(action, kind, amount, source=source, destination=destination)
    )
    theirs = of_model(
        lambda: model_exchange.wanted(
            model_exchange.ChangeKind(kind.value),
            model_exchange.Action(action.value),
            amount,
            source=source,
            destination=destination,
        )
    )
    assert mine == theirs


BOOKINGS: dict[str, tuple[Callable[[MarginPoolState, FullAmount], MarginPoolState], str]] = {
    "deposit": (keeper.effects.deposited, "deposit"),
    "withdraw": (keeper.effects.withdrawn, "withdraw"),
    "borrow": (keeper.effects.borrowed, "borrow"),
    "repay": (keeper.effects.repaid, "repay"),
}


@given(POOLS, st.sampled_from(sorted(BOOKINGS)), AMOUNTS, AMOUNTS)
def test_bookings_and_guards(pool: MarginPoolState, name: str, tokens: int, notes: int) -> None:
    book, method = BOOKINGS[name]
    model, amount = model_of(pool), FullAmount(tokens, notes)

    def booked() -> None:
        getattr(model, method)(as_model(amount))
        assert model.seeds
        model.encode()

    theirs = of_model(booked)
    mine = of_keeper(lambda: book(pool, amount))
    assert (mine[0] == "done") == (theirs[0] == "done")
    if theirs[0] == "done":
        assert same_state(book(pool, amount), model)
    else:  # a sum beyond 64 bits fails at once in the keeper, in the model after its guards
        assert mine in (theirs, ("panic", None))


@given(POOLS, AMOUNTS, AMOUNTS, AMOUNTS)
def test_repaying_out_of_a_deposit(pool: MarginPoolState, tokens: int, notes: int, burnt: int) -> None:
    model, loan, deposit = model_of(pool), FullAmount(tokens, notes), FullAmount(tokens, burnt)

    def booked() -> None:
        model.repay_with_notes(as_model(loan), as_model(deposit))
        assert model.seeds

    theirs = of_model(booked)
    mine = of_keeper(lambda: keeper.effects.repaid_from_deposit(pool, loan, deposit))
    assert mine[0] == theirs[0]
    if theirs[0] == "done":
        assert same_state(keeper.effects.repaid_from_deposit(pool, loan, deposit), model)


@given(pools())
def test_the_model_lends_the_room_and_not_one_unit_more(pool: MarginPoolState) -> None:
    room = keeper.borrow_room(pool)

    def lend(tokens: int) -> Outcome:
        model = model_of(pool)
        return of_model(lambda: model.borrow(model.tokens(tokens, model_exchange.Action.BORROW)))

    if room:
        assert lend(room)[0] == "done"
    if pool.borrowed or pool.deposit_tokens:
        assert lend(room + 1)[0] == "refused"


@given(pools(), st.integers(0, 10**17))
def test_the_rate_after_our_loan_is_what_the_model_charges(pool: MarginPoolState, tokens: int) -> None:
    tokens = min(tokens, keeper.borrow_room(pool))
    assume(tokens)
    model = model_of(pool)
    model.borrow(model.tokens(tokens, model_exchange.Action.BORROW))
    assert keeper.rate_after(pool, tokens) == -(-model.borrow_rate // 10**6)


@given(
    pools(),
    st.integers(-5, 10**12),
    st.integers(0, 10**10),
    st.integers(-12, -2),
    st.integers(1, 10**12) | st.none(),
    st.integers(-12, -2),
)
def test_note_prices(
    pool: MarginPoolState, price: int, conf: int, exponent: int, quote_price: int | None, quote_exponent: int
) -> None:
    update = an_update(price, conf=conf, exponent=exponent, ema_price=abs(price) + 3)
    quote = None
    if quote_price is not None:
        quote = an_update(quote_price, conf=conf // 2, exponent=quote_exponent, feed_id=QUOTE_FEED)
    model = model_of(pool)

    def modelled() -> tuple[tuple[int, ...], ...]:
        numbers = [model_number.of_decimal(one, exponent) for one in (price, conf, abs(price) + 3)]
        if quote is not None:
            by = [model_number.of_decimal(one, quote_exponent) for one in (quote.price, quote.conf, quote.ema_price)]
            doubt = model_number.multiply(numbers[1], by[0]) + by[1]
            numbers = [model_number.multiply(numbers[0], by[0]), doubt, model_number.multiply(numbers[2], by[2])]
        return tuple(
            tuple(model_number.nearest(model_number.multiply(one, rate), exponent) for one in numbers)
            for rate in (model.deposit_rate, model.loan_rate)
        )

    def mine() -> tuple[tuple[int, ...], ...]:
        prices = keeper.note_prices(pool, update, quote)
        return tuple((one.price, one.conf, one.ema) for one in (prices.deposit, prices.loan))

    assert of_keeper(mine) == of_model(modelled)


@given(st.integers(0, 2**192 - 1), st.integers(0, 2**100), st.integers(-15, 0))
def test_numbers(a: int, b: int, exponent: int) -> None:
    for mine, theirs in (
        (lambda: number.multiply(a, b), lambda: model_number.multiply(a, b)),
        (lambda: number.divide(a, b), lambda: model_number.divide(a, b)),
        (lambda: number.floor(a), lambda: model_number.down(a)),
        (lambda: number.ceil(a), lambda: model_number.up(a)),
        (lambda: number.rounded(a, exponent), lambda: model_number.nearest(a, exponent)),
        (lambda: number.from_decimal(b, exponent), lambda: model_number.of_decimal(b, exponent)),
        (lambda: number.expm1(b % (3 * ONE), 10), lambda: model_number.growth(b % (3 * ONE), 10)),
    ):
        assert of_keeper(mine) == of_model(theirs)


def test_the_two_writings_share_no_code() -> None:
    """Otherwise agreement would prove nothing."""
    for name in ("exchange", "number", "state"):
        module = importlib.import_module(f"keeper.sim.localnet.programs.glow_margin_pool_{name}")
        assert not re.search(r"keeper\.protocols\.(glow_margin|pyth)", inspect.getsource(module))
    for module in (keeper.interest, keeper.rates, keeper.exchange, keeper.changes, keeper.effects, number):
        assert "keeper.sim" not in inspect.getsource(module)
