"""The messages of every set as its parties would send them, and the sending of them through a whole hub.

Nothing here knows a module: roles, documents and outcomes are read from the folders of xsd/.
"""

import tomllib
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from itertools import groupby
from pathlib import Path

from lxml import etree

from gateway.messagesets import MessageSet, load_catalog, sample_message
from gateway.routing import AddressBook
from gateway.values import MessageType, Party, Reply, RoleRule, SetKey
from tests.line import POSTBUS, Line

ROOT = Path(__file__).parents[2]
KN = "urn:schuldenknooppunt:knooppunt:1.0"
CATALOG = load_catalog(ROOT / "xsd")
MODULES = [key for key, one in sorted(CATALOG.sets.items(), key=lambda item: str(item[0])) if not one.core]
_SEEDS = range(600)  # tries to find a sample with an outcome that no example has
_DOCUMENT = {"TOESTEMMING": "toestemmingsverklaring", "BESCHIKKING_BEWIND": "beschikking"}  # rules KN-005, KN-006


@dataclass(frozen=True, kw_only=True)
class Specimen:
    """One valid message of a set, and what matters about it for the way it goes."""

    element: str
    octets: bytes
    outcomes: frozenset[str]
    documents: frozenset[str]
    has_bsn: bool
    name: str  # of the example, or how the sample was made

    def text(self, name: str) -> str | None:
        return control(etree.fromstring(self.octets)).findtext(f"{{{KN}}}{name}")

    @property
    def number(self) -> str:
        return self.text("Referentienummer") or ""


def control(message: etree._Element) -> etree._Element:
    """The Stuurgegevens of a message."""
    found = message.find(f"{{{KN}}}Berichtheader/{{{KN}}}Stuurgegevens")
    assert found is not None
    return found


@cache
def examples(key: SetKey) -> tuple[Specimen, ...]:
    """The valid examples of a set, by file name."""
    message_set = CATALOG.sets[key]
    return tuple(specimen(message_set, path.read_bytes(), path.stem)
                 for path in sorted((message_set.folder / "examples" / "valid").glob("*.xml")))


def specimen(message_set: MessageSet, octets: bytes, name: str) -> Specimen:
    """What a valid message says of itself, read with plain XPath from file and manifest."""
    message = etree.fromstring(octets)
    element = etree.QName(message).localname
    spaces = {message_set.prefix: message_set.namespace, "kn": KN}
    header = message.find(f"{{{KN}}}Berichtheader")
    kinds = {str(kind).strip().lower() for kind in header.xpath(
        "kn:Bijlagen/kn:Bijlage/kn:Soort/text() | kn:Grondslag/kn:Document/kn:Soort/text()", namespaces=spaces)}
    if header.xpath("kn:Grondslag/kn:Document[not(kn:Soort)]", namespaces=spaces):
        kinds |= {_DOCUMENT[one] for one in header.xpath("kn:Grondslag/kn:Soort/text()", namespaces=spaces)
                  if one in _DOCUMENT}
    return Specimen(
        element=element, octets=octets, name=name, documents=frozenset(kinds),
        outcomes=frozenset(outcome for outcome, test in _tests(message_set.folder)[element].items()
                           if message.xpath(test, namespaces=spaces)),
        has_bsn=any((node.text or "").strip() for node in message.iter(*message_set.schema.vocabulary.bsn)),
    )


@cache
def _tests(folder: Path) -> dict[str, dict[str, str]]:
    """Per message its outcomes, as XPath."""
    manifest = tomllib.loads((folder / "manifest.toml").read_text("utf-8"))
    return {one["element"]: one.get("outcomes", {}) for one in manifest["message"]}


@cache
def specimens(key: SetKey) -> tuple[Specimen, ...]:
    """The examples of a set, and a sample for each outcome that none of them has."""
    message_set, made = CATALOG.sets[key], list(examples(key))
    for element, tests in _tests(message_set.folder).items():
        missing = set(tests) - {one for made_one in made if made_one.element == element for one in made_one.outcomes}
        for seed in _SEEDS:
            if not missing:
                break
            sample = specimen(message_set, sample_message(message_set, element, seed=seed), f"{element}, seed {seed}")
            if sample.outcomes & missing:
                made.append(sample)
                missing -= sample.outcomes
        assert not missing, f"{key} {element}: no example and no sample has the outcome {sorted(missing)}"
    return tuple(made)


def conversations(key: SetKey) -> list[list[Specimen]]:
    """The examples of a set, one list per ConversatieReferentienummer, in the order of TijdstipBericht."""
    def number(one: Specimen) -> str:
        return one.text("ConversatieReferentienummer") or ""

    by_number = groupby(sorted(examples(key), key=number), key=number)
    return [sorted(group, key=lambda one: datetime.fromisoformat(one.text("TijdstipBericht") or ""))
            for _, group in by_number]


