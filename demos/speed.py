"""How long a whole step takes, from decoding to the drawn frame, beside one forward of a small torchvision detector.

    python demos/speed.py drive.mp4 [--imgsz 416] [--frames 150]

Both run in turn, frame by frame, so that a busy machine slows both. The other detector's weights are random: that
changes what it finds, not how long its layers take.
"""

import argparse
from itertools import islice
from time import perf_counter

import numpy as np
import torch
from torchvision.models.detection import ssdlite320_mobilenet_v3_large

from perception import RunConfig, build_pipeline, open_source
from perception.visualization import TrackHistory, draw_scene


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("video")
    parser.add_argument("--imgsz", type=int, default=416, help="long side of RoadNet's input in pixels")
    parser.add_argument("--frames", type=int, default=150)
    parser.add_argument("--warmup", type=int, default=10, help="first frames that do not count")
    options = parser.parse_args()

    pipeline = build_pipeline(RunConfig(imgsz=options.imgsz, device="cpu")).pipeline
    other = ssdlite320_mobilenet_v3_large(weights=None, weights_backbone=None).eval()
    history, ours_ms, other_ms = TrackHistory(), [], []
    scenes = islice(pipeline.run(open_source([options.video])), options.frames)
    while True:
        start = perf_counter()
        scene = next(scenes, None)
        if scene is None:
            break
        history.update(scene)
        draw_scene(scene, history=history)
        ours_ms.append(1e3 * (perf_counter() - start))
        image = torch.from_numpy(scene.frame_set.frames[0].image).permute(2, 0, 1).float() / 255
        start = perf_counter()
        with torch.inference_mode():
            other([image])
        other_ms.append(1e3 * (perf_counter() - start))

    ours, theirs = (np.array(times[min(options.warmup, len(times) - 1) :]) for times in (ours_ms, other_ms))
    print(f"{len(ours)} frames, {torch.get_num_threads()} threads, medians")
    print(f"whole step, RoadNet at {options.imgsz}: {np.median(ours):.1f} ms")
    print(f"one eager forward of ssdlite320_mobilenet_v3_large: {np.median(theirs):.1f} ms")
    print(f"ratio, median of the pairs: {np.median(ours / theirs):.2f}")


if __name__ == "__main__":
    main()
