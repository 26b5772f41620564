"""Renderers side by side: the same pictures in the same order, and the same sentence where OpenGL is missing."""

from __future__ import annotations

import os
from dataclasses import fields, replace

import numpy as np
import pytest
from support.rendering_world import camera, small_town, users, world
from support.simulators import needs_opengl

from perception.errors import UsageError
from perception.geometry.cameras import Rig
from perception.simulation.rendering import Conditions, ParallelRenderer, sensible_processes

CONDITIONS = replace(Conditions.named("clear-afternoon"), noise=0.02)
RIG = Rig({"front": camera(), "left": camera("left", yaw_deg=90, size_px=(320, 240), focal_px=200.0)})


@needs_opengl
def test_the_pictures_are_those_of_one_renderer_in_their_order() -> None:
    states = [world(users(("sedan", 12.0 + k, -1.0, 30.0), ("adult", 9.0, 2.0, 0.0)), time_s=k / 10) for k in range(7)]
    with ParallelRenderer(small_town(), RIG, seed=3, conditions=CONDITIONS, masks=True) as alone:
        expected = list(alone.render_each(states))
    with ParallelRenderer(small_town(), RIG, seed=3, conditions=CONDITIONS, masks=True, processes=2) as side_by_side:
        drawn = list(side_by_side.render_each(iter(states)))
    assert [state for state, _ in drawn] == states
    for (_, views), (_, others) in zip(drawn, expected, strict=True):
        assert list(views) == list(others)
        for name in views:
            for field in fields(views[name]):
                np.testing.assert_array_equal(getattr(views[name], field.name), getattr(others[name], field.name))


@pytest.mark.parametrize("processes", [1, 2])
def test_what_is_missing_is_reported_before_anything_is_drawn(monkeypatch: pytest.MonkeyPatch, processes: int) -> None:
    pytest.importorskip("moderngl")
    monkeypatch.setenv("__EGL_VENDOR_LIBRARY_FILENAMES", os.devnull)  # a machine without any driver
    with pytest.raises(UsageError, match=r"libegl1.*libgl1-mesa-dri"):
        ParallelRenderer(small_town(), RIG, seed=3, conditions=CONDITIONS, processes=processes)


def test_short_drives_are_not_worth_a_second_process() -> None:
    assert sensible_processes(5) == 1
    assert 1 <= sensible_processes(1000) <= 8
