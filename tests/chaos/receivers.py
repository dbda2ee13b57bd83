"""Parties' own services, to which the hub pushes: they write down what came, and answer as services in real life do."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import ThreadingHTTPServer
from pathlib import Path
from queue import Full, Queue
from random import Random
from unittest.mock import patch

from gateway.errors import GatewayError
from gateway.names import SOAP_FAULT_ACTION
from gateway.security import canonical
from tests import pushing
from tests.chaos.clients import Actor, Way
from tests.chaos.history import Recorder
from tests.chaos.messages import OPENING, PARTIES, seen
from tests.pushing import Receiver, Request, Told

ANSWER_SECONDS = 6  # [push] answer_seconds of the hub: what takes longer, it gives up
_IN_TIME = 2.0  # what took longer may have been given up: this process is busy, too
_LATE = ANSWER_SECONDS + 1.5


class Service:
    """What one service does with what comes. With `calm` it is well and quick."""

    def __init__(self, slug: str, seed: int, record: Recorder, opened: "Queue[str] | None") -> None:
        self._party, self._record, self._opened = PARTIES[slug], record, opened
        self._chance, self._lock = Random(f"{seed}/service-{slug}"), threading.Lock()
        self.calm = threading.Event()

    def __call__(self, receiver: Receiver, request: Request) -> Told:
        began = time.monotonic()
        receiver.requests.clear()  # ours is the history on disk
        receiver.taken.clear()
        octets = canonical(request.message)
        found = seen(octets)
        asked = self._record.asks("pushed", party=self._party, ref=found.ref, sender=found.sender, conv=found.conv,
                                  to=found.to, digest=found.digest, message_id=request.message_id)
        how, told = self._answer(receiver, request)
        if how == "ok" and time.monotonic() - began > _IN_TIME:
            how = "unsure"
        self._record("answered", id=asked, party=self._party, ref=found.ref, how=how)
        if self._opened is not None and how == "ok" and OPENING.encode() in octets[:80] and self._draw() < 0.3:
            with suppress(Full):
                self._opened.put_nowait(found.conv)
        return told

    def _answer(self, receiver: Receiver, request: Request) -> tuple[str, Told]:
        whim = 1.0 if self.calm.is_set() else self._draw()
        if whim < 0.01:
            cut_short = self.calm.wait(_LATE)  # a receipt that comes when the hub has given up
            return "unsure" if cut_short else "late", pushing.well(receiver, request)
        if whim < 0.03:
            return "dropped", Told(status=200, octets=b"")
        if whim < 0.06:
            return "refused", receiver.answers(request, pushing.fault("Server", "vol"), status=500,
                                               action=SOAP_FAULT_ACTION)
        if whim < 0.16:
            self.calm.wait(self._draw())  # slow
        return "ok", pushing.well(receiver, request)

    def _draw(self) -> float:
        with self._lock:
            return self._chance.random()


@contextmanager
def serving(folder: Path, slug: str, seed: int, record: Recorder, opened: "Queue[str] | None",
            ) -> Iterator[tuple[str, Service]]:
    """A party's service on a free port: its URL, and the service."""
    service = Service(slug, seed, record, opened)
    # A hub that is killed in the middle of a request is no news here.
    with patch.object(ThreadingHTTPServer, "handle_error", lambda *_: None), \
            pushing.receiving(folder, slug, PARTIES[slug]) as receiver:
        receiver.behaves(service)
        try:
            yield receiver.url, service
        finally:
            service.calm.set()


class Watcher(Actor):
    """Looks into the mailbox of a party that takes push, and takes nothing: it is drained when nothing waits there."""

    def __init__(self, name: str, slug: str, *, seed: int, way: Callable[[str, int], Way], record: Recorder) -> None:
        super().__init__(name, slug, seed=seed, way=way, record=record)
        self.draining = threading.Event()

    def act(self) -> None:
        while time.monotonic() < self.deadline:
            last = self.draining.is_set()
            asked = self.record.asks("listing", party=self.party)
            try:
                waiting = self.way.client.waiting(100)
            except GatewayError as error:
                self.record("silent", id=asked, why=f"{type(error).__name__}: {error}")
            else:
                self.record("listed", id=asked, party=self.party, rows=[
                    [one.referentienummer, one.afzender, one.conversatie_referentienummer] for one in waiting])
                if last and not waiting:
                    self.record("drained", party=self.party)
                    return
            self.draining.wait(2.0)
            if last:
                time.sleep(0.5)
