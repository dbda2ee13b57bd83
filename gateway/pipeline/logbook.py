"""How messages stand, as the mailbox list and the log tell it: terms and marks, computed from what is kept."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from gateway.pipeline.gate import Gate
from gateway.routing import answer_due, working_days_since
from gateway.values import DeliveryState, LegStatus, Listed, Overview, Search, SetKey, Standing

_ENDED: Final = (DeliveryState.VERLOPEN, DeliveryState.GEANNULEERD)


def standing(one: Listed, party: str, gate: Gate, now: datetime) -> Standing:
    """How this leg stands for this party (id), its sender or addressee.

    How long it waits uncollected is the sender's to know; an addressee knows what it did.
    """
    due = None if one.status is LegStatus.GEWEIGERD else _due(one, gate)
    waits = party == one.afzender and one.status is DeliveryState.BESCHIKBAAR
    return Standing(
        answer_by=due, late=one.missed is not None or (due is not None and (one.answered_at or now) > due),
        uncollected_days=working_days_since(one.received_at, now, gate.is_working_day) if waits else None)


def _due(one: Listed, gate: Gate) -> datetime | None:
    if one.set_version is None or one.family is None:
        return one.answer_by
    kind = gate.catalog.message_type(SetKey(module=one.module, version=one.set_version), one.family)
    return one.answer_by if kind is None else answer_due(kind, one.received_at, one.answer_by, gate.is_working_day)


def legs(party: str, number: str, gate: Gate) -> list[Listed]:
    """What this party sent under this number, or in conversations below it: one row per addressee, newest first."""
    mine = Search(party=party, afzender=party)
    found = [*gate.mailbox.search(replace(mine, conversatie=number)),
             *gate.mailbox.search(replace(mine, bovenliggend=number))]
    own = {(one.referentienummer, one.ontvanger): one for one in found}
    return sorted(own.values(), key=lambda one: one.received_at, reverse=True)[:mine.limit]


def overview(rows: Sequence[tuple[Listed, Standing]], gate: Gate) -> Overview:
    """The legs counted; each that asks an answer was answered, refused, ended, or is open."""
    asked = [(one, stands) for one, stands in rows if stands.answer_by is not None or _asks(one, gate)]
    answered = sum(one.answered_at is not None for one, _ in asked)
    refused = sum(one.status is LegStatus.GEWEIGERD for one, _ in asked)
    ended = sum(one.status in _ENDED and one.answered_at is None for one, _ in asked)
    return Overview(
        asked=len(asked), answered=answered, refused=refused, ended=ended,
        open=len(asked) - answered - refused - ended, late=sum(stands.late for _, stands in asked),
        uncollected=sum(one.status is DeliveryState.BESCHIKBAAR for one, _ in rows))


def _asks(one: Listed, gate: Gate) -> bool:
    """Does a message of this type ask an answer? A refused leg has no term any more."""
    return one.answer_by is not None or _due(one, gate) is not None
