"""Every link inside the documentation leads somewhere, heading anchors included."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, names, page

_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_OUTSIDE = ("http://", "https://", "mailto:")


def anchor(heading: str) -> str:
    """GitHub's anchor of a heading: lower case, punctuation dropped, spaces to hyphens."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def anchors(path: Path) -> set[str]:
    return {anchor(heading) for heading in page(str(path.relative_to(ROOT))).headings}


@pytest.mark.parametrize(
    ("heading", "wanted"),
    [
        ("What it does, and what not", "what-it-does-and-what-not"),
        ("kill -9 at each step", "kill--9-at-each-step"),
        ("[strategies.arbitrage]", "strategiesarbitrage"),
        ("How much: the ladder", "how-much-the-ladder"),
    ],
)
def test_anchors_are_made_as_github_makes_them(heading: str, wanted: str) -> None:
    assert anchor(heading) == wanted


@pytest.mark.parametrize("name", names())
def test_links_lead_somewhere(name: str) -> None:
    here = page(name)
    broken = []
    for target in _LINK.findall(here.prose):
        if target.startswith(_OUTSIDE):
            continue
        file, _, fragment = target.partition("#")
        path = (here.path.parent / file).resolve() if file else here.path
        if not path.exists():
            broken.append(f"{target}: no such file")
        elif fragment and fragment not in anchors(path):
            broken.append(f"{target}: no such heading")
    assert broken == []


def test_every_decision_is_listed() -> None:
    index = page("docs/adr/README.md").text
    pages = sorted(path.name for path in (ROOT / "docs/adr").glob("0*.md"))
    assert [name for name in pages if f"({name})" not in index] == []
    numbers = [name[:4] for name in pages]
    assert len(set(numbers)) == len(numbers), "two decisions have one number"


@pytest.mark.parametrize("name", names())
def test_files_that_are_named_exist(name: str) -> None:
    """Paths in code style that begin with one of the project's folders."""
    text = page(name).prose
    named = re.findall(r"`((?:keeper|strategies|tests|deploy|docs|benchmarks)/[\w./-]*)`", text)
    assert [path for path in named if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("name", names())
def test_nothing_is_left_to_fill_in(name: str) -> None:
    assert re.findall(r"\b(?:TODO|TBD|FIXME|XXX)\b", page(name).text) == []
