"""The record of an accepted message is written by hand; the canonical encoder says what it must be."""

import json
from dataclasses import replace
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.storage.records import accepted_record, canonical, entry_of, micros
from gateway.values import Acceptance
from tests.contract.samples import ANTWOORD, BANK, ENERGIE, NOW, VRAAG, acceptance

# Any text a caller might get this far, whatever the schemas say: quotes, controls, outside ASCII, lone surrogates.
texts = st.text(st.characters(codec=None), max_size=12)


@st.composite
def acceptances(draw: st.DrawFn) -> Acceptance:
    base = acceptance("a", kind=draw(st.sampled_from((VRAAG, ANTWOORD))), payload=draw(st.binary(max_size=40)),
                      at=NOW + timedelta(microseconds=draw(st.integers(0, 10**15))))
    receivers = draw(st.lists(st.sampled_from((ENERGIE, BANK)), min_size=1, max_size=3))
    return replace(
        base, message_id=draw(texts), receivers=tuple(replace(one, id=draw(texts)) for one in receivers),
        header=replace(
            base.header, referentienummer=draw(texts), conversatie=draw(texts), afzender=draw(texts),
            versie=draw(texts), cross=draw(st.none() | texts), bovenliggend=draw(st.none() | texts)),
        key=replace(base.key, module=draw(texts), version=draw(texts)),
        proof=replace(base.proof, signer_oin=draw(texts), caller_oin=draw(texts)),
        message_type=replace(base.message_type, berichttype=draw(texts)),
    )


def facts(message: Acceptance) -> dict[str, object]:
    header = message.header
    return {
        "kind": "accepted", "at": micros(message.received_at), "message": 7,
        "referentienummer": header.referentienummer, "conversatie": header.conversatie,
        "bovenliggend": header.bovenliggend, "cross": header.cross, "afzender": header.afzender,
        "ontvangers": [receiver.id for receiver in message.receivers], "module": message.key.module,
        "set_version": message.key.version, "berichttype": message.message_type.berichttype,
        "versie": header.versie, "expires_at": micros(message.expires_at), "octets": len(message.payload),
        "message_digest": message.message_digest.hex(), "body_digest": message.body_digest.hex(),
        "message_id": message.message_id, "signer_oin": message.proof.signer_oin,
        "caller_oin": message.proof.caller_oin, "certificate": "c" * 64, "signature_digest": "d" * 64,
    }


@settings(deadline=None)
@given(acceptances())
def test_record_of_an_accepted_message_is_what_the_canonical_encoder_writes(message: Acceptance) -> None:
    record = accepted_record(message, message=7, certificate="c" * 64, signature_digest="d" * 64)
    assert record == canonical(facts(message))
    assert record.isascii()
    assert canonical(json.loads(record)) == record
    entry = entry_of(3, bytes(32), record)
    assert (entry.referentienummer, entry.received_at) == (message.header.referentienummer, message.received_at)
