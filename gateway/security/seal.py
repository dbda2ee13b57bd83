"""Signing an envelope: written once, in canonical form, so that the octets written are the octets digested.

Building a tree and canonicalising it would cost more than everything but the key itself. Each signed part below is
the exclusive canonical form of itself (soap/_xml.py); tests/golden and two other implementations hold it to that.
"""

import hashlib
from base64 import b64encode
from binascii import b2a_base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final, NamedTuple, Protocol

from gateway.names import BASE64_BINARY, EXC_C14N, SHA256, X509V3
from gateway.security._xmlenc import Recipient
from gateway.security.algorithms import PrivateKey, method_for, sign
from gateway.security.encryption import encrypt_content
from gateway.security.infoset import digest_filled
from gateway.soap import attribute, declare, leaf, stamp, text
from gateway.values import EncryptedBody

LIFETIME: Final = timedelta(seconds=300)  # of the Timestamp we emit (docs/profile.md §8)
_WSA, _WSU, _EC = declare("wsa", "wsu"), declare("wsu"), declare("ec")
_ENVELOPE = f"<soap:Envelope{declare('soap')}><soap:Header>".encode()
_SECURITY = f'<wsse:Security{declare("wsse")} soap:mustUnderstand="1">'.encode()
_BODY_END: Final = b"</soap:Body>"
_BODY, _SC = declare("soap", "wsu"), declare("wsse11", "wsu")
_ENDPOINTS: Final = ("From", "ReplyTo")  # hold an Address; the other headers hold text
_TRANSFORM: Final = f'"><ds:Transforms><ds:Transform Algorithm="{EXC_C14N}">'.encode()
_DIGEST: Final = (f'</ds:Transform></ds:Transforms><ds:DigestMethod Algorithm="{SHA256}"></ds:DigestMethod>'
                  "<ds:DigestValue>").encode()
_TRANSFORM_AND_DIGEST: Final = _TRANSFORM + _DIGEST
_REFERENCE_START, _REFERENCE_END = b'<ds:Reference URI="#', b"</ds:DigestValue></ds:Reference>"
_SIGNATURE, _INFO_END = f"<ds:Signature{declare('ds')}>".encode(), b"</ds:SignedInfo>"
_VALUE_START, _VALUE_END = b"<ds:SignatureValue>", b"</ds:SignatureValue>"
_END: Final = b"</ds:Signature></wsse:Security></soap:Header>"


class Signing(Protocol):
    """A key to sign with and its certificate (security/keys.py)."""

    @property
    def certificate(self) -> bytes: ...  # DER

    @property
    def private_key(self) -> PrivateKey: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class DigestedBody:
    """A Body that goes out otherwise than it is digested: with xop:Include where the digest has base64 (infoset.py)."""

    identifier: str  # its wsu:Id
    digest: bytes  # SHA-256 of the whole Body
    shown: bytes  # what stands between the Body's tags


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """One envelope to be: headers and the Body's child in canonical form."""

    action: str
    message_id: str
    body: bytes | EncryptedBody | DigestedBody  # canonical where soap and wsu are in scope; or made earlier
    to: str | None = None
    relates_to: str | None = None
    sender: str | None = None  # address of wsa:From
    reply_to: str | None = None
    confirmations: tuple[str | None, ...] = ()  # SignatureValues of the request; (None,) when it had none
    inclusive: tuple[str, ...] = ()  # prefixes that stand only in text of the Body
    recipient: Recipient | None = None  # whom a Body in clear is encrypted to (2W-be-SE); None: to nobody (2W-be-S)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedEnvelope:
    """The octets to send, and what their answer must confirm."""

    octets: bytes
    message_id: str
    signature_value: str


