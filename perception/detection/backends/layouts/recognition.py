"""Which of the known layouts a graph has, by the names, shapes and types of its inputs and outputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from perception.detection.backends.layouts import deim, nanodet, picodet, rtmdet, yolox
from perception.detection.backends.layouts.layout import Graph, Layout
from perception.errors import UsageError

_LAYOUTS: Mapping[str, Callable[[Graph], Layout | None]] = {
    layout.TITLE: layout.recognize for layout in (yolox, nanodet, picodet, deim, rtmdet)
}


def known_layouts() -> list[str]:
    """Their titles."""
    return [*_LAYOUTS]


def recognize(graph: Graph) -> Layout:
    """The layout of ``graph``. Raises ``UsageError`` listing the known ones, or saying what is unknown of its classes.

    No graph has two layouts.
    """
    for recognize_one in _LAYOUTS.values():
        found = recognize_one(graph)
        if found is not None:
            return found
    inputs, outputs = (", ".join(map(str, ports)) for ports in (graph.inputs, graph.outputs))
    raise UsageError(
        f"{graph.path}: its inputs ({inputs}) and outputs ({outputs}) are of no known layout; known are "
        f"{', '.join(known_layouts())}, exported without suppression, for one picture or any number of them."
    )
