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
from dataclasses import replace

from benchmarks.world import World
from gateway.app import front
from gateway.app.instance import new_id
from gateway.app.push import Pusher, build_outlet
from gateway.pipeline import answer
from gateway.routing import AddressBook
from gateway.storage import Pushes

_WELL = ("zorgverzekeraar", "kredietbank", "waarborgfonds", "bewindvoerder")
_TROUBLE = {"energie": "hanging", "deurwaarder": "failing"}
_ROUNDS = 3  # of each kind
_EACH = 100  # messages to each party in a round

Row = dict[str, object]


def measure_push(hub: World) -> Row:
    """Messages per second to the well parties, with and without trouble, and the ratio of the two."""
    with _services(hub) as urls:
        everyone = hub.instance.register.everyone
        energie = hub.instance.resolve("energie")
        book = AddressBook([
            replace(one, push=urls[one.slug], roles=energie.roles, subtype=energie.subtype, modules=energie.modules)
            if one.slug in urls else one for one in everyone])
        rates: dict[bool, list[float]] = {False: [], True: []}
        _round(hub, book, trouble=False)  # warms up
        for _ in range(_ROUNDS):
            for trouble in rates:
                rates[trouble].append(_round(hub, book, trouble=trouble))
    alone, beside = (statistics.median(rates[kind]) for kind in (False, True))
    return {"measure": "push, 10 KB", "per_second": alone, "per_second_beside_trouble": beside,
            "ratio": statistics.median(one / other for one, other in zip(rates[True], rates[False], strict=True))}


def _round(hub: World, book: AddressBook, *, trouble: bool) -> float:
    """Messages per second to the well parties."""
    with closing(sqlite3.connect(hub.instance.folder / "gateway.db", timeout=10)) as database, database:
        database.execute("DELETE FROM outbox")
        database.execute("DELETE FROM breakers")
    gate = replace(hub.gate, register=lambda: book)
    for slug in (*_WELL, *(_TROUBLE if trouble else ())):
        for received in hub.questions([new_id() for _ in range(_EACH)], 2, receiver=hub.instance.resolve(slug).id):
            assert answer(received, gate).status == 200
    settings = hub.instance.settings
    push = replace(settings.push, answer_seconds=3)  # so that a round with one that hangs ends soon
    caller = front.caller(replace(settings, push=push))
    pushes, well = Pushes(hub.store), {hub.instance.resolve(slug).id for slug in _WELL}
    outlet = build_outlet(hub.instance, hub.store, hub.trust, lambda: book, caller.post, lambda event, facts: None)
    begin = time.perf_counter()
    with Pusher(outlet, push):
        while well & set(pushes.waiting(outlet.clock())):
            time.sleep(0.01)
        seconds = time.perf_counter() - begin
    caller.close()
    return len(_WELL) * _EACH / seconds


@contextmanager
def _services(hub: World) -> Iterator[dict[str, str]]:
    command = [sys.executable, "-m", "benchmarks.receivers", str(hub.instance.folder),
               *(f"{slug}=well" for slug in _WELL), *(f"{slug}={kind}" for slug, kind in _TROUBLE.items())]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())
