"""The last step of the line, by what the operation asks: one table, one small function each."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from gateway.errors import (
    TABLE,
    ConversationForeign,
    Draining,
    MailboxUnknown,
    ReceiverUnknown,
    RefusedError,
    SchemaInvalid,
)
from gateway.messagesets import NO_FILES, Catalog, Files, Message, MessageSet
from gateway.parted import Parted, Payload, digest, plain
from gateway.pipeline.bridging import bridge, without
from gateway.pipeline.encryption import encrypt_for_addressees, encryptable
from gateway.pipeline.gate import Gate
from gateway.pipeline.logbook import legs, overview, standing
from gateway.pipeline.packages import fitting
from gateway.pipeline.switches import awake
from gateway.ports import Register, Transaction
from gateway.routing import Refused, address, answer_due, check_reference, expiry, next_state, sift
from gateway.security import Verified, message_octets, tell
from gateway.soap import (
    write_collected,
    write_confirmed,
    write_evidence,
    write_explanation,
    write_log,
    write_overview,
    write_parties,
    write_pong,
    write_receipt,
    write_waiting,
)
from gateway.values import (
    Acceptance,
    Bridged,
    Conversation,
    EncryptedBody,
    Entry,
    Finding,
    Listed,
    Party,
    Permit,
    Proof,
    Question,
    Search,
    Standing,
    Step,
)

_AMSTERDAM: Final = ZoneInfo("Europe/Amsterdam")
_LIST_DEFAULT: Final = 100
_PARTIES_SHOWN: Final = 500  # as many as the answer's schema takes


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Request:
    """A verified, valid request and the party in whose name it speaks."""

    register: Register  # one state of the address book for the whole request
    permit: Permit
    verified: Verified
    message: Message
    sender: Party
    now: datetime
    message_id: str
    takes_mtom: bool = False  # so the answer may have files apart
    parted: Parted | None = None  # the files that came apart from it
    files: Files = field(default_factory=lambda: NO_FILES)  # what is known of them

    def field(self, name: str) -> str | None:
        return self.message.text(name)


def record(request: Request, gate: Gate) -> bytes:
    """address → bridge → choreograph → journal: accept a message and give its receipt, after the commit."""
    message_set = gate.catalog.sets[request.permit.service.key]
    acceptance = accept_message(request, message_set, gate)
    try:
        addressed, refused = _addressed(request, acceptance, message_set, gate)
        entry = gate.journal.transaction(lambda tx: _record(tx, addressed, refused, gate))
    except (RefusedError, Draining):
        # What is allowed may have changed since the first time, or this very moment, when another node took the same
        # message while we waited for its conversation: a repeated request still gets the stored facts.
        known = gate.journal.transaction(lambda tx: tx.known(acceptance))
        if known is None:
            raise
        return write_receipt(known)
    if any(party.push for party in addressed.receivers):
        gate.queued()
    return write_receipt(entry)


def _addressed(
    request: Request, acceptance: Acceptance, message_set: MessageSet, gate: Gate
) -> tuple[Acceptance, tuple[Refused, ...]]:
    """The message with its addressees, what those get who take another version, or alone may read it; and the legs
    that were refused.
    """
    key, message_type = acceptance.key, acceptance.message_type
    bridges = gate.catalog.bridged_to(key, message_type.element)
    asked = address(
        sender=request.sender, header=acceptance.header, message_type=message_type, has_bsn=request.message.has_bsn,
        service=request.permit.service, roles=message_set.roles, register=request.register, on=request.now.date(),
        bridges=bridges,
    )
    asked = awake(request.sender, asked, gate.switches())
    asked, bridged = bridge(acceptance.payload, message_type, key, asked, bridges, gate.catalog, request.files)
    asked = encryptable(asked, acceptance.payload, gate)
    complete = replace(acceptance, receivers=asked.receivers, bridged=bridged)
    return encrypt_for_addressees(complete, gate), asked.refused


def _record(tx: Transaction, acceptance: Acceptance, refused: tuple[Refused, ...], gate: Gate) -> Entry:
    """Write the message for those of its addressees whose conversation allows it, and down who else was refused."""
    known = tx.known(acceptance)
    if known is not None:
        return known
    steps, refused = sift(
        acceptance.receivers, lambda party: _advance(tx, acceptance, party, gate), lambda party: party.id, refused)
    if refused:
        acceptance = without(acceptance, tuple(one.leg for one in refused))
    missed = min((step.missed for step in steps if step.missed is not None), default=None)
    if missed is not None:
        acceptance = replace(acceptance, missed=missed)
    return tx.record(acceptance, tuple(step.conversation for step in steps))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """What a message does to the conversation with one addressee."""

    conversation: Conversation
    missed: datetime | None  # the end of the term in which it should have come, when it answers late


def _advance(tx: Transaction, acceptance: Acceptance, receiver: Party, gate: Gate) -> _Step:
    """The conversation with one addressee, in the state this message brings it to.

    A bridged message must also be allowed by the table of the version in which it arrives: the addressee's software
    knows no other.
    """
    header, message_type, catalog = acceptance.header, acceptance.message_type, gate.catalog
    conversation = tx.conversation(acceptance, receiver.id)
    if conversation is None:
        _check_free(tx, acceptance, receiver)
        conversation = Conversation(
            id=None, module=acceptance.key.module, conversatie=header.conversatie, initiator=header.afzender,
            counterpart=receiver.id, state=catalog.sets[acceptance.key].choreography.initial,
        )
    opening = conversation.id is None
    state = _state(tx, conversation, acceptance, catalog)
    if receiver.id in acceptance.bridged:
        _state(tx, conversation, acceptance.bridged[receiver.id], catalog)
    question = tx.question(conversation, header.cross) if header.cross and not opening else None
    check_reference(message_type, header, question, opening=opening)
    missed = _missed(question, acceptance.received_at, gate) if question and message_type.answers else None
    return _Step(conversation=replace(conversation, state=state), missed=missed)


def _missed(question: Question, now: datetime, gate: Gate) -> datetime | None:
    """The end of the term in which this question was to be answered, if it has passed."""
    asked = gate.catalog.message_type(question.key, question.family)
    if asked is None:
        return None
    due = answer_due(asked, question.asked_at, question.answer_by, gate.is_working_day)
    return due if due is not None and due < now else None


def _check_free(tx: Transaction, acceptance: Acceptance, receiver: Party) -> None:
    """May this sender open a conversation under this number with this addressee?

    Raises  ConversationForeign; whoever writes to a party that merged into another learns to whom it should have.
    """
    module, number = acceptance.key.module, acceptance.header.conversatie
    initiator = tx.initiator(module, number)
    if initiator is None:
        return
    heir = tx.successor(module, number, receiver.id)
    if heir is not None:
        error = ConversationForeign("the conversation went over to another party")
        error.findings = (Finding(
            xpath="/", rule="conversatie-overgegaan", nl=f"De conversatie is overgegaan naar deelnemer {heir}.",
            en=f"The conversation has gone over to party {heir}."),)
        raise error
    if initiator != acceptance.header.afzender:
        raise ConversationForeign("the number is in use between other parties")


def _state(tx: Transaction, conversation: Conversation, message: Acceptance | Bridged, catalog: Catalog) -> str:
    """The state after a message, by the table of its version."""
    message_type = message.message_type
    limited = message_type.max_per_conversation is not None and conversation.id is not None
    seen = tx.count(conversation, message_type.correlates_as) if limited else 0
    table = catalog.sets[message.key].choreography
    return next_state(table, conversation.state, message_type, message.outcomes, seen)


def accept_message(request: Request, message_set: MessageSet, gate: Gate) -> Acceptance:
    """What the journal must know of a valid message, but for its addressees. Raises SchemaInvalid."""
    message, verified, operation = request.message, request.verified, request.permit.operation
    header, message_type = message.header, operation.message_type
    assert header is not None, "validate() gave a message of a module"
    assert message_type is not None, "Step.RECORD has a message type"
    if header.vervalt_op is not None and header.vervalt_op <= request.now:
        place = f"/{message_set.prefix}:{operation.name}/kn:Berichtheader/kn:Stuurgegevens/kn:VervaltOp"
        raise SchemaInvalid((Finding(xpath=place, rule="vervalt-op", nl="VervaltOp ligt niet in de toekomst.",
                                     en="VervaltOp does not lie in the future."),))
    octets, before, after = message_octets(verified.body, verified.child, verified.body_inclusive)
    payload = octets if request.parted is None else request.parted.of(octets)
    days = message_type.expires_working_days or gate.term_days
    expires_at = expiry(request.now, days, gate.is_working_day)
    return Acceptance(
        key=request.permit.service.key, header=header, message_type=message_type, receivers=(),
        outcomes=message.outcomes, answer_by=message.answer_by, payload=payload,
        message_digest=digest(payload),
        body_digest=verified.body_digest, message_id=request.message_id, received_at=request.now,
        expires_at=min(expires_at, header.vervalt_op) if header.vervalt_op else expires_at,
        proof=Proof(
            signed_info=verified.signed_info, signature_value=verified.signature_value,
            signature_method=verified.signature_method, certificate=verified.token, signer_oin=verified.signer.oin,
            caller_oin=request.permit.caller.oin, body_reference=verified.body_reference, before=before, after=after,
        ),
    )


def waiting(request: Request, gate: Gate) -> bytes:
    """HaalBerichtenlijstOp: read-only, oldest first."""
    found = gate.mailbox.waiting(
        request.sender.id, berichttype=request.field("Berichttype"),
        conversatie=_lower(request.field("ConversatieReferentienummer")),
        limit=int(request.field("Maximum") or _LIST_DEFAULT),
    )
    return write_waiting(_standings(found, request, gate))


def _standings(found: list[Listed], request: Request, gate: Gate) -> list[tuple[Listed, Standing]]:
    return [(one, standing(one, request.sender.id, gate, request.now)) for one in found]


def collect(request: Request, gate: Gate) -> Payload | EncryptedBody:
    """HaalBerichtOp: the message in an envelope of the hub; may be repeated until confirmed."""
    number = _lower(request.field("Referentienummer")) or ""
    fits = fitting(gate.limits.max_octets, mtom=request.takes_mtom)
    listed, content = gate.mailbox.collect(request.sender.id, number, request.now, fits)
    if isinstance(content, EncryptedBody):  # written when the message was accepted; since then the hub can't read it
        return content
    answer = write_collected(listed.referentienummer, listed.received_at, digest(content), plain(content))
    return content.of(answer) if isinstance(content, Parted) else answer


def confirm(request: Request, gate: Gate) -> bytes:
    """BevestigBericht: per number, and the content is erased."""
    numbers = tuple(number.lower() for number in request.message.fields.get("Referentienummer", ()))
    return write_confirmed(gate.mailbox.confirm(request.sender.id, numbers, request.now), TABLE[MailboxUnknown].code)


def find_parties(request: Request, gate: Gate) -> bytes:
    """ZoekDeelnemer: active parties that fit every given field."""
    found = request.register.find(
        naam=request.field("Naam"), kvk=request.field("KvKNummer"), vestigingsnummer=request.field("Vestigingsnummer"),
        rol=request.field("Organisatietype"), module=request.field("Module"),
    )
    return write_parties("ZoekDeelnemer", found[:_PARTIES_SHOWN])


def show_party(request: Request, gate: Gate) -> bytes:
    """HaalDeelnemerOp. Raises ReceiverUnknown."""
    party = request.register.by_id(_lower(request.field("Identificatie")) or "")
    if party is None or not party.active:
        raise ReceiverUnknown("no such party")
    return write_parties("HaalDeelnemerOp", (party,))


def search_log(request: Request, gate: Gate) -> bytes:
    """ZoekLogboek: own messages only (docs/contract.md §9)."""
    search = Search(
        senders=_with_role(request.field("AfzenderOrganisatietype"), request.register),
        receivers=_with_role(request.field("OntvangerOrganisatietype"), request.register),
        party=request.sender.id, referentienummer=_lower(request.field("Referentienummer")),
        conversatie=_lower(request.field("ConversatieReferentienummer")),
        cross=_lower(request.field("CrossReferentienummer")), afzender=_lower(request.field("Afzender")),
        ontvanger=_lower(request.field("Ontvanger")), berichttype=request.field("Berichttype"),
        versie=request.field("Versie"), opgehaald=_boolean(request.field("Opgehaald")),
        bevestigd=_boolean(request.field("Bevestigd")), since=_midnight(request.field("VanafDatum")),
        until=_midnight(request.field("TotDatum")),
    )
    return write_log(_standings(gate.mailbox.search(search), request, gate))


def survey(request: Request, gate: Gate) -> bytes:
    """HaalConversatieOverzicht: what became of all the caller sent under a number, per addressee, and counted."""
    number = _lower(request.field("ConversatieReferentienummer")) or ""
    rows = _standings(legs(request.sender.id, number, gate), request, gate)
    return write_overview(overview(rows, gate), rows)


def prove(request: Request, gate: Gate) -> bytes:
    """HaalBewijsOp: the evidence file of a message the caller sent or is an addressee of. Raises MailboxUnknown."""
    number = _lower(request.field("Referentienummer")) or ""
    file = gate.evidence.file(request.sender.id, number, afzender=_lower(request.field("Afzender")), now=request.now)
    return write_evidence(number, file)


def explain_fault(request: Request, gate: Gate) -> bytes:
    """HaalFoutToelichtingOp: why a request of the caller was refused, or of a party it acts for.

    Raises MailboxUnknown, for another's ticket and for none alike.
    """
    refusal = gate.journal.refused((request.field("Ticket") or "").lower())
    caller = request.permit.caller
    if refusal is None or refusal.caller_oin not in {caller.oin, *caller.acts_for}:
        raise MailboxUnknown("no refusal of this caller has the ticket")
    return write_explanation(refusal, tell(refusal.explained))


def ping(request: Request, gate: Gate) -> bytes:
    """Ping: the way in works, up to and including the signature."""
    return write_pong(gate.name, gate.software, request.now)


LAST_STEPS: Final[Mapping[Step, Callable[[Request, Gate], Payload | EncryptedBody]]] = {
    Step.RECORD: record,
    Step.LIST: waiting,
    Step.COLLECT: collect,
    Step.CONFIRM: confirm,
    Step.FIND_PARTIES: find_parties,
    Step.SHOW_PARTY: show_party,
    Step.SEARCH_LOG: search_log,
    Step.OVERVIEW: survey,
    Step.PROVE: prove,
    Step.EXPLAIN_FAULT: explain_fault,
    Step.PING: ping,
}


def _with_role(role: str | None, register: Register) -> frozenset[str] | None:
    return register.with_role(role) if role is not None else None


def _lower(value: str | None) -> str | None:
    return value.lower() if value is not None else None


def _boolean(value: str | None) -> bool | None:
    return None if value is None else value in ("true", "1")


def _midnight(value: str | None) -> datetime | None:
    """The start of a Dutch calendar day, in UTC."""
    if value is None:
        return None
    try:
        return datetime.fromisoformat(value).replace(tzinfo=_AMSTERDAM).astimezone(UTC)
    except OverflowError:  # the first or last day there is: no bound
        return None
