"""The one place that parses foreign bytes: octets → Envelope, or a refusal.

Everything after this reads the same tree; nothing parses again with other settings (docs/profile.md §4).
"""

import re
import threading
from dataclasses import dataclass
from itertools import islice
from typing import Final

from lxml import etree

from gateway.errors import (
    ForbiddenHeader,
    MalformedEnvelope,
    NotUnderstood,
    NotUtf8,
    NotXml,
    VersionMismatch,
)
from gateway.names import PREFIXES, SOAP, WSA, WSSE, WSU, clark
from gateway.remedies import too_large

Element = etree._Element

ENVELOPE: Final = clark(SOAP, "Envelope")
HEADER: Final = clark(SOAP, "Header")
BODY: Final = clark(SOAP, "Body")
SECURITY: Final = clark(WSSE, "Security")
WSU_ID: Final = clark(WSU, "Id")
_MUST_UNDERSTAND: Final = clark(SOAP, "mustUnderstand")
_ACTOR: Final = clark(SOAP, "actor")
_NEXT: Final = SOAP.replace("/envelope/", "/actor/next")
_PLAIN_BLOCKS: Final[tuple[list[str], ...]] = ([WSU_ID], [])  # attributes of a block for us, that may be passed by
_SOAP_PREFIX: Final = f"{{{SOAP}}}"
_WSA_BLOCKS: Final = frozenset(
    clark(WSA, name) for name in ("To", "Action", "MessageID", "RelatesTo", "ReplyTo", "From", "FaultTo")
)

_DECLARATION: Final = re.compile(
    rb"""<\?xml\s+version\s*=\s*["']1\.0["'](\s+encoding\s*=\s*["']([A-Za-z0-9._-]+)["'])?"""
    rb"""(\s+standalone\s*=\s*["'](yes|no)["'])?\s*\?>"""
)
# Every namespace declaration begins, or stands within, a find of this; a find may also be text that looks like one.
_DECLARED: Final = re.compile(rb'xmlns[^"]{0,256}+(?:"[^"]{0,512}+"?)?')
# A declaration whose value is plainly an absolute URI.
_PLAIN: Final = re.compile(
    rb"""xmlns(?::[^\s="]+)?\s*=\s*"(?:https?://[\w.-]+(?:/[\w.~/-]*)?#?|urn:[\w:./-]+)?\"""", re.ASCII)
_OURS: Final = frozenset(f'xmlns:{prefix}="{uri}"'.encode() for prefix, uri in PREFIXES.items())  # need no second look
_LONGEST_TEXT: Final = 10_000_000  # characters of one text node: libxml2's own limit, below the cap of a request
_BOM: Final = b"\xef\xbb\xbf"
_US_ASCII: Final = b"us-ascii"

# Compiled once; each is one walk in C. Depth: 65 child steps exist only when the tree is deeper than 64.
_DEPTH: Final = 64
_TOO_DEEP: Final = "boolean(" + "/*" * (_DEPTH + 1) + ")"
# C14N sorts attributes one by one, and takes 6 s for 50,000 of one element. Asked in this form (a position on the
# attribute axis, not a predicate on elements) libxml2 stops counting at that one, and it costs a fifth.
# The profile's own elements have three at most and a message none; in namespaces of their own, 60 on each of 100
# elements cost C14N what 1 MB of plain text does.
_WIDTH: Final = 16
_TOO_WIDE: Final = f"boolean(/descendant::*/@*[{_WIDTH + 1}])"
_OUT_OF_BOUNDS: Final = etree.XPath(f"{_TOO_DEEP} or {_TOO_WIDE}")
# All together: an envelope of the profile has a hundred, a message none. Counted where there are quotes for more.
_ATTRIBUTES: Final = 1_000
_TOO_MANY: Final = etree.XPath(f"count(/descendant::*/@*) > {_ATTRIBUTES}")
# Namespace declarations above a signed part. To canonicalise the part lxml copies them one by one, each time looking
# through what it has copied: 50,000 on the Envelope cost 50 s of CPU. On and below the message they cost nothing.
_NAMESPACES: Final = 256
# Signed parts stand at most so deep, and so many beside each other, in an envelope of the profile.
_PARTS_DEPTH: Final = 5
_PARTS_WIDTH: Final = 64
# Counted, or the first alone: boolean() of many puts them in order first, and two neighbours that are no elements are
# compared by a walk along their siblings; 90,000 comments cost 9 s.
_REMARKS: Final = etree.XPath("boolean(/descendant::comment()[1]) or boolean(/descendant::processing-instruction()[1])")
_ENCODING_STYLE: Final = etree.XPath("count(/descendant::*/@s:encodingStyle) > 0", namespaces={"s": SOAP})


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds on one request. The parser's own are looser (libxml2 takes a million siblings), so these come first."""

    max_octets: int = 10_485_760
    max_tags: int = 100_000  # start, end and empty tags: about 50,000 elements; a tree costs about 120 octets each
    max_quotes: int = 40_000  # 20,000 attributes or namespace declarations, at about 250 octets each


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Envelope:
    """One well-formed SOAP 1.1 envelope of the profile: position of every part, nothing proven."""

    root: Element
    blocks: tuple[Element, ...]  # the WS-Addressing header blocks, each at most once
    security: Element | None  # the one wsse:Security
    others: int  # blocks for another actor: nobody here reads them (docs/decisions/0016)
    body: Element
    child: Element  # the Body's only element
    canonical: bool  # the document has a canonical form; without one no signature over it can be believed

    @property
    def child_name(self) -> tuple[str, str]:
        """Namespace and local name of the Body's element."""
        namespace, _, name = str(self.child.tag)[1:].partition("}")  # `parse` took none without a namespace
        return namespace, name

    @property
    def is_fault(self) -> bool:
        return bool(self.child.tag == clark(SOAP, "Fault"))


