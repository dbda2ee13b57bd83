"""Ids, references, comments and canonical forms (standards catalogue 5.1): what was signed must be what is read."""

import unicodedata
from collections.abc import Callable

import pytest
from lxml import etree

from gateway.errors import (
    AlgorithmForbidden,
    MalformedEnvelope,
    NotXml,
    ReferenceMissing,
    SchemaInvalid,
    SecurityMissing,
    SignatureInvalid,
)
from tests import foreign
from tests.foreign import D, S
from tests.hostile.attack import (
    NUMBER,
    Target,
    add,
    body,
    clone,
    message,
    part,
    reference,
    security,
    signature,
    signed_info,
)
from tests.hostile.test_wrapping import IDS, PARTS, WSU_ID, spoil
from tests.line import code

pytestmark = pytest.mark.clause("§5.1")

NO_COMMENTS: dict[str, Callable[[etree._Element], object]] = {
    "DigestValue": lambda r: reference(r).find(f"{{{D}}}DigestValue"),  # CVE-2025-29775
    "SignatureValue": lambda r: signature(r)[1],
    "SignedInfo": signed_info,
    "Security": security,
    "MessageID": lambda r: part(r, "MessageID"),
    "Body": body,
    "client number": lambda r: body(r).find(".//{*}KlantnummerSHV"),
    "sender": lambda r: body(r).find(".//{*}Afzender"),
    "Envelope": lambda r: r,
}


