"""The store follows routing's table: every event is tried in every state."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from gateway.errors import MailboxUnknown, RefusedError
from gateway.routing.delivery import TRANSITIONS, DeliveryEvent
from gateway.storage import Redirection
from gateway.values import DeliveryState, Search
from tests.contract.conftest import Hub
from tests.contract.samples import BANK, ENERGIE, TERM, acceptance, number

S, E = DeliveryState, DeliveryEvent
REF = number("vraag")
WAY: dict[DeliveryState, tuple[DeliveryEvent, ...]] = {
    S.BESCHIKBAAR: (), S.OPGEHAALD: (E.COLLECT,), S.BEVESTIGD: (E.COLLECT, E.CONFIRM), S.VERLOPEN: (E.EXPIRE,),
    S.GEANNULEERD: (E.CANCEL,),
}


def confirm(hub: Hub) -> None:
    if not hub.mailbox.confirm(ENERGIE.id, (REF,), hub.now)[REF]:
        raise MailboxUnknown


def expire(hub: Hub) -> None:
    hub.now += TERM + timedelta(seconds=1)
    if hub.mailbox.expire(hub.now, 10) == 0:
        raise MailboxUnknown


def redirect(hub: Hub) -> None:
    moved = Redirection(hub.store).move(number("conversatie-vraag"), ENERGIE, BANK, lambda leg: leg.berichttype,
                                        who="w", why="y", now=hub.now)
    if not moved:
        raise MailboxUnknown


DO: dict[DeliveryEvent, Callable[[Hub], object]] = {
    E.COLLECT: lambda hub: hub.mailbox.collect(ENERGIE.id, REF, hub.now),
    E.CONFIRM: confirm,
    E.EXPIRE: expire,
    E.REQUEUE: lambda hub: hub.operator.requeue(REF, ENERGIE.id, who="w", why="y", now=hub.now),
    E.CANCEL: lambda hub: hub.operator.cancel(REF, ENERGIE.id, who="w", why="y", now=hub.now),
    E.REDIRECT: redirect,
}


@pytest.mark.parametrize("state", S)
@pytest.mark.parametrize("event", E)
def test_every_event_in_every_state(hub: Hub, state: DeliveryState, event: DeliveryEvent) -> None:
    hub.accept(acceptance("vraag"))
    for step in WAY[state]:
        DO[step](hub)

    def now_in() -> DeliveryState:
        return hub.reports.messages(Search(referentienummer=REF), hub.now)[0].status

    assert now_in() is state
    expected = TRANSITIONS.get((state, event))
    if expected is None:
        with pytest.raises((MailboxUnknown, RefusedError)):
            DO[event](hub)
        assert now_in() is state
    else:
        DO[event](hub)
        assert now_in() is expected
