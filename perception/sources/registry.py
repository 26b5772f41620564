"""From what the user names to a source: webcam, file, folder, glob, address, or a plug-in's source."""

from __future__ import annotations

import glob
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from perception.arrays import IntArray
from perception.errors import UsageError, counted
from perception.geometry.cameras import Camera, Rig
from perception.plugins import SourceRequest, close_names, open_source_plugin
from perception.protocols import Source
from perception.safety.regular_files import exists, is_dir, is_file
from perception.sources.adapted_source import AdaptedSource
from perception.sources.calibration.fields import above_road
from perception.sources.dataset_formats import find_dataset
from perception.sources.files.clock import check_rate, is_possible
from perception.sources.files.images import DEFAULT_RATE_FPS, IMAGE_SUFFIXES, ImageSeries, images_in, natural_order
from perception.sources.files.lazy_frame import RecordedCamera
from perception.sources.files.poses import Poses
from perception.sources.files.recorded_source import RecordedSource
from perception.sources.files.recording import RECORDING_FILE, Recording
from perception.sources.files.stdin import STDIN, StdinVideo
from perception.sources.files.video import VIDEO_SUFFIXES, VideoFile
from perception.sources.live.camera import CameraListener, CameraOpener
from perception.sources.live.openers import address_opener, file_opener, webcam_opener
from perception.sources.live.readers.paced_file import PlaybackClock
from perception.sources.live.settings import LiveSettings
from perception.sources.live.source import LiveSource
from perception.sources.live.stream_schemes import open_address, split_address
from perception.sources.rigs import fit_rig, match_live_rig, match_rig
from perception.sources.separate import videos_in
from perception.sources.stream_recording.recorder import RecordRequest
from perception.sources.stream_recording.replay import ReplaySource, StreamRecording, is_stream_recording
from perception.sources.time_span import TimeSpan


@dataclass
class _Opened:
    """The cameras of all specs so far."""

    recorded: list[RecordedCamera] = field(default_factory=list)
    live: list[CameraOpener] = field(default_factory=list)
    poses: Poses | None = None
    notes: list[str] = field(default_factory=list)
    calibration: dict[str, Camera] = field(default_factory=dict)
    road_height_m: float = 0.0
    instants: dict[str, IntArray] = field(default_factory=dict)
    listing: str = ""
    name: str | None = None

    def unique(self, name: str) -> str:
        """``name``, with a number behind it where another camera has it already."""
        taken = {camera.name for camera in self.recorded} | {camera.name for camera in self.live}
        number, candidate = 1, name
        while candidate in taken:
            number += 1
            candidate = f"{name}-{number}"
        return candidate

    def close_connections(self) -> None:
        """Where the cameras will not be used after all."""
        for opener in self.live:
            if opener.first is not None:
                opener.first.close()

    def rename(self, name: str, spec: str, *, recorded: int, live: int) -> None:
        """Call the one camera that ``spec`` added after so many others ``name``."""
        count = len(self.recorded) - recorded + len(self.live) - live
        if count != 1:
            raise UsageError(f"{spec}: holds {count} cameras, which have names; leave {name} out.")
        before = {camera.name for camera in self.recorded[:recorded]} | {camera.name for camera in self.live[:live]}
        if name in before:
            raise UsageError(f"two cameras are called {name}; give each a name of its own.", field="source")
        if recorded < len(self.recorded):
            old, self.recorded[recorded].name = self.recorded[recorded].name, name
            if old in self.calibration:
                self.calibration[name] = replace(self.calibration.pop(old), name=name)
            if old in self.instants:
                self.instants[name] = self.instants.pop(old)
        else:
            self.live[live] = replace(self.live[live], name=name)

    def add(self, recording: Recording, folder: str) -> None:
        """Take over the cameras of one folder and all that it states of them."""
        if recording.instants is not None and self.recorded:
            raise UsageError(f"{folder}: lists which of its images belong together; give it alone.")
        for camera in recording.cameras:
            name = self.unique(camera.name)
            if camera.name in recording.calibration:
                self.calibration[name] = replace(recording.calibration[camera.name], name=name)
            if recording.instants is not None:
                self.listing = folder
                self.instants[name] = recording.instants[camera.name]
            camera.name = name
            self.recorded.append(camera)
        if recording.calibration:
            self.road_height_m = recording.road_height_m
        if recording.poses is not None:
            if self.poses is not None:
                raise UsageError(f"{folder}: a second recording with poses; give one recording at a time.")
            self.poses = recording.poses
        self.name = recording.name or Path(folder).resolve().name
        self.notes.extend(recording.notes)

    def own_rig(self) -> Rig | None:
        """The recording's own rig, with a note where only some of its cameras are calibrated."""
        lacking = [camera.name for camera in self.recorded if camera.name not in self.calibration]
        if lacking and self.calibration:
            self.notes.append(
                f"Without calibration: camera {', '.join(lacking)}; so there is no rig, and all cameras count as "
                "uncalibrated."
            )
        if not self.calibration or lacking:
            return None
        return above_road(Rig(self.calibration, self.road_height_m), self.name or "source")


