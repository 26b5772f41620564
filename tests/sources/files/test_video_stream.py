"""Which stream of a file is shown, and which way up."""

from pathlib import Path

import av
import numpy as np
import pytest
from support.media import number_of, numbered_image, write_image, write_video

from perception.errors import UsageError
from perception.sources import open_source

RIGHT, DOWN = np.array([1, 0]), np.array([0, 1])
ORIENTATIONS = {
    "plain": (RIGHT, DOWN),
    "half turn": (-RIGHT, -DOWN),
    "left-right mirrored": (-RIGHT, DOWN),
    "top-bottom mirrored": (RIGHT, -DOWN),
    "quarter turn": (DOWN, -RIGHT),
    "three quarter turns": (-DOWN, RIGHT),
    "transposed": (DOWN, RIGHT),
    "transposed along the other diagonal": (-DOWN, -RIGHT),
}
"""Where the stored picture's x and y axes are shown to."""


def with_display_matrix(path: Path, x_axis: np.ndarray, y_axis: np.ndarray) -> Path:
    """Write the matrix into the header of an MP4 file."""

    def matrix(x_axis: np.ndarray, y_axis: np.ndarray) -> bytes:
        rows = [[*x_axis * 0x10000, 0], [*y_axis * 0x10000, 0], [0, 0, 0x40000000]]
        return np.array(rows, ">i4").tobytes()

    data = path.read_bytes()
    header = data.index(b"tkhd")
    path.write_bytes(data[:header] + data[header:].replace(matrix(RIGHT, DOWN), matrix(x_axis, y_axis), 1))
    return path


@pytest.mark.parametrize("name", ORIENTATIONS)
def test_a_display_matrix_turns_and_mirrors(tmp_path: Path, name: str) -> None:
    x_axis, y_axis = ORIENTATIONS[name]
    stored = np.zeros((64, 96, 3), np.uint8)
    stored[:32, :48], stored[:32, 48:], stored[32:, :48], stored[32:, 48:] = 40, 90, 150, 220
    path = with_display_matrix(write_video(tmp_path / "a.mp4", [stored] * 3), x_axis, y_axis)
    image = next(iter(open_source([str(path)]))).frames[0].image
    height, width = image.shape[:2]
    assert (width, height) == ((96, 64) if x_axis[0] else (64, 96))
    for x, y, grey in ((-1, -1, 40), (1, -1, 90), (-1, 1, 150), (1, 1, 220)):
        across, down = x * x_axis + y * y_axis
        shown = image[height // 2 + down * height // 4, width // 2 + across * width // 4]
        assert np.abs(shown.astype(int) - grey).max() < 12, name


def test_the_stream_that_ffmpeg_prefers_is_read_and_the_others_are_named(tmp_path: Path) -> None:
    path = tmp_path / "two.mp4"
    with av.open(str(path), "w") as container:
        preview = container.add_stream("mjpeg", rate=10)
        preview.width, preview.height, preview.pix_fmt = 48, 32, "yuvj420p"
        main = container.add_stream("libx264", rate=10)
        main.disposition = av.stream.Disposition.default
        main.width, main.height, main.pix_fmt = 96, 64, "yuv420p"
        for number in range(12):
            image = numbered_image(number)
            if not number:
                container.mux(preview.encode(av.VideoFrame.from_ndarray(image[::2, ::2].copy(), format="rgb24")))
            container.mux(main.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        for stream in (preview, main):
            container.mux(stream.encode(None))
    source = open_source([str(path)])
    assert [number_of(s.frames[0].image) for s in source] == list(range(12))
    (said,) = source.warnings
    assert "2 video streams; stream 1 (h264, 96x64) is read, and not stream 0 (mjpeg, 48x32)" in said


def test_the_cover_of_an_audio_file_is_no_video(tmp_path: Path) -> None:
    cover = write_image(tmp_path / "cover.png", numbered_image(3)).read_bytes()
    path = tmp_path / "song.mp3"
    with av.open(str(path), "w") as container:
        sound = container.add_stream("libmp3lame", rate=44100)
        picture = container.add_stream("png")
        picture.width, picture.height, picture.pix_fmt = 96, 64, "rgb24"
        picture.disposition = av.stream.Disposition.attached_pic
        packet = av.Packet(cover)
        packet.stream = picture
        for _ in range(20):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1152), np.float32), format="fltp", layout="mono")
            frame.sample_rate = 44100
            container.mux(sound.encode(frame))
        container.mux(packet)
        container.mux(sound.encode(None))
    with pytest.raises(UsageError, match="holds no video"):
        open_source([str(path)])
