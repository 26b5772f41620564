"""What ``perception`` exports, as text: names, signatures, fields; and what differs from the list that is kept."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from dataclasses import MISSING
from pathlib import Path
from typing import Any

API_FILE = Path(__file__).parent / "public_api.txt"

_SPECIAL = ("__call__", "__enter__", "__getitem__", "__iter__", "__len__", "__next__")
_FOREIGN = ("builtins", "pydantic", "typing", "abc", "enum")


def described(names: Mapping[str, Any]) -> str:
    """One block of lines per name, in the order of the alphabet."""
    return "\n".join("\n".join(_described(name, names[name])) + "\n" for name in sorted(names))


def api_difference(golden: str, now: str) -> list[str]:
    """What was removed, added, changed or stands in another order, a line each; nothing where both are the same."""
    before, after = _members(golden), _members(now)
    lines = [f"removed: {before[name]}" for name in before if name not in after]
    lines += [f"added: {after[name]}" for name in after if name not in before]
    both = [name for name in before if name in after]
    lines += [f"changed: {before[name]}  ->  {after[name]}" for name in both if before[name] != after[name]]
    if not lines and golden != now:
        lines = [f"order: {name}" for name, other in zip(before, after, strict=True) if name != other]
    return lines


def _members(text: str) -> dict[str, str]:
    """Each line by its full name: "Frame.index" -> "Frame: index: int"."""
    owner, members = "", {}
    for line in filter(str.strip, text.splitlines()):
        name = re.sub(r"^(def|class|property|classmethod|staticmethod) ", "", line.strip())
        name = re.split(r"[^\w]", name)[0]
        if line.startswith(" "):
            members[f"{owner}.{name}"] = f"{owner}: {line.strip()}"
        else:
            owner = name
            members[owner] = line
    return members


def _described(name: str, value: Any) -> Iterator[str]:
    if inspect.isclass(value):
        bases = [base.__name__ for base in value.__bases__ if base is not object]
        yield f"class {name}" + (f"({', '.join(bases)})" if bases else "")
        yield from (f"    {line}" for line in (*_fields(value), *_methods(value)))
    elif callable(value):
        yield f"def {name}{_signature(value)}"
    else:
        yield f"{name}: {type(value).__name__}"


def _fields(cls: type) -> Iterator[str]:
    """Of dataclasses and pydantic models, and annotated attributes; in their order, for it is the constructor's."""
    for owner in reversed(_own(cls)):
        for name, annotation in _annotations(owner).items():
            if not name.startswith("_"):
                yield f"{name}: {_text(annotation)}{_default(cls, name)}"
    for name in sorted({name for owner in _own(cls) for name in vars(owner)}):
        value, is_annotated = getattr(cls, name), any(name in _annotations(owner) for owner in _own(cls))
        if isinstance(value, int | float | str) and not name.startswith("_") and not is_annotated:
            yield f"{name} = {value!r}"


def _annotations(owner: type) -> dict[str, Any]:
    return vars(owner).get("__annotations__", {})


def _default(cls: Any, name: str) -> str:
    field = getattr(cls, "__dataclass_fields__", {}).get(name) or getattr(cls, "model_fields", {}).get(name)
    if field is None:
        return f" = {getattr(cls, name)!r}" if hasattr(cls, name) else ""
    if getattr(field, "default_factory", None) not in (None, MISSING):
        return " = made anew"
    is_required = field.is_required() if hasattr(field, "is_required") else field.default is MISSING
    return "" if is_required else f" = {field.default!r}"


def _methods(cls: type) -> Iterator[str]:
    found: dict[str, Any] = {}
    for owner in reversed(_own(cls)):
        found |= vars(owner)
    for name, value in sorted(found.items()):
        if name.startswith("_") and name not in _SPECIAL:
            continue
        if isinstance(value, property):
            yield f"property {name} -> {_text(inspect.signature(value.fget).return_annotation)}" if value.fget else name
        elif isinstance(value, classmethod | staticmethod):
            yield f"{type(value).__name__} {name}{_signature(value.__func__)}"
        elif inspect.isfunction(value):
            yield f"def {name}{_signature(value)}"


def _own(cls: type) -> list[type]:
    """The class and its bases, without those of the language and of pydantic."""
    return [base for base in cls.__mro__ if base.__module__.split(".")[0] not in _FOREIGN]


def _signature(function: Any) -> str:
    signature = inspect.signature(function)
    said, previous = [], None
    for parameter in signature.parameters.values():
        kind = parameter.kind
        if kind is parameter.KEYWORD_ONLY and previous not in (parameter.KEYWORD_ONLY, parameter.VAR_POSITIONAL):
            said.append("*")
        star = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}.get(kind, "")
        text = f"{star}{parameter.name}"
        if parameter.annotation is not parameter.empty:
            text += f": {_text(parameter.annotation)}"
        said.append(text if parameter.default is parameter.empty else f"{text} = {parameter.default!r}")
        previous = kind
    returned = signature.return_annotation
    arrow = "" if returned is signature.empty else f" -> {_text(returned)}"
    return f"({', '.join(said)}){arrow}"


def _text(annotation: Any) -> str:
    return annotation if isinstance(annotation, str) else getattr(annotation, "__name__", str(annotation))
