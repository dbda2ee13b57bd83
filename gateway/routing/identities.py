"""Three identities of one request, and the table that says which of them go together.

Caller (TLS certificate), signer (signature) and sender (claimed in the header) are one organisation or several. The
table is the whole decision; docs/contract.md §3 prints it, and a test walks every combination through the line.
Source: Digikoppeling Identificatie en Authenticatie; Handreiking Adressering en Routering (hubs and suppliers).
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from gateway.errors import SenderMismatch
from gateway.ports import Register
from gateway.values import Party


class Relation(StrEnum):
    """What an organisation is to the sender."""

    SAME = "the sender"
    MANDATED = "mandated"  # its acts_for names the sender
    STRANGER = "a stranger"  # an active party, nothing more
    ABSENT = "absent"  # not in the address book, or not active today: the same, as an OIN finds active parties only


class From(StrEnum):
    """Whose OIN wsa:From carries."""

    NONE = "none"
    SENDER = "the sender's"
    CALLER = "the caller's"
    OTHER = "another's"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table: what caller and signer are to the sender, and what comes of it."""

    caller: frozenset[Relation]
    signer: frozenset[Relation]
    one: bool | None = None  # caller and signer are one party, or two; None: either
    allowed: bool = False
    why: str

    def fits(self, caller: Relation, signer: Relation, *, one: bool) -> bool:
        return caller in self.caller and signer in self.signer and self.one in (None, one)


_SAME, _MANDATED, _STRANGER, _ABSENT = (frozenset({one}) for one in Relation)
_ACTIVE = _SAME | _MANDATED | _STRANGER

# Each combination fits exactly one row. All of it is about a sender that is an active party.
TABLE: Final = (
    Row(caller=_SAME, signer=_SAME, allowed=True, why="a party that speaks for itself"),
    Row(caller=_MANDATED, signer=_SAME, allowed=True, why="a supplier carries what the party signed"),
    Row(caller=_MANDATED, signer=_MANDATED, one=True, allowed=True, why="a supplier signs and sends for the party"),
    Row(caller=_MANDATED, signer=_MANDATED, one=False, why="a mandate does not reach through a second supplier"),
    Row(caller=_SAME, signer=_MANDATED, why="who signs for another must also be the caller"),
    Row(caller=_SAME | _MANDATED, signer=_STRANGER, why="the signer has no mandate of the sender"),
    Row(caller=_STRANGER, signer=_ACTIVE, why="the caller has no mandate of the sender, whoever signed"),
    Row(caller=_ACTIVE, signer=_ABSENT, why="the signer is no active party"),
    Row(caller=_ABSENT, signer=_ACTIVE | _ABSENT, why="the caller is no active party: refused at the door, with 403"),
)
NO_SENDER: Final = "the sender is not in the address book, or not active"  # whoever calls and signs
FROM: Final = {From.NONE: True, From.SENDER: True, From.CALLER: True, From.OTHER: False}


def represented(
    *, caller: Party, signer_oin: str, claimed: str | None, from_oin: str | None, register: Register
) -> Party:
    """The party in whose name a request speaks: `claimed` (a party id), or the signer when nothing is claimed.

    Raises  SenderMismatch, with the identities and the table's reason.
    """
    sender = register.by_id(claimed) if claimed is not None else register.by_oin(signer_oin)
    if sender is None or not sender.active:
        raise SenderMismatch(f"caller {caller.oin}, signer {signer_oin}: {NO_SENDER}")
    signer = register.by_oin(signer_oin)
    row = look_up(relation(caller, sender), relation(signer, sender), one=caller.oin == signer_oin)
    if not row.allowed:
        raise SenderMismatch(f"caller {caller.oin}, signer {signer_oin}, sender {sender.oin}: {row.why}")
    if not FROM[_whose(from_oin, sender, caller)]:
        raise SenderMismatch("wsa:From carries the OIN of another organisation")
    return sender


def relation(party: Party | None, sender: Party) -> Relation:
    """What this party is to the sender; None: no active party has the OIN."""
    if party is None:
        return Relation.ABSENT
    if party.oin == sender.oin:
        return Relation.SAME
    return Relation.MANDATED if sender.oin in party.acts_for else Relation.STRANGER


def look_up(caller: Relation, signer: Relation, *, one: bool) -> Row:
    """The one row for these relations."""
    return next(row for row in TABLE if row.fits(caller, signer, one=one))


def _whose(oin: str | None, sender: Party, caller: Party) -> From:
    if oin is None:
        return From.NONE
    if oin == sender.oin:
        return From.SENDER
    return From.CALLER if oin == caller.oin else From.OTHER
