"""HTTP under the SOAP port (standards catalogue 5.4), over real TLS, with the whole line behind it.

What tests/unit/transport holds already (limits, time-outs, the usual smuggling) is listed in README.md.
"""

import gzip
import zlib

import pytest

from gateway.errors import (
    ActionMismatch,
    NotFound,
    NotUtf8,
    NotXml,
    RoleNotAllowed,
    TooLarge,
    UnsupportedContent,
)
from gateway.names import DS
from tests.hostile.attack import CAP, SURNAME, bounded, message
from tests.hostile.test_parser_and_resources import padded
from tests.hostile.wire import Wire, exchange, read_all
from tests.line import POSTBUS, SHV, code

pytestmark = pytest.mark.clause("§5.4")


def test_a_good_request_passes(wire: Wire) -> None:
    reply = wire.call(body=wire.target.signed())
    assert (reply.status, code(reply)) == (200, None)


@pytest.mark.incident("CVE-2022-46364")
@pytest.mark.clause("SSBP R1018", "BP R1115")
@pytest.mark.parametrize("content_type", [
    "application/soap+xml; charset=utf-8", "application/json", "text/html", "text/xml; charset=utf-16",
    "text/xml; charset=utf-7", "text/xml; charset=iso-8859-1", "multipart/related",
    'multipart/related; type="application/xop+xml"; start="<x>"; start-info="application/soap+xml"; boundary="b"',
    'multipart/related; type="text/html"; boundary="b"', "text/xml, application/soap+xml", "x" * 5_000])
def test_another_content_type(wire: Wire, content_type: str) -> None:
    """A signed fault with its ticket, as for every caller that TLS knows."""
    sent = wire.target.signed()
    read = b"" if content_type.startswith("multipart/") else sent  # of a package nothing is read before its type holds
    wire.target.repels(read, UnsupportedContent, via=lambda _: wire.call(body=sent, Content_Type=content_type))


@pytest.mark.incident("CVE-2025-25293")
@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "compress", "identity, gzip", "gzip, gzip", "x"])
def test_a_compressed_body(wire: Wire, encoding: str) -> None:
    octets = wire.target.signed()
    packed = {"gzip": gzip.compress(octets), "deflate": zlib.compress(octets)}.get(encoding, octets)
    wire.target.repels(packed, UnsupportedContent, via=lambda sent: wire.call(body=sent, Content_Encoding=encoding))


def test_a_compressed_bomb(wire: Wire) -> None:
    """100 MB in 100 kB, once and twice: never unpacked, whether it is announced or not."""
    bomb = gzip.compress(b" " * 100_000_000, 1)
    for octets in (bomb, gzip.compress(bomb)):
        wire.target.repels(octets, UnsupportedContent, cpu=0.3, via=lambda sent: wire.call(
            body=sent, Content_Encoding="gzip"))
        wire.target.repels(octets, NotUtf8, cpu=0.3, via=lambda sent: wire.call(body=sent))


def test_sizes_around_the_cap(wire: Wire) -> None:
    assert wire.call(body=padded(wire.target.signed(), CAP)).status == 200
    wire.target.repels(padded(wire.target.signed(), CAP + 1), TooLarge, via=lambda octets: wire.call(body=octets))


@pytest.mark.clause("BP R1113")
@pytest.mark.parametrize("octets", [
    b'{"SOAP": true}', b"--b\r\nContent-Type: text/xml\r\n\r\n<a/>\r\n--b--", b"a=b&c=d", b""])
def test_a_body_that_is_no_xml(wire: Wire, octets: bytes) -> None:
    wire.target.repels(octets, NotXml, via=lambda sent: wire.call(body=sent))


@pytest.mark.clause("BP R1125")
@pytest.mark.parametrize("path", ["/", "/soap", SHV + "/", SHV.upper(), SHV + "/../se", "/soap/schuldregeling/9.0/shv",
                                  "/soap//schuldregeling/2.0/shv", SHV + "%00", SHV + ";x=y", "/" + "x" * 10_000])
