"""Putting decrypted octets in the place of the element that hid them.

The octets are spliced into the document they came from and the whole is read again by the one parser with all its
checks, so that what was decrypted has the namespace context of its place and no other rules than what came in clear
(XML Encryption 1.1 §4.4). Nothing of the first reading is used afterwards.
"""

from gateway.errors import MalformedEnvelope
from gateway.soap.envelope import Envelope, Limits, check_bounds, check_xml_octets, parse, read_xml


def open_envelope(octets: bytes, content: bytes, limits: Limits) -> Envelope:
    """The envelope, with `content` instead of the EncryptedData that fills its Body. Raises what `parse` raises."""
    return parse(_spliced(octets, content, closing=2), limits)


def open_element(octets: bytes, content: bytes) -> bytes:
    """A message element in canonical form, with `content` instead of the EncryptedData that is its last child.

    Raises  NotUtf8, NotXml, MalformedEnvelope.
    """
    opened = _spliced(octets, content, closing=1)
    check_xml_octets(opened)
    check_bounds(read_xml(opened), opened)
    return opened


def _spliced(octets: bytes, content: bytes, *, closing: int) -> bytes:
    """`closing`: how many elements are open around the EncryptedData, of which it is the last child.

    The document was parsed and holds no comments and no processing instructions, so each `<` in what is cut out is
    markup, unless a CDATA section says otherwise; with one it is refused.
    """
    end = len(octets)
    for _ in range(closing):
        end = octets.rfind(b"</", 0, end)
    end = len(octets[:end].rstrip(b" \t\r\n")) if end > 0 else 0
    last = octets.rfind(b"</", 0, end)
    name = octets[last + 2:end - 1].rstrip(b" \t\r\n")
    start = octets.rfind(b"<" + name, 0, last)
    if last < 0 or start < 0 or name.rpartition(b":")[2] != b"EncryptedData" or b"<!" in octets[start:end]:
        raise MalformedEnvelope("EncryptedData is not written plainly")
    return octets[:start] + content + octets[end:]
