"""The evidence file of one message or refusal: what the store knows, in the form that security writes and checks."""

from datetime import datetime

from gateway import ports
from gateway.pipeline import Signers
from gateway.security import (
    EvidenceFacts,
    Journal,
    JournalLine,
    JournalProof,
    JournalStretch,
    ProvenLine,
    RefusalFacts,
    SigningKey,
    write_evidence,
)
from gateway.storage import CoveredBy, Evidence, Journaled, Reports, Stretch


class EvidenceFiles(ports.Evidence):
    """What HaalBewijsOp gives: the journal as far as it is signed by then, and the rest as a stretch of the chain."""

    def __init__(self, reports: Reports, signing: tuple[SigningKey, ...]) -> None:
        self._reports, self._signing = reports, signing

    def file(self, party: str, referentienummer: str, *, afzender: str | None, now: datetime) -> bytes:
        """See ports.Evidence."""
        return evidence_file(self._reports, referentienummer, afzender=afzender, party=party, signing=self._signing,
                             now=now)


def evidence_file(
    reports: Reports, referentienummer: str, *, afzender: str | None, signing: tuple[SigningKey, ...], now: datetime,
    party: str | None = None,
) -> bytes:
    """The signed file of a message, as far as `party` may see it. Raises MailboxUnknown, SigningError."""
    facts = _facts(referentienummer, reports.evidence_of(referentienummer, afzender=afzender, party=party))
    return write_evidence(facts, Signers(keys=signing).matching(None, now), now)


def refusal_file(reports: Reports, ticket: str, *, signing: tuple[SigningKey, ...], now: datetime) -> bytes:
    """The signed file of a refusal. Raises MailboxUnknown, SigningError."""
    facts = RefusalFacts(ticket=ticket, journals=_journals(reports.evidence_of_refusal(ticket)))
    return write_evidence(facts, Signers(keys=signing).matching(None, now), now)


def _facts(referentienummer: str, found: Evidence) -> EvidenceFacts:
    return EvidenceFacts(referentienummer=referentienummer, proof=found.proof, receipts=found.receipts,
                         journals=_journals(found))


def _journals(found: Journaled) -> tuple[Journal, ...]:
    records = {(one.node, one.position): one.record for one in found.recorded}
    return (*map(_proof, found.covered), *(_stretch(stretch, records) for stretch in found.stretches))


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
