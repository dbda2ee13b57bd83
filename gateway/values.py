"""The values that travel the line: frozen, typed, without behaviour beyond looking at themselves.

Each step of the line takes the value of the step before and gives a narrower one (docs/architecture.md). The values
that hold XML live in the rooms that make them: Envelope in soap, Verified in security, Message in messagesets.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Protocol

from gateway.legs import LegStatus as LegStatus
from gateway.legs import Overview as Overview
from gateway.legs import RefusedLeg as RefusedLeg
from gateway.legs import Route as Route
from gateway.legs import Standing as Standing
from gateway.parted import Payload
from gateway.refusals import Diagnosis as Diagnosis
from gateway.refusals import Explained as Explained
from gateway.refusals import Refusal as Refusal
from gateway.refusals import Remark as Remark
from gateway.refusals import Told as Told
from gateway.refusals import ToldCheck as ToldCheck
from gateway.rollovers import Purpose as Purpose
from gateway.rollovers import Registered as Registered
from gateway.rollovers import Rollover as Rollover
from gateway.rollovers import RolloverState as RolloverState
from gateway.set_values import Choreography as Choreography
from gateway.set_values import MessageType as MessageType
from gateway.set_values import Operation as Operation
from gateway.set_values import RoleRule as RoleRule
from gateway.set_values import Service as Service
from gateway.set_values import SetKey as SetKey
from gateway.set_values import Step as Step
from gateway.set_values import Transition as Transition

# --- what comes in -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One request as the network gave it. Nothing is believed yet."""

    octets: bytes
    path: str  # path of the URL, without query
    content_type: str
    soap_action: str | None  # the HTTP header's value as sent; None when absent
    peer: bytes  # the client certificate of the TLS connection, DER
    at: datetime  # aware UTC
    takes_mtom: bool = False  # it came as MTOM, or its Accept names it: so may the answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What goes back over HTTP."""

    status: int
    octets: bytes  # of an answer in parts: its envelope
    package: "Sized | None" = None  # what is sent instead, where files go along
    content_type: str = "text/xml; charset=utf-8"
    retry_after: int | None = None  # seconds


class Sized(Protocol):
    """Octets that are made when they are asked for, so many of them (multipart.Package)."""

    @property
    def length(self) -> int: ...

    def __iter__(self) -> Iterator[bytes]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Addressing:
    """The WS-Addressing headers of one envelope; claims until the envelope is verified."""

    action: str
    message_id: str
    to: str | None = None
    relates_to: str | None = None
    sender: str | None = None  # wsa:From/wsa:Address
    reply_to: str | None = None
    fault_to: str | None = None


# --- parties -------------------------------------------------------------------------------------------------

RSA_PSS = "rsa-pss"  # an agreement: this caller's requests may be signed with RSASSA-PSS
AGREEMENTS = (RSA_PSS,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """How much one party may ask of the hub."""

    requests_per_second: int
    burst: int  # requests at once, after a rest
    connections: int  # open at once, per process


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """A connected organisation as the address book knows it."""

    id: str  # UUID, lower case: the address on the wire
    slug: str
    name: str
    oin: str  # 20 characters, compared as a string
    roles: frozenset[str]
    subtype: str | None = None
    mag_bsn: bool = False
    requires: frozenset[str] = frozenset()  # documents its messages must carry: toestemmingsverklaring, beschikking
    modules: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    push: str | None = None  # registered endpoint; None: the party collects (pull)
    mtom: bool = False  # there it takes files as parts of their own, whatever their size
    pins: frozenset[str] = frozenset()  # SHA-256 (hex) of its certificates; empty: trust path and OIN decide
    rollovers: tuple[Rollover, ...] = ()  # of one purpose: in the order in which they follow one another
    encryption: Registered | None = None  # what is for it is encrypted to this certificate, unless a rollover says more
    profiles: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))  # Service.agreed_as → profile
    gemeentecodes: frozenset[str] = frozenset()
    routing: Mapping[str, frozenset[str]] = field(default_factory=lambda: MappingProxyType({}))  # other kinds of key
    acts_for: frozenset[str] = frozenset()  # OINs this party may send for (mandate)
    limits: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))  # fields of its own Allowance
    agreements: frozenset[str] = frozenset()  # what it may do that others may not: rsa-pss
    notifications: frozenset[str] = frozenset()  # what the hub tells it unasked, of set_values.NOTIFICATIONS
    kvk: str | None = None
    vestigingen: frozenset[str] = frozenset()
    active: bool = True
    since: date | None = None  # first day it may take part
    until: date | None = None  # first day it may not any more


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """What a certificate says once its path, dates, revocation and usage hold."""

    oin: str
    subject: str  # RFC 4514, for the operator
    sha256: str  # hex, of the DER octets
    not_after: datetime
    rsa_bits: int | None = None  # None: an EC key


