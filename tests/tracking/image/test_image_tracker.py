"""The tracker on hand-made scenes whose answers are known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from perception.errors import PerceptionError, UsageError
from perception.protocols import Tracker
from perception.tracking import ImageTracker, TrackerSettings
from perception.types import Detections, Tracks

CAR, TRUCK, PEDESTRIAN = 0, 1, 5
SIZE_PX = (640, 360)


def ns(time_s: float) -> int:
    return round(time_s * 1e9)


def detect(
    centres_px: list[tuple[float, float]] | NDArray[np.float64],
    *,
    side_px: float = 40.0,
    scores: float | list[float] = 0.9,
    labels: int | list[int] = CAR,
    camera: str = "front",
    features: NDArray[np.float32] | None = None,
    feature_space: str = "",
    size_px: tuple[int, int] = SIZE_PX,
) -> Detections:
    centres = np.array(centres_px, float).reshape(-1, 2)
    return Detections(
        boxes_xyxy_px=np.concatenate([centres - side_px / 2, centres + side_px / 2], axis=1),
        scores=np.broadcast_to(np.array(scores, np.float32), len(centres)).copy(),
        labels=np.broadcast_to(np.array(labels), len(centres)).copy(),
        features=np.zeros((len(centres), 0), np.float32) if features is None else features,
        camera=camera,
        image_size_px=size_px,
        feature_space=feature_space,
    )


def id_near(tracks: Tracks, x_px: float) -> int:
    """The id of the track whose centre is nearest to ``x_px``."""
    centres_px = tracks.means[:, 0] * tracks.image_sizes_px[:, 0]
    return int(tracks.ids[np.abs(centres_px - x_px).argmin()])


def test_it_is_a_tracker() -> None:
    assert isinstance(ImageTracker(), Tracker)


def test_the_first_frame_is_confirmed_at_once_and_ids_count_from_one() -> None:
    tracks = ImageTracker().update([detect([(100, 100), (300, 100)])], 0)
    assert tracks.ids.tolist() == [1, 2]
    np.testing.assert_allclose(tracks.boxes_xyxy_px, [[80, 80, 120, 120], [280, 80, 320, 120]])
    assert tracks.unseen_s.tolist() == [0, 0]
    assert tracks.reference_frame == "image"


@pytest.mark.parametrize(("score", "seen_before"), [(0.9, 1), (0.5, 2), (0.3, 3)])
def test_the_surer_the_detections_the_sooner_a_track_is_confirmed(score: float, seen_before: int) -> None:
    tracker = ImageTracker(TrackerSettings(min_score_sum=1.2))
    tracker.update([], 0)
    tracker.update([detect([])], 0)
    counts = [len(tracker.update([detect([(100, 100)], scores=score)], ns(0.1 * k))) for k in range(1, 6)]
    assert counts == [0] * seen_before + [1] * (5 - seen_before)


@pytest.mark.parametrize("rate_fps", [5, 10, 30])
def test_two_cars_that_pass_one_another_keep_their_ids(rate_fps: int) -> None:
    tracker = ImageTracker()
    first = tracker.update([detect([(100, 100), (500, 112)])], 0)
    for k in range(1, 4 * rate_fps + 1):
        travelled_px = 100 * k / rate_fps
        tracks = tracker.update([detect([(100 + travelled_px, 100), (500 - travelled_px, 112)])], ns(k / rate_fps))
        assert set(tracks.ids) == {1, 2}
    assert id_near(tracks, 500) == id_near(first, 100)
    assert id_near(tracks, 100) == id_near(first, 500)


def test_half_a_second_unseen_keeps_the_id() -> None:
    tracker = ImageTracker()
    for k in range(60):
        time_s = k / 30
        is_hidden = 1.0 <= time_s < 1.5
        seen = detect([] if is_hidden else [(100 + 120 * time_s, 100)])
        tracks = tracker.update([seen], ns(time_s))
        if not is_hidden and time_s > 0.1:
            assert tracks.ids.tolist() == [1]
            assert tracks.unseen_s.tolist() == [0]


def test_a_missed_frame_coasts_and_a_long_gap_hides_the_track() -> None:
    tracker = ImageTracker()
    for k in range(11):
        tracker.update([detect([(100 + 10 * k, 100)])], ns(k / 10))
    before = tracker.update([], ns(1.1))
    assert before.ids.tolist() == [1]
    assert before.unseen_s == pytest.approx([0.1])
    assert before.ages_s == pytest.approx([1.1])
    assert before.means[0, 0] * SIZE_PX[0] == pytest.approx(210, abs=1)
    after = tracker.update([detect([])], ns(1.3))
    assert np.linalg.det(after.covariances[0]) > np.linalg.det(before.covariances[0])
    assert len(tracker.update([detect([])], ns(1.5))) == 0
    assert tracker.update([detect([(260, 100)])], ns(1.6)).ids.tolist() == [1]
    assert tracker.update([detect([(300, 100)])], ns(4.0)).ids.tolist() == [2]


def test_tracks_survive_two_seconds_without_their_camera_and_are_predicted_meanwhile() -> None:
    tracker = ImageTracker()
    for k in range(11):
        tracker.update([detect([(100 + 100 * k / 10, 100)]), detect([(50, 50)], camera="rear")], ns(k / 10))
    for k in range(11, 30):
        tracks = tracker.update([detect([(50, 50)], camera="rear")], ns(k / 10))
        assert sorted(tracks.ids.tolist()) == [1, 2]
        (away,) = np.flatnonzero(tracks.cameras == "front")
        assert tracks.unseen_s[away] == pytest.approx(k / 10 - 1)
        assert tracks.means[away, 0] * SIZE_PX[0] == pytest.approx(100 + 100 * k / 10, abs=3)
    back = tracker.update([detect([(400, 100)]), detect([(50, 50)], camera="rear")], ns(3.0))
    assert sorted(back.ids.tolist()) == [1, 2] and back.is_seen.all()


@pytest.mark.parametrize(("gap_s", "ids"), [(2.0, [1]), (2.2, [2])])
def test_tracks_survive_two_seconds_without_any_frame(gap_s: float, ids: list[int]) -> None:
    tracker = ImageTracker()
    for k in range(11):
        tracker.update([detect([(100 + 50 * k / 10, 100)])], ns(k / 10))
    assert tracker.update([detect([(150 + 50 * gap_s, 100)])], ns(1 + gap_s)).ids.tolist() == ids


def test_what_its_camera_did_not_see_before_a_gap_does_not_survive_it() -> None:
    tracker = ImageTracker()
    for k in range(11):
        tracker.update([detect([(100, 100)])], ns(k / 10))
    tracker.update([detect([])], ns(1.1))
    assert len(tracker.update([], ns(1.5))) == 0
    assert tracker.update([detect([(100, 100)])], ns(2.9)).ids.tolist() == [2]


def test_the_frame_rate_changes_neither_ids_nor_velocity() -> None:
    results = {}
    for rate_fps in (5, 10, 30):
        tracker = ImageTracker()
        for k in range(2 * rate_fps + 1):
            time_s = k / rate_fps
            tracks = tracker.update([detect([(100 + 80 * time_s, 100), (500, 100 + 40 * time_s)])], ns(time_s))
        results[rate_fps] = tracks
    for tracks in results.values():
        assert tracks.ids.tolist() == [1, 2]
        np.testing.assert_allclose(tracks.means[0, 4] * SIZE_PX[0], 80, rtol=0.05)
        np.testing.assert_allclose(tracks.means[1, 5] * SIZE_PX[1], 40, rtol=0.05)


def test_a_car_that_leaves_its_own_box_between_frames_keeps_its_id() -> None:
    tracker = ImageTracker()
    for k in range(6):
        tracks = tracker.update([detect([(100 + 45 * k, 100)])], ns(0.8 * k))  # its box is 40 px wide
        assert tracks.ids.tolist() == [1]


@pytest.mark.parametrize(("rate_fps", "frames"), [(30, 4), (5, 2), (1.25, 1)])
def test_confirmation_takes_as_long_as_the_settings_state(rate_fps: float, frames: int) -> None:
    tracker = ImageTracker()
    tracker.update([detect([])], 0)
    seen = [len(tracker.update([detect([(200, 100)])], ns(k / rate_fps))) for k in range(1, 7)]
    assert seen == [0] * (frames - 1) + [1] * (7 - frames)


def test_a_single_false_alarm_gets_no_id() -> None:
    tracker = ImageTracker()
    tracker.update([detect([])], 0)
    tracker.update([detect([(200, 100)])], ns(0.2))
    for k in (2, 3):
        assert len(tracker.update([detect([])], ns(0.2 * k))) == 0
    assert tracker.update([detect([(400, 100)])], ns(0.8)).ids.tolist() == []
    assert tracker.update([detect([(400, 100)])], ns(1.0)).ids.tolist() == [1]


def test_a_flipping_label_breaks_no_id_and_the_vote_holds() -> None:
    tracker = ImageTracker()
    for k, label in enumerate([TRUCK, TRUCK, CAR, TRUCK, CAR, TRUCK]):
        tracks = tracker.update([detect([(100, 100)], labels=label)], ns(0.1 * k))
        assert tracks.ids.tolist() == [1]
        assert tracks.labels.tolist() == [TRUCK]


def test_a_pedestrian_before_a_car_is_another_track() -> None:
    tracker = ImageTracker()
    for k in range(3):
        tracks = tracker.update([detect([(100, 100), (100, 100)], labels=[CAR, PEDESTRIAN])], ns(0.2 * k))
    assert tracks.ids.tolist() == [1, 2]
    assert tracks.labels.tolist() == [CAR, PEDESTRIAN]
    tracks = tracker.update([detect([(100, 100)], labels=PEDESTRIAN)], ns(0.6))
    assert tracks.unseen_s.tolist() == pytest.approx([0.2, 0.0])


def test_weak_detections_carry_a_track_on_but_start_none() -> None:
    tracker = ImageTracker()
    tracker.update([detect([(100, 100)])], 0)
    tracks = tracker.update([detect([(102, 100), (400, 100), (500, 300)], scores=[0.15, 0.2, 0.05])], ns(0.1))
    assert tracks.ids.tolist() == [1]
    assert tracks.unseen_s.tolist() == [0]
    assert tracker.counts.unused_detections == 1
    assert tracker.counts.weak_detections == 1


def test_two_boxes_on_one_car_start_one_track() -> None:
    tracker = ImageTracker()
    tracker.update([detect([(100, 100)])], 0)
    for k in range(1, 5):
        tracks = tracker.update([detect([(100, 100), (110, 100)])], ns(0.2 * k))
    assert tracks.ids.tolist() == [1]
    assert tracker.counts.unused_detections == 4


def test_a_copy_of_a_track_ends_once_only_one_of_them_is_seen() -> None:
    tracker = ImageTracker()
    assert tracker.update([detect([(100, 100), (101, 100)])], 0).ids.tolist() == [1, 2]
    assert len(tracker.update([detect([(100, 100)])], ns(0.1))) == 1
    assert tracker.counts.duplicate_tracks == 1


def test_a_new_track_waits_for_a_camera_that_misses_a_frame() -> None:
    tracker = ImageTracker()
    for k, left in enumerate([[], [(100, 100)], None, [(100, 100)]]):
        present = [detect([], camera="right")] if left is None else [detect(left, camera="left")]
        tracks = tracker.update(present, ns(0.1 * k))
    assert tracks.ids.tolist() == [1]


def test_cameras_are_apart_but_share_the_ids() -> None:
    tracker = ImageTracker()
    both = [detect([(100, 100)], camera="left"), detect([(100, 100)], camera="right-rear", size_px=(1280, 720))]
    tracks = tracker.update(both, 0)
    assert dict(zip(tracks.cameras.tolist(), tracks.ids.tolist(), strict=True)) == {"left": 1, "right-rear": 2}
    np.testing.assert_allclose(tracks.boxes_xyxy_px[1], [80, 80, 120, 120])
    tracks = tracker.update(both[:1], ns(0.2))
    assert tracks.unseen_s.tolist() == pytest.approx([0.0, 0.2])
    tracks = tracker.update(both[::-1], ns(0.4))
    assert dict(zip(tracks.cameras.tolist(), tracks.ids.tolist(), strict=True)) == {"left": 1, "right-rear": 2}
    assert tracks.unseen_s.tolist() == [0, 0]


def test_a_camera_may_change_its_image_size() -> None:
    tracker = ImageTracker()
    tracker.update([detect([(100, 100)])], 0)
    tracks = tracker.update([detect([(200, 200)], side_px=80, size_px=(1280, 720))], ns(0.1))
    assert tracks.ids.tolist() == [1]
    np.testing.assert_array_equal(tracks.image_sizes_px, [[1280, 720]])
    np.testing.assert_allclose(tracks.boxes_xyxy_px, [[160, 160, 240, 240]])


def test_a_lost_track_that_leaves_the_image_ends() -> None:
    tracker = ImageTracker()
    for k in range(7):
        tracker.update([detect([(500 + 20 * k, 100)])], ns(0.1 * k))
    assert len(tracker.update([detect([])], ns(0.8))) == 0


def test_boxes_without_area_are_counted() -> None:
    tracker = ImageTracker()
    assert len(tracker.update([detect([(100, 100)], side_px=0.0)], 0)) == 0
    assert tracker.counts.empty_boxes == 1


def test_instances_do_not_share_ids_and_reset_starts_again() -> None:
    first, second = ImageTracker(), ImageTracker()
    first.update([detect([(100, 100), (200, 100)])], ns(5))
    assert second.update([detect([(100, 100)])], 0).ids.tolist() == [1]
    first.reset()
    assert first.update([detect([(500, 300)])], 0).ids.tolist() == [1]
    assert first.counts == second.counts


def test_time_may_stand_still_but_not_run_backwards() -> None:
    tracker = ImageTracker()
    tracker.update([detect([(100, 100)])], ns(1))
    assert tracker.update([detect([(100, 100)])], ns(1)).ids.tolist() == [1]
    with pytest.raises(PerceptionError, match=r"999999999 ns.*1000000000 ns"):
        tracker.update([detect([(100, 100)])], ns(1) - 1)


def test_features_are_those_last_seen_and_end_with_their_network() -> None:
    tracker = ImageTracker()
    looks = np.array([[1.0, 2.0]], np.float32)
    tracker.update([detect([(100, 100)], features=looks, feature_space="a")], 0)
    tracks = tracker.update([detect([])], ns(0.1))
    np.testing.assert_array_equal(tracks.features, looks)
    assert tracks.feature_space == "a"
    other = detect([(400, 100)], features=np.ones((1, 3), np.float32), feature_space="b")
    tracks = tracker.update([other], ns(0.2))
    assert tracks.feature_space == "b"
    np.testing.assert_array_equal(tracks.features, [[0, 0, 0]])


def test_wrong_detections_are_refused() -> None:
    tracker = ImageTracker()
    with pytest.raises(ValueError, match="at most one Detections per camera"):
        tracker.update([detect([]), detect([])], 0)
    with pytest.raises(ValueError, match="labels"):
        tracker.update([detect([(100, 100)], labels=6)], 0)
    mixed = [
        detect([(100, 100)], features=np.ones((1, 2), np.float32), feature_space="a", camera="left"),
        detect([(100, 100)], features=np.ones((1, 3), np.float32), feature_space="b", camera="right"),
    ]
    with pytest.raises(UsageError, match=r"a \(2 numbers\), b \(3 numbers\)"):
        tracker.update(mixed, 0)


def test_no_detections_at_all() -> None:
    tracker = ImageTracker()
    assert len(tracker.update([], 0)) == 0
    assert len(tracker.update([detect([])], 1)) == 0


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
@example(seed=80)  # two tracks of the same age that are one object
def test_the_order_of_detections_only_changes_the_names(seed: int) -> None:
    rng = np.random.default_rng(seed)
    plain, shuffled = ImageTracker(), ImageTracker()
    centres_px, speeds_pxps = rng.uniform(50, 310, (8, 2)), rng.normal(0, 30, (8, 2))
    name_of: dict[int, int] = {}
    for k in range(8):
        seen = np.flatnonzero(rng.random(8) < 0.8)
        scores = rng.uniform(0.12, 0.95, len(seen)).tolist()
        boxes_px = centres_px[seen] + speeds_pxps[seen] * k / 5 + rng.normal(0, 1, (len(seen), 2))
        found = detect(boxes_px, scores=scores)
        order = rng.permutation(len(seen))
        tracks, others = plain.update([found], ns(k / 5)), shuffled.update([found[order]], ns(k / 5))
        assert len(tracks) == len(others)
        by_position = np.lexsort(tracks.means[:, :2].T), np.lexsort(others.means[:, :2].T)
        np.testing.assert_allclose(tracks.means[by_position[0]], others.means[by_position[1]], atol=1e-9)
        for name, other in zip(tracks.ids[by_position[0]].tolist(), others.ids[by_position[1]].tolist(), strict=True):
            assert name_of.setdefault(name, other) == other


@pytest.mark.parametrize(
    "values",
    [
        {"min_iou": 1.5},
        {"max_unseen_s": -1.0},
        {"strong_score": 0.05},
        {"spawn_score": 0.05},
        {"coast_s": 2.0},
        {"min_hits": 0},
        {"max_unseen": 1.0},
    ],
)
def test_wrong_settings_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(values))):
        TrackerSettings.model_validate(values)