def test_a_service_that_is_not_there(wire: Wire, path: str) -> None:
    reply = wire.target.repels(wire.target.signed(), NotFound, via=lambda octets: wire.call(path=path, body=octets))
    assert len(reply.octets) < 10_000


@pytest.mark.clause("§1.7")
@pytest.mark.parametrize("headers", [
    {"X_SSL_Client_Cert": "{pem}"}, {"X_Client_Cert": "{pem}", "X_Forwarded_Client_Cert": "{pem}"},
    {"SSL_CLIENT_S_DN": "serialNumber=00000099000000001000", "X_SSL_Client_Verify": "SUCCESS"},
    {"X_Forwarded_For": "127.0.0.1", "Forwarded": "for=127.0.0.1;proto=https", "X_Forwarded_Host": "localhost"},
    {"X_OIN": "00000099000000001000", "Authorization": "Bearer KANARIE"}], ids=str)
def test_forged_headers_of_a_proxy(wire: Wire, headers: dict[str, str]) -> None:
    """Who calls is what the TLS certificate says, whatever a header claims."""
    pem = (wire.target.line.instance.folder / "pki" / "gemeente-tls.pem").read_text().replace("\n", "")
    sent = {name: value.replace("{pem}", pem) for name, value in headers.items()}
    wire.target.repels(wire.target.signed(), RoleNotAllowed, party="energie", via=lambda octets: wire.call(
        body=octets, party="energie", **sent))


@pytest.mark.clause("WS002")
def test_two_soapactions(wire: Wire) -> None:
    octets = wire.target.signed()
    head = (f"POST {SHV} HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/xml\r\nSOAPAction: \"\"\r\n"
            f"SOAPAction: \"{DS}\"\r\nConnection: close\r\nContent-Length: {len(octets)}\r\n\r\n")
    with wire.raw() as raw:
        raw.sendall(head.encode() + octets)
        answer = read_all(raw)
    assert answer.startswith(b"HTTP/1.1 500 ")
    assert b"[0003]" in answer
    wire.target.repels(octets, ActionMismatch, soap_action='"", "x"')


START = f"POST {SHV} HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/xml\r\n"


@pytest.mark.clause("BP R1113")
@pytest.mark.parametrize("request_octets", [
    START.encode() + b"Content-Length: 4\r\n folded\r\n\r\n<a/>",  # obs-fold
    START.encode() + b"X-A: b\r\n c\r\nContent-Length: 4\r\n\r\n<a/>",
    START.replace("\r\n", "\n").encode() + b"Content-Length: 4\n\n<a/>",  # bare LF
    START.encode() + b"Content-Length: 4\r\nX: a\rb\r\n\r\n<a/>",  # bare CR
    START.encode() + b"Content-Length: 4\r\nX: a\0b\r\n\r\n<a/>",
    START.encode() + b"Content-Length: +4\r\n\r\n<a/>",
    START.encode() + b"Content-Length: 0x4\r\n\r\n<a/>",
    START.encode() + b"Content-Length: 4, 4\r\n\r\n<a/>",
    START.encode() + b"Content-Length: 4 4\r\n\r\n<a/>",
    START.encode() + b"Content-Length: 99999999999999999999\r\n\r\n<a/>",
    START.encode() + b"Transfer-Encoding: chunked, identity\r\n\r\n4\r\n<a/>\r\n0\r\n\r\n",
    START.encode() + b"Transfer-Encoding : chunked\r\n\r\n4\r\n<a/>\r\n0\r\n\r\n",
    START.encode() + b"Transfer-Encoding: xchunked\r\n\r\n4\r\n<a/>\r\n0\r\n\r\n",
    START.encode() + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n4\r\n<a/>\r\n0\r\n\r\n",
    START.encode() + b"Transfer-Encoding:\r\n chunked\r\n\r\n4\r\n<a/>\r\n0\r\n\r\n",
    START.encode() + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n4\r\n<a/>\r\n0\r\n\r\n",
    START.encode() + b":path: /\r\nContent-Length: 4\r\n\r\n<a/>",  # a pseudo-header of HTTP/2
    START.encode() + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n<a/>\r\n0\r\n\r\n",
    START.encode() + b"Transfer-Encoding: chunked\r\n\r\n-4\r\n<a/>\r\n0\r\n\r\n",
    START.encode() + b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n<a/>\r\n0\r\n\r\n",
    START.encode() + b"Transfer-Encoding: chunked\r\n\r\n4\n<a/>\r\n0\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0",  # a connection that speaks HTTP/2
    START.encode().replace(b"HTTP/1.1", b"HTTP/9.9") + b"\r\n",
    b"\x16\x03\x01\x00\x05hello",
    b"\xff" * 100,
], ids=lambda octets: repr(octets[-60:]))
def test_a_request_two_servers_might_read_differently(wire: Wire, request_octets: bytes) -> None:
    """400, the connection ends, and nothing that stood behind it is read as a second request."""
    second = f"POST {POSTBUS} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n".encode()
    before = wire.target.line.rows("entries")
    with wire.raw() as raw:
        raw.sendall(request_octets + second)
        answer = read_all(raw)
    assert answer.count(b"HTTP/1.1 ") == 1
    assert answer.startswith(b"HTTP/1.1 400 "), answer[:100]
    assert wire.target.line.rows("entries") == before
    wire.target.still_serves("gemeente")


