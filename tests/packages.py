"""Messages with files as a foreign stack sends them in MTOM: signed whole, then taken apart. No code of
gateway/ writes them; `feed` hands them to the hub.

The files never stand in the tree: a token does, and digests are made of its canonical octets with base64 of the file in
place of each token. So a test of a hundred megabytes needs none itself.
"""

import hashlib
import re
import uuid
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from lxml import etree

from gateway.multipart import PackageLimits, Reader, read_package_type
from gateway.pipeline import begin, decline
from gateway.transport.packages import Arrival
from gateway.values import Received, Reply
from tests import foreign
from tests.foreign import D, S, U
from tests.line import Line

XOP = "http://www.w3.org/2004/08/xop/include"
RB = "/soap/rechtbank/1.0/shv"
PETITION = (Path(__file__).parents[1] / "xsd/rechtbank/1.0/examples/valid/VerzoekschriftWsnp-minimaal.xml").read_text()
_FILE = re.compile(r"<kn:Bijlage>.*?</kn:Bijlage>", re.DOTALL)
_BLOCK = bytes(range(256)) * 192  # 48 KiB: whole groups of base64, as every file's length here is but for its end
_PIECE = 48 * 1024


@dataclass(frozen=True, kw_only=True)
class File:
    """A document of so many octets, that begins as a PDF."""

    size: int
    mark: bytes = b"1.7"

    def __iter__(self) -> Iterator[bytes]:
        head = b"%PDF-" + self.mark + b"\n"
        left = self.size
        block = (head + _BLOCK)[:_PIECE]
        while left > 0:
            yield block[:left]
            left -= len(block)
            block = _BLOCK

    @property
    def octets(self) -> bytes:
        return b"".join(self)

    @cached_property
    def sha256(self) -> str:
        hashed = hashlib.sha256()
        for piece in self:
            hashed.update(piece)
        return hashed.hexdigest()


def petition(files: Sequence[File], **fields: str) -> bytes:
    """A valid message to the court, with a token in the place of each file's content."""
    text = PETITION
    for name, value in {"Referentienummer": str(uuid.uuid4()), "ConversatieReferentienummer": str(uuid.uuid4()),
                        **fields}.items():
        text = re.sub(rf"(<kn:{name}>)[^<]*(</)", rf"\g<1>{value}\g<2>", text, count=1)
    block = _FILE.search(text)[0]
    blocks = [
        re.sub(r"<kn:Inhoud>.*?</kn:Inhoud>\s*<kn:HashSHA256>.*?</kn:HashSHA256>",
               f"<kn:Inhoud>{token(number)}</kn:Inhoud><kn:HashSHA256>{file.sha256}</kn:HashSHA256>",
               block, flags=re.DOTALL)
        for number, file in enumerate(files)]
    return text.replace(block, "".join(blocks)).encode()


def token(number: int) -> str:
    return f"@@file-{number:03d}@@"


_TOKEN = re.compile(rb"@@file-(\d{3})@@")


def whole(octets: bytes, files: Sequence[File]) -> Iterator[bytes]:
    """Octets with base64 of each file in place of its token."""
    for number, one in enumerate(_TOKEN.split(octets)):
        if number % 2:
            yield from (b64encode(piece) for piece in files[int(one)])
        else:
            yield one


def in_line(child: bytes, files: Sequence[File]) -> bytes:
    """The same message as it goes in one XML document."""
    return b"".join(whole(child, files))


def digest(octets: bytes, files: Sequence[File], name: str = "sha256") -> bytes:
    hashed = hashlib.new(name)
    for piece in whole(octets, files):
        hashed.update(piece)
    return hashed.digest()


