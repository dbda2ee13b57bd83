"""The keys of days as objects in a PKCS#11 token: a hardware module, or SoftHSM. They never leave it.

A key is made in the token, not extractable, with a fresh identifier that stands before what it wraps. So it does not
matter when two nodes make a key of the same day: both serve, and both are destroyed with it.

Needs python-pkcs11 (`pip install schuldenknooppunt-gateway[pkcs11]`) and a module with CKM_AES_GCM.
Source: PKCS #11 v3.0 current mechanisms §2.13.
"""

import os
from pathlib import Path
from threading import Lock
from typing import Any, Final

from gateway.errors import Misconfigured, StorageError
from gateway.storage.vault import KEY, NONCE, KeyVault

_LABEL: Final = "gateway "  # and the epoch
_ID: Final = 16  # octets
_TAG_BITS: Final = 128
# python-pkcs11 initialises a module without asking it to lock (C_Initialize without arguments): then a process may make
# one call at a time, whatever session it is for. SoftHSM crashes otherwise.
_one_at_a_time = Lock()


class TokenVault(KeyVault):
    """The keys of one token, over one session."""

    def __init__(self, *, module: Path, token: str, pin: str) -> None:
        """Raises Misconfigured: python-pkcs11 or the module is missing, no such token, or a wrong PIN."""
        try:
            import pkcs11
        except ImportError as cause:
            raise Misconfigured("'keys' in [store] names a PKCS#11 token, and python-pkcs11 is not installed; "
                                "remedy: pip install 'schuldenknooppunt-gateway[pkcs11]'") from cause
        self._pkcs11: Any = pkcs11
        with _one_at_a_time:
            self._session = self._open(module, token, pin)
        self._mine: dict[str, bytes] = {}  # by epoch: the identifier of a key to wrap with

    def _open(self, module: Path, token: str, pin: str) -> Any:
        try:
            found = self._pkcs11.lib(str(module)).get_token(token_label=token)
            try:
                return found.open(rw=True, user_pin=pin)
            except self._pkcs11.UserAlreadyLoggedIn:  # who logs in is the process: another vault did
                return found.open(rw=True)
        except (self._pkcs11.PKCS11Error, RuntimeError) as cause:
            raise Misconfigured(f"the PKCS#11 token '{token}' can't be opened: {type(cause).__name__}; see 'keys' in "
                                "[store]: module, token and pin_file") from cause

    def wrap(self, epoch: str, data_key: bytes, context: bytes) -> bytes:
        """See KeyVault: the key's identifier, then nonce, ciphertext and tag of AES-256-GCM."""
        nonce = os.urandom(NONCE)
        with _one_at_a_time, _Told(self._pkcs11, f"the key of {epoch} can't be used"):
            identifier = self._mine.get(epoch)
            key = self._find(epoch, identifier) if identifier is not None else next(iter(self._all(epoch)), None)
            key = key if key is not None else self._make(epoch)
            self._mine[epoch] = identifier = bytes(key.id)
            return identifier + nonce + bytes(key.encrypt(data_key, **self._gcm(nonce, context)))

    def unwrap(self, epoch: str, wrapped: bytes, context: bytes) -> bytes:
        """See KeyVault."""
        identifier, nonce, octets = wrapped[:_ID], wrapped[_ID:_ID + NONCE], wrapped[_ID + NONCE:]
        with _one_at_a_time, _Told(self._pkcs11, "sealed octets do not open"):
            key = self._find(epoch, identifier)
            if key is None:
                raise StorageError(f"the key of {epoch} is not in the token")
            return bytes(key.decrypt(octets, **self._gcm(nonce, context)))

    def epochs(self) -> list[str]:
        """See KeyVault."""
        with _one_at_a_time, _Told(self._pkcs11, "the token does not list its keys"):
            labels = {str(key.label) for key in self._objects({})}
        return sorted(label.removeprefix(_LABEL) for label in labels if label.startswith(_LABEL))

    def destroy(self, epoch: str) -> None:
        """See KeyVault: every key of that day."""
        with _one_at_a_time, _Told(self._pkcs11, f"the key of {epoch} can't be destroyed"):
            self._mine.pop(epoch, None)
            for key in self._all(epoch):
                key.destroy()

    def _make(self, epoch: str) -> Any:
        attribute = self._pkcs11.Attribute
        return self._session.generate_key(
            self._pkcs11.KeyType.AES, KEY * 8, label=_LABEL + epoch, id=os.urandom(_ID), store=True,
            template={attribute.EXTRACTABLE: False, attribute.SENSITIVE: True})

    def _find(self, epoch: str, identifier: bytes) -> Any:
        found = self._objects({self._pkcs11.Attribute.LABEL: _LABEL + epoch, self._pkcs11.Attribute.ID: identifier})
        return found[0] if found else None

    def _all(self, epoch: str) -> list[Any]:
        return self._objects({self._pkcs11.Attribute.LABEL: _LABEL + epoch})

    def _objects(self, narrowed: dict[Any, object]) -> list[Any]:
        kind = {self._pkcs11.Attribute.CLASS: self._pkcs11.ObjectClass.SECRET_KEY}
        return list(self._session.get_objects(kind | narrowed))

    def _gcm(self, nonce: bytes, context: bytes) -> dict[str, Any]:
        return {"mechanism": self._pkcs11.Mechanism.AES_GCM,
                "mechanism_param": self._pkcs11.GCMParams(nonce, aad=context, tag_bits=_TAG_BITS)}


class _Told:
    """Whatever the token says, as a StorageError that says what could not be done."""

    def __init__(self, pkcs11: Any, words: str) -> None:
        self._pkcs11 = pkcs11
        self._words = words

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, self._pkcs11.PKCS11Error):
            raise StorageError(f"{self._words}: {type(error).__name__}") from error
