"""Mistakes in the security header, the algorithms and the References. Rows as in of_wire."""

import copy
import hashlib
from base64 import b64encode

import signxml
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat, pkcs7
from lxml import etree

from gateway.names import XENC
from gateway.security import load_certificate
from tests import foreign
from tests.explain.world import (
    Element,
    World,
    appending,
    at,
    c14n,
    digest_value,
    first,
    last,
    part,
    reference,
    removed,
    setting,
    texting,
)
from tests.foreign import EXC, A, D, O, U
from tests.hostile.certificates import tlv

SECURITY, TOKEN = "s:Header/o:Security", "s:Header/o:Security/o:BinarySecurityToken"
SIGNATURE = "s:Header/o:Security/d:Signature"
INFO = f"{SIGNATURE}/d:SignedInfo"
POINTER = f"{SIGNATURE}/d:KeyInfo/o:SecurityTokenReference"
PROFILE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-x509-token-profile-1.0"
TRANSFORM = f"{INFO}/d:Reference/d:Transforms/d:Transform"


def _plan(**changes):
    return lambda world: world.look(world.octets(**changes))


def _after(*changes):
    return _plan(**last(*changes))


def _before(*changes):
    return _plan(**first(*changes))


def _in_info(*changes):
    """SignedInfo is written so, and signed as it stands."""
    def change(root: Element) -> None:
        for one in changes:
            one(root)
    return _plan(after_digests=change)


def _each(path: str, act):
    def change(root: Element) -> None:
        for one in root.findall(path, foreign.NS):
            act(one)
    return change


def _moved_signature(root: Element) -> None:
    root[0].append(root.find(SIGNATURE, foreign.NS))


def _token_last(root: Element) -> None:
    """zeep's BinarySignature appends the token after the signature."""
    root.find(SECURITY, foreign.NS).append(root.find(TOKEN, foreign.NS))


def _doubled(path: str, identifier: str):
    def change(root: Element) -> None:
        found = root.find(path, foreign.NS)
        other = copy.deepcopy(found)
        if other.get(f"{{{U}}}Id"):
            other.set(f"{{{U}}}Id", identifier)
        found.addnext(other)
    return change


def _token(make):
    """The token holds something else; it is signed so."""
    return lambda world: world.look(world.octets(token=make(world, world.line.identity("gemeente").certificate)))


def _token_text(make):
    def change(root: Element) -> None:
        token = root.find(TOKEN, foreign.NS)
        token.text = make(token.text)
    return _before(change)


def _pem(text: str) -> str:
    return f"-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n"


def _private(world: World):
    key = world.line.identity("gemeente").key
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return world.look(world.octets(**first(at(TOKEN, texting(pem)))))


def _chain(world: World, own: bytes) -> list[bytes]:
    return [load_certificate(world.line.instance.folder / "pki" / "ca.pem"), own]


def _pkcs7(world: World, own: bytes) -> bytes:
    return pkcs7.serialize_certificates([x509.load_der_x509_certificate(one) for one in _chain(world, own)],
                                        Encoding.DER)


def _public_key(world: World, own: bytes) -> bytes:
    key = x509.load_der_x509_certificate(own).public_key()
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _pointer(xml: str):
    """KeyInfo points at the key in another way: it isn't signed."""
    def change(root: Element) -> None:
        pointer = root.find(POINTER, foreign.NS)
        removed(pointer[0])
        pointer.append(etree.fromstring(xml))
    return _after(change)


def _x509_data(root: Element) -> None:
    """What xmlsec1 and SignedXml write of themselves."""
    key_info = root.find(f"{SIGNATURE}/d:KeyInfo", foreign.NS)
    removed(key_info[0])
    text = root.find(TOKEN, foreign.NS).text
    key_info.append(etree.fromstring(
        f'<X509Data xmlns="{D}"><X509Certificate>{text}</X509Certificate></X509Data>'))


def _uri(name: str, value: str | None):
    def change(root: Element) -> None:
        one = reference(root, name)
        if value is None:
            one.attrib.pop("URI")
        else:
            one.set("URI", value)
    return change


