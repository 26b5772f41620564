"""Only regular files of bounded size are read; everything else is one sentence, at once."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from perception.class_names import read_class_map
from perception.errors import PerceptionError
from perception.files import read_json, read_yaml
from perception.safety.input_limits import MAX_CONFIG_BYTES
from perception.safety.regular_files import check_regular, open_regular, read_regular, read_regular_text
from perception.sources.files.csv_tables import read_csv, read_words
from perception.sources.files.poses import Poses
from perception.sources.files.video import VideoFile
from perception.sources.images import read_rgb
from perception.sources.truth.image_header import read_header
from perception.tables.prediction_files import read_detections, read_tracks
from perception.weights import read_card, read_config, read_plain_state, read_weights, weights_kind

READERS: dict[str, Callable[[Path], object]] = {
    "yaml": read_yaml,
    "json": read_json,
    "csv": lambda path: read_csv(path, required=("timestamp_ns",)),
    "words": lambda path: read_words(path, required=("seconds",)),
    "poses": Poses.read,
    "tracks": lambda path: read_tracks(path, camera="A"),
    "detections": lambda path: read_detections(path, camera="A"),
    "classes": read_class_map,
    "picture": read_rgb,
    "picture header": read_header,
    "video": lambda path: VideoFile(str(path), name="A"),
    "weights": lambda path: read_weights(path, kind="detector"),
    "weights' config": lambda path: read_config(path, kind="forecaster"),
    "weights' kind": weights_kind,
    "tensors": read_plain_state,
    "card": read_card,
}


@pytest.mark.parametrize("name", READERS)
def test_no_reader_waits_for_a_pipe_reads_a_device_or_a_folder(name: str, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (pipe, Path("/dev/zero"), tmp_path, tmp_path / "missing"):
        with pytest.raises(PerceptionError, match=str(path)):
            READERS[name](path)


def test_the_reason_is_said_in_words(tmp_path: Path) -> None:
    with pytest.raises(OSError) as caught:
        open_regular(Path("/dev/zero"))
    assert caught.value.strerror == "it is a device and no regular file"
    large = tmp_path / "large.yaml"
    with large.open("wb") as stream:
        stream.truncate(MAX_CONFIG_BYTES + 1)
    with pytest.raises(PerceptionError, match=r"large\.yaml: cannot be read \(it has more than the 256 KiB"):
        read_yaml(large)


def test_a_file_of_zeros_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "zeros.csv"
    with path.open("wb") as stream:
        stream.truncate(1 << 30)
    with pytest.raises(UnicodeDecodeError):
        read_regular_text(path)


def test_regular_files_are_read_as_ever(tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_bytes("a\r\nü\n".encode())
    (tmp_path / "link").symlink_to(path)
    check_regular(tmp_path / "link", max_bytes=10)
    assert read_regular(tmp_path / "link") == "a\r\nü\n".encode()
    assert read_regular_text(path) == "a\nü\n"
