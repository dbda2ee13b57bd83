"""SignatureValue: does it hold over SignedInfo with the token's key, and if not, what was signed, by which key, how?

An RSA signature opens to the digest that was signed, so one operation tells whether the key is right, and every guess
about SignedInfo after it is a comparison of digests. An ECDSA signature tells nothing but yes or no: few guesses.
"""

import re
from binascii import a2b_base64
from dataclasses import dataclass
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from gateway.errors import GatewayError
from gateway.names import DS, clark
from gateway.security import _x509
from gateway.security.algorithms import PublicKey
from gateway.security.explain.case import Case, algorithm, canonicalised, found, place_of
from gateway.security.explain.difference import difference
from gateway.security.explain.digests import DIGESTS
from gateway.security.explain.references import MAX_REFERENCES, prefixes, signed_info
from gateway.security.explain.search import GUESSES, View, declared_form, search
from gateway.soap import Element
from gateway.values import Diagnosis

# DigestInfo of PKCS#1 v1.5 without the digest (RFC 8017 §9.2).
_DIGEST_INFO: Final = {
    bytes.fromhex("3031300d060960864801650304020105000420"): "SHA-256",
    bytes.fromhex("3041300d060960864801650304020205000430"): "SHA-384",
    bytes.fromhex("3051300d060960864801650304020305000440"): "SHA-512",
    bytes.fromhex("3021300906052b0e03021a05000414"): "SHA-1",
    bytes.fromhex("302d300d06096086480165030402040500041c"): "SHA-224",
    bytes.fromhex("3020300c06082a864886f70d020505000410"): "MD5",
}
_HASHES: Final[dict[str, hashes.HashAlgorithm]] = {
    "SHA-256": hashes.SHA256(), "SHA-384": hashes.SHA384(), "SHA-512": hashes.SHA512(), "SHA-1": hashes.SHA1(),  # noqa: S303
}
_STATED: Final = {"sha1": "SHA-1", "sha256": "SHA-256", "sha384": "SHA-384", "sha512": "SHA-512", "md5": "MD5"}
_MAX_VALUE: Final = 4096
_TAG_LENGTH: Final = 40
_BASE64: Final = re.compile(r"[A-Za-z0-9+/=\s]*")
_EC_GUESSES: Final = frozenset(("octets-as-sent", "inclusive-c14n", "white-space-added", "newline-digested"))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Signed:
    """What is to be explained."""

    case: Case
    view: View  # SignedInfo
    value: bytes
    method: str  # as algorithm() names it
    hash: str  # that the method states

    @property
    def place(self) -> str:
        return place_of(self.view.element)


def signature(case: Case) -> list[Diagnosis] | None:
    """SignatureValue against SignedInfo and the key of the token."""
    info = signed_info(case)
    element = None if case.signature is None else case.signature.find(clark(DS, "SignatureValue"))
    if info is None or len(info) > MAX_REFERENCES + 2 or not case.certificates or case.budget.octets < 0:
        return None
    if element is None:
        return [found("signature-layout", info)]
    keys = _keys(case)
    if keys is None:
        return None
    value = _value(element)
    if isinstance(value, Diagnosis):
        return [value]
    view = _view(case, info)
    method = info.find(clark(DS, "SignatureMethod"))
    name = algorithm(None if method is None else method.get("Algorithm"))
    stated = _STATED.get(name.partition("-")[2] if "MGF1" not in name else "sha256", "?")
    if view is None or stated == "?" or not name.startswith(("rsa", "ecdsa", "sha256-rsa")):
        return None
    signed = _Signed(case=case, view=view, value=value, method=name, hash=stated)
    own, others = keys
    if isinstance(own, rsa.RSAPublicKey) == name.startswith("ecdsa"):
        return [_family(signed, own, others)]
    wrong = _rsa(signed, own, others) if isinstance(own, rsa.RSAPublicKey) else _ec(signed, own, others)
    if wrong is None:
        return []
    given = case.sent.signed
    if given is not None and b"SignedInfo" in given[:_TAG_LENGTH]:
        case.shown += difference("SignedInfo", given, view.octets)
    return [wrong]


