"""Video files: round trips, death, full disks."""

import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest

from perception.errors import PerceptionError
from perception.visualization import VideoWriter

STEP_NS = 100_000_000


def picture(shade: int, size_px: tuple[int, int] = (64, 48)) -> np.ndarray:
    return np.full((size_px[1], size_px[0], 3), (shade, 255 - shade, 60), np.uint8)


def noise(size_px: tuple[int, int] = (320, 240), seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (size_px[1], size_px[0], 3), dtype=np.uint8)


def decode(path: Path) -> tuple[list[float], list[np.ndarray]]:
    """Times in seconds and RGB pictures of all frames that can be read."""
    times_s, pictures = [], []
    with av.open(str(path)) as container:
        try:
            for frame in container.decode(video=0):
                times_s.append(float(frame.pts * frame.time_base))
                pictures.append(frame.to_ndarray(format="rgb24"))
        except av.error.InvalidDataError:
            pass
    return times_s, pictures


def test_pictures_and_times_come_back(tmp_path):
    path = tmp_path / "runs" / "scene.mp4"
    start_ns = 1_700_000_000_000_000_000
    # Not evenly spaced: a dropped picture and a jitter.
    stamps_ns = start_ns + np.cumsum([0, 100, 100, 300, 90, 110, *[100] * 30]) * 1_000_000
    with VideoWriter(path, rate_fps=10) as video:
        for number, stamp_ns in enumerate(stamps_ns.tolist()):
            video.write(picture(6 * number), stamp_ns)
    times_s, pictures = decode(path)
    np.testing.assert_allclose(times_s, (stamps_ns - start_ns) / 1e9, atol=2e-5)
    assert video.written == len(pictures) == 36
    assert video.moved == 0
    for number in (0, 10, 35):
        np.testing.assert_allclose(pictures[number][24, 32].astype(int), picture(6 * number)[0, 0], atol=8)


def test_the_format_is_what_browsers_play(tmp_path):
    with VideoWriter(tmp_path / "a.mp4", rate_fps=10) as video:
        for number in range(5):
            video.write(picture(50), number * STEP_NS)
    with av.open(str(tmp_path / "a.mp4")) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert container.duration == pytest.approx(500_000, abs=2)


def test_odd_sizes_are_padded_and_other_sizes_fitted(tmp_path):
    with VideoWriter(tmp_path / "a.mp4", rate_fps=10) as video:
        video.write(picture(200, (65, 47)), 0)
        video.write(picture(200, (65, 47)), STEP_NS)
        video.write(picture(200, (30, 60)), 2 * STEP_NS)
    _, pictures = decode(tmp_path / "a.mp4")
    assert [image.shape for image in pictures] == [(48, 66, 3)] * 3
    np.testing.assert_allclose(pictures[1][10, 60].astype(int), [200, 55, 60], atol=12)
    # The tall picture stands in the middle, 24 wide, with black beside it.
    np.testing.assert_allclose(pictures[2][24, 33].astype(int), [200, 55, 60], atol=12)
    assert (pictures[2][:, :15] < 20).all()
    assert (pictures[2][:, 51:] < 20).all()


def test_times_that_do_not_advance_are_moved_and_counted(tmp_path):
    with VideoWriter(tmp_path / "a.mp4", rate_fps=10) as video:
        for stamp_ns in (0, STEP_NS, STEP_NS, 50, 9 * STEP_NS):
            video.write(picture(80), stamp_ns)
    assert video.moved == 2
    np.testing.assert_allclose(decode(tmp_path / "a.mp4")[0], [0, 0.1, 0.2, 0.3, 0.9], atol=2e-5)


def test_a_killed_process_leaves_a_video_that_plays(tmp_path):
    program = """
import os, signal, sys
from pathlib import Path
import numpy as np
from perception.visualization import VideoWriter
video = VideoWriter(Path(sys.argv[1]), rate_fps=10)
for number in range(60):
    video.write(np.full((48, 64, 3), 4 * number, np.uint8), number * 100_000_000)
os.kill(os.getpid(), signal.SIGKILL)
"""
    path = tmp_path / "scene.mp4"
    subprocess.run([sys.executable, "-c", program, str(path)], cwd=Path(__file__).parents[2], check=False)
    times_s, _ = decode(path)
    # The encoder holds back a picture, and the file one more.
    assert 57 <= len(times_s) < 60
    np.testing.assert_allclose(times_s, np.arange(len(times_s)) / 10, atol=2e-5)


def test_a_full_disk_is_one_sentence_and_the_rest_still_plays(tmp_path, file_size_limit):
    path = tmp_path / "scene.mp4"
    with (
        file_size_limit(400_000),
        pytest.raises(PerceptionError, match=r"scene\.mp4: cannot be written \(.*\)\.$"),
        VideoWriter(path, rate_fps=10) as video,
    ):
        for number in range(200):
            video.write(noise(seed=number), number * STEP_NS)
    assert path.stat().st_size <= 400_000
    assert 1 <= len(decode(path)[0]) < 200


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_disk_that_is_full_from_the_start(tmp_path):
    path = tmp_path / "scene.mp4"
    path.symlink_to("/dev/full")
    with pytest.raises(PerceptionError, match="No space left"), VideoWriter(path, rate_fps=10) as video:
        for number in range(30):
            video.write(picture(number), number * STEP_NS)
    with pytest.raises(ValueError, match="is closed"):
        video.write(picture(0), 0)


def test_what_cannot_be_made_names_the_file(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(PerceptionError, match=r"file/scene\.mp4: cannot be written"):
        VideoWriter(tmp_path / "file" / "scene.mp4", rate_fps=10).write(picture(1), 0)
    with pytest.raises(PerceptionError, match="not overwritten"):
        VideoWriter(tmp_path / "file", rate_fps=10)
    assert (tmp_path / "file").read_text() == "x"


def test_an_error_in_the_block_is_not_hidden_and_the_video_is_finished(tmp_path):
    with pytest.raises(KeyboardInterrupt), VideoWriter(tmp_path / "a.mp4", rate_fps=10) as video:
        for number in range(7):
            video.write(picture(9), number * STEP_NS)
        raise KeyboardInterrupt
    assert len(decode(tmp_path / "a.mp4")[0]) == 7


def test_wrong_pictures_are_refused(tmp_path):
    video = VideoWriter(tmp_path / "a.mp4", rate_fps=10)
    with pytest.raises(ValueError, match=r"uint8 \(H, W, 3\)"):
        video.write(np.zeros((4, 4), np.uint8), 0)
    with pytest.raises(ValueError, match="rate_fps"):
        VideoWriter(tmp_path / "b.mp4", rate_fps=0)
    video.close()
    assert not (tmp_path / "a.mp4").exists()
