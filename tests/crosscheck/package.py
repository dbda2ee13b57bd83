"""Packages of MTOM by the mail parser of Python's library, and written by hand: no line of gateway/ takes part.

`reconstitute` puts each part back as base64, as XOP 1.0 §3 says, so that a referee that knows nothing of MTOM can judge
the signature; `optimise` does what a stack does on its way out: whole message signed, then files taken apart.
"""

import uuid
from base64 import b64decode, b64encode
from email.parser import BytesParser
from email.policy import HTTP
from urllib.parse import unquote

from lxml import etree

_FOLDED = ";\r\n\ttype"
XOP = "http://www.w3.org/2004/08/xop/include"


def reconstitute(octets: bytes) -> bytes:
    """A package after its Content-Type, as a mail is kept → the envelope with everything in line."""
    mail = BytesParser(policy=HTTP).parsebytes(octets)
    assert mail.get_content_type() == "multipart/related"
    assert not mail.defects
    parts = {part["Content-ID"]: part for part in mail.iter_parts()}
    root = parts.pop(mail.get_param("start"))
    assert (mail.get_param("type"), mail.get_param("start-info")) == ("application/xop+xml", "text/xml")
    assert (root.get_content_type(), root.get_param("type")) == ("application/xop+xml", "text/xml")
    tree = etree.fromstring(root.get_payload(decode=True), etree.XMLParser(huge_tree=True))
    for include in list(tree.iter(f"{{{XOP}}}Include")):
        part = parts.pop(f"<{unquote(include.get('href').removeprefix('cid:'))}>")
        parent = include.getparent()
        parent.remove(include)
        parent.text = b64encode(part.get_payload(decode=True)).decode()
    assert not parts, "a part that nothing refers to"
    return etree.tostring(tree)


def optimise(envelope: bytes) -> tuple[str, bytes]:
    """A signed envelope with base64 in line → Content-Type and octets of the package that says the same."""
    tree, files = etree.fromstring(envelope, etree.XMLParser(huge_tree=True)), []
    for place in tree.iter("{*}Inhoud"):
        files.append((f"{uuid.uuid4()}@elders.example", b64decode(place.text)))
        place.text = None
        etree.SubElement(place, f"{{{XOP}}}Include", nsmap={"inc": XOP}, href=f"cid:{files[-1][0]}")
    root = _part("mijn.bericht@elders.example", 'application/xop+xml; charset=UTF-8; type="text/xml"',
                 etree.tostring(tree))
    parts = [root, *(_part(name, "application/octet-stream", octets) for name, octets in files)]
    kind = ('multipart/related; start="<mijn.bericht@elders.example>"; type="application/xop+xml"; '
            'boundary="----=_Deel_1"; start-info="text/xml"')
    return kind, b"".join(b"\r\n------=_Deel_1\r\n" + part for part in parts) + b"\r\n------=_Deel_1--"


def _part(name: str, media_type: str, octets: bytes) -> bytes:
    # As JavaMail writes it: a blank line before the first part, long headers folded, a disposition that says a name.
    return (f"Content-Type: {media_type.replace('; type', _FOLDED)}\r\n"
            f"Content-Transfer-Encoding: binary\r\nContent-ID: <{name}>\r\n"
            f'Content-Disposition: attachment;name="{name}"\r\n\r\n').encode() + octets
