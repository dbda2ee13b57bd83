"""Duties in the store: who runs which, until when, and how the last run ended (gateway/duties.py).

Claiming and settling are one short transaction each; nothing is open while the work is done. What a duty does must be
safe to be done twice: a process that is stopped for longer than its lease and goes on then, meets its successor.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import bindparam, insert, null, or_, select, update

from gateway.duties import DONE, DutyState
from gateway.storage.engine import Store
from gateway.storage.records import maybe_moment, micros, moment_of
from gateway.storage.session import Query, Row
from gateway.storage.tables import duties
from gateway.storage.writer import Write

_MICROSECOND: Final = timedelta(microseconds=1)
_MAX_OUTCOME: Final = 300  # characters

_ALL = Query(select(duties.c.name, duties.c.every, duties.c.since, duties.c.node, duties.c.lease_until,
                    duties.c.last_started, duties.c.last_ended, duties.c.last_done, duties.c.outcome)
             .order_by(duties.c.name))
_ADD = Query(insert(duties).values(name=bindparam("duty"), every=bindparam("interval"), since=bindparam("at")))
_CHANGE = Query(update(duties).where(duties.c.name == bindparam("duty")).values(every=bindparam("interval")))
# As DutyState.due says it, once more and by the engine: of two who saw the same row, one gets it.
_CLAIM = Query(
    update(duties)
    .where(duties.c.name == bindparam("duty"),
           or_(duties.c.lease_until.is_(None), duties.c.lease_until <= bindparam("at"),
               duties.c.holder == bindparam("mine")),  # a claim whose commit was not heard of
           or_(duties.c.last_started.is_(None), duties.c.last_ended.is_(None),
               duties.c.last_ended < duties.c.last_started,
               duties.c.last_started <= bindparam("at") - duties.c.every))
    .values(node=bindparam("by"), holder=bindparam("mine"), lease_until=bindparam("until"),
            last_started=bindparam("at"))
    .returning(duties.c.name))
_HELD = (duties.c.name == bindparam("duty"), duties.c.holder == bindparam("mine"))
_EXTEND = Query(update(duties).where(*_HELD).values(lease_until=bindparam("until")).returning(duties.c.name))
_ENDED = update(duties).where(*_HELD).values(
    lease_until=null(), holder=null(), last_ended=bindparam("at"), outcome=bindparam("words")).returning(duties.c.name)
_FAILED = Query(_ENDED)
_DONE = Query(_ENDED.values(last_done=bindparam("at")))


class Duties:
    """The duties of one store, for one process of one node."""

    def __init__(self, store: Store, *, holder: str) -> None:
        """`holder`: what names this process, and no other that ever was."""
        self._store, self._holder = store, holder

    def register(self, wanted: Mapping[str, timedelta], now: datetime) -> None:
        """See to it that these are known, by name with their interval. Raises StorageError."""
        present = {one.name: one.every for one in self.all()}
        if wanted.items() <= present.items():
            return

        def work(write: Write) -> None:
            known = {row[0]: row[1] for row in write.all(_ALL)}
            for name, every in wanted.items():
                interval = every // _MICROSECOND
                if name not in known:
                    write.run(_ADD, duty=name, interval=interval, at=micros(now))
                elif known[name] != interval:
                    write.run(_CHANGE, duty=name, interval=interval)

        self._store.write(work)

    def all(self) -> list[DutyState]:
        """Every duty, by name: one small read. Raises StorageError."""
        with self._store.read() as session:
            return [_state(row) for row in session.all(_ALL)]

    def claim(self, name: str, now: datetime, lease: timedelta) -> bool:
        """Take the duty for so long, when it is due and nobody has it. Raises StorageError."""
        return self._store.write(lambda write: write.one(
            _CLAIM, duty=name, at=micros(now), by=self._store.node, mine=self._holder,
            until=micros(now + lease))) is not None

    def extend(self, name: str, now: datetime, lease: timedelta) -> bool:
        """Keep it so much longer, for a run that takes long; False: another has it meanwhile. Raises StorageError."""
        return self._store.write(lambda write: write.one(
            _EXTEND, duty=name, mine=self._holder, until=micros(now + lease))) is not None

    def settle(self, name: str, outcome: str, now: datetime) -> bool:
        """Say how the run ended and give the duty back; False: another has it meanwhile. Raises StorageError."""
        query = _DONE if outcome == DONE else _FAILED
        return self._store.write(lambda write: write.one(
            query, duty=name, mine=self._holder, words=outcome[:_MAX_OUTCOME], at=micros(now))) is not None


def _state(row: Row) -> DutyState:
    return DutyState(
        name=row[0], every=row[1] * _MICROSECOND, since=moment_of(row[2]), node=row[3],
        lease_until=maybe_moment(row[4]), last_started=maybe_moment(row[5]), last_ended=maybe_moment(row[6]),
        last_done=maybe_moment(row[7]), outcome=row[8])
