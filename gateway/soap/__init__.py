"""The envelope: the only room that parses foreign octets, and the words the hub writes back."""

from gateway.soap._xml import attribute, declare, leaf, stamp, text
from gateway.soap.addressing import check_request, claimed_message_id, claimed_oin, is_message_id, read_addressing
from gateway.soap.answers import (
    Receipt,
    read_receipt,
    write_collected,
    write_confirmed,
    write_evidence,
    write_explanation,
    write_log,
    write_overview,
    write_own_receipt,
    write_parties,
    write_pong,
    write_receipt,
    write_waiting,
)
from gateway.soap.envelope import (
    Element,
    Envelope,
    Limits,
    check_xml_octets,
    has_canonical_form,
    many_namespaces,
    parse,
    read_bounded,
    read_xml,
    scopes_are_bounded,
)
from gateway.soap.fault import fault_action, fault_prefixes, read_fault, write_fault
from gateway.soap.notices import LAPSED, write_lapsed
from gateway.soap.opening import open_element, open_envelope
from gateway.soap.tolerated import tolerated_blocks, tolerated_octets
from gateway.soap.xop import Hole, placeholder, put_in, take_out, take_out_of

__all__ = [
    "LAPSED", "Element", "Envelope", "Hole", "Limits", "Receipt", "attribute", "check_request", "check_xml_octets",
    "claimed_message_id", "claimed_oin", "declare", "fault_action", "fault_prefixes", "has_canonical_form",
    "is_message_id", "leaf", "many_namespaces", "open_element", "open_envelope", "parse", "placeholder", "put_in",
    "read_addressing", "read_bounded", "read_fault", "read_receipt", "read_xml", "scopes_are_bounded", "stamp",
    "take_out", "take_out_of", "text", "tolerated_blocks", "tolerated_octets", "write_collected", "write_confirmed",
    "write_evidence", "write_explanation", "write_fault", "write_lapsed", "write_log", "write_overview",
    "write_own_receipt", "write_parties", "write_pong", "write_receipt", "write_waiting",
]
