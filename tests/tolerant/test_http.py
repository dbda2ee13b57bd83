"""What HTTP and TLS leave to the caller, over real TLS: every form is taken, receipted and delivered."""

import ssl
from collections.abc import Iterator

import pytest
from lxml import etree

from gateway.app.instance import utc_now
from gateway.transport import client_tls
from gateway.values import Reply
from tests.foreign import D
from tests.hostile.wire import Wire, listening, read_all
from tests.line import KN, SHV, SR
from tests.tolerant.accepting import Host


@pytest.fixture(scope="module")
def listener(host: Host) -> Iterator[Wire]:
    with listening(host.target) as made:
        yield made


@pytest.fixture
def wire(listener: Wire) -> Wire:
    """The port lives in real time, and so must what is sent to it."""
    listener.target.line.at = utc_now()
    return listener


def taken(host: Host, octets: bytes, reply: Reply) -> None:
    """A signed receipt for these octets."""
    assert (reply.status, reply.content_type) == (200, "text/xml; charset=utf-8"), reply.octets[:500]
    value = "".join(next(etree.fromstring(octets).iter(f"{{{D}}}SignatureValue")).text.split())
    envelope = host.target.verify_answer(reply, value)
    assert envelope.child.tag == f"{{{KN}}}Ontvangstbevestiging"


CONTENT_TYPES = [
    "text/xml", "text/xml;charset=utf-8", 'text/xml; charset="UTF-8"', "TEXT/XML; CHARSET=Utf-8",
    "text/xml ; charset=UTF-8", 'text/xml; charset=utf-8; action="urn:x"', "text/xml; charset=utf-8;",
]


@pytest.mark.clause("SSBP R1018")
@pytest.mark.parametrize("content_type", CONTENT_TYPES)
def test_content_types(host: Host, wire: Wire, content_type: str) -> None:
    octets = host.write()
    taken(host, octets, wire.call(body=octets, Content_Type=content_type))


@pytest.mark.clause("WS002")
@pytest.mark.parametrize("headers", [
    {"SOAPAction": f'"{SR}:Kennisgeving"'}, {"SOAPAction": f"{SR}:Kennisgeving"}, {"SOAPAction": ""},
    {"Accept": "*/*"}, {"Expect": "100-continue"}, {"Content_Encoding": "identity"},
    {"Cookie": "a=b", "User_Agent": "Foreign/1.0 (x; y)", "Accept_Encoding": "gzip, br"},
], ids=str)
def test_headers(host: Host, wire: Wire, headers: dict[str, str]) -> None:
    octets = host.write()
    taken(host, octets, wire.call(body=octets, **headers))


def chunked(octets: bytes, size: int, trailer: bytes = b"") -> bytes:
    parts = [octets[i:i + size] for i in range(0, len(octets), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n" + trailer + b"\r\n"


def raw(wire: Wire, request: bytes, context: ssl.SSLContext | None = None) -> Reply:
    with wire.raw(context=context) as connection:
        connection.sendall(request)
        head, _, body = read_all(connection).partition(b"\r\n\r\n")
    kind = head.lower().split(b"content-type: ")[1].split(b"\r\n")[0].decode()
    return Reply(status=int(head.split()[1]), octets=body, content_type=kind)


HEAD = b"POST %b HTTP/%b\r\nHost: localhost\r\nContent-Type: text/xml; charset=utf-8\r\n%b\r\n"


@pytest.mark.clause("BP R1141")
@pytest.mark.parametrize("size", [1, 4_000, 100_000])
def test_a_chunked_body(host: Host, wire: Wire, size: int) -> None:
    octets = host.write()
    head = HEAD % (SHV.encode(), b"1.1", b"Connection: close\r\nTransfer-Encoding: chunked\r\n")
    taken(host, octets, raw(wire, head + chunked(octets, size)))


def test_a_chunked_body_with_extensions_and_trailers(host: Host, wire: Wire) -> None:
    octets = host.write()
    head = HEAD % (SHV.encode(), b"1.1", b"Connection: close\r\nTransfer-Encoding: chunked\r\n")
    body = chunked(octets, 5_000, b"X-Digest: x\r\n").replace(b"1388\r\n", b"1388;name=value\r\n")
    taken(host, octets, raw(wire, head + body))


@pytest.mark.clause("BP R1141")
@pytest.mark.parametrize("more", [b"", b"Connection: close\r\n", b'soapaction: ""\r\n'])
def test_http_1_0(host: Host, wire: Wire, more: bytes) -> None:
    octets = host.write()
    head = HEAD % (SHV.encode(), b"1.0", b"Content-Length: %d\r\n%b" % (len(octets), more))
    taken(host, octets, raw(wire, head + octets))


@pytest.mark.clause("TLS004")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=lambda one: one.name)
def test_tls_versions(host: Host, wire: Wire, version: ssl.TLSVersion) -> None:
    octets, context = host.write(), client_tls(wire.files("gemeente"))
    context.minimum_version = context.maximum_version = version
    head = HEAD % (SHV.encode(), b"1.1", b"Connection: close\r\nContent-Length: %d\r\n" % len(octets))
    with wire.raw(context=context) as connection:
        assert connection.version() == version.name.replace("v1_", "v1.")
    taken(host, octets, raw(wire, head + octets, context))


def test_an_envelope_with_windows_line_ends_and_a_mark(host: Host, wire: Wire) -> None:
    octets = b"\xef\xbb\xbf" + host.write(space="\n ").replace(b"\n", b"\r\n")
    taken(host, octets, wire.call(body=octets))
