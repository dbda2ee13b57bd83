"""The hub's signed checkpoints of each node's journal: what there is to sign, what was signed, and proofs between them.

The store does not read a note; whoever signs hands over its octets, and who checks them gets them back. A checkpoint is
added only if the one before is still the newest: two processes that make one at once make one.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, insert, select, update

from gateway.errors import MailboxUnknown
from gateway.merkle import consistency_proof
from gateway.storage.chain import Head, heads
from gateway.storage.engine import Store
from gateway.storage.records import maybe_moment, micros, moment_of
from gateway.storage.session import Query, Row, Session
from gateway.storage.tables import certificates, checkpoints, entries
from gateway.storage.tree import Tree
from gateway.storage.writer import Write

_KEEP_AT_ONCE = 64  # subtree hashes made per reading, each over 256 hashes below it
_COLUMNS = (checkpoints.c.node, checkpoints.c.size, checkpoints.c.at, checkpoints.c.stamped_at, checkpoints.c.note,
            certificates.c.der)
_SELECT = select(*_COLUMNS).select_from(
    checkpoints.join(certificates, certificates.c.sha256 == checkpoints.c.certificate))
_NEWEST = Query(_SELECT.where(checkpoints.c.node == bindparam("node")).order_by(checkpoints.c.size.desc()).limit(1))
_NEWEST_STAMPED = Query(select(checkpoints.c.stamped_at).where(
    checkpoints.c.node == bindparam("node"), checkpoints.c.stamped_at.is_not(None))
    .order_by(checkpoints.c.size.desc()).limit(1))
_COVERING = _SELECT.where(checkpoints.c.node == bindparam("node"), checkpoints.c.size >= bindparam("position")) \
    .order_by(checkpoints.c.size).limit(1)
_FIRST_COVERING = Query(_COVERING)
_FIRST_STAMPED = Query(_COVERING.where(checkpoints.c.stamped_at.is_not(None)))
_OF_NODE = Query(_SELECT.where(checkpoints.c.node == bindparam("node")).order_by(checkpoints.c.size))
_ADD = Query(insert(checkpoints).values({column.name: bindparam(column.name) for column in checkpoints.c}))
_STAMP = Query(update(checkpoints)
               .where(checkpoints.c.node == bindparam("this"), checkpoints.c.size == bindparam("of"))
               .values(note=bindparam("stamped"), stamped_at=bindparam("when")))
_HAS_CERTIFICATE = Query(select(certificates.c.sha256).where(certificates.c.sha256 == bindparam("sha256")))
_ADD_CERTIFICATE = Query(insert(certificates).values(sha256=bindparam("sha256"), der=bindparam("der")))
_HASH_AT = Query(select(entries.c.hash).where(entries.c.node == bindparam("node"),
                                              entries.c.position == bindparam("position")))


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedCheckpoint:
    """A checkpoint as it is stored."""

    node: str
    size: int
    at: datetime
    stamped_at: datetime | None
    note: bytes
    certificate: bytes  # DER


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """The present end of one node's journal, to be signed."""

    node: str
    size: int
    root: bytes
    chain: bytes  # hash of the chain at that size
    previous: SignedCheckpoint | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Consistency:
    """Two states of one journal, and the proof that the second continues the first (RFC 9162 §2.1.4)."""

    node: str
    old: int
    old_root: bytes
    new: int
    new_root: bytes
    proof: tuple[bytes, ...]


