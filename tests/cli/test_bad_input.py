"""Everything a user can get wrong: one sentence that names it, and the right exit code."""

from __future__ import annotations

import os
import pickle
import resource
import socket
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from support.commands import Command, boxes_process, process_environment
from support.media import write_image
from support.moving_boxes import street_image, write_street, write_street_recording

from perception.results import read_results
from perception.weights import save_weights

TESTS = Path(__file__).parents[1]

Make = Callable[[Path], list[str]]


def a_missing_file(folder: Path) -> list[str]:
    return ["demo", "--source", str(folder / "none.mp4")]


def an_empty_file(folder: Path) -> list[str]:
    (folder / "empty.mp4").touch()
    return ["demo", "--source", str(folder / "empty.mp4")]


def a_cut_off_file(folder: Path) -> list[str]:
    whole = write_street(folder / "whole.mp4").read_bytes()
    (folder / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    return ["demo", "--source", str(folder / "cut.mp4")]


def a_text_file(folder: Path) -> list[str]:
    (folder / "text.mp4").write_text("this is no video\n" * 50)
    return ["demo", "--source", str(folder / "text.mp4")]


def a_folder_without_images(folder: Path) -> list[str]:
    (folder / "nothing").mkdir()
    return ["demo", "--source", str(folder / "nothing")]


def an_unreadable_image(folder: Path) -> list[str]:
    (folder / "bad.png").write_bytes(b"\x89PNG no more")
    return ["demo", "--source", str(folder / "bad.png")]


def a_road_above_the_camera(folder: Path) -> list[str]:
    video = write_street(folder / "street.mp4")
    return ["demo", "--source", str(video), "--rig", "dashboard", "--road-height", "4"]


def an_absent_webcam(folder: Path) -> list[str]:
    return ["stream", "--source", "97"]


def an_address_that_refuses(folder: Path) -> list[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return ["stream", "--source", f"http://me:secret@127.0.0.1:{port}/video"]


def truth_without_a_column(folder: Path) -> list[str]:
    recording = write_street_recording(folder / "drive", frames=3)
    (recording / "objects.csv").write_text("camera,frame_index,id,class,x1,y1,x2\nfront,0,1,car,1,1,5\n")
    return ["evaluate", str(recording)]


def truth_with_a_negative_size(folder: Path) -> list[str]:
    recording = write_street_recording(folder / "drive", frames=3)
    with (recording / "objects.csv").open("a") as stream:
        stream.write("front,0,1,car,9,1,5,5\n")
    return ["evaluate", str(recording)]


def truth_past_the_end(folder: Path) -> list[str]:
    recording = write_street_recording(folder / "drive", frames=3)
    with (recording / "objects.csv").open("a") as stream:
        stream.write("front,3,1,car,1,1,5,5\n")
    return ["demo", "--source", str(recording)]


def a_missing_weights_file(folder: Path) -> list[str]:
    return ["demo", "--source", str(write_street(folder / "v.mp4")), "--weights", str(folder / "none.safetensors")]


def truncated_weights(folder: Path) -> list[str]:
    path = folder / "cut.safetensors"
    save_weights(path, {"weight": _tensor()}, kind="detector", config={})
    path.write_bytes(path.read_bytes()[:-30])
    return ["demo", "--source", str(write_street(folder / "v.mp4")), "--weights", str(path)]


def weights_of_another_model(folder: Path) -> list[str]:
    path = folder / "other.safetensors"
    save_weights(path, {"weight": _tensor()}, kind="forecaster", config={})
    return ["demo", "--source", str(write_street(folder / "v.mp4")), "--weights", str(path)]


class _Bomb:
    """Unpickled, it would write a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.path),)


def a_pickle_as_weights(folder: Path) -> list[str]:
    path = folder / "bomb.safetensors"
    path.write_bytes(pickle.dumps(_Bomb(folder / "exploded")))
    return ["demo", "--source", str(write_street(folder / "v.mp4")), "--weights", str(path)]


def a_zipped_pickle_for_torchvision(folder: Path) -> list[str]:
    path = folder / "bomb.pth"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(_Bomb(folder / "exploded")))
        archive.writestr("archive/version", "3\n")
    video = str(write_street(folder / "v.mp4"))
    return ["demo", "--source", video, "--detector", "fasterrcnn_resnet50_fpn_v2", "--weights", str(path)]


def an_unknown_option(folder: Path) -> list[str]:
    return ["demo", "--sorce", "x"]


def an_unknown_configuration_key(folder: Path) -> list[str]:
    (folder / "run.yaml").write_text(yaml.safe_dump({"confidence": 0.3}))
    return ["demo", "--config", str(folder / "run.yaml")]


def a_value_out_of_range(folder: Path) -> list[str]:
    return ["demo", "--source", "x", "--conf", "1.5"]


def an_unknown_class(folder: Path) -> list[str]:
    return ["demo", "--source", "x", "--classes", "car,tram"]


def no_source(folder: Path) -> list[str]:
    return ["evaluate"]


def _tensor():  # type: ignore[no-untyped-def]
    import torch

    return torch.ones(64)


REAL_DETECTOR_CASES: list[tuple[Make, int, str]] = [
    (a_missing_weights_file, 2, "none.safetensors"),
    (truncated_weights, 2, "cut.safetensors"),
    (weights_of_another_model, 2, "other.safetensors"),
    (a_pickle_as_weights, 2, "bomb.safetensors"),
    (a_zipped_pickle_for_torchvision, 2, "bomb.pth"),
]

CASES: list[tuple[Make, int, str]] = [
    (a_missing_file, 2, "none.mp4"),
    (an_empty_file, 2, "empty.mp4"),
    (a_cut_off_file, 2, "cut.mp4"),
    (a_text_file, 2, "text.mp4"),
    (a_folder_without_images, 2, "nothing"),
    (an_unreadable_image, 2, "bad.png"),
    (a_road_above_the_camera, 2, "--road-height 4.0: the camera "),
    (an_absent_webcam, 2, "97"),
    (an_address_that_refuses, 1, "127.0.0.1"),
    (truth_without_a_column, 2, "y2"),
    (truth_with_a_negative_size, 2, "objects.csv, line 8, column x2"),
    (truth_past_the_end, 2, "objects.csv, line 8, column frame_index"),
    (an_unknown_option, 2, "--sorce"),
    (an_unknown_configuration_key, 2, "run.yaml: unknown key confidence"),
    (a_value_out_of_range, 2, "--conf 1.5"),
    (an_unknown_class, 2, "--classes car,tram"),
    (no_source, 2, "evaluate: give one recording"),
]


@pytest.mark.parametrize(("make", "code", "named"), CASES, ids=[case[0].__name__ for case in CASES])
def test_wrong_input_is_one_sentence(boxes_command: Command, tmp_path: Path, make: Make, code: int, named: str) -> None:
    _assert_refused(boxes_command, tmp_path, make, code, named)


@pytest.mark.parametrize(
    ("make", "code", "named"), REAL_DETECTOR_CASES, ids=[case[0].__name__ for case in REAL_DETECTOR_CASES]
)
def test_wrong_weights_are_one_sentence_and_never_run(
    command: Command, tmp_path: Path, make: Make, code: int, named: str
) -> None:
    _assert_refused(command, tmp_path, make, code, named)
    assert not (tmp_path / "exploded").exists()


def test_the_bomb_would_have_gone_off(tmp_path: Path) -> None:
    pickle.loads(pickle.dumps(_Bomb(tmp_path / "exploded")))
    assert (tmp_path / "exploded").is_dir()


def _assert_refused(command: Command, folder: Path, make: Make, code: int, named: str) -> None:
    arguments = make(folder)
    ran = command(*arguments)
    assert ran.code == code, ran.err
    assert named in ran.sentence
    assert ran.sentence.endswith((".", "?"))
    assert "secret" not in ran.err
    assert ran.out == ""
    assert not (folder / "runs").exists()


@pytest.mark.parametrize(
    "image",
    [
        np.full((96, 160), 90, np.uint8),
        np.full((96, 160, 4), 90, np.uint8),
        np.full((96, 160), 20000, np.uint16),
        np.full((96, 160, 3), 20000, np.uint16),
    ],
    ids=["grey", "alpha", "grey 16 bits", "colour 16 bits"],
)
def test_odd_images_of_several_sizes_are_read(boxes_command: Command, tmp_path: Path, image: np.ndarray) -> None:
    folder = tmp_path / "images"
    write_image(folder / "0.png", street_image(0))
    cv2.imwrite(str(folder / "1.png"), image)
    write_image(folder / "2.png", cv2.resize(street_image(2), (320, 192)))
    ran = boxes_command("demo", "--source", folder)
    assert ran.code == 0, ran.err
    assert len(read_results(ran.folder).forecasts) == 3


def test_an_output_that_cannot_be_written(boxes_command: Command, street: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    ran = boxes_command("demo", "--source", street, "--output", tmp_path / "file")
    assert (ran.code, "file: is a file" in ran.sentence) == (2, True)
    ran = boxes_command("demo", "--source", street, "--output", tmp_path / "file" / "below")
    assert (ran.code, "below: cannot be made" in ran.sentence) == (1, True)


def test_a_disk_that_is_full_leaves_what_was_written(tmp_path: Path) -> None:
    video = write_street(tmp_path / "street.mp4", frames=40)

    def limit_file_size() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))

    # Python ignores SIGXFSZ: writing past the limit fails as on a full disk.
    done = subprocess.run(
        boxes_process("demo", "--source", str(video)),
        cwd=tmp_path,
        env=process_environment(),
        preexec_fn=limit_file_size,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    folder = tmp_path / done.stdout.splitlines()[-1]
    (error,) = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    assert f"{folder.name}/" in error
    assert "cannot be written" in error
    assert "Traceback" not in done.stderr
    assert 0 < len(read_results(folder).forecasts) < 40
