"""The reader of packages: what any stack writes is read, however the network cuts it; what two readers could
understand differently is refused.
"""

import re
from collections.abc import Callable
from contextlib import suppress
from email.parser import BytesParser
from email.policy import HTTP
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import MalformedEnvelope, StorageError, UnsupportedContent
from gateway.multipart import (
    Begin,
    Data,
    End,
    Package,
    PackageLimits,
    PackageType,
    Part,
    Reader,
    is_package,
    read_package_type,
)

TYPE = 'multipart/related; type="application/xop+xml"; boundary="{}"; start="<root@x>"; start-info="text/xml"'
ROOT_TYPE = b'application/xop+xml; charset=UTF-8; type="text/xml"'
ROOT = b"Content-Type: " + ROOT_TYPE + b"\r\nContent-ID: <root@x>\r\n\r\n<a/>"
FILE = b"Content-Type: application/pdf\r\nContent-Transfer-Encoding: binary\r\nContent-ID: <1@x>\r\n\r\n%PDF-\r\n--"
LIMITS = PackageLimits(parts=4, header_octets=300)


def package(*parts: bytes, boundary: bytes = b"b") -> bytes:
    return b"".join(b"--" + boundary + b"\r\n" + part + b"\r\n" for part in parts) + b"--" + boundary + b"--\r\n"


WELL = package(ROOT, FILE)


def read(octets: bytes, *cuts: int, boundary: str = "b", start: str | None = "root@x",
         limits: PackageLimits = LIMITS) -> list[tuple[Begin, bytes]]:
    """Every part with its whole content, when the octets come cut at these places."""
    reader = Reader(PackageType(boundary=boundary, start=start), limits)
    found: list[tuple[Begin, bytearray]] = []
    ended = 0
    places = [0, *sorted(cuts), len(octets)]
    for begin, end in pairwise(places):
        for event in reader.feed(octets[begin:end]):
            match event:
                case Begin():
                    assert ended == len(found)
                    found.append((event, bytearray()))
                case Data():
                    assert event.octets
                    assert ended == len(found) - 1
                    found[-1][1].extend(event.octets)
                case End():
                    ended += 1
    reader.close()
    assert ended == len(found)
    return [(begin, bytes(content)) for begin, content in found]


def test_the_parts_of_a_package_are_told_with_their_ids_types_and_octets():
    assert read(WELL) == [
        (Begin(content_id="root@x", media_type=ROOT_TYPE.decode()), b"<a/>"),
        (Begin(content_id="1@x", media_type="application/pdf"), b"%PDF-\r\n--"),
    ]


@settings(deadline=None)
@given(st.lists(st.integers(0, len(WELL)), max_size=8))
def test_any_cut_of_the_stream_tells_the_same(cuts):
    assert read(WELL, *cuts) == read(WELL)


def test_octet_by_octet_tells_the_same():
    assert read(WELL, *range(1, len(WELL))) == read(WELL)


@settings(deadline=None)
@given(content=st.lists(st.sampled_from([b"\r", b"\n", b"-", b"--", b"b", b"--a", b"\r\n--a", b"x"]), max_size=30),
       cuts=st.lists(st.integers(0, 200), max_size=6))
def test_content_that_looks_like_a_boundary_comes_through_or_is_refused_whole(content, cuts):
    """Whatever a part holds: it is read as it was written unless the boundary itself occurs in it."""
    octets = b"".join(content)
    whole = package(ROOT, FILE[:-9] + octets)
    if b"--b" in octets + b"\r\n":
        with pytest.raises(MalformedEnvelope):
            read(whole, *[cut for cut in cuts if cut <= len(whole)])
    else:
        assert read(whole, *[cut for cut in cuts if cut <= len(whole)])[1][1] == octets


@pytest.mark.parametrize("octets", [
    b"\r\n" + WELL, WELL[:-2],
    WELL.replace(b"Content-ID: <1@x>", b"content-id:<1@x>\r\nContent-Disposition: x;\r\n\tname=\xe9.pdf"),
    WELL.replace(b"binary", b"8BIT"), WELL.replace(b"Content-Transfer-Encoding: binary\r\n", b""),
    WELL.replace(b"Content-Type: application/pdf\r\n", b""),
], ids=["as CXF and WCF begin", "no line after the end", "folded, as JavaMail", "8bit", "no encoding", "no type"])
def test_what_other_stacks_write_is_read(octets):
    assert [content for _, content in read(octets)] == [b"<a/>", b"%PDF-\r\n--"]


