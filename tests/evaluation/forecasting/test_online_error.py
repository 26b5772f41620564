from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from perception.evaluation.forecasting.online_error import OnlineError
from perception.types import EgoMotion, Forecasts, FrameSet, Scene, Tracks

DT_S = 0.1


def scene(
    time_s: float,
    positions: dict[int, tuple[float, float]],
    *,
    velocity: tuple[float, float] = (1.0, 0.0),
    futures: tuple[tuple[float, float], ...] = ((1.0, 0.0),),
    steps: int = 30,
    hidden: tuple[int, ...] = (),
    frame: str = "ground",
) -> Scene:
    """Objects at ``positions``; the filter says ``velocity``, each future goes on with one of its own."""
    count = len(positions)
    at = np.array(list(positions.values()), float).reshape(count, 2)
    times_s = DT_S * np.arange(1, steps + 1)
    paths = at[:, None, None] + np.array(futures)[None, :, None] * times_s[None, None, :, None]
    if frame == "image":
        paths = np.concatenate([paths, np.zeros_like(paths)], axis=3)
    tracks = Tracks(
        ids=np.array(list(positions), np.int64),
        labels=np.zeros(count, np.int64),
        scores=np.ones(count),
        means=np.concatenate([at, np.ones((count, 2)), np.tile(velocity, (count, 1)), np.zeros((count, 2))], axis=1),
        covariances=np.tile(np.eye(8), (count, 1, 1)),
        boxes_xyxy_px=np.zeros((count, 4)),
        cameras=np.full(count, "front"),
        image_sizes_px=np.tile([200, 100], (count, 1)),
        ages_s=np.ones(count),
        unseen_s=np.where(np.isin(list(positions), hidden), 0.2, 0.0),
        features=np.zeros((count, 0), np.float32),
        reference_frame="ground" if frame == "ground" else "image",
    )
    forecasts = Forecasts(
        track_ids=tracks.ids,
        probabilities=np.full((count, len(futures)), 1 / len(futures)),
        means=paths,
        stds=np.ones_like(paths),
        dt_s=DT_S,
        reference_frame=tracks.reference_frame,
        axes_rad=np.zeros(count) if frame == "ground" else None,
    )
    timestamp_ns = round(time_s * 1e9)
    return Scene(FrameSet((), timestamp_ns, 0), {}, tracks, forecasts)


def run(*scenes: Scene) -> OnlineError:
    online_error = OnlineError()
    for one in scenes:
        online_error.add(one)
    return online_error


def test_a_forecast_that_comes_true_has_no_error_and_a_wrong_one_is_off_by_its_distance() -> None:
    times_s = np.arange(0, 2.05, 0.1)
    true = run(*(scene(t, {1: (2.0 * t, 0.0)}, velocity=(0.0, 0.0), futures=((2.0, 0.0),)) for t in times_s))
    (first, second) = true.scores()
    assert (first.horizon_s, second.horizon_s) == (1.0, 2.0)
    assert first.count == 11 and second.count == 1
    assert first.expected == pytest.approx(0.0, abs=1e-9)
    assert (first.constant_velocity, second.constant_velocity) == pytest.approx((2.0, 4.0))
    wrong = run(*(scene(t, {1: (2.0 * t, 0.0)}, velocity=(2.0, 0.0), futures=((2.0, 3.0),)) for t in times_s))
    assert wrong.scores()[1].expected == pytest.approx(6.0)
    assert wrong.scores()[1].constant_velocity == pytest.approx(0.0, abs=1e-9)


def test_the_best_future_counts_beside_the_expected_one() -> None:
    scenes = (scene(t, {1: (t, 0.0)}, futures=((1.0, 0.0), (1.0, 4.0))) for t in np.arange(0, 1.05, 0.1))
    (score,) = run(*scenes).scores()
    assert (score.expected, score.best) == pytest.approx((2.0, 0.0), abs=1e-9)


def test_between_two_instants_the_object_was_between_two_positions() -> None:
    scenes = (scene(t, {1: (2.0 * t, 0.0)}, futures=((2.0, 0.0),)) for t in np.arange(0, 1.4, 0.3))
    (score,) = run(*scenes).scores()
    assert score.count == 1 and score.expected == pytest.approx(0.0, abs=1e-9)


def test_pixels_are_those_of_the_image() -> None:
    scenes = (scene(t, {1: (0.1, 0.1)}, velocity=(0.0, 0.3), futures=((0.1, 0.0),), frame="image") for t in (0, 0.5, 1))
    online_error = run(*scenes)
    (score,) = online_error.scores()
    assert (score.expected, score.constant_velocity) == pytest.approx((20.0, 30.0))
    assert online_error.unit == "px"
    assert online_error.line() == "off by 20 px after 1 s (constant velocity 30)"


@pytest.mark.parametrize(
    "late",
    [
        scene(1.0, {2: (1.0, 0.0)}),  # another object
        scene(1.0, {}),
        scene(1.0, {1: (1.0, 0.0)}, hidden=(1,)),
        scene(1.7, {1: (1.0, 0.0)}),  # unseen for too long when it was due
    ],
)
def test_what_nobody_saw_is_not_judged(late: Scene) -> None:
    assert run(scene(0.0, {1: (0.0, 0.0)}), scene(0.9, {1: (0.9, 0.0)}), late).scores() == []


def test_horizons_beyond_the_forecasts_are_left_out() -> None:
    scenes = (scene(t, {1: (t, 0.0)}, steps=15) for t in np.arange(0, 3.2, 0.1))
    assert [score.horizon_s for score in run(*scenes).scores()] == [1.0]


def test_memory_does_not_grow_with_the_run() -> None:
    online_error = run(*(scene(0.1 * t, {1: (0.1 * t, 0.0)}) for t in range(100)))
    assert len(online_error._dues) <= 31


def test_an_empty_run_prints_nothing() -> None:
    assert OnlineError().line() == "" and OnlineError().to_json() == {"unit": "", "horizons": []}


def test_what_the_cameras_turning_moves_is_no_error() -> None:
    """A camera that turns right; far away stands an object, which goes left in the image; it is forecast to stay."""
    yaw_radps, matrix = 0.1, np.array([[160.0, 0, 100], [0, 160, 50], [0, 0, 1]])
    ego = EgoMotion(
        dt_s=0.1,
        now_from_before=Rotation.from_euler("y", -0.1 * yaw_radps).as_matrix(),
        rotation_stds_rad=np.full(3, 1e-3),
        camera_matrix=matrix,
        image_size_px=(200, 100),
    )
    scenes = []
    for step in range(21):
        x = (100 + 160 * np.tan(0.3 - yaw_radps * 0.1 * step)) / 200
        one = scene(0.1 * step, {1: (x, 0.5)}, velocity=(0.0, 0.0), futures=((0.0, 0.0),), frame="image")
        scenes.append(replace(one, ego_motions={"front": ego} if step else {}))
    turning = run(*scenes).scores()
    assert [score.horizon_s for score in turning] == [1.0, 2.0]
    assert turning[1].expected == pytest.approx(0.0, abs=0.01)
    assert turning[1].constant_velocity == pytest.approx(0.0, abs=0.01)
    assert run(*(replace(one, ego_motions={}) for one in scenes)).scores()[1].expected > 30
