"""Random messages that are valid: from schema, manifest and rules of a set, the same octets for the same seed.

A message is built from its content model, judged by the rules that judge real messages, and moved towards each rule it
breaks (_sample_repair) until none is left. What comes out has passed read_message, as any file would.
For `gateway sets sample`, the test kit and the tests; the hub itself never imports this.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from random import Random

from lxml import etree

from gateway.errors import GatewayError, Misconfigured
from gateway.messagesets._pattern import anchored
from gateway.messagesets._places import places
from gateway.messagesets._sample_repair import Repair
from gateway.messagesets._sample_tree import MODES, Builder, schema_of
from gateway.messagesets._sample_values import Values
from gateway.messagesets._sample_xpath import Expression, parse
from gateway.messagesets.checks import REACH, AttachmentLimits, check_attachments, check_contacts
from gateway.messagesets.message import HEADER
from gateway.messagesets.rules import broken_rules
from gateway.messagesets.sets import MessageSet
from gateway.messagesets.validation import read_message
from gateway.names import KN, clark
from gateway.values import MessageType

ATTEMPTS = 12  # fresh messages before giving up
STEPS = 150  # moves per attempt
_FIRST_MOMENT = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)  # a sample's own, so that a seed gives the same octets always
_CONTROL = "kn:Berichtheader/kn:Stuurgegevens/kn:"
_CONSENT = "toestemmingsverklaring"  # what parties ask where the manifest says ground = true
_MOST_RECEIVERS = 3
_LIMITS = AttachmentLimits(octets=1 << 20, count=100, total=100 << 20)  # what is made is far smaller
_UUID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")  # kn:UuidType

Wrong = tuple[str, "etree._Element", Expression, bool]  # rule, node, test, what it should be


def sample_message(
    message_set: MessageSet, element: str, *, seed: int = 0, mode: str = "random", sender: str | None = None,
    receivers: tuple[str, ...] = (), at: datetime | None = None, documents: Iterable[str] = (), bsn: bool = False,
) -> bytes:
    """A valid message, answer or service request as a UTF-8 file, decided by its arguments alone.

    element    local name of a global element of the set
    mode       minimal: nothing optional; full: all of it, lists of two; random: between
    sender     party id for Afzender, receivers for Ontvanger; random ones when not given
    at         TijdstipBericht, aware UTC; without it a moment in 2026 that the seed decides
    documents  kinds of document the header must hold beside those that the manifest asks for
    bsn        put a citizen service number where the manifest lets the parties agree on one

    Raises Misconfigured when the set has no such element, for an order that its manifest does not allow, and, naming
    the rule that stands in the way, when none of ATTEMPTS × STEPS moves gives a valid message.
    """
    if element not in message_set.elements:
        raise Misconfigured(f"{message_set.key} has no element {element}; use one of "
                            f"{', '.join(sorted(message_set.messages) or sorted(message_set.elements))}")
    if mode not in MODES:
        raise Misconfigured(f"mode {mode} is not known; use {', '.join(MODES)}")
    _check_parties(message_set.messages.get(element), sender, receivers)
    task = _Task(message_set, element, mode, sender, tuple(dict.fromkeys(receivers)), at, tuple(documents), bsn)
    stuck: Counter[str] = Counter()
    for attempt in range(ATTEMPTS):
        random = Random(f"{message_set.key} {element} {mode} {seed} {attempt}")  # noqa: S311 - samples, no secrets
        found = task.attempt(random, stuck)
        if found is not None:
            return found
    worst = ", ".join(rule for rule, _ in stuck.most_common(3)) or "none by name"
    raise Misconfigured(f"{message_set.folder}: no valid {element} in {ATTEMPTS} attempts of {STEPS} moves; rules that "
                        f"stand in the way: {worst}; simplify them, or correct the schema they contradict")


def _check_parties(kind: MessageType | None, sender: str | None, receivers: tuple[str, ...]) -> None:
    for party in (sender, *receivers):
        if party is not None and not _UUID.fullmatch(party):
            raise Misconfigured(f"{party} is no party id; write a UUID, as `gateway parties list` shows it")
    if kind is not None and len(set(receivers)) > kind.max_receivers:
        raise Misconfigured(f"{kind.element} goes to at most {kind.max_receivers}; name fewer receivers")


class _Task:
    """One order: which message, for whom, with what."""

    def __init__(self, message_set: MessageSet, element: str, mode: str, sender: str | None,
                 receivers: tuple[str, ...], at: datetime | None, documents: tuple[str, ...], bsn: bool) -> None:
        self._set = message_set
        self._tag = clark(message_set.namespace, element)
        self._type = message_set.messages.get(element)
        self._mode = mode
        self._sender = sender
        self._receivers = receivers
        self._at = at
        self._documents = documents
        self._bsn = bsn
        self._needed = message_set.requirements.get(element)
        self._vocabulary = message_set.schema.vocabulary
        self._spaces = {message_set.prefix: message_set.namespace, "kn": KN}

    def attempt(self, random: Random, stuck: Counter[str]) -> bytes | None:
        """Build one message and repair it; None when moves run out. `stuck` counts what was wrong."""
        at = self._at or _FIRST_MOMENT + timedelta(seconds=random.randrange(300 * 86400))
        builder = self._builder(random, at)
        message = builder.message()
        facts = [parse(fact) for fact in self._facts(random)]
        repair = Repair(message, builder, {**self._rule_spaces(), **self._spaces})
        for _ in range(STEPS):
            self._address(message)
            self._files(message, builder.values)
            wrong = list(self._wrong(message, facts, repair))
            if not wrong:
                return self._proven(message, stuck)
            rule, node, test, wanted = random.choice(wrong)
            stuck[rule] += 1
            repair.make(test, node, wanted)
        return None

    def _builder(self, random: Random, at: datetime) -> Builder:
        control = clark(KN, "Stuurgegevens")
        fixed = {(control, clark(KN, "TijdstipBericht")): at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}
        banned: frozenset[str] = frozenset()
        if self._type is not None:
            fixed[control, clark(KN, "Berichttype")] = self._type.berichttype
            fixed[control, clark(KN, "Versie")] = self._type.version
            if self._type.bsn == "never" or (self._type.bsn == "agreed" and not self._bsn):
                banned = frozenset(self._vocabulary.bsn)
        if self._sender is not None:
            fixed[control, clark(KN, "Afzender")] = self._sender
        values = Values(random, at, self._vocabulary)
        root = schema_of(self._set).maps.elements[self._tag]
        return Builder(values, root, self._mode, banned, fixed, self._spaces)

    def _rule_spaces(self) -> dict[str, str]:
        return dict(self._set.rules.namespaces) if self._set.rules is not None else {}

    def _facts(self, random: Random) -> Iterator[str]:
        """What the manifest asks of the message, as tests on the message element."""
        kind = self._type
        if kind is None or HEADER not in (self._vocabulary.children.get(self._tag) or ()):
            return
        if kind.answers and not kind.unasked:
            yield f"{_CONTROL}CrossReferentienummer"
        elif not kind.answers:
            yield f"not({_CONTROL}CrossReferentienummer)"
        if not self._receivers and kind.routes and random.random() < 0.5:
            yield f"{_CONTROL}Routering/kn:Soort = '{random.choice(sorted(kind.routes))}'"
        else:
            most = min(kind.max_receivers, _MOST_RECEIVERS) if self._mode != "minimal" else 1
            yield f"count({_CONTROL}Ontvanger) = {len(self._receivers) or random.randint(1, most)}"
        ground = {_CONSENT} if kind.ground and not self._documents else set()
        for document in sorted({*self._documents, *kind.documents, *ground}):
            yield f"kn:Berichtheader/kn:Bijlagen/kn:Bijlage/kn:Soort = '{document.upper()}'"
        yield from self._numbered(kind, random)

    def _numbered(self, kind: MessageType, random: Random) -> Iterator[str]:
        """A citizen service number, where one must stand or was asked for."""
        if kind.bsn != "always" and not (kind.bsn == "agreed" and self._bsn):
            return
        direct = sorted(self._vocabulary.children.get(self._tag) or ())
        known = places(self._vocabulary.children, self._tag) or {tag: ((tag,),) for tag in direct}
        found = sorted(path for tag in self._vocabulary.bsn for path in known.get(tag, ()))
        if found:
            yield "/".join(self._name(etree.QName(step)) for step in random.choice(found))

    def _address(self, message: "etree._Element") -> None:
        nodes = message.iterfind(f"{HEADER}/{clark(KN, 'Stuurgegevens')}/{clark(KN, 'Ontvanger')}")
        for node, receiver in zip(nodes, self._receivers, strict=False):  # their number is a fact of its own
            node.text = receiver

    def _files(self, message: "etree._Element", values: Values) -> None:
        attached = self._vocabulary.attached
        for body in list(message.iter(*attached)) if attached else ():
            attachment = body.getparent()
            if attachment is not None and any(check_attachments(attachment, (str(body.tag),), _LIMITS)):
                values.file(attachment, body)

    def _wrong(self, message: "etree._Element", facts: list[Expression], repair: Repair) -> Iterator[Wrong]:
        for test in facts:
            if not repair.holds(test, message):
                yield "manifest", message, test, True
        for wrong in check_contacts(message, self._vocabulary.contact):
            yield wrong.rule, wrong.node, parse(self._reach(str(wrong.node.tag))), True
        for book in self._needed.books if self._needed is not None else ():
            for node, rule in broken_rules(book, message):
                yield rule.id, node, parse(anchored(rule.test)), not rule.report

    def _reach(self, tag: str) -> str:
        """The test that somebody with this tag can be reached."""
        known = [one for one in map(etree.QName, sorted(self._vocabulary.children.get(tag) or ()))
                 if one.localname in REACH]
        return " or ".join(self._name(one) for one in known) or "false()"

    def _name(self, qname: etree.QName) -> str:
        """An element's name with the prefix of the set or of the shared set."""
        prefix = next(prefix for prefix, namespace in self._spaces.items() if namespace == qname.namespace)
        return f"{prefix}:{qname.localname}"

    def _proven(self, message: "etree._Element", stuck: Counter[str]) -> bytes | None:
        """The file, once it is accepted as any other would be."""
        etree.indent(message)
        octets = etree.tostring(message, encoding="UTF-8", xml_declaration=True) + b"\n"
        try:
            read_message(octets, lambda namespace: self._set if namespace == self._set.namespace else None)
        except GatewayError as error:
            stuck.update(finding.rule for finding in error.findings)
            return None
        return octets
