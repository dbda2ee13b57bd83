"""What other software does to octets between canonicalising and sending, undone or done again on canonical octets.

Canonical form makes this simple: no empty-element tags, double quotes only, no declaration, `&#xD;` for a carriage
return. So most of what stacks, proxies and editors do can be told by replacing text, which costs a tenth of parsing.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from gateway.names import PREFIXES, SOAP, WSA, WSSE, WSU, XSD, XSI

_START: Final = re.compile(rb'<([^\s<>/!?]+)((?: [^\s=<>]+="[^"<]*")*)>')
_ATTRIBUTE: Final = re.compile(rb' ([^\s=<>]+)="([^"<]*)"')
_BETWEEN: Final = re.compile(rb">[ \t\r\n]+<")
_BETWEEN_CR: Final = re.compile(rb">(?:[ \t\n]|&#xD;)+<")
_TAG: Final = re.compile(rb"(<[^>]*>)")
_EMPTY: Final = re.compile(rb'<([^\s<>/!?]+)((?: [^\s=<>]+="[^"<]*")*)></\1>')
_WSU_ID: Final = re.compile(rb' (?:[^\s=<>:]+:)?Id="[^"<]*"')
_SECONDS: Final = re.compile(rb"(\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)")
_PREFIXES: Final = {
    SOAP: (b"soap", b"soapenv", b"SOAP-ENV", b"S", b"s", b"env", b"SOAP", b"e"), WSU: (b"wsu", b"u", b"utility"),
    WSA: (b"wsa", b"a", b"add", b"wsa5", b"ns1"), WSSE: (b"wsse", b"o", b"sec"),
}
_MESSAGE_PREFIXES: Final = (b"", b"ns1", b"ns0", b"ns2", b"tns", b"q1", b"m", b"urn", b"ns")
# What toolkits declare on an Envelope of their own accord and an inclusive form therefore holds.
_HABITS: Final = {b"xsd": XSD, b"xs": XSD, b"xsi": XSI, b"soap": SOAP, b"soapenv": SOAP, b"s": SOAP,
                  b"SOAP-ENV": SOAP, **{prefix.encode(): uri for prefix, uri in PREFIXES.items()}}


@dataclass(slots=True, kw_only=True)
class StartTag:
    """The start tag of canonical octets: its name, and its namespaces and attributes in order."""

    name: bytes
    pairs: list[tuple[bytes, bytes]]
    end: int  # where the content begins

    @classmethod
    def of(cls, octets: bytes) -> "StartTag | None":
        match = _START.match(octets)
        if match is None:
            return None
        return cls(name=match[1], pairs=[(one[1], one[2]) for one in _ATTRIBUTE.finditer(match[2])], end=match.end())

    @property
    def prefix(self) -> bytes:
        return self.name.partition(b":")[0] if b":" in self.name else b""

    def declared(self) -> dict[bytes, bytes]:
        """Prefix → namespace."""
        return {key[6:]: value for key, value in self.pairs if key == b"xmlns" or key.startswith(b"xmlns:")}

    def write(self, extra: dict[bytes, bytes] | None = None) -> bytes:
        """Canonical again, with more declarations: those of namespaces first, by prefix."""
        spaces = {**(extra or {}), **self.declared()}
        written = b"".join(b" xmlns%s=\"%s\"" % (b":" + prefix if prefix else b"", spaces[prefix])
                           for prefix in sorted(spaces))
        plain = [(key, value) for key, value in self.pairs if key != b"xmlns" and not key.startswith(b"xmlns:")]
        return b"<" + self.name + written + b"".join(b" %s=\"%s\"" % pair for pair in plain) + b">"


# --- white space ---------------------------------------------------------------------------------------------


def without_space(octets: bytes) -> Iterator[bytes]:
    """As before somebody pretty-printed it: no white space between elements."""
    plain = _BETWEEN.sub(b"><", octets)
    if plain != octets:
        yield plain
    bare = _BETWEEN_CR.sub(b"><", octets)
    if bare not in (octets, plain):
        yield bare


def indented(octets: bytes) -> Iterator[bytes]:
    """As before somebody removed the white space: the usual ways to indent."""
    if _BETWEEN.search(octets):
        return
    tokens = [one for one in _TAG.split(octets) if one]
    if len(tokens) > _MAX_TOKENS:
        return
    for base in (1, 0, 2, 3):
        for newline in (b"\n", b"&#xD;\n"):
            for unit in (b"  ", b"    ", b"\t", b""):
                yield _indent(tokens, newline, unit, base)


_MAX_TOKENS: Final = 20_000


def _indent(tokens: list[bytes], newline: bytes, unit: bytes, base: int) -> bytes:
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
    yield b"".join([one if one.startswith(b"<") else one.strip(b" \t\n") for one in _TAG.split(octets)])


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


def with_newline(octets: bytes) -> Iterator[bytes]:
    """As `echo` and text editors leave it."""
    yield octets + b"\n"
    yield octets + b"\r\n"


# --- characters ----------------------------------------------------------------------------------------------


def decoded_twice(octets: bytes) -> Iterator[bytes]:
    """UTF-8 that was taken for Latin-1 or Windows-1252 and encoded again, undone."""
    for encoding in ("latin-1", "cp1252"):
        try:
            yield octets.decode().encode(encoding)
        except UnicodeError:
            continue


def encoded_twice(octets: bytes) -> Iterator[bytes]:
    """What the signer digested when it made that mistake itself."""
    for encoding in ("latin-1", "cp1252"):
        yield octets.decode(encoding, "replace").encode()


def in_latin1(octets: bytes) -> Iterator[bytes]:
    """Digested in the encoding of the sender's own strings."""
    for encoding in ("latin-1", "cp1252", "utf-16-le", "utf-16-be", "utf-16"):
        yield octets.decode().encode(encoding, "xmlcharrefreplace")


