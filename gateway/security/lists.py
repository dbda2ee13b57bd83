"""Revocation lists as they come and go: which fetched list replaces the one in hand, and when one in hand lapses.

Pure. Sources: RFC 5280 §5, §6.3; Digikoppeling WT004, WT005, PKI003, PKI004; docs/decisions/0012.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.errors import CertificateRejected, Misconfigured
from gateway.security import _x509
from gateway.security._trust import Authority, RevocationList, Source, TrustSnapshot, authorities, bind_list

_PEM_CRL: Final = re.compile(rb"-----BEGIN X509 CRL-----.+?-----END X509 CRL-----", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lapse:
    """When the revocation list of one CA stops counting."""

    authority: str  # the CA's subject
    source: str  # the list's file; empty where there is no list
    at: datetime | None  # None: there is no list
    alarm_at: datetime | None
    cause: str  # what ends it

    def alarms(self, now: datetime) -> bool:
        """Is it time to do something about it?"""
        return self.alarm_at is None or now >= self.alarm_at


def lapses(trust: TrustSnapshot, alarm: timedelta) -> tuple[Lapse, ...]:
    """Of each configured CA, when its list lapses: at its nextUpdate, or when it was not proven current for too long.

    The alarm goes `alarm` before it, or at half of what the list lives, whichever is later: a list that lives for
    hours would otherwise always alarm.
    """
    return tuple(_lapse(authority.subject, authority.revocation, trust.max_age, alarm) for authority in trust.anchors)


def _lapse(authority: str, crl: RevocationList | None, max_age: timedelta, alarm: timedelta) -> Lapse:
    if crl is None:
        return Lapse(authority=authority, source="", at=None, alarm_at=None, cause="there is no list")
    ends = (
        (crl.next_update, crl.next_update - crl.this_update, "its CA renews it by then"),
        (crl.proven_at + max_age, max_age, f"it was last proven current at {crl.proven_at:%Y-%m-%dT%H:%M:%SZ}"),
    )
    at, _, cause = min(ends)
    return Lapse(authority=authority, source=crl.source, at=at, cause=cause,
                 alarm_at=min(end - min(alarm, life / 2) for end, life, _ in ends))


def accept_list(
    fetched: bytes, kept: bytes | None, anchors: Iterable[Source], *, source: str, now: datetime
) -> bytes:
    """The octets to keep of a fetched list (PEM or DER): `kept` itself when the list is the one in hand.

    1. One full list, signed by a configured CA (as `build_trust` asks).
    2. In date: thisUpdate ≤ now ≤ nextUpdate.
    3. Of the CA whose list is in hand, and not older than that one: neither thisUpdate nor CRLNumber goes back, as an
       old list would call those good that were revoked since (RFC 5280 §5.2.3). A file in hand that is no list is as
       none.

    Raises  Misconfigured, naming the source, what is wrong and what to do.
    """
    known = authorities(anchors)
    try:
        crl, signers = bind_list(source, _one_list(fetched), known, now)  # 1
    except CertificateRejected as error:
        raise _refusal(source, error.detail) from error
    if not crl.this_update <= now <= crl.next_update:  # 2
        raise _refusal(source, f"it counts from {crl.this_update:%Y-%m-%dT%H:%M:%SZ} to "
                               f"{crl.next_update:%Y-%m-%dT%H:%M:%SZ}, which is not now")
    in_hand = _in_hand(kept, known, now)
    if in_hand is None or kept is None:
        return fetched
    mine, own_signers = in_hand
    if not signers & own_signers:  # 3: by key, as a CA may have an old and a new one under one name
        raise _refusal(source, f"it is the list of {crl.issuer}; the one in hand is that of {mine.issuer}")
    if mine.sha256 == crl.sha256:
        return kept
    if crl.this_update < mine.this_update or (crl.number or 0) < (mine.number or 0):
        raise _refusal(source, f"it is older than the one in hand (number {crl.number} of "
                               f"{crl.this_update:%Y-%m-%dT%H:%M:%SZ}, in hand number {mine.number} of "
                               f"{mine.this_update:%Y-%m-%dT%H:%M:%SZ})")
    return fetched


def _one_list(octets: bytes) -> bytes:
    found = _PEM_CRL.findall(octets)
    if len(found) > 1:
        raise CertificateRejected("it holds several lists")
    if not found:
        return octets
    return _x509.reading(lambda: x509.load_pem_x509_crl(found[0]).public_bytes(Encoding.DER), "revocation list")


def _in_hand(
    kept: bytes | None, anchors: Iterable[Authority], now: datetime
) -> tuple[RevocationList, frozenset[Authority]] | None:
    try:
        return bind_list("in hand", _one_list(kept), anchors, now) if kept else None
    except CertificateRejected:
        return None


def _refusal(source: str, cause: str) -> Misconfigured:
    return Misconfigured(f"{source}: fetched revocation list refused: {cause}; the one in hand stays, ask the CA")
