"""What must never happen while the hub is attacked: a connection, a look-up, a file opened, a process started.

The canary is planted in the attacks: an address on loopback, for which no resolver is needed and C libraries would
reach too, and a file. Python's audit hooks see whatever goes through Python, whoever asked; look-ups and connections
beyond loopback are not only seen but stopped.
"""

import ctypes
import ipaddress
import os
import socket
import sys
from pathlib import Path

_OPENED = 0x1 | 0x20  # IN_ACCESS, IN_OPEN of inotify(7)
_LOOKUPS = ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr", "socket.getnameinfo")
_PROCESSES = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork")


class Canary:
    """A listening socket and a file. Nobody may ever call the one or open the other."""

    def __init__(self, folder: Path) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._socket.setblocking(False)
        self.authority = f"127.0.0.1:{self._socket.getsockname()[1]}"
        self.url = f"http://{self.authority}/KANARIE"
        self.file = folder / "kanarie.txt"
        self.file.write_text("KANARIE-BESTAND", "utf-8")
        self._inotify = _watch(self.file)

    def plant(self, text: str) -> str:
        """The text with {canary} and {file} made into their addresses."""
        return text.replace("{canary}", self.url).replace("{file}", self.file.as_uri())

    def visits(self) -> int:
        """Connections since last asked: the kernel keeps them, so none is missed."""
        count = 0
        while True:
            try:
                self._socket.accept()[0].close()
            except BlockingIOError:
                return count
            count += 1

    def opened(self) -> bool:
        """Was the file opened since last asked, by anyone?"""
        try:
            return self._inotify is not None and bool(os.read(self._inotify, 65_536))
        except BlockingIOError:
            return False

    def close(self) -> None:
        self._socket.close()
        if self._inotify is not None:
            os.close(self._inotify)


class Watch:
    """Notes what the process tried while it is on."""

    def __init__(self) -> None:
        self.on = False
        self.seen: list[str] = []
        sys.addaudithook(self._hook)  # for good: so it is switched, not removed

    def _hook(self, event: str, arguments: tuple[object, ...]) -> None:
        if not self.on or not event.startswith(("socket.", "subprocess.", "os.")):
            return
        if event in _PROCESSES:
            self.seen.append(f"{event} {arguments[0]!r}")
        elif event in _LOOKUPS or event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
            where = arguments[0] if event in _LOOKUPS else arguments[1]
            host = where[0] if isinstance(where, tuple) else where
            if not _is_here(host):
                self.seen.append(f"{event} {host!r}")
                raise PermissionError(f"{event} is not for tests of attacks")


def _is_here(host: object) -> bool:
    """Loopback, every address of this machine, or a socket of the file system."""
    if host is None or isinstance(host, bytes | bytearray):
        host = (host or b"localhost").decode("latin-1")
    text = str(host)
    if text in ("", "localhost", "0.0.0.0", "::") or text.startswith("/"):
        return True
    try:
        return ipaddress.ip_address(text.partition("%")[0]).is_loopback
    except ValueError:
        return False


def _watch(file: Path) -> int | None:
    """An inotify descriptor on the file; None where the system has no inotify (there the audit hook must do)."""
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "inotify_init1"):
        return None
    descriptor = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
    assert libc.inotify_add_watch(descriptor, os.fsencode(file), _OPENED) >= 0
    return int(descriptor)


WATCH = Watch()
