"""After a merger conversations go on with another party: all that waits, nothing twice, and the journal says so."""

import json
from dataclasses import replace
from datetime import timedelta
from random import Random

import pytest

from gateway.errors import MailboxUnknown, RefusedError
from gateway.storage import Leg, Redirection
from gateway.values import Acceptance, DeliveryState, Party, Question, Search
from tests.contract.conftest import Hub
from tests.contract.samples import (
    ANTWOORD,
    BANK,
    ENERGIE,
    GEMEENTE,
    KEY,
    NOW,
    TERM,
    acceptance,
    addressed,
    bridged,
    number,
    party,
)

WHO = {"who": "beheer", "why": "fusie"}
NIEUW = party("nieuw", "00000001999999990003")
NUMBER = number("c")


def fits(leg: Leg) -> str:
    return f"urn:{leg.berichttype}"


def unfit(leg: Leg) -> str:
    if leg.waits:
        raise RefusedError("nieuw does not play SE")
    return fits(leg)


def move(hub: Hub, old: Party = ENERGIE, new: Party = NIEUW, conversatie: str = "c") -> int | None:
    return Redirection(hub.store).move(number(conversatie), old, new, fits, now=hub.now, **WHO)


def ask(hub: Hub, name: str, **more: object) -> Acceptance:
    message = acceptance(name, conversatie="c", **more)  # type: ignore[arg-type]
    hub.accept(message)
    return message


def mailbox(hub: Hub, who: Party) -> list[str]:
    return [one.referentienummer for one in hub.mailbox.waiting(who.id, berichttype=None, conversatie=None, limit=99)]


def question(hub: Hub, sender: Party, receiver: Party, asked: str) -> Question | None:
    """What a message from one to the other would answer."""
    message = acceptance("kijk", sender=sender, receivers=(receiver,), conversatie="c")

    def look(tx: object) -> Question | None:
        conversation = tx.conversation(message, receiver.id)  # type: ignore[attr-defined]
        return None if conversation is None else tx.question(conversation, number(asked))  # type: ignore[attr-defined]

    return hub.journal.transaction(look)


def records(hub: Hub, kind: str) -> list[dict[str, object]]:
    from sqlalchemy import select

    from gateway.storage.session import Query
    from gateway.storage.tables import entries

    with hub.store.read() as session:
        rows = session.all(Query(select(entries.c.record).where(entries.c.kind == kind).order_by(entries.c.position)))
    return [json.loads(row[0]) for row in rows]


def test_what_waits_for_the_old_party_waits_for_the_new(hub: Hub) -> None:
    for name in ("a", "b", "klaar"):
        ask(hub, name)
    hub.mailbox.collect(ENERGIE.id, number("b"), NOW)
    hub.mailbox.collect(ENERGIE.id, number("klaar"), NOW)
    hub.mailbox.confirm(ENERGIE.id, (number("klaar"),), NOW)
    assert move(hub) == 2
    assert (mailbox(hub, ENERGIE), mailbox(hub, NIEUW)) == ([], [number("a"), number("b")])
    with pytest.raises(MailboxUnknown):
        hub.mailbox.collect(ENERGIE.id, number("b"), NOW)
    for name in ("a", "b"):
        assert hub.mailbox.collect(NIEUW.id, number(name), NOW)[1] == b"<sr:SaldoVerzoek/>"
    assert all(hub.mailbox.confirm(NIEUW.id, (number("a"), number("b")), NOW).values())
    assert hub.payloads() == 0
    assert [(one["referentienummer"], one["ontvanger"], one["naar"], one["who"], one["why"])
            for one in records(hub, "redirected")] == [
        (number(name), ENERGIE.id, NIEUW.id, "beheer", "fusie") for name in ("a", "b")]
    (act,) = records(hub, "operator")
    assert (act["who"], act["why"]) == ("beheer", "fusie")
    assert NUMBER in str(act["action"])
    old = hub.reports.messages(Search(ontvanger=ENERGIE.id), NOW)  # what is over stays as it was
    assert [one.referentienummer for one in old] == [number("klaar")]


