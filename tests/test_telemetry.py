"""Nobody is called and nothing is left outside the output folder; a user without a home folder can work."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.commands import process_environment
from support.media import numbered_image, write_video
from support.moving_boxes import write_street_recording

from perception import TELEMETRY_SWITCHES

STRACE = ("strace", "-f", "-qq", "-e", "trace=connect,sendto,sendmsg,sendmmsg,open,openat,creat", "-o")
CALL = re.compile(r"sa_family=AF_INET|\"/etc/(resolv\.conf|hosts)\"")
"""Internet addresses, and the files that every look-up of a name reads first."""
WRITING = re.compile(r"(?:open|openat|creat)\([^\"]*\"([^\"]+)\".*(?:O_WRONLY|O_RDWR|O_CREAT)")
STRANGER = 12345
"""A user without an entry among the users of the system."""


def fresh_environment(folder: Path) -> dict[str, str]:
    """An empty home, and no switch that the machine may have set."""
    environment = {name: value for name, value in process_environment().items() if name not in TELEMETRY_SWITCHES}
    for name in ("home", "temporary"):
        (folder / name).mkdir()
    environment |= {"HOME": str(folder / "home"), "TMPDIR": str(folder / "temporary"), "PYTHONDONTWRITEBYTECODE": "1"}
    return {name: value for name, value in environment.items() if not name.startswith("XDG_")}


def watched(folder: Path, environment: dict[str, str], *command: str) -> list[str]:
    """The lines of strace on ``command``, which runs without a network; skips where this cannot be."""
    if shutil.which("strace") is None or shutil.which("unshare") is None:
        pytest.skip("needs strace and unshare")
    trace, place = folder / "trace", folder / "place"
    if subprocess.run(["unshare", "-rn", *STRACE, trace, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no process can be watched here")
    ran = subprocess.run(
        ["unshare", "-rn", *STRACE, trace, *command], cwd=place, env=environment, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr
    return trace.read_text().splitlines()


def files_below(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_a_demo_calls_nobody_and_writes_only_its_results(tmp_path: Path) -> None:
    environment = fresh_environment(tmp_path)
    place = tmp_path / "place"
    place.mkdir()
    write_video(place / "clip.mp4", [numbered_image(number, size_px=(256, 160)) for number in range(3)])
    demo = ("demo", "--source", "clip.mp4", "--output", "results")
    lines = watched(tmp_path, environment, sys.executable, "-m", "perception", *demo)
    assert not [line for line in lines if CALL.search(line)]
    written = {match[1] for line in lines if (match := WRITING.search(line))}
    temporary = tmp_path / "temporary"
    outside = {name for name in written if not (place / name).is_relative_to(place / "results")}
    assert {name for name in outside if not name.startswith(("/dev/", str(temporary)))} == set()
    assert files_below(tmp_path / "home") == [] and files_below(temporary) == []
    assert (place / "results" / "report.json").is_file()


def test_a_call_and_a_stray_file_would_be_seen(tmp_path: Path) -> None:
    environment = fresh_environment(tmp_path)
    (tmp_path / "place").mkdir()
    script = (
        "import contextlib, os, socket\n"
        "open(os.path.expanduser('~/id'), 'w').close()\n"
        "with contextlib.suppress(OSError):\n"
        "    socket.getaddrinfo('events.invalid', 443)\n"
    )
    lines = watched(tmp_path, environment, sys.executable, "-c", script)
    assert [line for line in lines if CALL.search(line)]
    assert str(tmp_path / "home" / "id") in {match[1] for line in lines if (match := WRITING.search(line))}


def test_the_switches_are_set_for_the_library_and_the_processes_that_it_starts() -> None:
    script = (
        "import os, subprocess, sys\n"
        "import perception.errors\n"
        "assert 'onnxruntime' not in sys.modules\n"
        'code = \'import os; print(os.environ["ORT_DISABLE_TELEMETRY"], os.environ["RAY_USAGE_STATS_ENABLED"])\'\n'
        "subprocess.run([sys.executable, '-c', code], check=True)\n"
    )
    environment = process_environment() | {"ORT_DISABLE_TELEMETRY": "0", "RAY_USAGE_STATS_ENABLED": "1"}
    ran = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["1", "0"]


@pytest.mark.parametrize("home", [None, "/root"])
def test_a_user_without_an_entry_and_without_a_home_can_work(home: str | None, tmp_path: Path) -> None:
    """As in a container that runs under a number: ``demo``, ``evaluate`` and ``weights``, with the bundled networks."""
    if not hasattr(os, "getuid") or os.getuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("needs root and setpriv to become another user")
    place = tmp_path / "place"
    place.mkdir(mode=0o777)
    place.chmod(0o777)
    write_video(place / "clip.mp4", [numbered_image(number, size_px=(256, 160)) for number in range(2)])
    write_street_recording(place / "street")
    script = (
        "from perception.cli import run\n"
        "assert run(['weights']) == 0\n"
        "assert run(['demo', '--source', 'clip.mp4', '--output', 'shown', '--max-frames', '1']) == 0\n"
        "assert run(['evaluate', 'street', '--output', 'measured', '--max-frames', '1']) == 0\n"
        "assert run(['weights', 'fetch', 'ssd300_vgg16', '--base-url', 'http://127.0.0.1:9']) != 0\n"
    )
    # It may read everything: interpreter and checkout may lie in the home of root. It may write nothing.
    reading = "dac_read_search"
    stranger = ("setpriv", f"--reuid={STRANGER}", f"--regid={STRANGER}", "--clear-groups")
    stranger += (f"--inh-caps=-all,+{reading}", f"--ambient-caps=+{reading}")
    kept = {name: value for name, value in process_environment().items() if name in ("PATH", "PYTHONPATH")}
    environment = kept | {"OMP_NUM_THREADS": "1"} | ({} if home is None else {"HOME": home})
    ran = subprocess.run(
        [*stranger, sys.executable, "-c", script], cwd=place, env=environment, capture_output=True, text=True
    )
    if ran.returncode and "setpriv:" in ran.stderr:
        pytest.skip("this machine does not let root become another user")
    assert ran.returncode == 0, ran.stderr
    assert "Traceback" not in ran.stderr and "unexpected" not in ran.stderr
    assert "PERCEPTION_CACHE" in ran.stderr
    assert (place / "measured" / "report.json").is_file()
