"""README and the pages of docs/, taken apart: fenced blocks with their marks, inline code, links."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCUMENTS = (
    *(ROOT / name for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
)
_FENCE = re.compile(r"(?:<!-- test: (?P<mark>[^>]*?) -->\n)?```(?P<language>\w*)\n(?P<text>.*?)```", re.DOTALL)

_TABLE = re.compile(r"<!-- test: (?P<mark>[^>]*?) -->\n\n(?P<text>(?:\|.*\n)+)")
_COMMAND_IN_CODE = re.compile(r"`(perception [^`\n]+)`")


@dataclass(frozen=True)
class Block:
    """A fenced block of a document, or the commands of a table, one in each line.

    ``mark`` is what ``<!-- test: ... -->`` above it says.
    """

    path: Path
    language: str
    text: str
    mark: str

    @property
    def id(self) -> str:
        """Where it stands, and its first line, for the names of tests."""
        return f"{self.path.relative_to(ROOT)}: {self.text.strip().splitlines()[0][:50]}"


def blocks(*languages: str) -> list[Block]:
    """The fenced blocks of these languages in all documents; the commands of a marked table are one of ``sh``."""
    tables = [
        Block(path, "sh", "".join(f"{line}\n" for line in _COMMAND_IN_CODE.findall(found["text"])), found["mark"])
        for path in DOCUMENTS
        for found in _TABLE.finditer(path.read_text(encoding="utf-8"))
    ]
    fenced = [
        Block(path, found["language"], found["text"], found["mark"] or "")
        for path in DOCUMENTS
        for found in _FENCE.finditer(path.read_text(encoding="utf-8"))
        if found["language"] in languages
    ]
    return fenced + (tables if "sh" in languages else [])


def shell_lines(block: Block) -> list[str]:
    """The commands of a block, without what stands behind ``#``; a backslash at its end continues a line."""
    lines = re.sub(r"\s*\\\n\s*", " ", block.text).splitlines()
    return [line.split(" #")[0].strip() for line in lines if line.split(" #")[0].strip()]


def without_blocks(path: Path) -> str:
    """The text of a document without its fenced blocks."""
    return _FENCE.sub("", path.read_text(encoding="utf-8"))


def inline_code(path: Path) -> list[str]:
    """What stands between backticks in the text of a document."""
    return re.findall(r"(?<!`)`([^`\n]+)`(?!`)", without_blocks(path).replace("\n", " "))


def links(path: Path) -> list[str]:
    """The targets of all links and pictures of a document that lie in the repository."""
    targets = re.findall(r"\]\(([^)\s]+)\)", without_blocks(path))
    return [target for target in targets if "://" not in target and not target.startswith("mailto:")]
