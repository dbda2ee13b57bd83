"""A party's own service: what it takes from the hub, what it answers, and what it refuses."""

import hashlib
import re
import shutil
import threading
import uuid
from base64 import b64decode
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from lxml import etree

from gateway.errors import TooLarge
from gateway.messagesets import read_message
from gateway.security import recipient_of, seal_message, verify
from gateway.soap import parse
from gateway.values import Received, Reply
from tests import encrypted, foreign
from tests.acceptance.load import kennisgeving
from tests.acceptance.test_sealed import message as sample
from tests.acceptance.test_sealed import sealed_sets, take
from tests.encrypted import Cipher
from tests.foreign import NS, A, D
from tests.line import KN, code, example, fault
from tests.receiving import PATH, Receiving, believed, make_receiving

ENERGIE = "11111111-1111-4111-8111-000000000002"


def message() -> bytes:
    return kennisgeving(str(uuid.uuid4()))


def test_a_message_is_kept_as_it_came_and_a_receipt_of_the_party_says_so(service: Receiving) -> None:
    child = message()
    sent = foreign.build(service.plan(child))
    reply = service.post(foreign.octets(sent))
    assert reply.status == 200
    receipt = believed(service, reply, sent)
    canonical = foreign.canonical(etree.fromstring(child))
    assert receipt.bericht_digest == hashlib.sha256(canonical).digest()
    assert receipt.ontvangers == (ENERGIE,)
    assert (receipt.verval_datum, receipt.journaal_positie, receipt.journaal_hash) == (None, None, None)
    assert [one.read_bytes() for one in service.messages] == [canonical]
    assert service.messages[0].stem == receipt.referentienummer
    assert [event for event, _ in service.events] == ["received"]
    element = etree.fromstring(reply.octets).find(f".//{{{KN}}}Ontvangstbevestiging")
    read_message(etree.tostring(element), service.receiver.catalog.by_namespace)  # as the schema has it


def test_what_is_kept_is_for_nobody_else_on_the_machine(service: Receiving) -> None:
    service.push(message())
    kept = [service.folder, *service.folder.rglob("*")]
    assert len(kept) == 6  # two folders in it, the message and its facts, its MessageID
    assert [one for one in kept if one.stat().st_mode & 0o077] == []


@pytest.mark.clause("§3.5")
def test_a_repeated_message_gets_the_facts_of_the_first_time_and_is_kept_once(service: Receiving) -> None:
    child = message()
    sent = foreign.build(service.plan(child))
    first = believed(service, service.post(foreign.octets(sent)), sent)
    service.skip(seconds=90)
    for changes in ({"message_id": sent.findtext(f".//{{{A}}}MessageID")}, {}):  # as the hub repeats it; and another's
        again = foreign.build(service.plan(child, **changes))
        assert believed(service, service.post(foreign.octets(again)), again) == first
    assert len(service.messages) == 1
    assert [event for event, _ in service.events] == ["received", "repeated", "repeated"]


def test_the_facts_are_there_after_a_restart_too(service: Receiving, template: Path, tmp_path: Path) -> None:
    child = message()
    sent = foreign.build(service.plan(child))
    first = believed(service, service.post(foreign.octets(sent)), sent)
    after = make_receiving(template, tmp_path / "again", "energie",
                           change=lambda folder: shutil.move(service.folder, folder / "ontvangen"))
    after.at = service.at + timedelta(seconds=90)
    again = foreign.build(after.plan(child))
    assert believed(after, after.post(foreign.octets(again)), again) == first


def test_a_message_that_was_half_kept_is_taken_the_next_time(service: Receiving) -> None:
    """The process died between its files: no receipt went out, so the hub sends the same again."""
    child, message_id = message(), f"urn:uuid:{uuid.uuid4()}"
    assert code(service.push(child, message_id=message_id)) is None
    service.messages[0].unlink()
    service.skip(seconds=30)
    assert code(service.push(child, message_id=message_id)) is None
    assert len(service.messages) == 1
    assert [event for event, _ in service.events] == ["received", "received"]


