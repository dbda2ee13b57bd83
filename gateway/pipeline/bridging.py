"""The addressees that do not take the sender's version: what each of them gets instead (docs/message-sets.md)."""

import hashlib
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from gateway.messagesets import Catalog, cross
from gateway.routing import not_taken, taken_as
from gateway.values import Bridged, MessageType, Party, RoleRule, SetKey


def bridge(
    payload: bytes, message_type: MessageType, key: SetKey, receivers: tuple[Party, ...],
    bridges: Mapping[str, RoleRule], catalog: Catalog,
) -> Mapping[str, Bridged]:
    """By addressee's id, the message in the newest version it takes; addressees of the sender's version are not here.

    Raises  VersionNotAgreed, naming what the addressee takes, where the message would lose something on the way.
    """
    made = cache(lambda version: _cross(payload, message_type, key, version, catalog))
    found: dict[str, Bridged] = {}
    for party in receivers:
        versions = taken_as(party, key, bridges)
        if versions:
            bridged = next(filter(None, map(made, versions)), None)
            if bridged is None:
                raise not_taken(party, key, tried=versions)
            found[party.id] = bridged
    return MappingProxyType(found)


def _cross(payload: bytes, message_type: MessageType, key: SetKey, version: str, catalog: Catalog) -> Bridged | None:
    crossed = cross(payload, message_type.element, catalog.ways[key, message_type.element][version])
    if crossed is None:
        return None
    return Bridged(
        key=crossed.message_set.key, message_type=crossed.message_set.messages[crossed.message.element_name],
        outcomes=crossed.message.outcomes, payload=crossed.octets,
        message_digest=hashlib.sha256(crossed.octets).digest(),
    )
