"""Everything the line is given: built once at start-up by app.py, handed to every request."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from gateway.messagesets import Catalog
from gateway.pipeline.tally import Tally
from gateway.ports import Journal, Mailbox, NewId, Observe, Register, WorkingDay
from gateway.security import CheckCertificate, SecurityPolicy, Signing, family_of
from gateway.soap import Limits
from gateway.values import Service

Dispatch = Callable[[str, str, Callable[[], bytes]], bytes]  # service path, operation, work → finished octets


@dataclass(frozen=True, slots=True, kw_only=True)
class Signers:
    """The hub's signing keys by family; the answer is in the family the party signed with (docs/contract.md §3)."""

    default: Signing
    by_family: Mapping[str, Signing]  # "rsa", "ecdsa"

    def matching(self, signature_method: str | None) -> Signing:
        """The key to answer a request that was signed with this method."""
        return self.by_family.get(family_of(signature_method), self.default) if signature_method else self.default


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """The hub, as far as one request needs it."""

    name: str  # of the hub, for Ping
    oin: str  # of the hub
    software: str  # version, for Ping
    catalog: Catalog
    register: Callable[[], Register]  # the present address book
    check_caller: CheckCertificate  # TLS client certificates
    check_signer: CheckCertificate  # signing certificates
    policy: SecurityPolicy
    signers: Signers
    journal: Journal
    tally: Tally  # bounds what refusals write to the journal
    mailbox: Mailbox
    dispatch: Dispatch
    addresses: Callable[[Service], Collection[str]]  # the absolute URLs at which a service is reached
    limits: Limits
    term_days: int  # working days a message waits for its addressee
    is_working_day: WorkingDay
    new_id: NewId
    observe: Observe
