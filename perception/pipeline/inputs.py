"""Opens the source that a configuration names."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from pydantic import ValidationError

from perception.errors import UsageError
from perception.files import bundled
from perception.geometry.cameras import Rig
from perception.pipeline.config import Config, RunConfig, StreamConfig
from perception.protocols import Source
from perception.sources import open_source, read_rig, separate_sources
from perception.sources.live.camera_list import CameraListWatcher, read_camera_list
from perception.sources.live.settings import LiveSettings
from perception.sources.live.source import LiveSource
from perception.sources.registry import open_camera
from perception.sources.stream_recording.keep import Keep
from perception.sources.stream_recording.recorder import RecordRequest
from perception.sources.stream_recording.replay import StreamRecording
from perception.sources.time_span import TimeSpan

_LOG = logging.getLogger(__name__)

BUNDLED_RECORDING = "data/recording"

_OF_ONE_RUN = {"source", "fps", "start_s", "end_s", "stride", "show", "save", "writer"}
_OF_ONE_RUN |= {"output", "project", "name", "exist_ok"}
"""What a replay does not take over: what was looked at, and where the results went."""


def with_bundled_source(config: Config) -> Config:
    """``config``, with the bundled drive where it names no source."""
    return config if config.source else config.model_copy(update={"source": [str(bundled(BUNDLED_RECORDING))]})


def separate_runs(config: Config, of_several: Callable[[Config], Config]) -> list[Config]:
    """``config`` for each recording that its ``source`` stands for, see ``separate_sources``; at least one.

    Where there are several, it is ``of_several(config)``. Recordings of the same name get different ones, so that no
    run takes the folder of another.
    """
    specs = separate_sources(config.source)
    config = of_several(config) if len(specs) > 1 else config
    stems = [Path(spec).stem for spec in specs]
    counts = [stems[: number + 1].count(stem) for number, stem in enumerate(stems)]
    return [
        config.model_copy(update={"source": [spec], **({"name": f"{stem}-{count}"} if count > 1 else {})})
        for spec, stem, count in zip(specs, stems, counts, strict=True)
    ]


def open_configured_source(config: RunConfig) -> Source:
    """The source that ``config`` names, with its rig; raises as ``open_source`` and ``read_rig`` do."""
    rig = None if config.rig is None else read_rig(config.rig)
    if config.road_height is not None:
        rig = replace(rig or _own_rig(config), road_height_m=config.road_height)
        for name, depth_m in rig.below_road_m.items():
            raise UsageError(
                f"the camera {name} would be {depth_m:.2f} m below the road; correct it, or the camera's "
                "vehicle_from_camera (z points up).",
                field="road_height",
                value=config.road_height,
            )
    if isinstance(config, StreamConfig):
        source = _open_cameras(config, rig)
    else:
        source = open_source(
            config.source,
            stride=config.stride,
            newest_only=True,
            rate_fps=config.fps,
            rig=rig,
            span=TimeSpan(config.start_s or 0.0, math.inf if config.end_s is None else config.end_s),
        )
    _LOG.info(
        "opened %s: cameras %s, %s, %s instants at %g per second",
        source.name,
        ", ".join(source.cameras),
        "not calibrated" if source.rig is None else "calibrated",
        "unknown" if source.length is None else source.length,
        source.rate_fps,
    )
    return source


def live_settings(config: StreamConfig) -> LiveSettings:
    """The limits of live cameras that ``config`` asks for; cameras may be missing."""
    return LiveSettings(
        tolerance_s=config.tolerance_s,
        max_wait_s=config.max_wait_s,
        max_age_s=config.max_age_s,
        stale_after_s=min(LiveSettings.stale_after_s, config.lost_after_s),
        lost_after_s=config.lost_after_s,
        connect_timeout_s=config.lost_after_s,
        frozen_after_s=config.frozen_after_s,
        require=config.require,
        may_be_missing=True,
    )


def _open_cameras(config: StreamConfig, rig: Rig | None) -> Source:
    """The named cameras and those of the file, which is followed from here on.

    Raises where none of the named cameras can be opened: an address may be wrong. With a file it is waited for them.
    """
    settings, path = live_settings(config), config.sources_file
    listed = {} if path is None else read_camera_list(path)
    named = config.source if path is None or "source" in config.model_fields_set else []
    source = open_source(
        [*named, *(f"{name}={spec}" for name, spec in listed.items())],
        stride=config.stride,
        newest_only=True,
        rate_fps=config.fps,
        rig=rig,
        realtime=config.realtime,
        live=settings,
        record=_record_request(config),
    )
    if path is None and isinstance(source, LiveSource):
        try:
            source.need_any()
        except BaseException:
            source.close()
            raise
    elif path is not None and isinstance(source, LiveSource):
        watcher = CameraListWatcher(path, listed, source, lambda name, spec: open_camera(name, spec, settings))
        source.look_out(watcher.check)
    return source


def with_recorded_choices(config: Config, folder: Path) -> Config:
    """``config`` with what the run that recorded ``folder`` was told, where ``config`` is not told it.

    Raises ``UsageError`` where ``folder`` holds no recorded stream, or its configuration is not of this version.
    """
    recorded = StreamRecording.read(folder).config
    names = type(config).model_fields.keys() - config.model_fields_set - _OF_ONE_RUN
    chosen = {name: recorded[name] for name in names & recorded.keys()}
    try:
        checked = type(config).model_validate(chosen)
    except ValidationError as error:
        raise UsageError(f"{folder}: its configuration does not fit this version of perception.") from error
    return config.model_copy(update={name: getattr(checked, name) for name in chosen})


def _record_request(config: StreamConfig) -> RecordRequest | None:
    """What a stream is asked to keep."""
    if config.record is None:
        return None
    keep = Keep() if config.keep is None else Keep.parse(config.keep)
    return RecordRequest(config.record, keep, config.to_plain())


def _own_rig(config: RunConfig) -> Rig:
    """The calibration that the recording brings."""
    with closing(open_source(config.source)) as source:
        if source.rig is None:
            raise UsageError(
                "the cameras are not calibrated; give a `rig` too.", field="road_height", value=config.road_height
            )
        return source.rig
