"""One hardened parse: what gets in, and what each departure from the profile is called."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import (
    ForbiddenHeader,
    GatewayError,
    MalformedEnvelope,
    NotUnderstood,
    NotUtf8,
    NotXml,
    TooLarge,
    VersionMismatch,
)
from gateway.soap import Limits, parse
from gateway.soap.envelope import has_canonical_form

S = "http://schemas.xmlsoap.org/soap/envelope/"
A = "http://www.w3.org/2005/08/addressing"
O = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"  # noqa: E741


def envelope(*, header: str = "", body: str = '<m xmlns="urn:m">x</m>', prolog: str = "", attributes: str = "",
             body_attributes: str = "", after: str = "", tail: str = "") -> bytes:
    return (
        f'{prolog}<s:Envelope xmlns:s="{S}" xmlns:a="{A}" xmlns:o="{O}"{attributes}><s:Header>{header}</s:Header>'
        f"<s:Body{body_attributes}>{body}</s:Body>{after}</s:Envelope>{tail}"
    ).encode()


@pytest.mark.clause("BP R1010", "§3.1")
@pytest.mark.parametrize(
    "octets",
    [
        envelope(),
        b"\xef\xbb\xbf" + envelope(prolog='<?xml version="1.0" encoding="UTF-8"?>'),
        envelope(prolog="<?xml version='1.0' encoding='utf-8' standalone='yes'?>\r\n"),
        envelope(body="\r\n  <m xmlns='urn:m'><![CDATA[<!-- no comment --> <?no pi?>]]></m>\n"),
        envelope(header=f'<a:To xmlns:u="urn:u">x</a:To><o:Security s:mustUnderstand="1" xmlns:o="{O}"/>'),
        f'<Envelope xmlns="{S}"><Body><m xmlns="urn:m"/></Body></Envelope>'.encode(),
        envelope(body='<m xmlns="urn:m">&lt;&#65;&amp;</m>'),
    ],
    ids=["plain", "bom", "standalone", "cdata", "headers", "no-header", "references"],
)
def test_accepts_every_spelling_of_a_good_envelope(octets):
    assert parse(octets, Limits()).child_name == ("urn:m", "m")


@pytest.mark.clause("WW003", "WS006", "WS007", "BP R9980", "BP R9981", "BP R1014", "BP R1011", "BP R1032", "BP R1005",
    "BP R1008", "BP R1009", "BP R1012", "BP R1013", "BP R1015", "BP R1027", "BSP R3228")
@pytest.mark.parametrize(
    ("octets", "error"),
    [
        (envelope(prolog='<!DOCTYPE x [<!ENTITY a "b">]>'), NotXml),
        (envelope(prolog="<!DOCTYPE x>"), NotXml),
        (envelope(prolog='<?xml version="1.1"?>'), NotXml),
        (envelope(prolog=' <?xml version="1.0"?>'), NotXml),
        (envelope(prolog='<?xml version="1.0"?><?xml version="1.0"?>'), NotXml),
        (envelope(tail="<x/>"), NotXml),
        (envelope(tail="x"), NotXml),
        (envelope(body="&undefined;"), NotXml),
        (b"{}", NotXml),
        (b"", NotXml),
        (envelope(prolog='<?xml version="1.0" encoding="utf-7"?>'), NotUtf8),
        (envelope(prolog='<?xml version="1.0" encoding="iso-8859-1"?>'), NotUtf8),
        (envelope().decode().encode("utf-16"), NotUtf8),
        (envelope().decode().encode("utf-16-le"), NotUtf8),
        (envelope().decode().encode("utf-32-be"), NotUtf8),
        (envelope().decode().encode("cp037"), NotUtf8),
        (envelope().replace(b">x<", b">\xc0\xbc<"), NotUtf8),
        (envelope().replace(b">x<", b">\xed\xa0\x80<"), NotUtf8),
        (envelope().replace(b">x<", b">\x00<"), NotUtf8),
        (envelope().replace(S.encode(), b"http://www.w3.org/2003/05/soap-envelope"), VersionMismatch),
        (b'<m xmlns="urn:m"/>', VersionMismatch),
        (envelope(after="<s:Body><m xmlns='urn:m'/></s:Body>"), MalformedEnvelope),
        (envelope(after="<x xmlns='urn:x'/>"), MalformedEnvelope),
        (envelope(after="text"), MalformedEnvelope),
        (envelope(body=""), MalformedEnvelope),
        (envelope(body="text"), MalformedEnvelope),
        (envelope(body="<m xmlns='urn:m'/><n xmlns='urn:m'/>"), MalformedEnvelope),
        (envelope(body="<m xmlns='urn:m'/>text"), MalformedEnvelope),
        (envelope(body="<m xmlns=''/>"), MalformedEnvelope),
        (envelope(body="<m xmlns='urn:m'>1<!-- -->2</m>"), MalformedEnvelope),
        (envelope(body="<m xmlns='urn:m'><?pi x?></m>"), MalformedEnvelope),
        (envelope(prolog="<?xml-stylesheet href='x'?>"), NotXml),
        (envelope(prolog="<?x?>"), MalformedEnvelope),
        (envelope(tail="<!-- after -->"), MalformedEnvelope),
        (envelope(attributes=' s:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"'), MalformedEnvelope),
        (envelope(body='<m xmlns="urn:m" s:encodingStyle="x"/>'), MalformedEnvelope),
        (envelope(attributes=' s:mustUnderstand="1"'), MalformedEnvelope),
        (envelope(body_attributes=' s:actor=""'), MalformedEnvelope),
        (envelope(body_attributes=' Id="x"'), MalformedEnvelope),
        (envelope(body="<m xmlns='urn:m'>" + "<n>" * 62 + "</n>" * 62 + "</m>"), MalformedEnvelope),
        (envelope(body="<m xmlns='urn:m' " + " ".join(f'a{i}="x"' for i in range(65)) + "/>"), MalformedEnvelope),
        (envelope(body="<m xmlns='urn:m'>" + "<n/>" * 100_001 + "</m>"), MalformedEnvelope),
        (envelope(body="<m xmlns='urn:m' " + " ".join(f'a{i}="x"' for i in range(100_001)) + "/>"), MalformedEnvelope),
        (envelope(body="<m xmlns='urn:m'>" + "<n>" * 100_000), MalformedEnvelope),
        (envelope(body="<m xmlns='urn:m'>" + "<n>" * 40_000), NotXml),
        (envelope(header="<x xmlns='urn:x'/>"), ForbiddenHeader),
        (envelope(header="<x:EncryptedData xmlns:x='http://www.w3.org/2001/04/xmlenc#'/>"), ForbiddenHeader),
        (envelope(header="<x xmlns='urn:x' s:mustUnderstand='0'/>"), ForbiddenHeader),
        (envelope(header="<a:To>1</a:To><a:To>2</a:To>"), ForbiddenHeader),
        (envelope(header="<a:Other>1</a:Other>"), ForbiddenHeader),
        (envelope(header="<o:Security/><o:Security/>"), ForbiddenHeader),
        (envelope(header=f"<o:Security s:actor='{S.replace('envelope/', 'actor/next')}'/>"), ForbiddenHeader),
        (envelope(header="<a:To xmlns:a='http://schemas.xmlsoap.org/ws/2004/08/addressing'>1</a:To>"), ForbiddenHeader),
        (envelope(header="<x xmlns='urn:x' s:mustUnderstand='1'/>"), NotUnderstood),
        (envelope(header="<x xmlns='urn:x' s:mustUnderstand='true'/>"), MalformedEnvelope),
        (envelope(header="<o:Security s:mustUnderstand='2'/>"), MalformedEnvelope),
    ],
)
def test_refuses_by_name(octets, error):
    with pytest.raises(error) as caught:
        parse(octets, Limits())
    assert type(caught.value) is error


def test_size_limit_is_exact():
    octets = envelope()
    assert parse(octets, Limits(max_octets=len(octets)))
    with pytest.raises(TooLarge):
        parse(octets, Limits(max_octets=len(octets) - 1))


@pytest.mark.clause("§7.3")
def test_text_of_a_document_never_reaches_the_operators_detail():
    with pytest.raises(NotXml) as caught:
        parse(envelope(body="<geheim999990019></anders>"), Limits())
    assert "999990019" not in caught.value.detail


@pytest.mark.clause("§5.3")
@given(st.binary(max_size=300))
def test_any_octets_give_an_envelope_or_a_gateway_error(octets):
    with suppress(GatewayError):
        parse(octets, Limits())


@given(st.integers(min_value=0, max_value=len(envelope()) - 1), st.integers(min_value=0, max_value=255))
def test_one_changed_octet_gives_an_envelope_or_a_gateway_error(place, value):
    octets = bytearray(envelope(header="<a:To>x</a:To>"))
    octets[place] = value
    with suppress(GatewayError):
        parse(bytes(octets), Limits())


@pytest.mark.parametrize("uri", ["rel", "../x", "a&#98;c", "urn:m"])
@pytest.mark.parametrize("before", [
    "", "xmlns", 'xmlns:z="urn:z', "xmlns:" + "y" * 300, 'xmlns="urn:z" xmlns', 'xmlns:q="' + "y" * 600, "xmlns='"])
@pytest.mark.parametrize("declaration", ['xmlns:p="{}"', "xmlns:p='{}'", 'xmlns:p  =\n "{}"', "xmlns:xmlnsx='{}'",
                                         "xmlns:" + "p" * 300 + "='{}'"])
def test_a_relative_namespace_is_noticed_however_it_is_written_and_whatever_text_is_before_it(uri, before, declaration):
    """`canonical` is the judgement of the walk over the whole document, though it is seldom walked."""
    child = f'<m xmlns="urn:m">{before}<n {declaration.format(uri)}/></m>'
    found = parse(envelope(body=child), Limits())
    assert found.canonical is (uri == "urn:m")
    assert found.canonical is has_canonical_form(found.root)
