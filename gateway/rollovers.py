"""A party's certificates as the address book names them, and the change from one to the next. Part of values.py, which
hands these on; import them from there.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Purpose(StrEnum):
    """What a party uses a certificate for, as its rollovers name it."""

    TLS = "tls"  # calls the hub, or is called by it
    SIGNING = "signing"
    ENCRYPTION = "encryption"  # others encrypt to it


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """A certificate as the address book names it."""

    name: str  # the file, or the digest
    sha256: str  # hex, of the DER octets
    der: bytes | None = field(default=None, repr=False, compare=False)  # None: named by its digest


class RolloverState(StrEnum):
    """How far a party's change of certificate has come."""

    ANNOUNCED = "announced"  # the new one is registered and not yet taken
    BOTH = "both accepted"
    PREFERRED = "new preferred"  # both are taken; we use the new one
    RETIRED = "old retired"  # the old one is no longer taken


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollover:
    """A party's change from one certificate to another, for one purpose; the moments are aware UTC and in order."""

    purpose: Purpose
    old: Registered
    new: Registered
    accepted: datetime  # from here both are taken
    preferred: datetime  # from here the new one is the one we use
    retired: datetime  # from here the old one is refused

    def state(self, now: datetime) -> RolloverState:
        """The state at this moment: that of the latest date that has come."""
        begun = ((self.retired, RolloverState.RETIRED), (self.preferred, RolloverState.PREFERRED),
                 (self.accepted, RolloverState.BOTH))
        return next((state for moment, state in begun if now >= moment), RolloverState.ANNOUNCED)
