"""Left-out signatures, confused keys, weak algorithms (standards catalogue 5.2)."""

import hmac
from base64 import b64decode, b64encode
from collections.abc import Callable

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, pkcs7
from lxml import etree

from gateway.errors import (
    AlgorithmForbidden,
    CertificateRejected,
    ForbiddenHeader,
    MalformedEnvelope,
    NotUnderstood,
    ReferenceMissing,
    SecurityMissing,
    SenderMismatch,
    SignatureInvalid,
)
from gateway.security import load_certificate
from tests import foreign
from tests.foreign import D, EXC, O, S, U
from tests.hostile.attack import (
    NUMBER,
    SURNAME,
    Target,
    add,
    body,
    clone,
    header,
    message,
    part,
    reference,
    security,
    signature,
    signed_info,
)
from tests.hostile.certificates import GEMEENTE, explicit_parameters, forge_low_exponent, identity, tlv

DSIG11 = "http://www.w3.org/2009/xmldsig11#"
MORE = "http://www.w3.org/2001/04/xmldsig-more#"
TOKEN_PROFILE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-x509-token-profile-1.0#"
Change = Callable[[etree._Element], object]


def _empty(element: etree._Element) -> None:
    for child in list(element):
        element.remove(child)


def _only(name: str) -> Change:
    def change(root: etree._Element) -> None:
        kept = reference(root, name)
        for one in signed_info(root).findall(f"{{{D}}}Reference"):
            if one is not kept:
                signed_info(root).remove(one)
    return change


def _rename(element: etree._Element, namespace: str) -> None:
    element.tag = f"{{{namespace}}}{etree.QName(element).localname}"


EXCLUSIONS: dict[str, tuple[Change, type]] = {
    "no Signature": (lambda r: security(r).remove(signature(r)), SecurityMissing),
    "no Security": (lambda r: header(r).remove(security(r)), SecurityMissing),
    "no Header but addressing": (lambda r: _empty(security(r)), SecurityMissing),
    "no token": (lambda r: security(r).remove(part(r, "BinarySecurityToken")), SecurityMissing),
    "no Timestamp": (lambda r: security(r).remove(part(r, "Timestamp")), SecurityMissing),
    "Signature outside Security": (lambda r: header(r).append(signature(r)), ForbiddenHeader),
    "Signature in the Body": (lambda r: body(r)[0].append(signature(r)), SecurityMissing),
    "empty Signature": (lambda r: _empty(signature(r)), SecurityMissing),
    "no SignedInfo": (lambda r: signature(r).remove(signed_info(r)), SecurityMissing),
    "no SignatureValue": (lambda r: signature(r).remove(signature(r)[1]), SecurityMissing),
    "empty SignatureValue": (lambda r: setattr(signature(r)[1], "text", None), SecurityMissing),
    "no KeyInfo": (lambda r: signature(r).remove(signature(r)[2]), SecurityMissing),
    "empty KeyInfo": (lambda r: _empty(signature(r)[2]), SecurityMissing),
    "Security for another actor": (lambda r: security(r).set(f"{{{S}}}actor", "urn:other"), ForbiddenHeader),
    "Security of the draft of 2002, to be understood": (
        lambda r: _rename(security(r), "http://schemas.xmlsoap.org/ws/2002/07/secext"), NotUnderstood),
    "Signature in another namespace": (lambda r: _rename(signature(r), "urn:x"), SecurityMissing),
}


@pytest.mark.parametrize("name", EXCLUSIONS)
def test_a_message_without_its_signature(target: Target, name: str) -> None:
    change, error = EXCLUSIONS[name]
    target.repels(target.bent(change), error)


def test_security_of_another_namespace_not_to_be_understood(target: Target) -> None:
    def change(root: etree._Element) -> None:
        security(root).attrib.clear()
        _rename(security(root), "urn:x")

    target.repels(target.bent(change), ForbiddenHeader)


def test_exclusion_is_seen_before_the_content(target: Target) -> None:
    """An unsigned body is not judged: the fault says nothing about what is wrong with it."""
    broken = message().replace(b"<sr:DatumAanmelding>2026-02-24", b"<sr:DatumAanmelding>gisteren")
    target.repels(target.bent(lambda r: security(r).remove(signature(r)), child=broken), SecurityMissing)


