"""Signing the journal beside the requests, having it time-stamped, and judging what was signed before."""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Final

from gateway.errors import GatewayError, Misconfigured, SignatureInvalid
from gateway.pipeline import Signers
from gateway.ports import Clock, Observe
from gateway.security import (
    Checkpoint,
    SigningKey,
    check_checkpoint,
    check_signer,
    check_token,
    load_certificates,
    read_checkpoint,
    sign_checkpoint,
    stamped_at,
    timestamp_request,
    token_in,
    with_token,
)
from gateway.settings import Settings
from gateway.storage import (
    BACKWARDS,
    ChainReport,
    Checkpoints,
    Computed,
    Draft,
    Restores,
    SignedCheckpoint,
    State,
    Store,
    verify_chain,
)
from gateway.transport import FetchLimits, fetch, write_whole

_OTHERS: Final = 3  # another node's journal waits so many intervals longer: then that node is taken to be dead
_FIRST: Final = bytes(32)  # in place of the digest of the note before the first
_TSA_PAUSE: Final = timedelta(seconds=30)  # after a time-stamp that did not come
_TSA_LIMITS: Final = FetchLimits(connect_seconds=5.0, total_seconds=15.0, max_octets=32_768)
_MILLISECOND: Final = 1000  # a note's time has whole milliseconds


class CheckpointWriter:
    """Writes checkpoints of this hub's journals when they are due. None of it is on a request's way."""

    def __init__(
        self, settings: Settings, signing: tuple[SigningKey, ...], store: Store, *, clock: Clock, observe: Observe
    ) -> None:
        """Raises Misconfigured when the authority's certificate can't be read."""
        self._checkpoints, self._restores = Checkpoints(store), Restores(store)
        self._node, self._oin = store.node, settings.hub.oin
        self._signers = Signers(keys=signing)
        self._settings = settings.journal
        self._tsa_anchors = _certificates(self._settings.tsa_certificates)
        self._observe, self._clock = observe, clock
        self._waits_since: dict[str, datetime] = {}  # other nodes' journals of which nothing is signed yet
        self._ask_again = clock()

    def write_due(self) -> None:
        """Sign every journal of which enough is unsigned, for long enough."""
        now = self._clock()
        for head, newest in self._checkpoints.ends():
            unsigned = head.position - (newest.size if newest else 0)
            if unsigned > 0 and self._is_due(head.node, unsigned, newest, now):
                self.write(head.node)

    def write(self, node: str | None = None) -> None:
        """Sign what is unsigned of this node's journal, or of the node named. Whatever fails, fails into the log."""
        node = node or self._node
        try:
            while draft := self._checkpoints.draft(node):
                if self._add(draft):  # else another process signed a shorter one meanwhile, and this is drawn up anew
                    return
        except GatewayError as error:
            self._observe("checkpoint-not-written", {"node": node, "error": error})

    def _add(self, draft: Draft) -> bool:
        """Sign, keep and publish; False when another came between."""
        now, before = self._clock(), draft.previous
        at = max(_whole(now), before.at if before else _whole(now))  # a clock set back makes no back-dating
        key = self._signers.matching(None, now)
        digest = sha256(key.certificate)
        note = sign_checkpoint(Checkpoint(
            oin=self._oin, node=draft.node, size=draft.size, root=draft.root, at=at, chain=draft.chain,
            certificate=digest.digest(), previous=before.size if before else 0,
            previous_note=sha256(before.note).digest() if before else _FIRST), key)
        if not self._checkpoints.add(draft, note=note, at=at, certificate=key.certificate, digest=digest.hexdigest()):
            return False
        self._observe("checkpoint", {"node": draft.node, "entries": draft.size})
        self._publish(draft.node, note)
        return True

    def stamp(self) -> None:
        """Have the newest checkpoint of every journal time-stamped, where an authority is configured."""
        if self._settings.tsa is None or self._clock() < self._ask_again:
            return
        for _, newest in self._checkpoints.ends():
            if newest is None or newest.stamped_at is not None:
                continue
            try:
                self._stamp(newest, self._settings.tsa)
            except GatewayError as error:
                self._ask_again = self._clock() + _TSA_PAUSE
                self._observe("time-stamp-not-made", {"node": newest.node, "error": error})

    def _stamp(self, newest: SignedCheckpoint, tsa: str) -> None:
        read, nonce = read_checkpoint(newest.note), secrets.randbits(63) | 1
        answer = fetch(tsa, body=timestamp_request(read.text, nonce), content_type="application/timestamp-query",
                       accept="application/timestamp-reply", limits=_TSA_LIMITS)
        token = token_in(answer, read.text, nonce, self._tsa_anchors)
        at = check_token(token, read.text, self._tsa_anchors).at
        if at < newest.at - BACKWARDS:
            raise SignatureInvalid(f"the time-stamp is of {newest.at - at} before the checkpoint; see both clocks")
        note = with_token(newest.note, token)
        if self._checkpoints.stamp(newest, note=note, at=at):
            self._observe("time-stamp", {"node": newest.node, "entries": newest.size})
            self._publish(newest.node, note)

    def _is_due(self, node: str, unsigned: int, newest: SignedCheckpoint | None, now: datetime) -> bool:
        interval = timedelta(seconds=self._settings.checkpoint_seconds)
        if node == self._node:
            return newest is None or unsigned >= self._settings.checkpoint_entries or now - newest.at >= interval
        since = newest.at if newest else self._waits_since.setdefault(node, now)
        return now - since >= _OTHERS * interval

    def _publish(self, node: str, note: bytes) -> None:
        """Put the note where it outlives the database. One that this journal does not continue stays: it is a finding.

        Unless a restore declared it: then it stays as the last word on a chain that has ended.
        """
        file = published_file(self._settings.checkpoints, node)
        if file.exists():
            before = _state(file.read_bytes(), self._oin)
            if self._restores.departed([before]):
                raise Misconfigured(f"{file} is of a journal that the store does not continue; see "
                                    "docs/operations/backup.md")
            if before.size > read_checkpoint(note).checkpoint.size or not self._restores.continues(before):
                return
        try:
            file.parent.mkdir(exist_ok=True)
        except OSError as error:
            raise Misconfigured(f"{file.parent}: {error.strerror}; let the gateway's user write there") from error
        write_whole(file, note, self._clock())


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """Says of a stored checkpoint whether it is what this hub signed of these entries."""

    oin: str
    own: frozenset[bytes]  # the hub's certificates, by the settings
    anchors: tuple[bytes, ...]  # CAs that may have issued others
    tsa_anchors: tuple[bytes, ...]

    def __call__(self, stored: SignedCheckpoint, computed: Computed) -> str:
        try:
            self._check(stored, computed)
        except SignatureInvalid as error:
            return error.detail
        return ""

    def _check(self, stored: SignedCheckpoint, computed: Computed) -> None:
        """Raises SignatureInvalid."""
        note, before = read_checkpoint(stored.note), computed.previous
        expected = Checkpoint(
            oin=self.oin, node=stored.node, size=stored.size, root=computed.root, at=stored.at, chain=computed.chain,
            certificate=sha256(stored.certificate).digest(), previous=before.size if before else 0,
            previous_note=sha256(before.note).digest() if before else _FIRST)
        other = [one.name for one in fields(Checkpoint)
                 if getattr(note.checkpoint, one.name) != getattr(expected, one.name)]
        if other:
            raise SignatureInvalid(f"the hub signed another {' and '.join(other)}")
        check_checkpoint(note, stored.certificate)
        if stored.certificate not in self.own:
            check_signer(note, stored.certificate, oin=self.oin, anchors=self.anchors)
        if note.token is None:
            if stored.stamped_at is not None:
                raise SignatureInvalid("its time-stamp is gone")
        else:
            at = (check_token(note.token, note.text, self.tsa_anchors).at if self.tsa_anchors
                  else stamped_at(note.token))  # without an anchor nobody can prove it, but it must be told as it says
            if at != stored.stamped_at or at < stored.at - BACKWARDS:
                raise SignatureInvalid("its time-stamp is of another time")


