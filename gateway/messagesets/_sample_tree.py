"""Elements from content models: made fresh, or rearranged so that a child is there or is gone.

Everything built here fits the schema; what the rules ask beyond it is for _sample_repair.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType

from lxml import etree
from xmlschema import XMLSchema10
from xmlschema.validators import XsdAnyElement, XsdComplexType, XsdElement, XsdGroup, XsdSimpleType

from gateway.errors import Misconfigured
from gateway.messagesets._sample_values import Values
from gateway.messagesets.sets import MessageSet, read_schema
from gateway.names import clark, set_namespace

Particle = XsdElement | XsdAnyElement | XsdGroup
Above = tuple[str, ...]  # tags of the element that is filled and of those around it
MODES = ("minimal", "random", "full")
_DEEPEST = 12  # levels; below this, optional parts are left out
_MOST_REPEATED = 3
_UNKNOWN = clark(set_namespace("voorbeeld", "0.0"), "Voorbeeld")  # where anything may stand


class _ImpossibleError(Exception):
    """The content model has no arrangement with these wishes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What an arrangement of children must meet."""

    least: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))  # tag → at least so many
    without: frozenset[str] = frozenset()  # tags that must go
    kept: Mapping[str, list["etree._Element"]] | None = None  # what stands there already; None: nothing yet, choose


class Builder:
    """Makes and rearranges elements of one message."""

    def __init__(self, values: Values, root: XsdElement, mode: str, banned: frozenset[str],
                 fixed: Mapping[tuple[str, str], str], nsmap: Mapping[str, str]) -> None:
        self.values = values
        self.root = root
        self._random = values.random
        self._mode = mode
        self._banned = banned  # tags of leaves that may stand nowhere
        self.fixed = fixed  # (tag of the parent, tag) → its one value
        self._nsmap = dict(nsmap)
        self._possible: dict[int, bool] = {}

    def message(self) -> "etree._Element":
        """A new message. Raises Misconfigured when the schema leaves no way to make one."""
        message = etree.Element(str(self.root.name), nsmap=self._nsmap)
        try:
            self._fill(message, self.root)
        except _ImpossibleError as error:
            raise Misconfigured(f"{self.root.name}: the schema asks for what this message may not hold") from error
        return message

    def declaration(self, node: "etree._Element") -> XsdElement | None:
        """The declaration of a node in the message; None below content that the schema does not describe."""
        parent = node.getparent()
        if parent is None:
            return self.root
        above = self.declaration(parent)
        return None if above is None else child_of(above, str(node.tag))

    def rearrange(self, parent: "etree._Element", *, more: str = "", less: "etree._Element | None" = None) -> bool:
        """Have one more child `more`, or do without the child `less`; False (and no change) where that can't be."""
        declared = self.declaration(parent)
        model = content_model(declared) if declared is not None else None
        if model is None:
            return False
        before = list(parent)
        kept: dict[str, list[etree._Element]] = {}
        for child in before:
            if child is not less:
                kept.setdefault(str(child.tag), []).append(child)
        least = {more: len(kept.get(more, ())) + 1} if more else {}
        gone = frozenset({str(less.tag)} - kept.keys()) if less is not None else frozenset()
        try:
            return self._arrange(parent, model, Wish(least=least, without=gone, kept=kept))
        except _ImpossibleError:
            parent[:] = before
            return False

    def _fill(self, node: "etree._Element", declared: XsdElement) -> None:
        model = content_model(declared)
        if model is not None:
            self._arrange(node, model, Wish())
            return
        parent = node.getparent()
        key = (str(parent.tag) if parent is not None else "", str(node.tag))
        kind = simple_type(declared)
        if kind is not None:
            node.text = self.fixed.get(key) or self.values.text(str(node.tag), kind)

    def _arrange(self, node: "etree._Element", model: XsdGroup, wish: Wish) -> bool:
        pool = {tag: list(nodes) for tag, nodes in (wish.kept or {}).items()}
        above = (str(node.tag), *(str(one.tag) for one in node.iterancestors()))
        plan = list(self._times(model, wish, pool, above))
        count = {tag: sum(step[0] == tag for step in plan) for tag in wish.least}
        if any(count[tag] < least for tag, least in wish.least.items()):
            raise _ImpossibleError
        made = []
        for tag, declared, present in plan:
            child = etree.SubElement(node, tag) if present is None else present
            if present is None and declared is not None:
                self._fill(child, declared)
            made.append(child)
        for child in list(node):
            node.remove(child)
        node.extend(made)
        return True

    def _times(self, part: Particle, wish: Wish, pool: dict[str, list["etree._Element"]],
               above: Above) -> Iterator[tuple[str, XsdElement | None, "etree._Element | None"]]:
        """The children that one particle gives: tag, declaration, and the node when it stands there already."""
        if isinstance(part, XsdGroup):
            for _ in range(self._rounds(part, wish, pool, above)):
                yield from self._group(part, wish, pool, above)
            return
        tag = str(part.name) if isinstance(part, XsdElement) else _UNKNOWN
        kept = pool.pop(tag, [])
        count = self._count(part, tag, len(kept), wish, above)
        declared = part if isinstance(part, XsdElement) else None
        pool.setdefault(tag, kept[count:])
        yield from ((tag, declared, kept[index] if index < len(kept) else None) for index in range(count))

    def _group(self, group: XsdGroup, wish: Wish, pool: dict[str, list["etree._Element"]],
               above: Above) -> Iterator[tuple[str, XsdElement | None, "etree._Element | None"]]:
        parts: list[Particle] = list(group)
        if group.model == "choice":
            parts = [self._branch(parts, wish, pool)]
        for part in parts:
            yield from self._times(part, wish, pool, above)

    def _branch(self, parts: list[Particle], wish: Wish, pool: Mapping[str, list["etree._Element"]]) -> Particle:
        able = [part for part in parts if self._can(part, wish)]
        if not able:
            raise _ImpossibleError
        worth = [(any(tag in wish.least for tag in tags(part)), sum(bool(pool.get(tag)) for tag in tags(part)))
                 for part in able]
        return self._random.choice([part for part, value in zip(able, worth, strict=True) if value == max(worth)])

    def _rounds(self, group: XsdGroup, wish: Wish, pool: Mapping[str, list["etree._Element"]], above: Above) -> int:
        if not self._can_once(group, wish):
            if group.min_occurs:
                raise _ImpossibleError
            return 0
        inside = tags(group)
        needed = max((wish.least.get(tag, 0) for tag in inside), default=0)
        if wish.kept is None:
            return max(self._chosen(group, above), min(needed, 1))
        present = max((len(pool.get(tag, ())) for tag in inside), default=0)
        repeated = max(present, needed) if group.max_occurs != 1 else min(1, max(present, needed))
        return max(group.min_occurs, min(repeated, _most(group)))

    def _count(self, part: XsdElement | XsdAnyElement, tag: str, present: int, wish: Wish, above: Above) -> int:
        needed = wish.least.get(tag, 0)
        if tag in wish.without or not self._can_once(part, wish):
            if part.min_occurs:
                raise _ImpossibleError
            return 0
        count = self._chosen(part, above) if wish.kept is None else max(present, part.min_occurs)
        return min(max(count, needed), _most(part))

    def _chosen(self, part: Particle, above: Above) -> int:
        """How many of an optional or repeatable particle a fresh message gets."""
        low = part.min_occurs
        high = min(_most(part), max(low, _MOST_REPEATED))
        if self._mode == "minimal" or part.name in above or len(above) > _DEEPEST:
            return low  # within itself only as often as it must: it would grow without end
        if self._mode == "full":
            return max(low, min(high, 1 if _most(part) == 1 else 2))
        return low if self._random.random() < 0.5 else self._random.randint(low, high)

    def _can(self, part: Particle, wish: Wish) -> bool:
        return part.min_occurs == 0 or self._can_once(part, wish)

    def _can_once(self, part: Particle, wish: Wish) -> bool:
        """Can this particle stand there at all, given what may not?"""
        if isinstance(part, XsdGroup):
            parts: list[Particle] = list(part)
            able = [self._can(one, wish) for one in parts]
            return any(able) if part.model == "choice" else all(able)
        if isinstance(part, XsdAnyElement):
            return True
        return str(part.name) not in wish.without and self._can_hold(part)

    def _can_hold(self, declared: XsdElement) -> bool:
        """Does what this element must hold avoid all that is banned?"""
        if not self._banned:
            return True
        known = self._possible.get(id(declared))
        if known is None:
            self._possible[id(declared)] = True  # while looking: a type that must hold itself has no samples anyway
            model = content_model(declared)
            known = str(declared.name) not in self._banned if model is None else self._can_once(model, Wish())
            self._possible[id(declared)] = known
        return known


