"""Places in line for work: fair over the parties, bounded in number, time, octets; and what a lost peer costs."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest

from gateway.transport.intake import Backlog, Crew, Gone, Line, Room

T = TypeVar("T")
Play = Callable[["Stage"], Awaitable[None]]


class Stage:
    """A crew whose works end when they are told to, and the order in which they began."""

    def __init__(self, *, threads: int = 1, places: int = 4, seconds: float = 60, octets: int = 1_000) -> None:
        self.room = Room(4_000)
        self.crew = Crew("test", threads=threads, places=places, seconds=seconds, octets=octets, room=self.room)
        self.begun: list[str] = []
        self.ends: dict[str, threading.Event] = {}
        self.asked: dict[str, asyncio.Task[str | None]] = {}

    async def ask(self, name: str, *, octets: int = 1, line: Line | None = None) -> None:
        """A request; its party is the letter before its number. Comes back when it stands in line, or began."""
        self.ends[name] = threading.Event()
        self.asked[name] = asyncio.create_task(self.crew.run(name[0], octets, line or Line(), self._work, name))
        for _ in range(3):
            await asyncio.sleep(0)

    def _work(self, name: str) -> str:
        self.begun.append(name)
        assert self.ends[name].wait(10)
        return name

    async def end(self, *names: str) -> list[str | None]:
        """Let these end, one after the other."""
        told = []
        for name in names:
            self.ends[name].set()
            told.append(await self.asked[name])
        return told

    async def all(self) -> list[str | BaseException | None]:
        for end in self.ends.values():
            end.set()
        return await asyncio.gather(*self.asked.values(), return_exceptions=True)


def play(act: Play, **given: float) -> Stage:
    async def run() -> Stage:
        stage = Stage(**given)  # type: ignore[arg-type]
        await act(stage)
        stage.crew.close()
        assert (stage.crew.waiting, stage.crew.running) == (0, 0)
        return stage

    return asyncio.run(run())


def test_who_waits_is_served_in_turn_over_the_parties() -> None:
    async def act(stage: Stage) -> None:
        for name in ("a0", "a1", "a2", "a3", "b1", "c1"):
            await stage.ask(name)
        assert stage.crew.waiting == 5
        assert await stage.all() == list(stage.asked)

    assert play(act, places=5).begun == ["a0", "a1", "b1", "c1", "a2", "a3"]


def test_without_a_place_the_last_of_the_longest_row_makes_room_for_who_has_fewer() -> None:
    async def act(stage: Stage) -> None:
        for name in ("a0", "a1", "a2", "a3"):
            await stage.ask(name)
        assert not stage.crew.takes("a")
        await stage.ask("a4")
        assert stage.asked["a4"].done(), "one more of the same is told so at once"
        assert stage.crew.takes("b")
        await stage.ask("b1")
        assert stage.asked["a3"].done()
        assert not stage.crew.takes("b"), "two of a, one of b: another b would only change the name of who is put out"
        await stage.ask("b2")
        assert await stage.all() == ["a0", "a1", "a2", None, None, "b1", None]

    assert play(act, places=3).begun == ["a0", "a1", "b1", "a2"]


def test_who_waits_too_long_is_told_so_though_no_thread_comes_free() -> None:
    async def act(stage: Stage) -> None:
        await stage.ask("a0")
        await stage.ask("a1")
        assert await stage.asked["a1"] is None
        assert stage.crew.waiting == 0
        assert await stage.end("a0") == ["a0"]

    assert play(act, seconds=0.02).begun == ["a0"]


def test_nothing_is_done_for_a_peer_that_is_gone() -> None:
    async def act(stage: Stage) -> None:
        line = Line()
        for name in ("a0", "a1", "b1"):
            await stage.ask(name, line=line if name == "a1" else None)
        line.lost = True
        answers = await stage.all()
        assert isinstance(answers[1], Gone)
        assert answers[::2] == ["a0", "b1"]

    assert play(act).begun == ["a0", "b1"]


def test_what_is_at_work_together_is_bounded_in_octets_and_a_large_one_is_not_overtaken_for_ever() -> None:
    async def act(stage: Stage) -> None:
        await stage.ask("a0", octets=600)
        await stage.ask("a1", octets=600)
        await stage.ask("b1", octets=300)  # would fit; but then a1 might never
        assert (stage.crew.running, stage.crew.waiting) == (1, 2)
        await stage.end("a0")
        await asyncio.sleep(0)
        assert stage.crew.running == 2
        await stage.all()
        await stage.ask("c1", octets=5_000)  # alone it may be of any size
        assert await stage.end("c1") == ["c1"]

    assert sorted(play(act, threads=3).begun) == ["a0", "a1", "b1", "c1"]


def test_threads_that_have_read_much_make_place_for_new_ones() -> None:
    """lxml keeps the names that a thread read: with the thread they go."""
    seen: list[threading.Thread] = []

    async def act(stage: Stage) -> None:
        for _ in range(4):
            assert await stage.crew.run("a", 5 << 20, Line(), lambda: seen.append(threading.current_thread()) or "done")

    play(act)
    assert len(set(seen)) == 4
    for thread in seen[:-1]:
        thread.join(5)
        assert not thread.is_alive()


def test_a_work_that_fails_gives_its_thread_back() -> None:
    def fail() -> str:
        raise ValueError("expected")

    async def act(stage: Stage) -> None:
        for _ in range(3):
            with pytest.raises(ValueError, match="expected"):
                await stage.crew.run("a", 900, Line(), fail)

    play(act)


def test_room_is_shared_and_one_party_has_a_quarter_at_most() -> None:
    room = Room(4_000)
    room.take("a", 900)
    assert [room.has("a", more) for more in (100, 101)] == [True, False]
    for party in "bcd":
        room.take(party, 1_000)
    assert [room.has("e", more) for more in (100, 101)] == [True, False]
    room.give("b", 1_000)
    assert room.has("e", 1_000)
    assert room.held == 2_900


def test_answers_that_are_not_read_keep_their_reader_from_more_and_when_many_all() -> None:
    room = Room(4_000)
    room.answer("a", 1_001)
    assert [room.full_of_answers(party) for party in "ab"] == [True, False]
    for party in "cde":
        room.answer(party, 1_000)
    assert room.full_of_answers("b")
    assert not room.has("b", 0)
    room.answer("c", -1_000)
    assert not room.full_of_answers("b")


def test_no_work_begins_that_would_make_an_answer_there_is_no_room_for() -> None:
    async def act(stage: Stage) -> None:
        stage.room.answer("a", 1_001)
        await stage.ask("a1")
        await stage.ask("b1")
        assert await stage.all() == [None, "b1"]

    assert play(act).begun == ["b1"]


def test_who_is_turned_away_comes_again_one_after_the_other_at_the_pace_of_the_work() -> None:
    now = 100.0
    backlog = Backlog(lambda: now)
    for _ in range(200):
        now += 0.01
        backlog.served()
    told = [backlog.retry_after() for _ in range(350)]
    assert told == sorted(told)
    assert told[:99] == [1] * 99
    assert told[-1] == 4, "350 of them, at 100 a second"
    for _ in range(350):
        now += 0.01
        backlog.served()
    assert backlog.retry_after() == 1


def test_nobody_is_told_to_stay_away_longer_than_half_a_minute() -> None:
    backlog = Backlog(lambda: 0.0)
    told = [backlog.retry_after() for _ in range(9_000)]
    assert max(told) == told[-1] == 30
    for _ in range(100):
        backlog.served()
    assert backlog.retry_after() == 30
    for _ in range(2_000):
        backlog.served()
    assert backlog.retry_after() == 10, "what was said in vain does not last"
