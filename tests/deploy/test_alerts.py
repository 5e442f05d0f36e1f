"""Alert rules: valid, tested both ways, and each with a runbook that exists."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml


@pytest.fixture(scope="module")
def rules(root: Path) -> list[dict[str, Any]]:
    groups = yaml.safe_load((root / "deploy/prometheus/alerts.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def test_the_rules_are_valid(root: Path, promtool: str) -> None:
    checked = subprocess.run(
        [promtool, "check", "rules", "deploy/prometheus/alerts.yml"],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_rules_fire_and_stay_quiet_as_promised(root: Path, promtool: str) -> None:
    tested = subprocess.run(
        [promtool, "test", "rules", "deploy/prometheus/alerts_test.yml"],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert tested.returncode == 0, tested.stdout + tested.stderr


def test_every_alert_is_tested_firing_and_quiet(root: Path, rules: list[dict[str, Any]]) -> None:
    cases = yaml.safe_load((root / "deploy/prometheus/alerts_test.yml").read_text())["tests"]
    checks = [check for case in cases for check in case["alert_rule_test"]]
    fired = {check["alertname"] for check in checks if check["exp_alerts"]}
    quiet = {check["alertname"] for check in checks if not check["exp_alerts"]}
    names = {rule["alert"] for rule in rules}
    assert len(names) >= 3
    assert fired == names
    assert quiet == names


def test_every_alert_has_a_severity_and_a_runbook_that_says_what_to_do(root: Path, rules: list[dict[str, Any]]) -> None:
    document = (root / "docs/operations.md").read_text()
    sections = dict(re.findall(r"^### (\w+)\n(.*?)(?=^#|\Z)", document, re.MULTILINE | re.DOTALL))
    for rule in rules:
        name = rule["alert"]
        assert rule["labels"]["severity"] in {"page", "ticket"}, name
        assert rule["annotations"]["runbook"] == f"docs/operations.md#{name.lower()}"
        assert len(sections[name].split()) > 20, f"the runbook of {name} says too little"
    assert {section for section in sections if section.startswith("Keeper")} == {rule["alert"] for rule in rules}
