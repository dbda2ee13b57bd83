"""The named checks: what neither XSD nor XPath 1.0 can say. A manifest asks for them by name.

Sources: the eleven-test of the Dutch citizen service number (Wet algemene bepalingen burgerservicenummer, Logisch
Ontwerp BSN); ISO 13616-1 and ISO 7064 MOD 97-10 for accounts; the attachments of docs/contract.md §5.
"""

import binascii
import hashlib
from base64 import b64decode
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from lxml import etree

from gateway.parted import FileFacts

_WEIGHTS = (9, 8, 7, 6, 5, 4, 3, 2, -1)
_MAGIC: dict[str, tuple[bytes, ...]] = {
    "application/pdf": (b"%PDF-",),
    "image/jpeg": (b"\xff\xd8\xff",),
    "image/png": (b"\x89PNG\r\n\x1a\n",),
    "image/tiff": (b"II*\x00", b"MM\x00*"),
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": (b"PK\x03\x04",),
    "text/xml": (b"<", b"\xef\xbb\xbf<"),
}
_DIGESTS = frozenset(("HashSHA256", "Sha256"))


def eleven_test(number: str) -> bool:
    """Is this a possible citizen service number: nine digits, not all zero, weighted sum a multiple of eleven?"""
    if len(number) != 9 or not (number.isascii() and number.isdigit()) or number == "000000000":
        return False
    return sum(weight * int(digit) for weight, digit in zip(_WEIGHTS, number, strict=True)) % 11 == 0


def mod_97(account: str) -> bool:
    """Do the check digits of this account number (IBAN, electronic form) hold?"""
    if len(account) < 5 or not (account.isascii() and account.isalnum() and account == account.upper()):
        return False
    if not account[2:4].isdigit() or not "02" <= account[2:4] <= "98":  # the only ones MOD 97-10 gives
        return False
    return int("".join(str(int(character, 36)) for character in account[4:] + account[:4])) % 97 == 1


REACH = frozenset({"Telefoonnummer", "Emailadres"})  # one of these says how to reach somebody


def content(node: "etree._Element") -> str:
    """The text of an element as XSD sees it: comments do not interrupt it, white space around it does not count."""
    text = "".join(node.itertext()) if len(node) else node.text
    return (text or "").strip(" \t\r\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrong:
    """One thing a named check found."""

    node: "etree._Element"
    rule: str


def check_bsn(message: "etree._Element", tags: tuple[str, ...]) -> Iterator[Wrong]:
    """The eleven-test on each element with one of `tags`."""
    for node in _leaves(message, tags):
        if not eleven_test(content(node)):
            yield Wrong(node=node, rule="eleven-test")


def check_accounts(message: "etree._Element", tags: tuple[str, ...]) -> Iterator[Wrong]:
    """Modulo 97 on each element with one of `tags`."""
    for node in _leaves(message, tags):
        if not mod_97(content(node)):
            yield Wrong(node=node, rule="mod-97")


def check_contacts(message: "etree._Element", tags: tuple[str, ...]) -> Iterator[Wrong]:
    """A telephone number or an e-mail address in each element with one of `tags`.

    XSD could say it only by a choice of sequences, which common SOAP toolkits read wrongly or turn into untyped lists.
    """
    for node in message.iter(*tags) if tags else ():
        if not any(etree.QName(child).localname in REACH for child in node.iterchildren("*")):
            yield Wrong(node=node, rule="contact")


def has_text(message: "etree._Element", tags: tuple[str, ...]) -> bool:
    """Does an element with one of `tags` stand in the message and say something?"""
    return any(content(node) for node in _leaves(message, tags))


def _leaves(message: "etree._Element", tags: tuple[str, ...]) -> Iterable["etree._Element"]:
    """Elements with one of `tags` that hold text; a group of the same name is passed over."""
    if not tags:
        return ()
    return (node for node in message.iter(*tags) if not len(node) or next(node.iterchildren("*"), None) is None)


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachmentLimits:
    """How much of attachments a message may hold; octets decoded."""

    octets: int  # of one
    count: int
    total: int  # octets of all together


Files = Mapping[str, FileFacts]  # by the placeholder that stands for each
NO_FILES: Final[Files] = MappingProxyType({})
BEGINNING: Final = 4096  # octets of a file by which its media type is known


def check_attachments(message: "etree._Element", tags: tuple[str, ...], limits: AttachmentLimits,
                      files: Files = NO_FILES) -> Iterator[Wrong]:
    """Each attachment, by its content (`tags`): its size, its SHA-256 and whether it looks like its MimeType; and how
    many they are and how large together, at the first that is too much. Of `files` the facts are known already.
    """
    count = total = 0
    for body in message.iter(*tags) if tags else ():
        attachment = body.getparent()
        if attachment is None or body is message:
            continue
        count += 1
        if count > limits.count:
            yield Wrong(node=body, rule="attachment-count")
            return
        facts = files.get(content(body)) or _in_line(body)
        if facts is None:
            yield Wrong(node=body, rule="attachment-type")
            continue
        total += facts.octets
        if total > limits.total:
            yield Wrong(node=body, rule="attachments-size")
            return
        stated = {etree.QName(child).localname: child for child in attachment.iterchildren("*")}
        yield from _attachment(body, facts, stated, limits.octets)


def _in_line(body: "etree._Element") -> FileFacts | None:
    """The facts of base64 in the message; None for what is none, where the schema forgot to say base64Binary."""
    try:
        octets = b64decode("".join(content(body).split()), validate=True)
    except (binascii.Error, ValueError):
        return None
    return FileFacts(octets=len(octets), sha256=hashlib.sha256(octets).hexdigest(), begins=octets[:BEGINNING])


def _attachment(
    body: "etree._Element", facts: FileFacts, stated: dict[str, "etree._Element"], max_octets: int
) -> Iterator[Wrong]:
    size = stated.get("Omvang")
    if not 0 < facts.octets <= max_octets or (size is not None and content(size) != str(facts.octets)):
        yield Wrong(node=body, rule="attachment-size")
    for name in _DIGESTS & stated.keys():
        if content(stated[name]).lower() != facts.sha256:
            yield Wrong(node=stated[name], rule="attachment-digest")
    kind = stated.get("MimeType")
    if kind is not None:
        begins = facts.begins.lstrip(b" \t\r\n") if content(kind) == "text/xml" else facts.begins
        if not begins.startswith(_MAGIC.get(content(kind), ())):
            yield Wrong(node=kind, rule="attachment-type")