def open_source(
    specs: Sequence[str],
    *,
    stride: int = 1,
    newest_only: bool = False,
    rate_fps: float | None = None,
    connect_timeout_s: float = 10,
    rig: Rig | None = None,
    span: TimeSpan = TimeSpan(),  # noqa: B008 - it cannot change
    realtime: bool = False,
    live: LiveSettings | None = None,
    listeners: Sequence[CameraListener] = (),
    record: RecordRequest | None = None,
) -> Source:
    """Open one camera, or several that are stepped together.

    A spec is a webcam's number ("0"), a video file, "-" (a video on standard input), an image file, a folder of images,
    a glob of images, a recording (a folder with ``recording.yaml``, MOTChallenge's ``seqinfo.ini``, ``frames.json``, or
    in the layout of nuScenes or KITTI; ``folder#name`` is one of several drives in it), an address (http(s), rtsp,
    rtmp, udp, ...), or, alone, the source of an installed package: its name, "name:place", or "package.module:factory"
    (see ``perception.plugins``). ``name=`` before the others names their camera: "front=rtsp://host/1".

    ``stride`` hands out every n-th instant. ``newest_only`` lets live cameras skip what the caller was too slow for.
    ``rate_fps`` replaces the clock of videos and images (images: 10 per second without it). ``connect_timeout_s``
    is the limit of the opening of each live camera, and then its read timeout. ``rig`` states where the cameras sit,
    in place of a recording's own rig: matched by name, or in order where no name matches. ``span`` is the part of a
    recording that is handed out. ``realtime`` plays recordings at their own speed, as live cameras, also beside such.
    ``live`` are the limits of live cameras, in place of ``connect_timeout_s``; ``listeners`` are told what they send.

    ``record`` keeps what cameras send; the folder of such a recording is a spec, which stands alone.

    The source also has ``warnings: list[str]``, a sentence for everything that was left out.

    Raises ``UsageError`` for what is missing, unreadable, of no known kind, a mixture of live and recorded, or a rig
    of other cameras or of images of another shape; ``PerceptionError`` for an address that does not answer.
    """
    if stride < 1:
        raise UsageError("expected a whole number of at least 1.", field="stride", value=stride)
    if rate_fps is not None:
        check_rate(rate_fps, f"rate_fps {rate_fps}", wanted="frames per second")
    if not specs:
        raise UsageError("is missing; give a video, a folder, an address or a webcam number.", field="source")
    for spec in specs:
        found = _package_source(spec, newest_only=newest_only, timeout_s=connect_timeout_s)
        if found is not None:
            return _adapted(found, spec, specs, rig=rig, stride=stride, rate_fps=rate_fps, span=span)
    if is_stream_recording(Path(specs[0])):
        return _replay(specs, rig=rig, stride=stride, rate_fps=rate_fps, span=span)
    settings = live or LiveSettings(connect_timeout_s=connect_timeout_s, lost_after_s=connect_timeout_s)
    opened = _Opened()
    try:
        for spec in specs:
            _open_named(spec, opened, rate_fps=rate_fps, settings=settings)
        if opened.live and opened.recorded and not realtime:
            raise UsageError(
                "live cameras and recordings cannot be mixed; give only one kind, or play recordings in `realtime`.",
                field="source",
            )
        if opened.live and rate_fps is not None and not opened.recorded:
            raise UsageError("a live camera has its own clock; leave it out.", field="fps", value=rate_fps)
        if record is not None and opened.recorded:
            raise UsageError("keeps what cameras send, and there are files among them; leave it out.", field="record")
        if (opened.live or realtime) and not span.is_whole:
            raise UsageError("a live camera has no beginning and no end; leave `start_s` and `end_s` out.")
        if opened.live or realtime:
            return _live_source(
                opened,
                rig,
                stride=stride,
                newest_only=newest_only,
                settings=settings,
                listeners=listeners,
                record=record,
            )
    except BaseException:
        opened.close_connections()
        raise
    return _recorded_source(opened, rig, stride=stride, span=span, is_one_folder=len(specs) == 1)


