"""Octets that are no UTF-8 XML 1.0, and words that mean something elsewhere (standards catalogue 5.3)."""

import codecs
import gzip
from collections.abc import Callable

import pytest
from lxml import etree

from gateway.errors import (
    ActionMismatch,
    MalformedEnvelope,
    MessageIdWrong,
    NotUtf8,
    NotXml,
    SchemaInvalid,
    SignatureInvalid,
    UnknownMessage,
    VersionMismatch,
)
from tests import foreign
from tests.hostile.attack import SURNAME, Target, body, message

pytestmark = pytest.mark.clause("§5.3")

ENCODED: dict[str, tuple[Callable[[str], bytes], type]] = {
    "utf-16 with mark": (lambda t: t.encode("utf-16"), NotUtf8),
    "utf-16 little": (lambda t: t.encode("utf-16-le"), NotUtf8),
    "utf-16 big": (lambda t: t.encode("utf-16-be"), NotUtf8),
    "utf-16 big with mark": (lambda t: codecs.BOM_UTF16_BE + t.encode("utf-16-be"), NotUtf8),
    "utf-32": (lambda t: t.encode("utf-32"), NotUtf8),
    "utf-32 big": (lambda t: t.encode("utf-32-be"), NotUtf8),
    "ebcdic": (lambda t: t.encode("cp037"), NotUtf8),
    "utf-7, undeclared": (lambda t: t.replace("<", "+ADw-").encode(), NotXml),
    "utf-7, declared": (lambda t: b'<?xml version="1.0" encoding="UTF-7"?>' + t.encode("utf-7"), NotUtf8),
    "latin-1, declared": (lambda t: b'<?xml version="1.0" encoding="ISO-8859-1"?>' + t.encode("latin-1"), NotUtf8),
    "latin-1, undeclared": (lambda t: t.replace(SURNAME, "\u00e9").encode("latin-1"), NotUtf8),
    "utf-8, declared as utf-16": (lambda t: b'<?xml version="1.0" encoding="UTF-16"?>' + t.encode(), NotUtf8),
    "an unknown encoding": (lambda t: b'<?xml version="1.0" encoding="x-rot13"?>' + t.encode(), NotUtf8),
    "overlong": (lambda t: t.encode().replace(SURNAME.encode(), b"\xc0\xbc"), NotUtf8),
    "overlong of three": (lambda t: t.encode().replace(SURNAME.encode(), b"\xe0\x80\xbc"), NotUtf8),
    "a lone surrogate": (lambda t: t.encode().replace(SURNAME.encode(), b"\xed\xa0\x80"), NotUtf8),
    "a pair of surrogates": (lambda t: t.encode().replace(SURNAME.encode(), b"\xed\xa0\xbd\xed\xb8\x80"), NotUtf8),
    "beyond Unicode": (lambda t: t.encode().replace(SURNAME.encode(), b"\xf4\x90\x80\x80"), NotUtf8),
    "NUL": (lambda t: t.encode().replace(SURNAME.encode(), b"\0"), NotUtf8),
    "NUL at the end": (lambda t: t.encode() + b"\0", NotUtf8),
    "a control character": (lambda t: t.encode().replace(SURNAME.encode(), b"\x1b[31m"), NotXml),
    "a non-character": (lambda t: t.encode().replace(SURNAME.encode(), "\ufffe".encode()), NotXml),
    "two marks": (lambda t: codecs.BOM_UTF8 * 2 + t.encode(), NotXml),
    "cut off": (lambda t: t.encode()[:-9], NotXml),
    "empty": (lambda t: b"", NotXml),
    "white space": (lambda t: b" \n", NotXml),
    "two declarations": (lambda t: b'<?xml version="1.0"?><?xml version="1.0"?>' + t.encode(), NotXml),
    "white space before the declaration": (lambda t: b' <?xml version="1.0"?>' + t.encode(), NotXml),
    "version 1.1": (lambda t: b'<?xml version="1.1"?>' + t.encode(), NotXml),
    "version 2.0": (lambda t: b'<?xml version="2.0"?>' + t.encode(), NotXml),
    "no version": (lambda t: b'<?xml encoding="UTF-8"?>' + t.encode(), NotXml),
    "standalone maybe": (lambda t: b'<?xml version="1.0" standalone="maybe"?>' + t.encode(), NotXml),
    "a declaration of other order": (lambda t: b'<?xml encoding="UTF-8" version="1.0"?>' + t.encode(), NotXml),
    "garbage behind": (lambda t: t.encode() + b"garbage", NotXml),
    "a second root": (lambda t: t.encode() + t.encode(), NotXml),
    "a comment behind": (lambda t: t.encode() + b"<!-- -->", MalformedEnvelope),
    "a comment before": (lambda t: b"<!-- -->" + t.encode(), MalformedEnvelope),
    "text before": (lambda t: b"x" + t.encode(), NotXml),
    "json": (lambda t: b'{"Kennisgeving": {}}', NotXml),
    "html": (lambda t: b"<html><body><script>alert(1)</script></body></html>", VersionMismatch),
    "gzip": (lambda t: gzip.compress(t.encode()), NotUtf8),
    "a doubled attribute": (lambda t: t.encode().replace(b"<sr:Klant>", b'<sr:Klant a="" a="">', 1), NotXml),
    "an undeclared prefix": (lambda t: t.encode().replace(b"<sr:Klant>", b'<sr:Klant q:a="">', 1), NotXml),
    "xmlns redefined": (lambda t: t.encode().replace(b"<sr:Klant>", b'<sr:Klant xmlns:xml="urn:x">', 1), NotXml),
    "prefix xmlns": (lambda t: t.encode().replace(b"<sr:Klant>", b'<sr:Klant xmlns:xmlns="urn:x">', 1), NotXml),
    "section end in text": (lambda t: t.encode().replace(SURNAME.encode(), b"]]>"), NotXml),
}


