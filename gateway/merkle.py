"""The Merkle tree of RFC 9162 §2.1 over leaf hashes: roots, inclusion and consistency proofs, and their verification.

Pure. Making a proof asks for hashes of stretches of leaves, so whoever stores them decides how (storage/tree.py);
checking one needs nothing but the proof. A leaf hash is SHA-256(0x00 || entry), as in the journal's chain.
"""

from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Final

EMPTY: Final = sha256(b"").digest()  # the root of a tree without leaves

# The hash of the leaves from `start` to before `end`: what RFC 9162 writes as MTH(D[start:end]).
Subtree = Callable[[int, int], bytes]


def node_hash(left: bytes, right: bytes) -> bytes:
    """The node above two others."""
    return sha256(b"\x01" + left + right).digest()


def fold(hashes: Sequence[bytes]) -> bytes:
    """The root over leaf hashes; or over the roots of equally large full subtrees, of which only the last may be less.

    Pairs are joined level by level and an odd one rises as it is, which gives the tree of §2.1.1.
    """
    if not hashes:
        return EMPTY
    level = list(hashes)
    while len(level) > 1:
        joined = [node_hash(left, right) for left, right in zip(level[::2], level[1::2], strict=False)]
        level = joined + level[len(joined) * 2:]
    return level[0]


class Growing:
    """The tree of leaves that come one by one, in memory that grows with the logarithm of their number."""

    __slots__ = ("_full", "size")

    def __init__(self) -> None:
        self.size = 0
        self._full: list[bytes] = []  # roots of the full subtrees, largest first: one per 1 in the binary size

    def add(self, leaf: bytes) -> list[bytes]:
        """One leaf more; the roots of the subtrees it made full, from height 0 (the leaf) upwards."""
        made, size = [leaf], self.size
        while size & 1:
            made.append(node_hash(self._full.pop(), made[-1]))
            size >>= 1
        self._full.append(made[-1])
        self.size += 1
        return made

    def root(self) -> bytes:
        """The root over all leaves so far."""
        if not self._full:
            return EMPTY
        root = self._full[-1]
        for left in reversed(self._full[:-1]):
            root = node_hash(left, root)
        return root


def inclusion_proof(index: int, size: int, subtree: Subtree) -> tuple[bytes, ...]:
    """The path of leaf `index` (the first is 0) in the tree of `size` leaves: PATH of RFC 9162 §2.1.3.1."""
    start, end, path = 0, size, []
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append(subtree(middle, end))
            end = middle
        else:
            path.append(subtree(start, middle))
            start = middle
    return tuple(reversed(path))


def consistency_proof(old: int, new: int, subtree: Subtree) -> tuple[bytes, ...]:
    """That the tree of `new` leaves begins with that of `old` ones, 0 < old <= new: PROOF of RFC 9162 §2.1.4.1."""
    start, end, path = 0, new, []
    while old != end:
        middle = start + _split(end - start)
        if old <= middle:
            path.append(subtree(middle, end))
            end = middle
        else:
            path.append(subtree(start, middle))
            start = middle
    if start:  # else the old root itself, which the verifier has
        path.append(subtree(start, end))
    return tuple(reversed(path))


def included(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Does the path lead from this leaf hash at `index` to the root of `size` leaves? RFC 9162 §2.1.3.2."""
    if not 0 <= index < size:
        return False
    fn, sn, found = index, size - 1, leaf
    for step in proof:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            found = node_hash(step, found)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            found = node_hash(found, step)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and found == root


def consistent(old: int, old_root: bytes, new: int, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """Is the tree of `old` leaves the beginning of that of `new` ones, 0 < old <= new? RFC 9162 §2.1.4.2."""
    if not 0 < old <= new:
        return False
    if old == new:
        return not proof and old_root == new_root
    path = [old_root, *proof] if old & (old - 1) == 0 else list(proof)
    if not path:
        return False
    fn, sn = old - 1, new - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    first = second = path[0]
    for step in path[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            first, second = node_hash(step, first), node_hash(step, second)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            second = node_hash(second, step)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and first == old_root and second == new_root


def _split(count: int) -> int:
    """The largest power of two below `count`, which is at least 2: where the tree of so many leaves divides."""
    return 1 << (count - 1).bit_length() - 1
