"""What the store holds at this moment, in figures: how much of each kind, since when, and until when at most.

Asked by an operator now and then, not by a request: some of these statements read a whole table.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Table, and_, bindparam, func, select

from gateway.storage.chain import heads
from gateway.storage.engine import Store
from gateway.storage.listing import OPEN
from gateway.storage.push_tables import attempts, breakers, outbox, push_proofs
from gateway.storage.records import DROPPED, maybe_moment, moment_of
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
    refusals,
    refused_legs,
    reply_terms,
    successors,
    switches,
    tolerances,
    uploads,
)
from gateway.storage.vault import KeyVault


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """How much there is of one kind."""

    kind: str
    count: int
    oldest: datetime | None = None
    newest: datetime | None = None
    octets: int | None = None  # of sealed content
    until: datetime | None = None  # where the rows themselves say so: the last term that ends


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """The key of one day, and what it still opens."""

    epoch: str
    payloads: int
    until: datetime | None  # the last term that ends of what it seals; None: it seals nothing any more


@dataclass(frozen=True, slots=True, kw_only=True)
class Expiry:
    """How many deliveries end at one moment, if nobody confirms them."""

    at: datetime
    deliveries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedTo:
    """What waits that only the holder of one certificate's key can read."""

    receiver: str  # id
    certificate: str  # SHA-256, hex
    deliveries: int
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Holdings:
    held: tuple[Held, ...]
    keys: tuple[Key, ...]
    sealed_to: tuple[SealedTo, ...]
    expiries: tuple[Expiry, ...]  # the next ones


@dataclass(frozen=True, slots=True, kw_only=True)
class OfParty:
    """What is kept that names one party."""

    sent: int
    received: int
    newest: datetime | None


_COUNTED = (deliveries, refused_legs, reply_terms, parents, conversations, successors, proofs, certificates, outbox,
            attempts, push_proofs, breakers)
_SEALED = tuple(
    Query(select(table.c.epoch, func.count(), func.sum(octets), func.min(messages.c.received_at),
                 func.max(messages.c.expires_at))
          .select_from(table.join(messages, messages.c.id == table.c.message)).group_by(table.c.epoch))
    for table, octets in (
        (payloads, func.length(payloads.c.sealed)), (bridged_payloads, func.length(bridged_payloads.c.sealed)),
        (addressed_payloads, func.length(addressed_payloads.c.sealed)
         + func.coalesce(func.length(addressed_payloads.c.pushed_sealed), 0))))
_SEALED_TO = Query(
    select(deliveries.c.receiver, deliveries.c.sealed_to, func.count(), func.max(deliveries.c.expires_at))
    .select_from(addressed_payloads.join(deliveries, and_(
        deliveries.c.message == addressed_payloads.c.message, deliveries.c.receiver == addressed_payloads.c.receiver)))
    .group_by(deliveries.c.receiver, deliveries.c.sealed_to)
    .order_by(deliveries.c.receiver, deliveries.c.sealed_to))
_FILES = Query(select(func.count(), func.sum(uploads.c.octets), func.min(uploads.c.at), func.max(messages.c.expires_at))
               .select_from(uploads.outerjoin(messages, messages.c.id == uploads.c.message)))
_MESSAGES = Query(select(func.count(), func.min(messages.c.received_at), func.max(messages.c.received_at)))
_REFUSALS = Query(select(func.count(), func.min(refusals.c.at), func.max(refusals.c.at)))
_TOLERANCES = Query(select(func.count(), func.min(tolerances.c.first_seen), func.max(tolerances.c.last_seen)))
_SWITCHES = Query(select(func.count(), func.min(switches.c.since), func.max(switches.c.since)))
_CHECKPOINTS = Query(select(func.count(), func.min(checkpoints.c.at), func.max(checkpoints.c.at)))
_RECORDS = Query(select(func.count(), func.min(entries.c.at), func.max(entries.c.at))
                 .where(entries.c.record != DROPPED))
