"""Which format a file or folder of predictions has, seen by its content.

To add a format, write a module with a function that recognises a path and one that reads it, and add an entry to
``FORMATS``: the command line and the evaluation find it through that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from perception.errors import UsageError
from perception.results.formats import coco, cvat, forecast_csv, kitti, mot, nuscenes_tracking, run_folder, yolo
from perception.results.formats.pictures import PictureIndex
from perception.results.formats.predictions import Predictions
from perception.results.formats.submissions import argoverse, nuscenes_prediction
from perception.results.formats.submissions.submission import Submission


@dataclass(frozen=True, kw_only=True)
class PredictionFormat:
    """``name`` is that of the option, ``title`` what a sentence calls the format.

    ``read_all`` reads several recordings from one file, where the format holds them so.
    """

    name: str
    title: str
    is_in: Callable[[Path], bool]
    read: Callable[[Path, PictureIndex], Predictions]
    read_all: Callable[[Path, Sequence[PictureIndex]], list[Predictions]] | None = None


FORMATS: tuple[PredictionFormat, ...] = (
    PredictionFormat(
        name="run",
        title="the folder of a run of perception",
        is_in=run_folder.is_run_folder,
        read=run_folder.read_run_folder,
    ),
    PredictionFormat(name="mot", title="boxes as MOTChallenge's text", is_in=mot.is_mot, read=mot.read_mot),
    PredictionFormat(
        name="kitti-tracking",
        title="tracks as KITTI's text",
        is_in=kitti.is_kitti_tracking,
        read=kitti.read_kitti_tracking,
    ),
    PredictionFormat(
        name="kitti-object",
        title="a folder of KITTI's object labels",
        is_in=kitti.is_kitti_object,
        read=kitti.read_kitti_object,
    ),
    PredictionFormat(name="yolo", title="a folder of YOLO's text", is_in=yolo.is_yolo, read=yolo.read_yolo),
    PredictionFormat(
        name="coco",
        title="COCO's results",
        is_in=coco.is_coco_results,
        read=coco.read_coco_results,
    ),
    PredictionFormat(name="cvat", title="tracks as CVAT's XML for video", is_in=cvat.is_cvat, read=cvat.read_cvat),
    PredictionFormat(
        name="nuscenes-tracking",
        title="tracks for nuScenes' tracking challenge",
        is_in=nuscenes_tracking.is_nuscenes_tracking,
        read=lambda path, pictures: nuscenes_tracking.read_nuscenes_tracking(path, [pictures])[0],
        read_all=nuscenes_tracking.read_nuscenes_tracking,
    ),
    PredictionFormat(
        name="forecasts",
        title="forecasts of perception",
        is_in=run_folder.is_forecasts,
        read=run_folder.read_forecasts_file,
    ),
    PredictionFormat(
        name="csv",
        title="forecasts as CSV",
        is_in=forecast_csv.is_forecast_csv,
        read=forecast_csv.read_forecast_csv,
    ),
)
"""In the order in which they are tried; the first that fits counts."""


@dataclass(frozen=True, kw_only=True)
class SubmissionFormat:
    """A file for a public forecasting challenge, which names objects and times as the data set does."""

    name: str
    title: str
    is_in: Callable[[Path], bool]
    read: Callable[[Path], Submission]


SUBMISSION_FORMATS: tuple[SubmissionFormat, ...] = (
    SubmissionFormat(
        name="nuscenes-prediction",
        title="forecasts for nuScenes' prediction challenge",
        is_in=nuscenes_prediction.is_nuscenes_prediction,
        read=nuscenes_prediction.read_nuscenes_prediction,
    ),
    SubmissionFormat(
        name="argoverse",
        title="forecasts for Argoverse 2's challenge",
        is_in=argoverse.is_argoverse_submission,
        read=argoverse.read_argoverse_submission,
    ),
)


def find_submission(path: Path, name: str | None = None) -> tuple[SubmissionFormat, Path] | None:
    """The format called ``name``, else that of ``path`` or of the only file in it, and the file; None for others."""
    if name is not None:
        of_name = next((one for one in SUBMISSION_FORMATS if one.name == name), None)
        return None if of_name is None else (of_name, path)
    if path.is_dir():
        files = [file for file in path.iterdir() if file.is_file()]
        return find_submission(files[0]) if len(files) == 1 else None
    found = next((one for one in SUBMISSION_FORMATS if path.is_file() and one.is_in(path)), None)
    return None if found is None else (found, path)


def find_format(path: Path, name: str | None = None) -> PredictionFormat:
    """The format called ``name``, else the one that ``path`` has.

    Raises ``UsageError`` where there is nothing at ``path`` or no format fits.
    """
    if not path.exists():
        raise UsageError(f"{path}: no such file or folder; check the name.", field="predictions")
    if name is not None:
        return next(one for one in FORMATS if one.name == name)
    found = known_format(path)
    if found is None:
        names = ", ".join([*(one.name for one in FORMATS), *(one.name for one in SUBMISSION_FORMATS)])
        raise UsageError(
            f"{path}: is of no known format ({names}); name one as `predictions_format`.", field="predictions"
        )
    return found


def known_format(path: Path) -> PredictionFormat | None:
    """The format that ``path`` has, None where none fits."""
    return next((one for one in FORMATS if one.is_in(path)), None)
