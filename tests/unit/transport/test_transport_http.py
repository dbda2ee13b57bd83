"""What the SOAP listener lets through, and what it refuses before the line sees it."""

import http.client
import logging
import socket
import threading
import time
import tracemalloc
import urllib.parse
from dataclasses import replace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.errors import MethodNotAllowed, NotFound, Overloaded, TooLarge, UnsupportedContent, row
from gateway.transport import Background, ConnectionLimits, RequestLimits, client_tls
from gateway.transport.listener import contract_query, is_text_xml
from gateway.values import Reply
from tests.unit.transport.conftest import PATH, PLENTY, Start


def read_all(raw: socket.socket) -> bytes:
    """Everything until the other side closes, however it closes."""
    parts = []
    try:
        while part := raw.recv(65_536):
            parts.append(part)
    except ConnectionError:
        pass
    return b"".join(parts)


def read_until(raw: socket.socket, end: bytes) -> bytes:
    answer = b""
    while not answer.endswith(end):
        part = raw.recv(65_536)
        assert part, answer
        answer += part
    return answer


def head(length: int | None = 4, extra: str = "", version: str = "1.1") -> bytes:
    lengths = f"Content-Length: {length}\r\n" if length is not None else ""
    return f"POST {PATH} HTTP/{version}\r\nHost: localhost\r\nContent-Type: text/xml\r\n{lengths}{extra}\r\n".encode()


@pytest.mark.clause("BP R1111")
def test_certificate_and_facts_of_the_request_reach_the_line(start: Start) -> None:
    with start() as hub:
        status, response, body = hub.post(b"<x/>", SOAPAction='"urn:a"')
        (received,) = hub.received
        expected = x509.load_pem_x509_certificate((hub.pki.folder / "party.pem").read_bytes())
    assert (status, body) == (200, b"<answer/>")
    assert received.peer == expected.public_bytes(Encoding.DER)
    assert (received.octets, received.path, received.soap_action) == (b"<x/>", PATH, '"urn:a"')
    assert received.content_type == "text/xml; charset=utf-8"
    assert received.at.utcoffset() is not None
    assert response.getheader("Content-Type") == "text/xml; charset=utf-8"
    assert response.getheader("Date")
    assert response.getheader("Server") is None


@pytest.mark.clause("SSBP R1018")
@pytest.mark.parametrize("content_type", [
    "text/xml", "TEXT/XML", "text/xml;charset=UTF-8", 'text/xml; charset="utf-8"', "text/xml ; charset=Utf-8 ;",
    'text/xml; action="a"; charset=utf-8',
])
def test_text_xml_in_utf8_is_taken(content_type: str) -> None:
    assert is_text_xml(content_type)


@pytest.mark.clause("SSBP R1018", "WM001", "WS006")
@pytest.mark.parametrize("content_type", [
    "", "application/soap+xml", "application/xml", "text/xml; charset=utf-16", "text/xml; charset=iso-8859-1",
    "text/xml; charset=utf-8; charset=utf-7", "text/xml, text/xml", "text/xmlx", "text/xml; charset=", "text/html",
    'multipart/related; type="application/xop+xml"', "text/xml; charset='utf-8'",
])
def test_other_content_types_are_not(content_type: str) -> None:
    assert not is_text_xml(content_type)


@pytest.mark.clause("BP R1115", "BP R1125", "§5.4")
@pytest.mark.parametrize("headers", [
    {"Content_Type": "application/soap+xml; charset=utf-8"}, {"Content_Type": "text/xml; charset=utf-16"},
    {"Content_Encoding": "gzip"}, {"Content_Encoding": "identity, gzip"},
])
def test_unsupported_content_is_a_415_fault(start: Start, headers: dict[str, str]) -> None:
    with start() as hub:
        status, _, body = hub.post(b"<x/>", **headers)
        assert (status, body) == (415, b"<fault/>")
        assert isinstance(hub.refused[0][1], UnsupportedContent)
        assert hub.refused[0][0].octets == b"<x/>"
        assert not hub.received
        assert hub.post(b"<x/>", Content_Encoding="identity")[0] == 200


@pytest.mark.clause("BP R1125")
@pytest.mark.parametrize("path", [
    "/", "/soap/schuldregeling/2.0/SHV", PATH + "/", "/soap/schuldregeling/2.0/../2.0/shv",
    "/soap/schuldregeling/2.0/%73hv", "//soap/schuldregeling/2.0/shv",
])
def test_another_path_is_a_404(start: Start, path: str) -> None:
    with start() as hub:
        assert hub.post(path=path)[0] == 404
        assert isinstance(hub.refused[0][1], NotFound)
        assert not hub.received


