"""Proof that the declared mappings of a set lose nothing, for `gateway sets check` and for every build.

On each valid example, and on what is left of it when a part that may be absent is taken out, with the white space of
the file and without: what a mapping takes must be valid in the other version and come back as it was. The running hub
asks the same of each message (bridges.py); here a mapping that would fail then is refused before it is used.
"""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass

from lxml import etree

from gateway.messagesets._bridge import Bridge
from gateway.messagesets._stylesheet import exclusive
from gateway.messagesets._xpath import parser
from gateway.messagesets.bridges import all_bridges, attempt
from gateway.messagesets.inspection import examine, unknown_names
from gateway.messagesets.sets import MessageSet
from gateway.names import KN
from gateway.values import MessageType, SetKey

_ALIKE = ("bsn", "ground", "documents")  # what a message demands of its parties must not change on the way


@dataclass(frozen=True, slots=True, kw_only=True)
class Specimen:
    """One valid message, and where it comes from."""

    origin: str
    octets: bytes  # in exclusive canonical form


def check_bridges(message_set: MessageSet, sets: Mapping[SetKey, MessageSet]) -> list[str]:
    """Every problem of a set's mappings and families, as text with file and remedy."""
    where = f"{message_set.folder / 'manifest.toml'}"
    return [
        *(f"{where}: {problem}" for problem in _families(message_set, sets)),
        *(f"{where}: [[bridge]] {bridge.rule.message} to {bridge.rule.to}: {problem}"
          for bridge in all_bridges(message_set) for problem in _declared(bridge, message_set, sets)),
        *(f"{where}: [[bridge]] {problem}"
          for element in message_set.bridges for problem in _proven(element, message_set, sets)),
    ]


def _families(message_set: MessageSet, sets: Mapping[SetKey, MessageSet]) -> Iterator[str]:
    known = {message.berichttype for key, other in sets.items()
             if key.module == message_set.key.module and other is not message_set
             for message in other.messages.values()}
    for element, message in message_set.messages.items():
        if message.family is not None and known and message.family not in known:
            yield f"{element}: family {message.family} is no message of another version; correct it"


def _declared(bridge: Bridge, message_set: MessageSet, sets: Mapping[SetKey, MessageSet]) -> Iterator[str]:
    rule, spaces = bridge.rule, {message_set.prefix: message_set.namespace, "kn": KN}
    target = sets.get(_target(bridge, message_set))
    if target is None:
        yield f"there is no version {rule.to} here, so nothing proves it; add its folder, or correct `to`"
        return
    mine, there = message_set.messages[rule.message], target.messages
    for name in _ALIKE:
        if getattr(mine, name) != getattr(there[rule.element], name):
            yield f"{name} is another for {rule.element}; a message that asks other things of its parties is another"
    if not (_has(there, mine.correlates_as) or _has(message_set.messages, there[rule.element].correlates_as)):
        yield f'neither version knows the other\'s message; write family = "{rule.element}" where it was renamed'
    for unknown in unknown_names(rule.when or "", spaces, message_set):
        yield f"when names {unknown}, which the schema does not; correct it"


def _target(bridge: Bridge, message_set: MessageSet) -> SetKey:
    return SetKey(module=message_set.key.module, version=bridge.rule.to)


def _has(messages: Mapping[str, MessageType], family: str) -> bool:
    return any(message.correlates_as == family for message in messages.values())


def _proven(element: str, message_set: MessageSet, sets: Mapping[SetKey, MessageSet]) -> Iterator[str]:
    """The first thing that is wrong with each mapping of one message; or that no example shows it to be right."""
    open_ = [one for one in message_set.bridges[element] if _target(one, message_set) in sets]
    proven = set[Bridge]()
    for specimen in _specimens(element, message_set):
        root = etree.fromstring(specimen.octets, parser())
        taken: dict[str, Bridge] = {}
        for bridge in message_set.bridges[element]:  # the first that takes it, as on the way
            if bridge.rule.to not in taken and bridge.takes(root):
                taken[bridge.rule.to] = bridge
        for bridge in (one for one in taken.values() if one in open_):
            found = attempt(specimen.octets, element, (message_set, sets[_target(bridge, message_set)]))
            proven.add(bridge)
            if isinstance(found, str):
                open_.remove(bridge)
                yield (f"{element} to {bridge.rule.to}: {specimen.origin}: {found}; correct {bridge.rule.xslt} and its "
                       "inverse, or narrow `when`")
    for bridge in (one for one in open_ if one not in proven):
        yield f"{element} to {bridge.rule.to}: it takes no valid example, so nothing proves it; add an example"


def _specimens(element: str, message_set: MessageSet) -> Iterator[Specimen]:
    """The examples of a message; each without any one part; each with ever more parts taken out, from its end."""
    for path in sorted((message_set.folder / "examples" / "valid").glob(f"{element}-*.xml")):
        root = etree.parse(path, parser()).getroot()
        if etree.QName(root).localname != element:
            continue
        for whole, how in ((root, ""), (_compact(root), " without white space")):
            yield Specimen(origin=path.name + how, octets=exclusive(whole))
            less = whole
            for number in reversed(range(1, len(list(whole.iter("*"))))):
                part = message_set.naming.xpath(list(whole.iter("*"))[number], whole)
                alone = Specimen(origin=f"{path.name} without {part}{how}", octets=exclusive(_without(whole, number)))
                if examine(alone.octets, message_set) is None:
                    yield alone
                    last = Specimen(origin=f"{path.name} without {part} and more{how}",
                                    octets=exclusive(_without(less, number)))
                    if examine(last.octets, message_set) is None:
                        less = etree.fromstring(last.octets, parser())
                        yield last


def _compact(root: "etree._Element") -> "etree._Element":
    """A copy without the white space between elements."""
    copy = deepcopy(root)
    for node in copy.iter("*"):
        if len(node) and not (node.text or "").strip():
            node.text = None
        if not (node.tail or "").strip():
            node.tail = None
    return copy


def _without(root: "etree._Element", number: int) -> "etree._Element":
    """A copy without its element of that number in document order, and the white space after it."""
    copy = deepcopy(root)
    node = list(copy.iter("*"))[number]
    parent = node.getparent()
    assert parent is not None, "the root is never taken out"
    parent.remove(node)
    return copy
