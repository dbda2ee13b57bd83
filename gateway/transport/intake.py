"""How much one process takes on at once: octets in memory, works in threads, works that wait for a thread.

Beyond a bound nothing grows and nothing is begun; the caller hears at once when to come again. Who waits is served in
turn over the parties, so that a thousand requests of one do not hold up the one of another, and where all places are
taken the last of the longest row makes room for a party that has fewer. Used from the event loop's thread.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Final, TypeVar

T = TypeVar("T")

RENEWED_AFTER: Final = 8 << 20  # octets that threads have read (docs/decisions/0033)
_LONGEST: Final = 30  # seconds that anybody is asked to stay away
_EXPECTED: Final = 100.0  # works per second, until there were some


class Gone(Exception):
    """The peer closed the connection or was too slow; there is nobody to answer."""


@dataclass(slots=True)
class Line:
    """A connection, as far as who works for it must know."""

    rest: Callable[[], None] = lambda: None  # read nothing of it for a moment: its peer was told to come again later
    lost: bool = False


class Room:
    """Octets of requests and answers in memory: together at most `octets`, of one party at most a quarter of that."""

    def __init__(self, octets: int) -> None:
        self._octets, self._share = octets, octets // 4
        self._held: Counter[str] = Counter()
        self._answers = 0
        self.held = 0

    def has(self, party: str, octets: int) -> bool:
        """Is there room for so many more of this party's?"""
        return self.held + octets <= self._octets and self._held[party] + octets <= self._share

    def take(self, party: str, octets: int) -> None:
        """They are in memory now."""
        self.held += octets
        self._held[party] += octets

    def give(self, party: str, octets: int) -> None:
        """They no longer are."""
        self.held -= octets
        self._held[party] -= octets
        if not self._held[party]:
            del self._held[party]

    def answer(self, party: str, octets: int) -> None:
        """An answer of so many octets was made, and has to be sent whatever room there is; negative: it was sent."""
        self._answers += octets
        self.take(party, octets) if octets > 0 else self.give(party, -octets)

    def full_of_answers(self, party: str) -> bool:
        """Do so many answers wait to be read that no work may begin which would make another for this party?"""
        return self._answers >= self._octets or self._held[party] > self._share


class Backlog:
    """When those who are turned away may come again: one after the other, as fast as work gets done, not all at once.

    Takes   a clock in seconds. Each of them is given the next place in a queue that stands nowhere but in this number.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._since, self._done = clock(), 0
        self._per_second = _EXPECTED  # at its best, lately: a quiet hour says nothing of what could be done
        self._owed = 0.0

    def served(self) -> None:
        """One more work was done."""
        self._done += 1
        self._owed = max(0.0, self._owed - 1)
        seconds = self._clock() - self._since
        if seconds >= 1:
            self._per_second = max(self._done / seconds, 0.9 * self._per_second, 1.0)
            self._since, self._done = self._clock(), 0

    def retry_after(self) -> int:
        """Seconds for the next who is turned away."""
        self._owed = min(self._owed + 1, _LONGEST * self._per_second)
        return min(_LONGEST, 1 + int(self._owed / self._per_second))


@dataclass(slots=True, kw_only=True, eq=False)
class _Asking:
    party: str
    octets: int
    line: Line
    turn: "asyncio.Future[bool]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Crew:
    """Threads that work, and the places in which works wait for them.

    Takes   how many of both; `seconds`, how long one may wait; `octets`, of requests at work together: each costs a
            multiple of itself while it is parsed and checked (a larger one is worked on alone).
    """

    def __init__(self, name: str, *, threads: int, places: int, seconds: float, octets: int, room: Room) -> None:
        self._threads, self._places, self._seconds, self._octets = threads, places, seconds, octets
        self._make = partial(ThreadPoolExecutor, threads, thread_name_prefix=name)
        self._executor, self._read = self._make(), 0
        self._room = room
        self._rows: dict[str, deque[_Asking]] = {}  # by party, whose turn it is first
        self.waiting = self.running = self._at_work = 0

    def takes(self, party: str) -> bool:
        """Would a work of this party be done or have to wait, as things are?"""
        return self.waiting < self._places or len(self._rows.get(party, ())) + 1 < len(self._longest())

    async def run(
        self, party: str, octets: int, line: Line, function: Callable[..., T], *arguments: object,
    ) -> T | None:
        """The function's result, computed in a thread at its turn; None: there was no place, or no turn in time.

        Raises Gone when the connection is lost before its turn, and whatever the function raises.
        """
        asking = _Asking(party=party, octets=octets, line=line)
        if not await self._turn(asking):
            return None
        try:
            return await asyncio.get_running_loop().run_in_executor(self._renewed(octets), function, *arguments)
        finally:
            self.running -= 1
            self._at_work -= octets
            self._call()

    def close(self) -> None:
        """Wait for the running work; call it when no connection is left."""
        self._executor.shutdown(wait=True)

    async def _turn(self, asking: _Asking) -> bool:
        if not self.waiting and self._fits(asking):
            return self._begin(asking)
        if self.waiting >= self._places:
            longest = self._longest()
            if len(self._rows.get(asking.party, ())) + 1 >= len(longest):
                return False
            self._dismiss(longest[-1])
        self._rows.setdefault(asking.party, deque()).append(asking)
        self.waiting += 1
        timer = asyncio.get_running_loop().call_later(self._seconds, self._dismiss, asking)
        try:
            return await asking.turn
        finally:
            timer.cancel()

    def _fits(self, asking: _Asking) -> bool:
        return not self.running or (
            self.running < self._threads and self._at_work + asking.octets <= self._octets)

    def _begin(self, asking: _Asking) -> bool:
        if self._room.full_of_answers(asking.party):
            return False
        self.running += 1
        self._at_work += asking.octets
        return True

    def _call(self) -> None:
        """Begin what can be begun: of each party in turn the one that waits longest."""
        while self._rows and self._fits(first := next(iter(self._rows.values()))[0]):
            self._leave(first)
            if first.turn.done():
                continue
            if first.line.lost:
                first.turn.set_exception(Gone())
            else:
                first.turn.set_result(self._begin(first))

    def _dismiss(self, asking: _Asking) -> None:
        if not asking.turn.done():
            self._leave(asking)
            asking.turn.set_result(False)

    def _leave(self, asking: _Asking) -> None:
        """Out of its row, which then stands behind the others."""
        row = self._rows.pop(asking.party)
        row.remove(asking)
        self.waiting -= 1
        if row:
            self._rows[asking.party] = row

    def _longest(self) -> deque[_Asking]:
        return max(self._rows.values(), key=len)

    def _renewed(self, octets: int) -> ThreadPoolExecutor:
        """The threads; now and then new ones, as lxml keeps every name that a thread read for as long as that lives."""
        self._read += octets
        if self._read > RENEWED_AFTER:
            self._executor.shutdown(wait=False)  # whoever works there ends its work
            self._executor, self._read = self._make(), octets
        return self._executor
