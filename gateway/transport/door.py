"""Takes connections from one listening socket and sees them through the TLS handshake, bounded in number and time.

asyncio's own server keeps no account of connections that are still in their handshake: who opens many and says nothing
would take every file descriptor, and nobody else got in. Here the one that waits longest makes room for a new one. A
caller that means it is through in two round trips, long before its turn to be put out comes.
"""

import asyncio
import errno
import logging
import socket
import ssl
from asyncio import sslproto
from collections.abc import Callable

_ACCEPT_AT_ONCE = 64  # then the connections that stand get their turn
_RETRY_SECONDS = 0.2
_SHUTDOWN_SECONDS = 30.0  # to flush the last answer of a connection, and for the peer's close_notify
_NO_ROOM = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)

# What asyncio keeps of each TLS connection for as long as that stands, to read into; unasked 256 KiB, of which 2,000
# connections fill half a gigabyte. A TLS record is 16 KiB at most.
sslproto.SSLProtocol.max_size = 32_768

_log = logging.getLogger(__name__)


class Door:
    """The way from a listening socket to protocols.

    Takes   a bound, non-blocking socket; the TLS context, None for a plain listener; what makes a protocol; how long
            a handshake may take (seconds) and how many may be under way. Used from the event loop's thread.
    """

    def __init__(
        self, listener: socket.socket, tls: ssl.SSLContext | None, make: Callable[[], asyncio.Protocol], *,
        handshake_seconds: float, handshakes: int,
    ) -> None:
        self._listener, self._tls, self._make = listener, tls, make
        self._handshake_seconds, self._handshakes = handshake_seconds, handshakes
        self._entering: dict[asyncio.Task[None], None] = {}  # longest waiting first
        self._retry: asyncio.TimerHandle | None = None

    def open(self) -> None:
        """Begin to accept."""
        self._retry = None
        asyncio.get_running_loop().add_reader(self._listener, self._accept)

    def close(self) -> None:
        """Accept no more. Handshakes under way go on."""
        asyncio.get_running_loop().remove_reader(self._listener)
        if self._retry is not None:
            self._retry.cancel()
        self._listener.close()

    def _accept(self) -> None:
        for _ in range(_ACCEPT_AT_ONCE):
            try:
                caller, _ = self._listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in _NO_ROOM:
                    raise
                self._pause(error)
                return
            self._greet(caller)

    def _greet(self, caller: socket.socket) -> None:
        if len(self._entering) >= self._handshakes:
            longest = next(iter(self._entering))
            del self._entering[longest]
            longest.cancel()
        task = asyncio.get_running_loop().create_task(self._enter(caller))
        self._entering[task] = None
        task.add_done_callback(lambda done: self._entering.pop(done, None))

    async def _enter(self, caller: socket.socket) -> None:
        """The handshake; its failures concern nobody but the caller, who gets an alert."""
        loop = asyncio.get_running_loop()
        try:
            if self._tls is None:
                await loop.connect_accepted_socket(self._make, caller)
            else:
                await loop.connect_accepted_socket(
                    self._make, caller, ssl=self._tls, ssl_handshake_timeout=self._handshake_seconds,
                    ssl_shutdown_timeout=_SHUTDOWN_SECONDS)
        except OSError:
            caller.close()

    def _pause(self, error: OSError) -> None:
        """Out of file descriptors or memory: no use to be told again at once that somebody waits."""
        _log.warning("can't accept connections for a moment: %s", error.strerror)
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._listener)
        if self._entering:
            next(iter(self._entering)).cancel()
        self._retry = loop.call_later(_RETRY_SECONDS, self.open)
