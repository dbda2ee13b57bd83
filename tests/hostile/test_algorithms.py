"""Weak keys, weak or foreign algorithms, and the least change to what was signed (standards catalogue 5.2)."""

import re
from base64 import b64decode, b64encode
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from lxml import etree

from gateway.errors import (
    AlgorithmForbidden,
    CertificateRejected,
    ForbiddenHeader,
    MalformedEnvelope,
    ReferenceMissing,
    SecurityMissing,
    SignatureInvalid,
)
from tests import foreign
from tests.foreign import EXC, D, S
from tests.hostile.attack import (
    NUMBER,
    SURNAME,
    Target,
    add,
    body,
    header,
    message,
    reference,
    security,
    signature,
    signed_info,
)
from tests.hostile.certificates import GEMEENTE, explicit_parameters, forge_low_exponent, identity

pytestmark = pytest.mark.clause("§5.2")

MORE = "http://www.w3.org/2001/04/xmldsig-more#"
Change = Callable[[etree._Element], object]


@pytest.mark.clause("§4.1")
@pytest.mark.parametrize(("key", "reason"), [
    ("RSA-1024", "1024 bits"), ("RSA-2048-e3", "exponent"), ("K-256", "secp256k1"), ("Ed25519", "neither RSA nor EC")])
def test_keys_outside_the_profile(target: Target, key: str, reason: str) -> None:
    """Issued by a trusted CA, in the right name: the kind of key alone is refused."""
    odd = identity(target.line, key=key)
    signer = odd.key if key not in ("Ed25519",) else ec.generate_private_key(ec.SECP256R1())
    target.repels(target.signed(identity=odd, sign_with=signer), CertificateRejected, reason=reason)


@pytest.mark.clause("§4.1")
@pytest.mark.parametrize("curve", [ec.SECP192R1, ec.SECP224R1, ec.BrainpoolP256R1, ec.SECP256K1],
                         ids=lambda curve: curve.name)
def test_curves_outside_the_list(target: Target, curve: type[ec.EllipticCurve]) -> None:
    """Shorter than 256 bits (P-192), or of another family."""
    target.repels(target.signed(identity=identity(target.line, key=curve())), CertificateRejected, reason="curve")


@pytest.mark.clause("§4.1")
def test_a_forged_signature_under_a_low_exponent(target: Target) -> None:
    odd = identity(target.line, key="RSA-2048-e3")
    root = target.build(identity=odd)
    signature(root)[1].text = b64encode(forge_low_exponent(foreign.canonical(signed_info(root)), 2048)).decode()
    target.repels(foreign.octets(root), CertificateRejected, reason="exponent")


@pytest.mark.incident("CVE-2020-0601")
@pytest.mark.clause("§4.1")
def test_a_curve_written_out_in_full(target: Target) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    odd = foreign.Identity(key=key, certificate=explicit_parameters(target.line, key))
    target.repels(target.signed(identity=odd), CertificateRejected)


@pytest.mark.incident("CVE-2022-21449")
@pytest.mark.clause("§4.1")
@pytest.mark.parametrize("value", [b"\0" * 64, b"\0" * 63 + b"\1", b"\0" * 31 + b"\1" + b"\0" * 32, b"\xff" * 64, b"\1",
                                   b"\0" * 32, b"\0" * 65])
def test_ecdsa_values_out_of_range(target: Target, value: bytes) -> None:
    """CVE-2022-21449: r or s zero verifies everything where nobody looks."""
    root = target.build(identity=identity(target.line))
    signature(root)[1].text = b64encode(value).decode()
    target.repels(foreign.octets(root), SignatureInvalid)


def test_ecdsa_value_in_der(target: Target) -> None:
    odd = identity(target.line)
    root = target.build(identity=odd)
    value = odd.key.sign(foreign.canonical(signed_info(root)), ec.ECDSA(foreign.hashes.SHA256()))
    signature(root)[1].text = b64encode(value).decode()
    target.repels(foreign.octets(root), SignatureInvalid)


@pytest.mark.clause("SIGN001", "SIGN004", "§4.1")
@pytest.mark.parametrize("method", [
    D + "rsa-sha1", MORE + "rsa-md5", MORE + "rsa-ripemd160", MORE + "rsa-sha224", D + "dsa-sha1", MORE + "ecdsa-sha1",
    MORE + "ecdsa-sha224", "http://www.w3.org/2007/05/xmldsig-more#rsa-pss", foreign.PSS,
    "http://www.w3.org/2007/05/xmldsig-more#sha1-rsa-MGF1", "http://www.w3.org/2021/04/xmldsig-more#eddsa-ed25519",
    "none", "", foreign.RSA_SHA256 + " ", foreign.RSA_SHA256.upper()])
