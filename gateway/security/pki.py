"""Is this certificate, at this moment, that of an organisation we can name? Pure: all it needs is given.

Our own walk over `cryptography`'s signatures, because its path builder is made for the web: it wants a subjectAltName,
knows no message-signing purpose and no revocation lists. Only configured CAs can be on a path, so whatever else a peer
sends along is never looked at.

Sources: RFC 5280 §6.1 and §6.3; Digikoppeling PKI001-PKI005; PKIoverheid (EKU per purpose).
"""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import pairwise
from types import MappingProxyType
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID as Eku

from gateway.errors import CertificateRejected, GatewayError, TrustStale
from gateway.security import _x509
from gateway.security._trust import (
    Authority,
    Path,
    RevocationList,
    Source,
    TrustSnapshot,
    build_trust,
    is_issued_by,
)
from gateway.security._x509 import oin_of
from gateway.security.algorithms import PublicKey
from gateway.values import Certificate

__all__ = [
    "Authority", "CertificateCache", "Checked", "RevocationList", "Source", "TrustSnapshot", "Usage",
    "build_trust", "check_certificate", "judge_certificate", "oin_of",
]


class Usage(StrEnum):
    """What the holder does with the key."""

    CLIENT = "client"  # calls us over TLS
    SERVER = "server"  # is called by us over TLS
    SIGNING = "signing"  # signs messages
    ENCRYPTION = "encryption"  # is encrypted to


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A certificate of which everything holds; made by `check_certificate` and by nothing else."""

    certificate: Certificate
    public_key: PublicKey


# Purposes that say the key is for something other than messages. TSPs use several purposes (or none) for messages,
# so a certificate may sign, or be encrypted to, unless its purposes are only among these.
NOT_FOR_MESSAGES: Final = frozenset(
    oid.dotted_string for oid in (Eku.SERVER_AUTH, Eku.CODE_SIGNING, Eku.TIME_STAMPING, Eku.OCSP_SIGNING)
)
_PURPOSE: Final = {Usage.CLIENT: Eku.CLIENT_AUTH.dotted_string, Usage.SERVER: Eku.SERVER_AUTH.dotted_string}


@dataclass(slots=True, kw_only=True)
class _Case:
    """What the steps of one check have found so far."""

    der: bytes
    trust: TrustSnapshot
    now: datetime
    usage: Usage
    certificate: x509.Certificate
    extensions: _x509.Extensions = _x509.NO_EXTENSIONS
    key: PublicKey | None = None
    paths: tuple[Path, ...] = ()  # whose signatures hold
    path: Path = ()  # the one of them that holds in time
    oin: str = ""


# --- the steps -----------------------------------------------------------------------------------------------


def _dates(case: _Case) -> None:
    _in_force(case.certificate.not_valid_before_utc, case.certificate.not_valid_after_utc, case.now, "certificate")


def _key(case: _Case) -> None:
    case.key = _x509.public_key(case.certificate)


def _signature_algorithm(case: _Case) -> None:
    _x509.require_strong_signature(case.certificate)


def _end_entity(case: _Case) -> None:
    case.extensions = _x509.extensions(case.certificate)
    if case.extensions.authority:
        raise CertificateRejected("it is a CA certificate, not that of an organisation's system")


def _path(case: _Case) -> None:
    for refused in case.trust.refused:
        if is_issued_by(case.certificate, refused):
            raise CertificateRejected(f"issued by {_x509.subject(refused)}, which [trust] refused names")
    asked = case.extensions.issuer_key_id
    case.paths = tuple(
        path for path in case.trust.paths
        if (asked is None or path[0].extensions.key_id in (None, asked))
        and is_issued_by(case.certificate, path[0].certificate)
    )
    if not case.paths:
        issuer = _x509.name_text(_x509.reading(lambda: case.certificate.issuer, "issuer"))
        raise CertificateRejected(f"no trusted CA signed it; it names {issuer} as issuer")
    case.paths = tuple(path for path in case.paths if not _leads_through(path, case.trust.refused))
    if not case.paths:
        issuer = _x509.name_text(_x509.reading(lambda: case.certificate.issuer, "issuer"))
        raise CertificateRejected(f"issued by {issuer}, below a CA that [trust] refused names")


def _policy(case: _Case) -> None:
    if case.trust.policies and not case.trust.policies & case.extensions.policies:
        named = ", ".join(sorted(case.extensions.policies)) or "none"
        issuer = _x509.name_text(_x509.reading(lambda: case.certificate.issuer, "issuer"))
        raise CertificateRejected(f"its certificate policies ({named}) are not among those of [trust] policies; "
                                  f"issued by {issuer}")


def _revocation(case: _Case) -> None:
    """Any path will do (a CA may be certified under the old and the new root); the first one's refusal is told."""
    refusal: GatewayError | None = None
    for path in case.paths:
        try:
            _path_current(path, case.trust, case.now)
            _not_revoked(case.certificate.serial_number, "certificate", path[0])
            for child, parent in pairwise(path):
                _not_revoked(child.certificate.serial_number, f"CA {child.subject}", parent)
        except (CertificateRejected, TrustStale) as error:
            refusal = refusal or error
        else:
            case.path = path
            return
    if refusal:
        raise refusal


