"""Law 1 as a reader of source: what a strategy module may not contain. Each breach names the line."""

from __future__ import annotations

import ast

LANGUAGE = ("trading", "homeward", "income", "yields", "leverage", "steps", "desk")
"""Modules of ``keeper.tactics``, in which strategies share their arithmetic: pure like the strategies themselves."""
OURS = {f"keeper.{name}" for name in ("units", "plan", "view", "strategy", "lending", "past")}
OURS |= {f"keeper.tactics.{name}" for name in LANGUAGE}
STDLIB = {
    "__future__",
    "collections.abc",
    "dataclasses",
    "enum",
    "fractions",
    "typing",
    "itertools",
    "operator",
    "functools",
}
IO = {"open", "print", "input", "eval", "exec", "compile", "__import__", "breakpoint"}
STATE = {"globals", "locals", "vars", "setattr", "delattr"}
ADDRESS_DEPENDENT = {"id", "hash"}  # differ between runs, so they are randomness in disguise
MEMORY = {"cache", "lru_cache", "cached_property", "count", "cycle"}


def breaches(source: str) -> list[str]:
    """Every breach of the rules (no I/O, no clock or randomness, no state, integers only) in the module's source."""
    found: list[str] = []
    tree = ast.parse(source)
    for node in ast.walk(tree):
        line = getattr(node, "lineno", 0)
        match node:
            case ast.Import(names=names):
                found += [f"{line}: imports {name.name}" for name in names if name.name not in OURS | STDLIB]
            case ast.ImportFrom(module=module, names=names):
                if module not in OURS | STDLIB:
                    found.append(f"{line}: imports {module}")
                found += [f"{line}: {name.name} keeps state between calls" for name in names if name.name in MEMORY]
            case ast.Global() | ast.Nonlocal():
                found.append(f"{line}: writes a variable outside the function")
            case ast.Call(func=ast.Name(id=name)) if name in IO | STATE | ADDRESS_DEPENDENT | {"float", "round"}:
                found.append(f"{line}: calls {name}()")
            case ast.Attribute(attr=name) if name in MEMORY or name.startswith("__"):
                found.append(f"{line}: uses .{name}")
            case ast.Constant(value=float()):
                found.append(f"{line}: has a float")
            case ast.BinOp(op=ast.Div()) | ast.AugAssign(op=ast.Div()):
                found.append(f"{line}: divides into a float")
            case ast.AsyncFunctionDef() | ast.Await() | ast.Set() | ast.SetComp():
                found.append(f"{line}: uses {type(node).__name__} (asynchrony, or an order that differs between runs)")
    for statement in tree.body:
        if isinstance(statement, ast.Assign | ast.AnnAssign) and isinstance(
            statement.value, ast.List | ast.Dict | ast.ListComp | ast.DictComp
        ):
            found.append(f"{statement.lineno}: module-level value can be changed")
    return found
