"""What an operator, a health check and the evidence export read. Metadata only; nothing here changes anything."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, bindparam, func, select

from gateway.errors import MailboxUnknown
from gateway.storage.chain import Head, heads
from gateway.storage.engine import Store
from gateway.storage.evidence import Evidence, Journaled, Recorded, gather, gather_refusal, recorded_of
from gateway.storage.legs import refused_of
from gateway.storage.listing import COLUMNS, FROM_DELIVERIES, MESSAGE, find, listed
from gateway.storage.records import maybe_moment, micros, moment_of, refusal_of
from gateway.storage.session import Query
from gateway.storage.tables import deliveries, entries, messages, refusals, tolerances
from gateway.values import DeliveryState, Listed, Refusal, Search, ToleranceUse

_LEGS = Query(select(*COLUMNS).select_from(FROM_DELIVERIES)
              .where(messages.c.referentienummer == bindparam("referentienummer"))
              .order_by(messages.c.id, deliveries.c.receiver))
_REFUSED = select(entries.c.record).select_from(refusals.join(
    entries, and_(entries.c.node == refusals.c.node, entries.c.position == refusals.c.position,
                  entries.c.at == refusals.c.at)))  # the time says in which partition it is
_BY_TICKET = Query(_REFUSED.where(refusals.c.ticket == bindparam("ticket")))
_REFUSALS = Query(
    _REFUSED.where(refusals.c.at >= bindparam("since"), refusals.c.at < bindparam("until"))
    .order_by(refusals.c.at.desc()).limit(bindparam("limit")))
_REFUSALS_SINCE = Query(select(func.count()).select_from(refusals).where(refusals.c.at >= bindparam("since")))
# Two statements over the index (state, expires_at): those in term, and how many of an open state there are.
_IN_STATE = Query(select(func.count()).select_from(deliveries)
                  .where(deliveries.c.state == bindparam("state"), deliveries.c.expires_at > bindparam("now")))
_OVERDUE = Query(select(func.count()).select_from(deliveries)
                 .where(deliveries.c.state == bindparam("state"), deliveries.c.expires_at <= bindparam("now")))
_FIRST_TO_EXPIRE = Query(
    select(deliveries.c.received_at, deliveries.c.expires_at)
    .where(deliveries.c.state == bindparam("state"), deliveries.c.expires_at > bindparam("now"))
    .order_by(deliveries.c.expires_at).limit(1))

_TOLERANCES = Query(
    select(tolerances.c.tolerance, tolerances.c.first_seen, tolerances.c.last_seen, tolerances.c.count)
    .where(tolerances.c.party == bindparam("who")).order_by(tolerances.c.tolerance))


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """All that is kept of one message: its legs as a list shows them, and the journal's entries about it."""

    legs: tuple[Listed, ...]
    refused: tuple[tuple[str, str], ...]  # addressees (id) that did not get it, and the code why
    recorded: tuple[Recorded, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """The store in figures. `overdue` are past their term and not yet erased: above zero for long, expiry is stuck."""

    available: int  # BESCHIKBAAR, in term
    collected: int  # OPGEHAALD, in term
    overdue: int
    oldest_uncollected: datetime | None  # acceptance of the available message whose term ends first
    next_expiry: datetime | None  # the end of that term
    refused: int  # requests, since the moment asked for
    heads: tuple[Head, ...]

    @property
    def waiting(self) -> int:
        return self.available + self.collected


class Reports:
    """The reads of one store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def messages(self, search: Search, now: datetime) -> list[Listed]:
        """One row per message and addressee, newest first; states as they are at `now`."""
        with self._store.read() as session:
            return find(session, search, now)

    def stories(self, referentienummer: str, now: datetime) -> list[Story]:
        """The story of the message with this number; more than one when several senders used it.

        Raises MailboxUnknown.
        """
        with self._store.read() as session:
            legs: dict[int, list[Listed]] = {}
            for row in session.all(_LEGS, referentienummer=referentienummer):
                legs.setdefault(row[MESSAGE], []).append(listed(row, now))
            if not legs:
                raise MailboxUnknown(f"no message has the number {referentienummer}")
            return [Story(legs=tuple(rows), refused=refused_of(session, message),
                          recorded=recorded_of(session, message)) for message, rows in legs.items()]

    def refusal(self, ticket: str) -> Refusal | None:
        """The refusal whose fault carried this ticket."""
        with self._store.read() as session:
            row = session.one(_BY_TICKET, ticket=ticket)
        return None if row is None else refusal_of(row[0])

    def refusals(self, *, since: datetime, until: datetime, limit: int) -> list[Refusal]:
        """Refused requests from `since` to before `until`, newest first."""
        with self._store.read() as session:
            return [refusal_of(row[0]) for row in session.all(
                _REFUSALS, since=micros(since), until=micros(until), limit=limit)]

    def tolerances(self, party: str) -> list[ToleranceUse]:
        """The tolerances this party (id) uses, by name; figures up to a minute old."""
        with self._store.read() as session:
            return [
                ToleranceUse(tolerance=name, first_seen=moment_of(first), last_seen=moment_of(last), count=count)
                for name, first, last, count in session.all(_TOLERANCES, who=party)
            ]

    def counts(self, *, now: datetime, refused_since: datetime) -> Counts:
        """Figures for health and metrics; the cost grows with what is open, not with the journal."""
        at = micros(now)
        available, collected = DeliveryState.BESCHIKBAAR.value, DeliveryState.OPGEHAALD.value
        with self._store.read() as session:
            def number(query: Query, **values: object) -> int:
                row = session.one(query, **values)
                return 0 if row is None else int(row[0])

            first = session.one(_FIRST_TO_EXPIRE, state=available, now=at) or (None, None)
            return Counts(
                available=number(_IN_STATE, state=available, now=at),
                collected=number(_IN_STATE, state=collected, now=at),
                overdue=number(_OVERDUE, state=available, now=at) + number(_OVERDUE, state=collected, now=at),
                oldest_uncollected=maybe_moment(first[0]),
                next_expiry=maybe_moment(first[1]),
                refused=number(_REFUSALS_SINCE, since=micros(refused_since)),
                heads=tuple(heads(session)),
            )

    def heads(self) -> list[Head]:
        """The end of every node's chain: what a checkpoint signs."""
        with self._store.read() as session:
            return heads(session)

    def evidence_of(
        self, referentienummer: str, *, afzender: str | None = None, party: str | None = None
    ) -> Evidence:
        """Proof, digests, journal records and their place in the journal, as far as `party` may see them (evidence.py).

        Raises MailboxUnknown.
        """
        with self._store.read() as session:
            return gather(session, referentienummer, afzender, party)

    def evidence_of_refusal(self, ticket: str) -> Journaled:
        """What the journal says of a refusal, and its place there. Raises MailboxUnknown."""
        with self._store.read() as session:
            return gather_refusal(session, ticket)