_local = threading.local()


def _parser() -> etree.XMLParser:
    # One parser per thread: a shared one serialises all threads on its lock.
    parser: etree.XMLParser | None = getattr(_local, "parser", None)
    if parser is None:
        parser = _local.parser = _new_parser(large=False)
    return parser


def _new_parser(*, large: bool) -> etree.XMLParser:
    return etree.XMLParser(
        encoding="utf-8", resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False,
        huge_tree=large, remove_comments=False, remove_pis=False, strip_cdata=True,
    )


def parse(octets: bytes, limits: Limits) -> Envelope:
    """Octets of one request or answer → its parts.

    1 octets: size, UTF-8, declaration, no DTD; 2 bounds that cost no tree; 3 well-formed; 4 bounds of the tree,
    no comments or processing instructions; 5 SOAP 1.1 structure; 6 header blocks; 7 one Body child.

    Raises  TooLarge, NotUtf8, NotXml, VersionMismatch, MalformedEnvelope, NotUnderstood, ForbiddenHeader.
    Source  SOAP 1.1 §4; BP 1.1 R9980, R9981, R1008-R1015, R1027, R1032; Digikoppeling WUS WW003, WS006, WS007.
    """
    _check_octets(octets, limits)  # 1, 2
    root = read_xml(octets)  # 3
    check_bounds(root, octets)  # 4
    found, body = _structure(root)  # 5
    blocks, security, others = _headers(found)  # 6
    declared = _DECLARED.findall(octets)
    plain = all(map(_PLAIN.fullmatch, set(declared) - _OURS))
    if len(declared) > _NAMESPACES or (not plain and many_namespaces(octets)):
        _check_scopes([root, body, *found, *(() if security is None else security)])
    child = _only_child(body)  # 7
    canonical = plain or has_canonical_form(root)
    return Envelope(root=root, blocks=blocks, security=security, others=others, body=body, child=child,
                    canonical=canonical)


def read_bounded(octets: bytes, limits: Limits) -> Element:
    """Octets → the root of any XML document within the bounds; what it holds is not looked at.

    Raises  TooLarge, NotUtf8, NotXml, MalformedEnvelope.
    """
    _check_octets(octets, limits)
    root = read_xml(octets)
    _check_size(root, octets)
    return root


def scopes_are_bounded(root: Element) -> bool:
    """May every part above the message be canonicalised? For a document that need not be an envelope."""
    level = [root]
    for _ in range(_PARTS_DEPTH):
        if any(len(element.nsmap) > _NAMESPACES for element in level):
            return False
        level = [child for element in level for child in islice(element.iterchildren("{*}*"), _PARTS_WIDTH)]
    return True


def many_namespaces(octets: bytes) -> bool:
    """May there be so many namespace declarations that canonicalising a part would take long?"""
    return octets.count(b"xmlns") > _NAMESPACES


