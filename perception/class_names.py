"""Classes of one's own: the names that networks and data sets state, and the road users that these stand for."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from perception.errors import UsageError
from perception.files import read_text, read_yaml
from perception.taxonomy import CLASSES, label_of

NAMES_KEY, MAP_KEY = "names", "class_map"
METADATA_KEYS = (NAMES_KEY, "classes", "class_names", "labels")
"""Where the metadata of a network's file may name its classes."""

_LIST_SUFFIXES = (".txt", ".names")
_MOST_LISTED = 6


@dataclass(frozen=True)
class ClassMap:
    """``names`` of the classes in the order of their numbers, None where they are not known here.

    ``labels`` are indices into ``CLASSES`` by name in lower case, None for what is to be left out. Other names stand
    for what the taxonomy says.
    """

    names: tuple[str, ...] | None = None
    labels: Mapping[str, int | None] = field(default_factory=dict)

    def label_of(self, name: str) -> int | None:
        """The label of a class of one's own; None for what is no road user here."""
        spelling = name.strip().lower()
        return self.labels[spelling] if spelling in self.labels else label_of(spelling)

    @property
    def stands_for(self) -> tuple[str | None, ...]:
        """For each of ``names`` the road user, None where it is left out."""
        labels = map(self.label_of, self.names or ())
        return tuple(None if label is None else CLASSES[label] for label in labels)

    @property
    def description(self) -> str:
        """One sentence on what stands for what, and what is left out."""
        pairs = list(zip(self.names or (), self.stands_for, strict=True))
        kept = [own if own == ours else f"{own} as {ours}" for own, ours in pairs if ours is not None]
        left_out = [own for own, ours in pairs if ours is None]
        sentence = f"Of {len(pairs)} classes these are road users: {_listed(kept)}"
        return f"{sentence}; left out: {_listed(left_out)}." if left_out else f"{sentence}."


def read_class_map(path: Path) -> ClassMap:
    """``names``, ``class_map`` or both of a YAML file, such as a data set's ``data.yaml``; or a text of a name a line.

    ``names`` is a list, or has the numbers from 0 before the names. ``class_map`` has a road user, or null, for names.
    Raises ``UsageError`` naming the file and what is wrong in it.
    """
    if path.suffix in _LIST_SUFFIXES:
        return ClassMap(_checked(path, names_of(read_text(path, "text").split("\n"))))
    content = read_yaml(path)
    if not isinstance(content, dict) or not {NAMES_KEY, MAP_KEY} & content.keys():
        raise UsageError(f"{path}: has neither {NAMES_KEY} nor {MAP_KEY}; name the classes, or what they stand for.")
    return class_map_of(path, content)


def class_map_of(path: Path, content: Mapping[str, object]) -> ClassMap:
    """From the keys of the file ``path``, of which others are not looked at. Raises ``UsageError``."""
    names = _checked(path, names_of(content[NAMES_KEY])) if content.get(NAMES_KEY) is not None else None
    stated = content.get(MAP_KEY) or {}
    if not isinstance(stated, dict):
        raise UsageError(f"{path}: {MAP_KEY}: expected own names with a road user each, such as forklift: truck.")
    labels = {str(own).strip().lower(): _label(path, own, ours) for own, ours in stated.items()}
    known = None if names is None else {name.lower() for name in names}
    for own in labels:
        if known is not None and own not in known:
            raise UsageError(f"{path}: {MAP_KEY}: {own} is none of the {NAMES_KEY}; correct one of the two.")
    return ClassMap(names, labels)


def names_of(stated: object) -> tuple[str, ...] | None:
    """Names from a list, from numbers from 0 with a name each, or from a text of either, or with commas; else None."""
    if isinstance(stated, str):
        stated = _value_of(stated.strip())
    if isinstance(stated, dict):
        numbered = {str(number).strip(): name for number, name in stated.items()}
        if set(numbered) != {str(number) for number in range(len(numbered))}:
            return None
        stated = [numbered[str(number)] for number in range(len(numbered))]
    if not isinstance(stated, list | tuple):
        return None
    names = [str(name).strip() for name in stated]
    while names and not names[-1]:
        names.pop()
    return tuple(names) if names and all(names) else None


def _value_of(text: str) -> object:
    """A list or mapping as Python or JSON writes it, or what stands between commas or in lines."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return text.replace("\n", ",").split(",")


def _checked(path: Path, names: tuple[str, ...] | None) -> tuple[str, ...]:
    if names is None:
        raise UsageError(f"{path}: {NAMES_KEY}: expected a list of names, or the numbers from 0 with a name each.")
    return names


def _label(path: Path, own: object, ours: object) -> int | None:
    label = None if ours is None else label_of(str(ours))
    if label is None and ours is not None:
        raise UsageError(f"{path}: {MAP_KEY}: {own}: {ours} is none of {', '.join(CLASSES)}; give one, or null.")
    return label


def _listed(names: list[str]) -> str:
    more = len(names) - _MOST_LISTED
    return ", ".join(names[:_MOST_LISTED]) + (f" and {more} more" if more > 0 else "") or "none"