def test_the_conversation_goes_on_in_both_directions(hub: Hub) -> None:
    ask(hub, "vraag")  # of the gemeente, to who was energie then
    hub.mailbox.collect(ENERGIE.id, number("vraag"), NOW)
    hub.mailbox.confirm(ENERGIE.id, (number("vraag"),), NOW)
    ask(hub, "wedervraag", sender=ENERGIE, receivers=(GEMEENTE,))
    assert move(hub) == 0
    mine = question(hub, NIEUW, GEMEENTE, "vraag")
    assert mine == Question(family="SaldoVerzoek", sender=GEMEENTE.id, answered=False, asked_at=NOW, key=KEY)
    ask(hub, "antwoord", sender=NIEUW, receivers=(GEMEENTE,), cross=number("vraag"), kind=ANTWOORD)
    assert question(hub, NIEUW, GEMEENTE, "vraag") == replace(mine, answered=True)
    theirs = question(hub, GEMEENTE, NIEUW, "wedervraag")  # asked by energie: on nieuw's side by now
    assert theirs == Question(family="SaldoVerzoek", sender=NIEUW.id, answered=False, asked_at=NOW, key=KEY)
    ask(hub, "weerwoord", receivers=(NIEUW,), cross=number("wedervraag"), kind=ANTWOORD)
    assert question(hub, GEMEENTE, NIEUW, "wedervraag") == replace(theirs, answered=True)
    assert question(hub, GEMEENTE, ENERGIE, "vraag") is None
    assert hub.rows("conversations") == 1


def test_who_writes_to_the_old_party_learns_of_the_new(hub: Hub) -> None:
    ask(hub, "a")
    move(hub)
    assert hub.journal.transaction(lambda tx: tx.successor("schuldregeling", NUMBER, ENERGIE.id)) == NIEUW.id
    assert hub.journal.transaction(lambda tx: tx.successor("schuldregeling", NUMBER, BANK.id)) is None
    assert hub.journal.transaction(lambda tx: tx.initiator("schuldregeling", NUMBER)) == GEMEENTE.id


def test_an_initiator_can_be_succeeded_with_all_its_counterparts(hub: Hub) -> None:
    ask(hub, "a", receivers=(ENERGIE, BANK))
    ask(hub, "terug", sender=ENERGIE, receivers=(GEMEENTE,))
    assert move(hub, old=GEMEENTE) == 1
    assert mailbox(hub, NIEUW) == [number("terug")]
    assert mailbox(hub, ENERGIE) == mailbox(hub, BANK) == [number("a")]
    assert hub.journal.transaction(lambda tx: tx.initiator("schuldregeling", NUMBER)) == NIEUW.id


def test_a_second_merger_follows_and_a_mistake_can_be_undone(hub: Hub) -> None:
    ask(hub, "vraag", sender=ENERGIE, receivers=(GEMEENTE,))
    assert move(hub) == 0
    assert move(hub, old=NIEUW, new=BANK) == 0
    asked = question(hub, GEMEENTE, BANK, "vraag")
    assert asked is not None
    assert asked.sender == BANK.id
    assert hub.rows("successors") == 2
    assert move(hub, old=BANK, new=ENERGIE) == 0
    again = question(hub, GEMEENTE, ENERGIE, "vraag")
    assert again is not None
    assert again.sender == ENERGIE.id
    assert Redirection(hub.store).numbers(BANK.id) == []


def test_doing_it_again_does_nothing(hub: Hub) -> None:
    ask(hub, "a")
    assert move(hub) == 1
    before = hub.position()
    assert move(hub) is None
    assert hub.position() == before


def test_a_bridged_message_goes_in_its_version(hub: Hub) -> None:
    hub.accept(bridged(acceptance("a", conversatie="c"), ENERGIE))
    seen: list[Leg] = []
    Redirection(hub.store).move(NUMBER, ENERGIE, NIEUW, lambda leg: seen.append(leg) or fits(leg), now=NOW, **WHO)
    assert seen == [Leg(module="schuldregeling", version="1.1", berichttype="SaldoVraag", receives=True, waits=True)]
    assert hub.mailbox.collect(NIEUW.id, number("a"), NOW)[1] == b"<sr:SaldoVerzoek in='1.1'/>"


