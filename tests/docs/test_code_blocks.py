"""Code in the documentation runs as it stands (the strategy guide and README's tutorial have tests of their own)."""

from __future__ import annotations

import json
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.docs.pages import names, page

ELSEWHERE = {"docs/writing-a-strategy.md", "README.md"}
PYTHON = [
    (name, index) for name in names() if name not in ELSEWHERE for index, _ in enumerate(page(name).blocks("python"))
]
SCRIPTS = [(name, index) for name in names() for index, _ in enumerate(page(name).blocks("js"))]
LANGUAGES = {"", "text", "python", "toml", "js"}


@pytest.mark.parametrize(("name", "index"), PYTHON)
def test_python_runs(name: str, index: int) -> None:
    exec(compile(page(name).blocks("python")[index], f"{name}#{index}", "exec"), {"__name__": "documentation"})  # noqa: S102 - our own pages


def test_there_is_something_to_run() -> None:
    assert len(PYTHON) >= 2
    assert SCRIPTS


@pytest.mark.parametrize(("name", "index"), SCRIPTS)
def test_javascript_parses(name: str, index: int, tmp_path: Path) -> None:
    """Only its syntax: running it needs npm, which tests/localnet_rpc/test_web3js.py does with a longer script."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    script = tmp_path / "block.mjs"
    script.write_text(page(name).blocks("js")[index])
    done = subprocess.run([node, "--check", str(script)], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", names())
def test_toml_parses(name: str) -> None:
    for block in page(name).blocks("toml"):
        json.dumps(tomllib.loads(block))


@pytest.mark.parametrize("name", names())
def test_every_block_has_a_language_that_is_checked(name: str) -> None:
    fences = [line[3:].strip() for line in page(name).text.splitlines() if line.startswith("```")]
    assert set(fences) <= LANGUAGES
    assert len(fences) % 2 == 0, "a code block is not closed"
