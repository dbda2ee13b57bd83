"""TLS (standards catalogue 5.5): who gets through, and what a connection still may when the facts have changed.

The handshake's own refusals stand in tests/unit/transport/test_transport_tls.py; the table in README.md names them.
"""

import hashlib
import socket
import ssl
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from gateway.errors import NotAuthenticated
from gateway.routing import AddressBook
from gateway.security import EXAMPLE_OINS, make_crl
from gateway.transport import client_tls
from gateway.values import Reply
from tests.hostile.attack import Target
from tests.hostile.certificates import GEMEENTE, identity, serial
from tests.hostile.watch import Canary
from tests.hostile.wire import Wire, exchange, listening, read_all
from tests.line import SHV, code, make_line

pytestmark = pytest.mark.clause("§5.5")


def odd_context(wire: Wire, folder: Path, **changes: object) -> tuple[ssl.SSLContext, bytes]:
    """A TLS client with an odd certificate of the hub's own CA."""
    odd = identity(wire.target.line, **{"purposes": ("clientAuth",), **changes})
    certificate, key = folder / "odd.pem", folder / "odd.key"
    certificate.write_bytes(x509.load_der_x509_certificate(odd.certificate).public_bytes(Encoding.PEM))
    key.write_bytes(odd.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return wire.bare(certificate, key), odd.certificate


def post(wire: Wire, context: ssl.SSLContext, octets: bytes) -> bytes:
    head = f"POST {SHV} HTTP/1.0\r\nContent-Type: text/xml\r\nContent-Length: {len(octets)}\r\n\r\n"
    with wire.raw(context=context) as raw:
        raw.sendall(head.encode() + octets)
        return read_all(raw)


@pytest.mark.clause("PKI001", "§6.2", "§7.4")
@pytest.mark.parametrize(("changes", "reason"), [
    ({"oins": ()}, "0 serialNumber"), ({"oins": (GEMEENTE, EXAMPLE_OINS["energie"])}, "2 serialNumber"),
    ({"oins": (GEMEENTE[1:],)}, "no OIN"), ({"oins": (GEMEENTE + "0",)}, "no OIN"),
    ({"oins": (), "name": GEMEENTE}, "0 serialNumber"), ({"oins": ("00000099000000077000",)}, "no active party"),
    ({"oddities": ("name-constraints",)}, "name constraints"),
    ({"authority": True, "usage": ("digitalSignature", "keyCertSign")}, "CA certificate"),
], ids=str)
def test_certificates_that_tls_takes_and_the_line_does_not(
    wire: Wire, tmp_path: Path, changes: dict[str, object], reason: str,
) -> None:
    """A bare 403 without an envelope, since nobody is known to answer to; the journal knows the certificate."""
    context, certificate = odd_context(wire, tmp_path, **changes)

    def via(octets: bytes) -> Reply:
        answer = post(wire, context, octets)
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 403 "), answer[:200]
        return Reply(status=403, octets=body, content_type="text/plain; charset=utf-8")

    wire.target.repels(wire.target.signed(), NotAuthenticated, reason=reason, via=via, peer=certificate)
    assert hashlib.sha256(certificate).hexdigest() in wire.target.last_refusal


@pytest.mark.clause("TLS002", "PKI002", "WT001")
@pytest.mark.parametrize("changes", [
    {"from_days": -30, "until_days": -1}, {"from_days": 2}, {"self_signed": True}, {"purposes": ("serverAuth",)},
    {"purposes": ("emailProtection",)}, {"usage": ("keyEncipherment",)}, {"key": "RSA-1024"}, {"digest": "SHA-1"},
    {"oddities": ("unknown-critical",)},
], ids=str)
def test_certificates_that_tls_refuses(wire: Wire, tmp_path: Path, changes: dict[str, object]) -> None:
    """By an alert, in the name of a known party: the line never hears of it."""
    context, _ = odd_context(wire, tmp_path, **changes)
    before = wire.target.line.rows("entries")
    with pytest.raises((ssl.SSLError, AssertionError), match=r"alert|ALERT|nothing"):
        assert post(wire, context, wire.target.signed()), "nothing came back"
    assert wire.target.line.rows("entries") == before
    wire.target.still_serves("gemeente")


@pytest.mark.parametrize("key", ["Ed25519", "K-256", "P-521", "RSA-2048-e3"])
def test_keys_of_other_kinds(wire: Wire, tmp_path: Path, key: str) -> None:
    """P-521 is of the profile; of the others, what OpenSSL lets through the line refuses."""
    context, _ = odd_context(wire, tmp_path, key=key)
    try:
        answer = post(wire, context, wire.target.signed())
    except ssl.SSLError:
        answer = b""
    if key == "P-521":
        assert answer.startswith(b"HTTP/1.1 200 ")
    else:
        assert not answer or answer.startswith(b"HTTP/1.1 403 "), answer[:100]


@pytest.mark.clause("WT001", "TLS002")
@pytest.mark.parametrize("octets", [
    f"POST {SHV} HTTP/1.1\r\nContent-Length: 0\r\n\r\n".encode(), b"\0" * 500, b"\x16\x03\x01"])
def test_no_tls_at_all(wire: Wire, octets: bytes) -> None:
    before = wire.target.line.rows("entries")
    with socket.create_connection(("127.0.0.1", wire.port), timeout=5) as raw:
        raw.sendall(octets)
        raw.shutdown(socket.SHUT_WR)
        assert b"HTTP" not in read_all(raw)
    assert wire.target.line.rows("entries") == before
    assert wire.call(body=wire.target.signed()).status == 200


# --- the facts change while a connection stands ---------------------------------------------------

@pytest.fixture
def changing(template: Path, tmp_path: Path, canary: Canary) -> Iterator[tuple[Wire, list[AddressBook]]]:
    """A hub on a port whose address book can be exchanged while it runs."""
    line = make_line(template, tmp_path / "instance")
    books = [line.instance.read_register()]
    line.gate = replace(line.gate, register=lambda: books[-1])
    target = Target(line=line, canary=canary)
    with listening(target) as wire:
        yield wire, books
    target.close()


@pytest.mark.clause("WT004", "§6.3")
def test_a_certificate_revoked_while_its_connection_stands(changing: tuple[Wire, list[AddressBook]]) -> None:
    """Authorisation is asked per request, so neither a kept connection nor a resumed session outlives a revocation."""
    wire, _ = changing
    line, pki = wire.target.line, wire.target.line.instance.folder / "pki"
    with wire.connection() as connection:
        assert exchange(connection, body=wire.target.signed()).status == 200
        make_crl(pki, [serial(line.peer("gemeente"))], line.at)
        line.trust.renew(wire.tls.reload)
        reply = exchange(connection, body=wire.target.signed())
        assert (reply.status, reply.content_type) == (403, "text/plain; charset=utf-8")
    assert line.rows("messages") == 1
    pem = pki / "gemeente-tls.pem"
    with pytest.raises((ssl.SSLError, AssertionError), match=r"alert|ALERT|nothing"):
        assert post(wire, wire.bare(pem, pem.with_suffix(".key")), wire.target.signed()), "nothing came back"
    assert wire.call(body=b"<x/>", party="energie").status == 500  # others go on


class Resuming:
    """A caller that comes again and again on one TLS session."""

    def __init__(self, wire: Wire, context: ssl.SSLContext) -> None:
        self._wire, self._context = wire, context
        self._session: ssl.SSLSession | None = None
        self.resumed = False

    def status(self, octets: bytes) -> int:
        """The status that this request gets, on a new connection."""
        head = f"POST {SHV} HTTP/1.0\r\nContent-Type: text/xml\r\nContent-Length: {len(octets)}\r\n\r\n"
        with self._wire.raw(context=self._context, session=self._session) as raw:
            raw.sendall(head.encode() + octets)
            answer = raw.recv(65_536)
            self.resumed, self._session = bool(raw.session_reused), raw.session
            read_all(raw)
        return int(answer.split()[1])


@pytest.mark.clause("§5.5", "WT008")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_resumed_session_may_no_more_than_its_party(
    changing: tuple[Wire, list[AddressBook]], version: ssl.TLSVersion,
) -> None:
    """TLS asks for nothing anew; the line does, from what it knows now."""
    wire, books = changing
    everyone = books[0].everyone
    context = client_tls(wire.files("gemeente"))
    context.maximum_version = version
    caller = Resuming(wire, context)
    assert (caller.status(wire.target.signed()), caller.resumed) == (200, False)
    others = [one for one in everyone if one.slug != "gemeente"]
    for book, status in ((others, 403), ([replace(one, active=one.slug != "gemeente") for one in everyone], 403),
                         (everyone, 200)):
        books.append(AddressBook(book))
        assert (caller.status(wire.target.signed()), caller.resumed) == (status, True)
    line, pki = wire.target.line, wire.target.line.instance.folder / "pki"
    make_crl(pki, [serial(line.peer("gemeente"))], line.at)
    line.trust.renew()  # the line knows; the TLS context does not yet
    assert (caller.status(wire.target.signed()), caller.resumed) == (403, True)
    wire.tls.reload()
    with pytest.raises((ssl.SSLError, ConnectionError, IndexError), match=r".*"):
        caller.status(wire.target.signed())
    assert line.rows("messages") == 2


@pytest.mark.clause("§5.5")
def test_a_certificate_that_expires_while_its_session_lives(
    changing: tuple[Wire, list[AddressBook]], tmp_path: Path,
) -> None:
    wire, _ = changing
    context, _ = odd_context(wire, tmp_path, oins=(GEMEENTE,), until_days=1)
    caller = Resuming(wire, context)
    assert (caller.status(wire.target.signed()), caller.resumed) == (200, False)
    wire.ahead = timedelta(days=2)
    wire.target.line.skip(days=2)
    assert (caller.status(wire.target.signed()), caller.resumed) == (403, True)
    assert "expired" in wire.target.last_refusal


def test_a_party_taken_out_while_its_connection_stands(changing: tuple[Wire, list[AddressBook]]) -> None:
    wire, books = changing
    everyone = books[0].everyone
    with wire.connection() as connection:
        assert exchange(connection, body=wire.target.signed()).status == 200
        books.append(AddressBook([one for one in everyone if one.slug != "gemeente"]))
        assert exchange(connection, body=wire.target.signed()).status == 403
        books.append(AddressBook([replace(one, active=one.slug != "gemeente") for one in everyone]))
        assert exchange(connection, body=wire.target.signed()).status == 403
        books.append(AddressBook([replace(one, modules={}) if one.slug == "gemeente" else one for one in everyone]))
        reply = exchange(connection, body=wire.target.signed())
        assert (reply.status, code(reply)) == (500, "SKP005")
        books.append(books[0])
        assert exchange(connection, body=wire.target.signed()).status == 200
    assert wire.target.line.rows("messages") == 2


@pytest.mark.clause("§6.3")
def test_a_list_that_expires_while_a_connection_stands(changing: tuple[Wire, list[AddressBook]]) -> None:
    """Fail closed: 503, and the same connection serves again once there is a list."""
    wire, _ = changing
    line, pki = wire.target.line, wire.target.line.instance.folder / "pki"
    with wire.connection() as connection:
        make_crl(pki, [], line.at - timedelta(days=2), timedelta(days=1))
        line.trust.renew()
        reply = exchange(connection, body=wire.target.signed())
        assert reply.status == 503
        assert b"SKP" not in reply.octets
        make_crl(pki, [], line.at)
        line.trust.renew()
        assert exchange(connection, body=wire.target.signed()).status == 200
