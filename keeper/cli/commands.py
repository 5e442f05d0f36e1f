"""What each command does: read options, call the room, turn named errors into a sentence and an exit code."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from pathlib import Path

OK, FAILED, UNUSABLE = 0, 1, 2


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _complain(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def check(options: argparse.Namespace) -> int:
    """``keeper config check FILE``."""
    from keeper.config import ConfigError, load_config

    try:
        loaded = load_config(options.config)
    except ConfigError as error:
        _complain(str(error))
        return UNUSABLE
    names = ", ".join(configured.name for configured in loaded.strategies)
    _say(f"{options.config}: no problem found; strategies: {names}")
    return OK


def run(options: argparse.Namespace) -> int:
    """``keeper run --config FILE``: until SIGTERM. Exit 0 after an orderly stop."""
    # The imports take seconds on a small machine. Meanwhile PID 1 of a container would not even notice a SIGTERM.
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(OK))
    from keeper.chain.errors import RpcError, WrongCluster
    from keeper.chain.signer import SignerError
    from keeper.config import ConfigError, load_config
    from keeper.engine.assembly import StartupError, api_keys
    from keeper.engine.daemon import Daemon, StoppedEarly
    from keeper.engine.supervision import TaskFault
    from keeper.journal.records import FencedOut, JournalError
    from keeper.observe.discovery import DiscoveryError
    from keeper.telemetry.logs import configure_logs

    try:
        loaded = load_config(options.config)
    except ConfigError as error:
        _complain(str(error))
        return UNUSABLE
    try:
        secrets = api_keys(loaded.settings.venues)
    except StartupError as error:
        _complain(f"keeper cannot go on: {error}")
        return UNUSABLE
    telemetry = loaded.settings.telemetry
    configure_logs(telemetry.log_format, level=telemetry.log_level, secrets=secrets)

    async def work() -> None:
        await Daemon(loaded).run()

    try:
        asyncio.run(work())
    except StoppedEarly:
        return OK
    except (TaskFault, FencedOut) as error:
        _complain(f"keeper stopped: {error}")
        return FAILED
    except (SignerError, StartupError, DiscoveryError, WrongCluster, RpcError, JournalError, OSError) as error:
        _complain(f"keeper cannot go on: {type(error).__name__}: {error}")
        return UNUSABLE
    return OK


def books(options: argparse.Namespace) -> int:
    """``keeper books --config FILE [--accept]``: exit 0 where ledger and chain agree or were made to, 1 where they differ."""
    from keeper.chain.errors import RpcError, WrongCluster
    from keeper.chain.signer import SignerError
    from keeper.config import ConfigError, load_config
    from keeper.engine.accounting import account
    from keeper.engine.assembly import StartupError
    from keeper.journal.records import JournalError
    from keeper.observe.discovery import DiscoveryError
    from keeper.protocols.layout import LayoutError
    from keeper.telemetry.logs import configure_logs

    configure_logs("console", level="warning")
    try:
        found = asyncio.run(account(load_config(options.config), accept=options.accept))
    except ConfigError as error:
        _complain(str(error))
        return UNUSABLE
    except (
        SignerError,
        StartupError,
        DiscoveryError,
        WrongCluster,
        RpcError,
        JournalError,
        LayoutError,
        OSError,
    ) as error:
        _complain(f"the books cannot be checked: {type(error).__name__}: {error}")
        return UNUSABLE
    for line in found.lines():
        _say(line)
    return OK if found.accepted or not found.differences else FAILED


def unwind(options: argparse.Namespace) -> int:
    """``keeper unwind [STRATEGY ...] --config FILE [--cancel]``: exit 0 where the order stands in the journal or is lifted."""
    import time

    from keeper.config import ConfigError, load_config
    from keeper.engine import orders
    from keeper.journal.records import JournalError
    from keeper.telemetry.logs import configure_logs

    configure_logs("console", level="warning")
    try:
        loaded = load_config(options.config)
        ordered = asyncio.run(orders.unwind(loaded, options.strategies, cancel=options.cancel, wall=time.time))
    except ConfigError as error:
        _complain(str(error))
        return UNUSABLE
    except (orders.UnknownStrategy, JournalError, OSError) as error:
        _complain(f"nothing was ordered: {error}")
        return UNUSABLE
    for line in ordered.lines():
        _say(line)
    return OK


def setup(options: argparse.Namespace) -> int:
    """``keeper setup --config FILE [--yes] [--dry-run] [--close]``: exit 0 where nothing is left to do, 1 where the operator said
    no (or ``--dry-run`` found that the wallet cannot pay)."""
    from keeper.chain.errors import RpcError, WrongCluster
    from keeper.chain.signer import SignerError
    from keeper.config import ConfigError, load_config
    from keeper.engine.assembly import StartupError
    from keeper.engine.setting_up import Preview, SetupOptions, SetupRefused, set_up
    from keeper.journal.records import JournalError
    from keeper.observe.discovery import DiscoveryError
    from keeper.telemetry.logs import configure_logs

    def ask(_: Preview) -> bool:
        if options.yes:
            return True
        sys.stdout.write("go on? [y/N] ")
        sys.stdout.flush()
        # The event loop's own handler would only take note of Ctrl-C, and go on waiting for the answer.
        held = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            return sys.stdin.readline().strip().lower() in ("y", "yes")
        finally:
            signal.signal(signal.SIGINT, held)

    configure_logs("console", level="warning")
    wanted = SetupOptions(
        borrow=None if options.borrow is None else tuple(options.borrow),
        lend=tuple(options.lend or ()),
        close=options.close,
        dry_run=options.dry_run,
    )
    try:
        done = asyncio.run(set_up(load_config(options.config), wanted, ask=ask, say=_say))
    except ConfigError as error:
        _complain(str(error))
        return UNUSABLE
    except (
        SetupRefused,
        SignerError,
        StartupError,
        DiscoveryError,
        WrongCluster,
        RpcError,
        JournalError,
        OSError,
    ) as error:
        _complain(f"setup cannot go on: {type(error).__name__}: {error}")
        return UNUSABLE
    except KeyboardInterrupt:
        _complain("interrupted: run it again to see what is left; what may be in flight is brought to its end first")
        return FAILED
    for line in done.lines():
        _say(line)
    if options.dry_run and done.preview.shortfall.value:
        _complain(done.preview.short())
        return FAILED
    return OK if done.agreed else FAILED


def doctor(options: argparse.Namespace) -> int:
    """``keeper doctor --config FILE [--json]``: exit 0 where nothing failed, 1 where something did."""
    from keeper.config import ConfigError, load_config
    from keeper.engine.checkup import checkup
    from keeper.telemetry.logs import configure_logs

    configure_logs("console", level="error")
    try:
        found = asyncio.run(checkup(load_config(options.config)))
    except ConfigError as error:
        _complain(str(error))
        return UNUSABLE
    if options.json:
        _say(found.as_json())
    else:
        for line in found.lines():
            _say(line)
    return OK if found.ok else FAILED


def localnet(options: argparse.Namespace) -> int:
    """``keeper localnet``: until interrupted."""
    from keeper.rehearsal.serving import serve
    from keeper.sim.localnet.account_files import AccountFileError
    from keeper.sim.localnet.server import LocalnetFailed

    try:
        asyncio.run(serve(options, _say))
    except KeyboardInterrupt:
        return OK
    except (AccountFileError, ValueError) as error:
        _complain(f"the localnet cannot start: {error}")
        return UNUSABLE
    except OSError as error:
        where = f"{options.host}:{options.rpc_port}"
        _complain(f"the localnet cannot start on {where}: {error}; choose another --rpc-port, or 0 for any free one")
        return UNUSABLE
    except LocalnetFailed as error:
        _complain(str(error))
        return FAILED
    return OK


def demo(options: argparse.Namespace) -> int:
    """``keeper demo``: exit 0 only if the ledger agrees with the chain to the lamport, and a whole demo reached its goals."""
    import tempfile

    from keeper.config import ConfigError
    from keeper.rehearsal.configuration import NOTHING, UnusableTables, further_tables
    from keeper.rehearsal.demo import DemoFailed, run_demo
    from keeper.rehearsal.files import Folder
    from keeper.rehearsal.goals import goals_of
    from keeper.rehearsal.virtual import run_virtual
    from keeper.telemetry.logs import configure_logs

    def go(folder: Path) -> int:
        further = NOTHING if options.tables is None else further_tables(options.tables)
        goals = goals_of(options.seconds, further)
        if options.virtual:
            configure_logs("console", level="warning")
            playing = run_virtual(folder, seed=options.seed, seconds=options.seconds, further=further, goals=goals)
        else:
            playing = run_demo(
                folder, seed=options.seed, seconds=options.seconds, port=options.port, further=further, goals=goals
            )
        report = asyncio.run(playing)
        for line in report.lines():
            _say(line)
        for problem in report.problems:
            _complain(f"problem: {problem}")
        return FAILED if report.problems else OK

    try:
        if options.folder is not None:
            options.folder.mkdir(parents=True, exist_ok=True)
            if Folder(options.folder).journal.exists():
                _complain(
                    f"{options.folder} holds the journal of an earlier demo, on another chain; give an empty folder"
                )
                return UNUSABLE
            return go(options.folder)
        with tempfile.TemporaryDirectory(prefix="glow-keeper-demo-") as folder:
            return go(Path(folder))
    except (UnusableTables, ConfigError) as error:
        _complain(str(error))
        return UNUSABLE
    except DemoFailed as error:
        _complain(f"the demo failed: {error}")
        return FAILED
