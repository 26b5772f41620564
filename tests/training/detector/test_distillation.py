import numpy as np
from support.training_images import bright_box_image, found_objects

from perception.taxonomy import CLASSES
from perception.training.detector.distillation import agreement, complete_labels, teacher_outputs
from perception.types import Detections

CAR, MOTORCYCLE, PEDESTRIAN = 0, 3, 5


class _Teacher:
    name, feature_space, feature_size, is_calibrated = "teacher", "", 0, False

    def __init__(self, found: Detections) -> None:
        self._found = found

    def detect(self, frames):
        return [self._found for _ in frames]


def test_two_weak_voices_that_agree_are_sure_and_one_alone_is_not():
    first = found_objects(([0, 0, 20, 20], 0.45, CAR), ([50, 50, 70, 70], 0.45, CAR), ([90, 0, 110, 20], 0.7, CAR))
    second = found_objects(([1, 0, 21, 20], 0.4, CAR), ([120, 60, 140, 80], 0.05, CAR))
    boxes, labels, sure = agreement([first, second])
    assert boxes.shape == (3, 4)
    assert labels.tolist() == [CAR] * 3
    assert sure.tolist() == [True, False, True]


def test_only_the_classes_that_people_left_out_are_completed():
    exhaustive = np.array([name == "car" for name in CLASSES])
    image = bright_box_image((60, 30, 110, 70), exhaustive=exhaustive)
    teacher = _Teacher(found_objects(([0, 0, 20, 40], 0.9, PEDESTRIAN), ([120, 0, 150, 20], 0.9, CAR)))
    (completed,) = complete_labels([image], [teacher])
    assert completed.labels.tolist() == [CAR, PEDESTRIAN]
    assert completed.exhaustive.all()
    assert len(set(completed.object_ids.tolist())) == 2


def test_human_boxes_win_and_riders_are_neither_pedestrian_nor_background():
    image = bright_box_image((60, 30, 110, 70), label=MOTORCYCLE, exhaustive=np.zeros(6, bool))
    teacher = _Teacher(found_objects(([61, 30, 110, 71], 0.9, MOTORCYCLE), ([70, 30, 95, 60], 0.9, PEDESTRIAN)))
    (completed,) = complete_labels([image], [teacher])
    assert completed.labels.tolist() == [MOTORCYCLE]
    assert completed.ignore_labels.tolist() == [PEDESTRIAN]


def test_complete_images_and_no_teachers_change_nothing():
    whole = bright_box_image((60, 30, 110, 70))
    partly = bright_box_image((60, 30, 110, 70), exhaustive=np.zeros(6, bool))
    teacher = _Teacher(found_objects(([0, 0, 20, 40], 0.9, PEDESTRIAN)))
    assert next(complete_labels([whole], [teacher])) is whole
    assert next(complete_labels([partly], [])) is partly


class _ConstantTeacher:
    """Gives every class the same score, at all of its grid points, and one box."""

    def __init__(self, score: float, side: float, *, points: int, size: tuple[int, int] | None = None) -> None:
        self.score, self.side, self.points, self.input_size_px = score, side, points, size
        self.asked = 0

    def dense(self, images):
        self.asked += len(images)
        shape = (len(images), self.points)
        return np.full((*shape, 6), self.score, np.float32), np.full((*shape, 4), self.side, np.float32)


def test_each_class_is_learnt_from_the_first_detector_that_counts_for_it():
    images = np.zeros((3, 64, 96, 3), np.uint8)
    cars, people = _ConstantTeacher(0.5, 10, points=4), _ConstantTeacher(0.8, 20, points=5)
    counts = np.zeros((3, 2, 6), bool)
    counts[0, 0, CAR] = counts[0, 1, [CAR, PEDESTRIAN]] = True
    counts[1, 1, PEDESTRIAN] = True
    answers = teacher_outputs([cars, people], images, counts)
    assert (cars.asked, people.asked) == (1, 2)
    assert answers.scores[:, :, CAR].tolist() == [[0.5] * 4 + [np.float32(0)]] + [[0.0] * 5] * 2
    np.testing.assert_allclose(answers.scores[:2, :, PEDESTRIAN], 0.8)
    assert answers.teacher_mask[0, :4, CAR].all()
    assert answers.teacher_mask[:, :, PEDESTRIAN].all(axis=1).tolist() == [True, True, False]
    assert answers.teacher_mask.any(axis=(1, 2)).tolist() == [True, True, False]
    assert answers.boxes[:2].min() == 20
    people.score = 0.2
    assert teacher_outputs([cars, people], images, counts).boxes[0, :, 0].tolist() == [10] * 4 + [20]


