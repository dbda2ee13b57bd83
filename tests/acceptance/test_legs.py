"""Several addressees, routing keys with dates, terms and late answers: what becomes of each leg, in a whole hub."""

import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from lxml import etree

from gateway.app.instance import utc_now
from gateway.calendar_nl import dutch_working_day
from gateway.messagesets import validate_text
from gateway.routing import AddressBook
from gateway.values import Party, Reply, Route, SetKey
from tests.acceptance.every_set import CATALOG, KN, address, chance, examples, fields, send
from tests.acceptance.test_every_set_rules import routed
from tests.line import POSTBUS, Line, code, fault, make_line

SO = SetKey(module="schuldenoverzicht", version="1.0")
LOGBOEK = "/soap/knooppunt/1.0/logboek"


@pytest.fixture
def line(template: Path, tmp_path: Path) -> Iterator[Line]:
    made = make_line(template, tmp_path / "instance")
    yield made
    made.store.close()


def by_slug(line: Line) -> dict[str, Party]:
    return {party.slug: party for party in line.gate.register().everyone}  # type: ignore[attr-defined]


def with_book(line: Line, routes: tuple[Route, ...] = (), **changed: dict[str, object]) -> Line:
    """The same hub with another address book."""
    book = AddressBook([replace(party, **changed.get(party.slug, {})) for party in by_slug(line).values()],
                       routes=routes, today=line.at.date())
    return replace(line, gate=replace(line.gate, register=lambda: book))


def example(name: str, key: SetKey = SO) -> bytes:
    return next(one.octets for one in examples(key) if one.name == name)


def question(line: Line, *receivers: str, conversation: str, term: str | None = None, number: str | None = None,
             parent: str | None = None) -> bytes:
    """The request of the gemeente to these sources (slug, or an id that is nobody's)."""
    book = by_slug(line)
    octets = address(example("SchuldenoverzichtVerzoek-minimaal"), conversation=conversation, number=number,
                     sender=book["gemeente"].id, receivers=[book[one].id if one in book else one for one in receivers])
    message = etree.fromstring(octets)
    if term is not None:
        asked = next(message.iter("{*}Verzoek"))
        place = next(asked.iter("{*}Bronnen"))
        added = etree.Element(f"{{{etree.QName(asked).namespace}}}AntwoordVoor")
        added.text = term
        place.addprevious(added)
    if parent is not None:
        above = etree.Element(f"{{{KN}}}BovenliggendeConversatie")
        above.text = parent
        next(message.iter(f"{{{KN}}}ConversatieReferentienummer")).addnext(above)
    assert validate_text(etree.tostring(message), CATALOG.by_namespace) == ()
    return etree.tostring(message)


def answer(line: Line, source: str, *, conversation: str, cross: str, number: str | None = None) -> bytes:
    book = by_slug(line)
    return address(example("SchuldenoverzichtAntwoord-minimaal"), conversation=conversation, cross=cross,
                   number=number, sender=book[source].id, receivers=[book["gemeente"].id])


def ask(line: Line, operation: str, party: str, *, path: str = LOGBOEK, **criteria: str) -> Reply:
    inner = "".join(f"<{name}>{value}</{name}>" for name, value in criteria.items())
    return line.send(f'<{operation} xmlns="{KN}">{inner}</{operation}>'.encode(), path=path, party=party, sender=None)


def rows(reply: Reply, element: str = "Regel") -> list[dict[str, str]]:
    assert code(reply) is None, reply.octets
    return [{etree.QName(field).localname: field.text or "" for field in row}
            for row in etree.fromstring(reply.octets).iter(f"{{{KN}}}{element}")]


def log(line: Line, party: str, **criteria: str) -> dict[str, dict[str, str]]:
    """The lines of the log by addressee's slug."""
    names = {one.id: one.slug for one in by_slug(line).values()}
    return {names.get(row["Ontvanger"], row["Ontvanger"]): row
            for row in rows(ask(line, "ZoekLogboek", party, **criteria))}


