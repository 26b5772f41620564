"""Stream types by URL scheme, opened within a time limit: add a new one here (``SCHEMES`` and ``open_address``)."""

from __future__ import annotations

import http.client
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Protocol, TypeVar
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

import av

from perception.errors import PerceptionError, UsageError
from perception.safety.certificates import check_certificate, untrusted
from perception.sources.files.decoding.stream import open_container
from perception.sources.files.video import VideoFile
from perception.sources.live.readers.mjpeg import MjpegReader
from perception.sources.live.readers.picture import Reader
from perception.sources.live.readers.stream import StreamReader

STREAM_SCHEMES = ("rtsp", "rtsps", "rtmp", "rtmps", "udp", "rtp", "srt", "tcp")
SCHEMES = ("http", "https", *STREAM_SCHEMES)
TLS_PORTS = {"https": 443, "rtsps": 322, "rtmps": 443}
"""The encrypted ones, and the port of each that has none."""


class Closable(Protocol):
    """Anything that has to be closed."""

    def close(self) -> None: ...


T = TypeVar("T")


def split_address(spec: str) -> SplitResult:
    """Take an address apart. Raises ``UsageError`` for an unknown scheme, a missing host or a bad port, and where a
    sign in the password seems to end it early."""
    scheme, _, rest = spec.partition("://")
    scheme = scheme.lower()
    if scheme not in SCHEMES:
        raise _wrong_address(scheme, f"unknown kind of address; use one of {', '.join(SCHEMES)}.")
    try:
        parts = urlsplit(spec)
        is_complete = bool(parts.hostname) or scheme in ("udp", "rtp", "srt", "tcp")
        is_complete = is_complete and parts.port != 0
    except ValueError:
        is_complete = False
    if "@" in rest and not (is_complete and _holds_whole_password(parts)):
        # Not followed further: what stands in the host's place may be the user name, and the path a secret.
        raise _wrong_address(
            scheme,
            "a sign of the user name, the password or the path has a meaning of its own in an address; write it "
            "percent-encoded: / as %2F, ? as %3F, # as %23, [ as %5B, an at sign as %40.",
        )
    if not is_complete:
        raise _wrong_address(scheme, f"the address has no valid host and port; write {scheme}://host/path.")
    return parts


def _wrong_address(scheme: str, message: str) -> UsageError:
    return UsageError(message, field="source", value=f"{scheme}://...")


def _holds_whole_password(parts: SplitResult) -> bool:
    """Whether an at sign behind the host belongs to the path, and not to a password that was cut in two.

    In ``http://me:12/34@camera`` the host would be "me": then it is no IP address and has no dot.
    """
    host = parts.hostname or ""
    if "." in host or ":" in host or host == "localhost":
        return True
    return "@" not in parts.path + parts.query + parts.fragment


def address_for_messages(spec: str) -> str:
    """The address without user, password and query (cameras take passwords there too), for messages."""
    parts = split_address(spec)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def within(opening: Callable[[], T], *, timeout_s: float, label: str) -> T:
    """The result of ``opening``, or ``PerceptionError`` after ``timeout_s``; a result that comes later is closed.

    A thread, because looking up a host name and opening a webcam know no time limit of their own.
    """
    lock = threading.Lock()
    done = threading.Event()
    results: list[T] = []
    failures: list[BaseException] = []
    is_abandoned = False

    def run() -> None:
        try:
            result = opening()
        except BaseException as error:
            failures.append(error)
        else:
            with lock:
                results.append(result)
                if is_abandoned and hasattr(result, "close"):
                    result.close()
        done.set()

    threading.Thread(target=run, name=f"open {label}", daemon=True).start()
    done.wait(timeout_s)
    with lock:
        is_abandoned = not results and not failures
    if failures:
        raise failures[0]
    if is_abandoned:
        raise PerceptionError(f"{label}: does not answer within {timeout_s:g} s; check the address and the network.")
    return results[0]


