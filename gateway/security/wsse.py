"""Verifying a WS-Security header: position, then identity, then cryptography (docs/profile.md §7).

A Reference is followed only to a part we already hold by its position in the envelope; no search by id ever runs over
the document. So a part that was moved, wrapped or doubled is not found, and the part in its place is not signed.
"""

import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final, Protocol

from lxml import etree

from gateway.errors import ReferenceMissing, SecurityMissing, SignatureInvalid
from gateway.names import BASE64_BINARY, DS, SHA256, WSSE, WSSE11, WSU, X509V3, XENC, clark
from gateway.security._freshness import check_fresh
from gateway.security._ids import all_ids_unique
from gateway.security._shape import ID, few, no_words, octets_of, only_attributes, token_of
from gateway.security._signed_info import Reference, read_signed_info
from gateway.security.algorithms import DIGESTS, PublicKey, signature_holds
from gateway.security.c14n import canonical
from gateway.soap import Element, Envelope
from gateway.values import Certificate

_WSU_ID: Final = clark(WSU, "Id")
_TOKEN: Final = clark(WSSE, "BinarySecurityToken")
_TIMESTAMP: Final = clark(WSU, "Timestamp")
_CONFIRMATION: Final = clark(WSSE11, "SignatureConfirmation")
_SIGNATURE: Final = clark(DS, "Signature")
_ENCRYPTED_KEY: Final = clark(XENC, "EncryptedKey")
_STRANGERS: Final = frozenset(("UsernameToken", "SecurityTokenReference", "Assertion", "EncryptedKey", "ReferenceList"))
_TOKEN_REFERENCE: Final = clark(WSSE, "SecurityTokenReference")
_TOKEN_REFERENCE_BY_URI: Final = clark(WSSE, "Reference")
_SIGNATURE_CHILDREN: Final = [clark(DS, name) for name in ("SignedInfo", "SignatureValue", "KeyInfo")]
_BASE64: Final = re.compile(r"[A-Za-z0-9+/]+={0,2}")


class Signer(Protocol):
    """What checking a certificate gives (security/pki.py)."""

    @property
    def certificate(self) -> Certificate: ...

    @property
    def public_key(self) -> PublicKey: ...


CheckCertificate = Callable[[bytes, datetime], Signer]  # DER, now; raises CertificateRejected, TrustStale


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityPolicy:
    """What a service asks of the security header. No permissive defaults: a profile is written out."""

    token_signed: bool  # the BinarySecurityToken is among the signed parts
    skew: timedelta  # how far a peer's clock may be off
    max_age: timedelta  # from Created, also when Expires says later or nothing
    max_span: timedelta = timedelta(seconds=600)  # Expires - Created
    encrypted: bool = False  # the Body was decrypted before this: an EncryptedKey stands in the header
    pss: bool = False  # RSASSA-PSS is taken, as agreed with this peer (standards profile §4.1)
    confirms: tuple[str, ...] | None = None  # in an answer: the SignatureValues it must confirm, exactly (WB014)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Verified:
    """Only what was signed. Made by `verify` and by nothing else."""

    envelope: Envelope
    signer: Certificate
    token: bytes  # DER
    body: bytes  # canonical octets of soap:Body, as digested
    body_digest: bytes  # SHA-256 of `body`, whatever the sender digested with
    body_reference: str  # its wsu:Id
    body_inclusive: tuple[str, ...]
    signed_info: bytes  # canonical
    signature_value: bytes
    signature_method: str
    skewed: bool  # the Timestamp holds only because a peer's clock may be off

    @property
    def child(self) -> Element:
        """The one element of the verified Body."""
        return self.envelope.child


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Parts:
    """The children of wsse:Security that the profile knows."""

    token: Element
    timestamp: Element
    confirmations: tuple[Element, ...]
    signature: Element


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Signed:
    """What the signer signed the digests of. Whether the parts are those is still to be seen."""

    envelope: Envelope
    parts: _Parts
    references: tuple[Reference, ...]
    signer: Certificate
    token: bytes  # DER
    signed_info: bytes  # canonical
    signature_value: bytes
    signature_method: str


