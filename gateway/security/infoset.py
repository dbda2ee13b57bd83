"""Digests of a message whose attachments stand in parts of their own: as if their base64 stood in place.

A signature covers the infoset put together again (XOP 1.0 §3). Its canonical octets are those of the message with
placeholders, with canonical base64 of each part instead of its placeholder: cut once, then hashed as the parts come by,
so that no attachment is ever held.
"""

from binascii import b2a_base64
from collections.abc import Iterable, Sequence
from typing import Protocol

from gateway.errors import SignatureInvalid


class Hash(Protocol):
    """A hash under way (hashlib)."""

    def update(self, octets: bytes, /) -> None: ...

    def digest(self) -> bytes: ...


def cut(canonical: bytes, placeholders: Sequence[str]) -> tuple[bytes, ...]:
    """The octets before, between and after the placeholders, which stand there in this order.

    Each is in the tree once and nobody could guess it, so it is in canonical octets once, if these hold its element.
    Raises  SignatureInvalid where one is missing.
    """
    pieces, start = [], 0
    for placeholder in placeholders:
        mark = placeholder.encode()
        at = canonical.find(mark, start)
        if at < 0:
            raise SignatureInvalid("the place of an attachment is not in the signed octets")
        pieces.append(canonical[start:at])
        start = at + len(mark)
    return (*pieces, canonical[start:])


class Base64:
    """Canonical base64, without white space, of octets that come piece by piece."""

    __slots__ = ("_left",)

    def __init__(self) -> None:
        self._left = b""

    def update(self, octets: bytes) -> bytes:
        """What is certain after these octets."""
        whole = self._left + octets
        ready = len(whole) - len(whole) % 3
        self._left = whole[ready:]
        return b2a_base64(whole[:ready], newline=False)

    def finish(self) -> bytes:
        """The last of it, with its padding."""
        last, self._left = b2a_base64(self._left, newline=False), b""
        return last


class InfosetDigest:
    """One digest over the pieces of `cut`, each hole filled by a part's octets, in the order of the holes."""

    def __init__(self, pieces: Sequence[bytes], digest: Hash) -> None:
        self._pieces = iter(pieces)
        self._digest, self._base64 = digest, Base64()
        self._digest.update(next(self._pieces))

    def fill(self, octets: bytes) -> None:
        """More octets of the part for this hole."""
        self._digest.update(self._base64.update(octets))

    def next(self) -> None:
        """This hole is full."""
        self._digest.update(self._base64.finish())
        self._digest.update(next(self._pieces))

    def value(self) -> bytes:
        """The digest; once every hole is full."""
        assert next(self._pieces, None) is None, "a hole was left open"
        return self._digest.digest()


def digest_filled(pieces: Sequence[bytes], parts: Iterable[Iterable[bytes]], digest: Hash) -> bytes:
    """The digest of all at once: `parts` gives the octets of each, in the order of the holes."""
    filled = InfosetDigest(pieces, digest)
    for part in parts:
        for octets in part:
            filled.fill(octets)
        filled.next()
    return filled.value()
