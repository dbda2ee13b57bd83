"""The retention rule: metadata that is old enough goes, and the journal can still be verified (docs/decisions/0020).

Of an entry the record goes and leaf and hash stay: the chain, the Merkle tree and every proof of another entry are what
they were. That a record may be gone is said by the journal itself: before anything is dropped, an entry `pruned` says
of which chain, up to which position and from before which moment. A record that is missing without such an entry, or
that is younger than the entry says, is tampering, and the walk over the journal tells so.

Two steps, each in small transactions so that nobody waits for them:

1. entries about no message (refusals, operators' acts) lose their records, a stretch of the chain at a time;
2. messages go with all that hangs on them, once every entry about them lies in such a stretch, all their deliveries
   have ended and nothing younger was said in their conversations: who still talks must still be understood.

Then certificates that no proof names any more and that have lapsed, and figures of tolerances long unused.
"""

from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from json import loads
from typing import Final

from cryptography import x509
from sqlalchemy import and_, bindparam, delete, func, insert, null, or_, select, update
from sqlalchemy import exists as exists_

from gateway.storage.chain import heads
from gateway.storage.engine import Store
from gateway.storage.listing import OPEN
from gateway.storage.push_tables import attempts, outbox, push_proofs
from gateway.storage.records import DROPPED, PRUNED, RESTORED, micros
from gateway.storage.session import Query, Row, Session
from gateway.storage.tables import (
    addressed_payloads,
    bridged_payloads,
    certificates,
    checkpoints,
    conversations,
    deliveries,
    entries,
    messages,
    parents,
    payloads,
    proofs,
    prunings,
    refusals,
    refused_legs,
    reply_terms,
    successors,
    tolerances,
)
from gateway.storage.writer import Write

YOUNGEST: Final = timedelta(days=180)  # no rule may drop what is younger: a walk over the journal refuses it
_OUT_OF_ORDER: Final = timedelta(minutes=10)  # times of entries may go back a little; a walk allows half of this
_STRETCH: Final = 5000  # positions in one transaction; few of them are about no message
_MESSAGES: Final = 100  # … and messages, each a dozen statements

_AT = Query(select(entries.c.at).where(
    entries.c.node == bindparam("node"), entries.c.position == bindparam("position")))
_UNTIL = Query(select(prunings.c.until, prunings.c.node, prunings.c.position)
               .where(prunings.c.chain == bindparam("chain")).order_by(prunings.c.until.desc()).limit(1))
_RECORD = Query(select(entries.c.at, entries.c.kind, entries.c.record).where(
    entries.c.node == bindparam("node"), entries.c.position == bindparam("position")))
_SAY = Query(insert(prunings).values({column.name: bindparam(column.name) for column in prunings.c}))
_IN_STRETCH = (entries.c.node == bindparam("chain"), entries.c.position > bindparam("above"),
               entries.c.position <= bindparam("upto"))
_DROP_RECORDS = Query(update(entries).where(*_IN_STRETCH, entries.c.message.is_(None), entries.c.kind != RESTORED)
                      .values(record=bindparam("nothing")))
_DROP_REFUSALS = Query(delete(refusals).where(
    refusals.c.node == bindparam("chain"), refusals.c.position > bindparam("above"),
    refusals.c.position <= bindparam("upto")))

_younger = deliveries.alias("younger")
_STILL_NEEDED = exists_(select(deliveries.c.message).where(
    deliveries.c.message == messages.c.id,
    or_(deliveries.c.state.in_([bindparam(f"open_{state}", state.value) for state in OPEN]),
        exists_(select(_younger.c.message).where(_younger.c.conversation == deliveries.c.conversation,
                                                 _younger.c.received_at >= bindparam("before"))))))
_OLD_MESSAGES = Query(
    select(messages.c.received_at, messages.c.id)
    .where(or_(messages.c.received_at > bindparam("after"),
               and_(messages.c.received_at == bindparam("after"), messages.c.id > bindparam("after_id"))),
           messages.c.received_at >= bindparam("after"), messages.c.received_at < bindparam("before"), ~_STILL_NEEDED)
    .order_by(messages.c.received_at, messages.c.id).limit(bindparam("limit")))
