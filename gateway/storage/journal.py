"""The journal: implements ports.Journal. A message is accepted here, in one transaction with everything it changes."""

from collections.abc import Callable, Collection
from hashlib import sha256
from typing import Final, TypeVar

from sqlalchemy import and_, bindparam, func, insert, or_, select, update

from gateway import ports
from gateway.errors import DuplicateConflict, Replayed, StorageError
from gateway.names import action
from gateway.parted import Parted
from gateway.storage.certificates import keep_certificate
from gateway.storage.engine import Store
from gateway.storage.legs import refused_of
from gateway.storage.parted import pack
from gateway.storage.queue import enter
from gateway.storage.records import (
    ACCEPTED,
    REFUSED,
    REFUSED_LEG,
    accepted_record,
    entry_of,
    maybe_micros,
    maybe_moment,
    micros,
    moment_of,
    refused_facts,
    refused_leg_facts,
)
from gateway.storage.reports import Reports
from gateway.storage.sealing import Sealed, Sealer, context_of, epoch_of
from gateway.storage.session import Adding, Query
from gateway.storage.spool import keep
from gateway.storage.tables import (
    addressed_payloads,
    bridged_payloads,
    conversations,
    deliveries,
    entries,
    messages,
    parents,
    payloads,
    proofs,
    refusals,
    refused_legs,
    reply_terms,
    successors,
)
from gateway.storage.writer import Write
from gateway.values import (
    Acceptance,
    Bridged,
    Conversation,
    DeliveryState,
    EncryptedBody,
    Entry,
    Proof,
    Question,
    Refusal,
    SetKey,
)

T = TypeVar("T")

_AVAILABLE: Final = DeliveryState.BESCHIKBAAR.value
_CERTIFICATES_KEPT: Final = 4096  # more are asked again
_TOLD: Final = "GEMELD"  # the one state of what the hub tells a party

# Both ways to have been here before in one statement: nearly always it finds nothing.
_KNOWN = Query(
    select(messages.c.message_digest, messages.c.referentienummer, messages.c.afzender, messages.c.signer_oin,
           messages.c.message_id, messages.c.node, messages.c.position, messages.c.id)
    .where(or_(and_(messages.c.referentienummer == bindparam("referentienummer"),
                    messages.c.afzender == bindparam("afzender")),
               and_(messages.c.signer_oin == bindparam("signer_oin"),
                    messages.c.message_id == bindparam("message_id")))))
_ENTRY = Query(
    select(entries.c.hash, entries.c.record)
    .where(entries.c.node == bindparam("node"), entries.c.position == bindparam("position")))
_CONVERSATION = Query(
    select(conversations.c.id, conversations.c.initiator, conversations.c.counterpart, conversations.c.state)
    .where(conversations.c.conversatie == bindparam("conversatie"), conversations.c.module == bindparam("module"),
           or_(and_(conversations.c.initiator == bindparam("sender"),
                    conversations.c.counterpart == bindparam("receiver")),
               and_(conversations.c.initiator == bindparam("receiver"),
                    conversations.c.counterpart == bindparam("sender"))))
    .order_by(conversations.c.id).limit(1).with_for_update(key_share=True))
_INITIATOR = Query(
    select(conversations.c.initiator)
    .where(conversations.c.conversatie == bindparam("conversatie"), conversations.c.module == bindparam("module"))
    .order_by(conversations.c.id).limit(1))
_QUESTION = Query(
    select(messages.c.family, messages.c.afzender, deliveries.c.answered_by, messages.c.received_at,
           messages.c.set_version, reply_terms.c.answer_by)
    .select_from(messages.join(deliveries, deliveries.c.message == messages.c.id)
                 .outerjoin(reply_terms, reply_terms.c.message == messages.c.id))
    .where(deliveries.c.conversation == bindparam("conversation"),
           deliveries.c.message.in_(select(messages.c.id).where(
               messages.c.referentienummer == bindparam("referentienummer"))))
    .order_by(messages.c.id).limit(1))
_SUCCESSOR = Query(select(successors.c.successor).where(
    successors.c.conversation == bindparam("conversation"), successors.c.party == bindparam("party")))