def path_of(key: SetKey, element: str) -> str:
    """The address that takes this message."""
    message_set = CATALOG.sets[key]
    role = message_set.roles[message_set.messages[element].sender_role]
    return f"/soap/{key.module}/{key.version}/{role.name.lower()}"


def address(octets: bytes, *, conversation: str, sender: str, receivers: Iterable[str],
            cross: str | None = None, number: str | None = None) -> bytes:
    """The same message in another conversation: the control fields of its header are written anew.

    Of the content only BetreftBericht follows: it repeats what CrossReferentienummer says (rules of several sets).
    """
    message = etree.fromstring(octets)
    fields = control(message)
    fields.find(f"{{{KN}}}Referentienummer").text = number or str(uuid.uuid4())
    fields.find(f"{{{KN}}}ConversatieReferentienummer").text = conversation
    fields.find(f"{{{KN}}}Afzender").text = sender
    for name in ("CrossReferentienummer", "BovenliggendeConversatie", "Ontvanger", "Routering", "VervaltOp"):
        for old in fields.findall(f"{{{KN}}}{name}"):
            fields.remove(old)
    if cross is not None:
        _put(fields, "Referentienummer", "CrossReferentienummer", cross)
        for repeated in message.iterchildren("{*}BetreftBericht"):
            repeated.text = cross
    for receiver in reversed(list(receivers)):
        _put(fields, "Afzender", "Ontvanger", receiver)
    return etree.tostring(message)


def _put(fields: etree._Element, after: str, name: str, text: str) -> None:
    added = etree.Element(f"{{{KN}}}{name}")
    added.text = text
    fields.find(f"{{{KN}}}{after}").addnext(added)


def plays(party: Party, role: RoleRule, key: SetKey) -> bool:
    """May this party play this role of this set?"""
    return bool(party.roles & role.parties and (not role.subtypes or party.subtype in role.subtypes)
                and key.version in party.modules.get(key.module, ()))


def may_pass(one: Specimen, message: MessageType, sender: Party, receiver: Party, key: SetKey) -> bool:
    """Can this very message go from the one to the other, as far as roles, documents and BSN are concerned?"""
    roles = CATALOG.sets[key].roles
    needed = message.documents | (sender.requires if message.ground else frozenset())
    return (plays(sender, roles[message.sender_role], key) and plays(receiver, roles[message.receiver_role], key)
            and needed <= one.documents and (not one.has_bsn or (sender.mag_bsn and receiver.mag_bsn)))


# --- sending them --------------------------------------------------------------------------------------------------


def parties(line: Line) -> list[Party]:
    return list(line.gate.register().parties())


def with_parties(line: Line, change: Callable[[Party], Party]) -> Line:
    """The same hub with another address book."""
    book = AddressBook([change(party) for party in parties(line)])
    return replace(line, gate=replace(line.gate, register=lambda: book))


def send(line: Line, key: SetKey, octets: bytes, sender: Party, *, path: str | None = None) -> Reply:
    element = etree.QName(etree.fromstring(octets)).localname
    return line.send(octets, path=path or path_of(key, element), party=sender.slug, sender=None)


def fields(reply: Reply, name: str) -> list[str]:
    return [element.text or "" for element in etree.fromstring(reply.octets).iter(f"{{{KN}}}{name}")]


def ask(line: Line, operation: str, party: Party, *numbers: str) -> Reply:
    children = "".join(f"<Referentienummer>{number}</Referentienummer>" for number in numbers)
    child = f'<{operation} xmlns="{KN}">{children}</{operation}>'.encode()
    return line.send(child, path=POSTBUS, party=party.slug, sender=None)


def to(key: SetKey, octets: bytes, *, sender: Party, receivers: list[Party]) -> bytes:
    """A message that opens a conversation of its own; one that must name a question names none that exists."""
    message = CATALOG.sets[key].messages[etree.QName(etree.fromstring(octets)).localname]
    return address(octets, conversation=str(uuid.uuid4()), sender=sender.id, receivers=[one.id for one in receivers],
                   cross=str(uuid.uuid4()) if message.answers and not message.unasked else None)


def openings(key: SetKey, world: Line) -> Iterator[tuple[MessageType, Specimen, Party, Party]]:
    """Per message that may open a conversation: one of it, and two parties between which it may pass."""
    message_set = CATALOG.sets[key]
    for element in dict.fromkeys(row.message for row in message_set.choreography.transitions
                                 if message_set.choreography.initial in row.states):
        yield chance(key, element, world)


def chance(key: SetKey, element: str, world: Line, **wanted: bool) -> tuple[MessageType, Specimen, Party, Party]:
    """A message of this kind and two parties between which it may pass."""
    message = CATALOG.sets[key].messages[element]
    return next(
        (message, one, sender, receiver) for one in specimens(key) if one.element == element
        and all(getattr(one, name) == value for name, value in wanted.items())
        for sender in parties(world) for receiver in parties(world)
        if sender is not receiver and may_pass(one, message, sender, receiver, key))