def open_address(spec: str, *, name: str, rate_fps: float | None, timeout_s: float) -> Reader | VideoFile:
    """A live reader, or a ``VideoFile`` where the address holds a whole video of known duration.

    Raises ``UsageError`` for a bad address, ``PerceptionError`` when it does not answer in time or refuses.
    """
    label = address_for_messages(spec)
    return within(
        lambda: connect(spec, name=name, rate_fps=rate_fps, timeout_s=timeout_s), timeout_s=timeout_s, label=label
    )


def connect(spec: str, *, name: str, rate_fps: float | None, timeout_s: float) -> Reader | VideoFile:
    """``open_address`` without its own time limit: a name server may take longer. For a thread that may wait."""
    label = address_for_messages(spec)
    is_http = split_address(spec).scheme in ("http", "https")
    response = _http_answer(spec, label=label, timeout_s=timeout_s) if is_http else None
    if response is not None:
        return MjpegReader(response, label=label)
    container = _open_stream(spec, label=label, timeout_s=timeout_s)
    if is_http and container.duration:
        container.close()
        return VideoFile(spec, name=name, label=label, rate_fps=rate_fps, timeout_s=timeout_s)
    return StreamReader(container, label=label)


class _HostPassword(urllib.request.HTTPPasswordMgr):
    """The user name and password of an address: for all of its host, wherever the host redirects to, and no other.

    They follow to HTTPS on the same host, and never from HTTPS to HTTP.
    """

    def __init__(self, parts: SplitResult) -> None:
        super().__init__()
        self._parts = parts

    def find_user_password(self, realm: str | None, authuri: str) -> tuple[str | None, str | None]:
        own, asking = self._parts, urlsplit(authuri)
        is_ours = asking.hostname == own.hostname and (
            asking.scheme == "https" if asking.scheme != own.scheme else asking.port == own.port
        )
        if own.username is None or not is_ours:
            return None, None
        return unquote(own.username), unquote(own.password or "")


def _http_answer(spec: str, *, label: str, timeout_s: float) -> http.client.HTTPResponse | None:
    """The open answer of an MJPEG camera; None where the address holds something else."""
    parts = split_address(spec)
    address = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    passwords = _HostPassword(parts)
    opener = urllib.request.build_opener(
        urllib.request.HTTPBasicAuthHandler(passwords), urllib.request.HTTPDigestAuthHandler(passwords)
    )
    try:
        response: http.client.HTTPResponse = opener.open(address, timeout=timeout_s)
    except urllib.error.HTTPError as error:
        error.close()
        remedy = "check user name and password" if error.code in (401, 403) else "check the address"
        raise PerceptionError(f"{label}: answered {error.code} {error.reason}; {remedy}.") from None
    except (http.client.InvalidURL, ValueError):  # their own words repeat the address, with what is secret in it
        raise UsageError(
            f"{label}: leads to an address with signs that an address cannot have; write them percent-encoded, a space "
            "as %20."
        ) from None
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        if isinstance(reason, ssl.SSLCertVerificationError):
            raise untrusted(label, reason) from None
        raise PerceptionError(f"{label}: does not answer ({reason}); check the address and the network.") from None
    if response.headers.get_content_maintype() == "multipart":
        return response
    response.close()
    return None


def _open_stream(spec: str, *, label: str, timeout_s: float) -> av.container.InputContainer:
    parts = split_address(spec)
    if parts.scheme in TLS_PORTS and parts.hostname:
        check_certificate(parts.hostname, parts.port or TLS_PORTS[parts.scheme], label=label, timeout_s=timeout_s)
    options = {"rtsp_flags": "prefer_tcp"} if parts.scheme.startswith("rtsp") else {}
    try:
        return open_container(spec, options=options, timeout_s=timeout_s)
    except av.error.InvalidDataError:
        raise PerceptionError(f"{label}: sends no video that can be read; check the address.") from None
    except av.error.ExitError:
        raise PerceptionError(f"{label}: sends nothing within {timeout_s:g} s; check the address.") from None
    except (av.error.FFmpegError, OSError) as error:
        raise PerceptionError(
            f"{label}: does not answer ({error.strerror}); check the address, the password and the network."
        ) from None
