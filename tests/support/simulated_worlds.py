"""A world small enough to work out by hand, and what two cameras would see of it."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from perception.geometry.cameras import Camera, Rig
from perception.simulation.world import CameraView, RoadUsers, WorldState

SIZE_PX = (64, 48)


def two_cameras() -> Rig:
    """One camera that looks ahead, one that looks back."""
    cameras = {}
    for name, yaw_deg in (("front", 0.0), ("rear", 180.0)):
        vehicle_from_camera = np.eye(4)
        ahead = np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]])
        vehicle_from_camera[:3, :3] = Rotation.from_euler("z", yaw_deg, degrees=True).as_matrix() @ ahead
        vehicle_from_camera[:3, 3] = [1.5, 0, 1.5]
        intrinsics = np.array([[50.0, 0, 32], [0, 50, 24], [0, 0, 1]])
        cameras[name] = Camera(name, SIZE_PX, intrinsics, vehicle_from_camera)
    return Rig(cameras)


def car_and_walker(time_s: float) -> WorldState:
    """The recording car drives north at 10 m/s from (100, 50); a car stands 20 m before its start, a walker beside."""
    town_from_vehicle = np.eye(4)
    town_from_vehicle[:2, :2] = [[0, -1], [1, 0]]
    town_from_vehicle[:3, 3] = [100, 50 + 10 * time_s, 0]
    return WorldState(
        time_s=time_s,
        road_users=RoadUsers(
            ids=np.array([7, 3, 9]),
            labels=np.array([0, 5, 2]),
            bodies=np.array([0, 12, 8]),
            appearance_seeds=np.array([1, 2, 3], np.uint32),
            positions_m=np.array([[100.0, 70, 0], [105, 60, 0], [100, 900, 0]]),
            yaws_rad=np.array([np.pi / 2, 0.0, 0.0]),
            sizes_lwh_m=np.array([[4.0, 1.8, 1.5], [0.6, 0.6, 1.8], [12, 2.5, 3]]),
            speeds_mps=np.array([0.0, 1.2, 9.0]),
            is_braking=np.array([True, False, False]),
            indicators=np.array([0, 0, -1]),
            travelled_m=np.zeros(3),
        ),
        town_from_vehicle=town_from_vehicle,
        vehicle_speed_mps=10.0,
        signals=(),
    )


def views(rig: Rig, brightness: int) -> dict[str, CameraView]:
    """The front camera sees the car in full and the walker half hidden, the rear one hides the bus wholly."""
    image = np.full((SIZE_PX[1], SIZE_PX[0], 3), brightness, np.uint8)
    front = CameraView(
        image,
        ids=np.array([3, 7]),
        full_xyxy_px=np.array([[40.0, 20, 44, 32], [30, 20, 36, 26]]),
        visible_xyxy_px=np.array([[40.0, 20, 42, 32], [30, 20, 36, 26]]),
        visible_pixels=np.array([24, 36]),
        visible_shares=np.array([0.5, 1.0]),
    )
    rear = CameraView(
        image,
        ids=np.array([9]),
        full_xyxy_px=np.array([[10.0, 10, 20, 20]]),
        visible_xyxy_px=np.zeros((1, 4)),
        visible_pixels=np.array([0]),
        visible_shares=np.array([0.0]),
    )
    return dict(zip(rig.cameras, (front, rear), strict=True))
