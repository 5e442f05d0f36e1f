"""The wallet's margin account: whether it is ours to use, and whether governance is about to value it otherwise."""

from __future__ import annotations

from collections.abc import Iterator

from solders.pubkey import Pubkey

from keeper.doctor.chart import Chart, label
from keeper.doctor.check import UNREADABLE, Check, Verdict, failed, passed, unknown
from keeper.doctor.finding import Scope
from keeper.doctor.wallet import NO_WALLET
from keeper.protocols import glow_margin as margin
from keeper.protocols import glow_margin_pool as pools
from keeper.protocols.layout import LayoutError

PLACES = 24
"""Positions that a user may register (facts, protocol.md 3.2)."""
NONE_YET = "there is no margin account yet", "run keeper setup, which opens it, before a strategy is to borrow"
SEE_ACCOUNT = "see the check 'margin_account'"


def _account(chart: Chart) -> Iterator[Verdict]:
    if chart.case.owner is None:
        yield unknown(*NO_WALLET)
        return
    state = chart.margin_account()
    if state is None:
        yield unknown(f"{chart.account_key}: {NONE_YET[0]}", NONE_YET[1])
    elif state.owner != chart.case.owner or state.airspace != chart.lending.airspace_address:
        yield failed(f"{chart.account_key} belongs to {state.owner} in {state.airspace}", UNREADABLE)
    elif state.constraints:
        remedy = "an adapter denied the account something: ask Glow, and only lower what it holds"
        yield failed(f"{chart.account_key} is constrained: {state.constraints!r}", remedy)
    else:
        yield passed(str(chart.account_key))


def _state(chart: Chart) -> margin.MarginAccountState | Verdict:
    """The account, or why there is nothing to look at."""
    if chart.case.owner is None:
        return unknown(*NO_WALLET)
    try:
        state = chart.margin_account()
    except LayoutError:
        return unknown("the margin account cannot be read", SEE_ACCOUNT)
    return state if state is not None else unknown(*NONE_YET)


def _liquidation(chart: Chart) -> Iterator[Verdict]:
    state = _state(chart)
    if isinstance(state, Verdict):
        yield state
    elif state.liquidator is not None:
        remedy = "wait until the liquidator ends; afterwards find out why health was lost, and lower the leverage"
        yield failed(f"{state.liquidator} is liquidating the account", remedy)
    else:
        yield passed("nobody is liquidating the account")


def _known(chart: Chart) -> dict[Pubkey, str]:
    """The tokens that positions may be in, and what they are called."""
    found = {Pubkey.from_string(token.address): str(token) for token in chart.raw}
    program = chart.lending.pool_program
    for mint in chart.lending.mints:
        pool, name = chart.pool_key(mint), label(mint, chart.case.lrt)
        found[pools.deposit_note_mint_address(pool, program)] = f"{name} deposit"
        found[pools.loan_note_mint_address(pool, program)] = f"{name} loan"
    return found


def _positions(chart: Chart) -> Iterator[Verdict]:
    state = _state(chart)
    if isinstance(state, Verdict):
        yield state
        return
    known = _known(chart)
    strange = [str(one.token) for one in state.positions if one.token not in known and one.balance]
    late = [known.get(one.token, str(one.token)) for one in state.positions if one.past_due]
    if strange:
        remedy = "add their pools to market.lending.pools, or close them by hand: health cannot be known with them"
        yield failed(f"positions in tokens that are not configured: {', '.join(strange)}", remedy)
    elif late:
        yield failed(f"past due: {', '.join(late)}", "repay what is past due at once: it can be liquidated as it is")
    elif len(state.positions) >= PLACES:
        remedy = "close positions that are empty (keeper setup --close)"
        yield failed(f"all {PLACES} places are taken", remedy)
    else:
        names = ", ".join(known.get(one.token, str(one.token)) for one in state.positions) or "none"
        yield passed(f"{names}; {PLACES - len(state.positions)} places left")


def _drift(chart: Chart) -> Iterator[Verdict]:
    """Weights that governance has changed and that the positions do not have yet (facts, protocol.md 3.10a)."""
    state = _state(chart)
    if isinstance(state, Verdict):
        yield state
        return
    known = _known(chart)
    drifted = []
    for one in state.positions:
        if one.token not in known or not _has(chart, one.token):
            continue
        config = chart.config(one.token, known[one.token])
        if config.token_kind is not one.kind or config.value_modifier < one.value_modifier:
            drifted.append(f"{known[one.token]} {one.value_modifier} -> {config.value_modifier}")
    if drifted:
        remedy = "expect the position to be refreshed at any moment; health is reckoned by the worse weight, lower the leverage"
        yield failed(f"pending weights: {', '.join(drifted)}", remedy)
    else:
        yield passed("positions have the weights that are configured")


def _has(chart: Chart, token: Pubkey) -> bool:
    return chart.snapshot.accounts.get(chart.config_key(token)) is not None


CHECKS = (
    Check("margin_account", _account, Scope.LENDING),
    Check("liquidation", _liquidation, Scope.LENDING),
    Check("positions", _positions, Scope.LENDING),
    Check("config_drift", _drift, Scope.LENDING, blocks=False),
)
