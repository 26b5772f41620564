"""Tracks as a file, so that a study that was stopped need not detect and track its videos again."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from perception.errors import UsageError
from perception.files import atomic_write, read_arrays
from perception.forecasting.track_dataset import CameraViews, Grid, TrackSet

_GRID, _VIEWS = "grid_", "views_"


def write_tracks(path: Path, tracks: TrackSet) -> None:
    """A ``.npz`` with the columns of ``TrackSet``; written whole or not at all."""
    columns: dict[str, Any] = {
        field.name: getattr(tracks, field.name) for field in fields(TrackSet) if field.name not in ("grid", "views")
    }
    views = {} if tracks.views is None else {f"{_VIEWS}{name}": column for name, column in vars(tracks.views).items()}
    grid: dict[str, Any] = {
        f"{_GRID}rate_fps": np.array(tracks.grid.rate_fps),
        f"{_GRID}steps": np.array(tracks.grid.steps),
    }
    with atomic_write(path) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(stream, **columns, **views, **grid)


def read_tracks(path: Path) -> TrackSet:
    """What ``write_tracks`` wrote; raises ``UsageError`` when it cannot be read. Nothing is unpickled."""
    try:
        columns = read_arrays(path, "tracks")
        grid = Grid(float(columns.pop(f"{_GRID}rate_fps")), tuple(columns.pop(f"{_GRID}steps").tolist()))
        views = {name.removeprefix(_VIEWS): columns.pop(name) for name in list(columns) if name.startswith(_VIEWS)}
        return TrackSet(**columns, grid=grid, views=CameraViews(**views) if views else None)
    except (UsageError, AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError) as error:
        raise UsageError(f"{path}: cannot be read as tracks; remove it, and its video is tracked again.") from error
