"""Floods: what one caller may cost the others, the journal and the hub's signing key (standards catalogue 5.4)."""

import http.client
import json
import ssl
import statistics
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.errors import RateLimited
from gateway.pipeline import write_tally
from gateway.settings import dump_parties, load_parties
from gateway.transport import client_tls
from tests.foreign import octets as written
from tests.hostile.attack import Canary, Target
from tests.hostile.certificates import identity
from tests.hostile.test_tls import odd_context
from tests.hostile.wire import Wire, exchange, listening
from tests.line import KN, code, make_line

pytestmark = pytest.mark.clause("§5.4")
BEHEER = "/soap/knooppunt/1.0/beheer"
LIMITS = {"requests_per_second": 5, "burst": 20, "connections": 8}


def limit(folder: Path) -> None:
    """The municipality may ask little, everybody else what is usual."""
    book = load_parties(folder / "parties.toml")
    changed = [replace(party, limits=LIMITS) if party.slug == "gemeente" else party for party in book]
    (folder / "parties.toml").write_text(dump_parties(changed), "utf-8")


@pytest.fixture(scope="module")
def port(template: Path, tmp_path_factory: pytest.TempPathFactory, canary: Canary) -> Iterator[Wire]:
    target = Target(line=make_line(template, tmp_path_factory.mktemp("limits") / "i", change=limit), canary=canary)
    with listening(target) as wire:
        yield wire
    target.close()


def ping(wire: Wire, party: str) -> bytes:
    return wire.target.signed(f'<Ping xmlns="{KN}"/>'.encode(), path=BEHEER, party=party)


class Flood:
    """Requests of one party as fast as they go, on a few connections, until told to stop."""

    def __init__(self, wire: Wire, context: ssl.SSLContext, threads: int = 3) -> None:
        self._wire, self._context = wire, context
        self.statuses: Counter[int] = Counter()
        self.waits: set[str | None] = set()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(threads)]

    def _run(self) -> None:
        connection = http.client.HTTPSConnection("localhost", self._wire.port, context=self._context, timeout=20)
        while not self._stop.is_set():
            connection.request("POST", BEHEER, body=b"<flood/>", headers={"Content-Type": "text/xml"})
            response = connection.getresponse()
            response.read()
            self.statuses[response.status] += 1
            if response.status == 429:
                self.waits.add(response.getheader("Retry-After"))
        connection.close()

    def __enter__(self) -> "Flood":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(20)


def latencies(wire: Wire, requests: list[bytes]) -> list[float]:
    """Seconds of each request of the energy company, one after the other; all succeed."""
    took = []
    with wire.connection("energie") as connection:
        for request in requests:
            began = time.perf_counter()
            reply = exchange(connection, "POST", BEHEER, request)
            took.append(time.perf_counter() - began)
            assert (reply.status, code(reply)) == (200, None)
    return took


@contextmanager
def counted(wire: Wire) -> Iterator[Counter[str]]:
    """What the journal says of refusals in this block: error class → how many, entries that count several included."""
    target = wire.target
    write_tally(target.line.gate, datetime.now(UTC), wire.quota.untold())
    before, told = target.line.rows("refusals"), Counter[str]()
    yield told
    write_tally(target.line.gate, datetime.now(UTC), wire.quota.untold())
    for record in target.line.refusals()[before:]:
        facts = json.loads(record)
        number, _, rest = facts["reason"].partition(" ")
        told[facts["error"]] += int(number) if rest.startswith("more in the last minute") else 1
        told["entries"] += 1


def test_who_is_refused_by_rate_is_told_so_in_a_signed_fault(port: Wire) -> None:
    with port.connection() as connection:
        for _ in range(LIMITS["burst"] + 20):
            connection.request("POST", BEHEER, body=b"<x/>", headers={"Content-Type": "text/xml"})
            response = connection.getresponse()
            octets = response.read()
            if response.status == 429:
                break
    assert response.status == 429
    assert response.getheader("Retry-After") == "1"
    assert b"SKP017" in octets
    assert b"SignatureValue" in octets
    facts = json.loads(port.target.last_refusal)
    assert (facts["error"], facts["octets"]) == (RateLimited.__name__, 0)
    assert facts["reason"] == "more than 5 requests per second and 20 at once"


def test_one_partys_flood_leaves_the_others_served_and_the_journal_small(port: Wire) -> None:
    requests = [ping(port, "energie") for _ in range(60)]
    latencies(port, requests[:10])
    quiet = statistics.median(latencies(port, requests[10:30]))
    port.target.line.events.clear()
    with counted(port) as told, Flood(port, client_tls(port.files("gemeente"))) as flood:
        began = time.monotonic()
        loud = statistics.median(latencies(port, requests[30:]))
        while time.monotonic() - began < 1.1:
            time.sleep(0.05)
        seconds = time.monotonic() - began
    assert flood.statuses[429] > 100, "it was a flood"
    served = sum(number for status, number in flood.statuses.items() if status != 429)
    assert served <= LIMITS["burst"] + LIMITS["requests_per_second"] * (seconds + 2)
    assert flood.waits == {"1"}
    assert loud < 20 * quiet + 0.05
    assert told["RateLimited"] == flood.statuses[429], "nothing is lost"
    assert told["entries"] - served <= 10 + 2 + 1
    events = Counter(event for event, facts in port.target.line.events if facts.get("code") == "SKP017")
    assert events["turned-away"] + events["refused"] == flood.statuses[429], "the metric counts all"
    assert events["refused"] <= 1 + seconds / 10, "one signature in ten seconds"


def test_strangers_with_good_certificates_fill_neither_the_journal_nor_the_hub(port: Wire, tmp_path: Path) -> None:
    """Of the right CA, but no party: 403, then 429 for all strangers together; the parties are served."""
    context, _ = odd_context(port, tmp_path, oins=("00000099000000077000",))
    with counted(port) as told, Flood(port, context, threads=2) as flood:
        latencies(port, [ping(port, "energie") for _ in range(10)])
        while sum(flood.statuses.values()) < 200:
            time.sleep(0.02)
    assert set(flood.statuses) == {403, 429}
    assert told["NotAuthenticated"] + told["RateLimited"] == sum(flood.statuses.values())
    assert told["entries"] <= 12


def test_unauthenticated_refusals_of_one_certificate_are_counted_after_ten(port: Wire) -> None:
    line = port.target.line
    odd = identity(line, oins=("00000099000000077000",), purposes=("clientAuth",)).certificate
    with counted(port) as told:
        for _ in range(100):
            assert line.post(written(port.target.build()), peer=odd).status == 403
        assert line.post(ping(port, "energie"), path=BEHEER, party="energie").status == 200
    assert told == {"NotAuthenticated": 100, "entries": 11}
