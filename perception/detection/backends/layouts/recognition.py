"""Which of the known layouts a graph has, by the names, shapes and types of its inputs and outputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from perception.detection.backends.layouts import deim, detr, end_to_end, nanodet, picodet, rtmdet, yolo, yolox
from perception.detection.backends.layouts.layout import Graph, Layout
from perception.errors import UsageError

_LAYOUTS: Mapping[str, Callable[[Graph], Layout | None]] = {
    layout.TITLE: layout.recognize for layout in (yolox, yolo, end_to_end, nanodet, picodet, deim, detr, rtmdet)
}


def known_layouts() -> list[str]:
    """Their titles."""
    return [*_LAYOUTS]


def recognize(graph: Graph, measured: Graph | None = None) -> Layout:
    """The layout of ``graph``, or of ``measured``, the same with sizes that it does not state.

    Raises ``UsageError`` listing the known ones, or saying what is unknown of its classes. No graph has two layouts.
    """
    for known in [graph] if measured is None else [measured, graph]:
        for recognize_one in _LAYOUTS.values():
            found = recognize_one(known)
            if found is not None:
                return found
    inputs, outputs = (", ".join(map(str, ports)) for ports in (graph.inputs, (measured or graph).outputs))
    raise UsageError(
        f"{graph.path}: its inputs ({inputs}) and outputs ({outputs}) are of no known layout; known are "
        f"{', '.join(known_layouts())}, for one picture or any number of them."
    )
