"""Who may send what in every message set: roles, modules, documents, BSN, routing keys, fan-out; through the whole hub.

Sets are discovered; a new folder in xsd/ is tested here without a line of code (tests/acceptance/every_set.py).
"""

import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from lxml import etree

from gateway.messagesets import sample_message, validate_text
from gateway.values import Party, SetKey
from tests.acceptance.every_set import (
    CATALOG,
    KN,
    MODULES,
    Specimen,
    ask,
    chance,
    control,
    fields,
    may_pass,
    openings,
    parties,
    path_of,
    plays,
    send,
    specimens,
    to,
    with_parties,
)
from tests.line import Line, code, make_line

EACH = pytest.mark.parametrize("key", MODULES, ids=str)
KINDS = ("GEMEENTECODE", "RECHTBANK", "BRON")


@pytest.fixture(scope="module")
def world(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    """One hub for all that is refused, or recorded under fresh numbers."""
    made = make_line(template, tmp_path_factory.mktemp("world") / "instance")
    yield made
    made.store.close()


# --- who may send what ---------------------------------------------------------------------------------------------


@pytest.mark.clause("§1.7")
@EACH
def test_a_party_of_another_role_can_neither_send_nor_receive(key: SetKey, world: Line) -> None:
    before = world.rows("messages")
    message_set = CATALOG.sets[key]
    for element, message in message_set.messages.items():
        _, one, sender, receiver = chance(key, element, world)
        strangers = [party for party in parties(world) if not plays(party, message_set.roles[message.sender_role], key)]
        assert strangers
        for stranger in strangers:
            octets = to(key, one.octets, sender=stranger, receivers=[receiver])
            assert code(send(world, key, octets, stranger)) == "SKP007", (element, stranger.slug)
        deaf = next(party for party in parties(world)
                    if party is not sender and not plays(party, message_set.roles[message.receiver_role], key))
        for receiver, wanted in ((deaf, "SKP007"), (sender, "SKP004")):
            octets = to(key, one.octets, sender=sender, receivers=[receiver])
            assert code(send(world, key, octets, sender)) == wanted, element
    assert world.rows("messages") == before


@EACH
def test_a_message_is_unknown_at_the_address_of_another_role(key: SetKey, world: Line) -> None:
    paths = {path_of(key, element) for element in CATALOG.sets[key].messages}
    for element in CATALOG.sets[key].messages:
        _, one, sender, receiver = chance(key, element, world)
        octets = to(key, one.octets, sender=sender, receivers=[receiver])
        for path in paths - {path_of(key, element)}:
            assert code(send(world, key, octets, sender, path=path)) == "SKP007", (element, path)


@EACH
def test_a_module_must_be_switched_on_by_both(key: SetKey, world: Line) -> None:
    before = world.rows("messages")
    for _, one, sender, receiver in openings(key, world):
        octets = to(key, one.octets, sender=sender, receivers=[receiver])
        for off in (sender, receiver):
            without = {name: versions for name, versions in off.modules.items() if name != key.module}
            for modules, wanted in ((without, "SKP005"), ({**without, key.module: ("0.9",)}, "SKP006")):
                hub = with_parties(world, lambda party, off=off, modules=modules: (
                    replace(party, modules=modules) if party.id == off.id else party))
                assert code(send(hub, key, octets, sender)) == wanted, (one.element, off.slug)
    assert world.rows("messages") == before


DEMANDS = [(key, message.element) for key in MODULES for message in CATALOG.sets[key].messages.values()
           if message.documents or message.ground]


@pytest.mark.parametrize(("key", "element"), DEMANDS, ids=str)
def test_a_document_that_must_come_along_is_missed(key: SetKey, element: str, world: Line) -> None:
    message, one, sender, receiver = chance(key, element, world)
    required = next(iter(message.documents), "") or next(
        kind for kind in ("toestemmingsverklaring", "beschikking") if kind not in one.documents)
    octets = to(key, without(one, required), sender=sender, receivers=[receiver])
    before = world.rows("messages")
    asking = with_parties(world, lambda party: replace(party, requires=frozenset({required} if message.ground else ())))
    assert code(send(asking, key, octets, sender)) == "SKP012"
    assert world.rows("messages") == before
    if message.ground:
        free = with_parties(world, lambda party: replace(party, requires=frozenset()))
        assert code(send(free, key, octets, sender)) is None


def without(one: Specimen, required: str) -> bytes:
    """The same message without a document of this kind, as ground or as attachment; still valid in itself."""
    if required not in one.documents:
        return one.octets
    for other in (None, "OVERIG"):  # left out, or of another kind: some messages must bring something
        message = etree.fromstring(one.octets)
        header = message.find(f"{{{KN}}}Berichtheader")
        for ground in header.findall(f"{{{KN}}}Grondslag"):
            header.remove(ground)
        for attached in header.findall(f"{{{KN}}}Bijlagen"):
            for document in list(attached):
                kind = document.find(f"{{{KN}}}Soort")
                if kind.text.lower() == required and other is None:
                    attached.remove(document)
                elif kind.text.lower() == required:
                    kind.text = other
            if not len(attached):
                header.remove(attached)
        if not validate_text(etree.tostring(message), CATALOG.by_namespace):
            return etree.tostring(message)
    raise AssertionError(f"{one.name} is not valid without {required}")


BSN = [(key, message.element) for key in MODULES for message in CATALOG.sets[key].messages.values()
       if message.bsn != "never"]


@pytest.mark.clause("§7.3")
@pytest.mark.parametrize(("key", "element"), BSN, ids=str)
def test_a_bsn_only_between_parties_that_may_process_it(key: SetKey, element: str, world: Line) -> None:
    message = CATALOG.sets[key].messages[element]
    everyone = with_parties(world, lambda party: replace(party, mag_bsn=True, requires=frozenset()))
    having = [one for one in specimens(key) if one.element == element and one.has_bsn]
    octets = having[0].octets if having else sample_message(CATALOG.sets[key], element, bsn=True)
    plain = next(one for one in specimens(key) if one.element == element)
    sender, receiver = next(
        (one, two) for one in parties(everyone) for two in parties(everyone)
        if one is not two and may_pass(plain, message, one, two, key))
    octets, before = to(key, octets, sender=sender, receivers=[receiver]), world.rows("messages")
    for barred in (sender, receiver):
        hub = with_parties(everyone, lambda party, barred=barred: replace(party, mag_bsn=party.id != barred.id))
        assert code(send(hub, key, octets, sender)) == "SKP016", barred.slug
    assert world.rows("messages") == before
    opens = any(row.message == element and CATALOG.sets[key].choreography.initial in row.states
                for row in CATALOG.sets[key].choreography.transitions)
    assert code(send(everyone, key, octets, sender)) == (None if opens else "SKP011")


def test_there_are_sets_with_documents_and_with_bsn() -> None:
    assert len(DEMANDS) > 5
    assert len(BSN) > 10


# --- routing and fan-out -------------------------------------------------------------------------------------------


def routed(octets: bytes, kind: str, value: str) -> bytes:
    """The same message by a routing key instead of an addressee."""
    message = etree.fromstring(octets)
    header = control(message)
    route = etree.Element(f"{{{KN}}}Routering")
    for name, text in (("Soort", kind), ("Waarde", value)):
        etree.SubElement(route, f"{{{KN}}}{name}").text = text
    header.find(f"{{{KN}}}Ontvanger").addprevious(route)
    for named in header.findall(f"{{{KN}}}Ontvanger"):
        header.remove(named)
    return etree.tostring(message)


def keys(party: Party, kind: str) -> frozenset[str]:
    return party.gemeentecodes if kind == "GEMEENTECODE" else party.routing.get(kind, frozenset())


def unrouted(party: Party) -> Party:
    return replace(party, gemeentecodes=frozenset(), routing={})


@EACH
def test_a_routing_key_finds_who_registered_it_and_plays_the_role(key: SetKey, world: Line) -> None:
    message_set, nobody = CATALOG.sets[key], with_parties(world, unrouted)
    known = sorted({(kind, value) for party in parties(world) for kind in KINDS for value in keys(party, kind)})
    reached = set()
    for element, message in message_set.messages.items():
        role = message_set.roles[message.receiver_role]
        _, one, sender, receiver = chance(key, element, world)
        for kind, value in known:
            receivers = [party for party in parties(world) if value in keys(party, kind) and plays(party, role, key)]
            octets = routed(to(key, one.octets, sender=sender, receivers=[receiver]), kind, value)
            if sender in receivers or validate_text(octets, CATALOG.by_namespace):
                continue  # a rule of the set says that this message has no such key
            if kind not in message.routes or not receivers:
                assert code(send(world, key, octets, sender)) == "SKP004", (one.name, kind, value)
                continue
            assert code(send(nobody, key, octets, sender)) == "SKP004", (one.name, kind, value)
            if element in {opening.element for opening, *_ in openings(key, world)}:
                reply = send(world, key, octets, sender)
                assert code(reply) is None, (one.name, world.refusals()[-1:])
                assert fields(reply, "Ontvanger") == [party.id for party in receivers]
                for party in receivers:
                    assert code(ask(world, "HaalBerichtOp", party, *fields(reply, "Referentienummer"))) is None
                reached.add(kind)
    assert reached == {kind for message in message_set.messages.values() for kind in message.routes}


def test_every_kind_of_key_is_used_by_a_set() -> None:
    assert {kind for key in MODULES for message in CATALOG.sets[key].messages.values()
            for kind in message.routes} == set(KINDS)


@EACH
def test_several_addressees_get_one_delivery_each_whatever_becomes_of_another(key: SetKey, world: Line) -> None:
    message_set = CATALOG.sets[key]
    for message, one, sender, first in openings(key, world):
        everyone = with_parties(world, lambda party, first=first: replace(
            party, roles=party.roles | first.roles, subtype=first.subtype, modules=first.modules, mag_bsn=True
        ) if party.id != sender.id else party)  # noqa: B023 - called before the next turn
        role = message_set.roles[message.receiver_role]
        receivers = [party for party in parties(everyone) if party.id != sender.id and plays(party, role, key)][:4]
        assert len(receivers) == 4
        before = [world.rows("messages"), world.rows("deliveries"), world.rows("conversations")]
        reply = send(everyone, key, to(key, one.octets, sender=sender, receivers=receivers), sender)
        if message.max_receivers == 1:
            assert code(reply) == "SKP007", one.name
            added = [0, 0, 0]
        else:
            assert code(reply) is None, (one.name, world.refusals()[-1:])
            assert fields(reply, "Ontvanger") == [party.id for party in receivers]
            added = [1, 4, 4]
            (number,) = fields(reply, "Referentienummer")
            ask(world, "HaalBerichtOp", receivers[0], number)
            assert fields(ask(world, "BevestigBericht", receivers[0], number), "Bevestigd") == ["true"]
            for receiver in receivers[1:]:  # that one is done changes nothing for another
                assert code(ask(world, "HaalBerichtOp", receiver, number)) is None
            stranger = replace(receivers[0], id=str(uuid.uuid4()))
            octets = to(key, one.octets, sender=sender, receivers=[stranger, *receivers[1:]])
            reply = send(everyone, key, octets, sender)
            assert fields(reply, "Ontvanger") == [*(party.id for party in receivers[1:]), stranger.id], code(reply)
            assert fields(reply, "Code") == ["SKP004"]
            added = [2, 7, 7]
        after = [world.rows("messages"), world.rows("deliveries"), world.rows("conversations")]
        assert [one - other for one, other in zip(after, before, strict=True)] == added
