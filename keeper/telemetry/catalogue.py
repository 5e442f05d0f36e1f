"""The table of metrics in the documentation, made from the declarations themselves.

``python -m keeper.telemetry.catalogue docs/operations.md`` rewrites it between its two marker lines; a test says when to.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from prometheus_client import CollectorRegistry

from keeper.telemetry.metrics import Metrics
from keeper.telemetry.series import Declared

BEGIN = "<!-- metrics: begin, made by python -m keeper.telemetry.catalogue docs/operations.md -->"
END = "<!-- metrics: end -->"


class MarkersMissing(ValueError):
    """The document lacks the two lines between which the table belongs."""


def table(declared: Iterable[Declared]) -> str:
    """A Markdown table of the metrics, by name."""
    rows = ["| metric | kind | labels | meaning |", "|---|---|---|---|"]
    for metric in sorted(declared, key=lambda metric: metric.name):
        labels = ", ".join(f"`{label}`" for label in metric.labels)
        rows.append(f"| `{metric.name}` | {metric.kind} | {labels} | {metric.meaning} |")
    return "\n".join(rows)


def rewritten(document: str, declared: Iterable[Declared]) -> str:
    """``document`` with the table between its markers replaced. Raises ``MarkersMissing``."""
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise MarkersMissing(f"the document needs the line {BEGIN!r} and after it {END!r}")
    return f"{before}{BEGIN}\n{table(declared)}\n{END}{after}"


def main(arguments: Sequence[str]) -> int:
    """Rewrite the table in the named file."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m keeper.telemetry.catalogue DOCUMENT\n")
        return 2
    path = Path(arguments[0])
    path.write_text(rewritten(path.read_text(), Metrics(CollectorRegistry()).declared))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
