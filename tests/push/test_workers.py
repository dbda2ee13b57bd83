"""The delivery workers of one process: nobody's trouble is another's, and an end that loses nothing."""

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from gateway.app.instance import utc_now
from gateway.app.push import Pusher, build_outlet
from gateway.errors import StorageError
from gateway.push_values import Claim, Outcome
from gateway.routing import AddressBook
from gateway.settings import Push
from gateway.transport import Caller, CallLimits
from tests.line import Line, example, make_line
from tests.pushing import Behaviour, Receiver, failing, hanging, hub_tls, receiving, well
from tests.test_docs import header_field

MESSAGE = example("SaldoVerzoek-volledig")
NAMES = ("energie", "deurwaarder", "zorgverzekeraar")
PATIENCE = 20.0  # seconds


@dataclass(kw_only=True)
class Busy:
    """A hub in this process whose workers push to several services."""

    line: Line
    pusher: Pusher
    receivers: dict[str, Receiver]

    def send(self, slug: str, times: int) -> list[str]:
        """So many messages to this party, each opening a conversation; their numbers."""
        return [self._send(slug) for _ in range(times)]

    def _send(self, slug: str) -> str:
        number, receiver = str(uuid.uuid4()), self.receivers[slug].party
        child = MESSAGE
        for name, value in (("Referentienummer", number), ("ConversatieReferentienummer", str(uuid.uuid4())),
                            ("Ontvanger", receiver)):
            child = child.replace(header_field(MESSAGE, name).encode(), value.encode(), 1)
        assert self.line.send(child).status == 200
        return number

    def wait(self, until: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not until():
            assert time.monotonic() < deadline, self.line.events[-5:]
            time.sleep(0.005)


@contextmanager
def busy(template: Path, folder: Path, **behaviours: Behaviour) -> Iterator[Busy]:
    line = make_line(template, folder)
    settings = Push(
        workers=4, per_party=2, connect_seconds=5, answer_seconds=30, max_octets=65_536, lease=timedelta(seconds=60),
        poll_seconds=1, backoff=timedelta(seconds=1), backoff_cap=timedelta(seconds=60), breaker_failures=2,
        breaker_open=timedelta(seconds=60), breaker_open_cap=timedelta(seconds=60))
    with ExitStack() as stack:
        stack.callback(line.store.close)
        parties = line.instance.read_register().everyone
        receivers = {one.slug: stack.enter_context(receiving(folder, one.slug, one.id))
                     for one in parties if one.slug in NAMES}
        for slug, behaviour in behaviours.items():
            receivers[slug].behaves(behaviour)
        book = AddressBook([replace(one, push=receivers[one.slug].url) if one.slug in receivers else one
                            for one in parties])
        caller = Caller(hub_tls(folder), limits=CallLimits(answer_seconds=30))
        stack.callback(caller.close)
        pusher = Pusher(build_outlet(line.instance, line.store, line.trust, lambda: book, caller.post,
                                     lambda event, facts: line.events.append((event, dict(facts)))), settings)
        line.gate = replace(line.gate, register=lambda: book, queued=pusher.wake)
        yield Busy(line=line, pusher=pusher, receivers=receivers)


def test_others_are_delivered_while_one_receiver_hangs_and_one_fails(template: Path, tmp_path: Path) -> None:
    with busy(template, tmp_path / "instance", energie=hanging, deurwaarder=failing) as hub, hub.pusher:
        hung = hub.receivers["energie"]
        hub.send("energie", 5)
        hub.wait(lambda: len(hung.requests) == 2)  # as many as it may have, and they stay
        hub.send("deurwaarder", 5)
        sent = hub.send("zorgverzekeraar", 12)
        hub.wait(lambda: set(hub.receivers["zorgverzekeraar"].taken) == set(sent))
        assert not hung.released.is_set()
        assert len(hung.requests) == 2
        hub.wait(lambda: len(hub.receivers["deurwaarder"].requests) >= 2)
        hung.released.set()
    assert len(hub.receivers["zorgverzekeraar"].taken) == len(sent)  # each once
    assert len(hub.receivers["deurwaarder"].requests) <= 3  # two in a row opened its breaker; one was under way


def test_parties_that_fail_get_half_of_the_workers_together(template: Path, tmp_path: Path) -> None:
    with busy(template, tmp_path / "instance") as hub:
        for slug in NAMES:
            hub.send(slug, 3)
        hub.pusher._failing |= {one.party for one in hub.receivers.values()}
        assert hub.pusher._claim()
        assert sorted(hub.pusher._under_way.values()) == [1, 1]  # of four workers, one for each of two parties
        assert not hub.pusher._claim()


def test_what_this_process_accepts_goes_without_waiting_for_the_next_look(template: Path, tmp_path: Path) -> None:
    with busy(template, tmp_path / "instance") as hub:
        hub.pusher._settings = replace(hub.pusher._settings, poll_seconds=3_600)
        with hub.pusher:
            sent = hub.send("zorgverzekeraar", 2)
            hub.wait(lambda: set(hub.receivers["zorgverzekeraar"].taken) == set(sent))


def test_an_end_waits_for_what_is_under_way_and_gives_back_the_rest(template: Path, tmp_path: Path) -> None:
    began, go_on = threading.Event(), threading.Event()

    def slow(receiver: Receiver, request: object) -> object:
        began.set()
        go_on.wait(PATIENCE)
        return well(receiver, request)  # type: ignore[arg-type]

    with busy(template, tmp_path / "instance", energie=slow) as hub:  # type: ignore[arg-type]
        numbers = hub.send("energie", 3)
        with hub.pusher:
            assert began.wait(PATIENCE)
            stopper = threading.Thread(target=hub.pusher.stop, args=(PATIENCE,))
            stopper.start()
            go_on.set()
            stopper.join()
        taken = hub.receivers["energie"].taken
        assert taken
        with hub.line.instance.operations() as operations:
            states = {number: operations.message(number)["status"] for number in numbers}
        assert {number for number, state in states.items() if state == "BEVESTIGD"} == set(taken)
        left = hub.pusher._outbox.claim(  # whatever was not delivered is free at once
            holder="another", now=utc_now(), lease_until=utc_now() + timedelta(seconds=60), limit=9,
            allow=lambda party, breaker: (9, breaker))
        assert {one.referentienummer for one in left} == set(numbers) - set(taken)
        assert len(hub.receivers["energie"].requests) == len(taken)


def test_a_result_that_could_not_be_written_is_written_later(template: Path, tmp_path: Path) -> None:
    with busy(template, tmp_path / "instance") as hub:
        settle, times = hub.pusher._outbox.settle, []

        def once_away(claim: Claim, outcome: Outcome, **given: object) -> None:
            times.append(claim.referentienummer)
            if len(times) == 1:
                raise StorageError("the database changes hands")
            settle(claim, outcome, **given)  # type: ignore[arg-type]

        hub.pusher._outbox.settle = once_away  # type: ignore[method-assign]
        with hub.pusher:
            (number,) = hub.send("zorgverzekeraar", 1)
            hub.wait(lambda: hub.line.rows("outbox") == 0)
        assert times == [number, number]
        assert hub.receivers["zorgverzekeraar"].taken == [number]


def test_a_node_without_workers_pushes_nothing(template: Path, tmp_path: Path) -> None:
    with busy(template, tmp_path / "instance") as hub:
        idle = Pusher(hub.pusher._outlet, replace(hub.pusher._settings, workers=0))
        hub.send("zorgverzekeraar", 1)
        with idle:
            idle.wake()
        assert hub.receivers["zorgverzekeraar"].requests == []
        assert hub.line.rows("outbox") == 1

