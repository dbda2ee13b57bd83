"""Two referees that share no code with gateway/: signxml, and the xmlsec1 command (libxmlsec1 on OpenSSL).

Both follow a Reference to an id wherever it stands, so what they say is bound here to the places of the profile: the
parts that must be signed, the signature inside wsse:Security, and the few algorithms allowed.
"""

import shutil
import subprocess
from base64 import b64decode
from collections.abc import Iterable
from pathlib import Path

import pytest
import signxml
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree
from signxml.algorithms import (
    CanonicalizationMethod,
    DigestAlgorithm,
    SignatureConstructionMethod,
    SignatureMethod,
)
from signxml.verifier import SignatureConfiguration

from tests import foreign
from tests.foreign import A, D, O, S, U

USUAL_METHODS = frozenset([SignatureMethod.RSA_SHA256, SignatureMethod.ECDSA_SHA256])
USUAL_DIGESTS = frozenset([DigestAlgorithm.SHA256])
W11 = "http://docs.oasis-open.org/wss/oasis-wss-wssecurity-secext-1.1.xsd"
XMLSEC1 = shutil.which("xmlsec1")
needs_xmlsec1 = pytest.mark.skipif(
    XMLSEC1 is None, reason="the command xmlsec1 is not installed (Debian: apt-get install xmlsec1)")
# Elements that may carry the wsu:Id of a signed part; xmlsec1 looks for ids nowhere else.
_NODES = (
    *(f"{A}:{name}" for name in ("To", "Action", "MessageID", "RelatesTo", "From", "ReplyTo", "FaultTo")),
    f"{O}:BinarySecurityToken", f"{U}:Timestamp", f"{W11}:SignatureConfirmation", f"{S}:Body",
)
ID_ATTRIBUTES = [argument for node in _NODES for argument in ("--id-attr:Id", node)]


def sign_with_signxml(envelope: etree._Element, identity: foreign.Identity, *, digest: str = "sha256") -> None:
    """Sign every part that a well-behaved stack signs, in place. The parts and the token stand there already."""
    family = "ecdsa" if isinstance(identity.key, ec.EllipticCurvePrivateKey) else "rsa"
    signer = signxml.XMLSigner(
        method=SignatureConstructionMethod.detached, signature_algorithm=f"{family}-sha256", digest_algorithm=digest,
        c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0)
    security = envelope[0].find(f"{{{O}}}Security")
    token = security.find(f"{{{O}}}BinarySecurityToken")
    signature = signer.sign(
        envelope, key=identity.key, cert=[x509.load_der_x509_certificate(identity.certificate)],
        reference_uri=["#" + part.get(f"{{{U}}}Id") for part in foreign.parts(envelope)], id_attribute="Id",
        key_info=_key_info(token.get(f"{{{U}}}Id")))
    security.append(signature)


def signed_by_signxml(
    octets: bytes, *, required: Iterable[str], methods: frozenset[SignatureMethod] = USUAL_METHODS,
    digests: frozenset[DigestAlgorithm] = USUAL_DIGESTS, schema: bool = True,
) -> dict[str, etree._Element]:
    """What signxml says was signed, by Clark name; exactly `required`, each the part that stands in its place.

    Asserts place, algorithms and the certificate as well; raises signxml's own exceptions for a signature that fails.
    """
    root = etree.fromstring(octets)
    security = root[0].find(f"{{{O}}}Security")
    algorithms = {element.tag: {one.get("Algorithm") for one in security.iter(element.tag)}
                  for element in security.iter(f"{{{D}}}*") if element.get("Algorithm")}
    assert algorithms.pop(f"{{{D}}}SignatureMethod") <= {one.value for one in methods}
    assert algorithms.pop(f"{{{D}}}DigestMethod") <= {one.value for one in digests}
    assert algorithms == {  # signxml passes over transforms it does not know, so they are looked at here
        f"{{{D}}}CanonicalizationMethod": {foreign.EXC}, f"{{{D}}}Transform": {foreign.EXC}}
    references = security.findall(f"{{{D}}}Signature/{{{D}}}SignedInfo/{{{D}}}Reference")
    results = signxml.XMLVerifier().verify(
        octets, x509_cert=token_of(octets), id_attribute="Id", validate_schema=schema,
        expect_config=SignatureConfiguration(
            location=f"./{{{S}}}Header/{{{O}}}Security/", expect_references=len(references),
            signature_methods=methods, digest_algorithms=digests))
    signed = {str(one.signed_xml.tag): one.signed_xml for one in results}
    assert sorted(signed) == sorted(required)
    assert len(results) == len(signed)
    for part in parts(root):
        assert foreign.canonical(signed.pop(str(part.tag))) == foreign.canonical(part)
    assert not signed
    return {str(one.signed_xml.tag): one.signed_xml for one in results}


def parts(root: etree._Element) -> list[etree._Element]:
    """Every part the profile has signed: wsa headers, token, Timestamp, SignatureConfirmation, Body."""
    confirmations = root[0].find(f"{{{O}}}Security").iterchildren(f"{{{W11}}}SignatureConfirmation")
    return [*foreign.parts(root), *confirmations]


def names(*local: str, confirmed: bool = False) -> list[str]:
    """The required parts as Clark names: these wsa headers, and what is always there."""
    always = [f"{{{O}}}BinarySecurityToken", f"{{{U}}}Timestamp", f"{{{S}}}Body"]
    return [f"{{{A}}}{name}" for name in local] + always + ([f"{{{W11}}}SignatureConfirmation"] if confirmed else [])


def token_of(octets: bytes) -> x509.Certificate:
    """The certificate in the BinarySecurityToken."""
    token = etree.fromstring(octets)[0].find(f"{{{O}}}Security/{{{O}}}BinarySecurityToken")
    return x509.load_der_x509_certificate(b64decode(token.text))


def holds_for_xmlsec1(folder: Path, octets: bytes) -> bool:
    """Does the signature hold under the key of the token that came with it?"""
    file, key = folder / "envelope.xml", folder / "token.pem"
    file.write_bytes(octets)
    key.write_bytes(token_of(octets).public_bytes(Encoding.PEM))
    command = [XMLSEC1, "--verify", *ID_ATTRIBUTES, "--pubkey-cert-pem", str(key), str(file)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _key_info(token_id: str) -> etree._Element:
    key_info = etree.Element(f"{{{D}}}KeyInfo", nsmap={"ds": D})
    reference = etree.SubElement(key_info, f"{{{O}}}SecurityTokenReference", nsmap={"wsse": O})
    etree.SubElement(reference, f"{{{O}}}Reference", URI="#" + token_id, ValueType=foreign.X509)
    return key_info
