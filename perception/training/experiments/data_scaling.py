"""How much unlabelled video is worth: errors on held-out video against the minutes that were trained on.

Our own detector and tracker make the labels (pseudo-labels); the ground truth of the validation only measures.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from perception.errors import UsageError
from perception.files import atomic_write, read_json, write_json
from perception.forecasting.track_dataset import join
from perception.protocols import Detector
from perception.sources import open_source
from perception.tracking import TrackerSettings
from perception.training.engine.reporting import Reporter
from perception.training.engine.trainer import History
from perception.training.forecaster.config import ForecasterTraining
from perception.training.forecaster.data_modules.ground import GroundDataModule
from perception.training.forecaster.data_modules.image import ImageDataModule
from perception.training.forecaster.data_modules.recordings import RecordingsConfig, recording_folders
from perception.training.forecaster.tracks.ground_pseudo_labels import detect_drive, pseudo_label_drive
from perception.training.forecaster.tracks.image_pseudo_labels import (
    PseudoLabels,
    TrackFilter,
    detect_video,
    pseudo_label_video,
    videos_below,
)
from perception.training.forecaster.tracks.track_cache import read_tracks, write_tracks
from perception.training.forecaster.training_run import ForecasterTrainer
from perception.types import ReferenceFrame

SHARES = (0.1, 0.3, 1.0)
"""Of each video, from its beginning."""

SECONDS = (1, 2, 3)

LabelsByShare = dict[float, PseudoLabels]
"""Of one video: the pseudo-labels of each of the ``SHARES``."""


@dataclass(frozen=True)
class ScalingPoint:
    """One training: ``minutes`` of video with so many ``tracks``; the mean error ``fde`` and constant velocity's ``cv``
    at ``SECONDS``, in thousandths of the image, on the ground in metres, on validation video."""

    minutes: float
    tracks: int
    fde: tuple[float, ...]
    cv: tuple[float, ...]

    @property
    def ratios(self) -> tuple[float | None, ...]:
        """``fde`` over ``cv``; None where no target's future was known."""
        return tuple(fde / cv if cv > 0 else None for fde, cv in zip(self.fde, self.cv, strict=True))

    @classmethod
    def of(cls, history: History, minutes: float, tracks: int, frame: ReferenceFrame) -> ScalingPoint:
        """Read at the end of the training: its best weights were chosen on the same video, so they do not count."""
        last = history.validation[-1]
        figure = "{} {} s (1/1000)" if frame == "image" else "drives {} {} s"
        fde, cv = (tuple(float(last[figure.format(name, second)]) for second in SECONDS) for name in ("FDE", "CV"))
        return cls(minutes, tracks, fde, cv)


@dataclass(frozen=True)
class ScalingStudy:
    """The ``points`` from little to much video, and the pseudo-labels of each video by its name."""

    points: list[ScalingPoint]
    labels: dict[str, LabelsByShare]


def run_scaling_study(
    trainer: ForecasterTrainer, config: ForecasterTraining, videos: Sequence[Path], folder: Path
) -> ScalingStudy:
    """Train with more and more of ``videos``; writes ``study.json`` and ``study.png``, goes on where it was stopped.

    Raises ``UsageError`` where the configuration names no validation, a video is held out, or no track is left.
    """
    data = config.data
    if not isinstance(data, RecordingsConfig) or not data.validation:
        raise UsageError(
            "the configuration's data must name recordings with ground truth as validation.", field="from_video"
        )
    paths = [path for below in videos for path in videos_below(below)]
    held_out = {path.resolve() for path, _ in recording_folders(trainer.root, data.validation)}
    seen = [path for path in paths if path.resolve() in held_out]
    if seen:
        raise UsageError("is held out by the configuration; leave it out here.", field="from_video", value=seen[0])
    without_recordings = data.model_copy(update={"train": ()})
    base = trainer.load(config.model_copy(update={"data": without_recordings}))
    assert isinstance(base, ImageDataModule | GroundDataModule)
    frame, points = data.reference_frame, []
    if base.has_data:
        history = trainer.train(config, folder / "no-video", title="no video", data=base)
        points.append(ScalingPoint.of(history, 0.0, 0, frame))
    labels = label_videos(paths, trainer.detector, folder / "labels", frame, trainer.reporter)
    for share in SHARES:
        parts = [of_video[share] for of_video in labels.values()]
        sets = [part.tracks for part in parts if part.tracks is not None]
        name = f"{share:.0%} of the video".replace("%", " %")
        if not sets:
            trainer.reporter.message(f"{name}: the filter accepted no track.")
            continue
        more = base.with_recordings(join(sets))
        history = trainer.train(config, folder / f"video-{round(100 * share)}-percent", title=name, data=more)
        minutes = sum(part.seconds for part in parts) / 60
        points.append(ScalingPoint.of(history, minutes, sum(part.accepted for part in parts), frame))
    if not any(of_video[share].accepted for of_video in labels.values() for share in SHARES):
        raise UsageError(
            "the filter accepted no track; give longer or clearer videos.", field="from_video", value=videos[0]
        )
    plot_points(points, folder / "study.png")
    videos_json = {
        name: {"seconds": part[1.0].seconds, "accepted": part[1.0].accepted, "rejected": part[1.0].rejected}
        for name, part in labels.items()
    }
    write_json(folder / "study.json", {"points": [asdict(point) for point in points], "videos": videos_json})
    return ScalingStudy(points, labels)


