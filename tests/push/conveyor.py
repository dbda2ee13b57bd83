"""A hub in this process that pushes to a real receiving service of its party, also in this process: no network between.

What is tested over TLS stands elsewhere (tests/push/test_line_out.py, tests/acceptance); here it is what the two say to
each other that matters.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from gateway.app.listen import receiver_of
from gateway.app.push import build_outlet
from gateway.errors import Unreachable
from gateway.party import Inbox, Receiver
from gateway.pipeline import Outlet, deliver
from gateway.ports import Forward
from gateway.push_values import Outcome, Result
from gateway.values import Received
from tests.acceptance.test_sealed import client
from tests.line import Line, edit_parties, kept, make_line
from tests.receiving import PATH, URL

Change = Callable[[Path], object]


@dataclass(kw_only=True)
class Conveyor:
    """The hub's line out, and the service of `slug` at its end."""

    line: Line
    outlet: Outlet
    service: Receiver
    folder: Path  # where the service keeps its messages
    slug: str
    requests: list[bytes] = field(default_factory=list)  # what the hub sent
    answers: list[bytes] = field(default_factory=list)
    lost: int = 0  # answers that still get lost on their way

    @property
    def messages(self) -> dict[str, bytes]:
        """What the service keeps, by Referentienummer."""
        return {one.stem: one.read_bytes() for one in self.folder.glob("*/*.xml")}

    def send(self, message: bytes, sender: str = "gemeente") -> str:
        """Send a message as a party; its number."""
        return client(self.line, sender).send(message).receipt.referentienummer

    def push(self) -> Outcome:
        """One attempt at what is due, which must be one delivery."""
        (claim,) = self.outlet.outbox.claim(
            holder=f"test-{self.line.at}", now=self.line.at, lease_until=self.line.at + timedelta(minutes=2), limit=5,
            allow=lambda party, breaker: (5, breaker))
        outcome = deliver(claim, self.outlet)
        self.outlet.outbox.settle(claim, outcome, breaker=lambda same: same,
                                  next_at=None if outcome.result is Result.DELIVERED else self.line.at)
        return outcome

    def carry(self, url: str, octets: bytes, action: str, check: Callable[[bytes], None]) -> tuple[int, bytes]:
        """In the place of the network."""
        assert url == URL
        check(self.line.peer(self.slug))
        self.requests.append(octets)
        reply = self.service.answer(Received(
            octets=octets, path=PATH, content_type="text/xml", soap_action=f'"{action}"', peer=self.line.peer("hub"),
            at=self.line.at))
        self.answers.append(reply.octets)
        if self.lost:
            self.lost -= 1
            raise Unreachable("the answer was lost")
        return reply.status, reply.octets


@contextmanager
def conveyor(template: Path, folder: Path, slug: str = "energie", *, change: Change = lambda folder: None,
             at_service: Change = lambda folder: None, url: str = URL, post: Forward | None = None,
             ) -> Iterator[Conveyor]:
    """`change` may edit the instance first; `at_service` once the hub has read it, for what only the service sees.
    `post` and `url`: another service than the one of this process.
    """
    def pushed(instance: Path) -> None:
        change(instance)
        edit_parties(instance, **{slug: {"push": url}})

    line = make_line(template, folder, change=pushed)
    register, made = line.gate.register, list[Conveyor]()
    at_service(folder)
    with kept():
        outlet = build_outlet(line.instance, store=line.store, trust=line.trust, register=register,
                              forward=post or (lambda *said: made[0].carry(*said)), clock=lambda: line.at,
                              observe=lambda event, facts: line.events.append((event, dict(facts))))
        service = receiver_of(line.instance, line.instance.resolve(slug), line.trust, Inbox(folder / "ontvangen"),
                              addresses=[URL], tell=lambda event, facts: line.events.append((event, dict(facts))))
    made.append(Conveyor(line=line, outlet=outlet, service=service, folder=folder / "ontvangen", slug=slug))
    yield made[0]
    line.store.close()
