"""What a run is told: a typed tree, from a YAML file and the command line, saved with the results."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator

from perception.errors import UsageError, without_credentials
from perception.files import read_yaml

Config = TypeVar("Config", bound="RunConfig")


def _listed(value: object) -> object:
    """One item stands for a list of one, and a webcam's number for its name."""
    items = value if isinstance(value, list | tuple) else [value]
    return [str(item) if isinstance(item, int) and not isinstance(item, bool) else item for item in items]


def _split(value: object) -> object:
    """ "car, bus" -> ["car", "bus"]"""
    return [name.strip() for name in value.split(",") if name.strip()] if isinstance(value, str) else value


def _rising(counts: list[int]) -> list[int]:
    if not counts:
        raise ValueError("name at least one number")
    return sorted(set(counts))


Count = Annotated[int, Field(ge=1, le=100_000)]
Side = Annotated[int, Field(ge=32, le=8192)]


class RunConfig(BaseModel):
    """How to find, follow and forecast; the keys of ``--config`` files and the names of the options.

    ``source``: webcam numbers, files, folders, globs or addresses. ``detector``: "auto" takes the best that is
    present; else a name or a file. ``tracker``: "auto" (the one of ``frame``), "image" or "ground". ``forecaster``:
    "auto" (the bundled one), "constant-velocity" or a file. Each of them, ``source`` and ``writer`` (outputs beside the
    tables) may also be the name of an installed package's part or "package.module:factory", see ``perception.plugins``.
    ``conf`` and ``iou`` 0..1 are the detector's thresholds, ``imgsz`` the long side of its input in pixels (None: the
    image's own, at most 640), ``classes`` the only ones to report, ``engine`` what computes RoadNet ("auto": ONNX
    Runtime on a processor, PyTorch elsewhere and with ``half``). ``stride`` takes every n-th instant, ``max_frames``
    ends the run after so many. ``rig``: a file, or the name of a bundled one, that says where the cameras sit;
    ``road_height`` replaces its height of the road above the vehicle's origin, in metres; ``frame``: whether objects
    are tracked in metres on the ground or in each image, "auto" takes the ground where all cameras are calibrated.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, validate_default=True)

    source: Annotated[list[str], BeforeValidator(_listed)] = []
    rig: str | None = None
    road_height: float | None = Field(default=None, ge=-5, le=5)
    frame: Literal["auto", "image", "ground"] = "auto"
    detector: str = "auto"
    weights: Path | None = None
    tracker: str = "auto"
    forecaster: str = "auto"
    device: str = Field(default="auto", pattern=r"^(auto|cpu|cuda(:\d+)?)$")
    conf: float = Field(default=0.1, ge=0, le=1)
    iou: float = Field(default=0.5, ge=0, le=1)
    imgsz: int | None = Field(default=None, ge=32, le=4096)
    classes: Annotated[list[str] | None, BeforeValidator(_split)] = None
    half: bool = False
    engine: Literal["auto", "torch", "onnx"] = "auto"
    stride: int = Field(default=1, ge=1)
    max_frames: int | None = Field(default=None, ge=1)
    seed: int = Field(default=0, ge=0)
    show: bool = False
    save: bool = True
    writer: Annotated[list[str], BeforeValidator(_listed)] = []
    output: Path | None = None

    @field_validator("classes")
    @classmethod
    def _known_classes(cls, classes: list[str] | None) -> list[str] | None:
        from perception.taxonomy import CLASSES

        unknown = [name for name in classes or () if name not in CLASSES]
        if unknown:
            raise ValueError(f"{', '.join(unknown)} is not among {', '.join(CLASSES)}")
        return classes or None

    def to_plain(self) -> dict[str, Any]:
        """Strings, numbers and lists, for a file: credentials are taken out of addresses."""
        plain: dict[str, Any] = _without_credentials(self.model_dump(mode="json"))
        return plain


class StreamConfig(RunConfig):
    """``perception stream``: ``duration_s`` ends the run after so many seconds."""

    source: Annotated[list[str], BeforeValidator(_listed)] = ["0"]
    duration_s: float | None = Field(default=None, gt=0)


class EvaluateConfig(RunConfig):
    """``perception evaluate``: what to measure, beside how to run.

    ``truth``: the recording with ground truth, where it is not the source; ``results``: the folder of a finished run;
    ``images``: annotation files of single images, with ``riders`` as labelled or joined with their machines.
    ``grouping`` counts car, truck and bus as one class, each class for
    itself, or reports both. ``benchmark`` measures the forecaster alone on a public one, the ``split`` of its ``data``
    file, in pairs against the ``references``, others' errors on the same targets; without ``neighbours`` each object is
    alone. Objects lower than ``min_height`` pixels, and objects less visible than ``min_visible`` (unset: all count in
    the images, half visible ones on the ground), are ignored. ``failures``: so many of the worst misses and false
    alarms become pictures, and the recall is broken down by what makes objects hard to see; 0 is none. ``conf`` is low
    because an average precision needs the weak detections too; the tracker ignores them.
    """

    conf: float = Field(default=0.01, ge=0, le=1)
    truth: Path | None = None
    results: Path | None = None
    images: Annotated[list[Path], BeforeValidator(_listed)] = []
    riders: Literal["labelled", "joined"] = "labelled"
    grouping: Literal["both", "vehicles", "each"] = "both"
    min_height: float = Field(default=0, ge=0)
    min_visible: float | None = Field(default=None, ge=0, le=1)
    failures: int = Field(default=0, ge=0, le=1000)
    benchmark: Literal["jaad", "nuscenes", "ethucy", "kitti"] | None = None
    data: Path | None = None
    references: Path | None = None
    neighbours: bool = True
    split: Literal["train", "val", "test"] = "test"


class BenchConfig(RunConfig):
    """``perception bench``: ``cameras`` and ``objects`` are the numbers of them that are measured, ``sizes`` the
    long sides of the network's input, for so many ``instants`` each; ``peers`` are detectors that are timed beside
    ours."""

    cameras: Annotated[list[Count], BeforeValidator(_split), AfterValidator(_rising)] = [1, 2, 4, 6, 8, 12]
    objects: Annotated[list[Count], BeforeValidator(_split), AfterValidator(_rising)] = [10, 30, 100, 300]
    sizes: Annotated[list[Side], BeforeValidator(_split), AfterValidator(_rising)] = [416, 640]
    instants: int = Field(default=40, ge=1)
    peers: Annotated[list[str], BeforeValidator(_listed)] = []


def load_config(kind: type[Config], *, path: Path | None, options: Mapping[str, Any]) -> Config:
    """The defaults of ``kind``, overridden by the YAML file at ``path``, overridden by ``options``.

    Raises ``UsageError`` naming the file and key, or the option, that is unknown or has a bad value.
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
            close = difflib.get_close_matches(key.replace("-", "_"), kind.model_fields, n=1)
            known = f"did you mean {close[0]}" if close else f"known are {', '.join(kind.model_fields)}"
            raise UsageError(f"{where or 'options'}: unknown key {key}; {known}.") from error
        name = f"{where}: {key}:" if where else f"--{key.replace('_', '-')}"
        reason = fault["msg"].removeprefix("Value error, ").replace("Input should be", "expected")
        value = without_credentials(_shown(content.get(key)))
        raise UsageError(f"{name} {value}: {reason}; correct it.") from error


def _shown(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _without_credentials(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_credentials(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_credentials(item) for item in value]
    return without_credentials(value) if isinstance(value, str) else value
