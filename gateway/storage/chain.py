"""The journal's hash chain: one per node, never changed, never shortened.

    leaf_n = SHA-256(0x00 || record_n)        record_n: canonical JSON (records.py)
    hash_n = SHA-256(0x01 || hash_{n-1} || leaf_n)        hash_0: 32 zero octets

The prefixes keep a leaf from being taken for a link (as in RFC 9162 §2.1.1). Whoever holds hash_n holds the whole
order of records up to n; a receipt gives the hash of its own entry away, so the hub can't rewrite what came before.
"""

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Final

from sqlalchemy import bindparam, insert, select, update

from gateway.storage.records import canonical, in_record, micros
from gateway.storage.session import Query, Session
from gateway.storage.tables import chain_heads, entries

START: Final = bytes(32)


def leaf_hash(record: str) -> bytes:
    """The leaf of one record."""
    return sha256(b"\x00" + record.encode()).digest()


def link_hash(previous: bytes, leaf: bytes) -> bytes:
    """The chain's hash after this leaf."""
    return sha256(b"\x01" + previous + leaf).digest()


# FOR UPDATE makes writers of one node take turns; SQLite has no such clause and needs none (BEGIN IMMEDIATE).
_HEAD = Query(select(chain_heads.c.position, chain_heads.c.hash)
              .where(chain_heads.c.node == bindparam("node")).with_for_update(key_share=True))
_OPEN_HEAD = Query(insert(chain_heads).values(
    node=bindparam("node"), position=bindparam("position"), hash=bindparam("hash")))
_MOVE_HEAD = Query(update(chain_heads).where(chain_heads.c.node == bindparam("this"))
                   .values(position=bindparam("to"), hash=bindparam("end")))
_APPEND = Query(insert(entries).values({column.name: bindparam(column.name) for column in entries.c}))
_HASH_AT = Query(select(entries.c.hash).where(
    entries.c.node == bindparam("node"), entries.c.position == bindparam("position")))
_NODES = Query(select(chain_heads.c.node, chain_heads.c.position, chain_heads.c.hash).order_by(chain_heads.c.node))


class Chain:
    """The end of one node's chain during one transaction. The head is read once and written once."""

    __slots__ = ("_head", "_node", "_session", "_stored")

    def __init__(self, session: Session, node: str) -> None:
        self._session = session
        self._node = node
        self._stored: tuple[int, bytes] | None = None
        self._head: tuple[int, bytes] | None = None

    @property
    def node(self) -> str:
        return self._node

    def next_position(self) -> int:
        """The position the next entry will have."""
        return self.mark()[0] + 1

    def append(self, kind: str, *, at: datetime, message: int | None = None,
               facts: dict[str, object]) -> tuple[int, bytes]:
        """Add one entry; its position and hash. `facts` may hold no personal data and no content."""
        moment = micros(at)
        return self.add(kind, moment, message, canonical({**facts, **in_record(kind, moment, message)}))

    def add(self, kind: str, at: int, message: int | None, record: str) -> tuple[int, bytes]:
        """Add one entry whose record is written already, in canonical form and with the three facts before it."""
        position, previous = self.mark()
        leaf = leaf_hash(record)
        after = link_hash(previous, leaf)
        self._session.run(_APPEND, node=self._node, position=position + 1, at=at, kind=kind, message=message,
                          record=record, leaf=leaf, hash=after)
        self._head = (position + 1, after)
        return position + 1, after

    def mark(self) -> tuple[int, bytes]:
        """The present end, to go back to when a work is undone."""
        if self._head is None:
            row = self._session.one(_HEAD, node=self._node)
            if row is None:
                row = (0, START)
                self._session.run(_OPEN_HEAD, node=self._node, position=0, hash=START)
            self._head = self._stored = (row[0], bytes(row[1]))
        return self._head

    def restore(self, mark: tuple[int, bytes]) -> None:
        self._head = mark

    def flush(self) -> tuple[int, bytes] | None:
        """Write the new end down; the last thing before COMMIT. The new end, if there is one."""
        if self._head is None or self._head == self._stored:
            return None
        self._session.run(_MOVE_HEAD, this=self._node, to=self._head[0], end=self._head[1])
        return self._head

    def holds(self, end: tuple[int, bytes]) -> bool:
        """Was this once the chain's end? Nothing that another wrote can have the same hash at the same position."""
        row = self._session.one(_HASH_AT, node=self._node, position=end[0])
        return row is not None and bytes(row[0]) == end[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The end of one node's chain."""

    node: str
    position: int
    hash: bytes


def heads(session: Session) -> list[Head]:
    """The end of every chain, as stored."""
    return [Head(node=node, position=position, hash=bytes(end)) for node, position, end in session.all(_NODES)]
