"""A store that was put back from a copy, and lost what was committed after it (docs/decisions/0029).

Its chains end where the copy ends and grow no further: two entries with one position in one chain would be two
histories under the hub's signature, and receipts of both are with parties. A node goes on under a new name. The first
entry of its new chain, `restored`, says of each chain where it ended and what the hub is known to have signed beyond.
A chain without such an entry has none; so it is found by its position alone, and the retention rule leaves it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from json import loads

from sqlalchemy import bindparam, select

from gateway.errors import Misconfigured
from gateway.storage.chain import START, heads
from gateway.storage.engine import Store
from gateway.storage.records import OPERATOR, RESTORED
from gateway.storage.session import Query, Session
from gateway.storage.tables import entries
from gateway.storage.tree import Tree
from gateway.storage.writer import Write

_FIRST = Query(select(entries.c.kind, entries.c.record).where(
    entries.c.node == bindparam("node"), entries.c.position == 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """A state of one node's journal that somebody kept outside the database: a published checkpoint, say."""

    node: str
    size: int
    root: bytes
    chain: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """Where a chain ended, as a restore declares."""

    node: str
    size: int  # 0: the copy has nothing of it
    hash: bytes
    signed: int = 0  # entries that the hub is known to have signed and the copy does not have; 0: none known
    root: bytes = b""
    by: str = ""  # the node whose first entry says so; "": none yet

    def explains(self, known: State) -> bool:
        """Is this state one of what was lost?"""
        return known.size > self.size or (known.size, known.root) == (self.signed, self.root)


class Restores:
    """What restores the journals of one store tell of."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def ended(self) -> dict[str, Ended]:
        """Every chain that may not grow, by its node."""
        with self._store.read() as session:
            return ended(session)

    def continues(self, known: State) -> bool:
        """Does the store's journal of that node begin with this state?"""
        with self._store.read() as session:
            return _continues(session, known)

    def departed(self, published: Sequence[State]) -> list[State]:
        """Which of these states the store's journals do not continue, and no restore declares."""
        with self._store.read() as session:
            known = ended(session)
            return [one for one in published
                    if not _continues(session, one) and not (one.node in known and known[one.node].explains(one))]

    def declare(self, published: Sequence[State], *, who: str, why: str, now: datetime) -> list[Ended]:
        """Begin this node's chain by ending all others; those that ended. Raises Misconfigured: it has entries."""
        def work(write: Write) -> list[Ended]:
            found = _endings(write, published)
            if write.chain.node in {one.node for one in found}:
                node = write.chain.node
                raise Misconfigured(f"the journal of {node} ends where the copy ends; give this node another name "
                                    f"first: [hub] node = \"{next_name(node)}\" in gateway.toml")
            write.chain.append(RESTORED, at=now, facts={"chains": [_facts(one) for one in found]})
            # An entry of its own: a name and a reason are subject to the retention rule, where chains end is not.
            write.chain.append(OPERATOR, at=now, facts={"action": "db restored", "who": who, "why": why})
            return found
        return self._store.write(work)


def ended(session: Session) -> dict[str, Ended]:
    """Every chain that has ended, by its node. Where two restores name one, the earlier end counts."""
    found: dict[str, Ended] = {}
    for head in heads(session):
        row = session.one(_FIRST, node=head.node)
        if row is None or row[0] != RESTORED:
            continue
        for facts in loads(row[1])["chains"]:
            one = Ended(node=facts["node"], size=facts["size"], hash=bytes.fromhex(facts["hash"]),
                        signed=facts.get("signed", 0), root=bytes.fromhex(facts.get("root", "")), by=head.node)
            if one.node not in found or one.size < found[one.node].size:
                found[one.node] = one
    return found


def next_name(node: str) -> str:
    """A name for the node that goes on: hub, hub-2, hub-3 …"""
    stem, _, number = node.rpartition("-")
    return f"{stem}-{int(number) + 1}" if stem and number.isdecimal() else f"{node}-2"


def _endings(session: Session, published: Sequence[State]) -> list[Ended]:
    """The end of every chain that the store has or that was published."""
    found = {head.node: Ended(node=head.node, size=head.position, hash=head.hash)
             for head in heads(session) if head.position}
    for state in published:
        end = found.setdefault(state.node, Ended(node=state.node, size=0, hash=START))
        if state.size > end.signed and not _continues(session, state):
            found[state.node] = replace(end, signed=state.size, root=state.root)
    return sorted(found.values(), key=lambda one: one.node)


def _facts(one: Ended) -> dict[str, object]:
    facts: dict[str, object] = {"node": one.node, "size": one.size, "hash": one.hash.hex()}
    return {**facts, "signed": one.signed, "root": one.root.hex()} if one.signed else facts


def _continues(session: Session, known: State) -> bool:
    size = next((head.position for head in heads(session) if head.node == known.node), 0)
    return known.size <= size and Tree(session, known.node).root(known.size) == known.root
