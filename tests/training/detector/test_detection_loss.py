from dataclasses import replace

import torch

from perception.detection.roadnet.network import STRIDES, RoadNetOutput, grid_points
from perception.training.detector.augmentation import KNOWN_STRIDE, Batch
from perception.training.detector.loss import assign, detection_loss

SIZE = 64


def _batch(boxes: list[list[float]], labels: list[int], ids: list[int] | None = None) -> Batch:
    """The same objects in two images."""
    return Batch(
        images=torch.zeros(2, SIZE, SIZE, 3, dtype=torch.uint8),
        boxes_xyxy=torch.tensor([boxes, boxes], dtype=torch.float32),
        labels=torch.tensor([labels, labels]),
        object_ids=torch.tensor([ids or list(range(len(labels)))] * 2),
        valid=torch.ones(2, len(labels), dtype=torch.bool),
        known=torch.ones(2, 6, SIZE // KNOWN_STRIDE, SIZE // KNOWN_STRIDE, dtype=torch.bool),
        original=torch.ones(2, 1, SIZE // KNOWN_STRIDE, SIZE // KNOWN_STRIDE, dtype=torch.bool),
        distill=torch.zeros(2, 0, 6, dtype=torch.bool),
    )


def _output(logit: float = -4.0, half_side: float = 10.0) -> RoadNetOutput:
    """Every grid point predicts the same: each class by ``logit``, a square box around itself."""
    points = torch.cat([grid_points(SIZE // s, SIZE // s, s, device=torch.device("cpu")) for s in STRIDES])
    strides = torch.cat([torch.full(((SIZE // s) ** 2,), float(s)) for s in STRIDES])
    count = len(points)
    embeddings = torch.nn.functional.normalize(
        torch.randn(2, count, 8, generator=torch.Generator().manual_seed(0)), dim=-1
    )
    boxes = torch.cat([points - half_side, points + half_side], dim=1).expand(2, -1, -1)
    distances = torch.zeros(2, count, 4, 8)
    return RoadNetOutput(torch.full((2, count, 6), logit), boxes.clone(), embeddings, points, strides, distances)


def test_objects_take_grid_points_inside_them_and_the_best_overlap_has_the_best_quality():
    batch = _batch([[22.0, 22, 42, 42], [2, 2, 12, 12]], [0, 1])
    output = _output()
    assignment = assign(output, batch)
    taken = assignment.object_indices[0]
    for index in (0, 1):
        points = output.points_xy[taken == index]
        low, high = batch.boxes_xyxy[0, index, :2], batch.boxes_xyxy[0, index, 2:]
        assert len(points) >= 1
        assert ((points > low - 16) & (points < high + 16)).all()
    best = assignment.best_points[0, 0]
    assert assignment.quality[0, best] == assignment.quality[0][taken == 0].max()
    assert assignment.quality[0][taken < 0].max() == 0


def test_padding_is_no_object():
    batch = _batch([[22.0, 22, 42, 42], [0, 0, 0, 0]], [0, 1])
    batch = replace(batch, valid=torch.tensor([[True, False]] * 2))
    assert set(assign(_output(), batch).object_indices.unique().tolist()) == {-1, 0}


def test_an_object_smaller_than_the_grid_is_still_found():
    assert (assign(_output(half_side=2.0), _batch([[17.0, 17, 20, 20]], [0])).object_indices == 0).any()


def test_better_boxes_and_classes_cost_less():
    batch = _batch([[22.0, 22, 42, 42]], [0])
    good, bad = _output(half_side=10), _output(half_side=28)
    assert detection_loss(good, batch).boxes < detection_loss(bad, batch).boxes
    assignment = assign(good, batch)
    right = good.class_logits.clone()
    quality = assignment.quality.clamp(min=0.02, max=0.98)
    right[..., 0] = torch.where(assignment.object_indices == 0, torch.logit(quality), right[..., 0])
    assert detection_loss(good._replace(class_logits=right), batch).classes < 0.2 * detection_loss(good, batch).classes


def test_which_class_it_is_costs_only_where_an_object_is():
    batch, unsure = _batch([[22.0, 22, 42, 42]], [1]), _output()
    is_object = assign(unsure, batch).object_indices == 0
    right, elsewhere = unsure.class_logits.clone(), unsure.class_logits.clone()
    right[..., 1] += 3.0 * is_object
    elsewhere[..., 0] += 3.0 * ~is_object
    classification = detection_loss(unsure, batch).classification
    torch.testing.assert_close(classification, torch.tensor(6.0).log())  # one of six, all alike
    assert detection_loss(unsure._replace(class_logits=right), batch).classification < 0.25 * classification
    torch.testing.assert_close(
        detection_loss(unsure._replace(class_logits=elsewhere), batch).classification, classification
    )


def test_false_alarms_cost_only_where_absence_is_known():
    batch = _batch([[22.0, 22, 42, 42]], [0])
    quiet = _output()
    loud = quiet.class_logits.clone()
    far = (quiet.points_xy - 32).abs().max(dim=1).values > 24
    loud[:, far, 5] = 4.0
    loud_output = quiet._replace(class_logits=loud)
    known = batch.known.clone()
    known[:, 5] = False
    unknowing = replace(batch, known=known)
    assert detection_loss(loud_output, batch).classes > detection_loss(quiet, batch).classes + 0.5
    torch.testing.assert_close(detection_loss(loud_output, unknowing).classes, detection_loss(quiet, unknowing).classes)


def test_embeddings_of_the_same_object_attract():
    batch = _batch([[22.0, 22, 42, 42], [2, 2, 12, 12]], [0, 1], ids=[7, 8])
    output = _output()
    assignment = assign(output, batch)
    same, swapped = output.embeddings.clone(), output.embeddings.clone()
    for image in (0, 1):
        for index in (0, 1):
            place = assignment.best_points[image, index]
            same[image, place] = torch.eye(8)[index]
            swapped[image, place] = torch.eye(8)[index ^ image]
    attract = detection_loss(output._replace(embeddings=same), batch).embeddings
    repel = detection_loss(output._replace(embeddings=swapped), batch).embeddings
    assert attract < 0.1 < repel


def test_a_teacher_is_distilled_except_for_riders():
    batch = _batch([[22.0, 22, 42, 42]], [3])
    output = _output()
    scores = torch.zeros(2, len(output.points_xy), 6)
    rider = ((output.points_xy - 32).abs() < 9).all(dim=1)
    scores[:, rider, 5] = 0.9
    teacher_mask = torch.ones_like(scores, dtype=torch.bool)
    seen = replace(batch, teacher_scores=scores, teacher_boxes=output.boxes_xyxy, teacher_mask=teacher_mask)
    assert detection_loss(output, batch).teacher == 0
    assert detection_loss(output, seen).teacher < 0.01
    pedestrian = replace(seen, labels=torch.full((2, 1), 0))
    assert detection_loss(output, pedestrian).teacher > 0.5


def test_a_teacher_is_not_asked_where_its_answers_do_not_count():
    output = _output()
    scores = torch.zeros(2, len(output.points_xy), 6)
    scores[:, 0, 0] = 0.9
    teacher_mask = torch.ones_like(scores, dtype=torch.bool)
    batch = replace(
        _batch([[22.0, 22, 42, 42]], [0]),
        teacher_scores=scores,
        teacher_boxes=output.boxes_xyxy + 9,
        teacher_mask=teacher_mask,
    )
    assert detection_loss(output, batch).teacher > 0.1
    assert detection_loss(output, replace(batch, teacher_mask=~teacher_mask)).teacher == 0
    scores[1, 0, 0] = 0
    scores[1, 1, 3] = 0.9
    first = replace(batch, teacher_mask=teacher_mask & torch.tensor([True, False])[:, None, None])
    alone = detection_loss(output, first).teacher
    assert detection_loss(output, batch).teacher != alone
    scores[1] = 0
    torch.testing.assert_close(detection_loss(output, first).teacher, alone)


def test_a_teacher_is_ignored_about_what_was_pasted():
    output = _output()
    scores = torch.zeros(2, len(output.points_xy), 6)
    scores[:, 0, 0] = 0.9
    batch = replace(
        _batch([[22.0, 22, 42, 42]], [0]),
        teacher_scores=scores,
        teacher_boxes=output.boxes_xyxy + 9,
        teacher_mask=torch.ones_like(scores, dtype=torch.bool),
    )
    column, row = (output.points_xy[0] // KNOWN_STRIDE).long().tolist()
    original = batch.original.clone()
    original[:, :, row, column] = False
    loss = detection_loss(output, replace(batch, original=original))
    assert 0 < loss.teacher < detection_loss(output, batch).teacher
    assert loss.classes == detection_loss(output, batch).classes
    assert detection_loss(output, replace(batch, original=torch.zeros_like(original))).teacher == 0


def test_an_empty_batch_has_a_finite_loss():
    batch = _batch([[0.0, 0, 0, 0]], [0])
    batch = replace(batch, valid=torch.zeros(2, 1, dtype=torch.bool))
    assert all(torch.isfinite(value) for value in detection_loss(_output(), batch))


def test_where_a_teachers_rider_is_left_out_so_is_its_box():
    """YOLOX may see the motorcycle, NanoDet its rider: the box at their place is the rider's."""
    batch = _batch([[22.0, 22, 42, 42]], [3])
    output = _output()
    scores = torch.zeros(2, len(output.points_xy), 6)
    rider = ((output.points_xy - 32).abs() < 9).all(dim=1)
    scores[:, rider, 3], scores[:, rider, 5] = 0.5, 0.8
    seen = replace(batch, teacher_scores=scores, teacher_mask=torch.ones_like(scores, dtype=torch.bool))
    near, far = (replace(seen, teacher_boxes=output.boxes_xyxy + shift) for shift in (0.0, 15.0))
    torch.testing.assert_close(detection_loss(output, near).teacher, detection_loss(output, far).teacher)
    scores[:, rider, 5] = 0.3
    assert detection_loss(output, far).teacher > detection_loss(output, near).teacher + 0.5


def _one_grid_point(box: list[float], ltrb: list[float]) -> tuple[RoadNetOutput, Batch]:
    """A grid point at (32, 32) of stride 8, sure of these distances in strides, between two numbers by halves."""
    logits = -20.0 * (torch.arange(8.0) - torch.tensor(ltrb)[:, None]).abs().clamp(max=2.0)
    output = RoadNetOutput(
        torch.full((2, 1, 6), 2.0),
        torch.tensor(box).expand(2, 1, 4),
        torch.ones(2, 1, 1),
        torch.tensor([[32.0, 32.0]]),
        torch.tensor([8.0]),
        logits.expand(2, 1, 4, 8).clone().requires_grad_(),
    )
    return output, _batch([box], [0])


def test_distances_are_to_be_between_the_two_numbers_that_enclose_them():
    """One and a half strides to each side are half 1 and half 2, which costs log 2; a whole number costs nothing."""
    between, batch = _one_grid_point([20.0, 20, 44, 44], [1.5] * 4)
    torch.testing.assert_close(detection_loss(between, batch).dfl, torch.tensor(2.0).log())
    exact, batch = _one_grid_point([16.0, 24, 40, 48], [2.0, 1.0, 1.0, 2.0])
    assert detection_loss(exact, batch).dfl < 1e-6
    wrong, batch = _one_grid_point([16.0, 24, 40, 48], [1.0, 2.0, 2.0, 1.0])
    torch.testing.assert_close(detection_loss(wrong, batch).dfl, torch.tensor(20.0))


def test_a_distance_beyond_the_last_number_is_the_last_number():
    output, batch = _one_grid_point([-90.0, -90, 150, 150], [7.0] * 4)
    loss = detection_loss(output, batch)
    assert loss.dfl < 0.3
    loss.total.backward()
    assert output.ltrb_logits.grad is not None
    assert output.ltrb_logits.grad.isfinite().all()


def test_initial_scores_count_at_every_grid_point_but_for_riders_and_what_was_pasted():
    batch = _batch([[0.0, 0, 64, 64]], [3])
    output = _output(logit=-2.0)
    said = torch.full_like(output.class_logits, 0.5)
    kept = replace(batch, initial_scores=said)
    loss = detection_loss(output, kept, self_distillation_weight=0.5).self_distillation
    assert detection_loss(output, kept).self_distillation == 0
    # The machine with its rider fills the picture: what is said of pedestrians does not count anywhere inside.
    pedestrians = said.clone()
    pedestrians[..., 5] = 0.0
    inside = (output.points_xy > 0).all(dim=1)
    changed = torch.where(inside[:, None], pedestrians, said)
    share = (output.class_logits.sigmoid()[0, 0, 0] - 0.5).abs()
    assert loss > 0 and share > 0.3
    torch.testing.assert_close(
        detection_loss(output, replace(batch, initial_scores=changed), self_distillation_weight=0.5).self_distillation,
        loss,
    )
    pasted = replace(kept, original=torch.zeros_like(batch.original))
    assert detection_loss(output, pasted, self_distillation_weight=0.5).self_distillation == 0
