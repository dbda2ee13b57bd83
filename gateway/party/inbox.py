"""The folder in which a party's receiving service keeps what it took: each message durable before it is confirmed.

    <Afzender>/<Referentienummer>.xml    the message element, the octets that BerichtDigest is of
    <Afzender>/<Referentienummer>.json   what the receipt said, so that a repeated message gets the same
    <Afzender>/<Referentienummer>/       of a message with files apart (MTOM) these, as the xop:Include in its .xml name
                                         them; BerichtDigest is then of the message with their base64 in place
    message-ids/<SHA-256>                which message a wsa:MessageID belongs to
    .coming/                             files of which the message is not kept yet

A file is written beside its place, synced, renamed, and its folder synced: after a power cut it is there whole or not
at all. The .xml comes last, so a message is there when its .xml is.
"""

import json
import os
import shutil
import threading
from base64 import b64decode, b64encode
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Final

from gateway.errors import DuplicateConflict, Replayed, StorageError

_COMING: Final = ".coming"


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """One message that was taken: the facts of its receipt, and the wsa:MessageID it first came with."""

    referentienummer: str  # in lower case, as the next two: they become names of files
    conversatie: str
    afzender: str
    berichttype: str
    versie: str
    message_id: str
    received_at: datetime
    digest: bytes  # SHA-256 of the canonical message element, files in place


class Inbox:
    """One folder; made when the first message comes. Safe for many threads of one process."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()

    def arriving(self, name: str) -> Path:
        """Where the files of one message may be written until `take`. Raises StorageError."""
        folder = self._folder / _COMING
        try:
            _make(folder)
        except OSError as error:
            raise _failed(folder, error) from error
        return folder / name

    def clear(self) -> None:
        """Remove what a crash left of files that were coming; before the first message comes."""
        shutil.rmtree(self._folder / _COMING, ignore_errors=True)

    def take(self, taken: Taken, message: bytes, files: Path | None = None) -> tuple[Taken, bool]:
        """Keep a message durably: the facts that are kept, and whether it was there already.

        Of a repeated message those of the first time are given, and nothing changes.
        Takes   `files`: a folder of `arriving`, with files that the message refers to; where the message is kept it
                lies there no longer.
        Raises  DuplicateConflict (same sender and number, other content), Replayed (same MessageID, other message),
                StorageError; then nothing is kept, or so much that the same message can be taken later.
        """
        file = self._folder / taken.afzender / f"{taken.referentienummer}.xml"
        used = self._folder / "message-ids" / sha256(taken.message_id.encode()).hexdigest()
        name = f"{taken.afzender}/{taken.referentienummer}".encode()
        with self._lock:
            try:
                if used.is_file() and used.read_bytes() != name:
                    raise Replayed("the MessageID was used before for another message")
                if file.is_file():
                    return _same(_read(file.with_suffix(".json")), taken), True
                shutil.rmtree(file.with_suffix(""), ignore_errors=True)  # of an attempt that came not so far
                if files is not None:
                    _move(files, file.with_suffix(""))
                _write(file.with_suffix(".json"), _written(taken))
                _write(used, name)
                _write(file, message)
            except OSError as error:
                if files is not None and not file.is_file():
                    shutil.rmtree(file.with_suffix(""), ignore_errors=True)
                raise _failed(file, error) from error
        return taken, False


def _same(kept: Taken, taken: Taken) -> Taken:
    if kept.digest != taken.digest:
        raise DuplicateConflict(f"{taken.referentienummer} was taken with other content")
    return kept


def _failed(path: Path, error: OSError) -> StorageError:
    return StorageError(f"{path}: {error.strerror}; free space, or let this user write there")


def _move(files: Path, to: Path) -> None:
    """A folder with its files, durably, to where nothing is."""
    for file in files.iterdir():
        _sync(file)
    _sync(files)
    _make(to.parent)
    files.rename(to)
    _sync(to.parent)


def _write(file: Path, octets: bytes) -> None:
    """Write a file whole and durably, for this user's eyes only: it holds content in clear."""
    _make(file.parent)
    fresh = file.with_name(f".{file.name}.new")
    with open(fresh, "wb", opener=lambda path, flags: os.open(path, flags, 0o600)) as written:
        written.write(octets)
        written.flush()
        os.fsync(written.fileno())
    fresh.replace(file)
    _sync(file.parent)


def _make(folder: Path) -> None:
    """A folder and those it lies in, each durable."""
    if not folder.is_dir():
        _make(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)
        _sync(folder.parent)


def _sync(path: Path) -> None:
    """Make what a folder says of its files durable, or what a file holds."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _written(taken: Taken) -> bytes:
    return json.dumps({
        "referentienummer": taken.referentienummer, "conversatie_referentienummer": taken.conversatie,
        "afzender": taken.afzender, "berichttype": taken.berichttype, "versie": taken.versie,
        "message_id": taken.message_id, "tijdstip_ontvangst": taken.received_at.isoformat(),
        "bericht_digest": b64encode(taken.digest).decode(),
    }, indent=1).encode()


def _read(file: Path) -> Taken:
    try:
        facts = json.loads(file.read_bytes())
        return Taken(
            referentienummer=facts["referentienummer"], conversatie=facts["conversatie_referentienummer"],
            afzender=facts["afzender"], berichttype=facts["berichttype"], versie=facts["versie"],
            message_id=facts["message_id"], received_at=datetime.fromisoformat(facts["tijdstip_ontvangst"]),
            digest=b64decode(facts["bericht_digest"]),
        )
    except (ValueError, KeyError) as error:
        raise StorageError(f"{file} is damaged; move it and its .xml away") from error
