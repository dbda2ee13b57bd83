"""A message in another version of its module: declared mappings, compiled, and the one crossing that loses nothing.

A mapping may be wrong and a condition too wide. So every crossing is also walked back, and counts only when that gives
the same octets: what arrives can be turned into what was sent (docs/decisions/0008).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType

from lxml import etree

from gateway.errors import GatewayError, Misconfigured
from gateway.messagesets._bridge import Bridge
from gateway.messagesets._xpath import parser
from gateway.messagesets.checks import NO_FILES, Files
from gateway.messagesets.message import Message
from gateway.messagesets.sets import MessageSet
from gateway.messagesets.validation import read_message
from gateway.values import SetKey

Way = tuple[MessageSet, ...]  # the versions that a message passes, its own first


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossed:
    """A message in another version: valid there, and the same octets again when it is brought back."""

    message: Message
    message_set: MessageSet
    octets: bytes  # the message element in exclusive canonical form


def all_bridges(message_set: MessageSet) -> Iterator[Bridge]:
    for bridges in message_set.bridges.values():
        yield from bridges


def check_inverses(sets: Mapping[SetKey, MessageSet]) -> None:
    """Every mapping leads to a message of another version, between the same roles, and has its inverse declared there.

    A version that is not in this folder of sets is passed over: an installation may leave old ones out.

    Raises  Misconfigured, naming manifest, mapping and remedy.
    """
    for message_set in sets.values():
        for bridge in all_bridges(message_set):
            rule, here = bridge.rule, message_set.key
            where = f"{message_set.folder / 'manifest.toml'}: [[bridge]] {rule.message} to {rule.to}"
            target = sets.get(SetKey(module=here.module, version=rule.to))
            if target is None:
                continue
            if rule.element not in target.messages:
                raise Misconfigured(f"{where}: there is no {rule.element} in {here.module} {rule.to}; correct it")
            mine, there = message_set.messages[rule.message], target.messages[rule.element]
            if (mine.sender_role, mine.receiver_role) != (there.sender_role, there.receiver_role):
                raise Misconfigured(f"{where}: {rule.element} goes between other roles; it is another message")
            if not any(back.rule.to == here.version and back.rule.element == rule.message
                       for back in target.bridges.get(rule.element, ())):
                raise Misconfigured(f"{where}: its inverse is not declared; add a [[bridge]] for {rule.element} to "
                                    f"{here.version} in {target.folder / 'manifest.toml'}")


def ways(sets: Mapping[SetKey, MessageSet]) -> Mapping[tuple[SetKey, str], Mapping[str, Way]]:
    """For each message that can be bridged at all: version → the shortest way to it."""
    return MappingProxyType({
        (message_set.key, element): MappingProxyType(dict(_ways(message_set, element, sets)))
        for message_set in sets.values() for element in message_set.bridges
    })


def _ways(start: MessageSet, element: str, sets: Mapping[SetKey, MessageSet]) -> Iterator[tuple[str, Way]]:
    todo: list[tuple[str, Way]] = [(element, (start,))]
    seen = {start.key.version}
    for name, way in todo:  # grows while it is walked: the nearest versions come first
        for bridge in way[-1].bridges.get(name, ()):
            target = sets.get(SetKey(module=start.key.module, version=bridge.rule.to))
            if target is None or target in way:
                continue
            todo.append((bridge.rule.element, (*way, target)))
            if bridge.rule.to not in seen:
                seen.add(bridge.rule.to)
                yield bridge.rule.to, (*way, target)


def cross(octets: bytes, element: str, way: Way, files: Files = NO_FILES) -> Crossed | None:
    """A valid message of `way[0]` (canonical octets, local name) in the last version of `way`.

    1 on each step a declared mapping takes the message; 2 what comes out is valid in the last version; 3 the way back
    gives the same octets.

    Gives   None where one of these does not hold: it would lose something, so it is not bridged.
    """
    made = attempt(octets, element, way, files)
    return made if isinstance(made, Crossed) else None


def attempt(octets: bytes, element: str, way: Way, files: Files = NO_FILES) -> Crossed | str:
    """The same, with the reason in place of None; no reason holds a value of the message."""
    there = _walk(octets, element, way)  # 1
    if there is None:
        return "no mapping takes it"
    made, name = there
    target = way[-1]
    try:
        message = read_message(made, {target.namespace: target}.get, files)  # 2
    except GatewayError as error:
        places = " | ".join(f"{found.xpath} {found.rule}" for found in error.findings)
        return f"what comes out is no valid {name} of {target.key}: {places}"
    if message.element_name != name:
        return f"what comes out is no {name} but {message.element_name}"
    if _walk(made, name, way[::-1]) != (octets, element):  # 3
        return "it does not come back as it was"
    return Crossed(message=message, message_set=target, octets=made)


def _walk(octets: bytes, element: str, way: Sequence[MessageSet]) -> tuple[bytes, str] | None:
    """The message and its name at the end of the way; None where no mapping takes it."""
    for here, target in pairwise(way):
        root = etree.fromstring(octets, parser())
        bridge = next((one for one in here.bridges.get(element, ())
                       if one.rule.to == target.key.version and one.takes(root)), None)
        made = bridge.stylesheet(root) if bridge is not None else None
        if bridge is None or made is None:
            return None
        octets, element = made, bridge.rule.element
    return octets, element