def _content_signed(root: Element) -> None:
    """WSS4J with {Content}: the Reference is to the child."""
    child = part(root, "Body")[0]
    one = reference(root, "Body")
    child.set("Id", "inhoud")
    digest_value(root, "Body", b64encode(_sha(c14n(child))).decode())
    one.set("URI", "#inhoud")


def _sha(octets: bytes) -> bytes:
    return hashlib.sha256(octets).digest()


def _whole_document(root: Element) -> None:
    one = reference(root, "Body")
    one.set("URI", "")
    transforms = one.find(f"{{{D}}}Transforms")
    transforms.insert(0, etree.fromstring(f'<Transform xmlns="{D}" Algorithm="{D}enveloped-signature"/>'))


def _by_id(name: str):
    """The part has a plain Id, and the Reference points at that."""
    def change(root: Element) -> None:
        found = next(one for one in foreign.parts(root) if etree.QName(one).localname == name)
        one = reference(root, name)
        value = found.attrib.pop(f"{{{U}}}Id")
        found.set("ID", value)
        digest = b64encode(_sha(c14n(found))).decode()
        one.find(f"{{{D}}}DigestValue").text = digest
    return change


def _extra_reference(uri: str):
    def change(root: Element) -> None:
        one = copy.deepcopy(reference(root, "Body"))
        one.set("URI", uri)
        root.find(INFO, foreign.NS).append(one)
    return change


def _many(root: Element) -> None:
    info = root.find(INFO, foreign.NS)
    for _ in range(8):
        info.append(copy.deepcopy(info[-1]))


def _inclusive(world: World):
    """SignedXml: inclusive C14N of SignedInfo, stated and used."""
    identity = world.line.identity("gemeente")

    def state(root: Element) -> None:
        root.find(f"{INFO}/d:CanonicalizationMethod", foreign.NS).set(
            "Algorithm", "http://www.w3.org/TR/2001/REC-xml-c14n-20010315")

    def sign(root: Element) -> None:
        octets = c14n(root.find(INFO, foreign.NS), exclusive=False)
        value = foreign.signature_value(identity.key, foreign.RSA_SHA256, octets)
        root.find(f"{SIGNATURE}/d:SignatureValue", foreign.NS).text = b64encode(value).decode()

    return world.look(world.octets(after_digests=state, after_signing=sign))


def _signxml(world: World):
    """Nothing set: enveloped, C14N 1.1, the whole document, the certificate as X509Data."""
    who = world.line.identity("gemeente")
    unsigned = world.tree(**last(at(SIGNATURE, removed)))
    certificate = x509.load_der_x509_certificate(who.certificate)
    return world.look(etree.tostring(signxml.XMLSigner().sign(unsigned, key=who.key, cert=[certificate])))


