"""Fetching from a real server on loopback that supports ranges, hangs up, refuses, and lies."""

from __future__ import annotations

import hashlib
import re
import socket
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.weights_server import ServedFile, serve

from perception.detection import download
from perception.detection.download import fetch
from perception.detection.model_zoo import (
    FetchableWeights,
    cache_folder,
    fetchable_detectors,
    find_fetchable,
    torchvision_names,
)
from perception.errors import PerceptionError, UsageError

CONTENT = bytes(range(256)) * 2000


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def served() -> Iterator[ServedFile]:
    with serve(ServedFile(CONTENT)) as server:
        yield server


def entry_at(url: str, *, content: bytes = CONTENT) -> FetchableWeights:
    digest = hashlib.sha256(content).hexdigest()[:8]
    return FetchableWeights("net", f"{url}/models/net-{digest}.pth", digest, 0.5, 30.0, 1000)


def part_of(entry: FetchableWeights, folder: Path) -> Path:
    return folder / (entry.file_name + ".part")


def test_a_file_arrives_whole_and_is_not_fetched_twice(served: ServedFile, tmp_path: Path) -> None:
    entry, calls = entry_at(served.url), []
    folder = tmp_path / "new" / "cache"
    path = fetch(entry, folder, on_progress=lambda done, total: calls.append((done, total)))
    assert path == folder / entry.file_name and path.read_bytes() == CONTENT
    assert calls[0] == (0, len(CONTENT)) and calls[-1] == (len(CONTENT), len(CONTENT))
    assert [done for done, _ in calls] == sorted(done for done, _ in calls)
    assert fetch(entry, folder) == path
    assert len(served.starts) == 1 and served.paths == [f"/models/{entry.file_name}"]
    assert list(folder.iterdir()) == [path]


def test_a_dropped_connection_is_taken_up_where_it_ended(served: ServedFile, tmp_path: Path) -> None:
    served.drops = [100_000, 50_000]
    path = fetch(entry_at(served.url), tmp_path, wait_s=0)
    assert path.read_bytes() == CONTENT
    assert served.starts == [0, 100_000, 150_000]


def test_an_interrupted_run_is_taken_up_by_the_next(served: ServedFile, tmp_path: Path) -> None:
    entry = entry_at(served.url)

    def interrupt(done: int, total: int | None) -> None:
        if done > 200_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(entry, tmp_path, on_progress=interrupt)
    kept = part_of(entry, tmp_path).stat().st_size
    assert kept > 200_000 and not (tmp_path / entry.file_name).exists()
    calls: list[int] = []
    assert fetch(entry, tmp_path, on_progress=lambda done, _: calls.append(done)).read_bytes() == CONTENT
    assert served.starts == [0, kept] and calls[0] == kept


def test_a_server_without_ranges_begins_anew(served: ServedFile, tmp_path: Path) -> None:
    served.supports_ranges = False
    entry = entry_at(served.url)
    part_of(entry, tmp_path).write_bytes(CONTENT[:1000])
    assert fetch(entry, tmp_path).read_bytes() == CONTENT
    assert served.starts == [1000]


def test_a_part_that_is_whole_only_gets_its_name(served: ServedFile, tmp_path: Path) -> None:
    entry = entry_at(served.url)
    part_of(entry, tmp_path).write_bytes(CONTENT)
    assert fetch(entry, tmp_path).read_bytes() == CONTENT


def test_wrong_content_is_removed(served: ServedFile, tmp_path: Path) -> None:
    entry = entry_at(served.url, content=b"what was published")
    with pytest.raises(PerceptionError, match=rf"sha256 .*expected {entry.sha256_prefix}.*removed.*`weights`") as e:
        fetch(entry, tmp_path)
    assert e.value.exit_code == 1
    assert not any(tmp_path.iterdir())


def test_a_part_of_another_file_is_removed_and_the_next_try_succeeds(served: ServedFile, tmp_path: Path) -> None:
    entry = entry_at(served.url)
    part_of(entry, tmp_path).write_bytes(b"other" * 100)
    with pytest.raises(PerceptionError, match="removed"):
        fetch(entry, tmp_path)
    assert fetch(entry, tmp_path).read_bytes() == CONTENT


def test_a_server_that_recovers(served: ServedFile, tmp_path: Path) -> None:
    served.statuses = [503, 429, 500]
    assert fetch(entry_at(served.url), tmp_path, wait_s=0).read_bytes() == CONTENT


