"""Configuration: defaults, files, options, and errors that name what is wrong."""

from pathlib import Path

import pytest
import yaml

from perception.detection.settings import DetectionSettings
from perception.errors import UsageError
from perception.pipeline.config import EvaluateConfig, RunConfig, StreamConfig, load_config

CONFIGS = Path(__file__).parents[2] / "configs"


def write(path: Path, content: object) -> Path:
    path.write_text(yaml.safe_dump(content))
    return path


def test_thresholds_are_those_of_the_detectors() -> None:
    config, settings = RunConfig(), DetectionSettings()
    assert (config.conf, config.iou, config.imgsz, config.classes) == (
        settings.confidence,
        settings.iou,
        settings.image_size_px,
        settings.classes,
    )


def test_options_override_the_file_and_the_file_the_defaults(tmp_path: Path) -> None:
    path = write(tmp_path / "run.yaml", {"conf": 0.3, "imgsz": 416})
    config = load_config(RunConfig, path=path, options={"imgsz": 320})
    assert (config.conf, config.imgsz, config.iou) == (0.3, 320, RunConfig().iou)


@pytest.mark.parametrize(
    ("given", "expected"), [("a.mp4", ["a.mp4"]), (0, ["0"]), (["a", "b"], ["a", "b"]), ((0, 1), ["0", "1"])]
)
def test_one_source_is_a_list_of_one(given: object, expected: list[str]) -> None:
    assert load_config(RunConfig, path=None, options={"source": given}).source == expected


def test_classes_are_a_list_or_separated_by_commas() -> None:
    assert load_config(RunConfig, path=None, options={"classes": "car, bus"}).classes == ["car", "bus"]
    assert load_config(RunConfig, path=None, options={"classes": ["car"]}).classes == ["car"]
    assert load_config(RunConfig, path=None, options={"classes": ""}).classes is None


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("conf", 1.5),
        ("conf", "high"),
        ("conf", float("nan")),
        ("iou", -0.1),
        ("imgsz", 16),
        ("imgsz", 5000),
        ("stride", 0),
        ("max_frames", 0),
        ("seed", -1),
        ("device", "gpu"),
        ("device", "cuda:x"),
        ("classes", "car,tram"),
        ("source", [True]),
        ("half", "perhaps"),
    ],
)
def test_a_bad_value_names_the_key_and_the_file(key: str, value: object, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=rf"^{key} ") as caught:
        load_config(RunConfig, path=None, options={key: value})
    assert "\n" not in str(caught.value)
    path = write(tmp_path / "bad.yaml", {key: value})
    with pytest.raises(UsageError, match=rf"bad\.yaml: {key} "):
        load_config(RunConfig, path=path, options={})


def test_a_bad_key_of_the_file_is_an_error_even_where_an_option_overrides_it(tmp_path: Path) -> None:
    path = write(tmp_path / "bad.yaml", {"conf": 7})
    with pytest.raises(UsageError, match=r"bad\.yaml: conf 7"):
        load_config(RunConfig, path=path, options={"conf": 0.2})


def test_an_unknown_key_names_the_file_the_key_and_the_one_that_was_meant(tmp_path: Path) -> None:
    path = write(tmp_path / "run.yaml", {"max-frame": 3})
    with pytest.raises(UsageError, match=r"run\.yaml: unknown key max-frame; did you mean max_frames"):
        load_config(RunConfig, path=path, options={})
    path = write(tmp_path / "run.yaml", {"zzz": 3})
    with pytest.raises(UsageError, match=r"unknown key zzz; known are source, rig"):
        load_config(RunConfig, path=path, options={})


def test_a_key_of_another_command_is_unknown(tmp_path: Path) -> None:
    path = write(tmp_path / "run.yaml", {"duration_s": 3})
    assert load_config(StreamConfig, path=path, options={}).duration_s == 3
    with pytest.raises(UsageError, match="unknown key duration_s"):
        load_config(EvaluateConfig, path=path, options={})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"conf: [1", "cannot be read as YAML"),
        (b"\xff\xfe\x00\xd8", "cannot be read as YAML"),
        (b"- conf", "key: value"),
        (b"conf: 0.1\nconf: 0.9", r"line 2: cannot be read as YAML \(conf occurs twice"),
    ],
)
def test_a_file_that_is_no_configuration(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=message) as caught:
        load_config(RunConfig, path=path, options={})
    assert "run.yaml" in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none\.yaml: cannot be read"):
        load_config(RunConfig, path=tmp_path / "none.yaml", options={})


def test_an_empty_file_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "empty.yaml"
    path.write_text("# nothing\n")
    assert load_config(RunConfig, path=path, options={}) == RunConfig()


def test_a_saved_configuration_can_be_read_again_and_has_no_password(tmp_path: Path) -> None:
    config = StreamConfig(source=["rtsp://user:secret@camera/live"], classes=["car"], output=Path("out"))
    path = write(tmp_path / "run.yaml", config.to_plain())
    assert "secret" not in path.read_text()
    again = load_config(StreamConfig, path=path, options={})
    assert again == config.model_copy(update={"source": ["rtsp://camera/live"]})


def test_an_error_about_a_source_has_no_password() -> None:
    with pytest.raises(UsageError) as caught:
        load_config(RunConfig, path=None, options={"source": ["rtsp://user:secret@camera/live", None]})
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "kind"), [("demo", RunConfig), ("stream", StreamConfig), ("evaluate", EvaluateConfig)]
)
def test_the_shipped_files_state_the_defaults(name: str, kind: type[RunConfig]) -> None:
    config = load_config(kind, path=CONFIGS / f"{name}.yaml", options={})
    changed = {key for key, value in config if value != getattr(kind(), key)}
    assert changed == ({"imgsz", "show"} if name == "stream" else set())


@pytest.mark.parametrize(
    ("given", "classes"),
    [
        ("person", ["pedestrian"]),
        ("0", ["pedestrian"]),
        (0, ["pedestrian"]),
        ("2, 5,7", ["car", "bus", "truck"]),
        ([1, "motorbike"], ["bicycle", "motorcycle"]),
        ("car,2,Car", ["car"]),
        ("", None),
    ],
)
def test_classes_have_other_names_and_cocos_numbers(given: object, classes: list[str] | None) -> None:
    assert RunConfig.model_validate({"classes": given}).classes == classes


@pytest.mark.parametrize(("given", "expected"), [("van", "car, truck"), ("4", "0 pedestrian, 1 bicycle, 2 car")])
def test_a_class_that_is_none_of_ours_is_refused(given: str, expected: str) -> None:
    with pytest.raises(UsageError, match=f"classes {given}: {given} is not among {expected}"):
        load_config(RunConfig, path=None, options={"classes": given})


@pytest.mark.parametrize(("given", "device"), [("0", "cuda:0"), (1, "cuda:1"), ("cuda", "cuda"), ("cpu", "cpu")])
def test_a_number_is_a_gpu(given: object, device: str) -> None:
    assert RunConfig.model_validate({"device": given}).device == device


@pytest.mark.parametrize("device", ["0,1", "-1", "gpu"])
def test_other_devices_are_refused(device: str) -> None:
    with pytest.raises(UsageError, match=f"device {device}: "):
        load_config(RunConfig, path=None, options={"device": device})


@pytest.mark.parametrize(
    ("given", "seconds"), [("83.5", 83.5), ("1:23.5", 83.5), ("1:02:03", 3723), (7, 7), ("0:00", 0)]
)
def test_times_are_seconds_or_a_clocks(given: object, seconds: float) -> None:
    assert RunConfig.model_validate({"start_s": given}).start_s == seconds
