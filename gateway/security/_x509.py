"""What one certificate says, read strictly: the rules that hold for a party's certificate and for a CA alike.

Sources: RFC 5280 §4.1-4.2; PKIoverheid Programme of Requirements (key sizes, hashes); Digikoppeling PKI001-PKI005.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509.ocsp import OCSPResponse
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, SignatureAlgorithmOID

from gateway.errors import CertificateRejected
from gateway.security.algorithms import PublicKey

T = TypeVar("T")

MAX_OCTETS: Final = 16_384  # a certificate with an RSA-8192 key and many names stays below 5 KB
_RSA_BITS: Final = range(2048, 8193)  # below is breakable, above only costs us time
_RSA_EXPONENT: Final = 65537
_CURVES: Final = frozenset({"secp256r1", "secp384r1", "secp521r1"})
# SHA-256 or better with the two key families we take; RSA-PSS is left out until a TSP issues it.
_SIGNATURES: Final = frozenset({
    SignatureAlgorithmOID.RSA_WITH_SHA256, SignatureAlgorithmOID.RSA_WITH_SHA384, SignatureAlgorithmOID.RSA_WITH_SHA512,
    SignatureAlgorithmOID.ECDSA_WITH_SHA256, SignatureAlgorithmOID.ECDSA_WITH_SHA384,
    SignatureAlgorithmOID.ECDSA_WITH_SHA512,
})
# OpenSSL and the X.509 layer tell of broken octets by any of these, some only when the part is looked at.
UNREADABLE: Final = (
    ValueError, TypeError, UnsupportedAlgorithm, x509.DuplicateExtension, x509.InvalidVersion,
    x509.UnsupportedGeneralNameType, x509.AttributeNotFound,
    CryptographyDeprecationWarning,  # what it still reads but will not, where warnings are made errors
)
_PROCESSED: Final = frozenset({
    x509.BasicConstraints, x509.KeyUsage, x509.ExtendedKeyUsage,
    x509.SubjectAlternativeName,  # which host it is for is the TLS layer's question
})
_NAME_LENGTH: Final = 300
_OIN: Final = re.compile(r"[0-9A-Z]{20}")

ANY_USAGE: Final = ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE.dotted_string


@dataclass(frozen=True, slots=True, kw_only=True)
class Extensions:
    """The extensions the checks look at; None where the certificate does not have it."""

    authority: bool = False  # basicConstraints cA
    path_length: int | None = None
    usage: x509.KeyUsage | None = None
    extended: frozenset[str] | None = None  # extended key usages, dotted
    key_id: bytes | None = None
    issuer_key_id: bytes | None = None
    policies: frozenset[str] = frozenset()  # dotted


NO_EXTENSIONS: Final = Extensions()


def reading(read: Callable[[], T], what: str) -> T:
    """The result of `read`; anything the X.509 layer stumbles over becomes CertificateRejected."""
    try:
        return read()
    except UNREADABLE as error:
        raise CertificateRejected(f"{what} cannot be read") from error


def parse(der: bytes) -> x509.Certificate:
    """The X.509 version 3 certificate that fills `der`. Raises CertificateRejected (RFC 5280 §4.1).

    The library takes DER only, no octet behind it, and verifies the issuer's signature over its own encoding of what
    it read. What it leaves open is the count of unused bits of the signature's BIT STRING, the octet before the value:
    other than zero would be a second set of octets, with its own fingerprint, for one certificate.
    """
    if len(der) > MAX_OCTETS:
        raise CertificateRejected(f"certificate of {len(der)} octets, at most {MAX_OCTETS}")
    certificate = reading(lambda: x509.load_der_x509_certificate(der), "certificate")
    if der[-len(certificate.signature) - 1]:
        raise CertificateRejected("certificate's signature does not fill its octets")
    if reading(lambda: certificate.version, "version") is not x509.Version.v3:
        raise CertificateRejected("certificate is not X.509 version 3")
    if reading(lambda: certificate.serial_number, "serial number") <= 0:
        raise CertificateRejected("certificate's serial number is not positive")  # RFC 5280 §4.1.2.2
    return certificate


def public_key(certificate: x509.Certificate) -> PublicKey:
    """The certificate's key: RSA 2048-8192 with e = 65537, or EC on a named NIST curve. Raises CertificateRejected."""
    key = reading(certificate.public_key, "public key")
    if isinstance(key, rsa.RSAPublicKey):
        if key.key_size not in _RSA_BITS:
            raise CertificateRejected(f"RSA key of {key.key_size} bits; 2048 to 8192 are taken")
        if key.public_numbers().e != _RSA_EXPONENT:
            raise CertificateRejected("RSA key with a public exponent other than 65537")
        return key
    if isinstance(key, ec.EllipticCurvePublicKey):
        if key.curve.name not in _CURVES:
            raise CertificateRejected(f"EC key on curve {key.curve.name}; P-256, P-384 and P-521 are taken")
        return key
    raise CertificateRejected("key is neither RSA nor EC")


