"""Latency of a forecaster's engine: one step of many tracks, neighbours found and futures decoded."""

from __future__ import annotations

import time

import numpy as np
import torch

from perception.arrays import FloatArray
from perception.forecasting.interaction import nearest_neighbours
from perception.forecasting.step_engine import StepEngine, example_inputs
from perception.forecasting.track_dataset import XY
from perception.forecasting.trajectory_gru import TrajectoryGRU


def step_ms(engine: StepEngine, model: TrajectoryGRU, *, tracks: int, repeats: int = 60) -> FloatArray:
    """(``repeats``,) milliseconds; ``model`` gives the sizes of the inputs. The first few steps are warm-up."""
    inputs = example_inputs(model, tracks, torch.Generator().manual_seed(0))
    positions = inputs["observations"][:, XY].numpy()
    taken = []
    for _ in range(repeats + 5):
        start = time.perf_counter()
        inputs["neighbours"] = torch.from_numpy(nearest_neighbours(positions))
        engine(inputs)
        taken.append((time.perf_counter() - start) * 1e3)
    return np.array(taken[5:])
