"""Mutations of a recipe: its header, its tree (moved, doubled, renamed, wrapped …), its spelling, its octets.

All chance comes from the `random.Random` that is given, so a seed repeats a run. After most changes of the tree the
placeholders for digests and signature are put back, so that what comes after the signature is reached too.
"""

import copy
from collections.abc import Callable, Sequence
from contextlib import suppress
from random import Random

from lxml import etree

from tests import foreign
from tests.foreign import A, D, O, S, U
from tests.fuzz import recipe as form
from tests.fuzz.recipe import Recipe
from tests.fuzz.spelling import bent_spelling

LARGEST = 200_000  # octets that a tree may grow to
Element = etree._Element
Change = Callable[[Element, Random], None]

XSI, XML, XENC, SOAP12 = ("http://www.w3.org/2001/XMLSchema-instance", "http://www.w3.org/XML/1998/namespace",
                          "http://www.w3.org/2001/04/xmlenc#", "http://www.w3.org/2003/05/soap-envelope")
KN, SR = "urn:schuldenknooppunt:knooppunt:1.0", "urn:schuldenknooppunt:schuldregeling:2.0"
NAMESPACES = (S, A, O, U, D, KN, SR, XSI, XENC, SOAP12, XML, foreign.EXC, "urn:x", "", "1", "relative/uri",
              "http://docs.oasis-open.org/wss/oasis-wss-wssecurity-secext-1.1.xsd")
NAMES = (
    "Envelope", "Header", "Body", "Fault", "Security", "Timestamp", "Created", "Expires", "BinarySecurityToken",
    "Signature", "SignedInfo", "SignatureValue", "Reference", "Transforms", "Transform", "DigestMethod",
    "DigestValue", "KeyInfo", "SecurityTokenReference", "KeyIdentifier", "X509Data", "Object", "Manifest",
    "SignatureConfirmation", "InclusiveNamespaces", "EncryptedData", "EncryptedKey", "CipherData", "CipherValue",
    "EncryptionMethod", "To", "Action", "MessageID", "RelatesTo", "From", "ReplyTo", "FaultTo", "Address",
    "ReferenceParameters", "Berichtheader", "Stuurgegevens", "Referentienummer", "ConversatieReferentienummer",
    "CrossReferentienummer", "Afzender", "Ontvanger", "Routering", "Bijlagen", "Bijlage", "Grondslag", "Kennisgeving",
    "SaldoVerzoek", "Ping", "x",
)
VALUES = (
    "", " ", "0", "1", "-1", "true", "2", "99999999999999999999", "1e309", "NaN", "0.1", "999990019", "é", "\u202e",
    "\U0001f600", "\ufeff", "e\u0301", "a" * 300, "a" * 9000, "<", "&", "]]>", "'\"", "\r\n", "\t", "..", "%00",
    "{x}", "urn:x", "urn:uuid:1", "#", "#x", "http://127.0.0.1:1/", foreign.ANONYMOUS, A + "/none", "2026-11-24",
    "24:00:00", "2026-02-30T12:00:00Z", "9999-12-31T23:59:59.999Z", "0001-01-01T00:00:00Z",
    "-2026-01-01T00:00:00+14:00", "11111111-1111-4111-8111-000000000002", "00000099000000001000", "MIIB", "====",
    "AA==", "YQ", "urn:uuid:@NEW1@", "@NEW2@", "@TOKEN@", "@CREATED@", "@EXPIRES@", "@METHOD@", "@DIGEST@",
    "@SIGNATURE@", *foreign.HASHES, *foreign.METHODS, foreign.PSS, foreign.EXC, foreign.EXC + "WithComments",
    "http://www.w3.org/TR/1999/REC-xslt-19991116", "http://www.w3.org/2000/09/xmldsig#hmac-sha1",
)
ATTRIBUTES = (
    "Id", "ID", "id", f"{{{U}}}Id", f"{{{XML}}}id", f"{{{XML}}}lang", f"{{{XML}}}base", f"{{{XSI}}}type",
    f"{{{XSI}}}nil", f"{{{XSI}}}schemaLocation", f"{{{S}}}mustUnderstand", f"{{{S}}}actor", f"{{{S}}}encodingStyle",
    "href", "URI", "Algorithm", "Type", "ValueType", "EncodingType", "PrefixList", "Value",
)
PATHS = ("/soap/schuldregeling/2.0/shv", "/soap/schuldregeling/2.0/se", "/soap/schuldregeling/1.0/shv",
         "/soap/knooppunt/1.0/postbus", "/soap/knooppunt/1.0/adresboek", "/soap/knooppunt/1.0/logboek",
         "/soap/knooppunt/1.0/beheer", "/soap/rechtbank/1.0/shv", "/", "", "/soap/../x")
