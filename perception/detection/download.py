"""One file from the web: resumed where it stopped, checked by its hash before it gets its name."""

from __future__ import annotations

import http.client
import logging
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from perception.detection.model_zoo import FetchableWeights, cache_folder
from perception.errors import PerceptionError, UsageError, without_credentials
from perception.files import sha256
from perception.safety.input_limits import MAX_WEIGHTS_BYTES

Progress = Callable[[int, "int | None"], None]
"""Called with the bytes on disk and, where the server states it, the bytes of the whole file."""

_LOG = logging.getLogger(__name__)

_BLOCK_BYTES = 1 << 16
_TIMEOUT_S = 30.0
_FINAL_STATUS = range(400, 500)
_RETRY_LATER = (408, 425, 429)


class _StaysEncrypted(urllib.request.HTTPRedirectHandler):
    """Follows redirections, but never from https to anything else."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        if req.full_url.lower().startswith("https://") and not newurl.lower().startswith("https://"):
            raise PerceptionError(
                f"{without_credentials(req.full_url)}: leads to an address without encryption; give a file as "
                "`weights`."
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)


_OPENER = urllib.request.build_opener(_StaysEncrypted)


class _StoppedError(Exception):
    """The connection ended early or could not be made; trying again may help."""


def fetch(
    entry: FetchableWeights,
    folder: Path | None = None,
    *,
    on_progress: Progress | None = None,
    attempts: int = 4,
    wait_s: float = 1.0,
) -> Path:
    """Download into ``folder`` (the cache when None) and return the file's path; nothing is loaded when it is there.

    What an interrupted download left in ``FILE.part`` is kept, and gone on with by HTTP Range. A dropped connection is
    taken up again; after ``attempts`` tries in a row that brought no byte, ``wait_s`` apart, it is an error.

    Raises ``PerceptionError`` when there is no network, the server refuses, the disk is full, or the content does not
    have the promised hash (it is removed then); ``UsageError`` without a ``folder`` for a user without a home folder.
    """
    path = entry.path_in(folder or _existing_cache_folder())
    if path.is_file():
        return path
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _download(entry, part, on_progress or (lambda done, total: None), attempts=attempts, wait_s=wait_s)
        found = sha256(part)
        if not found.startswith(entry.sha256_prefix):
            part.unlink()
            raise PerceptionError(
                f"{without_credentials(entry.url)}: what came has sha256 {found[:16]}..., expected "
                f"{entry.sha256_prefix}...; it was removed: fetch it again, or give a file as `weights`."
            )
        part.replace(path)
    except OSError as error:
        raise PerceptionError(
            f"{path}: cannot be written ({error.strerror or error}); make room or set PERCEPTION_CACHE."
        ) from error
    return path


def _existing_cache_folder() -> Path:
    folder = cache_folder()
    if folder is None:
        raise UsageError("There is no home folder to keep weights in; set PERCEPTION_CACHE to a folder.")
    return folder


def _download(entry: FetchableWeights, part: Path, on_progress: Progress, *, attempts: int, wait_s: float) -> None:
    address = without_credentials(entry.url)
    failures = 0
    while True:
        before = part.stat().st_size if part.exists() else 0
        try:
            _transfer(entry.url, part, on_progress)
            return
        except _StoppedError as error:
            after = part.stat().st_size if part.exists() else 0
            failures = 0 if after > before else failures + 1
            if failures >= attempts:
                raise PerceptionError(
                    f"{address}: cannot be fetched ({without_credentials(str(error))}); with a network, fetch it again "
                    f"and it goes on after {after} bytes, or give a file as `weights`."
                ) from error
            _LOG.warning("%s: %s; trying again", address, without_credentials(str(error)))
            if failures:
                time.sleep(wait_s)


def _transfer(url: str, part: Path, on_progress: Progress) -> None:
    """One request: append to ``part`` what it lacks. Raises ``_StoppedError`` when it is not whole after it."""
    done = part.stat().st_size if part.exists() else 0
    response = _request(url, start=done)
    if response is None:  # the server holds nothing beyond what is here: whole, or of another file
        return
    with response:
        if response.status != 206:
            done = 0
        total = _total_bytes(response, done)
        on_progress(done, total)
        with part.open("ab" if done else "wb") as stream:
            while block := _read(response):
                stream.write(block)
                done += len(block)
                if done > MAX_WEIGHTS_BYTES:
                    raise PerceptionError(
                        f"{without_credentials(url)}: sends more than {MAX_WEIGHTS_BYTES >> 20} MiB; give a file as "
                        "`weights`."
                    )
                on_progress(done, total)
    if total is not None and done < total:
        raise _StoppedError(f"the connection ended after {done} of {total} bytes")


def _request(url: str, *, start: int) -> Any:
    """The response to a request for the bytes from ``start`` on, or None when the server reports that there are
    none."""
    address = without_credentials(url)
    # Identity: a compressed transfer would make byte ranges mean something else.
    headers = {"Accept-Encoding": "identity", "User-Agent": "perception"}
    if start:
        headers["Range"] = f"bytes={start}-"
    if not url.startswith(("http://", "https://")):
        raise UsageError(f"{address}: is not an address to fetch from; give one that begins with https://.")
    try:
        return _OPENER.open(urllib.request.Request(url, headers=headers), timeout=_TIMEOUT_S)
    except urllib.error.HTTPError as error:
        if error.code == 416 and start:
            return None
        if error.code in _FINAL_STATUS and error.code not in _RETRY_LATER:
            raise PerceptionError(f"{address}: the server answers {error.code}; give a file as `weights`.") from error
        raise _StoppedError(f"the server answers {error.code}") from error
    except (OSError, http.client.HTTPException) as error:
        raise _StoppedError(str(getattr(error, "reason", error)) or type(error).__name__) from error
    except ValueError as error:
        raise UsageError(f"{address}: is not an address to fetch from; correct it.") from error


def _total_bytes(response: Any, done: int) -> int | None:
    whole = re.search(r"/(\d+)$", response.headers.get("Content-Range") or "")
    if whole:
        return int(whole.group(1))
    length = response.headers.get("Content-Length")
    return done + int(length) if length is not None else None


def _read(response: Any) -> bytes:
    try:
        block: bytes = response.read1(_BLOCK_BYTES)
    except (OSError, http.client.HTTPException) as error:
        raise _StoppedError(str(error) or type(error).__name__) from error
    return block
