"""A party's circuit breaker, as a table of states and two pure functions.

    CLOSED ─ so many failures in a row, or so many new messages refused in a row → OPEN
    OPEN ─ its time is over, and one delivery begins → HALF_OPEN
    HALF_OPEN ─ delivered → CLOSED      ─ failed → OPEN, for longer      ─ no word of it in its time → as OPEN

A service that is down is then called once in a while, not once for every message that waits for it, and those calls
take no worker from others. One message that is refused says nothing of the others (the receiver may have a bug in one
message type), so refusals count only when each is of another message and nothing was delivered between them.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from gateway.push_values import Breaker, BreakerState, Result

CLOSED: Final = Breaker()
_SERVICE_FAILED: Final = frozenset({Result.UNREACHABLE, Result.FAILED, Result.INVALID})
_DOUBLINGS: Final = 20  # beyond, the cap holds whatever the first is


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerRules:
    """When a breaker opens, and for how long."""

    failures: int  # in a row
    refusals: int  # of new messages, in a row
    first: timedelta  # how long it stays open the first time; each time in a row twice as long
    cap: timedelta  # at most


def admitted(breaker: Breaker, now: datetime, lease_until: datetime) -> tuple[int | None, Breaker]:
    """How many deliveries may begin now (None: any number), and the breaker once one has begun."""
    if breaker.state is BreakerState.CLOSED:
        return None, breaker
    if breaker.until is not None and now < breaker.until:
        return 0, breaker
    return 1, replace(breaker, state=BreakerState.HALF_OPEN, until=lease_until)


def after(breaker: Breaker, result: Result, number: int, now: datetime, rules: BreakerRules) -> Breaker:
    """The breaker after an attempt; `number`: which attempt it was at its message, from 1."""
    if result is Result.DELIVERED:
        return CLOSED
    if result is Result.UNSENT:  # says nothing of the party; another may try at once
        return replace(breaker, until=now) if breaker.state is BreakerState.HALF_OPEN else breaker
    if result in _SERVICE_FAILED:
        counted = replace(breaker, failures=breaker.failures + 1)
    else:  # it answers, so it is up
        counted = replace(breaker, failures=0, refusals=breaker.refusals + (number == 1))
    if breaker.state is BreakerState.OPEN:  # of a call that was under way when it opened
        return counted
    enough = counted.failures >= rules.failures or counted.refusals >= rules.refusals
    if breaker.state is BreakerState.HALF_OPEN and (enough or result in _SERVICE_FAILED):
        return _opened(counted, now, rules)
    if breaker.state is BreakerState.CLOSED and enough:
        return _opened(counted, now, rules)
    return replace(counted, state=BreakerState.CLOSED, openings=0, until=None)


def _opened(breaker: Breaker, now: datetime, rules: BreakerRules) -> Breaker:
    time = min(rules.first * 2 ** min(breaker.openings, _DOUBLINGS), rules.cap)
    return replace(breaker, state=BreakerState.OPEN, openings=breaker.openings + 1, until=now + time)
