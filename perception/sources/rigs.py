"""Rig files: which cameras a car has, where they sit and what they see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from perception.errors import UsageError
from perception.files import bundled, read_yaml
from perception.geometry.cameras import DistortionModel, Rig
from perception.geometry.distortion import undistort
from perception.safety.regular_files import is_file
from perception.sources.calibration.fields import (
    CameraName,
    Distortion,
    Matrix3,
    Matrix4,
    RoadHeight,
    WholePixels,
    above_road,
    checked,
    make_camera,
)
from perception.types import Frame

RIG_SUFFIX = ".yaml"


class RigCamera(BaseModel):
    """One camera of a rig file: the size of its images, ``intrinsics`` in pixels, its pose on the car, and what its
    lens bends."""

    model_config = ConfigDict(extra="forbid")

    width: WholePixels
    height: WholePixels
    intrinsics: Matrix3
    vehicle_from_camera: Matrix4
    distortion: Distortion = []
    distortion_model: DistortionModel = "opencv"


class RigFile(BaseModel):
    """The content of a rig file."""

    model_config = ConfigDict(extra="forbid")

    road_height_m: RoadHeight = 0.0
    cameras: Annotated[dict[CameraName, RigCamera], Field(min_length=1)]


def bundled_rigs() -> dict[str, Path]:
    """The project's own rig files by name. Raises ``PerceptionError`` when they are missing."""
    return {path.stem: path for path in sorted(bundled("configs/rigs").glob(f"*{RIG_SUFFIX}"))}


def read_rig(spec: str | Path) -> Rig:
    """The rig of a YAML file, or a bundled one by its name, such as "surround-six".

    Raises ``UsageError`` naming file, camera and field: a missing or unknown key, a camera twice, a size that is no
    whole number, NaN, a singular matrix, a ``vehicle_from_camera`` that is no rotation and translation or lies below
    the road.
    """
    bundled = bundled_rigs()
    path = bundled.get(str(spec), Path(spec))
    if not is_file(path):
        raise UsageError(f"{spec}: no such rig file; give a YAML file or one of {', '.join(bundled)}.")
    content = checked(RigFile, read_yaml(path), path)
    cameras = {
        name: make_camera(
            name,
            (entry.width, entry.height),
            entry.intrinsics,
            entry.vehicle_from_camera,
            entry.distortion,
            entry.distortion_model,
            path=path,
        )
        for name, entry in content.cameras.items()
    }
    return above_road(Rig(cameras, content.road_height_m), str(path))


def match_rig(rig: Rig, names: Sequence[str]) -> tuple[Rig, list[str]]:
    """The rig in the order and under the names of a source's cameras, and a remark where names were no help.

    Cameras are matched by name; by order where no name matches and there are as many of them. Raises ``UsageError``
    for a camera that only one side has.
    """
    unknown = [name for name in names if name not in rig.cameras]
    unused = [name for name in rig.cameras if name not in names]
    if not unknown and not unused:
        return rig.only(names), []
    if len(unknown) == len(names) == len(rig):
        pairs = list(zip(names, rig.cameras.values(), strict=True))
        renamed = {name: replace(camera, name=name) for name, camera in pairs}
        pairing = ", ".join(f"{name} is {camera.name}" for name, camera in pairs)
        return Rig(renamed, rig.road_height_m), [f"The rig's cameras were taken in their order: {pairing}."]
    lacking = f"the source has {', '.join(unknown)}, the rig has not" if unknown else ""
    superfluous = f"the rig has {', '.join(unused)}, the source has not" if unused else ""
    found = "; ".join(text for text in (lacking, superfluous) if text)
    raise UsageError(f"{found}; give the same cameras in both, by name or as many in the same order.", field="rig")


def match_live_rig(rig: Rig, names: Sequence[str]) -> tuple[Rig, list[str]]:
    """``match_rig`` for cameras that come and go: the whole rig where it has all names, and a remark on the rest."""
    unused = [name for name in rig.cameras if name not in names]
    if unused and all(name in rig.cameras for name in names):
        return rig, [f"No source is given for the rig's camera {', '.join(unused)}."]
    return match_rig(rig, names)


def fit_rig(rig: Rig, sizes_px: Mapping[str, tuple[int, int]]) -> Rig:
    """The rig for images of ``sizes_px`` (width, height) by camera, which may be scaled copies.

    Raises ``UsageError`` naming camera and both sizes where the images have another shape.
    """
    cameras = {}
    for name, camera in rig.cameras.items():
        try:
            cameras[name] = camera.resized(sizes_px[name])
        except ValueError as error:
            raise UsageError(
                f"camera {name}: {error}; calibrate it at that shape, or give images of the shape it was calibrated at."
            ) from error
    return Rig(cameras, rig.road_height_m)


def seen_by_pinhole(frame: Frame, rig: Rig) -> Frame:
    """The frame as a pinhole would have taken it: lens distortion is removed.

    Raises ``UsageError`` where the image has not the size that its camera's calibration is for.
    """
    camera = rig.cameras[frame.camera]
    if frame.size_px != camera.size_px:
        was, now = ("{}x{}".format(*size) for size in (camera.size_px, frame.size_px))
        raise UsageError(
            f"camera {frame.camera}, image {frame.index}: has {now} pixels, the images before had {was}; "
            "give images of one size with a rig."
        )
    return replace(frame, image=undistort(frame.image, camera)) if camera.distortion else frame