@pytest.mark.parametrize("octets", [
    b"", b"--b", b"--b--\r\n", b"--b--", b"x\r\n" + WELL, b"\n" + WELL, b"\r\n\r\n" + WELL,
    WELL + b"x", WELL + b"\r\n", WELL[:-4], WELL[:-6], WELL[:-1],
    *(WELL.replace(b"--b\r\n", wrong, 1) for wrong in (b"--b \r\n", b"--b\n", b"--bc\r\n")),
    WELL.replace(b"<a/>\r\n--b", b"<a/>\n--b"), WELL.replace(b"<a/>\r\n--b", b"<a/>\r--b"),
    WELL.replace(b"<a/>\r\n--b", b"<a/>--b"), WELL.replace(b"<a/>", b"<a b='--b'/>"), WELL.replace(b"\r\n<a/>", b""),
    *(package(ROOT, wrong) for wrong in (b"Content-ID: <1@x>\r\n\r\n--b", b"\r\nx", b"Content-Type: a/b\r\n\r\nx")),
    package(ROOT, FILE, FILE), package(ROOT, FILE.replace(b"1@x", b"ROOT@x")), package(FILE, ROOT), package(FILE),
    package(ROOT, *(FILE.replace(b"1@", b"%d@" % number) for number in range(4))),
    package(ROOT.replace(b"root@x", b"other@x"), FILE),
    package(ROOT.replace(b"Content-ID: <root@x>\r\n", b""), FILE),
    WELL.replace(b"binary", b"base64"), WELL.replace(b"binary", b"quoted-printable"), WELL.replace(b"binary", b""),
    *(WELL.replace(b"<1@x>", wrong) for wrong in (
        b"1@x", b"<>", b"<1@x", b"<1 @x>", b"<1@x> ()", b"<<1@x>>", b"<\xe9>", b"<%s>" % (b"1" * 256),
        b"<1@x>\r\nContent-Id: <2@x>", b"<1@x>\r\n\x00: y", b"<1@x>\r\nX: \x00", b"<1@x>\nX: y", b"<1@x>\r\nX",
        b"<1@x>\r\nX: " + b"y" * 300)),
    WELL.replace(b"Content-ID: <1@x>", b" Content-ID: <1@x>"),
    *(WELL.replace(ROOT_TYPE, wrong) for wrong in (
        b"text/xml", b"", b"application/xop+xml", b'application/xop+xml; type="application/soap+xml"',
        b'application/xop+xml; charset=iso-8859-1; type="text/xml"',
        b'application/xop+xml; type="text/xml; charset=utf-16"',
        b'application/xop+xml; type="text/xml"; type="text/xml"', b'application/xop+xml; type="text/xml',
        b"\xff/\xff")),
])
def test_what_is_not_exactly_a_package_is_refused_by_one_error(octets):
    with pytest.raises(MalformedEnvelope):
        read(octets)
    with pytest.raises(MalformedEnvelope):
        read(octets, *range(1, len(octets)))


@settings(deadline=None)
@given(st.integers(0, len(WELL) - 3), st.binary(min_size=1, max_size=3))
def test_a_spoilt_package_is_refused_by_that_error_or_read(place, instead):
    """No other exception leaves the reader, whatever comes."""
    spoilt = WELL[:place] + instead + WELL[place + len(instead):]
    try:
        found = read(spoilt)
    except MalformedEnvelope:
        return
    assert len(found) in (1, 2)


@settings(deadline=None)
@given(st.integers(1, len(WELL) - 3))
def test_a_package_that_stops_early_is_never_whole(place):
    with pytest.raises(MalformedEnvelope):
        read(WELL[:place])


def test_no_start_means_the_first_part_whatever_its_id():
    assert read(WELL, start=None)[0][0].content_id == "root@x"
    assert read(package(ROOT.replace(b"Content-ID: <root@x>\r\n", b"")), start=None)[0][0].content_id is None


def test_headers_without_an_end_are_refused_before_more_is_held():
    reader = Reader(PackageType(boundary="b", start=None), LIMITS)
    reader.feed(b"--b\r\nX: " + b"y" * 290)
    with pytest.raises(MalformedEnvelope, match="300 octets of headers"):
        reader.feed(b"y" * 20)


# --- how much is looked at -------------------------------------------------------------------------------------------

class Counted(bytearray):
    """What the reader holds, counting the octets that searches pass."""

    passed = 0

    def find(self, sought: bytes, start: int = 0, end: int | None = None) -> int:
        found = super().find(sought, start, end)
        until = len(self) if end is None else min(end, len(self))
        self.passed += max((until if found < 0 else found + len(sought)) - start, 0)
        return found


def searched(boundary: str, body: bytes, piece: int) -> tuple[int, int]:
    """Octets that searches passed, and the most that was held, reading a package with this part piece by piece."""
    reader = Reader(PackageType(boundary=boundary, start=None), LIMITS)
    reader._held = held = Counted()
    most = 0
    octets = package(ROOT, b"Content-ID: <1@x>\r\n\r\n" + body, boundary=boundary.encode())
    for start in range(0, len(octets), piece):
        reader.feed(octets[start:start + piece])
        most = max(most, len(held))
    reader.close()
    assert reader._held is held
    return held.passed, most


