"""A message with files apart, as a party takes it: each file written to a folder while it comes, believed when the
signature over the whole holds, and only then given its name.
"""

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final

from lxml import etree

from gateway.errors import MalformedEnvelope, StorageError
from gateway.parted import Parted, Place
from gateway.party.parts import MOST, LocalFile
from gateway.security import canonical, cut
from gateway.soap import Element, Envelope, Hole, put_in, take_out

_PLAIN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,149}")


class Folder:
    """Where the files of one message are taken: a multipart.Sink; each method may raise StorageError."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._files: dict[str, Path] = {}  # by Content-ID
        self._open: BinaryIO | None = None
        self.holes: tuple[Hole, ...] = ()

    def open(self, content_id: str) -> None:
        """A file begins."""
        file = self.path / f".{len(self._files) + 1}.coming"
        self._files[content_id] = file
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._open = open(file, "wb", opener=lambda path, flags: os.open(path, flags, 0o600))  # noqa: SIM115
        except OSError as error:
            raise self._failed(error) from error

    def write(self, octets: bytes) -> None:
        """More of it."""
        assert self._open is not None, "a file was begun"
        try:
            self._open.write(octets)
        except OSError as error:
            raise self._failed(error) from error

    def close(self) -> None:
        """That was all of it."""
        assert self._open is not None, "a file was begun"
        try:
            self._open.close()
        except OSError as error:
            raise self._failed(error) from error

    def of(self, envelope: Envelope, nonce: str) -> Parted | None:
        """What an envelope refers to, placeholders in its tree; None: nothing, and nothing came.

        Raises  MalformedEnvelope unless each xop:Include has its file and each file its xop:Include.
        """
        return self.filled(take_out(envelope, nonce, MOST))

    def filled(self, holes: tuple[Hole, ...]) -> Parted | None:
        """The same where the placeholders stand in the tree already. Raises MalformedEnvelope."""
        self.holes = holes
        if {hole.content_id for hole in self.holes} != set(self._files):
            raise MalformedEnvelope("the files are not those that the message refers to")
        if not self.holes:
            return None
        files = [LocalFile(path=self._files[hole.content_id]) for hole in self.holes]

        def read(number: int) -> Iterator[bytes]:
            return iter(files[number])

        return Parted(octets=b"", upload="", key=b"", read=read, places=tuple(
            Place(placeholder=hole.placeholder, octets=file.size)
            for hole, file in zip(self.holes, files, strict=True)))

    def keep(self, message: Element, number: str) -> tuple[bytes, tuple[str, ...]]:
        """The message in canonical form, an xop:Include by name for each file; and these names.

        They begin with the message's `number`: nothing that lies there is overwritten by what a message says.
        """
        names = tuple(f"{number}-{_name(hole, place)}" for place, hole in enumerate(self.holes, 1))
        try:
            for hole, name in zip(self.holes, names, strict=True):
                self._files[hole.content_id] = self._files[hole.content_id].replace(self.path / name)
        except OSError as error:
            raise self._failed(error) from error
        octets = put_in(cut(canonical(message), [hole.placeholder for hole in self.holes]), names)
        self._files.clear()  # from here on they are kept
        return octets, names

    def discard(self) -> None:
        """Remove what was not kept."""
        if self._open is not None:
            with suppress(OSError):  # the disk is full still, as it was when that was said
                self._open.close()
        for file in self._files.values():
            file.unlink(missing_ok=True)

    def _failed(self, error: OSError) -> StorageError:
        return StorageError(f"{self.path}: {error.strerror}; free space, or let this user write there")


def _name(hole: Hole, place: int) -> str:
    """The how manieth, and its Bestandsnaam where that is plain; never a path."""
    attachment = hole.element.getparent()
    stated = next((one.text or "" for one in attachment.iterchildren("{*}*")
                   if etree.QName(one).localname == "Bestandsnaam"), "") if attachment is not None else ""
    return f"{place}-{stated}" if _PLAIN.fullmatch(stated) else str(place)