def seal(outgoing: Outgoing, signing: Signing, now: datetime, nonce: str) -> SignedEnvelope:
    """Write and sign one envelope, and encrypt its Body where there is a recipient (profiles 2W-be-S, 2W-be-SE).

    Signs every wsa header, Timestamp, SignatureConfirmation, the token and the Body, one Reference each.

    Takes   `nonce`: at least 96 random bits as an NCName part; it makes the wsu:Ids of this envelope its own. The
            ids of the token and of headers that have one of few values are their digests, so that such a part and
            its Reference are written once.
    Source  docs/profile.md §6, §10; Digikoppeling WUS WB002, WB004, WB007, WB010, WB014; BSP 1.1 R5205, R5404, R5416;
            §14 for the encryption.
    """
    headers = (_few("To", outgoing.to), _few("Action", outgoing.action), _own("MessageID", outgoing.message_id, nonce),
               _own("RelatesTo", outgoing.relates_to, nonce), _few("From", outgoing.sender),
               _few("ReplyTo", outgoing.reply_to))
    token, key_info = _token(signing.certificate)
    timestamp = _timestamp(now, nonce)
    confirmations = [_confirmation(value, number, nonce) for number, value in enumerate(outgoing.confirmations)]
    body, key = _body(outgoing, nonce)
    present = [one for one in headers if one is not None]
    parts = (*present, timestamp, *confirmations, token, body)
    signed_info = b"".join([
        _info_start(method_for(signing.private_key)), *[part.reference for part in parts], _INFO_END])
    value = b2a_base64(sign(signing.private_key, signed_info), newline=False)
    octets = b"".join([
        _ENVELOPE, *[part.octets for part in present],
        _SECURITY, token.octets, timestamp.octets, *[part.octets for part in confirmations], key,
        _SIGNATURE, signed_info, _VALUE_START, value, _VALUE_END, key_info, _END, body.octets, b"</soap:Envelope>",
    ])
    return SignedEnvelope(octets=octets, message_id=outgoing.message_id, signature_value=value.decode())


def encrypt_body(content: bytes, recipient: Recipient, nonce: str) -> EncryptedBody:
    """A Body, digested for its signature and encrypted then (WB006); whoever signs its digest later need not read it.

    Takes   `content` as `Outgoing.body`, `nonce` as `seal`.
    """
    identifier = f"B-{nonce}"
    digest = hashlib.sha256(_body_start(identifier) + content + _BODY_END).digest()
    key, data = encrypt_content(content, recipient, nonce)
    return EncryptedBody(certificate=recipient.sha256, identifier=identifier, digest=digest, key=key, data=data)


def digest_body(pieces: Sequence[bytes], parts: Iterable[Iterable[bytes]], shown: bytes, nonce: str) -> DigestedBody:
    """A Body whose attachments go out in parts, digested as if they stood in place.

    Takes   `pieces`: what stands between the Body's tags, canonical, cut where attachments belong (`cut`); `parts`:
            the octets of each; `shown`: the same with xop:Include; `nonce` as `seal`.
    """
    identifier = f"B-{nonce}"
    around = [*pieces]
    around[0] = _body_start(identifier) + around[0]
    around[-1] += _BODY_END
    return DigestedBody(identifier=identifier, digest=digest_filled(around, parts, hashlib.sha256()), shown=shown)


class _Part(NamedTuple):
    """One signed part: its octets as they are shown, and the Reference that digests them in clear."""

    octets: bytes
    reference: bytes


def _own(name: str, value: str | None, nonce: str) -> _Part | None:
    """A header block with a value of this envelope alone."""
    if value is None:
        return None
    identifier = f"{name}-{nonce}"
    return _part(identifier, f'<wsa:{name}{_WSA} wsu:Id="{identifier}">{text(value)}</wsa:{name}>'.encode())


@lru_cache(maxsize=512)  # actions of the sets, addresses of services and parties
def _few(name: str, value: str | None) -> _Part | None:
    """A header block with one of few values."""
    if value is None:
        return None
    identifier = f"{name}-{hashlib.sha256(value.encode()).hexdigest()[:32]}"
    inner = leaf("wsa:Address", value) if name in _ENDPOINTS else text(value)
    return _part(identifier, f'<wsa:{name}{_WSA} wsu:Id="{identifier}">{inner}</wsa:{name}>'.encode())


