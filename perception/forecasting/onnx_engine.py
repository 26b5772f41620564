"""TrajectoryGRU as an ONNX file: written with a check of its numbers, and run without PyTorch's network.

What has to be remembered of the tracks goes in and comes out, so the file itself holds no state.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from torch import Tensor

from perception.errors import PerceptionError, UsageError
from perception.files import atomic_write, parse_json
from perception.forecasting.step_engine import MEMORY, OUTPUTS, StepAndDecode, example_inputs
from perception.forecasting.trajectory_gru import TrajectoryGRU, read_gru_config

CONFIG_KEY, STEP_KEY = "perception.forecaster", "perception.dt_s"
TOLERANCE = 2e-3
"""Of the check: relative, absolute below 1; for a position 1 km away, in metres, that is the resolution of float32."""

_MOST_TRACKS = 100_000


class OnnxEngine:
    """An exported file behind ``StepEngine``; ``config`` and ``dt_s`` are what it was exported with."""

    def __init__(self, path: Path, *, threads: int = 0) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
            described = self._session.get_modelmeta().custom_metadata_map
        except Exception as error:  # ONNX Runtime raises types of its own for each kind of damage
            raise UsageError(f"{path}: not a readable ONNX file; export it again.") from error
        try:
            self.config = read_gru_config(parse_json(described[CONFIG_KEY]))
            self.dt_s = float(parse_json(described[STEP_KEY]))
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise UsageError(f"{path}: is no forecaster of this version; export it again.") from error
        has_outputs = set(OUTPUTS) <= {entry.name for entry in self._session.get_outputs()}
        if not 0 < self.dt_s <= self.config.horizon_s or not has_outputs:
            raise UsageError(f"{path}: is no forecaster of this version; export it again.")
        self._inputs = {entry.name for entry in self._session.get_inputs()}
        self._check_runs(path)

    def _check_runs(self, path: Path) -> None:
        """Raise ``UsageError`` where one step fails, or gives other shapes than the configuration states."""
        with torch.device("meta"):  # its parts that have no weights are enough
            model = TrajectoryGRU(self.config)
        given = example_inputs(model, 2, torch.Generator().manual_seed(0))
        steps, dimensions = round(self.config.horizon_s / self.dt_s), model.motion.dimensions
        futures = (2, self.config.modes, steps, dimensions)
        expected = {
            "log_probabilities": futures[:2],
            "means": futures,
            "stds": futures,
            **{f"next_{name}": tuple(given[name].shape) for name in MEMORY},
        }
        try:
            found = {name: tuple(value.shape) for name, value in self(given).items()}
        except Exception as error:  # ONNX Runtime raises types of its own
            raise UsageError(f"{path}: does not run as a forecaster; export it again.") from error
        if found != expected:
            raise UsageError(f"{path}: gives other shapes than it states; export it again.")

    def __call__(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        given = {name: value.numpy() for name, value in inputs.items() if name in self._inputs}
        found = self._session.run(list(OUTPUTS), given)
        return {name: torch.from_numpy(value) for name, value in zip(OUTPUTS, found, strict=True)}


@torch.no_grad()
def export_gru(model: TrajectoryGRU, path: Path, *, dt_s: float) -> float:
    """Write the file, after a check that ONNX Runtime gives the same numbers; returns the largest difference.

    Futures have points every ``dt_s`` up to the network's horizon. Raises ``UsageError`` where the packages of the
    extra [export] are missing, ``PerceptionError`` when numbers differ by more than ``TOLERANCE``.
    """
    try:
        import onnx
        import onnxscript  # noqa: F401, torch asks for it
    except ImportError as error:
        raise UsageError(f'Exporting needs {error.name}; install it with pip install "perception[export]".') from error
    times_s = torch.arange(1, round(model.config.horizon_s / dt_s) + 1) * dt_s
    module = StepAndDecode(model.eval(), times_s).eval()
    example = example_inputs(model, 3, torch.Generator().manual_seed(0))
    tracks = torch.export.Dim("tracks", min=1, max=_MOST_TRACKS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter speaks of its own future
        program = torch.onnx.export(
            module,
            tuple(example.values()),
            input_names=list(example),
            output_names=list(OUTPUTS),
            dynamic_shapes={name: {0: tracks} for name in example},
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    assert program is not None
    described = {CONFIG_KEY: json.dumps(asdict(model.config)), STEP_KEY: json.dumps(dt_s)}
    proto = program.model_proto
    onnx.helper.set_model_props(proto, described)
    content = proto.SerializeToString()
    difference = _largest_difference(module, content)
    if not difference <= TOLERANCE:
        raise PerceptionError(f"{path}: not written, because ONNX Runtime's numbers differ by {difference:.2g}.")
    with atomic_write(path) as temporary:
        temporary.write_bytes(content)
    return difference


def _largest_difference(module: StepAndDecode, content: bytes) -> float:
    """Between the two engines over several numbers of tracks, relative where numbers are larger than 1."""
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    wanted = {entry.name for entry in session.get_inputs()}
    worst = 0.0
    for count in (1, 2, 50):
        inputs = example_inputs(module.model, count, torch.Generator().manual_seed(count))
        expected = module(**inputs)
        found = session.run(list(OUTPUTS), {name: value.numpy() for name, value in inputs.items() if name in wanted})
        for ours, theirs in zip(expected, found, strict=True):
            apart = np.abs(ours.numpy() - theirs) / np.maximum(1.0, np.abs(ours.numpy()))
            worst = max(worst, float(apart.max(initial=0.0)))
    return worst
