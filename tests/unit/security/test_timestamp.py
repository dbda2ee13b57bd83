"""Time-stamp tokens: those of openssl hold, and no octet of one is free."""

from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.errors import SignatureInvalid
from gateway.security.timestamp import _check_certificate, check_token, stamped_at, timestamp_request, token_in
from tests.tsa import Authority, needs_openssl

pytestmark = needs_openssl
TEXT, NONCE = b"what is stamped\n", 2**62 + 1


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(folder=tmp_path_factory.mktemp("tsa"))


def der(path: Path) -> bytes:
    return x509.load_pem_x509_certificate(path.read_bytes()).public_bytes(Encoding.DER)


@pytest.mark.parametrize("config", ["sha256", "sha1"])
@pytest.mark.parametrize("anchor", ["ca", "tsa"])
def test_token_of_openssl_holds_under_its_ca_and_under_itself(authority: Authority, config: str, anchor: str) -> None:
    reply = authority.reply(timestamp_request(TEXT, NONCE), config=config)
    anchors = [der(authority.folder / f"{anchor}.pem")]
    token = token_in(reply, TEXT, NONCE, anchors)
    stamped = check_token(token, TEXT, anchors)
    assert stamped.at == stamped_at(token)
    assert stamped.signer.subject.rfc4514_string() == "CN=tsa"


@pytest.mark.clause("§7.4")
def test_no_octet_of_a_token_is_free(authority: Authority) -> None:
    anchors = [der(authority.ca)]
    token = token_in(authority.reply(timestamp_request(TEXT, NONCE)), TEXT, NONCE, anchors)
    for at in range(len(token)):
        changed = token[:at] + bytes([token[at] ^ 1]) + token[at + 1:]
        with pytest.raises(SignatureInvalid):
            check_token(changed, TEXT, anchors)
    with pytest.raises(SignatureInvalid):
        check_token(token + b"\0", TEXT, anchors)


def test_answer_to_another_question_is_refused(authority: Authority) -> None:
    anchors = [der(authority.ca)]
    reply = authority.reply(timestamp_request(TEXT, NONCE))
    with pytest.raises(SignatureInvalid, match="nonce"):
        token_in(reply, TEXT, NONCE + 1, anchors)
    with pytest.raises(SignatureInvalid, match="over something else"):
        token_in(reply, TEXT + b"!", NONCE, anchors)


@pytest.mark.parametrize("signer", ["lax", "both"])
def test_signer_must_be_for_time_stamping_alone(authority: Authority, signer: str) -> None:
    """openssl itself signs with neither of the wrong ones, so the check is asked directly."""
    certificate = x509.load_pem_x509_certificate((authority.folder / f"{signer}.pem").read_bytes())
    trusted = [x509.load_pem_x509_certificate(authority.ca.read_bytes())]
    with pytest.raises(SignatureInvalid, match="for time-stamping alone"):
        _check_certificate(certificate, trusted, certificate.not_valid_before_utc)
    good = x509.load_pem_x509_certificate((authority.folder / "tsa.pem").read_bytes())
    _check_certificate(good, trusted, good.not_valid_before_utc)
    with pytest.raises(SignatureInvalid, match="not in force"):
        _check_certificate(good, trusted, good.not_valid_after_utc.replace(year=2099))


def test_authority_that_is_not_ours_is_refused(authority: Authority, tmp_path: Path) -> None:
    other = Authority(folder=tmp_path)
    reply = other.reply(timestamp_request(TEXT, NONCE))
    with pytest.raises(SignatureInvalid, match="not the one in the settings"):
        token_in(reply, TEXT, NONCE, [der(authority.ca)])


@pytest.mark.parametrize("reply", [b"", b"no", b"\x30\x05\x30\x03\x02\x01\x02", b"\x30\x80" + bytes(40_000)],
                         ids=["empty", "words", "rejected", "long"])
def test_garbage_and_refusals_are_no_time_stamp(authority: Authority, reply: bytes) -> None:
    with pytest.raises(SignatureInvalid):
        token_in(reply, TEXT, NONCE, [der(authority.ca)])
    with pytest.raises(SignatureInvalid):
        stamped_at(reply)
