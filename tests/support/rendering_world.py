"""A small town made by hand, road users put where a test wants them, cameras that look along them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from perception.geometry.cameras import Camera
from perception.simulation.rendering import ParallelRenderer
from perception.simulation.world import BODIES, CameraView, Lane, RoadUsers, Town, TrafficLight, WorldState

LABELS = {
    "box-truck": 1,
    "semi-truck": 1,
    "bus": 2,
    "motorcycle": 3,
    "scooter": 3,
    "bicycle": 4,
    "adult": 5,
    "child": 5,
}
SIZES = {
    "sedan": (4.7, 1.83, 1.45), "bus": (12.0, 2.55, 3.1), "box-truck": (7.5, 2.5, 3.1), "adult": (0.6, 0.6, 1.75),
    "bicycle": (1.75, 0.6, 1.7),
}  # fmt: skip


def small_town() -> Town:
    """A straight street of 200 m along x with pavements, a crossing, a light and a speed limit."""
    ends = np.array([[-100.0, 0.0], [100.0, 0.0]])
    right = np.array([0.0, -1.0])
    lanes = [
        Lane("drive", ends + 1.6 * right, 3.2),
        Lane("drive", ends[::-1] - 1.6 * right, 3.2),
        Lane("walk", ends + 4.4 * right, 2.4),
        Lane("walk", ends[::-1] - 4.4 * right, 2.4),
    ]
    return Town(
        lanes=lanes,
        junctions_m=[],
        crossings_m=[np.array([[40.0, -3.2], [40.0, 3.2], [43.0, 3.2], [43.0, -3.2]])],
        stop_lines_m=np.array([[[38.0, -3.2], [38.0, 0.0]]]),
        lights=[TrafficLight(np.array([38.0, -3.6]), np.pi, 0)],
        speed_limits=[(np.array([20.0, -3.7]), np.pi, 30)],
        extent_m=(-100.0, -5.6, 100.0, 5.6),
    )


def users(*placed: tuple[str, float, float, float]) -> RoadUsers:
    """Road users given as body, x, y and heading in degrees; ids count from 10."""
    count = len(placed)
    return RoadUsers(
        ids=np.arange(10, 10 + count),
        labels=np.array([LABELS.get(body, 0) for body, *_ in placed], int),
        bodies=np.array([BODIES.index(body) for body, *_ in placed], int),
        appearance_seeds=np.arange(count, dtype=np.uint32) + 7,
        positions_m=np.array([(x, y, 0.0) for _, x, y, _ in placed], float).reshape(count, 3),
        yaws_rad=np.radians([heading for *_, heading in placed]).reshape(count),
        sizes_lwh_m=np.array([SIZES.get(body, SIZES["sedan"]) for body, *_ in placed], float).reshape(count, 3),
        speeds_mps=np.zeros(count),
        is_braking=np.zeros(count, bool),
        indicators=np.zeros(count, int),
        travelled_m=np.zeros(count),
    )


def world(road_users: RoadUsers, *, time_s: float = 0.0, signals: Sequence[str] = ("red",)) -> WorldState:
    """An instant with the recording car at the town's origin, looking along x in the middle of the road."""
    return WorldState(time_s, road_users, np.eye(4), 0.0, tuple(signals))  # type: ignore[arg-type]


def pictures(renderer: ParallelRenderer, state: WorldState) -> dict[str, CameraView]:
    """What each camera sees at one instant."""
    ((_, views),) = renderer.render_each([state])
    return views


def camera(
    name: str = "front", *, size_px: tuple[int, int] = (640, 360), yaw_deg: float = 0.0, focal_px: float = 457.0
) -> Camera:
    """A camera 1.5 m above the road at the car's origin."""
    width, height = size_px
    intrinsics = np.array([[focal_px, 0, width / 2], [0, focal_px, height / 2], [0, 0, 1.0]])
    yaw = np.radians(yaw_deg)
    turn = np.array([[np.cos(yaw), -np.sin(yaw), 0], [np.sin(yaw), np.cos(yaw), 0], [0, 0, 1]])
    pose = np.eye(4)
    pose[:3, :3] = turn @ np.array([[0, 0, 1], [-1, 0, 0], [0, -1, 0]])
    pose[2, 3] = 1.5
    return Camera(name, size_px, intrinsics, pose)
