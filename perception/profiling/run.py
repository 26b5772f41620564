"""Wires ``perception bench``: engines, end-to-end latency, scaling with cameras and with tracked objects."""

from __future__ import annotations

import resource
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict
from itertools import islice, pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import numpy as np
import torch
from rich.console import Console

from perception.cpu import available_processors
from perception.detection import DetectionSettings, RoadNetDetector, load_roadnet, open_detector, read_roadnet
from perception.detection.roadnet.engines import EngineName
from perception.detection.roadnet.network import to_input
from perception.errors import UsageError, counted
from perception.evaluation.core.latency_statistics import LatencyReport
from perception.evaluation.report.console_layout import print_note
from perception.files import write_json
from perception.geometry.cameras import Rig
from perception.pipeline.build import BuiltPipeline, build_pipeline
from perception.pipeline.config import BenchConfig
from perception.pipeline.inputs import open_configured_source
from perception.profiling import (
    CameraRing,
    Contender,
    Load,
    SyntheticTracks,
    draw_scaling,
    measure_engines,
    measure_interleaved,
    measure_roofline,
    measure_scaling,
    print_end_to_end,
    print_engines,
    print_scaling,
    work_of,
)
from perception.profiling.end_to_end import EndToEnd, variants_of
from perception.profiling.scaling import WARM_UP_INSTANTS
from perception.profiling.tables import EngineAndSize
from perception.protocols import Detector
from perception.runtime.progress import RunProgress
from perception.runtime.run_metadata import REPORT_FILE, make_run_folder
from perception.types import FrameSet

PLOT_FILE = "scaling.png"
_MOST_FRAMES = 48
"""Instants of the recording that are kept in memory and gone through again and again."""


def run_bench(config: BenchConfig, *, tables: Console, progress: Console) -> Path:
    """Measure, show the tables, write ``report.json`` and ``scaling.png`` into a new folder, return that.

    Raises ``UsageError`` for a source that is empty or whose cameras are not calibrated.
    """
    with closing(open_configured_source(config)) as source:
        rig, name = source.rig, source.name
        if rig is None:
            raise UsageError(f"{name}: its cameras are not calibrated; give their poses with a `rig`.")
        recorded = list(islice(source, _MOST_FRAMES))
    if not recorded:
        raise UsageError(f"{name}: holds no frames.")
    assembly = build_pipeline(config, rig=rig)
    contenders = _contenders(config, recorded[0], assembly)
    loads = len(_chosen_variants(config, assembly)) + len(contenders) + len(config.cameras) + len(config.objects)
    total = loads * (WARM_UP_INSTANTS + config.instants)
    with RunProgress(progress, total=total, unit="instants") as shown:
        end_to_end = _measure_end_to_end(config, rig, assembly, shown.update)
        engines = measure_engines(contenders, recorded, instants=config.instants, on_instant=shown.update)
        camera_loads = [_camera_load(config, rig, recorded, count) for count in config.cameras]
        object_loads = [_object_load(config, rig, count) for count in config.objects]
        scalings = [
            measure_scaling(what, loads, instants=config.instants, on_instant=shown.update)
            for what, loads in (("cameras", camera_loads), ("objects", object_loads))
        ]
    machine = f"{counted(available_processors(), 'processor')}, {assembly.device}"
    width, height = recorded[0].frames[0].size_px
    details = [
        f"{name}, {width}x{height} pixels, {assembly.pipeline.detector.name}; {machine}",
        f"tracker and forecaster alone, {counted(len(rig), 'camera')}; {machine}",
    ]
    print_end_to_end(end_to_end, tables, detail=details[0])
    print_engines(engines, tables, detail=details[0])
    for scaling, detail in zip(scalings, details, strict=True):
        print_scaling(scaling, tables, detail=detail)
    memory_bytes = _peak_memory_bytes(assembly.device)
    print_note(tables, f"All engines and sizes at once needed {memory_bytes / 2**30:.1f} GiB of memory.")
    folder = make_run_folder(
        "bench",
        config,
        name=name,
        device=str(assembly.device),
        notes=assembly.notes,
        weights=assembly.weights,
        tracker_settings=assembly.tracker_settings,
    )
    report = {
        "end_to_end": [
            {"detector": title, "image_size_px": size_px, "latency": asdict(latency)}
            for (title, size_px), latency in end_to_end.items()
        ],
        "engines": [one.to_json() | {"relative_to_first": one.median_ms / engines[0].median_ms} for one in engines],
        "scaling": [scaling.to_json() for scaling in scalings],
        "peak_memory_bytes": memory_bytes,
    }
    write_json(folder / REPORT_FILE, report)
    draw_scaling(scalings, folder / PLOT_FILE, title=f"Time per instant, {machine}")
    return folder


