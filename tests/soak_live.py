"""Six cameras, one killed now and then: ``python tests/soak_live.py --seconds 90 --kill-every 4``; an hour: 3600, 60.

Prints a table and fails where a promise is not kept. Cameras are processes of their own, which serve pictures of the
bundled drive.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from support.soak import SoakRun, cameras, soak

from perception.files import bundled
from perception.sources import open_source


def write_pictures(folder: Path, count: int = 20) -> None:
    """The first frames of the bundled drive's first camera, as JPEG."""
    source = open_source([str(bundled("data/recording"))])
    for number, frame_set in enumerate(islice(source, count)):
        picture = cv2.cvtColor(frame_set.frames[0].image, cv2.COLOR_RGB2BGR)
        cv2.imwrite(str(folder / f"{number:03d}.jpg"), picture)
    source.close()


Row = tuple[str, str, str, bool]
"""What is promised, what was measured, the limit, and whether it was kept."""


def table(run: SoakRun, *, fps: float) -> list[Row]:
    """All that the run shows; frames come at ``fps``."""
    live, stats = run.live, run.result.stats
    latency, limit_ms = live["glass_to_result_ms"], 2e3 / fps
    first, *_, last = latency["p95_by_third"]
    slowest_s, slope = max(run.back_s, default=np.inf), run.memory_slope_mb_per_minute()
    losses = sum(camera["losses"] for camera in live["cameras"].values())
    threads, handles = (np.array(sizes[len(sizes) // 3 :]) for sizes in (run.threads, run.handles))
    skew_ms, tolerance_ms = live["skew_ms"]["p95"], 1e3 * live["tolerance_s"]
    return [
        ("ended by", f"{stats.ended}, after {stats.elapsed_s:.0f} s", "the time was up", stats.failure is None),
        ("instants per second", f"{stats.rate_fps:.1f}", "", True),
        ("losses", f"{losses}", "", True),
        ("slowest to be back after its return", f"{slowest_s:.2f} s", "2 s", slowest_s < 2),
        ("memory after the first third", f"{slope:+.2f} MB a minute", "1 MB a minute", slope < 1),
        ("threads", f"{threads.min()} to {threads.max()}", "flat", bool(np.ptp(threads) <= 1)),
        ("handles", f"{handles.min()} to {handles.max()}", "flat", bool(np.ptp(handles) <= 2 * len(live["cameras"]))),
        ("lens to result, p95", f"{latency['p95']:.0f} ms", f"{limit_ms:.0f} ms", latency["p95"] < limit_ms),
        ("the same in the first and last third", f"{first:.0f}, {last:.0f} ms", "not growing", last < 1.5 * first),
        ("skew, p95", f"{skew_ms:.0f} ms", f"{tolerance_ms:.0f} ms", skew_ms <= tolerance_ms),
        ("sent = used + counted", "yes" if run.is_accounted else "no", "yes", run.is_accounted),
    ]


def main() -> int:
    """The exit code: 1 where a promise is not kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=90)
    parser.add_argument("--kill-every", type=float, default=4)
    parser.add_argument("--cameras", type=int, default=6)
    parser.add_argument("--fps", type=float, default=10)
    parser.add_argument("--detector", default="roadnet-nano")
    parser.add_argument("--imgsz", type=int, default=416)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        write_pictures(Path(folder))
        with cameras(Path(folder), count=given.cameras, fps=given.fps) as found:
            run = soak(
                found,
                seconds=given.seconds,
                kill_every_s=given.kill_every,
                detector=given.detector,
                imgsz=given.imgsz,
                device="cpu",
            )
    rows = table(run, fps=given.fps)
    print("| what | measured | limit | kept |\n|---|---|---|---|")
    for what, measured, limit, is_kept in rows:
        print(f"| {what} | {measured} | {limit} | {'yes' if is_kept else 'no'} |")
    return 0 if all(is_kept for *_, is_kept in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
