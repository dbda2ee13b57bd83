"""Envelopes written as text, so that every choice a foreign stack makes about spelling can be made here.

`compose` writes an envelope with places for digests and signature; `sign` fills them in from what the text means.
"""

import hashlib
import re
import uuid
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from lxml import etree

from tests import foreign
from tests.foreign import EXC, RSA_SHA256, SHA256, A, D, O, S, U
from tests.line import BASE, SHV, SR, Line

PREFIXES = {S: "s", A: "a", O: "o", U: "u", D: "ds"}


@dataclass(kw_only=True)
class Style:
    """How one stack writes. The default is plain and correct."""

    prefixes: Mapping[str, str] = field(default_factory=lambda: dict(PREFIXES))  # "" is the default namespace
    local: bool = False  # every element declares its own namespace; else the Envelope declares all
    order: tuple[str, ...] = ("token", "timestamp", "signature")  # children of wsse:Security
    headers: tuple[str, ...] = ("To", "Action", "MessageID", "ReplyTo", "From")
    references: tuple[str, ...] = ()  # order of the References; the rest follows
    space: str = ""  # between elements, of SignedInfo too
    wrap: Callable[[str], str] = lambda text: text  # base64 of token, digests and signature
    method: str = RSA_SHA256
    digest: str = SHA256
    inclusive: str | None = None  # PrefixList of the Transforms
    inclusive_info: str | None = None  # and of the CanonicalizationMethod
    to: str = BASE + SHV
    sender: str = "https://gemeente.example/"
    message_id: str = ""
    created: str = "%Y-%m-%dT%H:%M:%SZ"
    shift: timedelta = timedelta()  # how far this stack's clock is ahead
    expires: bool = True
    must_understand: str | None = "1"
    value_type: bool = True  # on the key reference
    encoding_type: bool = True  # on the token
    id_of: Callable[[str], str] = lambda name: f"id-{name}"
    extra: Mapping[str, str] = field(default_factory=dict)  # attributes, as text, by local name of the element


def compose(child: str, line: Line, identity: foreign.Identity, style: Style) -> str:
    """The envelope without digests and signature."""
    writer = _Writer(style)
    action = f"{SR}:Kennisgeving"
    values = {"To": style.to, "Action": action, "MessageID": style.message_id or f"urn:uuid:{uuid.uuid4()}",
              "ReplyTo": foreign.ANONYMOUS, "From": style.sender, "FaultTo": A + "/none"}
    blocks = []
    for name in style.headers:
        value = values[name]
        content = writer(A, "Address", value) if name in ("ReplyTo", "From", "FaultTo") else value
        blocks.append(writer(A, name, content, identified=True))
    moment = line.at + style.shift
    stamps = [writer(U, "Created", moment.strftime(style.created))]
    if style.expires:
        stamps.append(writer(U, "Expires", (moment + timedelta(seconds=300)).strftime(style.created)))
    types = f' ValueType="{foreign.X509}"' + (f' EncodingType="{foreign.B64}"' if style.encoding_type else "")
    parts = {
        "token": writer(O, "BinarySecurityToken", style.wrap(b64encode(identity.certificate).decode()), types,
                        identified=True),
        "timestamp": writer(U, "Timestamp", writer.join(*stamps), identified=True),
        "signature": _signature(writer, style, [*style.headers, "Timestamp", "BinarySecurityToken", "Body"]),
    }
    understand = f' {writer.prefix(S)}mustUnderstand="{style.must_understand}"' if style.must_understand else ""
    security = writer(O, "Security", writer.join(*(parts[one] for one in style.order)), understand)
    header = writer(S, "Header", writer.join(*blocks, security))
    return writer(S, "Envelope", writer.join(header, writer(S, "Body", child, identified=True)), top=True)


def _signature(writer: "_Writer", style: Style, names: list[str]) -> str:
    ordered = [*style.references, *(name for name in names if name not in style.references)]
    references = [
        writer(D, "Reference", writer.join(
            writer(D, "Transforms", writer(D, "Transform", _inclusive(style.inclusive), f' Algorithm="{EXC}"')),
            writer(D, "DigestMethod", "", f' Algorithm="{style.digest}"'),
            writer(D, "DigestValue", f"@D:{style.id_of(name)}@")), f' URI="#{style.id_of(name)}"')
        for name in ordered]
    info = writer(D, "SignedInfo", writer.join(
        writer(D, "CanonicalizationMethod", _inclusive(style.inclusive_info), f' Algorithm="{EXC}"'),
        writer(D, "SignatureMethod", "", f' Algorithm="{style.method}"'), *references))
    value_type = f' ValueType="{foreign.X509}"' if style.value_type else ""
    pointer = writer(O, "SecurityTokenReference", writer(
        O, "Reference", "", f' URI="#{style.id_of("BinarySecurityToken")}"{value_type}'))
    return writer(D, "Signature", writer.join(
        info, writer(D, "SignatureValue", "@S@"), writer(D, "KeyInfo", pointer)))


def _inclusive(prefixes: str | None) -> str:
    return "" if prefixes is None else f'<c:InclusiveNamespaces xmlns:c="{EXC}" PrefixList="{prefixes}"/>'


class _Writer:
    """Writes one element after the other in a style."""

    def __init__(self, style: Style) -> None:
        self._style = style

    def prefix(self, namespace: str) -> str:
        """For an attribute, which the default namespace does not reach."""
        return (self._style.prefixes[namespace] or "attr") + ":"

    def __call__(
        self, namespace: str, local: str, content: str, attributes: str = "", *, identified: bool = False,
        top: bool = False,
    ) -> str:
        prefix = self._style.prefixes[namespace]
        name = f"{prefix}:{local}" if prefix else local
        declared = ""
        if self._style.local:
            declared = f' xmlns:{prefix}="{namespace}"' if prefix else f' xmlns="{namespace}"'
        elif top:
            declared = "".join(f' xmlns:{one}="{uri}"' for uri, one in self._style.prefixes.items())
        if identified:
            attributes += f' {self.prefix(U)}Id="{self._style.id_of(local)}"'
        used = {self.prefix(uri): uri for uri in (S, U) if f" {self.prefix(uri)}" in attributes}
        if self._style.local:
            own = {f"{prefix}:": namespace}
            declared += "".join(f' xmlns:{one[:-1]}="{uri}"' for one, uri in used.items() if own.get(one) != uri)
        attributes += self._style.extra.get(local, "")
        end = "/>" if not content else f">{content}</{name}>"
        return f"<{name}{declared}{attributes}{end}"

    def join(self, *elements: str) -> str:
        space = self._style.space
        return space + space.join(elements) + space


def sign(text: str, identity: foreign.Identity, style: Style) -> bytes:
    """Fill digests, then the signature: by the meaning of the text, as an XML parser reads it."""
    root = etree.fromstring(text.encode())
    by_id = {element.get(f"{{{U}}}Id"): element for element in root.iter("{*}*")}

    def digest(found: re.Match[str]) -> str:
        octets = foreign.canonical(by_id[found[1]], style.inclusive)
        return style.wrap(b64encode(hashlib.new(foreign.HASHES[style.digest], octets).digest()).decode())

    text = re.sub(r"@D:([^@]+)@", digest, text)
    info = next(etree.fromstring(text.encode()).iter(f"{{{D}}}SignedInfo"))
    value = foreign.signature_value(identity.key, style.method, foreign.canonical(info, style.inclusive_info))
    return text.replace("@S@", style.wrap(b64encode(value).decode())).encode()