@pytest.mark.parametrize(("boundary", "body"), [
    ("b", b"\r\n-" * 20_000), ("-" * 70, b"-\r\n" * 20_000), ("a" * 70, (b"\r\n--" + b"a" * 69) * 800),
    ("a" * 69 + "b", b"\r\n--" + b"a" * 60_000),
], ids=["line ends", "dashes", "all but the last", "no last"])
@pytest.mark.parametrize("piece", [1, 7, 1000, 65_536])
def test_each_octet_is_searched_a_bounded_number_of_times(boundary, body, piece):
    """Per piece no more than the piece and what a boundary's line takes; so the whole is linear in the whole."""
    passed, most = searched(boundary, body, piece)
    whole, line = len(body) + 600, len(boundary) + 4
    assert passed <= whole + (whole // piece + 1) * line
    assert most <= max(line, 300)  # a boundary's line, or a block of headers


# --- Content-Type ----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("value", "boundary", "start"), [
    (TYPE.format("b"), "b", "root@x"),
    ('Multipart/Related;type=application/xop+xml;START="<http://tempuri.org/0>";boundary="uuid:1+id=1";'
     'start-info="text/xml"', "uuid:1+id=1", "http://tempuri.org/0"),
    ('multipart/related; charset=utf-8; boundary="==a+b==";  type="application/xop+xml"; start="<SOAP-ENV:Envelope>";'
     ' start-info="text/xml; charset=utf-8";', "==a+b==", "SOAP-ENV:Envelope"),
    ('multipart/related; type="Application/XOP+XML"; start-info="text\\/xml"; boundary=b', "b", None),
    ('multipart/related; type="application/xop+xml"; start-info="text/xml"; boundary=b; start=root@x', "b", "root@x"),
], ids=["ours", "WCF", "gSOAP", "quoted", "bare start"])
def test_the_content_type_of_other_stacks_is_read(value, boundary, start):
    assert read_package_type(value) == PackageType(boundary=boundary, start=start)
    assert is_package(value)


@pytest.mark.parametrize("value", [
    "multipart/related", "multipart/mixed; boundary=b", TYPE.format(""), TYPE.format("b" * 71), TYPE.format("a b"),
    TYPE.format("b").replace("xop+xml", "xml"), TYPE.format("b").replace("application/xop+xml", "text/xml"),
    TYPE.format("b").replace("start-info", "info"), TYPE.format("b").replace('"text/xml"', '"application/soap+xml"'),
    TYPE.format("b") + "; boundary=c", TYPE.format("b").replace("<root@x>", "<>"),
    TYPE.format("b").replace("<root@x>", "a b"), TYPE.format("b").replace("boundary=", "boundary*0="),
    TYPE.format("b") + '; x="', TYPE.format("b") + " " * 1024,
    TYPE.format("\xe9"), TYPE.format("b\r\nX: y"), "multipart/related, " + TYPE.format("b"), TYPE.format("b") + "; x",
])
def test_another_content_type_is_unsupported(value):
    with pytest.raises(UnsupportedContent):
        read_package_type(value)


@settings(deadline=None)
@given(st.text(alphabet='abtemulipr/x+;="<>-\\ \t', max_size=40))
def test_a_content_type_of_any_text_is_read_or_refused_by_one_error(text):
    with suppress(UnsupportedContent):
        read_package_type("multipart/related;" + text + TYPE.format("b")[17:])


def test_only_multipart_claims_to_be_a_package():
    assert not is_package("text/xml; charset=utf-8")
    assert is_package(" MULTIPART/form-data")


# --- the writer ------------------------------------------------------------------------------------------------------

def written(*contents: bytes) -> Package:
    return Package(boundary="6d-b", root=b"<r/>", parts=[
        Part(content_id=f"{number}@x", size=len(content), pieces=[content[:5], content[5:]], media_type="image/png")
        for number, content in enumerate(contents)])


@settings(deadline=None)
@given(st.lists(st.binary(max_size=40).filter(lambda octets: b"6d-b" not in octets), max_size=3))
def test_what_is_written_is_read_back_and_as_long_as_said(contents):
    sent = written(*contents)
    octets = b"".join(sent)
    said = read_package_type(sent.content_type)
    assert len(octets) == sent.length
    assert [content for _, content in read(octets, boundary=said.boundary, start=said.start)] == [b"<r/>", *contents]


def test_python_s_own_mail_parser_reads_the_same():
    sent = written(b"\x00\xff\r\n--6d-", b"")
    head = f"Content-Type: {sent.content_type}\r\n\r\n".encode()
    message = BytesParser(policy=HTTP).parsebytes(head + b"".join(sent))
    parts = message.get_payload()
    assert message.get_param("start") == f"{parts[0]['Content-ID']}"
    assert [re.sub("[<>]", "", part["Content-ID"]) for part in parts[1:]] == ["0@x", "1@x"]
    assert [part.get_payload(decode=True) for part in parts] == [b"<r/>", b"\x00\xff\r\n--6d-", b""]
    assert not message.defects
    assert not any(part.defects for part in parts)


@pytest.mark.parametrize("change", [lambda size: size - 1, lambda size: size + 1], ids=["grown", "shrunk"])
def test_a_file_that_changed_while_it_was_sent_ends_the_sending(change: Callable[[int], int]):
    sent = Package(boundary="b", root=b"<r/>", parts=[Part(content_id="1@x", size=change(4), pieces=[b"ab", b"cd"])])
    out: list[bytes] = []
    with pytest.raises(StorageError, match="send it again"):
        out.extend(sent)
    assert not any(b"--b--" in piece for piece in out)
