"""The formats of recorded data sets: which one a folder has, and the readers of its images and of its ground truth.

To add a format, write a module in ``perception.sources.datasets`` with a function that opens a folder as a
``Recording`` (cameras, and where known poses and calibration) and, where there is ground truth, functions that read
boxes and objects. ``datasets/frames_json.py`` is an example. Then add one entry to ``DATASET_FORMATS`` below: the
command line, the evaluation and the training find the new format through it.

Single cameras are no data sets. What a kind of recorded camera needs is defined by ``RecordedCamera`` in
``files/lazy_frame.py``, what a kind of live camera needs by ``Reader`` in ``live/readers.py``; ``registry.py`` chooses
between all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from perception.errors import UsageError
from perception.safety.regular_files import is_dir, is_file
from perception.sources.datasets import (
    argoverse,
    frames_json,
    kitti_odometry,
    kitti_raw,
    kitti_tracking,
    nuscenes,
    nuscenes_futures,
)
from perception.sources.files.recording import MOT_FILE, RECORDING_FILE, Recording, open_mot, open_recording
from perception.sources.truth.box_truth import BoxTruth
from perception.sources.truth.challenge_truth import SampleTimes, TrueFutures, WantedFutures
from perception.sources.truth.mot_truth import read_mot_truth
from perception.sources.truth.recording_tables import read_objects_csv, read_recording_truth
from perception.sources.unfinished import check_finished
from perception.types import BoxTable, ObjectTable


@dataclass(frozen=True, kw_only=True)
class DatasetFormat:
    """How the folders of one data set are recognized and read.

    ``is_in`` returns whether a folder has this format. ``open`` takes the folder, the name of a drive (None: the first
    one) and the rate in frames per second that replaces the clock; ``truth`` and ``objects`` take folder and drive and
    give None without ground truth. ``drives`` names those of a folder that may hold several. ``open_labels`` opens a
    folder whose pictures may be missing, where the format has other files that tell of them. ``futures`` finds where
    objects went that are named as the data set's own challenge names them, and ``samples`` what its instants are called
    there. ``own_clock`` is the file
    in the folder (or "." for the folder) whose times no other rate may replace; None where one may.
    """

    name: str
    is_in: Callable[[Path], bool]
    open: Callable[[Path, str | None, float | None], Recording]
    truth: Callable[[Path, str | None], BoxTruth | None] = lambda folder, drive: None
    objects: Callable[[Path, str | None], ObjectTable | None] = lambda folder, drive: None
    drives: Callable[[Path], list[str]] | None = None
    open_labels: Callable[[Path, str | None], Recording] | None = None
    futures: Callable[[Path, str | None, WantedFutures], TrueFutures] | None = None
    samples: Callable[[Path, str | None], SampleTimes] | None = None
    own_clock: str | None = None


DATASET_FORMATS: tuple[DatasetFormat, ...] = (
    # First of all a recording: whoever writes one into the folder of another format means it.
    DatasetFormat(
        name="recording",
        is_in=lambda folder: is_file(folder / RECORDING_FILE),
        open=lambda folder, drive, rate_fps: open_recording(folder),
        truth=lambda folder, drive: read_recording_truth(folder),
        objects=lambda folder, drive: read_objects_csv(folder),
        own_clock=RECORDING_FILE,
    ),
    DatasetFormat(
        name="MOTChallenge",
        is_in=lambda folder: is_file(folder / MOT_FILE),
        open=lambda folder, drive, rate_fps: open_mot(folder, rate_fps=rate_fps),
        truth=lambda folder, drive: read_mot_truth(folder),
        open_labels=lambda folder, drive: open_mot(folder, needs_pictures=False),
    ),
    DatasetFormat(
        name="frames.json",
        is_in=lambda folder: is_file(folder / frames_json.FRAMES_FILE),
        open=lambda folder, drive, rate_fps: frames_json.open_frames(folder),
        truth=lambda folder, drive: frames_json.read_boxes(folder),
        objects=lambda folder, drive: frames_json.read_objects(folder),
        own_clock=frames_json.FRAMES_FILE,
    ),
    DatasetFormat(
        name="KITTI odometry",
        is_in=kitti_odometry.has_odometry,
        open=lambda folder, drive, rate_fps: kitti_odometry.open_odometry(folder, rate_fps=rate_fps),
    ),
    DatasetFormat(
        name="nuScenes",
        is_in=nuscenes.has_nuscenes,
        open=lambda folder, drive, rate_fps: nuscenes.open_drive(folder, drive),
        truth=nuscenes.read_boxes,
        objects=nuscenes.read_objects,
        drives=nuscenes.drives_in,
        open_labels=lambda folder, drive: nuscenes.open_drive(folder, drive, needs_images=False),
        futures=nuscenes_futures.read_futures,
        samples=nuscenes.samples_of,
        own_clock=".",
    ),
    DatasetFormat(
        name="KITTI tracking",
        is_in=kitti_tracking.has_tracking,
        open=lambda folder, drive, rate_fps: kitti_tracking.open_tracking(folder, drive, rate_fps=rate_fps),
        truth=kitti_tracking.read_boxes,
        objects=kitti_tracking.read_objects,
        drives=kitti_tracking.drives_in,
        open_labels=lambda folder, drive: kitti_tracking.open_tracking(folder, drive, needs_pictures=False),
    ),
    DatasetFormat(
        name="KITTI raw",
        is_in=kitti_raw.has_raw,
        open=lambda folder, drive, rate_fps: kitti_raw.open_raw(folder, drive, rate_fps=rate_fps),
        truth=kitti_raw.read_boxes,
        objects=kitti_raw.read_objects,
        drives=kitti_raw.drives_in,
        open_labels=lambda folder, drive: kitti_raw.open_raw(folder, drive, needs_pictures=False),
    ),
    DatasetFormat(
        name="Argoverse 2 scenarios",
        is_in=argoverse.has_scenarios,
        open=lambda folder, drive, rate_fps: argoverse.open_scenario(folder, drive),
        objects=argoverse.read_objects,
        drives=argoverse.scenarios_in,
        futures=argoverse.read_futures,
    ),
)
"""In the order in which they are tried; the first that a folder has counts."""


@dataclass(frozen=True)
class DatasetFolder:
    """A folder of a known format, and the name of one of its drives, or None."""

    folder: Path
    format: DatasetFormat
    drive: str | None = None

    def open(self, rate_fps: float | None = None) -> Recording:
        """Cameras, poses and calibration; ``rate_fps`` replaces the clock, which some formats refuse.

        Raises ``UsageError`` naming what is missing or wrong.
        """
        if rate_fps is not None and self.format.own_clock is not None:
            path = self.folder / self.format.own_clock
            raise UsageError(f"{path}: has its own clock; leave `fps` out, or set it there.")
        return self.format.open(self.folder, self.drive, rate_fps)

    def open_labels(self) -> Recording:
        """The same for what is labelled, of which the pictures themselves may be missing."""
        return self.open() if self.format.open_labels is None else self.format.open_labels(self.folder, self.drive)

    @property
    def drives(self) -> list[DatasetFolder]:
        """One for each drive that the folder holds, itself where it is of one drive."""
        if self.drive is not None or self.format.drives is None:
            return [self]
        return [replace(self, drive=name) for name in self.format.drives(self.folder)]

    def truth(self) -> BoxTruth | None:
        """Ground-truth boxes and regions to ignore, see ``read_truth``."""
        return self.format.truth(self.folder, self.drive)

    def samples(self) -> SampleTimes | None:
        """What the data set's own challenges call its instants, None where there are none."""
        return None if self.format.samples is None else self.format.samples(self.folder, self.drive)

    def objects(self) -> ObjectTable | None:
        """Ground-truth objects in the world, see ``read_objects``."""
        return self.format.objects(self.folder, self.drive)


