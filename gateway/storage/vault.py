"""Where the keys of days are: outside the database, so that destroying one destroys what every copy of it holds.

A vault wraps the data key of one message under the key of a day, and gives it back as long as that day's key exists.
Here as files in a directory; as objects in a hardware module in hsm.py.
"""

import os
from collections.abc import Callable
from contextlib import suppress
from os.path import exists
from pathlib import Path
from secrets import token_hex
from typing import Final, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.errors import StorageError

KEY: Final = 32  # octets
NONCE: Final = 12
_SUFFIX: Final = ".key"


class KeyVault(Protocol):
    """Keys of days by their epoch, `YYYY-MM-DD`. Safe for many threads; nodes that share one share its keys."""

    def wrap(self, epoch: str, data_key: bytes, context: bytes) -> bytes:
        """Encrypt a data key, which may be encrypted already, bound to `context`; a day's first use makes its key.

        Raises StorageError.
        """

    def unwrap(self, epoch: str, wrapped: bytes, context: bytes) -> bytes:
        """The data key. Raises StorageError: the day's key is gone, another context, or changed octets."""

    def epochs(self) -> list[str]:
        """The epochs whose keys exist, oldest first. Raises StorageError."""

    def destroy(self, epoch: str) -> None:
        """Destroy a day's key, for every node and for good; no error when it is not there. Raises StorageError."""


class KeyDirectory(KeyVault):
    """The keys of days as files `<YYYY-MM-DD>.key`, 32 octets, readable by the owner only.

    Several processes, and nodes that mount it, may use one directory; a key comes into being whole, and once.
    """

    def __init__(self, path: Path, *, random: Callable[[int], bytes] = os.urandom) -> None:
        self._path = path
        self._random = random
        self._held: dict[str, tuple[str, AESGCM]] = {}  # by epoch: the file's name and the key

    def wrap(self, epoch: str, data_key: bytes, context: bytes) -> bytes:
        """See KeyVault: nonce, ciphertext and tag of AES-256-GCM."""
        nonce = self._random(NONCE)
        return nonce + self._today(epoch).encrypt(nonce, data_key, context)

    def unwrap(self, epoch: str, wrapped: bytes, context: bytes) -> bytes:
        """See KeyVault."""
        return decrypt(self._existing(epoch), wrapped, context)

    def epochs(self) -> list[str]:
        """See KeyVault."""
        return sorted(file.stem for file in self._path.glob("????-??-??" + _SUFFIX))

    def destroy(self, epoch: str) -> None:
        """See KeyVault: overwritten, then removed.

        Overwriting helps on a plain disk; on flash and copying file systems put the directory on encrypted storage.
        """
        self._held.pop(epoch, None)
        file = self._file(epoch)
        try:
            with suppress(FileNotFoundError):  # another process was first
                with open(file, "r+b") as handle:
                    handle.write(bytes(KEY))
                    handle.flush()
                    os.fsync(handle.fileno())
                file.unlink()
                self._sync()
        except OSError as cause:
            raise StorageError(f"the key of {epoch} can't be destroyed: {type(cause).__name__}") from cause

    def _today(self, epoch: str) -> AESGCM:
        held = self._from_memory(epoch)
        if held is not None:
            return held
        try:
            if not self._file(epoch).exists():
                self._create(epoch)
        except OSError as cause:
            raise StorageError(f"the key of {epoch} can't be written: {type(cause).__name__}") from cause
        return self._existing(epoch)

    def _existing(self, epoch: str) -> AESGCM:
        held = self._from_memory(epoch)
        if held is not None:
            return held
        file = self._file(epoch)
        try:
            octets = file.read_bytes()
        except OSError as cause:
            raise StorageError(f"the key of {epoch} can't be read: {type(cause).__name__}") from cause
        if len(octets) != KEY or not any(octets):  # zeros: another process destroys it at this moment
            raise StorageError(f"the key of {epoch} is no key of {KEY} octets")
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

    def _file(self, epoch: str) -> Path:
        return self._path / (epoch + _SUFFIX)

    def _create(self, epoch: str) -> None:
        """Write a key beside its name, then link it there: the name never stands for half a key, nor for two."""
        self._path.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = self._path / f".{epoch}.{token_hex(8)}"
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            try:
                os.write(handle, self._random(KEY))
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


def decrypt(key: AESGCM, octets: bytes, context: bytes) -> bytes:
    """What `nonce + encrypt()` hid. Raises StorageError: another key or context, or changed octets."""
    try:
        return key.decrypt(octets[:NONCE], octets[NONCE:], context)
    except (InvalidTag, ValueError) as cause:
        raise StorageError("sealed octets do not open") from cause
