"""Records of the journal: canonical JSON of metadata and digests, and the entry that is read back from one.

Canonical: keys sorted, no white space, no floats, ASCII (other characters as \\u escapes, so that no octets a caller
sends can make a record unwritable). A record is the same octets whoever writes it. It names organisations, numbers,
codes, digests and times. It never holds content, and never a person's data.
"""

from datetime import UTC, datetime, timedelta
from json import JSONDecodeError, JSONEncoder, loads
from json.encoder import encode_basestring_ascii as _text
from typing import Any, Final

from gateway.parted import length
from gateway.values import Acceptance, Bridged, Diagnosis, Entry, Explained, Refusal, RefusedLeg

ACCEPTED: Final = "accepted"
REFUSED: Final = "refused"
COLLECTED: Final = "collected"
CONFIRMED: Final = "confirmed"
EXPIRED: Final = "expired"
CANCELLED: Final = "cancelled"
REFUSED_LEG: Final = "leg-refused"
OPERATOR: Final = "operator"
REDIRECTED: Final = "redirected"
PRUNED: Final = "pruned"
CONFIG: Final = "config"
RESTORED: Final = "restored"

DROPPED: Final = ""  # what stands in the place of a record that is gone by the retention rule (pruning.py)

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_encoder = JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def micros(moment: datetime) -> int:
    """Microseconds since 1970 in UTC; `moment` is aware."""
    return (moment - _EPOCH) // _MICROSECOND


def moment_of(microseconds: int) -> datetime:
    """The aware UTC moment of a stored time."""
    return _EPOCH + timedelta(microseconds=microseconds)


def maybe_moment(microseconds: int | None) -> datetime | None:
    return None if microseconds is None else moment_of(microseconds)


def maybe_micros(moment: datetime | None) -> int | None:
    return None if moment is None else micros(moment)


def canonical(facts: dict[str, object]) -> str:
    """The one way to write these facts. Facts that are None are left out."""
    return _encoder.encode({name: value for name, value in facts.items() if value is not None})


def in_record(kind: str, at: int, message: int | None) -> dict[str, object]:
    """The columns of an entry that its record also holds."""
    return {"kind": kind, "at": at, "message": message}


def read_record(record: str) -> dict[str, object] | None:
    """What `in_record` gave when this record was written; None for what is no record."""
    try:
        facts = loads(record)
    except JSONDecodeError:
        return None
    return {name: facts.get(name) for name in ("kind", "at", "message")} if isinstance(facts, dict) else None


def accepted_record(acceptance: Acceptance, *, message: int, certificate: str, signature_digest: str) -> str:
    """What the journal says of an accepted message, written out: sorting and dispatching by type would cost more.

    The same octets as `canonical` gives; a test holds them equal. `certificate` is the SHA-256 (hex) of the signer's
    certificate, `signature_digest` that of SignedInfo followed by the signature value: it ties the kept proof to the
    chain.
    """
    header, proof = acceptance.header, acceptance.proof
    parent = "" if header.bovenliggend is None else f'"bovenliggend":{_text(header.bovenliggend)},'
    cross = "" if header.cross is None else f'"cross":{_text(header.cross)},'
    crossed = [_bridged_facts(receiver, one) for receiver, one in acceptance.bridged.items()]
    bridged = f'"bridged":{_encoder.encode(crossed)},' if crossed else ""
    asked = "" if acceptance.answer_by is None else f'"answer_by":{micros(acceptance.answer_by)},'
    missed = "" if acceptance.missed is None else f'"missed":{micros(acceptance.missed)},'
    receivers = ",".join([_text(receiver.id) for receiver in acceptance.receivers])
    return (
        f'{{"afzender":{_text(header.afzender)},{asked}"at":{micros(acceptance.received_at)},'
        f'"berichttype":{_text(acceptance.message_type.berichttype)},"body_digest":"{acceptance.body_digest.hex()}",'
        f'{parent}{bridged}"caller_oin":{_text(proof.caller_oin)},"certificate":"{certificate}",'
        f'"conversatie":{_text(header.conversatie)},{cross}"expires_at":{micros(acceptance.expires_at)},'
        f'"kind":"{ACCEPTED}","message":{message},"message_digest":"{acceptance.message_digest.hex()}",'
        f'"message_id":{_text(acceptance.message_id)},{missed}"module":{_text(acceptance.key.module)},'
        f'"octets":{length(acceptance.payload)},"ontvangers":[{receivers}],'
        f'"referentienummer":{_text(header.referentienummer)},"set_version":{_text(acceptance.key.version)},'
        f'"signature_digest":"{signature_digest}","signer_oin":{_text(proof.signer_oin)},'
        f'"versie":{_text(header.versie)}}}'
    )