def verify(envelope: Envelope, policy: SecurityPolicy, check: CheckCertificate, now: datetime) -> Verified:
    """Check the WS-Security header and give back only what was signed.

    1 layout: one token, one Timestamp, one Signature after the token, nothing unknown; 2 ids unique over the document;
    3 SignedInfo: algorithms of the allow-list, each Reference to a part at its place, every required part referenced
    once; 4 KeyInfo: a direct reference to the token; 5 the certificate; 6 SignatureValue; 7 digests; 8 Timestamp;
    9 SignatureConfirmation of an answer.

    Takes   one parsed envelope; `check` knows anchors, revocation and usage; `now` is aware UTC.
    Raises  SecurityMissing, ReferenceMissing, AlgorithmForbidden, CertificateRejected, TrustStale, SignatureInvalid,
            TimestampStale.
    Source  WSS SMS 1.1.1 §8, §10; BSP 1.1 R5205, R5402, R5404, R5416, R5423; Digikoppeling WUS WB002, WB004, WB013.
    """
    signed = prove_signature(envelope, policy, check, now)  # 1-6
    body, body_digest = check_digests(envelope.body, signed.references)  # 7
    skewed = check_timestamp(signed, policy, now)  # 8, 9
    return proven(signed, body, body_digest, skewed=skewed)


def prove_signature(envelope: Envelope, policy: SecurityPolicy, check: CheckCertificate, now: datetime) -> Signed:
    """Steps 1 to 6 of `verify`. Raises what it raises."""
    parts = _layout(envelope, encrypted=policy.encrypted)  # 1
    if not all_ids_unique(envelope.root):  # 2
        raise ReferenceMissing("an id occurs twice in the document")
    signed_info, value, key_info = _signature_children(parts.signature)
    targets = _targets(envelope, parts)
    said = read_signed_info(signed_info, targets, pss=policy.pss, canonical_exists=envelope.canonical)  # 3
    _all_signed(envelope, parts, said.references, policy)
    _key_reference(key_info, parts.token)  # 4
    no_words(parts.signature)
    token = _token_octets(parts.token)
    signer = check(token, now)  # 5
    if not envelope.canonical:  # each signed part may have a form of its own, but verifiers disagree about the whole
        raise SignatureInvalid("a relative namespace URI: no canonical form exists")
    octets, signature = said.octets or canonical(signed_info, said.inclusive), octets_of(value)
    if not signature_holds(said.method, signer.public_key, signature, octets):  # 6
        raise SignatureInvalid("SignatureValue does not match SignedInfo and the token's key")
    return Signed(envelope=envelope, parts=parts, references=said.references, signer=signer.certificate, token=token,
                  signed_info=octets, signature_value=signature, signature_method=said.method)


def check_timestamp(signed: Signed, policy: SecurityPolicy, now: datetime) -> bool:
    """Steps 8 and 9 of `verify`; does the Timestamp hold only because a peer's clock may be off?"""
    skewed = check_fresh(signed.parts.timestamp, policy, now)
    _confirmations(signed.parts.confirmations, policy)
    return skewed


def proven(signed: Signed, body: bytes, body_digest: bytes, *, skewed: bool) -> Verified:
    """What every step of `verify` has passed."""
    envelope = signed.envelope
    body_reference = next(one for one in signed.references if one.target is envelope.body)
    return Verified(
        envelope=envelope, signer=signed.signer, token=signed.token, body=body, body_digest=body_digest,
        signed_info=signed.signed_info, body_reference=envelope.body.get(_WSU_ID, ""),
        body_inclusive=body_reference.inclusive, signature_value=signed.signature_value,
        signature_method=signed.signature_method, skewed=skewed,
    )


def claimed_signatures(envelope: Envelope) -> tuple[str, ...]:
    """The SignatureValues of a request, proven or not: an answer confirms what was sent (WSS SMS §8.5)."""
    if envelope.security is None:
        return ()
    values = (one.findtext(clark(DS, "SignatureValue")) for one in envelope.security.iterchildren(_SIGNATURE))
    compact = ("".join(value.split()) for value in values if value)
    return tuple(value for value in compact if _BASE64.fullmatch(value) and len(value) <= 2048)[:1]


def confirms_something(envelope: Envelope) -> bool:
    """Does an answer state the signature it confirms, proven or not?"""
    if envelope.security is None:
        return False
    return any(one.get("Value") for one in envelope.security.iterchildren(_CONFIRMATION))


