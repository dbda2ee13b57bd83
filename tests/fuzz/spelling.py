"""The same document written differently: changes that canonical XML does not see."""

import re
from collections.abc import Callable
from random import Random

_TAG = re.compile(rb"<[A-Za-z][^<>]*>")
_CONTENT = re.compile(rb">([^<>&]+)<")


def bent_spelling(octets: bytes, random: Random) -> bytes:
    """Changes that canonical XML does not see; of the text only where no placeholder stands in it."""
    for _ in range(random.choice((1, 2, 5))):
        octets = random.choice(SPELLINGS)(octets, random)
    return octets


def _one(pattern: re.Pattern[bytes], octets: bytes, random: Random) -> re.Match[bytes] | None:
    found = list(pattern.finditer(octets))
    return random.choice(found) if found else None


def _space_in_tag(octets: bytes, random: Random) -> bytes:
    found = _one(_TAG, octets, random)
    if found is None:
        return octets
    at = found.end() - (2 if found[0].endswith(b"/>") else 1)
    return octets[:at] + random.choice((b" ", b"\n", b"\t\r\n ")) + octets[at:]


def _attribute_order(octets: bytes, random: Random) -> bytes:
    found = _one(_TAG, octets, random)
    if found is None:
        return octets
    head, tail = found[0].rstrip(b"/>"), found[0][len(found[0].rstrip(b"/>")):]
    parts = re.findall(rb"\s+[^\s=]+\s*=\s*(?:\"[^\"]*\"|'[^']*')", head)
    random.shuffle(parts)
    name = re.match(rb"<[^\s/>]+", head)
    assert name
    return octets[:found.start()] + name[0] + b"".join(parts) + tail + octets[found.end():]


def _quotes(octets: bytes, random: Random) -> bytes:
    found = _one(re.compile(rb"=\"([^\"'<]*)\""), octets, random)
    return octets if found is None else octets[:found.start()] + b"='" + found[1] + b"'" + octets[found.end():]


def _character(octets: bytes, random: Random) -> bytes:
    """One character of a text as a reference, decimal or hexadecimal."""
    found = _one(_CONTENT, octets, random)
    if found is None or b"@" in found[1]:
        return octets
    text = found[1].decode("utf-8", "ignore")
    if not text or text.encode() != found[1]:
        return octets
    at = random.randrange(len(text))
    one = f"&#{ord(text[at])};" if random.random() < 0.5 else f"&#x{ord(text[at]):X};"
    if text[at] == "\r":
        return octets
    changed = (text[:at] + one + text[at + 1:]).encode()
    return octets[:found.start(1)] + changed + octets[found.end(1):]


def _cdata(octets: bytes, random: Random) -> bytes:
    found = _one(_CONTENT, octets, random)
    if found is None or b"@" in found[1] or b"]" in found[1] or not found[1].strip():
        return octets
    return octets[:found.start(1)] + b"<![CDATA[" + found[1] + b"]]>" + octets[found.end(1):]


def _empty_tag(octets: bytes, random: Random) -> bytes:
    found = _one(re.compile(rb"<([A-Za-z][\w:.-]*)([^<>]*[^<>/])?></\1\s*>"), octets, random)
    if found is None:
        return octets
    return octets[:found.start()] + b"<" + found[1] + (found[2] or b"") + b"/>" + octets[found.end():]


def _line_ends(octets: bytes, random: Random) -> bytes:
    return octets.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n") if b"&#13;" not in octets else octets


def _declaration(octets: bytes, random: Random) -> bytes:
    bare = re.sub(rb"^(\xef\xbb\xbf)?(<\?xml[^>]*\?>\s*)?", b"", octets)
    return random.choice((b"", b"\xef\xbb\xbf", b'<?xml version="1.0"?>\n', b"<?xml version='1.0' encoding='utf-8'?>",
                          b'\xef\xbb\xbf<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\r\n')) + bare


SPELLINGS: tuple[Callable[[bytes, Random], bytes], ...] = (
    _space_in_tag, _attribute_order, _quotes, _character, _cdata, _empty_tag, _line_ends, _declaration)
