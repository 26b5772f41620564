"""The pictures that a page carries: scenes and failures, as many as it has room for."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, zip_longest

from perception.evaluation.failures.gallery import FailureEntry
from perception.evaluation.failures.scenes import SceneEntry, SceneKind
from perception.visualization.failure_pictures import smaller_jpeg

ROOM_BYTES = 4_200_000
"""What the pictures of a page may take, so that the page stays below 5 MB."""

_FAILURE_WIDTH_PX = 640

_HEADINGS: dict[SceneKind, str] = {
    "worst": "Most errors",
    "best": "Best",
    "wrong class": "Wrong class",
    "identity switch": "Identity switch",
    "forecast": "Forecast far off",
}


@dataclass(frozen=True)
class ReportPictures:
    """JPEG files: of ``scenes``, and of ``failures`` by their names in the run's folder."""

    scenes: Mapping[SceneEntry, bytes] = field(default_factory=dict)
    failures: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class Shot:
    """A picture of the page: what it shows in ``heading`` and ``words``, and ``place``, where that is.

    ``anchor`` is what links point at, ``data`` the picture's address, empty where there is none; ``kind`` is that of a
    scene.
    """

    anchor: str
    heading: str
    words: str
    place: str
    data: str
    kind: SceneKind | None = None

    @property
    def alternative(self) -> str:
        """For those who do not see the picture."""
        return f"{self.heading}: {self.words}; {self.place}. Truth in solid green, detections in dashed orange boxes."


class Album:
    """Gives out room for pictures until there is none left; what comes first is in."""

    def __init__(self, room_bytes: int = ROOM_BYTES) -> None:
        self._room_bytes = room_bytes

    def scene_shots(self, scenes: Sequence[SceneEntry], pictures: Mapping[SceneEntry, bytes]) -> list[Shot]:
        """All ``scenes``, those without a picture or without room in words alone."""
        return [
            Shot(
                anchor=f"scene-{number}",
                heading=_HEADINGS[scene.kind],
                words=scene.words,
                place=place(scene.camera, scene.frame_index, file=scene.file, recording=scene.recording),
                data=self._address(pictures.get(scene)) or "",
                kind=scene.kind,
            )
            for number, scene in enumerate(scenes, start=1)
        ]

    def failure_shots(self, failures: Sequence[FailureEntry], pictures: Mapping[str, bytes]) -> list[Shot]:
        """Misses and false positives in turn, the worst first, as many as there is room for."""
        shots: list[Shot] = []
        for number, entry in enumerate(_in_turn(failures), start=1):
            content = pictures.get(entry.file)
            address = None if content is None else self._address(smaller_jpeg(content, _FAILURE_WIDTH_PX))
            if address is None:
                break
            score = "" if entry.score is None else f", score {entry.score:.2f}"
            shots.append(
                Shot(
                    anchor=f"failure-{number}",
                    heading="Missed" if entry.kind == "miss" else "False positive",
                    words=f"{entry.class_name}{score}, {entry.height_px:.0f} px high",
                    place=place(entry.camera, entry.frame_index),
                    data=address,
                )
            )
        return shots

    def _address(self, content: bytes | None) -> str | None:
        if content is None:
            return None
        address = f"data:image/jpeg;base64,{base64.b64encode(content).decode('ascii')}"
        if len(address) > self._room_bytes:
            return None
        self._room_bytes -= len(address)
        return address


def place(camera: str, frame_index: int, *, file: str | None = None, recording: str | None = None) -> str:
    """Where a picture was taken, in words."""
    where = file or f"{camera}, frame {frame_index}"
    return where if recording is None else f"{recording}, {where}"


def _in_turn(failures: Sequence[FailureEntry]) -> Iterator[FailureEntry]:
    misses = [entry for entry in failures if entry.kind == "miss"]
    alarms = [entry for entry in failures if entry.kind != "miss"]
    return (entry for entry in chain(*zip_longest(misses, alarms)) if entry is not None)
