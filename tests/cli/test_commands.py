"""The command line: exit codes, and messages that say what to do."""

from __future__ import annotations

import asyncio
import json
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

import httpx2
import pytest
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from keeper.cli import main
from keeper.rehearsal.files import Folder
from keeper.sim.localnet.market_addresses import LRT_POOL, derived_keypair
from keeper.sim.localnet.server import Localnet
from tests.engine.stage import SOL_UNIT, edit, quiet_config, write_files

SECONDS = 60.0  # until a subprocess that hangs is given up


@pytest.fixture
async def place(tmp_path: Path) -> Folder:
    """A good configuration of a keeper on a chain that nobody serves."""
    net = Localnet(quiet_config())
    place = await write_files(net, tmp_path, derived_keypair("cli wallet"))
    edit(place, "max_interval = 2.0", 'max_interval = 2.0\nstartup_patience = "0 s"')
    return place


Serve = Callable[[int], Folder]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """``serve(funds)``: the same, on a localnet that another thread serves, with ``funds`` lamports in the wallet."""
    ready: queue.Queue[Folder | BaseException] = queue.Queue()
    stops: list[Callable[[], object]] = []

    async def life(funds: int) -> None:
        stop, loop = asyncio.Event(), asyncio.get_running_loop()
        async with Localnet(quiet_config()) as net:
            wallet = derived_keypair("cli wallet")
            place = await write_files(net, tmp_path, wallet, urls=(net.rpc_url, net.ws_url, net.jupiter_url))
            edit(place, "max_interval = 2.0", 'max_interval = 2.0\nstartup_patience = "0 s"')
            if funds:
                net.bank.airdrop(wallet.pubkey(), funds)
            net.bank.advance_slot(3)
            stops.append(lambda: loop.call_soon_threadsafe(stop.set))
            ready.put(place)
            await stop.wait()

    def begin(funds: int) -> None:
        try:
            asyncio.run(life(funds))
        except BaseException as error:  # noqa: BLE001 - handed to the test
            ready.put(error)

    threads: list[threading.Thread] = []

    def start(funds: int) -> Folder:
        threads.append(threading.Thread(target=begin, args=(funds,)))
        threads[-1].start()
        found = ready.get(timeout=SECONDS)
        if isinstance(found, BaseException):
            raise found
        return found

    yield start
    for stop in stops:
        stop()
    for thread in threads:
        thread.join(SECONDS)


def refused(place: Folder, capsys: pytest.CaptureFixture[str]) -> str:
    """What ``keeper run`` says when it cannot start (exit 2)."""
    assert main(["run", "--config", str(place.config)]) == 2
    return capsys.readouterr().err


# -- config check


def test_a_good_file_is_called_good(place: Folder, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "check", str(place.config)]) == 0
    said = capsys.readouterr()
    assert said.out == f"{place.config}: no problem found; strategies: arbitrage\n"
    assert said.err == ""