def test_signature_methods_outside_the_list(target: Target, method: str) -> None:
    target.repels(target.signed(after_digests=lambda r: signed_info(r)[1].set("Algorithm", method),
                                method=foreign.RSA_SHA256), AlgorithmForbidden)


@pytest.mark.clause("SIGN001", "SIGN003", "§4.1")
@pytest.mark.parametrize("digest", [
    D + "sha1", MORE + "md5", MORE + "sha224", "http://www.w3.org/2001/04/xmlenc#ripemd160",
    "http://www.w3.org/2007/05/xmldsig-more#whirlpool", "", foreign.SHA256 + "#"])
def test_digests_outside_the_list(target: Target, digest: str) -> None:
    if digest in foreign.HASHES:
        target.repels(target.signed(digest=digest), AlgorithmForbidden)
    target.repels(target.signed(after_digests=lambda r: reference(r)[1].set("Algorithm", digest)), AlgorithmForbidden)


@pytest.mark.clause("§4.1")
def test_pss_that_nobody_agreed_to(target: Target) -> None:
    """A good signature, by a method that is for parties whose entry in the address book says so."""
    target.repels(target.signed(method=foreign.PSS), AlgorithmForbidden, reason="not agreed")


@pytest.mark.parametrize("method", [foreign.ECDSA_SHA256, MORE + "rsa-sha384"])
def test_a_method_that_is_not_the_signatures(target: Target, method: str) -> None:
    """Allowed, but another: other family, other hash, other padding."""
    target.repels(target.bent(lambda r: signed_info(r)[1].set("Algorithm", method)), SignatureInvalid)


@pytest.mark.incident("CVE-2013-2172")
@pytest.mark.clause("WB007", "BSP R5404", "BSP R5423", "BSP R3104", "§4.1")
@pytest.mark.parametrize("algorithm", [
    "http://www.w3.org/TR/2001/REC-xml-c14n-20010315", "http://www.w3.org/2006/12/xml-c14n11", EXC + "WithComments",
    "http://www.w3.org/2010/xml-c14n2", D + "enveloped-signature", D + "base64",
    "http://www.w3.org/2002/07/decrypt#XML", "http://www.w3.org/TR/1999/REC-xslt-19991116",
    "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#STR-Transform", "urn:unknown"])
def test_transforms_outside_the_list(target: Target, algorithm: str) -> None:
    """Each by its authorised signer, alone and after a good one; and as the CanonicalizationMethod."""
    places: tuple[Change, ...] = (
        lambda r: reference(r)[0][0].set("Algorithm", algorithm),
        lambda r: add(reference(r)[0], f"{{{D}}}Transform", Algorithm=algorithm),
        lambda r: signed_info(r)[0].set("Algorithm", algorithm))
    for place in places:
        target.repels(target.signed(after_digests=place), AlgorithmForbidden)


XSLT = """<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
 xmlns:rt="http://xml.apache.org/xalan/java/java.lang.Runtime" xmlns:exsl="http://exslt.org/common">
 <xsl:template match="/"><xsl:copy-of select="document('{canary}')"/>
 <exsl:document href="{canary}" method="text"/><xsl:value-of select="rt:exec(rt:getRuntime(), 'true')"/>
 </xsl:template></xsl:stylesheet>"""


@pytest.mark.incident("CVE-2022-47966")
def test_a_stylesheet_that_reads_writes_and_runs(target: Target) -> None:
    """CVE-2022-47966: refused by its name, never evaluated."""
    def change(root: etree._Element) -> None:
        transform = reference(root)[0][0]
        transform.set("Algorithm", "http://www.w3.org/TR/1999/REC-xslt-19991116")
        transform.append(etree.fromstring(target.plant(XSLT)))

    target.repels(target.signed(after_digests=change), AlgorithmForbidden, cpu=0.05)


def test_an_xpath_that_never_ends(target: Target) -> None:
    def change(root: etree._Element) -> None:
        transform = reference(root)[0][0]
        transform.set("Algorithm", "http://www.w3.org/TR/1999/REC-xpath-19991116")
        add(transform, f"{{{D}}}XPath", "count(//. | //@*) and " + "count(//.//.//.//.//.) > " * 50 + "0")

    target.repels(target.signed(after_digests=change), AlgorithmForbidden, cpu=0.05)


