"""HOTA, IDF1 and CLEAR in the image."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.evaluation_tables import disturbed, random_table, read_motchallenge, table
from support.trackeval_oracle import assert_equal_to_trackeval, box_similarity, scores_of, sequence

from perception.errors import UsageError
from perception.evaluation.core.run_tables import join_tables
from perception.evaluation.tracking.image import evaluate_tracking
from perception.taxonomy import CLASSES
from perception.types import BoxTable

LEFT, RIGHT = (0.0, 0.0, 10.0, 10.0), (100.0, 0.0, 110.0, 10.0)


def trackeval_scores(truth: BoxTable, tracks: BoxTable) -> dict[str, float]:
    """TrackEval's scores of one class, its cameras put together as sequences."""
    sequences = {}
    for camera in np.unique(np.r_[truth.cameras, tracks.cameras]):
        ours, theirs = (side[side.cameras == camera] for side in (truth, tracks))
        sequences[str(camera)] = sequence(
            (ours.frame_indices, ours.ids, ours.boxes_xyxy_px),
            (theirs.frame_indices, theirs.ids, theirs.boxes_xyxy_px),
            box_similarity,
        )
    return scores_of(sequences)


def test_perfect_tracks_score_one() -> None:
    truth = random_table(np.random.default_rng(0))
    scores = evaluate_tracking(truth=truth, tracks=replace(truth, ids=truth.ids + 7)).overall
    shares = (scores.hota, scores.det_a, scores.ass_a, scores.loc_a, scores.idf1, scores.mota, scores.motp)
    assert shares == pytest.approx((1.0,) * 7)
    assert (scores.false_positive_count, scores.false_negative_count, scores.id_switch_count) == (0, 0, 0)


def test_swapped_ids_halfway() -> None:
    truth = table([(frame, identity, box) for frame in range(4) for identity, box in ((1, LEFT), (2, RIGHT))])
    swapped = replace(truth, ids=np.where(truth.frame_indices >= 2, 3 - truth.ids, truth.ids))
    scores = evaluate_tracking(truth=truth, tracks=swapped).overall
    # Each pair of object and track meets in 2 frames and is 4 + 4 - 2 = 6 frames long: association 1/3.
    assert scores.det_a == pytest.approx(1.0)
    assert scores.ass_a == pytest.approx(1 / 3)
    assert scores.hota == pytest.approx((1 / 3) ** 0.5)
    assert scores.idf1 == pytest.approx(0.5)
    assert scores.id_switch_count == 2
    assert scores.mota == pytest.approx(1 - 2 / 8)


def test_one_miss_and_one_false_alarm() -> None:
    truth = table([(frame, 1, LEFT) for frame in range(4)])
    tracks = table([(0, 5, LEFT), (1, 5, LEFT), (2, 5, LEFT), (3, 5, RIGHT)])
    scores = evaluate_tracking(truth=truth, tracks=tracks).overall
    assert (scores.false_negative_count, scores.false_positive_count, scores.id_switch_count) == (1, 1, 0)
    assert scores.mota == pytest.approx(1 - 2 / 4)
    assert scores.det_a == pytest.approx(3 / 5)
    assert (scores.idp, scores.idr, scores.idf1) == pytest.approx((0.75, 0.75, 0.75))