def require_strong_signature(signed: x509.Certificate | x509.CertificateRevocationList | OCSPResponse) -> None:
    """Refuse a signature by anything but RSA (PKCS#1 v1.5) or ECDSA over SHA-256, 384 or 512 (SIGN001)."""
    oid = reading(lambda: signed.signature_algorithm_oid, "signature algorithm")
    if oid not in _SIGNATURES:
        raise CertificateRejected(f"signed by {oid_name(oid)}; SHA-256 or better over RSA or ECDSA is asked")


def oid_name(oid: x509.ObjectIdentifier) -> str:
    """The usual name of an OID, its dotted form where it has none."""
    name: str = oid._name  # no public way in cryptography; the fallback below keeps us honest
    return oid.dotted_string if name == "Unknown OID" else name


def extensions(certificate: x509.Certificate) -> Extensions:
    """The extensions the checks use.

    Raises  CertificateRejected for name constraints, which we do not process, and for any critical extension outside
            basicConstraints, keyUsage, extKeyUsage and subjectAltName: who does not process it must refuse.
    Source  RFC 5280 §4.2.
    """
    by_kind = {}
    for extension in reading(lambda: certificate.extensions, "an extension"):
        kind = type(extension.value)
        if kind is x509.NameConstraints:
            raise CertificateRejected("name constraints are not taken")
        if extension.critical and kind not in _PROCESSED:
            raise CertificateRejected(f"critical extension {oid_name(extension.oid)} is not known here")
        by_kind[kind] = extension.value
    found: dict[str, object] = {}
    if isinstance(basic := by_kind.get(x509.BasicConstraints), x509.BasicConstraints):
        found |= {"authority": basic.ca, "path_length": basic.path_length}
    if isinstance(extended := by_kind.get(x509.ExtendedKeyUsage), x509.ExtendedKeyUsage):
        found["extended"] = frozenset(oid.dotted_string for oid in extended)
    if isinstance(own := by_kind.get(x509.SubjectKeyIdentifier), x509.SubjectKeyIdentifier):
        found["key_id"] = own.digest
    if isinstance(issuer := by_kind.get(x509.AuthorityKeyIdentifier), x509.AuthorityKeyIdentifier):
        found["issuer_key_id"] = issuer.key_identifier
    if isinstance(stated := by_kind.get(x509.CertificatePolicies), x509.CertificatePolicies):
        found["policies"] = frozenset(one.policy_identifier.dotted_string for one in stated)
    return Extensions(usage=by_kind.get(x509.KeyUsage), **found)  # type: ignore[arg-type]


def name_text(name: x509.Name) -> str:
    """A name as RFC 4514 text, for the operator: no control characters, not endless, as a stranger may have made it."""
    text = reading(name.rfc4514_string, "name")[:_NAME_LENGTH]
    return text if text.isprintable() else "".join(c if c.isprintable() else "?" for c in text)


def subject(certificate: x509.Certificate) -> str:
    """The subject, for the operator."""
    return name_text(reading(lambda: certificate.subject, "subject"))


def oin_of(certificate: x509.Certificate) -> str:
    """The OIN a certificate names: the subject's one serialNumber (2.5.4.5), 20 characters, compared as text.

    Raises  CertificateRejected when there is none, more than one, or one of another form.
    Source  Digikoppeling PKI001; OIN-stelsel (prefix, main number, suffix: 20 positions, no meaning derived).
    """
    found = reading(lambda: certificate.subject.get_attributes_for_oid(NameOID.SERIAL_NUMBER), "subject")
    if len(found) != 1:
        raise CertificateRejected(f"subject has {len(found)} serialNumber attributes; one, the OIN, is asked")
    value = found[0].value
    if not isinstance(value, str) or not _OIN.fullmatch(value):
        raise CertificateRejected("subject's serialNumber is no OIN: 20 digits or capitals are asked")
    return value
