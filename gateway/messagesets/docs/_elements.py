"""The schemas read for people: each global element as the rows of a table, with every type opened up.

The closed world was proven when the set was compiled (schema.py); here the same files are only read for what they say.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from lxml import etree

from gateway.messagesets._xpath import parser
from gateway.messagesets.docs._simple import Simple, built_in, documentation, read_simple
from gateway.names import XSD, clark

_BASIS = re.compile(r"(?P<text>.*?)\s*(?:^|(?<=[.:;)] ))Grond: (?P<basis>.*)", re.DOTALL)
_MODELS: Final = {clark(XSD, name): name for name in ("sequence", "choice", "all")}
_KINDS: Final = {clark(XSD, name): name[0] for name in ("element", "group")} | {
    clark(XSD, "simpleType"): "t", clark(XSD, "complexType"): "t"}
_ELEMENT, _GROUP, _ANY, _ATTRIBUTE = (clark(XSD, name) for name in ("element", "group", "any", "attribute"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What the schema says about something: the explanation, and the basis it cites."""

    text: str = ""
    basis: str = ""

    @classmethod
    def of(cls, text: str) -> "Words":
        found = _BASIS.fullmatch(text)
        return cls(text=found["text"], basis=found["basis"].rstrip(".")) if found else cls(text=text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of an element's table."""

    depth: int
    kind: str  # element, attribute, choice, sequence, any
    name: str  # with its prefix; "" for what has no name
    lowest: int
    highest: int | None  # None: no limit
    words: Words = Words()
    type_name: str = ""  # with its prefix; "" when the type has no name
    simple: Simple | None = None  # None: it holds elements
    repeated: bool = False  # its content stands above, under the element of the same type that holds it
    elsewhere: str = ""  # Clark name of a global element that has a page of its own


class Schemas:
    """The declarations of one set's schema files."""

    def __init__(self, files: Iterable[Path], prefixes: Mapping[str, str], elsewhere: frozenset[str]) -> None:
        """`elsewhere` are global elements (Clark names) that are named where they are used, not opened up."""
        self._prefixes, self._elsewhere = prefixes, elsewhere
        self._declared: dict[tuple[str, str], etree._Element] = {}
        about = []
        for path in files:
            tree = etree.fromstring(path.read_bytes(), parser())
            about.append((path, documentation(tree)))
            for node in tree.iterchildren("*"):
                if node.get("name") and node.tag in _KINDS:
                    self._declared[_KINDS[str(node.tag)], clark(_space(node), node.get("name", ""))] = node
        self.about: tuple[tuple[Path, str], ...] = tuple((path, text) for path, text in about if text)

    def words(self, element: str) -> Words:
        """What the schema says about a global element; Clark name."""
        return Words.of(documentation(self._declared["e", element]))

    def rows(self, element: str) -> tuple[Row, ...]:
        """The table of a global element; Clark name. Its first row is the element itself, at depth 0."""
        top = self._declared["e", element]
        return tuple(self._element(top, top, 0, (), opened=True))

    def _element(self, used: "etree._Element", node: "etree._Element", depth: int,
                 above: tuple["etree._Element", ...], *, opened: bool = False) -> Iterator[Row]:
        name = clark(_space(node), node.get("name", ""))
        own = Words.of(documentation(used))
        lowest, highest = _occurs(used)
        row = Row(depth=depth, kind="element", name=self._shown(name), lowest=lowest, highest=highest,
                  type_name=self._type_name(node), words=own if own.text else Words.of(documentation(node)))
        if name in self._elsewhere and not opened:
            yield replace(row, elsewhere=name)
            return
        kind = self._type(node)
        simple = self._simple(node, kind)
        if simple is not None or kind is None:
            yield replace(row, simple=simple)
            return
        yield replace(row, repeated=kind in above)
        if kind not in above:
            yield from self._content(kind, depth + 1, (*above, kind))

    def _simple(self, node: "etree._Element", kind: "etree._Element | None") -> Simple | None:
        if kind is None:
            return built_in(node.get("type", "xs:anyType").rpartition(":")[2])
        if kind.tag == clark(XSD, "simpleType") or kind.find(clark(XSD, "simpleContent")) is not None:
            return read_simple(kind, self._find_type)
        return None

    def _content(self, kind: "etree._Element", depth: int, above: tuple["etree._Element", ...]) -> Iterator[Row]:
        """What a complex type holds, what it extends first."""
        derived = kind.find(clark(XSD, "complexContent"))
        inner = kind if derived is None else derived[-1]
        if inner.tag == clark(XSD, "extension"):
            base = self._find_type(inner, inner.get("base", ""))
            if base is not None:
                yield from self._content(base, depth, above)
        for node in inner.iterchildren("*"):
            if node.tag == _ATTRIBUTE:
                yield self._attribute(node, depth)
            else:
                yield from self._particle(node, depth, above, top=True)

    def _particle(self, node: "etree._Element", depth: int, above: tuple["etree._Element", ...], *,
                  top: bool = False) -> Iterator[Row]:
        if node.tag == _ELEMENT:
            yield from self._element(node, self._referred(node, "e"), depth, above)
        elif node.tag == _GROUP:
            group = self._referred(node, "g")
            model = next(one for one in group.iterchildren("*") if one.tag in _MODELS)
            yield from self._model(model, node, depth, above, top=top)
        elif node.tag in _MODELS:
            yield from self._model(node, node, depth, above, top=top)
        elif node.tag == _ANY:
            lowest, highest = _occurs(node)
            yield Row(depth=depth, kind="any", name="", lowest=lowest, highest=highest,
                      words=Words.of(documentation(node)))

    def _model(self, model: "etree._Element", used: "etree._Element", depth: int, above: tuple["etree._Element", ...],
               *, top: bool) -> Iterator[Row]:
        """A sequence that occurs once has no line of its own, unless it is one of the things to choose from."""
        kind = "choice" if _MODELS[str(model.tag)] == "choice" else "sequence"
        lowest, highest = _occurs(used)
        shown = kind == "choice" or (lowest, highest) != (1, 1) or (not top and _within_choice(used))
        if shown:
            yield Row(depth=depth, kind=kind, name="", lowest=lowest, highest=highest,
                      words=Words.of(documentation(model)))
        for node in model.iterchildren("*"):
            yield from self._particle(node, depth + 1 if shown else depth, above)

    def _attribute(self, node: "etree._Element", depth: int) -> Row:
        kind = self._type(node)
        return Row(depth=depth, kind="attribute", name=node.get("name", node.get("ref", "")),
                   lowest=int(node.get("use") == "required"), highest=1, type_name=self._type_name(node),
                   simple=self._simple(node, kind), words=Words.of(documentation(node)))

    def _referred(self, node: "etree._Element", kind: str) -> "etree._Element":
        return self._declared[kind, _resolve(node, node.get("ref", ""))] if node.get("ref") else node

    def _type(self, node: "etree._Element") -> "etree._Element | None":
        """The declared type; None for a built-in one, or none at all."""
        if node.get("type"):
            return self._find_type(node, node.get("type", ""))
        inner = node.find(clark(XSD, "complexType"))
        return node.find(clark(XSD, "simpleType")) if inner is None else inner

    def _find_type(self, node: "etree._Element", qname: str) -> "etree._Element | None":
        return self._declared.get(("t", _resolve(node, qname)))

    def _type_name(self, node: "etree._Element") -> str:
        return self._shown(_resolve(node, node.get("type", ""))) if node.get("type") else ""

    def _shown(self, name: str) -> str:
        qname = etree.QName(name)
        prefix = "xs" if qname.namespace == XSD else self._prefixes.get(qname.namespace or "", "")
        return f"{prefix}:{qname.localname}" if prefix else qname.localname


def _space(node: "etree._Element") -> str:
    """The namespace that the node's file declares."""
    return node.getroottree().getroot().get("targetNamespace", "")


def _resolve(node: "etree._Element", qname: str) -> str:
    prefix, _, local = qname.rpartition(":")
    return clark(node.nsmap.get(prefix or None) or "", local)


def _within_choice(node: "etree._Element") -> bool:
    parent = node.getparent()
    return parent is not None and _MODELS.get(str(parent.tag)) == "choice"


def _occurs(node: "etree._Element") -> tuple[int, int | None]:
    """How often at least and at most; None: no limit."""
    highest = node.get("maxOccurs", "1")
    return int(node.get("minOccurs", "1")), None if highest == "unbounded" else int(highest)
