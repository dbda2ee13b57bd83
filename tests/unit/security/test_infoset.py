"""The digest of a message in parts is that of the same message with its base64 in line."""

import hashlib
from base64 import b64encode
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from gateway.errors import SignatureInvalid
from gateway.security import InfosetDigest, canonical, cut, digest_body, digest_filled
from gateway.security.infoset import Base64
from gateway.soap import Limits, parse, placeholder, put_in, take_out

NONCE = "3f0c1c1a-7f5e-4a56-9a0e-2f0d9a6e1f11"
XOP = "http://www.w3.org/2004/08/xop/include"
# A prefix that only the Include uses is declared above it, among others: canonical form must not show it.
ENVELOPE = (f'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns:xop="{XOP}" xmlns:z="urn:z">'
            '<s:Body><m:Vraag xmlns:m="urn:m" m:x="&lt;" a="1">é &amp; <z:b>{}</z:b>\r\n<m:c>{}</m:c><m:d/></m:Vraag>'
            "</s:Body></s:Envelope>")
INCLUDE = '<xop:Include href="cid:{}"/>'
FILES = st.tuples(st.binary(max_size=70), st.binary(max_size=70))


def pieces_of(octets: bytes, size: int) -> Iterator[bytes]:
    return (octets[start:start + size] for start in range(0, len(octets), size))


@settings(deadline=None)
@given(files=FILES, size=st.integers(1, 80), inclusive=st.sampled_from([(), ("xop", "z")]),
       algorithm=st.sampled_from(["sha256", "sha384", "sha512"]))
def test_a_digest_over_parts_is_that_of_plain_canonical_xml_in_line(files, size, inclusive, algorithm):
    inline = parse(ENVELOPE.format(*(b64encode(one).decode() for one in files)).encode(), Limits())
    parted = parse(ENVELOPE.format(INCLUDE.format("1"), INCLUDE.format("2")).encode(), Limits())
    holes = take_out(parted, NONCE, 2)
    pieces = cut(canonical(parted.body, inclusive), [hole.placeholder for hole in holes])
    found = digest_filled(pieces, [pieces_of(one, size) for one in files], hashlib.new(algorithm))
    assert found == hashlib.new(algorithm, canonical(inline.body, inclusive)).digest()


@given(st.lists(st.binary(max_size=9), max_size=9))
def test_base64_piece_by_piece_is_base64_of_the_whole(pieces):
    stream = Base64()
    assert b"".join(map(stream.update, pieces)) + stream.finish() == b64encode(b"".join(pieces))


def test_a_body_to_be_sent_in_parts_is_digested_as_if_it_were_whole():
    files = (b"%PDF-1", b"\xff\xd8\xff")
    whole = b'<m:a xmlns:m="urn:m"><m:b>%b</m:b><m:c>%b</m:c></m:a>' % tuple(map(b64encode, files))
    pieces = tuple(whole.replace(b64encode(files[0]), b"|").replace(b64encode(files[1]), b"|").split(b"|"))
    body = digest_body(pieces, [[file] for file in files], put_in(pieces, ("1", "2")), NONCE)
    octets = ('<soap:Body xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/" xmlns:wsu="http://docs.oasis-open.org/wss/'
              f'2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd" wsu:Id="{body.identifier}">').encode() + whole
    assert body.digest == hashlib.sha256(canonical(etree.fromstring(octets + b"</soap:Body>"))).digest()
    assert body.shown.count(b"Include xmlns") == 2
    assert b64encode(files[0]) not in body.shown


@pytest.mark.parametrize("octets", [b"", b"<a>x</a>", b"<a>%b</a>" % placeholder(NONCE, 1).encode()])
def test_a_place_outside_the_signed_octets_holds_no_signature(octets):
    with pytest.raises(SignatureInvalid):
        cut(octets, [placeholder(NONCE, 0)])


def test_places_are_found_in_their_order_only():
    first, second = (placeholder(NONCE, number) for number in (0, 1))
    octets = f"<a>{second}</a><b>{first}</b>".encode()
    assert cut(octets, [second, first]) == (b"<a>", b"</a><b>", b"</b>")
    with pytest.raises(SignatureInvalid):
        cut(octets, [first, second])


def test_a_digest_is_not_given_while_a_hole_is_open():
    digest = InfosetDigest((b"<a>", b"</a>"), hashlib.sha256())
    digest.fill(b"x")
    with pytest.raises(AssertionError):
        digest.value()
