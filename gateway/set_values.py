"""The values of message sets, as far as they are not XML: roles, message types, tables, services. Part of values.py,
which hands them on; import them from there.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Step(StrEnum):
    """The last step of the line: what a request asks the hub to do once it is valid."""

    RECORD = "record"
    LIST = "list"
    COLLECT = "collect"
    CONFIRM = "confirm"
    FIND_PARTIES = "find-parties"
    SHOW_PARTY = "show-party"
    SEARCH_LOG = "search-log"
    OVERVIEW = "overview"
    PROVE = "prove"
    EXPLAIN_FAULT = "explain-fault"
    PING = "ping"


VERLOPEN = "verlopen"  # a notification that a party can ask for: a message of its own expired
NOTIFICATIONS = (VERLOPEN,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """One row of a choreography table."""

    states: frozenset[str]
    message: str
    next: str | None  # None: the state stays
    outcome: str | None = None  # the row holds only when validation found this outcome
    sender: str = ""  # the role that sends the message, as its type says; here to tell who may do what


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
    family: str | None = None  # the name it shares with the same message of other versions; None: its berichttype
    sender_role: str
    receiver_role: str
    answers: frozenset[str] = frozenset()  # message types of its own set that this one answers
    answered_families: frozenset[str] = frozenset()  # the families of those; empty: their own names
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

    @property
    def correlates_as(self) -> str:
        """The name under which a conversation knows it, whatever the version (docs/conversations.md §3)."""
        return self.family or self.berichttype

    @property
    def answers_as(self) -> frozenset[str]:
        """What it answers, under those names."""
        return self.answered_families or self.answers


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
    profile: str = "2W-be-S"  # what its set asks of every party (Digikoppeling WUS WB011)

    @property
    def agreed_as(self) -> str:
        """The name under which a party may agree on a profile of its own: the module, or the hub's service."""
        return self.key.module if self.role is not None else self.path.rpartition("/")[2]
