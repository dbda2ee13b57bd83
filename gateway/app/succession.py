"""Redirecting after a merger: what the store moves, held against what the message sets ask of the heir."""

from collections.abc import Callable, Sequence
from datetime import datetime

from gateway.messagesets import Catalog
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
        return self._redirection.move(conversatie, old, new, lambda leg: _missing(leg, old, new, catalog), who=who,
                                      why=why, now=now)


def _missing(leg: Leg, old: Party, new: Party, catalog: Catalog) -> str | None:
    key = SetKey(module=leg.module, version=leg.version)
    message_set = catalog.get(key)
    if message_set is None:
        return f"the message set {key} is not here any more, so nobody can say who may take its messages"
    if message_set.core:  # what the hub itself tells a party, it tells any
        return None
    if leg.waits and message_set.sealed:
        return f"its sender encrypted it for {old.slug}, which alone can read it"
    message_type = next((one for one in message_set.messages.values() if one.berichttype == leg.berichttype), None)
    if message_type is None:
        return f"{key} has no {leg.berichttype} any more"
    return missing(new, old, message_type, key, message_set.roles, receives=leg.receives, waits=leg.waits)
