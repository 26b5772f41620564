"""CVAT's XML for video (version 1.1): tracks with a label and a box for each frame, frames from 0."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple
from xml.etree import ElementTree
from xml.sax.saxutils import quoteattr

import numpy as np

from perception.errors import UsageError
from perception.files import write_text
from perception.results.formats.pictures import PictureIndex
from perception.results.formats.predictions import BoxRows, Predictions, labels_of_names
from perception.safety.input_limits import MAX_NUMBER
from perception.safety.regular_files import open_regular
from perception.taxonomy import CLASSES
from perception.types import BoxTable

_START_LENGTH = 4096
_CORNERS = ("xtl", "ytl", "xbr", "ybr")


class _Box(NamedTuple):
    """A box of a track where it is in the picture."""

    track: int
    label: str
    frame: int
    corners: tuple[float, ...]


def is_cvat(path: Path) -> bool:
    """Whether a file begins as CVAT's XML."""
    if not path.is_file():
        return False
    try:
        with open_regular(path) as stream:
            start = stream.read(_START_LENGTH).decode("utf-8", errors="replace")
    except OSError:
        return False
    return re.match(r"\s*(<\?xml[^>]*\?>)?\s*(<!--.*?-->\s*)*<annotations[\s>]", start, re.DOTALL) is not None


def read_cvat(path: Path, pictures: PictureIndex) -> Predictions:
    """The tracks of one camera. Raises ``UsageError`` naming the track that is wrong."""
    try:
        boxes = list(_boxes(path))
    except (OSError, ElementTree.ParseError, UnicodeDecodeError, LookupError) as error:
        raise UsageError(f"{path}: cannot be read as XML ({error}); export it again.") from error
    for (track, frame), count in Counter((box.track, box.frame) for box in boxes).items():
        if count > 1:
            raise UsageError(f"{path}: track {track} has {count} boxes in frame {frame}; give each object its own id.")
    labels, others = labels_of_names([box.label for box in boxes])
    table, notes = BoxRows(
        places=pictures.of_frames(np.array([box.frame for box in boxes], np.int64)),
        boxes_xyxy_px=np.array([box.corners for box in boxes], np.float64).reshape(-1, 4),
        scores=np.ones(len(boxes)),
        labels=labels,
        ids=np.array([box.track for box in boxes], np.int64),
        other_classes=others,
    ).table(path)
    return Predictions(tracks=table, notes=notes)


def write_cvat(path: Path, table: BoxTable, *, name: str, size_px: tuple[int, int], frame_count: int) -> None:
    """Write the tracks of one camera, each with a last box that marks where it has left the picture."""
    parts = [_head(name, size_px, frame_count)]
    for identity in np.unique(table.ids).tolist():
        track = table[table.ids == identity]
        track = track[np.argsort(track.frame_indices)]
        label = CLASSES[int(np.bincount(track.labels).argmax())]
        parts.append(f'  <track id="{identity}" label="{label}" source="auto">\n')
        frames, corners = track.frame_indices.tolist(), track.boxes_xyxy_px.tolist()
        for row, (frame, box) in enumerate(zip(frames, corners, strict=True)):
            parts.append(_box(frame, box, is_outside=False))
            has_gap = row + 1 < len(frames) and frames[row + 1] > frame + 1
            if has_gap or (row + 1 == len(frames) and frame + 1 < frame_count):
                parts.append(_box(frame + 1, box, is_outside=True))
        parts.append("  </track>\n")
    write_text(path, "".join([*parts, "</annotations>\n"]))


def _boxes(path: Path) -> Iterator[_Box]:
    with open_regular(path) as stream:
        yield from _boxes_in(stream, path)


def _boxes_in(stream: BinaryIO, path: Path) -> Iterator[_Box]:
    for _, element in ElementTree.iterparse(stream):
        if element.tag != "track":
            continue
        identity = element.get("id", "")
        for box in element.iter("box"):
            if box.get("outside") == "1":
                continue
            try:
                corners = tuple(float(box.attrib[name]) for name in _CORNERS)
                found = _Box(int(identity), element.attrib["label"], int(box.attrib["frame"]), corners)
                can_be = (np.abs(corners) <= MAX_NUMBER).all()
                is_right = can_be and corners[2] >= corners[0] and corners[3] >= corners[1]
            except (KeyError, ValueError):
                is_right = False
            if not is_right:
                raise UsageError(
                    f"{path}: track {identity!r} has a wrong id, label, frame or box; give whole numbers for id and "
                    f"frame, and {', '.join(_CORNERS)}."
                )
            yield found
        element.clear()


def _head(name: str, size_px: tuple[int, int], frame_count: int) -> str:
    labels = "".join(f"<label><name>{label}</name></label>" for label in CLASSES)
    width, height = size_px
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n  <version>1.1</version>\n'
        f"  <meta><task><name>{quoteattr(name)[1:-1]}</name><size>{frame_count}</size><labels>{labels}</labels>"
        f"<original_size><width>{width}</width><height>{height}</height></original_size></task></meta>\n"
    )


def _box(frame: int, corners: list[float], *, is_outside: bool) -> str:
    written = " ".join(f'{name}="{value:.4f}"' for name, value in zip(_CORNERS, corners, strict=True))
    return f'    <box frame="{frame}" outside="{int(is_outside)}" occluded="0" keyframe="1" {written} />\n'