def test_a_body_that_is_longer_than_said_is_the_next_request(wire: Wire) -> None:
    """CL.0 and its kin: what follows is a request of its own, of the same caller, and no HTTP at that."""
    octets = wire.target.signed()
    with wire.raw() as raw:
        raw.sendall(START.encode() + b"Content-Length: 0\r\n\r\n" + octets)
        answer = read_all(raw)
    assert {line.split()[1] for line in answer.split(b"\r\n") if line.startswith(b"HTTP/1.1 ")} == {b"400"}
    assert wire.target.line.post(octets).status == 200


@pytest.mark.parametrize("query", [
    "?wsdl=../../../etc/passwd", "?xsd=../gateway.toml", "?xsd=%2e%2e%2f%2e%2e%2fgateway.toml", "?xsd=/etc/passwd",
    "?xsd=schuldregeling/2.0/manifest.toml", "?xsd=%00", "?wsdl&x=1", "?xsd=waarborgfonds/1.0/types.xsd",
    "?xsd=file:///etc/passwd", "?xsd={canary}"])
def test_contracts_by_a_path(wire: Wire, query: str) -> None:
    """A service hands out its own contract, by exact name; not another's, nor a file."""
    reply = wire.call("GET", SHV + wire.target.plant(query))
    assert reply.status == 404
    assert wire.target.canary.visits() == 0
    assert wire.call("GET", SHV + "?wsdl").status == 200


def test_answers_that_nobody_reads(wire: Wire) -> None:
    """A hundred requests without reading one answer, then gone: others are served meanwhile and afterwards."""
    octets = wire.target.signed()
    one = START.encode() + f"Content-Length: {len(octets)}\r\n\r\n".encode() + octets
    with bounded(3 * CAP, cpu=10):
        with wire.raw() as raw:
            for _ in range(100):
                raw.sendall(one)
            assert wire.call(body=wire.target.signed(message(surname=SURNAME))).status == 200
        assert wire.call(body=wire.target.signed()).status == 200


@pytest.mark.clause("WT007", "BP R1126", "BP R1113", "BP R1111")
def test_one_connection_refused_and_served_in_turn(wire: Wire) -> None:
    with wire.connection() as connection:
        for _ in range(5):
            assert exchange(connection, body=wire.target.signed()[:-5]).status == 400
            assert exchange(connection, body=wire.target.signed(unsigned=frozenset({"Body"}))).status == 500
            assert exchange(connection, body=wire.target.signed()).status == 200
