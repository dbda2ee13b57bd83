"""A party's own service, to which the hub pushes: receive → parse → (decrypt) → verify → validate → store → receipt.

The same profile as the hub's side and the same message sets; what differs is whom it believes: one caller and one
signer, the hub (docs/push.md). `answer` is the one place where an error becomes a fault.
"""

from base64 import b64encode
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Final

from gateway.errors import (
    CertificateRejected,
    GatewayError,
    InternalError,
    MalformedEnvelope,
    NotAuthenticated,
    SenderMismatch,
    UnknownMessage,
    row,
)
from gateway.messagesets import NO_FILES, Catalog, Files, Message, MessageSet, read_message, validate
from gateway.names import ANONYMOUS, action, answer_action
from gateway.parted import digest
from gateway.party.client import PartyEncryption
from gateway.party.coming import Coming, Push
from gateway.party.inbox import Inbox, Taken
from gateway.party.taken import Folder
from gateway.ports import NewId, Observe
from gateway.routing import agreed_encrypted_push, check_element, takes
from gateway.security import (
    Awaiting,
    CheckCertificate,
    Outgoing,
    Recipient,
    SecurityPolicy,
    Signing,
    Verified,
    canonical,
    claimed_signatures,
    decrypt_content,
    open_message,
    seal,
    verify,
    verify_all_but_body,
    verify_body,
)
from gateway.soap import (
    Envelope,
    Limits,
    Receipt,
    check_request,
    claimed_message_id,
    fault_action,
    fault_prefixes,
    parse,
    read_addressing,
    write_fault,
    write_own_receipt,
)
from gateway.values import Addressing, Certificate, Header, Operation, Party, Received, Reply, Step

TAKEN: Final = "received"  # the events told of: a new message,
REPEATED: Final = "repeated"  # one that was here before,
REFUSED: Final = "refused"  # and one that was not taken


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushed:
    """What the hub may push by one Action."""

    operation: Operation
    message_set: MessageSet
    encrypted: bool  # in 2W-be-SE, the receipt too


def pushed_to(party: Party, catalog: Catalog) -> Mapping[str, Pushed]:
    """By wsa:Action, every message that this party may be sent: of its roles, in the versions that it takes; and what
    the hub itself may tell it.
    """
    return {
        action(message.namespace, message.element): Pushed(
            operation=Operation(name=message.element, namespace=message.namespace, step=Step.RECORD,
                                action=action(message.namespace, message.element), message_type=message),
            message_set=message_set,
            encrypted=agreed_encrypted_push(party, message_set.key, message_set.profile))
        for message_set in catalog.sets.values() if message_set.services  # without any its status gives it no address
        for message in message_set.messages.values()
        if message_set.core or takes(party, message_set.roles[message.receiver_role], message_set.key)
    }


