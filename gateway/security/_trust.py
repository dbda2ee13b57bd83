"""Whom the hub trusts, worked out once: CA certificates, the paths between them, and their revocation lists.

A message must not wait for this. The paths from every configured CA to its root and the signatures of the revocation
lists do not depend on the time, so they are proven when the snapshot is built; what does depend on it (dates, age of
the lists) is asked again at every check in `pki`. CAs and list addresses come from settings, never from a certificate.

Sources: RFC 5280 §6.1 and §6.3; Digikoppeling PKI002-PKI005.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.errors import CertificateRejected, Misconfigured
from gateway.security import _x509
from gateway.security.algorithms import PublicKey
from gateway.security.ocsp import revoked_serials

_MAX_PATH: Final = 6  # PKIoverheid has root, domain CA and TSP CA; more is a loop of cross-certificates

_NO_DATES: Final[Mapping[str, datetime]] = MappingProxyType({})

Source = tuple[str, bytes]  # where it came from (for the operator), DER octets


@dataclass(frozen=True, slots=True, kw_only=True)
class RevocationList:
    """One CRL whose signature holds."""

    source: str
    issuer: str
    number: int | None
    this_update: datetime
    next_update: datetime
    serials: frozenset[int] = field(repr=False)
    sha256: str
    proven_at: datetime  # when it was last known to be the one in force (docs/decisions/0012)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Authority:
    """One configured CA certificate, fit to be one; `revocation` is what it last said, None when nothing is known."""

    source: str
    subject: str
    certificate: x509.Certificate
    key: PublicKey
    extensions: _x509.Extensions
    not_before: datetime
    not_after: datetime
    root: bool  # signed by its own key: a path may end here
    revocation: RevocationList | None = None
    ocsp_revoked: frozenset[int] = field(default=frozenset(), repr=False)  # serials that an OCSP answer revokes


Path = tuple[Authority, ...]  # issuer of the leaf first, root last


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustSnapshot:
    """Anchors and revocation lists as they were at `loaded_at` (aware UTC); a list counts for `max_age` from when it
    was last proven current."""

    anchors: tuple[Authority, ...]
    crls: tuple[RevocationList, ...]
    paths: tuple[Path, ...] = field(repr=False)
    version: str  # SHA-256 (hex) over all octets: the same files give the same version
    loaded_at: datetime
    max_age: timedelta
    refused: tuple[x509.Certificate, ...] = field(default=(), repr=False)  # CAs that vouch for nobody here
    policies: frozenset[str] = frozenset()  # of which a certificate must name one; empty: any


def build_trust(
    anchors: Sequence[Source], crls: Sequence[Source], *, loaded_at: datetime, max_age: timedelta,
    proven: Mapping[str, datetime] = _NO_DATES, refused: Sequence[Source] = (), policies: frozenset[str] = frozenset(),
    answers: Sequence[Source] = (),
) -> TrustSnapshot:
    """Prove the configured CAs and lists against each other.

    1. Every anchor is a CA certificate by the rules of `_x509`, with keyCertSign.
    2. Every list is a full CRL, signed by one of the anchors; of several by one CA the newest counts.
    3. Every CA leads to a self-signed one among the anchors, within the path lengths on the way.
    4. An OCSP answer counts when it says "revoked" and one of the anchors stands behind it; others are passed over.

    Takes   `proven`: by source, when a list was last known to be in force; of others that is `loaded_at`.
    Raises  Misconfigured, naming the source, what is wrong with it and what to do. Dates are not looked at here.
    Source  RFC 5280 §4.2.1.9 (path length), §5 (CRL), §6.1.
    """
    if not anchors:
        raise Misconfigured("no trust anchor is configured; name at least one CA certificate")
    known = authorities(anchors)
    lists = [_bound_list(source, der, known, loaded_at) for source, der in dict.fromkeys(crls)]
    lists = [(replace(found, proven_at=min(loaded_at, proven.get(found.source, loaded_at))), issuers)
             for found, issuers in lists]
    complete = tuple(_complete(authority, lists, answers) for authority in known)
    return TrustSnapshot(
        anchors=complete,
        crls=tuple(found for found, _ in lists),
        paths=tuple(_paths(complete)),
        version=_version(anchors, crls, refused, policies, complete),
        loaded_at=loaded_at,
        max_age=max_age,
        refused=tuple(_refused(source, der) for source, der in refused),
        policies=policies,
    )


def _authority(source: str, der: bytes) -> Authority:
    try:
        certificate = _x509.parse(der)
        found = _x509.extensions(certificate)
        if not found.authority:
            raise CertificateRejected("it is no CA certificate (basicConstraints)")
        if found.usage is None or not found.usage.key_cert_sign:
            raise CertificateRejected("its key usage does not allow signing certificates")
        root = is_issued_by(certificate, certificate)
        if not root:
            _x509.require_strong_signature(certificate)
        return Authority(
            source=source,
            subject=_x509.subject(certificate),
            certificate=certificate,
            key=_x509.public_key(certificate),
            extensions=found,
            not_before=certificate.not_valid_before_utc,
            not_after=certificate.not_valid_after_utc,
            root=root,
        )
    except CertificateRejected as error:
        raise Misconfigured(
            f"{source}: cannot be a trust anchor: {error.detail}; configure the CA's own certificate"
        ) from error


def _refused(source: str, der: bytes) -> x509.Certificate:
    try:
        return _x509.parse(der)
    except CertificateRejected as error:
        raise Misconfigured(f"{source}: {error.detail}; name the CA's own certificate under [trust] refused") from error


def is_issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Does `issuer` carry the name that `certificate` gives, and the key that signed it?"""
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, *_x509.UNREADABLE):
        return False
    return True


