"""Read one manifest.toml into frozen values, or say exactly what is wrong with it.

Every key is known or refused: a misspelt key would silently switch a rule off. What the keys mean stands in
docs/message-sets.md.
"""

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from gateway.errors import Misconfigured
from gateway.messagesets._table import Table
from gateway.messagesets.checks import AttachmentLimits
from gateway.names import KN, set_namespace
from gateway.toml_lines import lines_of
from gateway.values import Choreography, MessageType, RoleRule, SetKey, Step, Transition

STATUSES = ("draft", "test", "active", "deprecated", "closed", "archived")
PROFILES = ("2W-be", "2W-be-S", "2W-be-SE")
BSN_RULES = ("never", "agreed", "always")
ROUTES = ("GEMEENTECODE", "RECHTBANK", "BRON")  # kinds of kn:Routering
CHECKS = ("eleven-test", "mod-97", "attachments")
# The published proposal; a message may declare other limits. Of the number it says two: here what the header takes.
MAX_ATTACHMENT_OCTETS = 5 * 1024 * 1024
MAX_ATTACHMENTS, MAX_ATTACHMENTS_OCTETS = 100, 10 * 1024 * 1024

T = TypeVar("T")

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_VERSION = re.compile(r"\d{1,2}\.\d{1,2}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What validation asks of one message beyond its schema and rules."""

    checks: frozenset[str] = frozenset()
    outcomes: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))  # name → XPath 1.0
    max_attachment_octets: int = MAX_ATTACHMENT_OCTETS
    max_attachments: int = MAX_ATTACHMENTS
    max_attachments_octets: int = MAX_ATTACHMENTS_OCTETS  # of all together
    answer_by: str | None = None  # XPath 1.0 of the date or moment until when the message itself asks an answer

    @property
    def attachments(self) -> AttachmentLimits:
        return AttachmentLimits(octets=self.max_attachment_octets, count=self.max_attachments,
                                total=self.max_attachments_octets)


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgeRule:
    """One declared mapping of a message to another version of its module."""

    message: str
    to: str  # version of the module
    element: str  # what the message is called there
    xslt: str  # file, from the folder of the set
    when: str | None  # XPath 1.0: of which messages nothing would be lost; None: of all


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceRule:
    """One service of the shared set: its operations and the step each asks for."""

    name: str
    title_nl: str
    title_en: str
    operations: Mapping[str, Step]


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """One manifest.toml. `choreography` is None, and `services` not empty, for the shared set alone; its `messages` are
    what the hub itself sends.
    """

    folder: Path
    key: SetKey
    namespace: str
    prefix: str
    title_nl: str
    title_en: str
    status: str
    profile: str
    sealed: bool
    schema: str
    rules: str | None
    roles: Mapping[str, RoleRule]
    messages: Mapping[str, MessageType]
    demands: Mapping[str, Demand]
    choreography: Choreography | None
    services: tuple[ServiceRule, ...]
    bridges: tuple[BridgeRule, ...]
    files: Mapping[str, str]  # file name → SHA-256, hex


def read_manifest(path: Path) -> Manifest:
    """Read `path`; its folder names version and module.

    Raises Misconfigured, naming file, line, key and remedy, for anything missing, unknown or contradictory.
    """
    try:
        text = path.read_text(encoding="utf-8")
        values = tomllib.loads(text)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise Misconfigured(f"{path}: no readable TOML ({error}); correct the file") from error
    top = Table(path, lines_of(text), values)
    manifest = _manifest(top, path.parent)
    top.done()
    return manifest


def _manifest(top: Table, folder: Path) -> Manifest:
    key = SetKey(module=top.equal("module", folder.parent.name), version=top.equal("version", folder.name))
    namespace = top.equal("namespace", set_namespace(key.module, key.version))
    core = namespace == KN
    told = not core or top.has("message")  # of the shared set: what the hub itself tells its parties
    roles = _by_name(top, "role", _role, lambda role: role.name) if told else {}
    pairs = _by_name(
        top, "message", lambda table: _message(table, namespace, roles), lambda pair: pair[0].element) if told else {}
    messages = _with_families(top, {element: message for element, (message, _) in pairs.items()})
    sealed = top.one_of("body", ("clear", "sealed"), default="clear") == "sealed"
    if sealed and top.has("bridge"):
        top.refuse("bridge", "the hub can't map what it can't read; take it out, or make the body clear")
    for element, message in messages.items() if sealed else ():
        if message.routes or message.max_receivers > 1:
            top.refuse("message", f"{element} can't have routes or more than one addressee: a sealed body is encrypted "
                       "for the one that its sender names; take them out, or make the body clear")
    return Manifest(
        folder=folder,
        key=key,
        namespace=namespace,
        prefix=top.name("prefix", _NAME),
        title_nl=top.text("title_nl"),
        title_en=top.text("title_en"),
        status=top.one_of("status", STATUSES),
        profile=top.one_of("profile", PROFILES),
        sealed=sealed,
        schema=top.text("schema"),
        rules=top.optional_text("rules"),
        roles=MappingProxyType(roles),
        messages=MappingProxyType(messages),
        demands=MappingProxyType({element: demand for element, (_, demand) in pairs.items()}),
        choreography=None if core else _choreography(top, messages),
        services=tuple(_by_name(top, "service", _service, lambda service: service.name).values()) if core else (),
        bridges=() if core else tuple(_bridges(top, key, messages)),
        files=MappingProxyType(top.table("files").hashes()) if top.has("files") else MappingProxyType({}),
    )


