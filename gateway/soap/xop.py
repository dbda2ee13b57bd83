"""xop:Include in an envelope: taken out before anything reads the message, put in where it goes out as MTOM.

What is signed, validated and stored is the message with its base64 in place (XOP 1.0 §3). Where that stands in a part
of its own, a placeholder takes its place in the tree: 64 hexadecimal digits, which are canonical base64 too, so that
the schema judges the message as it would in line. It is made from a secret nonce: no peer can write one.
"""

import hashlib
from dataclasses import dataclass
from itertools import islice
from typing import Final
from urllib.parse import quote, unquote

from gateway.errors import MalformedEnvelope
from gateway.names import XOP, clark
from gateway.soap.envelope import Element, Envelope

_INCLUDE: Final = clark(XOP, "Include")
_ANY: Final = clark(XOP, "*")
_CID: Final = "cid:"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Hole:
    """A place in the message whose base64 stands in a part."""

    element: Element  # holds the placeholder
    content_id: str
    placeholder: str


def placeholder(nonce: str, number: int) -> str:
    """What stands for the `number`th part. Takes at least 96 random bits that no peer saw."""
    return hashlib.sha256(f"{nonce}/{number}".encode()).hexdigest()


def take_out(envelope: Envelope, nonce: str, most: int) -> tuple[Hole, ...]:
    """Replace each xop:Include of the message by a placeholder; the at most `most` holes, in document order.

    An Include has an href and nothing else, stands alone in its element, below the Body's child, and is the only one
    for its part. An href is followed nowhere: it names a part of the same package, or the message is refused.
    Raises  MalformedEnvelope.
    Source  XOP 1.0 §2.1, §3.2; RFC 2392 §2.
    """
    if sum(1 for _ in envelope.child.iter(_ANY)) != sum(1 for _ in envelope.root.iter(_ANY)):
        raise MalformedEnvelope("xop:Include outside the message in the Body")
    return take_out_of(envelope.child, nonce, most)


def take_out_of(message: Element, nonce: str, most: int) -> tuple[Hole, ...]:
    """The same for a message that stands in no envelope. Raises MalformedEnvelope."""
    found = list(islice(message.iter(_ANY), most + 1))
    if len(found) > most:
        raise MalformedEnvelope(f"more than {most} xop:Include")
    holes = tuple(_hole(include, message, placeholder(nonce, number)) for number, include in enumerate(found))
    if len({hole.content_id for hole in holes}) != len(holes):
        raise MalformedEnvelope("two xop:Include for one part")
    return holes


def _hole(include: Element, message: Element, text: str) -> Hole:
    parent = include.getparent()
    href = include.get("href", "")
    if include.tag != _INCLUDE or include.keys() != ["href"] or len(include) or include.text:
        raise MalformedEnvelope("an xop:Include has an href, and nothing else")
    if include is message or parent is None or len(parent) != 1 or parent.text or include.tail:
        raise MalformedEnvelope("an xop:Include stands alone in its element")
    identifier = unquote(href[len(_CID):]) if _is_cid(href) else ""
    if not identifier:
        raise MalformedEnvelope("the href of an xop:Include is no cid: of a part of this message")
    parent.remove(include)
    parent.text = text
    return Hole(element=parent, content_id=identifier, placeholder=text)


def _is_cid(href: str) -> bool:
    return href.isascii() and href.isprintable() and " " not in href and href[:len(_CID)].lower() == _CID


def put_in(pieces: tuple[bytes, ...], content_ids: tuple[str, ...]) -> bytes:
    """Canonical octets, cut where placeholders stood, with an xop:Include for each part instead."""
    octets = bytearray(pieces[0])
    for piece, identifier in zip(pieces[1:], content_ids, strict=True):
        href = _CID + quote(identifier, safe="@!$&'()*+,;=:/-._~")
        octets += f'<xop:Include xmlns:xop="{XOP}" href="{href.replace("&", "&amp;")}"></xop:Include>'.encode()
        octets += piece
    return bytes(octets)