def test_a_detector_of_another_size_is_passed_over():
    images = np.zeros((2, 64, 96, 3), np.uint8)
    square, any_size = _ConstantTeacher(0.5, 10, points=4, size=(64, 64)), _ConstantTeacher(0.8, 20, points=4)
    answers = teacher_outputs([square, any_size], images, np.ones((2, 2, 6), bool))
    assert (square.asked, any_size.asked) == (0, 2)
    np.testing.assert_allclose(answers.scores, 0.8)
    assert teacher_outputs([square], images, np.ones((2, 1, 6), bool)) is None


UNKNOWN = np.zeros(6, bool)
MACHINE = (40, 40, 80, 80)
FAR = np.array([[0, 0, 9, 9]], np.float32)
RIDER = [50, 12, 70, 50]  # a quarter of it lies in the machine's box


def _completed(*objects: tuple[list[float], float, int], machine_label: int = MOTORCYCLE, **changes):
    image = bright_box_image(MACHINE, label=machine_label, **{"exhaustive": UNKNOWN, **changes})
    (completed,) = complete_labels([image], [_Teacher(found_objects(*objects))])
    return completed


def test_a_rider_who_stands_out_of_the_labelled_machine_is_no_pedestrian_either():
    completed = _completed((RIDER, 0.9, PEDESTRIAN))
    assert completed.labels.tolist() == [MOTORCYCLE] and completed.boxes_xyxy_px.tolist() == [[*MACHINE]]
    assert completed.ignore_labels.tolist() == [PEDESTRIAN]
    apart = _completed((RIDER, 0.9, PEDESTRIAN), riders_are_joined=False)
    assert apart.labels.tolist() == [MOTORCYCLE] and apart.boxes_xyxy_px.tolist() == [[40, 12, 80, 80]]
    assert apart.ignore_labels.tolist() == []


def test_who_walks_beside_a_machine_is_a_pedestrian():
    completed = _completed(([84, 12, 104, 80], 0.9, PEDESTRIAN))
    assert completed.labels.tolist() == [MOTORCYCLE, PEDESTRIAN] and len(completed.ignore_labels) == 0


def test_the_rider_of_a_doubtful_machine_is_as_doubtful():
    doubtful = (list(MACHINE), 0.2, MOTORCYCLE)
    completed = _completed(doubtful, (RIDER, 0.9, PEDESTRIAN), machine_label=CAR, boxes_xyxy_px=FAR)
    assert completed.labels.tolist() == [CAR]
    assert sorted(completed.ignore_labels.tolist()) == [MOTORCYCLE, PEDESTRIAN]


def test_the_rider_of_a_machine_that_is_to_be_ignored_is_no_pedestrian():
    ignored = {"ignore_xyxy_px": np.array([MACHINE], np.float32), "ignore_labels": np.array([MOTORCYCLE])}
    nothing = {"boxes_xyxy_px": np.zeros((0, 4), np.float32), "labels": np.zeros(0, np.int64)}
    completed = _completed((RIDER, 0.9, PEDESTRIAN), object_ids=np.zeros(0, np.int64), **nothing, **ignored)
    assert completed.labels.tolist() == []
    assert completed.ignore_labels.tolist() == [MOTORCYCLE, PEDESTRIAN]


def test_found_riders_go_into_found_machines():
    completed = _completed(
        (list(MACHINE), 0.9, MOTORCYCLE), (RIDER, 0.9, PEDESTRIAN), machine_label=CAR, boxes_xyxy_px=FAR
    )
    assert completed.labels.tolist() == [CAR, MOTORCYCLE]
    assert completed.boxes_xyxy_px[1].tolist() == [40, 12, 80, 80]


def test_persons_that_people_labelled_go_into_found_machines_where_riders_are_boxes_of_their_own():
    persons = {
        "boxes_xyxy_px": np.array([RIDER, [100, 10, 120, 80]], np.float32),
        "labels": np.array([PEDESTRIAN, PEDESTRIAN]),
        "object_ids": np.array([7, 8]),
        "exhaustive": np.array([name == "pedestrian" for name in CLASSES]),
    }
    found = (list(MACHINE), 0.9, MOTORCYCLE)
    apart = _completed(found, riders_are_joined=False, **persons)
    assert apart.labels.tolist() == [PEDESTRIAN, MOTORCYCLE] and apart.object_ids[0] == 8
    assert apart.boxes_xyxy_px.tolist() == [[100, 10, 120, 80], [40, 12, 80, 80]]
    # Where riders are within their machines' boxes, who has a box is a pedestrian.
    together = _completed(found, **persons)
    assert together.labels.tolist() == [PEDESTRIAN, PEDESTRIAN, MOTORCYCLE]
