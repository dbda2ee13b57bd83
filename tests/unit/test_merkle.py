"""Merkle trees and proofs against the definitions of RFC 9162, written out naively and recursively."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.merkle import EMPTY, Growing, consistency_proof, consistent, fold, included, inclusion_proof, node_hash

LEAVES = [sha256(b"\x00" + bytes([number])).digest() for number in range(130)]


def mth(leaves: list[bytes]) -> bytes:
    """RFC 9162 §2.1.1, word for word."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return sha256(b"\x01" + mth(leaves[:k]) + mth(leaves[k:])).digest()


def path(m: int, leaves: list[bytes]) -> list[bytes]:
    """RFC 9162 §2.1.3.1."""
    if len(leaves) == 1:
        return []
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    if m < k:
        return [*path(m, leaves[:k]), mth(leaves[k:])]
    return [*path(m - k, leaves[k:]), mth(leaves[:k])]


def subproof(m: int, leaves: list[bytes], whole: bool) -> list[bytes]:
    """RFC 9162 §2.1.4.1."""
    if m == len(leaves):
        return [] if whole else [mth(leaves)]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    if m <= k:
        return [*subproof(m, leaves[:k], whole), mth(leaves[k:])]
    return [*subproof(m - k, leaves[k:], False), mth(leaves[:k])]


def subtree(start: int, end: int) -> bytes:
    return mth(LEAVES[start:end])


sizes = st.integers(1, len(LEAVES))


@given(st.integers(0, len(LEAVES)))
def test_roots_are_those_of_the_definition(size: int) -> None:
    growing = Growing()
    for leaf in LEAVES[:size]:
        growing.add(leaf)
    assert growing.root() == fold(LEAVES[:size]) == mth(LEAVES[:size])
    assert growing.size == size


def test_growing_tells_every_subtree_that_is_full() -> None:
    growing, told = Growing(), {}
    for number, leaf in enumerate(LEAVES):
        for height, made in enumerate(growing.add(leaf)):
            told[height, number >> height] = made
    assert told == {(height, number): mth(LEAVES[number << height:number + 1 << height])
                    for height in range(8) for number in range(len(LEAVES) >> height)}


@given(sizes, st.data())
def test_inclusion_proof_is_that_of_the_definition_and_holds(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    proof = inclusion_proof(index, size, subtree)
    assert list(proof) == path(index, LEAVES[:size])
    assert len(proof) <= size.bit_length()
    assert included(LEAVES[index], index, size, proof, mth(LEAVES[:size]))


@given(sizes, st.data())
def test_inclusion_proof_of_anything_else_does_not_hold(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    proof, root = inclusion_proof(index, size, subtree), mth(LEAVES[:size])
    other = data.draw(st.integers(0, size + 1).filter(lambda other: other != index))
    assert not included(LEAVES[index], other, size, proof, root)
    assert not included(LEAVES[index - 1], index, size, proof, root) or size == 1
    assert not included(LEAVES[index], index, size, (*proof, EMPTY), root)
    assert not included(LEAVES[index], index, size, proof, EMPTY)
    assert not included(LEAVES[index], -1, size, proof, root)
    if proof:
        assert not included(LEAVES[index], index, size, proof[1:], root)
        wrong = data.draw(st.integers(0, len(proof) - 1))
        assert not included(LEAVES[index], index, size, (*proof[:wrong], EMPTY, *proof[wrong + 1:]), root)


@given(sizes, st.data())
def test_consistency_proof_is_that_of_the_definition_and_holds(new: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(1, new))
    proof = consistency_proof(old, new, subtree)
    assert list(proof) == subproof(old, LEAVES[:new], True)
    assert consistent(old, mth(LEAVES[:old]), new, mth(LEAVES[:new]), proof)


@given(sizes, st.data())
def test_no_consistency_proof_joins_two_histories(new: int, data: st.DataObject) -> None:
    """A leaf changed in the old part: neither the old proof nor the new tree's own proof links to the old root."""
    old = data.draw(st.integers(1, new))
    at = data.draw(st.integers(0, old - 1))
    forged = [*LEAVES[:at], EMPTY, *LEAVES[at + 1:new]]
    old_root = mth(LEAVES[:old])
    for proof in (consistency_proof(old, new, subtree),
                  consistency_proof(old, new, lambda start, end: mth(forged[start:end]))):
        assert not consistent(old, old_root, new, mth(forged), proof)
        assert not consistent(old, old_root, new, mth(LEAVES[:new]), (*proof, EMPTY))
    if old < new:
        assert not consistent(old, old_root, new, mth(LEAVES[:new]), ())
    assert not consistent(0, EMPTY, new, mth(LEAVES[:new]), ())
    assert not consistent(new + 1, old_root, new, mth(LEAVES[:new]), proof)


def test_vectors_of_certificate_transparency() -> None:
    """The tree of eight leaves that the CT reference implementation (certificate-transparency-go) is tested with."""
    inputs = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
    leaves = [sha256(b"\x00" + bytes.fromhex(one)).digest() for one in inputs]
    assert fold(leaves).hex() == "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"
    assert fold(leaves[:3]).hex() == "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"
    proof = inclusion_proof(5, 8, lambda start, end: fold(leaves[start:end]))
    assert proof[0].hex() == "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"


@pytest.mark.parametrize("size", [1, 2, 3])
def test_leaf_and_node_are_told_apart(size: int) -> None:
    assert node_hash(LEAVES[0], LEAVES[1]) != sha256(b"\x00" + LEAVES[0] + LEAVES[1]).digest()
    assert fold(LEAVES[:size]) != EMPTY
