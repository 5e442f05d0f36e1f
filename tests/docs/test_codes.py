"""The reason codes in the documentation are those in the code, read from its source."""

from __future__ import annotations

import ast

from keeper.view import RATE_FELL
from tests.docs.pages import ROOT, Page, coded, page

PAGE = "docs/strategies/arbitrage.md"
COMPOUND = "docs/strategies/compound.md"


def tree(name: str) -> ast.Module:
    return ast.parse((ROOT / name).read_text(encoding="utf-8"))


def texts(node: ast.AST) -> set[str]:
    """Every non-empty text inside ``node``."""
    return {
        found.value
        for found in ast.walk(node)
        if isinstance(found, ast.Constant) and isinstance(found.value, str) and found.value
    }


def first_arguments(module: ast.AST, call: str) -> set[str]:
    """The codes that ``call("code", ...)`` may be called with.

    A first argument that is a variable, or an attribute of a value, stands for every text that is assigned to that name, and so
    do the variables and attributes that are assigned to it.
    """
    firsts = [
        node.args[0]
        for node in ast.walk(module)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == call and node.args
    ]
    leaves = [leaf for node in firsts for leaf in _leaves(node)]
    found = _texts_of(leaves)
    waiting, known = _names_of(leaves), set[str]()
    while waiting:
        name = waiting.pop()
        known.add(name)
        leaves = [leaf for value in _assigned(module, name) for leaf in _leaves(value)]
        found |= _texts_of(leaves)
        waiting |= _names_of(leaves) - known
    return found


def obstacles(module: ast.AST) -> set[str]:
    """The texts that become an ``obstacle``: by assignment, or by keyword."""
    keywords = [node.value for node in ast.walk(module) if isinstance(node, ast.keyword) and node.arg == "obstacle"]
    values = [*keywords, *_assigned(module, "obstacle")]
    return _texts_of([leaf for value in values for leaf in _leaves(value)])


def _assigned(module: ast.AST, name: str) -> list[ast.expr]:
    return [
        node.value
        for node in ast.walk(module)
        if isinstance(node, ast.Assign) and any(isinstance(one, ast.Name) and one.id == name for one in node.targets)
    ]


def _leaves(value: ast.expr) -> list[ast.expr]:
    """What an expression may evaluate to; a condition's own texts are not among it."""
    if isinstance(value, ast.IfExp):
        return [*_leaves(value.body), *_leaves(value.orelse)]
    if isinstance(value, ast.BoolOp | ast.Tuple):
        return [
            leaf for one in (value.values if isinstance(value, ast.BoolOp) else value.elts) for leaf in _leaves(one)
        ]
    return [value]


def _texts_of(leaves: list[ast.expr]) -> set[str]:
    return {text for leaf in leaves if isinstance(leaf, ast.Constant) for text in texts(leaf)}


def _names_of(leaves: list[ast.expr]) -> set[str]:
    named = {leaf.id for leaf in leaves if isinstance(leaf, ast.Name)}
    return named | {leaf.attr for leaf in leaves if isinstance(leaf, ast.Attribute)}


def function(module: ast.Module, name: str) -> ast.FunctionDef:
    """The top-level function ``name``."""
    (found,) = (node for node in module.body if isinstance(node, ast.FunctionDef) and node.name == name)
    return found


def returned(module: ast.Module, name: str) -> set[str]:
    """The texts that the function ``name`` returns, alone or in a tuple."""
    (body,) = (node for node in ast.walk(module) if isinstance(node, ast.FunctionDef) and node.name == name)
    returns = (node.value for node in ast.walk(body) if isinstance(node, ast.Return) and node.value is not None)
    leaves = [leaf for value in returns for leaf in _leaves(value)]
    return _texts_of(leaves) | ({RATE_FELL} if "RATE_FELL" in _names_of(leaves) else set())


def documented(doc: Page, heading: str) -> list[str]:
    return [coded(row[0]) for row in doc.table(heading)]


def test_the_reader_finds_codes_behind_names_and_conditions() -> None:
    module = ast.parse(
        'def f(a):\n    x = "one" if a.kind == "not this" else "two"\n    y = 1\n    obstacle = "three"\n'
        '    if a: return Hold(x)\n    if a.b: return Hold(a.obstacle, {"no": 1})\n'
        '    z = a.c or "five"\n    if z: return Hold(z)\n    return Hold("four")\n'
        '    u = "six" if a == "neither" else ""\n    w = a.d or u\n    if w: return Hold((w or "seven") if a else "eight")\n'
        '    return (), "nine"\n    g(obstacle=a.e or "ten")\n'
    )
    assert first_arguments(module, "Hold") == {"one", "two", "three", "four", "five", "six", "seven", "eight"}
    assert returned(module, "f") == {"nine"}
    assert obstacles(module) == {"three", "ten"}


def test_every_hold_reason_is_documented_once_and_none_is_stale() -> None:
    trading = tree("keeper/tactics/trading.py")
    codes = first_arguments(tree("strategies/arbitrage.py"), "Hold")
    codes |= returned(trading, "mint_obstacle") | obstacles(trading)
    codes |= first_arguments(function(tree("keeper/tactics/homeward.py"), "remaining"), "Hold")
    codes |= returned(tree("keeper/observe/freshness.py"), "_problem")
    codes |= first_arguments(tree("keeper/engine/tick.py"), "Hold")
    codes |= first_arguments(tree("keeper/engine/allocator.py"), "Hold")
    assert len(codes) > 10
    assert sorted(documented(page(PAGE), "Hold reasons")) == sorted(codes)


def test_every_hold_reason_of_compound_is_documented_once_and_none_is_stale() -> None:
    """But those that every strategy has: of the view, and of the engine."""
    trading, homeward, income = (tree(f"keeper/tactics/{name}.py") for name in ("trading", "homeward", "income"))
    codes = first_arguments(tree("strategies/compound.py"), "Hold") | first_arguments(homeward, "Hold")
    codes |= returned(trading, "mint_obstacle") | returned(trading, "placed") | returned(income, "sellable")
    codes |= obstacles(trading)
    codes -= {"lrt_unavailable"}  # without the restaking program the target is sSOL
    assert len(codes) > 15
    assert sorted(documented(page(COMPOUND), "Hold reasons")) == sorted(codes)


def test_every_denial_is_documented_once_and_none_is_stale() -> None:
    codes = first_arguments(tree("keeper/risk/review.py"), "Denied")
    codes |= first_arguments(tree("keeper/engine/tick.py"), "Denied")
    assert sorted(documented(page(PAGE), "Denials")) == sorted(codes)


def test_every_code_has_a_meaning() -> None:
    doc = page(PAGE)
    assert all(row[1] for heading in ("Hold reasons", "Denials") for row in doc.table(heading))


def test_the_ways_are_those_of_the_code() -> None:
    """A plan's reason is a way: texts of the form ``mint_and_*``, ``buy_and_*``, and the claim."""
    sources = texts(tree("strategies/arbitrage.py")) | texts(function(tree("keeper/tactics/trading.py"), "ripe_claim"))
    ways = {text for text in sources if text.startswith(("mint_and_", "buy_and_", "claim_"))}
    assert len(ways) == 5
    section = page(PAGE).section("How much: the ladder")
    assert {way for way in ways if f"`{way}`" not in section} == set()