def open_camera(name: str, spec: str, settings: LiveSettings) -> CameraOpener:
    """A live camera to be added to others. Raises ``UsageError`` for what is neither an address nor a webcam."""
    opened = _Opened()
    _open_named(f"{name}={spec}", opened, rate_fps=None, settings=settings)
    if opened.recorded:
        raise UsageError(f"{spec}: is a recording; only cameras can be added while others run.")
    return opened.live[0]


def _package_source(spec: str, *, newest_only: bool, timeout_s: float) -> Source | None:
    """The source of a package, for what is no webcam's number and neither a file nor a pattern of files."""
    if spec == STDIN or spec.isdigit() or find_dataset(spec) is not None or exists(Path(spec)):
        return None
    return open_source_plugin(
        spec, lambda argument: SourceRequest(argument=argument, newest_only=newest_only, timeout_s=timeout_s)
    )


def _adapted(
    source: Source,
    spec: str,
    specs: Sequence[str],
    *,
    rig: Rig | None,
    stride: int,
    rate_fps: float | None,
    span: TimeSpan,
) -> Source:
    """A plug-in's source with the stride and the rig that were asked for."""
    try:
        if len(specs) > 1:
            raise UsageError(f"{spec}: is a plug-in's source, which stands alone; leave the others out.")
        if rate_fps is not None:
            raise UsageError(f"{spec}: has its own clock; leave `fps` out.")
        if source.is_live and not span.is_whole:
            raise UsageError(f"{spec}: is live, without a beginning and an end; leave `start_s` and `end_s` out.")
        notes: list[str] = []
        if rig is not None:
            rig, notes = match_rig(rig, source.cameras)
        return AdaptedSource(source, name=_source_name([source.name]), stride=stride, rig=rig, notes=notes, span=span)
    except BaseException:
        source.close()
        raise


def _replay(
    specs: Sequence[str], *, rig: Rig | None, stride: int, rate_fps: float | None, span: TimeSpan
) -> ReplaySource:
    """A recorded stream. Raises ``UsageError`` for what would not be the run that it was."""
    if len(specs) > 1:
        raise UsageError(f"{specs[0]}: is a recorded stream, which stands alone; leave the others out.")
    if rate_fps is not None or stride != 1 or not span.is_whole:
        changed = "fps" if rate_fps is not None else "stride" if stride != 1 else "start_s"
        raise UsageError("a recorded stream is played as it was; leave it out.", field=changed)
    return ReplaySource(StreamRecording.read(Path(specs[0])), rig=rig)


def _live_source(
    opened: _Opened,
    rig: Rig | None,
    *,
    stride: int,
    newest_only: bool,
    settings: LiveSettings,
    listeners: Sequence[CameraListener],
    record: RecordRequest | None,
) -> LiveSource:
    clock = PlaybackClock()
    if rig is None and opened.recorded and not opened.live and opened.poses is None:
        rig = opened.own_rig()
    openers = [*opened.live, *(file_opener(camera, clock=clock) for camera in opened.recorded)]
    names = [opener.name for opener in openers]
    if rig is not None:
        rig, notes = match_live_rig(rig, names)
        opened.notes.extend(notes)
    source = LiveSource(
        openers,
        name=_source_name(names),
        stride=stride,
        newest_only=newest_only,
        settings=settings,
        rig=rig,
        notes=opened.notes,
        listeners=listeners,
        recorder=None if record is None else record.open(names, _source_name(names)),
    )
    try:
        if rig is not None:
            source.wait_for_first()
    except BaseException:
        source.close()
        raise
    return source


