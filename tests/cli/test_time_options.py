"""``--fps``, ``--start``, ``--end``: the clock of what has none, and parts of recordings."""

from __future__ import annotations

from pathlib import Path

import av
import pytest
from support.commands import Command
from support.media import write_image
from support.mjpeg_server import MjpegServer
from support.moving_boxes import street_image, write_street_recording

from perception.results import read_results


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    for number in range(6):
        write_image(tmp_path / "pictures" / f"{number}.png", street_image(number))
    return tmp_path / "pictures"


@pytest.fixture
def raw_stream(tmp_path: Path) -> Path:
    path = tmp_path / "raw.h264"
    with av.open(str(path), "w", format="h264") as container:
        stream = container.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
        for number in range(6):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(street_image(number), format="rgb24")))
        container.mux(stream.encode(None))
    return path


def times_s(folder: Path) -> list[float]:
    return [record.timestamp_ns / 1e9 for record in read_results(folder).forecasts]


@pytest.mark.parametrize("source", ["pictures", "pictures/*.png"])
def test_images_without_a_rate_say_which_one_is_assumed(boxes_command: Command, pictures: Path, source: str) -> None:
    ran = boxes_command("demo", "--source", source)
    assert "images have no clock: 10 frames per second are assumed" in ran.err
    assert "--fps states others" in ran.err
    assert ran.err.index("no clock") < ran.err.index("6/6 frames"), "before the work"
    assert ran.err.count("no clock") == 1
    ran = boxes_command("demo", "--source", source, "--fps", "30")
    assert "no clock" not in ran.err
    assert times_s(ran.folder) == pytest.approx([number / 30 for number in range(6)], abs=1e-6)


def test_a_raw_stream_says_so_too(boxes_command: Command, raw_stream: Path) -> None:
    assert "a raw stream has no clock" in boxes_command("demo", raw_stream).err
    ran = boxes_command("demo", raw_stream, "--fps", "5")
    assert "no clock" not in ran.err
    assert times_s(ran.folder) == pytest.approx([number / 5 for number in range(6)], abs=1e-6)


def test_one_image_needs_no_rate(boxes_command: Command, pictures: Path) -> None:
    assert "no clock" not in boxes_command("demo", pictures / "1.png").err


@pytest.mark.parametrize("rate", ["0", "0.05", "1001", "-3", "nan"])
def test_impossible_rates_are_refused(boxes_command: Command, pictures: Path, rate: str) -> None:
    ran = boxes_command("demo", pictures, "--fps", rate)
    assert (ran.code, "--fps" in ran.sentence) == (2, True)


def test_a_recording_and_a_camera_keep_their_own_clocks(boxes_command: Command, tmp_path: Path) -> None:
    recording = write_street_recording(tmp_path / "recording", frames=2)
    ran = boxes_command("demo", recording, "--fps", "5")
    assert ran.code == 2 and "has its own clock; leave --fps out" in ran.sentence
    with MjpegServer([street_image(0)] * 4, fps=8) as server:
        assert "a live camera has its own clock" in boxes_command("demo", server.url, "--fps", "5").sentence
        assert "leave --start and --end out" in boxes_command("demo", server.url, "--start", "5").sentence


@pytest.mark.parametrize(("start", "end"), [("0.5", "1.2"), ("0:00.5", "00:00:01.2")])
def test_a_part_is_taken_by_its_times(boxes_command: Command, street: Path, start: str, end: str) -> None:
    ran = boxes_command("demo", street, "--start", start, "--end", end)
    assert times_s(ran.folder) == pytest.approx([0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1])
    assert "7/7 frames" in ran.err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--start", "9"), "--start 9: street: ends before that"),
        (("--start", "2", "--end", "1"), "--end 1 is not after the start, 2"),
        (("--start", "noon"), "--start"),
        (("--end", "-1"), "--end"),
    ],
)
def test_impossible_parts_are_refused(
    boxes_command: Command, street: Path, options: tuple[str, ...], said: str
) -> None:
    ran = boxes_command("demo", street, *options)
    assert (ran.code, said in ran.sentence) == (2, True), ran.sentence


def test_a_part_is_measured_against_the_truth_of_that_part(boxes_command: Command, tmp_path: Path) -> None:
    recording = write_street_recording(tmp_path / "recording")
    ran = boxes_command("evaluate", recording, "--start", "1")
    assert ran.code == 0
    assert len(read_results(ran.folder).forecasts) == 14
    assert "recall" in ran.out.lower()
    assert boxes_command("evaluate", ran.folder).code == 0
