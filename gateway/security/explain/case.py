"""What an explanation starts from, and what it learns on the way: the parts of an envelope, wherever they stand.

The line stops at the first thing that does not hold. Here everything is looked at that can be, so the parts are
found leniently: an envelope of SOAP 1.2 or without a security header still has a Body to digest.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Final

from lxml import etree

from gateway.errors import GatewayError
from gateway.names import ALGORITHM_NAMES, DS, SOAP, SOAP12, WSA, WSA_OLD, WSSE, WSSE11, WSU, XENC, clark
from gateway.ports import Register
from gateway.security._trust import TrustSnapshot
from gateway.security.wsse import CheckCertificate, SecurityPolicy
from gateway.soap import Element, Envelope, Limits
from gateway.values import Diagnosis, Party, Service

WSU_ID: Final = clark(WSU, "Id")
TOKEN: Final = clark(WSSE, "BinarySecurityToken")
TIMESTAMP: Final = clark(WSU, "Timestamp")
SIGNATURE: Final = clark(DS, "Signature")
SIGNED_INFO: Final = clark(DS, "SignedInfo")
CONFIRMATION: Final = clark(WSSE11, "SignatureConfirmation")
_PREFIXES: Final = {SOAP: "soap", SOAP12: "soap", WSA: "wsa", WSSE: "wsse", WSSE11: "wsse11", WSU: "wsu", DS: "ds",
                    **dict.fromkeys(WSA_OLD, "wsa")}
_LOOKED_AT: Final = 64  # a profile's envelope has a dozen header blocks; an attacker's has fifty thousand
_NAMES: Final = frozenset((
    "Envelope", "Header", "Body", "Fault", "To", "Action", "MessageID", "RelatesTo", "ReplyTo", "From", "FaultTo",
    "Address", "Security", "BinarySecurityToken", "Timestamp", "Created", "Expires", "Signature", "SignedInfo",
    "SignatureValue", "KeyInfo", "SecurityTokenReference", "Reference", "Transforms", "Transform", "DigestMethod",
    "DigestValue", "CanonicalizationMethod", "SignatureMethod", "SignatureConfirmation", "UsernameToken", "Object",
))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sent:
    """What arrived, or what a file holds; None where it is not known."""

    octets: bytes
    content_type: str | None = None
    soap_action: str | None = None
    path: str | None = None  # of the service that was called
    peer: bytes | None = None  # TLS client certificate, DER
    signed: bytes | None = None  # what its sender says was digested, or signed as SignedInfo
    envelope: Envelope | None = None  # these octets as the line has parsed them, where it came that far
    refused_as: GatewayError | None = None  # what the line said, where it is known


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Known:
    """What the explainer may hold it against; None: that check is not looked at."""

    now: datetime  # aware UTC
    clock: bool = True  # `now` is the moment at which the hub saw the message
    policy: SecurityPolicy
    limits: Limits
    check_signer: CheckCertificate | None = None
    trust: TrustSnapshot | None = None
    register: Register | None = None
    services: Mapping[str, Service] | None = None
    addresses: Callable[[Service], Collection[str]] | None = None
    hub_oin: str | None = None
    # Does the address book take this certificate (SHA-256, hex) of this party? And may caller, signer (OIN), sender
    # (claimed id) and the OIN in wsa:From go together? Both are routing's to say.
    registered: Callable[[Party, str], bool] | None = None
    encrypts: Callable[[Party, Service], bool] | None = None  # is profile 2W-be-SE agreed?
    may_speak: Callable[[Party, str, str | None, str | None], bool] | None = None


@dataclass(slots=True, kw_only=True)
class Budget:
    """How much a search may try. Whatever a message looks like, its explanation costs no more than this."""

    octets: int  # hashed or rewritten, each counting as often as measured (search.Guess)
    verifications: int  # of signatures by public key
    declarations: int = 2_000  # of namespaces, in octets that are parsed here

    def take(self, octets: int) -> bool:
        """May so many more be worked through?"""
        self.octets -= octets
        return self.octets >= 0

    def verify(self) -> bool:
        """May one more signature be verified?"""
        self.verifications -= 1
        return self.verifications >= 0


C14N: Final = 12  # what canonicalising takes from a budget for each octet of the result,
C14N_TAG: Final = 500  # and for each tag


def canonicalised(octets: bytes) -> int:
    """What it takes from a budget to have canonicalised these octets."""
    return C14N * len(octets) + C14N_TAG * octets.count(b"<")


@dataclass(slots=True, kw_only=True, eq=False)
class Case:
    """One envelope under examination."""

    sent: Sent
    known: Known
    budget: Budget
    octets: bytes = b""  # as sent, or brought to UTF-8 where they were in another encoding
    root: Element | None = None
    header: Element | None = None
    body: Element | None = None
    blocks: tuple[Element, ...] = ()  # header blocks
    security: Element | None = None
    signature: Element | None = None  # the one under wsse:Security, else the first there is
    message: Element | None = None  # the Body's first element
    certificates: list[bytes] = field(default_factory=list)  # DER, as found in the message; the signer's first
    shown: list[str] = field(default_factory=list)  # differences from what the sender says it signed

    def take_in(self, root: Element) -> None:
        """Find the parts, once. What stands beyond the first `_LOOKED_AT` children is not looked at."""
        self.root = root
        children = {etree.QName(one).localname: one for one in reversed(elements(root))}
        self.header, self.body = children.get("Header"), children.get("Body")
        self.blocks = () if self.header is None else tuple(elements(self.header))
        headers = [one for one in self.blocks if one.tag == clark(WSSE, "Security")]
        self.security = min(headers, key=lambda one: actor_of(one) is not None, default=None)
        places = [one for one in (self.security, root) if one is not None]
        self.signature = next((one for place in places for one in place.iter(SIGNATURE)), None)
        self.message = None if self.body is None else next(iter(elements(self.body)), None)

    def parts(self) -> Iterator[Element]:
        """What the profile wants signed, in document order: wsa blocks, children of Security, Body."""
        for block in self.blocks:
            if etree.QName(block).namespace in (WSA, *WSA_OLD):
                yield block
        if self.security is not None:
            yield from islice(self.security.iterchildren(TOKEN, TIMESTAMP, CONFIRMATION), _LOOKED_AT)
        if self.body is not None:
            yield self.body

    def block(self, name: str) -> Element | None:
        """The first WS-Addressing 1.0 block of this name."""
        return next((one for one in self.blocks if one.tag == clark(WSA, name)), None)

    def address(self, name: str) -> str | None:
        """The text of a WS-Addressing block, or of the Address in it."""
        block = self.block(name)
        if block is None:
            return None
        found = block.find(clark(WSA, "Address"))
        return ((block if found is None else found).text or "").strip()

    @property
    def encrypted(self) -> bool:
        """Is the Body's content encrypted, or an encrypted key sent along?"""
        keys = () if self.security is None else self.security.iterchildren(clark(XENC, "EncryptedKey"))
        data = self.message is not None and self.message.tag == clark(XENC, "EncryptedData")
        return data or any(True for _ in keys)

    def service(self) -> Service | None:
        """The service that was called, or that wsa:To names."""
        services = self.known.services
        if services is None:
            return None
        path = self.sent.path
        if path is None:
            to = (self.address("To") or "").partition("?")[0]
            path = next((one for one in services if to.endswith(one)), None)
        return services.get(path) if path else None


