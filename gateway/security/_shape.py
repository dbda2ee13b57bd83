"""What the schemas say of wsse:Security and ds:Signature, and a look at their elements alone does not show.

Outside SignedInfo no signature covers a stray word or attribute; and what we accept, others must be able to verify
later, who hold to the schema.
"""

import re
from binascii import a2b_base64
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from lxml import etree

from gateway.errors import GatewayError, SecurityMissing
from gateway.names import DS

NOTHING: Final[frozenset[str]] = frozenset()
ID: Final = frozenset({"Id"})
ALGORITHM: Final = frozenset({"Algorithm"})
OF_REFERENCE: Final = frozenset({"URI", "Id", "Type"})
_STARTS: Final = (  # of XML's NameStartChar, what the basic plane holds of letters; no colon
    "A-Z_a-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u02ff\u0370-\u037d\u037f-\u1fff\u2070-\u218f\u2c00-\u2fef"
    "\u3001-\ud7ff"
)
_TOKEN_LENGTH: Final = 8192  # of a token that is remembered, in characters; four times an ordinary one
_NCNAME: Final = re.compile(f"[{_STARTS}][{_STARTS}0-9.\u00b7\u0300-\u036f\u203f-\u2040-]*")
_WORDS: Final = etree.XPath(
    "boolean(../text()[normalize-space()] | descendant::text()[normalize-space()]"
    "[not(parent::ds:DigestValue or parent::ds:SignatureValue)])",
    namespaces={"ds": DS},
)


_FEW: Final = 64  # an attacker's element has 90,000 children, each of which is an object of Python once it is looked at


def few(parent: etree._Element, refusal: type[GatewayError] = SecurityMissing) -> list[etree._Element]:
    """The children of an element that may have a few. Raises the refusal when it has a crowd."""
    if len(parent) > _FEW:
        raise refusal(f"an element of security has {len(parent)} children")
    return list(parent)


def only_attributes(element: etree._Element, allowed: frozenset[str]) -> None:
    """Raises SecurityMissing when the element has another attribute than the schema gives it."""
    if not allowed.issuperset(element.keys()):  # element.attrib would cost another object
        raise SecurityMissing(f"{etree.QName(element).localname} has an attribute that XML Signature does not know")
    identifier = element.get("Id") if "Id" in allowed else None
    if identifier is not None and not _NCNAME.fullmatch(identifier):
        raise SecurityMissing(f"{etree.QName(element).localname} has an Id that is no NCName (XML Signature: xs:ID)")


def has_words(signature: etree._Element) -> bool:
    """Does text stand between the elements of this ds:Signature, or of the header around it?"""
    return bool(_WORDS(signature))


def no_words(signature: etree._Element) -> None:
    """Raises SecurityMissing when text stands between the elements of this ds:Signature or of the header around it."""
    if has_words(signature):
        raise SecurityMissing("wsse:Security or ds:Signature holds text where its schema has none")


def _decoded(text: str) -> bytes:
    """Base64 with white space → octets; none when it is not that."""
    try:
        return a2b_base64("".join(text.split()), strict_mode=True)
    except ValueError:
        return b""


_remembered = lru_cache(maxsize=1024)(_decoded)


def octets_of(element: etree._Element) -> bytes:
    """What an element holds in base64. Raises SecurityMissing when it holds anything else, or nothing."""
    return _octets(element, element.text or "", _decoded)


def token_of(element: etree._Element) -> bytes:
    """As `octets_of`, of an element in which the same few values come again and again."""
    text = element.text or ""
    return _octets(element, text, _remembered if len(text) <= _TOKEN_LENGTH else _decoded)


def _octets(element: etree._Element, text: str, decode: Callable[[str], bytes]) -> bytes:
    if len(element):
        raise SecurityMissing(f"{etree.QName(element).localname} holds elements")
    octets = decode(text)
    if not octets:
        raise SecurityMissing(f"{etree.QName(element).localname} is no base64")
    return octets