def find_dataset(spec: str | Path) -> DatasetFolder | None:
    """The data set of a folder, or of "folder#name" for one of several drives in it; None where no format fits.

    Raises ``UsageError`` for a name in a folder that holds only one drive, and for a folder that is not finished.
    """
    folder, drive = Path(spec), None
    if not is_dir(folder) and "#" in str(spec):
        text, _, drive = str(spec).rpartition("#")
        folder = Path(text)
    if not is_dir(folder):
        return None
    check_finished(folder)
    found = next((dataset_format for dataset_format in DATASET_FORMATS if dataset_format.is_in(folder)), None)
    if found is None:
        return None
    if drive is not None and found.drives is None:
        raise UsageError(f"{spec}: {folder} holds one drive only; leave #{drive} out.")
    return DatasetFolder(folder, found, drive)


def read_truth(spec: str | Path) -> BoxTable | None:
    """Ground-truth boxes beside the frames that ``open_source`` reads from the same folder; None where there are none.

    A MOTChallenge folder has ``gt.txt`` or ``gt/gt.txt`` without header: frame (from 1), id, x, y, w, h (pixels, top
    left corner), conf, and where known class and visibility. Rows with conf 0 and the distractors of MOTChallenge are
    regions to ignore, and no boxes. Class n is the name in line n of ``labels.txt``; without this file it is
    MOTChallenge's in ``gt/gt.txt``, and the n-th of ``CLASSES`` in ``gt.txt``. A recording has ``objects.csv`` with the
    columns camera, id, class (a name of ``CLASSES``), x1, y1, x2, y2 (pixels) and either frame_index (from 0, in that
    camera's frames) or timestamp_ns (of a frame, within half a period), and, if wanted, visible_share (0..1); further
    columns are left alone. ``frames.json``, nuScenes and KITTI tracking folders have their own; objects of classes
    that are none of ``CLASSES`` are left out there.

    Raises ``UsageError`` naming file, line and column for a missing column, a value that is no number, a box without
    area, an unknown class or camera, a frame past the end, a frame, camera and id that occur twice, and a file that
    states another size than its images have.
    """
    truth = read_box_truth(spec)
    return None if truth is None else truth.boxes


def read_box_truth(spec: str | Path) -> BoxTruth | None:
    """The boxes of ``read_truth`` with the regions to ignore beside them; raises ``UsageError`` as it does."""
    dataset = find_dataset(spec)
    return None if dataset is None else dataset.truth()


def read_objects(spec: str | Path) -> ObjectTable | None:
    """Ground-truth objects in the world, at the times of the instants that ``open_source`` hands out; or None.

    A recording has ``objects3d.csv`` with the columns timestamp_ns, id, class, x, y, z (the box's centre in the world),
    length, width, height (metres), yaw (radians, counter-clockwise from the world's x), speed_mps; further columns are
    left alone. ``frames.json``, nuScenes and KITTI tracking folders have their own.

    Raises ``UsageError`` naming file, line and column for a missing column, a value that is no number, a size that is
    not positive, an unknown class, a time and id that occur twice.
    """
    dataset = find_dataset(spec)
    return None if dataset is None else dataset.objects()