@dataclass(slots=True, kw_only=True, eq=False)
class _Trail:
    """What is known so far of one request; only the fault reads back from it."""

    received: Received
    hub: bool = False  # the hub is calling
    envelope: Envelope | None = None
    addressing: Addressing | None = None
    message_id: str | None = None
    referentienummer: str | None = None
    recipient: Recipient | None = None  # whom the answer is encrypted to


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiver:
    """One party's receiving service."""

    party: Party
    hub_oin: str
    addresses: Collection[str]  # the absolute URLs at which the hub finds it: what wsa:To may say
    catalog: Catalog
    pushed: Mapping[str, Pushed]  # by wsa:Action
    check_caller: CheckCertificate  # of the hub as TLS client
    check_signer: CheckCertificate
    policy: SecurityPolicy
    signing: Signing
    encryption: PartyEncryption
    inbox: Inbox
    limits: Limits
    new_id: NewId
    observe: Observe

    def answer(self, received: Received) -> Reply:
        """One request of the hub → a signed receipt, or a signed fault. Never raises."""
        trail = _Trail(received=received)
        try:
            envelope, pushed = self._enter(trail)
            return self._accept(trail, pushed, self._prove(envelope, pushed, trail), None)
        except Exception as error:
            return self._refuse(trail, error)

    def begin(self, received: Received, root: str | None) -> Reply | Push:
        """The envelope of a package → who takes the files that follow, or the refusal. Never raises.

        Takes   the envelope as if it had come alone, and its Content-ID.
        """
        trail = _Trail(received=received)
        try:
            envelope, pushed = self._enter(trail)
            awaiting, coming = self._expect(envelope, pushed, root, received.at)
        except Exception as error:
            return self._refuse(trail, error)
        return Push(coming, refuse=partial(self._refuse, trail),
                    finish=lambda coming, at: self._finish(trail, pushed, awaiting, coming, at))

    def _expect(self, envelope: Envelope, pushed: Pushed, root: str | None, at: datetime) -> tuple[Awaiting, Coming]:
        """Signed by the hub, at this moment: only then its files are taken."""
        if pushed.encrypted:
            raise MalformedEnvelope("a package in 2W-be-SE")
        check_element(pushed.operation, envelope.child_name)
        folder = Folder(self.inbox.arriving(self.new_id()))
        coming = Coming(folder, envelope, pushed.message_set, self.new_id())
        if any(hole.content_id == root for hole in coming.holes):
            raise MalformedEnvelope("xop:Include refers to the root part")
        awaiting = verify_all_but_body(envelope, self.policy, self.check_signer, at)
        self._of_hub(awaiting.signer)
        return awaiting, coming

    def _finish(self, trail: _Trail, pushed: Pushed, awaiting: Awaiting, coming: Coming, at: datetime) -> Reply:
        """The files are there: the rest, as the world is now."""
        trail.received = replace(trail.received, at=at)
        try:
            self._authenticate(trail)
            self.check_signer(awaiting.token, at)
            parted = coming.parted()
            verified = verify_body(awaiting, parted)
            return self._accept(trail, pushed, verified, coming if parted is not None else None)
        except Exception as error:
            return self._refuse(trail, error)

    def decline(self, received: Received, error: GatewayError) -> Reply:
        """The answer to a request that HTTP alone could refuse. Never raises."""
        trail = _Trail(received=received)
        try:
            self._authenticate(trail)
        except GatewayError as stranger:
            return self._refuse(trail, stranger)
        return self._refuse(trail, error)

    def _enter(self, trail: _Trail) -> tuple[Envelope, Pushed]:
        """authenticate → parse: the envelope, and what it says that the hub pushes."""
        received = trail.received
        self._authenticate(trail)
        envelope = trail.envelope = parse(received.octets, self.limits)
        addressing = trail.addressing = read_addressing(envelope)
        trail.message_id = addressing.message_id
        check_request(addressing, received.soap_action, self.addresses, self.party.oin)
        pushed = self.pushed.get(addressing.action)
        if pushed is None:
            raise UnknownMessage("wsa:Action is no message that this party takes")
        return envelope, pushed

    def _accept(self, trail: _Trail, pushed: Pushed, verified: Verified, coming: Coming | None) -> Reply:
        """validate → store: the signed receipt. `coming`: the files that came apart."""
        addressing, now = trail.addressing, trail.received.at
        assert addressing is not None, "it was entered"
        message = self._validated(verified, pushed, coming.files if coming is not None else NO_FILES)
        assert message.header is not None, "validate() gave a message of a module"
        trail.referentienummer = message.header.referentienummer
        taken = self._keep(message.header, verified, addressing.message_id, now, coming)
        return Reply(status=200, octets=self._sealed(trail, now, Outgoing(
            action=answer_action(addressing.action), message_id=f"urn:uuid:{self.new_id()}", to=ANONYMOUS,
            relates_to=addressing.message_id, confirmations=(b64encode(verified.signature_value).decode(),),
            body=write_own_receipt(self._receipt(taken)), recipient=trail.recipient)))

    def _authenticate(self, trail: _Trail) -> None:
        """Nobody but the hub. Raises NotAuthenticated, TrustStale."""
        try:
            caller = self.check_caller(trail.received.peer, trail.received.at).certificate
        except CertificateRejected as error:
            raise NotAuthenticated(error.detail) from error
        if caller.oin != self.hub_oin:
            raise NotAuthenticated(f"the caller is {caller.oin}, not the hub {self.hub_oin}")
        trail.hub = True

    def _prove(self, envelope: Envelope, pushed: Pushed, trail: _Trail) -> Verified:
        """Signed by the hub; where 2W-be-SE is agreed, decrypted before."""
        received, policy = trail.received, self.policy
        if pushed.encrypted:
            trail.recipient = self.encryption.of_hub(self.hub_oin, received.at)
            envelope = decrypt_content(envelope, received.octets, self.encryption.keys, self.limits)
            policy = replace(policy, encrypted=True)
        else:
            check_element(pushed.operation, envelope.child_name)
        verified = verify(envelope, policy, self.check_signer, received.at)
        if pushed.encrypted:
            check_element(pushed.operation, envelope.child_name)
        self._of_hub(verified.signer)
        return verified

    def _of_hub(self, signer: Certificate) -> None:
        if signer.oin != self.hub_oin:
            raise SenderMismatch(f"signed by {signer.oin}, not by the hub {self.hub_oin}")

    def _validated(self, verified: Verified, pushed: Pushed, files: Files) -> Message:
        """The message, by the same message set as the hub's; a sealed one is opened and judged as a whole.

        Once it is confirmed the hub has it no longer: a sealed message that does not open is refused, not taken.
        """
        message = validate(verified.child, pushed.operation, pushed.message_set, files)
        if pushed.message_set.sealed:
            read_message(open_message(verified.child, self.encryption.keys), self.catalog.by_namespace, files)
        return message

    def _keep(self, header: Header, verified: Verified, message_id: str, now: datetime, coming: Coming | None) -> Taken:
        """Store it; of a repeated message the facts of the first time."""
        octets = canonical(verified.child)
        parted = coming.parted() if coming is not None else None
        facts = Taken(
            referentienummer=header.referentienummer, conversatie=header.conversatie, afzender=header.afzender,
            berichttype=header.berichttype, versie=header.versie, message_id=message_id, received_at=now,
            digest=digest(octets if parted is None else parted.of(octets)))
        if coming is not None:
            octets, _ = coming.folder.keep(verified.child, header.referentienummer)
        taken, repeated = self.inbox.take(facts, octets, coming.folder.path if coming is not None else None)
        self.observe(REPEATED if repeated else TAKEN, {
            "referentienummer": taken.referentienummer, "berichttype": taken.berichttype, "afzender": taken.afzender,
            "conversatie_referentienummer": taken.conversatie, "message_id": message_id})
        return taken

    def _receipt(self, taken: Taken) -> Receipt:
        return Receipt(
            referentienummer=taken.referentienummer, conversatie_referentienummer=taken.conversatie,
            ontvangers=(self.party.id,), tijdstip_ontvangst=taken.received_at, bericht_digest=taken.digest)

    def _refuse(self, trail: _Trail, reason: Exception) -> Reply:
        """Say it: a signed fault to the hub, a bare status to anybody else. Our own mistakes are told as such alone."""
        error = reason if isinstance(reason, GatewayError) else InternalError(type(reason).__name__)
        if error is not reason:
            error.__cause__ = reason
        line, ticket, now = row(error), self.new_id(), trail.received.at
        self.observe(REFUSED, {
            "code": line.code, "error": type(error).__name__, "reason": error.detail, "ticket": ticket,
            "referentienummer": trail.referentienummer, "message_id": trail.message_id})
        if not trail.hub:
            return Reply(status=line.http, octets=f"{line.text}\n{line.text_en}\n".encode(),
                         retry_after=line.retry_after, content_type="text/plain; charset=utf-8")
        claimed = trail.message_id or (claimed_message_id(trail.envelope) if trail.envelope is not None else None)
        confirmations = claimed_signatures(trail.envelope) if trail.envelope is not None else ()
        body = write_fault(error, ticket=ticket, at=now, referentienummer=trail.referentienummer)
        return Reply(status=line.http, retry_after=error.retry_after or line.retry_after,
                     octets=self._sealed(trail, now, Outgoing(
                         action=fault_action(error), message_id=f"urn:uuid:{self.new_id()}", to=ANONYMOUS,
                         relates_to=claimed, confirmations=confirmations or (None,), inclusive=fault_prefixes(error),
                         body=body, recipient=trail.recipient)))

    def _sealed(self, trail: _Trail, now: datetime, outgoing: Outgoing) -> bytes:
        return seal(outgoing, self.signing, now, self.new_id()).octets
