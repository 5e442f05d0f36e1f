"""Dashboard and alert rules ask only for what the keeper exports, and parse."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

TARGET_LABELS = {"job", "instance", "namespace", "pod", "service", "endpoint"}  # set by Prometheus or read from us
WORDS = {"by", "without", "on", "ignoring", "and", "or", "unless", "offset", "bool", "group_left", "group_right"}
GROUPING = re.compile(r"\b(by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)")
SELECTOR = re.compile(r"([A-Za-z_:][\w:]*)\s*\{([^}]*)\}")
NAME = re.compile(r"(?<![\w.$])([A-Za-z_:][\w:]*)(?!\s*\()(?![\w:])")


def metric_names(expression: str) -> set[str]:
    """The metrics that a PromQL expression reads."""
    bare = re.sub(r'"[^"]*"', '""', expression)
    bare = re.sub(r"\{[^}]*\}", "", bare)
    bare = re.sub(r"\[[^\]]*\]", "", bare)
    bare = re.sub(r"\boffset\s+\w+", "", bare)
    bare = GROUPING.sub("", bare)
    return set(NAME.findall(bare)) - WORDS


def selectors(expression: str) -> list[tuple[str, set[str]]]:
    """Each metric that is selected with matchers, and the labels these name."""
    found = []
    for name, matchers in SELECTOR.findall(expression):
        found.append((name, set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", re.sub(r'"[^"]*"', '""', matchers)))))
    return found


def dashboard_expressions(root: Path) -> list[str]:
    board = json.loads((root / "deploy/grafana/glow-keeper.json").read_text())
    return [target["expr"] for panel in board["panels"] for target in panel.get("targets", [])]


def rules(root: Path) -> list[dict[str, Any]]:
    groups = yaml.safe_load((root / "deploy/prometheus/alerts.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


@pytest.fixture(scope="module")
def expressions(root: Path) -> list[str]:
    found = dashboard_expressions(root) + [rule["expr"] for rule in rules(root)]
    assert len(found) > 60
    return found


def test_the_reader_of_expressions_sees_every_name() -> None:
    expression = 'histogram_quantile(0.9, sum by (le, a) (rate(x_bucket{l="y_z"}[5m]))) > 1e9 and on (job) q offset 5m'
    assert metric_names(expression) == {"x_bucket", "q"}
    assert selectors('a{b="c",d=~"e|f"} + g') == [("a", {"b", "d"})]


def test_every_expression_names_only_exported_metrics(expressions: list[str], exported: dict[str, set[str]]) -> None:
    for expression in expressions:
        names = metric_names(expression)
        assert names, f"no metric in {expression!r}"
        assert names <= exported.keys(), f"{expression!r} reads {sorted(names - exported.keys())}"


def test_every_matcher_names_a_label_that_the_metric_has(expressions: list[str], exported: dict[str, set[str]]) -> None:
    for expression in expressions:
        for name, labels in selectors(expression):
            assert labels <= exported[name] | TARGET_LABELS, f"{expression!r}: {name} has {sorted(exported[name])}"


def test_every_grouping_names_a_label_that_some_metric_of_it_has(
    expressions: list[str], exported: dict[str, set[str]]
) -> None:
    for expression in expressions:
        known = set().union(*(exported[name] for name in metric_names(expression))) | TARGET_LABELS
        for _, labels in GROUPING.findall(expression):
            assert {label.strip() for label in labels.split(",") if label.strip()} <= known, expression


def test_every_metric_of_ours_that_an_operator_must_see_is_on_the_dashboard(
    root: Path, exported: dict[str, set[str]]
) -> None:
    shown = set().union(*(metric_names(expression) for expression in dashboard_expressions(root)))
    stems = {re.sub(r"_(bucket|sum|count)$", "", name) for name in shown}
    ours = {re.sub(r"_(bucket|sum|count)$", "", name) for name in exported if name.startswith("keeper_")}
    assert ours - stems == set()


def test_every_expression_parses(expressions: list[str], promtool: str, tmp_path: Path) -> None:
    plain = [re.sub(r"\$__(rate_interval|range|interval)", "5m", expression) for expression in expressions]
    recorded = [{"record": f"check:expression:{place}", "expr": expr} for place, expr in enumerate(plain)]
    file = tmp_path / "expressions.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "check", "rules": recorded}]}))
    done = subprocess.run([promtool, "check", "rules", file], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_committed_dashboard_is_what_the_code_makes(root: Path) -> None:
    made = subprocess.run(
        [sys.executable, "-m", "deploy.grafana.dashboard"], cwd=root, capture_output=True, text=True, check=True
    ).stdout
    assert made == (root / "deploy/grafana/glow-keeper.json").read_text(), "run: make dashboard"


def test_panels_explain_themselves_and_do_not_overlap(root: Path) -> None:
    board = json.loads((root / "deploy/grafana/glow-keeper.json").read_text())
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24, panel["title"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells
        assert panel["type"] == "row" or panel["description"], panel["title"]
