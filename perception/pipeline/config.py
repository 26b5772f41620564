"""Run configuration: a typed tree, from a YAML file and the command line, saved with the results."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from perception.errors import UsageError, fault_of, meant, without_credentials
from perception.files import read_yaml

Config = TypeVar("Config", bound="RunConfig")


def _listed(value: object) -> object:
    """One item stands for a list of one, and a webcam's number for its name."""
    items = value if isinstance(value, list | tuple) else [value]
    return [str(item) if isinstance(item, int) and not isinstance(item, bool) else item for item in items]


def split_at_commas(value: object) -> object:
    """ "car, bus" -> ["car", "bus"]"""
    return [name.strip() for name in value.split(",") if name.strip()] if isinstance(value, str) else value


def split_classes(value: object) -> object:
    """ "car, 5" -> ["car", "5"]; a list may hold numbers."""
    items = split_at_commas(value)
    items = [items] if isinstance(items, int) and not isinstance(items, bool) else items
    return [str(item) if isinstance(item, int) else item for item in items] if isinstance(items, list) else items


def seconds_of(value: object) -> object:
    """ "1:02:03.5", "2:03" or "83.5" -> seconds; anything else is left as it is."""
    if not isinstance(value, str) or not _CLOCK.fullmatch(value.strip()):
        return value
    return sum(float(part) * 60**place for place, part in enumerate(reversed(value.split(":"))))


def device_name(value: object) -> object:
    """A GPU's number stands for its name: 0 -> "cuda:0"."""
    return f"cuda:{value}" if str(value).isascii() and str(value).isdigit() else value


def _rising(counts: list[int]) -> list[int]:
    if not counts:
        raise ValueError("name at least one number")
    return sorted(set(counts))


_SHARD = re.compile(r"(\d{1,5})/(\d{1,5})")
_CLOCK = re.compile(r"(\d+:){1,2}\d+(\.\d*)?")

Seconds = Annotated[float, BeforeValidator(seconds_of), Field(ge=0)]
Count = Annotated[int, Field(ge=1, le=100_000)]
Side = Annotated[int, Field(ge=32, le=8192)]

PredictionFormatName = Literal[
    "run",
    "mot",
    "kitti-tracking",
    "kitti-object",
    "yolo",
    "coco",
    "cvat",
    "nuscenes-tracking",
    "forecasts",
    "csv",
    "nuscenes-prediction",
    "argoverse",
]
"""The names of ``FORMATS`` and ``SUBMISSION_FORMATS`` of ``perception.results.formats.registry``."""


