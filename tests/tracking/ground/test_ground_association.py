"""TrackMatches and merges on the ground, by hand; and the instances that real cameras share."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from support.ground_drive import Eye, Traffic, make_detections, pose_at, six_cameras
from test_lifting import REAL_CLASSES

from perception.geometry.cameras import Camera, Rig, inverse_rigid
from perception.tracking import GroundSettings, GroundTracker
from perception.tracking.ground.association import duplicate_pairs, ground_distances, merged_pairs, ranks_within
from perception.tracking.ground.ego_pose import PlanarPose
from perception.tracking.ground.observations import RigViews, observe
from perception.tracking.ground.road_plane import RoadEstimator
from perception.tracking.ground.track_state import GroundTrackState, ImageProjections

CAR, PEDESTRIAN = 0, 5
SETTINGS = GroundSettings()
ORIGIN = PlanarPose(np.zeros(2), 0.0)


def test_distances_are_in_standard_deviations() -> None:
    rng = np.random.default_rng(0)
    positions, others = rng.normal(size=(4, 2)), rng.normal(size=(3, 2))
    roots, other_roots = rng.normal(size=(4, 2, 2)), rng.normal(size=(3, 2, 2))
    covariances = roots @ roots.transpose(0, 2, 1) + np.eye(2)
    other_covariances = other_roots @ other_roots.transpose(0, 2, 1) + np.eye(2)
    distances = ground_distances(positions, covariances, others, other_covariances)
    for i in range(4):
        for j in range(3):
            residual = positions[i] - others[j]
            expected = residual @ np.linalg.inv(covariances[i] + other_covariances[j]) @ residual
            assert distances[i, j] == pytest.approx(expected)


def test_ranks_count_equal_numbers() -> None:
    assert ranks_within(np.array([7, 3, 7, 7, 3])).tolist() == [0, 0, 1, 2, 1]
    assert ranks_within(np.zeros(0, np.int64)).tolist() == []


def tracks_of(rows: list[tuple[int, float, float, float, float]]) -> tuple[GroundTrackState, ImageProjections]:
    """A track for each detection of each camera, as if none had been matched; older ones first."""
    rig = six_cameras()
    found, _ = Eye(sees_through=True).look(rig, pose_at(0, 0, 0), Traffic.of(rows), 0, np.random.default_rng(0))
    rig_views = RigViews(rig)
    views, here = rig_views.of(found)
    road = RoadEstimator(0.0)
    observed, _ = observe(found, here, views, ORIGIN, road, SETTINGS, feature_size=0, dt_s=0.0)
    tracks = GroundTrackState.spawned(
        observed, names=rig_views.names, views=views, timestamp_ns=100, car_yaw_rad=0.0, motion=SETTINGS.motion
    )
    tracks = replace(tracks, ids=np.arange(len(tracks)) + 1, first_ns=np.arange(len(tracks)))
    return tracks, ImageProjections.of(tracks, views, ORIGIN, road.plane)


def seen_by_its_own_camera(tracks: GroundTrackState) -> NDArray[np.bool_]:
    names: NDArray[np.str_] = np.array(list(six_cameras().cameras))
    seen: NDArray[np.bool_] = tracks.cameras[:, None] == names[None]
    return seen


AT_THE_SEAM = (1.5 + 14 * np.cos(np.radians(27.5)), 14 * np.sin(np.radians(27.5)))


def test_two_tracks_of_one_object_become_the_older_one() -> None:
    tracks, projections = tracks_of([(PEDESTRIAN, *AT_THE_SEAM, 0, 0)])
    assert sorted(tracks.cameras) == ["front", "front_left"]
    kept, copies = duplicate_pairs(tracks, projections, seen_by_its_own_camera(tracks), SETTINGS)
    assert (kept.tolist(), copies.tolist()) == ([0], [1])
    better = replace(tracks, covariances=tracks.covariances * np.array([1.0, 0.5])[:, None, None])
    merged, sources = merged_pairs(better, kept, copies)
    assert merged.ids.tolist() == [1]
    assert sources.tolist() == [1, 1]
    np.testing.assert_array_equal(merged.means[0], tracks.means[1])
    np.testing.assert_allclose(merged.label_votes, tracks.label_votes.sum(axis=0, keepdims=True))


@pytest.mark.parametrize("reason", ["one camera sees both", "they move apart", "another class", "another position"])
def test_two_objects_stay_two(reason: str) -> None:
    tracks, projections = tracks_of([(PEDESTRIAN, *AT_THE_SEAM, 0, 0)])
    seen = seen_by_its_own_camera(tracks)
    if reason == "one camera sees both":
        seen[:, 0] = True
    elif reason == "they move apart":
        tracks.means[0, 4:6], tracks.covariances[:, 4:6, 4:6] = (3.0, 0.0), 0.1 * np.eye(2)
    elif reason == "another class":
        tracks.label_votes[0] = np.eye(6)[CAR]
    else:
        tracks, projections = tracks_of([(PEDESTRIAN, 12, 0.6, 0, 0), (PEDESTRIAN, 12, -0.6, 0, 0)])
        seen = np.zeros_like(seen)
    kept, _ = duplicate_pairs(tracks, projections, seen, SETTINGS)
    assert len(kept) == 0


def test_of_tracks_that_were_split_one_is_left() -> None:
    # At first one camera sees so much less of the object that it takes it for another one, farther away.
    rig, rng = six_cameras(), np.random.default_rng(0)
    tracker = GroundTracker(rig, GroundSettings(min_hits=2, spawn_max_iou=0.4))
    near = Traffic.of([(CAR, *AT_THE_SEAM, 0, 0)])
    for k in range(30):
        found, _ = Eye().look(rig, pose_at(0, 0, 0), near, 0, rng)
        for number, seen in enumerate(found):
            if seen.camera == "front" and k < 4:
                height_px = seen.boxes_xyxy_px[0, 3] - seen.boxes_xyxy_px[0, 1]
                shrunk = seen.boxes_xyxy_px - np.array([0, 0, 0, 0.4 * height_px])
                found[number] = make_detections(shrunk, seen.labels, "front", (640, 360))
        tracks = tracker.update(found, k * 10**8)
        if k == 2:
            assert len(tracks) == 2
        # The one that no camera finds any more is shown for coast_s after both see the other.
        assert k < 7 or len(tracks) == 1
    assert tracks.sightings is not None
    assert len(tracks.sightings) == 2
    assert np.linalg.norm(tracks.positions[0] - AT_THE_SEAM) < 2.0


@pytest.mark.shared
@pytest.mark.parametrize("road_height_m", [-0.3, 0.0])
def test_real_cameras_agree_on_the_instances_that_they_share(shared_dir: Path, road_height_m: float) -> None:
    frames = json.loads((shared_dir / "real" / "surround" / "ddad_01" / "frames.json").read_text())["frames"]
    tracker: GroundTracker | None = None
    right = wrong = forgotten = 0
    for number, frame in enumerate(frames):
        cameras, found, instances = {}, [], {}
        for name, entry in frame["cameras"].items():
            left, _, right_vectors = np.linalg.svd(np.array(entry["vehicle_from_camera"])[:3, :3])
            pose = np.array(entry["vehicle_from_camera"])
            pose[:3, :3] = left @ right_vectors
            size_px = (entry["width"], entry["height"])
            cameras[name] = Camera(name, size_px, np.array(entry["intrinsics"]), pose)
            known = [thing for thing in entry["objects"] if thing["class"] in REAL_CLASSES]
            boxes = np.array([thing["box_xyxy"] for thing in known], float).reshape(-1, 4)
            labels = np.array([REAL_CLASSES[thing["class"]] for thing in known], np.int64)
            found.append(make_detections(boxes, labels, name, size_px))
            instances.update(
                {(name, *box): thing["instance"] for box, thing in zip(boxes.tolist(), known, strict=True)}
            )
            world_from_vehicle = np.array(entry["world_from_camera"]) @ inverse_rigid(pose)
        tracker = tracker or GroundTracker(Rig(cameras, road_height_m))
        sightings = tracker.update(found, number * 10**8, world_from_vehicle).sightings
        assert sightings is not None
        assert len(sightings) == len(instances)
        rows = zip(sightings.cameras.tolist(), sightings.boxes_xyxy_px.tolist(), strict=True)
        truth = [instances[(name, *box)] for name, box in rows]
        for i, j in combinations(range(len(truth)), 2):
            if sightings.cameras[i] != sightings.cameras[j]:
                is_same, is_taken = truth[i] == truth[j], sightings.track_ids[i] == sightings.track_ids[j]
                right, wrong = right + (is_same and is_taken), wrong + (is_taken and not is_same)
                forgotten += is_same and not is_taken
    assert right + forgotten >= 30
    assert right >= 0.9 * (right + forgotten)
    assert right >= 0.9 * (right + wrong)
