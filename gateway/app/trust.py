"""Trust that lives: the snapshot requests are checked against, renewed beside them when files change."""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509

from gateway.errors import GatewayError, Misconfigured
from gateway.ports import Clock, Observe
from gateway.security import (
    CertificateCache,
    CheckCertificate,
    Checked,
    TrustSnapshot,
    Usage,
    load_certificate,
    load_certificates,
    load_trust,
)
from gateway.settings import Trust

# A list that did not change ages all the same: read it again well within the age limit (docs/profile.md §9).
_RENEW: Final = timedelta(minutes=15)


class LiveTrust:
    """The anchors and revocation lists of an instance; where reading fails, the last good ones until too old."""

    def __init__(self, settings: Trust, clock: Clock, observe: Observe) -> None:
        """Raises Misconfigured when the files cannot be read now."""
        self._settings = settings
        self._clock = clock
        self._observe = observe
        self._cache = CertificateCache()
        self._lock = threading.Lock()
        self._seen = self._marks()
        self._snapshot = self._load()

    @property
    def snapshot(self) -> TrustSnapshot:
        return self._snapshot

    def checker(self, usage: Usage) -> CheckCertificate:
        """Check a certificate for this usage against the present snapshot."""
        def check(der: bytes, now: datetime) -> Checked:
            return self._cache.check(der, self._snapshot, now, usage=usage)
        return check

    def seen(self, issuer: x509.Certificate) -> frozenset[int]:
        """The serial numbers of this CA's certificates that callers and signers showed lately."""
        return self._cache.seen(issuer)

    def renew(self, changed: Callable[[], None] = lambda: None) -> None:
        """Read the files again when they changed or the snapshot grows old; `changed` is called after a new reading."""
        with self._lock:
            marks = self._marks()
            if marks == self._seen and self._clock() - self._snapshot.loaded_at < _RENEW:
                return
            try:
                self._snapshot = self._load()
                changed()
                self._seen = marks
            except GatewayError as error:
                self._observe("trust-not-renewed", {"error": error})

    def _load(self) -> TrustSnapshot:
        return read_snapshot(self._settings, self._clock())

    def _marks(self) -> tuple[tuple[Path, int, int], ...]:
        answers = self._settings.ocsp_answers.glob("*.revoked") if self._settings.ocsp else ()
        files = (*self._settings.anchors, *self._settings.crls, *self._settings.refused, *sorted(answers))
        stats = [(file, file.stat()) for file in files if file.exists()]
        return tuple((file, stat.st_mtime_ns, stat.st_size) for file, stat in stats)


def read_snapshot(settings: Trust, now: datetime) -> TrustSnapshot:
    """Anchors, lists and answers as their files are now. Raises Misconfigured."""
    anchors = {der for path in settings.anchors for der in load_certificates(path)} if settings.ocsp else set()
    for one in settings.ocsp:
        if load_certificate(one.issuer) not in anchors:
            raise Misconfigured(f"{one.issuer}: is asked after under [trust] ocsp, but is none of [trust] anchors; "
                                "name it there as well, or take it out")
    return load_trust(
        settings.anchors, settings.crls, loaded_at=now, max_age=settings.crl_max_age, kept_fresh=settings.kept_fresh,
        refused=settings.refused, policies=settings.policies,
        answers=settings.ocsp_answers if settings.ocsp else None,
    )
