"""Packages of MTOM that say one thing to who signs and another to who reads (standards catalogue 5.4, MTOM)."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from lxml import etree

from gateway.errors import AttachmentWrong, GatewayError, MalformedEnvelope, SignatureInvalid
from tests.foreign import D, U
from tests.hostile.attack import SURNAME, Target, add
from tests.line import KN, POSTBUS
from tests.packages import RB, XOP, File, Package, petition, post, wrap

pytestmark = pytest.mark.clause("§5.4", "§3.9")

FILES = [File(size=2_000), File(size=3_000)]
INCLUDE = f"{{{XOP}}}Include"


def package(target: Target) -> Package:
    return wrap(target.line, petition(FILES, Achternaam=SURNAME), FILES)


def repelled(target: Target, sent: Package, *errors: type[GatewayError], read: bool = True, reason: str = "",
             path: str = RB) -> None:
    """`read`: as far as the envelope; else the package itself was refused before it."""
    target.repels(sent.root if read else b"", *errors, read=read, reason=reason, path=path,
                  via=lambda _: post(target.line, sent, path=path))


def test_a_good_package_passes(target: Target) -> None:
    assert post(target.line, package(target)).status == 200


def first(root: etree._Element) -> etree._Element:
    return next(root.iter(INCLUDE))


def elsewhere(root: etree._Element, tag: str) -> None:
    """The first Include as the only content of another element."""
    place = next(root.iter(tag))
    place.text = None
    place.append(first(root))


@pytest.mark.incident("CVE-2022-46364")
@pytest.mark.parametrize("bend", [
    lambda root: add(first(root).getparent(), f"{{{KN}}}Naam", "x"),
    lambda root: setattr(first(root).getparent(), "text", "QUJD"),
    lambda root: setattr(first(root), "tail", " "),
    lambda root: setattr(first(root), "text", "QUJD"),
    lambda root: first(root).set("type", "x"),
    lambda root: first(root).set(f"{{{U}}}Id", "_1"),
    lambda root: add(first(root), INCLUDE, href="cid:file-1@foreign.example"),
    lambda root: first(root).getparent().append(etree.fromstring(etree.tostring(first(root)))),
    lambda root: setattr(first(root), "tag", f"{{{XOP}}}Exclude"),
    lambda root: elsewhere(root, f"{{{D}}}SignatureValue"),
    lambda root: elsewhere(root, f"{{{D}}}DigestValue"),
    lambda root: elsewhere(root, f"{{{U}}}Created"),
    lambda root: elsewhere(root, f"{{{KN}}}Bestandsnaam"),
    lambda root: elsewhere(root, f"{{{KN}}}Achternaam"),
    lambda root: elsewhere(root, f"{{{KN}}}HashSHA256"),
], ids=["a sibling", "text before it", "white space after it", "content", "an attribute", "an id", "one inside another",
        "two beside each other", "another element of XOP", "for SignatureValue", "for a digest", "for a time",
        "for a file name", "for a surname", "for a hash"])
def test_an_include_that_is_not_the_content_of_an_attachment_alone(
    target: Target, bend: Callable[[etree._Element], object]
) -> None:
    repelled(target, package(target).with_root(bend), MalformedEnvelope)


@pytest.mark.incident("CVE-2022-46364")
@pytest.mark.parametrize("href", [
    "{canary}", "{file}", "cid:", "CID", "file-0@foreign.example", "#_1", "data:,x", "cid:root@foreign.example",
    "cid:file-1@foreign.example", "cid:file-9@foreign.example", "cid:%66ile-1@foreign.example", " cid:file-0@x", ""])
def test_an_href_that_leads_elsewhere(target: Target, href: str) -> None:
    """Out of the package, to the envelope, to another's part, to none: nothing is fetched, nothing stands in."""
    repelled(target, package(target).with_root(lambda root: first(root).set("href", target.plant(href))),
             MalformedEnvelope)


def test_another_namespace_than_that_of_xop(target: Target) -> None:
    """It is no Include then, and its part is nobody's."""
    sent = package(target)
    repelled(target, replace(sent, root=sent.root.replace(XOP.encode(), XOP.encode() + b"#")), MalformedEnvelope)


@pytest.mark.parametrize("bend", [
    lambda sent: replace(sent, files=[*FILES, File(size=9)], ids=[*sent.ids, "<more@foreign.example>"]),
    lambda sent: replace(sent, order=[0]),
    lambda sent: replace(sent, order=[0, 1, 1]),
    lambda sent: replace(sent, ids=["<file-0@foreign.example>", "<file-0@foreign.example>"]),
    lambda sent: replace(sent, end=""),
    lambda sent: replace(sent, end="--\r\n--x--\r\n"),
    lambda sent: replace(sent, end="-- and more"),
    lambda sent: replace(sent, files=[File(size=2_000, mark=f"1.7\r\n--{sent.boundary}\r\n\r\n".encode()), FILES[1]]),
], ids=["a part too many", "a part too few", "a part twice", "one Content-ID for two", "no end", "a second end",
        "more on the line", "a boundary in a file"])
