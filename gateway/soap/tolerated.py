"""Which tolerances of gateway/tolerances.py a request uses, as HTTP and the envelope tell. No walk, a few looks."""

from gateway.soap.envelope import Envelope, declares_us_ascii, starts_with_mark
from gateway.tolerances import (
    BYTE_ORDER_MARK,
    DECLARED_US_ASCII,
    HEADER_FOR_ANOTHER,
    SOAPACTION_ABSENT,
    SOAPACTION_UNQUOTED,
    Tolerance,
)


def tolerated_octets(octets: bytes, soap_action: str | None) -> list[Tolerance]:
    """By the octets and the SOAPAction header alone; also of a request that could not be read any further."""
    used = []
    if soap_action is None:
        used.append(SOAPACTION_ABSENT)
    elif not soap_action.strip().startswith('"'):
        used.append(SOAPACTION_UNQUOTED)
    if starts_with_mark(octets):
        used.append(BYTE_ORDER_MARK)
    if declares_us_ascii(octets):
        used.append(DECLARED_US_ASCII)
    return used


def tolerated_blocks(envelope: Envelope) -> list[Tolerance]:
    """By the header blocks."""
    return [HEADER_FOR_ANOTHER] if envelope.others else []