@pytest.mark.incident("CVE-2017-11427", "CVE-2025-29775")
@pytest.mark.clause("BP R1009")
@pytest.mark.parametrize("kind", ["comment", "processing instruction"])
@pytest.mark.parametrize("place", NO_COMMENTS)
def test_comments_and_processing_instructions(target: Target, place: str, kind: str) -> None:
    """CVE-2017-11427: a comment is not in the digest, but cuts a value in two for who reads its first piece only."""
    def insert(root: etree._Element) -> None:
        element = NO_COMMENTS[place](root)
        node = etree.Comment(" ") if kind == "comment" else etree.ProcessingInstruction("x", "y")
        text = element.text or ""
        element.text, node.tail = text[: len(text) // 2], text[len(text) // 2:]
        element.insert(0, node)

    target.repels(target.bent(insert), MalformedEnvelope)


def test_a_comment_in_a_signed_amount(target: Target) -> None:
    """Signed with the comment in it, as exclusive C14N allows; still not taken, so it is read in no way at all."""
    child = message(name="Kennisgeving-volledig").replace(NUMBER.encode(), NUMBER.encode()[:6] + b"<!-- -->" + b"7")
    target.repels(target.signed(child), MalformedEnvelope)


@pytest.mark.incident("CVE-2021-21238")
def test_elements_in_signature_and_digest_values(target: Target) -> None:
    for place in (lambda r: signature(r)[1], lambda r: reference(r)[2]):
        root = target.build()
        value = place(root)
        genuine, value.text = value.text, None
        add(value, "{urn:x}evil", "QUJD").tail = genuine
        target.repels(foreign.octets(root), SecurityMissing)


XPATHS = ["//soap:Body", "//*[@wsu:Id='_1']", "//*[local-name()='Body'][last()]", "here()/ancestor::*", "id('_1')"]
XPATH = "http://www.w3.org/TR/1999/REC-xpath-19991116"
FILTER2 = "http://www.w3.org/2002/06/xmldsig-filter2"


@pytest.mark.clause("BSP R5423", "§4.1")
@pytest.mark.parametrize("algorithm", [XPATH, FILTER2])
@pytest.mark.parametrize("expression", [*XPATHS, "//s:Body[not(ancestor::s:Header)]"])
def test_references_by_xpath(target: Target, expression: str, algorithm: str) -> None:
    """Also from an authorised signer: a transform outside the list is refused, never skipped."""
    def point(root: etree._Element) -> None:
        transforms = reference(root)[0]
        for child in list(transforms):
            transforms.remove(child)
        made = add(transforms, f"{{{D}}}Transform", Algorithm=algorithm)
        namespace = D if algorithm == XPATH else FILTER2
        made.append(etree.Element(f"{{{namespace}}}XPath", nsmap={"s": "urn:redefined", "wsu": S, "soap": S}))
        made[-1].text = expression

    target.repels(target.signed(after_digests=point), AlgorithmForbidden)


@pytest.mark.clause("BSP R5204", "BSP R3001", "§4.1")
@pytest.mark.parametrize("uri", [
    "", "#", "#xpointer(/)", "#xpointer(id('_1'))", "#_1 ", "# _1", "_1", "#_1#_1", "#%5f1", "cid:_1", "{file}",
    "{canary}", "#/s:Envelope/s:Body", "#element(/1/2)"])
def test_references_by_anything_but_an_id(target: Target, uri: str) -> None:
    uri = target.plant(uri)
    target.repels(target.signed(after_digests=lambda r: reference(r).set("URI", uri)), ReferenceMissing)


@pytest.mark.clause("BSP R5204")
def test_a_reference_without_uri(target: Target) -> None:
    target.repels(target.signed(after_digests=lambda r: reference(r).attrib.pop("URI")), ReferenceMissing)


@pytest.mark.clause("§3.1")
@pytest.mark.parametrize("name", PARTS)
@pytest.mark.parametrize("prefix", ["s", "o", "evil"])
def test_decoys_under_any_prefix(target: Target, name: str, prefix: str) -> None:
    """The decoy carries the genuine id under another namespace with a well-known prefix: prefixes mean nothing."""
    root = target.build()
    genuine = spoil(target, root, name)
    IDS["without id"](part(root, name))
    decoy = etree.SubElement(security(root), f"{{urn:decoy}}{name}", nsmap={prefix: "urn:decoy"})
    decoy.append(genuine)
    target.repels(foreign.octets(root), SecurityMissing, reason="outside the profile")


DOUBLES: dict[str, tuple[str, str]] = {
    "wsu:Id": (WSU_ID, "_1"), "Id": ("Id", "_1"), "ID": ("ID", "_1"), "id": ("id", "_1"),
    "xml:id": ("{http://www.w3.org/XML/1998/namespace}id", "_1"), "Id of another namespace": ("{urn:x}Id", "_1"),
    "ID of another namespace": ("{urn:x}ID", "_1"), "white space": ("Id", " _1 "),
}


@pytest.mark.clause("§3.2")
@pytest.mark.parametrize("holder", ["message", "deep", "ds:Signature", "Address"])
@pytest.mark.parametrize("double", DOUBLES)
def test_one_id_twice(target: Target, double: str, holder: str) -> None:
    holders: dict[str, Callable[[etree._Element], etree._Element]] = {
        "message": lambda r: body(r)[0], "deep": lambda r: body(r).find(".//{*}Achternaam"), "ds:Signature": signature,
        "Address": lambda r: part(r, "From")[0]}
    name, value = DOUBLES[double]
    target.repels(target.signed(before_signing=lambda r: holders[holder](r).set(name, value) if holder != "ds:Signature"
                                else None,
                                after_signing=lambda r: signature(r).set(name, value) if holder == "ds:Signature"
                                else None), ReferenceMissing, reason="twice")


@pytest.mark.clause("§3.2")
@pytest.mark.parametrize(("one", "other"), [
    ("Body", "BODY"), ("\u00e9", "e\u0301"), ("\u212b", "\u00c5"), ("stra\u00dfe", "STRASSE"), ("x", "x ")])
def test_ids_that_differ_by_case_composition_or_space(target: Target, one: str, other: str) -> None:
    assert unicodedata.normalize("NFC", one).casefold() == unicodedata.normalize("NFC", other.strip()).casefold()

    def rename(root: etree._Element) -> None:
        body(root).set(WSU_ID, one)
        body(root)[0].set("Id", other)

    target.repels(target.signed(before_signing=rename), ReferenceMissing, reason="twice")


@pytest.mark.clause("BP R1008")
def test_an_attribute_defined_as_id_by_a_dtd(target: Target) -> None:
    target.repels(b'<!DOCTYPE s:Envelope [<!ATTLIST b x ID #IMPLIED>]>' + target.signed(), NotXml)


@pytest.mark.clause("BSP R3001")
def test_plain_id_before_wsu_id(target: Target) -> None:
    """ID confusion: the genuine Body keeps wsu:Id, the decoy in place has a plain Id."""
    root = target.build()
    genuine = spoil(target, root, "Body")
    IDS["without id"](body(root))
    body(root).set("Id", genuine.get(WSU_ID))
    body(root)[0].append(genuine)
    target.repels(foreign.octets(root), MalformedEnvelope)


@pytest.mark.incident("CVE-2025-25292")
@pytest.mark.clause("§3.1")
@pytest.mark.parametrize("name", [f"{{urn:x}}{local}" for local in ("Signature", "SignedInfo", "Reference")])
def test_look_alikes_in_another_namespace(target: Target, name: str) -> None:
    """Elements that look like ds: but are not it, instead of and beside the genuine ones."""
    local = etree.QName(name).localname
    for instead in (True, False):
        root = target.build()
        genuine = next(root.iter(f"{{{D}}}{local}"))
        double = clone(genuine)
        double.tag = name
        genuine.addnext(double)
        if instead:
            genuine.getparent().remove(genuine)
        target.repels(foreign.octets(root), SecurityMissing, ReferenceMissing)


@pytest.mark.incident("CVE-2025-66567")
@pytest.mark.clause("§3.1")
def test_ds_redefined_inside_the_signature(target: Target) -> None:
    octets = target.signed()
    start = octets.index(b"<SignedInfo>")
    for namespace in (b"urn:x", b"", S.encode()):
        evil = octets[:start] + b'<SignedInfo xmlns="' + namespace + b'">' + octets[start + len(b"<SignedInfo>"):]
        target.repels(evil, SecurityMissing)


@pytest.mark.incident("CVE-2025-66568")
@pytest.mark.parametrize("place", ["Body", "message", "header", "SignedInfo", "Timestamp"])
@pytest.mark.parametrize("uri", ["1", "../x", "#"])
def test_parts_without_a_canonical_form(target: Target, place: str, uri: str) -> None:
    """CVE-2025-66568: where C14N fails, an empty string must not be digested in its stead, whoever signed that."""
    empty = foreign.b64encode(foreign.hashlib.sha256(b"").digest()).decode()
    starts = {"Body": b"<s:Body", "message": b"<sr:Kennisgeving", "header": b"<a:MessageID",
              "SignedInfo": b"<SignedInfo", "Timestamp": b"<u:Timestamp"}
    names = {"Body": "Body", "message": "Body", "header": "MessageID", "Timestamp": "Timestamp"}

    def lie(root: etree._Element) -> None:
        if place in names:
            reference(root, names[place]).find(f"{{{D}}}DigestValue").text = empty

    octets = target.signed(after_digests=lie)
    evil = octets.replace(starts[place], starts[place] + f' xmlns:n="{uri}" n:x="y"'.encode(), 1)
    errors = {"Body": (MalformedEnvelope,), "SignedInfo": (SecurityMissing,)}  # neither has attributes of one's own
    target.repels(evil, *errors.get(place, (SignatureInvalid,)))


@pytest.mark.parametrize("start", ["<SignatureValue", "<KeyInfo", '<x:Other xmlns:x="urn:x" s:actor="urn:x"'])
@pytest.mark.parametrize("uri", ["1", "../x"])
def test_a_document_without_a_canonical_form_though_each_signed_part_has_one(
    target: Target, start: str, uri: str,
) -> None:
    """Found by fuzzing: Canonical XML 1.0 §1.3 gives such a document none, and other verifiers refuse it."""
    octets = target.signed().replace(b"</s:Header>", b'<x:Other xmlns:x="urn:x" s:actor="urn:x"/></s:Header>')
    evil = octets.replace(start.encode(), f'{start} xmlns:n="{uri}"'.encode(), 1)
    assert evil != octets
    target.repels(evil, SignatureInvalid, reason="no canonical form")


def test_an_evil_body_with_the_digest_of_nothing(target: Target) -> None:
    root = target.build()
    spoil(target, root, "Body")
    reference(root).find(f"{{{D}}}DigestValue").text = ""
    target.repels(foreign.octets(root), SecurityMissing)


def test_prefixes_redefined_between_signed_and_unsigned_context(target: Target) -> None:
    octets = target.signed()
    for old, new in ((b"<s:Body", b'<s:Body xmlns:sr="urn:x" xmlns:kn="urn:x"'),
                     (b"<s:Header", b'<s:Header xmlns:sr="urn:x" xmlns:kn="urn:x"')):
        twisted = octets.replace(old, new, 1)  # redeclared by the message itself: changes nothing that was signed
        reply = target.line.post(twisted)
        assert (reply.status, code(reply)) == (200, None)
    evil = octets.replace(b' xmlns:kn="urn:schuldenknooppunt:knooppunt:1.0"', b"", 1).replace(
        b"<s:Body", b'<s:Body xmlns:kn="urn:x"', 1)
    target.repels(evil, SignatureInvalid)


@pytest.mark.clause("BP R1017")
@pytest.mark.parametrize(("attribute", "value"), [
    ("type", "kn:Berichtheader"), ("nil", "true"), ("schemaLocation", "urn:x {canary}"),
    ("noNamespaceSchemaLocation", "{canary}")])
def test_qnames_in_content_are_not_taken(target: Target, attribute: str, value: str) -> None:
    """Exclusive C14N does not protect the prefix of xsi:type; so even its own signer may not use it (BP R1017)."""
    xsi = f"{{http://www.w3.org/2001/XMLSchema-instance}}{attribute}"
    said = target.plant(value)
    for place in (".", ".//{*}Klant", ".//{*}Achternaam"):
        octets = target.signed(before_signing=lambda r, place=place: body(r)[0].find(place).set(xsi, said))
        target.repels(octets, SchemaInvalid)
