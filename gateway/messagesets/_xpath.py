"""Where a node stands in a message, written with the prefixes everyone knows, and read back from libxml2."""

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass

from lxml import etree

MAX_XPATH = 300  # characters; no honest message is nested deeper

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
        same = list(parent.iterchildren("*" if name == "*" else str(node.tag)))
        return name if len(same) == 1 else f"{name}[{same.index(node) + 1}]"


def from_libxml2(root: "etree._Element", path: str) -> tuple["etree._Element", "etree._Element"]:
    """The node that a path of libxml2 names, and the message element `root` itself.

    libxml2 writes steps with the document's prefixes, and `*` for an element in a default namespace; a step that
    cannot be followed (an attribute) ends at its element.
    """
    node = root
    for step in path.split("/")[2:]:
        match = _STEP.fullmatch(step)
        if match is None:
            break
        children = [child for child in node.iterchildren("*") if _fits(child, match["prefix"], match["name"])]
        index = int(match["index"] or 1) - 1
        if index >= len(children):
            break
        node = children[index]
    return node, root


def _fits(child: "etree._Element", prefix: str | None, name: str) -> bool:
    return name == "*" or (child.prefix == prefix and etree.QName(child).localname == name)
