"""Files of messages that came apart from them (MTOM): implements ports.Spool.

Files are written while they arrive, in sealed pieces, some 400 kB to a commit: before the message that they belong to
is accepted, all of them are durable. Every upload has a data key, which stays in memory until the message is accepted
and then lies in the message's own sealed payload, under the key of its day (parted.py): what was cut off before nobody
can ever open, and with the payload that is erased the files are gone, in that very transaction. What is left of both is
noise, and is swept away piece by piece.

A piece is sealed by AES-256-GCM. Its nonce says which file it is of, the how manieth it is and whether it is the last:
so their order, their end and their belonging are authenticated (STREAM: Hoang, Reyhanitabar, Rogaway, Vizár, CRYPTO
2015). No nonce comes twice, as the key is of one upload and each piece is written once.
"""

import os
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import bindparam, delete, insert, or_, select, update
from sqlalchemy import exists as exists_

from gateway import ports
from gateway.errors import StorageError
from gateway.parted import Parted, Place
from gateway.storage.engine import Store
from gateway.storage.records import micros
from gateway.storage.session import Query
from gateway.storage.tables import bridged_payloads, file_pieces, payloads, uploads
from gateway.storage.vault import KEY
from gateway.storage.writer import Write

PIECE: Final = 393_216  # octets of a file in one row: 3 × 2^17, so that each but the last is whole groups of base64
ARRIVING: Final = "arriving"  # or a crash left it
KEPT: Final = "kept"  # of an accepted message
_GONE: Final = "gone"  # nobody can open it any more
_ABANDONED: Final = timedelta(hours=3)  # no request lasts so long (transport/packages.py)
_AT_ONCE: Final = 8  # pieces deleted in one transaction: nobody waits long behind 3 MB
_LOOKED_AT: Final = 200  # uploads in one look

_BEGIN = Query(insert(uploads).values({name: bindparam(name) for name in ("id", "state", "at", "octets")}))
_STATE = Query(select(uploads.c.state).where(uploads.c.id == bindparam("upload")).with_for_update())
_SET_STATE = Query(update(uploads).where(uploads.c.id == bindparam("upload")).values(
    state=bindparam("next"), message=bindparam("of")))
_GREW = Query(update(uploads).where(uploads.c.id == bindparam("upload")).values(
    octets=uploads.c.octets + bindparam("more")))
_THIS = (file_pieces.c.upload == bindparam("upload"), file_pieces.c.file == bindparam("number"),
         file_pieces.c.piece == bindparam("place"))
_HAS_PIECE = Query(select(file_pieces.c.piece).where(*_THIS))
_ADD_PIECE = Query(insert(file_pieces).values({column.name: bindparam(column.name) for column in file_pieces.c}))
_PIECE = Query(select(file_pieces.c.sealed).where(*_THIS))
_SOME_PIECES = Query(select(file_pieces.c.file, file_pieces.c.piece).where(file_pieces.c.upload == bindparam("upload"))
                     .order_by(file_pieces.c.file, file_pieces.c.piece).limit(_AT_ONCE))
_DROP_PIECE = Query(delete(file_pieces).where(*_THIS))
_DROP_UPLOAD = Query(delete(uploads).where(uploads.c.id == bindparam("upload")))
_IN_STATE = (uploads.c.state == bindparam("state"), uploads.c.id > bindparam("after"))
_LOOK = Query(select(uploads.c.id, uploads.c.at).where(*_IN_STATE).order_by(uploads.c.id).limit(_LOOKED_AT))
_ERASED = Query(
    select(uploads.c.id, uploads.c.at, ~or_(
        exists_(select(payloads.c.message).where(payloads.c.message == uploads.c.message)),
        exists_(select(bridged_payloads.c.message).where(bridged_payloads.c.message == uploads.c.message))))
    .where(*_IN_STATE).order_by(uploads.c.id).limit(_LOOKED_AT))


class SqlSpool(ports.Spool):
    """The spool of one store."""

    def __init__(self, store: Store, *, random: Callable[[int], bytes] = os.urandom) -> None:
        self._store = store
        self._random = random

    def begin(self, upload: str, now: datetime) -> "Upload":
        """See ports.Spool."""
        return Upload(self._store, upload, self._random(KEY), micros(now))

    def sweep(self, now: datetime) -> int:
        """See ports.Spool."""
        before = micros(now - _ABANDONED)
        gone = [(one, ARRIVING) for one, at, _ in self._all(_LOOK, ARRIVING) if at < before]
        gone += [(one, KEPT) for one, _, erased in self._all(_ERASED, KEPT) if erased]
        for one, state in gone:
            self._store.write(partial(_end, upload=one, state=state))
        rest = [one for one, _, _ in self._all(_LOOK, _GONE)]
        for one in rest:
            drop(self._store, one)
        return len(rest)

    def _all(self, query: Query, state: str) -> Iterator[tuple[str, int, bool]]:
        """Every upload in this state: its id, when it began, and of KEPT whether its message's content is erased."""
        after = ""
        while True:
            with self._store.read() as session:
                rows = session.all(query, state=state, after=after)
            if not rows:
                return
            yield from ((row[0], row[1], len(row) > 2 and bool(row[2])) for row in rows)
            after = rows[-1][0]


