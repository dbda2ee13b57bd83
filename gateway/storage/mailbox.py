"""The mailbox: implements ports.Mailbox. Collecting and confirming are journalled with the change they make.

A message of another party, an expired one, a confirmed one and one that never was give the same refusal: no oracle.
Erasing: the sealed payload goes in the transaction in which the last addressee confirms or its term ends; where a
message is delivered in several versions, each with the last addressee of its version. What is encrypted to one
addressee goes with that delivery.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from itertools import chain
from typing import Any

from sqlalchemy import ColumnElement, Select, bindparam, delete, func, select, update
from sqlalchemy import exists as exists_

from gateway import ports
from gateway.errors import MailboxUnknown, StorageError
from gateway.parted import Payload
from gateway.storage.engine import Store
from gateway.storage.journal import record_notice
from gateway.storage.listing import (
    BRIDGED_TO,
    COLUMNS,
    FROM_DELIVERIES,
    HELD,
    MESSAGE,
    MORE,
    OPEN,
    QUEUED,
    SEALED_TO,
    TO_CHANGE,
    find,
    listed,
    not_indexed,
    state_at,
    with_terms,
)
from gateway.storage.parted import unpack
from gateway.storage.queue import hold, leave, under_way
from gateway.storage.records import COLLECTED, CONFIRMED, EXPIRED, micros
from gateway.storage.sealing import Sealed, Sealer, context_of, epoch_of
from gateway.storage.session import Query, Row, Session
from gateway.storage.tables import (
    addressed_payloads,
    bridged_payloads,
    conversations,
    deliveries,
    messages,
    payloads,
)
from gateway.storage.writer import Write
from gateway.values import Acceptance, DeliveryState, EncryptedBody, Listed, Search

Content = Payload | EncryptedBody  # a message element in canonical form, or what the hub can't read

_IN_TERM = (  # + 0: not by the index of terms, whose order is another
    select(*COLUMNS, *MORE).select_from(with_terms(FROM_DELIVERIES))
    .where(deliveries.c.expires_at + 0 > bindparam("now"))
    .order_by(deliveries.c.received_at, deliveries.c.message).limit(bindparam("limit")))
_WAITING = _IN_TERM.where(deliveries.c.receiver == bindparam("party"), deliveries.c.state == bindparam("state"))
_WAITING_IN_CONVERSATION = _IN_TERM.where(
    deliveries.c.conversation.in_(
        select(conversations.c.id).where(conversations.c.conversatie == bindparam("conversatie"))),
    not_indexed(deliveries.c.receiver) == bindparam("party"), not_indexed(deliveries.c.state) == bindparam("state"))
_OF_TYPE = func.coalesce(deliveries.c.berichttype, messages.c.berichttype) == bindparam("berichttype")
_LISTS = {  # by: narrowed to a type, to a conversation
    (False, False): Query(_WAITING),
    (True, False): Query(_WAITING.where(_OF_TYPE)),
    (False, True): Query(_WAITING_IN_CONVERSATION),
    (True, True): Query(_WAITING_IN_CONVERSATION.where(_OF_TYPE)),
}


def _mine(*columns: ColumnElement[Any]) -> Select[Row]:
    return (
        select(*columns).select_from(FROM_DELIVERIES)
        .where(deliveries.c.message.in_(select(messages.c.id).where(
                   messages.c.referentienummer == bindparam("referentienummer"))),
               deliveries.c.receiver == bindparam("party"))
        .order_by(messages.c.id))


# Held for a change are the message: two addressees who confirm at once must see each other, or neither erases the
# payload; and the delivery: what another node just made of it is seen then, and not what it was when we asked.
# By number first, then by key: left to itself an engine may walk the whole mailbox in search of one number.
_FIND = Query(_mine(*COLUMNS))
_FIND_TO_CHANGE = Query(_mine(*TO_CHANGE).with_for_update(of=HELD, key_share=True))
_PAYLOAD = Query(select(payloads.c.epoch, payloads.c.wrapped, payloads.c.sealed)
                 .where(payloads.c.message == bindparam("message")))
_BRIDGED_PAYLOAD = Query(select(bridged_payloads.c.epoch, bridged_payloads.c.wrapped, bridged_payloads.c.sealed)
                         .where(bridged_payloads.c.message == bindparam("message"),
                                bridged_payloads.c.set_version == bindparam("set_version")))
_ADDRESSED_PAYLOAD = Query(
    select(addressed_payloads.c.epoch, addressed_payloads.c.wrapped, addressed_payloads.c.sealed,
           addressed_payloads.c.body_id, addressed_payloads.c.body_digest)
    .where(addressed_payloads.c.message == bindparam("message"),
           addressed_payloads.c.receiver == bindparam("receiver")))
_PUSHED_PAYLOAD = Query(
    select(addressed_payloads.c.epoch, addressed_payloads.c.pushed_wrapped, addressed_payloads.c.pushed_sealed,
           addressed_payloads.c.pushed_body_id, addressed_payloads.c.pushed_body_digest,
           addressed_payloads.c.pushed_digest)
    .where(addressed_payloads.c.message == bindparam("message"),
           addressed_payloads.c.receiver == bindparam("receiver"),
           addressed_payloads.c.pushed_sealed.is_not(None)))
_OVERDUE = (select(*TO_CHANGE).select_from(FROM_DELIVERIES)
            .where(deliveries.c.state == bindparam("state"), deliveries.c.expires_at <= bindparam("now"))
            .order_by(deliveries.c.expires_at).limit(bindparam("limit")))
_DUE_NOW = Query(_OVERDUE)
_DUE = Query(_OVERDUE.with_for_update(of=HELD, key_share=True, skip_locked=True))  # another node ends those
_ANY_DUE = Query(select(deliveries.c.message)
                 .where(deliveries.c.state == bindparam("state"), deliveries.c.expires_at <= bindparam("now")).limit(1))
_THIS = (deliveries.c.message == bindparam("this"), deliveries.c.receiver == bindparam("party"))
_COLLECT = Query(update(deliveries).where(*_THIS).values(state=bindparam("next"), collected_at=bindparam("at")))
_COLLECT_FIRST = Query(
    update(deliveries)
    .where(*_THIS, deliveries.c.state == DeliveryState.BESCHIKBAAR.value, deliveries.c.expires_at > bindparam("at"))
    .values(state=DeliveryState.OPGEHAALD.value, collected_at=bindparam("at")))
_CONFIRM = Query(update(deliveries).where(*_THIS).values(state=bindparam("next"), confirmed_at=bindparam("at")))
_END = Query(update(deliveries).where(*_THIS).values(state=bindparam("next")))
_OPEN_OF_THIS = select(deliveries.c.message).where(
    deliveries.c.message == bindparam("this"), deliveries.c.sealed_to.is_(None),
    deliveries.c.state.in_([bindparam(f"open_{state}", state.value) for state in OPEN]))
_ERASE = Query(delete(payloads).where(
    payloads.c.message == bindparam("this"), ~exists_(_OPEN_OF_THIS.where(deliveries.c.set_version.is_(None)))))
_ERASE_BRIDGED = Query(delete(bridged_payloads).where(
    bridged_payloads.c.message == bindparam("this"), bridged_payloads.c.set_version == bindparam("version"),
    ~exists_(_OPEN_OF_THIS.where(deliveries.c.set_version == bindparam("version")))))
_ERASE_ADDRESSED = Query(delete(addressed_payloads).where(
    addressed_payloads.c.message == bindparam("this"), addressed_payloads.c.receiver == bindparam("party")))
_EPOCH_IN_USE = tuple(
    Query(select(table.c.message).join_from(table, messages, messages.c.id == table.c.message)
          .where(table.c.epoch == bindparam("epoch"), messages.c.expires_at > bindparam("now")).limit(1))
    for table in (payloads, bridged_payloads, addressed_payloads))
_STILL_ON_ITS_WAY = timedelta(hours=1)  # no transaction lasts so long, nor do clocks of nodes differ so much


class SqlMailbox(ports.Mailbox):
    """The mailboxes of one store. `clock` says which messages are overdue where the caller gives no time."""

    def __init__(self, store: Store, sealer: Sealer, clock: ports.Clock) -> None:
        self._store = store
        self._sealer = sealer
        self._clock = clock

    def waiting(self, party: str, *, berichttype: str | None, conversatie: str | None, limit: int) -> list[Listed]:
        """See ports.Mailbox; collected but not confirmed ones are among them."""
        now = self._clock()
        query = _LISTS[berichttype is not None, conversatie is not None]
        narrowed = {"berichttype": berichttype, "conversatie": conversatie}
        given = {name: value for name, value in narrowed.items() if value is not None}
        with self._store.read() as session:
            rows = list(chain.from_iterable(
                session.all(query, party=party, state=state.value, now=micros(now), limit=limit, **given)
                for state in OPEN))
        rows.sort(key=lambda row: (row[8], row[MESSAGE]))
        return [listed(row, now, party) for row in rows[:limit]]

    def collect(self, party: str, referentienummer: str, now: datetime,
                fits: Callable[[Payload], None] = lambda payload: None) -> tuple[Listed, Content]:
        """See ports.Mailbox. Collecting again only reads. Raises StorageError when the payload does not open."""
        with self._store.read() as session:
            row = _first_open(session.all(_FIND, referentienummer=referentienummer, party=party), now)
            content = opened(session, self._sealer, self._store, message=row[MESSAGE], referentienummer=row[0],
                             afzender=row[3], receiver=row[4], bridged_to=row[BRIDGED_TO], sealed_to=row[SEALED_TO])
        if not isinstance(content, EncryptedBody):
            fits(content)
        if row[10] == DeliveryState.OPGEHAALD:
            return listed(row, now, party), content
        return self._store.write(lambda write: _mark_collected(write, row, now)), content

    def confirm(self, party: str, referentienummers: tuple[str, ...], now: datetime) -> dict[str, bool]:
        """See ports.Mailbox. Only what was collected can be confirmed; all numbers in one commit."""
        return self._store.write(
            lambda write: {number: _confirm(write, party, number, now) for number in referentienummers})

    def expire(self, now: datetime, limit: int, notify: ports.Notify | None = None) -> int:
        """See ports.Mailbox; when nothing is due nothing is written.

        Notifications are made before the transaction and written in it, each with the end of the delivery it is about:
        there is one exactly when that delivery ended so.
        """
        with self._store.read() as session:
            if not any(session.one(_ANY_DUE, state=state.value, now=micros(now)) for state in OPEN):
                return 0
            due = [] if notify is None else [row for state in OPEN for row in session.all(
                _DUE_NOW, state=state.value, now=micros(now), limit=limit)]
        notices = None if notify is None else {(row[MESSAGE], row[4]): notify(listed(row, now)) for row in due}
        return self._store.write(lambda write: _expire(write, self._sealer, now, limit, notices))

    def search(self, search: Search) -> list[Listed]:
        """See ports.Mailbox."""
        with self._store.read() as session:
            return find(session, search, self._clock())

    def retire_keys(self, now: datetime) -> list[str]:
        """See ports.Mailbox. What is overdue needs no key: also where its row could not be erased, it can't be read.

        Of a day that just ended the key stays: a transaction that began before midnight may be on its way.
        """
        old = [epoch for epoch in self._sealer.keys.epochs() if epoch < epoch_of(now - _STILL_ON_ITS_WAY)]
        with self._store.read() as session:
            unused = [epoch for epoch in old if not any(
                session.one(query, epoch=epoch, now=micros(now)) for query in _EPOCH_IN_USE)]
        for epoch in unused:
            self._sealer.keys.destroy(epoch)
        return unused


def opened(session: Session, sealer: Sealer, store: Store, *, message: int, referentienummer: str, afzender: str,
           receiver: str, bridged_to: str | None, sealed_to: str | None, pushed: bool = False) -> Content:
    """The message element, as this receiver gets it; or as far as the hub can open what is encrypted to it alone, in
    the form in which it is collected or the one in which it is pushed. Files that lie apart are read from `store` when
    they are asked for.

    Raises StorageError when it is not there, or does not open.
    """
    if sealed_to is not None:
        row = session.one(_PUSHED_PAYLOAD if pushed else _ADDRESSED_PAYLOAD, message=message, receiver=receiver)
    elif bridged_to is not None:
        row = session.one(_BRIDGED_PAYLOAD, message=message, set_version=bridged_to)
    else:
        row = session.one(_PAYLOAD, message=message)
    if row is None:
        raise StorageError(f"the payload of {referentienummer} is missing")
    epoch, wrapped, octets = row[0], bytes(row[1]), bytes(row[2])
    if sealed_to is None:
        return unpack(sealer.unseal(Sealed(epoch=epoch, wrapped=wrapped, octets=octets),
                                    context_of(referentienummer, afzender, bridged_to)), store)
    key = sealer.keys.unwrap(epoch, wrapped, context_of(referentienummer, afzender, receiver))
    return EncryptedBody(certificate=sealed_to, identifier=row[3], digest=bytes(row[4]), key=key, data=octets,
                         message_digest=bytes(row[5]) if pushed else b"")


def _first_open(rows: list[Row], now: datetime) -> Row:
    """The oldest that can be collected. Numbers are unique per sender, so two senders may have used one."""
    for row in rows:
        if state_at(row, now) in OPEN:
            return row
    raise MailboxUnknown("no such open delivery")


def _mark_collected(write: Write, row: Row, now: datetime) -> Listed:
    """First collection of what was read a moment ago: it may have ended or been collected meanwhile."""
    party, at = row[4], micros(now)
    if write.changed(_COLLECT_FIRST, this=row[MESSAGE], party=party, at=at):
        journal_step(write, COLLECTED, row, now)
        return listed((*row[:10], DeliveryState.OPGEHAALD.value, at, *row[12:]), now, party)
    rows = deliveries_of(write, row[0], party)
    return listed(_first_open([one for one in rows if one[MESSAGE] == row[MESSAGE]], now), now, party)


def _collected(write: Write, row: Row, now: datetime, **more: object) -> None:
    write.run(_COLLECT, this=row[MESSAGE], party=row[4], next=DeliveryState.OPGEHAALD.value, at=micros(now))
    journal_step(write, COLLECTED, row, now, **more)


def _confirm(write: Write, party: str, referentienummer: str, now: datetime) -> bool:
    rows = deliveries_of(write, referentienummer, party)
    for row in rows:
        if state_at(row, now) is DeliveryState.OPGEHAALD:
            if row[QUEUED] is not None:
                hold(write, row[QUEUED])
            _confirmed(write, row, now)
            return True
    return any(row[10] == DeliveryState.BEVESTIGD for row in rows)


def _confirmed(write: Write, row: Row, now: datetime, **more: object) -> None:
    write.run(_CONFIRM, this=row[MESSAGE], party=row[4], next=DeliveryState.BEVESTIGD.value, at=micros(now))
    journal_step(write, CONFIRMED, row, now, **more)
    _gone(write, row)


def confirm_pushed(write: Write, row: Row, now: datetime, *, receipt: str) -> bool:
    """Its receiver signed for it: OPGEHAALD and BEVESTIGD at once. False, and nothing, when it has ended before.

    A term that ended during the call changes nothing: the receiver has it. `receipt`: digest of that signature. The
    conversation is held, from before the row was read.
    """
    if row[10] not in OPEN:
        return False
    if row[10] == DeliveryState.BESCHIKBAAR:
        _collected(write, row, now, receipt=receipt)
    _confirmed(write, row, now, receipt=receipt)
    return True


def _expire(write: Write, sealer: Sealer, now: datetime, limit: int,
            notices: Mapping[tuple[int, str], Acceptance | None] | None) -> int:
    """`notices` by message and receiver, for each that was due; None: nobody is told anything."""
    count = 0
    for state in OPEN:
        for row in write.all(_DUE, state=state.value, now=micros(now), limit=limit - count):
            if notices is not None and (row[MESSAGE], row[4]) not in notices:
                continue  # it came in between: the next time will do
            if row[QUEUED] is not None and under_way(write, message=row[MESSAGE], receiver=row[4], now=micros(now)):
                continue  # its receiver may have it already: what becomes of that decides
            end_delivery(write, row, DeliveryState.VERLOPEN)
            journal_step(write, EXPIRED, row, now)
            notice = notices and notices[row[MESSAGE], row[4]]
            if notice:
                record_notice(write, sealer, notice)
            count += 1
    return count


def end_delivery(write: Write, row: Row, state: DeliveryState) -> None:
    """Move a delivery to a state from which nobody can collect, and erase what nobody else waits for.

    Takes   a row of TO_CHANGE.
    """
    if row[QUEUED] is not None:
        hold(write, row[QUEUED])
    write.run(_END, this=row[MESSAGE], party=row[4], next=state.value)
    _gone(write, row)


def journal_step(write: Write, kind: str, row: Row, now: datetime, **more: object) -> None:
    """The entry that says what became of this delivery."""
    facts = {"referentienummer": row[0], "afzender": row[3], "ontvanger": row[4]}
    write.chain.append(kind, at=now, message=row[MESSAGE], facts=facts | more)


def _gone(write: Write, row: Row) -> None:
    """What goes with a delivery that ended: its place in the outbox, and its content."""
    if row[QUEUED] is not None:
        leave(write, message=row[MESSAGE], receiver=row[4], conversation=row[QUEUED])
    _erase(write, row)


def _erase(write: Write, row: Row) -> None:
    """Erase the payload of a delivery that ended, unless another addressee still waits for the same octets."""
    if row[SEALED_TO] is not None:
        write.run(_ERASE_ADDRESSED, this=row[MESSAGE], party=row[4])
    elif row[BRIDGED_TO] is None:
        write.run(_ERASE, this=row[MESSAGE])
    else:
        write.run(_ERASE_BRIDGED, this=row[MESSAGE], version=row[BRIDGED_TO])


def deliveries_of(session: Session, referentienummer: str, receiver: str) -> list[Row]:
    """Rows of TO_CHANGE: the deliveries to one receiver under one number, oldest first, held for a change."""
    return session.all(_FIND_TO_CHANGE, referentienummer=referentienummer, party=receiver)
