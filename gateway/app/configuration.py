"""What the hub runs with, in its journal: digests of settings, parties, trust and certificates; never their values.

An auditor who keeps the files (in git, say) can tell from the journal which of them was in force when.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path

from gateway import __version__
from gateway.app.trust import LiveTrust
from gateway.errors import GatewayError
from gateway.ports import Clock, Observe
from gateway.routing import AddressBook
from gateway.security import SigningKey, load_certificate
from gateway.settings import Settings
from gateway.storage import Operator

START, CHANGE, STOP = "start", "change", "stop"


def digest_of(file: Path) -> str:
    """SHA-256 (hex) of a file, as `sha256sum` gives it."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


class ConfigurationJournal:
    """Writes an entry of kind `config` when the hub starts, takes a change over, and stops."""

    def __init__(
        self, settings: Settings, signing: tuple[SigningKey, ...], operator: Operator, *, trust: LiveTrust,
        parties: Callable[[], tuple[str, AddressBook]], clock: Clock, observe: Observe,
    ) -> None:
        """`parties`: the digest of the address book's file as it was taken over, and the book."""
        self._operator, self._trust, self._parties = operator, trust, parties
        self._clock, self._observe = clock, observe
        self._tls = settings.soap.tls.certificate
        self._settings = digest_of(settings.folder / "gateway.toml")
        self._signing = [hashlib.sha256(key.certificate).hexdigest() for key in signing]
        self._written: dict[str, object] = {}

    def start(self) -> None:
        self._write(START, self._facts())

    def look(self) -> None:
        """Write down what was taken over since the last entry, if anything."""
        facts = self._facts()
        if facts != self._written:
            self._write(CHANGE, facts)

    def stop(self) -> None:
        self._write(STOP, self._facts())

    def _facts(self) -> dict[str, object]:
        digest, book = self._parties()
        pins = sorted(pin for party in book.everyone for pin in party.pins)
        return {
            "software": __version__, "settings": self._settings, "parties": digest,
            "pins": hashlib.sha256("\n".join(pins).encode()).hexdigest(), "trust": self._trust.snapshot.version,
            "signing": self._signing, "tls": hashlib.sha256(load_certificate(self._tls)).hexdigest(),
        }

    def _write(self, action: str, facts: dict[str, object]) -> None:
        try:
            self._operator.configured(action, facts, now=self._clock())
            self._written = facts
        except GatewayError as error:
            self._observe("configuration-not-journaled", {"action": action, "error": error})
