"""After a merger: one party's conversations go on with another (docs/decisions/0027).

A conversation is its two parties and a number; so it is the conversation that changes hands, and with it what waits
for the old party. All conversations under one number go together, in one transaction, or none. What is over stays as it
was: the old party sent and received it. `successors` says who stands in its place, so that a question that it asked can
still be answered.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, delete, insert, null, or_, select, update

from gateway.errors import RefusedError
from gateway.storage.engine import Store
from gateway.storage.listing import HELD
from gateway.storage.queue import enter, leave, under_way
from gateway.storage.records import OPERATOR, REDIRECTED, micros
from gateway.storage.session import Query, Row
from gateway.storage.tables import conversations, deliveries, messages, successors
from gateway.storage.writer import Write
from gateway.values import DeliveryState, Party

_RECEIVED = Query(select(deliveries.c.conversation).where(deliveries.c.receiver == bindparam("party")))
_SENT = Query(select(messages.c.conversatie).where(messages.c.afzender == bindparam("party")))
_INHERITED = Query(select(successors.c.conversation).where(successors.c.successor == bindparam("party")))
_NUMBER = Query(select(conversations.c.conversatie).where(conversations.c.id == bindparam("this")))
_MODULES = Query(select(conversations.c.module).where(conversations.c.conversatie == bindparam("conversatie")))
_UNDER = Query(
    select(conversations.c.id, conversations.c.module, conversations.c.initiator, conversations.c.counterpart)
    .where(conversations.c.conversatie == bindparam("conversatie")).order_by(conversations.c.id).with_for_update())
_LEGS = Query(
    select(messages.c.id, messages.c.referentienummer, messages.c.afzender, messages.c.module, messages.c.set_version,
           messages.c.berichttype, deliveries.c.receiver, deliveries.c.state, deliveries.c.expires_at,
           deliveries.c.set_version, deliveries.c.berichttype, deliveries.c.sealed_to, deliveries.c.received_at)
    .select_from(deliveries.join(messages, messages.c.id == deliveries.c.message))
    .where(deliveries.c.conversation == bindparam("conversation"))
    .order_by(deliveries.c.message).with_for_update(of=HELD))
_HAND_OVER = Query(
    update(deliveries)
    .where(deliveries.c.message == bindparam("this"), deliveries.c.receiver == bindparam("old"))
    .values(receiver=bindparam("new"), state=bindparam("next"), collected_at=null()))
_NEW_INITIATOR = Query(update(conversations).where(conversations.c.id == bindparam("this"))
                       .values(initiator=bindparam("new")))
_NEW_COUNTERPART = Query(update(conversations).where(conversations.c.id == bindparam("this"))
                         .values(counterpart=bindparam("new")))
_FOLLOW = Query(update(successors).where(successors.c.conversation == bindparam("this"),
                                         successors.c.successor == bindparam("old")).values(successor=bindparam("new")))
_FORGET = Query(delete(successors).where(
    successors.c.conversation == bindparam("this"),
    or_(successors.c.party == bindparam("old"), successors.c.party == bindparam("new"))))
_SUCCEED = Query(insert(successors).values(conversation=bindparam("this"), party=bindparam("old"),
                                           successor=bindparam("new")))
_OPEN = (DeliveryState.BESCHIKBAAR.value, DeliveryState.OPGEHAALD.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """One message of a conversation that is to change hands, as far as it decides whether it may."""

    module: str
    version: str  # in which it was or will be delivered
    berichttype: str  # there
    receives: bool  # it was for the old party; else from it
    waits: bool  # the new party will still get it


Judge = Callable[[Leg], str]  # the Action under which it is pushed; raises RefusedError: the heir can't stand there


class Redirection:
    """Conversations of one store that change hands."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def numbers(self, party: str) -> list[str]:
        """The ConversatieReferentienummers under which this party (id) ever took part."""
        with self._store.read() as session:
            sent = {row[0] for row in session.stream(_SENT, party=party)}
            others = {row[0] for query in (_RECEIVED, _INHERITED) for row in session.stream(query, party=party)}
            # One by one: joined, an engine may rather read every conversation there is.
            return sorted(sent.union(*(session.all(_NUMBER, this=one)[0] for one in others)))

    def move(self, conversatie: str, old: Party, new: Party, judge: Judge, *, who: str, why: str,
             now: datetime) -> int | None:
        """Hand over all conversations that `old` has under one number; how many deliveries go along.

        What was collected but not confirmed becomes available to `new` as if for the first time; terms stay. None when
        `old` has no conversation under the number. Raises RefusedError with the reason; then nothing is changed.
        """
        return self._store.write(lambda write: _move(write, conversatie, old, new, judge, who, why, now))