def judge_of(settings: Settings, signing: tuple[SigningKey, ...]) -> Judge:
    """The judge of an instance's checkpoints. Raises Misconfigured."""
    return Judge(oin=settings.hub.oin, own=frozenset(key.certificate for key in signing),
                 anchors=_certificates(settings.trust.anchors),
                 tsa_anchors=_certificates(settings.journal.tsa_certificates))


def audit(settings: Settings, signing: tuple[SigningKey, ...], progress: Callable[[int], None],
          kept: Sequence[bytes] = ()) -> list[ChainReport]:
    """Walk the journals of an instance, beside what was published of them and the notes that somebody kept.

    Raises Misconfigured, StorageError, and SignatureInvalid for a note that is none.
    """
    published = [*published_states(settings), *(_state(note, settings.hub.oin) for note in kept)]
    return verify_chain(settings.store.database, progress, judge=judge_of(settings, signing), published=published)


def published_states(settings: Settings) -> list[State]:
    """What the newest published checkpoint of each node says. Raises SignatureInvalid for a file that is none."""
    return [_state(file.read_bytes(), settings.hub.oin, file.name)
            for file in sorted(settings.journal.checkpoints.glob("*.txt"))]


def published_file(folder: Path, node: str) -> Path:
    """Where a node's newest checkpoint is published."""
    return folder / f"{node}.txt"


def _state(note: bytes, oin: str, name: str = "that checkpoint") -> State:
    try:
        checkpoint = read_checkpoint(note).checkpoint
    except SignatureInvalid as error:
        raise SignatureInvalid(f"{name}: {error.detail}") from error
    if checkpoint.oin != oin:
        raise SignatureInvalid(f"{name} is of the hub with OIN {checkpoint.oin}")
    return State(node=checkpoint.node, size=checkpoint.size, root=checkpoint.root, chain=checkpoint.chain)


def _certificates(files: Sequence[Path]) -> tuple[bytes, ...]:
    return tuple(der for file in files for der in load_certificates(file))


def _whole(moment: datetime) -> datetime:
    return moment.replace(microsecond=moment.microsecond // _MILLISECOND * _MILLISECOND)