# --- admitted, addressed -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Permit:
    """This caller may ask this operation at this service. Says nothing yet about signature or content."""

    caller: Party
    service: Service
    operation: Operation
    encrypted: bool = False  # request and answer are in profile 2W-be-SE


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """The facts of a valid kn:Berichtheader; UUIDs are in lower case."""

    referentienummer: str
    conversatie: str
    versie: str
    berichttype: str
    afzender: str
    tijdstip: datetime
    ontvangers: tuple[str, ...] = ()
    routering: tuple[str, str] | None = None  # (Soort, Waarde)
    cross: str | None = None
    bovenliggend: str | None = None
    vervalt_op: datetime | None = None
    grondslag: str | None = None
    documents: frozenset[str] = frozenset()  # kinds of document in Grondslag and Bijlagen


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing wrong with a message. Never holds a value of the message."""

    xpath: str
    rule: str
    nl: str
    en: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultSeen:
    """A fault as a caller reads it from an answer."""

    faultcode: str
    faultstring: str
    code: str | None = None
    ticket: str | None = None
    omschrijving: str | None = None
    findings: tuple[Finding, ...] = ()
    remarks: tuple[Remark, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What is kept of the sender's signature: digests and keys, no content (docs/evidence.md).

    `before` and `after` are the canonical octets of the sender's soap:Body around the message element, so that
    before + canonical message + after is what the sender digested; both None when a namespace context forbids it.
    """

    signed_info: bytes  # canonical octets, as signed
    signature_value: bytes
    signature_method: str
    certificate: bytes  # DER, of the signer
    signer_oin: str
    caller_oin: str
    body_reference: str  # wsu:Id of the Body
    before: bytes | None
    after: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bridged:
    """A message as an addressee gets it who takes another version than its sender's (docs/message-sets.md)."""

    key: SetKey
    message_type: MessageType
    outcomes: frozenset[str]
    payload: Payload  # the message element there, in exclusive canonical form
    message_digest: bytes  # SHA-256 of payload, whole


@dataclass(frozen=True, slots=True, kw_only=True)
class EncryptedBody:
    """A soap:Body, readable for the holder of one key alone, before the envelope around it is written (profile §14)."""

    certificate: str  # SHA-256 (hex) of the one it is encrypted to
    identifier: str  # its wsu:Id
    digest: bytes  # SHA-256 of the canonical Body in clear, which is what is signed
    key: bytes = field(repr=False)  # the xenc:EncryptedKey element
    data: bytes = field(repr=False)  # the xenc:EncryptedData element
    message_digest: bytes = b""  # SHA-256 of the message element, where that is its content: what a receipt must say


