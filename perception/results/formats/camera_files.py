"""A folder with a file for each camera of a recording, called by the cameras' names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from perception.errors import UsageError
from perception.results.formats.pictures import PictureIndex, camera_in
from perception.results.formats.predictions import Predictions, joined_predictions


def read_camera_files(
    paths: Sequence[Path], pictures: PictureIndex, *, read: Callable[[Path, PictureIndex], Predictions]
) -> Predictions:
    """The predictions of all cameras, each file read by ``read`` as that of the camera whose name its own ends with.

    Raises ``UsageError`` where a camera has no file, or several.
    """
    cameras = list(pictures.frame_counts)
    owners = [camera_in(path.stem, cameras) for path in paths]
    for camera in cameras:
        if (count := owners.count(camera)) != 1:
            found = "no file" if not count else f"{count} files"
            raise UsageError(
                f"{paths[0].parent}: holds {found} of the camera {camera}; give one that is called "
                f"NAME_{camera}{paths[0].suffix}, empty where nothing was found."
            )
    return joined_predictions(
        [
            read(path, pictures.of_camera(camera))
            for path, camera in zip(paths, owners, strict=True)
            if camera is not None
        ]
    )
