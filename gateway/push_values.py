"""Deliveries to a party's own service: a claim, an attempt, what became of it, a party's breaker. Part of the ground.

    Claim     one delivery, lent to one worker until its lease ends
    Outcome   what one attempt at it came to; every attempt is a row
    Breaker   whether a party's service is called at all; shared by all nodes
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from gateway.set_values import SetKey


class Result(StrEnum):
    """What an attempt came to."""

    DELIVERED = "delivered"  # the party signed for it
    UNREACHABLE = "unreachable"  # errors.Unreachable
    REFUSED = "refused"  # errors.PeerRefused: its fault blames us
    FAILED = "failed"  # errors.PeerFailed: its fault blames itself
    INVALID = "invalid"  # errors.ReceiptInvalid
    UNSENT = "unsent"  # our doing: nothing left the hub


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One delivery that one worker may try now. After the lease another may, and then both may have tried."""

    message: int  # its number in the store
    receiver: str  # id
    number: int  # of this attempt; the first is 1
    holder: str  # of this lease: unique for each claim
    lease_until: datetime
    conversation: int  # its number in the store
    action: str  # wsa:Action
    key: SetKey  # the message set in which the receiver gets it
    referentienummer: str
    afzender: str
    received_at: datetime
    expires_at: datetime
    message_digest: bytes  # of the message as it was sent
    bridged_to: str | None = None  # the version in which the receiver gets it, when not the sender's
    sealed_to: str | None = None  # the certificate that its content is encrypted to


@dataclass(frozen=True, slots=True, kw_only=True)
class PushProof:
    """What is kept of the signature under a receipt: with it, the receiver itself says that it has the message."""

    signed_info: bytes  # canonical octets, as signed
    signature_value: bytes
    signature_method: str
    certificate: bytes  # DER, of the signer
    body: bytes  # canonical soap:Body around the receipt, as digested; numbers, times and digests only
    body_reference: str  # its wsu:Id


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One attempt, when it is over. `cause` is for the operator: never a peer's own words, never content."""

    result: Result
    started_at: datetime
    ended_at: datetime
    cause: str = ""  # empty: delivered
    proof: PushProof | None = None  # of a delivered one


class BreakerState(StrEnum):
    """Whether a party's service is called."""

    CLOSED = "closed"  # it is
    OPEN = "open"  # not before `until`
    HALF_OPEN = "half-open"  # one delivery tries; the others wait for what comes of it


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    """The state of one party's service, as far as calls told it."""

    state: BreakerState = BreakerState.CLOSED
    failures: int = 0  # in a row: unreachable, failed or invalid
    refusals: int = 0  # of new messages in a row: does it refuse all of them?
    openings: int = 0  # in a row, without a delivery between them
    until: datetime | None = None  # open: not called before; half-open: how long the one that tries has


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempted:
    """One attempt as the operator sees it."""

    number: int
    node: str
    started_at: datetime
    seconds: float
    result: Result
    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Queued:
    """One open delivery to a party's own service, as the operator sees it."""

    referentienummer: str
    afzender: str
    receiver: str
    berichttype: str
    received_at: datetime
    expires_at: datetime
    attempts: int  # begun
    next_at: datetime | None  # None: waits for an earlier message of its conversation
    claimed_by: str | None  # who tries now
    last: Attempted | None
