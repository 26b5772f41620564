"""How well does the picture tell how the camera turns? ``python demos/ego_motion.py RECORDING`` (with poses and rig).

The motion of each camera is measured by optical flow and held against the recording's poses. Road users are found by
the detector and left out; --without-detector is faster and shows what robust estimation does alone.
"""

import argparse
from itertools import islice
from time import thread_time

import cv2
import numpy as np
from rich.console import Console

from perception import RunConfig, UsageError, build_pipeline, open_source
from perception.egomotion import FlowEgoMotion, PoseEgoMotion
from perception.evaluation.report.console import print_ego_motion
from perception.evaluation.tracking.ego_motion import EgoMotionErrors, difference, ego_motion_report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recording", help="a folder with video, poses and calibration")
    parser.add_argument("--without-detector", action="store_true")
    parser.add_argument("--instants", type=int, help="stop after so many")
    parser.add_argument("--detector", default="auto", help="auto, roadnet, a file, or module:factory")
    options = parser.parse_args()

    cv2.setNumThreads(1)
    try:
        source = open_source([options.recording])
        if source.rig is None:
            raise UsageError(f"{options.recording}: its cameras are not calibrated; give a recording with a rig.")
        detector = None
        if not options.without_detector:
            detector = build_pipeline(RunConfig(detector=options.detector), rig=source.rig).pipeline.detector
    except UsageError as error:
        raise SystemExit(str(error)) from error

    flow, poses, rows, took_ms = FlowEgoMotion(source.rig), PoseEgoMotion(source.rig), [], []
    for frame_set in islice(source, options.instants):
        found = detector.detect(frame_set.frames) if detector is not None else []
        detections = {part.camera: part for part in found}
        start = thread_time()
        measured = flow.update(frame_set, detections)
        took_ms.append(1e3 * (thread_time() - start) / max(len(frame_set), 1))
        for name, true in poses.update(frame_set, detections).items():
            rows.append((name, *difference(measured.get(name), true, source.rig.cameras[name])))
    if not rows:
        raise SystemExit(f"{options.recording}: has no poses of the car; give a recording with poses.")
    names, yaw_rates, speeds = zip(*rows, strict=True)
    errors = EgoMotionErrors(
        cameras=np.array(names), yaw_rates_degps=np.rad2deg(yaw_rates), speeds_mps=np.array(speeds, float)
    )
    report = ego_motion_report([errors])
    print_ego_motion(report, Console())
    print(f"  {np.median(took_ms):.1f} ms of one core per frame (median)")


if __name__ == "__main__":
    main()
