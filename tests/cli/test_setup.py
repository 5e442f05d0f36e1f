"""``keeper setup``: what it says, what it takes for a yes, and its exit codes, on a localnet in this process."""

from __future__ import annotations

import asyncio
import io
import signal
from pathlib import Path

import pytest

from keeper.cli import main
from keeper.journal.records import Leadership
from tests.engine.stage import SOL_UNIT
from tests.setup.conftest import Operator, make_operator


@pytest.fixture
def operator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Operator:
    made = asyncio.run(make_operator(tmp_path))
    monkeypatch.setattr("keeper.engine.setting_up.Edges", lambda: made.stage.edges)
    return made


def setup(operator: Operator, *options: str) -> int:
    return main(["setup", "--config", str(operator.stage.place.config), *options])


@pytest.mark.parametrize("answer", ["", "\n", "n\n", "no\n", "yea\n", "1\n"])
def test_it_asks_and_takes_anything_but_yes_for_no(
    operator: Operator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], answer: str
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(answer))
    assert setup(operator) == 1
    said = capsys.readouterr().out
    assert "margin account                         0.053397120 SOL of rent, comes back when closed" in said
    assert "airspace permit                        0.001781760 SOL of rent, does not come back" in said
    assert said.endswith("go on? [y/N] nothing was done\n")
    assert operator.transactions() == 0


@pytest.mark.parametrize("answer", ["y\n", " YES \n"])
def test_yes_is_yes_and_the_second_time_there_is_nothing_to_do(
    operator: Operator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], answer: str
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(answer))
    assert setup(operator) == 0
    assert "transactions landed, paid 0.08" in capsys.readouterr().out
    assert setup(operator) == 0
    assert capsys.readouterr().out == "nothing to do: everything is set up\n"


def test_with_yes_it_does_not_ask_and_close_brings_it_back(
    operator: Operator, capsys: pytest.CaptureFixture[str]
) -> None:
    assert setup(operator, "--yes", "--lend", "SOL", "--borrow", "SOL", "--borrow", "sSOL") == 0
    said = capsys.readouterr().out
    assert "deposit position in the SOL pool" in said
    assert "loan position in the sSOL pool" in said
    assert "go on?" not in said
    assert setup(operator, "--yes", "--close") == 0
    assert "received 0.06" in capsys.readouterr().out


def test_a_dry_run_only_shows_and_says_when_the_wallet_cannot_pay(
    operator: Operator, capsys: pytest.CaptureFixture[str]
) -> None:
    assert setup(operator, "--dry-run") == 0
    assert "in all it costs 0.08" in capsys.readouterr().out
    operator.give(SOL_UNIT + 1_000_000 - operator.lamports())
    assert setup(operator, "--dry-run") == 1
    assert "send at least 0.08" in capsys.readouterr().err
    assert setup(operator, "--yes") == 2
    assert "nothing was signed" in capsys.readouterr().err
    assert operator.transactions() == 0


def test_ctrl_c_at_the_question_ends_it_at_once_and_gives_the_lease_back(
    operator: Operator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Interrupted:
        def readline(self) -> str:
            signal.raise_signal(signal.SIGINT)
            raise AssertionError("the signal was only taken note of")

    before = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr("sys.stdin", Interrupted())
    assert setup(operator) == 1
    assert "interrupted: run it again" in capsys.readouterr().err
    assert signal.getsignal(signal.SIGINT) is before
    assert operator.transactions() == 0

    async def leader() -> Leadership | None:
        async with await operator.journal() as journal:
            return await journal.leader()

    assert asyncio.run(leader()) is None


def test_what_cannot_be_is_exit_2(operator: Operator, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert setup(operator, "--lend", "BONK") == 2
    assert "--lend BONK: no such pool is configured" in capsys.readouterr().err
    assert main(["setup", "--config", str(tmp_path / "none.toml")]) == 2
    assert "none.toml" in capsys.readouterr().err
    operator.stage.rpc.down = True
    assert setup(operator, "--yes") == 2
    assert "setup cannot go on: " in capsys.readouterr().err
