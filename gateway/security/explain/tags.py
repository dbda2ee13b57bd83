"""Tags in canonical octets: other prefixes, more declarations, other orders, other spellings of empty elements."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from gateway.names import PREFIXES, SOAP, WSA, WSSE, WSU, XSD, XSI

_START: Final = re.compile(rb'<([^\s<>/!?]+)((?: [^\s=<>]+="[^"<]*")*)>')
_ATTRIBUTE: Final = re.compile(rb' ([^\s=<>]+)="([^"<]*)"')
_EMPTY: Final = re.compile(rb'<([^\s<>/!?]+)((?: [^\s=<>]+="[^"<]*")*)></\1>')
_BARE: Final = re.compile(rb"(?:(?<=<)|(?<=</))(?=[^\s<>:/!?]+[\s>])")  # before a name without a prefix
_WSU_ID: Final = re.compile(rb' (?:[^\s=<>:]+:)?Id="[^"<]*"')
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
    return start + _BARE.sub(new + b":", rest)


def more_declared(octets: bytes, in_scope: dict[bytes, bytes]) -> Iterator[bytes]:
    """With declarations that exclusive C14N leaves out: all in scope, and those that stacks add by habit."""
    tag = StartTag.of(octets)
    if tag is None:
        return
    rest, declared = octets[tag.end:], tag.declared()
    habits = {prefix: uri.encode() for prefix, uri in _HABITS.items() if prefix not in declared}
    schema = {prefix: uri for prefix, uri in habits.items() if prefix in (b"xsd", b"xsi")}
    choices: list[dict[bytes, bytes]] = [
        in_scope, *({prefix: uri} for prefix, uri in habits.items()), schema, {**in_scope, **schema}]
    for extra in choices:
        if extra.keys() - declared.keys():
            yield tag.write(extra) + rest