PARTIES = ("gemeente", "energie", "deurwaarder", "hub", "rechtbank", "matching")


def mutate(recipe: Recipe, random: Random, others: Sequence[Recipe] = (), raw: Callable[[bytes], bytes] | None = None,
           ) -> Recipe:
    """A changed recipe. `others`: from where subtrees are taken; `raw`: another mutation of octets, as libFuzzer's."""
    kind = random.random()
    if recipe.door in ("line", "explain", "answer"):
        if recipe.door != "answer" and kind > 0.99:
            other = "line" if recipe.door == "explain" else "explain"
            return Recipe(fields={**recipe.fields, "door": other}, octets=recipe.octets)
        if "encrypt" in recipe.fields and kind < 0.4:
            where = random.choice(("inner", "outer"))
            return Recipe(fields={**recipe.fields, where: str(random.randrange(10**6))}, octets=recipe.octets)
        if kind < 0.08:
            return Recipe(fields=bent_fields(recipe, random), octets=recipe.octets)
        if kind < 0.82:
            root = _tree(recipe.octets)
            if root is not None:
                changed = bent_tree(root, random, others)
                return recipe if len(changed) > LARGEST else Recipe(fields=recipe.fields, octets=changed)
        if kind < 0.94:
            return Recipe(fields=recipe.fields, octets=bent_spelling(recipe.octets, random))
    return Recipe(fields=recipe.fields, octets=raw(recipe.octets) if raw else bent_octets(recipe.octets, random))


def _tree(octets: bytes) -> Element | None:
    try:
        return etree.fromstring(octets, etree.XMLParser(resolve_entities=False, no_network=True, strip_cdata=False))
    except (etree.XMLSyntaxError, ValueError):
        return None


# --- the header ----------------------------------------------------------------------------------------------------


def bent_fields(recipe: Recipe, random: Random) -> dict[str, str]:
    changed = dict(recipe.fields)
    name = random.choice(("path", "caller", "signer", "action", "type", "peer"))
    changed[name] = random.choice({
        "path": PATHS, "caller": PARTIES, "signer": PARTIES, "type": (
            "text/xml", 'text/xml; charset="utf-8"', "text/xml; charset=utf-16", "application/soap+xml", "text/xml; x",
            "multipart/related", ""),
        "action": ('""', "", f'"{SR}:Kennisgeving"', f"{KN}:Ping", '"', "x" * 500, "\xff"),
        "peer": ("", "MIIB", "AAAA", "\xff"),
    }[name])
    if name == "peer" and random.random() < 0.7:
        del changed["peer"]
    return changed


# --- the tree ------------------------------------------------------------------------------------------------------


def bent_tree(root: Element, random: Random, others: Sequence[Recipe] = (), *, resign: bool = True) -> bytes:
    """One to four changes; signed again in seven cases of ten, where that may be."""
    for _ in range(random.choice((1, 1, 1, 2, 2, 3, 4))):
        if others and random.random() < 0.1:
            _graft(root, random, others)
        else:
            _quietly(random.choice(CHANGES), root, random)
    if resign and random.random() < 0.7:
        sign_again(root)
    return etree.tostring(root, encoding="utf-8", xml_declaration=random.random() < 0.2)