_HELD = Query(select(messages.c.id).where(messages.c.id == bindparam("this")).with_for_update())
_ENTRIES_OF = Query(select(entries.c.node, func.max(entries.c.position))
                    .where(entries.c.message == bindparam("this")).group_by(entries.c.node))
_DROP_ENTRIES = Query(update(entries).where(entries.c.message == bindparam("this"))
                      .values(record=bindparam("nothing"), message=null()))
_CONVERSATIONS_OF = Query(select(deliveries.c.conversation).where(deliveries.c.message == bindparam("this")))
_DROP_ALL_OF = tuple(Query(delete(table).where(table.c.message == bindparam("this")))
                     for table in (proofs, payloads, bridged_payloads, addressed_payloads, outbox, attempts,
                                   push_proofs, refused_legs, reply_terms, parents, deliveries))
_DROP_MESSAGE = Query(delete(messages).where(messages.c.id == bindparam("this")))
_NOTHING_LEFT = ~exists_(select(deliveries.c.message).where(deliveries.c.conversation == bindparam("this")))
_DROP_SUCCESSORS = Query(delete(successors).where(successors.c.conversation == bindparam("this"), _NOTHING_LEFT))
_DROP_CONVERSATION = Query(delete(conversations).where(conversations.c.id == bindparam("this"), _NOTHING_LEFT))

_CERTIFICATES = Query(select(certificates.c.sha256, certificates.c.der))
_CERTIFICATE_USED = tuple(Query(select(table.c.certificate).where(table.c.certificate == bindparam("this")).limit(1))
                          for table in (proofs, push_proofs, checkpoints))
_DROP_CERTIFICATE = Query(delete(certificates).where(certificates.c.sha256 == bindparam("this")))
_DROP_TOLERANCES = Query(delete(tolerances).where(tolerances.c.last_seen < bindparam("before")))


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """What one run dropped."""

    entries: int = 0  # positions of which the records may be gone from now on
    messages: int = 0
    certificates: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Leave:
    """That records of one chain may be gone: up to this position, and from before this moment (microseconds)."""

    until: int = 0
    before: int = 0

    def covers(self, position: int, at: int) -> bool:
        return position <= self.until and at < self.before


def months_later(moment: datetime, months: int) -> datetime:
    """The same moment so many months later, or earlier; the month's last day where it has no such day."""
    year, month = divmod(moment.year * 12 + moment.month - 1 + months, 12)
    return moment.replace(year=year, month=month + 1, day=min(moment.day, monthrange(year, month + 1)[1]))


def leave_for(session: Session, chain: str) -> Leave:
    """What the journal itself says of dropped records of this chain; nothing, where that can't be so."""
    row = session.one(_UNTIL, chain=chain)
    entry = session.one(_RECORD, node=row[1], position=row[2]) if row is not None else None
    if row is None or entry is None or entry[1] != PRUNED:
        return Leave()
    at, _, record = entry
    facts = loads(record) if record else {}
    leave = Leave(until=int(facts.get("until", 0)), before=int(facts.get("before", 0)))
    earlier = row[1] != chain or leave.until < row[2]
    old_enough = leave.before <= at - YOUNGEST // timedelta(microseconds=1)
    return leave if facts.get("chain") == chain and earlier and old_enough else Leave()


