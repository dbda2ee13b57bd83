"""The evidence file of one message: what the store knows, in the form that security writes and checks."""

from datetime import datetime

from gateway.pipeline import Signers
from gateway.security import (
    EvidenceFacts,
    JournalLine,
    JournalProof,
    JournalStretch,
    ProvenLine,
    SigningKey,
    write_evidence,
)
from gateway.storage import CoveredBy, Evidence, Reports, Stretch


def evidence_file(
    reports: Reports, referentienummer: str, *, afzender: str | None, signing: tuple[SigningKey, ...], now: datetime
) -> bytes:
    """The signed file. Raises MailboxUnknown, SigningError."""
    facts = _facts(referentienummer, reports.evidence_of(referentienummer, afzender=afzender))
    return write_evidence(facts, Signers(keys=signing).matching(None, now), now)


def _facts(referentienummer: str, found: Evidence) -> EvidenceFacts:
    records = {(one.node, one.position): one.record for one in found.recorded}
    return EvidenceFacts(
        referentienummer=referentienummer, proof=found.proof,
        journals=(*map(_proof, found.covered), *(_stretch(stretch, records) for stretch in found.stretches)))


def _proof(covered: CoveredBy) -> JournalProof:
    checkpoint = covered.checkpoint
    return JournalProof(
        node=checkpoint.node, note=checkpoint.note, certificate=checkpoint.certificate,
        lines=tuple(ProvenLine(position=one.recorded.position, record=one.recorded.record, before=one.previous,
                               path=one.path) for one in covered.entries))


def _stretch(stretch: Stretch, records: dict[tuple[str, int], str]) -> JournalStretch:
    node = stretch.end.node
    return JournalStretch(
        node=node, before=stretch.previous, head=stretch.end.hash,
        lines=tuple(JournalLine(position=position, leaf=leaf, record=records.get((node, position)))
                    for position, leaf in enumerate(stretch.leaves, start=stretch.first)))