def _quietly(change: Change, root: Element, random: Random) -> None:
    with suppress(ValueError, TypeError, etree.LxmlError):  # lxml refuses what can't be written as XML
        change(root, random)


def sign_again(root: Element) -> None:
    """Put the placeholders back where digests and signature stand."""
    for name, placeholder in (("DigestValue", form.DIGEST), ("SignatureValue", form.SIGNATURE)):
        for element in root.iter(f"{{{D}}}{name}"):
            element.text = placeholder.decode()


def _any(root: Element, random: Random) -> Element:
    """Some element; half of the time one of the envelope or the security header, which are few among many."""
    every = list(root.iter(etree.Element))
    outer = [one for one in every if etree.QName(one).namespace in (S, A, O, U, D)]
    return random.choice(outer if outer and random.random() < 0.5 else every)


def _below(root: Element, random: Random) -> Element:
    below = [one for one in root.iter(etree.Element) if one is not root]
    return random.choice(below) if below else root


def _move(root: Element, random: Random) -> None:
    element, place = _below(root, random), _any(root, random)
    if element is not root and element not in place.iterancestors() and element is not place:
        place.insert(random.randint(0, len(place)), element)


def _double(root: Element, random: Random) -> None:
    element = _below(root, random)
    if element is not root:
        place = element.getparent() if random.random() < 0.6 else _any(root, random)
        place.insert(random.randint(0, len(place)), copy.deepcopy(element))


def _drop(root: Element, random: Random) -> None:
    element = _below(root, random)
    if element is not root:
        element.getparent().remove(element)


def _rename(root: Element, random: Random) -> None:
    element = _any(root, random)
    name = etree.QName(element)
    namespace = random.choice(NAMESPACES) if random.random() < 0.5 else name.namespace
    local = random.choice(NAMES) if random.random() < 0.5 else name.localname
    element.tag = f"{{{namespace}}}{local}" if namespace else local


def _wrap(root: Element, random: Random) -> None:
    element = _below(root, random)
    if element is not root:
        parent, at = element.getparent(), element.getparent().index(element)
        wrapper = etree.Element(f"{{{random.choice(NAMESPACES[:11])}}}{random.choice(NAMES)}")
        parent.insert(at, wrapper)
        wrapper.append(element)


def _unwrap(root: Element, random: Random) -> None:
    element = _below(root, random)
    if element is not root:
        parent, at = element.getparent(), element.getparent().index(element)
        for child in reversed(list(element)):
            parent.insert(at, child)
        parent.remove(element)


def _deepen(root: Element, random: Random) -> None:
    element = _any(root, random)
    for _ in range(random.choice((3, 30, 61, 300))):
        element = etree.SubElement(element, element.tag)


def _swap(root: Element, random: Random) -> None:
    element = _any(root, random)
    if len(element) > 1:
        element.append(element[random.randrange(len(element) - 1)])


def _text(root: Element, random: Random) -> None:
    element = _any(root, random)
    value = random.choice(VALUES)
    how = random.random()
    if how < 0.6:
        element.text = value
    elif how < 0.8:
        element.tail = value
    else:
        element.text = (element.text or "")[:random.randint(0, 40)] + value


def _attribute(root: Element, random: Random) -> None:
    element = _any(root, random)
    if element.attrib and random.random() < 0.5:
        name = random.choice(list(element.attrib))
        if random.random() < 0.3:
            del element.attrib[name]
        else:
            element.set(name, random.choice(VALUES))
    else:
        element.set(random.choice(ATTRIBUTES), random.choice(VALUES))