def _with_families(top: Table, messages: Mapping[str, MessageType]) -> dict[str, MessageType]:
    """The messages, each with the families of what it answers."""
    families = {message.berichttype: message.correlates_as for message in messages.values()}
    for element, message in messages.items():
        for answered in sorted(message.answers - families.keys()):
            top.refuse("message", f"{element} answers {answered}, which is no message of this set")
    return {element: replace(message, answered_families=frozenset(families[one] for one in message.answers))
            for element, message in messages.items()}


def _by_name(top: Table, key: str, read: Callable[[Table], T], name: Callable[[T], str]) -> dict[str, T]:
    found: dict[str, T] = {}
    for table in top.tables(key):
        value = read(table)
        table.done()
        if name(value) in found:
            table.refuse("name", f"{name(value)} stands here for the second time; give it another name")
        found[name(value)] = value
    if not found:
        top.refuse(key, f"there is no [[{key}]]; add at least one")
    return found


def _role(table: Table) -> RoleRule:
    return RoleRule(
        name=table.name("name", _NAME),
        parties=frozenset(table.texts("parties")),
        subtypes=frozenset(table.texts("subtypes", optional=True)),
        title_nl=table.text("title_nl"),
        title_en=table.text("title_en"),
    )


def _message(table: Table, namespace: str, roles: Mapping[str, RoleRule]) -> tuple[MessageType, Demand]:
    element = table.name("element", _NAME)
    demand = Demand(
        checks=frozenset(table.texts("checks", optional=True, allowed=CHECKS)),
        outcomes=MappingProxyType(table.table("outcomes").strings()) if table.has("outcomes") else MappingProxyType({}),
        max_attachment_octets=table.positive("max_attachment_octets") or MAX_ATTACHMENT_OCTETS,
        max_attachments=table.positive("max_attachments") or MAX_ATTACHMENTS,
        max_attachments_octets=table.positive("max_attachments_octets") or MAX_ATTACHMENTS_OCTETS,
        answer_by=table.optional_text("answer_by"),
    )
    if demand.max_attachment_octets > demand.max_attachments_octets:
        table.refuse("max_attachments_octets", f"is {demand.max_attachments_octets}, less than what one attachment "
                     "may have; make it at least max_attachment_octets")
    message = MessageType(
        element=element,
        namespace=namespace,
        berichttype=table.optional_text("berichttype") or element,
        version=table.name("version", _VERSION),
        family=table.optional_text("family"),
        sender_role=table.one_of("from", tuple(roles)),
        receiver_role=table.one_of("to", tuple(roles)),
        answers=frozenset(table.texts("answers", optional=True)),
        repeatable=table.flag("repeatable"),
        unasked=table.flag("unasked"),
        answer_working_days=table.positive("answer_working_days"),
        expires_working_days=table.positive("expires_working_days"),
        max_per_conversation=table.positive("max_per_conversation"),
        max_receivers=table.positive("max_receivers") or 1,
        bsn=table.one_of("bsn", BSN_RULES, default="never"),
        ground=table.flag("ground"),
        documents=frozenset(table.texts("documents", optional=True)),
        routes=frozenset(table.texts("routes", optional=True, allowed=ROUTES)),
        outcomes=frozenset(demand.outcomes),
        title_nl=table.text("title_nl"),
        title_en=table.text("title_en"),
    )
    return message, demand


def _choreography(top: Table, messages: Mapping[str, MessageType]) -> Choreography:
    rows = []
    for table in top.tables("transition"):
        message = table.one_of("message", tuple(messages))
        outcome = table.optional_text("outcome")
        if outcome is not None and outcome not in messages[message].outcomes:
            table.refuse("outcome", f"{message} declares no outcome {outcome}; add it to its `outcomes`")
        rows.append(Transition(
            states=frozenset(table.texts("state")),
            message=message,
            next=table.optional_text("next"),
            outcome=outcome,
            sender=messages[message].sender_role,
        ))
        table.done()
    return Choreography(
        initial=top.text("initial"),
        transitions=tuple(rows),
        enforced=top.one_of("choreography", ("enforce", "warn")) == "enforce",
    )


def _bridges(top: Table, key: SetKey, messages: Mapping[str, MessageType]) -> Iterator[BridgeRule]:
    for table in top.tables("bridge"):
        mapped = table.texts("message", allowed=tuple(messages))
        element, to = table.optional_text("element"), table.name("to", _VERSION)
        if element is not None and len(mapped) > 1:
            table.refuse("element", "is one name for several messages; write a [[bridge]] for each")
        if to == key.version:
            table.refuse("to", "is this version; name another version of the module")
        xslt, when = table.text("xslt"), table.optional_text("when")
        table.done()
        yield from (BridgeRule(message=one, to=to, element=element or one, xslt=xslt, when=when) for one in mapped)


def _service(table: Table) -> ServiceRule:
    operations = {}
    for row in table.tables("operation"):
        operations[row.name("name", _NAME)] = Step(row.one_of("step", tuple(Step)))
        row.done()
    return ServiceRule(
        name=table.name("name", re.compile(r"[a-z][a-z0-9-]*")),
        title_nl=table.text("title_nl"),
        title_en=table.text("title_en"),
        operations=MappingProxyType(operations),
    )
