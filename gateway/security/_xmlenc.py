"""XML Encryption as far as the profile takes it: one content key per message, AES-GCM, RSA-OAEP; nothing else.

Reading is by position: the children of an element are exactly those below, in this order, or it is refused. So there
is nothing to search, nothing to fetch, and no second key or second cipher to confuse with the first.

Sources: XML Encryption 1.1 §3, §5.2.4, §5.5.2; Digikoppeling ENC001-ENC004; BSP 1.1 §9; docs/decisions/0011.
"""

import hashlib
import os
from base64 import b64encode
from binascii import a2b_base64
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Final, NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.errors import AlgorithmForbidden, DecryptionFailed
from gateway.names import (
    AES128_GCM,
    AES256_GCM,
    BASE64_BINARY,
    CONTENT,
    DS,
    MGF1_SHA256,
    RSA_OAEP,
    SHA256,
    SKI,
    THUMBPRINT,
    WSSE,
    XENC,
    XENC11,
    clark,
)
from gateway.security._shape import few
from gateway.soap import Element

DATA: Final = clark(XENC, "EncryptedData")
KEY: Final = clark(XENC, "EncryptedKey")
METHOD: Final = clark(XENC, "EncryptionMethod")
KEY_INFO: Final = clark(DS, "KeyInfo")
CIPHER: Final = clark(XENC, "CipherData")
STR: Final = clark(WSSE, "SecurityTokenReference")
_VALUE: Final = clark(XENC, "CipherValue")
_IDENTIFIER: Final = clark(WSSE, "KeyIdentifier")
_ISSUER_SERIAL: Final = clark(DS, "X509IssuerSerial")
_OAEP_CHILDREN: Final = {clark(DS, "DigestMethod"): SHA256, clark(XENC11, "MGF"): MGF1_SHA256}
_OAEP: Final = padding.OAEP(mgf=padding.MGF1(hashes.SHA256()), algorithm=hashes.SHA256(), label=None)
_KEY_OCTETS: Final = {AES256_GCM: 32, AES128_GCM: 16}
_IV, _TAG = 12, 16  # octets (XML Encryption 1.1 §5.2.4)
_SERIAL: Final = "serial"  # what IssuerSerial is known by here

KeyName = tuple[str, str]  # kind of reference, value


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """Whom we encrypt to; `thumbprint` tells the recipient which of its keys it was."""

    public_key: rsa.RSAPublicKey
    thumbprint: str  # base64
    sha256: str  # of the certificate, hex


@dataclass(frozen=True, slots=True, kw_only=True)
class DecryptionKey:
    """A key to decrypt with, and the names by which a message may refer to its certificate."""

    certificate: bytes  # DER
    private_key: rsa.RSAPrivateKey = field(repr=False)
    oin: str
    not_after: datetime
    names: frozenset[KeyName]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Data:
    """One xenc:EncryptedData whose form holds. Nothing is proven."""

    identifier: str | None
    method: str
    octets: bytes  # IV, ciphertext, tag
    key_info: Element | None


class WrappedKey(NamedTuple):
    """The content key as it travels: for whom, and encrypted."""

    name: KeyName
    octets: bytes


def key_names(certificate: x509.Certificate, der: bytes) -> frozenset[KeyName]:
    """The references that find this certificate: SHA-1 thumbprint, subject key identifier, serial number.

    SHA-1 is a label here, on which nothing rests: a wrong pick among our own keys only fails. For the same reason the
    issuer's name beside a serial number is not compared; every stack spells it in its own way.
    """
    names = {(THUMBPRINT, _thumbprint(der)), (_SERIAL, str(certificate.serial_number))}
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
        names.add((SKI, b64encode(found.value.digest).decode()))
    except x509.ExtensionNotFound:
        pass
    return frozenset(names)


@lru_cache(maxsize=1024)
def recipient_of(der: bytes) -> Recipient | None:
    """Whom this certificate lets us encrypt to; None when its key is no RSA key. It must have been checked before."""
    key = x509.load_der_x509_certificate(der).public_key()
    if not isinstance(key, rsa.RSAPublicKey):
        return None
    return Recipient(public_key=key, thumbprint=_thumbprint(der), sha256=hashlib.sha256(der).hexdigest())


def _thumbprint(der: bytes) -> str:
    return b64encode(hashlib.sha1(der, usedforsecurity=False).digest()).decode()


# --- writing -------------------------------------------------------------------------------------------------------


def encrypt(content: bytes) -> tuple[bytes, str]:
    """A fresh AES-256 key, and the CipherData of `content` under it.

    Key and IV are never arguments: used twice, they would lay both messages open.
    """
    key, iv = AESGCM.generate_key(256), os.urandom(_IV)
    return key, _cipher_data(iv + AESGCM(key).encrypt(iv, content, None))


def wrap(key: bytes, recipient: Recipient) -> str:
    """EncryptionMethod, KeyInfo and CipherData of an EncryptedKey for this recipient."""
    return (
        f'<xenc:EncryptionMethod Algorithm="{RSA_OAEP}"><ds:DigestMethod Algorithm="{SHA256}"></ds:DigestMethod>'
        f'<xenc11:MGF Algorithm="{MGF1_SHA256}"></xenc11:MGF></xenc:EncryptionMethod>'
        f'<ds:KeyInfo><wsse:SecurityTokenReference><wsse:KeyIdentifier EncodingType="{BASE64_BINARY}"'
        f' ValueType="{THUMBPRINT}">{recipient.thumbprint}</wsse:KeyIdentifier></wsse:SecurityTokenReference>'
        f"</ds:KeyInfo>{_cipher_data(recipient.public_key.encrypt(key, _OAEP))}"
    )