def authorities(anchors: Iterable[Source]) -> tuple[Authority, ...]:
    """CA certificates, each fit to be one. Raises Misconfigured."""
    return tuple(_authority(source, der) for source, der in dict.fromkeys(anchors))


def bind_list(
    source: str, der: bytes, anchors: Iterable[Authority], at: datetime
) -> tuple[RevocationList, frozenset[Authority]]:
    """The list and the CAs whose it is: same name, and the signature holds with their key. Raises CertificateRejected.
    """
    crl = _x509.reading(lambda: x509.load_der_x509_crl(der), "revocation list")
    if crl.public_bytes(Encoding.DER) != der:
        raise CertificateRejected("it is not in DER")
    _x509.require_strong_signature(crl)
    issuers = frozenset(a for a in anchors if _signs(a, crl))
    if not issuers:
        raise CertificateRejected("none of the trust anchors signed it")
    return _revocation_list(source, der, crl, at), issuers


def _bound_list(
    source: str, der: bytes, anchors: Iterable[Authority], at: datetime
) -> tuple[RevocationList, frozenset[Authority]]:
    try:
        return bind_list(source, der, anchors, at)
    except CertificateRejected as error:
        raise Misconfigured(
            f"{source}: unusable revocation list: {error.detail}; fetch it from the CA again"
        ) from error


def _signs(authority: Authority, crl: x509.CertificateRevocationList) -> bool:
    usage = authority.extensions.usage
    if usage is None or not usage.crl_sign:
        return False
    return _x509.reading(
        lambda: crl.issuer == authority.certificate.subject and crl.is_signature_valid(authority.key), "list's issuer"
    )


def _revocation_list(
    source: str, der: bytes, crl: x509.CertificateRevocationList, at: datetime
) -> RevocationList:
    number: int | None = None
    for extension in _x509.reading(lambda: crl.extensions, "list's extension"):
        if isinstance(extension.value, x509.CRLNumber):
            number = extension.value.crl_number
        elif extension.critical or isinstance(extension.value, x509.IssuingDistributionPoint | x509.DeltaCRLIndicator):
            # A list for part of the certificates would silently call all others good (RFC 5280 §5.2.4, §5.2.5).
            raise CertificateRejected(f"it is a partial list ({_x509.oid_name(extension.oid)}); the full list is asked")
    this_update, next_update = crl.last_update_utc, crl.next_update_utc
    if next_update is None:
        raise CertificateRejected("it has no nextUpdate")
    return RevocationList(
        source=source,
        issuer=_x509.name_text(crl.issuer),
        number=number,
        this_update=this_update,
        next_update=next_update,
        serials=_x509.reading(lambda: frozenset(_serials(crl)), "list's entry"),
        sha256=hashlib.sha256(der).hexdigest(),
        proven_at=at,
    )


def _serials(crl: x509.CertificateRevocationList) -> Iterator[int]:
    """The serial numbers; an entry with a critical extension we do not process spoils the list (RFC 5280 §5.3)."""
    for entry in crl:
        for extension in entry.extensions:
            if extension.critical and not isinstance(extension.value, x509.CRLReason | x509.InvalidityDate):
                raise CertificateRejected(f"an entry has the critical extension {_x509.oid_name(extension.oid)}")
        yield entry.serial_number


def _complete(
    authority: Authority, lists: list[tuple[RevocationList, frozenset[Authority]]], answers: Sequence[Source]
) -> Authority:
    """The CA with what is known of its certificates: of several lists the newest, and every OCSP "revoked"."""
    own = [found for found, issuers in lists if authority in issuers]
    newest = max(own, key=lambda found: (found.this_update, found.number or 0, found.proven_at), default=None)
    listed = newest.serials if newest is not None else frozenset()
    revoked = frozenset(revoked_serials((der for _, der in answers), authority.certificate, listed))
    return replace(authority, revocation=newest, ocsp_revoked=revoked)


def _paths(anchors: tuple[Authority, ...]) -> Iterator[Path]:
    """Every way from a configured CA to a root; each CA must have one."""
    parents = {
        child: [parent for parent in anchors if is_issued_by(child.certificate, parent.certificate)]
        for child in anchors if not child.root
    }
    for authority in anchors:
        ways = list(_climb((authority,), parents))
        fitting = [way for way in ways if _within_lengths(way)]
        if not fitting:
            cause = "a CA above it allows no path this long" if ways else "its own issuer is not configured"
            raise Misconfigured(f"{authority.source}: {cause}; configure every CA up to the self-signed root")
        yield from fitting


def _climb(path: Path, parents: dict[Authority, list[Authority]]) -> Iterator[Path]:
    if path[-1].root:
        yield path
    elif len(path) < _MAX_PATH:
        for parent in parents[path[-1]]:
            if parent not in path:
                yield from _climb((*path, parent), parents)


def _within_lengths(path: Path) -> bool:
    """pathLenConstraint: how many CAs may stand below this one (RFC 5280 §4.2.1.9)."""
    return all(
        authority.extensions.path_length is None or below <= authority.extensions.path_length
        for below, authority in enumerate(path)
    )


def _version(
    anchors: Iterable[Source], crls: Iterable[Source], refused: Iterable[Source], policies: Iterable[str],
    complete: Iterable[Authority],
) -> str:
    digest = hashlib.sha256()
    told = {str(serial).encode() for authority in complete for serial in authority.ocsp_revoked}
    for kind, found in (
        (b"anchor", {der for _, der in anchors}), (b"crl", {der for _, der in crls}),
        (b"refused", {der for _, der in refused}), (b"policy", {one.encode() for one in policies}), (b"ocsp", told),
    ):
        for octets in sorted(found):
            digest.update(kind + len(octets).to_bytes(8) + octets)
    return digest.hexdigest()