@pytest.mark.parametrize("seed", range(12))
def test_equals_trackeval_on_random_tracks(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = random_table(rng, frames=15, objects=7, presence=rng.uniform(0.2, 1.0))
    tracks = disturbed(rng, truth, jitter_px=rng.uniform(0, 15))
    assert_equal_to_trackeval(evaluate_tracking(truth=truth, tracks=tracks).overall, trackeval_scores(truth, tracks))


def test_equals_trackeval_over_two_cameras() -> None:
    rng = np.random.default_rng(5)
    truth, tracks = random_table(rng, objects=8), None
    truth = replace(truth, cameras=np.where(truth.ids % 2, "rear", "front"))
    tracks = disturbed(rng, truth)
    tracks = replace(tracks, cameras=np.where(tracks.ids % 2, "rear", "front"))
    report = evaluate_tracking(truth=truth, tracks=tracks)
    assert report.camera_count == 2
    assert_equal_to_trackeval(report.overall, trackeval_scores(truth, tracks))


@pytest.mark.shared
def test_equals_trackeval_on_the_motorway(shared_dir: Path) -> None:
    truth = read_motchallenge(shared_dir / "real/motorway/val_morning/gt.txt")
    truth = truth[truth.frame_indices < 150]
    tracks = disturbed(np.random.default_rng(1), truth, jitter_px=2.0)
    report = evaluate_tracking(truth=truth, tracks=tracks, grouping="vehicles")
    assert_equal_to_trackeval(report.overall, trackeval_scores(truth, tracks))
    per_class = evaluate_tracking(truth=truth, tracks=tracks)
    for label, name in enumerate(("car", "truck")):
        theirs = trackeval_scores(truth[truth.labels == label], tracks[tracks.labels == label])
        assert_equal_to_trackeval(per_class.per_class[name], theirs)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_names_of_ids_and_order_of_rows_do_not_matter(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = random_table(rng, frames=6, objects=4)
    tracks = disturbed(rng, truth)
    names = rng.permutation(20_000)
    renamed = replace(tracks, ids=names[tracks.ids])[rng.permutation(len(tracks))]
    expected = evaluate_tracking(truth=truth, tracks=tracks).overall
    assert evaluate_tracking(truth=truth, tracks=renamed).overall.hota == pytest.approx(expected.hota)
    assert evaluate_tracking(truth=truth, tracks=renamed).overall.idf1 == pytest.approx(expected.idf1)


def test_classes_and_cameras_never_match_each_other() -> None:
    truth = table([(0, 1, LEFT), (0, 2, LEFT)], cameras=["front", "rear"])
    as_truck = evaluate_tracking(truth=truth, tracks=replace(truth, labels=np.array([1, 1])))
    assert as_truck.overall.false_positive_count == as_truck.overall.false_negative_count == 2
    assert set(as_truck.per_class) == {"car", "truck"}
    as_one = evaluate_tracking(truth=truth, tracks=replace(truth, labels=np.array([1, 1])), grouping="vehicles")
    assert as_one.overall.mota == 1.0
    only_front = evaluate_tracking(truth=truth, tracks=truth[truth.cameras == "front"])
    assert only_front.overall.false_negative_count == 1


def test_vehicles_as_one_leaves_pedestrians_out_and_reports_it() -> None:
    truth = table([(0, 1, LEFT), (0, 2, RIGHT)], labels=[0, 5])
    report = evaluate_tracking(truth=truth, tracks=truth, grouping="vehicles")
    assert (report.other_class_truth_count, report.other_class_result_count) == (1, 1)
    assert report.overall.truth_box_count == 1


def test_images_limit_what_is_evaluated_and_count_the_rest() -> None:
    truth = table([(0, 1, LEFT)])
    tracks = table([(0, 1, LEFT), (1, 1, LEFT)])
    report = evaluate_tracking(truth=truth, tracks=tracks, images=[("front", 0)])
    assert report.overall.mota == 1.0
    assert report.outside_result_count == 1


def test_hidden_and_low_objects_count_neither_way() -> None:
    hidden, low = (200.0, 0.0, 210.0, 10.0), (300.0, 0.0, 304.0, 4.0)
    rows = [(frame, number, box) for frame in range(3) for number, box in enumerate((LEFT, hidden, low))]
    truth = replace(table(rows), visible_shares=np.tile([1.0, 0.4, 1.0], 3))
    limits = {"min_height_px": 5, "min_visible_share": 0.5}
    for tracks in (truth, truth[truth.ids == 0]):
        report = evaluate_tracking(truth=truth, tracks=replace(tracks, visible_shares=None), **limits)
        assert (report.overall.hota, report.overall.mota) == pytest.approx((1.0, 1.0))
        assert report.ignored_truth_count == 6
        assert report.ignored_result_count == len(tracks) - 3
    # A track that follows nothing is an alarm where it is high enough, whoever is hidden elsewhere.
    alarms = table([(0, 7, (400.0, 0.0, 410.0, 10.0)), (1, 8, (400.0, 0.0, 404.0, 4.0))])
    assert evaluate_tracking(truth=truth, tracks=alarms, **limits).overall.false_positive_count == 1
    # A truth that does not know what is visible counts all of it.
    assert evaluate_tracking(truth=table(rows), tracks=table(rows), **limits).ignored_truth_count == 3


def test_no_tracks_is_zero_and_no_truth_is_undefined() -> None:
    truth, nothing = table([(0, 1, LEFT)]), table([])
    missed = evaluate_tracking(truth=truth, tracks=nothing).overall
    assert (missed.hota, missed.idf1, missed.mota) == (0.0, 0.0, 0.0)
    assert (missed.idp, missed.motp, missed.loc_a) == (None, None, None)
    alarm = evaluate_tracking(truth=nothing, tracks=truth, images=[("front", 0)]).overall
    assert (alarm.hota, alarm.idf1, alarm.mota) == (None, None, None)
    assert alarm.false_positive_count == 1


def test_rejects_what_does_not_belong_together() -> None:
    truth = table([(0, 1, LEFT)])
    with pytest.raises(UsageError, match="camera 'rear'"):
        evaluate_tracking(truth=truth, tracks=replace(truth, cameras=np.array(["rear"])))
    with pytest.raises(UsageError, match="no boxes"):
        evaluate_tracking(truth=table([]), tracks=truth)
    with pytest.raises(UsageError, match="id 1 twice in frame 0"):
        evaluate_tracking(truth=truth, tracks=table([(0, 1, LEFT), (0, 1, RIGHT)]))
    with pytest.raises(UsageError, match="label 6"):
        evaluate_tracking(truth=truth, tracks=replace(truth, labels=np.array([6])))
    with pytest.raises(UsageError, match="x1, y1, x2, y2"):
        evaluate_tracking(truth=truth, tracks=table([(0, 1, (10.0, 0.0, 0.0, 10.0))]))
    with pytest.raises(UsageError, match=r"visible share is 1\.5"):
        evaluate_tracking(truth=truth, tracks=truth, min_visible_share=1.5)


def test_a_track_counts_once_whatever_its_classes() -> None:
    """Seen as a car, then as a truck: two classes have it, and all together it is one; another camera has its own."""
    truth = random_table(np.random.default_rng(3))
    half = truth.frame_indices < np.median(truth.frame_indices)
    changing = replace(truth, labels=np.where(half, CLASSES.index("car"), CLASSES.index("truck")))
    other = replace(changing, cameras=np.full(len(truth), "rear"))
    for tables, count in (([changing], 1), ([changing, other], 2)):
        both = join_tables(tables)
        report = evaluate_tracking(truth=both, tracks=both)
        objects = len(np.unique(truth.ids)) * count
        assert report.overall.result_track_count == report.overall.truth_object_count == objects
        assert sum(scores.result_track_count for scores in report.per_class.values()) > objects