class Checkpoints:
    """The checkpoints of one store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def newest(self, node: str) -> SignedCheckpoint | None:
        """The last checkpoint of this node."""
        with self._store.read() as session:
            return newest(session, node)

    def newest_stamp(self, node: str) -> datetime | None:
        """The time of this node's last time-stamp."""
        with self._store.read() as session:
            row = session.one(_NEWEST_STAMPED, node=node)
        return None if row is None else maybe_moment(row[0])

    def ends(self) -> list[tuple[Head, SignedCheckpoint | None]]:
        """The end of every chain, and its last checkpoint."""
        with self._store.read() as session:
            return [(head, newest(session, head.node)) for head in heads(session)]

    def all(self) -> list[SignedCheckpoint]:
        """Every checkpoint, by node and size."""
        with self._store.read() as session:
            return [one for head in heads(session) for one in of_node(session, head.node)]

    def draft(self, node: str) -> Draft | None:
        """What there is to sign of a node's journal; None when nothing came after its last checkpoint."""
        self._keep_subtrees(node)
        with self._store.read() as session:
            head = next((head for head in heads(session) if head.node == node), None)
            previous = newest(session, node)
            if head is None or head.position <= (previous.size if previous else 0):
                return None
            return Draft(node=node, size=head.position, root=Tree(session, node).root(head.position), chain=head.hash,
                         previous=previous)

    def add(self, draft: Draft, *, note: bytes, at: datetime, certificate: bytes, digest: str) -> bool:
        """Keep a signed draft; False when another came between. `digest`: SHA-256 of the certificate, hex."""
        def work(write: Write) -> bool:
            if _size(newest(write, draft.node)) != _size(draft.previous):
                return False
            if write.one(_HAS_CERTIFICATE, sha256=digest) is None:
                write.run(_ADD_CERTIFICATE, sha256=digest, der=certificate)
            write.run(_ADD, node=draft.node, size=draft.size, at=micros(at), stamped_at=None, note=note,
                      certificate=digest)
            return True
        return self._store.write(work)

    def stamp(self, checkpoint: SignedCheckpoint, *, note: bytes, at: datetime) -> bool:
        """Put a time-stamped note in place of one without; False when it is stamped, or no longer the newest.

        The next checkpoint holds the digest of this one's note: from then on the note stays as it is.
        """
        def work(write: Write) -> bool:
            present = newest(write, checkpoint.node)
            if present is None or present.size != checkpoint.size or present.stamped_at is not None:
                return False
            write.run(_STAMP, this=checkpoint.node, of=checkpoint.size, stamped=note, when=micros(at))
            return True
        return self._store.write(work)

    def consistency(self, node: str, old: int, new: int) -> Consistency:
        """Proof between two sizes of a journal, whether or not they were signed. Raises MailboxUnknown."""
        with self._store.read() as session:
            if not 0 < old <= new or session.one(_HASH_AT, node=node, position=new) is None:
                raise MailboxUnknown(f"the journal of {node} has no states {old} and {new}, in this order")
            tree = Tree(session, node)
            return Consistency(node=node, old=old, old_root=tree.root(old), new=new, new_root=tree.root(new),
                               proof=consistency_proof(old, new, tree.subtree))

    def _keep_subtrees(self, node: str) -> None:
        """In steps, so that the first checkpoint of a long journal holds nobody up."""
        while True:
            with self._store.read() as session:
                size = next((head.position for head in heads(session) if head.node == node), 0)
                made = Tree(session, node).missing(size, _KEEP_AT_ONCE)
            if not made:
                return
            self._store.write(lambda write, made=made: Tree(write, node).keep(made))  # type: ignore[misc]


def newest(session: Session, node: str) -> SignedCheckpoint | None:
    """The last checkpoint of this node."""
    return _signed(session.one(_NEWEST, node=node))


def of_node(session: Session, node: str) -> list[SignedCheckpoint]:
    """Every checkpoint of this node, by size."""
    return [_checkpoint(row) for row in session.all(_OF_NODE, node=node)]


def covering(session: Session, node: str, position: int) -> SignedCheckpoint | None:
    """The first checkpoint with a time-stamp that covers this entry, or else the first without."""
    return (_signed(session.one(_FIRST_STAMPED, node=node, position=position))
            or _signed(session.one(_FIRST_COVERING, node=node, position=position)))


def _signed(row: Row | None) -> SignedCheckpoint | None:
    return None if row is None else _checkpoint(row)


def _checkpoint(row: Row) -> SignedCheckpoint:
    node, size, at, stamped_at, note, certificate = row
    return SignedCheckpoint(node=node, size=size, at=moment_of(at), stamped_at=maybe_moment(stamped_at),
                            note=bytes(note), certificate=bytes(certificate))


def _size(checkpoint: SignedCheckpoint | None) -> int:
    return 0 if checkpoint is None else checkpoint.size
