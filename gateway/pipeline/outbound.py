"""The way out, for a party with a service of its own. It reads like the line: claim → sign → forward → confirm.

Claiming is the store's, and what comes of an attempt too; `deliver` is what lies between: one claimed delivery goes
to the registered address and nowhere else, and counts when its receiver signed for it. A supplier with a mandate may
carry the service, as it may carry requests; the receipt is signed by the party itself, for it proves that it has it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from gateway.errors import (
    CertificateRejected,
    DeliveryError,
    GatewayError,
    Misconfigured,
    PeerFailed,
    PeerRefused,
    ReceiptInvalid,
    ReceiverUnknown,
    Unreachable,
)
from gateway.messagesets import Catalog
from gateway.multipart import Package
from gateway.names import ANONYMOUS
from gateway.parted import Parted, Payload, digest, length, whole
from gateway.pipeline.encryption import registered_recipient
from gateway.pipeline.gate import Encryption, Signers
from gateway.pipeline.packages import way_out
from gateway.ports import Clock, Forward, NewId, Observe, Outbox, Register
from gateway.push_values import Claim, Outcome, PushProof, Result
from gateway.routing import agreed_encrypted_push, certificate_in_use, certificate_refusal, pushed_message_id
from gateway.security import (
    Asked,
    CheckCertificate,
    Outgoing,
    Recipient,
    SecurityPolicy,
    Verified,
    believe,
    key_family,
    seal,
)
from gateway.soap import Element, Limits, read_receipt
from gateway.values import Certificate, EncryptedBody, Party, Purpose

_RESULTS: Final[dict[type[GatewayError], Result]] = {
    Unreachable: Result.UNREACHABLE, PeerRefused: Result.REFUSED, PeerFailed: Result.FAILED,
    ReceiptInvalid: Result.INVALID,
}
_MOST_KEPT: Final = 8_192  # octets of a receipt; ours has some 700
_LONGEST: Final = 100  # characters of one of its facts
_BUSY: Final = (429, 502, 503, 504)  # without an envelope: a proxy that says to come back


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlet:
    """The hub, as far as one delivery needs it."""

    oin: str  # of the hub
    catalog: Catalog
    register: Callable[[], Register]  # the present address book
    check_server: CheckCertificate  # TLS server certificates
    check_signer: CheckCertificate
    policy: SecurityPolicy
    signers: Signers
    encryption: Encryption | None
    outbox: Outbox
    forward: Forward
    limits: Limits  # of an answer
    in_line: int  # octets of a message that goes out in one XML document though its files lie apart
    clock: Clock
    new_id: NewId
    observe: Observe


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Letter:
    """One delivery in its envelope."""

    party: Party
    url: str
    sent: bytes | Package  # the envelope, with files where it has any
    asked: Asked
    digest: bytes  # of the message element, as its receipt must say it


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answer:
    """What came back over HTTP, unproven."""

    status: int
    octets: bytes


def deliver(claim: Claim, outlet: Outlet) -> Outcome:
    """One attempt: sign → forward → confirm. Never raises."""
    began = outlet.clock()
    try:
        letter = sign(claim, began, outlet)
        proof = confirm(forward(letter, outlet), letter, claim, outlet)
        return Outcome(result=Result.DELIVERED, started_at=began, ended_at=outlet.clock(), proof=proof)
    except GatewayError as error:
        result = _RESULTS.get(type(error), Result.UNSENT)
        return Outcome(result=result, started_at=began, ended_at=outlet.clock(), cause=_cause(error))
    except Exception as mistake:  # our own: this delivery waits, the others go on
        outlet.observe("mistake", {"ticket": None, "error": mistake})
        return Outcome(result=Result.UNSENT, started_at=began, ended_at=outlet.clock(), cause=type(mistake).__name__)


def sign(claim: Claim, now: datetime, outlet: Outlet) -> Letter:
    """The claimed message in an envelope of the hub, to the address that is registered now.

    Raises  ReceiverUnknown, StorageError, SigningError, Misconfigured, CertificateRejected, TrustStale.
    """
    party = outlet.register().by_id(claim.receiver)
    if party is None or not party.active:
        raise ReceiverUnknown("the receiver is not in the address book, or not active")
    if party.push is None:
        raise ReceiverUnknown("the receiver has no service of its own any more; it collects")
    content, recipient, expected = body_of(claim, party, now, outlet)
    nonce = outlet.new_id()
    mtom = isinstance(content, Parted) and (party.mtom or length(content) > outlet.in_line)
    body, files = way_out(content, mtom=mtom, nonce=nonce)
    outgoing = Outgoing(
        action=claim.action, message_id=pushed_message_id(claim.afzender, claim.referentienummer, claim.receiver),
        to=party.push, sender=f"urn:schuldenknooppunt:knooppunt?OIN={outlet.oin}", reply_to=ANONYMOUS, body=body,
        recipient=recipient,
    )
    signed = seal(outgoing, outlet.signers.of_family(_family(party, now), now), now, nonce)
    sent = Package(boundary=outlet.new_id(), root=signed.octets, parts=files) if files else signed.octets
    return Letter(party=party, url=party.push, sent=sent, digest=expected,
                  asked=Asked(action=claim.action, signed=signed,
                              encrypted=recipient is not None or isinstance(body, EncryptedBody)))


def _family(party: Party, now: datetime) -> str | None:
    """The kind of key the party itself signs with, as far as the address book says: its software knows that one."""
    registered = certificate_in_use(party, Purpose.SIGNING, now)
    return None if registered is None or registered.der is None else key_family(registered.der)


def body_of(
    claim: Claim, party: Party, now: datetime, outlet: Outlet,
) -> tuple[Payload | EncryptedBody, Recipient | None, bytes]:
    """What goes into the Body, whom it is encrypted to, and the message's digest: its element, octet for octet.

    Raises  StorageError, Misconfigured, CertificateRejected, TrustStale.
    """
    content = outlet.outbox.content(claim)
    if isinstance(content, EncryptedBody):  # at acceptance: since then the hub can't read it, and the digest is kept
        return content, None, content.message_digest
    if not agreed_encrypted_push(party, claim.key, outlet.catalog.sets[claim.key].profile):
        return content, None, digest(content)
    if length(content) > outlet.in_line:
        raise Misconfigured(f"2W-be-SE is agreed with {party.slug}, and the message is too large to be encrypted; "
                            "agree 2W-be-S for its module until it has gone")
    recipient = registered_recipient(party, outlet, now)
    if recipient is None:
        raise Misconfigured(f"2W-be-SE is agreed with {party.slug}, but parties.toml names no `encryption` of it")
    return whole(content), recipient, digest(content)


def forward(letter: Letter, outlet: Outlet) -> Answer:
    """Send it to its address, once the server there is found to be the party's. Raises Unreachable, TrustStale."""
    status, octets = outlet.forward(letter.url, letter.sent, letter.asked.action,
                                    lambda certificate: _check_server(certificate, letter.party, outlet))
    return Answer(status=status, octets=octets)