def test_a_package_that_is_not_what_its_envelope_says(target: Target, bend: Callable[[Package], Package]) -> None:
    repelled(target, bend(package(target)), MalformedEnvelope)


@pytest.mark.parametrize("bend", [
    lambda sent: replace(sent, ids=["<root@foreign.example>", sent.ids[1]]),
    lambda sent: replace(sent, extra="Content-Transfer-Encoding: base64\r\n"),
    lambda sent: replace(sent, extra="Content-Transfer-Encoding: quoted-printable\r\n"),
    lambda sent: replace(sent, extra="Content-ID: <file-1@foreign.example>\r\n"),
    lambda sent: replace(sent, extra="X: " + "x" * 5000 + "\r\n"),
], ids=["the root's Content-ID", "base64", "quoted-printable", "two Content-IDs", "endless headers"])
def test_a_part_whose_headers_two_readers_may_read_differently(
    target: Target, bend: Callable[[Package], Package]
) -> None:
    """With what came in one go with them the envelope goes unread."""
    repelled(target, bend(package(target)), MalformedEnvelope, read=False)


@pytest.mark.parametrize("bend", [
    lambda sent: replace(sent, root_type="text/xml; charset=utf-8"),
    lambda sent: replace(sent, root_type='application/xop+xml; type="application/soap+xml"'),
    lambda sent: replace(sent, root_type='application/xop+xml; charset=utf-16; type="text/xml"'),
], ids=["text/xml", "of SOAP 1.2", "in another encoding"])
def test_an_envelope_that_is_not_said_to_be_one(target: Target, bend: Callable[[Package], Package]) -> None:
    repelled(target, bend(package(target)), MalformedEnvelope, read=False)


@pytest.mark.parametrize("files", [
    [File(size=2_000, mark=b"1.6"), FILES[1]], [File(size=1_999), FILES[1]], [FILES[1], FILES[0]],
], ids=["one octet", "its end", "in each other's place"])
def test_a_file_that_was_changed(target: Target, files: list[File]) -> None:
    """The signature covers every octet of every file, and which is which."""
    repelled(target, replace(package(target), files=files), SignatureInvalid, reason="digest of Body")


def test_base64_sent_as_if_it_were_the_file(target: Target) -> None:
    """What is put back is base64 of the part's octets, not the octets."""
    class Encoded(File):
        def __iter__(self):  # type: ignore[no-untyped-def]
            from base64 import b64encode

            yield b64encode(FILES[0].octets)

    repelled(target, replace(package(target), files=[Encoded(size=1), FILES[1]]), SignatureInvalid)


def test_a_file_that_is_larger_than_its_message_type_may_have(target: Target) -> None:
    """It is cut off where it is too much: the package claims 20 MB and a piece, and most of it is never looked at."""
    files = [File(size=20_971_520 + 500_000)]
    child = petition([File(size=10)], Achternaam=SURNAME)
    sent = replace(wrap(target.line, child, [File(size=10)]), files=files)
    target.repels(sent.root, AttachmentWrong, read=True, reason="attachment-size", cpu=4,
                  via=lambda _: post(target.line, sent))


def test_more_files_than_any_message_may_have(target: Target) -> None:
    files = [File(size=9)] * 101
    repelled(target, wrap(target.line, petition(files), files), MalformedEnvelope, reason="xop:Include")


def test_a_request_that_has_no_place_for_files(target: Target) -> None:
    asked = f'<k:HaalBerichtOp xmlns:k="{KN}"><k:Referentienummer>@@file-000@@</k:Referentienummer></k:HaalBerichtOp>'
    repelled(target, wrap(target.line, asked.encode(), FILES[:1], path=POSTBUS), MalformedEnvelope, path=POSTBUS)


def test_an_envelope_that_nobody_signed_takes_no_file(target: Target) -> None:
    """Refused before the first octet of a file: 20 MB that would follow are not even asked for."""
    sent = package(target).with_root(
        lambda root: setattr(next(root.iter(f"{{{D}}}SignatureValue")), "text", "QUJD"))
    seen: list[int] = []

    class Counted(File):
        def __iter__(self):  # type: ignore[no-untyped-def]
            seen.append(1)
            yield from super().__iter__()

    repelled(target, replace(sent, files=[Counted(size=9), FILES[1]]), SignatureInvalid)
    assert seen == []
