"""What each step costs as the journal grows from a thousand entries to a million, and the mailboxes with it.

A million entries and a hundred thousand waiting messages would take an hour to send. So one message of each kind goes
down the line, and its rows are copied under other numbers. The copies' entries are chained like any others.
"""

import os
import sqlite3
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Table, select

from benchmarks.measure import quantiles
from benchmarks.network import fire, served
from benchmarks.wire import http_request
from benchmarks.world import DEURWAARDER, ENERGIE, World, world
from gateway.app.instance import new_id, utc_now
from gateway.storage import SqlOutbox
from gateway.storage.chain import leaf_hash, link_hash
from gateway.storage.push_tables import outbox
from gateway.storage.sealing import context_of
from gateway.storage.session import Query
from gateway.storage.tables import chain_heads, conversations, deliveries, entries, messages, payloads, proofs
from gateway.values import Search

SIZES: Mapping[int, int] = {  # entries of the journal → messages that wait, for each of two parties
    1_000: 450, 10_000: 1_000, 100_000: 10_000, 1_000_000: 100_000}
_ROUNDS, _PER_ROUND = 9, 40
_AT_ONCE = 20_000  # copies per commit
_CONTENT = bytes(1_000)
_OF_MESSAGE = (proofs, deliveries, payloads, outbox)
_SERVED = 400  # messages before memory is looked at

Row = dict[str, object]


@dataclass(kw_only=True)
class Grown:
    """A hub whose store holds many messages, as many for a party that collects as for one that takes push."""

    hub: World
    waiting: list[str]  # numbers for the party that collects
    fetched: list[str]  # of those, what was collected
    outbox: SqlOutbox


def measure_growth(sizes: Mapping[int, int] = SIZES, *, rounds: int = _ROUNDS, per_round: int = _PER_ROUND,
                   told: Callable[[str], None] = lambda text: None) -> dict[str, list[Row]]:
    """`steps`: a row per step and size, its cost, and that over what it is on the smallest store. `memory`: a row per
    size, what a hub takes that serves it. `told` hears how far it is.
    """
    with ExitStack() as stack:
        grown = {}
        for count, waiting in sizes.items():
            told(f"a journal of {count:,} entries")
            hub = stack.enter_context(world(push=("deurwaarder",)))
            grown[count] = filled(hub, entries_wanted=count, waiting=waiting)
        rows = measure_steps(grown, rounds=rounds, per_round=per_round, told=told)
        told("memory of a hub that serves them")
        memory = [{"entries": count, "waiting": sizes[count], **_memory(one.hub)} for count, one in grown.items()]
    return {"steps": rows, "memory": memory}


def measure_steps(grown: Mapping[int, Grown], *, rounds: int, per_round: int,
                  told: Callable[[str], None] = lambda text: None) -> list[Row]:
    """The rows of the steps."""
    sizes, rows = {count: len(one.waiting) for count, one in grown.items()}, []
    for name, step in _STEPS.items():
        told(name)
        rows += [{"step": name, "entries": count, "waiting": sizes[count], **figures}
                 for count, figures in _compared(step, grown, rounds, per_round).items()]
    return rows


def _compared(step: "Step", grown: Mapping[int, Grown], rounds: int, per_round: int) -> dict[int, dict[str, float]]:
    """All stores in turn; the first round only warms up."""
    costs: dict[int, list[list[float]]] = {count: [] for count in grown}  # by round
    for number in range(rounds + 1):
        for count, one in grown.items():
            found = _timed(step(one, per_round), per_round)
            if number:
                costs[count].append(found)
    middles = {count: [statistics.median(some) for some in found] for count, found in costs.items()}
    least = middles[min(grown)]
    return {count: {**quantiles([cost for some in found for cost in some]),
                    "growth": statistics.median(one / other for one, other in zip(middles[count], least, strict=True))}
            for count, found in costs.items()}


