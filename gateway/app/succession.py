"""Redirecting after a merger: what the store moves, held against what the message sets ask of the heir."""

from collections.abc import Callable, Sequence
from datetime import datetime

from gateway.errors import RefusedError
from gateway.messagesets import Catalog
from gateway.names import action
from gateway.routing import missing
from gateway.storage import Leg, Redirection
from gateway.values import Party, SetKey


class Succession:
    """Implements operations.Redirection. The message sets are read when something is to move, not before."""

    def __init__(self, catalog: Callable[[], Catalog], redirection: Redirection) -> None:
        self._catalog, self._redirection = catalog, redirection

    def numbers(self, party: str) -> Sequence[str]:
        return self._redirection.numbers(party)

    def move(self, conversatie: str, old: Party, new: Party, *, who: str, why: str, now: datetime) -> int | None:
        catalog = self._catalog()
        return self._redirection.move(conversatie, old, new, lambda leg: _judge(leg, old, new, catalog), who=who,
                                      why=why, now=now)


def _judge(leg: Leg, old: Party, new: Party, catalog: Catalog) -> str:
    """The Action under which the heir would be pushed such a message. Raises RefusedError: it can't take its place."""
    key = SetKey(module=leg.module, version=leg.version)
    message_set = catalog.get(key)
    if message_set is None:
        raise RefusedError(f"the message set {key} is not here any more, so nobody can say who may take its messages")
    if leg.waits and message_set.sealed:
        raise RefusedError(f"its sender encrypted it for {old.slug}, which alone can read it")
    message_type = next((one for one in message_set.messages.values() if one.berichttype == leg.berichttype), None)
    if message_type is None:
        raise RefusedError(f"{key} has no {leg.berichttype} any more")
    reason = None if message_set.core else missing(  # what the hub itself tells a party, it tells any
        new, old, message_type, key, message_set.roles, receives=leg.receives, waits=leg.waits)
    if reason is not None:
        raise RefusedError(reason)
    return action(message_type.namespace, message_type.element)
