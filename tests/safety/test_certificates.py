"""A camera or file behind TLS is read only where its certificate is trusted; before that, nothing is sent there."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from perception.errors import PerceptionError
from perception.sources.files.decoding.stream import open_container
from perception.sources.live.stream_schemes import open_address


class TlsServer(threading.Thread):
    """Takes connections with a certificate of its own, and keeps what was said once the hands were shaken."""

    def __init__(self, certificate: Path, key: Path) -> None:
        super().__init__(daemon=True)
        self.heard = b""
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate, key)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]

    def run(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            try:
                connection.settimeout(5)
                with self._context.wrap_socket(connection, server_side=True) as secured:
                    while data := secured.recv(4096):
                        self.heard += data
            except OSError:
                connection.close()

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[TlsServer]:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost", "-keyout", str(key), "-out", str(certificate)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("openssl is not installed")
    server = TlsServer(certificate, key)
    server.start()
    yield server
    server.close()


@pytest.mark.parametrize("scheme", ["rtsps", "https", "rtmps"])
def test_a_self_signed_host_gets_neither_name_nor_password(server: TlsServer, scheme: str) -> None:
    address = f"{scheme}://me:geheim@127.0.0.1:{server.port}/live?token=geheim"
    with pytest.raises(PerceptionError, match="its certificate is not trusted") as caught:
        open_address(address, name="a", rate_fps=None, timeout_s=5)
    assert "geheim" not in str(caught.value)
    assert server.heard == b""


@pytest.mark.parametrize("scheme", ["rtsps", "https"])
def test_ffmpeg_itself_verifies_too(server: TlsServer, scheme: str) -> None:
    with pytest.raises(OSError):
        open_container(f"{scheme}://me:geheim@127.0.0.1:{server.port}/live", timeout_s=5)
    assert server.heard == b""


def test_a_host_of_an_authority_that_the_user_names_is_asked(
    server: TlsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate.pem"))
    with pytest.raises(PerceptionError, match=r"127\.0\.0\.1.*"):
        open_address(f"rtsps://127.0.0.1:{server.port}/live", name="a", rate_fps=None, timeout_s=2)
    assert b"RTSP" in server.heard
