"""What an operator may do to a delivery. Every act is an entry of the journal with who and why.

`who` is the account's name as the instance knows it; `why` is the operator's own sentence. Neither may hold a
debtor's data: the journal keeps them until the retention rule drops the record (pruning.py).
"""

from datetime import datetime
from typing import Final

from sqlalchemy import bindparam, delete, null, select, update

from gateway.errors import MailboxUnknown, RefusedError
from gateway.push_values import BreakerState
from gateway.storage.engine import Store
from gateway.storage.listing import FROM_DELIVERIES, HELD, MESSAGE, OPEN, TO_CHANGE, listed, state_at
from gateway.storage.mailbox import deliveries_of, end_delivery, journal_step
from gateway.storage.push_tables import breakers, outbox
from gateway.storage.queue import WAITS, under_way
from gateway.storage.records import CANCELLED, CONFIG, OPERATOR, micros, moment_of
from gateway.storage.session import Query, Row
from gateway.storage.tables import deliveries, messages, tolerances
from gateway.storage.writer import Write
from gateway.values import DeliveryState, Listed

_RELEASE = Query(
    update(deliveries).where(deliveries.c.message == bindparam("this"), deliveries.c.receiver == bindparam("party"))
    .values(state=bindparam("next"), collected_at=null()))

_OPEN_TO = Query(
    select(*TO_CHANGE).select_from(FROM_DELIVERIES)
    .where(deliveries.c.receiver == bindparam("party"), deliveries.c.state == bindparam("state"))
    .order_by(deliveries.c.received_at, deliveries.c.message).limit(bindparam("limit"))
    .with_for_update(of=HELD, key_share=True))
_OPEN_FROM = Query(
    select(*TO_CHANGE).select_from(FROM_DELIVERIES)
    .where(messages.c.afzender == bindparam("party"), deliveries.c.state == bindparam("state"))
    .limit(bindparam("limit")).with_for_update(of=HELD, key_share=True))
_FORGET = tuple(Query(delete(table).where(table.c.party == bindparam("party"))) for table in (tolerances, breakers))
_AT_ONCE: Final = 100  # deliveries ended in one transaction

_TERM_ENDED: Final = "its term has ended: the content is erased or about to be"
_NO_CANCEL: Final = {
    DeliveryState.OPGEHAALD: "it was collected: the receiver has it; let it confirm or expire",
    DeliveryState.BEVESTIGD: "it was confirmed: the content is erased",
    DeliveryState.VERLOPEN: _TERM_ENDED,
    DeliveryState.GEANNULEERD: "it was cancelled before",
}
_NO_REQUEUE: Final = {
    DeliveryState.BESCHIKBAAR: "it waits to be collected already",
    DeliveryState.BEVESTIGD: "it was confirmed and its content erased; the sender must send it anew",
    DeliveryState.VERLOPEN: _TERM_ENDED + "; the sender must send it anew",
    DeliveryState.GEANNULEERD: "it was cancelled and its content erased; the sender must send it anew",
}


_NO_RETRY: Final = {
    DeliveryState.BEVESTIGD: "it was delivered",
    DeliveryState.VERLOPEN: _TERM_ENDED + "; the sender must send it anew",
    DeliveryState.GEANNULEERD: "it was cancelled and its content erased; the sender must send it anew",
}
_QUEUED = Query(select(outbox.c.claimed_by, outbox.c.lease_until, outbox.c.next_at).where(
    outbox.c.message == bindparam("this"), outbox.c.receiver == bindparam("party")).with_for_update())
_TRY_NOW = Query(update(outbox).where(outbox.c.message == bindparam("this"), outbox.c.receiver == bindparam("party"))
                 .values(next_at=bindparam("at")))
_OPEN_BREAKER = Query(select(breakers.c.until).where(
    breakers.c.party == bindparam("party"), breakers.c.state != BreakerState.CLOSED.value))
_CLOSE_BREAKER = Query(delete(breakers).where(breakers.c.party == bindparam("party")))


