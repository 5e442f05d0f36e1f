"""The command line: thin commands over the rooms that do the work."""

from __future__ import annotations

from collections.abc import Sequence

from keeper.cli.parser import build_parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code. 0: done. 1: it failed while running. 2: it could not start, and says why."""
    options = build_parser().parse_args(arguments)
    code: int = options.run(options)
    return code
