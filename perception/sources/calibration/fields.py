"""Calibration as it stands in files: checked numbers in, a ``Camera`` or one clear sentence out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from itertools import chain
from pathlib import Path
from typing import Annotated, Any, TypeVar

import numpy as np
from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, ValidationError

from perception.arrays import FloatArray
from perception.errors import UsageError, fault_of
from perception.geometry.cameras import Camera, DistortionModel, Rig, check_rigid
from perception.safety.input_limits import MAX_NUMBER

Finite = Annotated[float, Field(ge=-MAX_NUMBER, le=MAX_NUMBER, allow_inf_nan=False)]
_Three = Field(min_length=3, max_length=3)
_Four = Field(min_length=4, max_length=4)
Point3 = Annotated[list[Finite], _Three]
Matrix3 = Annotated[list[Annotated[list[Finite], _Three]], _Three]
Matrix4 = Annotated[list[Annotated[list[Finite], _Four]], _Four]


def _flat(value: Any) -> Any:
    """OpenCV prints its coefficients as a matrix of one row or column."""
    is_nested = isinstance(value, list) and value and all(isinstance(row, list) for row in value)
    return list(chain.from_iterable(value)) if is_nested and min(len(value), max(map(len, value))) == 1 else value


Distortion = Annotated[list[Finite], BeforeValidator(_flat)]
WholePixels = Annotated[int, Field(strict=True, gt=0, le=100_000)]
RoadHeight = Annotated[float, Field(ge=-5, le=5)]
"""Of the road above the vehicle's origin, in metres."""


def _file_name(name: str) -> str:
    if name in ("", ".", "..") or not name.isprintable() or any(mark in name for mark in "/\\"):
        raise ValueError("a camera's name becomes that of files; choose one without slashes")
    return name


CameraName = Annotated[str, AfterValidator(_file_name)]

_START = datetime(1970, 1, 1, tzinfo=timezone.utc)

Model = TypeVar("Model", bound=BaseModel)


def checked(model: type[Model], content: Any, path: Path) -> Model:
    """``content`` of the file ``path`` as ``model``. Raises ``UsageError`` naming the file and the first wrong key."""
    try:
        return model.model_validate(content)
    except ValidationError as error:
        fault = error.errors()[0]
        key = ".".join(str(part) for part in fault["loc"] if part != "[key]") or "the file"
        reasons = {
            "extra_forbidden": "unknown key",
            "missing": "is missing",
            "model_type": "expected a table of entries",
        }
        reason = reasons.get(fault["type"], fault_of(fault["msg"]))
        raise UsageError(f"{path}: {key}: {reason}; correct this entry.") from error


def make_camera(
    name: str,
    size_px: tuple[int, int],
    intrinsics: list[list[float]],
    vehicle_from_camera: list[list[float]],
    distortion: Sequence[float] = (),
    distortion_model: DistortionModel = "opencv",
    *,
    path: Path,
) -> Camera:
    """The camera of rows of numbers. Raises ``UsageError`` naming the file ``path``, the camera and the field."""
    try:
        placed = np.array(vehicle_from_camera, float)
        return Camera(name, size_px, np.array(intrinsics, float), placed, tuple(distortion), distortion_model)
    except ValueError as error:
        raise UsageError(f"{path}: cameras.{name}.{error}; correct this entry.") from error


def rigid(rows: list[list[float]] | None, entry: str) -> FloatArray | None:
    """(4, 4) a rotation and translation, None for None. Raises ``UsageError`` naming ``entry`` for anything else."""
    if rows is None:
        return None
    matrix = np.array(rows, float)
    try:
        check_rigid("the matrix", matrix)
    except ValueError as error:
        raise UsageError(f"{entry}: {error}; correct this entry.") from error
    return matrix


LATEST_S = 95_617_584_000
"""The year 5000 in seconds since 1970: what is later is in milliseconds or smaller units."""


def nanoseconds(timestamp: float | str, entry: str) -> int:
    """Seconds since 1970, or a date and time in ISO 8601 (UTC unless it has a zone), as whole nanoseconds.

    Raises ``UsageError`` naming ``entry`` for another text, and for numbers that cannot be seconds.
    """
    if not isinstance(timestamp, str) and abs(timestamp) > LATEST_S:
        raise UsageError(
            f"{entry}: {timestamp} is beyond the year 5000; give seconds, not milliseconds, microseconds or "
            "nanoseconds."
        )
    if isinstance(timestamp, int):
        return timestamp * 1_000_000_000
    if isinstance(timestamp, float):
        return round(timestamp * 1e9)
    # Python 3.10 knows neither the Z nor digits beyond microseconds.
    text = re.sub(r"(\.\d{6})\d+", r"\1", timestamp.strip().replace("Z", "+00:00"))
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"{entry}: {timestamp!r} is no time; give seconds or a date and time in ISO 8601.") from error
    since = (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)) - _START
    return (since // timedelta(microseconds=1)) * 1000


def above_road(rig: Rig, where: str) -> Rig:
    """``rig`` itself, which comes from ``where``; raises ``UsageError`` when a camera lies below the road."""
    for name, depth_m in rig.below_road_m.items():
        raise UsageError(
            f"{where}: cameras.{name}.vehicle_from_camera: the camera would be {depth_m:.2f} m below the road; z "
            "points up; correct this entry, or the height of the road."
        )
    return rig
