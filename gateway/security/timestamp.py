"""Time-stamps of RFC 3161: asking for one, and proving what came back. Offline: whoever asks sends the octets.

The structures are read with the strict DER reader of `cryptography`; tokens in BER, and RSA-PSS, are not taken.
Sources: RFC 3161 §2.3, §2.4; RFC 5652 §5 (SignedData); RFC 5816 and RFC 5035 (signing certificate).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha1, sha256
from typing import Annotated, Final, cast

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ObjectIdentifier
from cryptography.x509.oid import ExtendedKeyUsageOID

from gateway.errors import SignatureInvalid
from gateway.security import _x509
from gateway.security._trust import is_issued_by

_MAX_OCTETS: Final = 32_768  # a token with three RSA-4096 certificates is 7 KB
_SHA256: Final = ObjectIdentifier("2.16.840.1.101.3.4.2.1")
_HASHES: Final[dict[ObjectIdentifier, hashes.HashAlgorithm]] = {
    _SHA256: hashes.SHA256(),
    ObjectIdentifier("2.16.840.1.101.3.4.2.2"): hashes.SHA384(),
    ObjectIdentifier("2.16.840.1.101.3.4.2.3"): hashes.SHA512(),
}
_SIGNATURES: Final[dict[str, tuple[type, str | None]]] = {  # kind of key, and the hash where the name holds it
    "1.2.840.113549.1.1.1": (rsa.RSAPublicKey, None),
    "1.2.840.113549.1.1.11": (rsa.RSAPublicKey, "sha256"),
    "1.2.840.113549.1.1.12": (rsa.RSAPublicKey, "sha384"),
    "1.2.840.113549.1.1.13": (rsa.RSAPublicKey, "sha512"),
    "1.2.840.10045.4.3.2": (ec.EllipticCurvePublicKey, "sha256"),
    "1.2.840.10045.4.3.3": (ec.EllipticCurvePublicKey, "sha384"),
    "1.2.840.10045.4.3.4": (ec.EllipticCurvePublicKey, "sha512"),
}
_SIGNED_DATA: Final = ObjectIdentifier("1.2.840.113549.1.7.2")
_TST_INFO: Final = ObjectIdentifier("1.2.840.113549.1.9.16.1.4")
_CONTENT_TYPE: Final = ObjectIdentifier("1.2.840.113549.1.9.3")
_MESSAGE_DIGEST: Final = ObjectIdentifier("1.2.840.113549.1.9.4")
_SIGNING_CERTIFICATE: Final = ObjectIdentifier("1.2.840.113549.1.9.16.2.12")
_SIGNING_CERTIFICATE_V2: Final = ObjectIdentifier("1.2.840.113549.1.9.16.2.47")
_GRANTED: Final = (0, 1)  # granted, grantedWithMods
# What the readers raise for octets that are something else.
_UNREADABLE: Final = (*_x509.UNREADABLE, KeyError, OverflowError)


@asn1.sequence
class _Algorithm:
    algorithm: ObjectIdentifier
    parameters: asn1.Null | None


@asn1.sequence
class _Imprint:
    algorithm: _Algorithm
    digest: bytes


@asn1.sequence
class _Request:
    version: int
    imprint: _Imprint
    policy: ObjectIdentifier | None
    nonce: int | None
    certificates: Annotated[bool, asn1.Default(False)]


@asn1.sequence
class _Status:
    status: int
    words: list[str] | None
    failure: asn1.BitString | None


@asn1.sequence
class _ContentInfo:
    content_type: ObjectIdentifier
    content: Annotated[asn1.TLV, asn1.Explicit(0)]


@asn1.sequence
class _Response:
    status: _Status
    token: _ContentInfo | None


@asn1.sequence
class _Encapsulated:
    content_type: ObjectIdentifier
    content: Annotated[bytes, asn1.Explicit(0)]


@asn1.sequence
class _IssuerAndSerial:
    issuer: asn1.TLV
    serial: int


@asn1.sequence
class _SignerInfo:
    version: int
    signer: _IssuerAndSerial
    digest_algorithm: _Algorithm
    signed: asn1.TLV
    signature_algorithm: _Algorithm
    signature: bytes
    unsigned: Annotated[asn1.SetOf[asn1.TLV] | None, asn1.Implicit(1)]


@asn1.sequence
class _SignedData:
    version: int
    digest_algorithms: asn1.SetOf[_Algorithm]
    encapsulated: _Encapsulated
    certificates: Annotated[asn1.SetOf[x509.Certificate] | None, asn1.Implicit(0)]
    lists: Annotated[asn1.SetOf[asn1.TLV] | None, asn1.Implicit(1)]
    signers: asn1.SetOf[_SignerInfo]


@asn1.sequence
class _Attribute:
    kind: ObjectIdentifier
    values: asn1.SetOf[asn1.TLV]


@asn1.sequence
class _Attributes:
    members: asn1.SetOf[_Attribute]


@asn1.sequence
class _CertificateId:  # ESSCertIDv2; of ESSCertID the first field is absent and SHA-1 is meant
    algorithm: _Algorithm | None
    digest: bytes
    issuer: list[asn1.TLV] | None


@asn1.sequence
class _SigningCertificate:
    certificates: list[_CertificateId]
    policies: list[asn1.TLV] | None


@asn1.sequence
class _GeneralName:
    name: asn1.TLV


@asn1.sequence
class _Info:  # TSTInfo
    version: int
    policy: ObjectIdentifier
    imprint: _Imprint
    serial: int
    time: asn1.GeneralizedTime
    accuracy: list[asn1.TLV] | None
    ordering: Annotated[bool, asn1.Default(False)]
    nonce: int | None
    authority: Annotated[_GeneralName | None, asn1.Implicit(0)]
    extensions: Annotated[list[asn1.TLV] | None, asn1.Implicit(1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamped:
    """What a token says, proven."""

    at: datetime  # aware UTC
    signer: x509.Certificate


def timestamp_request(octets: bytes, nonce: int) -> bytes:
    """The request (DER) for a time-stamp over the SHA-256 of these octets; RFC 3161 §2.4.1.

    `nonce`: random, from 1 to below 2**63; the answer must repeat it.
    """
    imprint = _Imprint(algorithm=_Algorithm(algorithm=_SHA256, parameters=asn1.Null()), digest=sha256(octets).digest())
    return asn1.encode_der(_Request(version=1, imprint=imprint, policy=None, nonce=nonce, certificates=True))


def token_in(response: bytes, octets: bytes, nonce: int, anchors: Sequence[bytes]) -> bytes:
    """The token (DER) of an answer, once it is proven to be the one that was asked for; RFC 3161 §2.4.2.

    Raises SignatureInvalid: refused, garbage, another digest or nonce, or whatever `check_token` finds.
    """
    try:
        answer = asn1.decode_der(_Response, response[:_MAX_OCTETS])
        if answer.status.status not in _GRANTED or answer.token is None:
            raise SignatureInvalid(f"the time-stamp authority refused: status {answer.status.status}")
        token = asn1.encode_der(answer.token)
        if _open(token)[1].nonce != nonce:
            raise SignatureInvalid("the time-stamp has another nonce: it is not the answer to this question")
    except _UNREADABLE as error:
        raise SignatureInvalid("the answer is no time-stamp") from error
    check_token(token, octets, anchors)
    return token


def check_token(token: bytes, octets: bytes, anchors: Sequence[bytes]) -> Stamped:
    """Prove a token over these octets.

    1 the digest is that of the octets; 2 the signed attributes are of this content; 3 the signer is the certificate
    they name; 4 its signature holds; 5 the certificate is an anchor (DER) or directly issued by one, was in force at
    the stamped time and is for time-stamping alone, critically. Revocation is not asked.

    Raises SignatureInvalid.
    """
    try:
        data, info = _open(token)
        if info.imprint.algorithm.algorithm != _SHA256 or info.imprint.digest != sha256(octets).digest():
            raise SignatureInvalid("the time-stamp is over something else")
        (signer,) = data.signers.as_list()
        attributes = _attributes(signer)
        content = data.encapsulated.content
        hash_ = _HASHES[signer.digest_algorithm.algorithm]
        if (_one(attributes, _CONTENT_TYPE).parse(ObjectIdentifier) != data.encapsulated.content_type
                or _one(attributes, _MESSAGE_DIGEST).parse(bytes) != _digest(hash_, content)):
            raise SignatureInvalid("the time-stamp's signed attributes are of something else")
        trusted = [x509.load_der_x509_certificate(one) for one in anchors]
        held = data.certificates.as_list() if data.certificates is not None else []
        certificate = _named(attributes, [*held, *trusted])
        if not _is_plain(data, signer, certificate):
            raise SignatureInvalid("the time-stamp says one thing in two ways")
        _check_signature(certificate, signer, hash_)
        at = info.time.as_datetime().replace(tzinfo=UTC)
        _check_certificate(certificate, trusted, at)
    except _UNREADABLE as error:
        raise SignatureInvalid("the time-stamp cannot be read") from error
    return Stamped(at=at, signer=certificate)


def stamped_at(token: bytes) -> datetime:
    """The time a token states, unproven. Raises SignatureInvalid."""
    try:
        return _open(token)[1].time.as_datetime().replace(tzinfo=UTC)
    except _UNREADABLE as error:
        raise SignatureInvalid("the time-stamp cannot be read") from error


def _open(token: bytes) -> tuple[_SignedData, _Info]:
    if len(token) > _MAX_OCTETS:
        raise ValueError("too long")
    outer = asn1.decode_der(_ContentInfo, token)
    if outer.content_type != _SIGNED_DATA:
        raise ValueError("no SignedData")
    data = cast(_SignedData, outer.content.parse(_SignedData))
    if data.encapsulated.content_type != _TST_INFO:
        raise ValueError("no TSTInfo")
    return data, asn1.decode_der(_Info, data.encapsulated.content)


def _attributes(signer: _SignerInfo) -> dict[ObjectIdentifier, list[asn1.TLV]]:
    """The signed attributes by kind; each at most once (RFC 5652 §5.3, §11)."""
    members = asn1.decode_der(_Attributes, _der(0x30, _signed_octets(signer))).members.as_list()
    found = {one.kind: one.values.as_list() for one in members}
    if len(found) != len(members):
        raise ValueError("an attribute stands twice")
    return found


def _signed_octets(signer: _SignerInfo) -> bytes:
    """What the signature is over: the attributes as a SET OF, not as the tagged field they stand in (RFC 5652 §5.4)."""
    if signer.signed.tag_bytes != b"\xa0":
        raise ValueError("no signed attributes")
    return _der(0x31, bytes(signer.signed.data))


def _one(attributes: dict[ObjectIdentifier, list[asn1.TLV]], kind: ObjectIdentifier) -> asn1.TLV:
    (value,) = attributes[kind]
    return value


def _named(attributes: dict[ObjectIdentifier, list[asn1.TLV]], held: Sequence[x509.Certificate]) -> x509.Certificate:
    """The certificate whose digest is among the signed attributes: the token can't be claimed for another."""
    kind = _SIGNING_CERTIFICATE_V2 if _SIGNING_CERTIFICATE_V2 in attributes else _SIGNING_CERTIFICATE
    stated = cast(_SigningCertificate, _one(attributes, kind).parse(_SigningCertificate)).certificates[0]
    for certificate in held:
        der = certificate.public_bytes(Encoding.DER)
        if kind == _SIGNING_CERTIFICATE:  # RFC 3161 knew SHA-1 only: it finds the certificate, the signature proves it
            digest = sha1(der, usedforsecurity=False).digest()
        else:
            digest = _digest(_HASHES[stated.algorithm.algorithm if stated.algorithm else _SHA256], der)
        if digest == stated.digest:
            return certificate
    raise SignatureInvalid("the time-stamp does not hold its signer's certificate")


