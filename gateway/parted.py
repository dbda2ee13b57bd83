"""A message with its files apart: they came, or go, as parts of their own (MTOM), and never stand in one text.

In its canonical octets each file is held by a placeholder that nobody could have written (soap/xop.py). `chunks` puts
the files back as base64 without white space: what is digested, sent in line and told of in evidence is the message as
its sender signed it, to the octet (XOP 1.0 §3, the reconstituted infoset; canonical XML leaves base64 as it is).
"""

from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from hashlib import sha256


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFacts:
    """What is known of a file once it has arrived, for the checks of validation."""

    octets: int
    sha256: str  # hex
    begins: bytes = field(repr=False)  # its first octets, enough to know a media type by


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a file belongs."""

    placeholder: str
    octets: int  # of the file


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Parted:
    """The canonical octets of an element, with a placeholder for each of the files."""

    octets: bytes = field(repr=False)
    places: tuple[Place, ...]  # by the number of the file, in the order of the message as it came
    upload: str  # under which the files lie in the store
    key: bytes = field(repr=False)  # that they are sealed with
    read: Callable[[int], Iterator[bytes]] = field(repr=False)  # a file by its number, in pieces
    digest: bytes | None = None  # SHA-256 of the whole, where it was made before

    def of(self, octets: bytes) -> "Parted":
        """Another element with the same files."""
        return replace(self, octets=octets, digest=None)

    def parts(self) -> Iterator[tuple[int, int, int]]:
        """What stands before, between and after the files: the number of the file before it (-1: none), begin, end.

        Raises  ValueError when a file has no place in the octets.
        """
        found, start = list[tuple[int, int]](), 0
        for number, place in enumerate(self.places):
            mark = place.placeholder.encode()
            at = self.octets.find(mark, start)
            if at < 0:  # a mapping to another version may have changed the order
                at = self.octets.index(mark)
            found.append((at, number))
            start = at + len(mark)
        begin, before = 0, -1
        for at, number in sorted(found):
            yield before, begin, at
            begin, before = at + len(self.places[number].placeholder), number
        yield before, begin, len(self.octets)

    def chunks(self) -> Iterator[bytes | memoryview]:
        """The octets with the files put back, piece by piece. Raises what reading the files raises."""
        octets = memoryview(self.octets)
        for number, begin, end in self.parts():
            if number >= 0:
                yield from _base64(self.read(number))
            yield octets[begin:end]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileOctets:
    """One file, to be read as often as it is sent."""

    parted: Parted
    number: int

    def __iter__(self) -> Iterator[bytes]:
        return self.parted.read(self.number)


Payload = bytes | Parted  # an element in canonical form


def plain(payload: Payload) -> bytes:
    """The octets as they stand, with placeholders where files are."""
    return payload.octets if isinstance(payload, Parted) else payload


def chunks(payload: Payload) -> Iterable[bytes | memoryview]:
    """The whole element, piece by piece."""
    return payload.chunks() if isinstance(payload, Parted) else (payload,)


def whole(payload: Payload) -> bytes:
    """The whole element at once; for what is known not to be large."""
    return b"".join(payload.chunks()) if isinstance(payload, Parted) else payload


def length(payload: Payload) -> int:
    """Octets of the whole element."""
    if isinstance(payload, bytes):
        return len(payload)
    return len(payload.octets) + sum((one.octets + 2) // 3 * 4 - len(one.placeholder) for one in payload.places)


def digest(payload: Payload) -> bytes:
    """SHA-256 of the whole element."""
    if isinstance(payload, Parted) and payload.digest is not None:
        return payload.digest
    hashed = sha256()
    for octets in chunks(payload):
        hashed.update(octets)
    return hashed.digest()


def _base64(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Base64 of a file that comes in pieces of any length."""
    rest = b""
    for piece in pieces:
        octets = rest + piece if rest else piece
        whole = len(octets) // 3 * 3
        rest = octets[whole:]
        yield b64encode(octets[:whole])
    yield b64encode(rest)
