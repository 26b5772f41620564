from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from support.media import numbered_image, write_image, write_video

from perception.errors import UsageError
from perception.sources import open_source

TWO_CAMERAS = """
cameras:
  front: {video: front.mp4, fps: 5}
  rear: {images: "rear/*.png", fps: 5}
"""


def make_recording(folder: Path, text: str = TWO_CAMERAS) -> Path:
    folder.mkdir(exist_ok=True)
    write_video(folder / "front.mp4", [numbered_image(n) for n in range(4)], fps=10)
    for number in range(3):
        write_image(folder / "rear" / f"{number}.png", numbered_image(number))
    (folder / "recording.yaml").write_text(text)
    return folder


def make_mot(folder: Path, *, rate: str = "2", declared: int = 4) -> Path:
    folder.mkdir(exist_ok=True)
    write_video(folder / "video.mp4", [numbered_image(n) for n in range(4)], fps=10)
    (folder / "seqinfo.ini").write_text(f"[Sequence]\nname=x\nframeRate={rate}\nseqLength={declared}\n")
    return folder


def test_cameras_of_a_recording_are_merged(tmp_path: Path) -> None:
    source = open_source([str(make_recording(tmp_path / "drive"))])
    sets = list(source)
    assert (source.name, source.cameras, source.length, source.rate_fps) == ("drive", ("front", "rear"), 4, 5.0)
    assert [[f.camera for f in s] for s in sets] == [["front", "rear"]] * 3 + [["front"]]
    assert [s.timestamp_ns for s in sets] == [n * 200_000_000 for n in range(4)]
    assert all(s.world_from_vehicle is None for s in sets)
    assert source.rig is None


def test_timestamps_of_a_camera_are_kept_exactly(tmp_path: Path) -> None:
    folder = make_recording(tmp_path / "drive", "cameras: {front: {video: front.mp4, timestamps: front.csv}}")
    times_ns = [1_700_000_000_123_456_789 + 100_000_003 * n for n in range(4)]
    (folder / "front.csv").write_text("timestamp_ns\n" + "".join(f"{t}\n" for t in times_ns))
    source = open_source([str(folder)])
    assert [s.timestamp_ns for s in source] == times_ns
    assert source.rate_fps == pytest.approx(10, rel=1e-6)


def test_poses_are_interpolated_to_the_instant(tmp_path: Path) -> None:
    folder = make_recording(tmp_path / "drive")
    half = np.sqrt(0.5)
    (folder / "poses.csv").write_text(
        f"timestamp_ns,x,y,z,qw,qx,qy,qz\n0,0,0,0,1,0,0,0\n400000000,8,-4,2,{half},0,0,{half}\n"
    )
    source = open_source([str(folder)])
    sets = list(source)
    middle = sets[1].world_from_vehicle
    assert middle is not None
    np.testing.assert_allclose(middle[:3, 3], [4, -2, 1])
    np.testing.assert_allclose(middle[:3, :3], Rotation.from_euler("z", 45, degrees=True).as_matrix(), atol=1e-12)
    np.testing.assert_allclose(sets[0].world_from_vehicle, np.eye(4), atol=1e-12)
    assert sets[3].world_from_vehicle is None
    assert source.warnings == [
        "drive: camera rear has no image at 1 of 4 instants.",
        "drive: 1 instant without a pose of the vehicle, the first is number 3.",
    ]


@pytest.mark.parametrize(
    ("rows", "fault"),
    [
        ("0,0,0,0,1,0,0,0\n0,1,0,0,1,0,0,0\n", "line 3, column timestamp_ns: not later"),
        ("0,0,0,0,2,0,0,0\n", "line 2, column qw"),
        ("0,0,north,0,1,0,0,0\n", "line 2, column y: not a number"),
        ("0,0,nan,0,1,0,0,0\n", "line 2, column y: not a number"),
        ("0,0,0\n", "line 2, column z: is missing"),
        ("", "has no rows"),
    ],
)
def test_bad_poses_are_refused(tmp_path: Path, rows: str, fault: str) -> None:
    folder = make_recording(tmp_path / "drive")
    (folder / "poses.csv").write_text("timestamp_ns,x,y,z,qw,qx,qy,qz\n" + rows)
    with pytest.raises(UsageError, match=fault) as caught:
        open_source([str(folder)])
    assert "poses.csv" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("cameras: {front: {video: front.mp4, colour: red}}", "cameras.front.colour: unknown key"),
        ("camera: {}\ncameras: {front: {video: front.mp4}}", "camera: unknown key"),
        ("cameras: {}", "cameras: "),
        ("[1, 2]", "the file: "),
        ("cameras: {front: {video: front.mp4, fps: -1}}", "cameras.front.fps"),
        ("cameras: {front: {video: front.mp4, fps: fast}}", "cameras.front.fps"),
        ("cameras: {front: {video: front.mp4, intrinsics: [[1, 2], [3, 4]]}}", "cameras.front.intrinsics"),
        ("cameras: {front: {fps: 5}}", "either video or images"),
        ("cameras: {front: {video: front.mp4, fps: 5, timestamps: a.csv}}", "either fps or timestamps"),
        (
            "cameras: {front: {video: front.mp4, timestamps: a.csv}, b: {video: front.mp4}}",
            "for all cameras or for none",
        ),
        ("cameras: {front: {video: lost.mp4}}", "cameras.front.video: no such file"),
        ("cameras: {front: {images: 'lost/*.png'}}", "matches no file"),
        ("cameras: {front: {video: front.mp4, timestamps: lost.csv}}", "lost.csv: cannot be read"),
        ("cameras: {front: {video: front.mp4, timestamps: short.csv}}", "holds 2 time stamps for the 4 frames"),
        ("cameras: [", "cannot be read as YAML"),
    ],
)
def test_a_bad_recording_file_names_the_entry(tmp_path: Path, text: str, fault: str) -> None:
    folder = make_recording(tmp_path / "drive", text)
    (folder / "short.csv").write_text("timestamp_ns\n0\n1\n")
    with pytest.raises(UsageError) as caught:
        open_source([str(folder)])
    assert fault in str(caught.value)
    assert "\n" not in str(caught.value)


