"""Folders of runs."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from perception.errors import PerceptionError, UsageError
from perception.results import next_run_folder, output_folder


def test_a_run_gets_the_next_number(tmp_path):
    names = [next_run_folder(tmp_path / "stream", "road").relative_to(tmp_path).as_posix() for _ in range(3)]
    assert names == ["stream/road", "stream/road-2", "stream/road-3"]


def test_runs_that_start_together_do_not_share_a_folder(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        folders = list(pool.map(lambda _: next_run_folder(tmp_path / "stream", "road"), range(24)))
    assert len(set(folders)) == 24


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("rtsp://user:secret@host/live 1", "rtsp-host-live-1"),
        ("../../etc", "etc"),
        ("..", "run"),
        ("", "run"),
        ("x" * 300, "x" * 80),
    ],
)
def test_names_are_made_safe(tmp_path, name, folder):
    assert next_run_folder(tmp_path / "stream", name) == tmp_path / "stream" / folder


def test_a_root_that_cannot_be_written_names_the_remedy(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(PerceptionError, match="`output`") as caught:
        next_run_folder(tmp_path / "file" / "stream", "road")
    assert caught.value.exit_code == 1


def test_an_output_folder_with_something_in_it_is_numbered(tmp_path):
    wanted = tmp_path / "a" / "out"
    assert output_folder(wanted) == wanted
    assert output_folder(wanted) == wanted
    (wanted / "mine.txt").write_text("mine")
    assert output_folder(wanted) == tmp_path / "a" / "out-2"
    assert (wanted / "mine.txt").read_text() == "mine"


def test_an_output_that_is_a_file_is_wrong_use(tmp_path):
    (tmp_path / "out.mp4").write_text("")
    with pytest.raises(UsageError, match=r"output .*out\.mp4: is a file"):
        output_folder(tmp_path / "out.mp4")
    with pytest.raises(PerceptionError, match="cannot be made"):
        output_folder(tmp_path / "out.mp4" / "below")
