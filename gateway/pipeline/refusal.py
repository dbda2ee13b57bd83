"""What is known of a request while it travels, and how a refusal is journaled, said and signed."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from gateway.errors import (
    TABLE,
    Draining,
    GatewayError,
    InternalError,
    NotAuthenticated,
    Overloaded,
    RateLimited,
    SecurityRefusal,
    SigningError,
    TrustStale,
    row,
)
from gateway.multipart import Package
from gateway.names import ANONYMOUS
from gateway.pipeline.explaining import explained
from gateway.pipeline.gate import Gate
from gateway.pipeline.remarks import AFTER_SIGNATURE, remarks
from gateway.security import Outgoing, Recipient, Verified, claimed_signatures, seal
from gateway.soap import Envelope, claimed_message_id, fault_action, fault_prefixes, write_fault
from gateway.tolerances import Tolerance
from gateway.values import Addressing, Certificate, Header, Party, Permit, Received, Refusal, Reply

# Refused before much work was done, or told to come back, which they do.
_CHEAP: Final = (NotAuthenticated, Overloaded, RateLimited, TrustStale, Draining)
_TURNED_AWAY: Final[Mapping[type[GatewayError], str]] = {  # what the listener answers with a bare status
    RateLimited: "beyond the quota, answered with a bare status",
    Overloaded: "the hub had more to do than it takes on, answered with a bare status",
}


@dataclass(slots=True, kw_only=True, eq=False)
class Trail:
    """What the line has learnt so far of one request; only the fault reads back from it."""

    received: Received
    certificate: Certificate | None = None  # of the caller
    caller: Party | None = None
    envelope: Envelope | None = None
    addressing: Addressing | None = None
    permit: Permit | None = None
    verified: Verified | None = None
    header: Header | None = None
    package: Package | None = None  # the answer, where files go along with it
    recipient: Recipient | None = None  # whom the answer is encrypted to, a fault too (profile 2W-be-SE)

    @property
    def message_id(self) -> str | None:
        """The MessageID an answer relates to."""
        if self.addressing is not None:
            return self.addressing.message_id
        return claimed_message_id(self.envelope) if self.envelope is not None else None

    @property
    def confirmations(self) -> tuple[str | None, ...]:
        """What SignatureConfirmation says: the request's signature value, or that there was none (WSS SMS §8.5)."""
        values = claimed_signatures(self.envelope) if self.envelope is not None else ()
        return values or (None,)


def refuse(trail: Trail, error: GatewayError, gate: Gate) -> Reply:
    """Journal the refusal and say it: a signed fault to a known caller, a bare status to an unknown one."""
    line, ticket = row(error), gate.new_id()
    retry_after = error.retry_after or line.retry_after
    _journal(trail, error, ticket, gate)
    if trail.caller is None or isinstance(error, NotAuthenticated):
        return _unsigned(error)
    now, tolerated = trail.received.at, count_tolerances(trail, gate)
    if isinstance(error, SecurityRefusal):  # these share one face
        tolerated = tuple([one for one in tolerated if one not in AFTER_SIGNATURE])
    try:
        signing = gate.signers.matching(trail.verified.signature_method if trail.verified is not None else None, now)
    except SigningError as failure:
        gate.observe("answer-not-signed", {"ticket": ticket, "error": failure})
        return _unsigned(failure)
    outgoing = Outgoing(
        action=fault_action(error), message_id=f"urn:uuid:{gate.new_id()}", to=ANONYMOUS, relates_to=trail.message_id,
        confirmations=trail.confirmations, inclusive=fault_prefixes(error),
        recipient=trail.recipient,
        body=write_fault(
            error, ticket=ticket, at=now,
            referentienummer=trail.header.referentienummer if trail.header is not None else None, tolerated=tolerated,
        ),
    )
    signed = seal(outgoing, signing, now, gate.new_id())
    return Reply(status=line.http, octets=signed.octets, retry_after=retry_after)


def _unsigned(error: GatewayError) -> Reply:
    """A bare status: for who is not known, or when the hub has no key to sign a fault with."""
    line = row(error)
    return Reply(status=line.http, octets=f"{line.text}\n{line.text_en}\n".encode(),
                 retry_after=error.retry_after or line.retry_after, content_type="text/plain; charset=utf-8")


def count_tolerances(trail: Trail, gate: Gate) -> tuple[Tolerance, ...]:
    """The tolerances this request used, counted for its caller."""
    used = remarks(trail)
    if used and trail.caller is not None:
        gate.tolerances.note(trail.caller.id, tuple([one.id for one in used]), trail.received.at)
    return used


def _journal(trail: Trail, error: GatewayError, ticket: str, gate: Gate) -> None:
    received = trail.received
    refusal = Refusal(
        ticket=ticket, code=row(error).code, error=type(error).__name__, reason=error.detail, at=received.at,
        path=received.path[:200], caller_oin=trail.caller.oin if trail.caller is not None else None,
        caller_certificate=hashlib.sha256(received.peer).hexdigest() if received.peer else None,
        message_id=trail.message_id, action=trail.addressing.action if trail.addressing is not None else None,
        referentienummer=trail.header.referentienummer if trail.header is not None else None,
        octets=len(received.octets), octets_digest=hashlib.sha256(received.octets).digest(),
        explained=explained(received, trail.caller, trail.envelope, error, gate),
    )
    if not isinstance(error, _CHEAP) or gate.tally.write_down(refusal):
        _write(refusal, gate)
    if isinstance(error, InternalError):
        gate.observe("mistake", {"ticket": ticket, "error": error.__cause__ or error})
    gate.observe("refused", {"ticket": refusal.ticket, "code": refusal.code, "error": refusal.error,
                             "reason": refusal.reason, "caller": refusal.caller_oin, "path": refusal.path})


def _write(refusal: Refusal, gate: Gate) -> None:
    try:
        gate.journal.refuse(refusal)
    except GatewayError as failure:  # the peer's answer does not depend on it, but the operator must know
        gate.observe("refusal-not-journaled", {"ticket": refusal.ticket, "error": failure})


def write_tally(gate: Gate, now: datetime, turned_away: Mapping[tuple[str, type[GatewayError]], int]) -> None:
    """Journal, one entry per caller and kind, how many refusals were counted since the last time and not written.

    Takes   how many requests of each OIN ("": of all who are no party) the listener turned away itself, and for what.
    """
    for (oin, kind), times in turned_away.items():
        gate.tally.add(Refusal(
            ticket="", code=TABLE[kind].code, error=kind.__name__, path="", at=now, caller_oin=oin or None,
            reason=_TURNED_AWAY[kind] if oin else f"no party: {_TURNED_AWAY[kind]}",
        ), times)
    for last, times in gate.tally.due():
        reason = f"{times} more in the last minute: {last.reason}"
        _write(replace(last, ticket=gate.new_id(), at=now, reason=reason), gate)
