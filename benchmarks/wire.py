"""What a listener can't do without: TLS and HTTP/1.1 of one request, in memory, without a network.

The contexts are the hub's and a party's own; of each exchange the hub's half is what costs.
"""

import ssl
import time
from collections.abc import Callable
from typing import TypeVar

import httptools

from gateway.app import front
from gateway.settings import Settings
from gateway.transport import TlsFiles, client_tls
from gateway.transport.tls import keep_session
from gateway.values import Received

T = TypeVar("T")

_ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: text/xml; charset=utf-8\r\ncontent-length: 8768\r\n\r\n" + bytes(8_768)
_RECORD = 65_536


def http_request(received: Received, *, close: bool = False) -> bytes:
    """The request as it goes over a connection."""
    head = (f"POST {received.path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/xml; charset=utf-8\r\n"
            f'SOAPAction: ""\r\nAccept: text/xml\r\nContent-Length: {len(received.octets)}\r\n')
    return (head + ("Connection: close\r\n" if close else "") + "\r\n").encode() + received.octets


class _Reader:
    """What a parser tells of one request."""

    def __init__(self) -> None:
        self.body: list[bytes] = []
        self.headers: list[tuple[bytes, bytes]] = []
        self.complete = False

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name, value))

    def on_body(self, octets: bytes) -> None:
        self.body.append(octets)

    def on_message_complete(self) -> None:
        self.complete = True


def http_parse(octets: bytes) -> bytes:
    """The body of one request, by the parser of the listener."""
    reader = _Reader()
    httptools.HttpRequestParser(reader).feed_data(octets)
    assert reader.complete
    return b"".join(reader.body)


class Link:
    """Both ends of one TLS connection; the seconds of the hub's end are counted."""

    def __init__(self, server: ssl.SSLContext, client: ssl.SSLContext, session: ssl.SSLSession | None = None) -> None:
        up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.server = server.wrap_bio(up, down, server_side=True)
        self.client = client.wrap_bio(down, up, server_hostname="localhost", session=session)
        self.seconds = 0.0

    def shake(self) -> None:
        """The handshake, and an octet each way, with which the session comes."""
        while not (_goes_on(self.client) & self._of_hub(lambda: _goes_on(self.server))):
            pass
        self.exchange(b"?", b"!")

    def exchange(self, request: bytes, answer: bytes) -> None:
        """One each way."""
        self.client.write(request)
        self._of_hub(lambda: self._serve(len(request), answer))
        left = len(answer)
        while left:
            left -= len(self.client.read(_RECORD))

    def _serve(self, size: int, answer: bytes) -> None:
        while size:
            size -= len(self.server.read(_RECORD))
        self.server.write(answer)

    def _of_hub(self, work: Callable[[], T]) -> T:
        begin = time.perf_counter()
        try:
            return work()
        finally:
            self.seconds += time.perf_counter() - begin


class Wire:
    """Connections of a party to the hub."""

    def __init__(self, settings: Settings, party: TlsFiles) -> None:
        self._server, self._client = front.server_tls(settings), client_tls(party)
        self._kept = Link(self._server, self._client)
        self._kept.shake()
        self._session = self._kept.client.session

    def handshake(self, *, resumed: bool) -> float:
        """Seconds of the hub's half of a new connection, to its first octet."""
        link = Link(self._server, self._client, self._session if resumed else None)
        link.shake()
        assert link.server.session_reused is resumed
        if not resumed:
            self._session = link.client.session
        keep_session(link.server)
        return link.seconds

    def records(self, request: bytes) -> float:
        """Seconds of the hub's half of a request and its answer on a kept connection."""
        before = self._kept.seconds
        self._kept.exchange(request, _ANSWER)
        return self._kept.seconds - before


def _goes_on(side: ssl.SSLObject) -> bool:
    """One step of a handshake; is it done?"""
    try:
        side.do_handshake()
    except ssl.SSLWantReadError:
        return False
    return True
