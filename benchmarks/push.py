"""The way out to parties' own services: what it costs with all well, and what one that hangs and one that fails take
from the others.

The services run in a process of their own, on the same machine: their signatures and the hub's share its processors.
Rounds with all well and rounds with trouble take turns, so that a machine that drifts drifts for both. Messages wait
before a round begins; it ends when the last to a well party is confirmed.
"""

import json
import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace

from benchmarks.ceiling import Ceiling
from benchmarks.measure import quantiles
from benchmarks.primitives import wire_us
from benchmarks.rows import FileRows
from benchmarks.world import RSA, World
from gateway.app import front
from gateway.app.instance import new_id
from gateway.app.push import Pusher, build_outlet
from gateway.pipeline import answer
from gateway.push_values import Result
from gateway.routing import AddressBook
from gateway.storage import Pushes

_WELL = ("zorgverzekeraar", "kredietbank", "waarborgfonds", "bewindvoerder")
_TROUBLE = {"energie": "hanging", "deurwaarder": "failing"}

Row = dict[str, object]


def measure_push(hub: World, *, rounds: int = 3, each: int = 100) -> Row:
    """Messages per second to the well parties, with and without trouble, and the ratio of the two; what an attempt
    takes; the hub's processor beside the least that a push needs. `each`: messages to each party in a round.
    """
    with _services(hub) as urls:
        everyone = hub.instance.register.everyone
        energie = hub.instance.resolve("energie")
        book = AddressBook([
            replace(one, push=urls[one.slug], roles=energie.roles, subtype=energie.subtype, modules=energie.modules)
            if one.slug in urls else one for one in everyone])
        found: dict[bool, list[_Round]] = {False: [], True: []}
        _round(hub, book, each, trouble=False)  # warms up
        with _database(hub) as database:
            database.execute("DELETE FROM attempts")
        for _ in range(rounds):
            for trouble in found:
                found[trouble].append(_round(hub, book, each, trouble=trouble))
    rates = {trouble: [one.per_second for one in some] for trouble, some in found.items()}
    cpu, least = statistics.median(one.cpu_us for one in found[False]), _least_us(hub)
    return {
        "measure": "push, 10 KB", "per_second": statistics.median(rates[False]), "hub_cpu_us": cpu,
        "per_second_beside_trouble": statistics.median(rates[True]),
        "beside_trouble": statistics.median(one / other for one, other in zip(rates[True], rates[False], strict=True)),
        "ceiling_cpu_us": least, "ratio_cpu": least / cpu, **_attempts(hub),
    }


@dataclass(frozen=True, kw_only=True)
class _Round:
    """What one round came to."""

    per_second: float
    cpu_us: float  # of the hub, per message to a well party


def _round(hub: World, book: AddressBook, each: int, *, trouble: bool) -> _Round:
    """As many messages to each party; until the last to a well one is confirmed."""
    with _database(hub) as database:
        database.execute("DELETE FROM outbox")
        database.execute("DELETE FROM breakers")
    gate = replace(hub.gate, register=lambda: book)
    for slug in (*_WELL, *(_TROUBLE if trouble else ())):
        for received in hub.questions([new_id() for _ in range(each)], 2, receiver=hub.instance.resolve(slug).id):
            assert answer(received, gate).status == 200
    settings = hub.instance.settings
    push = replace(settings.push, answer_seconds=3)  # so that a round with one that hangs ends soon
    caller = front.caller(replace(settings, push=push))
    pushes, well = Pushes(hub.store), {hub.instance.resolve(slug).id for slug in _WELL}
    outlet = build_outlet(hub.instance, hub.store, hub.trust, lambda: book, caller.post, lambda event, facts: None)
    begin, cpu = time.perf_counter(), time.process_time()
    with Pusher(outlet, push):
        while well & set(pushes.waiting(outlet.clock())):
            time.sleep(0.01)
        seconds, used = time.perf_counter() - begin, time.process_time() - cpu
    caller.close()
    count = len(_WELL) * each
    return _Round(per_second=count / seconds, cpu_us=used / count * 1e6)


def _attempts(hub: World) -> dict[str, float]:
    """What the attempts took that were confirmed: from the call to the receipt that holds."""
    with _database(hub) as database:
        found = database.execute("SELECT duration FROM attempts WHERE result = ?", (Result.DELIVERED,))
        return quantiles([float(duration) for duration, in found])


def _least_us(hub: World, count: int = 60) -> float:
    """Processor microseconds of a push without anything but its primitives: sign the envelope, TLS and HTTP of one
    exchange; parse the receipt, C14N and digests of its parts, verify its signature; one durable insert.
    """
    requests = hub.questions([new_id() for _ in range(count + 1)], 2)
    receipts = [answer(one, hub.gate).octets for one in requests]
    costs = []
    with closing(Ceiling(FileRows(hub.instance.folder), hub.schema("schuldregeling", "2.0"),
                         hub.signing("hub", RSA))) as top:
        for request, receipt in zip(requests, receipts, strict=True):
            begin = time.process_time()
            root = top.parse(receipt)
            signature = top.signature(root)
            digest = top.digests(root, signature)
            assert top.holds(root, signature)
            top.sign(top.answer(signature, digest))
            top.keep(digest, request.octets)
            costs.append((time.process_time() - begin) * 1e6)
    return statistics.median(costs[1:]) + wire_us(hub, requests[0])


@contextmanager
def _database(hub: World) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(hub.instance.folder / "gateway.db", timeout=10)) as database, database:
        yield database


@contextmanager
def _services(hub: World) -> Iterator[dict[str, str]]:
    command = [sys.executable, "-m", "benchmarks.receivers", str(hub.instance.folder),
               *(f"{slug}=well" for slug in _WELL), *(f"{slug}={kind}" for slug, kind in _TROUBLE.items())]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())