@pytest.mark.parametrize("case", ["sealed", "itself", "own", "unfit"])
def test_what_can_not_go_stays_whole_and_is_refused_with_the_reason(hub: Hub, case: str) -> None:
    ask(hub, "eerst")
    heir, judge, words = NIEUW, fits, ""
    if case == "sealed":
        hub.accept(addressed(acceptance("a", conversatie="c"), ENERGIE))
        words = "encrypted to the certificate of energie"
    elif case == "itself":
        heir, words = GEMEENTE, "gemeente is the other party"
    elif case == "own":
        ask(hub, "a", receivers=(BANK,))
        heir, words = BANK, "bank has a conversation of its own"
    else:
        judge, words = unfit, "nieuw does not play SE"
    before = hub.position()
    with pytest.raises(RefusedError, match=words):
        Redirection(hub.store).move(NUMBER, ENERGIE, heir, judge, now=NOW, **WHO)
    assert hub.position() == before
    assert hub.rows("successors") == 0
    assert number("eerst") in mailbox(hub, ENERGIE)


def test_what_is_past_its_term_is_not_woken(hub: Hub) -> None:
    ask(hub, "a")
    hub.now = NOW + TERM
    assert move(hub) == 0
    assert hub.mailbox.expire(hub.now, 10) == 1
    assert mailbox(hub, NIEUW) == []
    assert hub.reports.messages(Search(referentienummer=number("a")), hub.now)[0].ontvanger == ENERGIE.id


def test_everything_of_a_party_is_found_by_its_numbers(hub: Hub) -> None:
    for name, sender, receiver in (("a", GEMEENTE, ENERGIE), ("b", ENERGIE, GEMEENTE), ("x", GEMEENTE, BANK)):
        hub.accept(acceptance(name, sender=sender, receivers=(receiver,), conversatie=name))
    assert Redirection(hub.store).numbers(ENERGIE.id) == sorted((number("a"), number("b")))


def test_evidence_shows_the_first_and_the_new_addressee(hub: Hub) -> None:
    ask(hub, "a")
    move(hub)
    hub.mailbox.collect(NIEUW.id, number("a"), NOW)
    for who in (NIEUW.id, GEMEENTE.id, None):
        found = [json.loads(one.record) for one in hub.reports.evidence_of(number("a"), party=who).recorded]
        assert [one["kind"] for one in found] == ["accepted", "redirected", "collected"]
        assert found[0]["ontvangers"] == [ENERGIE.id]
        assert (found[1]["ontvanger"], found[1]["naar"], found[2]["ontvanger"]) == (ENERGIE.id, NIEUW.id, NIEUW.id)
    with pytest.raises(MailboxUnknown):
        hub.reports.evidence_of(number("a"), party=ENERGIE.id)


def test_the_retention_rule_drops_what_was_redirected_too(hub: Hub) -> None:
    from gateway.storage import Pruning

    ask(hub, "a")
    move(hub)
    hub.mailbox.collect(NIEUW.id, number("a"), NOW)
    hub.mailbox.confirm(NIEUW.id, (number("a"),), NOW)
    later = NOW + timedelta(days=800)
    hub.operator.note("later", who="w", why="y", now=later)
    assert Pruning(hub.store).prune(before=later - timedelta(days=730), now=later).messages == 1
    assert (hub.rows("conversations"), hub.rows("successors")) == (0, 0)


def queued(hub: Hub) -> list[tuple[str, bool]]:
    """Who waits to be pushed what, in order: may it go now?"""
    from sqlalchemy import select

    from gateway.storage.push_tables import outbox
    from gateway.storage.queue import WAITS
    from gateway.storage.session import Query

    with hub.store.read() as session:
        rows = session.all(Query(select(outbox.c.receiver, outbox.c.action, outbox.c.next_at)
                                 .order_by(outbox.c.receiver, outbox.c.message)))
    return [(f"{row[0]} {row[1].rpartition(':')[2]}", row[2] != WAITS) for row in rows]


