"""Everything the line is given: built once at start-up by app.py, handed to every request."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from gateway.errors import SigningError
from gateway.messagesets import Catalog
from gateway.pipeline.tally import Tally
from gateway.ports import Evidence, Journal, Mailbox, NewId, Observe, Register, Spool, Tolerances, WorkingDay
from gateway.security import CheckCertificate, DecryptionKey, SecurityPolicy, Signing, TrustSnapshot, family_of
from gateway.soap import Limits
from gateway.switches import Switches
from gateway.values import RSA_PSS, Party, Service

Dispatch = Callable[[str, str, Callable[[], bytes]], bytes]  # service path, operation, work → finished octets


class DatedSigning(Signing, Protocol):
    """A signing key whose certificate has dates (security/keys.py)."""

    @property
    def family(self) -> str: ...  # "rsa" or "ecdsa"

    def in_force(self, now: datetime) -> bool: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Signers:
    """The hub's signing keys, newest first; the answer is in the family the party signed with (docs/contract.md §3)."""

    keys: tuple[DatedSigning, ...]

    def matching(self, signature_method: str | None, now: datetime) -> DatedSigning:
        """The key to answer a request that was signed with this method: the newest of its family in force, else the
        newest in force. Raises SigningError when no certificate is: none may sign before or after its dates (PKI002).
        """
        return self.of_family(family_of(signature_method) if signature_method else None, now)

    def of_family(self, family: str | None, now: datetime) -> DatedSigning:
        """The newest key of this family in force, else the newest in force. Raises SigningError as `matching`."""
        valid = [key for key in self.keys if key.in_force(now)]
        if not valid:
            raise SigningError("no certificate of [signing] is in force at this moment; renew it, and see the clock")
        return next((key for key in valid if key.family == family), valid[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Encryption:
    """What profile 2W-be-SE needs."""

    keys: tuple[DecryptionKey, ...]  # the hub's own
    check: CheckCertificate  # of those the hub encrypts to


class Encrypting(Protocol):
    """What may encrypt, if anything was configured to."""

    @property
    def encryption(self) -> Encryption | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """The hub, as far as one request needs it."""

    name: str  # of the hub, for Ping
    oin: str  # of the hub
    id: str  # of the hub, as the sender of what it tells its parties
    software: str  # version, for Ping
    catalog: Catalog
    register: Callable[[], Register]  # the present address book
    switches: Callable[[], Switches]  # what is switched off at present
    check_caller: CheckCertificate  # TLS client certificates
    check_signer: CheckCertificate  # signing certificates
    policy: SecurityPolicy
    trust: Callable[[], TrustSnapshot]  # the present anchors and lists, to explain a refusal by
    signers: Signers
    encryption: Encryption | None  # None: no key to decrypt with, so nobody can have agreed 2W-be-SE
    journal: Journal
    tally: Tally  # bounds what refusals write to the journal
    mailbox: Mailbox
    spool: Spool
    evidence: Evidence
    tolerances: Tolerances
    dispatch: Dispatch
    addresses: Callable[[Service], Collection[str]]  # the absolute URLs at which a service is reached
    limits: Limits
    term_days: int  # working days a message waits for its addressee
    is_working_day: WorkingDay
    new_id: NewId
    observe: Observe
    queued: Callable[[], None] = lambda: None  # something may wait to be pushed: tell who does that in this process


def policy_of(caller: Party, gate: Gate) -> SecurityPolicy:
    """What is asked of this caller's signatures."""
    return replace(gate.policy, pss=True) if RSA_PSS in caller.agreements else gate.policy
