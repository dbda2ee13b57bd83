"""Where our verifier accepts, two others must: signxml and xmlsec1, held to our parts, places and algorithms.

An input is a recipe that says what happens to the octets after they were signed: `spell: N` writes them differently
without changing what they mean (N seeds the choice), `bend: N` changes anything. The reverse is not asked: we refuse
much that is signed well.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from types import SimpleNamespace

from cryptography import x509
from lxml import etree
from signxml.algorithms import DigestAlgorithm, SignatureMethod

from gateway.errors import CertificateRejected, GatewayError
from gateway.security import Verified, verify
from gateway.security.algorithms import DIGESTS as OUR_DIGESTS
from gateway.security.algorithms import SIGNATURE_METHODS
from gateway.soap import Limits, parse
from gateway.values import Certificate
from tests import foreign
from tests.crosscheck.referee import XMLSEC1, holds_for_xmlsec1, parts, signed_by_signxml
from tests.foreign import D
from tests.fuzz.doors import MEMORY, Doors, Finding
from tests.fuzz.mutate import bent_octets, bent_tree, mutate, sign_again
from tests.fuzz.recipe import Recipe, read, realise, write
from tests.fuzz.spelling import bent_spelling

METHODS = frozenset(SignatureMethod(uri) for uri in SIGNATURE_METHODS)
DIGESTS = frozenset(DigestAlgorithm(uri) for uri in OUR_DIGESTS)

__all__ = ["XMLSEC1", "Bench", "draw", "replay"]


def draw(seeds: Sequence[Recipe], random: Random) -> bytes:
    """An input: half of them keep their meaning, the others are bent before or after they are signed."""
    signed = [one for one in seeds if one.door == "line"]
    recipe, how = random.choice(signed), random.random()
    fields = {"door": "differ", "signer": recipe.fields.get("signer", "gemeente"),
              "spell": str(random.randrange(2**31))}
    octets = recipe.octets
    if how < 0.25:
        root = _tree(mutate(recipe, random, signed).octets)
        if root is not None:
            sign_again(root)
            octets = etree.tostring(root)
    elif how < 0.5:
        fields["bend"] = str(random.randrange(2**31))
    return write(Recipe(fields=fields, octets=octets))


def _tree(octets: bytes) -> etree._Element | None:
    try:
        return etree.fromstring(octets, etree.XMLParser(resolve_entities=False, no_network=True, strip_cdata=False))
    except (etree.XMLSyntaxError, ValueError):
        return None


@dataclass(kw_only=True)
class Bench:
    """Three verifiers side by side."""

    template: Path
    tried: int = 0
    accepted: int = 0
    _doors: Doors = field(init=False)

    def __post_init__(self) -> None:
        self._doors = Doors(template=self.template)
        self._folder = tempfile.TemporaryDirectory(dir=MEMORY)

    def close(self) -> None:
        self._doors.close()
        self._folder.cleanup()

    def check(self, data: bytes) -> str:
        """`refused` (by ours), or `accepted` by all. Raises Finding."""
        recipe, line = read(data), self._doors.line
        signer = recipe.fields.get("signer", "gemeente")
        octets = realise(recipe.octets, line.identity(signer), line.at)
        if spell := recipe.fields.get("spell"):
            octets = bent_spelling(octets, Random(int(spell)))
        if bend := recipe.fields.get("bend"):
            octets = bent(octets, Random(int(bend)))
        self.tried += 1
        try:
            verified = verify(parse(octets, Limits()), line.gate.policy, believe, line.at)
        except GatewayError:
            return "refused"
        self.accepted += 1
        self._compare(octets, verified)
        return "accepted"

    def _compare(self, octets: bytes, verified: Verified) -> None:
        root = etree.fromstring(octets)
        required = [str(part.tag) for part in parts(root)]
        # signxml's schema check knows no child of CanonicalizationMethod, not even InclusiveNamespaces.
        plain = root.find(f".//{{{D}}}CanonicalizationMethod/*") is None
        pss = root.find(f".//{{{D}}}SignatureMethod").get("Algorithm") == foreign.PSS
        try:
            signed = signed_by_signxml(octets, required=required, methods=METHODS, digests=DIGESTS,
                                       schema=plain)
        except Exception as error:
            kind = f"differential: signxml {type(error).__name__} {str(error)[:90]}"
            raise Finding(kind, f"{error}\n{octets!r}") from error
        body = next(part for tag, part in signed.items() if tag == f"{{{foreign.S}}}Body")
        if foreign.canonical(body) != foreign.canonical(verified.envelope.body):
            raise Finding("differential: another Body", repr(octets))
        if XMLSEC1 and not pss and not holds_for_xmlsec1(Path(self._folder.name), octets):
            raise Finding("differential: xmlsec1", repr(octets))


def bent(octets: bytes, random: Random) -> bytes:
    """Changed after it was signed, without the key."""
    root = _tree(octets) if random.random() < 0.6 else None
    return bent_octets(octets, random) if root is None else bent_tree(root, random, resign=False)


def believe(der: bytes, now: object) -> SimpleNamespace:
    """The key of the token, whoever it belongs to: here the signature is compared, not the certificate."""
    try:
        key = x509.load_der_x509_certificate(der).public_key()
    except ValueError as error:
        raise CertificateRejected("no certificate") from error
    holder = Certificate(oin="", subject="", sha256="", not_after=now)  # type: ignore[arg-type]
    return SimpleNamespace(certificate=holder, public_key=key)


def replay(data: bytes, template: Path) -> str:
    bench = Bench(template=template)
    try:
        return bench.check(data)
    finally:
        bench.close()
