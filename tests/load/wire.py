"""The cheapest client that can load a hub: prepared requests over raw TLS connections, one thread, no client library.

A request is bytes from the start, HTTP headers and all; of an answer only status, Retry-After and end are looked at.
"""

import selectors
import socket
import ssl
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

_READ: Final = 65_536
_NOTHING_TO_DO: Final = 0.02  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """One request, ready to go out."""

    number: str  # Referentienummer
    octets: bytes


@dataclass(slots=True, kw_only=True)
class Told:
    """What became of the requests of one stream in one phase. Seconds: from the first octet out to the last one in."""

    offered: int = 0  # how many should have gone out
    late: int = 0  # of these: there was no connection free, or no request left
    accepted: list[float] = field(default_factory=list)
    in_time: int = 0  # of these: before the phase ended
    refused: list[float] = field(default_factory=list)  # 503
    retry_after: list[int] = field(default_factory=list)  # of those
    without: int = 0  # 503 without Retry-After
    other: dict[str, int] = field(default_factory=dict)  # whatever should not be
    receipts: list[str] = field(default_factory=list)  # Referentienummers


class _Connection:
    def __init__(self, host: str, port: int, context: ssl.SSLContext) -> None:
        plain = socket.create_connection((host, port), timeout=10)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.tls = context.wrap_socket(plain, server_hostname="localhost")
        self.tls.setblocking(False)
        self.asked: Prepared | None = None
        self.sent_at = 0.0
        self._out, self._in = memoryview(b""), bytearray()

    def ask(self, request: Prepared) -> None:
        self.asked, self.sent_at = request, time.perf_counter()
        self._out = memoryview(request.octets)
        self._in.clear()
        self.push()

    def push(self) -> bool:
        """Send what can be sent; is something left?"""
        try:
            while self._out:
                self._out = self._out[self.tls.send(self._out):]
        except (ssl.SSLWantWriteError, ssl.SSLWantReadError):
            pass
        return bool(self._out)

    def answer(self) -> tuple[int, int | None, bool] | None:
        """Status, Retry-After and whether the connection ends, once the whole answer is there. Raises OSError."""
        try:
            while chunk := self.tls.recv(_READ):
                self._in += chunk
                if not self.tls.pending():
                    break
            else:
                raise ConnectionError("closed before the answer")
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            pass
        end = self._in.find(b"\r\n\r\n")
        if end < 0:
            return None
        head = bytes(self._in[:end]).lower()
        length = _value(head, b"content-length") or 0
        if len(self._in) < end + 4 + length:
            return None
        return int(head[9:12]), _value(head, b"retry-after"), b"\r\nconnection: close" in head


def _value(head: bytes, name: bytes) -> int | None:
    at = head.find(b"\r\n" + name + b":")
    return None if at < 0 else int(head[at + len(name) + 3:].split(b"\r\n", 1)[0])


class Stream:
    """One party's requests over its own connections; those that got 503 come again, as nothing was kept of them."""

    def __init__(self, host: str, port: int, context: ssl.SSLContext) -> None:
        self._reach: Callable[[], _Connection] = lambda: _Connection(host, port, context)
        self.ready: deque[Prepared] = deque()
        self._open: list[_Connection] = []
        self.idle: list[_Connection] = []
        self.told = Told()
        self.until = 0.0  # end of the phase
        self.due, self.every = 0.0, 0.0  # of an open loop; every 0.0: whenever a connection is free

    def begin(self, *, connections: int, rate: float | None, now: float) -> None:
        """A new phase: so many connections; requests at this rate whatever becomes of them, or as fast as they go."""
        while len(self._open) < connections:
            self._connect()
        self.told, self.due, self.every = Told(), now, 1 / rate if rate else 0.0

    def _connect(self) -> _Connection:
        made = self._reach()
        self._open.append(made)
        self.idle.append(made)
        return made

    def feed(self, now: float) -> list[_Connection]:
        """Send what is due; the connections whose answers must be awaited."""
        begun = []
        while (self.due <= now) if self.every else self.idle:
            self.due += self.every
            self.told.offered += 1
            if not self.idle or not self.ready:
                self.told.late += 1
                if not self.every:
                    break
                continue
            connection = self.idle.pop()
            connection.ask(self.ready.popleft())
            begun.append(connection)
        return begun

    def take(self, connection: _Connection) -> bool:
        """Look for the answer; is it there?"""
        try:
            found = connection.answer()
        except OSError as error:
            self._count(type(error).__name__)
            self._end(connection)
            return True
        if found is None:
            return False
        request, seconds = connection.asked, time.perf_counter() - connection.sent_at
        assert request is not None
        status, retry_after, ends = found
        if status == 200:
            self.told.accepted.append(seconds)
            self.told.in_time += time.perf_counter() < self.until
            self.told.receipts.append(request.number)
        elif status == 503:
            self.told.refused.append(seconds)
            self.ready.append(request)
            if retry_after is None:
                self.told.without += 1
            else:
                self.told.retry_after.append(retry_after)
        else:
            self._count(str(status))
        connection.asked = None
        self._end(connection) if ends else self.idle.append(connection)
        return True

    def _count(self, what: str) -> None:
        self.told.other[what] = self.told.other.get(what, 0) + 1

    def _end(self, connection: _Connection) -> None:
        connection.tls.close()
        self._open.remove(connection)
        self._connect()

    def close(self) -> None:
        for connection in self._open:
            connection.tls.close()
        self._open, self.idle = [], []


def drive(streams: list[Stream], seconds: float, *, settle: float = 5.0) -> None:
    """Run a phase: feed for so long, then wait for the answers that are under way."""
    with selectors.DefaultSelector() as selector:
        asked: dict[_Connection, Stream] = {}
        end = time.perf_counter() + seconds
        for stream in streams:
            stream.until = end
        while (now := time.perf_counter()) < end + settle:
            if now < end:
                for stream in streams:
                    for connection in stream.feed(now):
                        asked[connection] = stream
                        selector.register(connection.tls, selectors.EVENT_READ, connection)
            elif not asked:
                return
            due = min((one.due for one in streams if one.every), default=now + _NOTHING_TO_DO)
            for key, _ in selector.select(max(0.0, min(due - now, _NOTHING_TO_DO))):
                connection = key.data
                connection.push()
                if asked[connection].take(connection):
                    selector.unregister(key.fileobj)
                    del asked[connection]
        for connection, stream in asked.items():  # never answered
            stream._count("no answer")
            stream._end(connection)
