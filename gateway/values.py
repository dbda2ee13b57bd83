"""The values that travel the line: frozen, typed, without behaviour beyond looking at themselves.

Each step of the line takes the value of the step before and gives a narrower one (docs/architecture.md). The values
that hold XML live in the rooms that make them: Envelope in soap, Verified in security, Message in messagesets.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from types import MappingProxyType

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What goes back over HTTP."""

    status: int
    octets: bytes
    content_type: str = "text/xml; charset=utf-8"
    retry_after: int | None = None  # seconds


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
    pins: frozenset[str] = frozenset()  # SHA-256 (hex) of its certificates; empty: trust path and OIN decide
    gemeentecodes: frozenset[str] = frozenset()
    routing: Mapping[str, frozenset[str]] = field(default_factory=lambda: MappingProxyType({}))  # other kinds of key
    acts_for: frozenset[str] = frozenset()  # OINs this party may send for (mandate)
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


# --- message sets, as far as they are not XML ----------------------------------------------------------------


class Step(StrEnum):
    """The last step of the line: what a request asks the hub to do once it is valid."""

    RECORD = "record"
    LIST = "list"
    COLLECT = "collect"
    CONFIRM = "confirm"
    FIND_PARTIES = "find-parties"
    SHOW_PARTY = "show-party"
    SEARCH_LOG = "search-log"
    PING = "ping"


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """One row of a choreography table."""

    states: frozenset[str]
    message: str
    next: str | None  # None: the state stays
    outcome: str | None = None  # the row holds only when validation found this outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleRule:
    """A role in one message set and the parties that may play it."""

    name: str  # SHV, SE …
    parties: frozenset[str]  # party roles that may play it
    subtypes: frozenset[str] = frozenset()  # when not empty, the party's subtype must be one of these
    title_nl: str = ""
    title_en: str = ""

    @property
    def endpoint(self) -> str:
        """The role's segment in the URL."""
        return self.name.lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageType:
    """One message of a message set, as its manifest declares it."""

    element: str
    namespace: str
    berichttype: str
    version: str  # on the wire, in Versie
    sender_role: str
    receiver_role: str
    answers: frozenset[str] = frozenset()  # message types this one answers
    repeatable: bool = False  # more than one of these may answer one question
    unasked: bool = False  # may also be sent without a question
    answer_working_days: int | None = None
    expires_working_days: int | None = None  # None: the hub's term
    max_per_conversation: int | None = None
    max_receivers: int = 1
    bsn: str = "never"  # never | agreed | always
    ground: bool = False  # the documents of Party.requires must be in the header
    documents: frozenset[str] = frozenset()  # documents that must be in the header, whoever sends
    routes: frozenset[str] = frozenset()  # kinds of Routering that may stand in for Ontvanger
    outcomes: frozenset[str] = frozenset()
    title_nl: str = ""
    title_en: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetKey:
    """Names one message set."""

    module: str
    version: str

    def __str__(self) -> str:
        return f"{self.module}/{self.version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choreography:
    """The state machine of one message set: a table."""

    initial: str
    transitions: tuple[Transition, ...]
    enforced: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation of a service: the Body's element, the Action that names it, and what is done with it."""

    name: str  # local name of the request element
    namespace: str
    action: str
    step: Step
    message_type: MessageType | None = None  # for Step.RECORD


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One address on the SOAP listener."""

    path: str  # /soap/<module>/<version>/<role or service>
    key: SetKey
    role: RoleRule | None  # None for the services every party may call
    operations: Mapping[str, Operation]  # by wsa:Action


# --- admitted, addressed -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Permit:
    """This caller may ask this operation at this service. Says nothing yet about signature or content."""

    caller: Party
    service: Service
    operation: Operation


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
class Acceptance:
    """Everything the journal needs to record one valid message; plain values, ready for one transaction."""

    key: SetKey
    header: Header
    message_type: MessageType
    receivers: tuple[Party, ...]
    outcomes: frozenset[str]
    payload: bytes  # the message element in exclusive canonical form
    message_digest: bytes  # SHA-256 of payload
    body_digest: bytes  # SHA-256 of the canonical soap:Body as signed
    message_id: str  # wsa:MessageID
    proof: Proof
    received_at: datetime
    expires_at: datetime


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

    berichttype: str
    sender: str
    answered: bool


class DeliveryState(StrEnum):
    """States of a message for one addressee (docs/contract.md §8)."""

    BESCHIKBAAR = "BESCHIKBAAR"
    OPGEHAALD = "OPGEHAALD"
    BEVESTIGD = "BEVESTIGD"
    VERLOPEN = "VERLOPEN"
    GEANNULEERD = "GEANNULEERD"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One message as a mailbox list, a log search or an operator sees it: metadata, never content."""

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
    status: DeliveryState
    collected_at: datetime | None
    confirmed_at: datetime | None

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
    afzender: str | None = None
    ontvanger: str | None = None
    berichttype: str | None = None
    versie: str | None = None
    opgehaald: bool | None = None
    bevestigd: bool | None = None
    since: datetime | None = None
    until: datetime | None = None  # exclusive
    limit: int = 1000


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
