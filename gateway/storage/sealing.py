"""Sealing: a payload reaches the database only encrypted, and erasing a key erases it everywhere.

A fresh 256-bit data key encrypts one message (AES-256-GCM); the key of the day (UTC) wraps that data key
(AES-256-GCM). Both bind the same associated data, so that octets can't be moved to another message. The keys of days
are files outside the database: once a day's key is destroyed, what lies in a log, a free page or a backup is noise.

Source: NIST SP 800-38D (12-octet random nonces, one data key per message; a key of a day wraps far fewer than 2^32).
"""

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from os.path import exists
from pathlib import Path
from secrets import token_hex
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.errors import StorageError

_KEY: Final = 32
_NONCE: Final = 12
_SUFFIX: Final = ".key"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """One payload as it may be written to disk: nonce, ciphertext and tag; the data key, wrapped likewise."""

    epoch: str
    wrapped: bytes
    octets: bytes


def epoch_of(moment: datetime) -> str:
    """The epoch of a moment: its day in UTC, as in the key file's name."""
    return moment.astimezone(UTC).date().isoformat()


class KeyDirectory:
    """The keys of days as files `<YYYY-MM-DD>.key`, 32 octets, readable by the owner only.

    Several processes may use one directory; a key comes into being whole, and once.
    """

    def __init__(self, path: Path, *, random: Callable[[int], bytes] = os.urandom) -> None:
        self._path = path
        self._random = random
        self._held: dict[str, tuple[str, AESGCM]] = {}  # by epoch: the file's name and the key

    def today(self, epoch: str) -> AESGCM:
        """The key to seal with; made when it is not there. Raises StorageError."""
        held = self._from_memory(epoch)
        if held is not None:
            return held
        try:
            if not self._file(epoch).exists():
                self._create(epoch)
        except OSError as cause:
            raise StorageError(f"the key of {epoch} can't be written: {type(cause).__name__}") from cause
        return self.existing(epoch)

    def existing(self, epoch: str) -> AESGCM:
        """The key to open with. Raises StorageError when it is gone: then what it sealed is gone too."""
        held = self._from_memory(epoch)
        if held is not None:
            return held
        file = self._file(epoch)
        try:
            octets = file.read_bytes()
        except OSError as cause:
            raise StorageError(f"the key of {epoch} can't be read: {type(cause).__name__}") from cause
        if len(octets) != _KEY:
            raise StorageError(f"the key of {epoch} has {len(octets)} octets")
        key = AESGCM(octets)
        self._held[epoch] = (str(file), key)
        return key

    def _from_memory(self, epoch: str) -> AESGCM | None:
        """A key read before, as long as its file is there: what another process destroyed is not used any more."""
        file, key = self._held.get(epoch, ("", None))
        if key is not None and not exists(file):
            self._held.pop(epoch, None)
            return None
        return key

    def epochs(self) -> list[str]:
        """The epochs whose keys exist, oldest first."""
        return sorted(file.stem for file in self._path.glob("????-??-??" + _SUFFIX))

    def destroy(self, epoch: str) -> None:
        """Overwrite and remove a key. No error when it is not there.

        Overwriting helps on a plain disk; on flash and copying file systems put the directory on encrypted storage.
        """
        self._held.pop(epoch, None)
        file = self._file(epoch)
        with suppress(FileNotFoundError):
            with open(file, "r+b") as handle:
                handle.write(bytes(_KEY))
                handle.flush()
                os.fsync(handle.fileno())
            file.unlink()
            self._sync()

    def _file(self, epoch: str) -> Path:
        return self._path / (epoch + _SUFFIX)

    def _create(self, epoch: str) -> None:
        """Write a key beside its name, then link it there: the name never stands for half a key, nor for two."""
        self._path.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = self._path / f".{epoch}.{token_hex(8)}"
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            try:
                os.write(handle, self._random(_KEY))
                os.fsync(handle)
            finally:
                os.close(handle)
            with suppress(FileExistsError):  # another process was first: its key is the key
                os.link(draft, self._file(epoch))
        finally:
            draft.unlink()
        self._sync()

    def _sync(self) -> None:
        handle = os.open(self._path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


class Sealer:
    """Seals and opens payloads with the keys of a directory."""

    def __init__(self, keys: KeyDirectory, *, random: Callable[[int], bytes] = os.urandom) -> None:
        self.keys = keys
        self._random = random

    def seal(self, plaintext: bytes, context: bytes, now: datetime) -> Sealed:
        """Encrypt under a fresh data key; `context` must be given again to open. Raises StorageError."""
        epoch = epoch_of(now)
        random = self._random(_KEY + 2 * _NONCE)
        data_key, wrap_nonce, nonce = random[:_KEY], random[_KEY:-_NONCE], random[-_NONCE:]
        return Sealed(
            epoch=epoch,
            wrapped=wrap_nonce + self.keys.today(epoch).encrypt(wrap_nonce, data_key, context),
            octets=nonce + AESGCM(data_key).encrypt(nonce, plaintext, context),
        )

    def unseal(self, sealed: Sealed, context: bytes) -> bytes:
        """The payload. Raises StorageError: key gone, other context, or changed octets."""
        try:
            data_key = _decrypt(self.keys.existing(sealed.epoch), sealed.wrapped, context)
            return _decrypt(AESGCM(data_key), sealed.octets, context)
        except (InvalidTag, ValueError) as cause:
            raise StorageError("a sealed payload does not open") from cause


def _decrypt(key: AESGCM, octets: bytes, context: bytes) -> bytes:
    return key.decrypt(octets[:_NONCE], octets[_NONCE:], context)


def context_of(referentienummer: str, afzender: str, bridged_to: str | None = None) -> bytes:
    """What ties sealed octets to their message, and to the version it was bridged to."""
    return "\n".join((referentienummer, afzender, *([bridged_to] if bridged_to else []))).encode()
