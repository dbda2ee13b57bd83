"""A delivery moves along its table and no other way."""

import pytest

from gateway.routing.delivery import TRANSITIONS, DeliveryEvent
from gateway.values import DeliveryState

S, E = DeliveryState, DeliveryEvent
FINAL = {S.BEVESTIGD, S.VERLOPEN, S.GEANNULEERD}  # the payload is erased on the way in


@pytest.mark.parametrize(("events", "end"), [
    ((E.COLLECT, E.CONFIRM), S.BEVESTIGD),
    ((E.COLLECT, E.COLLECT, E.CONFIRM, E.CONFIRM), S.BEVESTIGD),
    ((E.EXPIRE,), S.VERLOPEN),
    ((E.COLLECT, E.EXPIRE), S.VERLOPEN),
    ((E.COLLECT, E.REQUEUE, E.COLLECT, E.CONFIRM), S.BEVESTIGD),
    ((E.CANCEL,), S.GEANNULEERD),
])
def test_lives_of_a_message(events: tuple[DeliveryEvent, ...], end: DeliveryState) -> None:
    state = S.BESCHIKBAAR
    for event in events:
        state = TRANSITIONS[state, event]
    assert state is end


def test_what_was_not_collected_cannot_be_confirmed() -> None:
    assert (S.BESCHIKBAAR, E.CONFIRM) not in TRANSITIONS


def test_no_way_back_from_a_final_state() -> None:
    assert all(following is state for (state, _), following in TRANSITIONS.items() if state in FINAL)


def test_every_state_is_reached_and_ends_somewhere() -> None:
    assert {S.BESCHIKBAAR, *TRANSITIONS.values()} == set(S)
    assert all(any((state, event) in TRANSITIONS for event in E) for state in set(S) - FINAL)
