"""Files of certificates, lists and keys: what is read, and what an operator is told when it cannot be."""

from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from gateway.errors import Misconfigured
from gateway.security.algorithms import method_for, sign, signature_holds
from gateway.security.keys import (
    SigningKey,
    load_certificate,
    load_certificates,
    load_crls,
    load_private_key,
    load_signing_key,
    load_trust,
)
from gateway.security.pki import Usage, check_certificate
from gateway.security.throwaway import CertificateSpec, issue, new_key
from tests.conftest import Pki


@pytest.mark.parametrize(("name", "family"), [("hub-sign", "rsa"), ("deurwaarder-sign", "ecdsa")])
def test_loads_a_key_that_signs_for_its_certificate(pki: Pki, name: str, family: str) -> None:
    loaded = load_signing_key(pki.pem(name), pki.key(name))
    assert loaded.family == family
    assert loaded.certificate == pki.der(name)
    checked = check_certificate(loaded.certificate, pki.trust(), pki.now, usage=Usage.SIGNING)
    assert (loaded.oin, loaded.not_after) == (checked.certificate.oin, checked.certificate.not_after)
    value = sign(loaded.private_key, b"bericht")
    assert signature_holds(method_for(loaded.private_key), checked.public_key, value, b"bericht")


def test_a_signing_key_does_not_show_itself(pki: Pki) -> None:
    assert "private" not in repr(pki.signing_key("hub-sign"))


def test_loads_pem_der_and_bundles(pki: Pki, tmp_path: Path) -> None:
    bundle, der = tmp_path / "keten.pem", tmp_path / "ca.cer"
    bundle.write_bytes(b"".join(pki.pem(name).read_bytes() for name in ("tsp", "domein", "stam")))
    der.write_bytes(pki.der("ca"))
    assert load_certificates(bundle) == tuple(pki.der(name) for name in ("tsp", "domein", "stam"))
    assert load_certificate(bundle) == pki.der("tsp")
    assert load_certificate(der) == pki.der("ca")


def test_loads_pem_and_der_lists(pki: Pki, tmp_path: Path) -> None:
    bundle, der = tmp_path / "lijsten.pem", tmp_path / "ca.crl"
    bundle.write_bytes(b"".join(pki.crl(name).read_bytes() for name in ("tsp", "domein", "stam")))
    der.write_bytes(x509.load_pem_x509_crl(pki.crl().read_bytes()).public_bytes(Encoding.DER))
    assert len(load_crls(bundle)) == 3
    assert load_crls(der) == load_crls(pki.crl())


def test_trust_from_bundles_is_trust_from_files(pki: Pki, tmp_path: Path) -> None:
    names, cas, lists = ("tsp", "domein", "stam"), tmp_path / "cas.pem", tmp_path / "lijsten.pem"
    cas.write_bytes(b"".join(pki.pem(name).read_bytes() for name in names))
    lists.write_bytes(b"".join(pki.crl(name).read_bytes() for name in names))
    trust = load_trust([cas], [lists], loaded_at=pki.now, max_age=timedelta(hours=1))
    assert trust.version == pki.trust(*names).version
    assert [anchor.source for anchor in trust.anchors] == [f"{cas}#{at}" for at in (1, 2, 3)]
    assert check_certificate(pki.der("tsp-klant"), trust, pki.now, usage=Usage.CLIENT)


@pytest.mark.parametrize("load", [load_certificate, load_crls, load_private_key])
@pytest.mark.parametrize(("content", "cause"), [
    (None, "does not exist"),
    (b"", "is empty"),
    (b"niets\n", "holds no"),
    (b"-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n", "holds "),
    (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "holds no"),
    (b"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n", "holds no"),
])
def test_names_file_cause_and_remedy(tmp_path: Path, load: object, content: bytes | None, cause: str) -> None:
    path = tmp_path / "bestand.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(Misconfigured) as caught:
        load(path)  # type: ignore[operator]
    assert caught.value.detail.startswith(f"{path}: ")
    assert cause in caught.value.detail
    assert "; " in caught.value.detail


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="cannot be read"):
        load_certificate(tmp_path)


def load(pki: Pki, certificate: str, key: Path) -> SigningKey:
    return load_signing_key(pki.pem(certificate), key)


def test_refuses_the_key_of_another_certificate(pki: Pki) -> None:
    with pytest.raises(Misconfigured) as caught:
        load(pki, "hub-sign", pki.key("gemeente-sign"))
    assert caught.value.detail.startswith(str(pki.key("gemeente-sign")))
    assert str(pki.pem("hub-sign")) in caught.value.detail


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
def test_refuses_a_key_behind_a_password(pki: Pki, tmp_path: Path, form: PrivateFormat) -> None:
    key = load_pem_private_key(pki.key("hub-sign").read_bytes(), password=None)
    path = tmp_path / "hub.key"
    path.write_bytes(key.private_bytes(Encoding.PEM, form, BestAvailableEncryption(b"geheim")))
    with pytest.raises(Misconfigured, match="protected by a password"):
        load(pki, "hub-sign", path)


def test_takes_a_key_in_the_older_format(pki: Pki, tmp_path: Path) -> None:
    for name in ("hub-sign", "deurwaarder-sign"):
        key = load_pem_private_key(pki.key(name).read_bytes(), password=None)
        path = tmp_path / f"{name}.key"
        path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()))
        assert load(pki, name, path).certificate == pki.der(name)


@pytest.mark.parametrize(("name", "cause"), [
    ("rsa-1024", "1024 bits"), ("ed25519", "neither"), ("geen-oin", "serialNumber"), ("andere-kromme", "secp256k1"),
])
def test_refuses_a_pair_no_peer_would_accept(pki: Pki, name: str, cause: str) -> None:
    with pytest.raises(Misconfigured, match=cause):
        load(pki, name, pki.key(name))


def test_what_a_key_file_holds_is_never_told(pki: Pki, tmp_path: Path) -> None:
    path = tmp_path / "kapot.key"
    secret = pki.key("hub-sign").read_text().splitlines()[5]
    path.write_text(f"-----BEGIN PRIVATE KEY-----\n{secret}\n-----END PRIVATE KEY-----\n")
    with pytest.raises(Misconfigured) as caught:
        load(pki, "hub-sign", path)
    assert secret not in str(caught.value)


def test_renewal_on_the_same_key_fits(pki: Pki, tmp_path: Path) -> None:
    """A certificate ordered anew for the same key goes with that key."""
    key = new_key("P-256")
    made = issue(CertificateSpec(file="nieuw", name="Voorbeeld", oins=("00000099000000001000",)), key,
                 issuer=None, now=pki.now)
    (tmp_path / "nieuw.pem").write_bytes(made.certificate.public_bytes(Encoding.PEM))
    (tmp_path / "oud.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    assert load_signing_key(tmp_path / "nieuw.pem", tmp_path / "oud.key").family == "ecdsa"
