"""One bounded HTTP exchange with an address that an operator configured: revocation lists and OCSP answers.

What comes is signed and judged elsewhere, so plain http will do (RFC 5280 §8). No redirect is followed, no proxy of the
environment is asked, no answer may be larger or slower than the limits.
"""

import http.client
import socket
import ssl
import threading
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

from gateway.errors import Unreachable


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchLimits:
    """How long and how much."""

    connect_seconds: float = 10.0
    total_seconds: float = 60.0  # of the whole exchange
    max_octets: int = 64 * 1024 * 1024  # as much as is read from a file


def fetch(
    url: str, *, body: bytes | None = None, content_type: str = "", accept: str = "*/*",
    limits: FetchLimits = FetchLimits(),
) -> bytes:
    """The octets of a 200 answer to GET, or to POST where there is a body. Raises Unreachable with cause and remedy."""
    parts = urlsplit(url)
    host, secure = parts.hostname or "", parts.scheme == "https"
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    headers = {"Accept": accept, "Accept-Encoding": "identity", "Connection": "close"}
    if body is not None:
        headers["Content-Type"] = content_type
    connection = http.client.HTTPConnection(host, parts.port or (443 if secure else 80))
    try:
        connection.sock = socket.create_connection((connection.host, connection.port), limits.connect_seconds)
        with _deadline(connection.sock, limits.total_seconds):
            if secure:  # the public web's certificates: a CA publishes on it, and its signature is what counts
                connection.sock = ssl.create_default_context().wrap_socket(connection.sock, server_hostname=host)
            connection.request("GET" if body is None else "POST", target, body=body, headers=headers)
            return _octets(connection.getresponse(), limits)
    except (OSError, http.client.HTTPException) as error:
        raise Unreachable(f"{url}: {_cause(error)}") from error
    finally:
        connection.close()


class _deadline:  # noqa: N801  # reads like a statement
    """Shuts a socket when the time is over, so that a peer that trickles cannot hold us."""

    def __init__(self, sock: socket.socket, seconds: float) -> None:
        self._handle = sock.dup()  # TLS takes the first one over
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True

    def _end(self) -> None:
        with suppress(OSError):  # closed already
            self._handle.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> None:
        self._timer.start()

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        self._handle.close()


def _octets(response: http.client.HTTPResponse, limits: FetchLimits) -> bytes:
    if 300 <= response.status < 400:
        raise http.client.HTTPException("the address redirects, which is not followed; configure the final address")
    if response.status != 200:
        raise http.client.HTTPException(f"the answer is HTTP {response.status}; see whether the address is right")
    octets = response.read(limits.max_octets + 1)
    if len(octets) > limits.max_octets:
        raise http.client.HTTPException(f"the answer is larger than {limits.max_octets} octets")
    if response.length:  # http.client does not say so itself when it was given a number to read
        raise http.client.HTTPException("the answer ended half-way; it is tried again")
    return octets


def _cause(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its TLS certificate is not accepted ({error.verify_message})"
    if isinstance(error, socket.gaierror):
        return "the host name can't be resolved; check the address and DNS"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused; the service is down, or a firewall is in between"
    if isinstance(error, TimeoutError):
        return "no answer in time; the service is slow, or a firewall drops the connection"
    if type(error) is http.client.HTTPException:
        return str(error)
    return f"no usable answer ({type(error).__name__}); the service ended the connection or took too long"
