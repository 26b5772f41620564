"""Forecasts in the image as a CSV file: one line for each predicted position.

| column | meaning |
|---|---|
| ``frame_index``, ``id`` | the frame, from 0, at which the forecast is made, and the track |
| ``x1``, ``y1``, ``x2``, ``y2`` | the track's box at that frame, pixels |
| ``mode``, ``probability`` | which of the predicted trajectories, from 0, and its probability |
| ``time_s``, ``x``, ``y`` | seconds ahead, and the box's centre then, pixels |
| ``std_x``, ``std_y`` | optional: standard deviations, pixels |
| ``class`` | optional: a name |

All forecasts have the same times, which are whole multiples of the first, and as many modes.
"""

from __future__ import annotations

import csv
from array import array
from collections.abc import Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np

from perception.arrays import FloatArray
from perception.errors import UsageError, counted
from perception.files import write_text
from perception.results.formats.pictures import PictureIndex
from perception.results.formats.predictions import Predictions, labels_of_names
from perception.results.formats.text_rows import first_fields
from perception.results.reader import ForecastRecord
from perception.safety.input_limits import MAX_NUMBER
from perception.state_layout import POSITION
from perception.tables.prediction_files import read_text
from perception.taxonomy import CLASSES
from perception.types import Forecasts

NUMBERS = ("frame_index", "id", "x1", "y1", "x2", "y2", "mode", "probability", "time_s", "x", "y")
_FRAME, _ID, _BOX, _MODE, _PROBABILITY, _TIME, _CENTRE = 0, 1, slice(2, 6), 6, 7, 8, slice(9, 11)
_STDS = ("std_x", "std_y")
_TOLERANCE_S = 1e-3


def is_forecast_csv(path: Path) -> bool:
    """Whether the first line of a file names the columns of forecasts."""
    return path.is_file() and set(NUMBERS) <= set(first_fields(path))


def read_forecast_csv(path: Path, pictures: PictureIndex) -> Predictions:
    """The forecasts of each frame. Raises ``UsageError`` naming line or track."""
    table, stds, names = _columns(path)
    keys = table[:, [_FRAME, _ID, _MODE, _TIME]]
    order = np.lexsort(keys.T[::-1])
    table, stds = table[order], stds[order]
    count, modes, steps, dt_s = _shape(path, table)
    grid = table.reshape(count, modes, steps, len(NUMBERS))
    first = grid[:, 0, 0]
    places = pictures.of_frames(first[:, _FRAME].astype(np.int64))
    if count and (places.frames < 0).all():
        raise UsageError(f"{path}: no forecast of {count:,} is of a frame of the truth; give the two together.")
    labels, _ = labels_of_names(names[row] for row in order[:: modes * steps].tolist())
    lost = int((places.frames < 0).sum())
    camera, times_ns = pictures.camera, pictures.times_ns
    assert times_ns is not None, "a recording of one camera has the times of its frames"
    size = np.array(pictures.size_px(camera, 0), np.float64)
    sizes_wh = first[:, 4:6] - first[:, 2:4]
    means = np.concatenate(
        [grid[..., _CENTRE] / size, np.broadcast_to((sizes_wh / size)[:, None, None], (count, modes, steps, 2))],
        axis=-1,
    )
    spread = stds.reshape(count, modes, steps, 2) / size
    records = []
    for frame in np.unique(places.frames[places.frames >= 0]).tolist():
        rows = np.flatnonzero(places.frames == frame)
        records.append(
            ForecastRecord(
                index=frame,
                timestamp_ns=int(times_ns[frame]),
                forecasts=Forecasts(
                    track_ids=first[rows, _ID].astype(np.int64),
                    probabilities=grid[rows, :, 0, _PROBABILITY],
                    means=means[rows],
                    stds=np.concatenate([spread[rows], np.zeros_like(spread[rows])], axis=-1),
                    dt_s=dt_s,
                ),
                boxes_xyxy_px=first[rows, _BOX],
                image_sizes_px=np.tile(size.astype(np.int64), (len(rows), 1)),
                labels=labels[rows],
                cameras=np.full(len(rows), camera),
                unseen_s=np.zeros(len(rows)),
            )
        )
    note = (
        (f"{path}: {lost:,} of {counted(count, 'forecast')} left out, of frames that the truth does not have.",)
        if lost
        else ()
    )
    return Predictions(forecasts=tuple(records), notes=note)


def write_forecast_csv(path: Path, records: Sequence[ForecastRecord], *, camera: str) -> None:
    """Write the forecasts in the image of one camera. Raises ``UsageError`` for those on the ground."""
    lines = [",".join([*NUMBERS, *_STDS, "class"])]
    for record in records:
        if record.forecasts.reference_frame != "image" and len(record.forecasts):
            raise UsageError(
                "forecasts in metres on the ground have no place in a CSV of pixels; run in the image frame."
            )
        for row in np.flatnonzero(record.cameras == camera).tolist():
            lines += _lines(record, row)
    write_text(path, "\n".join(lines) + "\n")