@lru_cache(maxsize=32)
def schema_of(message_set: MessageSet) -> XMLSchema10:
    """A set's schema, read once per process."""
    return read_schema(message_set)


def content_model(declared: XsdElement) -> XsdGroup | None:
    """The content model of an element; None when it holds text."""
    kind = declared.type
    held = kind.content if isinstance(kind, XsdComplexType) else None
    return held if isinstance(held, XsdGroup) else None


def simple_type(declared: XsdElement) -> XsdSimpleType | None:
    """The type of an element's text; None when it holds elements."""
    kind = declared.type
    held = kind.content if isinstance(kind, XsdComplexType) else kind
    return held if isinstance(held, XsdSimpleType) else None


def child_of(declared: XsdElement, tag: str) -> XsdElement | None:
    """The declaration of a child. Two of one name have one type (XML Schema part 1, §3.8.6)."""
    model = content_model(declared)
    found = (part for part in (elements(model) if model is not None else ()) if part.name == tag)
    return next(found, None)


def elements(part: Particle) -> Iterator[XsdElement]:
    """The elements that a particle can give, without what they hold."""
    if isinstance(part, XsdElement):
        yield part
    elif isinstance(part, XsdGroup):
        for one in part:
            yield from elements(one)


def tags(part: Particle) -> list[str]:
    """The names of `elements`, and of what stands for anything."""
    return [_UNKNOWN] if isinstance(part, XsdAnyElement) else [str(one.name) for one in elements(part)]


def _most(part: Particle) -> int:
    return part.max_occurs if part.max_occurs is not None else 1000
