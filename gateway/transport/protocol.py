"""One HTTP/1.1 connection: uvicorn's httptools protocol, with the peer's certificate and with limits it lacks.

uvicorn 0.54 hands no client certificate to the application, has no time-out for request headers, and no cap on their
size; llhttp refuses what smuggles (Content-Length beside Transfer-Encoding, bare LF, folded headers). The subclass
uses a few undocumented names of uvicorn (`app_state`, `cycle`): the version is pinned, and tests hold each behaviour.
"""

import asyncio
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway.transport.intake import Line
from gateway.transport.quota import Quota
from gateway.transport.tls import certified_oin, keep_session

_FLUSH_SECONDS = 5.0  # how long a closing connection may take to send what is left
_FAREWELL_SECONDS = 0.5  # how long an idle peer may take to say goodbye while the hub stops
_UNREAD = 65_536  # octets of answers in a connection's buffer, above which no more are put there
_REST_SECONDS = 0.5  # less than any Retry-After: only who does not obey it finds its octets waiting in the socket
_CONTINUE = b"HTTP/1.1 100 "
_PIPELINED = 16  # requests that may wait behind the one that runs: a segment holds thousands of small ones


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLimits:
    """What one connection, and all of them together, may take."""

    handshake_seconds: float = 10.0
    handshakes: int = 512  # under way at once, per process; beyond it the longest one ends
    header_seconds: float = 10.0  # from a request's first octet to the end of its headers
    idle_seconds: float = 30.0  # between requests, and for an answer that is not being read
    header_octets: int = 65_536
    connections: int = 2_000  # open at once, per process
    seconds: float = 3_600.0  # then a connection ends after its next answer
    requests: int = 10_000  # likewise


class _Joined:
    """A transport for one answer: its head goes out with what follows, in one TLS record and one call of the system."""

    __slots__ = ("_begun", "_head", "_transport")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport, self._head, self._begun = transport, b"", False

    def write(self, octets: bytes) -> None:
        if self._begun or octets.startswith(_CONTINUE):
            self._transport.write(self._head + octets if self._head else octets)
            self._head = b""
        else:
            self._head, self._begun = octets, True

    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def close(self) -> None:
        if self._head:
            self.write(b"")
        self._transport.close()


