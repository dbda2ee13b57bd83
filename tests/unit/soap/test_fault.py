"""Faults as SOAP 1.1 §4.4 and the Basic Profile have them; those of others are read whatever they hold."""

from datetime import UTC, datetime

import pytest
from lxml import etree

from gateway.errors import TABLE, GatewayError, SchemaInvalid
from gateway.names import KN, PREFIXES
from gateway.soap import Limits, parse, read_fault, write_fault
from gateway.values import Finding
from tests.unit.soap.test_envelope import S, envelope

AT = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
FINDING = Finding(xpath="/sr:Kennisgeving", rule="minLength", nl="Te <kort>.", en="Too <short>.")


def fault_of(error: GatewayError) -> etree._Element:
    octets = write_fault(error, ticket="11111111-1111-4111-8111-111111111111", at=AT)
    return etree.fromstring(f'<soap:Body xmlns:soap="{S}">'.encode() + octets + b"</soap:Body>")[0]


def error_of(kind: type[GatewayError]) -> GatewayError:
    if kind.__init__ is GatewayError.__init__:
        return kind("only for the operator")
    return SchemaInvalid((FINDING,))


@pytest.mark.clause("BP R1000", "BP R1001", "BP R1004", "BP R1031", "§1.5")
@pytest.mark.parametrize("kind", TABLE, ids=lambda kind: kind.__name__)
def test_a_fault_has_its_children_in_order_and_a_code_without_dots(kind: type[GatewayError]) -> None:
    error = error_of(kind)
    fault = fault_of(error)
    assert [child.tag for child in fault] == ["faultcode", "faultstring", "detail"]
    prefix, _, local = fault.findtext("faultcode").partition(":")
    assert fault.find("faultcode").nsmap[prefix] == PREFIXES[prefix]
    assert local.isalpha()
    (detail,) = fault.find("detail")
    assert detail.tag == f"{{{KN}}}Foutbericht"
    row = TABLE[type(error)]
    assert fault.findtext("faultstring").endswith(row.text)
    assert fault.findtext("faultstring").startswith(f"[{row.wus}] " if row.wus else row.text)
    assert b"only for the operator" not in etree.tostring(fault)


@pytest.mark.clause("BP R1002", "BP R1016")
@pytest.mark.parametrize("detail", [
    "", "<detail/>", "<detail>text</detail>", '<detail a="b"><x:y xmlns:x="urn:x" x:z="1"><z/></x:y><q/></detail>'])
def test_a_fault_with_any_detail_and_language_is_read(detail: str) -> None:
    body = (f'<s:Fault xmlns:s="{S}"><faultcode>s:Server</faultcode><faultstring xml:lang="en">Busy.</faultstring>'
            f"{detail}</s:Fault>")
    seen = read_fault(parse(envelope(body=body), Limits()))
    assert (seen.faultcode, seen.faultstring, seen.code, seen.findings) == ("s:Server", "Busy.", None, ())


def test_our_own_fault_reads_back_whole() -> None:
    octets = etree.tostring(fault_of(SchemaInvalid((FINDING,)))).decode()
    seen = read_fault(parse(envelope(body=octets), Limits()))
    assert (seen.code, seen.findings) == ("SKP001", (FINDING,))
    assert seen.ticket == "11111111-1111-4111-8111-111111111111"
