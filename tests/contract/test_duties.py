"""Duties: each is done once among all nodes, and of a node that dies another takes over after the lease."""

import itertools
from collections.abc import Iterator
from datetime import datetime, timedelta
from threading import Event

import pytest

from gateway.app.scheduler import LEASE, Duty, Scheduler, in_thread
from gateway.duties import DONE, DutyState
from gateway.errors import StorageError
from gateway.storage import Duties, Store, open_store
from tests.contract.conftest import Hub

MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)


class Node:
    """One process of one node, with a scheduler of its own on the shared store and the shared clock."""

    def __init__(self, hub: Hub, store: Store, holder: str, *, threads: bool = False) -> None:
        self.hub, self.done, self.events = hub, [], []  # when it did the work; what it observed
        self.fails: Exception | None = None
        self.blocked: Event | None = None  # the work waits for it
        self.duties = Duties(store, holder=holder)
        self.scheduler = Scheduler(
            [Duty(name="expire", every=MINUTE, work=self.work)], self.duties, clock=lambda: hub.now,
            observe=lambda event, facts: self.events.append(event),
            **({"start": in_thread} if threads else {"start": lambda work: work()}))

    def work(self) -> None:
        self.done.append(self.hub.now)
        if self.blocked is not None:
            assert self.blocked.wait(10)
        if self.fails is not None:
            raise self.fails

    def state(self) -> DutyState:
        (state,) = self.duties.all()
        return state


@pytest.fixture
def second(hub: Hub) -> Iterator[Store]:
    with open_store(hub.url, node="tweede") as store:
        yield store


def wait(hub: Hub, span: timedelta) -> datetime:
    hub.now += span
    return hub.now


def test_two_nodes_do_a_duty_once_and_only_once(hub: Hub, second: Store) -> None:
    nodes = [Node(hub, hub.store, "a"), Node(hub, second, "b")]
    for _ in range(60):  # five minutes of looks, both at every look
        for node in nodes:
            node.scheduler.look()
        wait(hub, 5 * SECOND)
    done = sorted(nodes[0].done + nodes[1].done)
    assert len(done) == 5
    assert all(later - earlier == MINUTE for earlier, later in itertools.pairwise(done))


def test_while_one_runs_it_another_does_not(hub: Hub, second: Store) -> None:
    busy, other = Node(hub, hub.store, "a", threads=True), Node(hub, second, "b")
    busy.blocked = Event()
    busy.scheduler.look()
    state = other.state()
    assert (state.node, state.lease_until, state.last_ended) == ("hub", hub.now + LEASE, None)
    for _ in range(10):  # far beyond the lease, which is extended as long as the work goes on
        wait(hub, LEASE / 2)
        busy.scheduler.keep()
        busy.scheduler.look()
        other.scheduler.look()
    assert (len(busy.done), len(other.done)) == (1, 0)
    busy.blocked.set()
    busy.scheduler.close()
    assert other.state().outcome == DONE
    assert other.state().lease_until is None
    other.scheduler.look()
    assert len(other.done) == 1


def test_the_duty_of_a_dead_node_is_taken_over_after_the_lease(hub: Hub, second: Store) -> None:
    dead, heir = Node(hub, hub.store, "a"), Node(hub, second, "b")
    dead.scheduler._duties.register({"expire": timedelta(hours=1)}, hub.now)
    assert dead.duties.claim("expire", hub.now, LEASE)  # and nothing more is heard of it
    wait(hub, LEASE - SECOND)
    heir.scheduler.look()
    assert heir.done == []
    wait(hub, SECOND)
    heir.scheduler.look()
    assert heir.done == [hub.now]
    assert heir.state().node == "tweede"


def test_who_lost_its_lease_settles_nothing(hub: Hub, second: Store) -> None:
    """A process that was stopped for longer than its lease and goes on: the row is its successor's."""
    slow, heir = Node(hub, hub.store, "a", threads=True), Node(hub, second, "b", threads=True)
    slow.blocked, heir.blocked = Event(), Event()
    slow.scheduler.look()
    wait(hub, LEASE)
    heir.scheduler.look()
    before = heir.state()
    assert before.node == "tweede"
    slow.scheduler.keep()
    slow.blocked.set()
    slow.scheduler.close()
    assert heir.state() == before
    assert slow.events == ["duty-lost", "duty-lost"]
    heir.blocked.set()
    heir.scheduler.close()
    assert heir.state().outcome == DONE


@pytest.mark.parametrize(("error", "outcome", "event"), [
    (StorageError("the store could not commit"), "StorageError: the store could not commit", "duty-failed"),
    (ValueError("J. Jansen"), "ValueError", "mistake"),
])
def test_a_failure_is_told_without_data_and_tried_again(hub: Hub, error: Exception, outcome: str, event: str) -> None:
    node = Node(hub, hub.store, "a")
    node.fails = error
    node.scheduler.look()
    state = node.state()
    assert (state.outcome, state.last_done, state.last_ended) == (outcome, None, hub.now)
    assert node.events == [event]
    node.fails = None
    wait(hub, MINUTE)
    node.scheduler.look()
    assert node.state().outcome == DONE
    assert node.state().last_done == hub.now


def test_late_is_what_was_not_done_for_long(hub: Hub) -> None:
    node = Node(hub, hub.store, "a")
    node.scheduler.look()
    wait(hub, timedelta(minutes=7))
    assert not node.state().late(hub.now)
    wait(hub, SECOND)
    assert node.state().late(hub.now)
    node.fails = StorageError("no")
    node.scheduler.look()
    assert node.state().late(hub.now)  # tried is not done


def test_an_interval_that_changed_is_taken_over(hub: Hub) -> None:
    duties = Duties(hub.store, holder="a")
    duties.register({"x": MINUTE}, hub.now)
    duties.register({"x": 2 * MINUTE, "y": MINUTE}, wait(hub, MINUTE))
    assert {one.name: (one.every, one.since) for one in duties.all()} == {
        "x": (2 * MINUTE, hub.now - MINUTE), "y": (MINUTE, hub.now)}


def test_looking_writes_nothing_when_nothing_is_due(hub: Hub) -> None:
    node = Node(hub, hub.store, "a")
    node.scheduler.look()
    written = hub.store.write

    def no_write(work: object) -> None:
        raise AssertionError

    hub.store.write = no_write  # type: ignore[method-assign]
    wait(hub, 59 * SECOND)
    node.scheduler.look()
    hub.store.write = written  # type: ignore[method-assign]
    assert len(node.done) == 1
