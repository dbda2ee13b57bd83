"""A foreign stack: builds and signs envelopes its own way, sharing no code with gateway/.

Tree first, C14N of every part, prefixes as .NET writes them. Every step can be bent: so the hostile tests make their
attacks, and the tolerant ones their oddities.
"""

import hashlib
import uuid
from base64 import b64encode
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from lxml import etree

S = "http://schemas.xmlsoap.org/soap/envelope/"
A = "http://www.w3.org/2005/08/addressing"
O = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"  # noqa: E741
U = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
D = "http://www.w3.org/2000/09/xmldsig#"
EXC = "http://www.w3.org/2001/10/xml-exc-c14n#"
SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
ECDSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"
X509 = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-x509-token-profile-1.0#X509v3"
B64 = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#Base64Binary"
ANONYMOUS = A + "/anonymous"
NS = {"s": S, "a": A, "o": O, "u": U, "d": D}

HASHES = {
    SHA256: "sha256",
    "http://www.w3.org/2001/04/xmldsig-more#sha384": "sha384",
    "http://www.w3.org/2001/04/xmlenc#sha512": "sha512",
    "http://www.w3.org/2000/09/xmldsig#sha1": "sha1",
    "http://www.w3.org/2001/04/xmldsig-more#md5": "md5",
}
METHODS: dict[str, hashes.HashAlgorithm] = {
    RSA_SHA256: hashes.SHA256(),
    "http://www.w3.org/2001/04/xmldsig-more#rsa-sha384": hashes.SHA384(),
    "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512": hashes.SHA512(),
    "http://www.w3.org/2000/09/xmldsig#rsa-sha1": hashes.SHA1(),
    ECDSA_SHA256: hashes.SHA256(),
    "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384": hashes.SHA384(),
    "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha512": hashes.SHA512(),
}
PSS = "http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1"


@dataclass(kw_only=True)
class Identity:
    """A key and its certificate."""

    key: object
    certificate: bytes  # DER


@dataclass(kw_only=True)
class Plan:
    """How one envelope is made; every field has the well-behaved value."""

    child: bytes  # the Body's element
    action: str
    to: str | None
    identity: Identity
    now: datetime
    message_id: str | None = field(default_factory=lambda: f"urn:uuid:{uuid.uuid4()}")
    sender: str | None = None
    reply_to: str | None = ANONYMOUS
    created: str | None = None
    expires: str | None = "+300"
    method: str | None = None
    digest: str = SHA256
    c14n: str = EXC
    inclusive: str | None = None  # PrefixList of every transform
    unsigned: frozenset[str] = frozenset()  # local names of parts left out of the signature
    before_signing: Callable[[etree._Element], None] = lambda root: None
    after_digests: Callable[[etree._Element], None] = lambda root: None  # SignedInfo stands, SignatureValue does not
    after_signing: Callable[[etree._Element], None] = lambda root: None
    token: bytes | None = None  # other octets than the identity's certificate
    sign_with: object | None = None  # another key


def build(plan: Plan) -> etree._Element:
    """The signed envelope as a tree."""
    root = etree.Element(f"{{{S}}}Envelope", nsmap={"s": S, "a": A, "u": U})
    header = etree.SubElement(root, f"{{{S}}}Header")
    for name, value in (("Action", plan.action), ("MessageID", plan.message_id), ("To", plan.to)):
        if value is not None:
            etree.SubElement(header, f"{{{A}}}{name}", {f"{{{U}}}Id": f"_{name}"}).text = value
    for name, value in (("ReplyTo", plan.reply_to), ("From", plan.sender)):
        if value is not None:
            block = etree.SubElement(header, f"{{{A}}}{name}", {f"{{{U}}}Id": f"_{name}"})
            etree.SubElement(block, f"{{{A}}}Address").text = value
    security = etree.SubElement(header, f"{{{O}}}Security", {f"{{{S}}}mustUnderstand": "1"}, nsmap={"o": O})
    timestamp = etree.SubElement(security, f"{{{U}}}Timestamp", {f"{{{U}}}Id": "_0"})
    etree.SubElement(timestamp, f"{{{U}}}Created").text = plan.created or _stamp(plan.now)
    if plan.expires is not None:
        expires = _stamp(plan.now + timedelta(seconds=int(plan.expires))) if plan.expires[0] in "+-" else plan.expires
        etree.SubElement(timestamp, f"{{{U}}}Expires").text = expires
    token = etree.SubElement(
        security, f"{{{O}}}BinarySecurityToken", {f"{{{U}}}Id": "tok-1", "ValueType": X509, "EncodingType": B64}
    )
    token.text = b64encode(plan.token or plan.identity.certificate).decode()
    body = etree.SubElement(root, f"{{{S}}}Body", {f"{{{U}}}Id": "_1"})
    body.append(etree.fromstring(plan.child))
    plan.before_signing(root)
    _sign(root, security, plan)
    plan.after_signing(root)
    return root


