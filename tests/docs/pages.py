"""The documentation as data: its files, sections, tables and code blocks."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^(#+ .*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Page:
    """One Markdown file. ``name`` is its path from the root."""

    name: str
    text: str

    @property
    def path(self) -> Path:
        return ROOT / self.name

    @property
    def prose(self) -> str:
        """The text without its code blocks."""
        return _FENCE.sub("", self.text)

    @property
    def headings(self) -> list[str]:
        return [heading.lstrip("# ").strip() for heading in _HEADING.findall(self.prose)]

    def blocks(self, language: str) -> list[str]:
        """The fenced code blocks of ``language``, in order."""
        return [body for found, body in _FENCE.findall(self.text) if found == language]

    def section(self, heading: str) -> str:
        """The prose below ``heading`` up to the next heading of any level. Raises ``KeyError`` where there is none."""
        parts = _HEADING.split(self.prose)
        return {title.lstrip("# ").strip(): body for title, body in zip(parts[1::2], parts[2::2], strict=True)}[heading]

    def table(self, heading: str) -> list[list[str]]:
        """Rows of the table below ``heading``, without its head. Empty where there is none."""
        rows = [line for line in self.section(heading).splitlines() if line.startswith("|")]
        return [[cell.strip() for cell in row.strip().strip("|").split("|")] for row in rows[2:]]


def page(name: str) -> Page:
    """Read one page. Raises ``FileNotFoundError``."""
    return Page(name, (ROOT / name).read_text(encoding="utf-8"))


def names() -> list[str]:
    """Every page of the documentation."""
    found = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    return sorted(str(path.relative_to(ROOT)) for path in found)


def coded(cell: str) -> str:
    """The text of a cell that is written as code; the cell itself where it is not."""
    match = re.fullmatch(r"`([^`]*)`", cell)
    return match.group(1) if match else cell
