"""The security header: which children it has and in which order, what the token is, how the key is pointed at.

Sources: docs/profile.md §6; BSP 1.1 R5205, R5402, R3029, R3033; Digikoppeling WB002, WB009, WB010.
"""

import re
from binascii import a2b_base64
from collections import Counter
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from lxml import etree

from gateway.names import BASE64_BINARY, DS, PKCS7, WSSE, X509PKIPATH, X509V3, XENC, clark
from gateway.security import _x509
from gateway.security._ids import all_ids_unique
from gateway.security._shape import has_words
from gateway.security.explain.case import (
    CONFIRMATION,
    SIGNATURE,
    TIMESTAMP,
    TOKEN,
    WSU_ID,
    Case,
    elements,
    found,
    name_of,
)
from gateway.security.explain.identities import oin_in
from gateway.soap import Element
from gateway.values import Diagnosis

_STR: Final = clark(WSSE, "SecurityTokenReference")
_SIGNED_CHILDREN: Final = [clark(DS, name) for name in ("SignedInfo", "SignatureValue", "KeyInfo")]
_KEY_FORMS: Final = {
    clark(WSSE, "KeyIdentifier"): "key-identifier", clark(WSSE, "Embedded"): "key-embedded",
    clark(DS, "X509Data"): "key-issuer-serial", clark(DS, "KeyName"): "key-name",
}
_MAX_TOKEN: Final = 65_536  # characters of base64; a chain of four certificates is 12,000
_PKCS7_SIGNED: Final = bytes.fromhex("06092a864886f70d010702")
_PEM: Final = re.compile(r"-----BEGIN ([A-Z ]{3,40})-----")


def layout(case: Case) -> list[Diagnosis] | None:
    """One token, one Timestamp, one Signature after the token, a direct reference; ids unique in the document."""
    if case.root is None or etree.QName(case.root).localname != "Envelope":
        return None
    if case.security is None:
        place = "/soap:Envelope/soap:Header"
        outside = case.signature is not None
        return [found("signature-outside-security" if outside else "security-missing", place)]
    wrong = _children(case, case.security)
    if not all_ids_unique(case.root):
        wrong.append(found("ids-not-unique", "/soap:Envelope"))
    wrong += _encryption(case)
    tokens = list(case.security.iterchildren(TOKEN))
    for token in tokens[:4]:
        wrong += _token(case, token)
    if case.signature is not None:
        wrong += _signature(case.signature, tokens)
        if not wrong and has_words(case.signature):  # what else is wrong may well hold words
            wrong.append(found("signature-words", case.security))
    return wrong


def _children(case: Case, security: Element) -> list[Diagnosis]:
    children = elements(security)
    counts = Counter(str(one.tag) for one in children)
    wrong: list[Diagnosis] = []
    for tag, name in ((TOKEN, "token"), (TIMESTAMP, "timestamp"), (SIGNATURE, "signature")):
        if counts[tag] > 1:
            wrong.append(found(f"{name}-twice", security, count=counts[tag]))
    if not counts[SIGNATURE]:
        wrong.append(found("signature-missing" if case.signature is None else "signature-outside-security", security))
    elif not counts[TOKEN]:
        wrong.append(found("token-missing", security))
    if not counts[TIMESTAMP]:
        wrong.append(found("timestamp-missing", security))
    if counts[CONFIRMATION]:
        wrong.append(found("confirmation-in-request", security))
    order = [one.tag for one in children if one.tag in (TOKEN, SIGNATURE)]
    if order[:1] == [SIGNATURE] and TOKEN in order:
        wrong.append(found("token-after-signature", security))
    known = {TOKEN, TIMESTAMP, SIGNATURE, CONFIRMATION, clark(XENC, "EncryptedKey")}
    strangers = {name_of(one) for one in children if one.tag not in known}
    if "UsernameToken" in strangers:
        wrong.append(found("username-token", security))
    elif strangers:
        wrong.append(found("security-child-unknown", security))
    return wrong


def _encryption(case: Case) -> list[Diagnosis]:
    """Encrypted where that is not agreed, or the reverse. What is inside is not looked at."""
    known, service = case.known, case.service()
    if known.encrypts is None or known.register is None or service is None or case.sent.peer is None:
        return []
    caller = oin_in(case.sent.peer)
    party = known.register.by_oin(caller) if caller else None
    if party is None or known.encrypts(party, service) is case.encrypted:
        return []
    return [found("encryption-not-agreed" if case.encrypted else "encryption-missing", "/soap:Envelope/soap:Body")]


# --- the token -----------------------------------------------------------------------------------------------


