"""Forecasts as CSV: read into the records of each frame, and one sentence for what cannot be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from perception.errors import UsageError
from perception.results.formats.forecast_csv import read_forecast_csv, write_forecast_csv
from perception.results.formats.pictures import PictureIndex

HEADER = "frame_index,id,x1,y1,x2,y2,mode,probability,time_s,x,y"
PICTURES = PictureIndex(
    name="seq", frame_counts={"front": 3}, sizes_px={"front": (200, 100)}, times_ns=np.array([0, 10, 20])
)


def rows(*, frame: int = 1, identity: int = 7, box: str = "10,20,30,40") -> list[str]:
    """Two modes of two steps; their centres move right and down."""
    return [
        f"{frame},{identity},{box},{mode},{probability},{0.5 * step},{20 + right * step},{30 + down * step}"
        for mode, probability, right, down in ((0, 0.75, 10, 0), (1, 0.25, 0, 10))
        for step in (1, 2)
    ]


def written(folder: Path, lines: list[str], header: str = HEADER) -> Path:
    path = folder / "f.csv"
    path.write_text("\n".join([header, *lines]) + "\n")
    return path


def test_the_order_of_lines_does_not_matter_and_frames_are_told_apart(tmp_path: Path) -> None:
    lines = [*rows(frame=2), *rows(identity=9), *rows()]
    found = read_forecast_csv(written(tmp_path, lines[::-1]), PICTURES).forecasts
    assert found is not None
    assert [(record.index, record.timestamp_ns) for record in found] == [(1, 10), (2, 20)]
    forecasts = found[0].forecasts
    assert forecasts.track_ids.tolist() == [7, 9] and forecasts.dt_s == 0.5
    np.testing.assert_allclose(forecasts.probabilities, [[0.75, 0.25]] * 2)
    np.testing.assert_allclose(forecasts.positions[0, 0] * [200, 100], [[30, 30], [40, 30]])
    np.testing.assert_allclose(forecasts.positions[0, 1] * [200, 100], [[20, 40], [20, 50]])
    np.testing.assert_allclose(forecasts.sizes[0, 0] * [200, 100], [[20, 20], [20, 20]])
    np.testing.assert_array_equal(found[0].boxes_xyxy_px[0], [10, 20, 30, 40])


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    header = f"{HEADER},std_x,std_y,class"
    lines = [f"{line},{n + 1},{n + 2},bus" for n, line in enumerate(rows())]
    found = read_forecast_csv(written(tmp_path, lines, header), PICTURES).forecasts
    assert found is not None
    write_forecast_csv(tmp_path / "again.csv", found, camera="front")
    again = read_forecast_csv(tmp_path / "again.csv", PICTURES).forecasts
    assert again is not None and again[0].labels.tolist() == [2]
    np.testing.assert_allclose(again[0].forecasts.means, found[0].forecasts.means)
    np.testing.assert_allclose(again[0].forecasts.stds[0, 0, 0, :2] * [200, 100], [1, 2])


def test_forecasts_of_frames_that_are_not_there_are_counted(tmp_path: Path) -> None:
    found = read_forecast_csv(written(tmp_path, [*rows(), *rows(frame=99)]), PICTURES)
    assert found.forecasts is not None and len(found.forecasts) == 1
    assert "1 of 2 forecasts left out, of frames that the truth does not have" in found.notes[0]


@pytest.mark.parametrize(
    ("lines", "fault"),
    [
        ([], "holds no forecast"),
        ([*rows(), *rows(identity=9)[:2]], "id 9 has more or fewer lines"),
        (rows()[:3], "frame 1, id 7 does not have the same regular times"),
        ([line.replace(",0.75,", ",0.7,") for line in rows()], "probabilities that do not sum to 1"),
        ([line.replace("1,7,10", "1.5,7,10") for line in rows()], "no whole numbers"),
        ([*rows()[:3], rows()[3].replace("10,20,30,40", "11,20,30,40")], "has several boxes"),
        ([*rows(), *[line.replace(",0.5,", ",0.4,") for line in rows(identity=9)]], "id 9 has other times"),
        (["1,7,a,0,0,0,0,0,0,0,0"], "line 2: expected numbers"),
        (["1,7,nan,0,0,0,0,0,0,0,0"], "line 2: expected finite numbers"),
        (rows(frame=99), "no forecast of 1"),
    ],
)
def test_wrong_forecasts_are_named(tmp_path: Path, lines: list[str], fault: str) -> None:
    with pytest.raises(UsageError, match=fault):
        read_forecast_csv(written(tmp_path, lines), PICTURES)