@pytest.mark.clause("WS006", "BP R1012")
@pytest.mark.parametrize("name", ENCODED)
def test_octets_that_are_not_the_one_encoding(target: Target, name: str) -> None:
    encode, error = ENCODED[name]
    target.repels(encode(target.signed().decode()), error)


# --- words of the peer in our own -----------------------------------------------------------------

@pytest.mark.clause("§7.4")
@pytest.mark.parametrize("text", [
    "'; DROP TABLE messages; --", '" or "1"="1', "&#13;&#10;Injected: yes", "&#x9b;31m",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "]] | //* | [[", "%s%n{0}${{7*7}}", "kanarie" * 120, "\u202e\u2066", "../../etc/passwd"])
def test_words_that_mean_something_elsewhere(target: Target, text: str) -> None:
    """In Action, MessageID, From and every text of the header: refused, and repeated nowhere."""
    entity = text.encode()
    octets = target.signed(message(Referentienummer="PLACE")).replace(b"PLACE", entity)
    target.repels(octets, SignatureInvalid)
    for field, error in (("Referentienummer", SchemaInvalid), ("Afzender", SchemaInvalid), ("Versie", SchemaInvalid)):
        reply = target.repels(target.signed(message(**{field: text})), error)
        assert b"DROP" not in reply.octets
        assert b"alert" not in reply.octets
    shown = etree.fromstring(b"<x>" + entity + b"</x>").text
    reply = target.repels(target.signed(action=f"urn:x:{shown}"[:900]), UnknownMessage)
    assert b"DROP" not in reply.octets
    if any(letter in shown for letter in ' <>"\r\n') or len(shown) > 480:
        target.repels(target.signed(message_id=f"urn:x:{shown}"), MessageIdWrong)
    else:  # taken as it is, and given back as it is: escaped as XML in the answer, as JSON in the journal
        root = target.build(message_id=f"urn:x:{shown}")
        body(root).append(etree.Element("{urn:x}second"))
        target.repels(foreign.octets(root), MalformedEnvelope)
        reply = target.line.post(target.signed(message_id=f"urn:x:{shown}"))
        assert etree.fromstring(reply.octets).findtext(f".//{{{foreign.A}}}RelatesTo") == f"urn:x:{shown}"


def test_a_soapaction_full_of_words(target: Target) -> None:
    for value in ("x\x1b[31m", '"<script>"', "'; --", "x" * 10_000):
        target.repels(target.signed(), ActionMismatch, soap_action=value)
