"""A CA's public web server, as far as the tests need one: it gives what it was told, in the way it was told."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

Answer = Callable[[bytes], bytes]  # the request's octets → the octets to send; the connection is then closed


class Publisher:
    """Answers every connection with `answer`; `asked` holds the requests as they came."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self.answer: Answer = lambda request: b""
        self.asked: list[bytes] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http{'s' if self._tls else ''}://127.0.0.1:{self._listener.getsockname()[1]}/lijst.crl"

    def gives(self, body: bytes, *, status: str = "200 OK", headers: str = "") -> None:
        """Answer with this body from now on."""
        head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode()
        self.answer = lambda request: head + body

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes who waits for a connection
        self._listener.close()

    def _serve(self) -> None:
        with suppress(OSError):  # closed
            while True:
                connection, _ = self._listener.accept()
                with connection, suppress(OSError):
                    connection.settimeout(5)
                    if self._tls is not None:
                        connection = self._tls.wrap_socket(connection, server_side=True)
                    request = _request(connection)
                    self.asked.append(request)
                    connection.sendall(self.answer(request))
                    connection.close()


def _request(connection: socket.socket) -> bytes:
    octets = b""
    while b"\r\n\r\n" not in octets:
        octets += connection.recv(65_536)
    head, _, body = octets.partition(b"\r\n\r\n")
    length = next((int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0)
    while len(body) < length:
        body += connection.recv(65_536)
    return head + b"\r\n\r\n" + body


@contextmanager
def publishing(tls: ssl.SSLContext | None = None) -> Iterator[Publisher]:
    made = Publisher(tls)
    try:
        yield made
    finally:
        made.close()