def test_a_bad_file_is_explained_key_by_key(place: Folder, capsys: pytest.CaptureFixture[str]) -> None:
    edit(place, "gas_reserve", "gas_reserv")
    edit(place, '"3 bps"', '"3 percent"')
    edit(place, "max_trade", "max_trad")
    assert main(["config", "check", str(place.config)]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "wallet.gas_reserv: unknown key; did you mean 'gas_reserve'?" in said.err
    assert "venues.slippage" in said.err


def test_a_file_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command in (["config", "check"], ["run", "--config"]):
        assert main([*command, str(tmp_path / "absent.toml")]) == 2
        assert "absent.toml" in capsys.readouterr().err


# -- run: what stops the start


def test_a_missing_keypair_file(place: Folder, capsys: pytest.CaptureFixture[str]) -> None:
    place.wallet.unlink()
    assert main(["run", "--config", str(place.config)]) == 2
    said = capsys.readouterr().err
    assert str(place.wallet) in said
    assert "SignerError" in said or "Keypair" in said


def test_a_keypair_file_that_the_world_can_read(place: Folder, capsys: pytest.CaptureFixture[str]) -> None:
    place.wallet.chmod(0o644)
    assert main(["run", "--config", str(place.config)]) == 2
    said = capsys.readouterr().err
    assert str(place.wallet) in said
    assert "chmod 600" in said


def test_a_keypair_file_that_is_none(place: Folder, capsys: pytest.CaptureFixture[str]) -> None:
    place.wallet.write_text("[1, 2, 3]")
    assert main(["run", "--config", str(place.config)]) == 2
    said = capsys.readouterr().err
    assert str(place.wallet) in said
    assert "[1, 2, 3]" not in said, "what may be a secret key is never printed"


def test_an_rpc_that_nobody_serves(place: Folder, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    edit(place, 'rpc = ["http://localnet.invalid"]', f'rpc = ["http://127.0.0.1:{port}"]')
    assert main(["run", "--config", str(place.config)]) == 2
    said = capsys.readouterr().err
    assert "RpcUnreachable" in said
    assert f"127.0.0.1:{port}" in said


def test_an_idl_or_mapping_file_that_cannot_be_read(place: Folder, capsys: pytest.CaptureFixture[str]) -> None:
    edit(place, 'mapping = "localnet"', 'mapping = "roles.toml"')
    assert main(["run", "--config", str(place.config)]) == 2
    assert "market.lrt.mapping" in capsys.readouterr().err
    (place.path / "roles.toml").write_text("instructions = 3")
    assert main(["run", "--config", str(place.config)]) == 2
    assert "roles.toml" in capsys.readouterr().err


def test_an_unfunded_wallet(serve: Serve, capsys: pytest.CaptureFixture[str]) -> None:
    said = refused(serve(0), capsys)
    assert f"send SOL to {derived_keypair('cli wallet').pubkey()}" in said
    assert "wallet.gas_reserve" in said


def test_another_genesis_hash(serve: Serve, capsys: pytest.CaptureFixture[str]) -> None:
    place = serve(50 * SOL_UNIT)
    other = 'genesis_hash = "11111111111111111111111111111111"'
    text = place.config.read_text().splitlines()
    place.config.write_text("\n".join(other if line.startswith("genesis_hash") else line for line in text))
    said = refused(place, capsys)
    assert "WrongCluster" in said
    assert "11111111111111111111111111111111" in said
    assert "correct the expected hash" in said


def test_a_market_that_is_not_there(serve: Serve, capsys: pytest.CaptureFixture[str]) -> None:
    place = serve(50 * SOL_UNIT)
    edit(place, str(LRT_POOL), str(Keypair().pubkey()))
    said = refused(place, capsys)
    assert "DiscoveryError" in said
    assert "market.lrt.pool" in said


def test_a_telemetry_port_that_is_taken(serve: Serve, capsys: pytest.CaptureFixture[str]) -> None:
    place = serve(50 * SOL_UNIT)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        edit(place, "port = 0", f"port = {taken.getsockname()[1]}")
        assert "change telemetry.port" in refused(place, capsys)


# -- localnet


@pytest.fixture
def localnet() -> Iterator[tuple[subprocess.Popen[str], dict[str, object]]]:
    arguments = ["localnet", "--rpc-port", "0", "--slot-ms", "50"]
    with subprocess.Popen(
        [sys.executable, "-m", "keeper", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line.startswith("localnet ready "), (line, process.poll())
            yield process, json.loads(line.removeprefix("localnet ready "))
        finally:
            process.kill()


def test_the_localnet_says_where_it_is_serves_and_ends_on_sigterm(
    localnet: tuple[subprocess.Popen[str], dict[str, object]],
) -> None:
    process, where = localnet
    assert set(where) == {"rpc", "websocket", "jupiter", "market", "dex_vaults"}
    url = str(where["rpc"])
    slots: list[int] = []
    deadline = time.monotonic() + SECONDS
    while len(set(slots)) < 2 and time.monotonic() < deadline:
        answer = httpx2.post(url, json={"jsonrpc": "2.0", "id": 1, "method": "getSlot", "params": []}).json()
        slots.append(answer["result"])
    assert slots[-1] > slots[0]
    process.send_signal(signal.SIGTERM)
    assert process.wait(SECONDS) == 0
    assert process.stderr is not None
    assert "Traceback" not in process.stderr.read()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--bpf-program", str(Pubkey.default()), "absent.so"], "absent.so"),
        (["--bpf-program", "not-an-address", "absent.so"], "not-an-address"),
        (["--bpf-program", str(Keypair().pubkey()), __file__], Path(__file__).name),
        (["--account", "absent.json"], "absent.json"),
        (["--account", "a", "b", "c"], "--account takes [ADDRESS] FILE"),
        (["--slot-ms", "0"], "slot_ms"),
        (["--drop-rate-bps", "10001"], "drop_rate_bps"),
        (["--slots-per-epoch", "-1"], "slots_per_epoch"),
        (["--rpc-port", "70000"], "70000"),
        (["--rpc-port", "-1"], "-1"),
    ],
)
def test_a_localnet_that_cannot_start_says_why(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["localnet", *(["--rpc-port", "0"] if "--rpc-port" not in arguments else []), *arguments]) == 2
    error = capsys.readouterr().err
    assert "the localnet cannot start" in error
    assert said in error


def test_a_taken_port_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert main(["localnet", "--rpc-port", str(port)]) == 2
    assert str(port) in capsys.readouterr().err


# -- demo


def test_a_folder_that_has_been_played_in_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "journal.db").write_bytes(b"")
    for extra in ([], ["--virtual"]):
        assert main(["demo", "--folder", str(tmp_path), "--seconds", "1", *extra]) == 2
        said = capsys.readouterr().err
        assert str(tmp_path) in said
        assert "empty folder" in said


# -- the parser


def test_version_and_help_need_no_heavy_imports() -> None:
    script = (
        "import sys\n"
        "from keeper.cli.parser import build_parser\n"
        "build_parser().format_help()\n"
        "heavy = {'solders', 'pydantic', 'httpx2', 'aiohttp', 'sqlalchemy', 'structlog', 'rich', 'prometheus_client'}\n"
        "print(sorted(heavy & {name.split('.')[0] for name in sys.modules}))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=SECONDS, check=True)
    assert done.stdout == "[]\n"


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"glow-keeper {version('glow-keeper')}\n"


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in ([], ["run"], ["unwind"], ["config"], ["config", "check"], ["localnet"], ["demo"]):
        with pytest.raises(SystemExit) as ended:
            main([*arguments, "--help"])
        assert ended.value.code == 0
    said = capsys.readouterr().out
    assert all(word in said for word in ("run", "unwind", "config", "localnet", "demo", "--bpf-program", "--virtual"))


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["config"], ["run"], ["demo", "--seconds", "many"]])
def test_a_command_line_that_is_wrong_is_exit_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "usage: keeper" in capsys.readouterr().err


def test_sigterm_while_the_modules_are_still_loading_is_an_orderly_end(tmp_path: Path) -> None:
    """As PID 1 of a container, a process without a handler would not hear it at all."""
    script = (
        "import importlib.abc, os, signal, sys\n"
        "class Slow(importlib.abc.MetaPathFinder):\n"
        "    def find_spec(self, name, path, target=None):\n"
        "        if name == 'keeper.engine.daemon':\n"
        "            os.kill(os.getpid(), signal.SIGTERM)\n"
        "sys.meta_path.insert(0, Slow())\n"
        "from keeper.cli import main\n"
        f"sys.exit(main(['run', '--config', {str(tmp_path / 'none.toml')!r}]))\n"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
