"""Left-out signatures, confused keys, weak algorithms (standards catalogue 5.2)."""

import hmac
from base64 import b64encode
from collections.abc import Callable

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, pkcs7
from lxml import etree

from gateway.errors import (
    AlgorithmForbidden,
    CertificateRejected,
    ForbiddenHeader,
    NotUnderstood,
    ReferenceMissing,
    SecurityMissing,
    SenderMismatch,
    SignatureInvalid,
)
from gateway.security import load_certificate
from tests import foreign
from tests.foreign import D, O, S, U
from tests.hostile.attack import (
    EVIL,
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
from tests.hostile.certificates import identity, tlv

pytestmark = pytest.mark.clause("§5.2")

DSIG11 = "http://www.w3.org/2009/xmldsig11#"
MORE = "http://www.w3.org/2001/04/xmldsig-more#"
TOKEN_PROFILE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-x509-token-profile-1.0#"
SAML = "urn:oasis:names:tc:SAML:2.0:assertion"
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


def _user(parent: etree._Element) -> None:
    """A name without a password, which some stacks took for a proof."""
    add(add(parent, f"{{{O}}}UsernameToken"), f"{{{O}}}Username", "gemeente")


def _username(root: etree._Element) -> None:
    _empty(security(root))
    _user(security(root))


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
    "a UsernameToken instead of the Signature": (lambda r: _username(r), SecurityMissing),  # CVE-2013-0239
    "a UsernameToken beside the Signature": (lambda r: _user(security(r)), SecurityMissing),
    "a SAML assertion instead of the token": (
        lambda r: security(r).replace(part(r, "BinarySecurityToken"), etree.Element(f"{{{SAML}}}Assertion")),
        SecurityMissing),
    "Signature in another namespace": (lambda r: _rename(signature(r), "urn:x"), SecurityMissing),
}


@pytest.mark.incident("CVE-2012-5351", "CVE-2013-0239")
@pytest.mark.clause("WB003", "WB013")
@pytest.mark.parametrize("name", EXCLUSIONS)
def test_a_message_without_its_signature(target: Target, name: str) -> None:
    change, error = EXCLUSIONS[name]
    target.repels(target.bent(change), error)


def test_security_of_another_namespace_not_to_be_understood(target: Target) -> None:
    def change(root: etree._Element) -> None:
        security(root).attrib.clear()
        _rename(security(root), "urn:x")

    target.repels(target.bent(change), ForbiddenHeader)


@pytest.mark.clause("§3.7")
def test_exclusion_is_seen_before_the_content(target: Target) -> None:
    """An unsigned body is not judged: the fault says nothing about what is wrong with it."""
    broken = message().replace(b"<sr:DatumAanmelding>2026-02-24", b"<sr:DatumAanmelding>gisteren")
    target.repels(target.bent(lambda r: security(r).remove(signature(r)), child=broken), SecurityMissing)


@pytest.mark.clause("WB004", "BSP R5416", "BSP R5403")
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


@pytest.mark.incident("CVE-2025-48994")
@pytest.mark.clause("§4.1", "SIGN004")
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


@pytest.mark.incident("CVE-2009-0217")
@pytest.mark.clause("BSP R5401")
@pytest.mark.parametrize("length", ["0", "1", "8", "-1"])
def test_truncated_hmacs(target: Target, length: str) -> None:
    """CVE-2009-0217."""
    for method in (HMACS[0], foreign.RSA_SHA256):
        def shorten(root: etree._Element, method: str = method) -> None:
            signed_info(root)[1].set("Algorithm", method)
            add(signed_info(root)[1], f"{{{D}}}HMACOutputLength", length)

        target.repels(target.bent(shorten), AlgorithmForbidden)


# --- the key --------------------------------------------------------------------------------------

@pytest.mark.clause("PKI002", "§6.1")
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


@pytest.mark.incident("CVE-2021-21239")
@pytest.mark.clause("WB010", "BSP R5402", "BSP R3027")
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


@pytest.mark.clause("WB009", "WB010")
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


@pytest.mark.clause("WB009", "BSP R3031", "BSP R3033")
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


