"""WS-Addressing 1.0 headers as the Digikoppeling profile has them (WA001; docs/profile.md §5)."""

import re
from collections.abc import Collection
from typing import Final

from gateway.errors import (
    ActionMismatch,
    AddressingError,
    AddressingMissing,
    MessageIdMissing,
    MessageIdWrong,
    RelatesToWrong,
    ToMissing,
    ToWrong,
)
from gateway.names import ANONYMOUS, NO_ADDRESS, WSA, clark
from gateway.soap.envelope import Element, Envelope
from gateway.values import Addressing

_ADDRESS: Final = clark(WSA, "Address")
_ENDPOINTS: Final = frozenset(clark(WSA, name) for name in ("From", "ReplyTo", "FaultTo"))
_SKIP: Final = len(clark(WSA, ""))  # of a name of this namespace, to its local part
_MAX_VALUE: Final = 1024
# An absolute IRI, or the form CUSTOM@UUID@URI that Best Practices WUS prefers and that is none.
_MESSAGE_ID: Final = re.compile(
    r"[A-Za-z][A-Za-z0-9+.-]*:[^\s<>\"]{1,480}|[^\s@<>\"]{1,100}@[^\s@<>\"]{1,100}@[^\s<>\"]{1,280}"
)
_OIN_QUERY: Final = re.compile(r"\?OIN=([0-9A-Za-z]{20})")


def is_message_id(value: str) -> bool:
    """Is this an absolute IRI, or of the form that Best Practices WUS prefers?"""
    return _MESSAGE_ID.fullmatch(value) is not None


def claimed_message_id(envelope: Envelope) -> str | None:
    """The MessageID a fault can relate to: only when it stands once and has the right form."""
    for block in envelope.blocks:
        if block.tag == clark(WSA, "MessageID") and len(block) == 0:
            value = (block.text or "").strip()
            return value if is_message_id(value) else None
    return None


def read_addressing(envelope: Envelope) -> Addressing:
    """The headers of one envelope, each at most once and of the allowed shape.

    Raises  AddressingMissing (Action), MessageIdMissing, MessageIdWrong, AddressingError (shape of a value).
    Source  WS-Addressing 1.0 SOAP Binding §3, §6.4; Digikoppeling WUS WA001.
    """
    values = {}
    for block in envelope.blocks:
        tag = str(block.tag)
        values[tag[_SKIP:]] = _value(tag, block)
    get = values.get
    action, message_id = get("Action"), get("MessageID")
    if not action:
        raise AddressingMissing("wsa:Action")
    if message_id is None:
        raise MessageIdMissing("wsa:MessageID")
    if not is_message_id(message_id):
        raise MessageIdWrong("no absolute IRI of at most 500 characters")
    return Addressing(
        action=action, message_id=message_id, to=get("To"), relates_to=get("RelatesTo"), sender=get("From"),
        reply_to=get("ReplyTo"), fault_to=get("FaultTo"),
    )


def check_request(
    addressing: Addressing, soap_action: str | None, addresses: Collection[str], hub_oin: str
) -> None:
    """What a request's headers must say to the service at `addresses` (its absolute URLs).

    1 To: this service, or anonymous; an OIN in its query is the hub's; 2 ReplyTo, FaultTo:
    anonymous (none for FaultTo); 3 no RelatesTo; 4 SOAPAction: absent, empty or equal to Action, quoted or not.

    Raises  ToMissing, ToWrong, AddressingError, RelatesToWrong, ActionMismatch.
    Source  Digikoppeling WUS WA001, WS002; WS-Addressing 1.0 SOAP Binding §4.2; BP 1.1 R1109, R1119.
    """
    if addressing.to is None:
        raise ToMissing("wsa:To")
    to = _OIN_QUERY.sub("", addressing.to, count=1) if "?" in addressing.to else addressing.to
    if to not in addresses and addressing.to != ANONYMOUS:  # 1
        raise ToWrong("wsa:To is not an address of this service")
    if claimed_oin(addressing.to) not in (None, hub_oin):
        raise AddressingError("wsa:To carries the OIN of another organisation")
    if addressing.reply_to not in (None, ANONYMOUS):  # 2
        raise AddressingError("wsa:ReplyTo is not anonymous (wsa:OnlyAnonymousAddressSupported)")
    if addressing.fault_to not in (None, ANONYMOUS, NO_ADDRESS):
        raise AddressingError("wsa:FaultTo is neither anonymous nor none")
    if addressing.relates_to is not None:  # 3
        raise RelatesToWrong("wsa:RelatesTo in a request")
    wanted = (soap_action or "").strip()
    if len(wanted) >= 2 and wanted[0] == wanted[-1] == '"':
        wanted = wanted[1:-1]
    if wanted not in ("", addressing.action):  # 4
        raise ActionMismatch("SOAPAction differs from wsa:Action")


def claimed_oin(address: str | None) -> str | None:
    """The OIN that an address claims by `?OIN=`, if any."""
    match = _OIN_QUERY.search(address) if address else None
    return match[1] if match else None


def _value(tag: str, block: Element) -> str:
    if tag in _ENDPOINTS:
        if len(block) != 1 or block[0].tag != _ADDRESS:
            raise AddressingError(f"{tag[_SKIP:]} may hold one wsa:Address only (WA001)")
        block = block[0]
    if len(block):
        raise AddressingError("an addressing header holds elements")
    value = (block.text or "").strip()
    if len(value) > _MAX_VALUE:
        raise AddressingError(f"an addressing header is longer than {_MAX_VALUE} characters")
    return value
