"""The messages of every set as its parties would send them: examples in order, and specimens for any step of a table.

Nothing here knows a module. Roles, documents, outcomes and tables are read from the folders of xsd/; how a table is
looked up is written anew, so that the walk does not ask the gateway what the gateway should say.
"""

import tomllib
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from itertools import groupby
from pathlib import Path

from lxml import etree

from gateway.messagesets import MessageSet, load_catalog, sample_message
from gateway.values import MessageType, Party, RoleRule, SetKey

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
    for name in ("CrossReferentienummer", "BovenliggendeConversatie", "Ontvanger", "Routering"):
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


# --- the table, and the ways through it ------------------------------------------------------------------------------

Row = tuple[int, str]  # a transition, and the state it is taken in


@dataclass(frozen=True, kw_only=True)
class Move:
    """One message of a walk, from one of two parties (0 opens) to the other."""

    one: Specimen
    side: int
    answers: str | None  # the element it answers: the last of that kind that the other side sent
    row: Row | None  # None: the table does not allow it


@dataclass(frozen=True)
class _Place:
    """Where a walk stands: all that decides what may come next."""

    state: str
    asked: frozenset[tuple[str, int]] = frozenset()  # element and side, of questions that were put
    open: frozenset[tuple[str, int]] = frozenset()  # the same, not answered yet
    seen: tuple[tuple[str, int], ...] = ()  # how often, of the elements that have a limit


@dataclass(frozen=True, kw_only=True)
class Way:
    """Moves from the initial state, each allowed, that end in `state`; `refused`: moves that are not allowed there."""

    key: SetKey
    parties: tuple[Party, Party]
    moves: tuple[Move, ...]
    state: str
    refused: tuple[Move, ...]

    @property
    def rows(self) -> set[Row]:
        return {move.row for move in self.moves if move.row is not None}

    def after(self, move: Move) -> str:
        """The state that a move of this way leads to."""
        assert move.row is not None
        number, state = move.row
        return CATALOG.sets[self.key].choreography.transitions[number].next or state


@dataclass(kw_only=True)
class Walker:
    """Finds the shortest ways of one set between two parties, breadth first."""

    key: SetKey
    parties: tuple[Party, Party]
    offers: list[tuple[Specimen, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        message_set, chosen = CATALOG.sets[self.key], {}
        for one in specimens(self.key):
            for side, (sender, receiver) in enumerate((self.parties, self.parties[::-1])):
                if may_pass(one, message_set.messages[one.element], sender, receiver, self.key):
                    chosen.setdefault((one.element, one.outcomes, side), (one, side))
        self.offers = list(chosen.values())

    def row(self, place: _Place, one: Specimen) -> Row | None:
        """The first transition that takes this message here."""
        message = CATALOG.sets[self.key].messages[one.element]
        if message.max_per_conversation is not None and dict(place.seen).get(
                one.element, 0) >= message.max_per_conversation:
            return None
        for number, row in enumerate(CATALOG.sets[self.key].choreography.transitions):
            if row.message == one.element and place.state in row.states and row.outcome in (None, *one.outcomes):
                return number, place.state
        return None

    def _questions(self, place: _Place, one: Specimen, side: int) -> Iterator[str | None]:
        message = CATALOG.sets[self.key].messages[one.element]
        if message.unasked or not message.answers:
            yield None
        there = place.asked if message.repeatable else place.open
        yield from sorted(element for element, asker in there if asker != side and element in message.answers)

    def moves(self, place: _Place) -> Iterator[Move]:
        """What may come here."""
        for one, side in self.offers:
            row = self.row(place, one)
            if row is not None and (place != self._start or side == 0):
                for answers in self._questions(place, one, side):
                    yield Move(one=one, side=side, answers=answers, row=row)

    def refusals(self, place: _Place) -> tuple[Move, ...]:
        """What may not: each message, and each outcome of one that may come with another outcome."""
        taken = {one.element for one, _ in self.offers if self.row(place, one) is not None}
        refused: dict[object, Move] = {}
        for one, side in self.offers:
            if self.row(place, one) is None:
                kind = (one.element, side, one.outcomes if one.element in taken else None)
                refused.setdefault(kind, Move(one=one, side=side, answers=None, row=None))
        return tuple(refused.values())

    @property
    def _start(self) -> _Place:
        return _Place(CATALOG.sets[self.key].choreography.initial)

    def after(self, place: _Place, move: Move) -> _Place:
        assert move.row is not None
        message_set = CATALOG.sets[self.key]
        sent = (move.one.element, move.side)
        seen = dict(place.seen)
        if message_set.messages[move.one.element].max_per_conversation is not None:
            seen[move.one.element] = seen.get(move.one.element, 0) + 1
        answerable = {element for message in message_set.messages.values() for element in message.answers}
        new = {sent} if move.one.element in answerable else set()
        return _Place(
            message_set.choreography.transitions[move.row[0]].next or place.state, place.asked | new,
            (place.open - {(move.answers, 1 - move.side)}) | new, tuple(sorted(seen.items())))

    def ways(self) -> list[Way]:
        """The shortest way over each transition, to each state, and to each limit of a message."""
        found: dict[object, Way] = {}
        places: dict[_Place, tuple[Move, ...]] = {self._start: ()}
        queue = [self._start] if any(True for _ in self.moves(self._start)) else []
        for place in queue:
            if place.state not in {way.state for way in found.values()}:
                found[place.state] = self._way(places[place], place)
            for move in self.moves(place):
                there = self.after(place, move)
                moves = (*places[place], move)
                if move.row not in found:
                    found[move.row] = self._way(moves, there)
                if there not in places:
                    places[there] = moves
                    queue.append(there)
            for element in self._exhausted(place):
                found.setdefault(("limit", element), self._way(places[place], place))
        return list(found.values())

    def _exhausted(self, place: _Place) -> Iterator[str]:
        """Messages that only their number keeps from coming here."""
        for element, seen in place.seen:
            at_limit = seen == CATALOG.sets[self.key].messages[element].max_per_conversation
            if at_limit and any(row.message == element and place.state in row.states
                                for row in CATALOG.sets[self.key].choreography.transitions):
                yield element

    def _way(self, moves: tuple[Move, ...], place: _Place) -> Way:
        return Way(key=self.key, parties=self.parties, moves=moves, state=place.state, refused=self.refusals(place))


def table_rows(key: SetKey) -> set[Row]:
    """Every transition of a set in every state it can be taken in."""
    return {(number, state) for number, row in enumerate(CATALOG.sets[key].choreography.transitions)
            for state in row.states}
