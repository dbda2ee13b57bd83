"""One hub on which requests are tried: what each costs, what becomes of it, and how that compares with a good one."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from lxml import etree

from gateway.app.hub import settle
from gateway.errors import UnsupportedContent
from gateway.pipeline import answer, decline
from gateway.transport.listener import is_text_xml
from gateway.values import Received, Reply
from tests import foreign
from tests.acceptance.every_set import MODULES, control, examples
from tests.costs.candidate import LARGEST, Candidate
from tests.costs.good import Good, spent
from tests.fuzz.doors import Doors
from tests.fuzz.gather import as_recipe
from tests.fuzz.recipe import DIGEST, Recipe, read
from tests.line import BASE, KN, POSTBUS, Line

CORPUS = Path(__file__).parents[1] / "fuzz" / "corpus"
_DIGESTS = 200  # more take the search itself long to fill in
SERVICES = {
    POSTBUS: ("HaalBerichtenlijstOp", "HaalBerichtOp", "BevestigBericht"),
    "/soap/knooppunt/1.0/adresboek": ("ZoekDeelnemer", "HaalDeelnemerOp"),
    "/soap/knooppunt/1.0/logboek": ("ZoekLogboek", "HaalConversatieOverzicht", "HaalBewijsOp"),
    "/soap/knooppunt/1.0/beheer": ("Ping", "HaalFoutToelichtingOp"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """One request, once it was answered."""

    candidate: Candidate
    size: int  # octets
    cpu: float  # seconds
    outcome: str  # the class of the refusal; "accepted"
    ratio: float  # to a good message of that size
    reason: str = ""


@dataclass(kw_only=True)
class Bench:
    """A hub that a search may go at for long."""

    doors: Doors
    good: Good = field(init=False)
    tried: int = 0

    def __post_init__(self) -> None:
        settle()  # as a hub that serves: what is freed is overwritten
        self.good = Good(self.line)

    @property
    def line(self) -> Line:
        return self.doors.line

    def received(self, candidate: Candidate) -> Received | None:
        """The request; None where it would be refused for its size alone."""
        template = candidate.octets(signed=True)
        if len(template) > LARGEST or template.count(DIGEST) > _DIGESTS:
            return None
        made = self.doors._received(Recipe(fields=candidate.recipe.fields, octets=template))
        octets = candidate.late(made.octets)
        if len(octets) > LARGEST:
            return None
        return Received(octets=octets, path=made.path, content_type=made.content_type, soap_action=made.soap_action,
                        peer=made.peer, at=made.at)

    def send(self, received: Received) -> tuple[float, Reply, str, str]:
        """Seconds of CPU, the answer, the class of the refusal or "accepted", and its reason for the operator."""
        line, replies = self.line, []
        line.events.clear()
        self.tried += 1
        if is_text_xml(received.content_type):
            cost = spent(lambda: replies.append(answer(received, line.gate)))
        else:
            cost = spent(lambda: replies.append(decline(received, UnsupportedContent("content type"), line.gate)))
        told = [facts for event, facts in line.events if event == "refused"]
        return (cost, replies[0], str(told[-1]["error"]) if told else "accepted",
                str(told[-1].get("reason", ""))[:90] if told else "")

    def attempt(self, candidate: Candidate, worth: float = 2.0) -> Tried | None:
        """Try it; what seems to cost much (`worth` times a good one) is tried again, and its least cost counts."""
        received = self.received(candidate)
        if received is None:
            return None
        cpu, _, outcome, reason = self.send(received)
        reference = self.good.of(len(received.octets))
        if outcome != "accepted" and cpu > worth * reference:
            cpu = min(cpu, *(self.send(received)[0] for _ in range(2)))
        return Tried(candidate=candidate, size=len(received.octets), cpu=cpu, outcome=outcome, ratio=cpu / reference,
                     reason=reason)

    def compare(self, candidate: Candidate, times: int = 5) -> Tried:
        """The ratio as it is, measured in turn with good messages of the same size; the best of each counts."""
        received = self.received(candidate)
        assert received is not None
        costs, goods = [], []
        for _ in range(times):
            cost, _, outcome, reason = self.send(received)
            costs.append(cost)
            goods.append(self.good.beside(len(received.octets)))
        return Tried(candidate=candidate, size=len(received.octets), cpu=min(costs), outcome=outcome,
                     ratio=min(costs) / min(goods), reason=reason)


def bases(line: Line) -> Iterator[Candidate]:
    """What a search begins with: the corpus, a message of every kind there is, every question to the hub."""
    for path in sorted(CORPUS.iterdir()):
        recipe = read(path.read_bytes())
        if recipe.door in ("line", "explain"):
            yield Candidate(recipe=Recipe(fields={**recipe.fields, "door": "line"}, octets=recipe.octets),
                            origin=path.name[:12])
    yield from _messages(line)
    for path, names in SERVICES.items():
        for name in names:
            yield _signed(line, _question(line, name), path, "gemeente", name)


def _messages(line: Line) -> Iterator[Candidate]:
    """The longest example of every message type, sent by its sender to where it belongs."""
    for key in MODULES:
        longest = {one.element: one for one in sorted(examples(key), key=lambda one: len(one.octets))}
        for element, specimen in longest.items():
            message = etree.fromstring(specimen.octets)
            party = line.gate.register().by_id(control(message).findtext(f"{{{KN}}}Afzender") or "")
            paths = [path for path, service in line.gate.catalog.services.items() if service.key == key
                     and any(one.name == element for one in service.operations.values())
                     and (service.role is None or party is None or service.role.name in party.roles)]
            if party is not None and paths:
                yield _signed(line, specimen.octets, paths[0], party.slug, f"{key.module} {element}")


def _question(line: Line, name: str) -> bytes:
    found = sorted((line.instance.settings.sets.xsd / "knooppunt/1.0/examples/valid").glob(f"{name}-*.xml"))
    return found[-1].read_bytes() if found else f'<{name} xmlns="{KN}"/>'.encode()


def _signed(line: Line, child: bytes, path: str, party: str, origin: str) -> Candidate:
    text = re.sub(rb">\s+<", b"><", child.partition(b"?>")[2].strip() or child)
    octets = foreign.octets(foreign.build(line.plan(text, path=path, party=party, to=BASE + path)))
    return Candidate(recipe=as_recipe(line, octets, path, party, '""'), origin=origin)
