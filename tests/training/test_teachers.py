import numpy as np
from training_images import bright_box_image

from perception.training.teachers import agreement, complete_labels
from perception.types import CLASSES, Detections

CAR, MOTORCYCLE, PEDESTRIAN = 0, 3, 5


def _found(*objects: tuple[list[float], float, int]) -> Detections:
    boxes = np.array([box for box, _, _ in objects], np.float32).reshape(-1, 4)
    return Detections(
        boxes_xyxy_px=boxes,
        scores=np.array([score for _, score, _ in objects], np.float32),
        labels=np.array([label for _, _, label in objects], np.int64),
        features=np.zeros((len(boxes), 0), np.float32),
        camera="image",
        image_size_px=(160, 96),
    )


class _Teacher:
    name, feature_space, feature_size = "teacher", "", 0

    def __init__(self, found: Detections) -> None:
        self._found = found

    def detect(self, frames):
        return [self._found for _ in frames]


def test_two_weak_voices_that_agree_are_sure_and_one_alone_is_not():
    first = _found(([0, 0, 20, 20], 0.45, CAR), ([50, 50, 70, 70], 0.45, CAR), ([90, 0, 110, 20], 0.7, CAR))
    second = _found(([1, 0, 21, 20], 0.4, CAR), ([120, 60, 140, 80], 0.05, CAR))
    boxes, labels, sure = agreement([first, second])
    assert boxes.shape == (3, 4)
    assert labels.tolist() == [CAR] * 3
    assert sure.tolist() == [True, False, True]


def test_only_the_classes_that_people_left_out_are_completed():
    exhaustive = np.array([name == "car" for name in CLASSES])
    image = bright_box_image((60, 30, 110, 70), exhaustive=exhaustive)
    teacher = _Teacher(_found(([0, 0, 20, 40], 0.9, PEDESTRIAN), ([120, 0, 150, 20], 0.9, CAR)))
    (completed,) = complete_labels([image], [teacher])
    assert completed.labels.tolist() == [CAR, PEDESTRIAN]
    assert completed.exhaustive.all()
    assert len(set(completed.object_ids.tolist())) == 2


def test_human_boxes_win_and_riders_are_neither_pedestrian_nor_background():
    image = bright_box_image((60, 30, 110, 70), label=MOTORCYCLE, exhaustive=np.zeros(6, bool))
    teacher = _Teacher(_found(([61, 30, 110, 71], 0.9, MOTORCYCLE), ([70, 30, 95, 60], 0.9, PEDESTRIAN)))
    (completed,) = complete_labels([image], [teacher])
    assert completed.labels.tolist() == [MOTORCYCLE]
    assert completed.ignore_labels.tolist() == [PEDESTRIAN]


def test_complete_images_and_no_teachers_change_nothing():
    whole = bright_box_image((60, 30, 110, 70))
    partly = bright_box_image((60, 30, 110, 70), exhaustive=np.zeros(6, bool))
    teacher = _Teacher(_found(([0, 0, 20, 40], 0.9, PEDESTRIAN)))
    assert next(complete_labels([whole], [teacher])) is whole
    assert next(complete_labels([partly], [])) is partly