_HEIR = Query(
    select(successors.c.successor)
    .join_from(conversations, successors, successors.c.conversation == conversations.c.id)
    .where(conversations.c.conversatie == bindparam("conversatie"), conversations.c.module == bindparam("module"),
           successors.c.party == bindparam("party"))
    .limit(1))
_COUNT = Query(
    select(func.count())
    .select_from(deliveries.join(messages, messages.c.id == deliveries.c.message))
    .where(deliveries.c.conversation == bindparam("conversation"),
           messages.c.family == bindparam("family")))

_ADD_MESSAGE = Adding(
    insert(messages).values({column.name: bindparam(column.name) for column in messages.c if column.name != "id"}),
    messages.c.id)
_ADD_PROOF = Query(insert(proofs).values({column.name: bindparam(column.name) for column in proofs.c}))
_ADD_CONVERSATION = Adding(
    insert(conversations)
    .values({column.name: bindparam(column.name) for column in conversations.c if column.name != "id"}),
    conversations.c.id)
_MOVE_CONVERSATION = Query(
    update(conversations).where(conversations.c.id == bindparam("this")).values(state=bindparam("next")))
_ADD_DELIVERY = Query(
    insert(deliveries).values({name: bindparam(name) for name in (
        "message", "receiver", "conversation", "state", "received_at", "expires_at", "set_version", "berichttype",
        "versie", "sealed_to")}))
_MARK_ANSWERED = Query(
    update(deliveries)
    .where(deliveries.c.message.in_(select(messages.c.id).where(
               messages.c.referentienummer == bindparam("question"), messages.c.afzender != bindparam("answerer"))),
           deliveries.c.conversation == bindparam("within"))
    .values(answered_by=bindparam("answer")))
_ADD_REFUSAL = Query(insert(refusals).values({column.name: bindparam(column.name) for column in refusals.c}))
_ADD_PAYLOAD = Query(insert(payloads).values({column.name: bindparam(column.name) for column in payloads.c}))
_ADD_BRIDGED_PAYLOAD = Query(
    insert(bridged_payloads).values({column.name: bindparam(column.name) for column in bridged_payloads.c}))
_ADD_ADDRESSED_PAYLOAD = Query(
    insert(addressed_payloads).values({column.name: bindparam(column.name) for column in addressed_payloads.c}))

_ADD_REFUSED_LEG = Query(
    insert(refused_legs).values({column.name: bindparam(column.name) for column in refused_legs.c}))
_ADD_REPLY_TERM = Query(insert(reply_terms).values({column.name: bindparam(column.name) for column in reply_terms.c}))
_ADD_PARENT = Query(insert(parents).values({column.name: bindparam(column.name) for column in parents.c}))


class SqlJournal(ports.Journal):
    """The journal of one store."""

    def __init__(self, store: Store, sealer: Sealer) -> None:
        self._store = store
        self._sealer = sealer
        self._certificates: set[str] = set()  # digests of some that are stored: none goes that still signs

    def transaction(self, work: Callable[[ports.Transaction], T]) -> T:
        """See ports.Journal."""
        def run(write: Write) -> tuple[T, str | None]:
            transaction = SqlTransaction(write, self._sealer, self._certificates)
            return work(transaction), transaction.certificate

        result, certificate = self._store.write(run)
        if certificate is not None:  # only now, after the commit, is it true that it is stored
            if len(self._certificates) >= _CERTIFICATES_KEPT:
                self._certificates.clear()
            self._certificates.add(certificate)
        return result

    def refuse(self, refusal: Refusal) -> None:
        """See ports.Journal; found again by its ticket."""
        def work(write: Write) -> None:
            position, _ = write.chain.append(REFUSED, at=refusal.at, facts=refused_facts(refusal))
            write.run(_ADD_REFUSAL, node=write.chain.node, position=position, ticket=refusal.ticket,
                      at=micros(refusal.at))
        self._store.write(work)

    def refused(self, ticket: str) -> Refusal | None:
        """See ports.Journal."""
        return Reports(self._store).refusal(ticket)