def _timed(work: Callable[[], object], count: int) -> list[float]:
    """Microseconds of each call."""
    costs = []
    for _ in range(count):
        begin = time.perf_counter()
        work()
        costs.append((time.perf_counter() - begin) * 1e6)
    return costs


def _memory(hub: World) -> dict[str, float]:
    """Megabytes of a `gateway serve` on the same store, which has served some messages."""
    with served(hub.instance.folder, 1) as running:
        requests = [http_request(one) for one in running.peers.lean([new_id() for _ in range(_SERVED)])]
        fire(running, requests, 8, "kept")
        return {f"{name}_mb": figure for name, figure in running.memory.items()}


def _list(one: Grown, count: int) -> Callable[[], object]:
    return lambda: one.hub.gate.mailbox.waiting(ENERGIE, berichttype=None, conversatie=None, limit=100)


def _collect(one: Grown, count: int) -> Callable[[], object]:
    """For the first time: what it fetches, a round of `confirm` ends."""
    numbers, one.waiting[:count] = one.waiting[:count], []
    one.fetched += numbers
    left = iter(numbers)
    return lambda: one.hub.gate.mailbox.collect(ENERGIE, next(left), utc_now())


def _confirm(one: Grown, count: int) -> Callable[[], object]:
    numbers, one.fetched[:count] = iter(one.fetched[:count]), []
    return lambda: one.hub.gate.mailbox.confirm(ENERGIE, (next(numbers),), utc_now())


def _claim(one: Grown, count: int) -> Callable[[], object]:
    """A claim of one delivery, which stays claimed."""
    def claim() -> None:
        now = utc_now()
        found = one.outbox.claim(holder=new_id(), now=now, lease_until=now + timedelta(hours=1), limit=1,
                                 allow=lambda party, breaker: (1, breaker))
        assert len(found) == 1

    return claim


def _search(one: Grown, count: int) -> Callable[[], object]:
    numbers = iter(one.waiting[-count:])
    return lambda: one.hub.gate.mailbox.search(Search(party=ENERGIE, referentienummer=next(numbers)))


def _way_in(one: Grown, count: int) -> Callable[[], object]:
    requests = iter(one.hub.questions([new_id() for _ in range(count)], 2))
    return lambda: one.hub.served(next(requests))


Step = Callable[[Grown, int], Callable[[], object]]

_STEPS: Mapping[str, Step] = {
    "way in": _way_in, "list 100": _list, "search by number": _search, "collect": _collect, "confirm": _confirm,
    "claim": _claim,
}


# --- filling -------------------------------------------------------------------------------------------------


