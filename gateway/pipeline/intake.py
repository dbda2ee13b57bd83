"""The way in of a request whose files come after it (MTOM): receive → authenticate → parse → admit → verify all but the
Body, then the files, then the rest of the line.

Nobody's files are taken but those of a caller that may send this message, signed by who may sign, at this moment, as
many and as large as its type may have. They are durable, sealed, before the Body is digested, and the digest is made of
what was stored: a receipt says that what the hub keeps is what was signed. Whatever ends otherwise leaves nothing.
"""

import hashlib
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType
from typing import Final

from gateway.errors import GatewayError, MalformedEnvelope
from gateway.messagesets import BEGINNING, MessageSet, refuse_attachment
from gateway.parted import FileFacts, Parted, Place
from gateway.pipeline.gate import Gate, policy_of
from gateway.pipeline.inbound import Admitted, Arrived, answered, check_registered, enter, known_error
from gateway.pipeline.refusal import Trail, refuse
from gateway.ports import Upload
from gateway.security import Awaiting, verify_all_but_body
from gateway.soap import Hole, take_out
from gateway.values import Finding, Permit, Purpose, Received, Reply

_XPATH: Final = "/"  # of what is wrong with a package: it has no place in the message


def begin(received: Received, root: str | None, gate: Gate) -> "Reply | Intake":
    """The first part of a package → who takes the files that follow, or the refusal. Never raises.

    Takes   the root part as if it had come alone, and its Content-ID.
    """
    trail = Trail(received=received)
    try:
        return _begin(trail, root, gate)
    except Exception as error:
        return refuse(trail, known_error(error), gate)


def _begin(trail: Trail, root: str | None, gate: Gate) -> "Intake":
    received = trail.received
    admitted = enter(received, gate, trail)
    permit, envelope = admitted.permit, admitted.envelope
    _in_clear(permit)
    message_set = gate.catalog.sets[permit.service.key]
    needed = message_set.requirements.get(permit.operation.name)
    limits = needed.demand.attachments if needed is not None and "attachments" in needed.demand.checks else None
    holes = take_out(envelope, gate.new_id(), limits.count if limits is not None else 0)
    attached = message_set.schema.vocabulary.attached
    if any(hole.element.tag not in attached for hole in holes):
        raise _refusal("xop:Include outside the content of an attachment", "mtom-plaats",
                       nl="xop:Include mag alleen de Inhoud van een bijlage zijn.",
                       en="xop:Include may only be the Inhoud of an attachment.")
    if any(hole.content_id == root for hole in holes):
        raise MalformedEnvelope("xop:Include refers to the root part")
    awaiting = verify_all_but_body(envelope, policy_of(permit.caller, gate), gate.check_signer, received.at)
    check_registered(awaiting.signer, admitted.register.by_oin(awaiting.signer.oin), Purpose.SIGNING, received.at)
    return Intake(
        trail=trail, gate=gate, admitted=admitted, awaiting=awaiting, message_set=message_set,
        coming=_Coming(holes=holes, most=limits.octets if limits else 0, most_together=limits.total if limits else 0),
        upload=gate.spool.begin(gate.new_id(), received.at) if holes else None)


def _in_clear(permit: Permit) -> None:
    if permit.encrypted:
        raise _refusal("a package in 2W-be-SE", "mtom-2w-be-se",
                       nl="Met 2W-be-SE staan bijlagen als base64 in het bericht; MTOM gaat daar niet samen mee.",
                       en="With 2W-be-SE attachments stand in the message as base64; MTOM does not go with it.")


