"""Walking whole journals: is every entry what was once written, in its place, and in its time?

One pass over the entries of each node recomputes leaf, chain and Merkle tree, and meets on its way every kept subtree
hash, every checkpoint and every state that somebody kept elsewhere. Time grows with the number of entries, memory with
its logarithm. Whether a checkpoint's signature holds is another room's knowledge and is asked through `Judge`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from sqlalchemy import bindparam, func, select

from gateway.database import Database
from gateway.errors import StorageError
from gateway.merkle import Growing
from gateway.storage.chain import START, Head, heads, leaf_hash, link_hash
from gateway.storage.checkpoints import SignedCheckpoint
from gateway.storage.databases import Connection, engine_of
from gateway.storage.pruning import Leave, leave_for
from gateway.storage.records import DROPPED, in_record, maybe_moment, micros, moment_of, read_record
from gateway.storage.restores import Ended, State, ended
from gateway.storage.session import Query, Row, Session, Statements
from gateway.storage.tables import certificates, chain_heads, checkpoints, entries, subtrees

BACKWARDS: Final = timedelta(minutes=5)  # a request may wait, and clocks of processes differ; more is back-dating
_BACKWARDS: Final = BACKWARDS // timedelta(microseconds=1)

_WALK = Query(select(entries.c.node, entries.c.position, entries.c.at, entries.c.kind, entries.c.message,
                     entries.c.record, entries.c.leaf, entries.c.hash)
              .where(entries.c.node == bindparam("node")).order_by(entries.c.position))
_CHECKPOINTS = Query(
    select(checkpoints.c.node, checkpoints.c.size, checkpoints.c.at, checkpoints.c.stamped_at, checkpoints.c.note,
           certificates.c.der)
    .select_from(checkpoints.outerjoin(certificates, certificates.c.sha256 == checkpoints.c.certificate))
    .where(checkpoints.c.node == bindparam("node")).order_by(checkpoints.c.size))
_SUBTREES = Query(select(subtrees.c.number, subtrees.c.hash).where(
    subtrees.c.node == bindparam("node"), subtrees.c.height == bindparam("height")).order_by(subtrees.c.number))
_HEIGHTS = Query(select(subtrees.c.height).where(subtrees.c.node == bindparam("node"))
                 .group_by(subtrees.c.height).order_by(subtrees.c.height))
_NEXT_NODE = tuple(Query(select(func.min(table.c.node)).where(table.c.node > bindparam("after")))
                   for table in (chain_heads, entries, checkpoints, subtrees))


@dataclass(frozen=True, slots=True, kw_only=True)
class Computed:
    """What the entries themselves give where a checkpoint stands, and the checkpoint before it as it is stored."""

    root: bytes
    chain: bytes
    previous: SignedCheckpoint | None


# Why a stored checkpoint does not hold; empty when it does.
Judge = Callable[[SignedCheckpoint, Computed], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainReport:
    """What a walk over one node's journal found."""

    node: str
    entries: int  # that hold, from position 1
    hash: bytes  # after the last one that holds
    checkpoints: int = 0  # that hold
    stamped: int = 0  # of those, with a time-stamp
    sealed: int = 0  # entries that the last of them covers
    ended: Ended | None = None  # at a restore, with what is known to be lost
    broken_at: int | None = None  # the first position that does not hold
    reason: str = ""

    @property
    def holds(self) -> bool:
        return self.broken_at is None


