"""Requests in packages (MTOM): the octets of a body, as they come, handed to the line part by part.

While a package arrives no thread waits for it: what has come is worked through in a thread in pieces, and the next is
read when that is done. So memory holds one piece of each, and a sender that is slow costs nothing but its connection.
How many may be under way is bounded; one more is told to come back later.
"""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Final, TypeVar

from gateway.errors import GatewayError, Overloaded, TooLarge
from gateway.multipart import Begin, Data, Event, PackageLimits, PackageType, Reader
from gateway.pipeline import Intake
from gateway.ports import Clock
from gateway.values import Received, Reply

T = TypeVar("T")

LONGEST: Final = 3_600.0  # seconds for a whole package; what a crash left is removed later than that (storage/spool.py)
_AT_ONCE: Final = 262_144  # octets handed to a thread
_THREADS: Final = 4  # hashing, sealing and the store's commits

Begun = Callable[[Received, str | None], Reply | Intake]
Refuse = Callable[[Received, GatewayError], Reply]
Next = Callable[[], Awaitable[tuple[bytes, bool]]]  # more of the body, and whether that was not all


class Packages:
    """The packages that are under way in one process. Used from the event loop."""

    def __init__(self, *, begin: Begun, refuse: Refuse, now: Clock, max_octets: int, at_once: int) -> None:
        """`max_octets` of the envelope; `at_once`: how many packages may be under way."""
        self.begin, self.refuse, self.now = begin, refuse, now
        self.max_octets, self._at_once = max_octets, at_once
        self._under_way = 0
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="package")

    async def serve(self, received: Received, package: PackageType, more: Next) -> tuple[Reply, bool]:
        """The answer, and whether the body was read to its end. Whatever ends it else, `more` raises.

        Takes   the request without its octets.
        """
        if self._under_way >= self._at_once:
            error = Overloaded(f"{self._at_once} packages are under way")
            return await self.run(self.refuse, received, error), False
        self._under_way += 1
        one = _Package(received, Reader(package, PackageLimits()), self)
        try:
            return await self._take(one, more)
        except BaseException:  # the peer is gone, or too slow
            await asyncio.shield(self.run(one.abandon))
            raise
        finally:
            self._under_way -= 1

    async def run(self, function: Callable[..., T], *arguments: object) -> T:
        """In a thread, beside the event loop."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, function, *arguments)

    def close(self) -> None:
        """When no connection is left."""
        self._threads.shutdown(wait=True)

    async def _take(self, one: "_Package", more: Next) -> tuple[Reply, bool]:
        held, coming = bytearray(), True
        while coming:
            octets, coming = await more()
            held += octets
            if len(held) >= _AT_ONCE or not coming:
                reply = await self.run(one.feed, bytes(held))
                held.clear()
                if reply is not None:
                    return reply, not coming
        return await self.run(one.end), True


class _Package:
    """One package on its way to the line; one thread at a time."""

    def __init__(self, received: Received, reader: Reader, packages: Packages) -> None:
        self._received, self._reader = received, reader
        self._begin, self._refuse = packages.begin, packages.refuse
        self._now, self._most = packages.now, packages.max_octets
        self._root = bytearray()
        self._root_id: str | None = None
        self._intake: Intake | None = None

    def feed(self, octets: bytes) -> Reply | None:
        """More of the body; the answer, when it is known before the end."""
        try:
            for event in self._reader.feed(octets):
                reply = self._part(event)
                if reply is not None:
                    return reply
        except GatewayError as error:
            return self._refused(error)
        return None

    def end(self) -> Reply:
        """The body has ended."""
        try:
            self._reader.close()
        except GatewayError as error:
            return self._refused(error)
        assert self._intake is not None, "a package that is whole has a root"
        return self._intake.finish(self._now())

    def abandon(self) -> None:
        """There is nobody to answer."""
        if self._intake is not None:
            self._intake.abandon()

    def _part(self, event: Event) -> Reply | None:
        if self._intake is None:
            return self._of_root(event)
        if isinstance(event, Begin):
            self._intake.open(event.content_id)
        elif isinstance(event, Data):
            self._intake.write(event.octets)
        else:
            self._intake.close()
        return None

    def _of_root(self, event: Event) -> Reply | None:
        """The first part: all of it, then the line."""
        if isinstance(event, Begin):
            self._root_id = event.content_id
        elif isinstance(event, Data):
            self._root += event.octets
            if len(self._root) > self._most:
                self._root.clear()
                raise TooLarge(f"an envelope of more than {self._most} octets")
        else:
            received = replace(self._received, octets=bytes(self._root), at=self._now())
            self._root.clear()
            begun = self._begin(received, self._root_id)
            if isinstance(begun, Reply):
                return begun
            self._intake = begun
        return None

    def _refused(self, error: GatewayError) -> Reply:
        return self._refuse(self._received, error) if self._intake is None else self._intake.refuse(error)