def _move(write: Write, conversatie: str, old: Party, new: Party, judge: Judge, who: str, why: str,
          now: datetime) -> int | None:
    for module in sorted({row[0] for row in write.all(_MODULES, conversatie=conversatie)}):
        write.alone("conversation", module, conversatie)  # nobody opens one under this number meanwhile (journal.py)
    under = write.all(_UNDER, conversatie=conversatie)
    mine = [row for row in under if old.id in row[2:]]
    if not mine:
        return None
    taken = {(row[1], frozenset(row[2:])) for row in under}
    moved: list[tuple[int, Row, str]] = []
    for row in mine:
        other = row[3] if row[2] == old.id else row[2]
        if other == new.id:
            raise RefusedError(f"{new.slug} is the other party in {conversatie}: it can't answer itself")
        if (row[1], frozenset((other, new.id))) in taken:
            raise RefusedError(f"{new.slug} has a conversation of its own under {conversatie} with the same party")
        moved += [(row[0], leg, action) for leg, action in _judged(write, row[0], old, judge, micros(now))]
    for row in mine:
        _succeed(write, row, old.id, new.id)
    facts: dict[str, object] = {"naar": new.id, "who": who, "why": why}
    for conversation, leg, action in moved:
        write.run(_HAND_OVER, this=leg[0], old=old.id, new=new.id, next=DeliveryState.BESCHIKBAAR.value)
        leave(write, message=leg[0], receiver=old.id, conversation=conversation)
        if new.push is not None:
            enter(write, message=leg[0], receiver=new.id, conversation=conversation, opened=False, action=action,
                  received_at=leg[12])
        write.chain.append(REDIRECTED, at=now, message=leg[0], facts={
            "referentienummer": leg[1], "afzender": leg[2], "ontvanger": old.id, **facts})
    write.chain.append(OPERATOR, at=now, facts={
        "action": f"deliveries redirect: conversation {conversatie} of {old.id} goes on with {new.id}, "
                  f"{len(moved)} waiting", "who": who, "why": why})
    return len(moved)


def _judged(write: Write, conversation: int, old: Party, judge: Judge, now: int) -> list[tuple[Row, str]]:
    """What of a conversation waits for the old party, each with the Action of its push.

    Raises  RefusedError naming the first message that may not change hands: then the conversation may not.
    """
    found = []
    for leg in write.all(_LEGS, conversation=conversation):
        receives = leg[6] == old.id
        waits = receives and leg[7] in _OPEN and leg[8] > now
        if waits and under_way(write, message=leg[0], receiver=old.id, now=now):
            raise RefusedError(f"{leg[1]} is on its way to {old.slug} at this moment; try again in a minute")
        if waits and leg[11] is not None:
            raise RefusedError(f"{leg[1]} is encrypted to the certificate of {old.slug}, which alone can read it; let "
                               "it collect and confirm, or expire")
        try:
            action = judge(Leg(module=leg[3], version=leg[9] or leg[4], berichttype=leg[10] or leg[5],
                               receives=receives, waits=waits))
        except RefusedError as error:
            raise RefusedError(f"{leg[1]}: {error.detail}") from error
        found += [(leg, action)] if waits else []
    return found


def _succeed(write: Write, row: Row, old: str, new: str) -> None:
    write.run(_NEW_INITIATOR if row[2] == old else _NEW_COUNTERPART, this=row[0], new=new)
    write.run(_FOLLOW, this=row[0], old=old, new=new)
    write.run(_FORGET, this=row[0], old=old, new=new)
    write.run(_SUCCEED, this=row[0], old=old, new=new)
