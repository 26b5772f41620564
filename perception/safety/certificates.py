"""Encrypted connections are made only to hosts whose certificate is trusted.

Trusted are the authorities of the system, or those of the file that ``SSL_CERT_FILE`` names, as of OpenSSL.
"""

from __future__ import annotations

import os
import socket
import ssl
from contextlib import closing

from perception.errors import PerceptionError


def check_certificate(host: str, port: int, *, label: str, timeout_s: float) -> None:
    """Shake hands with the host and say nothing else.

    Raises ``PerceptionError`` where its certificate is not trusted or is another host's; before any name or password
    goes there. A host that cannot be reached passes: whoever connects says so.
    """
    context = ssl.create_default_context()
    try:
        with (
            closing(socket.create_connection((host, port), timeout=timeout_s)) as connection,
            context.wrap_socket(connection, server_hostname=host),
        ):
            pass
    except ssl.SSLCertVerificationError as error:
        raise untrusted(label, error) from None
    except ssl.SSLError as error:
        raise PerceptionError(
            f"{label}: does not speak TLS ({error.reason or 'no handshake'}); check the address and its port."
        ) from None
    except OSError:
        return


def untrusted(label: str, error: ssl.SSLCertVerificationError) -> PerceptionError:
    """What to say of a host with a wrong certificate."""
    reason = error.verify_message.rstrip(".") or "unknown reason"
    return PerceptionError(
        f"{label}: its certificate is not trusted ({reason}), and nothing was sent; set SSL_CERT_FILE to a file with "
        "the certificate of its authority."
    )


def verifying_options() -> dict[str, str]:
    """Options of FFmpeg that make it verify certificates as Python does."""
    paths = ssl.get_default_verify_paths()
    authorities = os.environ.get(paths.openssl_cafile_env) or paths.cafile
    return {"tls_verify": "1", **({"ca_file": authorities} if authorities else {})}
