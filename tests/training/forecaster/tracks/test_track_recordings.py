"""A small calibrated drive on disk, seen through a detector that knows the truth, becomes pasts and futures."""

from __future__ import annotations

import numpy as np
import pytest
from support.crossing_car import KnowingDetector, centre_m, write_crossing

from perception.errors import UsageError
from perception.forecasting.track_dataset import windows_at
from perception.training.forecaster.tracks.track_recordings import track_drive


def test_a_drive_is_tracked_in_metres_with_features_at_several_rates(tmp_path):
    sets = track_drive(write_crossing(tmp_path / "drive"), KnowingDetector(), strides=(1, 2))
    assert len(sets) == 3
    for tracks in sets:
        ends = tracks.ends(4, 1)
        assert len(ends) > 3
        windows = windows_at(tracks, ends[-1:], length=4, stride=1)
        time_s = tracks.times_s[ends[-1]]
        np.testing.assert_allclose(windows.futures[0, 0], centre_m(time_s), atol=0.01)
        np.testing.assert_allclose(windows.observations[0, -1, :2], centre_m(time_s), atol=1.5)
        assert windows.observations[0, -1, 13] == 1
        assert windows.features is not None
        assert (windows.features == 1).all()


@pytest.mark.parametrize(
    ("missing", "word"),
    [({"is_calibrated": False}, "calibrated"), ({"has_poses": False}, "pose"), ({"has_objects": False}, "objects3d")],
)
def test_what_a_drive_lacks_is_reported(tmp_path, missing, word):
    with pytest.raises(UsageError, match=word):
        track_drive(write_crossing(tmp_path / "drive", **missing), KnowingDetector())