def octets(root: etree._Element) -> bytes:
    return etree.tostring(root)


def parts(root: etree._Element) -> Iterable[etree._Element]:
    """Every element a well-behaved stack signs."""
    yield from root[0].iterchildren(f"{{{A}}}*")
    security = root[0].find(f"{{{O}}}Security")
    if security is not None:
        yield from security.iterchildren(f"{{{U}}}Timestamp", f"{{{O}}}BinarySecurityToken")
    yield from root.iterchildren(f"{{{S}}}Body")


def canonical(element: etree._Element, prefixes: str | None = None) -> bytes:
    return etree.tostring(
        element, method="c14n", exclusive=True, with_comments=False,
        inclusive_ns_prefixes=prefixes.split() if prefixes else None,
    )


def _sign(root: etree._Element, security: etree._Element, plan: Plan) -> None:
    signature = etree.SubElement(security, f"{{{D}}}Signature", nsmap={None: D})
    info = etree.SubElement(signature, f"{{{D}}}SignedInfo")
    etree.SubElement(info, f"{{{D}}}CanonicalizationMethod", Algorithm=EXC)
    key = plan.sign_with or plan.identity.key
    method = plan.method or (ECDSA_SHA256 if isinstance(key, ec.EllipticCurvePrivateKey) else RSA_SHA256)
    etree.SubElement(info, f"{{{D}}}SignatureMethod", Algorithm=method)
    for part in parts(root):
        if etree.QName(part).localname in plan.unsigned:
            continue
        reference = etree.SubElement(info, f"{{{D}}}Reference", URI="#" + part.get(f"{{{U}}}Id", ""))
        transform = etree.SubElement(
            etree.SubElement(reference, f"{{{D}}}Transforms"), f"{{{D}}}Transform", Algorithm=plan.c14n
        )
        if plan.inclusive is not None:
            etree.SubElement(transform, f"{{{EXC}}}InclusiveNamespaces", PrefixList=plan.inclusive, nsmap={None: EXC})
        etree.SubElement(reference, f"{{{D}}}DigestMethod", Algorithm=plan.digest)
        value = hashlib.new(HASHES[plan.digest], canonical(part, plan.inclusive)).digest()
        etree.SubElement(reference, f"{{{D}}}DigestValue").text = b64encode(value).decode()
    plan.after_digests(root)
    value = signature_value(key, method, canonical(info))
    etree.SubElement(signature, f"{{{D}}}SignatureValue").text = b64encode(value).decode()
    info_key = etree.SubElement(signature, f"{{{D}}}KeyInfo")
    reference = etree.SubElement(info_key, f"{{{O}}}SecurityTokenReference")
    etree.SubElement(reference, f"{{{O}}}Reference", URI="#tok-1", ValueType=X509)


def signature_value(key: object, method: str, data: bytes) -> bytes:
    """The raw signature by the method's own rule."""
    if isinstance(key, ec.EllipticCurvePrivateKey):
        r, s = decode_dss_signature(key.sign(data, ec.ECDSA(METHODS[method])))
        size = (key.key_size + 7) // 8
        return r.to_bytes(size) + s.to_bytes(size)
    if method == PSS:
        return key.sign(data, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())
    return key.sign(data, padding.PKCS1v15(), METHODS.get(method, hashes.SHA256()))


def resign(root: etree._Element, identity: Identity, *, digests: bool = True) -> None:
    """Bring digests and SignatureValue of a bent tree in order again, as an authorised signer could."""
    info = root.find(f".//{{{D}}}SignedInfo")
    if digests:
        for reference in info.findall(f"{{{D}}}Reference"):
            target = next(e for e in root.iter() if e.get(f"{{{U}}}Id") == reference.get("URI")[1:])
            algorithm = reference.find(f"{{{D}}}DigestMethod").get("Algorithm")
            digest = hashlib.new(HASHES[algorithm], canonical(target)).digest()
            reference.find(f"{{{D}}}DigestValue").text = b64encode(digest).decode()
    method = info.find(f"{{{D}}}SignatureMethod").get("Algorithm")
    value = signature_value(identity.key, method, canonical(info))
    root.find(f".//{{{D}}}SignatureValue").text = b64encode(value).decode()


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