@pytest.mark.incident("CVE-2021-40690")
@pytest.mark.clause("WB010", "BSP R5402")
@pytest.mark.parametrize("uri", ["{file}", "{canary}", "#tok-1", "#xpointer(//*)"])
@pytest.mark.parametrize("tag", [f"{{{D}}}RetrievalMethod", f"{{{DSIG11}}}KeyInfoReference", f"{{{O}}}Reference"])
def test_keys_to_be_fetched(target: Target, tag: str, uri: str) -> None:
    """CVE-2021-40690: no such reference is followed, to nowhere."""
    uri = target.plant(uri)

    def point(root: etree._Element) -> None:
        info = signature(root)[2]
        _empty(info)
        made = add(info, tag, URI=uri)
        transform = add(add(made, f"{{{D}}}Transforms"), f"{{{D}}}Transform",
                        Algorithm="http://www.w3.org/TR/1999/REC-xslt-19991116")
        add(transform, "{http://www.w3.org/1999/XSL/Transform}stylesheet")

    target.repels(target.bent(point), SecurityMissing, reason="KeyInfo")


@pytest.mark.clause("WB010", "BSP R3066")
@pytest.mark.parametrize("uri", ["{canary}", "{file}", "#tok-2", "", "#_1"])
def test_token_references_elsewhere(target: Target, uri: str) -> None:
    uri = target.plant(uri)
    target.repels(target.bent(lambda r: signature(r)[2][0][0].set("URI", uri)), SecurityMissing)


@pytest.mark.clause("BSP R3022", "BSP R3061")
@pytest.mark.parametrize("tag", [f"{{{O}}}KeyIdentifier", f"{{{O}}}Embedded", f"{{{D}}}X509Data"])
def test_token_references_of_other_kinds(target: Target, tag: str) -> None:
    def change(root: etree._Element) -> None:
        info = signature(root)[2][0]
        _empty(info)
        add(info, tag, "QUJD")

    target.repels(target.bent(change), SecurityMissing)


@pytest.mark.incident("CVE-2024-45409")
def test_a_decoy_digest_elsewhere(target: Target) -> None:
    """CVE-2024-45409: who looks for the DigestValue anywhere in the document finds the attacker's first."""
    genuine = target.build()
    evil = clone(genuine)
    body(evil).find(".//{*}KlantnummerSHV").text = EVIL
    digest = b64encode(foreign.hashlib.sha256(foreign.canonical(body(evil))).digest()).decode()
    decoys: dict[str, tuple[Change, tuple[type, ...]]] = {
        "before, for another actor": (
            lambda r: header(r).insert(0, _decoy(r, digest, {f"{{{S}}}actor": "urn:other"})), (SignatureInvalid,)),
        "before, for us": (lambda r: header(r).insert(0, _decoy(r, digest, {})), (ForbiddenHeader,)),
        "in the message": (lambda r: body(r)[0].insert(0, _decoy(r, digest, {})), (SignatureInvalid,)),
        "in the reference": (lambda r: reference(r).insert(0, _decoy(r, digest, {})), (AlgorithmForbidden,)),
    }
    for move, errors in decoys.values():
        root = clone(evil)
        move(root)
        target.repels(foreign.octets(root), *errors)


def _decoy(root: etree._Element, digest: str, attributes: dict[str, str]) -> etree._Element:
    """A holder of the evil Body's own digest, in a Reference that looks like the genuine one."""
    holder = etree.Element("{urn:x}holder", attributes)
    holder.append(clone(reference(root)))
    holder[0].find(f"{{{D}}}DigestValue").text = digest
    return holder


@pytest.mark.incident("CVE-2023-44483")
def test_no_key_in_the_log(target: Target, caplog: pytest.LogCaptureFixture) -> None:
    """CVE-2023-44483: nothing secret is logged, at whatever level, in success or refusal."""
    numbers = [key.private_key.private_numbers() for key in map(target.line.signing_key, ("hub", "gemeente"))]
    secrets = {form(one) for numbers_of in numbers for one in (numbers_of.p, numbers_of.d) for form in (str, hex)}
    with caplog.at_level("DEBUG"):
        assert target.line.post(target.signed()).status == 200
        target.repels(target.bent(lambda r: body(r)[0].set("x", "y")), SignatureInvalid)
    told = caplog.text + repr(target.line.events)
    assert not any(secret in told for secret in secrets)
    assert "PRIVATE KEY" not in told
