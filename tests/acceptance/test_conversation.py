"""One Schuldregeling conversation, octets in and octets out: choreography, correlation, mailbox, terms, mandate."""

import re
import uuid
from dataclasses import replace

import pytest
from lxml import etree

from gateway.routing import AddressBook
from tests.foreign import U
from tests.line import KN, POSTBUS, SE, SHV, SR, Line, code, example

CONVERSATION = ["Kennisgeving", "SaldoVerzoek", "SaldoVerzoekAntwoord", "BetaalVoorstel", "BetaalVoorstelAntwoord",
                "RegelingGeaccordeerd"]
FROM_SE = {"SaldoVerzoekAntwoord", "BetaalVoorstelAntwoord", "KennisgevingAntwoord", "GeenMedewerking", "StatusVerzoek",
           "StatusberichtSE", "SaldoVerzoekAntwoordVoorafAkkoord"}


def send(line: Line, child: bytes, **changes):
    name = etree.QName(etree.fromstring(child)).localname
    party, path = ("energie", SE) if name in FROM_SE else ("gemeente", SHV)
    return line.send(child, path=path, party=party, **changes)


def field(reply, name: str) -> list[str]:
    return [element.text for element in etree.fromstring(reply.octets).iter(f"{{{KN}}}{name}")]


def ask(line: Line, operation: str, fields: str = "", party: str = "energie", service: str = "postbus"):
    child = f'<{operation} xmlns="{KN}">{fields}</{operation}>'.encode()
    return line.send(child, path=f"/soap/knooppunt/1.0/{service}", party=party)


def number(child: bytes) -> str:
    return etree.fromstring(child).findtext(f".//{{{KN}}}Referentienummer")


def renumber(child: bytes, **changes: str) -> bytes:
    """The same message with other header fields; a new Referentienummer unless given."""
    changes.setdefault("Referentienummer", str(uuid.uuid4()))
    text = child.decode()
    for name, value in changes.items():
        text = re.sub(rf"(<(?:\w+:)?{name}>)[^<]*(</)", rf"\g<1>{value}\g<2>", text, count=1)
    return text.encode()


def test_the_whole_conversation(line):
    for name in CONVERSATION:
        reply = send(line, example(f"{name}-volledig"))
        assert (code(reply), reply.status) == (None, 200), name
        assert field(reply, "Referentienummer") == [number(example(f"{name}-volledig"))]
    assert line.rows("messages") == 6
    assert line.rows("conversations") == 1
    assert not line.refusals()


def test_a_receipt_states_the_facts(line):
    reply = send(line, example("Kennisgeving-volledig"))
    assert field(reply, "JournaalPositie") == ["1"]
    assert field(reply, "Ontvanger") == ["11111111-1111-4111-8111-000000000002"]
    assert field(reply, "VervalDatum")[0] > field(reply, "TijdstipOntvangst")[0]


@pytest.mark.clause("§3.8")
def test_the_mailbox_lists_gives_and_erases(line):
    child = example("Kennisgeving-volledig")
    send(line, child)
    ref = number(child)
    assert field(ask(line, "HaalBerichtenlijstOp"), "Opgehaald") == ["false"]
    got = etree.fromstring(ask(line, "HaalBerichtOp", f"<Referentienummer>{ref}</Referentienummer>").octets)
    message = got.find(f".//{{{SR}}}Kennisgeving")
    assert etree.tostring(message, method="c14n", exclusive=True) == etree.tostring(
        etree.fromstring(child), method="c14n", exclusive=True)
    assert field(ask(line, "HaalBerichtenlijstOp"), "Opgehaald") == ["true"]
    confirm = f"<Referentienummer>{ref}</Referentienummer>"
    assert field(ask(line, "BevestigBericht", confirm), "Bevestigd") == ["true"]
    assert field(ask(line, "BevestigBericht", confirm), "Bevestigd") == ["true"]  # again is no error
    assert line.rows("payloads") == 0
    assert code(ask(line, "HaalBerichtOp", f"<Referentienummer>{ref}</Referentienummer>")) == "SKP014"


@pytest.mark.clause("§5.5")
def test_another_partys_message_does_not_exist(line):
    child = example("Kennisgeving-volledig")
    send(line, child)
    fields = f"<Referentienummer>{number(child)}</Referentienummer>"
    unknown = f"<Referentienummer>{uuid.uuid4()}</Referentienummer>"
    replies = [ask(line, "HaalBerichtOp", one, party="deurwaarder") for one in (fields, unknown)]
    assert [code(reply) for reply in replies] == ["SKP014", "SKP014"]
    assert field(ask(line, "BevestigBericht", fields, party="deurwaarder"), "Code") == ["SKP014"]
    assert not field(ask(line, "HaalBerichtenlijstOp", party="deurwaarder"), "Bericht")
    log = ask(line, "ZoekLogboek", party="deurwaarder", service="logboek")
    assert not field(log, "Regel")


