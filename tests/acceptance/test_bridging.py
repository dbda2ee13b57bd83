"""A counsellor of Schuldregeling 2.0 and a creditor of 1.1 through one hub: bridged without loss, or refused."""

import hashlib
import json
import re
import uuid
from base64 import b64decode
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from lxml import etree

from gateway.app import verify_evidence
from gateway.security import EvidenceCheck
from gateway.values import Reply
from tests.line import KN, POSTBUS, SHV, Line, code, example, make_line
from tests.postgres.databases import asked

ROOT = Path(__file__).parent.parent.parent
GEMEENTE, ENERGIE = (f"11111111-1111-4111-8111-00000000000{number}" for number in (1, 2))
SE_11 = "/soap/schuldregeling/1.1/se"
SR_11 = "urn:schuldenknooppunt:schuldregeling:1.1"


def speak(**versions: str) -> Callable[[Path], None]:
    """A change of an instance folder: these parties take Schuldregeling in these versions only."""
    def change(folder: Path) -> None:
        parties = (folder / "parties.toml").read_text("utf-8").split("[[party]]")
        for number, text in enumerate(parties):
            for slug, taken in versions.items():
                if f'slug = "{slug}"' in text:
                    parties[number] = re.sub(r"schuldregeling = \[[^]]*\]", f"schuldregeling = {taken}", text)
        (folder / "parties.toml").write_text("[[party]]".join(parties), "utf-8")
    return change


@pytest.fixture
def line(template: Path, tmp_path: Path) -> Iterator[Line]:
    made = make_line(template, tmp_path / "instance", change=speak(gemeente='["2.0"]', energie='["1.1"]'))
    yield made
    made.store.close()


def example_11(name: str) -> bytes:
    return (ROOT / "xsd/schuldregeling/1.1/examples/valid" / f"{name}.xml").read_bytes()


def write(child: bytes, **fields: str) -> bytes:
    """The same message with other header fields."""
    text = child.decode()
    for name, value in {"Referentienummer": str(uuid.uuid4()), **fields}.items():
        text = re.sub(rf"(<(?:\w+:)?{name}>)[^<]*(</)", rf"\g<1>{value}\g<2>", text, count=1)
    return text.encode()


def without(child: bytes, name: str) -> bytes:
    return re.sub(rf"\s*<(?:\w+:)?{name}>.*?</(?:\w+:)?{name}>".encode(), b"", child, flags=re.DOTALL)


def field(octets: bytes, name: str) -> str:
    return etree.fromstring(octets).findtext(f".//{{{KN}}}{name}") or ""


def number(child: bytes) -> str:
    return field(child, "Referentienummer")


def canonical(element: "etree._Element") -> bytes:
    return etree.tostring(element, method="c14n", exclusive=True)


def ask(line: Line, operation: str, reference: str, party: str) -> bytes:
    child = f'<{operation} xmlns="{KN}"><Referentienummer>{reference}</Referentienummer></{operation}>'.encode()
    return line.send(child, path=POSTBUS, party=party).octets


def collect(line: Line, reference: str, party: str) -> "etree._Element":
    """What this party gets, and confirms: the message element, alone."""
    answer = etree.fromstring(ask(line, "HaalBerichtOp", reference, party))
    (message,) = answer.find(f".//{{{KN}}}Bericht")
    digest = b64decode(answer.findtext(f".//{{{KN}}}BerichtDigest"))
    assert hashlib.sha256(canonical(message)).digest() == digest  # of what is delivered
    assert field(ask(line, "BevestigBericht", reference, party), "Bevestigd") == "true"
    return etree.fromstring(canonical(message))


def record(line: Line, reference: str) -> dict[str, object]:
    """The journal's record of an acceptance."""
    rows = asked(line.instance.folder, "SELECT record FROM entries WHERE kind = 'accepted'")
    (found,) = [facts for facts in map(json.loads, (row[0] for row in rows)) if facts["referentienummer"] == reference]
    return found


def hear(line: Line, child: bytes, *, name: str, to: str, namespace: str, versie: str) -> None:
    """The other party finds the message in its list, and gets it, in its own version."""
    reference = number(child)
    listed = line.send(f'<HaalBerichtenlijstOp xmlns="{KN}"/>'.encode(), path=POSTBUS, party=to).octets
    assert (field(listed, "Berichttype"), field(listed, "Versie")) == (name, versie)
    got = collect(line, reference, to)
    assert got.tag == f"{{{namespace}}}{name}"
    assert (field(canonical(got), "Berichttype"), field(canonical(got), "Versie")) == (name, versie)
    assert number(canonical(got)) == reference


