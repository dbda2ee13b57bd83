"""Every message set through the whole hub: each example in order, each transition, each state's refusals.

Sets are discovered; a new folder in xsd/ is tested here without a line of code (tests/acceptance/every_set.py).
"""

import re
import uuid
from dataclasses import replace

import pytest
from lxml import etree

from gateway.values import Party, Reply, SetKey
from tests.acceptance.every_set import (
    CATALOG,
    MODULES,
    Specimen,
    address,
    ask,
    chance,
    conversations,
    fields,
    parties,
    send,
    with_parties,
)
from tests.acceptance.walks import Move, Stop, Walker, Way, state_of, table_rows, table_states
from tests.foreign import canonical
from tests.line import Line, code

EACH = pytest.mark.parametrize("key", MODULES, ids=str)


# --- the examples ------------------------------------------------------------------------------------------------


@EACH
def test_the_examples_can_be_sent_in_order_collected_and_confirmed(key: SetKey, line: Line) -> None:
    by_id = {party.id: party for party in parties(line)}
    sent = 0
    for conversation in conversations(key):
        for one in conversation:
            sender = by_id[one.text("Afzender") or ""]
            reply = send(line, key, one.octets, sender)
            assert code(reply) is None, (one.name, code(reply), line.refusals()[-1:])
            assert fields(reply, "Referentienummer") == [one.number], one.name
            receivers = [by_id[one_id] for one_id in fields(reply, "Ontvanger")]
            assert receivers, one.name
            for receiver in receivers:
                fetch(line, one, receiver)
            sent += 1
    assert line.rows("messages") == sent == len(list((CATALOG.sets[key].folder / "examples" / "valid").iterdir()))
    assert line.rows("payloads") == 0
    assert line.refusals() == []


def fetch(line: Line, one: Specimen, receiver: Party) -> None:
    """The message waits for its addressee, comes out octet-stable, and is gone once confirmed."""
    assert fields(ask(line, "HaalBerichtenlijstOp", receiver), "Referentienummer") == [one.number], one.name
    answer = etree.fromstring(ask(line, "HaalBerichtOp", receiver, one.number).octets)
    given = etree.fromstring(one.octets)
    (got,) = answer.iter(given.tag)
    assert canonical(got) == canonical(given), one.name
    assert fields(ask(line, "BevestigBericht", receiver, one.number), "Bevestigd") == ["true"], one.name
    assert fields(ask(line, "HaalBerichtenlijstOp", receiver), "Referentienummer") == []


# --- the table ---------------------------------------------------------------------------------------------------


def creditor_too(party: Party) -> Party:
    """A municipality is also a creditor: of municipal taxes."""
    return replace(party, roles=party.roles | {"SE"}) if "GEMEENTE" in party.roles else party


@EACH
def test_every_transition_is_taken_and_every_state_refuses_the_rest(key: SetKey, line: Line) -> None:
    left, refusing = table_rows(key), table_states(key)
    for hub in (line, with_parties(line, creditor_too)):
        people = parties(hub)
        for pair in ((one, two) for one in people for two in people if one is not two):
            while way := Walker(key=key, parties=pair).tour(left):
                drive(hub, way, refusing)
                left -= way.rows
    assert {CATALOG.sets[key].choreography.transitions[number] for number, _ in left} == set()
    assert refusing == set()


def drive(hub: Line, way: Way, refusing: set[str]) -> str:
    """Take every step; in a state of `refusing`, which is then taken out, try all that must be refused as well.

    Gives the number of the conversation.
    """
    conversation, sent = str(uuid.uuid4()), list[tuple[Move, str]]()
    for move, before, after in zip((*way.moves, None), way.stops, (*way.stops[1:], None), strict=True):
        if before.state in refusing:
            refuse(hub, way, before, conversation)
            refusing.discard(before.state)
        if move is None:
            break
        number = str(uuid.uuid4())
        cross = next((there for asked, there in reversed(sent)
                      if (asked.one.element, asked.side) == (move.answers, 1 - move.side)), None)
        reply = step(hub, way, move, conversation, number=number, cross=cross)
        assert code(reply) is None, (
            [done.one.name for done, _ in sent], move.one.name, code(reply), hub.refusals()[-1:])
        assert state_of(hub.instance.folder, conversation) == after.state, move.one.name
        sent.append((move, number))
    return conversation


def refuse(hub: Line, way: Way, stop: Stop, conversation: str) -> None:
    """Each message that the state does not allow is refused, with the state's name, and changes nothing."""
    before = [hub.rows(table) for table in ("messages", "conversations", "deliveries", "payloads")]
    message_set = CATALOG.sets[way.key]
    assert stop.refused or message_set.messages.keys() == {
        row.message for row in message_set.choreography.transitions if stop.state in row.states}
    for move in stop.refused:
        reply = step(hub, way, move, conversation, number=str(uuid.uuid4()), cross=str(uuid.uuid4()))
        assert (code(reply), reply.status) == ("SKP011", 500), (stop.state, move.one.name, code(reply))
        assert named_state(reply) == stop.state, move.one.name
    assert [hub.rows(table) for table in ("messages", "conversations", "deliveries", "payloads")] == before


def step(hub: Line, way: Way, move: Move, conversation: str, *, number: str, cross: str | None) -> Reply:
    sender, receiver = way.parties[move.side], way.parties[1 - move.side]
    octets = address(move.one.octets, conversation=conversation, sender=sender.id, receivers=[receiver.id],
                     cross=cross, number=number)
    return send(hub, way.key, octets, sender)


def named_state(reply: Reply) -> str | None:
    """The state that a refusal names."""
    found = re.search(r"in toestand (\w+)\.", " ".join(etree.fromstring(reply.octets).itertext()))
    return found[1] if found else None


@pytest.mark.parametrize(
    ("key", "element"),
    [(key, message.element) for key in MODULES for message in CATALOG.sets[key].messages.values()
     if message.max_per_conversation is not None], ids=str)
def test_a_message_with_a_limit_is_refused_beyond_it(key: SetKey, element: str, line: Line) -> None:
    _, one, sender, receiver = chance(key, element, line)
    way = Walker(key=key, parties=(sender, receiver)).to_limit(element)
    assert way is not None
    assert one.element in {move.one.element for move in way.stops[-1].refused}
    conversation = drive(line, way, set())
    refuse(line, way, way.stops[-1], conversation)