def label_videos(
    paths: Sequence[Path], detector: Detector, folder: Path, frame: ReferenceFrame, reporter: Reporter
) -> dict[str, LabelsByShare]:
    """By video and share of it; what ``folder`` has from before is read again."""
    found: dict[str, LabelsByShare] = {}
    names = [path.name for path in paths]
    folder.mkdir(exist_ok=True)
    for number, path in enumerate(paths):
        files = {share: folder / f"{number:03d}-{path.name}-{round(100 * share)}-percent" for share in SHARES}
        if not all(_counts_file(file).is_file() for file in files.values()):
            with reporter.progress(f"watching {path.name}", open_source([str(path)]).length) as update:
                labels_of = _detected(path, detector, frame, _counting(update))
            for share in SHARES:
                _write_labels(files[share], labels_of(share))
        name = path.name if names.count(path.name) == 1 else f"{path.parent.name}/{path.name}"
        found[name] = {share: _read_labels(file) for share, file in files.items()}
    return found


def _counting(update: Callable[[int, str | None], None]) -> Callable[[], None]:
    done = 0

    def count() -> None:
        nonlocal done
        done += 1
        update(done, None)

    return count


def _detected(
    path: Path, detector: Detector, frame: ReferenceFrame, on_instant: Callable[[], None]
) -> Callable[[float], PseudoLabels]:
    """Run the detector over a whole video; returns what labels a share of it."""
    if frame == "ground":
        drive = detect_drive(path, detector, on_instant)
        return lambda share: pseudo_label_drive(drive, TrackFilter(), share=share)
    frames = list(detect_video(path, detector, on_instant))
    settings = TrackerSettings.for_detector(detector)
    return lambda share: pseudo_label_video(frames[: math.ceil(share * len(frames))], TrackFilter(), settings)


def _counts_file(file: Path) -> Path:
    return file.with_name(f"{file.name}.json")


def _tracks_file(file: Path) -> Path:
    return file.with_name(f"{file.name}.npz")


def _write_labels(file: Path, labels: PseudoLabels) -> None:
    if labels.tracks is not None:
        write_tracks(_tracks_file(file), labels.tracks)
    counts = {"accepted": labels.accepted, "rejected": labels.rejected, "seconds": labels.seconds}
    write_json(_counts_file(file), counts)


def _read_labels(file: Path) -> PseudoLabels:
    counts = read_json(_counts_file(file))
    tracks = read_tracks(_tracks_file(file)) if counts["accepted"] else None
    return PseudoLabels(tracks, counts["accepted"], counts["rejected"], counts["seconds"])


def plot_points(points: Sequence[ScalingPoint], path: Path) -> None:
    """Write a PNG: for each horizon the error over that of constant velocity, against the minutes of video."""
    figure = Figure(figsize=(8, 4.6), layout="constrained")
    FigureCanvasAgg(figure)
    axis = figure.subplots()
    minutes = [point.minutes for point in points]
    for index, (second, colour) in enumerate(zip(SECONDS, ("#3366cc", "#dd6b20", "#2f855a"), strict=True)):
        ratios = [math.nan if (ratio := point.ratios[index]) is None else ratio for point in points]
        axis.plot(minutes, ratios, "o-", color=colour, label=f"{second} s ahead")
    axis.axhline(1.0, color="0.5", linestyle=":", label="constant velocity")
    axis.set_xlabel("minutes of unlabelled video")
    axis.set_ylabel("FDE over constant velocity's")
    axis.set_title("Data scaling: unlabelled video", loc="left", fontweight="bold")
    axis.grid(alpha=0.25)
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(frameon=False)
    with atomic_write(path) as temporary:
        figure.savefig(temporary, format="png", dpi=110)