def read_xml(octets: bytes, *, large: bool = False) -> Element:
    """Well-formed XML → its root, with the hardened parser; for octets that `check_xml_octets` let through.

    Takes   `large`: a file of one's own, whose texts may be longer than libxml2 takes unasked.
    Raises  NotXml; TooLarge, for such a text elsewhere.
    """
    try:
        root: Element = etree.fromstring(octets, _new_parser(large=True) if large else _parser())
    except etree.XMLSyntaxError as error:
        # libxml2's message may quote the document: only its place and kind are kept.
        if len(octets) > _LONGEST_TEXT and "text node" in (error.msg or "").lower():
            raise too_large(f"a text of more than {_LONGEST_TEXT} characters") from None
        line, column = error.position
        raise NotXml(f"line {line}, column {column}: {getattr(error, 'code', 'syntax error')}") from None
    if root.getroottree().docinfo.internalDTD is not None:
        raise NotXml("a DTD is present")
    return root


def starts_with_mark(octets: bytes) -> bool:
    """Is there a UTF-8 byte order mark?"""
    return octets.startswith(_BOM)


def declares_us_ascii(octets: bytes) -> bool:
    """Does the XML declaration say US-ASCII, which is UTF-8 in all it can hold?"""
    start = 3 if starts_with_mark(octets) else 0
    found = _DECLARATION.match(octets, start) if octets.startswith(b"<?xml", start) else None
    return found is not None and (found[2] or b"").lower() == _US_ASCII


