"""The form of a fuzz input: octets with placeholders for what depends on keys and clock, and how they are to be sent.

A recipe is text and survives new keys: header lines, an empty line, then the octets of the document.

    door: line                      what is fuzzed (tests/fuzz/doors.py); further lines by door:
    path: /soap/…  caller: gemeente  signer: gemeente  action: ""  type: text/xml

In the octets `@TOKEN@` stands for the signer's certificate, `@METHOD@` for its signature method, `@CREATED@` and
`@EXPIRES@` for now and five minutes later, `@NEW1@` … for fresh UUIDs, `@DIGEST@` for the right digest of its
Reference, `@SIGNATURE@` for the right SignatureValue. So a mutation of a signed message can be signed again, and what
comes after the signature is fuzzed too.
"""

import hashlib
import re
import uuid
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType

from cryptography.hazmat.primitives.asymmetric import ec
from lxml import etree

from tests import foreign
from tests.foreign import D, U

TOKEN, METHOD, CREATED, EXPIRES = b"@TOKEN@", b"@METHOD@", b"@CREATED@", b"@EXPIRES@"
DIGEST, SIGNATURE = b"@DIGEST@", b"@SIGNATURE@"
PLACEHOLDERS = (TOKEN, METHOD, CREATED, EXPIRES, DIGEST, SIGNATURE, b"@NEW1@", b"@NEW2@", b"@NEW3@")
_NEW = re.compile(rb"@NEW(\d)@")
_FIELD = re.compile(rb"([a-z]{1,12}): ([^\n]{0,4000})\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """One input; `fields` are strings in Latin-1, so that any octet can stand in them."""

    octets: bytes
    fields: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def door(self) -> str:
        return self.fields.get("door", "line")


def read(data: bytes) -> Recipe:
    """Any octets are some recipe."""
    fields: dict[str, str] = {}
    at = 0
    while found := _FIELD.match(data, at):
        fields[found[1].decode()] = found[2].decode("latin-1")
        at = found.end()
    return Recipe(fields=fields, octets=data[at + 1:] if data[at:at + 1] == b"\n" else data[at:])


def write(recipe: Recipe) -> bytes:
    lines = [f"{name}: {value}\n".encode("latin-1", "replace") for name, value in recipe.fields.items()]
    return b"".join(lines) + b"\n" + recipe.octets


def realise(octets: bytes, identity: foreign.Identity, now: datetime) -> bytes:
    """The octets with every placeholder replaced; what can't be signed, as it is no XML, stays as it is."""
    elliptic = isinstance(identity.key, ec.EllipticCurvePrivateKey)
    seed = hashlib.sha256(octets).digest()
    octets = _NEW.sub(lambda found: str(uuid.UUID(bytes=hashlib.sha256(seed + found[1]).digest()[:16], version=4))
                      .encode(), octets)
    for placeholder, value in (
        (TOKEN, b64encode(identity.certificate)), (CREATED, _stamp(now)), (EXPIRES, _stamp(now + timedelta(minutes=5))),
        (METHOD, (foreign.ECDSA_SHA256 if elliptic else foreign.RSA_SHA256).encode()),
    ):
        octets = octets.replace(placeholder, value)
    if DIGEST in octets:
        octets = _with_digests(octets)
    return _with_signature(octets, identity) if SIGNATURE in octets else octets


def _stamp(moment: datetime) -> bytes:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.000Z").encode()


def _tree(octets: bytes) -> etree._Element | None:
    try:
        return etree.fromstring(octets, etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True))
    except (etree.XMLSyntaxError, ValueError):
        return None


def _with_digests(octets: bytes) -> bytes:
    root = _tree(octets)
    if root is None:
        return octets
    targets: dict[str, etree._Element] = {}
    for element in root.iter(etree.Element):
        for name in (f"{{{U}}}Id", "Id", "ID", "id"):
            if name in element.attrib:
                targets.setdefault(element.get(name), element)
    for reference in root.iter(f"{{{D}}}Reference"):
        if (reference.findtext(f"{{{D}}}DigestValue") or "").strip().encode() == DIGEST:
            octets = octets.replace(DIGEST, _digest(reference, targets.get(reference.get("URI", "")[1:])), 1)
    return octets


def _digest(reference: etree._Element, target: etree._Element | None) -> bytes:
    method = reference.find(f"{{{D}}}DigestMethod")
    name = foreign.HASHES.get("" if method is None else method.get("Algorithm", ""), "sha256")
    transform = reference.find(f"{{{D}}}Transforms/{{{D}}}Transform")
    octets = b"" if target is None else _canonical(target, transform)
    return b64encode(hashlib.new(name, octets).digest())


def _canonical(element: etree._Element, method: etree._Element | None) -> bytes:
    inclusive = None if method is None else method.find(f"{{{foreign.EXC}}}InclusiveNamespaces")
    try:
        return foreign.canonical(element, None if inclusive is None else inclusive.get("PrefixList"))
    except (etree.C14NError, ValueError):
        return b""


def _with_signature(octets: bytes, identity: foreign.Identity) -> bytes:
    root = _tree(octets)
    infos = [] if root is None else [*root.iter(f"{{{D}}}SignedInfo")]
    if not infos:
        return octets
    named = infos[0].find(f"{{{D}}}SignatureMethod")
    method = "" if named is None else named.get("Algorithm", "")
    elliptic = isinstance(identity.key, ec.EllipticCurvePrivateKey)
    if ("ecdsa" in method) is not elliptic or method not in foreign.METHODS:
        method = foreign.ECDSA_SHA256 if elliptic else foreign.RSA_SHA256
    signed = _canonical(infos[0], infos[0].find(f"{{{D}}}CanonicalizationMethod"))
    return octets.replace(SIGNATURE, b64encode(foreign.signature_value(identity.key, method, signed)))
