"""The keeper's margin arithmetic held against the localnet's model of the program: to the last unit, the same refusals.

Both were written separately from the facts; accounts pass between them as bytes, so layouts are compared too.
"""

from __future__ import annotations

from dataclasses import replace

from hypothesis import event, example, given
from hypothesis import strategies as st

from keeper.protocols import glow_margin as gm
from keeper.protocols.pyth import TokenPrice
from keeper.sim.localnet.interface import ProgramError
from keeper.sim.localnet.programs import glow_margin_health as model
from keeper.sim.localnet.programs import glow_margin_state as model_state
from keeper.units import UnixTime
from tests.protocols.account_bytes import key
from tests.protocols.margin_bytes import NOW, margin_account, margin_account_bytes, position

PANIC = "panic"
Totals = tuple[int, int, int, int, int, bool, bool, tuple[tuple[str, str], ...]]
AGES = st.sampled_from((0, 1, 29, 30, 31, 40, 41, 3600)) | st.integers(0, 100)
AMOUNTS = st.integers(0, 3) | st.integers(0, 10**16) | st.integers(0, 2**64 - 1)
QUOTES = st.integers(-(10**12), 10**13) | st.sampled_from((0, -1, 1, 2**63 - 1, -(2**63)))
EXPONENTS = st.sampled_from((-8, -9, -5, 0, -11, -18))


@st.composite
def positions(draw: st.DrawFn, *, modifiers: st.SearchStrategy[int]) -> gm.AccountPosition:
    """A position as the program may have left it: any kind, price, age, flag; its value follows from balance and price."""
    one = position(
        kind=draw(st.sampled_from(gm.PositionKind)),
        modifier=draw(modifiers),
        max_staleness=draw(st.sampled_from((0, 0, 30, 40))),
        past_due=draw(st.booleans()),
    )
    one = replace(one, exponent=draw(st.sampled_from((-9, -6, 0))))
    valid = draw(st.booleans() | st.just(value=True))
    quoted = gm.PositionPrice(draw(QUOTES), NOW - draw(AGES), draw(EXPONENTS), is_valid=valid)
    amount, counted = draw(AMOUNTS), NOW - draw(AGES)
    try:
        return gm.revalued(one, quoted, amount, counted)
    except gm.NumberError:  # the program could not have stored it; what the bytes hold is still read alike
        return replace(one, price=quoted, balance=amount, balance_timestamp=counted)


def accounts(modifiers: st.SearchStrategy[int], most: int = 8) -> st.SearchStrategy[gm.MarginAccountState]:
    def distinct(found: list[gm.AccountPosition]) -> gm.MarginAccountState:
        state = margin_account(found)
        return replace(state, positions=tuple(replace(one, token=key(500 + one.slot)) for one in state.positions))

    return st.lists(positions(modifiers=modifiers), max_size=most).map(distinct)


def ours(state: gm.MarginAccountState, now: UnixTime) -> Totals | str:
    try:
        value = gm.valuation(gm.decode_margin_account(margin_account_bytes(state)), now)
    except gm.ClaimStale as error:
        return error.reason.value
    except gm.NumberError:
        return PANIC
    stale = tuple((str(one.token), one.reason.value) for one in value.stale)
    totals = (value.equity, value.liabilities, value.required, value.weighted, value.effective)
    return (*totals, value.past_due, value.healthy, stale)


def theirs(state: gm.MarginAccountState, now: UnixTime) -> Totals | str:
    try:
        value = model.valuation(model_state.MarginAccount.decode(margin_account_bytes(state)), now.value)
        totals = (value.equity, value.liabilities, value.required, value.weighted, value.effective)
    except ProgramError as error:
        return named(error)
    stale = tuple((str(token), reason.title) for token, reason in value.stale)
    return (*totals, value.past_due, value.is_healthy, stale)


def named(error: ProgramError) -> str:
    """The model's refusal by the program's error name, or that it would panic."""
    return gm.MARGIN_ERRORS[error.error["Custom"]] if isinstance(error.error, dict) else PANIC


@given(accounts(st.integers(1, 500)))
@example(margin_account([]))
@example(margin_account([position(kind=gm.PositionKind.CLAIM, at=NOW - 31)]))
@example(
    margin_account([position(price=-1, modifier=95), position(kind=gm.PositionKind.CLAIM, price=-7, modifier=300)])
)
def test_health_agrees_to_the_last_unit(state: gm.MarginAccountState) -> None:
    mine = ours(state, NOW)
    event(mine if isinstance(mine, str) else "valued")
    assert mine == theirs(state, NOW)


@given(accounts(st.just(0) | st.integers(1, 500), most=3))
def test_an_unbounded_requirement_is_never_healthy_to_either(state: gm.MarginAccountState) -> None:
    """Where the program adds to an infinite requirement it panics at once; ours stays infinite, or goes on to a stale claim."""
    mine, other = ours(state, NOW), theirs(state, NOW)
    if mine != other:
        assert other == PANIC
        assert sum(one.is_claim and one.value_modifier == 0 for one in state.positions)
        assert isinstance(mine, str) or (mine[2], mine[6]) == (gm.INFINITE, False)


@given(st.binary(min_size=16, max_size=16), st.integers(0, 10_000), st.sampled_from(gm.PositionKind))
def test_any_stored_value_counts_the_same(stored: bytes, modifier: int, kind: gm.PositionKind) -> None:
    one = replace(position(kind=kind, modifier=modifier), value=int.from_bytes(stored, "little", signed=True))
    assert ours(margin_account([one]), NOW) == theirs(margin_account([one]), NOW)


@given(accounts(st.integers(0, 500), most=4))
def test_both_write_the_same_bytes(state: gm.MarginAccountState) -> None:
    data = margin_account_bytes(state)
    assert model_state.MarginAccount.decode(data).encode() == data
    assert gm.decode_margin_account(data) == state


@given(QUOTES, st.integers(0, 10**12), QUOTES, st.integers(-100, 100), EXPONENTS | st.just(18), AMOUNTS)
def test_a_refresh_leaves_the_same_position(
    value: int, conf: int, ema: int, age: int, exponent: int, balance: int
) -> None:
    then = NOW + 1000
    published = then - age
    held = position()
    refreshed = model_state.MarginAccount.decode(margin_account_bytes(margin_account([held])))
    slot = refreshed.slots[0]
    other = ""
    try:
        slot.set_price(model.PriceChange(value, conf, ema, published.value, exponent).to_price_info(then.value))
        slot.set_balance(balance, then.value)
    except ProgramError as error:
        other = named(error)
    try:
        one = gm.revalued(held, TokenPrice(value, conf, ema, exponent, published), None, then)
        one = gm.revalued(one, None, balance, then)
    except gm.NumberError:
        assert other == PANIC
        return
    assert not other
    assert gm.decode_margin_account(refreshed.encode()).positions == (one,)
