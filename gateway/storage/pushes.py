"""What an operator and a health check read of deliveries to parties' own services. Nothing here changes anything."""

from datetime import datetime
from typing import Final

from sqlalchemy import and_, bindparam, func, select

from gateway.push_values import Attempted, Breaker, Queued, Result
from gateway.storage.engine import Store
from gateway.storage.outbox import breaker_of, parties_queued
from gateway.storage.push_tables import attempts, breakers, outbox
from gateway.storage.queue import WAITS
from gateway.storage.records import micros, moment_of
from gateway.storage.session import Query, Row, Session
from gateway.storage.tables import deliveries, messages

_QUEUED = Query(
    select(messages.c.referentienummer, messages.c.afzender, messages.c.berichttype, outbox.c.received_at,
           deliveries.c.expires_at, outbox.c.attempts, outbox.c.next_at, outbox.c.claimed_by, outbox.c.lease_until,
           outbox.c.message)
    .select_from(outbox.join(deliveries, and_(deliveries.c.message == outbox.c.message,
                                              deliveries.c.receiver == outbox.c.receiver))
                 .join(messages, messages.c.id == outbox.c.message))
    .where(outbox.c.receiver == bindparam("party"))
    .order_by(outbox.c.next_at, outbox.c.message).limit(bindparam("limit")))
_COUNT = Query(select(func.count()).select_from(outbox).where(outbox.c.receiver == bindparam("party")))
_ATTEMPT: Final = (attempts.c.number, attempts.c.node, attempts.c.started_at, attempts.c.duration, attempts.c.result,
                   attempts.c.cause)
_LAST = Query(select(*_ATTEMPT)
              .where(attempts.c.message == bindparam("this"), attempts.c.receiver == bindparam("party"))
              .order_by(attempts.c.number.desc()).limit(1))
_ATTEMPTS = Query(
    select(*_ATTEMPT, attempts.c.receiver)
    .where(attempts.c.message.in_(
        select(messages.c.id).where(messages.c.referentienummer == bindparam("referentienummer"))))
    .order_by(attempts.c.message, attempts.c.receiver, attempts.c.number))
_BREAKERS = Query(select(breakers.c.state, breakers.c.failures, breakers.c.refusals, breakers.c.openings,
                         breakers.c.until, breakers.c.party))


class Pushes:
    """The reads of one store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def queued(self, receiver: str | None, now: datetime, limit: int) -> list[Queued]:
        """Open deliveries to this party (id) or to any, the next to be tried first."""
        with self._store.read() as session:
            parties = [party for party, _ in parties_queued(session)] if receiver is None else [receiver]
            rows = [(party, row) for party in parties for row in session.all(_QUEUED, party=party, limit=limit)]
            rows.sort(key=lambda found: (found[1][6], found[1][9]))
            return [_queued(session, party, row, micros(now)) for party, row in rows[:limit]]

    def attempts(self, referentienummer: str) -> list[tuple[str, Attempted]]:
        """Every attempt at a message with this number, by receiver (id), in their order."""
        with self._store.read() as session:
            return [(row[6], _attempted(row)) for row in session.all(_ATTEMPTS, referentienummer=referentienummer)]

    def breakers(self) -> dict[str, Breaker]:
        """By party (id), those that ever failed."""
        with self._store.read() as session:
            return {row[5]: breaker_of(row) for row in session.all(_BREAKERS)}

    def waiting(self, now: datetime) -> dict[str, tuple[int, datetime | None]]:
        """By party (id), how many open deliveries it has, and since when the first of them is due, if one is."""
        with self._store.read() as session:
            return {party: (_number(session, party), moment_of(first) if first <= micros(now) else None)
                    for party, first in parties_queued(session)}


def _number(session: Session, party: str) -> int:
    row = session.one(_COUNT, party=party)
    return 0 if row is None else int(row[0])


def _queued(session: Session, party: str, row: Row, now: int) -> Queued:
    last = session.one(_LAST, this=row[9], party=party)
    claimed = row[8] is not None and row[8] > now
    return Queued(
        referentienummer=row[0], afzender=row[1], receiver=party, berichttype=row[2], received_at=moment_of(row[3]),
        expires_at=moment_of(row[4]), attempts=row[5], next_at=None if row[6] == WAITS else moment_of(row[6]),
        claimed_by=row[7] if claimed else None, last=None if last is None else _attempted(last))


def _attempted(row: Row) -> Attempted:
    return Attempted(number=row[0], node=row[1], started_at=moment_of(row[2]), seconds=row[3] / 1e6,
                     result=Result(row[4]), cause=row[5])
