"""What an operator asks for a whole message, on the store: all its addressees' copies, or those that it is about."""

import pytest

from gateway.errors import RefusedError
from gateway.operations import Operations
from gateway.values import DeliveryState, Party
from tests.contract.conftest import Hub
from tests.contract.samples import BANK, ENERGIE, NOW, acceptance, number

REF = number("a")
WHO = {"who": "beheer", "why": "proef"}


@pytest.fixture
def operations(hub: Hub) -> Operations:
    """One message for two addressees; nothing else of the operator's door is used here."""
    hub.accept(acceptance("a", receivers=(ENERGIE, BANK)))

    def unused(*_: object) -> None:
        raise AssertionError

    return Operations(reports=hub.reports, acts=hub.operator, redirection=unused, resolve=unused, walk=unused,
                      attempts=lambda number: [], prove=unused, checkpoints=unused, proof=unused, explain=unused,
                      prove_refusal=unused,
                      clock=lambda: NOW)


def states(operations: Operations) -> set[object]:
    return {leg["status"] for leg in operations.message(REF)["deliveries"]}


@pytest.mark.parametrize("party", [ENERGIE, BANK], ids=lambda party: party.slug)
def test_requeue_is_for_those_who_collected(hub: Hub, operations: Operations, party: Party) -> None:
    """Whichever of the two it is, and however often it is asked."""
    hub.mailbox.collect(party.id, REF, NOW)
    assert states(operations) == {DeliveryState.BESCHIKBAAR, DeliveryState.OPGEHAALD}
    operations.requeue(REF, **WHO)
    assert states(operations) == {DeliveryState.BESCHIKBAAR}
    before = hub.position()
    with pytest.raises(RefusedError, match="BESCHIKBAAR"):
        operations.requeue(REF, **WHO)
    assert hub.position() == before


def test_cancel_is_for_all_or_none(hub: Hub, operations: Operations) -> None:
    hub.mailbox.collect(BANK.id, REF, NOW)
    with pytest.raises(RefusedError, match="nothing was done"):
        operations.cancel(REF, **WHO)
    assert states(operations) == {DeliveryState.BESCHIKBAAR, DeliveryState.OPGEHAALD}
    operations.requeue(REF, **WHO)
    operations.cancel(REF, **WHO)
    assert states(operations) == {DeliveryState.GEANNULEERD}
