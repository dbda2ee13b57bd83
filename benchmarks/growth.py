"""What each step costs on a store that is nearly empty, and on one that has grown: in turn, in one run.

A million entries and a hundred thousand waiting messages would take an hour to send. So one message of each kind goes
down the line, and its rows are copied under other numbers. The copies' entries are chained like any others.
"""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Table, bindparam, insert, select

from benchmarks.world import DEURWAARDER, ENERGIE, World, world
from gateway.app.instance import new_id, utc_now
from gateway.storage import SqlOutbox
from gateway.storage.sealing import context_of
from gateway.storage.session import Query
from gateway.storage.tables import conversations, deliveries, entries, messages, outbox, payloads, proofs
from gateway.storage.writer import Write
from gateway.values import Search

ENTRIES, WAITING = 1_000_000, 100_000
_FEW = 1_000  # waiting messages, and entries on top, of the store that has not grown
_ROUNDS, _PER_ROUND = 9, 40
_AT_ONCE = 5_000  # copies per commit
_CONTENT = bytes(1_000)
_OF_MESSAGE = (proofs, deliveries, payloads, outbox)

_ADD = {table: Query(insert(table).values({column.name: bindparam(column.name) for column in table.c}))
        for table in (messages, conversations, *_OF_MESSAGE)}

Row = dict[str, object]


@dataclass(kw_only=True)
class Grown:
    """A hub whose store holds many messages, as many for a party that collects as for one that takes push."""

    hub: World
    waiting: list[str]  # numbers for the party that collects
    fetched: list[str]  # of those, what was collected
    outbox: SqlOutbox


def growth() -> list[Row]:
    """A row per step: microseconds on the small store and on the large one, and the second over the first."""
    with ExitStack() as stack:
        small, large = (_filled(stack, waiting, count) for waiting, count in ((_FEW, 4 * _FEW), (WAITING, ENTRIES)))
        return [_compared(name, step, small, large) for name, step in _STEPS.items()]


def _compared(name: str, step: Callable[[Grown], Callable[[], object]], small: Grown, large: Grown) -> Row:
    """Both stores in turn; the first round only warms up."""
    costs: dict[int, list[float]] = {id(small): [], id(large): []}
    for number in range(_ROUNDS + 1):
        for one in (small, large):
            work = step(one)
            cost = _timed(work)
            if number:
                costs[id(one)].append(cost)
    few, many = (statistics.median(costs[id(one)]) for one in (small, large))
    return {"step": name, "few_us": few, "many_us": many, "growth": many / few}


def _timed(work: Callable[[], object]) -> float:
    """Microseconds of one call: the median, so that a checkpoint of the database does not count as the call's."""
    costs = []
    for _ in range(_PER_ROUND):
        begin = time.perf_counter()
        work()
        costs.append((time.perf_counter() - begin) * 1e6)
    return statistics.median(costs)


def _list(one: Grown) -> Callable[[], object]:
    return lambda: one.hub.gate.mailbox.waiting(ENERGIE, berichttype=None, conversatie=None, limit=100)


def _collect(one: Grown) -> Callable[[], object]:
    """For the first time: what it fetches, a round of `confirm` ends."""
    numbers, one.waiting[:_PER_ROUND] = one.waiting[:_PER_ROUND], []
    one.fetched += numbers
    left = iter(numbers)
    return lambda: one.hub.gate.mailbox.collect(ENERGIE, next(left), utc_now())


def _confirm(one: Grown) -> Callable[[], object]:
    numbers, one.fetched[:_PER_ROUND] = iter(one.fetched[:_PER_ROUND]), []
    return lambda: one.hub.gate.mailbox.confirm(ENERGIE, (next(numbers),), utc_now())


def _claim(one: Grown) -> Callable[[], object]:
    """A claim of one delivery, which stays claimed."""
    def claim() -> None:
        now = utc_now()
        found = one.outbox.claim(holder=new_id(), now=now, lease_until=now + timedelta(hours=1), limit=1,
                                 allow=lambda party, breaker: (1, breaker))
        assert len(found) == 1

    return claim


def _search(one: Grown) -> Callable[[], object]:
    numbers = iter(one.waiting[-_PER_ROUND:])
    return lambda: one.hub.gate.mailbox.search(Search(party=ENERGIE, referentienummer=next(numbers)))


