"""WS-Addressing as WA001 has it, and the claims that faults may relate to."""

import pytest

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
from gateway.soap import Limits, check_request, claimed_message_id, claimed_oin, parse, read_addressing
from tests.unit.soap.test_envelope import envelope

HERE = "https://localhost:8443/soap/schuldregeling/2.0/shv"
GOOD = f"<a:Action>urn:x:Y</a:Action><a:MessageID>urn:uuid:1</a:MessageID><a:To>{HERE}</a:To>"
ANON = "http://www.w3.org/2005/08/addressing/anonymous"


def check(header: str, soap_action: str | None = None) -> None:
    addressing = read_addressing(parse(envelope(header=header), Limits()))
    check_request(addressing, soap_action, {HERE}, "00000099000000000010")


@pytest.mark.clause("WS002", "BP R1109", "BP R2745", "BP R1119", "BP R1127")
@pytest.mark.parametrize("soap_action", [None, "", '""', '"urn:x:Y"', "urn:x:Y"])
def test_soap_action_may_be_absent_empty_or_the_action(soap_action):
    check(GOOD, soap_action)


@pytest.mark.clause("WA001")
@pytest.mark.parametrize(
    "extra",
    [
        "", f"<a:ReplyTo><a:Address>{ANON}</a:Address></a:ReplyTo>",
        f"<a:ReplyTo>\n <a:Address> {ANON} </a:Address>\n</a:ReplyTo>",
        "<a:From><a:Address>https://a.example?OIN=00000099000000001000</a:Address></a:From>",
        "<a:FaultTo><a:Address>http://www.w3.org/2005/08/addressing/none</a:Address></a:FaultTo>",
    ],
)
def test_optional_headers(extra):
    check(GOOD + extra)


@pytest.mark.clause("WA001")
@pytest.mark.parametrize("to", [ANON, HERE + "?OIN=00000099000000000010"])
def test_to_may_be_anonymous_or_carry_an_oin(to):
    check(GOOD.replace(f"<a:To>{HERE}", f"<a:To>{to}"))


@pytest.mark.clause("WA001")
@pytest.mark.parametrize("message_id", ["urn:uuid:1", "https://a.example/1", "ab@0a3f@https://a.example", "uuid:x"])
def test_forms_of_message_id(message_id):
    check(GOOD.replace("urn:uuid:1", message_id))


@pytest.mark.clause("WA001", "WS002")
@pytest.mark.parametrize(
    ("header", "soap_action", "error"),
    [
        (GOOD.replace("<a:Action>urn:x:Y</a:Action>", ""), None, AddressingMissing),
        (GOOD.replace("<a:MessageID>urn:uuid:1</a:MessageID>", ""), None, MessageIdMissing),
        (GOOD.replace("urn:uuid:1", "no-iri"), None, MessageIdWrong),
        (GOOD.replace("urn:uuid:1", "urn:a b"), None, MessageIdWrong),
        (GOOD.replace("urn:uuid:1", "urn:" + "a" * 500), None, MessageIdWrong),
        (GOOD.replace(f"<a:To>{HERE}</a:To>", ""), None, ToMissing),
        (GOOD.replace("localhost", "elsewhere"), None, ToWrong),
        (GOOD.replace("localhost", "LOCALHOST"), None, ToWrong),
        (GOOD.replace("https://", "https://user@"), None, ToWrong),
        (GOOD.replace("/shv", "/shv#x"), None, ToWrong),
        (GOOD.replace("/shv", "/se"), None, ToWrong),
        (GOOD.replace("/soap/", "/soap/%2e/"), None, ToWrong),
        (GOOD.replace("/shv", "/shv?OIN=1"), None, ToWrong),
        (GOOD.replace("/shv", "/shv?OIN=00000099000000000010?OIN=00000099000000000010"), None, ToWrong),
        (GOOD.replace("/shv", "/shv?OIN=00000099000000000020"), None, AddressingError),
        (GOOD + "<a:ReplyTo><a:Address>http://169.254.169.254/</a:Address></a:ReplyTo>", None, AddressingError),
        (GOOD + "<a:FaultTo><a:Address>file:///x</a:Address></a:FaultTo>", None, AddressingError),
        (GOOD + f"<a:ReplyTo><a:Address>{ANON}</a:Address><a:ReferenceParameters/></a:ReplyTo>", None, AddressingError),
        (GOOD + "<a:From>text</a:From>", None, AddressingError),
        (GOOD.replace("urn:x:Y", "<b/>"), None, AddressingError),
        (GOOD + "<a:RelatesTo>urn:uuid:0</a:RelatesTo>", None, RelatesToWrong),
        (GOOD, "urn:x:Other", ActionMismatch),
        (GOOD, '"urn:x:Other"', ActionMismatch),
    ],
)
def test_refuses_by_name(header, soap_action, error):
    with pytest.raises(error) as caught:
        check(header, soap_action)
    assert type(caught.value) is error


def test_a_fault_relates_only_to_a_message_id_of_the_right_form():
    assert claimed_message_id(parse(envelope(header=GOOD), Limits())) == "urn:uuid:1"
    assert claimed_message_id(parse(envelope(header="<a:MessageID>&#10;evil header</a:MessageID>"), Limits())) is None
    assert claimed_message_id(parse(envelope(), Limits())) is None


def test_the_oin_an_address_claims():
    assert claimed_oin("https://a?OIN=00000099000000001000") == "00000099000000001000"
    assert claimed_oin("https://a") is None
    assert claimed_oin(None) is None