def refused(reply: Reply) -> dict[str, str]:
    return {row["Ontvanger"]: row["Code"] for row in rows(reply, "Geweigerd")}


# --- refused legs ----------------------------------------------------------------------------------------------------


def test_a_refused_leg_does_not_undo_the_others_and_is_told_everywhere(line: Line) -> None:
    hub, number, stranger = with_book(line, deurwaarder={"modules": {}}), str(uuid.uuid4()), str(uuid.uuid4())
    book = by_slug(line)
    octets = question(hub, "deurwaarder", "energie", stranger, "zorgverzekeraar", conversation=number)
    reply = send(hub, SO, octets, book["gemeente"])
    assert code(reply) is None
    expected = {book["deurwaarder"].id: "SKP005", stranger: "SKP004"}
    assert refused(reply) == expected
    assert fields(reply, "Ontvanger")[:2] == [book["energie"].id, book["zorgverzekeraar"].id]
    assert line.rows("messages") == line.rows("payloads") == 1
    assert (line.rows("deliveries"), line.rows("conversations"), line.rows("refused_legs")) == (2, 2, 2)
    # a repeated request gets the same facts, whatever the address book says by now
    again = send(line, SO, octets, book["gemeente"])
    for name in ("Ontvanger", "Code", "JournaalPositie", "JournaalHash", "TijdstipOntvangst"):
        assert fields(again, name) == fields(reply, name)
    assert line.rows("refused_legs") == 2
    seen = log(line, "gemeente", ConversatieReferentienummer=number)
    assert {one: row["Status"] for one, row in seen.items()} == {
        "energie": "BESCHIKBAAR", "zorgverzekeraar": "BESCHIKBAAR", "deurwaarder": "GEWEIGERD", stranger: "GEWEIGERD"}
    assert {row["Code"] for row in seen.values() if row["Status"] == "GEWEIGERD"} == {"SKP005", "SKP004"}
    assert log(line, "deurwaarder") == {}  # to the addressee it never was
    assert set(log(line, "energie", ConversatieReferentienummer=number)) == {"energie"}
    with line.instance.operations() as operations:
        story = operations.message(fields(reply, "Referentienummer")[0])
        assert operations.verify_journal(lambda done: None)["holds"]
    assert {one["ontvanger"]: one["code"] for one in story["geweigerd"]} == expected  # type: ignore[union-attr]
    assert [one["soort"] for one in story["journal"]].count("leg-refused") == 2  # type: ignore[union-attr]


def test_evidence_of_a_refused_leg_is_for_its_sender_alone(line: Line) -> None:
    hub, number = with_book(line, deurwaarder={"modules": {}}), str(uuid.uuid4())
    reply = send(hub, SO, question(hub, "energie", "deurwaarder", conversation=number), by_slug(line)["gemeente"])
    (reference,) = fields(reply, "Referentienummer")
    gone = by_slug(line)["deurwaarder"].id
    reports = line.gate.evidence._reports  # type: ignore[attr-defined]
    kinds = {party: [one.kind for one in reports.evidence_of(reference, party=by_slug(line)[party].id).recorded]
             for party in ("gemeente", "energie")}
    assert kinds == {"gemeente": ["accepted", "leg-refused"], "energie": ["accepted"]}
    assert gone not in "".join(one.record for one in reports.evidence_of(
        reference, party=by_slug(line)["energie"].id).recorded)
    assert code(ask(line, "HaalBewijsOp", "deurwaarder", Referentienummer=reference)) == "SKP014"