class HttpProtocol(HttpToolsProtocol):
    """Adds to the state of each request's scope: `peer` (DER, or b"" without TLS), `oin`, which limits go by, and the
    `line`.
    """

    limits = ConnectionLimits()  # the listener makes a subclass with its own
    quota: Quota | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        tls = self._tls = transport.get_extra_info("ssl_object")
        self.peer: bytes = (tls.getpeercert(True) or b"") if tls is not None else b""
        oin = certified_oin(transport.get_extra_info("peercert") or {})
        self._line = Line(rest=self._rest)
        self.app_state = {**self.app_state, "peer": self.peer, "oin": oin, "line": self._line}
        self._deaf = False  # more was asked at once than is listened to
        self._in_headers = True  # between the end of one request and the end of the next one's headers
        self._header_octets = 0
        self._header_timer: asyncio.TimerHandle | None = None
        self._last = False  # draining: the request that is arriving is the last one
        self._farewell = False  # draining: the peer's time to say goodbye runs
        self._ends_at = self.loop.time() + self.limits.seconds
        self._requests_left = self.limits.requests
        self._stalled: asyncio.TimerHandle | None = None  # the peer does not read
        self._key, within = self.quota.connect(oin) if self.quota is not None else ("", True)
        super().connection_made(transport)
        transport.set_write_buffer_limits(high=_UNREAD)
        if not within:
            self._turn_away(429)
        elif len(self.connections) > self.limits.connections:
            self._turn_away(503)
        else:
            self._await_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        self._line.lost, self._line.rest = True, lambda: None
        self._headers_done()
        self.resume_writing()
        if self.quota is not None:
            self.quota.leave(self._key)
        if self._tls is not None:
            keep_session(self._tls)
        super().connection_lost(exc)
        self._unset_keepalive_if_required()  # uvicorn leaves the timer when the connection breaks

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing() or self._deaf:
            return
        if self._in_headers:
            self._header_octets += len(data)
            self._await_headers()
        super().data_received(data)
        if self._in_headers and self._header_octets > self.limits.header_octets:
            self.send_400_response("Request headers too large.")

    def on_message_begin(self) -> None:
        if self._deaf:
            return
        super().on_message_begin()
        self._in_headers = True
        self._header_octets = max(self._header_octets, 1)  # it began in the chunk that ended the one before
        self._await_headers()

    def on_headers_complete(self) -> None:
        self._headers_done()
        if self._deaf or len(self.pipeline) >= _PIPELINED:
            self._deaf = True  # what was taken is answered, then the connection ends: RFC 9112 §9.3.2, §9.6
            self.cycle.keep_alive = False
            return
        super().on_headers_complete()
        if self.scope["method"] != "HEAD":  # to which nothing follows
            self.cycle.transport = _Joined(self.transport)  # type: ignore[assignment]
        self._requests_left -= 1
        if self._last or self._requests_left <= 0 or self.loop.time() >= self._ends_at:
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        if not self._deaf:
            super().on_body(body)

    def on_message_complete(self) -> None:
        if self._deaf:
            return
        super().on_message_complete()
        self._in_headers = True
        self._header_octets = 0

    def shutdown(self) -> None:
        """Drain: finish the request that runs or is arriving, close when idle. Called again and again."""
        if self.transport.is_closing():
            if not self._farewell and self.transport.get_write_buffer_size() == 0:
                self._farewell = True  # all is sent; the answer may still be on its way, so this peer gets longer
                self.loop.call_later(_FLUSH_SECONDS, self.transport.abort)
            return
        running = self.cycle is not None and not self.cycle.response_complete
        if running:
            self.cycle.keep_alive = False
        if self._in_headers and self._header_octets:
            self._last = True
        elif not running:
            self.transport.close()
            if self.transport.get_write_buffer_size() == 0:  # a peer that is not reading sends no close_notify either
                self.loop.call_later(_FAREWELL_SECONDS, self.transport.abort)

    def timeout_keep_alive_handler(self) -> None:
        super().timeout_keep_alive_handler()
        self.loop.call_later(_FLUSH_SECONDS, self.transport.abort)  # a peer that never reads the answer

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._stalled is None:
            self._stalled = self.loop.call_later(self.limits.idle_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def _rest(self) -> None:
        if not self.transport.is_closing():
            self.flow.pause_reading()
            self.loop.call_later(_REST_SECONDS, self.flow.resume_reading)

    def _turn_away(self, status: int) -> None:
        """Say why before anything is asked, then close: a connection that just broke would explain nothing."""
        head = "HTTP/1.1 {} {}\r\nConnection: close\r\nRetry-After: 10\r\nContent-Length: 0\r\n\r\n"
        self.transport.write(head.format(status, HTTPStatus(status).phrase).encode())
        self.transport.close()
        if self.quota is not None:
            self.quota.not_let_in(status)
        self.loop.call_later(_FAREWELL_SECONDS, self.transport.abort)

    def _await_headers(self) -> None:
        if self._header_timer is None:
            self._header_timer = self.loop.call_later(self.limits.header_seconds, self._headers_late)

    def _headers_done(self) -> None:
        self._in_headers = False
        if self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None

    def _headers_late(self) -> None:
        self._header_timer = None
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.keep_alive = False  # the answer to the request before still has to go out
        elif not self.transport.is_closing():
            self.transport.close()
            self.loop.call_later(_FLUSH_SECONDS, self.transport.abort)


def protocol_class(limits: ConnectionLimits, quota: Quota | None) -> type[HttpProtocol]:
    """The protocol of one listener, with its limits; without a quota where there is no TLS."""
    members: dict[str, Any] = {"limits": limits, "quota": quota}
    return type("HttpProtocol", (HttpProtocol,), members)
