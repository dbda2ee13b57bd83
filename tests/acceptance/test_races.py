"""Both parties of one conversation send at the same moment: what comes of it is what one of the two orders gives.

Each race is first run in both orders, one after the other, in conversations of its own; then from two threads, many
times, and every outcome (both answers and the state) must be one of those two.
"""

import random
import sqlite3
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Barrier

import pytest

from gateway.routing import AddressBook
from gateway.values import Reply, SetKey
from tests import foreign
from tests.acceptance.every_set import address, examples, fields, path_of, send
from tests.line import Line, code, fault, make_line

SR = SetKey(module="schuldregeling", version="2.0")
KN = "urn:schuldenknooppunt:knooppunt:1.0"
ROUNDS = 8


@pytest.fixture(scope="module")
def line(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    """A hub at which gemeente and energie may both play both roles."""
    made = make_line(template, tmp_path_factory.mktemp("races") / "instance")
    both = {"roles": frozenset({"SHV", "SE"}), "subtype": "SHV_FASE2", "modules": {"schuldregeling": ("2.0",)}}
    book = AddressBook([replace(party, **both) if party.slug in ("gemeente", "energie") else party
                        for party in made.gate.register().parties()])  # type: ignore[attr-defined, arg-type]
    yield replace(made, gate=replace(made.gate, register=lambda: book))
    made.store.close()


@dataclass(frozen=True, kw_only=True)
class Conversation:
    """One conversation and how far it has come."""

    line: Line
    number: str
    question: str = ""  # Referentienummer of the last question

    def message(self, element: str, sender: str, *, answers: bool = False, number: str | None = None) -> bytes:
        ids = {party.slug: party.id for party in self.line.gate.register().parties()}  # type: ignore[attr-defined]
        receiver = "energie" if sender == "gemeente" else "gemeente"
        octets = next(one.octets for one in examples(SR) if one.name == f"{element}-minimaal")
        return address(octets, conversation=self.number, sender=ids[sender], receivers=[ids[receiver]],
                       cross=self.question if answers else None, number=number)

    @property
    def state(self) -> list[str]:
        with closing(sqlite3.connect(self.line.instance.folder / "gateway.db")) as database:
            rows = database.execute("SELECT state FROM conversations WHERE conversatie = ?", (self.number,))
            return [row[0] for row in rows]


def asked(line: Line) -> Conversation:
    """A conversation in which a balance was asked."""
    made = Conversation(line=line, number=str(uuid.uuid4()))
    octets = made.message("SaldoVerzoek", "gemeente")
    by = {party.slug: party for party in line.gate.register().parties()}  # type: ignore[attr-defined]
    reply = send(line, SR, octets, by["gemeente"])
    assert code(reply) is None, line.refusals()[-1:]
    return replace(made, question=fields(reply, "Referentienummer")[0])


def fresh(line: Line) -> Conversation:
    return Conversation(line=line, number=str(uuid.uuid4()))


Pair = tuple[tuple[str, bytes], tuple[str, bytes]]
RACES: dict[str, tuple[Callable[[Line], Conversation], Callable[[Conversation], Pair]]] = {
    "a refreshed question and a status": (asked, lambda one: (
        ("gemeente", one.message("SaldoVerzoek", "gemeente")), ("energie", one.message("StatusberichtSE", "energie")))),
    "an end from either side": (asked, lambda one: (
        ("gemeente", one.message("RegelingBeeindigd", "gemeente")),
        ("energie", one.message("GeenMedewerking", "energie", answers=True)))),
    "two answers to one question": (asked, lambda one: (
        ("energie", one.message("SaldoVerzoekAntwoord", "energie", answers=True)),
        ("energie", one.message("SaldoVerzoekAntwoord", "energie", answers=True)))),
    "one answer sent twice": (asked, lambda one: (
        (("energie", octets := one.message("SaldoVerzoekAntwoord", "energie", answers=True))), ("energie", octets))),
    "an opening from both sides with one number": (fresh, lambda one: (
        ("gemeente", one.message("SaldoVerzoek", "gemeente")), ("energie", one.message("SaldoVerzoek", "energie")))),
}
EXCLUSIVE = {"an end from either side", "two answers to one question"}


def request(line: Line, sender: str, octets: bytes) -> Callable[[], Reply]:
    """The post of a request that is signed already."""
    element = octets.partition(b" ")[0].rpartition(b":")[2].lstrip(b"<").decode()
    path = path_of(SR, element)
    envelope = foreign.octets(foreign.build(line.plan(octets, path=path, party=sender, sender=None)))
    return lambda: line.post(envelope, path=path, party=sender)


@pytest.mark.parametrize("name", RACES)
def test_a_race_ends_as_one_of_its_two_orders_would(line: Line, name: str) -> None:
    begin, pair = RACES[name]
    orders = set()
    for first, second in ((0, 1), (1, 0)):
        one = begin(line)
        posts = [request(line, *each) for each in pair(one)]
        codes: dict[int, str | None] = {}
        for each in (first, second):
            codes[each] = code(posts[each]())
        orders.add((codes[0], codes[1], *one.state))
    chance = random.Random(name)
    with ThreadPoolExecutor(2) as pool:
        for _ in range(ROUNDS):
            one, gate = begin(line), Barrier(2)
            posts = [request(line, *each) for each in pair(one)]

            def run(post: Callable[[], Reply], gate: Barrier = gate) -> Reply:
                gate.wait()
                return post()

            started = chance.sample(posts, 2)
            replies = dict(zip(map(id, started), pool.map(run, started), strict=True))
            told = [replies[id(post)] for post in posts]
            assert (code(told[0]), code(told[1]), *one.state) in orders
            assert len(one.state) == 1
            if name in EXCLUSIVE:
                lost = [reply for reply in told if code(reply) is not None]
                assert [code(reply) for reply in lost] in (["SKP011"], ["SKP010"])
                for reply in lost:
                    names_what_is_allowed(reply)
    with line.instance.operations() as operations:
        assert operations.verify_journal(lambda done: None)["holds"]


def names_what_is_allowed(reply: Reply) -> None:
    """A refusal by the choreography says the state, what may come now and from whom."""
    found = fault(reply)
    assert found is not None
    if code(reply) == "SKP011":
        (text,) = [one.text or "" for one in found.iter(f"{{{KN}}}Omschrijving") if one.getparent().tag.endswith(
            "Bevinding")]
        assert "toestand" in text
        assert "(SHV)" in text or "(SE)" in text or "niets meer" in text
