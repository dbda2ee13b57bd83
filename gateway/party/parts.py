"""A message with files beside it, as a party sends it: as MTOM, signed as if their base64 stood in place.

In the file of a message `<xop:Include href="cid:NAME"/>` stands where the base64 of a file belongs; `mtom` makes such a
place of every attachment that is there in line.
"""

from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final, Protocol

from lxml import etree

from gateway.errors import Misconfigured, StorageError
from gateway.multipart import Package, Part
from gateway.names import XOP, clark
from gateway.ports import NewId
from gateway.security import DigestedBody, canonical, cut, digest_body, digest_filled
from gateway.soap import Element, put_in, take_out_of

MOST: Final = 100  # attachments of one message
_PIECE: Final = 262_144  # octets
_IN_LINE: Final = "in-line-"  # names that only `mtom` gives


class Source(Protocol):
    """The octets of a file, the same each time they are asked for."""

    @property
    def size(self) -> int: ...

    def __iter__(self) -> Iterator[bytes]: ...


Find = Callable[[str], Source]  # a file by the name that stands after `cid:`


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalFile:
    """A file that is read when it is sent, so that it is never in memory. Raises StorageError."""

    path: Path

    @property
    def size(self) -> int:
        try:
            return self.path.stat().st_size
        except OSError as error:
            raise self._unreadable(error) from error

    def __iter__(self) -> Iterator[bytes]:
        try:
            with self.path.open("rb") as file:
                while piece := file.read(_PIECE):
                    yield piece
        except OSError as error:
            raise self._unreadable(error) from error

    def _unreadable(self, error: OSError) -> StorageError:
        return StorageError(f"{self.path} can't be read ({error.strerror})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Octets:
    """A file that is small enough to be in memory."""

    octets: bytes

    @property
    def size(self) -> int:
        return len(self.octets)

    def __iter__(self) -> Iterator[bytes]:
        yield self.octets


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """A message in canonical form, cut where files belong, and these."""

    pieces: tuple[bytes, ...]
    files: tuple[Source, ...]

    def digest(self) -> bytes:
        """SHA-256 of the whole message."""
        return digest_filled(self.pieces, self.files, sha256())

    def body(self, nonce: str) -> DigestedBody:
        """The Body of the envelope that it goes in."""
        return digest_body(self.pieces, self.files, put_in(self.pieces, self._names(nonce)), nonce)

    def package(self, envelope: bytes, nonce: str, boundary: str) -> Package:
        """That envelope with the files."""
        return Package(boundary=boundary, root=envelope, parts=[
            Part(content_id=name, size=file.size, pieces=file)
            for name, file in zip(self._names(nonce), self.files, strict=True)])

    def _names(self, nonce: str) -> tuple[str, ...]:
        return tuple(f"{number}.{nonce}@bijlage" for number, _ in enumerate(self.files, 1))


def no_files(name: str) -> Source:
    """For a message that has all it needs in line. Raises Misconfigured."""
    raise Misconfigured(f"the message names a file '{name}' (xop:Include), and none was given")


def find_files(given: Mapping[str, Path], beside: Path) -> Find:
    """Files by name: those that were given, else those in a folder, by the name alone. Raises Misconfigured."""
    def find(name: str) -> Source:
        plain = Path(name).name == name
        path = given.get(name) or (beside / name if plain else None)
        if path is None or not path.is_file():
            raise Misconfigured(f"the message names a file '{name}' (xop:Include), which is not in {beside}; "
                                f"name it: --attach {name}=FILE")
        return LocalFile(path=path)
    return find


def part(element: Element, attached: Collection[str], new_id: NewId, find: Find, *, mtom: bool) -> Beside | None:
    """What of a message stands beside it; None: nothing. The placeholders in `element` are of no use afterwards.

    Takes   `attached`: the elements (Clark names) that hold attachments, for `mtom`.
    Raises  MalformedEnvelope for an xop:Include that says something else, and what `find` raises.
    """
    in_line = _make_places(element, attached) if mtom else {}
    if not _names_files(element):
        return None
    holes = take_out_of(element, new_id(), MOST)
    files = tuple(in_line.get(hole.content_id) or find(hole.content_id) for hole in holes)
    return Beside(pieces=cut(canonical(element), [hole.placeholder for hole in holes]), files=files)


def fill(element: Element, new_id: NewId, find: Find) -> None:
    """Put every file in its place, as base64: for a message that is encrypted, or sealed, as a whole."""
    if _names_files(element):
        for hole in take_out_of(element, new_id(), MOST):
            hole.element.text = b2a_base64(b"".join(find(hole.content_id)), newline=False).decode()


def _names_files(element: Element) -> bool:
    return next(element.iter(clark(XOP, "*")), None) is not None


def _make_places(element: Element, attached: Collection[str]) -> dict[str, Source]:
    """An xop:Include instead of each attachment in line; what stood there, by name. What is no base64 stays."""
    found: dict[str, Source] = {}
    for place in list(element.iter(*attached)) if attached else ():
        try:
            octets = b"" if len(place) else a2b_base64("".join((place.text or "").split()), strict_mode=True)
        except ValueError:
            continue
        if octets:
            name = f"{_IN_LINE}{len(found)}"
            found[name] = Octets(octets=octets)
            place.text = None
            etree.SubElement(place, clark(XOP, "Include"), href=f"cid:{name}")
    return found
