"""multipart/related with a XOP root, as MTOM sends it: read piece by piece, and written.

The reader holds no more than one block of headers or a boundary's length of a part, and looks at each octet a bounded
number of times. What two readers could understand differently is refused, and always by one error: a boundary that is
not alone on its line, folded or doubled fields that matter, text before the first part or after the last, a part that
is encoded once more, a Content-ID that is missing or comes twice.

Source: RFC 2046 §5.1, RFC 2387, RFC 2392, XOP 1.0 §4, SOAP 1.1 Binding for MTOM 1.0.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NoReturn, Protocol

from gateway.errors import MalformedEnvelope, StorageError, UnsupportedContent

XOP_XML: Final = "application/xop+xml"
ROOT_TYPE: Final = f'{XOP_XML}; charset=UTF-8; type="text/xml"'
_ROOT_ID: Final = "bericht@schuldenknooppunt"  # of the root that we write
_OCTETS: Final = "application/octet-stream"
_MEDIA_TYPE: Final = re.compile(
    r"""([\w.+-]+/[\w.+-]+)[ \t]*((?:;[ \t]*[\w-]+=(?:[^\s;"\\]+|"(?:[^"\\]|\\.)*")[ \t]*)*);?[ \t]*""", re.ASCII)
_PARAMETER: Final = re.compile(r""";[ \t]*([\w-]+)=(?:([^\s;"\\]+)|"((?:[^"\\]|\\.)*)")""", re.ASCII)
_BOUNDARY: Final = re.compile(r"[0-9A-Za-z'()+_,./:=?-]{1,70}", re.ASCII)
_CONTENT_ID: Final = re.compile(r"<([!#-;=?-\[\]-~]{1,255})>", re.ASCII)  # visible, without " < > \
_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", re.ASCII)
_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_LONGEST: Final = 1024  # characters of a Content-Type; the patterns' time grows with the square of white space
_AS_IT_IS: Final = frozenset(("binary", "8bit", "7bit"))


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageType:
    """What the Content-Type of a package says."""

    boundary: str
    start: str | None  # Content-ID of the root, without brackets; None: the first part


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageLimits:
    """Bounds on what is around the parts. How large a part may be is for who takes its octets."""

    parts: int = 101  # the root and what a message may have of attachments
    header_octets: int = 4096  # of one part


@dataclass(frozen=True, slots=True, kw_only=True)
class Begin:
    """A part begins; the first is the root."""

    content_id: str | None  # without brackets; only a root that nothing names may have none
    media_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """Octets of the part that began last; how they are cut says nothing."""

    octets: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """The part is whole."""


Event = Begin | Data | End


def is_package(content_type: str) -> bool:
    """Does this Content-Type claim to be multipart?"""
    return content_type.lstrip(" \t")[:10].lower() == "multipart/"


def read_package_type(content_type: str) -> PackageType:
    """The Content-Type of a package. Raises UnsupportedContent where it is not MTOM's for SOAP 1.1."""
    read = _media_type(content_type)
    if read is None or read[0] != "multipart/related":
        raise UnsupportedContent("multipart, but not a well-formed multipart/related")
    said = read[1]
    inner = _media_type(said.get("start-info", ""))
    if said.get("type", "").lower() != XOP_XML or inner is None or inner[0] != "text/xml":
        raise UnsupportedContent(f'a package has type="{XOP_XML}" and start-info="text/xml" (MTOM for SOAP 1.1)')
    boundary, start = said.get("boundary", ""), said.get("start")
    if not _BOUNDARY.fullmatch(boundary):
        raise UnsupportedContent("no boundary, or one that RFC 2046 does not know")
    if start is None:
        return PackageType(boundary=boundary, start=None)
    named = _CONTENT_ID.fullmatch(start) or _CONTENT_ID.fullmatch(f"<{start}>")
    if named is None:
        raise UnsupportedContent("start is no Content-ID")
    return PackageType(boundary=boundary, start=named[1])


class Reader:
    """One package, as its octets come: `feed` them all, then `close`."""

    def __init__(self, package: PackageType, limits: PackageLimits) -> None:
        self._package, self._limits = package, limits
        self._mark = b"--" + package.boundary.encode("ascii")
        self._held = bytearray()  # what is not told of yet
        self._ids: set[str] = set()
        self._parts = 0
        self._looked = 0  # how much of a block of headers holds no end of it
        self._step: Callable[[list[Event]], bool] = self._opening

    def feed(self, octets: bytes) -> list[Event]:
        """What these octets, after those before, tell. Raises MalformedEnvelope; after that nothing more is asked."""
        self._held += octets
        events: list[Event] = []
        while self._step(events):
            pass
        return events

    def close(self) -> None:
        """The stream has ended. Raises MalformedEnvelope when the package has not."""
        if self._step != self._epilogue or self._held == b"\r":
            _refuse("the package ends before its last boundary")

    def _opening(self, events: list[Event]) -> bool:
        """At most an empty line stands before the first boundary: several stacks begin with the line's end of it."""
        if len(self._held) < len(self._mark) + 2:
            return False
        at = 2 if self._held.startswith(b"\r\n") else 0
        if not self._held.startswith(self._mark, at):
            _refuse("the package does not begin with its boundary")
        del self._held[:at + len(self._mark)]
        self._step = self._after_mark
        return True

    def _after_mark(self, events: list[Event]) -> bool:
        if len(self._held) < 2:
            return False
        end = bytes(self._held[:2])
        del self._held[:2]
        if end == b"\r\n":
            self._parts += 1
            if self._parts > self._limits.parts:
                _refuse(f"more than {self._limits.parts} parts")
            self._step, self._looked = self._headers, 0
        elif end == b"--" and self._parts:
            self._step = self._epilogue
        else:
            _refuse("a boundary is not alone on its line")
        return True

    def _headers(self, events: list[Event]) -> bool:
        most = self._limits.header_octets
        end = self._held.find(b"\r\n\r\n", self._looked, most + 4)
        if end < 0:
            if len(self._held) > most:
                _refuse(f"a part has more than {most} octets of headers")
            self._looked = max(len(self._held) - 3, 0)
            return False
        events.append(self._begin(_fields(self._held[:end].decode("latin-1"))))
        del self._held[:end + 4]
        self._step = self._data
        return True

    def _begin(self, fields: Mapping[str, str]) -> Begin:
        if fields.get("content-transfer-encoding", "binary").lower() not in _AS_IT_IS:
            _refuse("a part has a Content-Transfer-Encoding; MTOM sends octets as they are")
        root, stated = self._parts == 1, fields.get("content-id")
        named = None if stated is None else _CONTENT_ID.fullmatch(stated)
        identifier = None if named is None else named[1]
        if identifier is None and (stated is not None or not root):
            _refuse("a part has no Content-ID, or one that is not <…>")
        if root and self._package.start not in (None, identifier):
            _refuse("the root that start names is not the first part")
        if root and not _is_root(fields.get("content-type", "")):
            _refuse(f"the root is not {ROOT_TYPE}")
        if identifier is not None:
            if identifier.casefold() in self._ids:
                _refuse("a Content-ID comes twice")
            self._ids.add(identifier.casefold())
        return Begin(content_id=identifier, media_type=fields.get("content-type", _OCTETS))

    def _data(self, events: list[Event]) -> bool:
        """Octets until the boundary's line; the two before it are the line's, so they are held back too."""
        at = self._held.find(self._mark)
        if at < 0:
            self._tell(events, len(self._held) - len(self._mark) - 1)
            return False
        if self._held[max(at - 2, 0):at] != b"\r\n":
            _refuse("a boundary stands inside a line")
        self._tell(events, at - 2)
        del self._held[:2 + len(self._mark)]
        events.append(End())
        self._step = self._after_mark
        return True

    def _tell(self, events: list[Event], size: int) -> None:
        if size > 0:
            with memoryview(self._held) as held:
                events.append(Data(octets=bytes(held[:size])))
            del self._held[:size]

    def _epilogue(self, events: list[Event]) -> bool:
        if not b"\r\n".startswith(self._held):
            _refuse("octets after the last boundary")
        return False


class Sink(Protocol):
    """Who takes the parts after the root. Each method may raise any GatewayError: then nothing more is given."""

    def open(self, content_id: str) -> None:
        """A part begins; one at a time."""

    def write(self, octets: bytes) -> None:
        """More of it."""

    def close(self) -> None:
        """That was all of it."""


def sort_out(package: PackageType, pieces: Iterable[bytes], sink: Sink, *, max_root: int,
             limits: PackageLimits | None = None) -> bytes:
    """The root of a package that comes in pieces; every other part goes to `sink`.

    Raises  MalformedEnvelope, also for a root of more than `max_root` octets, and what the sink raises.
    """
    reader, root, parts = Reader(package, limits or PackageLimits()), bytearray(), 0
    for piece in pieces:
        for event in reader.feed(piece):
            if isinstance(event, Begin):
                parts += 1
                if parts > 1:
                    assert event.content_id is not None, "the reader lets no other part pass"
                    sink.open(event.content_id)
            elif parts > 1:
                sink.write(event.octets) if isinstance(event, Data) else sink.close()
            elif isinstance(event, Data):
                root += event.octets
                if len(root) > max_root:
                    _refuse(f"the root has more than {max_root} octets")
    reader.close()
    return bytes(root)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """An attachment to be written."""

    content_id: str  # without brackets
    size: int  # octets that `pieces` gives
    pieces: Iterable[bytes]  # each time it is iterated over: what was not answered is sent again
    media_type: str = _OCTETS


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """A package to be written: iterate over its octets; how many they are is known before."""

    boundary: str  # random: it must occur in no part
    root: bytes
    parts: Sequence[Part]

    @property
    def content_type(self) -> str:
        """Of the HTTP message that carries it."""
        return (f'multipart/related; type="{XOP_XML}"; boundary="{self.boundary}"; start="<{_ROOT_ID}>"; '
                f'start-info="text/xml"')

    @property
    def length(self) -> int:
        """Octets of the whole."""
        heads = sum(len(self._head(part.content_id, part.media_type)) + part.size for part in self.parts)
        return len(self._head(_ROOT_ID, ROOT_TYPE)) - 2 + len(self.root) + heads + len(self._tail())

    def __iter__(self) -> Iterator[bytes]:
        """The octets, piece by piece. Raises StorageError where a part is not of the size it was said to be."""
        yield self._head(_ROOT_ID, ROOT_TYPE)[2:] + self.root
        for part in self.parts:
            yield self._head(part.content_id, part.media_type)
            left = part.size
            for piece in part.pieces:
                left -= len(piece)
                if left < 0:
                    break
                yield piece
            if left:
                raise StorageError("an attachment is not as large as it was when it was looked at; send it again")
        yield self._tail()

    def _head(self, content_id: str, media_type: str) -> bytes:
        return (f"\r\n--{self.boundary}\r\nContent-Type: {media_type}\r\nContent-Transfer-Encoding: binary\r\n"
                f"Content-ID: <{content_id}>\r\n\r\n").encode("ascii")

    def _tail(self) -> bytes:
        return f"\r\n--{self.boundary}--\r\n".encode("ascii")


def _refuse(reason: str) -> NoReturn:
    raise MalformedEnvelope(f"multipart: {reason}")


def _media_type(value: str) -> tuple[str, dict[str, str]] | None:
    """Type in lower case and parameters by name in lower case; None where it is not well-formed, or says one twice."""
    whole = _MEDIA_TYPE.fullmatch(value.strip(" \t")) if len(value) <= _LONGEST else None
    if whole is None:
        return None
    parameters: dict[str, str] = {}
    for name, bare, quoted in _PARAMETER.findall(whole[2]):
        if name.lower() in parameters:
            return None
        parameters[name.lower()] = bare or re.sub(r"\\(.)", r"\1", quoted)
    return whole[1].lower(), parameters


def _is_root(content_type: str) -> bool:
    """XOP 1.0 §4.1: application/xop+xml, whose own type is that of SOAP 1.1; in UTF-8 (WS006)."""
    read = _media_type(content_type)
    if read is None or read[0] != XOP_XML or read[1].get("charset", "utf-8").lower() != "utf-8":
        return False
    inner = _media_type(read[1].get("type", ""))
    return inner is not None and inner[0] == "text/xml" and inner[1].get("charset", "utf-8").lower() == "utf-8"


def _fields(block: str) -> dict[str, str]:
    """The headers of one part, by name in lower case."""
    fields: dict[str, str] = {}
    for line in re.sub(r"\r\n[ \t]+", " ", block).split("\r\n"):
        name, colon, value = line.partition(":")
        if not colon or not _NAME.fullmatch(name) or _CONTROL.search(value):
            _refuse("a part's headers are not lines of `name: value`")
        if name.lower() in fields:
            _refuse("a part has a header twice")
        fields[name.lower()] = value.strip(" \t")
    return fields
