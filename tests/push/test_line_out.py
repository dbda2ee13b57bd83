"""The line out, from a claimed delivery to its outcome, over real TLS to services that answer well and otherwise."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.app.push import build_outlet
from gateway.pipeline import Outlet, deliver
from gateway.push_values import Claim, Outcome, Result
from gateway.routing import AddressBook, pushed_message_id
from gateway.transport import Caller, CallLimits
from gateway.values import DeliveryState
from tests.line import Line, example, make_line
from tests.pushing import (
    Behaviour,
    Receiver,
    hub_tls,
    receiving,
    well,
)
from tests.test_docs import ENERGIE, header_field

MESSAGE = example("Kennisgeving-volledig")
REF = header_field(MESSAGE, "Referentienummer")


@dataclass(kw_only=True)
class Out:
    """A hub in this process, and the service of energie."""

    line: Line
    receiver: Receiver
    outlet: Outlet
    book: AddressBook

    def claim(self) -> Claim:
        (one,) = self.outlet.outbox.claim(
            holder="test", now=self.line.at, lease_until=self.line.at + timedelta(minutes=2), limit=5,
            allow=lambda party, breaker: (5, breaker))
        return one

    def attempt(self, behaviour: Behaviour = well) -> tuple[Claim, Outcome]:
        self.receiver.behaves(behaviour)
        claim = self.claim()
        outcome = deliver(claim, self.outlet)
        self.outlet.outbox.settle(claim, outcome, breaker=lambda same: same,
                                  next_at=None if outcome.result is Result.DELIVERED else self.line.at)
        return claim, outcome

    def status(self) -> DeliveryState:
        with self.line.instance.operations() as operations:
            return DeliveryState(str(operations.message(REF)["status"]))


@contextmanager
def pushing(template: Path, folder: Path, *, certificate: str | None = None, **energie: object) -> Iterator[Out]:
    line = make_line(template, folder)
    with receiving(folder, "energie", ENERGIE, certificate=certificate) as receiver:
        parties = line.instance.read_register().everyone
        book = AddressBook([replace(one, **{"push": receiver.url, **energie}) if one.slug == "energie" else one
                            for one in parties])
        line.gate = replace(line.gate, register=lambda: book)
        caller = Caller(hub_tls(folder), limits=CallLimits(connect_seconds=5, answer_seconds=1, max_octets=65_536))
        outlet = build_outlet(line.instance, line.store, line.trust, lambda: book, caller.post,
                              lambda event, facts: line.events.append((event, dict(facts))), clock=lambda: line.at)
        assert line.send(MESSAGE).status == 200
        yield Out(line=line, receiver=receiver, outlet=outlet, book=book)
        caller.close()
    line.store.close()


@pytest.fixture
def out(template: Path, tmp_path: Path) -> Iterator[Out]:
    with pushing(template, tmp_path / "instance") as made:
        yield made


def test_a_message_is_pushed_and_its_signed_receipt_ends_the_delivery(out: Out) -> None:
    claim, outcome = out.attempt()
    assert outcome.result is Result.DELIVERED, outcome.cause
    assert out.status() is DeliveryState.BEVESTIGD
    assert out.line.rows("payloads") == out.line.rows("outbox") == 0
    (request,) = out.receiver.requests
    assert request.referentienummer == REF
    assert request.message_id == pushed_message_id(claim.afzender, REF, ENERGIE)
    assert b"<wsa:To" in request.octets
    assert out.receiver.url.encode() in request.octets
