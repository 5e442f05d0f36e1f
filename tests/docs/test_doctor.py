"""The doctor's checks in the documentation are those of the code, and so is whether they block."""

from __future__ import annotations

import ast

from solders.pubkey import Pubkey

from keeper.chain.clock import VirtualClock
from keeper.chain.rpc import RpcClient
from keeper.config.settings import Lending
from keeper.doctor import Case, Scope
from keeper.doctor.examination import checks
from keeper.engine.assembly import lending_source
from keeper.engine.gate import WHILE_CLOSED
from keeper.observe.discovery import LrtSource
from keeper.protocols.glow_lrt import LOCALNET_LRT_MAPPING
from keeper.units import Lamports
from tests.docs.pages import ROOT, coded, page

PAGE = "docs/operations.md"
KEY = Pubkey.default()


def documented() -> dict[str, str]:
    return {coded(row[0]): row[1] for row in page(PAGE).table("Checks")}


def on_chain() -> dict[str, str]:
    """Every check that is made of one reading of the chain, and what the page should say of it."""
    case = Case(
        rpc=RpcClient("http://nowhere.invalid"),
        genesis_hash="",
        clock=VirtualClock(),
        owner=KEY,
        gas_reserve=Lamports(1),
        lrt=LrtSource(KEY, KEY, KEY, None, LOCALNET_LRT_MAPPING),
        lending=lending_source(Lending()),
    )
    words = {(True, Scope.LENDING): "blocks lending", (True, Scope.KEEPER): "blocks", (True, Scope.RESTAKING): "blocks"}
    return {check.name: words.get((check.blocks, check.scope), "does not block") for check in checks(case)}


def named(module: str) -> set[str]:
    """The first argument of every ``Finding(...)`` in ``module`` that is a text, or begins as one."""
    source = ast.parse((ROOT / "keeper" / module).read_text(encoding="utf-8"))
    found = set()
    for node in ast.walk(source):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Finding":
            first = node.args[0]
            if isinstance(first, ast.Constant):
                found.add(str(first.value))
    return found


def test_every_check_of_the_chain_is_documented_as_it_is() -> None:
    table = documented()
    assert {name: table.get(name) for name in on_chain()} == on_chain()


def test_the_other_checks_are_documented_and_none_is_stale() -> None:
    others = {"node": "blocks", "genesis": "blocks", "witness": "blocks"}
    others |= dict.fromkeys(("keypair", "journal", "venue", "websocket"), "alone")
    assert documented() == on_chain() | others
    single = named("doctor/node.py") | named("doctor/surroundings.py") | named("engine/checkup.py")
    assert single - set(documented()) == {"discovery"}
    assert "`discovery`" in page(PAGE).section("Checks")


def test_how_soon_it_looks_again_is_as_documented() -> None:
    assert f"every {WHILE_CLOSED.value} seconds while one fails" in " ".join(
        page(PAGE).section("Examining the market").split()
    )