def check_xml_octets(octets: bytes) -> None:
    """UTF-8 without NUL, at most an XML 1.0 declaration that says so, and no DTD.

    Raises  NotUtf8, NotXml.
    """
    if b"\0" in octets or octets[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise NotUtf8("NUL or a UTF-16 or UTF-32 byte order mark")
    if not octets.isascii():
        try:
            octets.decode("utf-8")
        except UnicodeDecodeError as error:
            raise NotUtf8(f"not UTF-8 at octet {error.start}") from None
    start = 3 if starts_with_mark(octets) else 0
    if octets.startswith(b"<?xml", start):
        declaration = _DECLARATION.match(octets, start)
        if declaration is None:
            raise NotXml("XML declaration is not one of XML 1.0")
        if (declaration[2] or b"utf-8").lower() not in (b"utf-8", _US_ASCII):
            raise NotUtf8("the XML declaration names another encoding")
    # `!` alone is looked for first: one octet is found thirty times faster than two of which the first is common.
    if b"!" in octets and (b"<!DOCTYPE" in octets or b"<!ENTITY" in octets):
        raise NotXml("a DTD is present")


def _check_octets(octets: bytes, limits: Limits) -> None:
    if len(octets) > limits.max_octets:
        raise too_large(f"{len(octets)} octets")
    check_xml_octets(octets)
    # Counting takes longer than most other checks; where there are no more octets than allowed, there is no need.
    if len(octets) > limits.max_tags and octets.count(b"<") > limits.max_tags:
        raise MalformedEnvelope("more tags than allowed")
    if len(octets) > limits.max_quotes and octets.count(b'"') + octets.count(b"'") > limits.max_quotes:
        raise MalformedEnvelope("more quotes, so perhaps attributes, than allowed")


def check_bounds(root: Element, octets: bytes) -> None:
    """Depth and width of the tree of `octets`; no encodingStyle, comments, processing instructions.

    Raises  MalformedEnvelope.
    """
    _check_size(root, octets)
    if b"encodingStyle" in octets and _ENCODING_STYLE(root):
        raise MalformedEnvelope("encodingStyle is present (BP R1005)")
    # In octets first: `<!--` and `<?` are rare, and inside CDATA they are innocent text.
    declared = octets.startswith(b"<?xml", 3 if starts_with_mark(octets) else 0)
    suspicious = (b"!" in octets and b"<!--" in octets) or (b"?" in octets and octets.count(b"<?") > declared)
    if suspicious and (_REMARKS(root) or root.getprevious() is not None or root.getnext() is not None):
        raise MalformedEnvelope("a comment or processing instruction is present")


def _check_size(root: Element, octets: bytes) -> None:
    if _OUT_OF_BOUNDS(root):
        raise MalformedEnvelope(f"deeper than {_DEPTH} levels" if root.xpath(_TOO_DEEP)
                                else f"more than {_WIDTH} attributes on one element")
    if octets.count(b'"') + octets.count(b"'") > 2 * _ATTRIBUTES and _TOO_MANY(root):
        raise MalformedEnvelope(f"more than {_ATTRIBUTES} attributes")


def _structure(root: Element) -> tuple[list[Element], Element]:
    """The header blocks and the Body."""
    if root.tag != ENVELOPE:
        raise VersionMismatch("the root is no SOAP 1.1 Envelope")
    children = list(islice(root, 3))  # one too many tells as much as all
    tags = [child.tag for child in children]
    if tags not in ([HEADER, BODY], [BODY]):
        raise MalformedEnvelope("Envelope must hold at most one Header, then one Body, and nothing after it")
    *header, body = children
    if header and len(header[0]) > _PARTS_WIDTH:
        raise ForbiddenHeader(f"{len(header[0])} header blocks")
    blocks = list(header[0]) if header else []
    for element in (root, *children):
        if _SOAP_PREFIX in "".join(map(str, element.keys())):
            raise MalformedEnvelope("SOAP attributes on Envelope, Header or Body (BP R1032)")
    if _has_words(root, children) or (header and _has_words(header[0], blocks)):
        raise MalformedEnvelope("text in Envelope or Header")
    if body.keys() not in ([], [WSU_ID]):
        raise MalformedEnvelope("Body has an attribute other than wsu:Id")
    return blocks, body


def _headers(found: list[Element]) -> tuple[tuple[Element, ...], Element | None, int]:
    """Of all blocks the wsa blocks, the one wsse:Security, and how many blocks are another's.

    A block for another actor is not ours to read (SOAP 1.1 §4.2.2). It is passed by when nothing in it must be
    understood and it is no wsa block; a wsse:Security too. Nothing in it can be referenced (docs/decisions/0016).
    """
    blocks: dict[str, Element] = {}
    security: list[Element] = []
    unknown = others = 0
    for block in found:
        plain = block.keys() in _PLAIN_BLOCKS
        flag, actor = (None, None) if plain else (block.get(_MUST_UNDERSTAND), block.get(_ACTOR))
        if flag not in (None, "0", "1"):
            raise MalformedEnvelope("mustUnderstand must be 0 or 1 (BP R1013)")
        if actor not in (None, "", _NEXT) and flag != "1" and block.tag not in _WSA_BLOCKS:
            others += 1
        elif block.tag == SECURITY:
            security.append(block)
        elif block.tag in _WSA_BLOCKS and actor is None:
            if block.tag in blocks:
                raise ForbiddenHeader(f"{etree.QName(block).localname} stands twice (wsa:InvalidCardinality)")
            blocks[block.tag] = block
        elif flag == "1" and actor in (None, "", _NEXT):
            raise NotUnderstood("a header block outside the profile must be understood")
        else:
            unknown += 1
    if unknown:
        raise ForbiddenHeader(f"{unknown} header block(s) outside the profile")
    if len(security) > 1 or any(block.get(_ACTOR) is not None for block in security):
        raise ForbiddenHeader("more than one wsse:Security, or one with an actor")
    return tuple(blocks.values()), security[0] if security else None, others


def has_canonical_form(root: Element) -> bool:
    """A document with a relative namespace URI has none, wherever that stands (Canonical XML 1.0 §1.3)."""
    try:
        etree.tostring(root, method="c14n", exclusive=True)
    except (etree.LxmlError, ValueError):
        return False
    return True


def _check_scopes(ancestors: list[Element]) -> None:
    if any(len(element.nsmap) > _NAMESPACES for element in ancestors):
        raise MalformedEnvelope(f"more than {_NAMESPACES} namespace declarations above a part that may be signed")


def _only_child(body: Element) -> Element:
    children = list(islice(body, 2))  # two tell as much as all
    if len(children) != 1 or _has_words(body, children):
        raise MalformedEnvelope("Body must hold exactly one element")
    child: Element = children[0]
    if not str(child.tag).startswith("{"):
        raise MalformedEnvelope("the Body's element has no namespace (BP R1014)")
    return child


def _has_words(element: Element, children: list[Element]) -> bool:
    """Does text other than white space stand between the children?"""
    texts = [element.text, *[child.tail for child in children]]
    return "".join([text for text in texts if text]).strip(" \t\r\n") != ""
