"""The decision log: one canonical line per decision, so that two runs can be compared byte by byte."""

from __future__ import annotations

from pathlib import Path
from typing import IO

from keeper.plan import Decision
from keeper.units.canonical import canonical
from keeper.view import View


class DecisionLog:
    """Appends ``{"slot", "block_time", "strategy", "decision"}`` lines. Raises ``OSError`` where the file cannot be written."""

    def __init__(self, path: Path | None) -> None:
        self._file: IO[str] | None = None
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("a", encoding="utf-8", buffering=1)

    def write(self, view: View, strategy: str, decision: Decision) -> None:
        if self._file is not None:
            line = {"slot": view.slot, "block_time": view.block_time, "strategy": strategy, "decision": decision}
            self._file.write(canonical(line) + "\n")

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
