"""What a camera sees now, in a window: ``python demos/webcam.py 0``, or with an http or rtsp address."""

import argparse

from perception import RunConfig, build_pipeline, open_source
from perception.visualization import TrackHistory, Window, draw_scene


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("camera", nargs="?", default="0", help="a webcam's number or an address")
    parser.add_argument("--detector", default="auto", help="auto, roadnet, a file, or module:factory")
    parser.add_argument("--forecaster", default="auto", help="auto, constant-velocity or a weights file")
    parser.add_argument("--frames", type=int, help="stop after so many; a camera that is lost is connected to again")
    options = parser.parse_args()

    pipeline = build_pipeline(RunConfig(detector=options.detector, forecaster=options.forecaster, imgsz=416)).pipeline
    source = open_source([options.camera], newest_only=True)
    window, reason = Window.open("perception")
    history = TrackHistory()
    print("press q in the window to end" if window else f"no window: {reason}; press Ctrl-C to end")
    for scene in pipeline.run(source, max_frames=options.frames):
        history.update(scene)
        print(f"{len(scene.tracks)} objects, {source.dropped} frames dropped")
        if window and not window.show(draw_scene(scene, history=history)):
            break
    source.close()


if __name__ == "__main__":
    main()
