"""HTTP, octets, SOAP structure and header blocks: what can be wrong before anybody looks at security."""

import re
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from typing import Final

from lxml import etree

from gateway.errors import MalformedEnvelope, NotUtf8, NotXml, TooLarge, UnsupportedContent
from gateway.multipart import is_package, read_package_type
from gateway.names import SOAP, SOAP12, WSA, WSA_OLD, WSSE, clark
from gateway.security.explain.case import SIGNATURE, WSU_ID, Case, actor_of, elements, found
from gateway.soap import Element, many_namespaces, read_bounded, scopes_are_bounded
from gateway.values import Diagnosis

_CHARSET: Final = re.compile(r"charset\s*=\s*[\"']?([A-Za-z0-9._-]+)", re.IGNORECASE)
_DECLARED: Final = re.compile(rb"""^\s*<\?xml[^>]{0,100}?encoding\s*=\s*["']([A-Za-z0-9._-]{1,40})["']""")
_ENCODINGS: Final = {"iso-8859-1": "latin-1", "latin1": "latin-1", "windows-1252": "cp1252",
                     "iso-8859-15": "iso8859-15", "utf-16": "utf-16", "us-ascii": "ascii"}
_HTTP: Final = re.compile(rb"(?:POST|GET|PUT) \S+ HTTP/|HTTP/1\.[01] ")
_SOAP_ATTRIBUTE: Final = f"{{{SOAP}}}"
_MARKS: Final = (etree.XPath("boolean(/descendant::comment()[1])"),  # see soap/envelope.py
                 etree.XPath("boolean(/descendant::processing-instruction()[1])"))
_ENCODING_STYLE: Final = etree.XPath("count(/descendant::*/@s:encodingStyle) > 0", namespaces={"s": SOAP})
_NEXT: Final = SOAP.replace("/envelope/", "/actor/next")
_WSA_NAMES: Final = frozenset(("To", "Action", "MessageID", "RelatesTo", "ReplyTo", "From", "FaultTo"))
# Header blocks that toolkits add of themselves, by the end of their namespace: named, because nobody else chose it.
_KNOWN_BLOCKS: Final = {
    "ActivityId": "ActivityId", "VsDebuggerCausalityData": "VsDebuggerCausalityData", "Sequence": "wsrm:Sequence",
    "AckRequested": "wsrm:AckRequested", "Signature": "ds:Signature", "Timestamp": "wsu:Timestamp",
    "BinarySecurityToken": "wsse:BinarySecurityToken",
}


def http(case: Case) -> list[Diagnosis] | None:
    """Content-Type: text/xml in UTF-8 (BP R1115, SSBP R1018; Digikoppeling WS006)."""
    sent = case.sent.content_type
    if sent is None:
        return None
    kind, place = sent.partition(";")[0].strip().lower(), "HTTP/Content-Type"
    if kind == "application/soap+xml":
        return [found("content-type-soap12", place)]
    if is_package(sent) and _is_mtom(sent):
        return []
    if kind.startswith("multipart/") or kind == "application/xop+xml":
        return [found("content-type-multipart", place)]
    if kind != "text/xml":
        return [found("content-type-wrong", place)]
    charset = _CHARSET.search(sent)
    if charset and charset[1].lower() not in ("utf-8", "utf8"):
        return [found("charset-wrong", place)]
    return []


def _is_mtom(content_type: str) -> bool:
    """Is it what a package has whose first part is looked at here?"""
    try:
        read_package_type(content_type)
    except UnsupportedContent:
        return False
    return True


def xml(case: Case) -> list[Diagnosis]:
    """Octets and well-formedness; brings what is in another encoding to UTF-8, so that the rest can be looked at."""
    octets = case.octets = case.sent.octets
    if case.sent.envelope is not None:
        case.take_in(case.sent.envelope.root)
        return []
    wrong = _packaging(octets) or _encoding(case)
    if wrong and not case.octets:
        return wrong
    if case.octets.count(b"xmlns") > case.budget.declarations:
        return [*wrong, found("beyond-limits", "/")]
    try:
        root = read_bounded(case.octets, case.known.limits)
        if many_namespaces(case.octets) and not scopes_are_bounded(root):
            return [*wrong, found("beyond-limits", "/")]
        case.take_in(root)
    except (TooLarge, MalformedEnvelope):
        return [*wrong, found("beyond-limits", "/")]
    except NotXml as error:
        return [*wrong, _not_xml(case.octets, error)]
    except NotUtf8:
        return wrong or [found("encoding-not-utf8", "/")]
    return wrong


def _packaging(octets: bytes) -> list[Diagnosis]:
    """Something else than an envelope, that still may hold one."""
    start = octets[:200].lstrip()
    if not start:
        return [found("empty-message", "/")]
    if _HTTP.match(start):
        return [found("http-in-message", "/")]
    if start.startswith(b"--") or start.lower().startswith(b"content-"):
        return [found("mime-in-message", "/")]
    return []


def _encoding(case: Case) -> list[Diagnosis]:
    octets, wrong = case.octets, "encoding-not-utf8"
    if octets.startswith((BOM_UTF16_LE, BOM_UTF16_BE)) or b"\0" in octets[:4]:
        encoding, wrong = "utf-16", "encoding-utf16"
    elif (declared := _declared(octets)) in ("utf-8", "utf8", "us-ascii", None):
        if _decodes(octets):
            return []
        encoding = "cp1252"
    else:
        encoding, wrong = _ENCODINGS.get(declared, ""), "encoding-declared-other"
        if _decodes(octets):
            encoding = "utf-8"  # only the declaration is wrong
    try:
        text = octets.decode(encoding, "replace") if encoding else ""
    except (LookupError, UnicodeError):
        text = ""
    text = re.sub(r"^\ufeff?\s*<\?xml[^>]*\?>", "", text)
    case.octets = text.encode("utf-8", "replace")
    return [found(wrong, "/")]


