"""A party's service that misbehaves on the socket: TLS and HTTP by hand, so that every octet of them can be wrong.

    with rogue(folder, "energie", ENERGIE) as service:
        service.behaves(hanging_after_reading)
"""

import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests import pushing
from tests.pushing import Request, Told

_PATIENCE_SECONDS = 10.0


@dataclass(kw_only=True)
class Call:
    """One connection to the service, after its TLS handshake."""

    service: "Rogue"
    socket: ssl.SSLSocket

    def read(self) -> Request:
        """The request that comes in, whole; it is counted."""
        octets = b""
        while b"\r\n\r\n" not in octets:
            octets += self._some()
        head, _, body = octets.partition(b"\r\n\r\n")
        self.service.paths.append(head.split(b" ")[1].decode())
        headers = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
        size = int(headers[b"content-length"])
        while len(body) < size:
            body += self._some()
        request = pushing.read(body)
        self.service.seen.append(request)
        return request

    def _some(self) -> bytes:
        octets = self.socket.recv(65_536)
        if not octets:
            raise ConnectionError
        return octets

    def told(self, told: Told, *, size: int | None = None, content_type: str = "text/xml; charset=utf-8",
             piece: int = 0, pause: float = 0.0) -> None:
        """Answer; `size`: the Content-Length that is said; in pieces of so many octets with a pause between them."""
        headers = {"Content-Type": content_type, "Content-Length": str(len(told.octets) if size is None else size),
                   **{name.replace("_", "-"): value for name, value in told.headers.items()}}
        lines = [f"HTTP/1.1 {told.status} X", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
        octets = "\r\n".join(lines).encode() + told.octets
        for start in range(0, len(octets), piece or len(octets)):
            self.socket.sendall(octets[start:start + (piece or len(octets))])
            if pause and self.service.released.wait(pause):
                return

    def reset(self) -> None:
        """End the connection by RST, with nothing said."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


Behaviour = Callable[[Call], None]


@dataclass(kw_only=True)
class Rogue:
    """The service. `maker` signs answers as the party, or as anybody of the instance."""

    maker: pushing.Receiver
    listener: socket.socket
    context: ssl.SSLContext | None = None  # None: it speaks no TLS
    handshakes: bool = True  # False: a connection is accepted, and no more
    behaviour: Behaviour = field(default=lambda call: well(call))
    seen: list[Request] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)  # ends every wait

    @property
    def url(self) -> str:
        return f"https://localhost:{self.listener.getsockname()[1]}/ontvangst"

    def behaves(self, behaviour: Behaviour) -> None:
        """From now on; whatever still waits is let go."""
        self.released.set()
        self.released = threading.Event()
        self.behaviour = behaviour

    def shows(self, certificate: Path, key: Path) -> None:
        """Its TLS identity from now on."""
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate, key)
        self.context.load_verify_locations(self.maker.folder / "pki" / "ca.pem")
        self.context.verify_mode = ssl.CERT_REQUIRED

    def serve(self) -> None:
        with suppress(OSError):
            while True:
                caller, _ = self.listener.accept()
                threading.Thread(target=self._greet, args=(caller,), daemon=True).start()

    def _greet(self, caller: socket.socket) -> None:
        caller.settimeout(_PATIENCE_SECONDS)
        with suppress(OSError, ConnectionError):
            if not self.handshakes:
                self.released.wait(_PATIENCE_SECONDS)
            elif self.context is None:
                caller.sendall(b"HTTP/1.1 400 X\r\nContent-Length: 0\r\n\r\n")
            else:
                with self.context.wrap_socket(caller, server_side=True) as tls:
                    while True:
                        self.behaviour(Call(service=self, socket=tls))
        caller.close()


def well(call: Call) -> None:
    """As it should be; the connection is kept."""
    request = call.read()
    call.told(pushing.well(call.service.maker, request))


@contextmanager
def rogue(folder: Path, slug: str, party: str) -> Iterator[Rogue]:
    """The service of a party of an instance, on a free port; it behaves well until told otherwise."""
    listener = socket.create_server(("127.0.0.1", 0))
    service = Rogue(maker=pushing.Receiver(slug=slug, party=party, folder=folder), listener=listener)
    service.shows(folder / "pki" / f"{slug}-tls.pem", folder / "pki" / f"{slug}-tls.key")
    threading.Thread(target=service.serve, daemon=True).start()
    try:
        yield service
    finally:
        service.released.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        time.sleep(0)