_NEXT = Query(select(deliveries.c.expires_at, func.count()).where(deliveries.c.state == bindparam("state"))
              .group_by(deliveries.c.expires_at).order_by(deliveries.c.expires_at).limit(bindparam("limit")))
_SENT = Query(select(func.count(), func.max(messages.c.received_at)).where(messages.c.afzender == bindparam("party")))
_RECEIVED = Query(select(func.count(), func.max(deliveries.c.received_at))
                  .where(deliveries.c.receiver == bindparam("party")))


def holdings(store: Store, vault: KeyVault, *, expiries: int = 10) -> Holdings:
    """Everything there is. Raises StorageError."""
    epochs = vault.epochs()
    with store.read() as session:
        sealed = [row for query in _SEALED for row in session.all(query)]
        return Holdings(
            held=(_content(sealed), *_metadata(session)),
            keys=tuple(_key(epoch, sealed) for epoch in sorted({*epochs, *(row[0] for row in sealed)})),
            sealed_to=_sealed_to(session), expiries=_expiries(session, expiries))


def sealed_to(store: Store) -> tuple[SealedTo, ...]:
    """To which certificates that which waits is encrypted. Raises StorageError."""
    with store.read() as session:
        return _sealed_to(session)


def of_party(store: Store, party: str) -> OfParty:
    """What names this party, by its id. Raises StorageError."""
    with store.read() as session:
        (sent, last_sent), (received, last_received) = (
            session.all(query, party=party)[0] for query in (_SENT, _RECEIVED))
    return OfParty(sent=sent, received=received, newest=maybe_moment(max(last_sent or 0, last_received or 0) or None))


def _sealed_to(session: Session) -> tuple[SealedTo, ...]:
    return tuple(SealedTo(receiver=row[0], certificate=row[1], deliveries=row[2], until=moment_of(row[3]))
                 for row in session.all(_SEALED_TO))


def _content(sealed: list[Row]) -> Held:
    return Held(
        kind="content", count=sum(row[1] for row in sealed), octets=sum(row[2] for row in sealed),
        oldest=maybe_moment(min((row[3] for row in sealed), default=None)),
        until=maybe_moment(max((row[4] for row in sealed), default=None)))


def _files(session: Session) -> Held:
    """Files that came apart from their message; its term is theirs."""
    ((count, octets, oldest, until),) = session.all(_FILES)
    return Held(kind="files", count=count, octets=int(octets or 0), oldest=maybe_moment(oldest),
                until=maybe_moment(until))


def _metadata(session: Session) -> Iterator[Held]:
    yield _dated(session, "messages", _MESSAGES)
    yield _files(session)
    for table in _COUNTED:
        yield Held(kind=table.name, count=_count(session, table))
    yield _dated(session, "refusals", _REFUSALS)
    yield _dated(session, "records", _RECORDS)
    yield Held(kind="leaves", count=sum(head.position for head in heads(session)))
    yield _dated(session, "checkpoints", _CHECKPOINTS)
    yield _dated(session, "tolerances", _TOLERANCES)
    yield _dated(session, "switches", _SWITCHES)


def _dated(session: Session, kind: str, query: Query) -> Held:
    ((count, oldest, newest),) = session.all(query)
    return Held(kind=kind, count=count, oldest=maybe_moment(oldest), newest=maybe_moment(newest))


def _count(session: Session, table: Table) -> int:
    ((count,),) = session.adhoc(Query(select(func.count()).select_from(table)))
    return int(count)


def _key(epoch: str, sealed: list[Row]) -> Key:
    mine = [row for row in sealed if row[0] == epoch]
    return Key(epoch=epoch, payloads=sum(row[1] for row in mine),
               until=maybe_moment(max((row[4] for row in mine), default=None)))


def _expiries(session: Session, limit: int) -> tuple[Expiry, ...]:
    counts: dict[int, int] = {}
    for state in OPEN:
        for at, count in session.all(_NEXT, state=state.value, limit=limit):
            counts[at] = counts.get(at, 0) + count
    return tuple(Expiry(at=moment_of(at), deliveries=counts[at]) for at in sorted(counts)[:limit])
