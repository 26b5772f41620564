"""Frames, instants and truth of one recording."""

import numpy as np
import pytest

from perception.errors import UsageError
from perception.evaluation.core.timeline import Timeline
from perception.types import BoxTable, Frame, FrameSet


def frame(camera: str, index: int, timestamp_ns: int) -> Frame:
    return Frame(np.zeros((10, 20, 3), np.uint8), camera, timestamp_ns, index)


@pytest.fixture
def timeline() -> Timeline:
    """Camera b starts one instant late and misses the last one."""
    return Timeline.of(
        [
            FrameSet((frame("a", 0, 0),), 0, 0),
            FrameSet((frame("a", 1, 100), frame("b", 0, 101)), 100, 1),
            FrameSet((frame("a", 3, 200), frame("b", 1, 201)), 200, 2),
            FrameSet((frame("a", 4, 300),), 300, 3),
        ]
    )


def table(*rows: tuple[str, int, int]) -> BoxTable:
    """Rows of camera, frame, id."""
    count = len(rows)
    return BoxTable(
        frame_indices=np.array([frame for _, frame, _ in rows]),
        ids=np.array([track_id for _, _, track_id in rows]),
        labels=np.zeros(count, np.int64),
        scores=np.ones(count),
        boxes_xyxy_px=np.tile([0.0, 0.0, 4.0, 4.0], (count, 1)),
        cameras=np.array([camera for camera, _, _ in rows]),
    )


def test_instants_and_sizes(timeline: Timeline) -> None:
    assert timeline.timestamps_ns.tolist() == [0, 100, 200, 300]
    assert timeline.instant_of_frame["a"].tolist() == [0, 1, -1, 2, 3]
    assert timeline.instant_of_frame["b"].tolist() == [1, 2]
    assert timeline.image_sizes_px == {"a": (20, 10), "b": (20, 10)}


def test_the_images_of_some_instants(timeline: Timeline) -> None:
    assert timeline.images([0, 2]) == {("a", 0), ("a", 3), ("b", 1)}
    assert timeline.images([]) == set()
    with pytest.raises(UsageError, match="instant 4, the recording has 4"):
        timeline.images([1, 4])


def test_truth_at_instants_has_its_own_ids_in_each_camera(timeline: Timeline) -> None:
    moved = timeline.at_instants(table(("a", 3, 7), ("b", 1, 7), ("a", 1, 7), ("a", 2, 7), ("b", 9, 7)))
    assert moved.frame_indices.tolist() == [2, 2, 1]
    assert moved.cameras.tolist() == ["a", "b", "a"]
    assert moved.ids[0] == moved.ids[2] != moved.ids[1]
