"""Certificates that name someone wrongly, and what a party may not ask (standards catalogue 5.5)."""

import re
import uuid
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree

from gateway.errors import (
    CertificateRejected,
    MailboxUnknown,
    ModuleNotAgreed,
    NotAuthenticated,
    RoleNotAllowed,
    SenderMismatch,
    TrustStale,
    VersionNotAgreed,
)
from gateway.security import EXAMPLE_HUB_OIN, EXAMPLE_OINS, make_crl
from gateway.security.throwaway import CertificateSpec, issue, new_key
from gateway.values import Reply
from tests import foreign
from tests.conftest import Pki
from tests.hostile.attack import Target, message
from tests.hostile.certificates import GEMEENTE, authority, identity, serial
from tests.hostile.watch import Canary
from tests.line import KN, POSTBUS, code, edit_parties, make_line

pytestmark = pytest.mark.clause("§5.5")

ID = "11111111-1111-4111-8111-0000000000{:02}"
A = "gemeente"




# --- what a party may not ask ---------------------------------------------------------------------

@pytest.mark.clause("§1.7")
@pytest.mark.parametrize("party", ["energie", "rechtbank", "matching", "waarborgfonds"])
def test_a_role_one_does_not_have(target: Target, party: str) -> None:
    target.repels(target.signed(party=party), RoleNotAllowed, party=party)


@pytest.mark.clause("§1.7")
@pytest.mark.parametrize(("changes", "error", "party"), [
    ({A: {"modules": {}}}, ModuleNotAgreed, A),
    ({A: {"modules": {"schuldregeling": ("1.0",)}}}, VersionNotAgreed, A),
    ({A: {"subtype": "SCHULDEISER"}}, RoleNotAllowed, A),
    ({"energie": {"modules": {"schuldregeling": ("1.1",)}}}, VersionNotAgreed, A),
    ({"energie": {"modules": {}}}, ModuleNotAgreed, A),
    ({A: {"active": False}}, NotAuthenticated, A),
    ({A: {"oin": "00000099000000088000"}}, NotAuthenticated, A),
    ({A: {"pins": frozenset({"0" * 64})}}, NotAuthenticated, A),
], ids=str)
def test_what_the_address_book_does_not_allow(
    template: Path, tmp_path: Path, canary: Canary, changes: dict, error: type, party: str,
) -> None:
    line = make_line(template, tmp_path / "i", change=lambda folder: edit_parties(folder, **changes))
    target = Target(line=line, canary=canary)
    target.still_serves = lambda party: None  # type: ignore[method-assign]  # nothing of this party is served
    target.repels(target.signed(), error, party=party)
    assert line.send(f'<Ping xmlns="{KN}"/>'.encode(), path="/soap/knooppunt/1.0/beheer",
                     party="zorgverzekeraar").status == 200
    target.close()


def test_a_pin_binds_the_signature_too(template: Path, tmp_path: Path, canary: Canary) -> None:
    """A second good certificate of the same organisation is not the registered one."""
    folder = tmp_path / "i"
    text = ('certificates = ["pki/gemeente-tls.pem", "pki/gemeente-sign.pem"]\n')

    def pin(made: Path) -> None:
        book = (made / "parties.toml").read_text("utf-8")
        start = book.index('slug = "gemeente"')
        (made / "parties.toml").write_text(book[:start] + text + book[start:], "utf-8")

    line = make_line(template, folder, change=pin)
    target = Target(line=line, canary=canary)
    target.still_serves("gemeente")
    target.repels(target.signed(identity=identity(line)), CertificateRejected, reason="not registered")
    other = identity(line, purposes=("clientAuth",)).certificate
    target.repels(target.signed(), NotAuthenticated, peer=other, reason="not registered")
    target.close()


def _ask(target: Target, operation: str, fields: str, party: str) -> Reply:
    child = f'<{operation} xmlns="{KN}">{fields}</{operation}>'.encode()
    return target.line.post(target.signed(child, path=POSTBUS, party=party, identity=target.line.identity(party)),
                            path=POSTBUS, party=party)


