"""Signature wrapping (docs/profile.md §6): the genuine part elsewhere, an evil one in its place.

Every variant is otherwise a good request: the evil part has a value that would be taken, the genuine one still
matches its digest. So nothing but the wrapping can be what is refused.
"""

from collections.abc import Callable

import pytest
from lxml import etree

from gateway.errors import (
    AddressingError,
    AlgorithmForbidden,
    ForbiddenHeader,
    MalformedEnvelope,
    NotUnderstood,
    ReferenceMissing,
    SecurityMissing,
    SignatureInvalid,
)
from tests import foreign
from tests.foreign import A, D, O, S, U
from tests.hostile.attack import (
    EVIL,
    Target,
    add,
    body,
    clone,
    header,
    part,
    reference,
    security,
    signature,
    signed_info,
)

pytestmark = pytest.mark.clause("§5.1")

WSU_ID = f"{{{U}}}Id"
ACTOR = f"{{{S}}}actor"
Change = Callable[[etree._Element], object]
PARTS = ("Body", "To", "Action", "MessageID", "ReplyTo", "From", "Timestamp", "BinarySecurityToken")
HEADERS = PARTS[1:6]


def spoil(target: Target, root: etree._Element, name: str) -> etree._Element:
    """Give the part in its place another value that would be taken; the genuine part as it was."""
    evil = part(root, name)
    genuine = clone(evil)
    genuine.tail = None
    if name == "Body":
        found = evil.find(".//{*}KlantnummerSHV")
        found.text = EVIL
    elif name == "Timestamp":
        evil[0].text = evil[0].text.replace("Z", "").split(".")[0] + ".999Z"
    elif name == "BinarySecurityToken":
        evil.text = foreign.b64encode(target.line.identity("zorgverzekeraar").certificate).decode()
    elif name == "To":
        evil.text = foreign.ANONYMOUS
    elif name == "MessageID":
        evil.text = "urn:uuid:66666666-6666-4666-8666-666666666666"
    elif name == "Action":
        evil.text = f"\n{evil.text}\n"
    elif name == "ReplyTo":
        evil[0].text = f" {foreign.ANONYMOUS}"
    else:
        evil[0].text = "https://kwaad.example/"
    return genuine


IDS: dict[str, Change] = {
    "without id": lambda evil: evil.attrib.pop(WSU_ID),
    "same id": lambda evil: None,
    "other id": lambda evil: evil.set(WSU_ID, "other"),
}


def _wrap(parent: etree._Element, tag: str, genuine: etree._Element, **attributes: str) -> None:
    add(parent, tag, **attributes).append(genuine)


# Where the genuine part goes: name → (how, what each of Body, header block, Timestamp and token must be refused as).
FS = (ReferenceMissing, SecurityMissing)
HOMES: dict[str, tuple[Callable[[etree._Element, etree._Element], object], tuple[type, ...]]] = {
    "XSW1 child of ds:Signature": (lambda r, g: signature(r).append(g), FS),
    "XSW1 first child of ds:Signature": (lambda r, g: signature(r).insert(0, g), FS),
    "XSW2 before ds:Signature": (lambda r, g: signature(r).addprevious(g), FS),
    "XSW2 after ds:Signature": (lambda r, g: security(r).append(g), FS),
    "XSW6 in ds:KeyInfo": (lambda r, g: signature(r)[2].append(g), FS),
    "XSW6 in the SecurityTokenReference": (lambda r, g: signature(r)[2][0].append(g), FS),
    "XSW8 in ds:Object": (lambda r, g: _wrap(signature(r), f"{{{D}}}Object", g), FS),
    "in ds:SignedInfo": (lambda r, g: signed_info(r).append(g), FS),
    "in a ds:Reference": (lambda r, g: signed_info(r)[2].append(g), (*FS, AlgorithmForbidden)),
    "in the token": (lambda r, g: part(r, "BinarySecurityToken").append(g), FS),
    "in the Timestamp": (lambda r, g: part(r, "Timestamp").append(g), FS),
    "XSW7 under an unknown header": (lambda r, g: _wrap(header(r), "{urn:x}wrap", g), (ForbiddenHeader,)),
    "XSW7 under an unknown header, not to be understood": (
        lambda r, g: _wrap(header(r), "{urn:x}wrap", g, **{f"{{{S}}}mustUnderstand": "0"}), (ForbiddenHeader,)),
    "under a header that must be understood": (
        lambda r, g: _wrap(header(r), "{urn:x}wrap", g, **{f"{{{S}}}mustUnderstand": "1"}), (NotUnderstood,)),
    "under a second Security for the next actor": (
        lambda r, g: _wrap(header(r), f"{{{O}}}Security", g, **{ACTOR: "http://schemas.xmlsoap.org/soap/actor/next"}),
        (ForbiddenHeader,)),
    "under a second Security for no actor": (
        lambda r, g: _wrap(header(r), f"{{{O}}}Security", g, **{ACTOR: "http://www.w3.org/none"}), FS),
    "XSW7 under a header for another actor": (
        lambda r, g: _wrap(header(r), "{urn:x}wrap", g, **{ACTOR: "urn:other"}), FS),
    "under a second Security before the first": (
        lambda r, g: header(r).insert(0, _filled(f"{{{O}}}Security", g)), (ForbiddenHeader,)),
    "XSW5 after Body": (lambda r, g: r.append(g), (MalformedEnvelope,)),
    "before Header": (lambda r, g: r.insert(0, g), (MalformedEnvelope,)),
    "in a second Header": (lambda r, g: r.insert(1, _filled(f"{{{S}}}Header", g)), (MalformedEnvelope,)),
    "in a second Envelope": (lambda r, g: r.append(_filled(f"{{{S}}}Envelope", g)), (MalformedEnvelope,)),
    "second child of Body": (lambda r, g: body(r).append(g), (MalformedEnvelope,)),
    "first child of Body": (lambda r, g: body(r).insert(0, g), (MalformedEnvelope,)),
    "XSW4 deep in the message": (lambda r, g: body(r).find(".//{*}Klant").append(g), FS),
}


