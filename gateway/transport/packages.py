"""Requests in packages (MTOM): the octets of a body, as they come, handed to the line part by part.

While a package arrives no thread waits for it: what has come is worked through in a thread in pieces, and the next is
read when that is done. So memory holds one piece of each, and a sender that is slow costs nothing but its connection.
How many may be under way is bounded; one more is told to come back later.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from typing import Final, Protocol, TypeVar

from gateway.errors import GatewayError, Overloaded, TooLarge, UnsupportedContent
from gateway.multipart import Data, End, Event, PackageLimits, PackageType, Reader
from gateway.ports import Clock
from gateway.transport.intake import RENEWED_AFTER, Room
from gateway.values import Received, Reply

T = TypeVar("T")

LONGEST: Final = 3_600.0  # seconds for a whole package; what a crash left is removed later than that (storage/spool.py)
_AT_ONCE: Final = 262_144  # octets handed to a thread
_SHARES: Final = 4  # a party has at most one of so many equal shares of what may be under way
_THREADS: Final = 4  # hashing, sealing and the store's commits



class Intake(Protocol):
    """Who takes what follows an envelope (pipeline/intake.py); the first three may raise, then `refuse` is asked."""

    def open(self, content_id: str | None) -> None: ...
    def write(self, octets: bytes) -> None: ...
    def close(self) -> None: ...
    def finish(self, at: datetime) -> Reply: ...
    def refuse(self, error: Exception) -> Reply: ...
    def abandon(self) -> None: ...


Begin = Callable[[Received, str | None], Reply | Intake]  # the envelope and its part's Content-ID
Refuse = Callable[[Received, GatewayError], Reply]
Next = Callable[[], Awaitable[tuple[bytes, bool]]]  # more of the body, and whether that was not all


class Packages:
    """The packages that are under way in one process. Used from the event loop."""

    def __init__(self, *, begin: Begin | None, refuse: Refuse, now: Clock, max_octets: int, room: Room,
                 at_once: int) -> None:
        """`max_octets` of one envelope; `at_once`: how many packages may be under way, of which one party has a quarter
        at most. Without `begin` none are taken.
        """
        self._begin, self._refuse, self._now = begin, refuse, now
        self._max_octets, self._room, self._at_once = max_octets, room, at_once
        self._under_way: Counter[str] = Counter()  # by OIN
        self._threads, self._read = ThreadPoolExecutor(_THREADS, thread_name_prefix="package"), 0

    async def serve(self, received: Received, oin: str, package: PackageType, more: Next) -> tuple[Reply, bool]:
        """The answer, and whether the body was read to its end. Where it breaks off, `more` raises.

        Takes   the request without its octets, and the OIN that limits go by.
        Raises  UnsupportedContent: none are taken here; Overloaded.
        """
        if self._begin is None:
            raise UnsupportedContent("a package, which is not taken here")
        own, all_ = self._under_way[oin], self._under_way.total()
        if all_ >= self._at_once or own >= max(1, self._at_once // _SHARES):
            raise Overloaded(f"{all_} packages are under way, {own} of this caller")
        self._under_way[oin] += 1
        one = Arrival(received, Reader(package, PackageLimits()), begin=self._begin, refuse=self._refuse,
                      now=self._now, max_octets=self._max_octets)
        try:
            return await self._take(one, oin, more)
        except BaseException:  # the peer is gone, or too slow; or there is no room for its envelope
            await asyncio.shield(self.run(one.abandon))
            raise
        finally:
            self._room.give(oin, one.counted)
            self._under_way[oin] -= 1
            if not self._under_way[oin]:
                del self._under_way[oin]

    async def run(self, function: Callable[..., T], *arguments: object) -> T:
        """In a thread, beside the event loop."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, function, *arguments)

    def close(self) -> None:
        """When no connection is left."""
        self._threads.shutdown(wait=True)

    def _renew(self, octets: int) -> None:
        """New threads now and then: lxml keeps every name that a thread read for as long as that lives."""
        self._read += octets
        if self._read > RENEWED_AFTER:
            self._threads.shutdown(wait=False)  # whoever works there ends its work
            self._threads, self._read = ThreadPoolExecutor(_THREADS, thread_name_prefix="package"), 0

    async def _take(self, one: "Arrival", oin: str, more: Next) -> tuple[Reply, bool]:
        held, coming = bytearray(), True
        while coming:
            octets, coming = await more()
            held += octets
            if len(held) >= _AT_ONCE or not coming:
                if one.in_envelope and not self._room.has(oin, len(held)):
                    raise Overloaded(f"requests and answers of {self._room.held} octets are in memory")
                reply = await self.run(one.feed, bytes(held))
                held.clear()
                more_held, one.counted = one.held - one.counted, one.held
                self._room.take(oin, more_held)
                self._renew(more_held)
                if reply is not None:
                    return reply, not coming
        return await self.run(one.end), True


class Arrival:
    """One package on its way to the line; one thread at a time."""

    def __init__(self, received: Received, reader: Reader, *, begin: Begin, refuse: Refuse, now: Clock,
                 max_octets: int) -> None:
        self._received, self._reader = received, reader
        self._begin, self._refuse, self._now, self._most = begin, refuse, now, max_octets
        self._root = bytearray()
        self.held = 0  # octets of the envelope, which stays until the files are there
        self.counted = 0  # of these, in the room
        self._root_id: str | None = None
        self._intake: Intake | None = None

    @property
    def in_envelope(self) -> bool:
        """Is it the envelope that is coming?"""
        return self._intake is None

    def feed(self, octets: bytes) -> Reply | None:
        """More of the body; the answer, when it is known before the end."""
        try:
            for event in self._reader.feed(octets):
                reply = self._part(event)
                if reply is not None:
                    return reply
        except Exception as error:
            return self.refused(error)
        return None

    def end(self) -> Reply:
        """The body has ended."""
        try:
            self._reader.close()
        except GatewayError as error:
            return self.refused(error)
        assert self._intake is not None, "a package that is whole has a root"
        return self._intake.finish(self._now())

    def abandon(self) -> None:
        """There is nobody to answer."""
        if self._intake is not None:
            self._intake.abandon()

    def refused(self, error: Exception) -> Reply:
        """The answer to a package that ends here."""
        if self._intake is not None:
            return self._intake.refuse(error)
        if not isinstance(error, GatewayError):
            raise error
        return self._refuse(self._received, error)

    def _part(self, event: Event) -> Reply | None:
        if self._intake is None:
            return self._of_root(event)
        if isinstance(event, Data):
            self._intake.write(event.octets)
        elif isinstance(event, End):
            self._intake.close()
        else:
            self._intake.open(event.content_id)
        return None

    def _of_root(self, event: Event) -> Reply | None:
        """The first part: all of it, then the line."""
        if isinstance(event, Data):
            self._root += event.octets
            self.held = len(self._root)
            if len(self._root) > self._most:
                self._root.clear()
                raise TooLarge(f"an envelope of more than {self._most} octets")
        elif isinstance(event, End):
            received = replace(self._received, octets=bytes(self._root), at=self._now())
            self._root.clear()
            begun = self._begin(received, self._root_id)
            if isinstance(begun, Reply):
                return begun
            self._intake = begun
        else:
            self._root_id = event.content_id
        return None

