"""What a run leaves behind and shows, scene by scene."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import perf_counter
from types import TracebackType
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from perception.errors import PerceptionError
from perception.evaluation.core.latency_statistics import TOTAL
from perception.plugins import WriterOpener
from perception.protocols import Source
from perception.results import ResultWriter
from perception.types import Scene
from perception.visualization import (
    PICTURE_SUFFIXES,
    AnnotationStyle,
    PictureWriter,
    TrackHistory,
    VideoWriter,
    draw_scene,
)

VIDEO_FILE = "scene.mp4"
PICTURE_STEM = "scene"
"""What is made of a source of a single instant, such as an image: of the image's kind where it can be written."""

MAX_RATE_FPS = 240.0
"""The first frames of a network camera may come in a burst, which is no rate to write a video with."""


class Display(Protocol):
    """Shows pictures, such as a window on the screen."""

    def show(self, picture: NDArray[np.uint8]) -> bool:
        """Show ``picture`` (H, W, 3), uint8 RGB; False when the user wants the end."""
        ...

    def close(self) -> None:
        """End it; safe to call when the user has closed it."""
        ...


@runtime_checkable
class OfPictures(Protocol):
    """A source that knows how its pictures are stored."""

    @property
    def picture_suffix(self) -> str | None:
        """Of the first picture's file, such as ".png"; None where the pictures are no files of their own."""
        ...


@dataclass(frozen=True)
class Drawing:
    """How scenes are drawn: ``style`` of what lies over the images, the ``footer``, and the ``speed`` in it."""

    style: AnnotationStyle = field(default_factory=AnnotationStyle)
    footer: bool = True
    speed: bool = False


class SceneWriter:
    """Draws each scene for the video and the window, and writes the tables; a context manager.

    ``folder`` None writes no files, ``video`` False none but the tables. ``writers`` get each scene last; ``window`` is
    not closed. The picture of one camera has the size of its image; of a single instant it is an image, and no video.
    Raises ``PerceptionError`` when a file cannot be written.
    """

    def __init__(
        self,
        source: Source,
        *,
        folder: Path | None,
        window: Display | None = None,
        video: bool = True,
        writers: Sequence[WriterOpener] = (),
        drawing: Drawing | None = None,
    ) -> None:
        self._drawing = drawing or Drawing()
        self._source = source
        self._rig = source.rig
        self._window = window
        self._waits = source.is_live
        self._turned_s = perf_counter()
        # From above there is room for a longer past than in an image.
        self._history = TrackHistory(span_s=2.0 if self._rig is None else 3.0)
        self._tables: ResultWriter | None = None
        self._video: VideoWriter | PictureWriter | None = None
        with ExitStack() as files:  # closes what is open already where the next one cannot be opened
            if folder is not None:
                self._tables = files.enter_context(ResultWriter(folder, cameras=source.cameras))
                if video and source.length == 1 and not source.is_live:
                    path = folder / f"{PICTURE_STEM}{_picture_suffix(source)}"
                    self._video = files.enter_context(closing(PictureWriter(path)))
                elif video:
                    rate_fps = min(source.rate_fps, MAX_RATE_FPS)
                    self._video = files.enter_context(VideoWriter(folder / VIDEO_FILE, rate_fps=rate_fps))
            self._writers = [files.enter_context(closing(open_writer(folder, source))) for open_writer in writers]
            self._files = files.pop_all()

    def __enter__(self) -> SceneWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._files.__exit__(kind, error, trace)
        except PerceptionError:
            # The first error explains more than that the files could not be finished either.
            if error is None:
                raise

    def write(self, scene: Scene, *, rate_fps: float | None = None, remark: str = "") -> tuple[Scene, bool]:
        """The scene with the milliseconds of drawing and writing; and False when the user closed the window.

        The stages are ``draw``, ``encode``, ``write`` and ``writers``, as far as they are done. ``total`` is the time
        per instant: see ``_turn_ms``.
        """
        stage_ms = dict(scene.stage_ms)
        goes_on = True
        if self._video is not None or self._window is not None:
            started_s = perf_counter()
            self._history.update(scene)
            picture = draw_scene(
                scene,
                history=self._history,
                cameras=self._source.cameras,
                rig=self._rig,
                style=self._drawing.style,
                status_line=self._drawing.footer,
                speed=self._drawing.speed,
                rate_fps=rate_fps,
                remark=remark,
                min_width_px=1,
            )
            stage_ms["draw"] = 1e3 * (perf_counter() - started_s)
            started_s = perf_counter()
            if self._video is not None:
                self._video.write(picture, scene.timestamp_ns)
                stage_ms["encode"] = 1e3 * (perf_counter() - started_s)
            if self._window is not None:
                goes_on = self._window.show(picture)
        stage_ms[TOTAL] = self._turn_ms(stage_ms)
        if self._tables is not None:
            started_s = perf_counter()
            self._tables.add_cameras(self._source.cameras)
            self._tables.write(replace(scene, stage_ms=stage_ms))
            stage_ms["write"] = 1e3 * (perf_counter() - started_s)
        if self._writers:
            started_s = perf_counter()
            for writer in self._writers:
                writer.write(replace(scene, stage_ms=stage_ms))
            stage_ms["writers"] = 1e3 * (perf_counter() - started_s)
        return replace(scene, stage_ms=stage_ms), goes_on

    def _turn_ms(self, stage_ms: Mapping[str, float]) -> float:
        """Milliseconds of a whole turn of the loop: since the instant before came to be written.

        Stages that run side by side count once, and what lies between stages counts too. A live camera is waited for:
        there it is the sum of the stages.
        """
        now_s = perf_counter()
        elapsed_ms, self._turned_s = 1e3 * (now_s - self._turned_s), now_s
        return sum(stage_ms.values()) if self._waits else elapsed_ms


def _picture_suffix(source: Source) -> str:
    suffix = source.picture_suffix if isinstance(source, OfPictures) else None
    return suffix if suffix in PICTURE_SUFFIXES else PICTURE_SUFFIXES[0]