def test_time_stamps_that_run_backwards_are_named_with_their_line(tmp_path: Path) -> None:
    folder = make_recording(tmp_path / "drive", "cameras: {front: {video: front.mp4, timestamps: front.csv}}")
    (folder / "front.csv").write_text("timestamp_ns\n0\n200\n100\n300\n")
    with pytest.raises(UsageError, match=r"front\.csv, line 4, column timestamp_ns: not later than the row before"):
        open_source([str(folder)])


def test_a_recording_has_its_own_clock(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="own clock"):
        open_source([str(make_recording(tmp_path / "drive"))], rate_fps=3)


def test_mot_frame_rate_wins_over_the_video(tmp_path: Path) -> None:
    source = open_source([str(make_mot(tmp_path / "seq", rate="1.25"))])
    assert [s.timestamp_ns for s in source] == [0, 800_000_000, 1_600_000_000, 2_400_000_000]
    assert (source.cameras, source.rate_fps, source.length, source.warnings) == (("seq",), 1.25, 4, [])


def test_mot_images_and_a_wrong_length(tmp_path: Path) -> None:
    folder = tmp_path / "seq"
    for number in range(1, 4):
        write_image(folder / "img1" / f"{number:06d}.png", numbered_image(number))
    (folder / "seqinfo.ini").write_text("[Sequence]\nframeRate=5\nimDir=img1\nseqLength=9\n")
    source = open_source([str(folder)])
    assert [int(s.frames[0].image[0, 0, 0]) for s in source] == [10, 20, 30]
    assert source.warnings == [f"{folder / 'seqinfo.ini'}: seqLength states 9 frames, but the folder has 3."]


@pytest.mark.parametrize("rate", ["0", "fast", "inf", ""])
def test_a_bad_frame_rate_is_named(tmp_path: Path, rate: str) -> None:
    with pytest.raises(UsageError, match=r"seqinfo\.ini: frameRate"):
        open_source([str(make_mot(tmp_path / "seq", rate=rate))])


@pytest.mark.parametrize("step_ns", [100_000, 100, 100_000_000_000])
def test_time_stamps_in_another_unit_are_refused(tmp_path: Path, step_ns: int) -> None:
    folder = make_recording(tmp_path / "drive")
    (folder / "t.csv").write_text("timestamp_ns\n" + "".join(f"{step_ns * n}\n" for n in range(1, 5)))
    (folder / "recording.yaml").write_text("cameras: {front: {video: front.mp4, timestamps: t.csv}}")
    with pytest.raises(UsageError, match=r"t\.csv: gives .* frames per second, .* give timestamp_ns in nanoseconds"):
        open_source([str(folder)])


@pytest.mark.parametrize("rate", ["0.05", "2000"])
def test_rates_that_no_camera_has_are_refused(tmp_path: Path, rate: str) -> None:
    with pytest.raises(UsageError, match=r"frameRate: gives .* expected 0\.1 to 1000"):
        open_source([str(make_mot(tmp_path / "seq", rate=rate))])
    with pytest.raises(UsageError, match="rate_fps"):
        open_source([str(make_mot(tmp_path / "other") / "video.mp4")], rate_fps=float(rate))


def test_a_mot_folder_without_frames_or_section(tmp_path: Path) -> None:
    folder = make_mot(tmp_path / "seq")
    (folder / "video.mp4").unlink()
    with pytest.raises(UsageError, match="found no video"):
        open_source([str(folder)])
    (folder / "seqinfo.ini").write_text("frameRate=3\n")
    with pytest.raises(UsageError, match="Sequence"):
        open_source([str(folder)])


@pytest.mark.shared
@pytest.mark.parametrize(("folder", "count", "fps"), [("train_rain", 289, 1.25), ("test_noon", 335, 5.0)])
def test_real_motorway_recordings(shared_dir: Path, folder: str, count: int, fps: float) -> None:
    source = open_source([str(shared_dir / "real" / "motorway" / folder)], stride=50)
    sets = list(source)
    assert len(sets) == source.length == -(-count // 50)
    assert [s.timestamp_ns for s in sets] == [round(s.index * 1e9 / fps) for s in sets]
    assert {s.frames[0].size_px for s in sets} == {(640, 360)}
    assert source.warnings == []


@pytest.mark.shared
def test_a_real_stereo_pair_is_in_step(shared_dir: Path) -> None:
    folder = shared_dir / "real" / "stereo_drive"
    sets = list(open_source([str(folder / "left.mp4"), str(folder / "right.mp4")], stride=10))
    assert [[(f.camera, f.index) for f in s] for s in sets] == [[("left", n), ("right", n)] for n in range(0, 51, 10)]


def test_two_cameras_do_not_share_a_video(tmp_path: Path) -> None:
    text = "cameras: {front: {video: front.mp4}, back: {video: ./front.mp4}}"
    folder = make_recording(tmp_path / "drive", text)
    with pytest.raises(UsageError, match=r"cameras\.back\.video: \./front\.mp4 is that of camera front already"):
        open_source([str(folder)])