@dataclass(slots=True, kw_only=True, eq=False)
class _Coming:
    """What has come of the files that the message refers to."""

    holes: tuple[Hole, ...]
    most: int  # octets of one
    most_together: int
    facts: dict[int, FileFacts] = field(default_factory=dict)  # of those that are whole, by number
    together: int = 0  # octets
    number: int = 0  # of the one that is coming
    octets: int = 0
    begins: bytes = b""
    hash: "hashlib._Hash" = field(default_factory=hashlib.sha256)

    def open(self, content_id: str | None) -> int:
        """The number of the file that begins. Raises MalformedEnvelope."""
        found = [number for number, hole in enumerate(self.holes) if hole.content_id == content_id]
        if not found or found[0] in self.facts:
            raise _refusal("a part that no xop:Include refers to", "mtom-deel-over",
                           nl="Het pakket heeft een deel waar geen xop:Include naar verwijst.",
                           en="The package has a part that no xop:Include refers to.")
        self.number, self.octets, self.begins, self.hash = found[0], 0, b"", hashlib.sha256()
        return self.number

    def add(self, octets: bytes) -> str | None:
        """Count more of it; the rule it breaks."""
        self.octets += len(octets)
        self.together += len(octets)
        self.hash.update(octets)
        if len(self.begins) < BEGINNING:
            self.begins = (self.begins + octets)[:BEGINNING]
        if self.octets > self.most:
            return "attachment-size"
        return "attachments-size" if self.together > self.most_together else None

    def close(self) -> None:
        self.facts[self.number] = FileFacts(octets=self.octets, sha256=self.hash.hexdigest(), begins=self.begins)


class Intake:
    """A request of which the files are coming; used by one thread at a time.

    Each method but the last three may raise GatewayError: then `refuse` gives the answer, and nothing more is asked.
    """

    def __init__(self, *, trail: Trail, gate: Gate, admitted: Admitted, awaiting: Awaiting, message_set: MessageSet,
                 coming: _Coming, upload: Upload | None) -> None:
        self._trail, self._gate, self._admitted, self._awaiting = trail, gate, admitted, awaiting
        self._set, self._coming, self._upload = message_set, coming, upload

    def open(self, content_id: str | None) -> None:
        """A part begins."""
        number = self._coming.open(content_id)
        assert self._upload is not None, "a part is referred to"
        self._upload.open(number)

    def write(self, octets: bytes) -> None:
        """More of it."""
        assert self._upload is not None, "a part was opened"
        broken = self._coming.add(octets)
        if broken is not None:
            hole = self._coming.holes[self._coming.number]
            raise refuse_attachment(hole.element, broken, self._admitted.envelope.child, self._set)
        self._upload.write(octets)

    def close(self) -> None:
        """That was all of it."""
        assert self._upload is not None, "a part was opened"
        self._upload.close()
        self._coming.close()

    def finish(self, at: datetime) -> Reply:
        """The package is whole: the rest of the line, as the world is now."""
        self._trail.received = replace(self._trail.received, at=at)
        try:
            return self._finish(at)
        except Exception as error:
            return refuse(self._trail, known_error(error), self._gate)
        finally:
            self.abandon()

    def refuse(self, error: Exception) -> Reply:
        """What the caller is told of an error in the package, and nothing is kept of it."""
        self.abandon()
        return refuse(self._trail, known_error(error), self._gate)

    def abandon(self) -> None:
        """Nobody is there to answer any more, or it was answered: what no accepted message has is removed."""
        if self._upload is None:
            return
        try:
            self._upload.discard()
        except GatewayError as error:  # then the duty removes it
            self._gate.observe("files-not-removed", {"error": error})

    def _finish(self, at: datetime) -> Reply:
        holes, facts = self._coming.holes, self._coming.facts
        if len(facts) != len(holes):
            raise _refusal("xop:Include refers to a part that is not there", "mtom-deel-ontbreekt",
                           nl="Een xop:Include verwijst naar een deel dat niet in het pakket zit.",
                           en="An xop:Include refers to a part that is not in the package.")
        admitted = enter(self._trail.received, self._gate, self._trail)  # much may have changed while the files came
        _in_clear(admitted.permit)
        self._gate.check_signer(self._awaiting.token, at)
        places = tuple(Place(placeholder=hole.placeholder, octets=facts[number].octets)
                       for number, hole in enumerate(holes))
        known = MappingProxyType({hole.placeholder: facts[number] for number, hole in enumerate(holes)})
        arrived = Arrived(awaiting=self._awaiting, parted=self._parted(places), files=known)
        return answered(replace(admitted, arrived=arrived), self._gate, self._trail)

    def _parted(self, places: tuple[Place, ...]) -> Parted | None:
        return None if self._upload is None else self._upload.parted(b"", places)


def _refusal(detail: str, rule: str, *, nl: str, en: str) -> MalformedEnvelope:
    error = MalformedEnvelope(detail)
    error.findings = (Finding(xpath=_XPATH, rule=rule, nl=nl, en=en),)
    return error
