"""The Merkle tree over the leaves of one node's chain (merkle.py), with the roots of its larger subtrees kept.

Kept are the roots of full subtrees of 2^8, 2^16, 2^24 … leaves; so a root or a proof reads at most 256 hashes per
height, however long the journal. What is not kept yet is made from below. The rows are only ever added, by whoever
writes a checkpoint: appending an entry costs nothing more than before.
"""

from itertools import pairwise
from typing import Final

from sqlalchemy import bindparam, insert, select

from gateway.merkle import fold
from gateway.storage.session import Query, Session
from gateway.storage.tables import entries, subtrees

_STEP: Final = 8  # heights kept are its multiples: one kept hash for 256 of the height below
_WIDTH: Final = 1 << _STEP

_LEAVES = Query(select(entries.c.leaf).where(
    entries.c.node == bindparam("node"), entries.c.position > bindparam("first"),
    entries.c.position <= bindparam("last")).order_by(entries.c.position))
_KEPT = Query(select(subtrees.c.hash).where(
    subtrees.c.node == bindparam("node"), subtrees.c.height == bindparam("height"),
    subtrees.c.number >= bindparam("first"), subtrees.c.number < bindparam("last")).order_by(subtrees.c.number))
_LAST_KEPT = Query(select(subtrees.c.number).where(
    subtrees.c.node == bindparam("node"), subtrees.c.height == bindparam("height"))
    .order_by(subtrees.c.number.desc()).limit(1))
_KEEP = Query(insert(subtrees).values({column.name: bindparam(column.name) for column in subtrees.c}))


class Tree:
    """The tree of one node as one session sees it. Leaf 0 is the entry at position 1."""

    __slots__ = ("_node", "_session")

    def __init__(self, session: Session, node: str) -> None:
        self._session = session
        self._node = node

    def subtree(self, start: int, end: int) -> bytes:
        """The hash of the leaves from `start` to before `end` (merkle.Subtree). They must be there.

        `start` is a multiple of a power of two that is at least end - start, as in every proof.
        """
        height = 0
        while end - start > _WIDTH << height:
            height += _STEP
        hashes = self._full(height, start >> height, end >> height)
        whole = end >> height << height
        if whole < end:
            hashes.append(self.subtree(whole, end))
        return fold(hashes)

    def root(self, size: int) -> bytes:
        """The root of the first `size` leaves."""
        return self.subtree(0, size)

    def missing(self, size: int, limit: int) -> list[tuple[int, int, bytes]]:
        """Up to `limit` full subtrees of the first `size` leaves that are not kept yet: height, number, root."""
        made: list[tuple[int, int, bytes]] = []
        height = _STEP
        while size >> height:
            row = self._session.one(_LAST_KEPT, node=self._node, height=height)
            first = 0 if row is None else int(row[0]) + 1
            numbers = range(first, min(size >> height, first + limit - len(made)))
            made += [(height, number, self.subtree(number << height, number + 1 << height)) for number in numbers]
            height += _STEP
        return made

    def keep(self, made: list[tuple[int, int, bytes]]) -> None:
        """Keep these, save those that another process kept meanwhile; the session must be a writing one."""
        for height, number, hash_ in made:
            if not self._kept(height, number, number + 1):
                self._session.run(_KEEP, node=self._node, height=height, number=number, hash=hash_)

    def _full(self, height: int, first: int, last: int) -> list[bytes]:
        """The roots of full subtrees of this height, from number `first` to before `last`."""
        if height == 0:
            return [bytes(leaf) for (leaf,) in self._session.all(_LEAVES, node=self._node, first=first, last=last)]
        found = self._kept(height, first, last)
        bounds = [number << height for number in range(first + len(found), last + 1)]
        return found + [self.subtree(start, end) for start, end in pairwise(bounds)]

    def _kept(self, height: int, first: int, last: int) -> list[bytes]:
        return [bytes(hash_) for (hash_,) in self._session.all(
            _KEPT, node=self._node, height=height, first=first, last=last)]
