"""What the store knows of one message, or one refusal, for good: proof, digests, events, and what ties those to the
journal.

Entries that a checkpoint covers come with their inclusion proof in its tree; the others with the stretch of chain from
the first of them to its end. Taken from kept metadata alone, so it is the same before and after the content is erased.
Records of other messages are not given away: of those only the leaf, which is a digest.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256

from sqlalchemy import and_, bindparam, select

from gateway.errors import MailboxUnknown
from gateway.merkle import inclusion_proof
from gateway.push_values import PushProof
from gateway.storage.chain import START, Head
from gateway.storage.checkpoints import SignedCheckpoint, covering
from gateway.storage.legs import refused_of
from gateway.storage.push_tables import push_proofs
from gateway.storage.records import CONFIRMED, entry_of
from gateway.storage.session import Query, Row, Session
from gateway.storage.tables import certificates, chain_heads, deliveries, entries, messages, proofs, refusals
from gateway.storage.tree import Tree
from gateway.values import Entry, Proof


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """One entry of the journal, as it stands there."""

    node: str
    position: int
    kind: str
    record: str  # canonical JSON; its leaf is chain.leaf_hash(record)
    hash: bytes  # of the chain after this entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """A stretch of one node's chain: `previous` and the leaves, linked in order, give `end.hash`."""

    first: int  # position of leaves[0]
    previous: bytes  # the chain's hash before it
    leaves: tuple[bytes, ...]
    end: Head


