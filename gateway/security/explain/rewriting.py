"""What other software does to octets between canonicalising and sending, undone or done again on canonical octets.

Canonical form makes this simple: no empty-element tags, double quotes only, no declaration, `&#xD;` for a carriage
return. So most of what stacks, proxies and editors do can be told by replacing text, which costs a tenth of parsing.
"""

import re
import unicodedata
from collections.abc import Iterator
from typing import Final

_BETWEEN: Final = re.compile(rb">[ \t\r\n]+<")
_BETWEEN_CR: Final = re.compile(rb">(?:[ \t\n]|&#xD;)+<")
_TAG: Final = re.compile(rb"(<[^>]*>)")
_SPACE: Final = b" \t\n"
_MAX_TOKENS: Final = 20_000  # of a part whose indentation is guessed
_CROWD: Final = re.compile(rb"[^\x00-\x7f]{128}")  # a text in other letters has spaces more often
_SECONDS: Final = re.compile(rb"(\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)")


# --- white space ---------------------------------------------------------------------------------------------


def is_spaced(octets: bytes) -> bool:
    """Does white space stand between elements?"""
    return _BETWEEN.search(octets) is not None


def without_space(octets: bytes) -> Iterator[bytes]:
    """As before somebody pretty-printed it: no white space between elements."""
    plain = _BETWEEN.sub(b"><", octets)
    if plain != octets:
        yield plain
    bare = _BETWEEN_CR.sub(b"><", octets)
    if bare not in (octets, plain):
        yield bare


def indented(octets: bytes) -> Iterator[bytes]:
    """As before somebody removed the white space or indented it anew: the usual ways to indent.

    Whole, at the depth of the part in its envelope; or the message as it was written before it came into the Body.
    """
    bare = _BETWEEN.sub(b"><", octets)
    tokens = [one for one in _TAG.split(bare) if one]
    if len(tokens) > _MAX_TOKENS:
        return
    for newline in (b"\n", b"&#xD;\n"):
        for unit in (b"  ", b"    ", b"\t", b" ", b""):
            yield _indent(tokens, newline, unit, 1)
            yield tokens[0] + _indent(tokens[1:-1], newline, unit, 0) + tokens[-1]
            yield from (_indent(tokens, newline, unit, base) for base in (0, 2, 3))


def _indent(tokens: list[bytes], newline: bytes, unit: bytes, base: int) -> bytes:
    """Every tag on a line of its own, but for an end tag right after its start tag or its text."""
    written: list[bytes] = []
    depth, before = base, b""
    for token in tokens:
        closing = token.startswith(b"</")
        if closing:
            depth -= 1
        if before[-1:] == b">" and token[:1] == b"<" and not (closing and not before.startswith(b"</")):
            written.append(newline + unit * depth)
        written.append(token)
        if token[:1] == b"<" and not closing:
            depth += 1
        before = token
    return b"".join(written)


def trimmed(octets: bytes) -> Iterator[bytes]:
    """No white space around any text."""
    tokens = _TAG.split(octets)
    yield b"".join([one if one.startswith(b"<") else one.strip(_SPACE) or one for one in tokens])
    yield b"".join([one if one.startswith(b"<") else one.strip(_SPACE) for one in tokens])


def without_returns(octets: bytes) -> Iterator[bytes]:
    """Without the carriage returns that the message holds."""
    if b"&#xD;" in octets:
        yield octets.replace(b"&#xD;", b"")
        yield octets.replace(b"&#xD;\n", b"\n").replace(b"&#xD;", b"\n")


def with_returns(octets: bytes) -> Iterator[bytes]:
    """With the carriage returns that were lost on the way."""
    if b"\n" in octets and b"&#xD;" not in octets:
        yield octets.replace(b"\n", b"&#xD;\n")
        yield octets.replace(b"\n", b"\r\n")
        yield octets.replace(b"\n", b"&#13;\n")
        yield b"".join([one.replace(b"\n", b"&#xD;\n") if one.strip(_SPACE) else one for one in _TAG.split(octets)])


