"""Every reason that a decision can carry is a metric label as it is, and the documentation knows it."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

import pytest

from keeper.observe import freshness
from keeper.plan import Hold
from keeper.telemetry.label_values import OTHER, BoundedValues
from strategies import arbitrage

DOCUMENT = Path(__file__).parents[2] / "docs/strategies/arbitrage.md"
ENGINE = {"strategy_raised", "breaks_reservation", "above_budget"}


def _texts(node: ast.AST) -> set[str]:
    return {one.value for one in ast.walk(node) if isinstance(one, ast.Constant) and isinstance(one.value, str)} - {""}


def arbitrage_reasons() -> set[str]:
    """The codes that stand in the source: first arguments of ``Hold``, and what is assigned to names that end up there."""
    tree = ast.parse(inspect.getsource(arbitrage))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
    reasons = [call.args[0] for call in calls if isinstance(call.func, ast.Name) and call.func.id == "Hold"]
    names = {"obstacle"} | {reason.id for reason in reasons if isinstance(reason, ast.Name)}
    found = {text for reason in reasons if isinstance(reason, ast.Constant) for text in _texts(reason)}
    for node in ast.walk(tree):
        targets = node.targets if isinstance(node, ast.Assign) else []
        if any(isinstance(target, ast.Name) and target.id in names for target in targets):
            assert isinstance(node, ast.Assign)
            found |= _texts(node.value)
    return found


def freshness_problems() -> set[str]:
    """What a view that is not fresh can be called."""
    tree = ast.parse(inspect.getsource(freshness))
    judge = next(one for one in ast.walk(tree) if isinstance(one, ast.FunctionDef) and one.name == "_problem")
    returns = [one for one in ast.walk(judge) if isinstance(one, ast.Return)]
    named = {one.value.id for one in returns if isinstance(one.value, ast.Name)}
    return {text for one in returns for text in _texts(one)} | {getattr(freshness, name) for name in named}


REASONS = sorted(arbitrage_reasons() | freshness_problems() | ENGINE)


def test_the_reasons_are_those_that_the_code_is_known_to_give() -> None:
    assert {"edge_below_minimum", "profit_below_minimum", "queue_full", "lrt_unavailable", "no_quotes"} <= set(REASONS)
    assert {"node_behind", "node_frozen", "redemption_rate_fell", "redemption_rate_jumped"} <= set(REASONS)
    assert len(REASONS) >= 16


@pytest.mark.parametrize("reason", REASONS)
def test_a_reason_is_a_label_of_its_own(reason: str) -> None:
    assert Hold(reason).reason == reason
    assert BoundedValues(1).admit(reason) == reason != OTHER


def test_all_of_them_fit_the_label_at_once() -> None:
    label = BoundedValues(64)
    assert [label.admit(reason) for reason in REASONS] == REASONS


def test_every_reason_is_documented() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert [reason for reason in REASONS if f"`{reason}`" not in text] == []