def _lines(record: ForecastRecord, row: int) -> list[str]:
    forecasts, size = record.forecasts, record.image_sizes_px[row].astype(np.float64)
    box = ",".join(f"{value:.6g}" for value in record.boxes_xyxy_px[row].tolist())
    start = f"{record.index},{forecasts.track_ids[row]},{box}"
    label = CLASSES[int(record.labels[row])]
    centres, stds = (
        values[row][..., POSITION].astype(np.float64) * size for values in (forecasts.means, forecasts.stds)
    )
    return [
        f"{start},{mode},{probability:.6g},{time_s:.6g},{x:.7g},{y:.7g},{std_x:.6g},{std_y:.6g},{label}"
        for mode, probability in enumerate(forecasts.probabilities[row].tolist())
        for time_s, (x, y), (std_x, std_y) in zip(
            forecasts.times_s.tolist(), centres[mode].tolist(), stds[mode].tolist(), strict=True
        )
    ]


def _columns(path: Path) -> tuple[FloatArray, FloatArray, list[str]]:
    """The numbers (M, 11), the standard deviations (M, 2), zero without them, and the classes."""
    try:
        return _columns_of(path, csv.reader(read_text(path).splitlines()))
    except csv.Error as error:
        raise UsageError(f"{path}: cannot be read as CSV text ({error}); correct the file.") from error


def _columns_of(path: Path, reader: Any) -> tuple[FloatArray, FloatArray, list[str]]:
    header = [name.strip() for name in next(reader)]
    wanted = [header.index(name) for name in NUMBERS]
    spread = [header.index(name) for name in _STDS] if set(_STDS) <= set(header) else []
    label = header.index("class") if "class" in header else None
    pick, width = itemgetter(*wanted, *spread), len(wanted) + len(spread)
    values, lines, names = array("d"), array("q"), []
    for row in reader:
        if not any(row):
            continue
        try:
            values.extend(map(float, pick(row)))
            names.append("" if label is None else row[label])
        except (ValueError, IndexError):
            raise UsageError(f"{path}, line {reader.line_num}: expected numbers in {', '.join(NUMBERS)}.") from None
        lines.append(reader.line_num)
    if not lines:
        raise UsageError(f"{path}: holds no forecast; give one line for each predicted position.")
    table = np.frombuffer(values, np.float64).reshape(-1, width)
    is_wrong = ~(np.abs(table) <= MAX_NUMBER).all(axis=1)
    if is_wrong.any():
        raise UsageError(f"{path}, line {lines[int(is_wrong.argmax())]}: expected finite numbers; correct the file.")
    stds = table[:, len(NUMBERS) :] if spread else np.zeros((len(table), 2))
    return table[:, : len(NUMBERS)], stds, names


def _shape(path: Path, table: FloatArray) -> tuple[int, int, int, float]:
    """Counts of forecasts, of their trajectories and of steps in each, and the seconds between these.

    Raises ``UsageError`` where they differ between forecasts.
    """
    starts = np.flatnonzero((np.diff(table[:, : _ID + 1], axis=0, prepend=np.nan) != 0).any(axis=1))
    sizes = np.diff(np.r_[starts, len(table)])
    modes = len(np.unique(table[: sizes[0], _MODE]))
    steps, remainder = divmod(int(sizes[0]), modes)
    times_s = table[:steps, _TIME]
    dt_s = float(times_s[0])
    wrong = remainder or dt_s <= 0 or (np.abs(times_s - dt_s * np.arange(1, steps + 1)) > _TOLERANCE_S).any()
    if wrong:
        _refuse(path, table[0], "does not have the same regular times, from one step on, in each of its modes")
    if (sizes != sizes[0]).any():
        _refuse(path, table[starts[int(np.argmax(sizes != sizes[0]))]], "has more or fewer lines than the first one")
    grid = table.reshape(len(starts), modes, steps, len(NUMBERS))
    first = grid[:, 0, 0]
    for is_wrong, fault in (
        ((first[:, : _ID + 1] != np.rint(first[:, : _ID + 1])).any(axis=1), "has no whole numbers of frame and id"),
        ((grid[..., _MODE] != np.arange(modes)[:, None]).any(axis=(1, 2)), f"has other modes than 0 to {modes - 1}"),
        ((np.abs(grid[..., _TIME] - times_s) > _TOLERANCE_S).any(axis=(1, 2)), "has other times than the first one"),
        ((grid[..., _BOX] != first[:, None, None, _BOX]).any(axis=(1, 2, 3)), "has several boxes"),
        (np.abs(grid[:, :, 0, _PROBABILITY].sum(axis=1) - 1) > _TOLERANCE_S, "has probabilities that do not sum to 1"),
    ):
        if is_wrong.any():
            _refuse(path, first[int(np.argmax(is_wrong))], fault)
    return len(starts), modes, steps, dt_s


def _refuse(path: Path, row: FloatArray, fault: str) -> None:
    raise UsageError(f"{path}: the forecast of frame {row[_FRAME]:g}, id {row[_ID]:g} {fault}; correct the file.")
