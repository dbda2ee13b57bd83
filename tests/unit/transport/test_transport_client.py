"""The pooled caller: what it sends, what it survives, and how it explains what went wrong."""

import gc
import select
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from gateway.errors import Unreachable
from gateway.transport import Caller, CallLimits, ServerTls, client_tls
from gateway.values import Received, Reply
from tests.unit.transport.conftest import PATH, Pki, Start

Handle = Callable[[ssl.SSLSocket, int], None]


def request_of(peer: ssl.SSLSocket) -> bytes:
    """One request with its body, or b"" when the caller has gone."""
    octets = b""
    while b"\r\n\r\n" not in octets:
        part = peer.recv(65_536)
        if not part:
            return b""
        octets += part
    head, _, body = octets.partition(b"\r\n\r\n")
    lines = [line.lower() for line in head.split(b"\r\n")]
    length = int(next(line for line in lines if line.startswith(b"content-length:")).split(b":")[1])
    while len(body) < length:
        body += peer.recv(65_536)
    return head + b"\r\n\r\n" + body


@contextmanager
def peer(pki: Pki, handle: Handle, name: str = "hub", host: str = "127.0.0.1") -> Iterator[str]:
    """A TLS server that does with each connection (numbered from 0) what a test wants."""
    context = ServerTls.of(pki.files(name))
    listener = socket.create_server((host, 0))
    threads: list[threading.Thread] = []

    def one(raw: socket.socket, number: int) -> None:
        try:
            with context.wrap_socket(raw, server_side=True) as tls:
                handle(tls, number)
        except OSError:
            pass

    def accept() -> None:
        while True:
            try:
                raw, _ = listener.accept()
            except OSError:
                return
            threads.append(threading.Thread(target=one, args=(raw, len(threads))))
            threads[-1].start()

    accepting = threading.Thread(target=accept)
    accepting.start()
    try:
        name_or_address = "localhost" if host == "127.0.0.1" else host
        yield f"https://{name_or_address}:{listener.getsockname()[1]}/dienst"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        accepting.join(5)
        for thread in threads:
            thread.join(5)


def ok(body: bytes = b"<ok/>", extra: bytes = b"") -> bytes:
    return (b"HTTP/1.1 200 OK\r\n%bContent-Type: text/xml; charset=utf-8\r\nContent-Length: %d\r\n\r\n%b"
            % (extra, len(body), body))


def caller(pki: Pki, **limits: float) -> Caller:
    return Caller(client_tls(pki.files("party")), limits=CallLimits(**limits))  # type: ignore[arg-type]


def test_a_call_reaches_the_hub_and_reuses_its_connection(start: Start) -> None:
    with start(lambda received: Reply(status=500, octets=b"<fault>" + received.octets + b"</fault>")) as hub:
        client = caller(hub.pki)
        url = f"https://localhost:{hub.port}{PATH}"
        for number in range(5):
            assert client.post(url, b"<a%d/>" % number, "urn:x") == (500, b"<fault><a%d/></fault>" % number)
            assert len(client._idle) == 1
        assert hub.received[0].soap_action == '"urn:x"'
        assert hub.received[0].content_type == "text/xml; charset=utf-8"
        first = client._idle[0][1]
        client.post(url, b"<a/>", "")
        assert client._idle[0][1] is first
        assert hub.received[-1].soap_action == '""'
        client.close()
        assert client.post(url, b"<a/>", "")[0] == 500
        client.close()


UNKNOWN = 9  # X.25