def _token(case: Case, token: Element) -> list[Diagnosis]:
    """What kind of token it is; certificates in it are kept for the checks that follow."""
    text, kind = token.text or "", token.get("ValueType")
    wrong: list[Diagnosis] = []
    if token.get("EncodingType", BASE64_BINARY) != BASE64_BINARY:
        wrong.append(found("token-encoding-type", token))
    if pem := _PEM.search(text[:_MAX_TOKEN]):
        case.certificates += _certificates(_base64(text[pem.end():_MAX_TOKEN].partition("-----END")[0]))
        private = "PRIVATE KEY" in pem[1]
        return [*wrong, found("token-private-key" if private else "token-pem", token)]
    octets = _base64(text[:_MAX_TOKEN])
    if not octets or len(token):
        return [*wrong, found("token-not-base64", token)]
    certificates = _certificates(octets)
    case.certificates += certificates
    if kind == X509PKIPATH or (len(certificates) > 1 and not _is_pkcs7(octets)):
        return [*wrong, found("token-pkipath", token, count=len(certificates))]
    if kind == PKCS7 or _is_pkcs7(octets):
        return [*wrong, found("token-pkcs7", token, count=len(certificates))]
    if not certificates:
        return [*wrong, found("token-not-certificate", token)]
    if kind != X509V3:
        wrong.append(found("token-value-type", token))
    return wrong


def _base64(text: str) -> bytes:
    try:
        return a2b_base64("".join(text.split()), strict_mode=True)
    except ValueError:
        return b""


def _is_pkcs7(octets: bytes) -> bool:
    return _PKCS7_SIGNED in octets[:32]


def _certificates(octets: bytes) -> list[bytes]:
    """The certificates in DER, PKCS#7 or PKIPath (a SEQUENCE of certificates, the CA first); the holder's own first."""
    try:
        if _is_pkcs7(octets):
            found_ = pkcs7.load_der_pkcs7_certificates(octets)
            return _own_first([one.public_bytes(Encoding.DER) for one in found_[:8]])
        path = _sequence(octets)
        if len(path) > 1 and all(_readable(one) for one in path):
            return _own_first(path)
        return [octets] if _readable(octets) else path if path and _readable(path[0]) else []
    except (*_x509.UNREADABLE, Warning):  # the library warns of PKCS#7 in BER; where warnings are errors, it stops
        return []


def _own_first(certificates: list[bytes]) -> list[bytes]:
    """The one that issued none of the others goes first, whatever order they came in."""
    parsed = [x509.load_der_x509_certificate(one) for one in certificates]
    issuers = {one.issuer for one in parsed}
    pairs = sorted(zip(parsed, certificates, strict=True), key=lambda pair: pair[0].subject in issuers)
    return [der for _, der in pairs]


def _readable(octets: bytes) -> bool:
    try:
        x509.load_der_x509_certificate(octets)
    except _x509.UNREADABLE:
        return False
    return True


def _sequence(octets: bytes) -> list[bytes]:
    """The elements of a DER SEQUENCE, at most eight; none when it is not one of SEQUENCEs (X.690 §8.1)."""
    content = _content(octets)
    members: list[bytes] = []
    while content and len(members) < 8:
        inside = _content(content)
        if not inside:
            return []
        length = len(content) - len(content.removeprefix(_header(content))) + len(inside)
        members.append(content[:length])
        content = content[length:]
    return members


def _header(octets: bytes) -> bytes:
    """Tag and length octets of a DER SEQUENCE."""
    extra = octets[1] & 0x7F if len(octets) > 1 and octets[1] & 0x80 else 0
    return octets[:2 + extra]


def _content(octets: bytes) -> bytes:
    head = _header(octets)
    if len(head) < 2 or head[0] != 0x30 or len(head) > 5:
        return b""
    length = int.from_bytes(head[2:]) if len(head) > 2 else head[1]
    return octets[len(head):len(head) + length] if len(octets) >= len(head) + length else b""


# --- the signature's own parts -------------------------------------------------------------------------------


def _signature(signature: Element, tokens: list[Element]) -> list[Diagnosis]:
    tags = [one.tag for one in elements(signature)]
    wrong: list[Diagnosis] = []
    if clark(DS, "Object") in tags:
        wrong.append(found("signature-object", signature))
    elif clark(DS, "KeyInfo") not in tags:
        wrong.append(found("key-info-missing", signature))
    elif tags != _SIGNED_CHILDREN:
        wrong.append(found("signature-layout", signature))
    key_info = signature.find(clark(DS, "KeyInfo"))
    return wrong if key_info is None else wrong + _key(key_info, tokens)


def _key(key_info: Element, tokens: list[Element]) -> list[Diagnosis]:
    inside = elements(key_info)
    pointer = next((one for one in inside if one.tag == _STR), None)
    if pointer is None:
        certificate = any(one.tag == clark(DS, "X509Data") for one in inside)
        return [found("key-info-x509-data" if certificate else "key-info-form", key_info)]
    if len(inside) > 1:
        return [found("key-info-form", key_info)]
    inside = elements(pointer)
    reference = inside[0] if inside else None
    if reference is None or len(inside) > 1:
        return [found("key-info-form", pointer)]
    if reference.tag in _KEY_FORMS:
        return [found(_KEY_FORMS[str(reference.tag)], pointer)]
    if reference.tag != clark(WSSE, "Reference"):
        return [found("key-info-form", pointer)]
    if not any(reference.get("URI") == f"#{token.get(WSU_ID)}" for token in tokens):
        return [found("key-reference-broken", reference)] if tokens else []
    if reference.get("ValueType") not in (None, X509V3):
        return [found("key-reference-type", reference)]
    return []
