"""The addressees that do not take the sender's version: what each of them gets instead (docs/message-sets.md); and the
message for those that are left of them.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from types import MappingProxyType

from gateway.messagesets import NO_FILES, Catalog, Files, cross
from gateway.parted import Parted, Payload, digest, plain
from gateway.routing import Addressed, not_taken, sift, taken_as
from gateway.values import Acceptance, Bridged, MessageType, Party, RefusedLeg, RoleRule, SetKey


def bridge(
    payload: Payload, message_type: MessageType, key: SetKey, asked: Addressed, bridges: Mapping[str, RoleRule],
    catalog: Catalog, files: Files = NO_FILES,
) -> tuple[Addressed, Mapping[str, Bridged]]:
    """By addressee's id, the message in the newest version it takes; addressees of the sender's version are not there.

    An addressee for whom the message would lose something on the way is refused with what it takes.

    Raises  VersionNotAgreed, or what an earlier leg was refused for, when nobody is left.
    """
    found: dict[str, Bridged] = {}
    if not bridges:
        return asked, MappingProxyType(found)
    made = cache(lambda version: _cross(payload, message_type, key, version, catalog, files))

    def bring(party: Party) -> Party:
        versions = taken_as(party, key, bridges)
        if versions:
            bridged = next(filter(None, map(made, versions)), None)
            if bridged is None:
                raise not_taken(party, key, tried=versions)
            found[party.id] = bridged
        return party

    receivers, refused = sift(asked.receivers, bring, lambda party: party.id, asked.refused)
    return Addressed(receivers=receivers, refused=refused), MappingProxyType(found)


def without(acceptance: Acceptance, refused: tuple[RefusedLeg, ...]) -> Acceptance:
    """The message for its other addressees, and the legs that it does not go to."""
    gone = {one.receiver for one in refused}
    return replace(
        acceptance, refused=refused, receivers=tuple(one for one in acceptance.receivers if one.id not in gone),
        bridged={party: one for party, one in acceptance.bridged.items() if party not in gone},
        addressed={party: one for party, one in acceptance.addressed.items() if party not in gone},
        pushed={party: one for party, one in acceptance.pushed.items() if party not in gone})


def _cross(payload: Payload, message_type: MessageType, key: SetKey, version: str, catalog: Catalog,
           files: Files) -> Bridged | None:
    crossed = cross(plain(payload), message_type.element, catalog.ways[key, message_type.element][version], files)
    if crossed is None:
        return None
    arrives = payload.of(crossed.octets) if isinstance(payload, Parted) else crossed.octets
    return Bridged(
        key=crossed.message_set.key, message_type=crossed.message_set.messages[crossed.message.element_name],
        outcomes=crossed.message.outcomes, payload=arrives, message_digest=digest(arrives),
    )
