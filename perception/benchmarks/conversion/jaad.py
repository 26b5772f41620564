"""JAAD from its repository: boxes and behaviour of pedestrians, the car's action, the official splits.

The folder holds ``annotations/video_*.xml``, ``annotations_vehicle/video_*_vehicle.xml`` and
``split_ids/{default,high_visibility,all_videos}/{train,val,test}.txt``; its videos are not needed. Rasouli et al.,
"Are they going to cross? A benchmark dataset and baseline for pedestrian crosswalk behavior", ICCV workshops 2017.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from perception.benchmarks.conversion.readers import (
    Advance,
    Converted,
    checked_folder,
    read_text,
    read_xml,
    whole_numbers,
)
from perception.errors import UsageError, counted

_SPLITS = {"split_default": "default", "split_high_visibility": "high_visibility", "split_all": "all_videos"}
_SPLIT_NAMES = ("train", "val", "test")
_UNLABELLED = 255
_KINDS = {"pedestrian": 0, "ped": 1, "people": 2}
_OCCLUSION = {"none": 0, "part": 1, "full": 2}
_BEHAVIOUR: Mapping[str, tuple[str, Mapping[str, int]]] = {
    "walking": ("action", {"standing": 0, "walking": 1}),
    "looking": ("look", {"not-looking": 0, "looking": 1}),
    "crossing": (
        "cross",
        {"not-crossing": 0, "crossing": 1, "irrelevant": _UNLABELLED, "crossing-irrelevant": _UNLABELLED},
    ),
}
_VEHICLE = {"stopped": 0, "moving_slow": 1, "moving_fast": 2, "decelerating": 3, "accelerating": 4}
_CORNERS = ("xtl", "ytl", "xbr", "ybr")


@dataclass
class _VideoTracks:
    """Tracks of all videos so far; a box is a row (x1, y1, x2, y2, frame, occlusion, walking, looking, crossing)."""

    pids: list[str] = field(default_factory=list)
    videos: list[int] = field(default_factory=list)
    kinds: list[int] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)
    rows: list[list[int]] = field(default_factory=list)


def convert_jaad(source: Path, advance: Advance) -> Converted:
    """All tracks, in the order of the files: boxes in whole pixels, behaviour of those who have any, else 255.

    Raises ``UsageError`` naming what is missing or broken.
    """
    folder = checked_folder(source, "JAAD's repository", "annotations", "annotations_vehicle", "split_ids")
    paths = sorted((folder / "annotations").glob("video_*.xml"))
    if not paths:
        raise UsageError(f"{folder / 'annotations'}: holds no video_*.xml; complete the download.")
    videos = [path.stem for path in paths]
    splits = {column: _split(folder, name, videos) for column, name in _SPLITS.items()}
    tracks, actions, sizes = _VideoTracks(), [], []
    for number, path in enumerate(paths):
        root = read_xml(path)
        sizes.append(_size(root, path))
        _add_tracks(tracks, root, path, number)
        actions.append(_actions(folder / "annotations_vehicle" / f"{path.stem}_vehicle.xml", sizes[-1][2]))
        advance(number + 1, len(paths))
    widths, heights, frame_counts = whole_numbers(sizes, np.int16, folder / "annotations").T
    columns = {
        "videos": np.array(videos),
        "width": widths,
        "height": heights,
        "nframes": frame_counts,
        **splits,
        **_track_columns(tracks, folder / "annotations"),
        "vehicle_action": np.concatenate(actions),
        "vehicle_offset": _offsets([len(action) for action in actions]),
    }
    note = f"{counted(len(videos), 'video')}, {counted(len(tracks.pids), 'track')}, {counted(len(tracks.rows), 'box')}."
    return Converted(columns, (note,))


def _track_columns(tracks: _VideoTracks, folder: Path) -> dict[str, NDArray[np.generic]]:
    rows = np.array(tracks.rows, np.int64).reshape(-1, len(_CORNERS) + 2 + len(_BEHAVIOUR))
    return {
        "track_pid": np.array(tracks.pids, str),
        "track_video": np.array(tracks.videos, np.int16),
        "track_kind": np.array(tracks.kinds, np.uint8),
        "offset": _offsets(tracks.lengths),
        "frame": whole_numbers(rows[:, 4], np.int16, folder),
        "box": whole_numbers(rows[:, :4], np.int16, folder),
        "occlusion": rows[:, 5].astype(np.uint8),
        **{name: rows[:, 6 + number].astype(np.uint8) for number, name in enumerate(_BEHAVIOUR)},
    }


def _offsets(lengths: Sequence[int]) -> NDArray[np.int32]:
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)


def _split(folder: Path, name: str, videos: Sequence[str]) -> NDArray[np.uint8]:
    """(videos,): 0 train, 1 val, 2 test, 255 in none of them."""
    split = np.full(len(videos), _UNLABELLED, np.uint8)
    numbers = {video: number for number, video in enumerate(videos)}
    for value, part in enumerate(_SPLIT_NAMES):
        path = folder / "split_ids" / name / f"{part}.txt"
        for video in read_text(path).split():
            if video not in numbers:
                raise UsageError(f"{path}: names {video}, but annotations/{video}.xml is missing; download it.")
            split[numbers[video]] = value
    return split


def _size(root: ElementTree.Element, path: Path) -> tuple[int, int, int]:
    """Width and height in pixels, and the number of frames."""
    try:
        width, height, frames = (
            int(root.findtext(f"./meta/task/{name}", ""))
            for name in ("original_size/width", "original_size/height", "size")
        )
    except ValueError as error:
        raise UsageError(f"{path}: does not give the video's size in meta/task; download it again.") from error
    return width, height, frames


def _add_tracks(tracks: _VideoTracks, root: ElementTree.Element, path: Path, video: int) -> None:
    for number, track in enumerate(root.findall("./track"), start=1):
        kind = _KINDS.get(track.get("label", ""))
        boxes = track.findall("./box")
        if kind is None or not boxes:
            fault = (
                "has no boxes" if kind is not None else f"is of {track.get('label')!r} instead of {', '.join(_KINDS)}"
            )
            raise UsageError(f"{path}, track {number}: {fault}; download the file again.")
        pid = ""
        for box in boxes:
            try:
                attributes = {one.get("name", ""): (one.text or "").strip() for one in box.iter("attribute")}
                pid = pid or attributes["id"]
                tracks.rows.append(_row(box, attributes, has_behaviour=kind == 0))
            except (KeyError, ValueError) as error:
                raise UsageError(
                    f"{path}, track {number}, frame {box.get('frame')}: {error} is missing or unknown; "
                    "download the file again."
                ) from error
        tracks.pids.append(pid)
        tracks.videos.append(video)
        tracks.kinds.append(kind)
        tracks.lengths.append(len(boxes))


def _row(box: ElementTree.Element, attributes: Mapping[str, str], *, has_behaviour: bool) -> list[int]:
    # As in the official loader, boxes count whatever "outside" and "occluded" of the labelling tool hold.
    corners = [round(float(box.attrib[name])) for name in _CORNERS]
    behaviour = [values[attributes[name]] if has_behaviour else _UNLABELLED for name, values in _BEHAVIOUR.values()]
    return [*corners, int(box.attrib["frame"]), _OCCLUSION[attributes["occlusion"]], *behaviour]


def _actions(path: Path, frame_count: int) -> NDArray[np.uint8]:
    """(frame_count,): what the recording car does in each frame, 255 where the file does not state it."""
    actions = np.full(frame_count, _UNLABELLED, np.uint8)
    for frame in read_xml(path).findall("./frame"):
        try:
            number, action = int(frame.attrib["id"]), _VEHICLE[frame.attrib["action"]]
        except (KeyError, ValueError) as error:
            raise UsageError(
                f"{path}, frame {frame.get('id')}: {error} is missing or unknown; download the file again."
            ) from error
        if 0 <= number < frame_count:
            actions[number] = action
    return actions