def test_when_every_leg_is_refused_nobody_gets_it_and_the_fault_names_each(line: Line) -> None:
    hub = with_book(line, deurwaarder={"modules": {}}, energie={"active": False})
    octets = question(hub, "energie", "deurwaarder", conversation=str(uuid.uuid4()))
    reply = send(hub, SO, octets, by_slug(line)["gemeente"])
    assert code(reply) == "SKP004"  # the first
    found = fault(reply)
    assert found is not None
    told = {(one.findtext(f"{{{KN}}}Omschrijving") or "").split()[1].rstrip(":"): one.findtext(f"{{{KN}}}Regel")
            for one in found.iter(f"{{{KN}}}Bevinding")}
    book = by_slug(line)
    assert told == {book["energie"].id: "SKP004", book["deurwaarder"].id: "SKP005"}
    assert line.rows("messages") == line.rows("refused_legs") == 0


def test_one_addressee_is_refused_with_the_fault_it_always_was(line: Line) -> None:
    hub = with_book(line, deurwaarder={"modules": {}})
    reply = send(hub, SO, question(hub, "deurwaarder", conversation=str(uuid.uuid4())), by_slug(line)["gemeente"])
    assert (code(reply), line.rows("messages")) == ("SKP005", 0)


def test_a_conversation_that_does_not_allow_it_refuses_its_own_leg(line: Line) -> None:
    number, gemeente = str(uuid.uuid4()), by_slug(line)["gemeente"]
    assert code(send(line, SO, question(line, "energie", conversation=number), gemeente)) is None
    reply = send(line, SO, question(line, "energie", "deurwaarder", conversation=number), gemeente)
    assert refused(reply) == {by_slug(line)["energie"].id: "SKP011"}
    assert (line.rows("deliveries"), line.rows("conversations"), line.rows("payloads")) == (2, 2, 2)


def test_what_is_the_senders_own_fault_refuses_all(line: Line) -> None:
    gemeente, number = by_slug(line)["gemeente"], str(uuid.uuid4())
    octets = question(line, "energie", "deurwaarder", conversation=number)
    for changed, wanted in (({"modules": {}}, "SKP005"), ({"requires": frozenset({"beschikking"})}, "SKP012")):
        hub = with_book(line, gemeente=changed)
        assert code(send(hub, SO, octets, gemeente)) == wanted
    assert line.rows("refused_legs") == 0


def test_a_routing_key_passes_over_the_sender_and_over_nobody_else(line: Line) -> None:
    gemeente = by_slug(line)["gemeente"]
    every = {"routing": {"BRON": frozenset({"ALLE"})}, "roles": gemeente.roles | {"SE"}}
    hub = with_book(line, gemeente=every, energie={"modules": {}})
    octets = routed(address(example("SchuldenoverzichtVerzoek-alle-bronnen"), conversation=str(uuid.uuid4()),
                            sender=gemeente.id, receivers=[gemeente.id]), "BRON", "ALLE")
    reply = send(hub, SO, octets, gemeente)
    assert code(reply) is None, line.refusals()
    assert refused(reply) == {by_slug(line)["energie"].id: "SKP005"}
    assert len(fields(reply, "Ontvanger")) == 3  # two sources that get it, one that does not


# --- scatter, gather, terms ------------------------------------------------------------------------------------------


def moment(line: Line, **later: float) -> str:
    return (line.at + timedelta(**later)).strftime("%Y-%m-%dT%H:%M:%SZ")


def overview(line: Line, number: str) -> tuple[dict[str, int], dict[str, dict[str, str]]]:
    reply = ask(line, "HaalConversatieOverzicht", "gemeente", ConversatieReferentienummer=number)
    counts = {name: int(fields(reply, name)[0]) for name in (
        "Gevraagd", "Beantwoord", "TeLaat", "Open", "NietOpgehaald", "Verlopen", "Geweigerd")}
    names = {one.id: one.slug for one in by_slug(line).values()}
    return counts, {names[row["Ontvanger"]]: row for row in rows(reply)}


