"""A connected party's side of the profiles 2W-be-S and 2W-be-SE: sign a request, encrypt it where that is agreed, send
it, and believe only a signed answer to it.
"""

import hashlib
from base64 import b64decode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, Protocol

from lxml import etree

from gateway import names
from gateway.errors import GatewayError, Misconfigured, PeerFailed, PeerRefused, ReceiptInvalid, ReceiverUnknown
from gateway.messagesets import Catalog, is_sealed, read_message
from gateway.multipart import Package, Sink
from gateway.names import ANONYMOUS, KN, clark
from gateway.parted import Parted
from gateway.party.parts import Beside, Find, fill, no_files, part
from gateway.party.taken import Folder
from gateway.ports import Clock, NewId
from gateway.routing import encryption_certificate
from gateway.security import (
    Asked,
    CheckCertificate,
    DecryptionKey,
    Outgoing,
    Recipient,
    SecurityPolicy,
    SignedEnvelope,
    Signing,
    believe,
    canonical,
    open_message,
    recipient_of,
    seal,
    seal_message,
)
from gateway.soap import (
    Element,
    Envelope,
    Limits,
    Receipt,
    check_xml_octets,
    declare,
    leaf,
    read_receipt,
    read_xml,
)
from gateway.values import Certificate, Party, Service

Content = bytes | Package  # an envelope, or one with files


class Post(Protocol):
    """Calls the hub: the HTTP status and the envelope of the answer (transport.Caller.post)."""

    def __call__(self, url: str, content: Content, soap_action: str, /, *, sink: Sink | None = None,
                 ) -> tuple[int, bytes]: ...