@pytest.mark.parametrize(("change", "error"), [
    (lambda r: [signed_info(r).remove(one) for one in signed_info(r).findall(f"{{{D}}}Reference")], ReferenceMissing),
    (_only("Timestamp"), ReferenceMissing), (_only("Body"), ReferenceMissing), (_only("BinarySecurityToken"),
                                                                                 ReferenceMissing),
    (lambda r: _empty(reference(r)[0]), AlgorithmForbidden), (lambda r: reference(r).remove(reference(r)[0]),
                                                              AlgorithmForbidden),
    (lambda r: signed_info(r).append(clone(reference(r))), ReferenceMissing),
    (lambda r: add(signed_info(r), f"{{{D}}}Manifest"), SecurityMissing),
    (lambda r: reference(r).set("Type", "http://www.w3.org/2000/09/xmldsig#Manifest"), None),
], ids=["none", "timestamp only", "body only", "token only", "empty Transforms", "no Transforms", "twice", "Manifest",
        "type Manifest"])
def test_what_its_own_signer_signed_too_little(target: Target, change: Change, error: type | None) -> None:
    """All of these are signed with the right key: what is refused is what was signed."""
    octets = target.signed(after_digests=change)
    if error is None:  # Type is a hint that binds nobody; the target is still taken by its place
        assert target.line.post(octets).status == 200
    else:
        target.repels(octets, error)


HMACS = [MORE + "hmac-sha256", MORE + "hmac-sha512", D + "hmac-sha1", MORE + "hmac-md5"]


@pytest.mark.parametrize("secret", ["certificate", "pem", "public key", "modulus", "nothing"])
@pytest.mark.parametrize("method", HMACS)
def test_the_certificate_as_an_hmac_secret(target: Target, method: str, secret: str) -> None:
    """CVE-2025-48994: the method names a shared secret, and the verifier takes the public key for it."""
    signer = target.line.identity("gemeente")
    certificate = x509.load_der_x509_certificate(signer.certificate)
    key = certificate.public_key()
    secrets = {
        "certificate": signer.certificate, "pem": certificate.public_bytes(Encoding.PEM),
        "public key": key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        "modulus": key.public_numbers().n.to_bytes(256), "nothing": b""}
    digest = method.rpartition("hmac-")[2]
    root = target.build(after_digests=lambda r: signed_info(r)[1].set("Algorithm", method))
    value = hmac.new(secrets[secret], foreign.canonical(signed_info(root)), digest).digest()
    signature(root)[1].text = b64encode(value).decode()
    target.repels(foreign.octets(root), AlgorithmForbidden, reason="SignatureMethod")


@pytest.mark.parametrize("length", ["0", "1", "8", "-1"])
def test_truncated_hmacs(target: Target, length: str) -> None:
    """CVE-2009-0217."""
    for method in (HMACS[0], foreign.RSA_SHA256):
        def shorten(root: etree._Element, method: str = method) -> None:
            signed_info(root)[1].set("Algorithm", method)
            add(signed_info(root)[1], f"{{{D}}}HMACOutputLength", length)

        target.repels(target.bent(shorten), AlgorithmForbidden)


# --- the key ------------------------------------------------------------------------------------------------------

def test_a_self_signed_certificate_in_the_partys_name(target: Target) -> None:
    for more in ({"self_signed": True}, {"self_signed": True, "authority": True, "usage": ("digitalSignature",)}):
        odd = identity(target.line, **more)
        error = {"reason": "CA certificate"} if "authority" in more else {"reason": "no trusted CA signed it"}
        target.repels(target.signed(identity=odd), CertificateRejected, **error)


def test_anothers_certificate_under_ones_own_name(target: Target) -> None:
    """B's good signature, A's TLS connection, A as the sender; the other combinations stand with identity and time."""
    target.repels(target.signed(identity=target.line.identity("zorgverzekeraar")), SenderMismatch)