def test_of_a_message_that_comes_twice_at_once_one_is_kept(service: Receiving) -> None:
    octets = foreign.octets(foreign.build(service.plan(message())))
    replies: list[Reply] = []
    threads = [threading.Thread(target=lambda: replies.append(service.post(octets))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [reply.status for reply in replies] == [200] * 4
    assert sorted(event for event, _ in service.events) == ["received"] + ["repeated"] * 3
    assert len(service.messages) == 1


def test_two_senders_may_use_one_number(service: Receiving) -> None:
    number = str(uuid.uuid4())
    child = kennisgeving(number)
    other = child.replace(b"11111111-1111-4111-8111-000000000001", b"11111111-1111-4111-8111-000000000005")
    assert [code(service.push(one)) for one in (child, other)] == [None, None]
    assert len(service.messages) == 2


def test_the_same_number_with_other_content_is_refused(service: Receiving) -> None:
    child = message()
    service.push(child)
    assert code(service.push(child.replace(b"SHV-2026/00417", b"SHV-2026/00418"))) == "SKP008"
    assert len(service.messages) == 1


@pytest.mark.clause("§3.5")
def test_a_message_id_is_of_one_message(service: Receiving) -> None:
    message_id = f"urn:uuid:{uuid.uuid4()}"
    assert code(service.push(message(), message_id=message_id)) is None
    assert code(service.push(message(), message_id=message_id)) == "SKP015"
    assert len(service.messages) == 1


def test_nobody_but_the_hub_is_answered(service: Receiving) -> None:
    for caller in ("gemeente", "energie"):
        reply = service.push(message(), caller=caller)
        assert (reply.status, reply.content_type[:10]) == (403, "text/plain")
    assert not service.messages
    assert {facts["error"] for _, facts in service.events} == {"NotAuthenticated"}


def test_a_connection_of_the_hub_does_not_make_another_signature_good(service: Receiving) -> None:
    reply = service.push(message(), signer="gemeente")
    assert code(reply) == "SKP003"
    assert not service.messages


def _spoilt(root: etree._Element) -> None:
    next(root.iter("{*}Achternaam")).text = "Anders"


REFUSED: dict[str, tuple[str, dict[str, object]]] = {
    "another address": ("SKP001", {"to": "https://localhost:9443/elders"}),
    "no address": ("SKP001", {"to": None}),
    "another's OIN in the address": ("SKP001", {"to": "https://localhost:9443/ontvangst?OIN=00000001999999990000"}),
    "an operation that is none": ("SKP007", {"action": "urn:schuldenknooppunt:schuldregeling:2.0:Anders"}),
    "the Action of another message": ("SKP001", {"action": "urn:schuldenknooppunt:schuldregeling:2.0:SaldoVerzoek"}),
    "too old": ("SKP015", {"created": "2026-01-02T09:00:00.000Z", "expires": "2026-01-02T09:05:00.000Z"}),
    "changed under way": ("SKP015", {"after_signing": _spoilt}),
    "Body not signed": ("SKP015", {"unsigned": frozenset({"Body"})}),
    "To not signed": ("SKP015", {"unsigned": frozenset({"To"})}),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_request_that_does_not_hold_is_refused_with_a_signed_fault(service: Receiving, case: str) -> None:
    expected, changes = REFUSED[case]
    sent = foreign.build(service.plan(message(), **changes))
    reply = service.post(foreign.octets(sent))
    assert code(reply) == expected
    assert reply.status == 500
    policy = replace(service.receiver.policy, confirms=(sent.findtext(f".//{{{D}}}SignatureValue"),))
    verified = verify(parse(reply.octets, service.receiver.limits), policy, service.receiver.check_signer, service.at)
    assert verified.signer.oin == service.receiver.party.oin
    assert not service.messages
    ((event, facts),) = service.events
    assert (event, facts["code"]) == ("refused", expected)


def test_what_its_message_set_forbids_is_refused_and_no_value_is_repeated(service: Receiving) -> None:
    wrong = re.sub(rb"(<(?:\w+:)?Geboortedatum>)[^<]*", rb"\g<1>geheim", message(), count=1)
    reply = service.push(wrong)
    assert (code(reply), b"[0004]" in reply.octets) == ("SKP001", True)
    assert b"geheim" not in reply.octets
    assert "geheim" not in str(service.events)
    assert not service.messages


def test_a_message_for_another_role_is_none_of_its_operations(service: Receiving) -> None:
    assert code(service.push(example("SaldoVerzoekAntwoord-volledig"))) == "SKP007"


def test_what_is_no_xml_is_answered_too(service: Receiving) -> None:
    reply = service.post(b"<soap:Envelope>")
    assert (reply.status, code(reply)) == (400, "SKP001")


def test_what_http_refuses_is_signed_for_the_hub_alone(service: Receiving) -> None:
    for name, status in (("hub", 413), ("gemeente", 403)):
        peer = encrypted.foreign_der((service.instance.folder / "pki" / f"{name}-tls.pem").read_bytes())
        received = Received(octets=b"", path=PATH, content_type="text/xml", soap_action=None, peer=peer, at=service.at)
        reply = service.receiver.decline(received, TooLarge("12 octets"))
        assert (reply.status, fault(reply) is not None) == (status, name == "hub")


def test_without_room_to_keep_it_a_message_is_not_confirmed(service: Receiving) -> None:
    child = message()
    service.folder.write_bytes(b"")  # where its folder should be is a file
    reply = service.push(child)
    assert (code(reply), fault(reply).findtext("faultcode")) == ("SKP900", "soap:Server")  # the hub tries again
    service.folder.unlink()
    assert code(service.push(child)) is None


# --- 2W-be-SE ------------------------------------------------------------------------------------------------------


@pytest.fixture
def agreed(template: Path, tmp_path: Path) -> Receiving:
    """The service of energie, which agreed 2W-be-SE for Schuldregeling."""
    return make_receiving(template, tmp_path / "instance", "energie",
                          change=lambda folder: encrypted.agree(folder, parties=("energie",)))


def cipher(service: Receiving, name: str = "energie-enc", **changes: object) -> Cipher:
    pem = (service.instance.folder / "pki" / f"{name}.pem").read_bytes()
    return Cipher(certificate=encrypted.foreign_der(pem), **changes)


def opened(service: Receiving, reply: Reply) -> Reply:
    """An encrypted answer as the hub reads it."""
    return replace(reply, octets=encrypted.decrypt(reply.octets, service.instance.folder, "hub-enc"))


@pytest.mark.clause("WB005", "WB011")
def test_where_2w_be_se_is_agreed_message_and_receipt_are_encrypted(agreed: Receiving) -> None:
    child = message()
    sent = foreign.build(agreed.plan(child))
    octets = foreign.octets(encrypted.encrypt(sent, cipher(agreed)))
    assert b"Achternaam" not in octets
    reply = agreed.post(octets)
    assert (reply.status, b"Ontvangstbevestiging" in reply.octets) == (200, False)
    receipt = etree.fromstring(opened(agreed, reply).octets).find(f"s:Body/{{{KN}}}Ontvangstbevestiging", NS)
    digest = hashlib.sha256(foreign.canonical(etree.fromstring(child))).digest()
    assert b64decode(receipt.findtext(f"{{{KN}}}BerichtDigest")) == digest
    assert len(agreed.messages) == 1


@pytest.mark.clause("WB011")
def test_where_2w_be_se_is_agreed_a_message_in_clear_is_refused(agreed: Receiving) -> None:
    reply = agreed.push(message())
    assert reply.status == 500
    assert code(opened(agreed, reply)) == "SKP015"
    assert not agreed.messages


CIPHERS: dict[str, Callable[[Receiving], Cipher]] = {
    "for another": lambda service: cipher(service, "gemeente-enc"),
    "one octet changed": lambda service: cipher(service, octets=lambda octets: octets[:-1] + bytes([octets[-1] ^ 1])),
    "another message inside": lambda service: cipher(service, content=lambda _: example("SaldoVerzoek-volledig")),
}


@pytest.mark.parametrize("case", CIPHERS)
def test_what_does_not_open_or_is_not_what_was_signed_is_refused(agreed: Receiving, case: str) -> None:
    sent = foreign.build(agreed.plan(message()))
    reply = agreed.post(foreign.octets(encrypted.encrypt(sent, CIPHERS[case](agreed))))
    assert code(opened(agreed, reply)) == "SKP015"
    assert not agreed.messages


def test_where_nothing_is_agreed_an_encrypted_message_is_refused(service: Receiving) -> None:
    sent = foreign.build(service.plan(message()))
    assert code(service.post(foreign.octets(encrypted.encrypt(sent, cipher(service))))) == "SKP015"
    assert not service.messages


# --- sealed bodies -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sealed_sets(tmp_path_factory.mktemp("sealed"))


def test_a_sealed_message_is_kept_as_it_came_once_it_opens_and_holds(
    template: Path, sets: Path, tmp_path: Path
) -> None:
    """Confirmed is gone from the hub: what the party can't read it must not confirm."""
    service = make_receiving(template, tmp_path / "instance", "energie", change=lambda folder: take(sets, folder))
    clear = etree.fromstring(sample("SaldoVerzoek", str(uuid.uuid4())))

    def sealed_for(name: str, clear: etree._Element) -> bytes:
        return seal_message(clear, recipient_of(cipher(service, name).certificate))

    mine = sealed_for("energie-enc", clear)
    assert code(service.push(mine)) is None
    assert [one.read_bytes() for one in service.messages] == [mine]
    another = etree.fromstring(sample("SaldoVerzoek", str(uuid.uuid4())))
    assert code(service.push(sealed_for("gemeente-enc", another))) == "SKP015"
    another.remove(another[-1])
    assert code(service.push(sealed_for("energie-enc", another))) == "SKP001"
    assert len(service.messages) == 1
