"""Parties at a steady pace: they send, collect, confirm, take push, are refused, let messages expire, ask."""

import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random

from gateway.errors import PeerRefused
from gateway.party import PartyClient
from gateway.soap import leaf
from tests.chaos.messages import OPENING, Letter, letter

_EXPIRES = timedelta(seconds=20)
_NAMES = 300  # invented elements of one bad message


@dataclass(kw_only=True)
class Book:
    """What all of them did, counted; and how long sending took."""

    counts: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    receipts: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def window(self) -> list[float]:
        """The times of sending since this was last asked."""
        with self.lock:
            found, self.seconds = self.seconds, []
        return found


class Actor(threading.Thread):
    """Does one thing again and again, at a rate, until it is told to stop."""

    def __init__(self, name: str, per_second: float, act: Callable[[], None], book: Book) -> None:
        super().__init__(name=name, daemon=True)
        self._every, self._act, self._book = 1 / per_second, act, book
        self._halted = threading.Event()

    def run(self) -> None:
        due = time.monotonic()
        while not self._halted.wait(max(0.0, due - time.monotonic())):
            due = max(due + self._every, time.monotonic() - 1)
            try:
                self._act()
            except Exception as error:
                self._book.wrong.append(f"{self.name}: {type(error).__name__}: {error}"[:300])

    def halt(self) -> None:
        self._halted.set()
        self.join(60)


class Cast:
    """The acts, each with a client of its own, as a client is one thread's."""

    def __init__(self, party: Callable[[str], PartyClient], book: Book, seed: int) -> None:
        self._party, self._book, self._chance = party, book, Random(seed)

    def actors(self, rate: float) -> list[Actor]:
        """`rate`: messages a second that are accepted, of all kinds together."""
        acts = {
            "sends what is fetched": (0.5 * rate, self._sending("energie")),
            "sends what is pushed": (0.3 * rate, self._sending("deurwaarder")),
            "sends what expires": (0.2 * rate, self._sending("zorgverzekeraar", expires=True)),
            "fetches and confirms": (2.0, self._fetching("energie")),
            "sends what is refused": (0.2 * rate, self._refused()),
            "asks": (0.5, self._asking()),
        }
        return [Actor(name, max(per_second, 0.05), act, self._book) for name, (per_second, act) in acts.items()]

    def _letter(self, to: str, *, expires: bool = False) -> Letter:
        made = letter(OPENING, ref=str(uuid.uuid4()), conv=str(uuid.uuid4()), sender="gemeente", to=(to,))
        if not expires:
            return made
        until = (datetime.now(UTC) + _EXPIRES).strftime("%Y-%m-%dT%H:%M:%SZ").encode()
        end = b"</kn:TijdstipBericht>"
        assert made.octets.count(end) == 1
        return Letter(element=made.element, ref=made.ref, conv=made.conv, sender=made.sender, to=made.to, digest="",
                      octets=made.octets.replace(end, end + b"<kn:VervaltOp>" + until + b"</kn:VervaltOp>"))

    def _sending(self, to: str, *, expires: bool = False) -> Callable[[], None]:
        client = self._party("gemeente")

        def send() -> None:
            made = self._letter(to, expires=expires)
            began = time.perf_counter()
            client.send(made.octets)
            with self._book.lock:
                self._book.seconds.append(time.perf_counter() - began)
                self._book.receipts.append(made.ref)
            self._book.counts["accepted"] += 1
            if self._chance.random() < 0.05:  # a repeated request, and another connection
                client.close()
                client.send(made.octets)
                self._book.counts["repeated"] += 1

        return send

    def _fetching(self, slug: str) -> Callable[[], None]:
        client = self._party(slug)

        def fetch() -> None:
            numbers = [one.referentienummer for one in client.waiting(50)]
            for number in numbers:
                client.collect(number)
            if numbers:
                self._book.counts["confirmed"] += sum(client.confirm(*numbers).values())

        return fetch

    def _refused(self) -> Callable[[], None]:
        client = self._party("gemeente")

        def send() -> None:
            octets = self._letter("energie").octets
            kind = self._chance.randrange(3)
            if kind == 0:  # against the schema
                octets = octets.replace(b"Versie>2.0<", b"Versie>9.9<")
            elif kind == 1:  # names that nobody used before
                names = b"".join(b"<x%s/>" % uuid.uuid4().hex.encode() for _ in range(_NAMES))
                octets = octets.replace(b"</kn:Stuurgegevens>", names + b"</kn:Stuurgegevens>")
            else:  # no XML
                service, action, signed, *_ = client.wrap(octets)
                status, _ = client.post(client.hub_url + service.path, signed.octets[:-9], action)
                assert status == 400
                self._book.counts["refused"] += 1
                return
            with suppress(PeerRefused):
                client.send(octets)
                raise AssertionError("was accepted")
            self._book.counts["refused"] += 1

        return send

    def _asking(self) -> Callable[[], None]:
        client = self._party("gemeente")

        def ask() -> None:
            with self._book.lock:
                number = self._chance.choice(self._book.receipts) if self._book.receipts else str(uuid.uuid4())
            client.ask("logboek", "ZoekLogboek", leaf("kn:Referentienummer", number))
            client.ask("beheer", "Ping")
            self._book.counts["asked"] += 1

        return ask