@dataclass(frozen=True, slots=True, kw_only=True)
class Acceptance:
    """Everything the journal needs to record one valid message; plain values, ready for one transaction."""

    key: SetKey
    header: Header
    message_type: MessageType
    receivers: tuple[Party, ...]
    outcomes: frozenset[str]
    payload: Payload  # the message element in exclusive canonical form
    message_digest: bytes  # SHA-256 of payload, whole
    body_digest: bytes  # SHA-256 of the canonical soap:Body as signed
    message_id: str  # wsa:MessageID
    proof: Proof
    received_at: datetime
    expires_at: datetime
    refused: tuple[RefusedLeg, ...] = ()  # other addressees, to whom it does not go
    answer_by: datetime | None = None  # when its own content says until when an answer is asked
    missed: datetime | None = None  # of an answer that comes late: the end of the term it should have come in
    bridged: Mapping[str, Bridged] = field(default_factory=lambda: MappingProxyType({}))  # by addressee's id
    addressed: Mapping[str, EncryptedBody] = field(default_factory=lambda: MappingProxyType({}))  # to collect
    pushed: Mapping[str, EncryptedBody] = field(default_factory=lambda: MappingProxyType({}))  # for some of those: too


# --- what the store tells ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One committed message. A receipt is a function of this alone."""

    referentienummer: str
    conversatie: str
    ontvangers: tuple[str, ...]
    received_at: datetime
    expires_at: datetime
    message_digest: bytes
    position: int
    journal_hash: bytes
    refused: tuple[tuple[str, str], ...] = ()  # addressees (id) that do not get it and the code why, by id
    repeated: bool = False  # the same request had been accepted before


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """The state of one conversation: the triple (initiator, counterpart, number) within one module."""

    id: int | None  # None: not yet opened
    module: str
    conversatie: str
    initiator: str
    counterpart: str
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """An earlier message of a conversation, as correlation needs it."""

    family: str  # MessageType.correlates_as
    sender: str
    answered: bool
    asked_at: datetime
    key: SetKey  # the set by which it was sent
    answer_by: datetime | None = None  # until when it asks an answer, where it says so itself


class DeliveryState(StrEnum):
    """States of a message for one addressee (docs/contract.md §8)."""

    BESCHIKBAAR = "BESCHIKBAAR"
    OPGEHAALD = "OPGEHAALD"
    BEVESTIGD = "BEVESTIGD"
    VERLOPEN = "VERLOPEN"
    GEANNULEERD = "GEANNULEERD"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One message as a mailbox list, a log search or an operator sees it: metadata, never content.

    Of a bridged message `berichttype` and `versie` are the addressee's for the addressee and the sender's for others.
    """

    referentienummer: str
    cross: str | None
    conversatie: str
    afzender: str
    ontvanger: str
    berichttype: str
    versie: str
    module: str
    received_at: datetime
    expires_at: datetime
    status: DeliveryState | LegStatus
    collected_at: datetime | None
    confirmed_at: datetime | None
    bridged_to: str | None = None  # the set's version in which the addressee gets it, when not the sender's
    # The rest is told by a mailbox list and the log alone:
    set_version: str | None = None  # of the module, as it was sent
    family: str | None = None  # MessageType.correlates_as
    answer_by: datetime | None = None  # until when the message itself asks an answer
    missed: datetime | None = None  # of an answer that came late: the end of the term it should have come in
    answered_at: datetime | None = None  # when this leg was answered, the last time
    code: str | None = None  # of a refused leg: why

    @property
    def opgehaald(self) -> bool:
        return self.collected_at is not None

    @property
    def bevestigd(self) -> bool:
        return self.confirmed_at is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """A log search (docs/contract.md §9); None means: any."""

    party: str | None = None  # only messages this party sent or received; None for the operator
    referentienummer: str | None = None
    conversatie: str | None = None
    cross: str | None = None
    bovenliggend: str | None = None
    afzender: str | None = None
    ontvanger: str | None = None
    senders: frozenset[str] | None = None  # only from one of these parties
    receivers: frozenset[str] | None = None  # only to one of these
    berichttype: str | None = None
    versie: str | None = None
    opgehaald: bool | None = None
    bevestigd: bool | None = None
    since: datetime | None = None
    until: datetime | None = None  # exclusive
    limit: int = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class ToleranceUse:
    """How often a party used one tolerance (gateway/tolerances.py)."""

    tolerance: str  # its id
    first_seen: datetime
    last_seen: datetime
    count: int
