"""Asking CAs after certificates that were seen, beside the requests (docs/profile.md §9).

Each hour, for each configured responder, every certificate of its CA that callers and signers showed lately, and every
one that an answer revoked. The signed answer is kept as it came: one that revokes as `.revoked`, which the snapshot of
trust reads, another as `.good`. What can't be had or does not hold is logged, and the revocation list decides.
"""

import os
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.app.trust import LiveTrust
from gateway.errors import GatewayError, Misconfigured
from gateway.ports import Clock, Observe
from gateway.security import load_certificate, ocsp_question, read_ocsp_answer
from gateway.settings import Responder, Trust
from gateway.transport import FetchLimits, fetch, write_whole

_AGAIN: Final = timedelta(hours=1)
_RETRY: Final = timedelta(minutes=5)  # when a responder does not answer
_FORGET: Final = timedelta(days=7)  # an answer that revokes nothing, about a certificate not seen any more
_A_ROUND: Final = 100  # questions per responder in one round
_NONCE: Final = 16  # octets (RFC 8954)
_LIMITS: Final = FetchLimits(connect_seconds=5, total_seconds=10, max_octets=65_536)


class Inquiry:
    """The background work of a hub with responders."""

    def __init__(self, settings: Trust, trust: LiveTrust, clock: Clock, observe: Observe) -> None:
        self._settings, self._trust, self._clock, self._observe = settings, trust, clock, observe
        self._folder = settings.ocsp_answers
        self._asked: dict[str, datetime] = {}  # by name of the answer; what got none stands here only
        self._silent: dict[str, datetime] = {}  # by URL: when it did not answer

    def ask(self, taken: Callable[[], None] = lambda: None) -> None:
        """One round; `taken` is called when an answer changed what is revoked."""
        changed = [self._ask_responder(one) for one in self._settings.ocsp]
        if any(changed):
            taken()
        self._forget()

    def _ask_responder(self, responder: Responder) -> bool:
        now = self._clock()
        if now - self._silent.get(responder.url, datetime.min.replace(tzinfo=UTC)) < _RETRY:
            return False
        issuer = x509.load_der_x509_certificate(load_certificate(responder.issuer))
        mark = sha256(issuer.public_bytes(Encoding.DER)).hexdigest()[:16]
        changed = False
        for name in self._due(mark, self._trust.seen(issuer), now):
            self._asked[name] = now
            try:
                changed |= self._ask_one(responder, issuer, name, now)
            except GatewayError as error:
                self._silent[responder.url] = now
                self._observe("ocsp-not-asked", {"responder": responder.url, "error": error})
                break
        return changed

    def _due(self, mark: str, seen: Iterable[int], now: datetime) -> list[str]:
        revoked = {path.stem for path in self._folder.glob(f"{mark}-*.revoked")}
        wanted = {f"{mark}-{serial:x}" for serial in seen} | revoked
        return [name for name in sorted(wanted) if now - self._last(name) >= _AGAIN][:_A_ROUND]

    def _last(self, name: str) -> datetime:
        """When the answer of this name was had, by whichever process, or asked for by this one."""
        times = [datetime.fromtimestamp(path.stat().st_mtime, UTC) for path in self._paths(name) if path.is_file()]
        return max([*times, self._asked.get(name, datetime.min.replace(tzinfo=UTC))])

    def _paths(self, name: str) -> tuple[Path, Path]:
        return self._folder / f"{name}.revoked", self._folder / f"{name}.good"

    def _listed(self, issuer: x509.Certificate) -> frozenset[int]:
        """What the issuer's own list revokes: its responder's certificate may be among them."""
        anchors, key = self._trust.snapshot.anchors, issuer.public_key()
        own = (one.revocation for one in anchors if one.certificate.subject == issuer.subject and one.key == key)
        return next((one.serials for one in own if one is not None), frozenset())

    def _ask_one(self, responder: Responder, issuer: x509.Certificate, name: str, now: datetime) -> bool:
        """Ask after one certificate and keep the answer; did it change what is revoked? Raises GatewayError."""
        serial, nonce = int(name.rpartition("-")[2], 16), os.urandom(_NONCE)
        octets = fetch(responder.url, body=ocsp_question(serial, issuer, nonce), limits=_LIMITS,
                       content_type="application/ocsp-request", accept="application/ocsp-response")
        revoked, good = self._paths(name)
        known = revoked.is_file()
        answer = read_ocsp_answer(octets, issuer, serial=serial, nonce=nonce, now=now, revoked=self._listed(issuer),
                                  kept=revoked.read_bytes() if known else None)
        facts = {"serial": f"{serial:x}", "ca": issuer.subject.rfc4514_string()}
        if answer.status == "unknown":  # says nothing, so what was known stays
            self._observe("ocsp-unknown", facts)
            return False
        self._make_folder()
        write_whole(revoked if answer.status == "revoked" else good, octets, now)
        if answer.status == "revoked":
            good.unlink(missing_ok=True)
            if not known:
                self._observe("ocsp-revoked", facts)
            return not known
        revoked.unlink(missing_ok=True)  # a suspension that was lifted
        return known

    def _make_folder(self) -> None:
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise Misconfigured(f"{self._folder}: cannot be made ({error.strerror}); let the gateway's user make it, "
                                "or name another folder under [trust] ocsp_answers") from error

    def _forget(self) -> None:
        oldest = (self._clock() - _FORGET).timestamp()
        for path in self._folder.glob("*.good"):
            if path.stat().st_mtime < oldest:
                path.unlink(missing_ok=True)