def _bridged_facts(receiver: str, one: Bridged) -> dict[str, object]:
    """What one addressee gets, who takes another version than the sender's."""
    return {
        "ontvanger": receiver,
        "set_version": one.key.version,
        "berichttype": one.message_type.berichttype,
        "versie": one.message_type.version,
        "octets": length(one.payload),
        "delivered_digest": one.message_digest.hex(),
    }


def refused_leg_facts(acceptance: Acceptance, leg: RefusedLeg) -> dict[str, object]:
    """What the journal says of an addressee that does not get an accepted message; its sender alone sees it."""
    header = acceptance.header
    return {"referentienummer": header.referentienummer, "afzender": header.afzender, "ontvanger": leg.receiver,
            "code": leg.code, "error": leg.error, "reason": leg.reason}


def entry_of(position: int, journal_hash: bytes, record: str, *, refused: tuple[tuple[str, str], ...] = (),
             repeated: bool = False) -> Entry:
    """The entry of an accepted message, from its record and the legs that were `refused`: the same facts however often
    it is asked.
    """
    facts = loads(record)
    return Entry(
        referentienummer=facts["referentienummer"],
        conversatie=facts["conversatie"],
        ontvangers=tuple(facts["ontvangers"]),
        received_at=moment_of(facts["at"]),
        expires_at=moment_of(facts["expires_at"]),
        message_digest=bytes.fromhex(facts["message_digest"]),
        position=position,
        journal_hash=bytes(journal_hash),
        refused=refused,
        repeated=repeated,
    )


def refused_facts(refusal: Refusal) -> dict[str, object]:
    """What the journal says of a refused request."""
    return {
        "ticket": refusal.ticket,
        "code": refusal.code,
        "error": refusal.error,
        "reason": refusal.reason,
        "path": refusal.path,
        "caller_oin": refusal.caller_oin,
        "caller_certificate": refusal.caller_certificate,
        "message_id": refusal.message_id,
        "action": refusal.action,
        "referentienummer": refusal.referentienummer,
        "octets": refusal.octets,
        "octets_digest": refusal.octets_digest.hex(),
        "checks": {one.check: one.holds for one in refusal.explained} or None,
        "diagnoses": [
            {"check": each.check, "id": one.id, "place": one.place, "facts": dict(one.facts)}
            for each in refusal.explained for one in each.diagnoses
        ] or None,
    }


def refusal_of(record: str) -> Refusal:
    """The refusal that was written down in this record."""
    facts = loads(record)
    return Refusal(
        ticket=facts["ticket"],
        code=facts["code"],
        error=facts["error"],
        reason=facts["reason"],
        at=moment_of(facts["at"]),
        path=facts["path"],
        caller_oin=facts.get("caller_oin"),
        caller_certificate=facts.get("caller_certificate"),
        message_id=facts.get("message_id"),
        action=facts.get("action"),
        referentienummer=facts.get("referentienummer"),
        octets=facts["octets"],
        octets_digest=bytes.fromhex(facts["octets_digest"]),
        explained=_explained(facts.get("checks") or {}, facts.get("diagnoses") or []),
    )


def _explained(checks: dict[str, bool | None], diagnoses: list[dict[str, Any]]) -> tuple[Explained, ...]:
    """The checks in their order in the record, which is that of their names; older records have none."""
    return tuple(
        Explained(check=name, holds=holds, diagnoses=tuple(
            Diagnosis(id=one["id"], place=one["place"], facts=one["facts"]) for one in diagnoses
            if one["check"] == name))
        for name, holds in checks.items()
    )