def verify_chain(where: str | Database, progress: Callable[[int], None] | None = None, *, judge: Judge | None = None,
                 published: Sequence[State] = ()) -> list[ChainReport]:
    """Walk every journal of a database from its first entry, in one snapshot; one report per node.

    Finds a changed record, a wrong column, another order, a gap, a cut end, a head that is not the end, a time that
    goes back by more than BACKWARDS, a kept hash of the tree that is not the tree's; and with `judge` and `published`
    also a history that was made anew as a whole: the checkpoints no longer fit. `progress` is told now and then how
    many entries were read. May run while the gateway runs. Raises Misconfigured, StorageError.
    """
    engine = engine_of(where)
    engine.require()
    connection: Connection | None = None
    try:
        connection = opened = engine.connect()
        statements = Statements(engine.dialect)
        first = opened.cursor()
        first.execute(engine.begin_read)
        counter = _Counter(progress)
        stored = {head.node: head for head in heads(Session(first, statements))}
        walk = _Walk(lambda: Session(engine.walker(opened), statements), judge or _believe, counter)
        nodes = sorted({*walk.nodes(), *(one.node for one in published)}, key=str)
        return [walk.node(node, stored.get(node), [one for one in published if one.node == node]) for node in nodes]
    except engine.error as cause:
        raise StorageError(f"the journal could not be read: {type(cause).__name__}") from cause
    finally:
        if connection is not None:
            connection.close()


def _believe(checkpoint: SignedCheckpoint, computed: Computed) -> str:
    """Without a judge nothing is known of signatures."""
    return ""


class _Counter:
    """Counts entries of all nodes together."""

    def __init__(self, tell: Callable[[int], None] | None) -> None:
        self._tell, self._count = tell, 0

    def one(self) -> None:
        self._count += 1
        if self._tell is not None and self._count % 1000 == 0:
            self._tell(self._count)


class _Walk:
    """The walk over one snapshot."""

    def __init__(self, session: Callable[[], Session], judge: Judge, counter: _Counter) -> None:
        self._session, self._judge, self._counter = session, judge, counter
        self._ended = ended(session())

    def nodes(self) -> set[str]:
        """Every node that any table of the journal knows."""
        session, found = self._session(), set()
        for query in _NEXT_NODE:
            after = ""
            while (row := session.one(query, after=after)) is not None and row[0] is not None:
                after = row[0]
                found.add(after)
        return found

    def node(self, node: str, head: Head | None, published: Sequence[State]) -> ChainReport:
        """One node's journal, until its end or the first thing that does not hold."""
        done = 0
        try:
            run = _Run(node, self._session, self._judge, published, self._ended.get(node))
            for row in self._session().stream(_WALK, node=node):
                self._counter.one()
                broken = run.step(row)
                if broken is not None:
                    return broken
                done += 1
            return run.close(head)
        except (TypeError, ValueError, OverflowError) as error:  # text where a number stood, a time beyond all times
            return ChainReport(node=node, entries=done, hash=START, broken_at=done + 1,
                               reason=f"a column holds what does not belong there: {type(error).__name__}")