def test_the_log_shows_both_parties_their_own(line):
    child = example("Kennisgeving-volledig")
    send(line, child)
    for party in ("gemeente", "energie"):
        assert field(ask(line, "ZoekLogboek", party=party, service="logboek"), "Referentienummer") == [number(child)]
    nothing = ask(line, "ZoekLogboek", "<Bevestigd>true</Bevestigd>", service="logboek")
    assert not field(nothing, "Referentienummer")
    for fields, found in (("<OntvangerOrganisatietype>SE</OntvangerOrganisatietype>", [number(child)]),
                          ("<OntvangerOrganisatietype>SHV</OntvangerOrganisatietype>", []),
                          ("<AfzenderOrganisatietype>SHV</AfzenderOrganisatietype>", [number(child)]),
                          ("<AfzenderOrganisatietype>SE</AfzenderOrganisatietype>", [])):
        assert field(ask(line, "ZoekLogboek", fields, service="logboek"), "Referentienummer") == found, fields


def test_address_book_and_ping(line):
    found = ask(line, "ZoekDeelnemer", "<Naam>energie</Naam>", party="gemeente", service="adresboek")
    assert field(found, "Identificatie") == ["11111111-1111-4111-8111-000000000002"]
    one = "<Identificatie>11111111-1111-4111-8111-000000000002</Identificatie>"
    assert field(ask(line, "HaalDeelnemerOp", one, service="adresboek"), "Naam")[0] == "Voorbeeld Energie"
    nobody = f"<Identificatie>{uuid.uuid4()}</Identificatie>"
    assert code(ask(line, "HaalDeelnemerOp", nobody, service="adresboek")) == "SKP004"
    assert field(ask(line, "Ping", service="beheer"), "Naam") == ["Voorbeeldknooppunt"]


@pytest.mark.clause("§3.5")
def test_the_same_again_gets_the_same_facts_and_changes_nothing(line):
    child = example("Kennisgeving-volledig")
    first = send(line, child)
    line.skip(seconds=30)
    again = send(line, child)  # a fresh envelope, the same Body
    for name in ("JournaalPositie", "JournaalHash", "TijdstipOntvangst", "VervalDatum", "BerichtDigest"):
        assert field(first, name) == field(again, name)
    assert line.rows("messages") == 1


@pytest.mark.clause("§3.5")
def test_a_retry_in_another_envelope_is_the_same_message(line):
    child = example("Kennisgeving-volledig")
    first = send(line, child)

    def rename(root):
        root[1].set(f"{{{U}}}Id", "another-body-id")

    assert field(send(line, child, before_signing=rename), "JournaalHash") == field(first, "JournaalHash")
    assert line.rows("messages") == 1


def test_the_same_number_with_other_content_is_refused(line):
    child = example("Kennisgeving-volledig")
    send(line, child)
    assert code(send(line, child.replace(b"SHV-2026/00417", b"SHV-2026/00418"))) == "SKP008"
    assert line.rows("messages") == 1


@pytest.mark.parametrize(
    "name", ["SaldoVerzoekAntwoord", "BetaalVoorstel", "RegelingGeaccordeerd", "RegelingBeeindigd"])
def test_a_message_before_its_time_is_refused_with_what_is_allowed(line, name):
    reply = send(line, example(f"{name}-volledig"))
    assert code(reply) == "SKP011"
    assert b"NIEUW" in reply.octets
    assert b"SaldoVerzoek" in reply.octets
    assert line.rows("messages") == 0


def test_correlation(line):
    opening, question = example("Kennisgeving-volledig"), example("SaldoVerzoek-volledig")
    send(line, opening)
    send(line, question)
    answer = example("SaldoVerzoekAntwoord-volledig")
    assert code(send(line, renumber(answer, CrossReferentienummer=str(uuid.uuid4())))) == "SKP010"
    assert code(send(line, renumber(answer, CrossReferentienummer=number(opening)))) == "SKP010"
    without = re.sub(rb"<((?:\w+:)?CrossReferentienummer)>[^<]*</\1>", b"", answer)
    assert code(send(line, renumber(without))) == "SKP010"
    assert code(send(line, answer)) is None
    assert code(send(line, renumber(answer))) == "SKP011"  # answered: the state no longer takes one


def test_an_opening_message_answers_nothing(line):
    cross = rf"<\g<1>CrossReferentienummer>{uuid.uuid4()}</\g<1>CrossReferentienummer>\g<0>".encode()
    child = re.sub(rb"<((?:\w+:)?)ConversatieReferentienummer>", cross, example("SaldoVerzoek-volledig"), count=1)
    assert code(send(line, child)) == "SKP010"


def test_a_third_party_cannot_step_into_a_conversation(line):
    send(line, example("Kennisgeving-volledig"))
    child = renumber(
        example("SaldoVerzoek-volledig"), Afzender="11111111-1111-4111-8111-000000000001",
        Ontvanger="11111111-1111-4111-8111-000000000003")
    assert code(send(line, child)) is None  # the initiator may ask another creditor under the same number
    stranger = renumber(example("SaldoVerzoekAntwoord-volledig"), Afzender="11111111-1111-4111-8111-000000000004",
                        Ontvanger="11111111-1111-4111-8111-000000000001")
    assert code(line.send(stranger, path=SE, party="zorgverzekeraar")) == "SKP009"