@pytest.mark.incident("CVE-2012-5633")
@pytest.mark.clause("BP R1114", "BP R1125", "BP R1132")
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS", "HEAD", "PATCH", "TRACE"])
def test_another_method_is_a_405_that_names_post(start: Start, method: str) -> None:
    with start() as hub:
        connection = hub.connection()
        connection.request(method, PATH)
        response = connection.getresponse()
        response.read()
        assert (response.status, response.getheader("Allow")) == (405, "POST")
        connection.request(method, "/elsewhere")
        response = connection.getresponse()
        response.read()
        assert response.status == 404
        connection.close()
    assert row(MethodNotAllowed()).http == 405
    assert not hub.received


@pytest.mark.clause("§5.4")
def test_contracts_come_from_the_mapping_and_nothing_else(start: Start) -> None:
    contracts = {(PATH, "wsdl"): b"<wsdl/>", (PATH, "xsd=schuldregeling/2.0/berichten.xsd"): b"<xsd/>"}
    with start(contracts=contracts) as hub:
        connection = hub.connection()

        def get(query: str, path: str = PATH) -> tuple[int, bytes]:
            connection.request("GET", path + query)
            response = connection.getresponse()
            return response.status, response.read()

        assert get("?wsdl") == get("?WSDL") == (200, b"<wsdl/>")
        assert get("?xsd=schuldregeling/2.0/berichten.xsd") == (200, b"<xsd/>")
        assert get("?xsd=" + urllib.parse.quote("schuldregeling/2.0/berichten.xsd", safe="")) == (200, b"<xsd/>")
        for query in ("?xsd=../../../gateway.toml", "?xsd=..%2f..%2fgateway.toml", "?xsd=%2e%2e/x", "?xsd=/etc/passwd",
                      "?xsd=", "?xsd", "?wsdl=1", "?other", "?xsd=schuldregeling/2.0/berichten.xsd&x=1", "?xsd=%00"):
            assert get(query)[0] == 404, query
        assert get("?wsdl", "/soap/anders/1.0/shv")[0] == 404
        connection.close()
    assert contract_query(b"XSD=a%2Fb") == "xsd=a/b"


def test_a_body_over_the_cap_is_refused_by_its_length_without_being_read(start: Start) -> None:
    with start(limits=RequestLimits(max_octets=1000, linger_seconds=0.2)) as hub, hub.raw() as raw:
        raw.sendall(head(1001))
        answer = read_all(raw)
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert b"connection: close" in answer
        assert answer.endswith(b"<fault/>")
        assert isinstance(hub.refused[0][1], TooLarge)
        assert hub.refused[0][0].octets == b""
        assert hub.post(b"x" * 1000)[0] == 200
        assert hub.post(b"x" * 1001)[0] == 413


@pytest.mark.clause("§5.3")
def test_a_body_that_streams_past_the_cap_is_refused_in_bounded_memory(start: Start) -> None:
    chunk = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
    with start(limits=RequestLimits(max_octets=200_000, linger_seconds=1)) as hub, hub.raw() as raw:
        tracemalloc.start()
        try:
            before = tracemalloc.get_traced_memory()[0]
            raw.sendall(head(None, "Transfer-Encoding: chunked\r\n"))
            try:
                for _ in range(400):  # 26 MB
                    raw.sendall(chunk)
            except OSError:
                pass  # the hub hung up on us, as it should
            peak = tracemalloc.get_traced_memory()[1] - before
        finally:
            tracemalloc.stop()
        deadline = time.monotonic() + 5
        while not hub.refused and time.monotonic() < deadline:
            time.sleep(0.01)
        assert isinstance(hub.refused[0][1], TooLarge)
        assert not hub.received
    assert peak < 4_000_000


def test_expect_continue_is_not_invited_to_send_what_is_too_large(start: Start) -> None:
    with start(limits=RequestLimits(max_octets=1000)) as hub, hub.raw() as raw:
        raw.sendall(head(5000, "Expect: 100-continue\r\n"))
        began = time.monotonic()
        assert read_all(raw).startswith(b"HTTP/1.1 413 ")
        assert time.monotonic() - began < 1.5
        with hub.raw() as second:
            second.sendall(head(4, "Expect: 100-continue\r\n"))
            assert second.recv(100).startswith(b"HTTP/1.1 100 ")
            second.sendall(b"<a/>")
            assert second.recv(1000).startswith(b"HTTP/1.1 200 ")


@pytest.mark.clause("BP R1141")
def test_chunked_requests_and_http_1_0_work(start: Start) -> None:
    with start() as hub:
        assert hub.post(iter([b"<a>", b"b" * 100_000, b"</a>"]))[0] == 200
        assert hub.received[0].octets == b"<a>" + b"b" * 100_000 + b"</a>"
        with hub.raw() as raw:
            raw.sendall(head(4, version="1.0") + b"<a/>")
            answer = read_all(raw)
            assert answer.split(b"\r\n", 1)[0] == b"HTTP/1.1 200 OK"
            assert answer.endswith(b"\r\n\r\n<answer/>")
            assert b"transfer-encoding" not in answer


