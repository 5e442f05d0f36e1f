"""The daemon in a process that can be killed: forked from a server that has imported everything already, so it starts at once."""

from __future__ import annotations

import multiprocessing
import os
import sys
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path


def run_daemon(config: str, log: str) -> None:
    """``keeper run --config`` with its output in a file."""
    from keeper.cli import main

    with Path(log).open("ab", buffering=0) as sink:
        os.dup2(sink.fileno(), 1)
        os.dup2(sink.fileno(), 2)
    sys.exit(main(["run", "--config", config]))


def context() -> ForkServerContext:
    """A fork server with the daemon's modules loaded."""
    found = multiprocessing.get_context("forkserver")
    found.set_forkserver_preload(["keeper.engine.daemon", "keeper.cli.commands", "keeper.telemetry.logs"])
    return found


def start(config: Path, log: Path) -> ForkServerProcess:
    process = context().Process(target=run_daemon, args=(str(config), str(log)))
    process.start()
    return process