def _without_numbers(reply: Reply) -> bytes:
    fault = etree.fromstring(reply.octets).find(f".//{{{foreign.S}}}Fault")
    text = etree.tostring(fault, method="c14n", exclusive=True)
    text = re.sub(rb"<kn:Opmerkingen>.*</kn:Opmerkingen>", b"", text)  # about the caller's own request and keys
    return re.sub(rb"<kn:(Ticket|Tijdstip)>[^<]*", b"", text)


def test_anothers_message_and_no_message_look_the_same(target: Target) -> None:
    """B asks for A's message, its own sent message, and one that never was: one fault, to the letter."""
    sent = message()
    assert target.line.post(target.signed(sent)).status == 200
    number = etree.fromstring(sent).findtext(f".//{{{KN}}}Referentienummer")
    seen = set()
    for reference, party in ((number, "deurwaarder"), (number, "gemeente"), (str(uuid.uuid4()), "deurwaarder")):
        fields = f"<Referentienummer>{reference}</Referentienummer>"
        child = f'<HaalBerichtOp xmlns="{KN}">{fields}</HaalBerichtOp>'.encode()
        octets = target.signed(child, path=POSTBUS, party=party)
        seen.add(_without_numbers(target.repels(octets, MailboxUnknown, party=party, path=POSTBUS)))
        confirmed = _ask(target, "BevestigBericht", fields, party)
        assert b"SKP014" in confirmed.octets
    assert len(seen) == 1
    got = _ask(target, "HaalBerichtOp", f"<Referentienummer>{number}</Referentienummer>", "energie")
    assert (got.status, code(got)) == (200, None)


@pytest.mark.clause("§1.7")
@pytest.mark.parametrize("operation", ["HaalBerichtenlijstOp", "HaalBerichtOp", "BevestigBericht"])
def test_a_mailbox_in_anothers_name(target: Target, operation: str) -> None:
    fields = f"<Namens>{ID.format(2)}</Namens>"
    if operation != "HaalBerichtenlijstOp":
        fields += f"<Referentienummer>{uuid.uuid4()}</Referentienummer>"
    child = f'<{operation} xmlns="{KN}">{fields}</{operation}>'.encode()
    octets = target.signed(child, path=POSTBUS, party="deurwaarder")
    target.repels(octets, SenderMismatch, party="deurwaarder", path=POSTBUS)


# --- certificates ---------------------------------------------------------------------------------

ODD: dict[str, tuple[dict[str, object], str]] = {
    "expired": ({"from_days": -30, "until_days": -1}, "expired at"),
    "not yet valid": ({"from_days": 2}, "not valid before"),
    "no digitalSignature": ({"usage": ("keyEncipherment",)}, "no digitalSignature"),
    "a CA as a leaf": ({"authority": True, "usage": ("digitalSignature", "keyCertSign")}, "CA certificate"),
    "no OIN": ({"oins": ()}, "0 serialNumber"),
    "two OINs": ({"oins": (GEMEENTE, EXAMPLE_OINS["energie"])}, "2 serialNumber"),
    "the same OIN twice": ({"oins": (GEMEENTE, GEMEENTE)}, "2 serialNumber"),
    "a short OIN": ({"oins": (GEMEENTE[1:],)}, "no OIN"),
    "a long OIN": ({"oins": (GEMEENTE + "0",)}, "no OIN"),
    "an OIN with a space": ({"oins": (GEMEENTE[:-1] + " ",)}, "no OIN"),
    "an OIN in small letters": ({"oins": ("a" + GEMEENTE[1:],)}, "no OIN"),
    "the OIN in the name": ({"oins": (), "name": GEMEENTE}, "0 serialNumber"),
    "the OIN as the organisation": ({"oins": (), "organisation": GEMEENTE}, "0 serialNumber"),
    "an unknown critical extension": ({"oddities": ("unknown-critical",)}, "critical extension"),
    "name constraints": ({"oddities": ("name-constraints",)}, "name constraints"),
    "signed with SHA-1": ({"digest": "SHA-1"}, "SHA-256 or better"),
    "a self-made one": ({"self_signed": True}, "no trusted CA"),
}
ODD_SIGNERS = {
    **ODD,
    "no key usage": ({"usage": ()}, "no key usage"),
    "for TLS servers only": ({"purposes": ("serverAuth",)}, "extended key usage"),
    "for time stamps only": ({"purposes": ("timeStamping",)}, "extended key usage"),
    "for code and OCSP only": ({"purposes": ("codeSigning", "OCSPSigning")}, "extended key usage"),
}
ODD_CALLERS = {
    **ODD,
    "for TLS servers only": ({"purposes": ("serverAuth",)}, "extended key usage"),
    "for time stamps only": ({"purposes": ("timeStamping",)}, "extended key usage"),
    "for any purpose": ({"purposes": ("any",)}, "extended key usage"),
    "of no party": ({"oins": ("00000099000000077000",), "purposes": ("clientAuth",)}, "no active party"),
    "of the hub": ({"oins": (EXAMPLE_HUB_OIN,), "purposes": ("clientAuth",)}, "no active party"),
}


