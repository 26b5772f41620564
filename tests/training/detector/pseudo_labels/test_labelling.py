"""Making the file: what is asked, what is written, going on after a stop, what is refused."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from support.detection_cases import CPU, write_onnx
from support.training_images import bright_box_image

from perception.errors import PerceptionError, UsageError
from perception.taxonomy import CLASSES
from perception.training.detector.dataset import LabelledImage
from perception.training.detector.pseudo_labels import (
    LabellingDetector,
    PseudoLabelling,
    complete_from_file,
    open_labelling_detectors,
    read_pseudo_labels,
)
from perception.types import Detections, Frame

NOTHING_KNOWN = np.zeros(6, bool)
ALL_KNOWN = np.ones(6, bool)


class BrightBox:
    """Finds the bright box of ``bright_box_image`` as a car, and counts what it is asked."""

    name, feature_space, feature_size, is_calibrated = "bright", "", 0, False

    def __init__(self, score: float, *, stop_after: int | None = None) -> None:
        self.score, self.stop_after, self.asked = score, stop_after, 0

    def detect(self, frames: Sequence[Frame]) -> list[Detections]:
        if self.asked == self.stop_after:
            raise KeyboardInterrupt
        self.asked += len(frames)
        return [self._of(frame) for frame in frames]

    def _of(self, frame: Frame) -> Detections:
        ys, xs = np.nonzero(frame.image[..., 0] == 255)
        return Detections(
            boxes_xyxy_px=np.array([[xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]], np.float32),
            scores=np.array([self.score], np.float32),
            labels=np.array([0]),
            features=np.zeros((1, 0), np.float32),
            camera=frame.camera,
            image_size_px=frame.size_px,
        )


def asked(*detectors: BrightBox) -> list[LabellingDetector]:
    return [LabellingDetector(one, ALL_KNOWN, f"bright {one.score}") for one in detectors]


def images(count: int = 4, **changes: object) -> list[LabelledImage]:
    return [
        bright_box_image((10 + number, 10, 60, 60), name=f"{number}.png", **{"exhaustive": NOTHING_KNOWN, **changes})
        for number in range(count)
    ]


def names_in(path: Path) -> list[str]:
    return [json.loads(line)["image"] for line in path.read_text().splitlines()]


def test_every_image_with_unlabelled_classes_gets_a_line_that_a_training_reads(tmp_path: Path) -> None:
    path = tmp_path / "new" / "pseudo.jsonl"
    known = bright_box_image((5, 5, 9, 9), name="known.png")
    partly = bright_box_image((5, 5, 9, 9), name="partly.png", exhaustive=np.array([name == "car" for name in CLASSES]))
    first, second = BrightBox(0.9), BrightBox(0.5)
    labelling = PseudoLabelling([*images(2), known, partly], asked(first, second), path)
    objects: list[int] = []
    labelling.run(objects.append)
    assert (first.asked, second.asked, objects) == (3, 3, [1, 1, 1])
    assert names_in(path) == ["0.png", "1.png", "partly.png"]
    assert [file.name for file in path.parent.iterdir()] == ["pseudo.jsonl"]
    found = read_pseudo_labels(path)
    np.testing.assert_allclose(found["1.png"], [[11, 10, 60, 60, 0.7, 0]])
    bare = bright_box_image((11, 10, 60, 60), name="1.png", exhaustive=NOTHING_KNOWN)
    (completed,) = complete_from_file([bare], found)
    assert completed.exhaustive.all()


def test_what_hardly_anyone_saw_is_left_out(tmp_path: Path) -> None:
    for score, count in ((0.09, 0), (0.11, 1)):
        path = tmp_path / f"{score}.jsonl"
        blind = [LabellingDetector(BrightBox(0.0), ALL_KNOWN, "blind")]
        PseudoLabelling(images(1), asked(BrightBox(score)) + blind, path).run()
        assert len(read_pseudo_labels(path)["0.png"]) == count


def test_the_same_labelling_goes_on_after_a_stop(tmp_path: Path) -> None:
    whole, path = tmp_path / "whole.jsonl", tmp_path / "pseudo.jsonl"
    PseudoLabelling(images(), asked(BrightBox(0.9)), whole).run()
    with pytest.raises(KeyboardInterrupt):
        PseudoLabelling(images(), asked(BrightBox(0.9, stop_after=2)), path).run()
    assert not path.exists()
    partial = tmp_path / "pseudo.jsonl.partial"
    partial.write_bytes(partial.read_bytes() + b'{"image": "2.png", "obj')  # killed while it wrote
    detector = BrightBox(0.9)
    labelling = PseudoLabelling(images(), asked(detector), path)
    assert labelling.done_count == 2 and [image.name for image in labelling.todo] == ["2.png", "3.png"]
    labelling.run()
    assert detector.asked == 2 and not partial.exists()
    assert path.read_bytes() == whole.read_bytes()


def test_a_stop_before_the_first_image_and_one_after_the_last_are_gone_on_from(tmp_path: Path) -> None:
    path, partial = tmp_path / "pseudo.jsonl", tmp_path / "pseudo.jsonl.partial"
    partial.write_bytes(b'{"detectors": ["bri')
    PseudoLabelling(images(1), asked(BrightBox(0.9)), path).run()
    assert names_in(path) == ["0.png"]
    path.unlink()
    with pytest.raises(KeyboardInterrupt):
        PseudoLabelling(images(2), asked(BrightBox(0.9, stop_after=1)), path).run()
    labelling = PseudoLabelling(images(1), asked(BrightBox(0.9)), path)
    assert labelling.todo == []
    labelling.run()
    assert names_in(path) == ["0.png"]


def test_what_others_began_is_not_gone_on_with(tmp_path: Path) -> None:
    path = tmp_path / "pseudo.jsonl"
    with pytest.raises(KeyboardInterrupt):
        PseudoLabelling(images(), asked(BrightBox(0.9, stop_after=2)), path).run()
    with pytest.raises(UsageError, match=r"pseudo\.jsonl\.partial: was begun with other detectors"):
        PseudoLabelling(images(), asked(BrightBox(0.8)), path)
    partial = tmp_path / "pseudo.jsonl.partial"
    for damage in (b"[]\n", b'{"image": "x"}\n', b"\xff\n"):
        damaged = partial.read_bytes() + damage
        partial.write_bytes(damaged)
        with pytest.raises(UsageError, match=r"pseudo\.jsonl\.partial: is damaged .* remove it"):
            PseudoLabelling(images(), asked(BrightBox(0.9)), path)
        partial.write_bytes(damaged.removesuffix(damage))


def test_what_is_there_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "pseudo.jsonl"
    path.write_text("kept")
    with pytest.raises(PerceptionError, match="exists already"):
        PseudoLabelling(images(), asked(BrightBox(0.9)), path)
    assert path.read_text() == "kept"


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(PerceptionError, match=r"pseudo\.jsonl\.partial: cannot be"):
        PseudoLabelling(images(), asked(BrightBox(0.9)), tmp_path / "file" / "pseudo.jsonl").run()


def test_two_images_of_one_name_could_not_be_told_apart(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"0\.png: is the name of 2 training images"):
        PseudoLabelling([*images(), *images(1)], asked(BrightBox(0.9)), tmp_path / "p.jsonl")
    complete = bright_box_image((5, 5, 9, 9), name="0.png")
    PseudoLabelling([*images(), complete], asked(BrightBox(0.9)), tmp_path / "p.jsonl")


def test_nothing_to_do_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no pseudo-labels are needed"):
        PseudoLabelling([bright_box_image((5, 5, 9, 9))], asked(BrightBox(0.9)), tmp_path / "p.jsonl")


def test_detectors_are_opened_with_their_sizes(tmp_path: Path) -> None:
    yolox = write_onnx(tmp_path / "net.onnx")
    small, fixed = open_labelling_detectors(["roadnet-nano@128", f"{yolox}@96"], device=CPU)
    assert small.detector.settings.image_size_px == 128  # type: ignore[attr-defined]
    assert small.detector.settings.confidence == 0.01  # type: ignore[attr-defined]
    assert small.known_labels.all() and fixed.known_labels.all()
    assert small.identity.endswith("at 128 pixels") and fixed.identity.endswith("at 96 pixels")
    odd = tmp_path / "net@7"
    odd.mkdir()
    (opened,) = open_labelling_detectors([str(write_onnx(odd / "net.onnx"))], device=CPU)
    assert opened.identity == fixed.identity


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        ([], "detectors: name at least one detector"),
        (["roadnet-nano", "roadnet-nano@640"], "detectors roadnet-nano: is given twice"),
        (["{net}", "roadnet-nano", "{net}"], "net.onnx: is given twice"),
        (["{net}@640"], "net.onnx@640: runs at a size of its own"),
        (["roadnet-nano@9"], "image_size_px 9: give a number of pixels"),
        (["none.onnx"], "none.onnx: there is no such file"),
    ],
)
def test_detectors_that_cannot_be_asked(tmp_path: Path, names: list[str], sentence: str) -> None:
    net = write_onnx(tmp_path / "net.onnx")
    with pytest.raises(UsageError, match=sentence):
        open_labelling_detectors([name.format(net=net) for name in names], device=CPU)