PUSH = "https://nieuw.example/ontvangst"


def test_what_was_to_be_pushed_is_pushed_to_the_heir_in_order(hub: Hub) -> None:
    pushes, takes = replace(ENERGIE, push=PUSH), replace(NIEUW, push=PUSH)
    for name in ("a", "b"):
        ask(hub, name, receivers=(pushes,))
    assert queued(hub) == [(f"{ENERGIE.id} SaldoVerzoek", True), (f"{ENERGIE.id} SaldoVerzoek", False)]
    assert move(hub, old=pushes, new=takes) == 2
    assert queued(hub) == [(f"{NIEUW.id} SaldoVerzoek", True), (f"{NIEUW.id} SaldoVerzoek", False)]
    assert move(hub, old=takes, new=BANK) == 2  # which collects
    assert queued(hub) == []
    assert move(hub, old=BANK, new=pushes) == 2
    assert len(queued(hub)) == 2


def test_what_is_on_its_way_is_not_taken_away(hub: Hub) -> None:
    from sqlalchemy import update

    from gateway.storage.push_tables import outbox
    from gateway.storage.records import micros
    from gateway.storage.session import Query

    pushes = replace(ENERGIE, push=PUSH)
    ask(hub, "a", receivers=(pushes,))
    lease = NOW + timedelta(minutes=1)
    hub.store.write(lambda write: write.run(Query(update(outbox).values(
        claimed_by="worker", lease_until=micros(lease), next_at=micros(lease)))))
    with pytest.raises(RefusedError, match="on its way to energie"):
        move(hub, old=pushes)
    hub.now = lease
    assert move(hub, old=pushes) == 1


PARTIES = (ENERGIE, BANK, NIEUW)


@pytest.mark.parametrize("seed", range(6))
def test_no_act_loses_or_doubles_a_delivery(hub: Hub, seed: int) -> None:
    """Any acts of parties and operator in any order: each message has its one delivery, and its content while it is
    open; what ended never comes back.
    """
    random, ended = Random(seed), {}
    names = [f"m{one}" for one in range(6)]
    for name in names:
        hub.accept(acceptance(name, receivers=(random.choice(PARTIES),), conversatie=f"c{random.randrange(3)}-{name}"))
    for _ in range(80):
        name, who, other = random.choice(names), random.choice(PARTIES), random.choice(PARTIES)
        (leg,) = hub.reports.messages(Search(referentienummer=number(name)), hub.now)
        act = random.choice(("collect", "confirm", "requeue", "cancel", "redirect", "redirect", "expire"))
        try:
            if act == "collect":
                hub.mailbox.collect(who.id, number(name), hub.now)
            elif act == "confirm":
                hub.mailbox.confirm(who.id, (number(name),), hub.now)
            elif act in ("requeue", "cancel") and random.random() < 0.5:
                getattr(hub.operator, act)(number(name), who.id, now=hub.now, **WHO)
            elif act == "redirect" and who != other:
                Redirection(hub.store).move(leg.conversatie, who, other, fits, now=hub.now, **WHO)
            elif act == "expire" and random.random() < 0.1:
                hub.now += timedelta(days=2)
                hub.mailbox.expire(hub.now, 10)
        except (MailboxUnknown, RefusedError):
            pass
        legs = {one: hub.reports.messages(Search(referentienummer=number(one)), hub.now) for one in names}
        assert all(len(found) == 1 for found in legs.values())
        states = {one: found[0].status for one, found in legs.items()}
        assert {one: states[one] for one in ended} == ended
        ended |= {one: state for one, state in states.items() if state not in (
            DeliveryState.BESCHIKBAAR, DeliveryState.OPGEHAALD)}
    hub.mailbox.expire(hub.now, 10)
    assert hub.payloads() == len(names) - len(ended)
    waiting = [one for who in PARTIES for one in mailbox(hub, who)]
    assert sorted(waiting) == sorted(number(one) for one in names if one not in ended)