def _recorded_source(
    opened: _Opened, rig: Rig | None, *, stride: int, span: TimeSpan, is_one_folder: bool
) -> RecordedSource:
    names = [camera.name for camera in opened.recorded]
    if opened.instants and len(opened.instants) < len(names):
        raise UsageError(f"{opened.listing}: lists which of its images belong together; give it alone.")
    opened.notes += [
        f"{camera.name}: its own time stamps give {camera.rate_fps:.3g} frames per second, which no camera takes; "
        "speeds will be wrong. State rate_fps."
        for camera in opened.recorded
        if camera.length > 1 and not is_possible(camera.rate_fps)
    ]
    if rig is None:
        rig = opened.own_rig()
    else:
        rig, notes = match_rig(rig, names)
        opened.notes.extend(notes)
    if rig is not None:
        rig = fit_rig(rig, {camera.name: camera.size_px for camera in opened.recorded})
    source = RecordedSource(
        opened.recorded,
        name=_source_name([opened.name] if is_one_folder and opened.name else names),
        stride=stride,
        poses=opened.poses,
        rig=rig,
        instants=opened.instants or None,
        notes=opened.notes,
        span=span,
    )
    if not span.is_whole and not source.length:
        raise UsageError(f"{source.name}: ends before that.", field="start_s", value=f"{span.start_s:g}")
    return source


def split_name(spec: str) -> tuple[str | None, str]:
    """ "front=rtsp://host/1" -> ("front", "rtsp://host/1"); no name where the whole is a file or a pattern of files."""
    named = _NAMED.fullmatch(spec)
    if named is None or Path(spec).exists() or (glob.has_magic(spec) and glob.glob(spec)):  # noqa: PTH207
        return None, spec
    return named[1], named[2]


_NAMED = re.compile(r"([A-Za-z_][\w.-]*)=(.+)", re.DOTALL)


def _open_named(spec: str, opened: _Opened, *, rate_fps: float | None, settings: LiveSettings) -> None:
    """Open what one spec names, with the name that it gives to its camera."""
    name, spec = split_name(spec)
    recorded, live = len(opened.recorded), len(opened.live)
    _open_spec(spec, opened, rate_fps=rate_fps, settings=settings)
    if name is not None:
        opened.rename(name, spec, recorded=recorded, live=live)


def _open_spec(spec: str, opened: _Opened, *, rate_fps: float | None, settings: LiveSettings) -> None:
    """Open what one spec names and add its cameras."""
    if spec.isascii() and spec.isdigit():
        name = opened.unique(f"webcam{int(spec)}")
        opened.live.append(webcam_opener(int(spec), name=name, settings=settings))
    elif spec == STDIN:
        opened.recorded.append(_noted(StdinVideo(name=opened.unique("stdin"), rate_fps=rate_fps), "stdin", opened))
    elif "://" in spec:
        _open_address(spec, opened, rate_fps=rate_fps, settings=settings)
    elif (dataset := find_dataset(spec)) is not None:
        opened.add(dataset.open(rate_fps), str(dataset.folder))
    elif is_dir(Path(spec)):
        opened.add(_image_folder(Path(spec), opened, rate_fps=rate_fps), spec)
    elif exists(Path(spec)):
        opened.recorded.append(_open_file(Path(spec), opened, rate_fps=rate_fps))
    elif any(sign in spec for sign in "*?["):
        opened.recorded.append(_open_glob(spec, opened, rate_fps=rate_fps))
    else:
        raise UsageError(f"{spec}: no such file or folder; check the name{close_names('source', spec)}.")