def test_the_asker_sees_who_answered_who_is_late_and_who_was_refused(line: Line) -> None:
    hub, number, gemeente = with_book(line, energie={"modules": {}}), str(uuid.uuid4()), by_slug(line)["gemeente"]
    term = moment(line, hours=2)
    reply = send(hub, SO, question(hub, "energie", "deurwaarder", "zorgverzekeraar", conversation=number, term=term),
                 gemeente)
    (reference,) = fields(reply, "Referentienummer")
    counts, _ = overview(line, number)
    assert counts == {"Gevraagd": 3, "Beantwoord": 0, "TeLaat": 0, "Open": 2, "NietOpgehaald": 2, "Verlopen": 0,
                      "Geweigerd": 1}
    (listed,) = rows(ask(line, "HaalBerichtenlijstOp", "deurwaarder", path=POSTBUS), "Bericht")
    assert listed["AntwoordVoor"][:19] == term[:19]  # the source is told too
    line.skip(hours=1)
    in_time = answer(line, "deurwaarder", conversation=number, cross=reference)
    assert code(send(line, SO, in_time, by_slug(line)["deurwaarder"])) is None
    line.skip(hours=2)
    late = answer(line, "zorgverzekeraar", conversation=number, cross=reference)
    counts, legs = overview(line, number)
    assert (counts["TeLaat"], legs["zorgverzekeraar"].get("TeLaat")) == (1, "true")  # past its term and open
    assert code(send(line, SO, late, by_slug(line)["zorgverzekeraar"])) is None
    counts, legs = overview(line, number)
    assert counts == {"Gevraagd": 3, "Beantwoord": 2, "TeLaat": 1, "Open": 0, "NietOpgehaald": 2, "Verlopen": 0,
                      "Geweigerd": 1}
    assert {who: row.get("TeLaat") for who, row in legs.items()} == {
        "energie": None, "deurwaarder": None, "zorgverzekeraar": "true"}
    assert legs["deurwaarder"]["BeantwoordOp"] < term < legs["zorgverzekeraar"]["BeantwoordOp"]
    marks = {row["Afzender"]: row.get("TeLaat") for row in rows(
        ask(line, "HaalBerichtenlijstOp", "gemeente", path=POSTBUS), "Bericht")}
    assert marks == {by_slug(line)["deurwaarder"].id: None, by_slug(line)["zorgverzekeraar"].id: "true"}
    assert log(line, "zorgverzekeraar", CrossReferentienummer=reference)["gemeente"]["TeLaat"] == "true"


TODAY = utc_now().replace(hour=11, minute=0, second=0, microsecond=0)
MONDAY = TODAY + timedelta(days=7 - TODAY.weekday())  # the lists of the throw-away CA do not reach far
SR = SetKey(module="schuldregeling", version="2.0")


def working_days(after: datetime, until: datetime) -> int:
    """Counted one by one, the first day left out."""
    days = [(after + timedelta(days=n)).date() for n in range(1, (until.date() - after.date()).days + 1)]
    return sum(map(dutch_working_day, days))


@pytest.mark.parametrize(("seconds", "late"), [(-1, None), (1, "true")])
def test_the_term_of_a_type_counts_working_days_and_a_late_answer_is_accepted_and_marked(
    line: Line, seconds: int, late: str | None
) -> None:
    line.at, number, book = MONDAY, str(uuid.uuid4()), by_slug(line)
    line.skip()
    asked = address(example("SaldoVerzoek-minimaal", SR), conversation=number, sender=book["gemeente"].id,
                    receivers=[book["energie"].id])
    reply = send(line, SR, asked, book["gemeente"])
    assert code(reply) is None, line.refusals()
    due = datetime.fromisoformat(log(line, "gemeente", ConversatieReferentienummer=number)["energie"]["AntwoordVoor"])
    assert working_days(MONDAY, due) == 10
    assert f"{due.astimezone(ZoneInfo('Europe/Amsterdam')):%H:%M:%S}" == "23:59:59"
    line.at = due + timedelta(seconds=seconds)
    line.skip()
    given = address(example("SaldoVerzoekAntwoord-minimaal", SR), conversation=number, sender=book["energie"].id,
                    receivers=[book["gemeente"].id], cross=fields(reply, "Referentienummer")[0])
    assert code(send(line, SR, given, book["energie"])) is None, line.refusals()
    (listed,) = rows(ask(line, "HaalBerichtenlijstOp", "gemeente", path=POSTBUS), "Bericht")
    assert listed.get("TeLaat") == late
    assert log(line, "gemeente", ConversatieReferentienummer=number)["energie"].get("TeLaat") == late
    assert line.rows("reply_terms") == (1 if late else 0)  # an answer in time leaves nothing


