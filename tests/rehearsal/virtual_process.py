"""A virtual rehearsal in a process of its own: ``python -m tests.rehearsal.virtual_process FOLDER SEED SECONDS WEEK_SLOTS``."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from keeper.rehearsal.report import Report
from keeper.rehearsal.virtual import run_virtual
from keeper.rehearsal.world import Pace
from keeper.telemetry.logs import configure_logs


def play(folder: Path, seed: int, seconds: int, week_slots: int) -> Report:
    """Ten slots a second; a scenario as long as the run."""
    return asyncio.run(
        run_virtual(folder, seed=seed, seconds=seconds, pace=Pace(week_slots=week_slots, length=seconds * 10))
    )


if __name__ == "__main__":
    configure_logs("json", level="error")
    where, *numbers = sys.argv[1:]
    play(Path(where), *(int(number) for number in numbers))
