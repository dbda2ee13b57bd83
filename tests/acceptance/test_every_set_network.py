"""The longest example conversation of every set, by its real parties, over mutual TLS through one real hub process."""

import hashlib
from collections.abc import Callable

import pytest
from lxml import etree

from gateway.errors import PeerRefused
from gateway.party import PartyClient
from gateway.values import SetKey
from tests.acceptance.every_set import CATALOG, MODULES, Specimen, conversations, path_of
from tests.acceptance.hub import Hub, open_instance
from tests.foreign import canonical

Find = Callable[[str], PartyClient]


@pytest.fixture(scope="module")
def party(hub: Hub) -> Find:
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


def refusal(act: Callable[[], object]) -> str | None:
    """The code of the fault that this brings."""
    with pytest.raises(PeerRefused) as refused:
        act()
    return refused.value.fault.code if refused.value.fault else None


def test_every_set_has_such_a_conversation_with_messages_both_ways() -> None:
    for key in MODULES:
        assert len({path_of(key, one.element) for one in longest(key)}) == 2, key