def _open_address(spec: str, opened: _Opened, *, rate_fps: float | None, settings: LiveSettings) -> None:
    """A network camera, or a video at an address; whether it is one is only known once it answers."""
    parts = split_address(spec)
    name = opened.unique(parts.hostname or parts.scheme)
    is_video = Path(parts.path).suffix.lower() in VIDEO_SUFFIXES and parts.scheme in ("http", "https")
    if settings.may_be_missing and not is_video:
        opened.live.append(address_opener(spec, name=name, settings=settings))
        return
    found = open_address(spec, name=name, rate_fps=rate_fps, timeout_s=settings.connect_timeout_s)
    if isinstance(found, VideoFile):
        opened.recorded.append(found)
    else:
        opened.live.append(address_opener(spec, name=name, settings=settings, first=found))


def _open_file(path: Path, opened: _Opened, *, rate_fps: float | None) -> RecordedCamera:
    if is_file(path) and path.stat().st_size == 0:
        raise UsageError(f"{path}: the file is empty; copy or record it again.")
    name = opened.unique(path.stem)
    if path.suffix.lower() in IMAGE_SUFFIXES:
        return ImageSeries([path], name=name, rate_fps=rate_fps)
    return _noted(VideoFile(str(path), name=name, rate_fps=rate_fps), str(path), opened)


def _noted(video: VideoFile, label: str, opened: _Opened) -> VideoFile:
    """``video``, with a note where its frame rate is a guess."""
    if not video.has_clock:
        opened.notes.append(_assumed(f"{label}: a raw stream has", video.rate_fps))
    return video


def _assumed(what: str, rate_fps: float) -> str:
    return (
        f"{what} no clock: {rate_fps:g} frames per second are assumed, on which all speeds depend; `fps` states others."
    )


def _image_series(
    paths: Sequence[Path], spec: str | Path, opened: _Opened, *, name: str, rate_fps: float | None
) -> ImageSeries:
    if rate_fps is None and len(paths) > 1:
        opened.notes.append(_assumed(f"{spec}: images have", DEFAULT_RATE_FPS))
    return ImageSeries(paths, name=name, rate_fps=rate_fps)


def _open_glob(pattern: str, opened: _Opened, *, rate_fps: float | None) -> RecordedCamera:
    found_paths = map(Path, glob.glob(pattern, recursive=True))  # noqa: PTH207 - Path.glob takes no absolute pattern
    matches = natural_order(path for path in found_paths if is_file(path))
    images = [path for path in matches if path.suffix.lower() in IMAGE_SUFFIXES]
    if not images:
        found = f"{counted(len(matches), 'matching file')} and no image" if matches else "no file matches"
        raise UsageError(f"{pattern}: {found}; give a pattern of images, and the videos of several cameras one by one.")
    if len(images) < len(matches):
        opened.notes.append(f"{pattern}: {counted(len(matches) - len(images), 'matching file')} left out, as no image.")
    name = opened.unique(images[0].resolve().parent.name or "images")
    return _image_series(images, pattern, opened, name=name, rate_fps=rate_fps)


def _image_folder(folder: Path, opened: _Opened, *, rate_fps: float | None) -> Recording:
    paths = images_in(folder)
    if not paths and (videos := videos_in(folder.iterdir())):
        raise UsageError(
            f"{folder}: holds {counted(len(videos), 'video')} and no images; name each camera's video, "
            "or run them one by one: "
            f"perception demo {folder}"
        )
    if not paths:
        raise UsageError(
            f"{folder}: holds no images, no {RECORDING_FILE} and no other known layout; give another folder, or write "
            f"a {RECORDING_FILE}."
        )
    name = folder.resolve().name or "images"
    return Recording([_image_series(paths, folder, opened, name=name, rate_fps=rate_fps)])


def _source_name(names: Sequence[str]) -> str:
    """A name for a folder: the camera's, or the first one and how many more."""
    name = names[0] if len(names) == 1 else f"{names[0]}+{len(names) - 1}"
    return re.sub(r"[^\w.+-]+", "_", name).strip("._") or "source"
