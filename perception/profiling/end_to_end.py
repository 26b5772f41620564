"""End-to-end latency: the pipeline over a recording, from decoding to the files of results, stage after stage."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from time import perf_counter

import torch

from perception.cpu import has_16_bit_arithmetic
from perception.detection import RoadNetDetector
from perception.detection.roadnet.engines import EngineName
from perception.evaluation.core.latency_statistics import TOTAL
from perception.geometry.cameras import Rig
from perception.pipeline.build import build_pipeline
from perception.pipeline.config import RunConfig
from perception.pipeline.inputs import open_configured_source
from perception.profiling import StagedDetector
from perception.runtime.scene_writer import SceneWriter
from perception.weights import WEIGHTS_SUFFIX

EngineVariant = tuple[EngineName, bool]
"""An engine, and whether it computes with 16 bits (half precision)."""


def variants_of(detector: object, weights: tuple[Path, ...], device: torch.device) -> list[EngineVariant]:
    """The variants of a RoadNet that run on ``device``; none for any other detector, which runs as it is.

    With 16 bits only where the device has instructions for them.
    """
    if not isinstance(detector, RoadNetDetector) or weights[0].suffix != WEIGHTS_SUFFIX:
        return []
    on_gpu: list[EngineVariant] = [("torch", False), ("torch", True)]
    if device.type == "cuda":
        return on_gpu
    return [("onnx", False), *(on_gpu if has_16_bit_arithmetic() else on_gpu[:1])]


class EndToEnd:
    """Each call does one instant more of the recording, over and over, and returns milliseconds per stage.

    Files are written below ``folder``, anew each time that the recording is gone through.
    """

    def __init__(self, config: RunConfig, rig: Rig, folder: Path) -> None:
        assembly = build_pipeline(config, rig=rig)
        self._config, self._folder = config, folder
        self._detector = StagedDetector(assembly.pipeline.detector, assembly.device)
        self._pipeline = replace(assembly.pipeline, detector=self._detector)
        ours = assembly.pipeline.detector
        self.title = ours.engine.title if isinstance(ours, RoadNetDetector) else ours.name
        self._instants = self._run()

    def __call__(self) -> dict[str, float]:
        return next(self._instants)

    def close(self) -> None:
        """Finish the files."""
        self._instants.close()  # type: ignore[attr-defined]

    def _run(self) -> Iterator[dict[str, float]]:
        lap, started_s = 0, perf_counter()
        while True:
            folder = self._folder / str(lap)
            folder.mkdir(parents=True)
            self._pipeline.reset()
            with (
                closing(open_configured_source(self._config)) as source,
                SceneWriter(source, folder=folder) as recorder,
            ):
                for scene in self._pipeline.run(source):
                    written, _ = recorder.write(scene)
                    times = dict(written.stage_ms)
                    times.pop("detect")
                    decode_ms = times.pop("decode")
                    # A turn of the loop as in a run, without the time in which others are measured.
                    times[TOTAL] = 1e3 * (perf_counter() - started_s)
                    yield {"decode": decode_ms, **self._detector.stage_ms, **times}
                    started_s = perf_counter()
            shutil.rmtree(folder)
            lap += 1
