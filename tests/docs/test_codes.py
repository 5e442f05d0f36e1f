"""The reason codes in the documentation are those in the code, read from its source."""

from __future__ import annotations

import ast

from tests.docs.pages import ROOT, Page, coded, page

PAGE = "docs/strategies/arbitrage.md"


def tree(name: str) -> ast.Module:
    return ast.parse((ROOT / name).read_text(encoding="utf-8"))


def texts(node: ast.AST) -> set[str]:
    """Every non-empty text inside ``node``."""
    return {
        found.value
        for found in ast.walk(node)
        if isinstance(found, ast.Constant) and isinstance(found.value, str) and found.value
    }


def first_arguments(module: ast.Module, call: str) -> set[str]:
    """The codes that ``call("code", ...)`` may be called with.

    A first argument that is a variable, or an attribute of a value, stands for every text that is assigned to that name.
    """
    firsts = [
        node.args[0]
        for node in ast.walk(module)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == call and node.args
    ]
    named = {node.id for node in firsts if isinstance(node, ast.Name)}
    named |= {node.attr for node in firsts if isinstance(node, ast.Attribute)}
    found = {text for node in firsts if isinstance(node, ast.Constant) for text in texts(node)}
    for node in ast.walk(module):
        if isinstance(node, ast.Assign) and any(isinstance(one, ast.Name) and one.id in named for one in node.targets):
            found |= _outcomes(node.value)
    return found


def _outcomes(value: ast.expr) -> set[str]:
    """The texts that an expression may evaluate to; a condition's own texts are not among them."""
    if isinstance(value, ast.IfExp):
        return _outcomes(value.body) | _outcomes(value.orelse)
    if isinstance(value, ast.BoolOp):
        return {text for one in value.values for text in _outcomes(one)}
    return texts(value) if isinstance(value, ast.Constant) else set()


def returned(module: ast.Module, function: str) -> set[str]:
    """The texts that ``function`` returns."""
    (body,) = (node for node in ast.walk(module) if isinstance(node, ast.FunctionDef) and node.name == function)
    returns = (node.value for node in ast.walk(body) if isinstance(node, ast.Return) and node.value is not None)
    return {text for value in returns for text in _outcomes(value)}


def documented(doc: Page, heading: str) -> list[str]:
    return [coded(row[0]) for row in doc.table(heading)]


def test_the_reader_finds_codes_behind_names_and_conditions() -> None:
    module = ast.parse(
        'def f(a):\n    x = "one" if a.kind == "not this" else "two"\n    y = 1\n    obstacle = "three"\n'
        '    if a: return Hold(x)\n    if a.b: return Hold(a.obstacle, {"no": 1})\n'
        '    z = a.c or "five"\n    if z: return Hold(z)\n    return Hold("four")\n'
    )
    assert first_arguments(module, "Hold") == {"one", "two", "three", "four", "five"}


def test_every_hold_reason_is_documented_once_and_none_is_stale() -> None:
    codes = first_arguments(tree("strategies/arbitrage.py"), "Hold")
    codes |= returned(tree("keeper/observe/freshness.py"), "_problem")
    codes |= first_arguments(tree("keeper/engine/tick.py"), "Hold")
    assert len(codes) > 10
    assert sorted(documented(page(PAGE), "Hold reasons")) == sorted(codes)


def test_every_denial_is_documented_once_and_none_is_stale() -> None:
    codes = first_arguments(tree("keeper/risk/review.py"), "Denied")
    codes |= first_arguments(tree("keeper/engine/tick.py"), "Denied")
    assert sorted(documented(page(PAGE), "Denials")) == sorted(codes)


def test_every_code_has_a_meaning() -> None:
    doc = page(PAGE)
    assert all(row[1] for heading in ("Hold reasons", "Denials") for row in doc.table(heading))


def test_the_ways_are_those_of_the_code() -> None:
    """A plan's reason is a way: texts of the form ``mint_and_*``, ``buy_and_*``, and the claim."""
    source = tree("strategies/arbitrage.py")
    ways = {text for text in texts(source) if text.startswith(("mint_and_", "buy_and_", "claim_"))}
    assert len(ways) == 5
    section = page(PAGE).section("How much: the ladder")
    assert {way for way in ways if f"`{way}`" not in section} == set()