@pytest.mark.clause("PKI001", "PKI002", "§6.1", "§6.2")
@pytest.mark.parametrize("name", ODD_SIGNERS)
def test_a_signer_with_a_wrong_certificate(target: Target, name: str) -> None:
    changes, reason = ODD_SIGNERS[name]
    target.repels(target.signed(identity=identity(target.line, **changes)), CertificateRejected, reason=reason)


@pytest.mark.clause("PKI001", "PKI002", "§6.1", "§6.2")
@pytest.mark.parametrize("name", ODD_CALLERS)
def test_a_caller_with_a_wrong_certificate(target: Target, name: str) -> None:
    """As if TLS had let it through: the line asks everything again, at every request."""
    changes, reason = ODD_CALLERS[name]
    odd = identity(target.line, **changes)
    target.repels(target.signed(), NotAuthenticated, peer=odd.certificate, reason=reason)


@pytest.mark.parametrize("peer", [b"", b"x", b"\x30\x00", b"-----BEGIN CERTIFICATE-----"])
def test_a_caller_without_a_readable_certificate(target: Target, peer: bytes) -> None:
    target.repels(target.signed(), NotAuthenticated, peer=peer)


def test_octets_behind_a_certificate(target: Target) -> None:
    good = target.line.identity("gemeente").certificate
    for token in (good + b"\0", good * 2, good[:-1]):
        target.repels(target.signed(token=token), CertificateRejected)
    target.repels(target.signed(token=b"\x30" * 100_000), CertificateRejected)


@pytest.mark.clause("PKI002", "§6.1")
@pytest.mark.parametrize("name", ["gemeente-sign", "zelfondertekend", "andere-ca-gemeente", "dubbelganger-gemeente",
                                  "onder-een-blad"])
def test_certificates_of_another_hierarchy(target: Target, pki: Pki, name: str) -> None:
    """Same names, same OINs, another root: test in production and the reverse."""
    key = pki.signing_key(name)
    odd = foreign.Identity(key=key.private_key, certificate=key.certificate)
    target.repels(target.signed(identity=odd), CertificateRejected, reason="no trusted CA")
    target.repels(target.signed(), NotAuthenticated, peer=key.certificate, reason="no trusted CA")


@pytest.mark.clause("§6.1")
def test_a_ca_of_the_same_name_and_a_ca_made_by_a_party(target: Target) -> None:
    line = target.line
    trusted = authority(line)
    twin_key, leaf_key = new_key("RSA-2048"), new_key("P-256")
    common = {"authority": True, "usage": ("keyCertSign", "cRLSign")}
    twin = issue(CertificateSpec(file="twin", name="Voorbeeld CA", **common), twin_key, issuer=None, now=line.at)
    below = issue(CertificateSpec(file="below", name="Onder CA", **common), twin_key, issuer=trusted, now=line.at)
    assert twin.certificate.subject == trusted.certificate.subject
    for issuer in (twin, below):  # the second breaks the path length of the CA, which is 0
        leaf = issue(CertificateSpec(file="leaf", name="x", oins=(GEMEENTE,)), leaf_key, issuer=issuer, now=line.at)
        der = leaf.certificate.public_bytes(Encoding.DER)
        odd = foreign.Identity(key=leaf_key, certificate=der)
        target.repels(target.signed(identity=odd), CertificateRejected, reason="no trusted CA")
        target.repels(target.signed(), NotAuthenticated, peer=der, reason="no trusted CA")


