"""A load client in a process of its own: so many connections, each sending its next request when the last is answered.

    python -m benchmarks.load PORT PKI-FOLDER SLUG CONNECTIONS KIND < requests

KIND: `kept` (a connection is kept), `new` (each request has its own, after a full handshake), `resumed` (likewise, with
the session of the one before). Each request comes as a line of its length and its octets (HTTP and all). Prints one
line of JSON. Shares no code with the gateway, and does as little as a client can: it does not look into the answers.
"""

import json
import socket
import ssl
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

_WARM = 8  # one in so many requests goes before the clock runs


@dataclass(kw_only=True)
class Seen:
    """What one connection saw."""

    waits: list[float] = field(default_factory=list)  # seconds
    refused: int = 0
    resumed: int = 0


class Line:
    """One connection after the other, or one for all."""

    def __init__(self, port: int, tls: ssl.SSLContext, kind: str) -> None:
        self._port, self._tls, self._kind = port, tls, kind
        self._kept: ssl.SSLSocket | None = None
        self._session: ssl.SSLSession | None = None
        self.seen = Seen()

    def send(self, request: bytes) -> None:
        """One request and its answer; connecting counts where the connection is its own."""
        begin = time.perf_counter()
        connection = self._kept or self._connected()
        connection.sendall(request)
        status = _answer(connection)
        if self._kind == "kept":
            self._kept = connection
        else:
            self.seen.resumed += connection.session_reused is True
            if self._kind == "resumed":
                self._session = connection.session
            connection.close()
        self.seen.waits.append(time.perf_counter() - begin)
        self.seen.refused += status != 200

    def _connected(self) -> ssl.SSLSocket:
        bare = socket.create_connection(("127.0.0.1", self._port))
        bare.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self._tls.wrap_socket(bare, server_hostname="localhost", session=self._session)

    def close(self) -> None:
        if self._kept is not None:
            self._kept.close()


def _answer(connection: ssl.SSLSocket) -> int:
    """Read one answer; its status. Raises ConnectionError when there is none."""
    got = b""
    while b"\r\n\r\n" not in got:
        piece = connection.recv(65_536)
        if not piece:
            raise ConnectionError("the hub closed the connection without an answer")
        got += piece
    head, _, body = got.partition(b"\r\n\r\n")
    left = next(int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
    left -= len(body)
    while left > 0:
        left -= len(connection.recv(65_536))
    return int(head[9:12])


def read_requests(source: BinaryIO) -> list[bytes]:
    found = []
    while line := source.readline():
        found.append(source.read(int(line)))
    return found


def run(lines: list[Line], requests: list[bytes]) -> dict[str, float]:
    """Share the requests out; the seconds of wall and processor of what is measured."""
    warm = len(requests) // _WARM
    _at_once(lines, requests[:warm])
    for line in lines:
        line.seen = Seen()
    begin, cpu = time.perf_counter(), time.process_time()
    _at_once(lines, requests[warm:])
    return {"seconds": time.perf_counter() - begin, "client_cpu_seconds": time.process_time() - cpu}


def _at_once(lines: list[Line], requests: list[bytes]) -> None:
    errors: list[Exception] = []

    def each(place: int) -> None:
        try:
            for request in requests[place::len(lines)]:
                lines[place].send(request)
        except OSError as error:
            errors.append(error)

    threads = [threading.Thread(target=each, args=(place,)) for place in range(len(lines))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def main() -> None:
    port, pki, slug, connections, kind = int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]), sys.argv[5]
    tls = ssl.create_default_context(cafile=str(pki / "ca.pem"))
    tls.load_cert_chain(pki / f"{slug}-tls.pem", pki / f"{slug}-tls.key")
    requests = read_requests(sys.stdin.buffer)
    lines = [Line(port, tls, kind) for _ in range(connections)]
    print("ready", flush=True)  # the one who asked may look at his clocks now
    figures = run(lines, requests)
    waits = [wait for line in lines for wait in line.seen.waits]
    print(json.dumps({**figures, "waits": waits, "refused": sum(line.seen.refused for line in lines),
                      "resumed": sum(line.seen.resumed for line in lines)}))
    for line in lines:
        line.close()


if __name__ == "__main__":
    main()