def test_a_2_0_counsellor_and_a_1_1_creditor_reach_an_agreement(line: Line) -> None:
    conversation = str(uuid.uuid4())
    steps = [  # message, from the counsellor, does it answer the step before, what it is called at the other side
        ("Kennisgeving", True, False, "KlantGemeldVoorSHV"),
        ("SaldoVerzoek", True, False, "SaldoVerzoek"),
        ("SaldoVerzoekAntwoord", False, True, "SaldoVerzoekAntwoord"),
        ("BetaalVoorstel", True, False, "BetaalVoorstel"),
        ("BetaalVoorstelAntwoord", False, True, "BetaalVoorstelAntwoord"),
        ("RegelingGeaccordeerd", True, False, "RegelingGeaccordeerd"),
    ]
    before = ""
    for name, from_counsellor, answers, there in steps:
        source = example(f"{name}-volledig") if from_counsellor else example_11(f"{name}-volledig")
        for one in ("DatumAanmelding", "Vtlb", "StandaardAkkoord", *([] if answers else ["CrossReferentienummer"])):
            source = without(source, one)  # what the other version has no place for
        child = write(source, ConversatieReferentienummer=conversation, CrossReferentienummer=before,
                      Afzender=GEMEENTE if from_counsellor else ENERGIE,
                      Ontvanger=ENERGIE if from_counsellor else GEMEENTE)
        reply = line.send(child, path=SHV if from_counsellor else SE_11,
                          party="gemeente" if from_counsellor else "energie")
        assert code(reply) is None, (name, line.refusals())
        sent = hashlib.sha256(canonical(etree.fromstring(child))).digest()
        assert b64decode(field(reply.octets, "BerichtDigest")) == sent  # the receipt is about what the sender sent
        assert record(line, number(child))["message_digest"] == sent.hex()
        to_namespace = SR_11 if from_counsellor else "urn:schuldenknooppunt:schuldregeling:2.0"
        hear(line, child, name=there, to="energie" if from_counsellor else "gemeente", namespace=to_namespace,
             versie="1.1" if from_counsellor else "2.0")
        before = number(child)
    assert line.rows("messages") == 6
    assert line.rows("conversations") == 1
    assert line.rows("payloads") == line.rows("bridged_payloads") == 0  # all confirmed, all erased
    assert not line.refusals()


def opening(name: str = "SaldoVerzoek-volledig", **fields: str) -> bytes:
    return write(without(example(name), "DatumAanmelding"), ConversatieReferentienummer=str(uuid.uuid4()), **fields)


def test_an_answer_in_the_old_name_fits_the_question_in_the_new_one(line: Line) -> None:
    question = opening("Kennisgeving-volledig")
    assert code(line.send(question)) is None
    facts = {"ConversatieReferentienummer": field(question, "ConversatieReferentienummer"),
             "CrossReferentienummer": number(question), "Afzender": ENERGIE, "Ontvanger": GEMEENTE}
    answer = write(example_11("KlantOnbekend-volledig"), **facts)
    assert code(line.send(answer, path=SE_11, party="energie")) is None
    got = collect(line, number(answer), "gemeente")
    assert etree.QName(got).localname == "GeenMedewerking"
    assert got.findtext(f"{{{got.nsmap['sr']}}}Reden") == "KLANT_ONBEKEND"


def test_the_journal_says_bridged_with_both_digests(line: Line) -> None:
    child = opening()
    line.send(child)
    got = canonical(collect(line, number(child), "energie"))
    facts = record(line, number(child))
    assert (facts["berichttype"], facts["versie"], facts["set_version"]) == ("SaldoVerzoek", "2.0", "2.0")
    assert facts["bridged"] == [{
        "ontvanger": ENERGIE, "set_version": "1.1", "berichttype": "SaldoVerzoek", "versie": "1.1", "octets": len(got),
        "delivered_digest": hashlib.sha256(got).hexdigest(),
    }]
    assert facts["message_digest"] == hashlib.sha256(canonical(etree.fromstring(child))).hexdigest()


