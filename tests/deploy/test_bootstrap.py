"""The first steps on a fresh machine, as far as they go without a network."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest


@pytest.fixture
def checkout(root: Path, tmp_path: Path) -> Path:
    """A directory with the bootstrap scripts alone: nothing in it is set up."""
    for name in (".ci/uv", "Makefile"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(root / name, tmp_path / name)
    return tmp_path


def script(path: Path, body: str) -> Path:
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


def bootstrap(checkout: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [checkout / ".ci/uv"],
        env={"PATH": os.environ["PATH"], "HOME": str(checkout), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_python_that_is_too_old_is_named(checkout: Path) -> None:
    old = script(checkout / "python3.9", "exit 1")
    done = bootstrap(checkout, PYTHON=str(old))
    assert done.returncode == 1
    assert f"PYTHON={old} is not a working Python 3.11 or later" in done.stderr


def test_no_python_at_all_says_what_to_do(checkout: Path) -> None:
    tools = checkout / "tools"
    tools.mkdir()
    for tool in ("sh", "dirname"):
        (tools / tool).symlink_to(shutil.which(tool) or f"/bin/{tool}")
    for name in ("python3", "python3.13", "python3.12", "python3.11", "python3.14", "python"):
        script(tools / name, "exit 1")
    text = (checkout / ".ci/uv").read_text().replace(" /usr/bin/python3;", ";")
    (checkout / ".ci/uv").write_text(text)
    done = bootstrap(checkout, PATH=str(tools))
    assert done.returncode == 1
    assert "no Python 3.11 or later found" in done.stderr
    assert "make PYTHON=" in done.stderr


def test_a_new_enough_uv_on_the_path_is_used(checkout: Path) -> None:
    tools = checkout / "tools"
    tools.mkdir()
    script(tools / "uv", "echo uv 0.13.2")
    done = bootstrap(checkout, PATH=f"{tools}:{os.environ['PATH']}")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == str(tools / "uv")
    assert not (checkout / ".bootstrap").exists()


def test_an_old_uv_on_the_path_is_not_used(checkout: Path) -> None:
    tools = checkout / "tools"
    tools.mkdir()
    script(tools / "uv", "echo uv 0.9.30")
    private = checkout / ".bootstrap/venv/bin"
    private.mkdir(parents=True)
    script(private / "uv", "echo uv 0.13.9")
    done = bootstrap(checkout, PATH=f"{tools}:{os.environ['PATH']}")
    assert done.stdout.splitlines()[0] == ".bootstrap/venv/bin/uv", done.stderr


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_an_environment_is_built_once_and_again_when_the_lock_changes(checkout: Path) -> None:
    tools = checkout / "tools"
    tools.mkdir()
    script(
        tools / "uv",
        'if [ "$1" = --version ]; then echo uv 0.13.2; exit 0; fi\n'
        'mkdir -p "$UV_PROJECT_ENVIRONMENT" && echo "$UV_PROJECT_ENVIRONMENT $*" >>calls',
    )
    for name in ("uv.lock", "pyproject.toml"):
        (checkout / name).write_text("")
    environment = {"PATH": f"{tools}:{os.environ['PATH']}", "HOME": str(checkout), "VIRTUAL_ENV": "/somewhere/else"}

    def setup() -> list[str]:
        subprocess.run(["make", "setup"], cwd=checkout, env=environment, check=True, capture_output=True)
        return (checkout / "calls").read_text().splitlines()

    first = setup()
    assert [line.split()[0] for line in first] == [".venv", ".venv-jupiter"]
    assert all("--frozen" in line for line in first)
    assert "--only-group jupiter-sdk" in first[1]
    assert setup() == first
    later = (checkout / ".venv/.locked").stat().st_mtime + 10
    os.utime(checkout / "uv.lock", (later, later))
    assert len(setup()) == 4


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_a_failed_setup_is_not_taken_for_a_finished_one(checkout: Path) -> None:
    tools = checkout / "tools"
    tools.mkdir()
    script(
        tools / "uv", '[ "$1" = --version ] && echo uv 0.13.2 && exit 0\nmkdir -p .venv; echo broken lock >&2; exit 2'
    )
    for name in ("uv.lock", "pyproject.toml"):
        (checkout / name).write_text("")
    environment = {"PATH": f"{tools}:{os.environ['PATH']}", "HOME": str(checkout)}
    done = subprocess.run(["make", "setup"], cwd=checkout, env=environment, check=False, capture_output=True, text=True)
    assert done.returncode != 0
    assert "broken lock" in done.stderr
    assert not (checkout / ".venv/.locked").exists()


@pytest.mark.parametrize("name", [".ci/run", ".ci/uv", "deploy/tools/fetch_helm.sh"])
def test_scripts_are_executable_and_parse(root: Path, name: str) -> None:
    assert os.access(root / name, os.X_OK)
    shell = "bash" if name == ".ci/run" else "sh"
    assert subprocess.run([shell, "-n", root / name], check=False).returncode == 0
