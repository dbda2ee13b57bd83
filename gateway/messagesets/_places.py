"""Where an element can stand in a message, read from the schema: so that rules walk to it instead of searching.

The graph is by name and errs on the wide side: it may name a place that no valid message uses, never miss one.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping

from lxml import etree

from gateway.names import XSD, clark

Graph = Mapping[str, frozenset[str]]  # "e"lement, "t"ype or "g"roup, each with a Clark name → what it may hold
Children = Mapping[str, frozenset[str] | None]  # element → elements; Clark names
Path = tuple[str, ...]  # Clark names, from below the message element to the element itself
Places = Mapping[str, tuple[Path, ...]]
ANYTHING = "any"
_MAX_STEPS = 5000  # the largest court file has about a tenth of it

_ELEMENT, _GROUP, _ANY = (clark(XSD, name) for name in ("element", "group", "any"))
_DERIVED = tuple(clark(XSD, name) for name in ("extension", "restriction"))


class _EndlessError(Exception):
    """A schema that holds anything, or itself."""


def holdings(tree: "etree._Element", namespace: str, resolve: Callable[["etree._Element", str], str]) -> Graph:
    """What each element, type and group of one schema file may hold directly."""
    graph: dict[str, set[str]] = {}

    def contents(node: "etree._Element") -> Iterator[str]:
        for child in node.iterchildren("*"):
            if child.tag == _ELEMENT:
                yield "e" + (resolve(child, child.get("ref", "")) or clark(namespace, child.get("name", "")))
                declare(child)
            elif child.tag == _GROUP:
                yield "g" + resolve(child, child.get("ref", ""))
            elif child.tag == _ANY:
                yield ANYTHING
            else:
                if child.tag in _DERIVED:
                    yield "t" + resolve(child, child.get("base", ""))
                yield from contents(child)

    def declare(node: "etree._Element") -> None:
        kind = {_ELEMENT: "e", _GROUP: "g"}.get(str(node.tag), "t")
        held = graph.setdefault(kind + clark(namespace, node.get("name", "")), set())
        if node.get("type"):
            held.add("t" + resolve(node, node.get("type", "")))
        held.update(list(contents(node)))

    for node in tree.iterchildren("*"):
        if node.get("name"):
            declare(node)
    return {name: frozenset(held) for name, held in graph.items()}


def children(graphs: Iterable[Graph]) -> Children:
    """What each element of a schema may hold directly, over all its files; None: anything."""
    whole: dict[str, frozenset[str]] = {}
    for graph in graphs:
        for name, held in graph.items():
            whole[name] = whole.get(name, frozenset()) | held
    return {name[1:]: _children(whole, name) for name in whole if name[0] == "e"}


def _children(graph: Graph, element: str) -> frozenset[str] | None:
    todo, seen, found = [element], set[str](), set[str]()
    while todo:
        held = graph.get(todo.pop(), frozenset())
        if ANYTHING in held:
            return None
        found |= {name[1:] for name in held if name[0] == "e"}
        more = {name for name in held if name[0] != "e"} - seen
        seen |= more
        todo.extend(more)
    return frozenset(found)


def places(held: Children, message: str) -> Places | None:
    """Each element that can stand in `message`, with the paths there; None when there is no end to them."""
    found: dict[str, list[Path]] = {}

    def walk(name: str, path: Path) -> int:
        below = held.get(name, frozenset())
        if below is None:
            raise _EndlessError
        count = len(below)
        for child in sorted(below):
            if child in path or child == message or count > _MAX_STEPS:
                raise _EndlessError
            found.setdefault(child, []).append((*path, child))
            count += walk(child, (*path, child))
        return count

    try:
        walk(message, ())
    except _EndlessError:
        return None
    return {name: tuple(paths) for name, paths in found.items()}
