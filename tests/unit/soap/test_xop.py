"""xop:Include: taken out where it stands for the base64 of one part, refused wherever it could mean something else."""

import pytest
from lxml import etree

from gateway.errors import MalformedEnvelope
from gateway.names import XOP
from gateway.soap import Hole, Limits, parse, placeholder, put_in, take_out

NONCE = "3f0c1c1a-7f5e-4a56-9a0e-2f0d9a6e1f11"
ENVELOPE = ('<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Header>{}</s:Header>'
            '<s:Body><m:Vraag xmlns:m="urn:m">{}</m:Vraag></s:Body></s:Envelope>')
INCLUDE = f'<xop:Include xmlns:xop="{XOP}" href="cid:1@x"/>'


def holes(message: str, header: str = "", most: int = 3) -> tuple[Hole, ...]:
    return take_out(parse(ENVELOPE.format(header, message).encode(), Limits()), NONCE, most)


def test_each_include_gives_its_place_to_a_placeholder_of_its_own():
    other = f'<i:Include xmlns:i="{XOP}" href="CID:2%40x%2Fy"></i:Include>'
    found = holes(f"<m:a>{INCLUDE}</m:a><m:b><m:c>{other}</m:c></m:b>")
    assert [(hole.element.tag, hole.content_id) for hole in found] == [("{urn:m}a", "1@x"), ("{urn:m}c", "2@x/y")]
    assert [hole.element.text for hole in found] == [placeholder(NONCE, 0), placeholder(NONCE, 1)]
    assert not any(len(hole.element) for hole in found)


def test_a_message_without_include_has_no_holes():
    assert holes("<m:a>YQ==</m:a>") == ()


@pytest.mark.parametrize("message", [
    f"<m:a> {INCLUDE}</m:a>", f"<m:a>{INCLUDE} </m:a>", f"<m:a>{INCLUDE}<m:b/></m:a>",
    f"<m:a><m:b/>{INCLUDE}</m:a>", f"<m:a>{INCLUDE}</m:a><m:b>{INCLUDE}</m:b>",
    f"<m:a>{INCLUDE}{INCLUDE.replace('1@', '2@')}</m:a>",
    f"<m:a>{INCLUDE.replace('1@x', '%31@x')}</m:a><m:b>{INCLUDE}</m:b>",
    *(f"<m:a>{INCLUDE.replace('/>', f'{more}')}</m:a>" for more in (
        ' x="y"/>', '>x</xop:Include>', '><m:x/></xop:Include>', f'>{INCLUDE}</xop:Include>')),
    *(f"<m:a>{INCLUDE.replace('cid:1@x', href)}</m:a>" for href in (
        "", "cid:", "1@x", "#1", "http://canary/", "file:///etc/passwd", "cid:1@x ", " cid:1@x", "cid:1 @x", "cid:é")),
    f"<m:a>{INCLUDE.replace(' href', ' m:href')}</m:a>", f"<m:a>{INCLUDE.replace('Include', 'include')}</m:a>",
    "".join(f"<m:a>{INCLUDE.replace('1@', f'{number}@')}</m:a>" for number in range(4)),
])
def test_an_include_that_is_not_just_that_is_refused(message):
    with pytest.raises(MalformedEnvelope):
        holes(message)


@pytest.mark.parametrize(("before", "after"), [
    ('<m:Vraag xmlns:m="urn:m">{}</m:Vraag>', f'<xop:Include xmlns:xop="{XOP}" href="cid:1@x"/>'),
    ("{}</s:Header>", '<a:To xmlns:a="http://www.w3.org/2005/08/addressing">' + INCLUDE + "</a:To></s:Header>"),
], ids=["is the message", "in a header"])
def test_an_include_outside_the_message_is_refused(before, after):
    octets = ENVELOPE.replace(before, after).replace("{}", "").encode()
    with pytest.raises(MalformedEnvelope, match="Include"):
        take_out(parse(octets, Limits()), NONCE, 3)


def test_what_is_put_in_is_what_is_taken_out():
    names = ("1@x", "a&b%'é\"<@x")
    octets = put_in((b'<m:Vraag xmlns:m="urn:m"><m:a>', b"</m:a><m:b>", b"</m:b></m:Vraag>"), names)
    assert etree.tostring(etree.fromstring(octets), method="c14n", exclusive=True) == octets
    whole = ENVELOPE.replace('<m:Vraag xmlns:m="urn:m">{}</m:Vraag>', octets.decode()).format("")
    assert tuple(hole.content_id for hole in take_out(parse(whole.encode(), Limits()), NONCE, 3)) == names


def test_placeholders_are_base64_that_nobody_can_guess_without_the_nonce():
    assert len({placeholder(nonce, number) for nonce in (NONCE, NONCE[::-1]) for number in range(10)}) == 20
    assert all(character in "0123456789abcdef" for character in placeholder(NONCE, 0))
