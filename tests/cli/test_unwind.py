"""``keeper unwind``: an order beside a keeper that runs, in words and exit codes."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from keeper.cli import main
from keeper.journal.journal import Journal
from keeper.journal.records import Order

CONFIG = """
[cluster]
rpc = ["http://127.0.0.1:1"]
websocket = "ws://127.0.0.1:1"
genesis_hash = "abc"
[wallet]
keypair = "there is none.json"
[journal]
url = "sqlite:///journal.db"
[venues.jupiter]
[strategies.arbitrage]
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "keeper.toml"
    path.write_text(CONFIG)
    return path


def orders(config: Path, *, done: str = "", lead: float = 0.0) -> dict[str, Order]:
    async def look() -> dict[str, Order]:
        async with await Journal.open(f"sqlite:///{config.parent / 'journal.db'}", wall=lambda: 4e9) as journal:
            if done or lead:
                held = await journal.acquire("keeper-0", lead or 1.0)
                if done:
                    await journal.order_done(held, done)
            return dict((await journal.standing()).orders)

    return asyncio.run(look())


def unwind(config: Path, *arguments: str) -> int:
    return main(["unwind", *arguments, "--config", str(config)])


def test_an_order_needs_neither_chain_nor_wallet_and_stands_in_the_journal(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert unwind(config, "arbitrage") == 0
    said = capsys.readouterr().out
    assert "arbitrage: ordered to unwind" in said
    assert "keeper unwind arbitrage --cancel" in said
    assert "no keeper runs" in said
    assert list(orders(config, lead=3600.0)) == ["arbitrage"]
    assert unwind(config) == 0
    said = capsys.readouterr().out
    assert "arbitrage: under that order since 20" in said
    assert "still unwinding" in said
    assert "no keeper runs" not in said, "one leads, and was not in the way"


def test_one_that_is_done_is_said_so_and_stays_until_it_is_cancelled(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert unwind(config) == 0
    assert orders(config, done="arbitrage")["arbitrage"].done_at is not None
    assert unwind(config) == 0
    assert "unwound at 2096-10-02" in capsys.readouterr().out
    assert unwind(config, "--cancel") == 0
    assert "is lifted; it may enter again" in capsys.readouterr().out
    assert orders(config) == {}
    assert unwind(config, "arbitrage", "--cancel") == 0
    assert "was not under an order" in capsys.readouterr().out


def test_an_unknown_strategy_is_exit_2_and_nothing_is_ordered(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert unwind(config, "arbitrage", "arbitrge") == 2
    assert "did you mean 'arbitrage'" in capsys.readouterr().err
    assert orders(config) == {}


def test_an_order_of_one_that_is_not_configured_any_more_can_be_lifted(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async def place() -> None:
        async with await Journal.open(f"sqlite:///{config.parent / 'journal.db'}", wall=lambda: 1.0) as journal:
            await journal.place_orders(["gone"])

    asyncio.run(place())
    assert unwind(config, "gone") == 2
    assert unwind(config, "gone", "--cancel") == 0
    assert "gone: the order of 1970-01-01 00:00:01 UTC is lifted" in capsys.readouterr().out


def test_what_cannot_be_read_is_exit_2(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (config.parent / "journal.db").write_text("not a database, and long enough to have a header of one, it seems")
    assert unwind(config) == 2
    assert "nothing was ordered" in capsys.readouterr().err
    config.write_text(CONFIG + "[nonsense]\n")
    assert unwind(config) == 2
    assert "nonsense" in capsys.readouterr().err
