"""OCSP: what to ask of an issuer about its certificates, and which answers to believe.

An extra beside the revocation list, which stays mandatory: "revoked" refuses at once, "good" adds nothing, no answer
changes nothing. Pure: asking is the network's part (app, transport), and never on the way in.

Sources: RFC 6960 §3.2, §4.1, §4.2; RFC 5019 §2.1 (CertID); Digikoppeling PKI003.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

from gateway.errors import CertificateRejected
from gateway.security import _x509
from gateway.security.algorithms import PublicKey

_SKEW: Final = timedelta(seconds=60)  # of the responder's clock: it often dates its answer at this moment
_LIFE: Final = timedelta(hours=24)  # of an answer that names no nextUpdate
_OCSP_SIGNING: Final = ExtendedKeyUsageOID.OCSP_SIGNING.dotted_string


@dataclass(frozen=True, slots=True, kw_only=True)
class OcspAnswer:
    """What an issuer says of one certificate."""

    serial: int
    status: str  # "good", "revoked" or "unknown"
    this_update: datetime
    next_update: datetime | None


def ocsp_question(serial: int, issuer: x509.Certificate, nonce: bytes) -> bytes:
    """The request (DER) for one certificate of this issuer.

    The issuer is named by SHA-1, as every responder knows it (RFC 5019 §2.1.1): a name, no proof.
    """
    name, key = _hashes_of(issuer, hashes.SHA1())  # noqa: S303  # as above
    builder = ocsp.OCSPRequestBuilder().add_certificate_by_hash(name, key, serial, hashes.SHA1())  # noqa: S303
    return builder.add_extension(x509.OCSPNonce(nonce), critical=False).build().public_bytes(Encoding.DER)


def read_ocsp_answer(
    octets: bytes, issuer: x509.Certificate, *, serial: int, nonce: bytes, now: datetime,
    revoked: frozenset[int] = frozenset(), kept: bytes | None = None,
) -> OcspAnswer:
    """The answer to a question, once everything about it holds.

    1. One successful answer, about the certificate that was asked after, of this issuer.
    2. Signed by the issuer, or by a certificate that the issuer made for OCSP signing, in force, and not among the
       `revoked` serial numbers of the issuer's list.
    3. In date: thisUpdate ≤ now ≤ nextUpdate, or at most a day old where it names none.
    4. Not older than the answer that is `kept`: an old "good" must not lift a revocation.
    5. The nonce, where the answer has one, is ours.

    Raises CertificateRejected, detail saying which.
    """
    response = _believed(octets, issuer, revoked)
    answer = _content(response)
    if answer.serial != serial:
        raise CertificateRejected("OCSP answer is about another certificate")
    if answer.this_update > now + _SKEW:
        raise CertificateRejected(f"OCSP answer is from {answer.this_update:%Y-%m-%dT%H:%M:%SZ}, the future")
    if now > (answer.next_update or answer.this_update + _LIFE):
        raise CertificateRejected(f"OCSP answer of {answer.this_update:%Y-%m-%dT%H:%M:%SZ} has lapsed")
    if kept is not None and answer.this_update < _content(_believed(kept, issuer, revoked)).this_update:
        raise CertificateRejected("OCSP answer is older than the one in hand")
    for extension in _x509.reading(lambda: response.extensions, "OCSP extension"):
        if isinstance(extension.value, x509.OCSPNonce) and extension.value.nonce != nonce:
            raise CertificateRejected("OCSP answer holds another nonce: it answers another question")
    return answer


def revoked_serials(
    answers: Iterable[bytes], issuer: x509.Certificate, revoked: frozenset[int] = frozenset()
) -> Iterator[int]:
    """The serial numbers that one of these kept answers revokes, by the word of `issuer` or whom it appointed.

    A revocation stands until another answer takes its place, whatever its nextUpdate. An answer of another issuer, or
    one that does not hold, is passed over.
    """
    for octets in answers:
        try:
            answer = _content(_believed(octets, issuer, revoked))
        except CertificateRejected:
            continue
        if answer.status == "revoked":
            yield answer.serial


def _believed(octets: bytes, issuer: x509.Certificate, revoked: frozenset[int]) -> ocsp.OCSPResponse:
    response = _x509.reading(lambda: ocsp.load_der_ocsp_response(octets), "OCSP answer")
    if response.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
        raise CertificateRejected(f"OCSP responder answers {response.response_status.name.lower()}")
    algorithm = _x509.reading(lambda: response.hash_algorithm, "OCSP answer")
    if (response.issuer_name_hash, response.issuer_key_hash) != _hashes_of(issuer, algorithm):
        raise CertificateRejected("OCSP answer is of another issuer")
    _x509.require_strong_signature(response)
    responder = _responder(response, issuer, revoked)
    _check_signature(response, _x509.public_key(responder))
    return response


def _responder(
    response: ocsp.OCSPResponse, issuer: x509.Certificate, revoked: frozenset[int]
) -> x509.Certificate:
    """Who signed: the issuer, or whom it appointed (RFC 6960 §4.2.2.2)."""
    if _names(response, issuer):
        return issuer
    for one in _x509.reading(lambda: response.certificates, "OCSP responder's certificate"):
        if _names(response, one):
            _check_appointed(one, issuer, response.produced_at_utc, revoked)
            return one
    raise CertificateRejected("OCSP answer is signed by neither the issuer nor a certificate it holds")


def _check_appointed(
    responder: x509.Certificate, issuer: x509.Certificate, at: datetime, revoked: frozenset[int]
) -> None:
    try:
        responder.verify_directly_issued_by(issuer)
    except (InvalidSignature, *_x509.UNREADABLE) as error:
        raise CertificateRejected("OCSP responder's certificate is not by the issuer") from error
    _x509.require_strong_signature(responder)
    if _OCSP_SIGNING not in (_x509.extensions(responder).extended or ()):
        raise CertificateRejected("OCSP responder's certificate is not for OCSP signing")
    if not responder.not_valid_before_utc <= at <= responder.not_valid_after_utc:
        raise CertificateRejected("OCSP responder's certificate was not in force")
    if responder.serial_number in revoked:
        raise CertificateRejected("OCSP responder's certificate is revoked")


def _names(response: ocsp.OCSPResponse, certificate: x509.Certificate) -> bool:
    if response.responder_name is not None:
        return response.responder_name == certificate.subject
    return response.responder_key_hash == _hashes_of(certificate, hashes.SHA1())[1]  # noqa: S303  # RFC 6960 §4.2.1


def _check_signature(response: ocsp.OCSPResponse, key: PublicKey) -> None:
    algorithm = response.signature_hash_algorithm
    assert algorithm is not None  # a strong signature has one
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(response.signature, response.tbs_response_bytes, padding.PKCS1v15(), algorithm)
        else:
            key.verify(response.signature, response.tbs_response_bytes, ec.ECDSA(algorithm))
    except InvalidSignature as error:
        raise CertificateRejected("OCSP answer's signature does not hold") from error


def _content(response: ocsp.OCSPResponse) -> OcspAnswer:
    return _x509.reading(lambda: OcspAnswer(
        serial=response.serial_number, status=response.certificate_status.name.lower(),
        this_update=response.this_update_utc, next_update=response.next_update_utc,
    ), "OCSP answer")


def _hashes_of(issuer: x509.Certificate, algorithm: hashes.HashAlgorithm) -> tuple[bytes, bytes]:
    """The issuer as CertID names it: digests of its name and of its key (RFC 6960 §4.1.1)."""
    found = []
    for octets in (issuer.subject.public_bytes(), _key_bits(issuer)):
        digest = hashes.Hash(algorithm)
        digest.update(octets)
        found.append(digest.finalize())
    return found[0], found[1]


def _key_bits(certificate: x509.Certificate) -> bytes:
    """The key as SubjectPublicKeyInfo's BIT STRING holds it, without tag, length and count of unused bits."""
    key = _x509.public_key(certificate)
    if isinstance(key, ec.EllipticCurvePublicKey):
        return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return key.public_bytes(Encoding.DER, PublicFormat.PKCS1)
