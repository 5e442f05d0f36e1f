"""The map in docs/architecture.md is the one that import-linter holds."""

from __future__ import annotations

import tomllib

from keeper.engine.daemon import TASKS
from keeper.journal.records import AttemptState
from tests.docs.pages import ROOT, coded, page

PAGE = "docs/architecture.md"


def layers() -> list[set[str]]:
    """The floors of the contract, from the ground up."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    (contract,) = (one for one in project["tool"]["importlinter"]["contracts"] if one["name"].startswith("floors"))
    return [set(layer.split(" | ")) for layer in reversed(contract["layers"])]


def test_the_floors_are_those_of_the_contract() -> None:
    documented: dict[int, set[str]] = {}
    for floor, room, _ in page(PAGE).table("Rooms"):
        documented.setdefault(int(floor), set()).add(coded(room))
    assert [documented[floor] for floor in sorted(documented)] == layers()
    assert sorted(documented) == list(range(len(layers())))


def test_every_room_is_on_the_map() -> None:
    keeper = ROOT / "keeper"
    rooms = {path.name for path in keeper.iterdir() if (path / "__init__.py").exists()}
    rooms |= {path.stem for path in keeper.glob("*.py") if not path.stem.startswith("__")}
    assert {f"keeper.{room}" for room in rooms} == {coded(row[1]) for row in page(PAGE).table("Rooms")}


def test_states_and_tasks_are_those_of_the_code() -> None:
    text = page(PAGE).text
    life = text.partition("## The life of a transaction")[2].partition("## ")[0]
    assert [name for name in AttemptState.__members__ if name not in life] == []
    supervision = page(PAGE).section("Supervision and the end")
    assert "four tasks: " + ", ".join(f"`{task}`" for task in TASKS) in supervision