def test_an_address_of_a_family_that_the_host_does_not_have_is_passed_over(
    start: Start, monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As where the name has an IPv6 address and the kernel knows none."""
    with start() as hub:
        found = socket.getaddrinfo

        def other_first(*asked: object, **more: object) -> list[object]:
            known = found(*asked, **more)
            return [(UNKNOWN, *known[0][1:]), *known]

        with pytest.raises(OSError, match="not supported"):
            socket.socket(UNKNOWN, socket.SOCK_STREAM, 0)
        monkeypatch.setattr(socket, "getaddrinfo", other_first)
        client = caller(hub.pki)
        assert client.post(f"https://localhost:{hub.port}{PATH}", b"<a/>", "")[0] == 200
        client.close()


def test_threads_get_a_connection_each(start: Start) -> None:
    together = threading.Barrier(4, timeout=5)

    def answer(received: Received) -> Reply:
        together.wait()
        return Reply(status=200, octets=received.octets)

    with start(answer) as hub:
        client = caller(hub.pki)
        answers: list[tuple[int, bytes]] = []
        threads = [
            threading.Thread(target=lambda octets=b"<%d/>" % number: answers.append(
                client.post(f"https://localhost:{hub.port}{PATH}", octets, "")))
            for number in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(octets for _, octets in answers) == [b"<%d/>" % number for number in range(4)]
        assert len(client._idle) == 4
        client.close()


def test_a_kept_connection_that_was_closed_is_replaced_once(own_pki: Pki) -> None:
    requests: list[int] = []

    def handle(tls: ssl.SSLSocket, number: int) -> None:
        request_of(tls)
        requests.append(number)
        tls.sendall(ok())

    with peer(own_pki, handle) as url:
        client = caller(own_pki)
        for _ in range(3):
            assert client.post(url, b"<a/>", "") == (200, b"<ok/>")
            time.sleep(0.05)
        assert requests == [0, 1, 2]
        client.close()


def test_a_request_is_not_repeated_once_an_answer_began_or_on_a_fresh_connection(own_pki: Pki) -> None:
    requests: list[int] = []

    def handle(tls: ssl.SSLSocket, number: int) -> None:
        request_of(tls)
        requests.append(number)
        if number == 0:
            tls.sendall(ok())
            request_of(tls)
            requests.append(number)
            tls.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n<a")

    with peer(own_pki, handle) as url:
        client = caller(own_pki)
        client.post(url, b"<a/>", "")
        with pytest.raises(Unreachable, match="IncompleteRead"):
            client.post(url, b"<a/>", "")
        assert requests == [0, 0]
        with pytest.raises(Unreachable, match="closed the connection"):
            client.post(url, b"<a/>", "")
        assert requests == [0, 0, 1]
        client.close()


@pytest.mark.clause("§5.5")
@pytest.mark.parametrize(("answer", "words"), [
    (ok(b"x" * 2000), "larger than 1000"),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"200\r\n" + b"x" * 512 + b"\r\n200\r\n" + b"x" * 512,
     "larger than 1000|IncompleteRead"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n<a/>", "IncompleteRead"),
    (ok(b"x", b"Content-Encoding: gzip\r\n"), "compressed"),
    (b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 4\r\n\r\n<a/>", "text/xml"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n<a/>", "text/xml"),
    (b"SSH-2.0-OpenSSH\r\n", "BadStatusLine"),
    (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n", "HTTPException|no usable HTTP"),
])
def test_unusable_answers_are_refused(own_pki: Pki, answer: bytes, words: str) -> None:
    def handle(tls: ssl.SSLSocket, number: int) -> None:
        request_of(tls)
        tls.sendall(answer)

    with peer(own_pki, handle) as url, pytest.raises(Unreachable, match=words):
        caller(own_pki, max_octets=1000).post(url, b"<a/>", "")


@pytest.mark.clause("§5.5")
def test_chunked_and_unframed_answers_and_redirects_are_read_as_they_are(own_pki: Pki) -> None:
    answers = [
        b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"3\r\n<a/\r\n1\r\n>\r\n0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nContent-Type: text/xml\r\n\r\n<b/>",
        b"HTTP/1.1 302 Found\r\nLocation: https://localhost:1/\r\nContent-Length: 0\r\n\r\n",
    ]

    def handle(tls: ssl.SSLSocket, number: int) -> None:
        request_of(tls)
        tls.sendall(answers[number])

    with peer(own_pki, handle) as url:
        client = caller(own_pki)
        assert client.post(url, b"<a/>", "") == (200, b"<a/>")
        client.close()
        assert client.post(url, b"<a/>", "") == (200, b"<b/>")
        assert client.post(url, b"<a/>", "") == (302, b"")
        client.close()


@pytest.mark.parametrize("drip", [b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n"])
def test_an_answer_that_drips_ends_in_time(own_pki: Pki, drip: bytes) -> None:
    def handle(tls: ssl.SSLSocket, number: int) -> None:
        request_of(tls)
        tls.sendall(drip)
        for _ in range(60):
            time.sleep(0.05)
            tls.sendall(b"x")

    with peer(own_pki, handle) as url:
        began = time.monotonic()
        with pytest.raises(Unreachable, match="no answer in time"):
            caller(own_pki, answer_seconds=0.4).post(url, b"<a/>", "")
        assert time.monotonic() - began < 2


def test_what_goes_wrong_is_explained(start: Start) -> None:
    with start() as hub:
        pki = hub.pki
        url = f"https://localhost:{hub.port}{PATH}"
        not_named = pytest.raises(Unreachable, match=r"127\.0\.0\.2:.*not for 127\.0\.0\.2")
        with peer(pki, lambda tls, number: None, host="127.0.0.2") as other, not_named:
            caller(pki).post(other, b"<a/>", "")
        revoked = pki.issue("gone")
        pki.revoke(revoked)
        hub.tls.reload()
        with pytest.raises(Unreachable, match="may not trust our certificate"):
            Caller(client_tls(pki.files("gone"))).post(url, b"<a/>", "")
        pki.issue("expired", from_days=-9, until_days=-2)
        with peer(pki, lambda tls, number: None, "expired") as expired, pytest.raises(Unreachable, match="expired"):
            caller(pki).post(expired, b"<a/>", "")
        with peer(pki, lambda tls, number: None, "gone") as bad, pytest.raises(Unreachable, match="revoked"):
            caller(pki).post(bad, b"<a/>", "")
    with pytest.raises(Unreachable, match="refused; the service is down"):
        caller(pki).post(url, b"<a/>", "")
    with pytest.raises(Unreachable, match="can't be resolved"):
        caller(pki).post("https://bestaat-niet.invalid/", b"<a/>", "")
    silent = socket.create_server(("127.0.0.1", 0))
    with silent, pytest.raises(Unreachable, match="no answer in time"):
        caller(pki, connect_seconds=0.2).post(f"https://localhost:{silent.getsockname()[1]}/", b"<a/>", "")


def test_a_connection_that_is_reset_before_the_handshake_leaves_no_socket_behind(
    own_pki: Pki, monkeypatch: pytest.MonkeyPatch,
) -> None:
    """ssl would leave it to the collector, which warns; here a warning is a failure."""
    shake_hands = ssl.SSLSocket.do_handshake

    def shake_hands_slowly(sock: ssl.SSLSocket) -> None:
        select.select([sock], [], [], 5)  # until the reset is there
        shake_hands(sock)

    monkeypatch.setattr(ssl.SSLSocket, "do_handshake", shake_hands_slowly)
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def reset() -> None:
        with suppress(OSError):
            while True:
                listener.accept()[0].close()  # a socket inherits how it lingers

    threading.Thread(target=reset, daemon=True).start()
    with listener:
        with pytest.raises(Unreachable, match="closed the connection"):
            caller(own_pki).post(f"https://localhost:{listener.getsockname()[1]}/", b"<a/>", "")
        gc.collect()
        listener.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("url", [
    "http://localhost/", "https:///x", "ftp://localhost/", "https://a@localhost/", "https://localhost:x/",
    "https://localhost/#f", "https://lócalhost/", "localhost", "",
])
def test_only_plain_https_addresses_are_called(own_pki: Pki, url: str) -> None:
    with pytest.raises(Unreachable, match="no plain https URL"):
        caller(own_pki).post(url, b"<a/>", "")


def test_an_address_with_line_ends_sends_nothing(own_pki: Pki) -> None:
    with pytest.raises(Unreachable):
        caller(own_pki).post("https://localhost:1/a b", b"<a/>", "")
