"""The legs of a message: by which route an addressee is found, and what became of one that was refused. Part of
values.py, which hands these on; import them from there.
"""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One row of the routing table: who gets what is sent under a key, in a span of days."""

    kind: str  # GEMEENTECODE, RECHTBANK, BRON
    value: str
    party: str  # id
    module: str | None = None  # None: of every module
    since: date | None = None  # first day on which it counts
    until: date | None = None  # first day on which it no longer does
    fallback: bool = False  # only where neither another row nor a party's own registration gives anybody

    def counts_on(self, day: date) -> bool:
        return (self.since is None or self.since <= day) and (self.until is None or day < self.until)


class LegStatus(StrEnum):
    """What the log says of a leg that is no delivery."""

    GEWEIGERD = "GEWEIGERD"  # refused at acceptance; the message's other addressees got it


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedLeg:
    """An addressee to whom an accepted message does not go (docs/decisions/0026)."""

    receiver: str  # id, as the sender named it
    code: str  # SKP…, as in a fault
    error: str  # class name from errors.py
    reason: str  # detail for the operator


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a leg stands at the moment it is asked; computed, not kept."""

    answer_by: datetime | None = None  # until when an answer to it is in time; None: it asks none, or no term is agreed
    late: bool = False  # of a question: that term is over or was; of an answer: it came after the term
    uncollected_days: int | None = None  # working days that it waits; None: it was collected, or is another's to know


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """The legs of a conversation that ask an answer, each in one of the four places below `asked`; and of all legs the
    last two.
    """

    asked: int
    answered: int
    open: int
    ended: int  # expired or cancelled without an answer
    refused: int
    late: int  # of those asked: answered late, or unanswered past the term
    uncollected: int
