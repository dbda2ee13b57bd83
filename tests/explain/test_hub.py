"""In the hub: a refusal keeps its explanation, its owner gets it, nobody else learns anything, and no content leaks."""

import json
import uuid
from dataclasses import replace

import pytest
from lxml import etree

from gateway.routing import AddressBook
from gateway.security import EXAMPLE_OINS
from gateway.storage.records import canonical, refusal_of, refused_facts
from gateway.values import Diagnosis, Explained, Refusal
from tests import foreign
from tests.explain.of_layout import LAYOUT
from tests.explain.of_signing import SIGNING
from tests.explain.of_wire import WIRE
from tests.explain.world import World, compact, digesting, pretty, replaced
from tests.foreign import S
from tests.hostile.attack import PLANTED, message
from tests.line import KN, Line, code, fault

BEHEER = "/soap/knooppunt/1.0/beheer"
NS = {"kn": KN, "s": S}


def ask(line: Line, ticket: str, party: str = "gemeente"):
    """HaalFoutToelichtingOp."""
    child = f'<HaalFoutToelichtingOp xmlns="{KN}"><Ticket>{ticket}</Ticket></HaalFoutToelichtingOp>'.encode()
    return line.send(child, path=BEHEER, party=party)


def refused(line: Line, octets: bytes, **post: object) -> str:
    """Post what is refused; the ticket."""
    found = fault(line.post(octets, **post))
    assert found is not None
    return found.findtext(f".//{{{KN}}}Ticket")


def causes(line: Line, ticket: str) -> set[str]:
    """The ids in the answer to its owner."""
    reply = ask(line, ticket)
    assert reply.status == 200
    return {one.text for one in etree.fromstring(reply.octets).iterfind(".//kn:Kenmerk", NS)}


@pytest.fixture
def pretty_printed(line: Line) -> str:
    """A message that an ESB has pretty-printed after signing; the ticket of its refusal."""
    return refused(line, pretty(foreign.octets(foreign.build(line.plan(compact(message()))))))


def test_the_owner_learns_the_cause_and_the_remedy_in_both_languages(line: Line, pretty_printed: str) -> None:
    reply = ask(line, pretty_printed.upper())
    answer = etree.fromstring(reply.octets).find(".//kn:HaalFoutToelichtingOpAntwoord", NS)
    assert answer.findtext("kn:Ticket", namespaces=NS) == pretty_printed
    assert answer.findtext("kn:Code", namespaces=NS) == "SKP015"
    outcomes = {one.findtext("kn:Naam", namespaces=NS): one.findtext("kn:Uitkomst", namespaces=NS)
                for one in answer.iterfind("kn:Toets", NS)}
    assert list(outcomes)[:3] == ["http", "xml", "soap"]
    assert outcomes["digests"] == outcomes["signature-value"] == "KLOPT_NIET"
    assert outcomes["certificate"] == outcomes["references"] == "KLOPT"
    told = answer.find("kn:Toets/kn:Oorzaak", NS)
    assert told.findtext("kn:Kenmerk", namespaces=NS) == "white-space-added"
    assert told.findtext("kn:XPath", namespaces=NS).startswith("/soap:Envelope/soap:Header")
    for name, word in (("Omschrijving", "witruimte"), ("Description", "white space"), ("Oplossing", "Zet opmaken uit"),
                       ("Remedy", "Switch formatting off")):
        assert word in told.findtext(f"kn:{name}", namespaces=NS)


def test_another_party_and_an_unknown_ticket_get_the_same_refusal(line: Line, pretty_printed: str) -> None:
    def face(reply) -> str:
        found = fault(reply)
        for name in ("Ticket", "Tijdstip"):
            found.find(f".//{{{KN}}}{name}").text = ""
        return etree.tostring(found).decode()

    foreign_ticket, unknown = ask(line, pretty_printed, "energie"), ask(line, str(uuid.uuid4()), "energie")
    assert code(foreign_ticket) == code(unknown) == "SKP014"
    assert face(foreign_ticket) == face(unknown)
    assert foreign_ticket.status == unknown.status


def test_who_acts_for_the_owner_may_ask_and_not_the_reverse(line: Line, pretty_printed: str) -> None:
    book = line.gate.register()
    parties = [replace(one, acts_for=frozenset({EXAMPLE_OINS["gemeente"]})) if one.slug == "energie" else one
               for one in book.everyone]
    changed = AddressBook(parties, today=line.at.date())
    line.gate = replace(line.gate, register=lambda: changed)
    assert ask(line, pretty_printed, "energie").status == 200
    own = refused(line, pretty(foreign.octets(foreign.build(line.plan(message(), party="energie")))), party="energie")
    assert ask(line, own, "energie").status == 200
    assert code(ask(line, own, "gemeente")) == "SKP014"


