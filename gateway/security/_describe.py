"""What an operator sees of a certificate, good or bad."""

import hashlib
from collections.abc import Callable
from typing import Final, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from gateway.errors import CertificateRejected
from gateway.security import _x509

_USAGES: Final = {
    "digital_signature": "digitalSignature", "content_commitment": "nonRepudiation",
    "key_encipherment": "keyEncipherment", "data_encipherment": "dataEncipherment", "key_agreement": "keyAgreement",
    "key_cert_sign": "keyCertSign", "crl_sign": "cRLSign",
}

E = TypeVar("E", bound=x509.ExtensionType)


def _extension(certificate: x509.Certificate, kind: type[E]) -> E | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def usage_names(certificate: x509.Certificate) -> list[str]:
    """keyUsage by RFC 5280's names; empty when absent."""
    usage = _extension(certificate, x509.KeyUsage)
    return [name for flag, name in _USAGES.items() if usage is not None and getattr(usage, flag)]


def purpose_names(certificate: x509.Certificate) -> list[str]:
    """Extended key usages; empty when absent."""
    return [_x509.oid_name(oid) for oid in _extension(certificate, x509.ExtendedKeyUsage) or ()]


def host_names(certificate: x509.Certificate) -> list[str]:
    """Host names and addresses of subjectAltName; empty when absent."""
    return [str(name.value) for name in _extension(certificate, x509.SubjectAlternativeName) or ()]


def key_name(key: object) -> str:
    """How an operator calls a key: RSA 2048, EC P-256."""
    if isinstance(key, rsa.RSAPublicKey):
        return f"RSA {key.key_size}"
    if isinstance(key, ec.EllipticCurvePublicKey):
        return f"EC {_x509.CURVES.get(key.curve.name, key.curve.name)}"
    return type(key).__name__.lstrip("_")


def describe(der: bytes) -> dict[str, str | list[str]]:
    """What an operator wants to see of a certificate, good or bad; parts that cannot be read say so.

    Raises  CertificateRejected only when the octets are no certificate at all.
    """
    certificate = _x509.parse(der)

    def shown(read: Callable[[], str | list[str]]) -> str | list[str]:
        try:
            return read()
        except (CertificateRejected, *_x509.UNREADABLE) as error:
            return f"({error})"

    return {
        "subject": shown(lambda: _x509.subject(certificate)),
        "issuer": shown(lambda: _x509.name_text(certificate.issuer)),
        "oin": shown(lambda: _x509.oin_of(certificate)),
        "serial": f"{certificate.serial_number:x}",
        "sha256": hashlib.sha256(der).hexdigest(),
        "not_before": f"{certificate.not_valid_before_utc:%Y-%m-%dT%H:%M:%SZ}",
        "not_after": f"{certificate.not_valid_after_utc:%Y-%m-%dT%H:%M:%SZ}",
        "key": shown(lambda: key_name(certificate.public_key())),
        "signature": shown(lambda: _x509.oid_name(certificate.signature_algorithm_oid)),
        "authority": shown(lambda: "yes" if _x509.extensions(certificate).authority else "no"),
        "usage": shown(lambda: usage_names(certificate)),
        "purposes": shown(lambda: purpose_names(certificate)),
        "hosts": shown(lambda: host_names(certificate)),
    }
