"""A push of which the files come after it (MTOM): each written to a folder while it comes, none before it is known who
signed the message that refers to it, and nothing that stays unless the message is kept.
"""

import hashlib
import shutil
from collections.abc import Callable, Collection
from contextlib import suppress
from datetime import datetime
from typing import Final

from gateway.errors import MalformedEnvelope
from gateway.messagesets import BEGINNING, Files, MessageSet, refuse_attachment
from gateway.parted import FileFacts, Parted
from gateway.party.taken import Folder
from gateway.soap import Element, Envelope, Hole, take_out
from gateway.values import Reply

_NO_LIMITS: Final = (0, 0, 0)  # of a message that has no place for files


class Coming:
    """The files of one message: counted and hashed on their way to a folder. Each part may raise GatewayError."""

    def __init__(self, folder: Folder, envelope: Envelope, message_set: MessageSet, nonce: str) -> None:
        """Takes the xop:Include out of the message; `nonce`: as soap.take_out.

        Raises  MalformedEnvelope for one that stands where no file belongs.
        """
        self.folder = folder
        self._message, self._set = envelope.child, message_set
        count, self._most, self._together = _limits(envelope.child, message_set)
        self.holes = take_out(envelope, nonce, count)
        self._by_id = {hole.content_id: hole for hole in self.holes}
        _only_in_attachments(self.holes, message_set.schema.vocabulary.attached)
        self._facts: dict[str, FileFacts] = {}
        self._hole: Hole | None = None
        self._octets, self._all, self._begins, self._hash = 0, 0, b"", hashlib.sha256()

    @property
    def files(self) -> Files:
        """What is known of those that are whole, by placeholder."""
        return self._facts

    def parted(self) -> Parted | None:
        """The files, to be put in place; None: there are none. Raises MalformedEnvelope where one did not come."""
        return self.folder.filled(self.holes)

    def open(self, content_id: str | None) -> None:
        """A file begins."""
        hole = self._by_id.get(content_id or "")
        if hole is None or hole.placeholder in self._facts:
            raise MalformedEnvelope("a part that no xop:Include refers to")
        self._hole, self._octets, self._begins, self._hash = hole, 0, b"", hashlib.sha256()
        self.folder.open(hole.content_id)

    def write(self, octets: bytes) -> None:
        """More of it; refused as soon as it is more than its message type may have."""
        assert self._hole is not None, "a file was begun"
        self._octets += len(octets)
        self._all += len(octets)
        if self._octets > self._most or self._all > self._together:
            rule = "attachment-size" if self._octets > self._most else "attachments-size"
            raise refuse_attachment(self._hole.element, rule, self._message, self._set)
        self._hash.update(octets)
        if len(self._begins) < BEGINNING:
            self._begins = (self._begins + octets)[:BEGINNING]
        self.folder.write(octets)

    def close(self) -> None:
        """That was all of it."""
        assert self._hole is not None, "a file was begun"
        self.folder.close()
        self._facts[self._hole.placeholder] = FileFacts(
            octets=self._octets, sha256=self._hash.hexdigest(), begins=self._begins)

    def discard(self) -> None:
        """Remove the folder, unless it was kept: then it lies elsewhere. What can't be is removed at the next start."""
        with suppress(OSError):
            self.folder.discard()
        shutil.rmtree(self.folder.path, ignore_errors=True)


class Push:
    """What the listener hands the parts of one push to (transport/packages.py); used by one thread at a time."""

    def __init__(self, coming: Coming, *, finish: Callable[[Coming, datetime], Reply],
                 refuse: Callable[[Exception], Reply]) -> None:
        """`finish` and `refuse` give the answer; neither raises."""
        self._coming, self._answer, self._refused = coming, finish, refuse
        self.open, self.write, self.close = coming.open, coming.write, coming.close

    def finish(self, at: datetime) -> Reply:
        """All of it has come."""
        try:
            return self._answer(self._coming, at)
        finally:
            self.abandon()

    def refuse(self, error: Exception) -> Reply:
        """It ends here."""
        self.abandon()
        return self._refused(error)

    def abandon(self) -> None:
        """There is nobody to answer, or it was answered."""
        self._coming.discard()


def _limits(message: Element, message_set: MessageSet) -> tuple[int, int, int]:
    """How many files, octets of one and octets of all: what the message's type may have."""
    needed = message_set.requirements.get(str(message.tag).rpartition("}")[2])
    if needed is None or "attachments" not in needed.demand.checks:
        return _NO_LIMITS
    limits = needed.demand.attachments
    return limits.count, limits.octets, limits.total


def _only_in_attachments(holes: tuple[Hole, ...], attached: Collection[str]) -> None:
    if any(hole.element.tag not in attached for hole in holes):
        raise MalformedEnvelope("xop:Include outside the content of an attachment")