def _contenders(config: BenchConfig, frame_set: FrameSet, assembly: BuiltPipeline) -> list[Contender]:
    """The detector as it runs here, for a RoadNet its other engines too, and the peers."""
    ours, device = assembly.pipeline.detector, assembly.device
    # Opened first: a peer that is not there is to be reported before anything is timed.
    settings = DetectionSettings(confidence=config.conf, image_size_px=config.imgsz)
    peers = {name: _peer(name, settings, device) for name in dict.fromkeys(config.peers)}
    variants = variants_of(ours, assembly.weights, device)
    if not variants or not isinstance(ours, RoadNetDetector):
        contenders = [Contender(ours.name, ours)]
    else:
        inputs = to_input(torch.as_tensor(ours.prepare(frame_set.frames).images).cpu())
        model = read_roadnet(assembly.weights[0])[0]
        half_dtype = torch.float16 if device.type == "cuda" else torch.bfloat16
        dtypes = {half: half_dtype if half else torch.float32 for _, half in variants}
        works = {half: work_of(model, inputs, dtype) for half, dtype in dtypes.items()}
        rooflines = {half: measure_roofline(device, dtype) for half, dtype in dtypes.items()}
        contenders = []
        for engine, half in variants:
            detector = load_roadnet(assembly.weights[0], ours.settings, device=device, half=half, engine=engine)
            contenders.append(Contender(detector.engine.title, detector, works[half], rooflines[half]))
    names = [peer.name for peer in peers.values()] + [contender.title for contender in contenders]
    # Files of one name in several folders, as trainings write them, are called by their paths.
    return contenders + [
        Contender(peer.name if names.count(peer.name) == 1 else name, peer) for name, peer in peers.items()
    ]


def _peer(name: str, settings: DetectionSettings, device: torch.device) -> Detector:
    try:
        return open_detector(name, settings, device=device).detector
    except UsageError as error:
        raise UsageError(error.message, field="peers", value=name) from error


def _measure_end_to_end(
    config: BenchConfig, rig: Rig, assembly: BuiltPipeline, on_instant: Callable[[Mapping[str, float]], None]
) -> dict[EngineAndSize, LatencyReport]:
    """Each engine with each input size, interleaved; another detector as it is. Their files are thrown away."""
    runs: dict[EngineAndSize, EndToEnd] = {}
    with TemporaryDirectory() as scratch, ExitStack() as files:
        for engine, half, size in _chosen_variants(config, assembly):
            changed = config.model_copy(update={"engine": engine, "half": half, "imgsz": size})
            run = files.enter_context(closing(EndToEnd(changed, rig, Path(scratch) / str(len(runs)))))
            runs[run.title, size] = run
        return measure_interleaved(runs, instants=config.instants, on_instant=on_instant)


def _chosen_variants(config: BenchConfig, assembly: BuiltPipeline) -> list[tuple[EngineName, bool, int | None]]:
    variants = variants_of(assembly.pipeline.detector, assembly.weights, assembly.device)
    sizes: list[int | None] = [config.imgsz] if config.imgsz is not None or not variants else [*config.sizes]
    return [(engine, half, size) for engine, half in variants or [(config.engine, config.half)] for size in sizes]


def _peak_memory_bytes(device: torch.device) -> int:
    """Of this process so far; on a GPU, of its memory there."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _camera_load(config: BenchConfig, rig: Rig, recorded: Sequence[FrameSet], count: int) -> Load:
    """The whole pipeline, from frames to futures, before so many cameras; decoding is not in it."""
    ring = CameraRing(rig, count)
    pipeline, frame_sets = build_pipeline(config, rig=ring.rig).pipeline, ring.frame_sets(recorded)
    return Load(count, lambda: pipeline.step(next(frame_sets)).stage_ms)


def _object_load(config: BenchConfig, rig: Rig, count: int) -> Load:
    """Tracker and forecaster with so many objects around the car, which all are seen at every instant."""
    pipeline = build_pipeline(config, rig=rig).pipeline
    detector, tracker, forecaster = pipeline.detector, pipeline.tracker, pipeline.forecaster
    synthetic = SyntheticTracks(rig, count, feature_size=detector.feature_size, feature_space=detector.feature_space)
    instants, standing = synthetic.instants(), np.eye(4)

    def step() -> dict[str, float]:
        timestamp_ns, found = next(instants)
        times_s = [perf_counter()]
        tracks = tracker.update(found, timestamp_ns, standing)
        times_s.append(perf_counter())
        forecaster.step(tracks, timestamp_ns, standing)
        times_s.append(perf_counter())
        return {
            name: 1e3 * (end - start)
            for name, (start, end) in zip(("track", "forecast"), pairwise(times_s), strict=True)
        }

    return Load(count, step)
