"""Which OCSP answers are believed: made by the issuer or whom it appointed, about this certificate, and in date."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from gateway.errors import CertificateRejected
from gateway.security import ocsp_question, read_ocsp_answer
from gateway.security.ocsp import OcspAnswer, revoked_serials
from gateway.security.throwaway import CertificateSpec, Pair, issue, new_key
from tests.conftest import Pki

HOUR = timedelta(hours=1)
NONCE = b"0123456789abcdef"
STATUS = {"good": ocsp.OCSPCertStatus.GOOD, "revoked": ocsp.OCSPCertStatus.REVOKED,
          "unknown": ocsp.OCSPCertStatus.UNKNOWN}


class World:
    """A CA, a certificate of it, and everybody who might answer about that."""

    def __init__(self, pki: Pki) -> None:
        self.now = pki.now
        self.ca = self._made("Voorbeeld OCSP CA", None, authority=True, usage=("keyCertSign", "cRLSign"))
        self.other = self._made("Voorbeeld andere CA", None, authority=True, usage=("keyCertSign", "cRLSign"))
        self.leaf = self._made("blad", self.ca)
        self.appointed = self._made("Voorbeeld responder", self.ca, purposes=("OCSPSigning",))
        self.expired = self._made("verlopen", self.ca, purposes=("OCSPSigning",), from_days=-9, until_days=-1)
        self.plain = self._made("geen responder", self.ca)
        self.stranger = self._made("vreemde", self.other, purposes=("OCSPSigning",))

    def _made(self, name: str, issuer: Pair | None, **fields: object) -> Pair:
        spec = CertificateSpec(file="x", name=name, **fields)
        return issue(spec, new_key("P-256"), issuer=issuer, now=self.now)

    def answer(
        self, status: str = "good", *, signer: Pair | None = None, issuer: Pair | None = None, leaf: Pair | None = None,
        since: timedelta = -HOUR, until: timedelta | None = HOUR, nonce: bytes | None = None,
        by: ocsp.OCSPResponderEncoding = ocsp.OCSPResponderEncoding.NAME, digest: hashes.HashAlgorithm | None = None,
        certificates: tuple[Pair, ...] | None = None,
    ) -> bytes:
        signer = signer or self.ca
        builder = ocsp.OCSPResponseBuilder().add_response(
            (leaf or self.leaf).certificate, (issuer or self.ca).certificate, digest or hashes.SHA1(), STATUS[status],
            this_update=self.now + since, next_update=self.now + until if until is not None else None,
            revocation_time=self.now - HOUR if status == "revoked" else None, revocation_reason=None,
        ).responder_id(by, signer.certificate)
        sent = certificates if certificates is not None else (() if signer is self.ca else (signer,))
        if sent:
            builder = builder.certificates([one.certificate for one in sent])
        if nonce is not None:
            builder = builder.add_extension(x509.OCSPNonce(nonce), critical=False)
        return builder.sign(signer.key, hashes.SHA256()).public_bytes(Encoding.DER)

    def read(self, octets: bytes, **changes: object) -> OcspAnswer:
        values = {"serial": self.leaf.certificate.serial_number, "nonce": NONCE, "now": self.now, **changes}
        return read_ocsp_answer(octets, self.ca.certificate, **values)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def world(pki: Pki) -> World:
    return World(pki)


def test_a_question_names_certificate_and_issuer(world: World) -> None:
    question = ocsp.load_der_ocsp_request(ocsp_question(77, world.ca.certificate, NONCE))
    assert question.serial_number == 77
    assert question.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce == NONCE
    answer = ocsp.load_der_ocsp_response(world.answer())
    assert (question.issuer_name_hash, question.issuer_key_hash) == (answer.issuer_name_hash, answer.issuer_key_hash)


@pytest.mark.parametrize("status", STATUS)
@pytest.mark.parametrize("make", [
    lambda w, s: w.answer(s), lambda w, s: w.answer(s, signer=w.appointed),
    lambda w, s: w.answer(s, by=ocsp.OCSPResponderEncoding.HASH), lambda w, s: w.answer(s, digest=hashes.SHA256()),
    lambda w, s: w.answer(s, signer=w.appointed, by=ocsp.OCSPResponderEncoding.HASH),
    lambda w, s: w.answer(s, nonce=NONCE),
    lambda w, s: w.answer(s, until=None), lambda w, s: w.answer(s, since=timedelta(seconds=50)),
], ids=["issuer", "appointed", "by key", "SHA-256 names", "appointed by key", "nonce", "no nextUpdate", "clock"])
def test_good_answers_are_read(world: World, status: str, make: Callable[[World, str], bytes]) -> None:
    assert world.read(make(world, status)).status == status


BAD: dict[str, tuple[Callable[[World], bytes], str]] = {
    "no OCSP": (lambda w: b"<html>", "cannot be read"),
    "a refusal": (lambda w: ocsp.OCSPResponseBuilder.build_unsuccessful(ocsp.OCSPResponseStatus.TRY_LATER)
                  .public_bytes(Encoding.DER), "try_later"),
    "another certificate": (lambda w: w.answer(leaf=w.plain), "about another certificate"),
    "another issuer": (lambda w: w.answer(signer=w.other, issuer=w.other), "of another issuer"),
    "lapsed": (lambda w: w.answer(until=-HOUR / 2), "has lapsed"),
    "a day old without nextUpdate": (lambda w: w.answer(since=-25 * HOUR, until=None), "has lapsed"),
    "of the future": (lambda w: w.answer(since=HOUR, until=2 * HOUR), "the future"),
    "another nonce": (lambda w: w.answer(nonce=NONCE[::-1]), "another nonce"),
    "not appointed": (lambda w: w.answer(signer=w.plain), "not for OCSP signing"),
    "the certificate itself": (lambda w: w.answer(signer=w.leaf), "not for OCSP signing"),
    "appointed by another": (lambda w: w.answer(signer=w.stranger), "not by the issuer"),
    "expired responder": (lambda w: w.answer(signer=w.expired), "was not in force"),
    "no certificate sent": (lambda w: w.answer(signer=w.appointed, certificates=(w.plain,)), "neither the issuer nor"),
    "tampered": (lambda w: w.answer()[:-1] + bytes([w.answer()[-1] ^ 1]), "signature does not hold"),
    "signed by another in the issuer's name": (lambda w: _in_the_name_of(w), "signature does not hold"),
}


def _in_the_name_of(world: World) -> bytes:
    """Signed with a key of ours, naming the CA as responder."""
    spec = CertificateSpec(file="x", name="Voorbeeld OCSP CA", authority=True)
    twin = issue(spec, new_key("P-256"), issuer=None, now=world.now)
    assert twin.certificate.subject == world.ca.certificate.subject
    return world.answer(signer=twin, certificates=())


@pytest.mark.clause("PKI003")
@pytest.mark.parametrize("name", BAD)
def test_other_answers_are_not(world: World, name: str) -> None:
    make, reason = BAD[name]
    with pytest.raises(CertificateRejected) as caught:
        world.read(make(world))
    assert reason in caught.value.detail


def test_a_responder_that_the_list_revokes_is_not_believed(world: World) -> None:
    serial = world.appointed.certificate.serial_number
    octets = world.answer("revoked", signer=world.appointed)
    with pytest.raises(CertificateRejected, match="responder's certificate is revoked"):
        world.read(octets, revoked=frozenset({serial}))
    assert list(revoked_serials([octets], world.ca.certificate, frozenset({serial}))) == []


def test_an_older_answer_lifts_no_revocation(world: World) -> None:
    kept = world.answer("revoked", since=-HOUR / 2)
    with pytest.raises(CertificateRejected, match="older than the one in hand"):
        world.read(world.answer("good"), kept=kept)
    assert world.read(world.answer("good", since=-HOUR / 4), kept=kept).status == "good"


def test_kept_answers_revoke_by_their_issuer_and_for_good(world: World) -> None:
    serial = world.leaf.certificate.serial_number
    lapsed = world.answer("revoked", since=-9 * HOUR, until=-8 * HOUR)
    answers = [b"", world.answer("good", leaf=world.plain), lapsed]
    assert list(revoked_serials(answers, world.ca.certificate)) == [serial]
    assert list(revoked_serials(answers, world.other.certificate)) == []
    assert list(revoked_serials([_in_the_name_of(world)], world.ca.certificate)) == []