def test_a_token_swapped_for_anothers(target: Target) -> None:
    """The token says B, the signature is A's; also where A signed B's token."""
    other = target.line.identity("energie").certificate
    target.repels(target.signed(token=other), SignatureInvalid, reason="SignatureValue")
    octets = target.bent(lambda r: setattr(part(r, "BinarySecurityToken"), "text", b64encode(other).decode()))
    target.repels(octets, SignatureInvalid)


def _key_value(root: etree._Element, key: rsa.RSAPublicKey) -> etree._Element:
    numbers = key.public_numbers()
    value = etree.Element(f"{{{D}}}KeyValue")
    made = add(value, f"{{{D}}}RSAKeyValue")
    add(made, f"{{{D}}}Modulus", b64encode(numbers.n.to_bytes(256)).decode())
    add(made, f"{{{D}}}Exponent", "AQAB")
    return value


def _with(kind: str, key: rsa.RSAPublicKey) -> Callable[[etree._Element], etree._Element]:
    def make(root: etree._Element) -> etree._Element:
        if kind == "KeyValue":
            return _key_value(root, key)
        if kind == "DEREncodedKeyValue":
            made = etree.Element(f"{{{DSIG11}}}DEREncodedKeyValue")
            made.text = b64encode(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()
            return made
        if kind == "X509Data":
            made = etree.Element(f"{{{D}}}X509Data")
            add(made, f"{{{D}}}X509Certificate", part(root, "BinarySecurityToken").text)
            return made
        made = etree.Element(f"{{{D}}}KeyName")
        made.text = SURNAME
        return made
    return make


@pytest.mark.parametrize("kind", ["KeyValue", "DEREncodedKeyValue", "X509Data", "KeyName"])
def test_a_key_in_keyinfo(target: Target, kind: str) -> None:
    """CVE-2021-21239: signed with a key that the message itself brings, instead of and beside the token's."""
    own = rsa.generate_private_key(65537, 2048)
    for place in ("instead", "before", "after", "in the reference"):
        root = target.build(sign_with=own)
        info = signature(root)[2]
        made = _with(kind, own.public_key())(root)
        if place == "instead":
            info.replace(info[0], made)
        elif place == "in the reference":
            info[0].append(made)
        else:
            info.insert(0 if place == "before" else 1, made)
        target.repels(foreign.octets(root), SecurityMissing, reason="KeyInfo")


@pytest.mark.parametrize("order", ["genuine first", "evil first"])
@pytest.mark.parametrize("pointed", ["genuine", "evil"])
def test_two_tokens(target: Target, order: str, pointed: str) -> None:
    def double(root: etree._Element) -> None:
        genuine = part(root, "BinarySecurityToken")
        evil = clone(genuine)
        evil.set(f"{{{U}}}Id", "tok-2")
        evil.text = b64encode(target.line.identity("energie").certificate).decode()
        (genuine.addnext if order == "genuine first" else genuine.addprevious)(evil)
        signature(root)[2][0][0].set("URI", "#tok-1" if pointed == "genuine" else "#tok-2")

    target.repels(target.bent(double), SecurityMissing, reason="2 BinarySecurityToken")


@pytest.mark.parametrize("kind", ["PKCS7", "X509PKIPathv1", "PKIPath with the leaf first"])
def test_tokens_of_other_kinds(target: Target, kind: str) -> None:
    leaf = target.line.identity("gemeente").certificate
    root = load_certificate(target.line.instance.folder / "pki" / "ca.pem")
    bag = pkcs7.serialize_certificates([x509.load_der_x509_certificate(one) for one in (leaf, root)], Encoding.DER)
    paths = {"X509PKIPathv1": tlv(0x30, root, leaf), "PKIPath with the leaf first": tlv(0x30, leaf, root)}
    octets = paths.get(kind, bag)
    for value_type in (TOKEN_PROFILE + kind.split()[0], foreign.X509):
        def retype(element: etree._Element, value_type: str = value_type) -> None:
            part(element, "BinarySecurityToken").set("ValueType", value_type)

        error = CertificateRejected if value_type == foreign.X509 else SecurityMissing
        target.repels(target.signed(token=octets, before_signing=retype), error)


@pytest.mark.parametrize("uri", ["file:///etc/hostname", "{canary}", "#tok-1", "#xpointer(//*)"])
@pytest.mark.parametrize("tag", [f"{{{D}}}RetrievalMethod", f"{{{DSIG11}}}KeyInfoReference", f"{{{O}}}Reference"])
def test_keys_to_be_fetched(target: Target, tag: str, uri: str) -> None:
    """CVE-2021-40690: no such reference is followed, to nowhere."""
    uri = uri.replace("{canary}", target.canary.url)

    def point(root: etree._Element) -> None:
        info = signature(root)[2]
        _empty(info)
        made = add(info, tag, URI=uri)
        transform = add(add(made, f"{{{D}}}Transforms"), f"{{{D}}}Transform",
                        Algorithm="http://www.w3.org/TR/1999/REC-xslt-19991116")
        add(transform, "{http://www.w3.org/1999/XSL/Transform}stylesheet")

    target.repels(target.bent(point), SecurityMissing, reason="KeyInfo")


@pytest.mark.parametrize("uri", ["{canary}", "file:///etc/hostname", "#tok-2", "", "#_1"])
def test_token_references_elsewhere(target: Target, uri: str) -> None:
    uri = uri.replace("{canary}", target.canary.url)
    target.repels(target.bent(lambda r: signature(r)[2][0][0].set("URI", uri)), SecurityMissing)


@pytest.mark.parametrize("tag", [f"{{{O}}}KeyIdentifier", f"{{{O}}}Embedded", f"{{{D}}}X509Data"])
def test_token_references_of_other_kinds(target: Target, tag: str) -> None:
    def change(root: etree._Element) -> None:
        info = signature(root)[2][0]
        _empty(info)
        add(info, tag, "QUJD")

    target.repels(target.bent(change), SecurityMissing)


# --- weak keys, weak algorithms -----------------------------------------------------------------------------------

@pytest.mark.parametrize(("key", "reason"), [
    ("RSA-1024", "1024 bits"), ("RSA-2048-e3", "exponent"), ("K-256", "secp256k1"), ("Ed25519", "neither RSA nor EC")])
def test_keys_outside_the_profile(target: Target, key: str, reason: str) -> None:
    """Issued by a trusted CA, in the right name: the kind of key alone is refused."""
    odd = identity(target.line, key=key)
    signer = odd.key if key not in ("Ed25519",) else ec.generate_private_key(ec.SECP256R1())
    target.repels(target.signed(identity=odd, sign_with=signer), CertificateRejected, reason=reason)


def test_a_forged_signature_under_a_low_exponent(target: Target) -> None:
    odd = identity(target.line, key="RSA-2048-e3")
    root = target.build(identity=odd)
    signature(root)[1].text = b64encode(forge_low_exponent(foreign.canonical(signed_info(root)), 2048)).decode()
    target.repels(foreign.octets(root), CertificateRejected, reason="exponent")


def test_a_curve_written_out_in_full(target: Target) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    odd = foreign.Identity(key=key, certificate=explicit_parameters(target.line, key))
    target.repels(target.signed(identity=odd), CertificateRejected)


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


@pytest.mark.parametrize("method", [
    D + "rsa-sha1", MORE + "rsa-md5", MORE + "rsa-ripemd160", MORE + "rsa-sha224", D + "dsa-sha1", MORE + "ecdsa-sha1",
    MORE + "ecdsa-sha224", "http://www.w3.org/2007/05/xmldsig-more#rsa-pss",
    "http://www.w3.org/2007/05/xmldsig-more#sha1-rsa-MGF1", "http://www.w3.org/2021/04/xmldsig-more#eddsa-ed25519",
    "none", "", foreign.RSA_SHA256 + " ", foreign.RSA_SHA256.upper()])
def test_signature_methods_outside_the_list(target: Target, method: str) -> None:
    target.repels(target.signed(after_digests=lambda r: signed_info(r)[1].set("Algorithm", method),
                                method=foreign.RSA_SHA256), AlgorithmForbidden)


@pytest.mark.parametrize("digest", [
    D + "sha1", MORE + "md5", MORE + "sha224", "http://www.w3.org/2001/04/xmlenc#ripemd160",
    "http://www.w3.org/2007/05/xmldsig-more#whirlpool", "", foreign.SHA256 + "#"])
def test_digests_outside_the_list(target: Target, digest: str) -> None:
    if digest in foreign.HASHES:
        target.repels(target.signed(digest=digest), AlgorithmForbidden)
    target.repels(target.signed(after_digests=lambda r: reference(r)[1].set("Algorithm", digest)), AlgorithmForbidden)


@pytest.mark.parametrize("method", [foreign.ECDSA_SHA256, MORE + "rsa-sha384", foreign.PSS])
def test_a_method_that_is_not_the_signatures(target: Target, method: str) -> None:
    """Allowed, but another: other family, other hash, other padding."""
    target.repels(target.bent(lambda r: signed_info(r)[1].set("Algorithm", method)), SignatureInvalid)


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


def test_a_stylesheet_that_reads_writes_and_runs(target: Target) -> None:
    """CVE-2022-47966: refused by its name, never evaluated."""
    def change(root: etree._Element) -> None:
        transform = reference(root)[0][0]
        transform.set("Algorithm", "http://www.w3.org/TR/1999/REC-xslt-19991116")
        transform.append(etree.fromstring(XSLT.replace("{canary}", target.canary.url)))

    target.repels(target.signed(after_digests=change), AlgorithmForbidden, cpu=0.05)


def test_an_xpath_that_never_ends(target: Target) -> None:
    def change(root: etree._Element) -> None:
        transform = reference(root)[0][0]
        transform.set("Algorithm", "http://www.w3.org/TR/1999/REC-xpath-19991116")
        add(transform, f"{{{D}}}XPath", "count(//. | //@*) and " + "count(//.//.//.//.//.) > " * 50 + "0")

    target.repels(target.signed(after_digests=change), AlgorithmForbidden, cpu=0.05)


def test_ten_thousand_transforms(target: Target) -> None:
    def change(root: etree._Element) -> None:
        for _ in range(10_000):
            add(reference_transforms, f"{{{D}}}Transform", Algorithm=EXC)

    root = target.build()
    reference_transforms = reference(root)[0]
    change(root)
    target.repels(foreign.octets(root), AlgorithmForbidden, cpu=0.2)


def test_ten_thousand_references_to_a_large_part(target: Target) -> None:
    root = target.build(message(surname="x" * 1_000_000))
    one = etree.tostring(reference(root))
    octets = foreign.octets(root).replace(b"</SignedInfo>", one * 10_000 + b"</SignedInfo>")
    target.repels(octets, ReferenceMissing, reason="more than 12", cpu=0.3)


# --- one octet, one space -----------------------------------------------------------------------------------------

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


@pytest.mark.parametrize("touch", TOUCHES)
def test_the_least_change_to_what_was_signed(target: Target, touch: str) -> None:
    octets = target.signed()
    assert TOUCHES[touch](octets) != octets
    target.repels(TOUCHES[touch](octets), SignatureInvalid)


def test_names_of_a_stranger_do_not_reach_the_journal(target: Target) -> None:
    """Element names are the peer's words too: they may hold anything, and be endless."""
    for name in (SURNAME, "x999990019", "y" * 40_000):
        target.repels(target.bent(lambda r, name=name: add(security(r), f"{{urn:x}}{name}")), SecurityMissing)
        target.repels(target.bent(lambda r, name=name: add(header(r), f"{{urn:x}}{name}")), ForbiddenHeader)
        target.repels(target.bent(lambda r, name=name: add(body(r), f"{{urn:x}}{name}")), MalformedEnvelope)


def test_the_oin_in_the_certificate_decides_alone(target: Target) -> None:
    """No number in a name, an address or a text stands in for the one in the certificate."""
    odd = identity(target.line, oins=(), name=GEMEENTE)
    target.repels(target.signed(identity=odd, sender=f"https://gemeente.example/?OIN={GEMEENTE}"), CertificateRejected,
                  reason="0 serialNumber")