@pytest.mark.clause("§4.1")
def test_ten_thousand_transforms(target: Target) -> None:
    for count, error in ((50, AlgorithmForbidden), (10_000, MalformedEnvelope)):
        root = target.build()
        transforms = reference(root)[0]
        for _ in range(count):
            add(transforms, f"{{{D}}}Transform", Algorithm=EXC)
        target.repels(foreign.octets(root), error, cpu=0.2)


@pytest.mark.clause("§4.1")
def test_ten_thousand_references_to_a_large_part(target: Target) -> None:
    root = target.build(message(surname="x" * 1_000_000))
    one = re.sub(rb' xmlns(:\w+)?="[^"]*"', b"", etree.tostring(reference(root)))
    for count, error, reason in ((50, ReferenceMissing, "more than 12"), (10_000, MalformedEnvelope, "quotes")):
        octets = foreign.octets(root).replace(b"</SignedInfo>", one * count + b"</SignedInfo>")
        target.repels(octets, error, reason=reason, cpu=0.3)


# --- one octet, one space -------------------------------------------------------------------------

TOUCHES: dict[str, Callable[[bytes], bytes]] = {
    "one letter of the Body": lambda o: o.replace(NUMBER.encode(), NUMBER.encode()[:-1] + b"8", 1),
    "one space in the Body": lambda o: o.replace(b"</sr:Kennisgeving>", b" </sr:Kennisgeving>"),
    "one space after the message": lambda o: o.replace(b"</sr:Kennisgeving>", b"</sr:Kennisgeving> "),
    "an attribute of the message": lambda o: o.replace(b"<sr:Kennisgeving ", b'<sr:Kennisgeving x="y" ', 1),
    "one letter of From": lambda o: o.replace(b"https://gemeente.example", b"https://gemeentf.example", 1),
    "one space in MessageID": lambda o: o.replace(b">urn:uuid:", b"> urn:uuid:", 1),
    "one space in SignedInfo": lambda o: o.replace(b"<SignedInfo>", b"<SignedInfo> ", 1),
    "a line end in SignedInfo": lambda o: o.replace(b"</SignedInfo>", b"\n</SignedInfo>", 1),
    "an attribute of SignedInfo": lambda o: o.replace(b"<SignedInfo>", b'<SignedInfo Id="x">', 1),
    "a prefix of the Body": lambda o: o.replace(b"<s:Body", b'<t:Body xmlns:t="' + S.encode() + b'"').replace(
        b"</s:Body", b"</t:Body"),
    "one bit of SignatureValue": lambda o: _flip(o, b"<SignatureValue>"),
    "one bit of a DigestValue": lambda o: _flip(o, b"<DigestValue>"),
}


def _flip(octets: bytes, after: bytes) -> bytes:
    start = octets.index(after) + len(after)
    end = octets.index(b"<", start)
    value = bytearray(b64decode(octets[start:end]))
    value[10] ^= 1
    return octets[:start] + b64encode(value) + octets[end:]


@pytest.mark.clause("WB013")
@pytest.mark.parametrize("touch", TOUCHES)
def test_the_least_change_to_what_was_signed(target: Target, touch: str) -> None:
    octets = target.signed()
    assert TOUCHES[touch](octets) != octets
    target.repels(TOUCHES[touch](octets), SignatureInvalid)


@pytest.mark.clause("§7.4")
def test_names_of_a_stranger_do_not_reach_the_journal(target: Target) -> None:
    """Element names are the peer's words too: they may hold anything, and be endless."""
    for name in (SURNAME, "x999990019", "y" * 40_000):
        target.repels(target.bent(lambda r, name=name: add(security(r), f"{{urn:x}}{name}")), SecurityMissing)
        target.repels(target.bent(lambda r, name=name: add(header(r), f"{{urn:x}}{name}")), ForbiddenHeader)
        target.repels(target.bent(lambda r, name=name: add(body(r), f"{{urn:x}}{name}")), MalformedEnvelope)


@pytest.mark.clause("PKI001", "§6.2")
def test_the_oin_in_the_certificate_decides_alone(target: Target) -> None:
    """No number in a name, an address or a text stands in for the one in the certificate."""
    odd = identity(target.line, oins=(), name=GEMEENTE)
    target.repels(target.signed(identity=odd, sender=f"https://gemeente.example/?OIN={GEMEENTE}"), CertificateRejected,
                  reason="0 serialNumber")