def _same_id(root: Element, random: Random) -> None:
    found = [element.get(name) for element in root.iter(etree.Element) for name in (f"{{{U}}}Id", "Id")]
    ids = [one for one in found if one]
    if ids:
        value = random.choice(ids)
        value = random.choice((value, value, value.upper(), value + " ", value + "x"))
        _any(root, random).set(random.choice(ATTRIBUTES[:5]), value)


def _reference(root: Element, random: Random) -> None:
    references = list(root.iter(f"{{{D}}}Reference", f"{{{O}}}Reference"))
    targets = [element.get(f"{{{U}}}Id") for element in root.iter(etree.Element) if element.get(f"{{{U}}}Id")]
    if references and targets:
        random.choice(references).set("URI", random.choice(("#" + random.choice(targets), "", "#xpointer(/)", "cid:x")))


def _algorithm(root: Element, random: Random) -> None:
    methods = [one for one in root.iter(etree.Element) if one.get("Algorithm") is not None]
    if methods:
        one = random.choice(methods)
        one.set("Algorithm", random.choice(VALUES[-22:]))
        if random.random() < 0.3:
            prefixes = random.choice(("s a", "#default", " ", "x" * 99))
            etree.SubElement(one, f"{{{foreign.EXC}}}InclusiveNamespaces", PrefixList=prefixes)


def _remark(root: Element, random: Random) -> None:
    made = etree.Comment("x") if random.random() < 0.6 else etree.ProcessingInstruction("x", "y")
    place = _any(root, random)
    place.insert(random.randint(0, len(place)), made)


def _namespace(root: Element, random: Random) -> None:
    """The same element with one more declaration: a prefix bound anew below it."""
    element = _below(root, random)
    if element is root:
        return
    prefix = random.choice(("s", "a", "soap", "wsa", "ds", "kn", "sr", "x", None))
    namespace = random.choice([one for one in NAMESPACES if one])
    made = etree.Element(element.tag, element.attrib, nsmap={prefix: namespace})
    made.text, made.tail = element.text, element.tail
    made.extend(list(element))
    element.getparent().replace(element, made)


def _many(root: Element, random: Random) -> None:
    element = _any(root, random)
    if random.random() < 0.5:
        for number in range(random.choice((33, 65, 257))):
            element.set(f"a{number}", "x")
    elif element is not root:
        parent = element.getparent()
        for _ in range(random.choice((2, 13, 40))):
            parent.append(copy.deepcopy(element))


def _graft(root: Element, random: Random, others: Sequence[Recipe]) -> None:
    other = _tree(random.choice(others).octets)
    if other is not None:
        place, found = _any(root, random), _any(other, random)
        if random.random() < 0.5 and place is not root:
            place.getparent().replace(place, found)
        else:
            place.append(found)


CHANGES: tuple[Change, ...] = (
    _move, _move, _double, _double, _drop, _drop, _rename, _rename, _wrap, _unwrap, _deepen, _swap, _text, _text, _text,
    _attribute, _attribute, _attribute, _same_id, _reference, _algorithm, _remark, _namespace, _many)


# --- octets --------------------------------------------------------------------------------------------------------


def bent_octets(octets: bytes, random: Random) -> bytes:
    """Bits, octets and runs, without regard for what they mean."""
    changed = bytearray(octets or b"\0")
    for _ in range(random.choice((1, 1, 2, 4))):
        at = random.randrange(len(changed))
        how = random.randrange(5)
        if how == 0:
            changed[at] ^= 1 << random.randrange(8)
        elif how == 1:
            changed[at] = random.randrange(256)
        elif how == 2:
            del changed[at:at + random.choice((1, 4, 40))]
        elif how == 3:
            changed[at:at] = random.randbytes(random.choice((1, 3)))
        else:
            run = changed[at:at + random.choice((4, 40, 400))]
            to = random.randrange(len(changed))
            changed[to:to] = run
        changed = changed or bytearray(b"\0")
    return bytes(changed)