class Pruning:
    """The retention rule on one store. May run in several processes at once; each step is whole or not at all."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def prune(self, *, before: datetime, now: datetime) -> Pruned:
        """Drop what is from before this moment, at least YOUNGEST ago. Raises StorageError."""
        assert before <= now - YOUNGEST
        moment = micros(before)
        done = sum(self._stretches(chain, before, now) for chain in self._chains())
        dropped = sum(self._messages(moment))
        lapsed = self._certificates(before) if dropped else 0
        if done:
            self._store.write(lambda write: write.run(_DROP_TOLERANCES, before=moment))
        return Pruned(entries=done, messages=dropped, certificates=lapsed)

    def _chains(self) -> list[str]:
        with self._store.read() as session:
            return [head.node for head in heads(session)]

    def _stretches(self, chain: str, before: datetime, now: datetime) -> int:
        """Step 1 for one chain; how many positions further."""
        with self._store.read() as session:
            end, start = _last_before(session, chain, micros(before - _OUT_OF_ORDER)), _until(session, chain)
        for above in range(start, end, _STRETCH):
            upto = min(above + _STRETCH, end)
            self._store.write(lambda write, above=above, upto=upto: _drop_stretch(  # type: ignore[misc]
                write, chain, above, upto, micros(before), now))
        return max(0, end - start)

    def _messages(self, before: int) -> Iterator[int]:
        """Step 2; how many, batch by batch."""
        after: Row = (0, 0)
        while True:
            with self._store.read() as session:
                rows = session.all(_OLD_MESSAGES, after=after[0], after_id=after[1], before=before, limit=_MESSAGES)
            if not rows:
                return
            after = rows[-1]
            yield self._store.write(lambda write, rows=rows: sum(  # type: ignore[misc]
                _drop_message(write, row[1]) for row in rows))

    def _certificates(self, before: datetime) -> int:
        """Those of which no signature can come any more: so no process still counts on their being there."""
        with self._store.read() as session:
            lapsed = [row[0] for row in session.all(_CERTIFICATES) if _has_lapsed(bytes(row[1]), before)]
            unused = [one for one in lapsed if not any(session.one(query, this=one) for query in _CERTIFICATE_USED)]
        for one in unused:
            self._store.write(lambda write, one=one: write.run(_DROP_CERTIFICATE, this=one))  # type: ignore[misc]
        return len(unused)


def _until(session: Session, chain: str) -> int:
    row = session.one(_UNTIL, chain=chain)
    return 0 if row is None else int(row[0])


def _last_before(session: Session, chain: str, before: int) -> int:
    """The last position of a chain from before a moment: times grow with positions, so it is searched by halves."""
    low, high = 0, next((head.position for head in heads(session) if head.node == chain), 0)
    while low < high:
        middle = (low + high + 1) // 2
        row = session.one(_AT, node=chain, position=middle)
        low, high = (middle, high) if row is not None and row[0] < before else (low, middle - 1)
    return low


def _drop_stretch(write: Write, chain: str, above: int, upto: int, before: int, now: datetime) -> None:
    """Say so first, then drop."""
    if _until(write, chain) != above:  # another process was here
        return
    position, _ = write.chain.append(PRUNED, at=now, facts={"chain": chain, "until": upto, "before": before})
    write.run(_SAY, chain=chain, until=upto, node=write.chain.node, position=position)
    write.run(_DROP_REFUSALS, chain=chain, above=above, upto=upto)
    write.run(_DROP_RECORDS, chain=chain, above=above, upto=upto, nothing=DROPPED)


def _drop_message(write: Write, message: int) -> int:
    """A message and all that hangs on it, if every entry about it may lose its record."""
    if write.one(_HELD, this=message) is None:  # another node was here
        return 0
    if not all(position <= _until(write, node) for node, position in write.all(_ENTRIES_OF, this=message)):
        return 0
    touched = write.all(_CONVERSATIONS_OF, this=message)
    write.run(_DROP_ENTRIES, this=message, nothing=DROPPED)
    for query in _DROP_ALL_OF:
        write.run(query, this=message)
    write.run(_DROP_MESSAGE, this=message)
    for (conversation,) in touched:
        write.run(_DROP_SUCCESSORS, this=conversation)
        write.run(_DROP_CONVERSATION, this=conversation)
    return 1


def _has_lapsed(der: bytes, before: datetime) -> bool:
    try:
        return x509.load_der_x509_certificate(der).not_valid_after_utc < before
    except ValueError:
        return False