# --- revocation -----------------------------------------------------------------------------------

@pytest.mark.clause("PKI003", "WT004", "§6.3")
def test_revoked_since_its_last_message(fresh: Target) -> None:
    """Good one moment, revoked the next: signer and caller alike; and free again when the list says so."""
    line, pki = fresh.line, fresh.line.instance.folder / "pki"
    fresh.still_serves("gemeente")
    make_crl(pki, [serial(line.identity("gemeente").certificate)], line.at)
    line.trust.renew()
    reply = line.post(fresh.signed())
    assert code(reply) == "SKP015"
    assert line.rows("messages") == 1
    make_crl(pki, [serial(line.peer("gemeente"))], line.at)
    line.trust.renew()
    reply = line.post(fresh.signed())
    assert (reply.status, reply.content_type) == (403, "text/plain; charset=utf-8")
    assert line.rows("messages") == 1
    make_crl(pki, [], line.at)
    line.trust.renew()
    fresh.still_serves("gemeente")


@pytest.mark.clause("PKI003", "§6.3")
def test_a_revoked_spare_certificate(target: Target) -> None:
    odd = identity(target.line, purposes=("clientAuth",))
    assert target.line.post(target.signed(identity=odd), peer=odd.certificate).status == 200
    make_crl(target.line.instance.folder / "pki", [serial(odd.certificate)], target.line.at)
    target.line.trust.renew()
    target.repels(target.signed(identity=odd), CertificateRejected, reason="revoked")
    target.repels(target.signed(), NotAuthenticated, peer=odd.certificate, reason="revoked")


def _stale(fresh: Target, reason: str) -> None:
    reply = fresh.repels(fresh.signed(), TrustStale, reason=reason)
    assert (reply.status, reply.retry_after) == (503, 60)


@pytest.mark.clause("PKI003", "§6.3")
def test_an_expired_list_stops_everyone(fresh: Target) -> None:
    """Fail closed: 503, and service again with the next list."""
    line, pki = fresh.line, fresh.line.instance.folder / "pki"
    make_crl(pki, [], line.at - timedelta(days=2), timedelta(days=1))
    line.trust.renew()
    _stale(fresh, "was to be renewed")
    make_crl(pki, [], line.at)
    line.trust.renew()
    fresh.still_serves("gemeente")


@pytest.mark.clause("§6.3")
def test_a_list_of_the_future_stops_everyone(fresh: Target) -> None:
    make_crl(fresh.line.instance.folder / "pki", [], fresh.line.at + timedelta(days=1))
    fresh.line.trust.renew()
    _stale(fresh, "the future")


@pytest.mark.clause("§6.3")
def test_a_list_that_nobody_read_for_hours_stops_everyone(fresh: Target) -> None:
    fresh.line.at += timedelta(hours=4, seconds=1)
    _stale(fresh, "old")
    fresh.line.trust.renew()
    fresh.still_serves("gemeente")


@pytest.mark.clause("§6.3")
@pytest.mark.parametrize("content", [b"", b"nonsense", b"-----BEGIN X509 CRL-----\nQUJD\n-----END X509 CRL-----\n"])
def test_a_broken_list_changes_nothing_until_the_old_one_is_too_old(fresh: Target, content: bytes) -> None:
    path = fresh.line.instance.folder / "pki" / "ca.crl"
    good = path.read_bytes()
    path.write_bytes(content)
    fresh.line.trust.renew()
    fresh.still_serves("gemeente")
    fresh.line.skip(hours=4, seconds=1)
    _stale(fresh, "old")
    path.write_bytes(good)
    fresh.line.trust.renew()
    fresh.still_serves("gemeente")


@pytest.mark.clause("§6.3")
def test_a_list_of_another_ca_is_not_taken(fresh: Target, pki: Pki) -> None:
    (fresh.line.instance.folder / "pki" / "ca.crl").write_bytes(pki.crl("dubbelganger-ca").read_bytes())
    fresh.line.trust.renew()
    fresh.still_serves("gemeente")
    fresh.line.skip(hours=4, seconds=1)
    _stale(fresh, "old")
