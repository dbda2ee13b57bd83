"""A hub in this process that pushes to a real receiving service of its party, also in this process: no network between.

What is tested over TLS stands elsewhere (tests/push/test_line_out.py, tests/acceptance); here it is what the two say to
each other that matters.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

from gateway.app.listen import receiver_of
from gateway.app.push import build_outlet
from gateway.errors import Unreachable
from gateway.multipart import Package, PackageLimits, Reader, read_package_type
from gateway.party import Inbox, Receiver
from gateway.pipeline import Outlet, deliver
from gateway.ports import Forward
from gateway.push_values import Outcome, Result
from gateway.transport.packages import Arrival
from gateway.values import Received, Reply
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
    spoil: Callable[[bytes], bytes] = lambda piece: piece  # what the way does to each piece of a package
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

    def carry(self, url: str, content: bytes | Package, action: str, check: Callable[[bytes], None]
              ) -> tuple[int, bytes]:
        """In the place of the network."""
        assert url == URL
        check(self.line.peer(self.slug))
        self.requests.append(content if isinstance(content, bytes) else content.root)
        received = Received(octets=b"", path=PATH, content_type="text/xml", soap_action=f'"{action}"',
                            peer=self.line.peer("hub"), at=self.line.at)
        if isinstance(content, bytes):
            reply = self.service.answer(replace(received, octets=content))
        else:
            reply = fed(arrival_at(self.service, received, content.content_type), map(self.spoil, content))
        self.answers.append(reply.octets)
        if self.lost:
            self.lost -= 1
            raise Unreachable("the answer was lost")
        return reply.status, reply.octets


def arrival_at(service: Receiver, received: Received, content_type: str) -> Arrival:
    """A package on its way to a service, as its listener hands it on."""
    return Arrival(received, Reader(read_package_type(content_type), PackageLimits()), begin=service.begin,
                   refuse=service.decline, now=lambda: received.at, max_octets=service.limits.max_octets)


def fed(arrival: Arrival, pieces: Iterable[bytes]) -> Reply:
    """The answer to a package that comes in these pieces."""
    for piece in pieces:
        reply = arrival.feed(piece)
        if reply is not None:
            return reply
    return arrival.end()


@contextmanager
def conveyor(template: Path, folder: Path, slug: str = "energie", *, change: Change = lambda folder: None,
             at_service: Change = lambda folder: None, url: str = URL, post: Forward | None = None,
             mtom: bool = False) -> Iterator[Conveyor]:
    """`change` may edit the instance first; `at_service` once the hub has read it, for what only the service sees.
    `post` and `url`: another service than the one of this process.
    """
    def pushed(instance: Path) -> None:
        change(instance)
        edit_parties(instance, **{slug: {"push": url, **({"mtom": True} if mtom else {})}})

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
