import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from support.detection_cases import TINY
from support.training_images import bright_box_image

from perception.detection.roadnet.network import RoadNet, to_input
from perception.detection.roadnet.weights import save_roadnet
from perception.errors import UsageError
from perception.training.detector.config import DetectorTraining
from perception.training.detector.copy_paste import Cutout
from perception.training.detector.dataset import LabelledImage
from perception.training.detector.task import (
    DetectorData,
    detector_task,
    load_data,
    sampling_weights,
)

SOMETHING = {key: [{"kind": "coco", "path": "x.json"}] for key in ("train", "validation")}


def test_images_with_classes_that_few_images_show_are_drawn_more_often():
    def image(label: int, weight: float = 1.0) -> LabelledImage:
        return LabelledImage(
            name=str(label),
            image=np.zeros((4, 4, 3), np.uint8),
            boxes_xyxy_px=np.array([[0, 0, 4, 4]], np.float32),
            labels=np.array([label]),
            object_ids=np.array([0]),
            exhaustive=np.ones(6, bool),
            weight=weight,
        )

    images = [image(0)] * 15 + [image(2)] + [image(0, weight=3.0)]
    weights = sampling_weights(images, rare_share=0.5)
    np.testing.assert_allclose(weights[:15], 1.0)
    np.testing.assert_allclose(weights[15], np.sqrt(0.5 * 17))
    assert weights[16] == 3.0
    np.testing.assert_allclose(sampling_weights(images, rare_share=0.0), [1.0] * 16 + [3.0])


