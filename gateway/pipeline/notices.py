"""What the hub tells a party that asked for it: a message of the hub's own, accepted like any other.

The hub is its own sender: it signs an envelope, reads it back, verifies and validates it, and hands the acceptance to
the store. So a notification has a proof, a digest and a place in the journal like every message, and whoever collects,
confirms, is pushed to or asks for evidence meets nothing new (docs/decisions/0027).
"""

from dataclasses import replace
from datetime import datetime
from types import MappingProxyType
from typing import Final

from gateway.errors import GatewayError
from gateway.messagesets import validate
from gateway.names import KN, action
from gateway.pipeline.encryption import encrypt_for_addressees
from gateway.pipeline.gate import Gate
from gateway.pipeline.steps import Request, accept_message
from gateway.security import Outgoing, seal, verify
from gateway.set_values import VERLOPEN
from gateway.soap import LAPSED, parse, write_lapsed
from gateway.values import Acceptance, Listed, MessageType, Operation, Party, Permit, Service, Step

_ADDRESS: Final = "urn:schuldenknooppunt:deelnemer?OIN="


def lapsed(lost: Listed, gate: Gate, now: datetime) -> Acceptance | None:
    """The notification for who sent this message that expired; None where nobody asked for one.

    Never one about a notification, for the hub asks for none. Where it can't be made (no signing certificate in force,
    a revocation list that lapsed) there is none either, and the log says so: a term ends all the same.
    """
    sender = gate.register().by_id(lost.afzender)
    if sender is None or not sender.active or VERLOPEN not in sender.notifications:
        return None
    message_type = gate.catalog.namespaces[KN].messages[LAPSED[1]]
    content = write_lapsed(lost, message_type, number=gate.new_id(), hub=gate.id, now=now)
    try:
        return _accepted(content, message_type, sender, gate, now)
    except GatewayError as error:
        gate.observe("notification-not-made", {"referentienummer": lost.referentienummer, "error": error})
        return None


def _accepted(content: bytes, message_type: MessageType, receiver: Party, gate: Gate, now: datetime) -> Acceptance:
    """sign → parse → verify → validate → encrypt: what the store keeps of a message of the hub itself."""
    own_id, message_set = gate.new_id(), gate.catalog.namespaces[KN]
    operation = Operation(name=message_type.element, namespace=KN, action=action(KN, message_type.element),
                          step=Step.RECORD, message_type=message_type)
    outgoing = Outgoing(action=operation.action, message_id=f"urn:uuid:{own_id}", to=_ADDRESS + receiver.oin,
                        body=content)
    envelope = seal(outgoing, gate.signers.matching(None, now), now, own_id)
    verified = verify(parse(envelope.octets, gate.limits), gate.policy, gate.check_signer, now)
    hub = Party(id=gate.id, slug="knooppunt", name=gate.name, oin=gate.oin, roles=frozenset({message_type.sender_role}))
    service = Service(path="", key=message_set.key, role=None, operations=MappingProxyType({}))
    request = Request(
        register=gate.register(), permit=Permit(caller=hub, service=service, operation=operation), verified=verified,
        message=validate(verified.child, operation, message_set), sender=hub, now=now, message_id=outgoing.message_id)
    return encrypt_for_addressees(replace(accept_message(request, message_set, gate), receivers=(receiver,)), gate)