def _is_plain(data: _SignedData, signer: _SignerInfo, certificate: x509.Certificate) -> bool:
    """Do the parts that no signature covers repeat what is covered? Else one token could be written in many ways."""
    issuer = signer.signer.issuer
    return (
        (data.version, signer.version) == (3, 1)
        and [one.algorithm for one in data.digest_algorithms.as_list()] == [signer.digest_algorithm.algorithm]
        and signer.signer.serial == certificate.serial_number
        and _der(issuer.tag_bytes[0], bytes(issuer.data)) == certificate.issuer.public_bytes()
    )


def _check_signature(certificate: x509.Certificate, signer: _SignerInfo, hash_: hashes.HashAlgorithm) -> None:
    key = certificate.public_key()
    family, named = _SIGNATURES[signer.signature_algorithm.algorithm.dotted_string]
    if not isinstance(key, family) or named not in (None, hash_.name):
        raise SignatureInvalid("the time-stamp's signature is by another algorithm than it says")
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(signer.signature, _signed_octets(signer), padding.PKCS1v15(), hash_)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signer.signature, _signed_octets(signer), ec.ECDSA(hash_))
    except InvalidSignature as error:
        raise SignatureInvalid("the time-stamp's signature does not hold") from error


def _check_certificate(certificate: x509.Certificate, trusted: Sequence[x509.Certificate], at: datetime) -> None:
    """RFC 3161 §2.3: extended key usage with timeStamping alone, critical."""
    if certificate not in trusted and not any(is_issued_by(certificate, one) for one in trusted):
        raise SignatureInvalid("the time-stamp is of an authority that is not the one in the settings")
    if not certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc:
        raise SignatureInvalid("the time-stamp authority's certificate was not in force then")
    try:
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    except x509.ExtensionNotFound as error:
        raise SignatureInvalid("the signer's certificate is not for time-stamping") from error
    if not usage.critical or list(usage.value) != [ExtendedKeyUsageOID.TIME_STAMPING]:
        raise SignatureInvalid("the signer's certificate is not for time-stamping alone")


def _digest(hash_: hashes.HashAlgorithm, octets: bytes) -> bytes:
    digest = hashes.Hash(hash_)
    digest.update(octets)
    return digest.finalize()


def _der(tag: int, content: bytes) -> bytes:
    """One DER element with a one-octet tag (X.690 §8.1.3)."""
    length = len(content)
    if length < 0x80:
        return bytes([tag, length]) + content
    octets = length.to_bytes((length.bit_length() + 7) // 8)
    return bytes([tag, 0x80 | len(octets)]) + octets + content
