"""The caller with packages (MTOM): sent and taken piece by piece; a refusal that comes early is read."""

import hashlib
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from gateway.errors import StorageError, Unreachable
from gateway.multipart import Package, Part, Sink
from tests.unit.transport.conftest import Pki
from tests.unit.transport.test_transport_client import caller, ok, peer, request_of

PIECE = b"x" * 65_536


@dataclass
class Kept:
    """A sink that keeps what comes, or fails."""

    parts: dict[str, bytes] = field(default_factory=dict)
    fails: bool = False

    def open(self, content_id: str) -> None:
        self.parts[content_id] = b""

    def write(self, octets: bytes) -> None:
        if self.fails:
            raise StorageError("no space")
        self.parts[next(reversed(self.parts))] += octets

    def close(self) -> None:
        self.parts[next(reversed(self.parts))] += b"."


class Many:
    """A file of many equal pieces, which counts how many were asked for."""

    def __init__(self, count: int) -> None:
        self.count, self.given = count, 0

    def __iter__(self) -> Iterator[bytes]:
        for _ in range(self.count):
            self.given += 1
            yield PIECE


def package(count: int = 3) -> tuple[Package, Many]:
    many = Many(count)
    part = Part(content_id="1@x", size=count * len(PIECE), pieces=many)
    return Package(boundary="b-1", root=b"<a/>", parts=[part]), many


def in_parts(*parts: bytes, root: bytes = b"<b/>", head: bytes = b"") -> bytes:
    written = Package(boundary="b-2", root=root, parts=[
        Part(content_id=f"{number}@y", size=len(one), pieces=[one]) for number, one in enumerate(parts)])
    body = b"".join(written)
    return (b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\n%bContent-Length: %d\r\n\r\n%b"
            % (written.content_type.encode(), head, len(body), body))


def test_a_package_goes_out_whole_with_its_type_and_length(own_pki: Pki) -> None:
    seen: list[bytes] = []

    def handle(tls: ssl.SSLSocket, number: int) -> None:
        while octets := request_of(tls):
            seen.append(octets)
            tls.sendall(ok())

    sent, _ = package()
    with peer(own_pki, handle) as url:
        client = caller(own_pki)
        for _ in range(2):  # each on a connection of its own
            assert client.post(url, sent, "urn:x") == (200, b"<ok/>")
        assert len(client._idle) == 2
        client.close()
    head, _, body = seen[0].partition(b"\r\n\r\n")
    assert body == b"".join(sent)
    lines = head.decode().split("\r\n")
    assert f"Content-Type: {sent.content_type}" in lines
    assert "Accept: text/xml" in lines
    assert "Transfer-Encoding" not in head.decode()
    assert seen[1] == seen[0]


def test_a_refusal_that_comes_before_all_is_sent_is_read_and_the_rest_stays_here(own_pki: Pki) -> None:
    """The hub judges the root before it takes a file: 60 MB need not go over the line to learn of a wrong digest."""
    def handle(tls: ssl.SSLSocket, number: int) -> None:
        octets = b""
        while b"<a/>" not in octets:
            octets += tls.recv(65_536)
        tls.sendall(ok(b"<fault/>"))
        while tls.recv(65_536):  # as a hub that lingers
            pass

    sent, many = package(1_000)
    with peer(own_pki, handle) as url:
        client = caller(own_pki)
        assert client.post(url, sent, "") == (200, b"<fault/>")
        assert not client._idle
    assert many.given < 1_000


def test_an_answer_in_parts_gives_its_root_and_the_parts_to_the_sink(own_pki: Pki) -> None:
    asked: list[bytes] = []

    def handle(tls: ssl.SSLSocket, number: int) -> None:
        while octets := request_of(tls):
            asked.append(octets)
            tls.sendall(in_parts(PIECE * 20, b""))

    kept = Kept()
    sink: Sink = kept
    with peer(own_pki, handle) as url:
        client = caller(own_pki, max_octets=1000)
        assert client.post(url, b"<a/>", "", sink=sink) == (200, b"<b/>")
        assert len(client._idle) == 1
        client.close()
    assert b"Accept: multipart/related, text/xml\r\n" in asked[0]
    assert hashlib.sha256(kept.parts["0@y"]).digest() == hashlib.sha256(PIECE * 20 + b".").digest()
    assert kept.parts["1@y"] == b"."


@pytest.mark.parametrize(("answer", "words"), [
    (in_parts(b"z")[:-3], "IncompleteRead"),
    (in_parts(b"z").replace(b"--b-2--\r\n", b"--b-2--??"), "no package of MTOM"),
    (in_parts(b"z").replace(b"xop+xml", b"xop.xml"), "no package of MTOM"),
    (in_parts(b"z", root=b"<b/>" * 300), "root has more than 1000"),
    (in_parts(b"z" * 6000), "larger than 5000"),
    (in_parts(b"z", head=b"Content-Encoding: gzip\r\n"), "compressed"),
], ids=["cut off", "more after it", "other type", "large root", "large", "compressed"])
def test_answers_that_are_no_package_are_refused(own_pki: Pki, answer: bytes, words: str) -> None:
    def handle(tls: ssl.SSLSocket, number: int) -> None:
        request_of(tls)
        tls.sendall(answer)

    with peer(own_pki, handle) as url, pytest.raises(Unreachable, match=words):
        caller(own_pki, max_octets=1000, max_package_octets=5000).post(url, b"<a/>", "", sink=Kept())


def test_an_answer_in_parts_that_nobody_asked_for_is_refused_and_a_sink_that_fails_ends_the_call(own_pki: Pki) -> None:
    def handle(tls: ssl.SSLSocket, number: int) -> None:
        request_of(tls)
        tls.sendall(in_parts(b"z"))

    with peer(own_pki, handle) as url:
        with pytest.raises(Unreachable, match="not asked for"):
            caller(own_pki).post(url, b"<a/>", "")
        with pytest.raises(StorageError):
            caller(own_pki).post(url, b"<a/>", "", sink=Kept(fails=True))


def test_the_time_of_a_call_grows_with_the_octets_of_a_package(own_pki: Pki) -> None:
    """What drips is still ended: each octet gives only so much."""
    def handle(tls: ssl.SSLSocket, number: int) -> None:
        request_of(tls)
        answer = in_parts(b"z" * 4000)
        if number:
            tls.sendall(answer[:700])
            tls.recv(1)
        else:
            tls.sendall(answer)

    with peer(own_pki, handle) as url:
        kept = Kept()
        client = caller(own_pki, answer_seconds=5, floor=1)
        assert client.post(url, b"<a/>", "", sink=kept)[0] == 200
        client.close()
        with pytest.raises(Unreachable, match="no answer in time"):
            caller(own_pki, answer_seconds=0.3, floor=100_000).post(url, b"<a/>", "", sink=kept)