def _usage(case: _Case) -> None:
    usage = case.extensions.usage
    if case.usage is Usage.ENCRYPTION:
        if not isinstance(case.key, rsa.RSAPublicKey):
            raise CertificateRejected("its key is no RSA key, to which alone messages are encrypted")
        if usage is None or not usage.key_encipherment:
            raise CertificateRejected("its key usage has no keyEncipherment")
    elif usage is None:
        if case.usage is Usage.SIGNING:
            raise CertificateRejected("it has no key usage; signing messages asks digitalSignature")
    elif not (usage.digital_signature or (case.usage is Usage.SIGNING and usage.content_commitment)):
        raise CertificateRejected("its key usage has no digitalSignature")
    if not _purpose_fits(case.extensions.extended, case.usage):
        raise CertificateRejected(f"its extended key usage does not fit use as {case.usage}")
    for authority in case.path:
        purposes = authority.extensions.extended
        if not (purposes and _x509.ANY_USAGE in purposes) and not _purpose_fits(purposes, case.usage):
            raise CertificateRejected(f"CA {authority.subject} may not issue for use as {case.usage}")


def _oin(case: _Case) -> None:
    case.oin = oin_of(case.certificate)


_STEPS: Final[Mapping[str, Callable[[_Case], None]]] = MappingProxyType({
    "dates": _dates, "key": _key, "signature": _signature_algorithm, "kind": _end_entity, "issuer": _path,
    "policy": _policy, "revocation": _revocation, "usage": _usage, "OIN": _oin,
})


_Found = tuple[Checked, datetime, Path]  # what holds, since when the certificate counts, and by which CAs


def _in_force(start: datetime, end: datetime, now: datetime, what: str) -> None:
    if now < start:
        raise CertificateRejected(f"{what} is not valid before {start:%Y-%m-%dT%H:%M:%SZ}")
    if now > end:
        raise CertificateRejected(f"{what} expired at {end:%Y-%m-%dT%H:%M:%SZ}")


def _path_current(path: Path, trust: TrustSnapshot, now: datetime) -> None:
    """Dates of the CAs, and of each CA on the path a list that is current and not too old. Raises TrustStale too."""
    for authority in path:
        _in_force(authority.not_before, authority.not_after, now, f"CA {authority.subject}")
    for authority in path:
        crl = authority.revocation
        if crl is None:
            raise TrustStale(f"no revocation list of CA {authority.subject}")
        if now - crl.proven_at > trust.max_age:
            raise TrustStale(f"{crl.source}: revocation list, last proven current at "
                             f"{crl.proven_at:%Y-%m-%dT%H:%M:%SZ}, is over {trust.max_age} old")
        if now < crl.this_update:
            raise TrustStale(f"{crl.source}: list is from {crl.this_update:%Y-%m-%dT%H:%M:%SZ}, the future")
        if now > crl.next_update:
            raise TrustStale(f"{crl.source}: list was to be renewed by {crl.next_update:%Y-%m-%dT%H:%M:%SZ}")


def _leads_through(path: Path, refused: tuple[x509.Certificate, ...]) -> bool:
    return any(authority.certificate in refused for authority in path)


def _not_revoked(serial: int, what: str, issuer: Authority) -> None:
    if serial in issuer.ocsp_revoked:
        raise CertificateRejected(f"{what} is revoked: the OCSP answer of {issuer.subject} says so")
    if issuer.revocation is not None and serial in issuer.revocation.serials:
        raise CertificateRejected(f"{what} is revoked: list {issuer.revocation.source} names it")


def _purpose_fits(purposes: frozenset[str] | None, usage: Usage) -> bool:
    if purposes is None:
        return True  # no extension: no restriction (RFC 5280 §4.2.1.12)
    if usage in (Usage.SIGNING, Usage.ENCRYPTION):
        return bool(purposes - NOT_FOR_MESSAGES)
    return _PURPOSE[usage] in purposes


# --- the doors -----------------------------------------------------------------------------------------------