def _keys(case: Case) -> tuple[PublicKey, list[tuple[str, PublicKey]]] | None:
    """The key of the token, and others the signature may have been made with: of the TLS certificate, other tokens."""
    own = _key(case.certificates[0])
    if own is None:
        return None
    candidates = [("key-of-other-token", one) for one in case.certificates[1:4]]
    if case.sent.peer is not None:
        candidates.insert(0, ("key-of-tls-certificate", case.sent.peer))
    others = ((identifier, _key(der)) for identifier, der in candidates if der != case.certificates[0])
    return own, [(identifier, key) for identifier, key in others if key is not None]


def _key(der: bytes) -> PublicKey | None:
    try:
        key = x509.load_der_x509_certificate(der).public_key()
    except _x509.UNREADABLE:
        return None
    # Above what the gateway takes an operation costs much; nobody's signature by such a key is looked at.
    if isinstance(key, rsa.RSAPublicKey):
        return key if key.key_size <= 8192 and key.public_numbers().e <= 65537 else None
    return key if isinstance(key, ec.EllipticCurvePublicKey) else None


def _value(element: Element) -> bytes | Diagnosis:
    text = (element.text or "")[:_MAX_VALUE]
    if len(element) or not _BASE64.fullmatch(text):
        return found("signature-not-base64", element)
    try:
        octets = a2b_base64("".join(text.split()), strict_mode=True)
    except ValueError:
        octets = b""
    return octets or found("signature-not-base64", element)


def _view(case: Case, info: Element) -> View | None:
    c14n = info.find(clark(DS, "CanonicalizationMethod"))
    inclusive = prefixes(c14n)
    try:
        octets = declared_form(info, None if c14n is None else c14n.get("Algorithm"), inclusive)
    except (GatewayError, ValueError):
        return None
    case.budget.take(canonicalised(octets))
    return View(case=case, element=info, inclusive=inclusive, octets=octets)


def _made_by(signed: _Signed, others: list[tuple[str, PublicKey]]) -> Diagnosis | None:
    """Is one of these keys the one that signed?"""
    for identifier, other in others:
        if isinstance(other, rsa.RSAPublicKey) and _open(other, signed.value) is not None:
            return found(identifier, signed.place)
        if isinstance(other, ec.EllipticCurvePublicKey) and _ec_holds(signed, other, signed.view.octets):
            return found(identifier, signed.place)
    return None


def _family(signed: _Signed, own: PublicKey, others: list[tuple[str, PublicKey]]) -> Diagnosis:
    """The method is for another kind of key than the token's."""
    kind = "RSA" if isinstance(own, rsa.RSAPublicKey) else "EC"
    return _made_by(signed, others) or found("signature-key-family", signed.place, stated=signed.method, key=kind)


# --- RSA -----------------------------------------------------------------------------------------------------


def _rsa(signed: _Signed, key: rsa.RSAPublicKey, others: list[tuple[str, PublicKey]]) -> Diagnosis | None:
    """None when it holds."""
    opened = _open(key, signed.value)
    pss = "MGF1" in signed.method
    if opened is None:
        if _pss_holds(key, signed):
            return None if pss else found("signature-pss", signed.place, stated=signed.method)
        return _other_key(signed, key, others)
    name, digest = opened
    if pss and digest == DIGESTS[name or "SHA-256"](signed.view.octets):
        return found("signature-not-pss", signed.place, stated=signed.method)
    if name is None:
        raw = digest == DIGESTS[signed.hash](signed.view.octets)
        return found("signature-no-digest-info" if raw else "signed-info-changed", signed.place)
    if digest == DIGESTS[name](signed.view.octets):
        same = name == signed.hash
        return None if same else found("signature-other-hash", signed.place, stated=signed.hash, used=name)
    return _other_octets(signed, name, digest)


def _open(key: rsa.RSAPublicKey, value: bytes) -> tuple[str | None, bytes] | None:
    """The hash and digest in a PKCS#1 v1.5 signature; no hash when there is no DigestInfo; None: not by this key."""
    try:
        content = key.recover_data_from_signature(value, padding.PKCS1v15(), None)
    except (InvalidSignature, ValueError, UnsupportedAlgorithm):
        return None
    for start, name in _DIGEST_INFO.items():
        if content.startswith(start) and len(content) == len(start) + start[-1]:
            return name, content[len(start):]
    return None, content


