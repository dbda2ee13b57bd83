"""What changed in the content of messages: elements, how often they may stand, their types and facets.

Types are compared by what they allow, not by their names: a type that was only renamed is no change on the wire. A
named type that many messages share is compared once, and its changes say in which messages they show.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from lxml import etree
from xmlschema.validators import XsdElement, XsdGroup, XsdSimpleType, XsdUnion

from gateway.messagesets._diff_words import Change, change
from gateway.messagesets._sample_tree import Particle, content_model, elements, simple_type
from gateway.messagesets._sample_values import primitive
from gateway.messagesets.message import HEADER
from gateway.messagesets.sets import MessageSet

Occurs = tuple[int, int | None]  # at least, at most; None: without limit
_ANYTHING = "*"
_DEEPEST = 20  # levels that count for the likeness of two messages


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One of the two sets, with its schema read."""

    message_set: MessageSet
    roots: Mapping[str, XsdElement]  # local name → global element of the set

    def name(self, tag: str) -> str:
        """An element or type as it is called in both sets: without namespace when it is the set's own."""
        qname = etree.QName(tag)
        if qname.namespace == self.message_set.namespace:
            return qname.localname
        return f"{self.message_set.naming.prefixes.get(qname.namespace or '', 'xs')}:{qname.localname}"

    def children(self, model: XsdGroup) -> dict[str, XsdElement]:
        found: dict[str, XsdElement] = {}
        for one in elements(model):
            found.setdefault(self.name(str(one.name)), one)
        return found

    def occurs(self, part: Particle) -> dict[str, Occurs]:
        """How often each child may stand in one particle, in order of first appearance."""
        if not isinstance(part, XsdGroup):
            name = self.name(str(part.name)) if isinstance(part, XsdElement) else _ANYTHING
            return {name: (part.min_occurs, part.max_occurs)}
        branches = [self.occurs(one) for one in part]
        found: dict[str, Occurs] = {}
        for name in dict.fromkeys(name for branch in branches for name in branch):
            each = [branch.get(name, (0, 0)) for branch in branches]
            if part.model == "choice":
                found[name] = min(low for low, _ in each), _most(high for _, high in each)
            else:
                found[name] = sum(low for low, _ in each), _sum(high for _, high in each)
        return {name: (low * part.min_occurs, _times(high, part.max_occurs)) for name, (low, high) in found.items()}

    def shape(self, part: Particle) -> object:
        """How choices and sequences are nested; a sequence within a sequence is only a way of writing."""
        if not isinstance(part, XsdGroup):
            return self.name(str(part.name)) if isinstance(part, XsdElement) else _ANYTHING
        inside: list[object] = []
        for one in part:
            plain = isinstance(one, XsdGroup) and one.model == part.model and one.max_occurs == one.min_occurs == 1
            shape = self.shape(one)
            inside.extend(shape[2] if plain and isinstance(shape, tuple) else [shape])
        return part.model, (part.min_occurs, part.max_occurs), tuple(inside)

    def outline(self, declared: XsdElement, path: tuple[str, ...] = ()) -> Iterator[tuple[object, ...]]:
        """Every element in a message with its path, occurrence and kind of value; without the header all share."""
        model = content_model(declared)
        if model is None or len(path) > _DEEPEST:
            kind = simple_type(declared)
            yield path, "", primitive(kind) if kind is not None else ""
            return
        children = self.children(model)
        for name, (low, high) in self.occurs(model).items():
            yield (*path, name), low, high
            if name in children and children[name].name != HEADER:
                yield from self.outline(children[name], (*path, name))


@dataclass(slots=True)
class _Pair:
    """Two types that were compared: what changed, and in which messages that shows."""

    changes: tuple[Change, ...]
    messages: list[str] = field(default_factory=list)


