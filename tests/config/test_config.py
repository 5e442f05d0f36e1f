"""The configuration file: what is wrong is named, with the remedy, all at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from keeper.config import ConfigError, load_config
from keeper.units import Bps, Duration, Lamports

GOOD = """
[cluster]
rpc = ["http://127.0.0.1:8899"]
websocket = "ws://127.0.0.1:8900"
genesis_hash = "abc"

[wallet]
keypair = "keys/wallet.json"
gas_reserve = "0.2 SOL"

[journal]
url = "sqlite:///keeper.db"

[venues]
slippage = "5 bps"
[venues.jupiter]
base_url = "http://127.0.0.1:8901"

[market.lrt]
glowsol = "So11111111111111111111111111111111111111112"
pool = "So11111111111111111111111111111111111111112"
mapping = "roles.toml"

[strategies.arbitrage]
min_edge = "12 bps"
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "keeper.toml"
    path.write_text(text)
    return path


def problems(folder: Path, text: str) -> dict[str, str]:
    with pytest.raises(ConfigError) as caught:
        load_config(write(folder, text))
    return {problem.field: problem.message for problem in caught.value.problems}


def test_a_good_file_is_typed_and_its_paths_are_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    loaded = load_config(write(tmp_path, GOOD))
    settings = loaded.settings
    assert settings.wallet.gas_reserve == Lamports(200_000_000)
    assert settings.wallet.keypair == tmp_path / "keys/wallet.json"
    assert settings.journal.url == f"sqlite:///{tmp_path}/keeper.db"
    assert settings.venues.slippage == Bps(5)
    assert settings.market.lrt is not None
    assert settings.market.lrt.mapping == str(tmp_path / "roles.toml")
    assert settings.market.lrt.idl == "chain"
    assert [one.name for one in loaded.strategies] == ["arbitrage"]
    assert loaded.strategies[0].params.min_edge == Bps(12)


def test_the_environment_overrides_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLOW_KEEPER__CLUSTER__REQUEST_TIMEOUT", "3 s")
    monkeypatch.setenv("GLOW_KEEPER__STRATEGIES__ARBITRAGE__MIN_EDGE", "40 bps")
    loaded = load_config(write(tmp_path, GOOD))
    assert loaded.settings.cluster.request_timeout == Duration(3)
    assert loaded.strategies[0].params.min_edge == Bps(40)


def test_a_variable_that_names_no_table_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLOW_KEEPER__CLUSTR__RPC", "x")
    with pytest.raises(ConfigError, match="did you mean 'cluster'"):
        load_config(write(tmp_path, GOOD))


@pytest.mark.parametrize(
    ("old", "new", "field", "said"),
    [
        ("gas_reserve", "gas_reserv", "wallet.gas_reserv", "did you mean 'gas_reserve'"),
        ("[venues.jupiter]", "[venues.jupitr]", "venues.jupitr", "did you mean 'jupiter'"),
        ("base_url =", "base_ulr =", "venues.jupiter.base_ulr", "did you mean 'base_url'"),
        ("min_edge", "min_egde", "strategies.arbitrage.min_egde", "did you mean 'min_edge'"),
        ("[strategies.arbitrage]", "[strategies.arbitrge]", "strategies.arbitrge", "did you mean 'arbitrage'"),
        ('"0.2 SOL"', '"0.2"', "wallet.gas_reserve", "write an amount such as"),
        ('"0.2 SOL"', "0.2", "wallet.gas_reserve", "has no unit"),
        ('"5 bps"', '"5 percent"', "venues.slippage", "write a share such as"),
        ('"http://127.0.0.1:8899"', '"127.0.0.1:8899"', "cluster.rpc.0", "not an http:// or https:// URL"),
        ('"ws://127.0.0.1:8900"', '"http://x"', "cluster.websocket", "not a ws://"),
        ("sqlite:///keeper.db", "mysql://x", "journal.url", "postgresql://"),
        ('pool = "So111', 'pool = "0So111', "market.lrt.pool", "not a base58 address"),
        ("genesis_hash", "genesis", "cluster.genesis_hash", "missing"),
        ("[wallet]", "[walet]", "wallet", "missing"),
    ],
)
def test_what_is_wrong_is_named_with_its_remedy(tmp_path: Path, old: str, new: str, field: str, said: str) -> None:
    assert old in GOOD
    found = problems(tmp_path, GOOD.replace(old, new))
    assert said in found[field]