@pytest.mark.clause("BP R1113", "§5.4")
@pytest.mark.parametrize("request_octets", [
    head(4, "Transfer-Encoding: chunked\r\n") + b"0\r\n\r\n",
    head(4, "Content-Length: 5\r\n") + b"<a/>",
    head(None, "Transfer-Encoding: xchunked\r\n") + b"<a/>",
    b"POST " + PATH.encode() + b" HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
    b"POST " + PATH.encode() + b" HTTP/1.1\r\nHost: a\r\nX : 1\r\nContent-Length: 4\r\n\r\n<a/>",
    b"NONSENSE\r\n\r\n",
    b"CONNECT elsewhere:443 HTTP/1.1\r\nHost: a\r\n\r\n",
])
def test_what_smuggles_or_is_no_http_gets_400_and_the_connection_ends(start: Start, request_octets: bytes) -> None:
    with start() as hub, hub.raw() as raw:
        raw.sendall(request_octets)
        answer = read_all(raw)
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert answer.count(b"HTTP/1.1") == 1
        assert not hub.received


@pytest.mark.clause("§5.4")
def test_slow_headers_end_the_connection(start: Start) -> None:
    with start(connections=ConnectionLimits(header_seconds=0.5)) as hub:
        with hub.raw() as silent, hub.raw() as slow:
            began = time.monotonic()
            for octet in b"POST /soap":
                slow.sendall(bytes([octet]))
                time.sleep(0.02)
            assert read_all(silent) == b""
            assert read_all(slow) == b""
            assert time.monotonic() - began < 3
        with hub.raw() as kept:  # also between two requests, and by empty lines too
            kept.sendall(head() + b"<a/>")
            assert read_until(kept, b"<answer/>").startswith(b"HTTP/1.1 200 ")
            kept.sendall(b"\r\n")
            assert read_all(kept) == b""


@pytest.mark.clause("§5.4")
def test_an_idle_connection_ends(start: Start) -> None:
    with start(connections=ConnectionLimits(idle_seconds=1)) as hub, hub.raw() as raw:
        raw.sendall(head() + b"<a/>")
        assert read_until(raw, b"<answer/>").startswith(b"HTTP/1.1 200 ")
        began = time.monotonic()
        assert read_all(raw) == b""
        assert 0.5 < time.monotonic() - began < 4


@pytest.mark.clause("§5.4")
def test_a_body_that_does_not_flow_ends_the_connection(start: Start) -> None:
    with start(limits=RequestLimits(body_seconds=0.5, linger_seconds=0.1)) as hub, hub.raw() as raw:
        raw.sendall(head(1000) + b"<a>")
        began = time.monotonic()
        try:
            for _ in range(20):
                raw.sendall(b"x")
                time.sleep(0.05)
        except OSError:
            pass
        answer = read_all(raw)
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert time.monotonic() - began < 3
        assert not hub.received
        assert not hub.refused


@pytest.mark.clause("§5.4")
def test_endless_headers_are_cut_off(start: Start) -> None:
    with start(connections=ConnectionLimits(header_octets=10_000)) as hub, hub.raw() as raw:
        raw.sendall(b"POST / HTTP/1.1\r\nX: ")
        sent = 0
        try:
            while sent < 5_000_000:
                raw.sendall(b"y" * 1000)
                sent += 1000
                time.sleep(0.001)
        except OSError:
            pass
        assert 10_000 <= sent < 5_000_000
        assert not hub.received


@pytest.mark.clause("§5.4")
def test_connections_of_one_party_are_bounded_and_others_get_through(start: Start) -> None:
    """By its OIN: another certificate of the same party is no way around it."""
    with start(allowance=replace(PLENTY, connections=2)) as hub:
        hub.pki.issue("spare")
        hub.pki.issue("other", oin="00000099000000002000")
        with hub.raw() as one, hub.raw() as two:
            for raw in (one, two):
                raw.sendall(head() + b"<a/>")
                assert raw.recv(1000).startswith(b"HTTP/1.1 200 ")
            for name in ("party", "spare"):
                with hub.raw(client_tls(hub.pki.files(name))) as third:
                    answer = read_all(third)
                assert answer.startswith(b"HTTP/1.1 429 ")
                assert b"Connection: close" in answer
            other = hub.connection("other")
            other.request("POST", PATH, body=b"<a/>", headers={"Content-Type": "text/xml"})
            assert other.getresponse().status == 200
            other.close()
        time.sleep(0.1)
        assert hub.post()[0] == 200


