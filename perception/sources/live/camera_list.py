"""A YAML file of cameras, ``name: address`` in each line, that may change while the run goes on."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from perception.errors import PerceptionError, UsageError
from perception.files import read_yaml
from perception.sources.live.camera import CameraOpener
from perception.sources.live.source import LiveSource

_LOG = logging.getLogger(__name__)


def read_camera_list(path: Path) -> dict[str, str]:
    """Addresses and webcams' numbers by the names of the cameras. Raises ``UsageError`` naming the file."""
    content = read_yaml(path)
    if not isinstance(content, dict) or not content:
        raise UsageError(f"{path}: expected a line 'name: address' for each camera; correct the file.")
    wrong = [name for name, spec in content.items() if not isinstance(spec, str | int) or isinstance(spec, bool)]
    if wrong:
        raise UsageError(f"{path}: {wrong[0]} has no address; write 'name: address'.")
    return {str(name): str(spec) for name, spec in content.items()}


class CameraListWatcher:
    """Adds and removes cameras of ``source`` as the file at ``path`` does; call ``check`` now and then.

    ``cameras`` are those that the source has of it already, ``open_camera`` makes a camera of a name and an address.
    A file that cannot be read changes nothing, and a warning says why.
    """

    def __init__(
        self,
        path: Path,
        cameras: dict[str, str],
        source: LiveSource,
        open_camera: Callable[[str, str], CameraOpener],
    ) -> None:
        self._path = path
        self._cameras = dict(cameras)
        self._source = source
        self._open_camera = open_camera
        self._seen = self._version()

    def check(self) -> None:
        """Look whether the file has changed, and follow it."""
        version = self._version()
        if version == self._seen:
            return
        self._seen = version
        try:
            wanted = read_camera_list(self._path)
        except PerceptionError as error:
            _LOG.warning("%s The cameras stay as they are.", error)
            return
        for name in [name for name, spec in self._cameras.items() if wanted.get(name) != spec]:
            del self._cameras[name]
            self._follow(name, None)
        for name, spec in wanted.items():
            if name not in self._cameras and self._follow(name, spec):
                self._cameras[name] = spec

    def _follow(self, name: str, spec: str | None) -> bool:
        try:
            if spec is None:
                self._source.remove(name)
            else:
                self._source.add(self._open_camera(name, spec))
        except PerceptionError as error:
            _LOG.warning("%s", error)
            return False
        _LOG.warning("%s: %s, as %s says.", name, "taken away" if spec is None else "added", self._path)
        return True

    def _version(self) -> tuple[int, int] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size