def test_the_sender_sees_for_how_many_working_days_it_waits(line: Line) -> None:
    line.at, number, gemeente = MONDAY, str(uuid.uuid4()), by_slug(line)["gemeente"]
    line.skip()
    send(line, SO, question(line, "energie", conversation=number), gemeente)
    line.skip(days=4)
    mine = log(line, "gemeente", ConversatieReferentienummer=number)["energie"]
    assert int(mine["WerkdagenNietOpgehaald"]) == working_days(MONDAY, line.at) > 1
    assert "WerkdagenNietOpgehaald" not in log(line, "energie", ConversatieReferentienummer=number)["energie"]
    ask(line, "HaalBerichtOp", "energie", path=POSTBUS, Referentienummer=mine["Referentienummer"])
    assert "WerkdagenNietOpgehaald" not in log(line, "gemeente", ConversatieReferentienummer=number)["energie"]
    line.skip(days=7)
    counts, _ = overview(line, number)
    assert (counts["Verlopen"], counts["Open"], counts["TeLaat"]) == (1, 0, 0)  # the term of the answer is longer


def test_conversations_below_another_are_counted_together(line: Line) -> None:
    above, gemeente = str(uuid.uuid4()), by_slug(line)["gemeente"]
    for source in ("energie", "deurwaarder"):
        octets = question(line, source, conversation=str(uuid.uuid4()), parent=above)
        assert code(send(line, SO, octets, gemeente)) is None
    counts, legs = overview(line, above)
    assert (counts["Gevraagd"], set(legs)) == (2, {"energie", "deurwaarder"})
    reply = ask(line, "HaalConversatieOverzicht", "energie", ConversatieReferentienummer=above)
    assert rows(reply) == []  # it sent none of them


# --- routing by date --------------------------------------------------------------------------------------------------


MERGED = Route(kind="GEMEENTECODE", value="0416", party="", since=MONDAY.date())
# Message set → kind of key, the one in its example, another
ROUTED = {SetKey(module=module, version="1.0"): ("GEMEENTECODE", "0363", "0416") for module in (
    "vroegsignalering", "pauzeknop", "warme-doorverwijzing", "overdracht-bewind")}
ROUTED[SetKey(module="rechtbank", version="1.0")] = ("RECHTBANK", "RBMNE", "RBNHO")
FIRST = next(iter(ROUTED))


def opening(line: Line, key: SetKey) -> tuple[bytes, Party, Party]:
    """A message that opens a conversation under a routing key, who sends it, and who plays its receiving role."""
    message_set, kind = CATALOG.sets[key], ROUTED[key][0]
    first = {row.message for row in message_set.choreography.transitions
             if message_set.choreography.initial in row.states}
    element = next(one.element for one in message_set.messages.values() if kind in one.routes and one.element in first)
    _, one, sender, receiver = chance(key, element, line)
    made = address(one.octets, conversation=str(uuid.uuid4()), sender=sender.id, receivers=[receiver.id])
    return made, sender, receiver


def under(key: SetKey, octets: bytes) -> bytes:
    """The same message under the other key, in another conversation; what repeats the key in its content follows."""
    kind, known, other = ROUTED[key]
    message = etree.fromstring(octets)
    for name in ("Referentienummer", "ConversatieReferentienummer"):
        next(message.iter(f"{{{KN}}}{name}")).text = str(uuid.uuid4())
    return routed(etree.tostring(message), kind, other).replace(f">{known}<".encode(), f">{other}<".encode())


