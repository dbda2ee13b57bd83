"""The life of a message for one addressee, as a table.

    BESCHIKBAAR ─collect→ OPGEHAALD ─confirm→ BEVESTIGD        the addressee fetches
    BESCHIKBAAR, OPGEHAALD ─expire→ VERLOPEN                   the term is over
    OPGEHAALD ─requeue→ BESCHIKBAAR                            an operator: the addressee lost it before handling it
    BESCHIKBAAR ─cancel→ GEANNULEERD                           an operator: it should never have been sent
    BESCHIKBAAR, OPGEHAALD ─redirect→ BESCHIKBAAR              an operator: for another addressee, after a merger

From the last three states there is no way back, because the payload is erased on the way in. The store follows this
table: tests/contract/test_delivery_table.py tries every event in every state.

A delivery to the addressee's own service goes the same way: its receipt is a collect and a confirm in one. Until then
it is tried again and again; `next_step` says when. Nothing is given up before the term ends.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import NAMESPACE_URL, uuid5

from gateway.push_values import Claim, Outcome, Result
from gateway.values import DeliveryState

_BESCHIKBAAR, _OPGEHAALD = DeliveryState.BESCHIKBAAR, DeliveryState.OPGEHAALD


class DeliveryEvent(StrEnum):
    """What can happen to a delivery."""

    COLLECT = "collect"
    CONFIRM = "confirm"
    EXPIRE = "expire"
    REQUEUE = "requeue"
    CANCEL = "cancel"
    REDIRECT = "redirect"


TRANSITIONS: Final[dict[tuple[DeliveryState, DeliveryEvent], DeliveryState]] = {
    (_BESCHIKBAAR, DeliveryEvent.COLLECT): _OPGEHAALD,
    (_OPGEHAALD, DeliveryEvent.COLLECT): _OPGEHAALD,  # the answer may have been lost on the way
    (_OPGEHAALD, DeliveryEvent.CONFIRM): DeliveryState.BEVESTIGD,
    (DeliveryState.BEVESTIGD, DeliveryEvent.CONFIRM): DeliveryState.BEVESTIGD,  # idem
    (_BESCHIKBAAR, DeliveryEvent.EXPIRE): DeliveryState.VERLOPEN,
    (_OPGEHAALD, DeliveryEvent.EXPIRE): DeliveryState.VERLOPEN,
    (_OPGEHAALD, DeliveryEvent.REQUEUE): _BESCHIKBAAR,
    (_BESCHIKBAAR, DeliveryEvent.CANCEL): DeliveryState.GEANNULEERD,
    (_BESCHIKBAAR, DeliveryEvent.REDIRECT): _BESCHIKBAAR,
    (_OPGEHAALD, DeliveryEvent.REDIRECT): _BESCHIKBAAR,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """How long to wait between attempts at one delivery."""

    first: timedelta  # at most so long after the first attempt; after each next one at most twice as long
    cap: timedelta  # never longer; what the receiver refuses waits at least half of it


_DOUBLINGS: Final = 30  # beyond, the cap holds whatever the first is


def next_step(claim: Claim, outcome: Outcome, now: datetime, *, backoff: Backoff, jitter: float) -> datetime | None:
    """When to try this delivery again; None: it is delivered.

    Exponential, with full jitter: what failed together does not come again together. A receiver that refuses a message
    may be mended within its term, so that is tried again too, but slowly.

    Takes   `jitter`: a random number from 0 to 1.
    """
    if outcome.result is Result.DELIVERED:
        return None
    if outcome.result is Result.REFUSED:
        return now + backoff.cap * (0.5 + jitter / 2)
    longest: timedelta = min(backoff.first * 2 ** min(claim.number - 1, _DOUBLINGS), backoff.cap)
    return now + longest * jitter


def pushed_message_id(afzender: str, referentienummer: str, receiver: str) -> str:
    """The wsa:MessageID under which a delivery is pushed: the same at every attempt, on every node (RFC 9562 §5.5)."""
    return f"urn:uuid:{uuid5(NAMESPACE_URL, f'{afzender}/{referentienummer}/{receiver}')}"
