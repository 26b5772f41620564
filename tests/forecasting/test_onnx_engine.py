"""TrajectoryGRU as an ONNX file gives the numbers of the network, and other files are refused in one sentence."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from support.ground_tracks import make_ground_tracks, pose
from support.tracks import make_tracks

from perception.errors import PerceptionError, UsageError
from perception.forecasting import GruConfig, GruForecaster, TrajectoryGRU, onnx_engine, open_forecaster
from perception.forecasting.onnx_engine import CONFIG_KEY, STEP_KEY, TOLERANCE, OnnxEngine, export_gru
from perception.forecasting.step_engine import OUTPUTS, TorchEngine, example_inputs
from perception.types import Forecasts, Tracks

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxscript")
# What PyTorch's exporter says about its own parts.
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")

CPU = torch.device("cpu")
DT_S = 0.5
IMAGE = GruConfig(
    hidden_size=8, input_size=6, feature_size=3, feature_space="space", modes=2, curve_degree=3, spread_degree=2,
    interaction_dim=4,
)  # fmt: skip
CONFIGS = {
    "image": IMAGE,
    "ground": replace(IMAGE, reference_frame="ground", horizon_s=4.0, interaction_dim=0),
}
Exported = Mapping[str, tuple[TrajectoryGRU, Path]]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """Each network, untrained, and its file."""
    folder, found = tmp_path_factory.mktemp("onnx"), {}
    for name, config in CONFIGS.items():
        torch.manual_seed(8)
        model = TrajectoryGRU(config).eval()
        assert export_gru(model, folder / f"{name}.onnx", dt_s=DT_S) <= TOLERANCE
        found[name] = model, folder / f"{name}.onnx"
    return found


@pytest.mark.parametrize("name", CONFIGS)
def test_the_file_states_what_it_was_exported_from(exported, name):
    model, path = exported[name]
    engine = OnnxEngine(path)
    assert engine.config == model.config
    assert engine.dt_s == DT_S


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("count", [1, 2, 3, 17, 120])
def test_any_number_of_tracks_has_the_networks_numbers(exported, name, count):
    model, path = exported[name]
    times_s = torch.arange(1, round(model.config.horizon_s / DT_S) + 1) * DT_S
    inputs = example_inputs(model, count, torch.Generator().manual_seed(100 + count))
    expected, found = TorchEngine(model, times_s, CPU)(inputs), OnnxEngine(path, threads=1)(inputs)
    assert tuple(found) == OUTPUTS
    for output in OUTPUTS:
        torch.testing.assert_close(found[output], expected[output], atol=TOLERANCE, rtol=TOLERANCE)


def _image_tracks(index: int) -> Tracks:
    """Four boxes, of which one ends and one comes, from two cameras, in an order that changes."""
    ids = np.array([1, 2, 3, 4] if index < 5 else [2, 3, 5])
    order = np.random.default_rng(index).permutation(len(ids))
    boxes = np.stack(
        [0.1 * ids + 0.02 * index, 0.4 + 0.01 * index * (-1.0) ** ids, 0.05 + 0.01 * ids, 0.1 * ids / ids], 1
    )
    features = np.tile(ids[:, None], (1, 3)).astype(np.float32) * (index % 3 > 0)
    cameras = np.where(ids % 2 == 0, "left", "right")
    tracks = make_tracks(boxes, ids, features=features, space="space")
    return replace(tracks, cameras=cameras)[order]


def _ground_tracks(index: int) -> Tracks:
    ids = np.array([1, 2, 3, 4] if index < 5 else [2, 3, 5])
    order = np.random.default_rng(index).permutation(len(ids))
    velocities = np.stack([ids - 2.5, 2.0 * (-1.0) ** ids], axis=1)
    positions = np.stack([5.0 * ids, -3.0 * ids], axis=1) + velocities * 0.1 * index
    return make_ground_tracks(positions, ids, velocities_mps=velocities, headings_rad=0.5 * ids)[order]


@pytest.mark.parametrize("name", CONFIGS)
def test_ten_steps_online_equal_those_of_the_network(exported, name):
    model, path = exported[name]
    engine = OnnxEngine(path)
    ours = GruForecaster.of(model, device=CPU, dt_s=DT_S)
    theirs = GruForecaster(engine, engine.config, dt_s=engine.dt_s)
    for index in range(10):
        tracks = (_ground_tracks if name == "ground" else _image_tracks)(index)
        if index == 8:
            tracks = tracks[np.zeros(len(tracks), bool)]
        expected, found = (one.step(tracks, index * 10**8, pose(0.5 * index)) for one in (ours, theirs))
        _assert_alike(found, expected)
    assert len(found) == 3


def _assert_alike(found: Forecasts, expected: Forecasts) -> None:
    np.testing.assert_array_equal(found.track_ids, expected.track_ids)
    assert (found.dt_s, found.reference_frame) == (expected.dt_s, expected.reference_frame)
    for part in ("probabilities", "means", "stds"):
        assert getattr(found, part).shape == getattr(expected, part).shape
        np.testing.assert_allclose(getattr(found, part), getattr(expected, part), atol=TOLERANCE, rtol=TOLERANCE)


def test_a_file_is_opened_by_its_name(exported):
    _, path = exported["ground"]
    forecaster, reason, _ = open_forecaster(str(path), device=CPU, reference_frame="ground")
    assert "ONNX" in reason
    forecasts = forecaster.step(_ground_tracks(0), 0, pose())
    assert forecasts.means.shape == (4, 2, 8, 2)
    assert forecasts.dt_s == DT_S


def _refused(path: Path, frame: str = "image") -> str:
    with pytest.raises(UsageError) as error:
        open_forecaster(str(path), device=CPU, reference_frame=frame)
    sentence = str(error.value)
    assert "\n" not in sentence
    assert path.name in sentence
    return sentence


def test_a_file_of_the_other_frame_is_refused(exported):
    assert "ground frame" in _refused(exported["ground"][1], "image")


def test_a_file_that_is_not_there_is_named(tmp_path):
    assert "no such file" in _refused(tmp_path / "none.onnx")
    (tmp_path / "folder.onnx").mkdir()
    _refused(tmp_path / "folder.onnx")


@pytest.mark.parametrize("content", [b"", b"This is a text.\n" * 40, b"\x00" * 500])
def test_what_is_no_onnx_file_is_refused(tmp_path, content):
    path = tmp_path / "text.onnx"
    path.write_bytes(content)
    _refused(path)


@pytest.mark.parametrize("share", [0.3, 0.9])
def test_a_damaged_file_is_refused(exported, tmp_path, share):
    whole = exported["image"][1].read_bytes()
    path = tmp_path / "cut.onnx"
    path.write_bytes(whole[: int(share * len(whole))])
    _refused(path)


def test_a_foreign_network_is_refused(tmp_path):
    helper = onnx.helper
    values = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "foreign", values[:1], values[1:])
    foreign = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path = tmp_path / "foreign.onnx"
    onnx.save(foreign, path)
    assert "no forecaster" in _refused(path)


@pytest.mark.parametrize(
    ("config", "dt_s"),
    [
        ("{", "0.1"),
        ("[]", "0.1"),
        (json.dumps({"wings": 2}), "0.1"),
        (json.dumps(asdict(IMAGE)), "soon"),
        (json.dumps(asdict(IMAGE)), None),
    ],
)
def test_a_file_that_reports_itmething_else_is_refused(exported, tmp_path, config, dt_s):
    proto = onnx.load(exported["image"][1])
    del proto.metadata_props[:]
    described = {CONFIG_KEY: config} | ({} if dt_s is None else {STEP_KEY: dt_s})
    onnx.helper.set_model_props(proto, described)
    path = tmp_path / "other.onnx"
    onnx.save(proto, path)
    assert "no forecaster of this version" in _refused(path)


def test_a_file_with_other_numbers_is_not_written(tmp_path, monkeypatch):
    monkeypatch.setattr(onnx_engine, "_largest_difference", lambda *_: float("nan"))
    with pytest.raises(PerceptionError, match="not written"):
        export_gru(TrajectoryGRU(CONFIGS["ground"]), tmp_path / "wrong.onnx", dt_s=DT_S)
    assert list(tmp_path.iterdir()) == []


def test_the_check_sees_a_difference(exported):
    """The file of one network against another network."""
    model, path = exported["image"]
    times_s = torch.arange(1, 7) * DT_S
    same = onnx_engine.StepAndDecode(model, times_s).eval()
    torch.manual_seed(9)
    other = onnx_engine.StepAndDecode(TrajectoryGRU(IMAGE).eval(), times_s).eval()
    with torch.no_grad():
        assert onnx_engine._largest_difference(same, path.read_bytes()) <= TOLERANCE
        assert onnx_engine._largest_difference(other, path.read_bytes()) > TOLERANCE
