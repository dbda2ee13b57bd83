"""The named checks, by themselves."""

import hashlib
from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from gateway.messagesets.checks import AttachmentLimits, check_attachments, content, eleven_test, mod_97

PDF = b"%PDF-1.7 x"


@pytest.mark.parametrize("number", ["999990019", "999990020", "999990032", "111222333"])
def test_eleven_test_accepts_possible_numbers(number: str) -> None:
    assert eleven_test(number)


@pytest.mark.parametrize("number", ["999990018", "000000000", "99999001", "9999900190", "99999001x", "",
                                    "９９９９９００１９"])
def test_eleven_test_refuses(number: str) -> None:
    assert not eleven_test(number)


@given(st.integers(0, 9999))
def test_of_eight_digits_at_most_one_check_digit_holds(tail: int) -> None:
    """The last digit is the weighted sum of the others modulo eleven, or there is none when that is ten."""
    head = f"9999{tail:04d}"
    rest = sum(weight * int(digit) for weight, digit in zip(range(9, 1, -1), head, strict=True)) % 11
    assert [last for last in range(10) if eleven_test(f"{head}{last}")] == ([rest] if rest < 10 else [])


@given(st.integers(0, 9999), st.integers(0, 8), st.integers(1, 9))
def test_one_wrong_digit_never_passes_the_eleven_test(tail: int, place: int, shift: int) -> None:
    for last in range(10):
        number = f"9999{tail:04d}{last}"
        if eleven_test(number):
            wrong = str((int(number[place]) + shift) % 10)
            assert not eleven_test(number[:place] + wrong + number[place + 1:])


@pytest.mark.parametrize("account", ["NL91ABNA0417164300", "GB82WEST12345698765432", "BE68539007547034"])
def test_mod_97_accepts_published_examples(account: str) -> None:
    assert mod_97(account)


@pytest.mark.parametrize("account", ["NL92ABNA0417164300", "NL91ABNA041716430O", "nl91ABNA0417164300", "NL", "",
                                     "NL91 ABNA 0417 1643 00", "NLA1ABNA0417164300"])
def test_mod_97_refuses(account: str) -> None:
    assert not mod_97(account)


@given(st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", min_size=10, max_size=30))
def test_exactly_one_pair_of_check_digits_holds(rest: str) -> None:
    holding = [check for check in range(100) if mod_97(f"NL{check:02d}{rest}")]
    assert len(holding) == 1
    assert 2 <= holding[0] <= 98


def test_content_is_not_interrupted_by_comments() -> None:
    assert content(etree.fromstring("<a> 9999<!-- 1 -->90019\n</a>")) == "999990019"


def attachment(octets: bytes, *, mime: str = "application/pdf", digest: str | None = None, more: str = "") -> str:
    stated = hashlib.sha256(octets).hexdigest() if digest is None else digest
    return (f"<B><MimeType>{mime}</MimeType>{more}<Inhoud>{b64encode(octets).decode()}</Inhoud>"
            f"<HashSHA256>{stated}</HashSHA256></B>")


def found(xml: str, octets: int = 100, count: int = 3, total: int = 250) -> list[tuple[str, str]]:
    tree, limits = etree.fromstring(f"<m>{xml}</m>"), AttachmentLimits(octets=octets, count=count, total=total)
    return [(str(one.node.tag), one.rule) for one in check_attachments(tree, ("Inhoud",), limits)]


@pytest.mark.parametrize(("octets", "mime"), [
    (PDF, "application/pdf"),
    (b"\xff\xd8\xff\xe0", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\nx", "image/png"),
    (b"II*\x00", "image/tiff"),
    (b"\xef\xbb\xbf<a/>", "text/xml"),
    (b"\n <a/>", "text/xml"),
    (b"PK\x03\x04", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
])
def test_attachments_of_each_known_type_pass(octets: bytes, mime: str) -> None:
    assert found(attachment(octets, mime=mime)) == []


def test_attachment_digest_may_be_in_capitals() -> None:
    assert found(attachment(PDF, digest=hashlib.sha256(PDF).hexdigest().upper())) == []


@pytest.mark.parametrize(("xml", "wrong"), [
    (attachment(PDF, digest="0" * 64), ("HashSHA256", "attachment-digest")),
    (attachment(b"MZ program"), ("MimeType", "attachment-type")),
    (attachment(PDF, mime="application/x-unknown"), ("MimeType", "attachment-type")),
    (attachment(PDF + bytes(91)), ("Inhoud", "attachment-size")),
    (attachment(PDF, more="<Omvang>9</Omvang>"), ("Inhoud", "attachment-size")),
    ("<B><Inhoud>***</Inhoud></B>", ("Inhoud", "attachment-type")),
])
def test_attachment_that_is_not_as_stated(xml: str, wrong: tuple[str, str]) -> None:
    assert found(xml) == [wrong]


@pytest.mark.parametrize(("xml", "wrong"), [
    (attachment(PDF) * 4, ("Inhoud", "attachment-count")),
    (attachment(PDF + bytes(80)) * 3, ("Inhoud", "attachments-size")),
])
def test_attachments_are_counted_and_weighed_together(xml: str, wrong: tuple[str, str]) -> None:
    assert found(xml) == [wrong]
    assert found(xml, count=4, total=400) == []


def test_attachment_at_the_limit_passes_and_stated_size_is_compared() -> None:
    assert found(attachment(PDF + bytes(90), more="<Omvang>100</Omvang>")) == []