class _Run:
    """The state of a walk over one node's journal."""

    def __init__(self, node: str, session: Callable[[], Session], judge: Judge, published: Sequence[State],
                 ended: Ended | None) -> None:
        self._report = ChainReport(node=node, entries=0, hash=START, ended=ended)
        self._ended = ended
        self._tree = Growing()
        self._leave = leave_for(session(), node)
        self._time = 0  # of the latest entry or checkpoint, microseconds
        self._judge = judge
        self._published = sorted((one for one in published if ended is None or not ended.explains(one)),
                                 key=lambda one: one.size)
        self._checkpoints = (_checkpoint(row) for row in session().stream(_CHECKPOINTS, node=node))
        self._next = next(self._checkpoints, None)
        self._previous: SignedCheckpoint | None = None
        heights = [int(height) for (height,) in session().all(_HEIGHTS, node=node)]
        self._kept = {height: session().stream(_SUBTREES, node=node, height=height) for height in heights}
        self._hashes: dict[int, Row | None] = {height: next(rows, None) for height, rows in self._kept.items()}

    def step(self, row: Row) -> ChainReport | None:
        """One entry further; the report of why not."""
        _, position, at, _, _, _, leaf, after = row
        expected = self._report.entries + 1
        if position != expected:
            return self._broken(expected, f"entry {expected} is missing; the next one is {position}")
        reason = _wrong(row, self._report.hash, self._leave)
        if not reason and at < self._time - _BACKWARDS:
            reason = f"its time is {timedelta(microseconds=self._time - at)} before what stands before it"
        if not reason:
            reason = self._grow(leaf)
        if reason:
            return self._broken(expected, reason)
        self._time = max(self._time, at)
        self._report = replace(self._report, entries=expected, hash=after)
        return self._meet()

    def close(self, head: Head | None) -> ChainReport:
        """The end: the head is that of the last entry, and nothing speaks of entries that are not there."""
        report = self._report
        if head is None and self._ended is not None and self._ended.size == 0:
            return report
        if head is None:
            return self._broken(report.entries, "the chain has no head")
        if head.position != report.entries:
            return self._broken(report.entries + 1,
                                f"the head says {head.position}, the last entry is {report.entries}")
        if head.hash != report.hash:
            return self._broken(report.entries, "the head does not have the hash of the last entry")
        if self._ended is not None and (self._ended.size, self._ended.hash) != (report.entries, report.hash):
            return self._broken(min(self._ended.size, report.entries) + 1,
                                f"it ended at {self._ended.size}, as {self._ended.by} says since a restore")
        beyond = [one.size for one in (self._next, *self._published) if one is not None]
        if beyond:
            return self._broken(report.entries + 1,
                                f"a checkpoint covers {max(beyond)} entries, the last entry is {report.entries}")
        if any(self._hashes.values()):
            return self._broken(report.entries + 1, "a hash of the tree is kept for entries that are not there")
        return report

    def _grow(self, leaf: bytes) -> str:
        """The tree with one leaf more; why a kept hash is not the tree's."""
        for height, made in enumerate(self._tree.add(leaf)):
            kept = self._hashes.get(height)
            if kept is None:
                continue
            number = self._tree.size - 1 >> height
            if (int(kept[0]), bytes(kept[1])) != (number, made):
                return f"the kept hash {kept[0]} of height {height} is not that of the tree"
            self._hashes[height] = next(self._kept[height], None)
        return ""

    def _meet(self) -> ChainReport | None:
        """What others say of the journal as far as it now is: published states and checkpoints."""
        report = self._report
        while self._published and self._published[0].size == report.entries:
            known = self._published.pop(0)
            if (known.root, known.chain) != (self._tree.root(), report.hash):
                return self._broken(report.sealed + 1, f"{self._stretch()} are not those that were published")
        if self._next is None or self._next.size > report.entries:
            return None
        one, root = self._next, self._tree.root()
        reason = "" if one.size == report.entries else "it covers no entry"
        if not reason and self._time > micros(one.at) + _BACKWARDS:
            reason = "its time is before that of what it covers"
        reason = reason or self._judge(one, Computed(root=root, chain=report.hash, previous=self._previous))
        if reason:
            return self._broken(report.sealed + 1, f"{self._stretch()} and their checkpoint: {reason}")
        self._time = max(self._time, micros(one.at))
        self._report = replace(report, checkpoints=report.checkpoints + 1, sealed=one.size,
                               stamped=report.stamped + (one.stamped_at is not None))
        self._previous, self._next = one, next(self._checkpoints, None)
        return None

    def _stretch(self) -> str:
        return f"entries {self._report.sealed + 1} to {self._report.entries}"

    def _broken(self, position: int, reason: str) -> ChainReport:
        return replace(self._report, broken_at=position, reason=reason)


def _wrong(row: Row, before: bytes, leave: Leave) -> str:
    """Why an entry does not follow from the hash before it; empty when it does."""
    _, position, at, kind, message, record, leaf, after = row
    dropped = record == DROPPED
    if dropped and (message is not None or not leave.covers(position, at)):
        return "the record is missing, and no entry says that it was dropped by the retention rule"
    if not dropped and (not isinstance(record, str) or leaf_hash(record) != leaf):
        return "the record does not have its leaf"
    if link_hash(before, leaf) != after:
        return "the hash does not follow from the entry before"
    if not dropped and read_record(record) != in_record(kind, at, message):
        return "the columns are not those of the record"
    return ""


def _checkpoint(row: Row) -> SignedCheckpoint:
    node, size, at, stamped_at, note, certificate = row
    return SignedCheckpoint(node=node, size=size, at=moment_of(at), stamped_at=maybe_moment(stamped_at),
                            note=bytes(note), certificate=bytes(certificate or b""))
