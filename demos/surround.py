"""Several calibrated cameras, one world in metres: ``python demos/surround.py [RECORDING]``, or the bundled drive."""

import argparse
from itertools import islice

import numpy as np

from perception import RunConfig, build_pipeline, open_source
from perception.files import bundled
from perception.geometry.cameras import inverse_rigid
from perception.taxonomy import CLASSES
from perception.types import Scene


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recording", nargs="?", default=str(bundled("data/recording")), help="a folder with a rig")
    parser.add_argument("--instants", type=int, default=20, help="how many to look at")
    options = parser.parse_args()

    source = open_source([options.recording])
    if source.rig is None:
        raise SystemExit(f"{options.recording}: its cameras are not calibrated")
    pipeline = build_pipeline(RunConfig(), rig=source.rig).pipeline
    for scene in islice(pipeline.run(source), options.instants):
        describe(scene)


def describe(scene: Scene) -> None:
    """Print where the five nearest objects are, as seen from the driver's seat, and how far each will move."""
    world_from_vehicle = scene.frame_set.world_from_vehicle
    vehicle_from_world = np.eye(4) if world_from_vehicle is None else inverse_rigid(world_from_vehicle)
    centres_m = scene.tracks.positions
    in_vehicle_m = centres_m @ vehicle_from_world[:2, :2].T + vehicle_from_world[:2, 3]
    moves_m = np.linalg.norm(scene.forecasts.expected[:, -1] - centres_m, axis=1)
    print(f"{scene.timestamp_ns / 1e9:.1f} s")
    for row in np.argsort(np.linalg.norm(in_vehicle_m, axis=1))[:5]:
        name = f"{CLASSES[scene.tracks.labels[row]]} {scene.tracks.ids[row]}"
        ahead_m, left_m = in_vehicle_m[row]
        print(f"  {name}: {ahead_m:.1f} m ahead, {left_m:.1f} m left; will move {moves_m[row]:.1f} m in 4 s")


if __name__ == "__main__":
    main()