@pytest.mark.clause("WT007")
def test_many_requests_on_one_connection(start: Start) -> None:
    with start() as hub:
        connection = hub.connection()
        for number in range(300):
            connection.request("POST", PATH, body=b"<a>%d</a>" % number, headers={"Content-Type": "text/xml"})
            response = connection.getresponse()
            assert (response.status, response.read()) == (200, b"<answer/>")
        connection.close()
        assert [received.octets for received in hub.received] == [b"<a>%d</a>" % number for number in range(300)]


def test_a_short_answer_is_one_record(start: Start) -> None:
    with start() as hub, hub.raw() as raw:
        for method, end in ((b"POST", b"<answer/>"), (b"GET", b"Method Not Allowed\n"), (b"HEAD", b"\r\n\r\n")):
            raw.sendall(head().replace(b"POST", method, 1) + b"<a/>")
            answer = raw.recv(65_536)
            assert answer.startswith(b"HTTP/1.1 ")
            assert answer.endswith(end)


def test_pipelined_requests_are_answered_in_order(start: Start) -> None:
    with start(lambda received: Reply(status=200, octets=received.octets)) as hub, hub.raw() as raw:
        raw.sendall(b"".join(head() + b"<%c/>" % letter for letter in b"abc"))
        raw.settimeout(2)
        answer = b""
        while answer.count(b"/>") < 3:
            answer += raw.recv(1000)
        assert [answer.find(b"<%c/>" % letter) for letter in b"abc"] == sorted(
            answer.find(b"<%c/>" % letter) for letter in b"abc")


@pytest.mark.clause("§1.5")
def test_beyond_the_bound_there_is_503_with_retry_after_and_then_service_again(start: Start) -> None:
    release = threading.Event()

    def answer(received: object) -> Reply:
        release.wait(10)
        return Reply(status=200, octets=b"<late/>")

    limits = RequestLimits(threads=1, waiting=1)
    with start(answer, limits=limits) as hub:
        held = [hub.connection() for _ in range(2)]
        for connection in held:
            connection.request("POST", PATH, body=b"<a/>", headers={"Content-Type": "text/xml"})
            time.sleep(0.2)
        status, response, body = hub.post()
        assert (status, body, response.getheader("Retry-After")) == (503, b"<fault/>", "1")
        assert isinstance(hub.refused[0][1], Overloaded)
        release.set()
        for connection in held:
            assert connection.getresponse().read() == b"<late/>"
            connection.close()
        assert hub.post()[0] == 200


def test_memory_for_bodies_is_bounded_as_a_whole(start: Start) -> None:
    with start(limits=RequestLimits(octets_in_flight=600_000, linger_seconds=0.2)) as hub, hub.raw() as first:
        first.sendall(head(100_000) + b"x" * 99_999)
        time.sleep(0.3)
        assert hub.post(b"x" * 60_000)[0] == 503
        first.sendall(b"x")
        assert first.recv(1000).startswith(b"HTTP/1.1 200 ")
        assert hub.post(b"x" * 60_000)[0] == 200


def test_background_work_returns_and_survives_its_own_failures(
    start: Start, caplog: pytest.LogCaptureFixture,
) -> None:
    calls: list[float] = []

    def chore() -> None:
        calls.append(time.monotonic())
        if len(calls) == 1:
            raise ValueError("geheim 999990019")

    with caplog.at_level(logging.WARNING), start(background=(Background(seconds=0.05, function=chore),)):
        deadline = time.monotonic() + 5
        while len(calls) < 3 and time.monotonic() < deadline:
            time.sleep(0.01)
    assert len(calls) >= 3
    assert "ValueError" in caplog.text
    assert "geheim" not in caplog.text


def test_stopping_finishes_what_runs_and_refuses_what_is_new(start: Start) -> None:
    inside = threading.Event()
    release = threading.Event()

    def answer(received: object) -> Reply:
        inside.set()
        release.wait(10)
        return Reply(status=200, octets=b"<done/>")

    with start(answer) as hub:
        idle = hub.raw()
        busy = hub.connection()
        busy.request("POST", PATH, body=b"<a/>", headers={"Content-Type": "text/xml"})
        assert inside.wait(5)
        hub.server.stop()
        assert read_all(idle) == b""
        idle.close()
        with pytest.raises(OSError, match=r".*"):
            socket.create_connection(("127.0.0.1", hub.port), timeout=1).close()
        release.set()
        response = busy.getresponse()
        assert (response.status, response.read(), response.getheader("Connection")) == (200, b"<done/>", "close")
        busy.close()


def test_web_port_is_served_beside(start: Start) -> None:
    with start() as hub:
        connection = http.client.HTTPConnection("127.0.0.1", hub.web_port, timeout=5)
        connection.request("GET", "/")
        assert connection.getresponse().status == 204
        connection.close()
