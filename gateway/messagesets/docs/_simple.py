"""What a simple type allows, gathered from the type down to the built-in one it rests on."""

from collections.abc import Callable
from dataclasses import dataclass, field

from lxml import etree

from gateway.names import XSD, clark

_PATTERN, _ENUMERATION = clark(XSD, "pattern"), clark(XSD, "enumeration")
_FACETS = frozenset(clark(XSD, name) for name in (
    "length", "minLength", "maxLength", "minInclusive", "maxInclusive", "minExclusive", "maxExclusive", "totalDigits",
    "fractionDigits", "whiteSpace"))
Find = Callable[["etree._Element", str], "etree._Element | None"]  # a type by the QName that a node has for it


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """One value of an enumeration."""

    value: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Simple:
    """A simple type."""

    base: str  # local name of the built-in type, or "list" or "union"
    facets: tuple[tuple[str, str], ...] = ()  # by name; of each facet the narrowest, which is the last one set
    patterns: tuple[str, ...] = ()  # all must hold; those of one step are joined by |
    values: tuple[Value, ...] = field(default=())


def spaced(text: str | None) -> str:
    return " ".join((text or "").split())


def documentation(node: "etree._Element") -> str:
    """The text of the node's own xs:documentation, white space made single."""
    return spaced(" ".join(
        "".join(one.itertext()) for one in node.iterfind(f"{clark(XSD, 'annotation')}/{clark(XSD, 'documentation')}")))


def built_in(name: str) -> Simple:
    return Simple(base=name)


def read_simple(node: "etree._Element", find: Find) -> Simple:
    """An xs:simpleType, or an xs:complexType with simpleContent."""
    step = node.find(f".//{clark(XSD, 'restriction')}")
    step = node.find(f".//{clark(XSD, 'extension')}") if step is None else step
    if step is None:
        kind = node.find(clark(XSD, "list"))
        return built_in("list" if kind is not None else "union")
    inner = step.find(clark(XSD, "simpleType"))
    base = find(step, step.get("base", "")) if inner is None else inner
    below = built_in(step.get("base", "").rpartition(":")[2]) if base is None else read_simple(base, find)
    facets = dict(below.facets)
    facets.update({etree.QName(one).localname: one.get("value", "") for one in step if one.tag in _FACETS})
    pattern = " | ".join(one.get("value", "") for one in step.iterchildren(_PATTERN))
    values = tuple(Value(value=one.get("value", ""), text=documentation(one))
                   for one in step.iterchildren(_ENUMERATION))
    return Simple(base=below.base, facets=tuple(facets.items()),
                  patterns=(*below.patterns, pattern) if pattern else below.patterns, values=values or below.values)
