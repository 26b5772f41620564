"""Regions to ignore in the tables of tracking, as TrackEval prepares MOTChallenge's and KITTI's files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.evaluation_tables import disturbed, random_table
from support.media import numbered_image, write_image
from support.trackeval_oracle import assert_equal_to_trackeval, scores_of

from perception.evaluation.tracking.image import evaluate_tracking
from perception.sources import read_box_truth
from perception.taxonomy import CLASSES
from perception.types import BoxTable

FRAMES, DISTRACTORS = 10, (2, 7, 8, 12)
CAR, PEDESTRIAN = CLASSES.index("car"), CLASSES.index("pedestrian")


def drawn(seed: int, label: int) -> tuple[BoxTable, BoxTable]:
    """Objects (the last three of eight to be ignored), and tracks that find most of all of them."""
    rng = np.random.default_rng(seed)
    truth = random_table(rng, frames=FRAMES, objects=8)
    tracks = disturbed(rng, truth, jitter_px=4.0, extra=20)
    tracks = tracks[tracks.frame_indices < FRAMES]
    labels = np.full(len(tracks), label)
    # Both files hold their numbers with six digits.
    boxes = np.round(tracks.boxes_xyxy_px, 6)
    return replace(truth, boxes_xyxy_px=np.round(truth.boxes_xyxy_px, 6)), replace(
        tracks, labels=labels, boxes_xyxy_px=boxes
    )


def mot_line(frame: int, identity: int, box: np.ndarray, *rest: object) -> str:
    x1, y1, x2, y2 = box.tolist()
    return ",".join(map(str, (frame + 1, identity, x1, y1, round(x2 - x1, 6), round(y2 - y1, 6), *rest)))


@pytest.mark.parametrize("seed", range(4))
def test_distractors_count_as_in_trackeval(tmp_path: Path, seed: int) -> None:
    trackeval = pytest.importorskip("trackeval")
    truth, tracks = drawn(seed, PEDESTRIAN)
    folder = tmp_path / "gt" / "MOT17-train" / "seq"
    for number in range(FRAMES):
        write_image(folder / "img1" / f"{number + 1:06d}.png", numbered_image(number))
    (folder / "seqinfo.ini").write_text(f"[Sequence]\nname=seq\nframeRate=10\nseqLength={FRAMES}\n")
    (folder / "gt").mkdir()
    kinds = np.where(truth.ids < 5, 1, np.array(DISTRACTORS)[truth.ids % len(DISTRACTORS)])
    rows = zip(truth.frame_indices, truth.ids, truth.boxes_xyxy_px, kinds, strict=True)
    (folder / "gt" / "gt.txt").write_text(
        "\n".join(mot_line(f, i + 1, box, int(kind == 1), kind, 0.5) for f, i, box, kind in rows)
    )
    results = tmp_path / "trackers" / "MOT17-train" / "ours" / "data"
    results.mkdir(parents=True)
    rows = zip(tracks.frame_indices, tracks.ids, tracks.boxes_xyxy_px, strict=True)
    (results / "seq.txt").write_text("\n".join(mot_line(f, i + 1, box, 1, -1, -1, -1) for f, i, box in rows))
    dataset = trackeval.datasets.MotChallenge2DBox(
        {
            "GT_FOLDER": str(tmp_path / "gt"),
            "TRACKERS_FOLDER": str(tmp_path / "trackers"),
            "SEQ_INFO": {"seq": FRAMES},
            "PRINT_CONFIG": False,
        }
    )
    known = read_box_truth(folder)
    assert known is not None and set(known.boxes.ids.tolist()) == {1, 2, 3, 4, 5}
    assert known.ignored.is_object.all()
    tracks = replace(tracks, cameras=np.full(len(tracks), "seq"))
    compare(dataset, "pedestrian", known.boxes, tracks, known.ignored)


@pytest.mark.parametrize("seed", range(4))
def test_dontcare_counts_as_in_trackeval(tmp_path: Path, seed: int) -> None:
    trackeval = pytest.importorskip("trackeval")
    truth, tracks = drawn(seed, CAR)
    tall = tracks.boxes_xyxy_px[:, 3] - tracks.boxes_xyxy_px[:, 1] > 26  # below that TrackEval has a rule of its own
    tracks = tracks[tall]
    (tmp_path / "gt" / "label_02").mkdir(parents=True)
    (tmp_path / "gt" / "calib").mkdir()
    (tmp_path / "gt" / "evaluate_tracking.seqmap.training").write_text(f"0000 empty 000000 {FRAMES:06d}\n")
    lines = []
    for frame, identity, box in zip(truth.frame_indices, truth.ids, truth.boxes_xyxy_px, strict=True):
        corners = " ".join(map(str, box.tolist()))
        kind = f"{identity} Car 0 0 0" if identity < 5 else "-1 DontCare -1 -1 -10"
        lines.append(f"{frame} {kind} {corners} 1 1 1 0 0 9 0")
    (tmp_path / "gt" / "label_02" / "0000.txt").write_text("\n".join(lines))
    results = tmp_path / "trackers" / "ours" / "data"
    results.mkdir(parents=True)
    rows = zip(tracks.frame_indices, tracks.ids, tracks.boxes_xyxy_px, strict=True)
    (results / "0000.txt").write_text(
        "\n".join(f"{f} {i} Car 0 0 0 {' '.join(map(str, box.tolist()))} 1 1 1 0 0 9 0 1" for f, i, box in rows)
    )
    dataset = trackeval.datasets.Kitti2DBox(
        {
            "GT_FOLDER": str(tmp_path / "gt"),
            "TRACKERS_FOLDER": str(tmp_path / "trackers"),
            "CLASSES_TO_EVAL": ["car"],
            "PRINT_CONFIG": False,
        }
    )
    known = read_box_truth(tmp_path / "gt")
    assert known is not None and set(known.boxes.ids.tolist()) == {0, 1, 2, 3, 4}
    assert not known.ignored.is_object.any()
    tracks = replace(tracks, cameras=np.full(len(tracks), "image_02"))
    compare(dataset, "car", known.boxes, tracks, known.ignored)


def compare(dataset: Any, name: str, truth: BoxTable, tracks: BoxTable, ignored: Any) -> None:
    (sequence,) = dataset.seq_list
    theirs = dataset.get_preprocessed_seq_data(dataset.get_raw_seq_data("ours", sequence), name)
    ours = evaluate_tracking(truth=truth, tracks=tracks, ignored=ignored).per_class[name]
    assert_equal_to_trackeval(ours, scores_of({sequence: theirs}))
    without = evaluate_tracking(truth=truth, tracks=tracks).per_class[name]
    assert without.false_positive_count > ours.false_positive_count
