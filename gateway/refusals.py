"""What is kept of a refused request. Part of values.py, which hands these on; import them from there."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import NamedTuple


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """One cause of what does not hold (docs/explain.md). Never holds a value of the message."""

    id: str  # kebab-case, of the list in security/explain
    place: str  # path of a part of the profile
    facts: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))  # seconds, algorithms, OINs …


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """One check of an explanation: it holds, it does not and this is why, or it could not be looked at."""

    check: str
    holds: bool | None  # None: not looked at
    diagnoses: tuple[Diagnosis, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """A tolerance that the refused request used, as its fault says it (gateway/tolerances.py)."""

    code: str
    nl: str
    en: str


class Told(NamedTuple):
    """One diagnosis in words."""

    id: str
    place: str
    cause_nl: str
    cause_en: str
    remedy_nl: str
    remedy_en: str


class ToldCheck(NamedTuple):
    """One check in words."""

    name: str
    nl: str
    en: str
    holds: bool | None
    causes: tuple[Told, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """What the journal keeps of a refused request: who, what, why; never content."""

    ticket: str  # UUID, also in the fault
    code: str  # SKP…
    error: str  # class name from errors.py
    reason: str  # detail for the operator
    at: datetime
    path: str
    caller_oin: str | None = None
    caller_certificate: str | None = None  # SHA-256 hex
    message_id: str | None = None
    action: str | None = None
    referentienummer: str | None = None
    octets: int = 0
    octets_digest: bytes = b""
    explained: tuple[Explained, ...] = ()  # empty: nothing to add to the reason