class SqlTransaction(ports.Transaction):
    """See ports.Transaction. Reads see what earlier works of the same commit wrote."""

    __slots__ = ("_certificates", "_free", "_sealer", "_write", "certificate")

    def __init__(self, write: Write, sealer: Sealer, certificates: Collection[str]) -> None:
        """`certificates`: some that are known to be stored."""
        self._write = write
        self._sealer = sealer
        self._certificates = certificates
        self.certificate: str | None = None  # the one that this transaction made sure of
        self._free: tuple[str, str] | None = None  # module and number under which there is no conversation

    def known(self, acceptance: Acceptance) -> Entry | None:
        header = acceptance.header
        key, used = (header.referentienummer, header.afzender), (acceptance.proof.signer_oin, acceptance.message_id)
        found = self._write.all(_KNOWN, referentienummer=key[0], afzender=key[1], signer_oin=used[0],
                                message_id=used[1])
        same = next((row for row in found if row[1:3] == key), None) if found else None
        # The message, not the Body: most stacks give the Body a fresh wsu:Id in each envelope, a retry too.
        if same is not None and same[0] != acceptance.message_digest:
            raise DuplicateConflict(f"{header.referentienummer} was accepted with other content")
        if any(same is None or row[0] != acceptance.message_digest for row in found if row[3:5] == used):
            raise Replayed(f"the MessageID of {header.referentienummer} was used before with other content")
        if same is None:
            return None
        entry = self._write.one(_ENTRY, node=same[5], position=same[6])
        if entry is None:
            raise StorageError(f"the entry of {header.referentienummer} is missing")
        return entry_of(same[6], entry[0], entry[1], refused=refused_of(self._write, same[7]), repeated=True)

    def conversation(self, acceptance: Acceptance, receiver: str) -> Conversation | None:
        module, conversatie = key = acceptance.key.module, acceptance.header.conversatie
        # What refers to nothing opens a conversation: that its number is free is one look, for all its addressees.
        opening = acceptance.header.cross is None and self.initiator(module, conversatie) is None
        alone = opening and self._write.alone("conversation", *key)
        if opening and not alone:
            self._free = key
            return None
        asked = {"conversatie": conversatie, "module": module, "sender": acceptance.header.afzender,
                 "receiver": receiver}
        row = self._write.one(_CONVERSATION, **asked)
        # Both parties may open it at once, on two nodes, each as its initiator: no key of a table forbids that.
        if row is None and not alone and self._write.alone("conversation", *key):
            row = self._write.one(_CONVERSATION, **asked)
        if row is None:
            return None
        return Conversation(id=row[0], module=module, conversatie=conversatie, initiator=row[1], counterpart=row[2],
                            state=row[3])

    def initiator(self, module: str, conversatie: str) -> str | None:
        if self._free == (module, conversatie):
            return None
        row = self._write.one(_INITIATOR, conversatie=conversatie, module=module)
        return None if row is None else str(row[0])

    def successor(self, module: str, conversatie: str, party: str) -> str | None:
        row = self._write.one(_HEIR, conversatie=conversatie, module=module, party=party)
        return None if row is None else str(row[0])

    def question(self, conversation: Conversation, referentienummer: str) -> Question | None:
        row = self._write.one(_QUESTION, referentienummer=referentienummer, conversation=conversation.id)
        if row is None:
            return None
        sender = row[1]
        if sender not in (conversation.initiator, conversation.counterpart):
            heir = self._write.one(_SUCCESSOR, conversation=conversation.id, party=sender)
            sender = sender if heir is None else heir[0]
        return Question(
            family=row[0], sender=sender, answered=row[2] is not None, asked_at=moment_of(row[3]),
            key=SetKey(module=conversation.module, version=row[4]), answer_by=maybe_moment(row[5]))

    def count(self, conversation: Conversation, family: str) -> int:
        row = self._write.one(_COUNT, conversation=conversation.id, family=family)
        return 0 if row is None else int(row[0])

    def record(self, acceptance: Acceptance, conversations: tuple[Conversation, ...]) -> Entry:
        """See ports.Transaction; `conversations` stand in the order of `acceptance.receivers`, with the new states.

        Raises StorageError when the two do not fit, or when `known` was not asked and the message is there already.
        """
        if len(conversations) != len(acceptance.receivers) or not conversations:
            raise StorageError("one conversation is needed for each receiver")
        self._free, chain = None, self._write.chain
        message = self._add_message(acceptance, chain.node, chain.next_position())
        certificate, signature_digest = self._add_proof(message, acceptance.proof)
        record = accepted_record(
            acceptance, message=message, certificate=certificate, signature_digest=signature_digest)
        position, journal_hash = chain.add(ACCEPTED, micros(acceptance.received_at), message, record)
        for receiver, conversation in zip(acceptance.receivers, conversations, strict=True):
            number = self._keep(conversation)
            self._add_delivery(message, acceptance, receiver.id, number)
            if receiver.push is not None:
                self._queue(message, acceptance, receiver.id, number, opened=conversation.id is None)
        self._add_payloads(message, acceptance)
        self._add_rare(message, acceptance)
        return Entry(  # the same as entry_of() reads from the record when it is asked again; a test holds them equal
            referentienummer=acceptance.header.referentienummer, conversatie=acceptance.header.conversatie,
            ontvangers=tuple(receiver.id for receiver in acceptance.receivers),
            received_at=moment_of(micros(acceptance.received_at)), expires_at=moment_of(micros(acceptance.expires_at)),
            message_digest=acceptance.message_digest, position=position, journal_hash=journal_hash,
            refused=tuple(sorted((leg.receiver, leg.code) for leg in acceptance.refused)))

    def _add_rare(self, message: int, acceptance: Acceptance) -> None:
        """What few messages have."""
        header, at = acceptance.header, micros(acceptance.received_at)
        if acceptance.answer_by is not None or acceptance.missed is not None:
            self._write.run(_ADD_REPLY_TERM, message=message, answer_by=maybe_micros(acceptance.answer_by),
                            missed=maybe_micros(acceptance.missed))
        if header.bovenliggend is not None:
            self._write.run(_ADD_PARENT, parent=header.bovenliggend, message=message)
        for leg in acceptance.refused:
            self._write.run(_ADD_REFUSED_LEG, message=message, receiver=leg.receiver, code=leg.code,
                            afzender=header.afzender, conversatie=header.conversatie, received_at=at)
            self._write.chain.append(REFUSED_LEG, at=acceptance.received_at, message=message,
                                     facts=refused_leg_facts(acceptance, leg))

    def _add_message(self, acceptance: Acceptance, node: str, position: int) -> int:
        header = acceptance.header
        return self._write.add(
            _ADD_MESSAGE, node=node, position=position, referentienummer=header.referentienummer,
            afzender=header.afzender, conversatie=header.conversatie, cross=header.cross,
            module=acceptance.key.module, set_version=acceptance.key.version,
            berichttype=acceptance.message_type.berichttype, family=acceptance.message_type.correlates_as,
            versie=header.versie,
            received_at=micros(acceptance.received_at), expires_at=micros(acceptance.expires_at),
            signer_oin=acceptance.proof.signer_oin, message_id=acceptance.message_id,
            message_digest=acceptance.message_digest, body_digest=acceptance.body_digest)

    def _add_proof(self, message: int, proof: Proof) -> tuple[str, str]:
        """Keep the sender's signature; the digests of certificate and signature, hex."""
        certificate = sha256(proof.certificate).hexdigest()
        if certificate not in self._certificates:
            self.certificate = keep_certificate(self._write, proof.certificate)
        self._write.run(
            _ADD_PROOF, message=message, signed_info=proof.signed_info, signature_value=proof.signature_value,
            signature_method=proof.signature_method, certificate=certificate, caller_oin=proof.caller_oin,
            body_reference=proof.body_reference, before=proof.before, after=proof.after)
        return certificate, sha256(proof.signed_info + proof.signature_value).hexdigest()

    def _keep(self, conversation: Conversation) -> int:
        """Write the conversation's new state; its number."""
        if conversation.id is not None:
            self._write.run(_MOVE_CONVERSATION, this=conversation.id, next=conversation.state)
            return conversation.id
        return self._write.add(
            _ADD_CONVERSATION, conversatie=conversation.conversatie, module=conversation.module,
            initiator=conversation.initiator, counterpart=conversation.counterpart, state=conversation.state)

    def _add_delivery(self, message: int, acceptance: Acceptance, receiver: str, conversation: int) -> None:
        bridged, addressed = acceptance.bridged.get(receiver), acceptance.addressed.get(receiver)
        self._write.run(
            _ADD_DELIVERY, message=message, receiver=receiver, conversation=conversation,
            state=_AVAILABLE, received_at=micros(acceptance.received_at),
            expires_at=micros(acceptance.expires_at), set_version=bridged and bridged.key.version,
            berichttype=bridged and bridged.message_type.berichttype, versie=bridged and bridged.message_type.version,
            sealed_to=addressed and addressed.certificate)
        header = acceptance.header
        if header.cross is not None and acceptance.message_type.answers:
            # A message has one delivery in a conversation; who asked or was asked may be somebody else by now.
            self._write.run(_MARK_ANSWERED, question=header.cross, answerer=header.afzender, within=conversation,
                            answer=message)

    def _queue(self, message: int, acceptance: Acceptance, receiver: str, conversation: int, *, opened: bool) -> None:
        """For a party with a service of its own: the outbox gets a row too."""
        delivered = acceptance.bridged.get(receiver, acceptance).message_type
        enter(self._write, message=message, receiver=receiver, conversation=conversation, opened=opened,
              action=action(delivered.namespace, delivered.element), received_at=micros(acceptance.received_at))

    def _add_payloads(self, message: int, acceptance: Acceptance) -> None:
        """Seal what is delivered: as it was sent, when any addressee gets it so, and once in each other version; but
        for those for whom it is encrypted, that and no more.
        """
        others = [one.id for one in acceptance.receivers if one.id not in acceptance.addressed]
        bridged = [acceptance.bridged[one] for one in others if one in acceptance.bridged]
        if len(bridged) < len(others):
            sealed = self._seal(acceptance, acceptance, None)
            self._write.run(_ADD_PAYLOAD, message=message, epoch=sealed.epoch, wrapped=sealed.wrapped,
                            sealed=sealed.octets)
        for version, one in {one.key.version: one for one in bridged}.items():
            sealed = self._seal(acceptance, one, version)
            self._write.run(_ADD_BRIDGED_PAYLOAD, message=message, set_version=version, epoch=sealed.epoch,
                            wrapped=sealed.wrapped, sealed=sealed.octets)

        for receiver, body in acceptance.addressed.items():
            self._add_addressed(message, acceptance, receiver, body)
        if isinstance(acceptance.payload, Parted):
            keep(self._write, acceptance.payload.upload, message)

    def _add_addressed(self, message: int, acceptance: Acceptance, receiver: str, body: EncryptedBody) -> None:
        """The key of the day around the EncryptedKey: once it is destroyed, no copy of it opens for anybody."""
        header, epoch = acceptance.header, epoch_of(acceptance.received_at)
        context = context_of(header.referentienummer, header.afzender, receiver)
        pushed = acceptance.pushed.get(receiver)
        self._write.run(
            _ADD_ADDRESSED_PAYLOAD, message=message, receiver=receiver, epoch=epoch,
            wrapped=self._sealer.keys.wrap(epoch, body.key, context), sealed=body.data, body_id=body.identifier,
            body_digest=body.digest, pushed_wrapped=pushed and self._sealer.keys.wrap(epoch, pushed.key, context),
            pushed_sealed=pushed and pushed.data, pushed_body_id=pushed and pushed.identifier,
            pushed_body_digest=pushed and pushed.digest, pushed_digest=pushed and pushed.message_digest)

    def _seal(self, acceptance: Acceptance, one: Acceptance | Bridged, bridged_to: str | None) -> Sealed:
        header = acceptance.header
        context = context_of(header.referentienummer, header.afzender, bridged_to)
        return self._sealer.seal(pack(one.payload, one.message_digest), context, acceptance.received_at)


def record_notice(write: Write, sealer: Sealer, notice: Acceptance) -> None:
    """Write a message of the hub itself: to one party, under the number of the conversation that it is about.

    Of its own module, so that it is no step of that conversation.
    """
    (receiver,) = notice.receivers
    transaction = SqlTransaction(write, sealer, ())
    present = transaction.conversation(notice, receiver.id) or Conversation(
        id=None, module=notice.key.module, conversatie=notice.header.conversatie, initiator=notice.header.afzender,
        counterpart=receiver.id, state=_TOLD)
    transaction.record(notice, (present,))
