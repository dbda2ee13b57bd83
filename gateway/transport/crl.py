"""Fetching revocation lists beside the requests: when one is due, by one process at a time, keeping the last good one.

The time of a list's file says when the list was last proven current: a fetch that brings a newer list writes the file,
one that brings the same list writes it anew. So workers, restarts and whoever else puts files there all read one fact
(docs/decisions/0012). A lock file beside it keeps processes from fetching the same list at once; its own time is that
of the last attempt.
"""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Final

from gateway.errors import Misconfigured
from gateway.transport.fetch import FetchLimits, fetch

_REFRESH: Final = timedelta(hours=1)  # CAs publish a revocation within four hours
_RETRY: Final = timedelta(minutes=5)  # after a failure

Accept = Callable[[bytes, bytes | None, str], bytes]
"""Fetched octets, the file's octets, the URL → the octets to keep. Raises GatewayError when the list is not good."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteList:
    """A revocation list that the hub keeps current."""

    file: Path
    url: str


class Fetched(StrEnum):
    """What became of one list in one round."""

    NEW = "new"  # a newer list is in the file
    CURRENT = "current"  # the list in the file is still the one in force
    NOT_DUE = "not due"
    BUSY = "busy"  # another process is at it


def refresh_after(max_age: timedelta) -> timedelta:
    """How old a list may get before it is fetched again: an hour, and four tries before it is too old."""
    return min(_REFRESH, max_age / 4)


def fetch_list(
    wanted: RemoteList, accept: Accept, *, now: datetime, after: timedelta | None, limits: FetchLimits | None = None
) -> Fetched:
    """Fetch one list when it is due.

    Takes   `after`: the age at which it is due; None: now, waiting for whoever is at it.
    Raises  Unreachable, Misconfigured and what `accept` raises; the file is then as it was.
    """
    if after is not None and _age(wanted.file, now) < after:
        return Fetched.NOT_DUE
    with _turn(wanted.file, wait=after is None) as lock:
        if lock is None:
            return Fetched.BUSY
        if after is not None and (_age(wanted.file, now) < after or _tried(lock, now)):
            return Fetched.NOT_DUE
        os.pwrite(lock, b"tried", 0)
        os.utime(lock, _times(now))
        kept = _kept(wanted.file)
        keep = accept(fetch(wanted.url, limits=limits or FetchLimits()), kept, wanted.url)
        write_whole(wanted.file, keep, now)  # also the same: touching it would ask that we own the file
        return Fetched.CURRENT if keep == kept else Fetched.NEW


def write_whole(file: Path, octets: bytes, now: datetime) -> None:
    """Write a file of this moment in one step: a reader sees the old octets or the new ones. Raises Misconfigured."""
    fresh = file.with_name(f".{file.name}.{os.getpid()}.new")
    try:
        fresh.write_bytes(octets)
        os.utime(fresh, _times(now))
        fresh.replace(file)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        cause = f"cannot be written ({error.strerror})"
        raise Misconfigured(f"{file}: {cause}; let the gateway's user write there") from error


def _kept(file: Path) -> bytes | None:
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        cause = f"cannot be read ({error.strerror})"
        raise Misconfigured(f"{file}: {cause}; let the gateway's user read it") from error


def _times(now: datetime) -> tuple[float, float]:
    return now.timestamp(), now.timestamp()


def _age(file: Path, now: datetime) -> timedelta:
    """Since its time; as old as can be when there is none, or when it lies in the future and so proves nothing."""
    try:
        age = now - datetime.fromtimestamp(file.stat().st_mtime, UTC)
    except FileNotFoundError:
        return timedelta.max
    return age if age > -_RETRY else timedelta.max


def _tried(lock: int, now: datetime) -> bool:
    """Was there an attempt a moment ago? A lock file that was just made is empty: no attempt was."""
    stat = os.fstat(lock)
    return stat.st_size > 0 and now - datetime.fromtimestamp(stat.st_mtime, UTC) < _RETRY


@contextmanager
def _turn(file: Path, *, wait: bool) -> Iterator[int | None]:
    """The lock file's handle; None when another process holds it and we do not wait."""
    path = file.with_name(f"{file.name}.lock")
    try:
        lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise Misconfigured(f"{path}: cannot be made ({error.strerror}); let the gateway's user write there") from error
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
            return
        yield lock
    finally:
        os.close(lock)  # and with it the lock
