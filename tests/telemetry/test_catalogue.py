"""The table of metrics in the documentation is the one that the code makes."""

from __future__ import annotations

from pathlib import Path

import pytest

from keeper.telemetry import Metrics
from keeper.telemetry.catalogue import BEGIN, END, MarkersMissing, main, rewritten, table

OPERATIONS = Path(__file__).parents[2] / "docs/operations.md"


def test_the_documented_table_is_current(metrics: Metrics) -> None:
    document = OPERATIONS.read_text()
    assert rewritten(document, metrics.declared) == document, "run: make dashboard"
    assert "| `keeper_tx_results_total` | counter | `strategy`, `result` |" in document


def test_only_the_table_is_rewritten(metrics: Metrics, tmp_path: Path) -> None:
    file = tmp_path / "page.md"
    file.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    assert main([str(file)]) == 0
    assert file.read_text() == f"before\n{BEGIN}\n{table(metrics.declared)}\n{END}\nafter\n"


def test_a_document_without_markers_is_an_error_and_stays_as_it_is(metrics: Metrics) -> None:
    with pytest.raises(MarkersMissing, match="metrics: begin"):
        rewritten(f"{END}\n{BEGIN}\n", metrics.declared)


def test_a_wrong_call_says_how_to_call(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "usage" in capsys.readouterr().err
