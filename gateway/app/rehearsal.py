"""A rehearsed certificate: what every check has against it, said as a row with cause and remedy."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from ipaddress import ip_address
from typing import Final, TypeVar
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gateway.app.instance import Instance
from gateway.errors import CertificateRejected, Misconfigured
from gateway.security import TrustSnapshot, Usage, judge_certificate, oin_of

E = TypeVar("E", bound=x509.ExtensionType)

_RSA_GOOD: Final = 3072  # bits; NCSC 2025-05 has 2048 in phase-out
REMEDY: Final[Mapping[str, str]] = {
    "dates": "order or install the certificate in time, or move the date of the change",
    "key": "order a certificate on RSA-3072 or P-256",
    "signature": "order a certificate that is signed with SHA-256 or better",
    "kind": "order a certificate for an organisation's system",
    "issuer": "name every CA up to its root under [trust] anchors, if the hub is to trust them",
    "policy": "order a certificate under one of the configured policies, or add its policy to [trust] policies",
    "revocation": "see that the list of every CA above it is under [trust] crls and current (gateway certs fetch)",
    "usage": "order a certificate for this use (key usage, extended key usage)",
    "OIN": "order a certificate with the party's OIN in the subject's serialNumber, or correct the address book",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsed:
    """One place where a certificate is used. `holds` None: nothing to say about it here."""

    place: str
    certificate: str  # its file, or digest
    holds: bool | None
    detail: str
    remedy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Candidate:
    """A certificate and what the checks have against it."""

    name: str
    der: bytes
    parsed: x509.Certificate

    @property
    def sha256(self) -> str:
        return sha256(self.der).hexdigest()

    @property
    def family(self) -> str:
        return "ecdsa" if isinstance(self.parsed.public_key(), ec.EllipticCurvePublicKey) else "rsa"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stage:
    """What a rehearsal needs to know."""

    instance: Instance
    trust: TrustSnapshot
    oin: str  # that the certificates must hold
    at: datetime
    now: datetime

    def against(self, one: Candidate, usage: Usage) -> dict[str, str]:
        """What each check has against it, for this use."""
        found = dict(judge_certificate(one.der, self.trust, self.now, usage=usage, at=self.at))
        held = _oin(one)
        if "OIN" not in found and held != self.oin:
            found["OIN"] = f"it holds OIN {held}, asked is {self.oin}"
        return found


def facts(stage: Stage, one: Candidate) -> Iterator[Rehearsed]:
    against = stage.against(one, Usage.SIGNING)
    good = {
        "dates": f"valid from {one.parsed.not_valid_before_utc:%Y-%m-%d} to {one.parsed.not_valid_after_utc:%Y-%m-%d}",
        "key": _key_words(one), "signature": "SHA-256 or better", "kind": "an organisation's certificate",
        "issuer": f"issued by {one.parsed.issuer.rfc4514_string()}, which leads to a configured root",
        "policy": "its policies fit", "revocation": "the lists of its CAs are current and do not name it",
        "OIN": _oin(one),
    }
    for name, words in good.items():
        yield row(name, one, against.get(name), words, REMEDY[name])


def _key_words(one: Candidate) -> str:
    key = one.parsed.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        return f"RSA-{key.key_size}" + ("" if key.key_size >= _RSA_GOOD else " (in phase-out; order RSA-3072 or P-256)")
    return f"EC {key.curve.name}" if isinstance(key, ec.EllipticCurvePublicKey) else type(key).__name__


def as_server(stage: Stage, one: Candidate, url: str, place: str) -> Rehearsed:
    """As who connects sees it: serverAuth, and the host's name in it (RFC 9525)."""
    host = urlsplit(url).hostname or ""
    cause = stage.against(one, Usage.SERVER).get("usage")
    if cause is None and not _names_host(one, host):
        cause = f"it is not for {host} (subjectAltName)"
    return row(place, one, cause, f"a server certificate for {host}", f"order one for serverAuth that names {host}")


def _names_host(one: Candidate, host: str) -> bool:
    names = extension(one, x509.SubjectAlternativeName)
    if names is None:
        return False
    try:
        return ip_address(host) in names.get_values_for_type(x509.IPAddress)
    except ValueError:
        pass
    found = [name.lower() for name in names.get_values_for_type(x509.DNSName)]
    return host in found or f"*.{host.partition('.')[2]}" in found


def overlap(one: Candidate, old: Candidate | None, place: str) -> Rehearsed:
    """The next certificate is on another key and valid before the old one lapses."""
    if old is None:
        return Rehearsed(place=place, certificate=one.name, holds=None, detail="no earlier certificate is known here")
    if _public(one) == _public(old):
        return row(place, one, f"it is on the key of {old.name}", "", "order a renewal with a new key pair")
    start, end = one.parsed.not_valid_before_utc, old.parsed.not_valid_after_utc
    cause = f"it is valid from {start:%Y-%m-%d}, and {old.name} only to {end:%Y-%m-%d}" if start > end else None
    return row(place, one, cause, f"until {end:%Y-%m-%d} {old.name} is valid as well",
                "order one that is valid before the old one lapses")


def row(place: str, one: Candidate, cause: str | None, good: str, remedy: str) -> Rehearsed:
    return Rehearsed(place=place, certificate=one.name, holds=cause is None, detail=cause or good,
                     remedy=remedy if cause else "")


def candidate(name: str, der: bytes) -> Candidate:
    """Raises Misconfigured for octets that are no certificate, or one on a key of an unknown kind."""
    try:
        parsed = x509.load_der_x509_certificate(der)
        parsed.public_key()
    except (ValueError, UnsupportedAlgorithm) as error:
        raise Misconfigured(f"{name}: certificate cannot be read; order one on RSA-3072 or P-256") from error
    return Candidate(name=name, der=der, parsed=parsed)


def extension(one: Candidate, kind: type[E]) -> E | None:
    try:
        return one.parsed.extensions.get_extension_for_class(kind).value
    except (x509.ExtensionNotFound, ValueError):
        return None


def _oin(one: Candidate) -> str:
    try:
        return oin_of(one.parsed)
    except CertificateRejected as error:
        return error.detail


def _public(one: Candidate) -> bytes:
    return one.parsed.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