@lru_cache(maxsize=256)  # the same few certificates sign everything
def _token(certificate: bytes) -> tuple[_Part, bytes]:
    """The token, and the KeyInfo that refers to it."""
    identifier = f"X509-{hashlib.sha256(certificate).hexdigest()[:32]}"
    octets = (
        f'<wsse:BinarySecurityToken{declare("wsse", "wsu")} EncodingType="{BASE64_BINARY}" ValueType="{X509V3}"'
        f' wsu:Id="{identifier}">{b64encode(certificate).decode()}</wsse:BinarySecurityToken>'
    ).encode()
    return _part(identifier, octets), _key_info(identifier)


def _timestamp(now: datetime, nonce: str) -> _Part:
    identifier = f"TS-{nonce}"
    return _part(identifier, (
        f'<wsu:Timestamp{_WSU} wsu:Id="{identifier}"><wsu:Created>{stamp(now)}</wsu:Created>'
        f"<wsu:Expires>{stamp(now + LIFETIME)}</wsu:Expires></wsu:Timestamp>"
    ).encode())


def _confirmation(value: str | None, number: int, nonce: str) -> _Part:
    identifier = f"SC{number}-{nonce}"
    stated = "" if value is None else f' Value="{attribute(value)}"'
    return _part(identifier, (
        f'<wsse11:SignatureConfirmation{_SC}{stated} wsu:Id="{identifier}">'
        "</wsse11:SignatureConfirmation>"
    ).encode())


def _body(outgoing: Outgoing, nonce: str) -> tuple[_Part, bytes]:
    """The Body, and the EncryptedKey; b"" where it is not encrypted."""
    body = outgoing.body
    if isinstance(body, bytes):
        if outgoing.recipient is None:
            identifier = f"B-{nonce}"
            return _part(identifier, _body_start(identifier) + body + _BODY_END, outgoing.inclusive), b""
        body = encrypt_body(body, outgoing.recipient, nonce)
    reference = _reference(body.identifier, body.digest, outgoing.inclusive)
    if isinstance(body, DigestedBody):
        assert outgoing.recipient is None, "what is encrypted is whole"
        return _Part(_body_start(body.identifier) + body.shown + _BODY_END, reference), b""
    return _Part(_body_start(body.identifier) + body.data + _BODY_END, reference), body.key


def _body_start(identifier: str) -> bytes:
    return f'<soap:Body{_BODY} wsu:Id="{identifier}">'.encode()


def _part(identifier: str, octets: bytes, inclusive: tuple[str, ...] = ()) -> _Part:
    return _Part(octets, _reference(identifier, hashlib.sha256(octets).digest(), inclusive))


def _reference(identifier: str, digest: bytes, inclusive: tuple[str, ...]) -> bytes:
    value = b2a_base64(digest, newline=False)
    if not inclusive:
        return b"".join((_REFERENCE_START, identifier.encode(), _TRANSFORM_AND_DIGEST, value, _REFERENCE_END))
    prefixes = (f'<ec:InclusiveNamespaces{_EC} PrefixList="{attribute(" ".join(inclusive))}">'
                "</ec:InclusiveNamespaces>").encode()
    return b"".join((_REFERENCE_START, identifier.encode(), _TRANSFORM, prefixes, _DIGEST, value, _REFERENCE_END))


@lru_cache(maxsize=16)
def _info_start(method: str) -> bytes:
    return (f'<ds:SignedInfo{declare("ds")}><ds:CanonicalizationMethod Algorithm="{EXC_C14N}">'
            f'</ds:CanonicalizationMethod><ds:SignatureMethod Algorithm="{method}"></ds:SignatureMethod>').encode()


def _key_info(token_id: str) -> bytes:
    return (
        f'<ds:KeyInfo><wsse:SecurityTokenReference><wsse:Reference URI="#{token_id}" ValueType="{X509V3}">'
        "</wsse:Reference></wsse:SecurityTokenReference></ds:KeyInfo>"
    ).encode()