def test_a_server_that_keeps_hanging_up(served: ServedFile, tmp_path: Path) -> None:
    served.drops = [1000] + [0] * 10
    entry = entry_at(served.url)
    with pytest.raises(PerceptionError, match=r"connection ended after 1000 of 512000.*goes on after 1000 bytes"):
        fetch(entry, tmp_path, attempts=3, wait_s=0)
    assert served.starts == [0, 1000, 1000, 1000]
    assert part_of(entry, tmp_path).stat().st_size == 1000


def test_a_refusal_is_final(served: ServedFile, tmp_path: Path) -> None:
    served.statuses = [404]
    with pytest.raises(PerceptionError, match="server answers 404; give a file as `weights`"):
        fetch(entry_at(served.url), tmp_path)
    assert len(served.starts) == 1


def test_no_network_and_no_password_in_the_error(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(PerceptionError, match=rf"http://127.0.0.1:{port}/.*`weights`") as error:
        fetch(entry_at(f"http://user:secret@127.0.0.1:{port}"), tmp_path, attempts=2, wait_s=0)
    assert "secret" not in str(error.value)


@pytest.mark.parametrize("url", ["ftp://mirror", "file:///etc", "mirror"])
def test_only_the_web_is_fetched_from(url: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not an address to fetch from"):
        fetch(entry_at(url), tmp_path)


def test_a_folder_that_cannot_be_written(served: ServedFile, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(PerceptionError, match=r"cannot be written.*PERCEPTION_CACHE"):
        fetch(entry_at(served.url), tmp_path / "file")


def test_the_catalogue_lists_what_torchvision_builds_best_first() -> None:
    entries = fetchable_detectors(base_url="http://mirror/x/")
    assert {entry.name for entry in entries} == set(torchvision_names())
    maps = [entry.box_map for entry in entries]
    assert maps == sorted(maps, reverse=True) and maps[0] > 40
    for entry in entries:
        assert re.fullmatch(rf"http://mirror/x/{entry.name}(_coco)?-{entry.sha256_prefix}\.pth", entry.url)
        assert len(entry.sha256_prefix) == 8
        # Half or single precision, and no other unit than 2^20 bytes.
        assert 3.5 < entry.size_mb * 2**20 / entry.parameters < 4.5


def test_a_misspelt_name_gets_a_proposal() -> None:
    with pytest.raises(UsageError, match=r"did you mean .*fcos_resnet50_fpn"):
        find_fetchable("fcos_resnet50")
    with pytest.raises(UsageError, match=r"choose from .*ssd300_vgg16"):
        find_fetchable("zzz")


def test_where_the_cache_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PERCEPTION_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.delenv("PERCEPTION_CACHE")
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", "/x")
    assert cache_folder() == Path("/x/perception")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache" / "perception"
    monkeypatch.setattr("sys.platform", "darwin")
    assert cache_folder() == Path.home() / "Library" / "Caches" / "perception"


def test_a_user_without_a_home_folder_has_no_cache(
    served: ServedFile, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    without_home(monkeypatch)
    entry = entry_at(served.url)
    for platform in ("linux", "darwin"):
        monkeypatch.setattr("sys.platform", platform)
        assert cache_folder() is None and entry.cached_path() is None
    with pytest.raises(UsageError, match=r"no home folder.*set PERCEPTION_CACHE"):
        fetch(entry)
    assert fetch(entry, tmp_path) == tmp_path / entry.file_name
    monkeypatch.setenv("PERCEPTION_CACHE", "~/cache")
    with pytest.raises(UsageError, match="PERCEPTION_CACHE ~/cache: there is no such home folder"):
        cache_folder()


def test_a_cache_that_must_not_be_read_holds_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(path: Path) -> bool:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setenv("PERCEPTION_CACHE", str(tmp_path))
    monkeypatch.setattr(Path, "is_file", refuse)
    assert find_fetchable("ssd300_vgg16").cached_path() is None


def without_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user of a container: no HOME, no entry among the users of the system."""

    def unknown(uid: int) -> None:
        raise KeyError(f"getpwuid(): uid not found: {uid}")

    for name in ("HOME", "XDG_CACHE_HOME", "PERCEPTION_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", unknown)


def test_a_redirection_never_leaves_encryption() -> None:
    handler, request = download._StaysEncrypted(), urllib.request.Request("https://a.example/w.pth")
    with pytest.raises(PerceptionError, match="leads to an address without encryption"):
        handler.redirect_request(request, None, 302, "Found", {}, "http://a.example/w.pth")
    assert handler.redirect_request(request, None, 302, "Found", {}, "https://b.example/w.pth") is not None
