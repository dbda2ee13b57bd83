"""What a list shows of a message (metadata, one row per addressee), and the log search."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, FromClause, Join, case, func, null, or_, select
from sqlalchemy.sql import Select

from gateway.storage.legs import refused_branches, within
from gateway.storage.push_tables import outbox
from gateway.storage.records import maybe_moment, micros, moment_of
from gateway.storage.session import Query, Row, Session
from gateway.storage.tables import conversations, deliveries, messages, parents, reply_terms
from gateway.values import DeliveryState, LegStatus, Listed, Search

OPEN: Final = (DeliveryState.BESCHIKBAAR, DeliveryState.OPGEHAALD)

COLUMNS: Final = (
    messages.c.referentienummer, messages.c.cross, messages.c.conversatie, messages.c.afzender, deliveries.c.receiver,
    messages.c.berichttype, messages.c.versie, messages.c.module, deliveries.c.received_at, deliveries.c.expires_at,
    deliveries.c.state, deliveries.c.collected_at, deliveries.c.confirmed_at, deliveries.c.set_version,
    deliveries.c.berichttype, deliveries.c.versie, deliveries.c.sealed_to, messages.c.id,
)
BRIDGED_TO: Final = 13  # where in such a row the version stands in which the addressee gets it; None: as it was sent
SEALED_TO: Final = 16  # … the certificate that its content is encrypted to; None: the hub's keys seal it
MESSAGE: Final = len(COLUMNS) - 1  # … and the message's number
_NOTHING: Final = (None,) * 6  # in place of what only a list has
# Of a delivery that is to be changed also: its conversation, if it is in the outbox. One look beside it in the same
# statement, so that deliveries that are collected pay for no statement of the outbox.
TO_CHANGE: Final = (*COLUMNS, select(outbox.c.conversation).where(
    outbox.c.message == deliveries.c.message, outbox.c.receiver == deliveries.c.receiver).scalar_subquery())
QUEUED: Final = len(COLUMNS)

FROM_DELIVERIES: Final = deliveries.join(messages, messages.c.id == deliveries.c.message)
HELD: Final = (messages, deliveries)  # the rows of such a join that are held by who changes a delivery

# What a list shows beyond that; those who change a delivery don't need it. In the order of `_more`.
_answers: Final = messages.alias("answers")
MORE: Final = (messages.c.set_version, messages.c.family, reply_terms.c.answer_by, reply_terms.c.missed)
_ROW: Final = (*COLUMNS, *MORE, _answers.c.received_at, null())


def with_terms(source: FromClause) -> Join:
    """The same rows, each with the term of its message, where it has one of its own or missed one."""
    return source.outerjoin(reply_terms, reply_terms.c.message == messages.c.id)


_FROM_LEGS: Final = with_terms(FROM_DELIVERIES).outerjoin(_answers, _answers.c.id == deliveries.c.answered_by)
_FROM_MESSAGES: Final = with_terms(messages.join(deliveries, deliveries.c.message == messages.c.id)).outerjoin(
    _answers, _answers.c.id == deliveries.c.answered_by)

def not_indexed(column: ColumnElement[str]) -> ColumnElement[str]:
    """The same text, written so that no engine searches by it: another condition narrows far more."""
    return column.concat("")


def state_at(row: Row, now: datetime) -> DeliveryState:
    """Open but past its term is expired, whether or not the job that erases it has run."""
    return DeliveryState.VERLOPEN if row[10] in OPEN and row[9] <= micros(now) else DeliveryState(row[10])


def _status(row: Row, now: datetime) -> DeliveryState | LegStatus:
    return LegStatus.GEWEIGERD if row[10] == LegStatus.GEWEIGERD else state_at(row, now)


def listed(row: Row, now: datetime, party: str | None = None) -> Listed:
    """A row of COLUMNS as it must be shown at `now` to this party; None: to the operator."""
    to_addressee = row[BRIDGED_TO] is not None and party == row[4]
    more = row[MESSAGE + 1:] if len(row) > len(TO_CHANGE) else ()
    set_version, family, answer_by, missed, answered_at, code = (*more, *_NOTHING)[:len(_NOTHING)]
    return Listed(
        referentienummer=row[0], cross=row[1], conversatie=row[2], afzender=row[3], ontvanger=row[4],
        berichttype=row[14] if to_addressee else row[5], versie=row[15] if to_addressee else row[6],
        bridged_to=row[BRIDGED_TO], module=row[7], received_at=moment_of(row[8]), expires_at=moment_of(row[9]),
        status=_status(row, now), collected_at=maybe_moment(row[11]), confirmed_at=maybe_moment(row[12]),
        set_version=set_version, family=family, answer_by=maybe_moment(answer_by), missed=maybe_moment(missed),
        answered_at=maybe_moment(answered_at), code=code,
    )


def find(session: Session, search: Search, now: datetime) -> list[Listed]:
    """The messages that fit, newest first, at most `search.limit`.

    Each branch is one index search that is already in order; branches are disjoint, so merging is sorting.
    """
    rows = [row for branch in _branches(search) for row in session.adhoc(Query(branch))]
    rows.sort(key=lambda row: (row[8], row[MESSAGE], row[4]), reverse=True)
    return [listed(row, now, search.party) for row in rows[:search.limit]]


_Condition = ColumnElement[bool]
_sender: Final = not_indexed(messages.c.afzender)
_receiver: Final = not_indexed(deliveries.c.receiver)


def _branches(search: Search) -> Iterator[Select[Row]]:
    """The statements whose rows together are the answer, by the filter that narrows most."""
    if search.referentienummer or search.conversatie or search.cross or search.bovenliggend:
        mine = [or_(_sender == search.party, _receiver == search.party)] if search.party is not None else []
        mine += [_sender == search.afzender] if search.afzender is not None else []
        mine += [_receiver == search.ontvanger] if search.ontvanger is not None else []
        yield _newest_messages(replace(search, afzender=None, ontvanger=None), mine)
    elif search.afzender is not None:
        third = search.party not in (None, search.afzender)
        yield _newest_messages(search, [deliveries.c.receiver == search.party] if third else [])
    elif search.ontvanger is not None:
        third = search.party not in (None, search.ontvanger)
        yield from _newest_received(search, search.ontvanger, [messages.c.afzender == search.party] if third else [])
    elif search.party is not None:
        yield _newest_messages(search, [messages.c.afzender == search.party])
        yield from _newest_received(search, search.party, [messages.c.afzender != search.party])
    else:
        yield _newest_messages(search, [])
    yield from refused_branches(search)


def _newest_messages(search: Search, more: list[_Condition]) -> Select[Row]:
    moment = messages.c.received_at
    return (select(*_ROW).select_from(_FROM_MESSAGES)
            .where(*_conditions(search), *within(search, moment), *more)
            .order_by(moment.desc(), messages.c.id.desc(), deliveries.c.receiver.desc()).limit(search.limit))


def _newest_received(search: Search, receiver: str, more: list[_Condition]) -> Iterator[Select[Row]]:
    """One statement per state: the mailbox index is in order within a state only."""
    moment = deliveries.c.received_at
    for state in DeliveryState:
        if search.bevestigd is None or search.bevestigd == (state is DeliveryState.BEVESTIGD):
            yield (select(*_ROW).select_from(_FROM_LEGS)
                   .where(deliveries.c.receiver == receiver, deliveries.c.state == state.value,
                          *_conditions(search), *within(search, moment), *more)
                   .order_by(moment.desc(), deliveries.c.message.desc()).limit(search.limit))


def _seen(search: Search, sent: ColumnElement[str], delivered: ColumnElement[str]) -> ColumnElement[str]:
    """What the one who searches sees of a message: as it was delivered to him, or as it was sent."""
    if search.party is None:
        return sent
    return case((_receiver == search.party, func.coalesce(delivered, sent)), else_=sent)


def _conditions(search: Search) -> Iterator[_Condition]:
    equal = (
        (messages.c.referentienummer, search.referentienummer),
        (messages.c.cross, search.cross),
        (messages.c.afzender, search.afzender),
        (deliveries.c.receiver, search.ontvanger),
        (_seen(search, messages.c.berichttype, deliveries.c.berichttype), search.berichttype),
        (_seen(search, messages.c.versie, deliveries.c.versie), search.versie),
    )
    yield from (column == value for column, value in equal if value is not None)
    among = ((_sender, search.senders), (_receiver, search.receivers))
    yield from (column.in_(sorted(parties)) for column, parties in among if parties is not None)
    if search.conversatie is not None:
        yield deliveries.c.conversation.in_(
            select(conversations.c.id).where(conversations.c.conversatie == search.conversatie))
    if search.cross is not None:
        # The question stands in the same conversation: one index less on messages (tables.py).
        asked, leg = messages.alias("asked"), deliveries.alias("leg")
        yield deliveries.c.conversation.in_(
            select(leg.c.conversation).join_from(asked, leg, leg.c.message == asked.c.id)
            .where(asked.c.referentienummer == search.cross))
    if search.bovenliggend is not None:
        yield messages.c.id.in_(select(parents.c.message).where(parents.c.parent == search.bovenliggend))
    moments = ((deliveries.c.collected_at, search.opgehaald), (deliveries.c.confirmed_at, search.bevestigd))
    yield from (column.is_not(None) if wanted else column.is_(None) for column, wanted in moments if wanted is not None)