class Operator:
    """The acts of the operator on one store.

    An act that can't be done raises RefusedError (its detail says why), or MailboxUnknown when there is no such
    delivery; then nothing is written.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def cancel(self, referentienummer: str, receiver: str, *, who: str, why: str, now: datetime) -> Listed:
        """Withdraw a delivery that nobody collected: BESCHIKBAAR → GEANNULEERD, content erased."""
        def work(write: Write) -> Listed:
            row = _pick(write, referentienummer, receiver, now, _NO_CANCEL)
            if under_way(write, message=row[MESSAGE], receiver=receiver, now=micros(now)):
                raise RefusedError(f"{referentienummer} is on its way at this moment; try again in a minute")
            end_delivery(write, row, DeliveryState.GEANNULEERD)
            journal_step(write, CANCELLED, row, now, who=who, why=why)
            return listed((*row[:10], DeliveryState.GEANNULEERD.value, *row[11:]), now)
        return self._store.write(work)

    def requeue(self, referentienummer: str, receiver: str, *, who: str, why: str, now: datetime) -> Listed:
        """Let a collected, unconfirmed message be collected as if for the first time: OPGEHAALD → BESCHIKBAAR.

        The term stays as it was.
        """
        def work(write: Write) -> Listed:
            row = _pick(write, referentienummer, receiver, now, _NO_REQUEUE)
            write.run(_RELEASE, this=row[MESSAGE], party=row[4], next=DeliveryState.BESCHIKBAAR.value)
            journal_step(write, OPERATOR, row, now, action="requeue", who=who, why=why)
            return listed((*row[:10], DeliveryState.BESCHIKBAAR.value, None, *row[12:]), now)
        return self._store.write(work)

    def retry(self, referentienummer: str, receiver: str, *, reset: bool, who: str, why: str, now: datetime) -> None:
        """Let a delivery that waits to be pushed be tried now, not when its turn comes.

        `reset`: call the receiver's service again too, where that was left alone for a while.
        """
        def work(write: Write) -> None:
            row = _pick(write, referentienummer, receiver, now, _NO_RETRY)
            _check_may_be_tried(write, row, reset, micros(now))
            write.run(_TRY_NOW, this=row[MESSAGE], party=receiver, at=micros(now))
            if reset:
                write.run(_CLOSE_BREAKER, party=receiver)
            journal_step(write, OPERATOR, row, now, action="deliveries retry" + (" --reset" if reset else ""), who=who,
                         why=why)
        self._store.write(work)

    def erase_party(self, party: str, *, who: str, why: str, now: datetime) -> int:
        """End every open delivery to and from a party, by its id, and forget its figures; how many deliveries.

        Content goes as with a cancelled message, also where it was collected but not confirmed; the act itself is an
        entry of its own.
        """
        def batch(write: Write) -> int:
            rows = [row for query in (_OPEN_TO, _OPEN_FROM) for state in OPEN
                    for row in write.all(query, party=party, state=state.value, limit=_AT_ONCE)]
            for row in {(row[MESSAGE], row[4]): row for row in rows}.values():  # to itself it may not send; yet once
                end_delivery(write, row, DeliveryState.GEANNULEERD)
                journal_step(write, CANCELLED, row, now, who=who, why=why)
            return len(rows)

        def close(write: Write) -> None:
            for query in _FORGET:
                write.run(query, party=party)
            write.chain.append(OPERATOR, at=now, facts={
                "action": f"privacy erase-party {party}: {ended} deliver{'y' if ended == 1 else 'ies'} ended",
                "who": who, "why": why})

        ended = 0
        while count := self._store.write(batch):
            ended += count
        self._store.write(close)
        return ended

    def note(self, action: str, *, who: str, why: str, now: datetime) -> int:
        """Journal an act on something else than a message (address book, keys, settings); its position."""
        return self._store.write(lambda write: write.chain.append(
            OPERATOR, at=now, facts={"action": action, "who": who, "why": why})[0])

    def configured(self, action: str, facts: dict[str, object], *, now: datetime) -> int:
        """Journal what the hub runs with: digests, never values; its position."""
        return self._store.write(lambda write: write.chain.append(CONFIG, at=now, facts={**facts, "action": action})[0])


def _check_may_be_tried(write: Write, row: Row, reset: bool, now: int) -> None:
    """Raises RefusedError: it is not pushed, is on its way, or something else must go first."""
    queued, number, receiver = write.one(_QUEUED, this=row[MESSAGE], party=row[4]), row[0], row[4]
    if queued is None:
        raise RefusedError(f"{number} is not pushed: its addressee collects")
    holder, lease, next_at = queued
    if holder is not None and lease > now:
        raise RefusedError(f"{number} is being tried at this moment")
    if next_at == WAITS:
        raise RefusedError(f"{number} waits for an earlier message of its conversation; retry that one")
    breaker = None if reset else write.one(_OPEN_BREAKER, party=receiver)
    if breaker is not None:
        until = "somebody tries" if breaker[0] is None else f"{moment_of(breaker[0]):%Y-%m-%dT%H:%M:%SZ}"
        raise RefusedError(f"its addressee's service failed too often and is not called before {until}; add --reset")


def _pick(write: Write, referentienummer: str, receiver: str, now: datetime,
          refusals: dict[DeliveryState, str]) -> Row:
    """The delivery that the act is for: the oldest in a state it can be done in."""
    rows = deliveries_of(write, referentienummer, receiver)
    if not rows:
        raise MailboxUnknown(f"no delivery of {referentienummer} to that receiver")
    reason = ""
    for row in rows:
        state = state_at(row, now)
        if state not in refusals:
            return row
        reason = f"{referentienummer} is {state}: {refusals[state]}"
    raise RefusedError(reason)