@dataclass(kw_only=True)
class Package:
    """A package under construction; every field may be bent before `octets` is asked."""

    root: bytes  # the envelope
    files: Sequence[File]
    ids: list[str]  # Content-ID of each file
    root_id: str = "<root@foreign.example>"
    boundary: str = "uuid:8d1c6f0e-MIME"
    root_type: str = 'application/xop+xml; charset=UTF-8; type="text/xml"'
    extra: str = ""  # headers of each file's part
    order: list[int] = field(default_factory=list)
    end: str = "--\r\n"

    @property
    def content_type(self) -> str:
        return (f'multipart/related; type="application/xop+xml"; start="{self.root_id}"; start-info="text/xml"; '
                f'boundary="{self.boundary}"')

    def __iter__(self) -> Iterator[bytes]:
        yield (f"--{self.boundary}\r\nContent-Type: {self.root_type}\r\nContent-ID: {self.root_id}\r\n"
               "Content-Transfer-Encoding: binary\r\n\r\n").encode() + self.root
        for number in self.order or range(len(self.files)):
            yield (f"\r\n--{self.boundary}\r\nContent-Type: application/pdf\r\nContent-ID: {self.ids[number]}\r\n"
                   f"{self.extra}\r\n").encode()
            yield from self.files[number]
        yield f"\r\n--{self.boundary}{self.end}".encode()

    def with_root(self, change: Callable[[etree._Element], object]) -> "Package":
        """The same with its envelope bent by who cannot sign."""
        root = etree.fromstring(self.root)
        change(root)
        return replace(self, root=etree.tostring(root))


def wrap(line: Line, child: bytes, files: Sequence[File], *, path: str = RB, **changes: object) -> Package:
    """The message in a signed package; `changes` bend the envelope (fields of foreign.Plan)."""
    return pack(line.plan(child, path=path, **changes), files)


def pack(plan: foreign.Plan, files: Sequence[File]) -> Package:
    """What is planned in a signed package."""
    root = foreign.build(plan)
    _digest_whole(root, files)
    foreign.resign(root, plan.identity, digests=False)
    return apart(root, files)


def apart(root: etree._Element, files: Sequence[File]) -> Package:
    """A signed envelope with tokens, taken apart."""
    package = Package(root=b"", files=files, ids=[f"<file-{number}@foreign.example>" for number in range(len(files))])
    for element in root.iter():
        found = re.fullmatch(r"@@file-(\d{3})@@", element.text or "")
        if found:
            element.text = None
            etree.SubElement(element, f"{{{XOP}}}Include", nsmap={"xop": XOP}).set(
                "href", "cid:" + package.ids[int(found[1])][1:-1])
    package.root = foreign.octets(root)
    return package


def _digest_whole(root: etree._Element, files: Sequence[File]) -> None:
    body = root.find(f"{{{S}}}Body")
    for reference in root.iter(f"{{{D}}}Reference"):
        if reference.get("URI") == "#" + body.get(f"{{{U}}}Id"):
            algorithm = foreign.HASHES[reference.find(f"{{{D}}}DigestMethod").get("Algorithm")]
            value = digest(foreign.canonical(body), files, algorithm)
            reference.find(f"{{{D}}}DigestValue").text = b64encode(value).decode()


def post(line: Line, package: Package, *, path: str = RB, party: str = "gemeente", cut: int | None = None) -> Reply:
    """What the hub answers to this package, as its listener hands it on; `cut`: only so many octets of it."""
    return feed(line, package.content_type, package, path=path, party=party, cut=cut)


def feed(line: Line, content_type: str, octets: Iterator[bytes] | Package, *, path: str = RB,
         party: str = "gemeente", cut: int | None = None) -> Reply:
    received = Received(octets=b"", path=path, content_type="text/xml", soap_action='""', peer=line.peer(party),
                        at=line.at, takes_mtom=True)
    arrival = Arrival(
        received, Reader(read_package_type(content_type), PackageLimits()), now=lambda: line.at,
        begin=lambda received, root: begin(received, root, line.gate),
        refuse=lambda received, error: decline(received, error, line.gate), max_octets=line.gate.limits.max_octets)
    sent = 0
    for piece in octets:
        piece = piece if cut is None else piece[:cut - sent]
        sent += len(piece)
        reply = arrival.feed(piece)
        if reply is not None:
            return reply
    return arrival.end()