def filled(hub: World, *, entries_wanted: int, waiting: int) -> Grown:
    """A hub with so many entries in its journal, and so many messages waiting for each of two parties, one of which
    takes push.
    """
    pulled, pushed, done = ([new_id()] for _ in range(3))
    for numbers, receiver in ((pulled, ENERGIE), (pushed, DEURWAARDER), (done, ENERGIE)):
        for request in hub.questions(numbers, 2, receiver=receiver):
            hub.served(request)
    hub.gate.mailbox.collect(ENERGIE, done[0], utc_now())
    hub.gate.mailbox.confirm(ENERGIE, tuple(done), utc_now())
    per_message = 3  # accepted, collected, confirmed
    numbers = [new_id() for _ in range(waiting)]
    with closing(_Copies(hub)) as copies:
        copies.add(pulled[0], numbers)
        copies.add(pushed[0], [new_id() for _ in range(waiting)])
        copies.add(done[0], [new_id() for _ in range(max(0, entries_wanted - 2 * waiting) // per_message)])
    return Grown(hub=hub, waiting=numbers, fetched=[], outbox=SqlOutbox(hub.store, hub.sealer))


class _Copies:
    """Copies of messages, all that the store knows of them, written past the store on a connection of its own."""

    def __init__(self, hub: World) -> None:
        self._hub = hub
        self._store = sqlite3.connect(hub.instance.folder / "gateway.db", isolation_level=None, timeout=10)
        for pragma in ("synchronous=OFF", "cache_size=-1000000", "wal_autocheckpoint=100000"):
            self._store.execute(f"PRAGMA {pragma}")  # nothing of the filling is measured
        (self._node, self._position, self._hash), = self._store.execute("SELECT node, position, hash FROM chain_heads")

    def add(self, number: str, numbers: Sequence[str]) -> None:
        """A copy under each of these numbers."""
        with self._hub.store.read() as session:
            message = _rows(session.adhoc, messages, messages.c.referentienummer == number)[0]
            conversation = _rows(session.adhoc, conversations, conversations.c.conversatie == message["conversatie"])[0]
            others = {table: _rows(session.adhoc, table, table.c.message == message["id"]) for table in _OF_MESSAGE}
            told = _rows(session.adhoc, entries, entries.c.message == message["id"])
        for begin in range(0, len(numbers), _AT_ONCE):
            made: dict[Table, list[Row]] = {table: [] for table in (messages, conversations, *_OF_MESSAGE, entries)}
            ids = [self._store.execute(f"SELECT max(id) FROM {table}").fetchone()[0]
                   for table in (messages.name, conversations.name)]
            for place, new in enumerate(numbers[begin:begin + _AT_ONCE], start=1):
                self._copy(made, new, (ids[0] + place, ids[1] + place), message, conversation, others, told)
            self._write(made)

    def _copy(self, made: Mapping[Table, list[Row]], number: str, ids: tuple[int, int], message: Row, conversation: Row,
              others: Mapping[Table, Sequence[Row]], told: Sequence[Row]) -> None:
        new: dict[str, object] = {"referentienummer": number, "conversatie": new_id(),
                                  "message_id": f"urn:uuid:{new_id()}"}
        made[messages].append({**message, **new, "id": ids[0], "position": self._position + 1})
        made[conversations].append({**conversation, "id": ids[1], "conversatie": new["conversatie"]})
        for table, rows in others.items():
            for row in rows:
                changed = {**row, "message": ids[0]}
                if "conversation" in row:
                    changed["conversation"] = ids[1]
                if table is payloads:
                    sealed = self._hub.sealer.seal(_CONTENT, context_of(number, str(message["afzender"])), utc_now())
                    changed |= {"epoch": sealed.epoch, "wrapped": sealed.wrapped, "sealed": sealed.octets}
                made[table].append(changed)
        for entry in told:
            record = str(entry["record"])
            for name, value in new.items():
                record = record.replace(str(message[name]), str(value))
            record = record.replace(f'"message":{message["id"]},', f'"message":{ids[0]},')
            made[entries].append(self._chained(entry, ids[0], record))

    def _chained(self, entry: Row, message: int, record: str) -> Row:
        leaf = leaf_hash(record)
        self._position, self._hash = self._position + 1, link_hash(self._hash, leaf)
        return {**entry, "position": self._position, "message": message, "record": record, "leaf": leaf,
                "hash": self._hash}

    def _write(self, made: Mapping[Table, list[Row]]) -> None:
        self._store.execute("BEGIN IMMEDIATE")
        for table, rows in made.items():
            if rows:
                names = ", ".join(rows[0])
                marks = ", ".join("?" for _ in rows[0])
                self._store.executemany(f"INSERT INTO {table.name} ({names}) VALUES ({marks})",
                                        (tuple(row.values()) for row in rows))
        self._store.execute(f"UPDATE {chain_heads.name} SET position = ?, hash = ? WHERE node = ?",
                            (self._position, self._hash, self._node))
        self._store.execute("COMMIT")

    def close(self) -> None:
        self._store.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._store.close()
        os.sync()  # or the first commits that are measured would wait for the disk to take what was filled


def _rows(ask: Callable[[Query], list[Any]], table: Table, where: Any) -> list[Row]:
    return [dict(zip(table.c.keys(), row, strict=True)) for row in ask(Query(select(table).where(where)))]
