"""From a video to identities and futures: ``python demos/recorded_video.py drive.mp4``."""

import argparse

from perception import RunConfig, build_pipeline, open_source
from perception.taxonomy import CLASSES


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("video", help="a video file, an image folder or a recording")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda:0")
    parser.add_argument("--detector", default="auto", help="auto, roadnet, a file, or module:factory")
    parser.add_argument("--forecaster", default="auto", help="auto, constant-velocity or a weights file")
    options = parser.parse_args()

    config = RunConfig(device=options.device, detector=options.detector, forecaster=options.forecaster)
    pipeline = build_pipeline(config).pipeline
    for scene in pipeline.run(open_source([options.video])):
        print(f"{scene.timestamp_ns / 1e9:.2f} s: {len(scene.tracks)} objects")
        horizon_s = scene.forecasts.means.shape[2] * scene.forecasts.dt_s
        # A forecast is centre x, y, width and height over the image's width and height.
        ends = scene.forecasts.expected[:, -1, :2] * scene.tracks.image_sizes_px
        for track_id, label, (x, y) in zip(scene.tracks.ids, scene.tracks.labels, ends, strict=True):
            print(f"  {CLASSES[label]} {track_id} will be at ({x:.0f}, {y:.0f}) px in {horizon_s:.1f} s")


if __name__ == "__main__":
    main()
