"""Three identities, and certificates that name one wrongly (standards catalogue 5.5)."""

import itertools
import re
import uuid
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree

from gateway.errors import (
    AddressingError,
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
from gateway.settings import load_parties
from gateway.values import Reply
from tests import foreign
from tests.conftest import Pki
from tests.hostile.attack import Canary, Target, message
from tests.hostile.certificates import GEMEENTE, authority, identity, serial
from tests.line import BASE, KN, POSTBUS, SHV, code, edit_parties, make_line

ID = "11111111-1111-4111-8111-0000000000{:02}"
A, B = "gemeente", "kredietbank"  # in these hubs both may play SHV
IDS = {A: ID.format(1), B: ID.format(5)}
EIGHT = list(itertools.product((A, B), repeat=3))  # caller (TLS), signer (token), sender (Afzender)


def two_senders(folder: Path, **changes: object) -> None:
    first = next(party for party in load_parties(folder / "parties.toml") if party.slug == A)
    edit_parties(folder, **{B: {"roles": first.roles, "subtype": first.subtype, "modules": first.modules, **changes}})


def _target(template: Path, folder: Path, canary: Canary, **changes: object) -> Iterator[Target]:
    line = make_line(template, folder, change=lambda made: two_senders(made, **changes))
    made = Target(line=line, canary=canary)
    yield made
    made.close()


@pytest.fixture(scope="module")
def strangers(template: Path, tmp_path_factory: pytest.TempPathFactory, canary: Canary) -> Iterator[Target]:
    """A and B have nothing to do with each other."""
    yield from _target(template, tmp_path_factory.mktemp("strangers") / "i", canary)


@pytest.fixture(scope="module")
def mandate(template: Path, tmp_path_factory: pytest.TempPathFactory, canary: Canary) -> Iterator[Target]:
    """B may send for A, as a software supplier does; not the reverse."""
    yield from _target(template, tmp_path_factory.mktemp("mandate") / "i", canary, acts_for=frozenset({GEMEENTE}))


def three(target: Target, caller: str, signer: str, sender: str) -> bytes:
    return target.signed(message(Afzender=IDS[sender]), identity=target.line.identity(signer))


@pytest.mark.parametrize(("caller", "signer", "sender"), EIGHT)
def test_three_identities_without_a_mandate(strangers: Target, caller: str, signer: str, sender: str) -> None:
    octets = three(strangers, caller, signer, sender)
    if caller == signer == sender:
        assert code(strangers.line.post(octets, party=caller)) is None
    else:
        strangers.repels(octets, SenderMismatch, party=caller)


@pytest.mark.parametrize(("caller", "signer", "sender"), EIGHT)
def test_three_identities_with_a_mandate(mandate: Target, caller: str, signer: str, sender: str) -> None:
    """B calls for A, and either signs; nothing else is added by it."""
    octets = three(mandate, caller, signer, sender)
    if caller == signer == sender or (caller, sender) == (B, A):
        assert code(mandate.line.post(octets, party=caller)) is None
    else:
        mandate.repels(octets, SenderMismatch, party=caller)


@pytest.mark.parametrize("signer", ["energie", "hub"])
@pytest.mark.parametrize(("caller", "sender"), [(A, A), (B, A), (B, B)])
def test_a_third_signer(mandate: Target, caller: str, sender: str, signer: str) -> None:
    """Someone else's good signature helps nobody, the hub's own neither."""
    mandate.repels(three(mandate, caller, signer, sender), SenderMismatch, party=caller)


@pytest.mark.parametrize("sender", [ID.format(2), ID.format(99), str(uuid.uuid4())])
def test_a_third_or_unknown_sender(mandate: Target, sender: str) -> None:
    mandate.repels(mandate.signed(message(Afzender=sender)), SenderMismatch)
    octets = mandate.signed(message(Afzender=sender), identity=mandate.line.identity(B))
    mandate.repels(octets, SenderMismatch, party=B)


def test_a_signer_who_is_no_party(target: Target) -> None:
    odd = identity(target.line, oins=("00000099000000077000",))
    target.repels(target.signed(identity=odd), SenderMismatch)


@pytest.mark.parametrize("oin", [EXAMPLE_OINS["gemeente"], EXAMPLE_OINS["energie"], "00000099000000077000", "0" * 20])
def test_a_to_with_the_oin_of_another(target: Target, oin: str) -> None:
    target.repels(target.signed(to=f"{BASE}{SHV}?OIN={oin}"), AddressingError)


@pytest.mark.parametrize("oin", [EXAMPLE_HUB_OIN, EXAMPLE_OINS["energie"], "00000099000000077000", "0" * 20])
def test_a_from_with_the_oin_of_another(target: Target, oin: str) -> None:
    target.repels(target.signed(sender=f"https://gemeente.example/?OIN={oin}"), SenderMismatch, reason="wsa:From")


# --- what a party may not ask ---------------------------------------------------------------------

@pytest.mark.parametrize("party", ["energie", "rechtbank", "matching", "waarborgfonds"])
def test_a_role_one_does_not_have(target: Target, party: str) -> None:
    target.repels(target.signed(party=party), RoleNotAllowed, party=party)


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


@pytest.mark.parametrize("name", ODD_SIGNERS)
def test_a_signer_with_a_wrong_certificate(target: Target, name: str) -> None:
    changes, reason = ODD_SIGNERS[name]
    target.repels(target.signed(identity=identity(target.line, **changes)), CertificateRejected, reason=reason)


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


@pytest.mark.parametrize("name", ["gemeente-sign", "zelfondertekend", "andere-ca-gemeente", "dubbelganger-gemeente",
                                  "onder-een-blad"])
def test_certificates_of_another_hierarchy(target: Target, pki: Pki, name: str) -> None:
    """Same names, same OINs, another root: test in production and the reverse."""
    key = pki.signing_key(name)
    odd = foreign.Identity(key=key.private_key, certificate=key.certificate)
    target.repels(target.signed(identity=odd), CertificateRejected, reason="no trusted CA")
    target.repels(target.signed(), NotAuthenticated, peer=key.certificate, reason="no trusted CA")


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


def test_an_expired_list_stops_everyone(fresh: Target) -> None:
    """Fail closed: 503, and service again with the next list."""
    line, pki = fresh.line, fresh.line.instance.folder / "pki"
    make_crl(pki, [], line.at - timedelta(days=2), timedelta(days=1))
    line.trust.renew()
    _stale(fresh, "was to be renewed")
    make_crl(pki, [], line.at)
    line.trust.renew()
    fresh.still_serves("gemeente")


def test_a_list_of_the_future_stops_everyone(fresh: Target) -> None:
    make_crl(fresh.line.instance.folder / "pki", [], fresh.line.at + timedelta(days=1))
    fresh.line.trust.renew()
    _stale(fresh, "the future")


def test_a_list_that_nobody_read_for_hours_stops_everyone(fresh: Target) -> None:
    fresh.line.at += timedelta(hours=4, seconds=1)
    _stale(fresh, "old")
    fresh.line.trust.renew()
    fresh.still_serves("gemeente")


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


def test_a_list_of_another_ca_is_not_taken(fresh: Target, pki: Pki) -> None:
    (fresh.line.instance.folder / "pki" / "ca.crl").write_bytes(pki.crl("dubbelganger-ca").read_bytes())
    fresh.line.trust.renew()
    fresh.still_serves("gemeente")
    fresh.line.skip(hours=4, seconds=1)
    _stale(fresh, "old")