def actor_of(block: Element) -> str | None:
    """Whom a header block is for; None: for us."""
    return block.get(clark(SOAP, "actor"))


def elements(parent: Element) -> list[Element]:
    """The child elements, without comments and processing instructions; the first `_LOOKED_AT`."""
    return list(islice(parent.iterchildren("{*}*"), _LOOKED_AT))


def name_of(element: Element) -> str:
    """The local name of a part of the profile; `?` for any other, whose name is the sender's own words."""
    local = etree.QName(element).localname if isinstance(element.tag, str) else "?"
    return local if local in _NAMES else "?"


def place_of(element: Element) -> str:
    """The path to an element, in the profile's prefixes; `*` for what is no part of the profile."""
    steps: list[str] = []
    at: Element | None = element
    while at is not None:
        name = etree.QName(at)
        prefix, local = _PREFIXES.get(name.namespace or ""), name_of(at)
        steps.append(f"{prefix}:{local}" if prefix and local != "?" else "*")
        at = at.getparent()
    return "/" + "/".join(reversed(steps))


def algorithm(uri: str | None) -> str:
    """The usual name of an algorithm; `?` for one outside the list of names.py."""
    return ALGORITHM_NAMES.get(uri or "", "?")


def found(identifier: str, place: Element | str, **facts: object) -> Diagnosis:
    """A diagnosis at a place."""
    return Diagnosis(id=identifier, place=place if isinstance(place, str) else place_of(place),
                     facts={name: str(value) for name, value in facts.items()})