def confirm(answer: Answer, letter: Letter, claim: Claim, outlet: Outlet) -> PushProof:
    """What proves that the receiver has it: its signed receipt of this message.

    Raises  ReceiptInvalid; PeerRefused and PeerFailed for a fault.
    """
    if not answer.octets.lstrip().startswith(b"<"):
        raise _without_envelope(answer.status)
    verified = believe(
        answer.octets, letter.asked, status=answer.status, policy=outlet.policy, check=outlet.check_signer,
        refuse_signer=lambda signer: _signer_refusal(signer, letter.party, outlet),
        keys=outlet.encryption.keys if outlet.encryption else (), limits=outlet.limits, now=outlet.clock(),
    )
    _check_receipt(verified.child, letter, claim)
    if len(verified.body) > _MOST_KEPT:
        raise ReceiptInvalid(f"the receipt is larger than {_MOST_KEPT} octets")
    return _proof(verified)


def _check_server(der: bytes, party: Party, outlet: Outlet) -> None:
    """Is this server the receiver's, or of who carries its service by mandate? Raises Unreachable, TrustStale."""
    now, register = outlet.clock(), outlet.register()
    try:
        certificate = outlet.check_server(der, now).certificate
    except CertificateRejected as error:
        raise Unreachable(f"the certificate of the service does not hold: {error.detail}") from error
    server = register.by_oin(certificate.oin)
    if server is None or (server.oin != party.oin and party.oin not in server.acts_for):
        raise Unreachable(f"the service is of OIN {certificate.oin}, which does not act for {party.slug}")
    refusal = certificate_refusal(server, Purpose.TLS, certificate.sha256, now)
    if refusal is not None:
        raise Unreachable(f"the service: {refusal}")


def _signer_refusal(signer: Certificate, party: Party, outlet: Outlet) -> str | None:
    """Why a receipt by this signer does not count for the party; None when it does."""
    if signer.oin != party.oin:
        return f"the answer is signed by {signer.oin}, not by {party.slug} itself ({party.oin})"
    return certificate_refusal(party, Purpose.SIGNING, signer.sha256, outlet.clock())


def _check_receipt(element: Element, letter: Letter, claim: Claim) -> None:
    if any(len(one) or one.attrib or len(one.text or "") > _LONGEST for one in element):
        raise ReceiptInvalid("the receipt holds more than a receipt's facts")  # it is kept, and must hold no content
    try:
        receipt = read_receipt(element)
    except ValueError as error:
        raise ReceiptInvalid("the answer is no receipt") from error
    if receipt.referentienummer.lower() != claim.referentienummer:
        raise ReceiptInvalid("the receipt is for another message: Referentienummer differs")
    if receipt.bericht_digest != letter.digest:
        raise ReceiptInvalid("the receipt is for another message: BerichtDigest differs")


def _proof(verified: Verified) -> PushProof:
    return PushProof(
        signed_info=verified.signed_info, signature_value=verified.signature_value,
        signature_method=verified.signature_method, certificate=verified.token, body=verified.body,
        body_reference=verified.body_reference,
    )


def _without_envelope(status: int) -> DeliveryError:
    """An answer that is no XML proves nothing, a refusal neither: it may be of whatever stands before the service."""
    if status in _BUSY:
        return PeerFailed(f"HTTP {status}")
    moved = "; redirects are not followed" if 300 <= status < 400 else ""
    return ReceiptInvalid(f"HTTP {status} without an envelope{moved}")


def _cause(error: GatewayError) -> str:
    """For the operator. Of a fault the code alone: the other words are the peer's, and may hold anything."""
    fault = error.fault if isinstance(error, DeliveryError) else None
    if fault is None:
        return f"{type(error).__name__}: {error.detail}"
    code = fault.code or ""
    known = code if code.startswith("SKP") and code[3:].isdigit() and len(code) == 6 else "a fault without a known code"
    return f"{type(error).__name__}: {known}"
