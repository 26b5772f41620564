"""What a run leaves behind and shows, scene by scene."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from types import TracebackType

from perception.plugins import WriterOpener
from perception.protocols import Source
from perception.results import ResultWriter
from perception.types import Scene
from perception.visualization import TrackHistory, VideoWriter, Window, draw_scene

VIDEO_FILE = "scene.mp4"

MAX_RATE_FPS = 240.0
"""The first frames of a network camera may come in a burst, which is no rate to write a video with."""


class SceneRecorder:
    """Draws each scene for the video and the window, and writes the tables; a context manager.

    ``folder`` None writes no files, ``video`` False none but the tables; ``writers`` open further outputs. Raises
    ``PerceptionError`` when a file cannot be written.
    """

    def __init__(
        self,
        source: Source,
        *,
        folder: Path | None,
        window: Window | None = None,
        video: bool = True,
        writers: Sequence[WriterOpener] = (),
    ) -> None:
        self._cameras = source.cameras
        self._rig = source.rig
        self._window = window
        # From above there is room for a longer past than in an image.
        self._history = TrackHistory(span_s=2.0 if self._rig is None else 3.0)
        self._files = ExitStack()
        self._tables: ResultWriter | None = None
        self._video: VideoWriter | None = None
        if folder is not None:
            self._tables = self._files.enter_context(ResultWriter(folder, cameras=source.cameras))
            if video:
                pictures = VideoWriter(folder / VIDEO_FILE, rate_fps=min(source.rate_fps, MAX_RATE_FPS))
                self._video = self._files.enter_context(pictures)
        if window is not None:
            self._files.callback(window.close)
        self._further = []
        try:
            for open_writer in writers:
                writer = open_writer(folder, source)
                self._files.callback(writer.close)
                self._further.append(writer)
        except BaseException:
            self._files.close()
            raise

    def __enter__(self) -> SceneRecorder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._files.__exit__(kind, error, trace)

    def write(self, scene: Scene, *, rate_fps: float | None = None, remark: str = "") -> tuple[Scene, bool]:
        """The scene, the stages ``draw``, ``encode`` and ``write`` added; and False when the user closed the window."""
        stage_ms = dict(scene.stage_ms)
        goes_on = True
        if self._video is not None or self._window is not None:
            started_s = perf_counter()
            self._history.update(scene)
            picture = draw_scene(
                scene,
                history=self._history,
                cameras=self._cameras,
                rig=self._rig,
                rate_fps=rate_fps,
                remark=remark,
            )
            stage_ms["draw"] = 1e3 * (perf_counter() - started_s)
            started_s = perf_counter()
            if self._video is not None:
                self._video.write(picture, scene.timestamp_ns)
                stage_ms["encode"] = 1e3 * (perf_counter() - started_s)
            if self._window is not None:
                goes_on = self._window.show(picture)
        if self._tables is not None or self._further:
            started_s = perf_counter()
            for writer in (self._tables, *self._further):
                if writer is not None:
                    writer.write(replace(scene, stage_ms=dict(stage_ms)))
            stage_ms["write"] = 1e3 * (perf_counter() - started_s)
        return replace(scene, stage_ms=stage_ms), goes_on
