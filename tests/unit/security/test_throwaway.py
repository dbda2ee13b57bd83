"""The throw-away PKI: the files `gateway init` promises, ready for any TLS stack, and never written twice."""

import ssl
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from gateway.errors import CertificateRejected, Misconfigured
from gateway.security.keys import load_certificate, load_private_key, load_trust
from gateway.security.pki import Usage, check_certificate
from gateway.security.throwaway import (
    EXAMPLE_HUB_OIN,
    EXAMPLE_OINS,
    CertificateSpec,
    CrlSpec,
    Description,
    default_description,
    make_crl,
    make_pki,
    read_description,
)
from tests.conftest import DESCRIPTION, Pki

SLUGS = ("hub", "gemeente", "energie", "deurwaarder", "zorgverzekeraar", "kredietbank", "waarborgfonds",
         "bewindvoerder", "budgetbeheer", "matching", "rechtbank")
SMALL = Description(
    certificates=(
        CertificateSpec(file="ca", name="Voorbeeld CA", authority=True, usage=("keyCertSign", "cRLSign")),
        CertificateSpec(file="klant", name="Voorbeeld", oins=("00000099000000001000",), purposes=("clientAuth",)),
    ),
    crls=(CrlSpec(file="ca", issuer="ca"),),
)


def test_writes_the_files_of_an_instance_in_time(tmp_path: Path) -> None:
    start = time.perf_counter()
    make_pki(default_description(), tmp_path / "pki", datetime.now(UTC))
    assert time.perf_counter() - start < 6
    expected = {"ca.pem", "ca.key", "ca.crl"} | {
        f"{slug}-{use}.{kind}" for slug in SLUGS for use in ("tls", "sign", "enc") for kind in ("pem", "key")
    }
    assert {path.name for path in (tmp_path / "pki").iterdir()} == expected


def test_private_keys_are_for_their_owner_only(pki: Pki) -> None:
    keys = list(pki.folder.glob("*.key"))
    assert keys
    assert {path.stat().st_mode & 0o777 for path in keys} == {0o600}


@pytest.mark.clause("PKI001")
def test_every_party_has_its_own_oin_of_the_test_range(pki: Pki) -> None:
    assert {"hub", *EXAMPLE_OINS} == set(SLUGS)
    oins = {**EXAMPLE_OINS, "hub": EXAMPLE_HUB_OIN}
    assert len(set(oins.values())) == len(SLUGS)
    for slug, oin in oins.items():
        assert oin.startswith("00000099")
        for use, usage in (("tls", Usage.CLIENT), ("sign", Usage.SIGNING), ("enc", Usage.ENCRYPTION)):
            found = check_certificate(pki.der(f"{slug}-{use}"), pki.trust(), pki.now, usage=usage)
            assert found.certificate.oin == oin


def test_both_key_families_sign(pki: Pki) -> None:
    families = {slug: pki.signing_key(f"{slug}-sign").family for slug in SLUGS}
    assert families["hub"] == families["gemeente"] == families["energie"] == "rsa"
    assert families["deurwaarder"] == "ecdsa"


def test_signing_certificates_are_for_signing_only(pki: Pki) -> None:
    found = x509.load_der_x509_certificate(pki.der("hub-sign")).extensions
    usage = found.get_extension_for_class(x509.KeyUsage).value
    assert usage.digital_signature
    assert not usage.key_encipherment
    assert not usage.key_cert_sign
    with pytest.raises(x509.ExtensionNotFound):
        found.get_extension_for_class(x509.ExtendedKeyUsage)


def test_everything_says_that_it_is_an_example(pki: Pki) -> None:
    for path in pki.folder.glob("*.pem"):
        subject = x509.load_der_x509_certificate(load_certificate(path)).subject
        assert [a.value for a in subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)] == [
            "Voorbeeld, niet voor productie"
        ]


def test_dates_are_a_year_and_lists_a_month(pki: Pki) -> None:
    certificate = x509.load_der_x509_certificate(pki.der("hub-tls"))
    assert certificate.not_valid_after_utc - certificate.not_valid_before_utc == timedelta(days=365)
    assert certificate.not_valid_before_utc <= pki.now - timedelta(hours=23)
    crl = x509.load_pem_x509_crl(pki.crl().read_bytes())
    assert crl.next_update_utc is not None
    assert crl.next_update_utc - crl.last_update_utc == timedelta(days=30)
    assert crl.extensions.get_extension_for_class(x509.CRLNumber)
    assert crl.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier)


def context(purpose: int, pki: Pki, name: str) -> ssl.SSLContext:
    made = ssl.SSLContext(purpose)
    made.load_cert_chain(pki.pem(name), pki.key(name))
    made.load_verify_locations(pki.pem("ca"))
    made.load_verify_locations(pki.crl("ca-met-ingetrokken"))
    made.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF | ssl.VERIFY_X509_STRICT
    made.verify_mode = ssl.CERT_REQUIRED
    return made


