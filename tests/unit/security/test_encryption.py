"""Encryption by itself: what is written is read back, what is read is bounded, certificates are for their use."""

from pathlib import Path

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidTag
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from gateway.errors import CertificateRejected, DecryptionFailed, Misconfigured
from gateway.names import SKI, THUMBPRINT
from gateway.security import (
    Outgoing,
    Recipient,
    Usage,
    canonical,
    check_certificate,
    decrypt_content,
    is_encrypted,
    open_message,
    recipient_of,
    same_key,
    seal,
    seal_message,
)
from gateway.security.keys import DecryptionKey, decryption_keys_of, load_decryption_key
from gateway.soap import Limits, parse
from tests.conftest import Pki
from tests.line import EXAMPLES

MESSAGES = sorted(EXAMPLES.glob("*.xml"))


@pytest.fixture(scope="module")
def key(pki: Pki) -> DecryptionKey:
    return load_decryption_key(pki.pem("hub-enc"), pki.key("hub-enc"))


def recipient(pki: Pki) -> Recipient:
    found = recipient_of(pki.der("hub-enc"))
    assert found is not None
    return found


def envelope(pki: Pki, body: bytes, *, closed: bool = True) -> bytes:
    outgoing = Outgoing(action="urn:x:y", message_id="urn:uuid:1", to="urn:x", body=body,
                        recipient=recipient(pki) if closed else None)
    return seal(outgoing, pki.signing_key("deurwaarder-sign"), pki.now, "nonce").octets


# Text of XML 1.0 in canonical form, with a look-alike of the markup that is cut around.
_TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"], exclude_characters="<&>\ufffe\uffff"))
_WORDS = st.sampled_from(["&lt;/xenc:EncryptedData&gt;", "EncryptedData", "&amp;", "]]&gt;"])


@given(parts=st.lists(_TEXT | _WORDS, max_size=6))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_was_encrypted_is_what_comes_out(pki: Pki, key: DecryptionKey, parts: list[str]) -> None:
    """The opened envelope is the signed one, element for element, whatever its text looks like."""
    body = f'<a xmlns="urn:x"><b>{"".join(parts)}</b><c></c></a>'.encode()
    octets = envelope(pki, body)
    closed = parse(octets, Limits())
    assert is_encrypted(closed)
    assert b"<b>" not in octets
    opened = decrypt_content(closed, octets, (key,), Limits())
    clear = parse(envelope(pki, body, closed=False), Limits())
    assert canonical(opened.body) == canonical(clear.body)
    assert canonical(opened.child) == body


def test_no_two_encryptions_are_alike(pki: Pki) -> None:
    one, other = (envelope(pki, b'<a xmlns="urn:x"></a>') for _ in range(2))
    values = [element.text for octets in (one, other) for element in etree.fromstring(octets).iter("{*}CipherValue")]
    assert len(set(values)) == 4


def test_another_key_opens_nothing(pki: Pki, key: DecryptionKey) -> None:
    octets = envelope(pki, b'<a xmlns="urn:x"></a>')
    other = load_decryption_key(pki.pem("gemeente-enc"), pki.key("gemeente-enc"))
    with pytest.raises(DecryptionFailed, match="not one of ours"):
        decrypt_content(parse(octets, Limits()), octets, (other,), Limits())
    posing = DecryptionKey(certificate=key.certificate, private_key=other.private_key, oin=key.oin,
                           not_after=key.not_after, names=key.names)
    with pytest.raises(DecryptionFailed, match="could not be decrypted") as caught:
        decrypt_content(parse(octets, Limits()), octets, (posing,), Limits())
    assert not isinstance(caught.value.__cause__, InvalidTag | ValueError)  # no trace of which of the two it was


def test_limits_hold_for_what_was_decrypted(pki: Pki, key: DecryptionKey) -> None:
    octets = envelope(pki, b'<a xmlns="urn:x">' + b"<b></b>" * 100 + b"</a>")
    closed = parse(octets, Limits())
    assert len(decrypt_content(closed, octets, (key,), Limits()).child) == 100
    with pytest.raises(DecryptionFailed, match="more tags than allowed"):
        decrypt_content(closed, octets, (key,), Limits(max_tags=150))


@pytest.mark.parametrize("path", MESSAGES, ids=lambda path: path.stem)
def test_a_sealed_message_opens_to_its_own_octets(pki: Pki, key: DecryptionKey, path: Path) -> None:
    message = etree.parse(path).getroot()
    sealed = etree.fromstring(seal_message(message, recipient(pki)))
    assert [etree.QName(one).localname for one in sealed] == ["Berichtheader", "EncryptedData"]
    assert open_message(sealed, (key,)) == canonical(message)


def test_names_of_a_key(pki: Pki, key: DecryptionKey) -> None:
    certificate = x509.load_der_x509_certificate(pki.der("hub-enc"))
    kinds = dict(key.names)
    assert {THUMBPRINT, SKI, "serial"} == set(kinds)
    assert kinds["serial"] == str(certificate.serial_number)
    assert recipient(pki).thumbprint == kinds[THUMBPRINT]
    assert "private" not in repr(key)


def test_only_rsa_keys_decrypt(pki: Pki) -> None:
    with pytest.raises(Misconfigured, match="not on an RSA key"):
        load_decryption_key(pki.pem("deurwaarder-sign"), pki.key("deurwaarder-sign"))
    assert decryption_keys_of(pki.signing_key("deurwaarder-sign")) == ()
    assert len(decryption_keys_of(pki.signing_key("gemeente-sign"))) == 1
    assert recipient_of(pki.der("deurwaarder-sign")) is None


def test_one_key_in_two_certificates_is_seen(pki: Pki) -> None:
    assert same_key(pki.der("hub-enc"), pki.der("hub-enc"))
    assert not same_key(pki.der("hub-enc"), pki.der("hub-sign"))


@pytest.mark.parametrize(("name", "reason"), [
    ("hub-sign", "no keyEncipherment"), ("deurwaarder-sign", "no RSA key"), ("ca", "CA certificate")])
def test_certificates_that_one_may_not_encrypt_to(pki: Pki, name: str, reason: str) -> None:
    assert check_certificate(pki.der("hub-enc"), pki.trust(), pki.now, usage=Usage.ENCRYPTION)
    with pytest.raises(CertificateRejected, match=reason):
        check_certificate(pki.der(name), pki.trust(), pki.now, usage=Usage.ENCRYPTION)


@pytest.mark.parametrize("usage", [Usage.SIGNING, Usage.CLIENT, Usage.SERVER])
def test_a_certificate_to_encrypt_to_is_for_nothing_else(pki: Pki, usage: Usage) -> None:
    with pytest.raises(CertificateRejected):
        check_certificate(pki.der("hub-enc"), pki.trust(), pki.now, usage=usage)
