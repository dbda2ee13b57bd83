"""The folder in which a party's receiving service keeps what it took: each message durable before it is confirmed.

    <Afzender>/<Referentienummer>.xml    the message element, the octets that BerichtDigest is of
    <Afzender>/<Referentienummer>.json   what the receipt said, so that a repeated message gets the same
    message-ids/<SHA-256>                which message a wsa:MessageID belongs to

A file is written beside its place, synced, renamed, and its folder synced: after a power cut it is there whole or not
at all. The .xml comes last, so a message is there when its .xml is.
"""

import json
import os
import threading
from base64 import b64decode, b64encode
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from gateway.errors import DuplicateConflict, Replayed, StorageError


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
    digest: bytes  # SHA-256 of the canonical message element


class Inbox:
    """One folder; made when the first message comes. Safe for many threads of one process."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()

    def take(self, taken: Taken, message: bytes) -> tuple[Taken, bool]:
        """Keep a message durably: the facts that are kept, and whether it was there already.

        Of a repeated message those of the first time are given, and nothing changes.
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
                _write(file.with_suffix(".json"), _written(taken))
                _write(used, name)
                _write(file, message)
            except OSError as error:
                raise StorageError(f"{file}: {error.strerror}; free space, or let this user write there") from error
        return taken, False


def _same(kept: Taken, taken: Taken) -> Taken:
    if kept.digest != taken.digest:
        raise DuplicateConflict(f"{taken.referentienummer} was taken with other content")
    return kept


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


def _sync(folder: Path) -> None:
    """Make what a folder says of its files durable."""
    descriptor = os.open(folder, os.O_RDONLY)
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