def test_evidence_proves_the_original_and_names_the_bridged_one(line: Line) -> None:
    child = opening()
    line.send(child)
    got = canonical(collect(line, number(child), "energie"))
    with line.instance.operations() as operations:
        file = operations.evidence(number(child))
        (delivery,) = operations.message(number(child))["deliveries"]  # type: ignore[misc]
        assert delivery["overgezet_naar"] == "1.1"

    def verify(message: bytes) -> dict[str, EvidenceCheck]:
        anchors, oin = [line.instance.folder / "pki" / "ca.pem"], line.instance.settings.hub.oin
        return {one.name: one for one in verify_evidence(file, message, anchors, oin)}

    original, bridged = verify(child), verify(got)
    assert all(one.holds for one in original.values())
    assert "de afzender tekende precies deze inhoud" in original
    line_of = f"overgezet voor ontvanger {ENERGIE}"
    for digest in (hashlib.sha256(got).hexdigest(), hashlib.sha256(canonical(etree.fromstring(child))).hexdigest()):
        assert digest in original[line_of].detail
        assert digest in bridged["dit bericht is de inhoud, overgezet voor een ontvanger"].detail
    assert bridged["de afzender tekende precies deze inhoud"].holds is None
    assert all(one.holds is not False for one in bridged.values())
    assert any(one.holds is False for one in verify(got.replace(b"SHV-2026", b"SHV-2027")).values())


def versions_named(reply: Reply) -> bool:
    return b"schuldregeling in versie 1.1." in reply.octets


def test_a_message_that_would_lose_something_is_refused_with_the_versions_named(line: Line) -> None:
    child = write(example("Kennisgeving-volledig"), ConversatieReferentienummer=str(uuid.uuid4()))
    assert b"DatumAanmelding" in child
    reply = line.send(child)
    assert code(reply) == "SKP006"
    assert versions_named(reply)
    assert "niet zonder verlies over te zetten naar versie 1.1" in reply.octets.decode()
    assert line.rows("messages") == 0


def test_a_message_that_the_other_version_does_not_have_is_refused_with_the_versions_named(line: Line) -> None:
    reply = line.send(opening("Heroverweging-volledig"))
    assert code(reply) == "SKP006"
    assert versions_named(reply)
    assert "overzetten" not in reply.octets.decode()


def test_a_bridged_message_must_be_allowed_by_the_table_of_the_version_it_arrives_in(line: Line) -> None:
    """In 2.0 a balance may be asked again after an agreement in advance, in 1.1 not."""
    question = opening()
    assert code(line.send(question)) is None
    facts = {"ConversatieReferentienummer": field(question, "ConversatieReferentienummer")}
    answer = write(example_11("SaldoVerzoekAntwoord-standaard-akkoord-volledig"), **facts,
                   CrossReferentienummer=number(question), Afzender=ENERGIE, Ontvanger=GEMEENTE)
    assert code(line.send(answer, path=SE_11, party="energie")) is None
    assert etree.QName(collect(line, number(answer), "gemeente")).localname == "SaldoVerzoekAntwoordVoorafAkkoord"
    again = line.send(write(question, **facts))
    assert code(again) == "SKP011"
    assert b"VOORAF_AKKOORD" in again.octets


def test_the_same_again_gets_the_same_facts(line: Line) -> None:
    child = opening()
    first, again = line.send(child), line.send(child)
    for name in ("JournaalPositie", "JournaalHash", "BerichtDigest"):
        assert field(first.octets, name) == field(again.octets, name)
    assert line.rows("bridged_payloads") == 1


def test_the_log_shows_each_party_its_own_version(line: Line) -> None:
    child = opening("Kennisgeving-volledig")
    assert code(line.send(child)) is None

    def log(party: str, berichttype: str) -> tuple[str, str]:
        search = f'<ZoekLogboek xmlns="{KN}"><Berichttype>{berichttype}</Berichttype></ZoekLogboek>'.encode()
        octets = line.send(search, path="/soap/knooppunt/1.0/logboek", party=party).octets
        return field(octets, "Berichttype"), field(octets, "Versie")

    assert log("gemeente", "Kennisgeving") == ("Kennisgeving", "2.0")
    assert log("energie", "KlantGemeldVoorSHV") == ("KlantGemeldVoorSHV", "1.1")
    assert log("energie", "Kennisgeving") == log("gemeente", "KlantGemeldVoorSHV") == ("", "")


def test_the_newest_version_that_an_addressee_takes_is_chosen(template: Path, tmp_path: Path) -> None:
    line = make_line(template, tmp_path / "instance", change=speak(energie='["1.0", "1.1"]', deurwaarder='["1.0"]'))
    try:
        for receiver, version in ((ENERGIE, "1.1"), ("11111111-1111-4111-8111-000000000003", "1.0")):
            child = opening(Ontvanger=receiver)
            assert code(line.send(child)) is None, line.refusals()
            (bridged,) = record(line, number(child))["bridged"]  # type: ignore[misc]
            assert bridged["set_version"] == version
    finally:
        line.store.close()
