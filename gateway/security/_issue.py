"""Making certificates and revocation lists for examples and tests, good ones and, when asked, wrong ones.

Nothing here serves a real organisation: every subject says so, and the gateway itself never issues anything.
"""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import Final, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from gateway.errors import Misconfigured
from gateway.security.algorithms import PrivateKey

ORGANISATION: Final = "Voorbeeld, niet voor productie"
T = TypeVar("T")
AnyKey = PrivateKey | ed25519.Ed25519PrivateKey


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateSpec:
    """One certificate to make; the defaults give a good one of an organisation. Days count from the making."""

    file: str  # <file>.pem and <file>.key
    name: str  # commonName
    issuer: str = "ca"  # file of the issuing CA; its own file name: self-signed
    key: str = "P-256"  # RSA-<bits>, RSA-<bits>-e3, P-256, P-384, P-521, K-256, Ed25519
    oins: tuple[str, ...] = ()  # each becomes a serialNumber in the subject
    usage: tuple[str, ...] = ("digitalSignature",)  # empty: no extension
    purposes: tuple[str, ...] = ()  # extended key usages by name; empty: no extension
    hosts: tuple[str, ...] = ()  # subjectAltName: host names and addresses
    from_days: int = -1
    until_days: int = 364
    digest: str = "SHA-256"  # the hash the issuer signs over; SHA-1 only under an RSA issuer
    authority: bool = False
    path_length: int | None = None
    oddities: tuple[str, ...] = ()  # of ODDITIES


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A certificate and its private key."""

    certificate: x509.Certificate
    key: AnyKey


_CURVES: Final[dict[str, Callable[[], ec.EllipticCurve]]] = {
    "P-256": ec.SECP256R1, "P-384": ec.SECP384R1, "P-521": ec.SECP521R1, "K-256": ec.SECP256K1,
}
_DIGESTS: Final[dict[str, hashes.SHA256 | hashes.SHA384 | hashes.SHA512]] = {
    "SHA-1": hashes.SHA256(),  # re-signed afterwards, see _with_sha1
    "SHA-256": hashes.SHA256(), "SHA-384": hashes.SHA384(), "SHA-512": hashes.SHA512(),
}
_USAGES: Final = {
    "digitalSignature": "digital_signature", "nonRepudiation": "content_commitment",
    "keyEncipherment": "key_encipherment", "dataEncipherment": "data_encipherment", "keyAgreement": "key_agreement",
    "keyCertSign": "key_cert_sign", "cRLSign": "crl_sign",
}
_PURPOSES: Final = {
    "serverAuth": ExtendedKeyUsageOID.SERVER_AUTH, "clientAuth": ExtendedKeyUsageOID.CLIENT_AUTH,
    "codeSigning": ExtendedKeyUsageOID.CODE_SIGNING, "emailProtection": ExtendedKeyUsageOID.EMAIL_PROTECTION,
    "timeStamping": ExtendedKeyUsageOID.TIME_STAMPING, "OCSPSigning": ExtendedKeyUsageOID.OCSP_SIGNING,
    "any": ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,
}
_PRIVATE_OID: Final = ObjectIdentifier("2.25.1")  # below the UUID arc: nobody's extension
ODDITIES: Final[dict[str, tuple[x509.ExtensionType, bool]]] = {
    "unknown-critical": (x509.UnrecognizedExtension(_PRIVATE_OID, b"\x05\x00"), True),
    "unknown": (x509.UnrecognizedExtension(_PRIVATE_OID, b"\x05\x00"), False),
    "policy": (x509.CertificatePolicies([x509.PolicyInformation(ObjectIdentifier("2.25.2"), None)]), False),
    "name-constraints": (x509.NameConstraints([x509.DNSName("voorbeeld.invalid")], None), True),
}


def new_key(kind: str) -> AnyKey:
    """A fresh private key of a kind as in `CertificateSpec.key`. Raises Misconfigured for another kind."""
    if kind in _CURVES:
        return ec.generate_private_key(_CURVES[kind]())
    if kind == "Ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    family, _, rest = kind.partition("-")
    bits, _, exponent = rest.partition("-e")
    if family != "RSA" or not bits.isdecimal() or exponent not in ("", "3"):
        raise Misconfigured(f"no such kind of key: {kind}")
    return rsa.generate_private_key(int(exponent or 65537), int(bits))


def issue(
    spec: CertificateSpec, key: AnyKey, *, issuer: Pair | None, now: datetime, organisation: str = ORGANISATION
) -> Pair:
    """The certificate of `spec` for `key`, by `issuer`; None: self-signed. Tests make their odd certificates with it.

    Raises Misconfigured when the issuer's key cannot sign or a name in `spec` is not known.
    """
    signer = issuer.key if issuer else key
    if isinstance(signer, ed25519.Ed25519PrivateKey):
        raise Misconfigured(f"{spec.file}: a CA on Ed25519 is not made here")
    subject = _subject(spec, organisation)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(days=spec.from_days))
        .not_valid_after(now + timedelta(days=spec.until_days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    )
    for extension, critical in _extensions(spec):
        builder = builder.add_extension(extension, critical=critical)
    certificate = builder.sign(signer, _known(_DIGESTS, spec.digest, spec))
    if spec.digest == "SHA-1":
        certificate = _with_sha1(certificate, signer)
    return Pair(certificate=certificate, key=key)


def revocation_list(
    issuer: Pair, serials: Iterable[int], *, this_update: datetime, next_update: datetime, number: int
) -> x509.CertificateRevocationList:
    """A CRL of `issuer` that names `serials`."""
    assert not isinstance(issuer.key, ed25519.Ed25519PrivateKey)
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.certificate.subject)
        .last_update(this_update)
        .next_update(next_update)
        .add_extension(x509.CRLNumber(number), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key()), critical=False)
    )
    for serial in sorted(set(serials)):
        revoked = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(this_update).build()
        builder = builder.add_revoked_certificate(revoked)
    return builder.sign(issuer.key, hashes.SHA256())


def _subject(spec: CertificateSpec, organisation: str) -> x509.Name:
    attributes = [(NameOID.COUNTRY_NAME, "NL"), (NameOID.ORGANIZATION_NAME, organisation)]
    attributes += [(NameOID.SERIAL_NUMBER, oin) for oin in spec.oins]
    attributes += [(NameOID.COMMON_NAME, spec.name)]
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in attributes])


def _extensions(spec: CertificateSpec) -> Iterable[tuple[x509.ExtensionType, bool]]:
    yield x509.BasicConstraints(ca=spec.authority, path_length=spec.path_length), True
    if spec.usage:
        asked = {_known(_USAGES, name, spec) for name in spec.usage}
        flags = {flag: flag in asked for flag in _USAGES.values()}
        yield x509.KeyUsage(**flags, encipher_only=False, decipher_only=False), True
    if spec.purposes:
        yield x509.ExtendedKeyUsage([_known(_PURPOSES, name, spec) for name in spec.purposes]), False
    if spec.hosts:
        yield x509.SubjectAlternativeName([_host(host) for host in spec.hosts]), False
    for oddity in spec.oddities:
        yield _known(ODDITIES, oddity, spec)


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _known(table: dict[str, T], name: str, spec: CertificateSpec) -> T:
    if name not in table:
        raise Misconfigured(f"{spec.file}: no such thing as {name}; known here: {', '.join(table)}")
    return table[name]


_SHA256_RSA, _SHA1_RSA = bytes.fromhex("06092a864886f70d01010b"), bytes.fromhex("06092a864886f70d010105")
_SHA1_INFO: Final = bytes.fromhex("3021300906052b0e03021a05000414")  # DigestInfo of SHA-1 (RFC 8017 §9.2)


def _with_sha1(certificate: x509.Certificate, signer: PrivateKey) -> x509.Certificate:
    """The same certificate, truly signed with RSA over SHA-1, which `cryptography` rightly no longer does.

    Both algorithm identifiers and the signature keep their length, so they are put in place in the DER octets.
    """
    if not isinstance(signer, rsa.RSAPrivateKey):
        raise Misconfigured("a SHA-1 signature is made under an RSA issuer only")
    der = certificate.public_bytes(Encoding.DER).replace(_SHA256_RSA, _SHA1_RSA)
    signed = x509.load_der_x509_certificate(der).tbs_certificate_bytes
    numbers, size = signer.private_numbers(), signer.key_size // 8
    info = _SHA1_INFO + hashlib.sha1(signed, usedforsecurity=False).digest()
    block = b"\x00\x01" + b"\xff" * (size - len(info) - 3) + b"\x00" + info
    signature = pow(int.from_bytes(block), numbers.d, numbers.public_numbers.n).to_bytes(size)
    return x509.load_der_x509_certificate(der[:-size] + signature)
