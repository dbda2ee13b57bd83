"""Sealing: a payload reaches the database only encrypted, and erasing a key erases it everywhere.

A fresh 256-bit data key encrypts one message (AES-256-GCM); the key of the day (UTC), which is in a vault outside the
database (vault.py), wraps that data key. Both bind the same associated data, so that octets can't be moved to another
message. Once a day's key is destroyed, what lies in a log, a free page or a backup is noise.

Source: NIST SP 800-38D (12-octet random nonces, one data key per message; a key of a day wraps far fewer than 2^32).
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.storage.vault import KEY, NONCE, KeyVault, decrypt


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """One payload as it may be written to disk: nonce, ciphertext and tag; the data key, as the vault wrapped it."""

    epoch: str
    wrapped: bytes
    octets: bytes


def epoch_of(moment: datetime) -> str:
    """The epoch of a moment: its day in UTC, as the vault names its key."""
    return moment.astimezone(UTC).date().isoformat()


class Sealer:
    """Seals and opens payloads with the keys of a vault."""

    def __init__(self, keys: KeyVault, *, random: Callable[[int], bytes] = os.urandom) -> None:
        self.keys = keys
        self._random = random

    def seal(self, plaintext: bytes, context: bytes, now: datetime) -> Sealed:
        """Encrypt under a fresh data key; `context` must be given again to open. Raises StorageError."""
        epoch, random = epoch_of(now), self._random(KEY + NONCE)
        data_key, nonce = random[:KEY], random[KEY:]
        return Sealed(
            epoch=epoch,
            wrapped=self.keys.wrap(epoch, data_key, context),
            octets=nonce + AESGCM(data_key).encrypt(nonce, plaintext, context),
        )

    def unseal(self, sealed: Sealed, context: bytes) -> bytes:
        """The payload. Raises StorageError: key gone, other context, or changed octets."""
        data_key = self.keys.unwrap(sealed.epoch, sealed.wrapped, context)
        return decrypt(AESGCM(data_key), sealed.octets, context)


def context_of(referentienummer: str, afzender: str, part: str | None = None) -> bytes:
    """What ties sealed octets to their message, and to the version it was bridged to or the addressee's id."""
    return "\n".join((referentienummer, afzender, *([part] if part else []))).encode()
