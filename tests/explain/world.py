"""A hub to hold envelopes against, and the ways in which other software makes its mistakes.

An envelope is built by the foreign stack (tests/foreign.py). A mistake in signing is made while signing, one of a
proxy or ESB on the octets afterwards: so the digests and signatures are wrong in the way the real ones are.
"""

import hashlib
import re
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree

from gateway.pipeline import knowledge
from gateway.security import Explanation, Known, Sent, diagnose, local_budget
from gateway.security.explain import Budget
from gateway.security.keys import load_private_key
from gateway.security.throwaway import CertificateSpec, Pair, issue, new_key
from tests import foreign
from tests.conftest import Pki
from tests.foreign import D, U
from tests.hostile.attack import message
from tests.hostile.certificates import authority
from tests.line import SHV, Line

Element = etree._Element
NS = foreign.NS


@dataclass(kw_only=True)
class World:
    """The example hub and its parties."""

    line: Line
    pki: Pki

    @property
    def now(self) -> datetime:
        return self.line.at

    def known(self, **changes: object) -> Known:
        """What the hub holds a message against."""
        gate, register = self.line.gate, self.line.gate.register()
        values = {
            "now": self.now, "policy": gate.policy, "limits": gate.limits, "check_signer": gate.check_signer,
            "trust": self.line.trust.snapshot, "register": register, "services": gate.catalog.services,
            "addresses": gate.addresses, "hub_oin": gate.oin,
        }
        return replace(knowledge(**values), **changes)

    def tree(self, child: bytes | None = None, **changes: object) -> Element:
        """A signed envelope of the municipality; `changes` bend it (fields of foreign.Plan)."""
        return foreign.build(self.line.plan(child or message(), **changes))

    def octets(self, child: bytes | None = None, **changes: object) -> bytes:
        return foreign.octets(self.tree(child, **changes))

    def look(self, octets: bytes, *, known: Known | None = None, budget: Budget | None = None,
             **sent: object) -> Explanation:
        """What the engine says of these octets."""
        values = {"content_type": "text/xml; charset=utf-8", "soap_action": '""', "path": SHV,
                  "peer": self.line.peer("gemeente"), **sent}
        return diagnose(Sent(octets=octets, **values), known or self.known(), budget or local_budget())

    def identity(self, *, key: str = "P-256", oins: tuple[str, ...] | None = None,
                 spec: dict[str, object] | None = None) -> foreign.Identity:
        """A fresh key and certificate under the hub's CA."""
        own = new_key(key)
        values = {"file": "odd", "name": "Gemeente Voorbeeldstad", "key": key,
                  "oins": ("00000099000000001000",) if oins is None else oins, **(spec or {})}
        made = issue(CertificateSpec(**values), own, issuer=self._authority, now=self.now)
        return foreign.Identity(key=own, certificate=made.certificate.public_bytes(Encoding.DER))

    @cached_property
    def _authority(self) -> Pair:
        """The hub's CA: OpenSSL checks its key for 40 ms when it is loaded."""
        return authority(self.line)

    def example(self, name: str) -> foreign.Identity:
        """A pair of certs-example; its CA is not the hub's own."""
        return foreign.Identity(key=load_private_key(self.pki.key(name)), certificate=self.pki.der(name))

    def certificate(self, name: str) -> x509.Certificate:
        return x509.load_der_x509_certificate(self.pki.der(name))


# --- while signing -------------------------------------------------------------------------------------------


def part(root: Element, name: str) -> Element:
    """A part by its local name."""
    return next(one for one in foreign.parts(root) if etree.QName(one).localname == name)


def reference(root: Element, name: str) -> Element:
    """The Reference of a part."""
    uri = "#" + part(root, name).get(f"{{{U}}}Id", "")
    return next(one for one in root.iter(f"{{{D}}}Reference") if one.get("URI") == uri)


def digest_value(root: Element, name: str, text: str) -> None:
    reference(root, name).find(f"{{{D}}}DigestValue").text = text


def digesting(name: str, make: Callable[[Element], bytes], algorithm: str = "sha256") -> dict[str, object]:
    """Sign, with the digest of one part computed over other octets: what `make` gives for the part."""
    def change(root: Element) -> None:
        octets = make(part(root, name))
        digest_value(root, name, b64encode(hashlib.new(algorithm, octets).digest()).decode())
    return {"after_digests": change}


def digesting_all(make: Callable[[Element], bytes]) -> dict[str, object]:
    """The same for every part."""
    def change(root: Element) -> None:
        for one in foreign.parts(root):
            name = etree.QName(one).localname
            digest_value(root, name, b64encode(hashlib.sha256(make(one)).digest()).decode())
    return {"after_digests": change}


def c14n(element: Element, *, exclusive: bool = True, comments: bool = False) -> bytes:
    return etree.tostring(element, method="c14n", exclusive=exclusive, with_comments=comments)


def signing(make: Callable[[Element], bytes]) -> dict[str, object]:
    """Sign, with another SignatureValue: what `make` gives for SignedInfo."""
    def change(root: Element) -> None:
        value = root.find(f".//{{{D}}}SignatureValue")
        value.text = b64encode(make(root.find(f".//{{{D}}}SignedInfo"))).decode()
    return {"after_signing": change}


def first(*changes: Callable[[Element], object]) -> dict[str, object]:
    """Change the tree before it is signed."""
    def change(root: Element) -> None:
        for one in changes:
            one(root)
    return {"before_signing": change}


def last(*changes: Callable[[Element], object]) -> dict[str, object]:
    """Change the tree after it was signed."""
    def change(root: Element) -> None:
        for one in changes:
            one(root)
    return {"after_signing": change}


def at(xpath: str, act: Callable[[Element], object]) -> Callable[[Element], None]:
    """Do something to the first element at this path (prefixes of tests/foreign.py)."""
    def change(root: Element) -> None:
        act(root.find(xpath, NS))
    return change


def removed(element: Element) -> None:
    element.getparent().remove(element)


def setting(name: str, value: str) -> Callable[[Element], None]:
    return lambda element: element.set(name, value)


def texting(value: str) -> Callable[[Element], None]:
    def change(element: Element) -> None:
        element.text = value
    return change


def appending(xml: str) -> Callable[[Element], None]:
    return lambda element: element.append(etree.fromstring(xml))


# --- afterwards, on octets -----------------------------------------------------------------------------------


def pretty(octets: bytes, space: str = "  ") -> bytes:
    """As an ESB or a debugging proxy sends it on."""
    root = etree.fromstring(octets, etree.XMLParser(remove_blank_text=True))
    etree.indent(root, space)
    return etree.tostring(root)


def compact(octets: bytes) -> bytes:
    """Without white space between elements, as most stacks write."""
    return re.sub(rb">\s+<", b"><", octets).strip()


def replaced(octets: bytes, old: str, new: str) -> bytes:
    """Some octets for others; the mistake must really be made."""
    assert old.encode() in octets, old
    return octets.replace(old.encode(), new.encode())


def subbed(octets: bytes, pattern: str, new: str) -> bytes:
    changed, count = re.subn(pattern.encode(), new.encode(), octets)
    assert count, pattern
    return changed


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)
