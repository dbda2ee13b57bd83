"""The legs of accepted messages that were refused: kept, and found by their sender and the operator alone."""

from collections.abc import Iterator
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, bindparam, literal, null, select

from gateway.storage.records import micros
from gateway.storage.session import Query, Session
from gateway.storage.tables import messages, parents, refused_legs
from gateway.values import LegStatus, Search

_OF_MESSAGE = Query(select(refused_legs.c.receiver, refused_legs.c.code)
                    .where(refused_legs.c.message == bindparam("message")).order_by(refused_legs.c.receiver))
_FROM: Final = refused_legs.join(messages, messages.c.id == refused_legs.c.message)
_COLUMNS: Final = (  # of the shape of listing.ROW: what it has of a delivery is not there
    messages.c.referentienummer, messages.c.cross, messages.c.conversatie, messages.c.afzender, refused_legs.c.receiver,
    messages.c.berichttype, messages.c.versie, messages.c.module, refused_legs.c.received_at, messages.c.expires_at,
    literal(LegStatus.GEWEIGERD.value).label("state"), *(null() for _ in range(6)), messages.c.id,
    messages.c.set_version, messages.c.family, null(), null(), null(), refused_legs.c.code,
)
_Condition = ColumnElement[bool]


def refused_of(session: Session, message: int) -> tuple[tuple[str, str], ...]:
    """The addressees (id) that did not get a message, and the code why, by id."""
    return tuple((receiver, code) for receiver, code in session.all(_OF_MESSAGE, message=message))


def refused_branches(search: Search) -> Iterator[Select[Any]]:
    """The statement that finds refused legs for a log search, in order; none where there can be no answer.

    A party sees only those of its own messages: to the addressee that did not get it, it never was.
    """
    if search.opgehaald or search.bevestigd or search.party not in (None, search.afzender or search.party):
        return
    sender = search.party or search.afzender
    newest = (refused_legs.c.received_at.desc(), refused_legs.c.message.desc(), refused_legs.c.receiver.desc())
    yield (select(*_COLUMNS).select_from(_FROM).where(*_narrowed(search, sender), *_conditions(search))
           .order_by(*newest).limit(search.limit))


def _narrowed(search: Search, sender: str | None) -> list[_Condition]:
    """The condition by which an index is searched: one that is in order, or that leaves a handful of rows."""
    legs = refused_legs.c
    mine: list[_Condition] = [] if sender is None else [messages.c.afzender.concat("") == sender]
    if search.referentienummer is not None:
        found = select(messages.c.id).where(messages.c.referentienummer == search.referentienummer)
        return [legs.message.in_(found), *mine]
    if search.bovenliggend is not None:
        return [legs.message.in_(select(parents.c.message).where(parents.c.parent == search.bovenliggend)), *mine]
    if search.conversatie is not None:
        return [legs.conversatie == search.conversatie, *mine]
    if search.cross is not None:
        asked = messages.alias("asked")
        found = select(asked.c.conversatie).where(asked.c.referentienummer == search.cross)
        return [legs.conversatie.in_(found), *mine]
    return [legs.received_at >= 0] if sender is None else [legs.afzender == sender]


def _conditions(search: Search) -> Iterator[_Condition]:
    moment, receiver, sender = (refused_legs.c.received_at, refused_legs.c.receiver.concat(""),
                                messages.c.afzender.concat(""))
    equal = ((messages.c.referentienummer.concat(""), search.referentienummer), (messages.c.cross, search.cross),
             (receiver, search.ontvanger), (sender, search.afzender), (messages.c.berichttype, search.berichttype),
             (messages.c.versie, search.versie), (refused_legs.c.conversatie.concat(""), search.conversatie))
    yield from (column == value for column, value in equal if value is not None)
    among = ((sender, search.senders), (receiver, search.receivers))
    yield from (column.in_(sorted(parties)) for column, parties in among if parties is not None)
    yield from within(search, moment)


def within(search: Search, moment: ColumnElement[int]) -> Iterator[_Condition]:
    """Received in the days that are asked."""
    if search.since is not None:
        yield moment >= micros(search.since)
    if search.until is not None:
        yield moment < micros(search.until)
