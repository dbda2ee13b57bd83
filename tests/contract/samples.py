"""Invented messages for the store. Nothing here is a real party, person or certificate."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from uuid import NAMESPACE_URL, uuid5

from gateway import ports
from gateway.values import (
    Acceptance,
    Bridged,
    Conversation,
    EncryptedBody,
    Entry,
    Header,
    MessageType,
    Party,
    Proof,
    SetKey,
)

NOW = datetime(2031, 3, 3, 9, 30, 0, 123456, tzinfo=UTC)
TERM = timedelta(days=7)
KEY = SetKey(module="schuldregeling", version="2.0")
NAMESPACE = "urn:schuldenknooppunt:schuldregeling:2.0"


def number(name: str) -> str:
    """A UUID that is the same for the same name."""
    return str(uuid5(NAMESPACE_URL, f"example:{name}"))


def party(slug: str, oin: str) -> Party:
    return Party(id=number(slug), slug=slug, name=slug.title(), oin=oin, roles=frozenset({"SE"}))


GEMEENTE = party("gemeente", "00000001999999990000")
ENERGIE = party("energie", "00000001999999990001")
BANK = party("bank", "00000001999999990002")
VRAAG = MessageType(element="SaldoVerzoek", namespace=NAMESPACE, berichttype="SaldoVerzoek", version="2.0",
                    sender_role="SHV", receiver_role="SE")
ANTWOORD = replace(VRAAG, element="SaldoVerzoekAntwoord", berichttype="SaldoVerzoekAntwoord", sender_role="SE",
                   receiver_role="SHV", answers=frozenset({"SaldoVerzoek"}))


def acceptance(name: str, *, sender: Party = GEMEENTE, receivers: tuple[Party, ...] = (ENERGIE,),
               conversatie: str | None = None, cross: str | None = None, kind: MessageType = VRAAG,
               payload: bytes = b"<sr:SaldoVerzoek/>", message_id: str | None = None,
               at: datetime = NOW, term: timedelta = TERM) -> Acceptance:
    """A valid message called `name`; the same arguments give the same message."""
    referentienummer = number(name)
    body = b"<soap:Body>" + referentienummer.encode() + payload + b"</soap:Body>"
    return Acceptance(
        key=KEY,
        header=Header(
            referentienummer=referentienummer, conversatie=number(conversatie or f"conversatie-{name}"),
            versie=kind.version, berichttype=kind.berichttype, afzender=sender.id, tijdstip=at,
            ontvangers=tuple(receiver.id for receiver in receivers), cross=cross),
        message_type=kind,
        receivers=receivers,
        outcomes=frozenset(),
        payload=payload,
        message_digest=sha256(payload).digest(),
        body_digest=sha256(body).digest(),
        message_id=message_id or f"urn:uuid:{number('id-' + name)}",
        proof=Proof(
            signed_info=b"<ds:SignedInfo>" + referentienummer.encode() + b"</ds:SignedInfo>",
            signature_value=sha256(b"signature" + body).digest() * 8, signature_method="rsa-sha256",
            certificate=b"certificate of " + sender.slug.encode() + bytes(1200), signer_oin=sender.oin,
            caller_oin=sender.oin, body_reference="body", before=b"<soap:Body>", after=b"</soap:Body>"),
        received_at=at,
        expires_at=at + term,
    )


def accept(message: Acceptance, state: str = "GEMELD") -> "Accept":
    return Accept(message, state)


def bridged(message: Acceptance, *receivers: Party, version: str = "1.1") -> Acceptance:
    """The same message, which these addressees get in another version of the module."""
    payload = message.payload.replace(b"/>", f" in='{version}'/>".encode())
    kind = replace(message.message_type, element="SaldoVraag", berichttype="SaldoVraag", version=version)
    return replace(message, bridged={**message.bridged, **{receiver.id: Bridged(
        key=replace(KEY, version=version), message_type=kind, outcomes=frozenset(), payload=payload,
        message_digest=sha256(payload).digest()) for receiver in receivers}})


def addressed(message: Acceptance, *receivers: Party) -> Acceptance:
    """The same message, which only these addressees can read: the store sees noise, the same for the same message."""
    def body(receiver: Party) -> EncryptedBody:
        noise = sha256((message.message_id + receiver.id).encode())
        return EncryptedBody(
            certificate=sha256(receiver.oin.encode()).hexdigest(), identifier=f"B-{number(receiver.slug)}",
            digest=noise.digest(),
            key=b"<xenc:EncryptedKey>" + noise.hexdigest().encode() + b"</xenc:EncryptedKey>",
            data=b"<xenc:EncryptedData>" + noise.hexdigest().encode() * 40 + b"</xenc:EncryptedData>")

    return replace(message, addressed={receiver.id: body(receiver) for receiver in receivers})


class Accept:
    """The work the pipeline does for one message: known, or the conversations with their new state."""

    def __init__(self, message: Acceptance, state: str) -> None:
        self.message = message
        self.state = state

    def __call__(self, tx: ports.Transaction) -> Entry:
        found = tx.known(self.message)
        if found is not None:
            return found
        header = self.message.header
        conversations = []
        for receiver in self.message.receivers:
            present = tx.conversation(self.message, receiver.id) or Conversation(
                id=None, module=self.message.key.module, conversatie=header.conversatie, initiator=header.afzender,
                counterpart=receiver.id, state="NIEUW")
            conversations.append(replace(present, state=self.state))
        return tx.record(self.message, tuple(conversations))