def test_messages_expire_after_five_working_days(line):
    send(line, example("Kennisgeving-volledig"))
    line.skip(days=12)
    assert not field(ask(line, "HaalBerichtenlijstOp"), "Bericht")
    assert line.gate.mailbox.expire(line.at, 100) == 1
    assert line.rows("payloads") == 0
    log = ask(line, "ZoekLogboek", party="gemeente", service="logboek")
    assert field(log, "Status") == ["VERLOPEN"]


@pytest.mark.clause("§1.7")
def test_roles_and_receivers(line):
    child = example("Kennisgeving-volledig")
    assert code(line.send(child, path=SHV, party="energie")) == "SKP007"
    assert code(line.send(child, path=SE, party="energie")) == "SKP007"
    assert code(send(line, renumber(child, Ontvanger=str(uuid.uuid4())))) == "SKP004"
    assert code(send(line, renumber(child, Ontvanger="11111111-1111-4111-8111-000000000001"))) == "SKP004"
    assert code(send(line, renumber(child, Ontvanger="11111111-1111-4111-8111-000000000010"))) == "SKP007"
    assert code(send(line, renumber(child, Afzender="11111111-1111-4111-8111-000000000002"))) == "SKP003"
    assert code(send(line, renumber(child, Versie="1.0"))) == "SKP006"
    assert line.rows("messages") == 0


@pytest.mark.clause("§7.3")
def test_a_bsn_only_between_parties_that_may_have_it(line):
    child = example("KennisgevingPubliek-volledig")
    assert code(send(line, renumber(child, Ontvanger="11111111-1111-4111-8111-000000000002"))) == "SKP016"
    assert code(send(line, child)) is None


@pytest.mark.clause("§7.3")
def test_findings_name_place_and_rule_but_no_value(line):
    child = example("Kennisgeving-volledig")
    wrong = re.sub(rb"(<(?:\w+:)?Geboortedatum>)[^<]*", rb"\g<1>geheim", child, count=1)
    reply = send(line, wrong)
    assert code(reply) == "SKP001"
    assert b"[0004]" in reply.octets
    assert b"Geboortedatum" in reply.octets
    assert b"geheim" not in reply.octets
    assert "geheim" not in line.refusals()[-1]
    assert field(reply, "Referentienummer") in ([], [number(child)])


def test_a_service_keeps_to_its_own_address(line):
    child = f'<Ping xmlns="{KN}"/>'.encode()
    assert code(line.send(child, path=POSTBUS, party="energie")) == "SKP007"


def test_a_repeated_message_gets_its_receipt_when_the_addressee_has_left_since(line):
    child = example("Kennisgeving-volledig")
    first = send(line, child)
    book = line.gate.register()
    gone = AddressBook(replace(party, active=party.slug != "energie") for party in book.everyone)
    line.gate = replace(line.gate, register=lambda: gone)
    assert field(send(line, child), "JournaalHash") == field(first, "JournaalHash")
    assert code(send(line, renumber(child))) == "SKP004"


def test_a_message_that_has_expired_already_is_refused(line):
    for past in ("2020-01-02T00:00:00Z", "2026-01-01T00:00:00Z"):
        moment = rb"<\g<1>TijdstipBericht>2020-01-01T00:00:00Z</\g<1>TijdstipBericht>"
        expiry = rf"<\g<1>VervaltOp>{past}</\g<1>VervaltOp>".encode()
        child = re.sub(rb"<((?:\w+:)?)TijdstipBericht>[^<]*</(?:\w+:)?TijdstipBericht>", moment + expiry,
                       example("Kennisgeving-volledig"), count=1)
        reply = send(line, child)
        assert code(reply) == "SKP001"
        assert b"VervaltOp" in reply.octets
    assert line.rows("messages") == 0


def test_a_search_from_the_first_day_there_is(line):
    send(line, example("Kennisgeving-volledig"))
    found = ask(line, "ZoekLogboek", "<VanafDatum>0001-01-01</VanafDatum>", service="logboek")
    assert field(found, "Berichttype") == ["Kennisgeving"]


def test_one_state_of_the_address_book_judges_a_request(line):
    """The file may be read again at any moment; half a request by the old book and half by the new is neither."""
    read = []

    def register():
        read.append(line.gate.register())
        return read[-1]

    watched = replace(line, gate=replace(line.gate, register=register))
    assert code(send(watched, example("Kennisgeving-volledig"))) is None
    assert len(read) == 1
    assert field(ask(watched, "ZoekDeelnemer", "<Naam>energie</Naam>", party="gemeente", service="adresboek"), "OIN")
    assert len(read) == 2