def _pss_holds(key: rsa.RSAPublicKey, signed: _Signed) -> bool:
    hash_ = _HASHES.get(signed.hash)
    if hash_ is None or len(signed.value) != (key.key_size + 7) // 8 or not signed.case.budget.verify():
        return False
    pad = padding.PSS(mgf=padding.MGF1(hash_), salt_length=padding.PSS.AUTO)
    try:
        key.verify(signed.value, signed.view.octets, pad, hash_)
    except (InvalidSignature, ValueError, UnsupportedAlgorithm):
        return False
    return True


def _other_key(signed: _Signed, key: rsa.RSAPublicKey, others: list[tuple[str, PublicKey]]) -> Diagnosis:
    if _open(key, signed.value[::-1]) is not None:
        return found("signature-reversed", signed.place)
    if theirs := _made_by(signed, others):
        return theirs
    if len(signed.value) != (key.key_size + 7) // 8:
        return found("signature-length", signed.place, octets=len(signed.value), key=f"RSA-{key.key_size}")
    return found("signed-by-other-key", signed.place)


def _other_octets(signed: _Signed, name: str, digest: bytes) -> Diagnosis:
    """The token's key did sign, but something else than SignedInfo as it stands here."""
    hash_ = DIGESTS[name]
    once = hash_(signed.view.octets)
    if digest in (hash_(once), hash_(once.hex().encode())):
        return found("signature-of-digest", signed.place)
    identifier, complete = search(signed.view, lambda octets: hash_(octets) == digest)
    if identifier is None:
        identifier = "signed-info-changed" if complete else "search-stopped"
    return found(identifier, signed.place, part="SignedInfo")


# --- ECDSA ---------------------------------------------------------------------------------------------------


def _ec(signed: _Signed, key: PublicKey, others: list[tuple[str, PublicKey]]) -> Diagnosis | None:
    """None when it holds."""
    assert isinstance(key, ec.EllipticCurvePublicKey)
    octets = signed.view.octets
    if len(signed.value) == 2 * ((key.key_size + 7) // 8) and _ec_holds(signed, key, octets):
        return None
    if _is_der(signed.value) and _der_holds(signed, key, signed.value, octets, signed.hash):
        return found("signature-ecdsa-der", signed.place)
    if theirs := _made_by(signed, others):
        return theirs
    for name in ("SHA-256", "SHA-384", "SHA-512", "SHA-1"):
        if name != signed.hash and _ec_holds(signed, key, octets, name):
            return found("signature-other-hash", signed.place, stated=signed.hash, used=name)
    if _ec_holds(signed, key, DIGESTS[signed.hash](octets)):
        return found("signature-of-digest", signed.place)
    few = tuple(one for one in GUESSES if one.id in _EC_GUESSES)
    guessed, _ = search(signed.view, lambda one: _ec_holds(signed, key, one), few)
    return found(guessed or "signature-unexplained", signed.place, part="SignedInfo")


def _is_der(value: bytes) -> bool:
    try:
        decode_dss_signature(value)
    except ValueError:
        return False
    return True


def _ec_holds(signed: _Signed, key: ec.EllipticCurvePublicKey, octets: bytes, name: str | None = None) -> bool:
    half = len(signed.value) // 2
    r, s = int.from_bytes(signed.value[:half]), int.from_bytes(signed.value[half:])
    if not half or len(signed.value) % 2:
        return False
    return _der_holds(signed, key, encode_dss_signature(r, s), octets, name or signed.hash)


def _der_holds(signed: _Signed, key: ec.EllipticCurvePublicKey, value: bytes, octets: bytes, name: str) -> bool:
    hash_ = _HASHES.get(name)
    if hash_ is None or not signed.case.budget.verify():
        return False
    try:
        key.verify(value, octets, ec.ECDSA(hash_))
    except (InvalidSignature, ValueError, UnsupportedAlgorithm):
        return False
    return True
