"""Where a node stands in a message, written with the prefixes everyone knows, and read back from libxml2."""

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

from lxml import etree

MAX_XPATH = 300  # characters; no honest message is nested deeper

_LOOKED_AT = 64  # siblings, from both ends, among which the name of a step is looked for one by one

_local = threading.local()
_STEP = re.compile(r"(?:(?P<prefix>[^:\[\]@]+):)?(?P<name>[^:\[\]@]+)(?:\[(?P<index>\d+)\])?")


def parser() -> "etree.XMLParser[etree._Element]":
    """This thread's hardened parser: no DTD loading, no entities, no network, libxml2's own size limits."""
    if not hasattr(_local, "parser"):
        _local.parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    kept: etree.XMLParser[etree._Element] = _local.parser
    return kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Naming:
    """How nodes are named in findings: known elements by prefix and name, anything else as `*`.

    A name that the schema does not know was chosen by the sender and might tell something; so it is not repeated.
    """

    prefixes: Mapping[str, str]  # namespace → prefix
    known: frozenset[str]  # Clark names

    def name(self, tag: str) -> str:
        qname = etree.QName(tag)
        prefix = self.prefixes.get(qname.namespace or "")
        return f"{prefix}:{qname.localname}" if prefix and tag in self.known else "*"

    def xpath(self, node: "etree._Element", root: "etree._Element") -> str:
        """The path from the message element `root` to `node`; [n] where siblings share the name."""
        steps: list[str] = []
        at: etree._Element | None = node
        while at is not None:
            steps.append(self._step(at, at is root))
            if at is root:
                break
            at = at.getparent()
        path = "/" + "/".join(reversed(steps))
        return path if len(path) <= MAX_XPATH else path[: MAX_XPATH - 1] + "…"

    def _step(self, node: "etree._Element", is_root: bool) -> str:
        name = self.name(str(node.tag))
        parent = node.getparent()
        if is_root or parent is None:
            return name
        place, others = str(_place(name if name == "*" else str(node.tag))(node)).split()
        return name if place == "1" and others == "0" else f"{name}[{place}]"


@lru_cache(maxsize=4096)  # names that the schemas know
def _place(tag: str) -> etree.XPath:
    """Of an element: its number among the siblings of its name, and whether one follows.

    Counted by libxml2: a list of proxies for thousands of siblings takes milliseconds, for each finding anew.
    """
    same, namespaces = _test(tag)
    return etree.XPath(f"concat(count(preceding-sibling::{same}) + 1, ' ', count(following-sibling::{same}[1]))",
                       namespaces=namespaces)


def _test(tag: str) -> tuple[str, dict[str, str]]:
    """A Clark name, or `*`, as a node test of XPath."""
    name = etree.QName(tag) if tag != "*" else None
    if name is None or not name.namespace:
        return tag, {}
    return f"n:{name.localname}", {"n": name.namespace}


def from_libxml2(root: "etree._Element", path: str, known: dict[str, "etree._Element"]) -> "etree._Element":
    """The node that a path of libxml2 names, in the message element `root`; `known` is filled with what was found.

    libxml2 writes steps with the document's prefixes, and `*` for an element in a default namespace; a step that
    cannot be followed (an attribute) ends at its element.
    """
    node, so_far = root, ""
    for step in path.split("/")[2:]:
        so_far += f"/{step}"
        found = known.get(so_far)
        if found is None:
            match = _STEP.fullmatch(step)
            found = _child(node, match["prefix"], match["name"], match["index"] or "1") if match else None
        if found is None:
            break
        node = known[so_far] = found
    return node


def _child(node: "etree._Element", prefix: str | None, name: str, index: str) -> "etree._Element | None":
    """The child of this name and number, by libxml2 itself once it is known which namespace the prefix stands for."""
    if name == "*":
        test, namespaces = _test("*")
    else:
        ends = (islice(node.iterchildren("*", reversed=back), _LOOKED_AT) for back in (False, True))
        one = next((child for end in ends for child in end if _fits(child, prefix, name)), None)
        if one is None:
            return None
        test, namespaces = _test(str(one.tag))
    found = node.xpath(f"{test}[{index}]", namespaces=namespaces)
    return found[0] if isinstance(found, list) and found else None


def _fits(child: "etree._Element", prefix: str | None, name: str) -> bool:
    return child.prefix == prefix and etree.QName(child).localname == name
