"""MkDocs hook: ``<!-- model card: NAME -->`` in a page becomes the card of data/weights/NAME.yaml, as tables."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

WEIGHTS = Path(__file__).parents[2] / "data" / "weights"
MARKER = re.compile(r"<!-- model card: ([\w.-]+) -->")
TABLE_MARKER = "<!-- model cards: table -->"
# In the order of a page; what else a card holds follows under its own name.
SECTIONS = {"figures": "Measured", "limits": "Limits", "data": "Training data", "command": "How it was trained"}
FACTS = {"kind": "kind", "licence": "licence", "parameters": "parameters", "seed": "seed", "sha256": "SHA-256"}


def on_page_markdown(markdown: str, **_: Any) -> str:
    """What MkDocs calls for each page before it is rendered."""
    markdown = MARKER.sub(lambda found: card_markdown(read_card(WEIGHTS / f"{found[1]}.yaml")), markdown)
    if TABLE_MARKER in markdown:
        markdown = markdown.replace(TABLE_MARKER, table_markdown([read_card(path) for path in card_paths()]))
    return markdown


def card_paths() -> list[Path]:
    """The cards of all bundled weights, by name."""
    return sorted(WEIGHTS.glob("*.yaml"))


def read_card(path: Path) -> dict[str, Any]:
    """The content of one card."""
    card: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return card


def card_markdown(card: Mapping[str, Any]) -> str:
    """A card as Markdown: its description, the facts, then a section for each list or table in it."""
    facts = {"file": f"`data/weights/{card['name']}.safetensors`"}
    facts |= {title: _fact(key, card[key]) for key, title in FACTS.items() if key in card}
    lines = [str(card["description"]), "", *_table(facts, head=("property", "value"))]
    others = [key for key in card if key not in {*SECTIONS, *FACTS, "name", "description"}]
    for key in [*SECTIONS, *others]:
        if key in card:
            title = SECTIONS.get(key, key.replace("_", " ").capitalize())
            lines += ["", f"## {title}", "", *_section(key, card[key])]
    return "\n".join(lines)


def table_markdown(cards: list[dict[str, Any]]) -> str:
    """One row for each card, with a link to its page."""
    rows = [f"| [{card['name']}]({card['name']}.md) | {card['kind']} | {card['parameters']:,} |" for card in cards]
    return "\n".join(["| weights | kind | parameters |", "|---|---|---:|", *rows])


def _section(key: str, value: Any) -> list[str]:
    if isinstance(value, Mapping):
        return _table(value, head=("figure", "value"))
    if isinstance(value, list):
        return [f"- {item}" for item in value]
    text = str(value)
    if key == "command" and all(line.startswith("perception ") for line in text.splitlines()):
        command, *rest = re.split(r"(?=, (?:in|with) )", text, maxsplit=1)
        return ["```sh", command, "```", *(["", rest[0].removeprefix(", ").capitalize() + "."] if rest else [])]
    return [text]


def _fact(key: str, value: Any) -> str:
    if key == "sha256":
        return f"`{value}`"
    return f"{value:,}" if key == "parameters" and isinstance(value, int) else str(value)


def _table(rows: Mapping[str, Any], *, head: tuple[str, str]) -> list[str]:
    cells = [f"| {_cell(name)} | {_cell(value)} |" for name, value in rows.items()]
    return [f"| {head[0]} | {head[1]} |", "|---|---|", *cells]


def _cell(value: Any) -> str:
    return str(value).replace("|", "\\|")
