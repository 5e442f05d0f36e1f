"""The image's recipe: locked, unprivileged, and made only of files that exist and are sent to the builder."""

from __future__ import annotations

import re
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def stages(root: Path) -> list[str]:
    text = (root / "deploy/Dockerfile").read_text()
    return re.split(r"^FROM ", text, flags=re.MULTILINE)[1:]


def test_the_last_stage_is_unprivileged_and_runs_nothing_while_building(stages: list[str]) -> None:
    last = stages[-1]
    assert re.search(r"^USER 65532:65532$", last, re.MULTILINE)
    assert not re.search(r"^RUN ", last, re.MULTILINE)
    assert not re.search(r"^HEALTHCHECK", last, re.MULTILINE)
    assert re.search(r'^ENTRYPOINT \["/app/.venv/bin/keeper"\]$', last, re.MULTILINE)


def test_every_dependency_comes_from_the_lock(stages: list[str]) -> None:
    syncs = re.findall(r"uv sync ([^\n\\]*)", stages[0])
    assert len(syncs) == 3
    assert all("--frozen" in flags for flags in syncs)
    assert all("--no-dev" in flags or "--only-group jupiter-sdk" in flags for flags in syncs)


def test_what_is_copied_exists_and_is_not_ignored(root: Path, stages: list[str]) -> None:
    admitted = {line[1:] for line in (root / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copies = re.findall(r"^COPY (?!--from)(.*)$", "\n".join(stages), re.MULTILINE)
    sources = {source for copy in copies for source in copy.split()[:-1]}
    assert sources == admitted
    assert all((root / source).exists() for source in sources)
