"""Sealed bodies: the content of a message encrypted by its sender for its addressee; the hub cannot open it.

The message element keeps its kn:Berichtheader. All that follows it gives way to one xenc:EncryptedData, which carries
its key along in its own KeyInfo, because the header of the envelope is the hub's (docs/message-sets.md).
"""

from typing import Final

from lxml import etree

from gateway.errors import DecryptionFailed, MalformedEnvelope, NotUtf8, NotXml
from gateway.names import AES256_GCM, CONTENT
from gateway.security import _xmlenc
from gateway.security._xmlenc import Data, DecryptionKey, Recipient, WrappedKey
from gateway.security.c14n import canonical
from gateway.soap import Element, declare, open_element, read_xml

_SPACES: Final = declare("ds", "wsse", "xenc", "xenc11")


def seal_message(message: Element, recipient: Recipient) -> bytes:
    """The message, in canonical form, with everything behind its first child encrypted for `recipient`.

    What `open_message` gives back is the canonical form of `message`, octet for octet.
    Raises  SignatureInvalid when the message has no canonical form.
    """
    octets = canonical(message)
    header = message[0]
    name = etree.QName(header).localname
    close = f"</{header.prefix}:{name}>".encode() if header.prefix else f"</{name}>".encode()
    start, end = octets.index(close) + len(close), octets.rindex(b"</")
    content_key, cipher = _xmlenc.encrypt(octets[start:end])
    data = (
        f'<xenc:EncryptedData{_SPACES} Type="{CONTENT}"><xenc:EncryptionMethod Algorithm="{AES256_GCM}">'
        f"</xenc:EncryptionMethod><ds:KeyInfo><xenc:EncryptedKey>{_xmlenc.wrap(content_key, recipient)}"
        f"</xenc:EncryptedKey></ds:KeyInfo>{cipher}</xenc:EncryptedData>"
    )
    return canonical(read_xml(octets[:start] + data.encode() + octets[end:]))


def check_sealed(message: Element) -> None:
    """Form and algorithms of the EncryptedData that ends a message, as far as they show without a key.

    Raises  DecryptionFailed, AlgorithmForbidden.
    """
    _parts(message)


def open_message(message: Element, keys: tuple[DecryptionKey, ...]) -> bytes:
    """The message as it was before it was sealed, in canonical form; its content is still to be validated.

    Raises  DecryptionFailed, AlgorithmForbidden.
    """
    data, wrapped = _parts(message)
    content = _xmlenc.decrypt(data, wrapped.octets, _xmlenc.find_key(wrapped.name, keys))
    try:
        return canonical(read_xml(open_element(canonical(message), content)))
    except (NotUtf8, NotXml, MalformedEnvelope) as error:
        raise DecryptionFailed(f"what was decrypted: {type(error).__name__}: {error.detail}") from error


def _parts(message: Element) -> tuple[Data, WrappedKey]:
    data = _xmlenc.read_data(message[-1])
    if data.key_info is None or len(data.key_info) != 1 or data.key_info[0].tag != _xmlenc.KEY:
        raise DecryptionFailed("KeyInfo of a sealed body holds one EncryptedKey")
    return data, _xmlenc.read_key(data.key_info[0])