class _Teacher:
    """Says the same everywhere: its own score."""

    def __init__(self, score: float, size: tuple[int, int] | None) -> None:
        self.score, self.input_size_px = score, size

    def dense(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.full((len(images), 20, 6), self.score), np.zeros((len(images), 20, 4))


def test_each_data_set_names_the_teachers_it_distils_and_a_batch_asks_those_that_take_its_size(monkeypatch, tmp_path):
    teachers = {"square.onnx": _Teacher(0.25, (64, 64)), "any.param": _Teacher(0.75, None)}
    monkeypatch.setattr(
        "perception.training.detector.task.read_coco", lambda path, **_: [bright_box_image((10, 10, 60, 60))]
    )
    sources = {"all": True, "none": False, "cars": {"square.onnx": ["car"]}}
    sets = [{"kind": "coco", "path": name, "distill": distill} for name, distill in sources.items()]
    config = DetectorTraining.model_validate(
        {
            "train": sets,
            "validation": SOMETHING["validation"],
            "distill": list(teachers),
            "sizes_px": [[64, 64], [96, 64]],
            "mosaic": 0,
        }
    )
    data = load_data(config, tmp_path, [])
    assert [image.distill.sum(axis=1).tolist() for image in data.train] == [[6, 6], [0, 0], [1, 0]]
    task = detector_task(config, data, list(teachers.values()), tmp_path, torch.device("cpu"))
    asked = set()
    for step in range(12):
        batch = task.sample_batch(step)
        width = batch.images.shape[2]
        if batch.teacher_scores is not None:
            asked.add((width, float(batch.teacher_scores.max())))
            teacher_mask = batch.teacher_mask[:, 0].sum(dim=1)
            assert set(teacher_mask.tolist()) <= ({0, 1, 6} if width == 64 else {0, 6})
    assert asked == {(64, 0.25), (96, 0.75)}


@pytest.mark.parametrize(
    ("distill", "message"),
    [({"other.onnx": ["car"]}, "lacks"), ({"square.onnx": ["lorry"]}, "known classes are car")],
)
def test_distilling_an_unlisted_detector_or_an_unknown_class_is_refused(distill, message):
    with pytest.raises(ValueError, match=message):
        DetectorTraining.model_validate(
            {
                "train": [{"kind": "coco", "path": "a.json", "distill": distill}],
                "validation": SOMETHING["validation"],
                "distill": ["square.onnx"],
            }
        )


def test_cutouts_are_pasted_into_the_images_of_those_sets_that_ask_for_it(monkeypatch, tmp_path):
    monkeypatch.setattr(
        "perception.training.detector.task.read_coco", lambda path, **_: [bright_box_image((10, 10, 60, 60))]
    )
    bus = Cutout(np.full((40, 40, 4), 255, np.uint8), 2, 7)
    monkeypatch.setattr("perception.training.detector.task.read_cutouts", lambda path: [bus])
    sets = [{"kind": "coco", "path": "plain"}, {"kind": "coco", "path": "pasted", "paste": 0.5}]
    given = {
        "train": sets,
        "validation": SOMETHING["validation"],
        "sizes_px": [[96, 64]],
        "mosaic": 0,
        "cutouts": "drive",
    }
    for change in ({"cutouts": None}, {"train": sets[:1]}):
        with pytest.raises(ValueError, match="cutouts and the paste"):
            DetectorTraining.model_validate({**given, **change})
    with pytest.raises(ValueError, match="pasted: nothing is pasted into validation"):
        DetectorTraining.model_validate({**given, "validation": sets[1:]})
    config = DetectorTraining.model_validate(given)
    data = load_data(config, tmp_path, [])
    assert [image.paste for image in data.train] == [0.0, 0.5]
    task = detector_task(config, data, [], tmp_path, torch.device("cpu"))
    batches = [task.sample_batch(step) for step in range(20)]
    shown = torch.stack([((batch.labels == 2) & batch.valid).any(dim=1).float().mean() for batch in batches])
    assert 0.1 < shown.mean() < 0.4
    only_plain = replace(data, train=data.train[:1])
    task = detector_task(config, only_plain, [], tmp_path, torch.device("cpu"))
    assert not any((task.sample_batch(step).labels == 2).any() for step in range(5))


def test_a_teacher_that_is_listed_already_does_not_agree_with_itself():
    config = DetectorTraining.model_validate({**SOMETHING, "teachers": ["a.onnx"]})
    more = config.with_teachers([Path("b.onnx"), Path("a.onnx"), Path("b.onnx")])
    assert more.teachers == (Path("b.onnx"), Path("a.onnx"))
    assert more.distill == (Path("b.onnx"),)


def test_only_boxes_learn_where_it_is_asked_for(tmp_path):
    torch.manual_seed(0)
    save_roadnet(RoadNet(), tmp_path / "start.safetensors")
    given = {**SOMETHING, "sizes_px": [[96, 64]], "trainable": "boxes", "settings": {"batch_size": 4}}
    for wrong in ({}, {"start": "start.safetensors", "keep_features": "start.safetensors"}):
        with pytest.raises(ValueError, match="trainable boxes need initial weights"):
            DetectorTraining.model_validate({**given, **wrong})
    config = DetectorTraining.model_validate({**given, "start": "start.safetensors"})
    data = DetectorData([bright_box_image((10, 10, 60, 60), scale=(1.0, 1.0))], {})
    with pytest.raises(UsageError, match="is not of size nano"):
        detector_task(config.model_copy(update={"size": "nano"}), data, [], tmp_path, torch.device("cpu"))
    task = detector_task(config, data, [], tmp_path, torch.device("cpu"))
    before = copy.deepcopy(task.model).eval()
    learning = [p for p in task.model.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(learning, lr=0.1)
    task.compute_loss(task.model, task.sample_batch(0))["total"].backward()
    optimizer.step()
    images = to_input(task.sample_batch(1).images)
    after, first = task.model.eval()(images), before(images)
    assert torch.equal(after.class_logits, first.class_logits) and torch.equal(after.embeddings, first.embeddings)
    assert not torch.allclose(after.boxes_xyxy, first.boxes_xyxy)


def test_keys_that_exclude_each_other_are_refused():
    with pytest.raises(ValueError, match="start and coco_start"):
        DetectorTraining.model_validate({**SOMETHING, "start": "roadnet", "coco_start": "c.safetensors"})
    with pytest.raises(ValueError, match="pseudo_labels"):
        DetectorTraining.model_validate({**SOMETHING, "teachers": ["a.onnx"], "pseudo_labels": "p.jsonl"})


def test_a_network_of_another_size_or_foreign_tensors_are_no_start(tmp_path):
    save_roadnet(RoadNet(TINY), tmp_path / "tiny.safetensors")
    torch.save({"conv.weight": torch.zeros(1)}, tmp_path / "foreign.pth")
    data = DetectorData([bright_box_image((10, 10, 60, 60))], {})
    for start, message in (
        ({"start": "tiny.safetensors"}, "tiny.safetensors: is not of size small"),
        ({"coco_start": "foreign.pth"}, "does not fit size small .convrelu_0.weight is missing"),
    ):
        config = DetectorTraining.model_validate({**SOMETHING, **start})
        with pytest.raises(UsageError, match=message):
            detector_task(config, data, [], tmp_path, torch.device("cpu"))


def test_the_first_layers_stay_frozen_where_it_is_asked_for(tmp_path):
    config = DetectorTraining.model_validate({**SOMETHING, "size": "nano", "frozen_layers": 3})
    data = DetectorData([bright_box_image((10, 10, 60, 60))], {})
    task = detector_task(config, data, [], tmp_path, torch.device("cpu"))
    frozen = {name for name, parameter in task.model.named_parameters() if not parameter.requires_grad}
    assert {name.split(".0.")[0] for name in frozen} == {"stem", "stages"}
    assert all(name.startswith(("stem.0.", "stages.0.0.")) for name in frozen)


def test_initial_outputs_are_kept(tmp_path, monkeypatch):
    """At first nothing is lost; a network that says other things loses."""
    monkeypatch.setattr("perception.training.detector.task.SIZES", {"small": TINY})
    given = {**SOMETHING, "sizes_px": [[96, 64]], "mosaic": 0, "dropout": 0, "settings": {"batch_size": 4}}
    config = DetectorTraining.model_validate({**given, "self_distillation": 0.5})
    data = DetectorData([bright_box_image((10, 10, 60, 60), scale=(1.0, 1.0))], {})
    task = detector_task(config, data, [], tmp_path, torch.device("cpu"))
    batch = task.sample_batch(0)
    first = task.compute_loss(task.model.eval(), batch)
    assert first["self_distillation"] < 1e-6
    with torch.no_grad():
        for head in task.model.heads:
            head.classes.bias += 2.0
    changed = task.compute_loss(task.model, batch)
    assert changed["self_distillation"] > 0.01
    others = sum(changed[name] * weight for name, weight in (("classes", 1.0), ("classification", 0.5), ("boxes", 2.0)))
    others += 0.1 * changed["embeddings"] + 0.25 * changed["dfl"]
    torch.testing.assert_close(changed["total"], others + 0.5 * changed["self_distillation"])
    plain = detector_task(DetectorTraining.model_validate(given), data, [], tmp_path, torch.device("cpu"))
    assert plain.sample_batch(0).initial_scores is None
