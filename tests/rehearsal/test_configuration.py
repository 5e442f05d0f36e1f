"""A rehearsal's configuration: a complete one, and what a person may add to it."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from solders.keypair import Keypair

from keeper.config import ConfigError, load_config
from keeper.rehearsal.configuration import THREE, UnusableTables, further_tables, merged, toml
from keeper.rehearsal.files import Folder, Net
from keeper.units import Lamports
from strategies.loop import Params

NET = Net(
    rpc="http://127.0.0.1:1",
    websocket="ws://127.0.0.1:2",
    jupiter="http://127.0.0.1:1",
    genesis="5eykt4UsFv8P8NJdTREpY1vzqKqZKvdpKuc147dw2N9d",
    glowsol="SysvarStakeHistory1111111111111111111111111",
    lrt_pool="SysvarC1ock11111111111111111111111111111111",
    lookup_table="SysvarRent111111111111111111111111111111111",
)

names = st.text(min_size=1, max_size=8)
values = st.recursive(
    st.one_of(st.text(max_size=12), st.integers(-(2**63), 2**63 - 1), st.booleans(), st.floats(-1e9, 1e9)),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=4,
)
tables = st.recursive(
    st.dictionaries(names, values, max_size=3), lambda inner: st.dictionaries(names, inner, max_size=3), max_leaves=4
)


def written(folder: Path, further: dict[str, Any]) -> Folder:
    place = Folder(folder)
    place.write_wallet(Keypair())
    place.write_config(NET, port=0, sdk_python=Path("/usr/bin/python3"), further=further)
    return place


def test_the_demos_three_strategies_are_a_configuration_that_the_keeper_takes(tmp_path: Path) -> None:
    loaded = load_config(written(tmp_path, dict(THREE)).config)
    assert {one.name for one in loaded.strategies} == {"arbitrage", "loop", "compound"}
    assert loaded.settings.market.lending is not None
    assert loaded.settings.allocation.budgets["loop"] == Lamports(100 * 10**9)
    assert loaded.settings.venues.jupiter_sdk is not None


def test_further_tables_are_merged_key_by_key(tmp_path: Path) -> None:
    more = tmp_path / "more.toml"
    more.write_text('[strategies.loop]\nmax_leverage = "150 %"\n[allocation.budgets]\ncompound = "7 SOL"\n')
    loaded = load_config(written(tmp_path, merged(THREE, further_tables(more))).config)
    loop = next(one.params for one in loaded.strategies if one.name == "loop")
    assert isinstance(loop, Params)
    assert loop.max_leverage.value == 15_000
    assert loop.equity == Lamports(100 * 10**9), "what the file does not name stays"
    assert set(loaded.settings.allocation.budgets) == {"arbitrage", "loop", "compound"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[cluster]\nrpc = []\n", "[cluster]"),
        ("[strategies", "not TOML"),
        ("strategies = 3\n", "are tables"),
        ("allocation = []\n", "are tables"),
        (None, "cannot be read"),
    ],
)
def test_a_file_that_cannot_be_used_says_why(tmp_path: Path, text: str | None, said: str) -> None:
    file = tmp_path / "my.toml"
    if text is not None:
        file.write_text(text)
    with pytest.raises(UnusableTables) as raised:
        further_tables(file)
    assert said in str(raised.value)
    assert str(file) in str(raised.value)


def test_an_unknown_strategy_is_the_configurations_own_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no installed package offers the strategy 'mine'"):
        load_config(written(tmp_path, {"strategies": {"mine": {}}}).config)


@given(tables)
def test_what_is_written_is_what_is_read(table: dict[str, Any]) -> None:
    assert tomllib.loads(toml(table)) == table


@pytest.mark.parametrize("value", [None, {1: 2}.keys(), [{"a": 1}]])
def test_a_value_that_no_configuration_has_is_refused(value: object) -> None:
    with pytest.raises(UnusableTables, match=r"strategies\.mine\.odd"):
        toml({"strategies": {"mine": {"odd": value}}})


@given(tables, tables)
def test_merging_keeps_what_is_not_named_and_takes_what_is(base: dict[str, Any], further: dict[str, Any]) -> None:
    found = merged(base, further)
    assert set(found) == {*base, *further}
    assert merged(found, further) == found
    assert all(found[key] == base[key] for key in base.keys() - further.keys())
    assert all(found[key] == value for key, value in further.items() if not isinstance(value, dict))