def test_all_problems_come_at_once(tmp_path: Path) -> None:
    text = GOOD.replace("gas_reserve", "gas_reserv").replace('"5 bps"', '"5"').replace("sqlite:///", "sqlite://")
    assert {"wallet.gas_reserv", "venues.slippage", "journal.url"} <= set(problems(tmp_path, text))


@pytest.mark.parametrize(
    ("text", "said"), [("[cluster", "not TOML"), ("", "missing"), ("\0", "not TOML"), ("x = 1", "unknown key")]
)
def test_a_file_that_is_no_configuration_says_so(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        load_config(write(tmp_path, text))


def test_no_strategy_and_no_venue_are_errors(tmp_path: Path) -> None:
    text = GOOD.replace("[strategies.arbitrage]", "[strategies]").replace('min_edge = "12 bps"', "")
    text = text.replace("[venues.jupiter]", "").replace('base_url = "http://127.0.0.1:8901"', "")
    found = problems(tmp_path, text)
    assert "add a table" in found["strategies"]
    assert "add [venues.jupiter]" in found["venues"]


def test_a_missing_or_binary_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read") as caught:
        load_config(tmp_path / "absent.toml")
    assert "absent.toml" in str(caught.value)
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="UTF-8"):
        load_config(binary)


def test_budgets_are_of_configured_strategies(tmp_path: Path) -> None:
    text = GOOD + '[allocation]\nprotect = "3 SOL"\n[allocation.budgets]\narbitrage = "150 SOL"\n'
    allocation = load_config(write(tmp_path, text)).settings.allocation
    assert allocation.protect == Lamports(3 * 10**9)
    assert allocation.budgets == {"arbitrage": Lamports(150 * 10**9)}
    found = problems(tmp_path, text.replace('arbitrage = "150', 'arbitrge = "150'))
    assert found == {"allocation.budgets.arbitrge": "no such strategy is configured; did you mean 'arbitrage'?"}


@pytest.mark.parametrize(
    ("table", "key", "message"),
    [
        ('[allocation.budgets]\narbitrage = "0 SOL"', "allocation.budgets.arbitrage", "must be positive"),
        ("[allocation.budgets]\narbitrage = 5", "allocation.budgets.arbitrage", "has no unit"),
        ('[allocation]\nprotect = "-1 SOL"', "allocation.protect", "cannot be negative"),
        ('[allocation]\nbudget = "1 SOL"', "allocation.budget", "did you mean 'budgets'"),
        ('[engine]\nmin_health = "100 %"', "engine.min_health", "between 0 and 100 %"),
        ('[engine]\nmin_health = "-1 bps"', "engine.min_health", "between 0 and 100 %"),
        ("[market.lending]\nseed = 65536", "market.lending.seed", "less than or equal to 65535"),
        ("[market.lending]\npools = []", "market.lending.pools", "at least 1 item"),
        ("[market.lending]\noracle_receivers = []", "market.lending.oracle_receivers", "at least 1 item"),
        ('[market.lending]\nairspace = ""', "market.lending.airspace", "needs its name or its address"),
        (f'[market.lending]\nairspace = "{"x" * 33}"', "market.lending.airspace", "not a base58 address"),
        ('[market.lending]\nairspce = "default"', "market.lending.airspce", "did you mean 'airspace'"),
    ],
)
def test_allotment_and_lending_are_explained(tmp_path: Path, table: str, key: str, message: str) -> None:
    found = problems(tmp_path, f"{GOOD}{table}\n")
    assert message in found[key]


def test_an_empty_lending_table_is_glows_public_market(tmp_path: Path) -> None:
    assert load_config(write(tmp_path, GOOD)).settings.market.lending is None
    lending = load_config(write(tmp_path, GOOD + "[market.lending]\n")).settings.market.lending
    assert lending is not None
    assert (lending.airspace, lending.seed, len(lending.pools)) == ("default", 0, 1)
    named = GOOD + f'[market.lending]\nairspace = "{lending.margin_program}"\n'
    assert load_config(write(tmp_path, named)).settings.market.lending is not None


def test_a_budget_from_the_environment_is_the_same_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLOW_KEEPER__ALLOCATION__BUDGETS__ARBITRAGE", "20 SOL")
    monkeypatch.setenv("GLOW_KEEPER__MARKET__LENDING__SEED", "3")
    settings = load_config(write(tmp_path, GOOD)).settings
    assert settings.allocation.budgets == {"arbitrage": Lamports(20 * 10**9)}
    assert settings.market.lending is not None
    assert settings.market.lending.seed == 3