class Wrapped(NamedTuple):
    """A message in its signed envelope, ready to be sent."""

    service: Service
    action: str
    signed: SignedEnvelope
    content: Content


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What became of a message that was sent."""

    receipt: Receipt
    envelope: bytes  # the exact octets of the request; of one with files: of its envelope


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """One line of a mailbox list."""

    referentienummer: str
    cross_referentienummer: str | None
    conversatie_referentienummer: str
    afzender: str
    berichttype: str
    versie: str
    tijdstip_ontvangst: str
    verval_datum: str
    opgehaald: bool
    antwoord_voor: str | None = None  # until when an answer is in time
    te_laat: bool = False  # it answers, and came after the term


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """One message from the mailbox: its element in canonical form."""

    referentienummer: str
    octets: bytes
    files: tuple[str, ...] = ()  # names of files in the folder that it was taken into; `octets` names them too


@dataclass(frozen=True, slots=True, kw_only=True)
class PartyEncryption:
    """What profile 2W-be-SE needs on a party's side."""

    agreed: Callable[[Service], bool]  # is this service called in 2W-be-SE?
    hub: bytes | None  # the hub's encryption certificate, DER
    check: CheckCertificate  # of whom is encrypted to
    keys: tuple[DecryptionKey, ...]  # what an answer, or a sealed body, may be encrypted to
    by_id: Callable[[str], Party | None]  # the address book, for those that a body is sealed for

    def to_addressee(self, party_id: str, now: datetime) -> Recipient:
        """Whom the body of a message to this party is sealed for. Raises ReceiverUnknown, Misconfigured."""
        party = self.by_id(party_id)
        if party is None:
            raise ReceiverUnknown("the addressee is not in the address book")
        registered = encryption_certificate(party, now)
        if registered is None or registered.der is None:
            raise Misconfigured(f"{party.slug} has no `encryption` in parties.toml to seal a body for; add it")
        return self.recipient(registered.der, party.oin, now)

    def to_hub(self, service: Service, oin: str, now: datetime) -> Recipient | None:
        """Whom a request to this service is encrypted to; None where no encryption is agreed. Raises Misconfigured."""
        return self.of_hub(oin, now) if self.agreed(service) else None

    def of_hub(self, oin: str, now: datetime) -> Recipient:
        """The hub, as somebody to encrypt to. Raises Misconfigured."""
        if self.hub is None:
            raise Misconfigured("2W-be-SE is agreed, but gateway.toml has no [encryption] with the hub's certificate")
        return self.recipient(self.hub, oin, now)

    def recipient(self, der: bytes, oin: str, now: datetime) -> Recipient:
        """Whom this certificate names, once all of it holds. Raises Misconfigured."""
        try:
            checked = self.check(der, now)
        except GatewayError as error:
            raise Misconfigured(f"the certificate to encrypt to does not hold: {error.detail}") from error
        found = recipient_of(der)
        if found is None or checked.certificate.oin != oin:
            raise Misconfigured(f"the certificate to encrypt to is of OIN {checked.certificate.oin}, not {oin}")
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class PartyClient:
    """One party, its keys and the hub it speaks to."""

    address: str  # what wsa:From says, with ?OIN=
    hub_url: str  # https://host:port
    hub_oin: str
    signing: Signing
    catalog: Catalog
    check_hub: CheckCertificate
    policy: SecurityPolicy
    encryption: PartyEncryption
    post: Post
    clock: Clock
    new_id: NewId
    close: Callable[[], None] = lambda: None  # let go of the connections; a later call opens new ones

    def wrap(self, message: bytes, find: Find = no_files, *, mtom: bool = False) -> Wrapped:
        """A message element in its signed envelope, without sending it.

        `find` gives the files that it names (party/parts.py); `mtom`: attachments in line go as files too.
        Raises  Misconfigured when no message set of the catalogue knows the element, or a file is not there.
        """
        service, action, body = self._prepared(message, find, mtom=mtom)
        return self._wrap(service, action, body)

    def send(self, message: bytes, before: Callable[[Content], None] = lambda _: None, find: Find = no_files, *,
             mtom: bool = False) -> Sent:
        """Sign and send a message; the hub's receipt is checked against what was sent.

        `before` sees the exact octets before they leave; `find` and `mtom` as in `wrap`.
        Raises  PeerRefused, PeerFailed, ReceiptInvalid, Unreachable, Misconfigured, StorageError.
        """
        service, action, body = self._prepared(message, find, mtom=mtom)
        wrapped = self._wrap(service, action, body)
        before(wrapped.content)
        answer = self._exchange(wrapped)
        try:
            receipt = read_receipt(answer)
        except ValueError as error:
            raise ReceiptInvalid("the answer is no receipt") from error
        if receipt.bericht_digest != (body.digest() if isinstance(body, Beside) else hashlib.sha256(body).digest()):
            raise ReceiptInvalid("the receipt is for another message: BerichtDigest differs")
        if None in (receipt.verval_datum, receipt.journaal_positie, receipt.journaal_hash):
            raise ReceiptInvalid("the hub's receipt lacks its term or its place in the journal")
        return Sent(receipt=receipt, envelope=wrapped.signed.octets)

    def ask(self, service: str, operation: str, fields: str = "", folder: Folder | None = None) -> Element:
        """Call an operation of a service of the hub itself (postbus, adresboek, logboek, beheer).

        `folder`: files that come beside the answer go there.
        """
        path = f"/soap/knooppunt/1.0/{service}"
        body = f"<kn:{operation}{declare('kn')}>{fields}</kn:{operation}>".encode()
        found = self.catalog.services[path]
        return self._exchange(self._wrap(found, names.action(KN, operation), body), folder)

    def waiting(self, maximum: int = 1000) -> list[Waiting]:
        """The messages that wait for this party, oldest first."""
        answer = self.ask("postbus", "HaalBerichtenlijstOp", leaf("kn:Maximum", str(maximum)))
        try:
            return [_waiting({etree.QName(field).localname: field.text or "" for field in line}) for line in answer]
        except KeyError as missing:
            raise ReceiptInvalid(f"a line of the list has no {missing.args[0]}") from None

    def collect(self, referentienummer: str, into: Path | None = None) -> Collected:
        """Fetch one message; it stays until confirmed. Files that lie apart come into the folder `into`, one by one."""
        if into is None:
            return self._collected(referentienummer, None)
        folder = Folder(into)
        try:
            return self._collected(referentienummer, folder)
        finally:
            folder.discard()

    def _collected(self, referentienummer: str, folder: Folder | None) -> Collected:
        answer = self.ask("postbus", "HaalBerichtOp", leaf("kn:Referentienummer", referentienummer), folder)
        holder = answer.find(clark(KN, "Bericht"))
        if holder is None or len(holder) != 1:
            raise ReceiptInvalid("the answer holds no message")
        message_set = self.catalog.by_namespace(etree.QName(holder[0]).namespace or "")
        if message_set is not None and message_set.sealed and is_sealed(holder[0]):
            return Collected(referentienummer=referentienummer, octets=open_message(holder[0], self.encryption.keys))
        if folder is None:
            return Collected(referentienummer=referentienummer, octets=canonical(holder[0]))
        octets, files = folder.keep(holder[0], referentienummer)
        return Collected(referentienummer=referentienummer, octets=octets, files=files)

    def confirm(self, *referentienummers: str) -> dict[str, bool]:
        """Confirm what was fetched: the hub then erases it."""
        numbers = "".join(leaf("kn:Referentienummer", one) for one in referentienummers)
        answer = self.ask("postbus", "BevestigBericht", numbers)
        return {
            line.findtext(clark(KN, "Referentienummer")) or "": line.findtext(clark(KN, "Bevestigd")) == "true"
            for line in answer
        }

    def evidence(self, referentienummer: str, *, afzender: str | None = None) -> bytes:
        """The evidence file of a message this party sent or is an addressee of (docs/evidence.md §3)."""
        answer = self.ask("logboek", "HaalBewijsOp", leaf("kn:Referentienummer", referentienummer)
                          + leaf("kn:Afzender", afzender))
        try:
            return b64decode(answer.findtext(clark(KN, "Bewijs")) or "", validate=True)
        except ValueError as error:
            raise ReceiptInvalid("the answer holds no evidence file") from error

    def _prepared(self, message: bytes, find: Find, *, mtom: bool) -> tuple[Service, str, bytes | Beside]:
        """A message element → its service, Action and canonical form, with the files that go beside it."""
        check_xml_octets(message)
        element = read_xml(message)
        name = etree.QName(element)
        for service in self.catalog.services.values():
            for action, operation in service.operations.items():
                if (operation.namespace, operation.name) == (name.namespace, name.localname):
                    return service, action, self._body(element, service, find, mtom=mtom)
        raise Misconfigured(f"no message set has an element {name.localname} in namespace {name.namespace}")

    def _body(self, element: Element, service: Service, find: Find, *, mtom: bool) -> bytes | Beside:
        """The message as it goes into the Body: where its set asks a sealed one and it is not yet, sealed.

        What is encrypted or sealed is whole: its files are put in place.
        Raises  SchemaInvalid when the message to be sealed does not hold: after this nobody but the addressee can tell.
        """
        message_set = self.catalog.sets[service.key]
        if not message_set.sealed and not self.encryption.agreed(service):
            parted = part(element, message_set.schema.vocabulary.attached, self.new_id, find, mtom=mtom)
            return canonical(element) if parted is None else parted
        fill(element, self.new_id, find)
        if not message_set.sealed or is_sealed(element):
            return canonical(element)
        header = read_message(etree.tostring(element), self.catalog.by_namespace).header
        if header is None or not header.ontvangers:
            raise ReceiverUnknown("a body is sealed for the one Ontvanger that the header names")
        return seal_message(element, self.encryption.to_addressee(header.ontvangers[0], self.clock()))

    def _wrap(self, service: Service, action: str, body: bytes | Beside) -> Wrapped:
        message_id, nonce, now = self.new_id(), self.new_id(), self.clock()
        outgoing = Outgoing(
            action=action, message_id=f"urn:uuid:{message_id}", to=self.hub_url + service.path,
            sender=self.address, reply_to=ANONYMOUS, body=body.body(nonce) if isinstance(body, Beside) else body,
            recipient=self.encryption.to_hub(service, self.hub_oin, now),
        )
        signed = seal(outgoing, self.signing, now, nonce)
        packed = body.package(signed.octets, nonce, self.new_id()) if isinstance(body, Beside) else signed.octets
        return Wrapped(service=service, action=action, signed=signed, content=packed)

    def _exchange(self, sent: Wrapped, folder: Folder | None = None) -> Element:
        """Send and check the answer: signed by the hub, confirming our signature, related to our MessageID."""
        to = (self.hub_url + sent.service.path, sent.content, sent.action)
        status, octets = self.post(*to) if folder is None else self.post(*to, sink=folder)
        if not octets.lstrip().startswith(b"<"):
            refusal = octets[:500].decode("utf-8", "replace").strip().replace("\n", " / ")
            raise (PeerFailed if status == 503 else PeerRefused)(f"HTTP {status}: {refusal}")
        return self._believe(octets, sent, status, folder)

    def _believe(self, octets: bytes, sent: Wrapped, status: int, folder: Folder | None) -> Element:
        def refuse_signer(signer: Certificate) -> str | None:
            if signer.oin == self.hub_oin:
                return None
            return f"the answer is signed by {signer.oin}, not by the hub {self.hub_oin}"

        def files(envelope: Envelope) -> Parted | None:
            return folder.of(envelope, self.new_id()) if folder is not None else None

        asked = Asked(action=sent.action, signed=sent.signed, encrypted=self.encryption.agreed(sent.service))
        return believe(octets, asked, status=status, policy=self.policy, check=self.check_hub, limits=Limits(),
                       refuse_signer=refuse_signer, keys=self.encryption.keys, now=self.clock(), files=files).child


def _waiting(field: Mapping[str, str]) -> Waiting:
    return Waiting(
        referentienummer=field["Referentienummer"], cross_referentienummer=field.get("CrossReferentienummer"),
        conversatie_referentienummer=field["ConversatieReferentienummer"], afzender=field["Afzender"],
        berichttype=field["Berichttype"], versie=field["Versie"], tijdstip_ontvangst=field["TijdstipOntvangst"],
        verval_datum=field["VervalDatum"], opgehaald=field["Opgehaald"] == "true",
        antwoord_voor=field.get("AntwoordVoor"), te_laat=field.get("TeLaat") == "true",
    )