def _filled(tag: str, child: etree._Element) -> etree._Element:
    made = etree.Element(tag)
    made.append(child)
    return made


@pytest.mark.incident(
    "CVE-2011-0730", "CVE-2011-1411", "CVE-2012-4418",
    "CVE-2020-5390", "CVE-2024-6800", "CVE-2025-47949", "CVE-2025-54419")
@pytest.mark.clause("WB004", "§3.2")
@pytest.mark.parametrize("identifier", ["without id", "same id"])
@pytest.mark.parametrize("home", HOMES)
@pytest.mark.parametrize("name", PARTS)
def test_a_part_that_was_moved(target: Target, name: str, home: str, identifier: str) -> None:
    root = target.build()
    move, error = HOMES[home]
    genuine = spoil(target, root, name)
    IDS[identifier](part(root, name))
    move(root, genuine)
    target.repels(foreign.octets(root), *error)


@pytest.mark.clause("BP R9980")
@pytest.mark.parametrize("order", ["evil first", "genuine first"])
@pytest.mark.parametrize("identifier", IDS)
@pytest.mark.parametrize("name", PARTS)
def test_a_part_beside_its_double(target: Target, name: str, identifier: str, order: str) -> None:
    """XSW3, and each header twice."""
    root = target.build()
    genuine = spoil(target, root, name)
    evil = part(root, name)
    IDS[identifier](evil)
    (evil.addnext if order == "evil first" else evil.addprevious)(genuine)
    error = {"Body": MalformedEnvelope, "Timestamp": SecurityMissing, "BinarySecurityToken": SecurityMissing}
    target.repels(foreign.octets(root), error.get(name, ForbiddenHeader))


@pytest.mark.parametrize("identifier", IDS)
@pytest.mark.parametrize("name", HEADERS)
def test_a_header_inside_its_double(target: Target, name: str, identifier: str) -> None:
    """XSW4 for headers: the evil one holds the genuine one."""
    root = target.build()
    genuine = spoil(target, root, name)
    evil = part(root, name)
    IDS[identifier](evil)
    evil.append(genuine)
    target.repels(foreign.octets(root), AddressingError)


def test_the_genuine_body_in_the_header(target: Target) -> None:
    """XSW5, the other half: as a header block the Body is outside the profile, before its id is looked at."""
    root = target.build()
    genuine = spoil(target, root, "Body")
    header(root).append(genuine)
    target.repels(foreign.octets(root), ForbiddenHeader)


@pytest.mark.incident("CVE-2012-2379")
@pytest.mark.clause("WB003", "WB004")
@pytest.mark.parametrize("name", PARTS)
def test_a_part_left_out_of_the_signature_by_its_own_signer(target: Target, name: str) -> None:
    target.repels(target.signed(unsigned=frozenset({name})), ReferenceMissing, reason=f"{name} is signed 0 times")


@pytest.mark.clause("WB013")
@pytest.mark.parametrize("name", PARTS)
def test_a_changed_part_in_its_place(target: Target, name: str) -> None:
    root = target.build()
    spoil(target, root, name)
    expected = "digest of" if name != "BinarySecurityToken" else "SignatureValue"
    target.repels(foreign.octets(root), SignatureInvalid, reason=expected)


@pytest.mark.clause("WB004", "WA001")
@pytest.mark.parametrize(("value", "error"), [
    (foreign.ANONYMOUS, ReferenceMissing), (A + "/none", ReferenceMissing),
    ("https://kwaad.example/", AddressingError)])
def test_an_added_unsigned_faultto(target: Target, value: str, error: type) -> None:
    def extend(root: etree._Element) -> None:
        add(add(header(root), f"{{{A}}}FaultTo"), f"{{{A}}}Address", value)

    target.repels(target.bent(extend), error)


@pytest.mark.incident("CVE-2019-3465")
@pytest.mark.parametrize("first", ["valid", "decoy"])
def test_two_signatures(target: Target, first: str) -> None:
    """A's valid signature over a decoy, B's over the Body; both orders."""
    root = target.build()
    own = signature(root)
    other = clone(own)
    foreign.resign(root, target.line.identity("zorgverzekeraar"), digests=False)
    (own.addnext if first == "valid" else own.addprevious)(other)
    target.repels(foreign.octets(root), SecurityMissing, reason="2 Signature")


@pytest.mark.incident("CVE-2025-29774")
@pytest.mark.parametrize("place", [0, 1])
def test_two_signedinfo(target: Target, place: int) -> None:
    """CVE-2025-29774: one is verified, the other believed."""
    root = target.build()
    genuine = clone(signed_info(root))
    spoil(target, root, "Body")
    digest = reference(root).find(f"{{{D}}}DigestValue")
    digest.text = foreign.b64encode(foreign.hashlib.sha256(foreign.canonical(body(root))).digest()).decode()
    signature(root).insert(place, genuine)
    target.repels(foreign.octets(root), SecurityMissing)
