"""Deliveries to parties' own services, for the operator: what waits, each attempt and why it failed, who is not called.

Rows are plain dictionaries with the keys of docs/contract.md §2; times are UTC.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from gateway.ports import Clock
from gateway.push_values import Attempted, Breaker, BreakerState, Queued
from gateway.values import Party

Row = dict[str, object]


class Pushes(Protocol):
    """What the store knows."""

    def queued(self, receiver: str | None, now: datetime, limit: int) -> Sequence[Queued]: ...
    def attempts(self, referentienummer: str) -> Sequence[tuple[str, Attempted]]: ...
    def breakers(self) -> Mapping[str, Breaker]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Deliveries:
    """The operator's view of one instance."""

    pushes: Pushes
    resolve: Callable[[str], Party]  # slug, name or id → party; raises ReceiverUnknown
    clock: Clock

    def waiting(self, *, party: str | None = None, limit: int = 100) -> list[Row]:
        """Open deliveries, the next to be tried first."""
        now, breakers = self.clock(), self.pushes.breakers()
        return [_row(one, breakers.get(one.receiver, Breaker()))
                for one in self.pushes.queued(self.resolve(party).id if party else None, now, limit)]

    def attempts(self, referentienummer: str) -> list[Row]:
        """Every attempt at a message, by receiver; none of one that is collected."""
        return [{
            "ontvanger": receiver, "number": one.number, "node": one.node, "started_at": one.started_at,
            "seconds": round(one.seconds, 3), "result": one.result.value, "cause": one.cause or None,
        } for receiver, one in self.pushes.attempts(referentienummer.lower())]

    def breaker(self, party: str) -> Row:
        """Whether a party's service is called."""
        return breaker_row(self.pushes.breakers().get(self.resolve(party).id, Breaker()))


def breaker_row(breaker: Breaker) -> Row:
    """A breaker as it is shown."""
    called = breaker.state is BreakerState.CLOSED
    return {"breaker": breaker.state.value, "breaker_until": None if called else breaker.until,
            "failures": breaker.failures}


def _row(one: Queued, breaker: Breaker) -> Row:
    return {
        "referentienummer": one.referentienummer, "afzender": one.afzender, "ontvanger": one.receiver,
        "berichttype": one.berichttype, "tijdstip_ontvangst": one.received_at, "verval_datum": one.expires_at,
        "attempts": one.attempts, "next_at": one.next_at, "claimed_by": one.claimed_by,
        "breaker": breaker.state.value, "result": one.last.result.value if one.last else None,
        "cause": (one.last.cause or None) if one.last else None,
    }
