"""One world across six cameras, on hand-made drives whose answers are known."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from support.ground_drive import Eye, Traffic, camera_towards, make_detections, pose_at, six_cameras

from perception.errors import PerceptionError, UsageError
from perception.geometry.cameras import Rig
from perception.protocols import Tracker
from perception.tracking import GroundSettings, GroundTracker
from perception.types import Detections, Tracks

Array = NDArray[np.float64]
CAR, TRUCK, PEDESTRIAN = 0, 1, 5
STILL = pose_at(0, 0, 0)


def ns(time_s: float) -> int:
    return round(time_s * 1e9)


def drive(
    traffic: Traffic,
    *,
    seconds: float,
    rig: Rig | None = None,
    eye: Eye | None = None,
    car: Callable[[float], Array | None] = lambda _: STILL,
    skip: Callable[[float, Detections], bool] = lambda *_: False,
    tracker: GroundTracker | None = None,
    rate_fps: int = 10,
    seed: int = 0,
) -> list[tuple[float, Tracks]]:
    """Track ``traffic``; ``car`` gives the pose that the tracker is told, None standing for the true one at rest."""
    rig = rig or six_cameras()
    tracker, rng, eye = tracker or GroundTracker(rig), np.random.default_rng(seed), eye or Eye()
    out = []
    for k in range(round(seconds * rate_fps) + 1):
        time_s, told = k / rate_fps, car(k / rate_fps)
        found, _ = eye.look(rig, STILL if told is None else told, traffic, time_s, rng)
        here = [detections for detections in found if not skip(time_s, detections)]
        out.append((time_s, tracker.update(here, ns(time_s), told)))
    return out


def row_near(tracks: Tracks, position: Array) -> int:
    return int(np.linalg.norm(tracks.means[:, :2] - position, axis=1).argmin())


def ids_of(run: list[tuple[float, Tracks]], traffic: Traffic, row: int, *, within_m: float = 3.0) -> list[int]:
    """The ids that stood near a road user, in order of time, each once."""
    ids: list[int] = []
    for time_s, tracks in run:
        position = traffic.at(time_s)[0][row]
        if len(tracks) and np.linalg.norm(tracks.means[row_near(tracks, position), :2] - position) < within_m:
            ids.append(int(tracks.ids[row_near(tracks, position)]))
    return list(dict.fromkeys(ids))


def test_it_is_a_tracker_of_the_ground() -> None:
    tracker = GroundTracker(six_cameras())
    assert isinstance(tracker, Tracker)
    tracks = tracker.update([], 0)
    assert len(tracks) == 0
    assert tracks.reference_frame == "ground"
    assert tracks.sightings is not None
    assert len(tracks.sightings) == 0


def test_objects_stand_where_they_are_and_ids_count_from_one() -> None:
    traffic = Traffic.of([(CAR, 20, 3, 0, 0), (PEDESTRIAN, 12, -4, 0, 0), (CAR, -15, 2, 0, 0)])
    ((_, tracks),) = drive(traffic, seconds=0)
    assert sorted(tracks.ids) == [1, 2, 3]
    for position, label in zip(traffic.at(0)[0], traffic.labels, strict=True):
        row = row_near(tracks, position)
        assert np.linalg.norm(tracks.means[row, :2] - position) < 0.06 * np.linalg.norm(position)
        assert tracks.labels[row] == label
    assert (tracks.unseen_s == 0).all()
    np.testing.assert_array_equal(tracks.image_sizes_px, [[640, 360]] * 3)


def test_an_object_that_two_cameras_see_is_one_and_both_sightings_are_reported() -> None:
    angle = np.radians(27.5)
    traffic = Traffic.of([(PEDESTRIAN, 1.5 + 14 * np.cos(angle), 14 * np.sin(angle), 0, 0)])
    run = drive(traffic, seconds=1.0)
    for _, tracks in run:
        assert tracks.ids.tolist() == [1]
        assert tracks.sightings is not None
        assert sorted(tracks.sightings.cameras) == ["front", "front_left"]
        assert tracks.sightings.track_ids.tolist() == [1, 1]
        largest = np.prod(tracks.sightings.boxes_xyxy_px[:, 2:] - tracks.sightings.boxes_xyxy_px[:, :2], axis=1)
        assert tracks.cameras[0] == tracks.sightings.cameras[largest.argmax()]


@pytest.mark.parametrize("rate_fps", [5, 10])
@pytest.mark.parametrize("seed", range(2))
def test_one_id_all_around_the_car(rate_fps: int, seed: int) -> None:
    # A pedestrian and a car walk and drive a circle around the standing car, through all six cameras.
    rows = [(PEDESTRIAN, 0, -9, 0, 2.4), (CAR, 0, -20, 0, 5.0)]
    traffic = Traffic.of(rows)
    traffic = Traffic(**{**vars(traffic), "turns_radps": np.array([2.4 / 9, 5.0 / 20])})
    run = drive(
        traffic,
        seconds=20,
        rig=six_cameras(view_deg=80),
        eye=Eye(edge_px=0.7, edge_share=0.02, miss_rate=0.05, sees_through=True),
        rate_fps=rate_fps,
        seed=seed,
    )
    for row in range(2):
        assert len(ids_of(run, traffic, row)) == 1
    assert max(tracks.ids.max() for _, tracks in run) == 2


@pytest.mark.parametrize("label", [CAR, PEDESTRIAN])
def test_a_blind_gap_of_a_second_and_a_half_keeps_the_id(label: int) -> None:
    rig = Rig({yaw: camera_towards(yaw, float(yaw), view_deg=60) for yaw in ("-40", "40")})
    speed = 4.0 if label == CAR else 1.7
    # Across the dead angle straight ahead.
    traffic = Traffic.of([(label, 18.0 if label == CAR else 9.0, -3.6 * speed, 90, speed)])
    run = drive(traffic, seconds=7, rig=rig, eye=Eye(edge_px=0.5, edge_share=0.01))
    seen_s = [time_s for time_s, tracks in run if (tracks.unseen_s == 0).any()]
    assert 1.3 <= np.diff(seen_s).max() <= 2.0
    assert ids_of(run, traffic, 0, within_m=4.0) == [1]
    final = run[-1][1]
    assert final.cameras.tolist() == ["40"]
    assert final.unseen_s.tolist() == [0.0]


def test_the_motion_of_the_car_is_removed() -> None:
    traffic = Traffic.of([(CAR, 30, 6, 0, 0), (CAR, 30, -6, 0, 0), (PEDESTRIAN, 18, 9, 0, 0), (CAR, 25, 12, 0, 0)])

    def turning(time_s: float) -> Array:
        yaw = 0.35 * time_s
        return pose_at(5 / 0.35 * np.sin(yaw), 5 / 0.35 * (1 - np.cos(yaw)), yaw)

    for _, tracks in drive(traffic, seconds=3, car=turning)[15:]:
        assert len(tracks) == 4
        speeds_mps = np.linalg.norm(tracks.means[:, 4:6], axis=1)
        assert speeds_mps.max() < 0.8
        assert np.median(speeds_mps) < 0.4
        for position in traffic.starts_m:
            distance_m = np.linalg.norm(tracks.means[row_near(tracks, position), :2] - position)
            assert distance_m < 1.0


def test_speed_and_heading_of_what_moves() -> None:
    traffic = Traffic.of([(CAR, 25, 20, -90, 8.0), (PEDESTRIAN, 10, -6, 90, 1.5)])
    final = drive(traffic, seconds=2.5, eye=Eye(edge_px=0.5, edge_share=0.01))[-1][1]
    for row, velocity in enumerate([(0, -8.0), (0, 1.5)]):
        found = row_near(final, traffic.at(2.5)[0][row])
        np.testing.assert_allclose(final.means[found, 4:6], velocity, atol=0.15 * 8)
        assert final.headings_rad is not None
        turned = final.headings_rad[found] - traffic.yaws_rad[row]
        assert abs((turned + np.pi) % (2 * np.pi) - np.pi) < 0.25


@pytest.mark.parametrize(("yaw_deg", "expected_deg"), [(0, 0), (90, 90)])
def test_what_never_moved_is_parallel_unless_it_looks_too_wide(yaw_deg: float, expected_deg: float) -> None:
    final = drive(Traffic.of([(CAR, 18, 0, yaw_deg, 0)]), seconds=1)[-1][1]
    assert final.headings_rad is not None
    turned = final.headings_rad[0] - np.radians(expected_deg)
    # Front and back look the same.
    assert abs((turned + np.pi / 2) % np.pi - np.pi / 2) < 0.2


def test_a_heading_stays_when_the_object_stops() -> None:
    rig, eye, rng, tracker = six_cameras(), Eye(edge_px=0.5), np.random.default_rng(0), GroundTracker(six_cameras())
    for k in range(70):
        # From 6 m/s to a stop within two seconds.
        braking_s = float(np.clip(k / 10 - 2, 0, 2))
        travelled_m = 6 * min(k / 10, 4) - 1.5 * braking_s**2
        found, _ = eye.look(rig, STILL, Traffic.of([(CAR, 20, travelled_m - 10, 90, 0)]), 0.0, rng)
        tracks = tracker.update(found, ns(k / 10), STILL)
    assert tracks.ids.tolist() == [1]
    assert tracks.headings_rad is not None
    assert tracks.headings_rad[0] == pytest.approx(np.pi / 2, abs=0.3)
    assert np.linalg.norm(tracks.means[0, 4:6]) < 0.5


def test_a_missing_camera_lets_its_tracks_coast_and_find_back() -> None:
    traffic = Traffic.of([(CAR, 25, 0, 0, 3.0), (CAR, -15, 0, 0, 0.0)])
    run = drive(traffic, seconds=4, skip=lambda t, found: found.camera == "front" and 1.0 <= t < 2.2)
    during = dict(run)[1.2]
    assert during.unseen_s[row_near(during, traffic.at(1.2)[0][0])] == pytest.approx(0.3)
    assert during.unseen_s[row_near(during, traffic.at(1.2)[0][1])] == 0.0
    assert len(dict(run)[2.1]) == 1  # after a while nobody can say where it is; its id waits for it
    for row in range(2):
        assert len(ids_of(run, traffic, row)) == 1


def in_turn(interval: int) -> Callable[[float, Detections], bool]:
    """For ``drive``: the cameras are looked at in turn, each at its first and then at every ``interval``-th instant."""
    names = list(six_cameras().cameras)

    def skip(time_s: float, found: Detections) -> bool:
        instant = round(time_s * 10)
        return instant > 0 and (instant - 1 - names.index(found.camera)) % interval != 0

    return skip


@pytest.mark.parametrize("interval", [2, 3])
def test_cameras_in_turn_see_one_world(interval: int) -> None:
    angle = np.radians(27.5)
    # The first one stands where two cameras see it, the others move.
    rows = [(PEDESTRIAN, 1.5 + 14 * np.cos(angle), 14 * np.sin(angle), 0, 0), (CAR, 25, 0, 0, 3.0), (CAR, -15, 0, 0, 2)]
    traffic = Traffic.of(rows)
    tracker = GroundTracker(six_cameras(), GroundSettings(detect_interval=interval))
    run = drive(traffic, seconds=4, skip=in_turn(interval), tracker=tracker)
    for row in range(3):
        assert len(ids_of(run, traffic, row)) == 1
    for time_s, tracks in run:
        if time_s < 0.5:
            continue
        assert len(tracks) == 3
        assert tracks.is_seen.all()
        assert tracks.sightings is not None
        # As if all cameras were looked at: each that sees it has its box, where it is now.
        cameras = [sorted(tracks.sightings.cameras[tracks.sightings.track_ids == track_id]) for track_id in tracks.ids]
        assert sorted(cameras) == [["back"], ["front"], ["front", "front_left"]]
        for row, position in enumerate(traffic.at(time_s)[0]):
            assert np.linalg.norm(tracks.means[row_near(tracks, position), :2] - position) < (1.0, 2.5, 1.5)[row]


@pytest.mark.parametrize("interval", [1, 2, 3])
def test_what_is_overlooked_ends_after_the_same_time_however_often_is_looked(interval: int) -> None:
    traffic = Traffic.of([(CAR, 25, 0, 0, 0.0)])
    tracker = GroundTracker(six_cameras(), GroundSettings(detect_interval=interval))
    turns = in_turn(interval)
    run = drive(traffic, seconds=2, skip=turns, tracker=tracker)
    assert len(run[-1][1]) == 1
    rig, eye, rng, reported = six_cameras(), Eye(), np.random.default_rng(0), []
    for k in range(21, 40):
        found, _ = eye.look(rig, STILL, Traffic.of([]), k / 10, rng)
        tracks = tracker.update([one for one in found if not turns(k / 10, one)], ns(k / 10), STILL)
        reported.append(len(tracks))
    # Some instants until the next look, which overlooks it; it coasts for 0.2 s, or until the look after that.
    assert 1 <= sum(reported) <= 4
    assert not any(reported[4:])


def test_what_a_camera_should_see_and_does_not_is_forgotten_soon() -> None:
    tracker = GroundTracker(six_cameras())
    traffic = Traffic.of([(CAR, 15, 0, 0, 0)])
    blind = Eye(miss_rate=1.0)
    drive(traffic, seconds=1, tracker=tracker)
    seen, _ = blind.look(six_cameras(), STILL, traffic, 0, np.random.default_rng(0))
    lengths = [len(tracker.update(seen, ns(1 + k / 10), STILL)) for k in range(1, 8)]
    assert lengths[:2] == [1, 1]
    assert lengths[-1] == 0


def test_what_stands_behind_another_one_need_not_be_seen() -> None:
    # A truck drives between the camera and a parked car.
    traffic = Traffic.of([(CAR, 28, 0, 90, 0), (TRUCK, 16, -22, 90, 8.0)])
    run = drive(traffic, seconds=5)
    hidden_s = max(
        float(tracks.unseen_s[row_near(tracks, traffic.starts_m[0])]) for _, tracks in run if len(tracks) == 2
    )
    assert hidden_s >= 0.2
    assert len(ids_of(run, traffic, 0)) == 1


def test_without_poses_the_vehicle_is_the_world() -> None:
    traffic = Traffic.of([(CAR, 20, 3, 0, 2.0)])
    told = drive(traffic, seconds=2)
    untold = drive(traffic, seconds=2, car=lambda _: None)
    np.testing.assert_allclose(untold[-1][1].means, told[-1][1].means)


def test_poses_that_stop_are_bridged_and_counted() -> None:
    traffic = Traffic.of([(CAR, 40, 3.5, 0, 8.0), (CAR, 45, -4, 0, 0.0)])
    rig, eye, rng = six_cameras(), Eye(), np.random.default_rng(0)
    tracker = GroundTracker(rig)
    ids = []
    for k in range(31):
        time_s, pose = k / 10, pose_at(0.8 * k, 0, 0)
        found, _ = eye.look(rig, pose, traffic, time_s, rng)
        tracks = tracker.update(found, ns(time_s), None if 10 <= k < 20 else pose)
        ids.append(tracks.ids.tolist())
    assert tracker.counts.missing_poses == 10
    assert all(now == ids[0] for now in ids)
    parked = row_near(tracks, traffic.starts_m[1])
    assert np.linalg.norm(tracks.means[parked, 4:6]) < 0.5


def test_a_wrong_pose_is_counted_and_changes_nothing_and_a_new_world_starts_again() -> None:
    traffic = Traffic.of([(CAR, 25, 3.5, 0, 0.0)])

    def jumping(time_s: float) -> Array:
        return pose_at(500, 0, 1.0) if abs(time_s - 1.0) < 0.01 else STILL

    tracker = GroundTracker(six_cameras())
    eye, rng = Eye(), np.random.default_rng(0)
    for k in range(60):
        found, _ = eye.look(six_cameras(), STILL, traffic, 0.0, rng)
        told = jumping(k / 10) if k < 20 else pose_at(800, 0, 0)
        tracks = tracker.update(found, ns(k / 10), told)
        if k < 20:
            assert tracks.ids.tolist() == [1]
    assert tracker.counts.wrong_poses > 1
    assert tracker.counts.pose_restarts == 1
    assert tracks.ids.tolist() == [2]
    np.testing.assert_allclose(tracks.means[0, :2], [825, 3.5], atol=1.5)


@settings(max_examples=8, deadline=None)
@given(x=st.floats(-2000, 2000), y=st.floats(-2000, 2000), yaw=st.floats(-3.1, 3.1))
def test_turning_the_whole_world_changes_nothing_relative_to_the_car(x: float, y: float, yaw: float) -> None:
    traffic = Traffic.of([(CAR, 20, 3, 0, 4.0), (PEDESTRIAN, 10, -5, 90, 1.0), (TRUCK, -20, -3, 0, 0)])
    moved = pose_at(x, y, yaw)

    def car(time_s: float) -> Array:
        return pose_at(3 * time_s, 0.2 * time_s, 0.1 * time_s)

    plain = drive(traffic, seconds=1.5, car=car)[-1][1]
    starts = traffic.starts_m @ moved[:2, :2].T + moved[:2, 3]
    turned = Traffic(**{**vars(traffic), "starts_m": starts, "yaws_rad": traffic.yaws_rad + yaw})
    other = drive(turned, seconds=1.5, car=lambda time_s: moved @ car(time_s))[-1][1]
    assert other.ids.tolist() == plain.ids.tolist()
    expected = plain.means.copy()
    expected[:, :2] = plain.means[:, :2] @ moved[:2, :2].T + moved[:2, 3]
    expected[:, 4:6] = plain.means[:, 4:6] @ moved[:2, :2].T
    np.testing.assert_allclose(other.means, expected, atol=1e-4)
    np.testing.assert_allclose(other.boxes_xyxy_px, plain.boxes_xyxy_px, atol=1e-3)
    assert plain.headings_rad is not None
    assert other.headings_rad is not None
    turn = other.headings_rad - plain.headings_rad - yaw
    np.testing.assert_allclose((turn + np.pi) % (2 * np.pi), np.pi, atol=1e-4)


def test_the_order_of_the_cameras_does_not_matter() -> None:
    traffic = Traffic.of([(CAR, 20, 3, 0, 4.0), (PEDESTRIAN, 12, 6, 90, 1.0), (CAR, 14, 9, 0, 0)])
    rig, rng = six_cameras(view_deg=90), np.random.default_rng(0)
    one, other = GroundTracker(rig), GroundTracker(rig)
    for k in range(10):
        found, _ = Eye().look(rig, STILL, traffic, k / 10, rng)
        tracks, mirrored = one.update(found, ns(k / 10)), other.update(found[::-1], ns(k / 10))
        assert sorted(tracks.ids) == sorted(mirrored.ids)
    for position in tracks.means[:, :2]:
        assert np.linalg.norm(mirrored.means[row_near(mirrored, position), :2] - position) < 1e-6


def test_images_of_another_size_are_the_same_world() -> None:
    traffic = Traffic.of([(CAR, 20, 3, 0, 0)])
    large, small = six_cameras((1280, 720)), six_cameras((640, 360))
    found, _ = Eye(min_height_px=1).look(small, STILL, traffic, 0, np.random.default_rng(0))
    tracks = GroundTracker(large).update(found, 0)
    np.testing.assert_allclose(tracks.means, GroundTracker(small).update(found, 0).means)
    assert tracks.image_sizes_px.tolist() == [[640, 360]]


def test_weak_detections_continue_a_track_but_start_none() -> None:
    rig, traffic, rng = six_cameras(), Traffic.of([(CAR, 20, 0, 0, 0)]), np.random.default_rng(0)

    def found(score: float) -> list[Detections]:
        seen, _ = Eye().look(rig, STILL, traffic, 0, rng)
        return [make_detections(d.boxes_xyxy_px, d.labels, d.camera, d.image_size_px, scores=score) for d in seen]

    tracker = GroundTracker(rig)
    assert len(tracker.update(found(0.22), 0)) == 0
    assert tracker.counts.unused_detections == 1
    tracker.reset()
    assert len(tracker.update(found(0.8), 0)) == 1
    tracks = tracker.update(found(0.22), ns(0.1))
    assert tracks.unseen_s.tolist() == [0.0]
    tracker.update(found(0.05), ns(0.2))
    assert tracker.counts.weak_detections == 1


def test_cars_and_pedestrians_are_never_mistaken_for_one_another() -> None:
    rig, rng = six_cameras(), np.random.default_rng(0)
    tracker = GroundTracker(rig)
    for k, label in enumerate([CAR] * 2 + [PEDESTRIAN] * 4):
        found, _ = Eye().look(rig, STILL, Traffic.of([(CAR, 20, 0, 0, 0)]), 0, rng)
        seen = [
            make_detections(d.boxes_xyxy_px, np.full_like(d.labels, label), d.camera, d.image_size_px) for d in found
        ]
        tracks = tracker.update(seen, ns(k / 10), STILL)
    now = tracks[tracks.unseen_s == 0]
    assert now.labels.tolist() == [PEDESTRIAN]
    assert now.ids.tolist() == [2]


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_whatever_is_detected_the_world_stays_sane(seed: int) -> None:
    rng, rig = np.random.default_rng(seed), six_cameras(view_deg=90)
    tracker, time_s = GroundTracker(rig), 0.0
    for _ in range(12):
        dt_s = rng.choice([0.0, 0.03, 0.1, 0.6, 4.0])
        time_s += dt_s
        found = []
        for name in rng.permutation(list(rig.cameras))[: rng.integers(0, 7)].tolist():
            count = int(rng.integers(0, 12))
            corners = rng.uniform([-20, -20], [660, 380], (count, 2))
            boxes = np.concatenate([corners, corners + rng.exponential(60, (count, 2)) - 2], axis=1)
            boxes = np.where(rng.random((count, 1)) < 0.3, np.clip(boxes, 0, [640, 360, 640, 360]), boxes)
            found.append(
                make_detections(boxes, rng.integers(0, 6, count), name, (640, 360), scores=float(rng.uniform(0.05, 1)))
            )
        poses = [None, pose_at(3 * time_s, 0, 0.1 * time_s), pose_at(*rng.normal(0, 500, 3))]
        pose = poses[rng.choice(3, p=[0.2, 0.6, 0.2])]
        tracks = tracker.update(found, ns(time_s), pose)
        assert (np.linalg.eigvalsh(tracks.covariances) > 0).all()
        assert (tracks.means[:, 2:4] > 0).all()
        assert (tracks.boxes_xyxy_px[:, 2:] >= tracks.boxes_xyxy_px[:, :2]).all()
        assert tracks.sightings is not None
        pairs = list(zip(tracks.sightings.track_ids.tolist(), tracks.sightings.cameras.tolist(), strict=True))
        assert len(set(pairs)) == len(pairs)
        seen = set(tracks.ids[tracks.unseen_s == 0])
        assert set(tracks.sightings.track_ids) <= seen
        assert dt_s == 0 or len(seen) == len(set(tracks.sightings.track_ids))


def test_a_second_box_on_a_known_object_starts_no_track() -> None:
    tracker, labels = GroundTracker(six_cameras()), np.array([CAR])
    box = np.array([[280.0, 150, 360, 210]])
    tracker.update([make_detections(box, labels, "front", (640, 360))], 0)
    both = np.concatenate([box, box + 4])
    tracks = tracker.update([make_detections(both, np.array([CAR, CAR]), "front", (640, 360))], ns(0.1))
    assert tracks.ids.tolist() == [1]
    assert tracker.counts.unused_detections == 1
    assert tracks.sightings is not None
    assert len(tracks.sightings) == 1


def test_time_may_not_run_backwards() -> None:
    tracker = GroundTracker(six_cameras())
    tracker.update([], ns(1))
    with pytest.raises(PerceptionError, match="in order of time"):
        tracker.update([], ns(0.9))
    tracker.reset()
    tracker.update([], ns(0.9))


def test_an_unknown_camera_is_named() -> None:
    with pytest.raises(UsageError, match="no camera roof, only front, front_left"):
        GroundTracker(six_cameras()).update([Detections.empty("roof", (640, 360))], 0)


def test_images_of_another_shape_are_refused() -> None:
    with pytest.raises(UsageError, match=r"Camera front: .*640x360 pixels, the images have 640x640"):
        GroundTracker(six_cameras()).update([Detections.empty("front", (640, 640))], 0)


def test_a_camera_twice_and_a_label_without_class_are_refused() -> None:
    tracker = GroundTracker(six_cameras())
    with pytest.raises(ValueError, match="at most one Detections per camera"):
        tracker.update([Detections.empty("front", (640, 360))] * 2, 0)
    with pytest.raises(ValueError, match="labels"):
        tracker.update([make_detections(np.array([[1.0, 2, 30, 40]]), np.array([6]), "front", (640, 360))], 0)


@pytest.mark.parametrize("values", [{"gate": -1}, {"weak_score": 0.5}, {"motion": {"heading_settle_s": 0}}, {"new": 1}])
def test_settings_are_checked(values: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(values))):
        GroundSettings.model_validate(values)