def normalised(octets: bytes) -> Iterator[bytes]:
    """In the other Unicode form."""
    text = octets.decode()
    for form in ("NFC", "NFD"):
        other = unicodedata.normalize(form, text)  # type: ignore[arg-type]
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


# --- tags ----------------------------------------------------------------------------------------------------


def empty_tags(octets: bytes) -> Iterator[bytes]:
    """`<a/>` instead of `<a></a>`."""
    short = _EMPTY.sub(rb"<\1\2/>", octets)
    if short != octets:
        yield short
        yield _EMPTY.sub(rb"<\1\2 />", octets)


def single_quotes(octets: bytes) -> Iterator[bytes]:
    """Attributes in single quotes."""
    yield _START.sub(lambda tag: b"<" + tag[1] + tag[2].replace(b'"', b"'") + b">", octets)


def attributes_reordered(octets: bytes) -> Iterator[bytes]:
    """Attributes and declarations of the start tag in another order than the canonical one."""
    tag = StartTag.of(octets)
    if tag is None or not 1 < len(tag.pairs) < 6:
        return
    rest = octets[tag.end:]
    for pairs in _orders(tag.pairs):
        yield b"<" + tag.name + b"".join(b" %s=\"%s\"" % pair for pair in pairs) + b">" + rest


def _orders(pairs: list[tuple[bytes, bytes]]) -> Iterator[list[tuple[bytes, bytes]]]:
    spaces = [one for one in pairs if one[0].startswith(b"xmlns")]
    plain = [one for one in pairs if not one[0].startswith(b"xmlns")]
    for start in range(len(plain)):
        turned = plain[start:] + plain[:start]
        for order in (turned, turned[::-1]):
            yield from (spaces + order, order + spaces, spaces[::-1] + order)


def without_id(octets: bytes) -> Iterator[bytes]:
    """As it was before it got its wsu:Id; with the prefix declared elsewhere, or not at all."""
    tag = StartTag.of(octets)
    if tag is None:
        return
    bare = _WSU_ID.sub(b"", octets[:tag.end])
    rest = octets[tag.end:]
    yield bare + rest
    for key, value in tag.pairs:
        prefix = key.partition(b":")[2]
        if key.startswith(b"xmlns:") and value == WSU.encode() and prefix + b":" not in rest:
            yield bare.replace(b' %s="%s"' % (key, value), b"") + rest


def renamed(octets: bytes) -> Iterator[bytes]:
    """With another prefix for SOAP, WS-Addressing, utility or security, or for the message."""
    tag = StartTag.of(octets)
    if tag is None:
        return
    spaces = tag.declared()
    for prefix, uri in spaces.items():
        for other in _PREFIXES.get(uri.decode("utf-8", "replace"), ()):
            if other not in spaces:
                yield _rename(octets, tag, prefix, other)
    inner = StartTag.of(octets[tag.end:].lstrip())
    if inner is not None and not tag.declared().keys() & {inner.prefix}:
        start = octets.index(b"<", tag.end)
        for other in _MESSAGE_PREFIXES:
            if other != inner.prefix:
                body = _rename(octets[start:], inner, inner.prefix, other)
                yield octets[:start] + body


def _rename(octets: bytes, tag: StartTag, old: bytes, new: bytes) -> bytes:
    """Every tag and attribute with this prefix gets another; the declarations of the first tag are sorted again."""
    def moved(name: bytes) -> bytes:
        prefix, _, local = name.rpartition(b":")
        return name if prefix != old else (new + b":" + local if new else local)

    pairs = []
    for key, value in tag.pairs:
        if key == (b"xmlns:" + old if old else b"xmlns"):
            pairs.append((b"xmlns:" + new if new else b"xmlns", value))
        else:
            pairs.append((key if key.startswith(b"xmlns") or not old else moved(key), value))
    start = StartTag(name=moved(tag.name), pairs=pairs, end=tag.end).write()
    rest = octets[tag.end:]
    if old:
        to = new + b":" if new else b""
        return start + rest.replace(b"<" + old + b":", b"<" + to).replace(b"</" + old + b":", b"</" + to)
    return start + re.sub(rb"<(/?)([^\s<>:/!?]+)(?=[\s>])", rb"<\g<1>" + new + rb":\2", rest)


def more_declared(octets: bytes, in_scope: dict[bytes, bytes]) -> Iterator[bytes]:
    """With declarations that exclusive C14N leaves out: all in scope, and those that stacks add by habit."""
    tag = StartTag.of(octets)
    if tag is None:
        return
    rest, declared = octets[tag.end:], tag.declared()
    habits = {prefix: uri.encode() for prefix, uri in _HABITS.items() if prefix not in declared}
    choices = [in_scope, *({prefix: uri} for prefix, uri in habits.items()),
               {one: habits[one] for one in (b"xsd", b"xsi") if one in habits}, {**in_scope, **{
                   one: habits[one] for one in (b"xsd", b"xsi") if one in habits}}]
    for extra in choices:
        if extra.keys() - declared.keys():
            yield tag.write(extra) + rest


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