def check_certificate(der: bytes, trust: TrustSnapshot, now: datetime, *, usage: Usage) -> Checked:
    """Everything that must hold before a certificate's name and key are believed; `now` is aware UTC.

    0. One DER certificate, X.509 version 3, nothing after it.
    1. Dates: not before ≤ now ≤ not after.
    2. Key: RSA 2048-8192 with e = 65537, or EC P-256, P-384, P-521 as a named curve.
    3. Signed with SHA-256 or better.
    4. Not a CA; no name constraints and no critical extension we do not process.
    5. Path: issued by a configured CA that leads to a configured root, and by none of the refused ones; where
       policies are configured, the certificate names one of them.
    6. Revocation: every CA on the path in force, with a current list; no certificate below the root revoked.
    7. Usage: digitalSignature (for SIGNING nonRepudiation will do, and the extension must be there), for ENCRYPTION
       keyEncipherment and an RSA key; the extended key usage, if any, fits: clientAuth for CLIENT, serverAuth for
       SERVER, for messages anything but only serverAuth, codeSigning, timeStamping, OCSPSigning. What the CAs'
       extended key usage leaves out, their certificates lack.
    8. OIN: exactly one subject serialNumber of 20 characters.

    Raises  CertificateRejected, detail saying which; TrustStale when revocation is not known well enough (fail closed).
    Source  RFC 5280 §6; Digikoppeling PKI001-PKI003, SIGN001.
    """
    return _check(der, trust, now, usage)[0]


def judge_certificate(
    der: bytes, trust: TrustSnapshot, now: datetime, *, usage: Usage, at: datetime
) -> Mapping[str, str]:
    """What each step of `check_certificate` has against a certificate, by its name; a step that holds is not there.

    For a person who looks ahead: no step is left out because one before it failed, unless it could not be asked.

    Takes   `at`, the moment of use, for the dates of the certificate and its CAs; `now` for the revocation lists,
            which are renewed until then.
    Raises  CertificateRejected when it is no certificate at all.
    """
    case = _Case(der=der, trust=trust, now=now, usage=usage, certificate=_x509.parse(der))
    found: dict[str, str] = {}
    for name, step in _STEPS.items():
        case.now = at if name == "dates" else now
        try:
            step(case)
        except (CertificateRejected, TrustStale) as error:
            found[name] = error.detail
    if not case.paths:
        found["revocation"] = "not known, as no configured CA issued it"
    elif not any(all(one.not_before <= at <= one.not_after for one in path) for path in case.paths):
        found["issuer"] = f"every CA above it has expired, or is not yet valid, at {at:%Y-%m-%dT%H:%M:%SZ}"
    return found


def _check(der: bytes, trust: TrustSnapshot, now: datetime, usage: Usage) -> _Found:
    case = _Case(der=der, trust=trust, now=now, usage=usage, certificate=_x509.parse(der))  # 0
    for step in _STEPS.values():  # 1-8
        step(case)
    assert case.key is not None
    checked = Checked(
        certificate=Certificate(
            oin=case.oin,
            subject=_x509.subject(case.certificate),
            sha256=hashlib.sha256(der).hexdigest(),
            not_after=case.certificate.not_valid_after_utc,
            rsa_bits=case.key.key_size if isinstance(case.key, rsa.RSAPublicKey) else None,
        ),
        public_key=case.key,
    )
    return checked, case.certificate.not_valid_before_utc, case.path


class CertificateCache:
    """Certificates that were found good, so that a caller's second message costs microseconds.

    Only what cannot change is remembered: octets, usage and trust make the key. Dates and the age of the lists are
    asked again each time. Refusals are not kept, so strangers cannot push anyone out. Safe between threads.
    """

    def __init__(self, *, limit: int = 4096) -> None:
        """`limit`: certificates kept, the least recently used goes first; about 4 KB each."""
        self._limit = limit
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[bytes, Usage, str], _Found] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def seen(self, issuer: x509.Certificate) -> frozenset[int]:
        """The serial numbers of the remembered certificates that this CA issued, whichever of its own certificates the
        path went by (a CA has several with one key when it is certified under two roots).
        """
        key = issuer.public_key()
        with self._lock:
            kept = [(der, path[0]) for (der, _, _), (_, _, path) in self._kept.items()]
        return frozenset(_x509.parse(der).serial_number for der, by in kept
                         if by.certificate.subject == issuer.subject and by.key == key)

    def check(self, der: bytes, trust: TrustSnapshot, now: datetime, *, usage: Usage) -> Checked:
        """As `check_certificate`; raises the same."""
        key = (der, usage, trust.version)
        with self._lock:
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
        if found is not None:
            checked, not_before, path = found
            try:
                _in_force(not_before, checked.certificate.not_after, now, "certificate")
                _path_current(path, trust, now)
                return checked
            except (CertificateRejected, TrustStale):
                pass  # another path may hold now; if not, the full check says what is wrong
        fresh = _check(der, trust, now, usage)
        with self._lock:
            self._kept[key] = fresh
            while len(self._kept) > self._limit:
                self._kept.popitem(last=False)
        return fresh[0]