def test_the_fault_is_the_same_whatever_the_cause(line: Line) -> None:
    def words(octets: bytes) -> tuple[str, ...]:
        found = fault(line.post(octets))
        return tuple(one.text or "" for one in found.iter("*") if etree.QName(one).localname not in (
            "Ticket", "Tijdstip"))

    def signed(**changes: object) -> bytes:
        return foreign.octets(foreign.build(line.plan(message(), **changes)))

    sent = [pretty(signed()), signed(**digesting("Body", lambda body: b"x")),
            signed(created="2026-01-01T00:00:00Z", expires=None), signed(unsigned=frozenset({"To"}))]
    assert len({words(one) for one in sent}) == 1


def test_a_refusal_that_says_all_has_no_checks(line: Line) -> None:
    ticket = refused(line, foreign.octets(foreign.build(line.plan(
        message().replace(b"<kn:Versie>2.0<", b"<kn:Versie>twee<")))))
    reply = ask(line, ticket)
    assert reply.status == 200
    assert b"Toets>" not in reply.octets
    assert b"SKP001" in reply.octets


def test_a_stranger_costs_no_explanation(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.pipeline.explaining.diagnose", lambda *_: pytest.fail("looked at"))
    stranger = foreign.octets(foreign.build(line.plan(message())))
    assert line.post(stranger, peer=line.identity("gemeente").certificate[:-1] + b"\0").status == 403


def test_a_mistake_in_explaining_leaves_the_refusal_as_it_is(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("boom")

    monkeypatch.setattr("gateway.pipeline.explaining.diagnose", broken)
    reply = line.post(pretty(foreign.octets(foreign.build(line.plan(message())))))
    assert code(reply) == "SKP015"
    assert ("mistake", "boom") in [(event, str(facts.get("error"))) for event, facts in line.events]


def test_encrypted_requests_are_not_searched(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    """How long an answer takes must not depend on what was found inside."""
    monkeypatch.setattr("gateway.pipeline.explaining.diagnose", lambda *_: pytest.fail("looked at"))
    octets = replaced(foreign.octets(foreign.build(line.plan(message()))), "<s:Body",
                      "<x:EncryptedKey xmlns:x='urn:x'/><s:Body")
    assert code(line.post(octets)) is not None


def test_no_word_of_a_message_is_in_a_diagnosis(world: World) -> None:
    """Words are planted in the Body, in ids, in header names and in prefixes: none comes back."""
    planted = (*PLANTED, "Müller", "vsdebugger", "onbekend-blok", "geheim-id")
    for _, _, make in (*WIRE, *LAYOUT, *SIGNING):
        explanation = make(world)
        told = json.dumps([[one.id, one.place, dict(one.facts)]
                           for each in explanation.checks for one in each.diagnoses], ensure_ascii=False)
        assert not [word for word in planted if word in told]
    octets = subject(world.octets(message(surname="Geheimhouder")))
    told = str(world.look(octets).checks)
    assert "header-not-allowed" in told
    assert not [word for word in planted if word in told]


def subject(octets: bytes) -> bytes:
    """Headers and ids that speak."""
    return replaced(octets, "</s:Header>", '<geheim:onbekend-blok xmlns:geheim="urn:Geheimhouder" Id="geheim-id">'
                    "999990019</geheim:onbekend-blok></s:Header>")


def test_neither_journal_nor_fault_nor_log_holds_a_word_of_the_message(line: Line) -> None:
    octets = pretty(subject(foreign.octets(foreign.build(line.plan(message())))))
    reply = line.post(octets)
    kept = line.refusals()[-1] + str(line.events) + reply.octets.decode()
    assert "header-not-allowed" in kept
    assert not [word for word in (*PLANTED, "onbekend-blok", "geheim-id") if word in kept]
    assert causes(line, fault(reply).findtext(f".//{{{KN}}}Ticket")) >= {"header-not-allowed"}


def test_a_refusal_reads_back_with_its_explanation_and_an_old_one_without() -> None:
    base = {"ticket": "t", "code": "SKP015", "error": "SignatureInvalid", "reason": "r", "path": "/p"}
    refusal = Refusal(**base, at=refusal_of(OLD).at, explained=(
        Explained(check="digests", holds=False, diagnoses=(
            Diagnosis(id="white-space-added", place="/soap:Envelope/soap:Body", facts={"part": "Body"}),)),
        Explained(check="operation", holds=None), Explained(check="xml", holds=True)))
    record = canonical({**refused_facts(refusal), "at": 0})
    assert refusal_of(record) == refusal
    assert refusal_of(OLD).explained == ()
    assert "diagnoses" not in canonical(refused_facts(replace(refusal, explained=())))


OLD = ('{"at":0,"code":"SKP015","error":"SignatureInvalid","octets":1,"octets_digest":"","path":"/p","reason":"r",'
       '"ticket":"t"}')