@dataclass(frozen=True, slots=True, kw_only=True)
class Covered:
    """One entry, and its inclusion proof in the tree of the checkpoint it is listed under."""

    recorded: Recorded
    previous: bytes  # the chain's hash before it
    path: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CoveredBy:
    """The entries of this message that one checkpoint covers."""

    checkpoint: SignedCheckpoint
    entries: tuple[Covered, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Journaled:
    """Entries of the journal, and their place in it."""

    recorded: tuple[Recorded, ...]  # oldest first; of a message the first is its acceptance
    covered: tuple[CoveredBy, ...]  # those with a checkpoint at or after them: the first time-stamped one, if any
    stretches: tuple[Stretch, ...]  # the others: one per node that wrote one of them


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence(Journaled):
    """Everything an evidence file needs of one message."""

    entry: Entry  # the receipt's facts
    afzender: str
    body_digest: bytes
    proof: Proof
    receipts: tuple[tuple[str, PushProof], ...]  # what addressees (id) signed to whom it was pushed


_FACTS = (
    select(messages.c.id, messages.c.node, messages.c.position, messages.c.afzender, messages.c.body_digest,
           messages.c.signer_oin, proofs.c.signed_info, proofs.c.signature_value,
           proofs.c.signature_method, certificates.c.der, proofs.c.caller_oin, proofs.c.body_reference,
           proofs.c.before, proofs.c.after)
    .select_from(messages.join(proofs, proofs.c.message == messages.c.id)
                 .join(certificates, certificates.c.sha256 == proofs.c.certificate))
    .where(messages.c.referentienummer == bindparam("referentienummer")).order_by(messages.c.id))
_BY_NUMBER = Query(_FACTS)
_BY_NUMBER_AND_SENDER = Query(_FACTS.where(messages.c.afzender == bindparam("afzender")))
_RECORDED = Query(
    select(entries.c.node, entries.c.position, entries.c.kind, entries.c.record, entries.c.hash)
    .where(entries.c.message == bindparam("message")).order_by(entries.c.at, entries.c.node, entries.c.position))
_RECEIPTS = Query(
    select(push_proofs.c.receiver, push_proofs.c.signed_info, push_proofs.c.signature_value,
           push_proofs.c.signature_method, push_proofs.c.body, push_proofs.c.body_reference, certificates.c.der)
    .select_from(push_proofs.join(certificates, certificates.c.sha256 == push_proofs.c.certificate))
    .where(push_proofs.c.message == bindparam("message")).order_by(push_proofs.c.receiver))
_IS_ADDRESSEE = Query(select(deliveries.c.message).where(deliveries.c.message == bindparam("message"),
                                                        deliveries.c.receiver == bindparam("party")))
_REFUSED = Query(
    select(entries.c.node, entries.c.position, entries.c.kind, entries.c.record, entries.c.hash)
    .select_from(refusals.join(
        entries, and_(entries.c.node == refusals.c.node, entries.c.position == refusals.c.position)))
    .where(refusals.c.ticket == bindparam("ticket")))
_HEAD = Query(select(chain_heads.c.position).where(chain_heads.c.node == bindparam("node")))
_HASH_AT = Query(select(entries.c.hash).where(entries.c.node == bindparam("node"),
                                              entries.c.position == bindparam("position")))
_LEAVES = Query(
    select(entries.c.leaf)
    .where(and_(entries.c.node == bindparam("node"), entries.c.position >= bindparam("first"),
                entries.c.position <= bindparam("last")))
    .order_by(entries.c.position))


def recorded_of(session: Session, message: int) -> tuple[Recorded, ...]:
    """The journal's entries about one message, oldest first."""
    return tuple(map(_recorded, session.all(_RECORDED, message=message)))


def gather(session: Session, referentienummer: str, afzender: str | None, party: str | None = None) -> Evidence:
    """The evidence of one message.

    `party`: only if this party sent it or is an addressee, and then nothing of what other addressees did with it.
    Raises MailboxUnknown when there is no such message, or two senders used the number and none was named.
    """
    rows = (session.all(_BY_NUMBER, referentienummer=referentienummer) if afzender is None else
            session.all(_BY_NUMBER_AND_SENDER, referentienummer=referentienummer, afzender=afzender))
    if party is not None:
        rows = [row for row in rows if party == row[3] or session.one(_IS_ADDRESSEE, message=row[0], party=party)]
    if len(rows) != 1:
        raise MailboxUnknown(f"{len(rows)} messages have the number {referentienummer}"
                             + ("; name the sender" if rows else ""))
    row = rows[0]
    recorded = recorded_of(session, row[0])
    if party not in (None, row[3]):
        recorded = tuple(one for one in recorded if _concerns(json.loads(one.record), party))
    accepted = next(item for item in recorded if (item.node, item.position) == (row[1], row[2]))
    covered, stretches = _placed(session, recorded)
    return Evidence(
        receipts=tuple(_receipts(session, row[0], recorded)),
        entry=entry_of(accepted.position, accepted.hash, accepted.record, refused=refused_of(session, row[0])),
        afzender=row[3], body_digest=bytes(row[4]), proof=_proof(row), recorded=recorded, covered=covered,
        stretches=stretches,
    )


def _concerns(record: dict[str, object], party: str | None) -> bool:
    """Is it about the message as a whole, or about what this addressee, or the one before it, did with it?"""
    return record.get("ontvanger") in (None, party) or record.get("naar") == party


def _receipts(session: Session, message: int, recorded: Iterable[Recorded]) -> Iterator[tuple[str, PushProof]]:
    """The kept receipts by which a delivery ended; of one that came later the journal says nothing."""
    ended = {json.loads(one.record).get("receipt") for one in recorded if one.kind == CONFIRMED}
    for receiver, *facts in session.all(_RECEIPTS, message=message):
        info, value, method, body, reference, certificate = facts
        if sha256(bytes(info) + bytes(value)).hexdigest() in ended:
            yield receiver, PushProof(signed_info=bytes(info), signature_value=bytes(value), signature_method=method,
                                      body=bytes(body), body_reference=reference, certificate=bytes(certificate))


def gather_refusal(session: Session, ticket: str) -> Journaled:
    """The entry of the refusal whose fault carried this ticket. Raises MailboxUnknown."""
    row = session.one(_REFUSED, ticket=ticket)
    if row is None or not row[3]:  # "": dropped by the retention rule
        raise MailboxUnknown(f"no refusal has the ticket {ticket}")
    recorded = (_recorded(row),)
    covered, stretches = _placed(session, recorded)
    return Journaled(recorded=recorded, covered=covered, stretches=stretches)


def _recorded(row: Row) -> Recorded:
    node, position, kind, record, end = row
    return Recorded(node=node, position=position, kind=kind, record=record, hash=bytes(end))


def _placed(session: Session, recorded: tuple[Recorded, ...]) -> tuple[tuple[CoveredBy, ...], tuple[Stretch, ...]]:
    """What ties these entries to the journal."""
    covered, loose = _sorted_out(session, recorded)
    return covered, tuple(_stretch(session, node, min(item.position for item in loose if item.node == node))
                          for node in dict.fromkeys(item.node for item in loose))


def _sorted_out(session: Session, recorded: Iterable[Recorded]) -> tuple[tuple[CoveredBy, ...], list[Recorded]]:
    """The entries by the checkpoint that covers them, and those that none does yet."""
    groups: dict[tuple[str, int], CoveredBy] = {}
    loose = []
    for item in recorded:
        checkpoint = covering(session, item.node, item.position)
        if checkpoint is None:
            loose.append(item)
            continue
        key = (checkpoint.node, checkpoint.size)
        found = groups.get(key) or CoveredBy(checkpoint=checkpoint, entries=())
        path = inclusion_proof(item.position - 1, checkpoint.size, Tree(session, item.node).subtree)
        entry = Covered(recorded=item, previous=_hash_at(session, item.node, item.position - 1), path=path)
        groups[key] = CoveredBy(checkpoint=found.checkpoint, entries=(*found.entries, entry))
    return tuple(groups.values()), loose


def _proof(row: Row) -> Proof:
    return Proof(
        signer_oin=row[5], signed_info=bytes(row[6]), signature_value=bytes(row[7]), signature_method=row[8],
        certificate=bytes(row[9]), caller_oin=row[10], body_reference=row[11],
        before=None if row[12] is None else bytes(row[12]), after=None if row[13] is None else bytes(row[13]),
    )


def _stretch(session: Session, node: str, first: int) -> Stretch:
    head = session.one(_HEAD, node=node)
    last = head[0] if head is not None else first
    return Stretch(
        first=first, previous=_hash_at(session, node, first - 1),
        leaves=tuple(bytes(leaf) for (leaf,) in session.all(_LEAVES, node=node, first=first, last=last)),
        end=Head(node=node, position=last, hash=_hash_at(session, node, last)),
    )


def _hash_at(session: Session, node: str, position: int) -> bytes:
    """The chain's hash after this entry; at 0, where it starts."""
    row = session.one(_HASH_AT, node=node, position=position)
    return START if row is None else bytes(row[0])