def _layout(envelope: Envelope, *, encrypted: bool) -> _Parts:
    if envelope.security is None:
        raise SecurityMissing("no wsse:Security header")
    found: dict[str, list[Element]] = {_TOKEN: [], _TIMESTAMP: [], _CONFIRMATION: [], _SIGNATURE: []}
    if encrypted:
        found[_ENCRYPTED_KEY] = []  # read, and found to be the only one, by decrypt_content()
    for child in few(envelope.security):
        tag = str(child.tag)
        if tag not in found:
            name = etree.QName(child).localname
            known = name if name in _STRANGERS else "an element"  # a name is the peer's own words, and may hold any
            raise SecurityMissing(f"{known} in wsse:Security is outside the profile")
        if tag == _SIGNATURE and not found[_TOKEN]:
            raise SecurityMissing("the token must stand before the signature that refers to it (BSP R5205)")
        found[tag].append(child)
    for tag in (_TOKEN, _TIMESTAMP, _SIGNATURE):
        if len(found[tag]) != 1:
            raise SecurityMissing(f"wsse:Security holds {len(found[tag])} {etree.QName(tag).localname}, not one")
    return _Parts(
        token=found[_TOKEN][0], timestamp=found[_TIMESTAMP][0], signature=found[_SIGNATURE][0],
        confirmations=tuple(found[_CONFIRMATION]),
    )


def _targets(envelope: Envelope, parts: _Parts) -> dict[str, Element]:
    """wsu:Id → the part at its place; these and no others can be signed."""
    places = (*envelope.blocks, parts.token, parts.timestamp, *parts.confirmations, envelope.body)
    return {identifier: place for place in places if (identifier := place.get(_WSU_ID))}


def _signature_children(signature: Element) -> tuple[Element, Element, Element]:
    children = few(signature)
    if [child.tag for child in children] != _SIGNATURE_CHILDREN:
        raise SecurityMissing("ds:Signature must hold SignedInfo, SignatureValue and KeyInfo, and nothing else")
    for element in (signature, *children):
        only_attributes(element, ID)
    return children[0], children[1], children[2]


def _all_signed(
    envelope: Envelope, parts: _Parts, references: tuple[Reference, ...], policy: SecurityPolicy
) -> None:
    signed = [one.target for one in references]
    required = [*envelope.blocks, parts.timestamp, *parts.confirmations, envelope.body]
    if policy.token_signed:
        required.append(parts.token)
    for part in required:
        count = signed.count(part)  # elements are equal only to themselves
        if count != 1:
            raise ReferenceMissing(f"{etree.QName(part).localname} is signed {count} times, not once")


def _key_reference(key_info: Element, token: Element) -> None:
    holder = key_info[0] if len(key_info) == 1 else None
    reference = holder[0] if holder is not None and len(holder) == 1 else None
    if (
        holder is None
        or reference is None
        or len(reference)
        or holder.tag != _TOKEN_REFERENCE
        or reference.tag != _TOKEN_REFERENCE_BY_URI
        or reference.get("ValueType") not in (None, X509V3)
        or reference.get("URI") != f"#{token.get(_WSU_ID)}"
    ):
        raise SecurityMissing("KeyInfo must hold one direct reference to the token (WB010, BSP R5402)")


def _token_octets(token: Element) -> bytes:
    if token.get("ValueType") != X509V3 or token.get("EncodingType", BASE64_BINARY) != BASE64_BINARY:
        raise SecurityMissing("the token is not an X509v3 in Base64Binary (BSP R3029, R3033)")
    return token_of(token)


def check_digests(body: Element, references: tuple[Reference, ...]) -> tuple[bytes, bytes]:
    """Digest every part, all of them, so that timing tells nothing; gives the Body's octets and their SHA-256."""
    body_octets, body_digest, wrong = b"", b"", []
    for one in references:
        octets = canonical(one.target, one.inclusive)
        digest = DIGESTS[one.algorithm](octets).digest()
        if not hmac.compare_digest(digest, one.digest):
            wrong.append(etree.QName(one.target).localname)
        if one.target is body:
            body_octets, body_digest = octets, digest if one.algorithm == SHA256 else sha256(octets).digest()
    if wrong:
        raise SignatureInvalid(f"digest of {', '.join(wrong)} does not match")
    return body_octets, body_digest


def _confirmations(confirmations: tuple[Element, ...], policy: SecurityPolicy) -> None:
    """SMS §8.5: every sent SignatureValue comes back exactly once, nothing more; none in a request."""
    seen = sorted("".join(one.get("Value", "").split()) for one in confirmations)
    if seen != sorted(policy.confirms or ()):
        raise SignatureInvalid("SignatureConfirmation does not confirm what was sent")
