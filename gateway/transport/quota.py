"""How much each party may ask of the hub: requests by a token bucket, connections by a count.

Asked for every connection and every request, before anything of the request is read; so an answer costs a microsecond
and no signature. A party is known here by the OIN in its TLS certificate, and whoever is no party shares one quota.
"""

import math
import mmap
import threading
from collections import Counter
from collections.abc import Callable
from fcntl import LOCK_EX, LOCK_UN, lockf
from hashlib import sha256
from pathlib import Path
from struct import Struct
from typing import Final, Protocol

from gateway.errors import GatewayError, Misconfigured, RateLimited, row
from gateway.ports import Observe
from gateway.values import Allowance

STRANGERS: Final = ""  # the key of all who are no party, together
_STRANGE: Final = Allowance(requests_per_second=10, burst=50, connections=50)  # enough to find out why one is refused
_SAID_EVERY = 10.0  # seconds between two signed refusals of a kind to a party: one costs more than a request

_Kind = tuple[str, type[GatewayError]]  # of whom, what
Allowances = Callable[[str], Allowance | None]  # by OIN; None: no active party has it


def draw(full_at: float, now: float, allowance: Allowance) -> tuple[float, float]:
    """Take one token from a bucket (the generic cell rate algorithm of ITU-T I.371: a bucket in one number).

    Takes   when the bucket will be full again, and now, in seconds of one clock.
    Gives   when it will be full after this; and how long to wait, 0.0 when the token was there.
    """
    each = 1 / allowance.requests_per_second
    begun = max(full_at, now)
    wait = begun + each - now - allowance.burst * each
    return (begun + each, 0.0) if wait <= 1e-9 else (begun, wait)


class Meter(Protocol):
    """Keeps every party's bucket."""

    def draw(self, oin: str, now: float, allowance: Allowance) -> float:
        """Take a token; seconds to wait, 0.0 when it was there."""


class OwnMeter:
    """The buckets of a hub that is one process."""

    def __init__(self) -> None:
        self._full_at: dict[str, float] = {}

    def draw(self, oin: str, now: float, allowance: Allowance) -> float:
        self._full_at[oin], wait = draw(self._full_at.get(oin, 0.0), now, allowance)
        return wait


class SharedMeter:
    """The buckets of a hub of several processes, in a file that all of them map.

    Each bucket is a record of its key's digest and one number; a lock on the record's octets keeps processes apart.
    The clock must be one for all processes, as time.monotonic is on one machine.
    """

    RECORD = Struct("=8sd")
    RECORDS = 16_384

    def __init__(self, path: Path) -> None:
        """Open a file that `make` made."""
        self._file = path.open("r+b")
        self._map = mmap.mmap(self._file.fileno(), self.RECORD.size * self.RECORDS)
        self._found: dict[str, int] = {}  # key → place

    @classmethod
    def make(cls, path: Path) -> None:
        """A fresh file of full buckets."""
        path.write_bytes(bytes(cls.RECORD.size * cls.RECORDS))

    def draw(self, oin: str, now: float, allowance: Allowance) -> float:
        place = self._found.get(oin)
        if place is None:
            place = self._found[oin] = self._place(oin)
        lockf(self._file, LOCK_EX, self.RECORD.size, place)
        try:
            key, full_at = self.RECORD.unpack_from(self._map, place)
            full_at, wait = draw(full_at, now, allowance)
            self.RECORD.pack_into(self._map, place, key, full_at)
        finally:
            lockf(self._file, LOCK_UN, self.RECORD.size, place)
        return wait

    def close(self) -> None:
        self._map.close()
        self._file.close()

    def _place(self, oin: str) -> int:
        """Where this key's record is; a new key takes the first free one from where its digest points."""
        wanted = sha256(oin.encode()).digest()[:8]
        lockf(self._file, LOCK_EX)  # two processes must not take one record
        try:
            for number in range(self.RECORDS):
                place = (int.from_bytes(wanted) + number) % self.RECORDS * self.RECORD.size
                key, _ = self.RECORD.unpack_from(self._map, place)
                if key in (wanted, bytes(8)):
                    self._map[place:place + 8] = wanted
                    return place
        finally:
            lockf(self._file, LOCK_UN)
        raise Misconfigured(f"more than {self.RECORDS} parties have called; restart the hub, or run one worker")


class Quota:
    """The present use of every party. Used from the event loop's thread, but for `untold`.

    Takes   the allowance of an OIN, asked anew each time; the meter; a clock in seconds; `observe`, which hears of all
            that is refused here and that the line does not hear of.
    """

    def __init__(
        self, allowances: Allowances, meter: Meter, clock: Callable[[], float], observe: Observe,
    ) -> None:
        self._allowances, self._meter, self._clock, self._observe = allowances, meter, clock, observe
        self._connections: Counter[str] = Counter()
        self._lock = threading.Lock()  # of the two below; nobody within the quota waits for it
        self._said_at: dict[_Kind, float] = {}
        self._untold: Counter[_Kind] = Counter()

    def connect(self, oin: str) -> tuple[str, bool]:
        """One more connection; the key to give back to `leave`, and whether it is within the allowance."""
        key, allowance = self._look_up(oin)
        self._connections[key] += 1
        return key, self._connections[key] <= allowance.connections

    def leave(self, key: str) -> None:
        """One connection less."""
        self._connections[key] -= 1
        if not self._connections[key]:
            del self._connections[key]

    @property
    def connections(self) -> int:
        """Open now, of everybody; as seen from whatever thread."""
        return sum(list(self._connections.values()))

    def request(self, oin: str) -> RateLimited | None:
        """One more request; None when it is within the allowance."""
        key, allowance = self._look_up(oin)
        wait = self._meter.draw(key, self._clock(), allowance)
        if not wait:
            return None
        per_second, burst = allowance.requests_per_second, allowance.burst
        error = RateLimited(f"more than {per_second} requests per second and {burst} at once")
        error.retry_after = max(1, math.ceil(wait))
        return error

    def may_say(self, oin: str, error: GatewayError) -> bool:
        """May this refusal be answered in full, with a signature? Of each kind one may, in so many seconds."""
        kind, now = (self._look_up(oin)[0], type(error)), self._clock()
        with self._lock:
            if now - self._said_at.get(kind, -math.inf) < _SAID_EVERY:
                return False
            self._said_at[kind] = now
            return True

    def not_said(self, oin: str, error: GatewayError) -> None:
        """A request got a bare status for this."""
        with self._lock:
            self._untold[self._look_up(oin)[0], type(error)] += 1
        self._observe("turned-away", {"code": row(error).code})

    def not_let_in(self, status: int) -> None:
        """A connection was closed before it asked anything, with this status."""
        self._observe("connection-refused", {"code": str(status)})

    def untold(self) -> dict[tuple[str, type[GatewayError]], int]:
        """By OIN and kind, how many requests got a bare status since last asked: for the journal."""
        with self._lock:
            counts, self._untold = self._untold, Counter()
            self._said_at = {kind: at for kind, at in self._said_at.items() if self._clock() - at < _SAID_EVERY}
        return dict(counts)

    def _look_up(self, oin: str) -> tuple[str, Allowance]:
        allowance = self._allowances(oin) if oin else None
        return (STRANGERS, _STRANGE) if allowance is None else (oin, allowance)