@pytest.mark.parametrize("key", ROUTED, ids=str)
def test_at_a_date_a_municipality_moves_to_another_party(key: SetKey, line: Line) -> None:
    """A key is registered by a party that merges; from that Monday the row of the routing table decides."""
    octets, sender, receiver = opening(line, key)
    old = replace(receiver, id=str(uuid.uuid4()), slug="oud", oin="00000099000000009999",
                  gemeentecodes=frozenset({ROUTED[key][2]}), routing={"RECHTBANK": frozenset({ROUTED[key][2]})})
    book = [*by_slug(line).values(), old]
    hub = replace(line, gate=replace(line.gate, register=lambda: AddressBook(
        book, routes=[replace(MERGED, kind=ROUTED[key][0], value=ROUTED[key][2], party=receiver.id)],
        today=hub.at.date())))
    for days, addressee in ((-1, old), (0, receiver), (9, receiver)):
        hub.at = line.at = MONDAY + timedelta(days=days) - timedelta(hours=6)
        line.skip()
        reply = send(hub, key, under(key, octets), sender)
        assert code(reply) is None, line.refusals()[-1:]
        assert fields(reply, "Ontvanger") == [addressee.id]


@pytest.mark.parametrize(("rows", "wanted"), [
    ((), "SKP004"),
    (({"module": "pauzeknop"},), "SKP004"),
    (({"module": "vroegsignalering"},), None),
    (({"fallback": True},), None),
    (({"until": MONDAY.date(), "since": None},), "SKP004"),
    (({"party": "energie"},), "SKP004"),
])
def test_a_key_leads_somewhere_only_where_a_row_says_so(
    line: Line, rows: tuple[dict[str, object], ...], wanted: str | None
) -> None:
    line.at = MONDAY
    line.skip()
    key = FIRST
    octets, sender, receiver = opening(line, key)
    names = {one.slug: one.id for one in by_slug(line).values()}
    made = tuple(replace(MERGED, **{"party": receiver.id, **row, **(  # type: ignore[arg-type]
        {"party": names[str(row["party"])]} if "party" in row else {})}) for row in rows)
    hub = with_book(line, routes=made)
    assert code(send(hub, key, under(key, octets), sender)) == wanted


def test_no_agreement_is_a_fault_and_falls_back_on_nobody(line: Line) -> None:
    line.at = MONDAY
    line.skip()
    key = FIRST
    octets, sender, receiver = opening(line, key)
    other = replace(receiver, id=str(uuid.uuid4()), slug="ander", oin="00000099000000009999")
    for changed, wanted in (({"modules": {}}, "SKP005"), ({"active": False}, "SKP004")):
        book = [*(replace(one, **changed) if one.id == receiver.id else one for one in by_slug(line).values()), other]
        routes = [replace(MERGED, party=receiver.id), replace(MERGED, party=other.id, fallback=True)]
        hub = replace(line, gate=replace(line.gate, register=lambda book=book, routes=routes: AddressBook(
            book, routes=routes, today=line.at.date())))
        assert code(send(hub, key, under(key, octets), sender)) == wanted


def test_the_answer_comes_back_to_whom_asked_by_a_key(line: Line) -> None:
    key = SetKey(module="warme-doorverwijzing", version="1.0")
    octets, sender, receiver = opening(line, key)
    reply = send(line, key, routed(octets, "GEMEENTECODE", "0363"), sender)
    assert fields(reply, "Ontvanger") == [receiver.id], line.refusals()
    element = next(one for one in CATALOG.sets[key].messages.values() if one.answers)
    given = next(one for one in examples(key) if one.element == element.element)
    back = address(given.octets, conversation=fields(reply, "ConversatieReferentienummer")[0], sender=receiver.id,
                   receivers=[sender.id], cross=fields(reply, "Referentienummer")[0])
    assert code(send(line, key, back, receiver)) is None, line.refusals()
    listed = rows(ask(line, "HaalBerichtenlijstOp", sender.slug, path=POSTBUS), "Bericht")
    assert [one["Afzender"] for one in listed] == [receiver.id]