def _cipher_data(octets: bytes) -> str:
    value = b64encode(octets).decode()
    return f"<xenc:CipherData><xenc:CipherValue>{value}</xenc:CipherValue></xenc:CipherData>"


# --- reading -------------------------------------------------------------------------------------------------------


def read_data(element: Element) -> Data:
    """An EncryptedData of the profile: Type Content, EncryptionMethod, KeyInfo or none, CipherData.

    Raises  DecryptionFailed, AlgorithmForbidden.
    """
    if element.tag != DATA:
        raise DecryptionFailed("no xenc:EncryptedData in its place")
    if not {"Type"} <= set(element.keys()) <= {"Id", "Type"} or element.get("Type") != CONTENT:
        raise DecryptionFailed("EncryptedData has Type Content, perhaps an Id, and no other attribute")
    children = few(element, DecryptionFailed)
    tags = [child.tag for child in children]
    if tags not in ([METHOD, CIPHER], [METHOD, KEY_INFO, CIPHER]):
        raise DecryptionFailed("EncryptedData holds EncryptionMethod, perhaps KeyInfo, and CipherData (BSP R5601)")
    method = children[0].get("Algorithm", "")
    if method not in _KEY_OCTETS or len(children[0]) or len(children[0].keys()) != 1:
        raise AlgorithmForbidden("EncryptedData is not encrypted by AES-GCM without parameters")
    octets = _cipher_value(children[-1])
    if len(octets) < _IV + _TAG:
        raise DecryptionFailed("less than an IV and a tag")
    key_info = children[1] if len(children) == 3 else None
    return Data(identifier=element.get("Id"), method=method, octets=octets, key_info=key_info)


def read_key(element: Element, *after: str) -> WrappedKey:
    """An EncryptedKey of the profile: EncryptionMethod, KeyInfo, CipherData, then the children `after`.

    Raises  DecryptionFailed, AlgorithmForbidden.
    """
    if element.tag != KEY or not set(element.keys()) <= {"Id"}:
        raise DecryptionFailed("EncryptedKey has an Id at most (BSP R3209, R5602, R5622, R5623)")
    children = few(element, DecryptionFailed)
    if [child.tag for child in children] != [METHOD, KEY_INFO, CIPHER, *after]:
        raise DecryptionFailed("EncryptedKey is not as the profile has it (BSP R5603, R5424, R5426)")
    method, key_info, cipher = children[:3]
    if method.get("Algorithm") != RSA_OAEP or len(method.keys()) != 1:
        raise AlgorithmForbidden("EncryptedKey is not encrypted by rsa-oaep of XML Encryption 1.1")
    stated = {str(child.tag): child.get("Algorithm") for child in few(method, DecryptionFailed)
              if not len(child) and len(child.keys()) == 1}
    if len(method) != len(_OAEP_CHILDREN) or stated != _OAEP_CHILDREN:
        raise AlgorithmForbidden("rsa-oaep without SHA-256 and MGF1 with SHA-256, or with other parameters")
    return WrappedKey(_key_name(key_info), _cipher_value(cipher))


def only_reference(key_info: Element) -> Element:
    """The one child of the one SecurityTokenReference of a KeyInfo. Raises DecryptionFailed (BSP R5424, R5426)."""
    if len(key_info) != 1 or key_info[0].tag != STR or len(key_info[0]) != 1:
        raise DecryptionFailed("KeyInfo does not hold one SecurityTokenReference with one reference")
    child: Element = key_info[0][0]
    return child


def _key_name(key_info: Element) -> KeyName:
    reference = only_reference(key_info)
    if reference.tag == _IDENTIFIER and not len(reference) and reference.get("ValueType") in (THUMBPRINT, SKI):
        return reference.get("ValueType", ""), "".join((reference.text or "").split())
    children = few(reference, DecryptionFailed)
    if reference.tag == clark(DS, "X509Data") and [child.tag for child in children] == [_ISSUER_SERIAL]:
        serial = (reference[0].findtext(clark(DS, "X509SerialNumber")) or "").strip()
        return _SERIAL, serial.lstrip("0")
    raise DecryptionFailed("EncryptedKey names its key neither by thumbprint, key identifier nor issuer and serial")


def _cipher_value(element: Element) -> bytes:
    if len(element) != 1 or element[0].tag != _VALUE or len(element[0]) or element.keys() or element[0].keys():
        raise DecryptionFailed("CipherData holds one CipherValue; nothing is fetched")
    try:
        return a2b_base64("".join((element[0].text or "").split()), strict_mode=True)
    except ValueError:
        raise DecryptionFailed("CipherValue is no base64") from None


def find_key(name: KeyName, keys: tuple[DecryptionKey, ...]) -> DecryptionKey:
    """The one of our keys that a message names. Raises DecryptionFailed."""
    found = next((key for key in keys if name in key.names), None)
    if found is None:
        raise DecryptionFailed("encrypted to a certificate that is not one of ours")
    return found


def decrypt(data: Data, wrapped: bytes, key: DecryptionKey) -> bytes:
    """The plaintext. Raises DecryptionFailed, always in the same words and after the same work.

    A key that does not come out of OAEP is replaced by a random one, with which GCM then fails as it does for any
    wrong key: whoever asks learns only that it did not work (Manger 2001; Bleichenbacher 1998).
    """
    size = _KEY_OCTETS[data.method]
    content_key = os.urandom(size)
    try:
        found = key.private_key.decrypt(wrapped, _OAEP)
        content_key = found if len(found) == size else content_key
    except ValueError:
        pass
    try:
        return AESGCM(content_key).decrypt(data.octets[:_IV], data.octets[_IV:], None)
    except InvalidTag:
        raise DecryptionFailed("the content could not be decrypted") from None