class Upload(ports.Upload):
    """See ports.Upload. One thread at a time."""

    def __init__(self, store: Store, upload: str, key: bytes, at: int) -> None:
        self._store, self._upload, self._key, self._at = store, upload, key, at
        self._cipher = AESGCM(key)
        self._file, self._piece, self._held = -1, 0, bytearray()
        self._sealed: list[_Piece] = []  # not written yet
        self._begun = False

    def open(self, number: int) -> None:
        """See ports.Upload."""
        self._file, self._piece = number, 0

    def write(self, octets: bytes) -> None:
        """See ports.Upload. A full piece is sealed when more comes: only then is it known not to be the last."""
        self._held += octets
        while len(self._held) > PIECE:
            piece = bytes(self._held[:PIECE])
            del self._held[:PIECE]
            self._keep(piece, last=False)

    def close(self) -> None:
        """See ports.Upload."""
        piece = bytes(self._held)
        self._held.clear()
        self._keep(piece, last=True)

    def parted(self, octets: bytes, places: tuple[Place, ...]) -> Parted:
        """See ports.Upload."""
        self._flush()
        return parted(self._store, upload=self._upload, key=self._key, octets=octets, places=places)

    def discard(self) -> None:
        """See ports.Upload."""
        self._sealed.clear()
        if self._begun and self._store.write(partial(_end, upload=self._upload, state=ARRIVING)):
            drop(self._store, self._upload)

    def _keep(self, piece: bytes, *, last: bool) -> None:
        sealed = self._cipher.encrypt(_nonce(self._file, self._piece, last=last), piece, None)
        self._sealed.append(_Piece(file=self._file, piece=self._piece, sealed=sealed))
        self._piece += 1
        if sum(len(one.sealed) for one in self._sealed) >= PIECE:
            self._flush()

    def _flush(self) -> None:
        """Write down what is sealed."""
        if self._sealed:
            pieces, self._sealed = tuple(self._sealed), []
            at, self._begun = None if self._begun else self._at, True
            self._store.write(partial(_add, upload=self._upload, pieces=pieces, begun_at=at))


class _Piece(NamedTuple):
    file: int
    piece: int
    sealed: bytes


def parted(store: Store, *, upload: str, key: bytes, octets: bytes, places: tuple[Place, ...]) -> Parted:
    """Octets with the files of an upload; they are read when they are asked for."""
    return Parted(octets=octets, places=places, upload=upload, key=key,
                  read=lambda number: _read(store, upload, key, number, places[number].octets))


def keep(write: Write, upload: str, message: int) -> None:
    """The files belong to this message from now on. Raises StorageError when they were swept away meanwhile."""
    row = write.one(_STATE, upload=upload)
    if row is None or row[0] != ARRIVING:
        raise StorageError("the files took so long to arrive that they were removed")
    write.run(_SET_STATE, upload=upload, next=KEPT, of=message)


def drop(store: Store, upload: str) -> None:
    """Remove what nobody can open, a little at a time."""
    while store.write(partial(_drop_some, upload=upload)):
        pass


def _read(store: Store, upload: str, key: bytes, number: int, size: int) -> Iterator[bytes]:
    """A file, piece by piece, each in a look of its own. Raises StorageError: a piece is gone, moved or changed."""
    cipher, last = AESGCM(key), max(0, -(-size // PIECE) - 1)
    for place in range(last + 1):
        with store.read(large=True) as session:
            row = session.one(_PIECE, upload=upload, number=number, place=place)
        if row is None:
            raise StorageError("a piece of a file is missing")
        try:
            piece = cipher.decrypt(_nonce(number, place, last=place == last), bytes(row[0]), None)
        except InvalidTag as cause:
            raise StorageError("a piece of a file does not open") from cause
        yield piece


def _nonce(file: int, piece: int, *, last: bool) -> bytes:
    return file.to_bytes(4) + piece.to_bytes(7) + bytes([last])


def _add(write: Write, *, upload: str, pieces: tuple[_Piece, ...], begun_at: int | None) -> None:
    """`begun_at`: of the first; this very work may have been durable before, and nobody heard of it."""
    row = write.one(_STATE, upload=upload)
    if row is None and begun_at is not None:
        write.run(_BEGIN, id=upload, state=ARRIVING, at=begun_at, octets=0)
    elif row is None or row[0] != ARRIVING:
        raise StorageError("the files took so long to arrive that they were removed")
    for one in pieces:
        if write.one(_HAS_PIECE, upload=upload, number=one.file, place=one.piece) is None:
            write.run(_ADD_PIECE, upload=upload, **one._asdict())
            write.run(_GREW, upload=upload, more=len(one.sealed))


def _end(write: Write, *, upload: str, state: str) -> bool:
    """Nobody is to open it any more; False, and nothing, when it is no longer in this state."""
    row = write.one(_STATE, upload=upload)
    if row is None or row[0] != state:
        return False
    write.run(_SET_STATE, upload=upload, next=_GONE, of=None)
    return True


def _drop_some(write: Write, *, upload: str) -> bool:
    """Is there more?"""
    rows = write.all(_SOME_PIECES, upload=upload)
    for file, piece in rows:
        write.run(_DROP_PIECE, upload=upload, number=file, place=piece)
    if len(rows) < _AT_ONCE:
        write.run(_DROP_UPLOAD, upload=upload)
    return len(rows) == _AT_ONCE
