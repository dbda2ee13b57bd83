"""Profile 2W-be-SE: the content of soap:Body encrypted after signing, and opened before the signature is verified.

One EncryptedKey in wsse:Security, one EncryptedData that fills the Body, each pointing at the other. What does not look
exactly so is refused before a key is touched (docs/profile.md §14).

Sources: Digikoppeling WUS WB003, WB005, WB006, WB008, WB012; WSS SMS 1.1.1 §9; BSP 1.1 R3208, R5601, R5606, R5624.
"""

from typing import Final, NamedTuple

from gateway.errors import DecryptionFailed, MalformedEnvelope, NotUtf8, NotXml, TooLarge
from gateway.names import AES256_GCM, CONTENT, DS, ENCRYPTED_KEY, WSSE, XENC, clark
from gateway.security import _xmlenc
from gateway.security._shape import few
from gateway.security._xmlenc import Data, DecryptionKey, Recipient
from gateway.soap import Element, Envelope, Limits, declare, open_envelope

_SIGNATURE: Final = clark(DS, "Signature")
_REFERENCE: Final = clark(WSSE, "Reference")
_REFERENCE_LIST: Final = clark(XENC, "ReferenceList")
_DATA_REFERENCE: Final = clark(XENC, "DataReference")
_KEY_SPACES: Final = declare("ds", "wsse", "xenc", "xenc11")
_DATA_SPACES: Final = declare("ds", "wsse", "wsse11", "xenc")


class Encrypted(NamedTuple):
    """What encryption adds to an envelope: a child of wsse:Security, and the Body's new content."""

    key: bytes
    data: bytes


def encrypt_content(content: bytes, recipient: Recipient, nonce: str) -> Encrypted:
    """Encrypt the content of a Body that has been signed: AES-256-GCM, a fresh key, RSA-OAEP with SHA-256.

    Takes   `nonce`: as of `seal`; it makes the two ids.
    """
    content_key, cipher = _xmlenc.encrypt(content)
    key = (
        f'<xenc:EncryptedKey{_KEY_SPACES} Id="EK-{nonce}">{_xmlenc.wrap(content_key, recipient)}'
        f'<xenc:ReferenceList><xenc:DataReference URI="#ED-{nonce}"></xenc:DataReference></xenc:ReferenceList>'
        "</xenc:EncryptedKey>"
    )
    data = (
        f'<xenc:EncryptedData{_DATA_SPACES} Id="ED-{nonce}" Type="{CONTENT}">'
        f'<xenc:EncryptionMethod Algorithm="{AES256_GCM}"></xenc:EncryptionMethod><ds:KeyInfo>'
        f'<wsse:SecurityTokenReference wsse11:TokenType="{ENCRYPTED_KEY}"><wsse:Reference URI="#EK-{nonce}"'
        f' ValueType="{ENCRYPTED_KEY}"></wsse:Reference></wsse:SecurityTokenReference></ds:KeyInfo>'
        f"{cipher}</xenc:EncryptedData>"
    )
    return Encrypted(key.encode(), data.encode())


def is_encrypted(envelope: Envelope) -> bool:
    """Is the Body's element an EncryptedData?"""
    return bool(envelope.child.tag == _xmlenc.DATA)


def decrypt_content(
    envelope: Envelope, octets: bytes, keys: tuple[DecryptionKey, ...], limits: Limits
) -> Envelope:
    """The envelope as it was signed; its Body is read by the parser that read the rest.

    1 one EncryptedKey, before the signature; 2 the Body's only child is the EncryptedData that it names, and no other;
    3 algorithms; 4 the key is one of ours; 5 decrypted; 6 parsed, with every check of `parse`.

    Takes   the envelope and the octets it was parsed from.
    Raises  DecryptionFailed, AlgorithmForbidden. What comes out is as unproven as what came in: verify it.
    """
    element = _key_element(envelope)  # 1
    data = _xmlenc.read_data(envelope.child)  # 2, 3
    wrapped = _xmlenc.read_key(element, _REFERENCE_LIST)
    _bound(element, data)
    content = _xmlenc.decrypt(data, wrapped.octets, _xmlenc.find_key(wrapped.name, keys))  # 4, 5
    try:
        return open_envelope(octets, content, limits)  # 6
    except (TooLarge, NotUtf8, NotXml, MalformedEnvelope) as error:
        raise DecryptionFailed(f"what was decrypted: {type(error).__name__}: {error.detail}") from error


def _key_element(envelope: Envelope) -> Element:
    if not is_encrypted(envelope):
        raise DecryptionFailed("the Body is not encrypted, as 2W-be-SE asks here")
    if envelope.security is None:
        raise DecryptionFailed("no wsse:Security header")
    tags = [child.tag for child in few(envelope.security, DecryptionFailed)]
    if tags.count(_xmlenc.KEY) != 1:
        raise DecryptionFailed(f"wsse:Security holds {tags.count(_xmlenc.KEY)} EncryptedKey, not one")
    place = tags.index(_xmlenc.KEY)
    if _SIGNATURE in tags[:place]:  # the order of the header is that of the receiver's work (SMS §9; WB006)
        raise DecryptionFailed("EncryptedKey stands after the signature: signed after encrypting")
    found: Element = envelope.security[place]
    return found


def _bound(key: Element, data: Data) -> None:
    """ReferenceList names the data by its Id; where the data names a key, it is this one (BSP R3208, R5608)."""
    references = few(key[-1], DecryptionFailed)
    if len(references) != 1 or references[0].tag != _DATA_REFERENCE or len(references[0]):
        raise DecryptionFailed("ReferenceList holds one DataReference")
    if not data.identifier or references[0].get("URI") != f"#{data.identifier}":
        raise DecryptionFailed("ReferenceList names something other than the Body's EncryptedData")
    if data.key_info is None:
        return
    reference = _xmlenc.only_reference(data.key_info)
    if (
        reference.tag != _REFERENCE
        or len(reference)
        or not key.get("Id")
        or reference.get("URI") != f"#{key.get('Id')}"
        or reference.get("ValueType") not in (None, ENCRYPTED_KEY)
    ):
        raise DecryptionFailed("EncryptedData names another key than the header's EncryptedKey")

