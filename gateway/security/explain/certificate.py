"""The signer's certificate: every rule of pki.check_certificate looked at by itself, so that the cause is named.

The line says the first thing it stumbles over; for a certificate of a test CA that has expired too, both are told.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from gateway.errors import CertificateRejected, GatewayError
from gateway.security import _x509
from gateway.security._trust import Authority, TrustSnapshot, is_issued_by
from gateway.security.explain.case import Case, found
from gateway.security.pki import NOT_FOR_MESSAGES
from gateway.values import Diagnosis

_PLACE: Final = "/soap:Envelope/soap:Header/wsse:Security/wsse:BinarySecurityToken"
_OIN: Final = re.compile(r"(?<![0-9A-Z])[0-9]{8}[0-9A-Z]{12}(?![0-9A-Z])")
_TEST: Final = re.compile(r"\b(?:test|trial|acceptatie|demo|voorbeeld|example)\b", re.IGNORECASE)
_CURVES: Final = frozenset({"secp256r1", "secp384r1", "secp521r1"})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Held:
    """One certificate and what it is held against."""

    certificate: x509.Certificate
    others: tuple[x509.Certificate, ...]  # that the message holds besides
    now: datetime
    trust: TrustSnapshot | None


def certificate(case: Case) -> list[Diagnosis] | None:
    """The certificate of the token, as far as it can be judged: without trust not its path and revocation."""
    if not case.certificates:
        return None
    der = case.certificates[0]
    try:
        own = _x509.parse(der)
        others = tuple(x509.load_der_x509_certificate(one) for one in case.certificates[1:4])
        held = _Held(certificate=own, others=others, now=case.known.now, trust=case.known.trust)
        wrong = [one for rule in _RULES for one in rule(held)]
    except (*_x509.UNREADABLE, CertificateRejected):
        return [found("certificate-unreadable", _PLACE)]
    return wrong or _as_the_line_sees_it(case, der)


def _as_the_line_sees_it(case: Case, der: bytes) -> list[Diagnosis]:
    """Nothing found here: does the line agree?"""
    if case.known.check_signer is None:
        return []
    try:
        checked = case.known.check_signer(der, case.known.now)
    except CertificateRejected:
        return [found("certificate-refused", _PLACE)]
    except GatewayError:
        return []  # the hub's own revocation lists are at fault, which `_revocation` has looked at
    register, registered = case.known.register, case.known.registered
    party = None if register is None else register.by_oin(checked.certificate.oin)
    if party is not None and registered is not None and not registered(party, checked.certificate.sha256):
        return [found("certificate-not-pinned", _PLACE, oin=party.oin, sha256=checked.certificate.sha256)]
    return []


def oins_of(certificate: x509.Certificate) -> list[str]:
    """The values of serialNumber in the subject."""
    found_ = certificate.subject.get_attributes_for_oid(NameOID.SERIAL_NUMBER)
    return [one.value if isinstance(one.value, str) else "" for one in found_]


# --- the rules -----------------------------------------------------------------------------------------------


def _day(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _days(span: timedelta) -> str:
    return str(max(1, span // timedelta(days=1)))


def _dates(held: _Held) -> Iterator[Diagnosis]:
    start, end = held.certificate.not_valid_before_utc, held.certificate.not_valid_after_utc
    if held.now < start:
        yield found("certificate-not-yet-valid", _PLACE, since=_day(start), days=_days(start - held.now))
    if held.now > end:
        yield found("certificate-expired", _PLACE, until=_day(end), days=_days(held.now - end))


def _key(held: _Held) -> Iterator[Diagnosis]:
    key = held.certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        if not 2048 <= key.key_size <= 8192 or key.public_numbers().e != 65537:
            yield found("certificate-key-weak", _PLACE, bits=key.key_size)
    elif not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name not in _CURVES:
        yield found("certificate-key-kind", _PLACE)


def _signature(held: _Held) -> Iterator[Diagnosis]:
    if not _is_strong(held.certificate):
        yield found("certificate-weak-signature", _PLACE,
                    algorithm=_x509.oid_name(held.certificate.signature_algorithm_oid))


def _is_strong(certificate: x509.Certificate) -> bool:
    try:
        _x509.require_strong_signature(certificate)
    except CertificateRejected:
        return False
    return True


def _extensions(held: _Held) -> Iterator[Diagnosis]:
    try:
        extensions = _x509.extensions(held.certificate)
    except CertificateRejected:
        yield found("certificate-extension", _PLACE)
        return
    if extensions.authority:
        yield found("certificate-of-ca", _PLACE)
        return
    usage = extensions.usage
    if usage is None:
        yield found("certificate-no-key-usage", _PLACE)
    elif not (usage.digital_signature or usage.content_commitment):
        yield found("certificate-key-usage", _PLACE)
    if extensions.extended is not None and not extensions.extended - NOT_FOR_MESSAGES:
        names = ", ".join(sorted(_x509.oid_name(x509.ObjectIdentifier(one)) for one in extensions.extended))
        yield found("certificate-purpose", _PLACE, purposes=names)


def _path(held: _Held) -> Iterator[Diagnosis]:
    own, trust = held.certificate, held.trust
    if own.issuer == own.subject and is_issued_by(own, own):
        if trust is None or not any(one.certificate == own for one in trust.anchors):
            yield found("certificate-self-signed", _PLACE)
        return
    if trust is None or not _is_strong(own):  # a weak signature is not verified by whatever issuer
        return
    if any(is_issued_by(own, one) for one in trust.refused):
        yield found("certificate-ca-refused", _PLACE, issuer=_x509.name_text(own.issuer)[:160])
        return
    issuers = [one for one in trust.anchors if one.certificate.subject == own.issuer]
    signing = [one for one in issuers if is_issued_by(own, one.certificate)]
    if signing and trust.policies and not trust.policies & _x509.extensions(own).policies:
        yield found("certificate-policy", _PLACE, policies=", ".join(sorted(trust.policies))[:200])
    if signing:
        yield from _revocation(own, signing[0], trust, held.now)
        return
    issuer = _x509.name_text(own.issuer)[:160]
    if issuers:
        yield found("certificate-issuer-other-key", _PLACE, issuer=issuer)
        return
    known = {one.certificate.subject for one in trust.anchors}
    between = [one for one in held.others if one.subject == own.issuer and one.issuer in known]
    if between:
        yield found("certificate-intermediate-missing", _PLACE, issuer=issuer)
    elif _TEST.search(issuer) and not any(_TEST.search(one.subject) for one in trust.anchors):
        yield found("certificate-test-hierarchy", _PLACE, issuer=issuer)
    else:
        yield found("certificate-issuer-unknown", _PLACE, issuer=issuer,
                    known="; ".join(sorted({one.subject for one in trust.anchors})[:3])[:300])


def _revocation(own: x509.Certificate, issuer: Authority, trust: TrustSnapshot, now: datetime) -> Iterator[Diagnosis]:
    crl = issuer.revocation
    if own.serial_number in issuer.ocsp_revoked:
        yield found("certificate-revoked", _PLACE, issuer=issuer.subject, by="OCSP")
    elif crl is not None and own.serial_number in crl.serials:
        yield found("certificate-revoked", _PLACE, issuer=issuer.subject, by=f"CRL {_day(crl.this_update)}")
    elif crl is None:
        yield found("crl-missing", _PLACE, issuer=issuer.subject)
    elif now > crl.next_update:
        yield found("crl-stale", _PLACE, issuer=issuer.subject, until=_day(crl.next_update))
    elif now - crl.proven_at > trust.max_age:
        yield found("crl-too-old", _PLACE, issuer=issuer.subject, hours=trust.max_age // timedelta(hours=1))


def _oin(held: _Held) -> Iterator[Diagnosis]:
    values = oins_of(held.certificate)
    if len(values) > 1:
        yield found("oin-twice", _PLACE, count=len(values))
        return
    if values:
        try:
            _x509.oin_of(held.certificate)
        except CertificateRejected:
            yield found("oin-form", _PLACE, length=len(values[0]))
        return
    for oid, name in ((NameOID.COMMON_NAME, "CN"), (NameOID.ORGANIZATIONAL_UNIT_NAME, "OU"),
                      (NameOID.ORGANIZATION_IDENTIFIER, "organizationIdentifier")):
        if any(_OIN.search(str(one.value)) for one in held.certificate.subject.get_attributes_for_oid(oid)):
            yield found("oin-elsewhere", _PLACE, attribute=name)
            return
    yield found("oin-missing", _PLACE)


_RULES: Final[tuple[Callable[[_Held], Iterator[Diagnosis]], ...]] = (
    _dates, _key, _signature, _extensions, _path, _oin)