class Comparison:
    """Compares the content of messages of two sets; gather the result with `changes`."""

    def __init__(self, old: Side, new: Side) -> None:
        self._old = old
        self._new = new
        self._pairs: dict[tuple[int, int, str], _Pair] = {}

    def message(self, old: XsdElement, new: XsdElement, name: str) -> None:
        """Compare two messages; `name` is what the message is called now."""
        self._types(old, new, name, name)

    def changes(self) -> Iterator[Change]:
        for pair in self._pairs.values():
            for one in pair.changes:
                yield one.within(tuple(pair.messages))

    def _types(self, old: XsdElement, new: XsdElement, place: str, message: str) -> None:
        named = self._old.name(str(old.type.name)) if old.type.name else ""
        if named and new.type.name and self._new.name(str(new.type.name)) == named and not named.startswith("xs:"):
            place = named
        models = content_model(old), content_model(new)
        key = id(old.type), id(new.type), place
        if key not in self._pairs:
            self._pairs[key] = _Pair(changes=tuple(self._compare(old, new, place)))
        elif message in self._pairs[key].messages:
            return  # seen in this message; a type may hold itself
        self._pairs[key].messages.append(message)
        if models[0] is not None and models[1] is not None:
            below = self._new.children(models[1])
            for name, child in self._old.children(models[0]).items():
                if name in below:
                    self._types(child, below[name], f"{place}/{name}", message)

    def _compare(self, old: XsdElement, new: XsdElement, place: str) -> Iterator[Change]:
        old_model, new_model = content_model(old), content_model(new)
        if old_model is not None and new_model is not None:
            yield from self._models(old_model, new_model, place)
            return
        old_kind, new_kind = simple_type(old), simple_type(new)
        if old_kind is not None and new_kind is not None:
            yield from _values(old_kind, new_kind, place)
        else:
            yield change("type", place, _kind(old_kind), _kind(new_kind))

    def _models(self, old: XsdGroup, new: XsdGroup, place: str) -> Iterator[Change]:
        before, after = self._old.occurs(old), self._new.occurs(new)
        for name in (name for name in before if name not in after):
            yield change("element-removed", f"{place}/{name}", _written(before[name]), None)
        for name in (name for name in after if name not in before):
            yield change("element-added", f"{place}/{name}", None, _written(after[name]))
        common = [name for name in before if name in after]
        for name in common:
            if before[name] != after[name]:
                yield change("occurrence", f"{place}/{name}", _written(before[name]), _written(after[name]))
        order = [name for name in after if name in before]
        if order != common:
            yield change("order", place, ", ".join(common), ", ".join(order))
        elif before == after and self._old.shape(old) != self._new.shape(new):
            yield change("choice", place, None, None)


def _values(old: XsdSimpleType, new: XsdSimpleType, place: str) -> Iterator[Change]:
    if _kind(old) != _kind(new):
        yield change("type", place, _kind(old), _kind(new))
    before, after = _codes(old), _codes(new)
    if before and after:
        for code in (code for code in before if code not in after):
            yield change("value-removed", place, code, None)
        for code in (code for code in after if code not in before):
            yield change("value-added", place, None, code)
    elif before or after:
        yield change("values", place, ", ".join(before) or None, ", ".join(after) or None)
    facets = _facets(old), _facets(new)
    for name in sorted(facets[0].keys() | facets[1].keys()):
        if facets[0].get(name) != facets[1].get(name):
            yield change("facet", f"{place} {name}", facets[0].get(name), facets[1].get(name))


def _kind(kind: XsdSimpleType | None) -> str:
    """The kind of content in a word; "" where elements stand."""
    if isinstance(kind, XsdUnion):
        return " | ".join(primitive(member) for member in kind.member_types)
    return primitive(kind) if kind is not None else ""


def _codes(kind: XsdSimpleType) -> tuple[str, ...]:
    return tuple(str(value) for value in kind.enumeration or ())


def _facets(kind: XsdSimpleType) -> dict[str, str]:
    found = {"pattern": " | ".join(sorted(map(str, kind.patterns.regexps)))} if kind.patterns is not None else {}
    for name, facet in kind.facets.items():
        value = getattr(facet, "value", None)
        if value is not None:
            found[str(name).rpartition("}")[2]] = str(value)
    return found


def _written(occurs: Occurs) -> str:
    low, high = occurs
    return f"{low}..{'*' if high is None else high}"


def _most(numbers: Iterable[int | None]) -> int | None:
    found = list(numbers)
    return None if None in found else max(number for number in found if number is not None)


def _sum(numbers: Iterable[int | None]) -> int | None:
    found = list(numbers)
    return None if None in found else sum(number for number in found if number is not None)


def _times(one: int | None, other: int | None) -> int | None:
    if one == 0 or other == 0:
        return 0
    return None if one is None or other is None else one * other
