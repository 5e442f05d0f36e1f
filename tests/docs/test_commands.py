"""Commands, options and methods in the documentation are those of the Makefile, the parser and the localnet."""

from __future__ import annotations

import re
import shlex
from dataclasses import fields
from pathlib import Path

import pytest

from keeper.cli.parser import build_parser
from keeper.config import load_config
from keeper.sim.localnet.rpc.faults import FaultRates
from keeper.sim.localnet.rpc.methods.extension import EXTENSION_METHODS
from tests.docs.pages import ROOT, Page, coded, names, page

_INLINE = re.compile(r"`((?:make|keeper) [^`]+)`")


def commands(doc: Page) -> list[str]:
    """Commands of the page: in code style, and as lines of code blocks without a language."""
    lines = [line for block in doc.blocks("") for line in block.splitlines()]
    found = [line.split("#")[0].strip() for line in lines if line.startswith(("make ", "keeper "))]
    return found + _INLINE.findall(doc.prose)


def targets() -> set[str]:
    return set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))


def parses(command: str) -> bool:
    """Whether the parser takes the command. A bare name such as ``keeper run`` counts where that command has a help page."""
    words = shlex.split(command)[1:]
    bare = all(re.fullmatch("[a-z]+", word) for word in words)
    try:
        build_parser().parse_args([*words, "--help"] if bare else words)
    except SystemExit as end:
        return end.code == 0
    return True


@pytest.mark.parametrize("name", names())
def test_commands_exist(name: str) -> None:
    known = targets()
    for command in commands(page(name)):
        if command.startswith("make "):
            assert command.split()[1] in known, f"{name}: no such target: {command}"
        else:
            assert parses(command), f"{name}: the parser refuses: {command}"


def test_the_parser_refuses_what_does_not_exist() -> None:
    assert not parses("keeper divine")


def test_the_readme_begins_with_the_two_commands() -> None:
    assert commands(page("README.md"))[:2] == ["make demo", "make test"]


def test_the_readme_configuration_is_one_that_loads(tmp_path: Path) -> None:
    (example,) = (block for block in page("README.md").blocks("toml") if "[cluster]" in block)
    path = tmp_path / "keeper.toml"
    path.write_text(example)
    loaded = load_config(path)
    assert [configured.name for configured in loaded.strategies] == ["arbitrage"]
    assert loaded.settings.market.lrt is None
    assert len(loaded.settings.cluster.rpc) == 2


def test_the_localnet_options_are_those_of_the_parser(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        build_parser().parse_args(["localnet", "--help"])
    options = set(re.findall(r"^  (--[a-z-]+)", capsys.readouterr().out, flags=re.MULTILINE))
    documented = [coded(row[0]) for row in page("docs/localnet.md").table("Options")]
    assert sorted(documented) == sorted(options)


def test_the_extension_methods_are_those_of_the_localnet() -> None:
    documented = [coded(row[0]) for row in page("docs/localnet.md").table("Methods that no real node has")]
    assert sorted(documented) == sorted(EXTENSION_METHODS)


def test_the_faults_are_those_of_the_localnet() -> None:
    _, _, sentence = page("docs/localnet.md").section("Methods that no real node has").partition("Faults: ")
    named = re.findall(r"`([a-z_]+)`", sentence)
    assert sorted(named) == sorted(field.name for field in fields(FaultRates))