LAYOUT = [
    ("signxml as it comes", {
        "envelope-layout", "signature-outside-security", "key-info-x509-data", "c14n-inclusive", "transform-enveloped",
        "reference-whole-document", "part-not-signed"}, _signxml),
    # --- layout
    ("no WS-Security at all", {"security-missing"}, _after(at(SECURITY, removed))),
    ("signing switched off", {"signature-missing"}, _after(at(SIGNATURE, removed))),
    ("xmlsec1 with its template in the Header", {"signature-outside-security"}, _after(_moved_signature)),
    ("two actions in WSS4J", {"signature-twice"}, _after(_doubled(SIGNATURE, ""))),
    ("no token: the receiver is thought to know it", {"token-missing"}, lambda world: world.look(
        world.octets(unsigned=frozenset({"BinarySecurityToken"}), **last(at(TOKEN, removed))))),
    ("a chain as separate tokens", {"token-twice", "part-not-signed"}, _after(_doubled(TOKEN, "tok-2"))),
    ("zeep BinarySignature", {"token-after-signature"}, _after(_token_last)),
    ("wse-php without addTimestamp", {"timestamp-missing"}, _before(at(f"{SECURITY}/u:Timestamp", removed))),
    ("client and ESB each add a Timestamp", {"timestamp-twice", "part-not-signed"}, _after(
        _doubled(f"{SECURITY}/u:Timestamp", "ts-2"))),
    ("a server's outgoing policy on a client", {"confirmation-in-request", "part-without-id"}, _after(
        at(SECURITY, appending('<w:SignatureConfirmation xmlns:w="http://docs.oasis-open.org/wss/'
                               'oasis-wss-wssecurity-secext-1.1.xsd"/>')))),
    ("UsernameToken beside the signature", {"username-token"}, _after(
        at(SECURITY, appending(f'<UsernameToken xmlns="{O}"/>')))),
    ("a SAML assertion", {"security-child-unknown"}, _after(
        at(SECURITY, appending('<Assertion xmlns="urn:oasis:names:tc:SAML:2.0:assertion"/>')))),
    ("ids by counter in two layers", {"ids-not-unique"}, _before(
        at("s:Body", lambda body: body[0].set("Id", "_1")))),
    ("CXF with encryption in its policy", {"encryption-not-agreed"}, _after(
        at("s:Body", lambda body: body.replace(body[0], etree.fromstring(f'<EncryptedData xmlns="{XENC}"/>'))))),
    ("2W-be-SE agreed and encryption forgotten", {"encryption-missing"}, lambda world: world.look(
        world.octets(), known=world.known(encrypts=lambda party, service: True))),
    # --- token
    ("EncodingType of hex", {"token-encoding-type"}, _before(
        at(TOKEN, setting("EncodingType", PROFILE + "#HexBinary")))),
    ("the key file where the certificate belongs", {"token-private-key"}, _private),
    ("PHP: the PEM file as it is", {"token-pem"}, _token_text(_pem)),
    ("a token with spaces turned into plus signs", {"token-not-base64"}, _token_text(lambda text: text[:-7] + "%2B")),
    ("WSS4J with useSingleCertificate=false", {"token-pkipath"}, _token(
        lambda world, own: tlv(0x30, *_chain(world, own)))),
    ("a .p7b as token", {"token-pkcs7"}, _token(_pkcs7)),
    ("the public key alone", {"token-not-certificate"}, _token(_public_key)),
    ("ValueType of X509v1", {"token-value-type"}, _before(at(TOKEN, setting("ValueType", PROFILE + "#X509v1")))),
    # --- signature's parts and KeyInfo
    ("an enveloping signature", {"signature-object"}, _after(at(SIGNATURE, appending(f'<Object xmlns="{D}"/>')))),
    ("SignatureValue before SignedInfo", {"signature-layout"}, _after(
        at(SIGNATURE, lambda one: one.insert(0, one[1])))),
    ("a template with text left between its elements", {"signature-words"}, _after(
        at(SECURITY, lambda one: setattr(one, "text", "handtekening:")))),
    ("no KeyInfo", {"key-info-missing"}, _after(at(f"{SIGNATURE}/d:KeyInfo", removed))),
    ("WCF and CXF by default: key identifier", {"key-identifier"}, _pointer(
        f'<KeyIdentifier xmlns="{O}" ValueType="{PROFILE}#X509SubjectKeyIdentifier">AAAA</KeyIdentifier>')),
    ("WSS4J by default: issuer and serial", {"key-issuer-serial"}, _pointer(
        f'<X509Data xmlns="{D}"><X509IssuerSerial/></X509Data>')),
    ("an embedded token", {"key-embedded"}, _pointer(f'<Embedded xmlns="{O}"/>')),
    ("a key by name", {"key-name"}, _pointer(f'<KeyName xmlns="{D}">gemeente</KeyName>')),
    ("xmlsec1's X509Data", {"key-info-x509-data"}, _after(_x509_data)),
    ("KeyValue beside the pointer", {"key-info-form"}, _after(
        at(f"{SIGNATURE}/d:KeyInfo", appending(f'<KeyValue xmlns="{D}"/>')))),
    ("a pointer at another id", {"key-reference-broken"}, _after(at(f"{POINTER}/o:Reference", setting("URI", "#x")))),
    ("a pointer of another type", {"key-reference-type"}, _after(
        at(f"{POINTER}/o:Reference", setting("ValueType", PROFILE + "#PKCS7")))),
    # --- algorithms
    ("SignedXml by default: inclusive C14N", {"c14n-inclusive"}, _inclusive),
    ("C14N with comments", {"c14n-with-comments"}, _in_info(
        at(f"{INFO}/d:CanonicalizationMethod", setting("Algorithm", EXC + "WithComments")))),
    ("C14N of a draft", {"c14n-unknown"}, _in_info(
        at(f"{INFO}/d:CanonicalizationMethod", setting("Algorithm", "urn:concept:c14n")))),
    ("a PrefixList of everything", {"prefix-list-long"}, _in_info(
        at(f"{INFO}/d:CanonicalizationMethod", appending(
            f'<InclusiveNamespaces xmlns="{EXC}" PrefixList="{" ".join(f"p{one}" for one in range(40))}"/>')))),
    ("zeep by default: rsa-sha1", {"signature-sha1"}, _plan(method="http://www.w3.org/2000/09/xmldsig#rsa-sha1")),
    ("RSASSA-PSS, not agreed", {"signature-pss-not-agreed"}, _plan(method=foreign.PSS)),
    ("a symmetric binding", {"signature-hmac"}, _in_info(
        at(f"{INFO}/d:SignatureMethod", setting("Algorithm", "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256")))),
    ("an algorithm of its own", {"signature-method"}, _in_info(
        at(f"{INFO}/d:SignatureMethod", setting("Algorithm", "urn:leverancier:rsa")))),
    ("rsa-sha256 with digests left at SHA-1", {"digest-sha1"}, _plan(
        digest="http://www.w3.org/2000/09/xmldsig#sha1")),
    ("MD5 digests", {"digest-method"}, _plan(digest="http://www.w3.org/2001/04/xmldsig-more#md5")),
    ("References without Transforms", {"transform-missing"}, _in_info(
        _each(f"{INFO}/d:Reference/d:Transforms", lambda one: removed(one[0])))),
    ("the same Transform twice", {"transform-several"}, _in_info(
        _each(f"{INFO}/d:Reference/d:Transforms", lambda one: one.append(copy.deepcopy(one[0]))))),
    ("signxml by default: enveloped", {"transform-enveloped"}, _in_info(
        _each(f"{INFO}/d:Reference/d:Transforms", lambda one: one.insert(0, etree.fromstring(
            f'<Transform xmlns="{D}" Algorithm="{D}enveloped-signature"/>'))))),
    ("CXF signs the token by STR-Transform", {"transform-str"}, _in_info(
        at(f"{INFO}/d:Reference/d:Transforms", lambda one: one.insert(0, etree.fromstring(
            f'<Transform xmlns="{D}" Algorithm="{foreign.B64.replace("Base64Binary", "STR-Transform")}"/>'))))),
    ("an XPath filter", {"transform-unknown"}, _in_info(
        at(TRANSFORM, setting("Algorithm", "http://www.w3.org/TR/1999/REC-xpath-19991116")))),
    # --- references
    ("a loop that signs too much", {"references-many", "part-signed-twice"}, _in_info(_many)),
    ("zeep signs Body and Timestamp only", {"part-not-signed"}, _plan(
        unsigned=frozenset({"To", "Action", "MessageID", "ReplyTo", "From", "BinarySecurityToken"}))),
    ("a header added after signing", {"part-without-id"}, _after(at("s:Header", lambda header: header.append(
        etree.fromstring(f'<a:FaultTo xmlns:a="{A}"><a:Address>{foreign.ANONYMOUS}</a:Address></a:FaultTo>'))))),
    ("the Body signed twice", {"part-signed-twice"}, _in_info(_extra_reference("#_1"))),
    ("SignedXml signs the whole document", {"reference-whole-document", "transform-enveloped"},
     _in_info(_whole_document)),
    ("an attachment by cid", {"reference-external"}, _in_info(_extra_reference("cid:bijlage@gemeente"))),
    ("a part replaced after signing", {"reference-target-missing", "part-not-signed"}, _after(
        at("s:Header/a:MessageID", setting(f"{{{U}}}Id", "nieuw")))),
    ("WSS4J with {Content}", {"reference-body-content"}, _in_info(_content_signed)),
    ("SignedXml: ID instead of wsu:Id", {"reference-other-id", "part-without-id"}, _in_info(_by_id("MessageID"))),
    ("the Header's own wrapper signed", {"reference-elsewhere"}, _plan(
        **first(at(SECURITY, setting(f"{{{U}}}Id", "sec"))), after_digests=_extra_reference("#sec"))),
]
