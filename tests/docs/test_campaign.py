"""docs/campaign.md names every rule that a path is held to, and none that is not."""

from __future__ import annotations

import ast

from tests.docs.pages import ROOT, coded, page


def broken_rules() -> set[str]:
    """First arguments of everything that reports a breach."""
    found: set[str] = set()
    for path in sorted((ROOT / "keeper/backtest").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            first = node.args[0]
            if name in ("breach", "_breach") and isinstance(first, ast.Constant):
                found.add(str(first.value))
    return found


def test_the_rules_are_those_of_the_code() -> None:
    rows = page("docs/campaign.md").table("The loop campaign")
    assert {coded(row[0]) for row in rows} == broken_rules()
    assert len(rows) == len(broken_rules())