def _declared(octets: bytes) -> str | None:
    match = _DECLARED.match(octets.removeprefix(BOM_UTF8))
    return match[1].decode().lower() if match else None


def _decodes(octets: bytes) -> bool:
    try:
        octets.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _not_xml(octets: bytes, error: NotXml) -> Diagnosis:
    if b"<!DOCTYPE" in octets or b"<!ENTITY" in octets:
        return found("dtd-present", "/")
    start = octets.removeprefix(BOM_UTF8)
    if start.lstrip() != start and start.lstrip().startswith(b"<?xml"):
        return found("white-space-before-declaration", "/")
    where = re.match(r"line (\d+), column (\d+)", error.detail)
    return found("xml-not-well-formed", "/", line=where[1] if where else "?", column=where[2] if where else "?")


def soap(case: Case) -> list[Diagnosis] | None:
    """SOAP 1.1 structure (BP R9980, R9981, R1005-R1015, R1032; Digikoppeling WW003)."""
    root = case.root
    if root is None:
        return None
    if root.tag == clark(SOAP12, "Envelope"):
        return [found("soap-12", "/soap:Envelope"), *_marks(root)]
    if root.tag != clark(SOAP, "Envelope"):
        return [found("not-an-envelope", "/")]
    wrong = _marks(root)
    children = [one.tag for one in elements(root)]
    if children not in ([clark(SOAP, "Header"), clark(SOAP, "Body")], [clark(SOAP, "Body")]):
        wrong.append(found("envelope-layout", root))
    for element in (root, case.header):
        if element is not None and not _blank(element):
            wrong.append(found("text-between-parts", element))
    return wrong + _attributes(case, root) + _body(case)


def _marks(root: Element) -> list[Diagnosis]:
    comments, instructions = (bool(one(root)) for one in _MARKS)
    outside = [one for one in (root.getprevious(), root.getnext()) if one is not None]
    comments = comments or any(isinstance(one, etree._Comment) for one in outside)
    instructions = instructions or any(isinstance(one, etree._ProcessingInstruction) for one in outside)
    return [found(identifier, "/soap:Envelope") for identifier, there in
            (("comment-present", comments), ("processing-instruction-present", instructions)) if there]


def _attributes(case: Case, root: Element) -> list[Diagnosis]:
    if _ENCODING_STYLE(root):
        return [found("encoding-style", "/soap:Envelope")]
    places = [one for one in (root, case.header, case.body) if one is not None]
    wrong = [found("soap-attribute", one) for one in places
             if any(str(key).startswith(_SOAP_ATTRIBUTE) for key in one.attrib)]
    if case.body is not None and not wrong and set(case.body.attrib) - {WSU_ID}:
        plain = {str(key) for key in case.body.attrib} & {"Id", "ID", "id"}
        wrong.append(found("body-id-not-wsu" if plain else "body-attribute", case.body))
    return wrong


def _body(case: Case) -> list[Diagnosis]:
    if case.body is None:
        return []
    inside = elements(case.body)
    if not inside:
        return [found("body-empty", case.body)]
    if len(inside) > 1 or not _blank(case.body):
        return [found("body-several", case.body)]
    if not etree.QName(inside[0]).namespace:
        return [found("body-child-no-namespace", case.body)]
    return []


def headers(case: Case) -> list[Diagnosis] | None:
    """The allow-list of header blocks (Digikoppeling WS007, WA001; BP R1013, R1027)."""
    if case.header is None:
        return None
    soap_ns, seen, wrong = etree.QName(case.header).namespace or "", set[str](), list[Diagnosis]()
    for block in case.blocks:
        flag = block.get(f"{{{soap_ns}}}mustUnderstand")
        if flag not in (None, "0", "1"):
            wrong.append(found("must-understand-value", block))
        if block is case.security or not _passed_by(block, flag):
            wrong += _block(block, flag, seen)
            seen.add(str(block.tag))
    return wrong


def _passed_by(block: Element, flag: str | None) -> bool:
    """A block for another, in which nothing must be understood (docs/decisions/0016)."""
    return actor_of(block) not in (None, "", _NEXT) and flag != "1" and etree.QName(block).namespace != WSA


def _block(block: Element, flag: str | None, seen: set[str]) -> list[Diagnosis]:
    name = etree.QName(block)
    if name.namespace in WSA_OLD:
        return [found("wsa-old-version", block, version=(name.namespace or "").split("/ws/")[-1][:7])]
    security, addressing = block.tag == clark(WSSE, "Security"), name.namespace == WSA and name.localname in _WSA_NAMES
    if not security and not addressing:
        if block.tag == SIGNATURE:
            return []  # told where the security header is looked at
        required = flag == "1" and actor_of(block) in (None, "", _NEXT)
        return [found("header-must-understand" if required else "header-not-allowed", block,
                      header=_KNOWN_BLOCKS.get(name.localname, "?"))]
    wrong = [] if actor_of(block) is None else [found("header-actor", block)]
    if str(block.tag) in seen:
        wrong.append(found("security-twice" if security else "wsa-header-twice", block, header=name.localname))
    return wrong


def _blank(element: Element) -> bool:
    return not (element.text or "").strip() and all(not (one.tail or "").strip() for one in element)
