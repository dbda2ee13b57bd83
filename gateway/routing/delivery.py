"""The life of a message for one addressee, as a table.

    BESCHIKBAAR ─collect→ OPGEHAALD ─confirm→ BEVESTIGD        the addressee fetches
    BESCHIKBAAR, OPGEHAALD ─expire→ VERLOPEN                   the term is over
    OPGEHAALD ─requeue→ BESCHIKBAAR                            an operator: the addressee lost it before handling it
    BESCHIKBAAR ─cancel→ GEANNULEERD                           an operator: it should never have been sent
    BESCHIKBAAR, OPGEHAALD ─redirect→ BESCHIKBAAR              an operator: for another addressee, after a merger

From the last three states there is no way back, because the payload is erased on the way in. The store follows this
table: tests/contract/test_delivery_table.py tries every event in every state.
"""

from enum import StrEnum
from typing import Final

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
