"""A party's receiving service in this process, and the hub's part of it played by the foreign stack (tests/foreign.py).

`Receiving` takes envelopes that the hub's key signed; every step of making them can be bent.
"""

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from uuid import uuid4

from lxml import etree

from gateway.app.instance import Instance, utc_now
from gateway.app.listen import receiver_of
from gateway.app.trust import LiveTrust
from gateway.party import Inbox, Receiver
from gateway.security import Outgoing, seal, verify
from gateway.security.keys import load_certificate, load_signing_key
from gateway.soap import Receipt, parse, read_addressing, read_receipt
from gateway.values import Received, Reply
from tests import foreign
from tests.foreign import A, D
from tests.line import kept, opened

URL = "https://localhost:9443/ontvangst"
PATH = "/ontvangst"


@dataclass(kw_only=True)
class Receiving:
    """The receiving service of one party; `at` is the time of every request."""

    instance: Instance
    receiver: Receiver
    slug: str
    at: datetime
    folder: Path  # where it keeps its messages
    events: list[tuple[str, dict[str, object]]] = field(default_factory=list)

    def identity(self, name: str) -> foreign.Identity:
        """A signing key of the instance: the hub's, a party's."""
        pki = self.instance.folder / "pki"
        with kept():
            key = load_signing_key(pki / f"{name}-sign.pem", pki / f"{name}-sign.key")
        return foreign.Identity(key=key.private_key, certificate=key.certificate)

    def plan(self, child: bytes, *, signer: str = "hub", **changes: object) -> foreign.Plan:
        """What the hub would send; `changes` bend it (fields of foreign.Plan)."""
        name = etree.QName(etree.fromstring(child))
        values: dict[str, object] = {
            "child": child, "action": f"{name.namespace}:{name.localname}", "to": URL, "now": self.at,
            "identity": self.identity(signer)}
        return foreign.Plan(**{**values, **changes})

    def sealed(self, child: bytes, *, to: str = URL, signer: str = "hub") -> bytes:
        """The same in the gateway's own hand: with its prefixes, in canonical form."""
        name = etree.QName(etree.fromstring(child))
        pki = self.instance.folder / "pki"
        with kept():
            key = load_signing_key(pki / f"{signer}-sign.pem", pki / f"{signer}-sign.key")
        outgoing = Outgoing(action=f"{name.namespace}:{name.localname}", message_id=f"urn:uuid:{uuid4()}", to=to,
                            reply_to=foreign.ANONYMOUS, body=foreign.canonical(etree.fromstring(child)))
        return seal(outgoing, key, self.at, str(uuid4())).octets

    def post(self, octets: bytes, *, caller: str = "hub") -> Reply:
        """What the service answers to these octets from this caller."""
        peer = load_certificate(self.instance.folder / "pki" / f"{caller}-tls.pem")
        return self.receiver.answer(Received(
            octets=octets, path=PATH, content_type="text/xml", soap_action='""', peer=peer, at=self.at))

    def push(self, child: bytes, *, caller: str = "hub", **changes: object) -> Reply:
        """Build, sign and post one message."""
        return self.post(foreign.octets(foreign.build(self.plan(child, **changes))), caller=caller)

    def skip(self, **by: float) -> None:
        self.at += timedelta(**by)

    @property
    def messages(self) -> list[Path]:
        """The messages that are kept."""
        return sorted(self.folder.glob("*/*.xml"))


def make_receiving(template: Path, folder: Path, slug: str, *,
                   change: Callable[[Path], object] = lambda folder: None) -> Receiving:
    """The service of a party on a fresh copy of an instance; `change` may edit the copy's files first."""
    shutil.copytree(template, folder)
    change(folder)
    instance, now, kept_in = opened(folder), utc_now(), folder / "ontvangen"
    live = LiveTrust(instance.settings.trust, lambda: now, lambda event, facts: None)
    events: list[tuple[str, dict[str, object]]] = []
    with kept():
        receiver = receiver_of(instance, instance.resolve(slug), live, Inbox(kept_in), addresses=[URL],
                               tell=lambda event, facts: events.append((event, dict(facts))))
    return Receiving(instance=instance, receiver=receiver, slug=slug, at=now, folder=kept_in, events=events)


def believed(service: Receiving, reply: Reply, sent: etree._Element) -> Receipt:
    """The receipt, once it proves what a receipt must: signed by the party, of this request and its signature."""
    envelope = parse(reply.octets, service.receiver.limits)
    value = "".join(sent.findtext(f".//{{{D}}}SignatureValue").split())
    policy = replace(service.receiver.policy, confirms=(value,))
    verified = verify(envelope, policy, service.receiver.check_signer, service.at)
    assert verified.signer.oin == service.receiver.party.oin
    addressing = read_addressing(envelope)
    assert addressing.relates_to == sent.findtext(f".//{{{A}}}MessageID")
    assert addressing.action == sent.findtext(f".//{{{A}}}Action") + ":antwoord"
    return read_receipt(verified.child)
