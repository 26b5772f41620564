"""``perception bench`` on the bundled recording."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from support.commands import Command
from support.onnx_graphs import maps, plain_frame, write_answers

from perception.cpu import has_16_bit_arithmetic
from perception.detection import DetectionSettings, OpenedDetector, Origin, RoadNetDetector
from perception.pipeline.config import BenchConfig
from perception.profiling import Contender, measure_engines
from perception.profiling import run as timing
from perception.types import FrameSet


def test_latencies_and_scaling_are_measured_and_written(command: Command) -> None:
    small = ("--detector", "roadnet-nano", "--imgsz", "128")
    ran = command("bench", *small, "--cameras", "2,1", "--objects", "5", "--instants", "2", "--output", "measured")
    assert ran.code == 0, ran.err
    assert ran.folder == Path("measured")
    content = json.loads(Path("measured/report.json").read_text())
    cameras, objects = content["scaling"]
    assert list(cameras["latency"]) == ["1", "2"] and list(objects["latency"]) == ["5"]
    assert {"detect", "ego_motion", "track", "forecast"} == set(cameras["latency"]["2"]["per_stage"])
    assert cameras["latency"]["2"]["total"]["instant_count"] == 2
    assert Path("measured/scaling.png").stat().st_size > 10_000
    for run in content["end_to_end"]:
        stages = ["decode", "prepare", "network", "nms", "ego_motion", "track", "forecast", "draw", "encode", "write"]
        assert list(run["latency"]["per_stage"]) == stages
        assert run["latency"]["total"]["instant_count"] == 2
        assert run["image_size_px"] == 128
    assert [run["detector"] for run in content["end_to_end"]] == [one["detector"] for one in content["engines"]]
    engines = content["engines"]
    titles = ["ONNX Runtime on cpu", "PyTorch on cpu", "PyTorch on cpu with 16 bits"]
    assert [one["detector"] for one in engines] == titles[: 2 + has_16_bit_arithmetic()]
    assert all(list(one["latency"]["per_stage"]) == ["prepare", "network", "nms"] for one in engines)
    assert all(one["roofline_share"] > 0 and one["images"] == 6 for one in engines)
    assert content["peak_memory_bytes"] > 2**27
    assert "ONNX Runtime" in ran.out and "Images/s" in ran.out and "encode" in ran.out and "GFLOP/s" in ran.out
    assert "imgsz: 128" in Path("measured/run.yaml").read_text()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--cameras", "0"), ["--cameras"]),
        (("--cameras", "two"), ["--cameras"]),
        (("--objects", ""), ["--objects"]),
        (("--instants", "0"), ["--instants"]),
        (("--sizes", "8"), ["--sizes"]),
        (("--peer", "no-such-detector"), ["--peer no-such-detector"]),
        (("--source", "no-such-recording"), ["no-such-recording"]),
    ],
)
def test_bad_options_are_named(command: Command, arguments: tuple[str, ...], words: list[str]) -> None:
    ran = command("bench", "--output", "measured", *arguments)
    assert ran.code == 2
    assert all(word in ran.sentence for word in words), ran.sentence
    assert not Path("measured").exists()


def test_peers_of_one_name_are_distinguished(monkeypatch: pytest.MonkeyPatch) -> None:
    class Peer:
        name = "roadnet"

    monkeypatch.setattr(timing, "variants_of", lambda *_: [])
    monkeypatch.setattr(timing, "open_detector", lambda *_, **__: OpenedDetector(Peer(), Origin("as asked")))
    pipeline = SimpleNamespace(detector=SimpleNamespace(name="ours"))
    assembly = SimpleNamespace(pipeline=pipeline, device=torch.device("cpu"), weights=())
    for peers, titles in (
        (["a/roadnet.onnx"], ["ours", "roadnet"]),
        (["a/roadnet.onnx", "b/roadnet.onnx", "a/roadnet.onnx"], ["ours", "a/roadnet.onnx", "b/roadnet.onnx"]),
    ):
        contenders = timing._contenders(BenchConfig(peers=peers), None, assembly)  # type: ignore[arg-type]
        assert [contender.title for contender in contenders] == titles


def test_a_peer_gets_the_size_that_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "variants_of", lambda *_: [])
    pipeline = SimpleNamespace(detector=SimpleNamespace(name="ours"))
    assembly = SimpleNamespace(pipeline=pipeline, device=torch.device("cpu"), weights=())
    config = BenchConfig(peers=["roadnet-nano"], imgsz=128)
    _, peer = timing._contenders(config, None, assembly)  # type: ignore[arg-type]
    assert isinstance(peer.detector, RoadNetDetector) and peer.detector.settings.image_size_px == 128


def test_a_peer_of_others_is_timed_by_its_file(tmp_path: Path) -> None:
    answers = {f"cls{8 << i}": level for i, level in enumerate(maps(4, 80))}
    answers |= {f"dis{8 << i}": level for i, level in enumerate(maps(4, 32))}
    shapes = {name: ("n", answer.shape[1], "h", "w") for name, answer in answers.items()}
    path = write_answers(tmp_path / "net.onnx", answers, shapes=shapes)
    peer = timing._peer(str(path), DetectionSettings(image_size_px=128), torch.device("cpu"))
    instant = FrameSet((plain_frame(camera="a"), plain_frame(camera="b")), timestamp_ns=0, index=0)
    (timed,) = measure_engines([Contender(peer.name, peer)], [instant], instants=2)
    assert (timed.title, timed.images) == ("net", 2) and timed.median_ms > 0


def test_cameras_must_be_calibrated(command: Command, street: Path) -> None:
    ran = command("bench", "--source", str(street))
    assert ran.code == 2
    assert "--rig" in ran.sentence
