"""What an evidence file says of the journal (kn:Journaal), written, read and checked.

Entries that a signed checkpoint covers stand with their inclusion proof: a few hashes, however busy the hub was. Those
that none covers yet stand in a stretch of the chain up to its end, with the leaves of everything between.
"""

from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from cryptography import x509

from gateway.errors import GatewayError
from gateway.merkle import included, node_hash
from gateway.names import KN, clark
from gateway.security.checkpoint import Note, check_checkpoint, read_checkpoint
from gateway.security.timestamp import check_token, stamped_at
from gateway.soap import Element, leaf, stamp

_CHECKPOINT = clark(KN, "Controlepunt")


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceCheck:
    """One thing that holds, does not, or could not be asked (None)."""

    name: str
    holds: bool | None
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalLine:
    """One entry of the chain: its leaf, and its record when it is about this message."""

    position: int
    leaf: bytes
    record: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalStretch:
    """A stretch of one node's chain, without a gap."""

    node: str
    before: bytes  # the chain's hash before the first line
    lines: tuple[JournalLine, ...]
    head: bytes  # the chain's hash after the last line

    def holds(self) -> bool:
        """hash_n = SHA-256(0x01 || hash_{n-1} || leaf_n); leaf = SHA-256(0x00 || record); positions without a gap."""
        hash_, expected = self.before, None
        for line in self.lines:
            if (expected is not None and line.position != expected) or not _has_leaf(line):
                return False
            hash_, expected = node_hash(hash_, line.leaf), line.position + 1
        return bool(self.lines) and hash_ == self.head

    @property
    def detail(self) -> str:
        return f"{len(self.lines)} regel(s) tot hash {self.head.hex()[:16]}…"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvenLine:
    """One entry about this message, and its place in the tree of a checkpoint."""

    position: int
    record: str
    before: bytes  # the chain's hash before it: with the leaf it gives the JournaalHash of the receipt
    path: tuple[bytes, ...]  # inclusion proof, RFC 9162 §2.1.3

    @property
    def leaf(self) -> bytes:
        return sha256(b"\x00" + self.record.encode()).digest()


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalProof:
    """Entries of one node that one checkpoint covers."""

    node: str
    note: bytes  # security/checkpoint.py
    certificate: bytes  # DER, that the checkpoint is signed with
    lines: tuple[ProvenLine, ...]

    def holds(self) -> bool:
        """Is each line in the tree whose root the checkpoint signs?"""
        checkpoint = read_checkpoint(self.note).checkpoint
        return bool(self.lines) and checkpoint.node == self.node and all(
            included(line.leaf, line.position - 1, checkpoint.size, line.path, checkpoint.root) for line in self.lines)

    @property
    def detail(self) -> str:
        checkpoint = read_checkpoint(self.note).checkpoint
        return f"{len(self.lines)} regel(s) in controlepunt {checkpoint.size} van {stamp(checkpoint.at)}"


Journal = JournalStretch | JournalProof


def write_journal(journal: Journal) -> str:
    """The kn:Journaal element in canonical form."""
    if isinstance(journal, JournalStretch):
        lines = "".join(
            f"<kn:Regel>{leaf('kn:Positie', str(line.position))}{leaf('kn:Blad', line.leaf.hex())}"
            f"{leaf('kn:Record', line.record)}</kn:Regel>"
            for line in journal.lines
        )
        inner = f"{leaf('kn:HashVoor', journal.before.hex())}{lines}{leaf('kn:HashNa', journal.head.hex())}"
    else:
        lines = "".join(
            f"<kn:Regel>{leaf('kn:Positie', str(line.position))}{leaf('kn:Record', line.record)}"
            f"{leaf('kn:HashVoor', line.before.hex())}{leaf('kn:Pad', ' '.join(step.hex() for step in line.path))}"
            "</kn:Regel>"
            for line in journal.lines
        )
        inner = (f"{leaf('kn:Controlepunt', b64encode(journal.note).decode())}"
                 f"{leaf('kn:ControlepuntCertificaat', b64encode(journal.certificate).decode())}{lines}")
    return f"<kn:Journaal>{leaf('kn:Knoop', journal.node)}{inner}</kn:Journaal>"


def read_journal(element: Element) -> Journal:
    """What `write_journal` wrote; raises ValueError and the like for what it did not."""
    node, note = _field(element, "Knoop"), element.findtext(_CHECKPOINT)
    rows = element.findall(clark(KN, "Regel"))
    if note is None:
        return JournalStretch(
            node=node, before=bytes.fromhex(_field(element, "HashVoor")), head=bytes.fromhex(_field(element, "HashNa")),
            lines=tuple(JournalLine(position=int(_field(row, "Positie") or 0), leaf=bytes.fromhex(_field(row, "Blad")),
                                    record=row.findtext(clark(KN, "Record"))) for row in rows),
        )
    return JournalProof(
        node=node, note=b64decode(note), certificate=b64decode(_field(element, "ControlepuntCertificaat")),
        lines=tuple(ProvenLine(
            position=int(_field(row, "Positie") or 0), record=_field(row, "Record"),
            before=bytes.fromhex(_field(row, "HashVoor")),
            path=tuple(bytes.fromhex(step) for step in _field(row, "Pad").split())) for row in rows),
    )


def check_token_of(note: Note, tsa_anchors: Sequence[bytes]) -> list[EvidenceCheck]:
    """The time-stamp of a checkpoint; nothing where it has none."""
    name = "tijdstempel op het controlepunt"
    if note.token is None:
        return []
    try:
        if not tsa_anchors:
            detail = f"{stamp(stamped_at(note.token))}; geen anker van de tijdstempeldienst opgegeven"
            return [EvidenceCheck(name=name, holds=None, detail=detail)]
        stamped = check_token(note.token, note.text, tsa_anchors)
    except GatewayError as error:
        return [EvidenceCheck(name=name, holds=False, detail=error.detail)]
    signer = stamped.signer.subject.rfc4514_string()
    return [EvidenceCheck(name=name, holds=True, detail=f"bestond op {stamp(stamped.at)}, volgens {signer}")]


def check_note(proof: JournalProof, hub_oin: str) -> tuple[Note, EvidenceCheck]:
    """The checkpoint's signature, by the certificate beside it and in the name of the hub that wrote the file."""
    note = read_checkpoint(proof.note)
    name = "controlepunt van het knooppunt"
    try:
        check_checkpoint(note, proof.certificate)
    except GatewayError as error:
        return note, EvidenceCheck(name=name, holds=False, detail=error.detail)
    if note.checkpoint.oin != hub_oin:
        return note, EvidenceCheck(name=name, holds=False, detail=f"van OIN {note.checkpoint.oin}")
    detail = f"{note.checkpoint.size} regels van {proof.node}, {stamp(note.checkpoint.at)}"
    return note, EvidenceCheck(name=name, holds=True,
                               detail=detail + ("" if note.token else "; zonder tijdstempel van een derde"))


def signer_of(proof: JournalProof) -> x509.Certificate:
    """The certificate beside the checkpoint. Raises ValueError."""
    return x509.load_der_x509_certificate(proof.certificate)


def _has_leaf(line: JournalLine) -> bool:
    return line.record is None or sha256(b"\x00" + line.record.encode()).digest() == line.leaf


def _field(element: Element, name: str) -> str:
    return element.findtext(clark(KN, name)) or ""