class RunConfig(BaseModel):
    """How to detect, track and forecast; the keys of ``--config`` files and the names of the options.

    Each field's description states what it is; parts of installed packages and ``module:factory`` are described
    in ``perception.plugins``. A file's ``classes`` is a list; on the command line it has commas.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, validate_default=True)

    source: Annotated[list[str], BeforeValidator(_listed)] = Field(
        default=[],
        description="Video, image folder, glob of images, recording, webcam number, address, - (a video on standard "
        "input), or a plug-in's NAME:REST; repeat it for several cameras of one run. Without any, the bundled "
        "six-camera drive.",
    )
    rig: str | None = Field(
        default=None,
        description="Calibration of the cameras, intrinsics and extrinsics: a rig file, surround-six, front or "
        "dashboard; by default that of the recording.",
    )
    road_height: float | None = Field(
        default=None,
        ge=-5,
        le=5,
        description="Height of the road above the vehicle's origin, in metres; by default that of the rig.",
    )
    frame: Literal["auto", "image", "ground"] = Field(
        default="auto",
        description="Reference frame of the tracks: auto (ground where all cameras are calibrated), ground (metres), "
        "image.",
    )
    detector: str = Field(
        default="auto",
        description="auto (roadnet; on a GPU the best of torchvision's that was fetched), roadnet, roadnet-nano "
        "(fast), a torchvision detector, an ONNX or ncnn file, results:FILE (saved boxes), "
        "a plug-in's name, or module:factory.",
    )
    weights: Path | None = Field(default=None, description="The detector's weights file.")
    tracker: str = Field(
        default="auto", description="auto (the one of the reference frame), a plug-in's name, or module:factory."
    )
    tracker_config: Path | None = Field(
        default=None, description="YAML file with those settings of the tracker that differ, such as max_unseen_s: 2."
    )
    ego_motion: Literal["auto", "flow", "poses", "off"] = Field(
        default="auto",
        description="How each camera turns and travels: auto (the recording's poses; else, for tracks in the image, "
        "flow), flow (from the pictures), poses, off.",
    )
    forecaster: str = Field(
        default="auto",
        description="auto (the bundled one), constant-velocity, a weights file, a plug-in's name, or module:factory.",
    )
    device: Annotated[str, BeforeValidator(device_name)] = Field(
        default="auto", pattern=r"^(auto|cpu|cuda(:\d+)?)$", description="auto, cpu, or cuda:0, which 0 stands for."
    )
    conf: float = Field(default=0.1, ge=0, le=1, description="Minimum score of a detection.")
    iou: float = Field(default=0.5, ge=0, le=1, description="IoU threshold of non-maximum suppression.")
    imgsz: int | None = Field(
        default=None,
        ge=32,
        le=4096,
        description="Long side of the network's input in pixels; by default that of the image, from 640 to 896.",
    )
    classes: Annotated[list[str] | None, BeforeValidator(split_classes)] = Field(
        default=None, description="Classes to detect, such as car,bus; numbers are those of COCO's 80 classes."
    )
    class_map: Path | None = Field(
        default=None,
        description="YAML file with the detector's own classes: names, and class_map, which says what they stand for.",
    )
    detect_interval: int = Field(
        default=1,
        ge=1,
        le=30,
        description="Run the detector on every n-th frame of each camera, the cameras in turn; tracks are predicted in "
        "between.",
    )
    half: bool = Field(default=False, description="FP16 inference.")
    engine: Literal["auto", "torch", "onnx"] = Field(
        default="auto",
        description="Inference engine of RoadNet: auto (onnx on a CPU without half, else torch), torch, or onnx.",
    )
    fps: float | None = Field(
        default=None,
        ge=0.1,
        le=1000,
        description="Frames per second of images and raw streams, which have no clock, or in place of a video's clock.",
    )
    start_s: Seconds | None = Field(
        default=None, description="Begin here: seconds, mm:ss or hh:mm:ss after the recording's beginning."
    )
    end_s: Seconds | None = Field(default=None, description="End here: seconds, mm:ss or hh:mm:ss.")
    stride: int = Field(default=1, ge=1, description="Take every n-th frame.")
    max_frames: int | None = Field(default=None, ge=1, description="Stop after this many frames.")
    seed: int = Field(default=0, ge=0, description="Random seed of the report's bootstrap intervals.")
    line_width: int | None = Field(
        default=None,
        ge=1,
        le=50,
        description="Width of the boxes' lines in pixels; by default it grows with the image.",
    )
    labels: bool = Field(default=True, description="Draw class and id at each box.")
    scores: bool = Field(default=False, description="Draw the score behind them.")
    colour: Literal["id", "class"] = Field(default="id", description="One colour for each id, or for each class.")
    pasts: bool = Field(default=True, description="Draw the paths so far.")
    futures: bool = Field(default=True, description="Draw the predicted paths.")
    footer: bool = Field(default=True, description="Write time, counts and errors along the lower edge.")
    speed: bool = Field(default=False, description="Write the speed into the footer.")
    show: bool = Field(default=False, description="Open a window; q or Esc ends the run.")
    save: bool = Field(default=True, description="Write the results to files.")
    writer: Annotated[list[str], BeforeValidator(_listed)] = Field(
        default=[], description="A plug-in's output, or module:factory, beside the tables; repeatable."
    )
    save_txt: bool = Field(
        default=False, description="Write labels/ too: tracks as YOLO's text, a file for each frame, with score and id."
    )
    save_crop: bool = Field(
        default=False, description="Write crops/ too: each track's picture at its best score, in a folder by class."
    )
    save_csv: bool = Field(default=False, description="Write tracks.csv too: one table of all tracks in all frames.")
    output: Path | None = Field(
        default=None, description="Folder for the results; of several runs, the folder that holds theirs."
    )
    project: Path | None = Field(default=None, description="Folder that holds the runs, instead of runs/COMMAND.")
    name: str | None = Field(default=None, min_length=1, description="Name of the run, instead of the source's.")
    exist_ok: bool = Field(
        default=False, description="Replace the run in a folder that exists; otherwise the new one gets a number."
    )

    @model_validator(mode="after")
    def _one_folder(self) -> RunConfig:
        if self.output is not None and (self.project is not None or self.name is not None):
            raise ValueError("`output` is the whole folder, so leave `project` and `name` out")
        return self

    @model_validator(mode="after")
    def _files_have_a_folder(self) -> RunConfig:
        asked = [name for name in ("save_txt", "save_crop", "save_csv") if getattr(self, name)]
        if asked and not self.save:
            raise ValueError(f"`{asked[0]}` needs the folder of the results, and `save` is off")
        return self

    @field_validator("classes")
    @classmethod
    def _known_classes(cls, classes: list[str] | None) -> list[str] | None:
        from perception.taxonomy import CLASSES, LABEL_OF_COCO80, same_class

        known = {name: same_class(name) for name in classes or ()}
        unknown = [name for name, label in known.items() if label is None]
        if unknown:
            numbers = ", ".join(f"{number} {CLASSES[label]}" for number, label in sorted(LABEL_OF_COCO80.items()))
            expected = numbers if all(name.isdigit() for name in unknown) else ", ".join(CLASSES)
            raise ValueError(f"{', '.join(unknown)} is not among {expected}")
        return list(dict.fromkeys(CLASSES[label] for label in known.values() if label is not None)) or None

    @model_validator(mode="after")
    def _span_in_order(self) -> RunConfig:
        if self.end_s is not None and self.end_s <= (self.start_s or 0):
            raise ValueError(f"`end_s` {self.end_s:g} is not after the start, {self.start_s or 0:g}")
        return self

    def to_plain(self) -> dict[str, Any]:
        """Strings, numbers and lists, for a file: credentials are taken out of addresses."""
        plain: dict[str, Any] = _without_credentials(self.model_dump(mode="json"))
        return plain


class FleetConfig(RunConfig):
    """``perception demo``: how to run, and where and which of many recordings."""

    fleet: Literal["local", "ray"] = Field(
        default="local",
        description="Where many recordings run: local (this machine) or ray (a Ray cluster); --engine ray is the same.",
    )
    address: str | None = Field(
        default=None,
        description="Address of the Ray cluster, such as 10.0.0.1:6379, or auto for the one that this machine is part "
        "of; without it one is started here.",
    )
    workers: int | None = Field(
        default=None,
        ge=1,
        le=256,
        description="Processes on this machine for many recordings; by default one, and two for large predictions.",
    )
    retries: int = Field(
        default=1, ge=0, le=10, description="How often a recording that failed is tried again; wrong input is not."
    )
    shard: str | None = Field(
        default=None, description="Only a part of many recordings, for one of several jobs: 1/4 to 4/4."
    )
    resume: bool = Field(
        default=False,
        description="Leave out the recordings that were finished before, with the same options and folder.",
    )

    @model_validator(mode="before")
    @classmethod
    def _engine_ray(cls, content: Any) -> Any:
        """``engine: ray`` is where recordings run, which leaves the inference engine to "auto"."""
        if isinstance(content, Mapping) and content.get("engine") == "ray":
            return {**content, "engine": "auto", "fleet": "ray"}
        return content

    @field_validator("shard")
    @classmethod
    def _is_a_part(cls, shard: str | None) -> str | None:
        found = None if shard is None else _SHARD.fullmatch(shard)
        if shard is not None and (found is None or not 1 <= int(found[1]) <= int(found[2])):
            raise ValueError("expected part/parts, such as 1/4")
        return shard

    @model_validator(mode="after")
    def _address_of_ray(self) -> FleetConfig:
        if self.address is not None and self.fleet != "ray":
            raise ValueError("`address` is that of a Ray cluster, so give `engine` ray too")
        if self.workers is not None and self.fleet == "ray":
            raise ValueError("`workers` are of this machine; a cluster has its own, so leave it out")
        return self


class StreamConfig(RunConfig):
    """``perception stream``: a live camera."""

    source: Annotated[list[str], BeforeValidator(_listed)] = Field(
        default=["0"],
        description="Webcam number or address, NAME=ADDRESS to name the camera; repeat it for several cameras.",
    )
    sources_file: Path | None = Field(
        default=None,
        description="YAML file with a line 'name: address' for each camera; the run follows its changes.",
    )
    realtime: bool = Field(
        default=False, description="Play recordings at their own speed, as if they were live, also beside cameras."
    )
    duration_s: float | None = Field(default=None, gt=0, description="Stop after this many seconds.")
    require: Literal["any", "all"] | None = Field(
        default=None,
        description="End with exit code 3 when no camera (any), or not each one (all), is there for the time of "
        "`lost_after_s`.",
    )
    tolerance_s: float = Field(
        default=0.12, gt=0, le=10, description="Frames that were taken within so many seconds are one instant."
    )
    max_wait_s: float = Field(
        default=0.3, ge=0, le=10, description="So many seconds an instant waits for the frame of a further camera."
    )
    max_age_s: float = Field(default=1.0, gt=0, le=60, description="Frames older than so many seconds are not used.")
    lost_after_s: float = Field(
        default=10.0, ge=0.1, le=3600, description="A camera that is silent for so many seconds is connected to again."
    )
    frozen_after_s: float = Field(
        default=10.0, ge=0.1, le=3600, description="A camera that repeats one picture for so many seconds is frozen."
    )
    metrics: str | None = Field(
        default=None, description="Serve /metrics (Prometheus) and /healthz at this address, such as 127.0.0.1:9100."
    )
    record: Path | None = Field(
        default=None, description="Keep what the cameras send in this new folder, for perception replay."
    )
    keep: str | None = Field(
        default=None, description="Keep no more than this of it, such as 10GB or 2h; the oldest is deleted."
    )

    @field_validator("keep")
    @classmethod
    def _known_limit(cls, keep: str | None) -> str | None:
        from perception.sources.stream_recording.keep import Keep

        if keep is not None:
            Keep.parse(keep)
        return keep

    @model_validator(mode="after")
    def _keeps_a_recording(self) -> StreamConfig:
        if self.keep is not None and self.record is None:
            raise ValueError("`keep` belongs to `record`; give that, too")
        return self


class ReplayConfig(RunConfig):
    """``perception replay``: a recorded stream; what is not given here is as it was when it was recorded."""


class EvaluateConfig(FleetConfig):
    """``perception evaluate``: what to measure, beside how to run.

    ``conf`` is low because an average precision needs the weak detections too; the tracker ignores them.
    """

    conf: float = Field(default=0.001, ge=0, le=1, description="Minimum score of a detection.")
    truth: Path | None = Field(
        default=None,
        description="The ground truth, where it is not the source: a recording; for predictions also a folder of "
        "recordings, a COCO file, or a folder of YOLO or KITTI.",
    )
    results: Path | None = Field(default=None, description="The folder of a finished run: evaluates the saved results.")
    predictions: str | None = Field(
        default=None,
        description="Detections, tracks or forecasts of any program, measured against truth: a file, a folder, or a "
        "pattern for several recordings.",
    )
    predictions_format: PredictionFormatName | None = Field(
        default=None, description="The format of the predictions, by default seen by their content."
    )
    images: Annotated[list[Path], BeforeValidator(_listed)] = Field(
        default=[], description="COCO file or frames.json: detection only, on single images; repeatable."
    )
    riders: Literal["labelled", "joined"] = Field(
        default="labelled",
        description="labelled, or joined: rider and machine as one box where a COCO file has them apart.",
    )
    grouping: Literal["both", "vehicles", "each", "any"] = Field(
        default="both",
        description="vehicles scores car, truck and bus as one class, each scores every class, both reports the two; "
        "any scores all classes as one.",
    )
    min_height: float = Field(
        default=0, ge=0, description="Ground truth objects less than this many pixels high are ignored."
    )
    min_visible: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="Objects whose visible share is below this (0 to 1) are ignored; by default 0 in images, 0.5 on "
        "the ground.",
    )
    failures: int = Field(
        default=0,
        ge=0,
        le=1000,
        description="Number of worst misses and false positives saved as pictures; also recall by light.",
    )
    json_file: Path | None = Field(default=None, description="Also write report.json to this file; - is stdout.")
    markdown: Path | None = Field(default=None, description="Also write the report as Markdown; - is stdout.")
    csv: Path | None = Field(default=None, description="Also write all figures as CSV; - is stdout.")
    fail_under: Annotated[list[str], BeforeValidator(_listed)] = Field(
        default=[], description="A figure and its least value, such as hota=0.5; exit code 1 below it. Repeatable."
    )
    fail_over: Annotated[list[str], BeforeValidator(_listed)] = Field(
        default=[], description="A figure and its largest value, such as fde_3s_m=3; exit code 1 above it. Repeatable."
    )
    cache: bool = Field(
        default=True,
        description="Keep what was counted in each recording's predictions, and use it while files, options and "
        "version are the same.",
    )
    cache_folder: Path | None = Field(default=None, description="Where, in place of runs/cache.")
    benchmark: Literal["jaad", "nuscenes", "ethucy", "kitti", "kitti-image"] | None = Field(
        default=None, description="jaad, nuscenes, ethucy or kitti: the forecaster alone, by its protocol."
    )
    data: Path | None = Field(default=None, description="The benchmark's tracks.")
    references: Path | None = Field(default=None, description="jaad: others' errors on the same windows.")
    interactions: bool = Field(
        default=True, description="The forecaster uses interactions between road users, or sees each alone."
    )
    split: Literal["train", "val", "test"] = Field(default="test", description="train, val or test.")


class BenchConfig(RunConfig):
    """``perception bench``: how long an instant takes, with which engine and how large an input, and how that grows."""

    cameras: Annotated[list[Count], BeforeValidator(split_at_commas), AfterValidator(_rising)] = Field(
        default=[1, 2, 4, 6, 8, 12], description="Camera counts to time."
    )
    objects: Annotated[list[Count], BeforeValidator(split_at_commas), AfterValidator(_rising)] = Field(
        default=[10, 30, 100, 300], description="Counts of tracked objects to time."
    )
    sizes: Annotated[list[Side], BeforeValidator(split_at_commas), AfterValidator(_rising)] = Field(
        default=[416, 640], description="Input sizes, long sides in pixels."
    )
    instants: int = Field(default=40, ge=1, description="Instants timed for each load.")
    peers: Annotated[list[str], BeforeValidator(_listed)] = Field(
        default=[], description="Another detector to time, named in the same way; repeatable."
    )


def load_config(kind: type[Config], *, path: Path | None, options: Mapping[str, Any]) -> Config:
    """The defaults of ``kind``, overridden by the YAML file at ``path``, overridden by ``options``.

    Raises ``UsageError`` naming the key that is unknown or has a bad value, and the file where it is from one.
    """
    content = {} if path is None else _read_mapping(path)
    _validated(kind, content, where=None if path is None else str(path))
    return _validated(kind, {**content, **options}, where=None)


def _read_mapping(path: Path) -> dict[str, Any]:
    content = read_yaml(path)
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise UsageError(f"{path}: expected lines of the form 'key: value'; correct the file.")
    return {str(key): value for key, value in content.items()}


def _validated(kind: type[Config], content: Mapping[str, Any], *, where: str | None) -> Config:
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        fault = error.errors()[0]
        key = str(fault["loc"][0]) if fault["loc"] else ""
        if fault["type"] == "extra_forbidden":
            hint = meant(key, list(kind.model_fields))
            raise UsageError(f"{where or 'options'}: unknown key {key}; {hint}.") from error
        reason = fault_of(fault["msg"])
        wrong = UsageError(f"{reason}; correct it.", field=key or None, value=content.get(key))
        raise (UsageError(f"{where}: {wrong}") if where else wrong) from error


def _without_credentials(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_credentials(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_credentials(item) for item in value]
    return without_credentials(value) if isinstance(value, str) else value
