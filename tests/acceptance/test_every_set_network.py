"""Every set by its real parties, over mutual TLS through one real hub: an example, and every path of its table."""

import hashlib
import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from lxml import etree

from gateway.errors import PeerRefused
from gateway.party import PartyClient
from gateway.values import SetKey
from tests.acceptance.every_set import CATALOG, MODULES, Specimen, address, conversations, path_of
from tests.acceptance.hub import Hub, fresh_hub, open_instance
from tests.acceptance.walks import Move, Walker, Way, state_of, table_rows, table_states
from tests.foreign import canonical

Find = Callable[[str], PartyClient]


@pytest.fixture(scope="module")
def party(hub: Hub) -> Find:
    return clients(hub)


def clients(hub: Hub) -> Find:
    """A party's client by its id on the wire; one each, so that connections are kept."""
    slugs = {one.id: one.slug for one in open_instance(hub.folder).read_register().parties()}
    made: dict[str, PartyClient] = {}

    def find(party_id: str) -> PartyClient:
        if party_id not in made:
            made[party_id] = hub.party(slugs[party_id])
        return made[party_id]

    return find


def longest(key: SetKey) -> list[Specimen]:
    return max(conversations(key), key=len)


@pytest.mark.parametrize("key", MODULES, ids=str)
def test_a_whole_conversation_over_the_network(key: SetKey, party: Find) -> None:
    conversation = longest(key)
    assert len(conversation) > 1
    for one in conversation:
        sender, element = party(one.text("Afzender") or ""), etree.fromstring(one.octets)
        sent = sender.send(one.octets)
        assert sent.receipt.referentienummer == one.number
        assert sent.receipt.bericht_digest == hashlib.sha256(canonical(element)).digest()
        assert sent.receipt.ontvangers, one.name
        for receiver in map(party, sent.receipt.ontvangers):
            (waiting,) = receiver.waiting()
            assert (waiting.referentienummer, waiting.berichttype, waiting.opgehaald) == (
                one.number, CATALOG.sets[key].messages[one.element].berichttype, False)
            assert receiver.collect(one.number).octets == canonical(element), one.name
            assert receiver.confirm(one.number) == {one.number: True}
            assert refusal(lambda receiver=receiver, one=one: receiver.collect(one.number)) == "SKP014"
        assert sender.send(one.octets).receipt == sent.receipt, "sent again, the same facts"
        assert all(receiver.waiting() == [] for receiver in map(party, sent.receipt.ontvangers))


# --- every path of every table -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def taxing_hub(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """A hub whose municipality is a creditor too, of its taxes: some paths are open to such a party only."""
    folder = tmp_path_factory.mktemp("paths") / "instance"
    with fresh_hub(with_taxes(template, tmp_path_factory.mktemp("taxes") / "instance"), folder) as running:
        yield running


def with_taxes(template: Path, folder: Path) -> Path:
    shutil.copytree(template, folder)
    book = folder / "parties.toml"
    written = book.read_text("utf-8")
    changed = written.replace('"GEMEENTE", "SHV"]', '"GEMEENTE", "SE", "SHV"]')
    assert changed != written
    book.write_text(changed, "utf-8")
    return folder


@pytest.fixture(scope="module")
def taxing_party(taxing_hub: Hub) -> Find:
    return clients(taxing_hub)


@pytest.mark.parametrize("key", MODULES, ids=str)
def test_every_transition_and_every_refusal_over_the_network(
        key: SetKey, taxing_hub: Hub, taxing_party: Find) -> None:
    left, refusing = table_rows(key), table_states(key)
    people = list(open_instance(taxing_hub.folder).read_register().parties())
    for pair in ((one, two) for one in people for two in people if one is not two):
        while way := Walker(key=key, parties=pair).tour(left):
            travel(taxing_hub, taxing_party, way, refusing)
            left -= way.rows
    assert {CATALOG.sets[key].choreography.transitions[number] for number, _ in left} == set()
    assert refusing == set()


def travel(hub: Hub, party: Find, way: Way, refusing: set[str]) -> None:
    """Take every step to the end; each message arrives. In a state of `refusing` try all that it must refuse first."""
    conversation, sent = str(uuid.uuid4()), dict[tuple[str | None, int], str]()
    for number_of_moves, stop in enumerate(way.stops):
        assert number_of_moves == 0 or state_of(hub.folder, conversation) == stop.state
        if stop.state in refusing:
            refusing.discard(stop.state)
            for wrong in stop.refused:
                octets, sender = written(way, wrong, conversation, str(uuid.uuid4()), str(uuid.uuid4()))
                assert refusal(lambda o=octets, s=sender: party(s).send(o)) == "SKP011", (stop.state, wrong.one.name)
        for move in way.moves[number_of_moves:number_of_moves + 1]:
            number = str(uuid.uuid4())
            octets, sender = written(way, move, conversation, number, sent.get((move.answers, 1 - move.side)))
            receipt = party(sender).send(octets).receipt
            assert receipt.referentienummer == number
            (receiver,) = map(party, receipt.ontvangers)
            assert receiver.collect(number).octets == canonical(etree.fromstring(octets)), move.one.name
            assert receiver.confirm(number) == {number: True}
            sent[move.one.element, move.side] = number


def written(way: Way, move: Move, conversation: str, number: str, cross: str | None) -> tuple[bytes, str]:
    """The message of this move as it goes on the wire, and the id of its sender."""
    sender, receiver = way.parties[move.side], way.parties[1 - move.side]
    return address(move.one.octets, conversation=conversation, sender=sender.id, receivers=[receiver.id],
                   cross=cross, number=number), sender.id


def refusal(act: Callable[[], object]) -> str | None:
    """The code of the fault that this brings."""
    with pytest.raises(PeerRefused) as refused:
        act()
    return refused.value.fault.code if refused.value.fault else None


def test_every_set_has_such_a_conversation_with_messages_both_ways() -> None:
    for key in MODULES:
        assert len({path_of(key, one.element) for one in longest(key)}) == 2, key