def _way_in(one: Grown) -> Callable[[], object]:
    requests = iter(one.hub.questions([new_id() for _ in range(_PER_ROUND)], 2))
    return lambda: one.hub.served(next(requests))


_STEPS: Mapping[str, Callable[[Grown], Callable[[], object]]] = {
    "way in": _way_in, "list 100": _list, "search by number": _search, "collect": _collect, "confirm": _confirm,
    "claim": _claim,
}


# --- filling -------------------------------------------------------------------------------------------------


def _filled(stack: ExitStack, waiting: int, count: int) -> Grown:
    """A hub with so many messages waiting for each of two parties, and so many entries in its journal."""
    hub = stack.enter_context(world(push=("deurwaarder",)))
    pulled, pushed, done = ([new_id()] for _ in range(3))
    for numbers, receiver in ((pulled, ENERGIE), (pushed, DEURWAARDER), (done, ENERGIE)):
        for request in hub.questions(numbers, 2, receiver=receiver):
            hub.served(request)
    hub.gate.mailbox.collect(ENERGIE, done[0], utc_now())
    hub.gate.mailbox.confirm(ENERGIE, tuple(done), utc_now())
    numbers = _copied(hub, pulled[0], waiting)
    _copied(hub, pushed[0], waiting)
    per_message = 3  # accepted, collected, confirmed
    _copied(hub, done[0], max(0, count - 2 * waiting) // per_message)
    return Grown(hub=hub, waiting=numbers, fetched=[], outbox=SqlOutbox(hub.store, hub.sealer))


def _copied(hub: World, number: str, count: int) -> list[str]:
    """So many copies of this message, all that the store knows of it; their numbers."""
    with hub.store.read() as session:
        message = _rows(session.adhoc, messages, messages.c.referentienummer == number)[0]
        conversation = _rows(session.adhoc, conversations, conversations.c.conversatie == message["conversatie"])[0]
        others = {table: _rows(session.adhoc, table, table.c.message == message["id"]) for table in _OF_MESSAGE}
        told = _rows(session.adhoc, entries, entries.c.message == message["id"])
        last = {table: int(_rows_max(session.adhoc, table)) for table in (messages, conversations)}
    made = [new_id() for _ in range(count)]
    for begin in range(0, count, _AT_ONCE):
        part = made[begin:begin + _AT_ONCE]
        hub.store.write(lambda write, part=part, begin=begin: [  # type: ignore[misc]
            _copy(write, hub, new, last[messages] + begin + place, last[conversations] + begin + place,
                  message, conversation, others, told)
            for place, new in enumerate(part, start=1)])
    return made


def _copy(write: Write, hub: World, number: str, message_id: int, conversation_id: int, message: Row,
          conversation: Row, others: Mapping[Table, Sequence[Row]], told: Sequence[Row]) -> None:
    conversatie, sent_as = new_id(), f"urn:uuid:{new_id()}"
    new = {"referentienummer": number, "conversatie": conversatie, "message_id": sent_as}
    position = write.chain.next_position()
    write.run(_ADD[messages], **{**message, **new, "id": message_id, "position": position})
    write.run(_ADD[conversations], **{**conversation, "id": conversation_id, "conversatie": conversatie})
    for table, rows in others.items():
        for row in rows:
            changed = {**row, "message": message_id}
            if "conversation" in row:
                changed["conversation"] = conversation_id
            if table is payloads:
                now = utc_now()
                sealed = hub.sealer.seal(
                    _CONTENT, context_of(number, str(message["afzender"])), now)
                changed |= {"epoch": sealed.epoch, "wrapped": sealed.wrapped, "sealed": sealed.octets}
            write.run(_ADD[table], **changed)
    for entry in told:
        record = str(entry["record"])
        for name, value in new.items():
            record = record.replace(str(message[name]), value)
        record = record.replace(f'"message":{message["id"]},', f'"message":{message_id},')
        write.chain.add(str(entry["kind"]), int(str(entry["at"])), message_id, record)


def _rows(ask: Callable[[Query], list[Any]], table: Table, where: Any) -> list[Row]:
    return [dict(zip(table.c.keys(), row, strict=True)) for row in ask(Query(select(table).where(where)))]


def _rows_max(ask: Callable[[Query], list[Any]], table: Table) -> int:
    return ask(Query(select(table.c.id).order_by(table.c.id.desc()).limit(1)))[0][0]