def with_newline(octets: bytes) -> Iterator[bytes]:
    """As `echo` and text editors leave it."""
    yield octets + b"\n"
    yield octets + b"\r\n"


# --- characters ----------------------------------------------------------------------------------------------


def decoded_twice(octets: bytes) -> Iterator[bytes]:
    """UTF-8 that was taken for Latin-1 or Windows-1252 and encoded again, undone."""
    for encoding in ("latin-1", "cp1252"):
        try:
            once = octets.decode().encode(encoding)
            once.decode()  # else it was never UTF-8
        except UnicodeError:
            continue
        yield once


def encoded_twice(octets: bytes) -> Iterator[bytes]:
    """What the signer digested when it made that mistake itself."""
    for encoding in ("latin-1", "cp1252"):
        yield octets.decode(encoding, "replace").encode()


def in_latin1(octets: bytes) -> Iterator[bytes]:
    """Digested in the encoding of the sender's own strings."""
    for encoding in ("latin-1", "cp1252", "utf-16-le", "utf-16-be", "utf-16"):
        yield octets.decode().encode(encoding, "xmlcharrefreplace")


def normalised(octets: bytes) -> Iterator[bytes]:
    """In the other Unicode form; not where a crowd of marks might be sorted, in a time with the square of its size."""
    if _CROWD.search(octets):
        return
    text = octets.decode()
    for form in ("NFC", "NFD"):
        other = unicodedata.normalize(form, text)
        if other != text:
            yield other.encode()


def numeric(octets: bytes) -> Iterator[bytes]:
    """With numeric references for what is not ASCII."""
    text = octets.decode()
    yield text.encode("ascii", "xmlcharrefreplace")
    yield "".join(one if one.isascii() else f"&#x{ord(one):X};" for one in text).encode()


def with_declaration(octets: bytes) -> Iterator[bytes]:
    """With the XML declaration in front, as serialisers write it."""
    for head in (b'<?xml version="1.0" encoding="UTF-8"?>', b'<?xml version="1.0" encoding="utf-8"?>',
                 b"<?xml version='1.0' encoding='UTF-8'?>", b'<?xml version="1.0"?>'):
        for newline in (b"", b"\n"):
            yield head + newline + octets
            yield head + newline + octets + b"\n"


def with_bom(octets: bytes) -> Iterator[bytes]:
    """With a byte order mark in front."""
    yield b"\xef\xbb\xbf" + octets


# --- values --------------------------------------------------------------------------------------------------


def times_rerendered(octets: bytes) -> Iterator[bytes]:
    """Times with another number of decimals, or `+00:00` for `Z`."""
    def decimals(count: int) -> bytes:
        def write(time: re.Match[bytes]) -> bytes:
            fraction = (time[2] or b"").ljust(count, b"0")[:count]
            return time[1] + (b"." + fraction if count else b"") + time[3]
        return _SECONDS.sub(write, octets)

    def stripped(time: re.Match[bytes]) -> bytes:
        fraction = (time[2] or b"").rstrip(b"0")
        return time[1] + (b"." + fraction if fraction else b"") + time[3]

    for count in (0, 3, 6, 7, 9, 1, 2):
        yield decimals(count)
    yield _SECONDS.sub(stripped, octets)
    yield octets.replace(b"Z</", b"+00:00</")


def text_replaced(octets: bytes, values: list[str]) -> Iterator[bytes]:
    """A header block with another value."""
    start, end = octets.find(b">") + 1, octets.rfind(b"</")
    inner = octets[start:end]
    if inner.startswith(b"<"):  # an endpoint reference: the Address in it
        start += inner.find(b">") + 1
        end = octets.rfind(b"</", 0, end)
    for value in values:
        escaped = value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        yield octets[:start] + escaped.encode() + octets[end:]