def handshake(pki: Pki, client_name: str, host: str) -> bytes:
    """Both sides of a mutual TLS handshake in memory; the client certificate as the server sees it."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = context(ssl.PROTOCOL_TLS_SERVER, pki, "hub-tls").wrap_bio(to_server, to_client, server_side=True)
    client = context(ssl.PROTOCOL_TLS_CLIENT, pki, client_name).wrap_bio(to_client, to_server, server_hostname=host)
    waiting = {client, server}
    for _ in range(10):
        for side in list(waiting):
            try:
                side.do_handshake()
                waiting.discard(side)
            except ssl.SSLWantReadError:
                continue
        if not waiting:
            break
    assert not waiting
    seen = server.getpeercert(True)
    assert seen is not None
    return seen


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1"])
def test_openssl_takes_them_both_ways_at_its_strictest(pki: Pki, host: str) -> None:
    assert handshake(pki, "gemeente-tls", host) == pki.der("gemeente-tls")


@pytest.mark.parametrize("name", ["ingetrokken", "verlopen", "alleen-server", "andere-ca-gemeente"])
def test_openssl_refuses_the_wrong_ones_too(pki: Pki, name: str) -> None:
    with pytest.raises(ssl.SSLError):
        handshake(pki, name, "localhost")


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    make_pki(SMALL, tmp_path, datetime.now(UTC))
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(Misconfigured, match="not overwritten"):
        make_pki(SMALL, tmp_path, datetime.now(UTC))
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_new_list_revokes_and_releases(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    make_pki(SMALL, tmp_path, now)
    octets = load_certificate(tmp_path / "klant.pem")
    serial = x509.load_der_x509_certificate(octets).serial_number
    for number, revoked in ((2, [serial, serial, 7]), (3, [7])):
        path = make_crl(tmp_path, revoked, now, timedelta(hours=1))
        trust = load_trust([tmp_path / "ca.pem"], [path], loaded_at=now, max_age=timedelta(hours=4))
        assert (trust.crls[0].number, trust.crls[0].serials) == (number, frozenset(revoked))
        assert trust.crls[0].next_update - trust.crls[0].this_update == timedelta(hours=1)
        if serial in revoked:
            with pytest.raises(CertificateRejected, match="revoked"):
                check_certificate(octets, trust, now, usage=Usage.CLIENT)
        else:
            assert check_certificate(octets, trust, now, usage=Usage.CLIENT)
    assert {path.name for path in tmp_path.iterdir()} == {"ca.pem", "ca.key", "ca.crl", "klant.pem", "klant.key"}


def test_a_first_list_may_be_missing(tmp_path: Path) -> None:
    make_pki(Description(certificates=SMALL.certificates), tmp_path, datetime.now(UTC))
    crl = x509.load_pem_x509_crl(make_crl(tmp_path, [], datetime.now(UTC)).read_bytes())
    assert crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number == 1
    assert crl.is_signature_valid(load_private_key(tmp_path / "ca.key").public_key())


@pytest.mark.parametrize(("text", "cause"), [
    ("[[certificate", "no TOML"),
    ("[[certificaat]]\nfile = 'x'", "unknown table certificaat"),
    ("[[certificate]]\nfile = 'x'\nname = 'x'\noin = '0'", "certificate x has unknown key oin"),
    ("[[certificate]]\nfile = 'x'\nname = 'x'\noins = '0'", "wrong kind of value at oins"),
    ("[[certificate]]\nfile = 'x'\nname = 'x'\noins = [1]", "wrong kind of value at oins"),
    ("[[certificate]]\nfile = 'x'\nname = 'x'\nfrom_days = true", "wrong kind of value at from_days"),
    ("[[certificate]]\nfile = 'x'", "certificate x lacks a key"),
    ("[[crl]]\nfile = 'x'", "crl x lacks a key"),
    ("certificate = [1]", "certificate is no table"),
    ("certificate = 1", "certificate is no list of tables"),
])
def test_a_description_with_a_mistake_says_where(text: str, cause: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        read_description(text)
    assert cause in caught.value.detail


@pytest.mark.parametrize(("row", "cause"), [
    ({"issuer": "later"}, "x: later is not described before it"),
    ({"key": "RSA"}, "no such kind of key: RSA"),
    ({"key": "DSA-2048"}, "no such kind of key: DSA-2048"),
    ({"usage": ("tekenen",)}, "x: no such thing as tekenen"),
    ({"digest": "MD5"}, "x: no such thing as MD5"),
    ({"issuer": "x", "digest": "SHA-1"}, "RSA issuer only"),
    ({"issuer": "x", "key": "Ed25519"}, "CA on Ed25519"),
])
def test_a_description_that_cannot_be_made_says_why(tmp_path: Path, row: dict[str, object], cause: str) -> None:
    spec = CertificateSpec(file="x", name="x", **row)  # type: ignore[arg-type]
    with pytest.raises(Misconfigured) as caught:
        make_pki(Description(certificates=(*SMALL.certificates, spec)), tmp_path, datetime.now(UTC))
    assert cause in caught.value.detail


def test_the_description_file_reads_back_as_written() -> None:
    found = read_description(DESCRIPTION.read_text("utf-8"))
    by_file = {spec.file: spec for spec in found.certificates}
    assert by_file["tsp"].path_length == 0
    assert by_file["tsp"].purposes == ("clientAuth", "serverAuth")
    assert by_file["verlopen"].until_days == -1
    assert {crl.file: crl for crl in found.crls}["domein-met-tsp"].revoked == ("tsp",)


def test_the_script_makes_them(tmp_path: Path) -> None:
    script = DESCRIPTION.parent / "make.py"
    command = [sys.executable, str(script), "--out", str(tmp_path / "uit")]
    first = subprocess.run(command, capture_output=True, text=True, check=False)
    assert first.returncode == 0, first.stderr
    assert (tmp_path / "uit" / "tsp-klant.pem").exists()
    second = subprocess.run(command, capture_output=True, text=True, check=False)
    assert second.returncode == 1
    assert "not overwritten" in second.stderr
