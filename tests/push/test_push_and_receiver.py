"""The hub's line out and a party's receiving service, as they are, with nothing in between: what one says the other
believes. In 2W-be-S, in 2W-be-SE by every agreement there is, bridged and sealed.
"""

import re
import uuid
from base64 import b64decode
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from lxml import etree

from gateway.app import verify_evidence
from gateway.push_values import Result
from gateway.security.keys import load_private_key
from gateway.storage import KeyDirectory
from gateway.storage.sealing import context_of
from gateway.values import DeliveryState
from tests import encrypted, foreign, pushing
from tests.acceptance.load import kennisgeving
from tests.acceptance.test_addressed import rows
from tests.acceptance.test_bridging import speak, write
from tests.acceptance.test_sealed import client, sealed_sets, take
from tests.acceptance.test_sealed import message as sample
from tests.command import ENERGIE
from tests.encrypted import SHA256_OAEP, E
from tests.foreign import D
from tests.line import example
from tests.push.conveyor import Conveyor, conveyor

SECRET = b"Voorbeeld-Vliet"
CONTENT = ("payloads", "bridged_payloads", "addressed_payloads")


def agreed(*services: str):
    return lambda folder: encrypted.agree(folder, parties=("energie",), services=services)


def canonical(octets: bytes) -> bytes:
    return foreign.canonical(etree.fromstring(octets))


def content(hub: Conveyor) -> tuple[int, ...]:
    """How many rows of content the store holds: for anybody, bridged, for one addressee alone."""
    return tuple(map(hub.line.rows, CONTENT))


def status(hub: Conveyor, number: str) -> DeliveryState:
    with hub.line.instance.operations() as operations:
        return DeliveryState(str(operations.message(number)["status"]))


@pytest.fixture
def plain(template: Path, tmp_path: Path) -> Iterator[Conveyor]:
    with conveyor(template, tmp_path / "instance") as made:
        yield made


@pytest.fixture
def both(template: Path, tmp_path: Path) -> Iterator[Conveyor]:
    """2W-be-SE for what is pushed and for the mailbox."""
    with conveyor(template, tmp_path / "instance", change=agreed("schuldregeling", "postbus")) as made:
        yield made


def test_what_is_pushed_is_kept_confirmed_and_gone(plain: Conveyor) -> None:
    message = kennisgeving(str(uuid.uuid4()))
    number = plain.send(message)
    outcome = plain.push()
    assert (outcome.result, outcome.cause) == (Result.DELIVERED, "")
    assert plain.messages == {number: canonical(message)}
    assert status(plain, number) is DeliveryState.BEVESTIGD
    assert (content(plain), plain.line.rows("outbox")) == ((0, 0, 0), 0)


def test_a_lost_answer_costs_one_more_attempt_and_gives_no_second_message(plain: Conveyor) -> None:
    number = plain.send(kennisgeving(str(uuid.uuid4())))
    plain.lost = 2
    results = [plain.push().result for _ in range(3)]
    assert results == [Result.UNREACHABLE, Result.UNREACHABLE, Result.DELIVERED]
    assert list(plain.messages) == [number]
    ids = {etree.fromstring(one).findtext(f".//{{{foreign.A}}}MessageID") for one in plain.requests}
    assert len(ids) == 1
    assert len({etree.fromstring(one).findtext(f".//{{{D}}}SignatureValue") for one in plain.requests}) == 3
    digests = {etree.fromstring(one).findtext(".//{*}BerichtDigest") for one in plain.answers}
    assert len(digests) == 1
    assert [event for event, _ in plain.line.events if event in ("received", "repeated")] == [
        "received", "repeated", "repeated"]


def test_evidence_holds_for_a_message_that_was_pushed(plain: Conveyor) -> None:
    message = kennisgeving(str(uuid.uuid4()))
    number = plain.send(message)
    plain.push()
    file = client(plain.line, "gemeente").evidence(number)
    checks = verify_evidence(file, canonical(message), [plain.line.instance.folder / "pki" / "ca.pem"])
    assert [one.name for one in checks if one.holds is False] == []
    assert sum(one.holds is True for one in checks) > 5


# --- 2W-be-SE ------------------------------------------------------------------------------------------------------


@pytest.mark.clause("WB005", "WB006", "WB011")
def test_agreed_for_both_ways_it_is_encrypted_at_acceptance_and_pushed_so(both: Conveyor) -> None:
    message = kennisgeving(str(uuid.uuid4()))
    number = both.send(message)
    assert content(both) == (0, 0, 1)
    outcome = both.push()
    assert (outcome.result, outcome.cause) == (Result.DELIVERED, "")
    (request,), (answer,) = both.requests, both.answers
    assert SECRET not in request
    assert b"Ontvangstbevestiging" not in answer
    assert both.messages == {number: canonical(message)}
    assert status(both, number) is DeliveryState.BEVESTIGD
    assert (content(both), both.line.rows("outbox")) == ((0, 0, 0), 0)


def test_each_attempt_repeats_what_was_encrypted_in_an_envelope_of_its_own(both: Conveyor) -> None:
    both.send(kennisgeving(str(uuid.uuid4())))
    both.lost = 1
    both.push()
    assert both.push().result is Result.DELIVERED
    first, second = (etree.fromstring(one) for one in both.requests)
    for name in ("EncryptedData", "EncryptedKey"):
        assert foreign.canonical(next(first.iter(f"{{{E}}}{name}"))) == foreign.canonical(
            next(second.iter(f"{{{E}}}{name}")))
    assert first.findtext(f".//{{{D}}}SignatureValue") != second.findtext(f".//{{{D}}}SignatureValue")


def test_the_hub_s_keys_open_neither_form_and_the_party_s_opens_both(both: Conveyor) -> None:
    both.send(kennisgeving(str(uuid.uuid4())))
    folder = both.line.instance.folder
    ((epoch, wrapped, sealed, pushed_wrapped, pushed_sealed, number, sender, receiver),) = rows(
        both.line, "SELECT epoch, wrapped, sealed, pushed_wrapped, pushed_sealed, referentienummer, afzender, receiver "
        "FROM addressed_payloads JOIN messages ON id = message")
    keys = KeyDirectory(folder / "keys")
    hub_keys = [load_private_key(path) for path in sorted((folder / "pki").glob("hub-*.key"))]
    own = load_private_key(folder / "pki" / "energie-enc.key")
    for key, data in ((wrapped, sealed), (pushed_wrapped, pushed_sealed)):
        element = keys.unwrap(epoch, key, context_of(number, sender, receiver))  # the hub gets so far and no further
        assert SECRET not in element + data
        secret = b64decode(etree.fromstring(element).findtext(f".//{{{E}}}CipherValue"))
        value = b64decode(etree.fromstring(data).findtext(f".//{{{E}}}CipherValue"))
        for each in hub_keys:
            with suppress(ValueError, AttributeError, InvalidTag):
                assert SECRET not in AESGCM(each.decrypt(secret, SHA256_OAEP)).decrypt(value[:12], value[12:], None)
        assert SECRET in AESGCM(own.decrypt(secret, SHA256_OAEP)).decrypt(value[:12], value[12:], None)


def test_with_its_service_down_the_party_collects_the_other_form(both: Conveyor) -> None:
    message = kennisgeving(str(uuid.uuid4()))
    number = both.send(message)
    party = client(both.line, "energie")
    assert party.collect(number).octets == canonical(message)
    assert party.confirm(number) == {number: True}
    assert (content(both), both.line.rows("outbox"), both.requests) == ((0, 0, 0), 0, [])


def test_agreed_for_the_module_alone_the_push_is_encrypted_as_it_leaves(template: Path, tmp_path: Path) -> None:
    with conveyor(template, tmp_path / "instance", change=agreed("schuldregeling")) as hub:
        message = kennisgeving(str(uuid.uuid4()))
        number = hub.send(message)
        assert content(hub) == (1, 0, 0)  # the mailbox must be able to give it in clear
        assert client(hub.line, "energie").collect(number).octets == canonical(message)
        assert hub.push().result is Result.DELIVERED
        assert SECRET not in hub.requests[0]
        assert hub.messages == {number: canonical(message)}


def test_agreed_for_the_mailbox_alone_the_push_is_in_clear(template: Path, tmp_path: Path) -> None:
    with conveyor(template, tmp_path / "instance", change=agreed("postbus")) as hub:
        message = kennisgeving(str(uuid.uuid4()))
        number = hub.send(message)
        assert content(hub) == (1, 0, 0)
        assert client(hub.line, "energie").collect(number).octets == canonical(message)
        assert hub.push().result is Result.DELIVERED
        assert SECRET in hub.requests[0]


def test_a_service_that_knows_of_no_agreement_refuses_and_nothing_is_lost(template: Path, tmp_path: Path) -> None:
    def forget(folder: Path) -> None:  # the service's own idea of what was agreed
        path = folder / "parties.toml"
        path.write_text(re.sub(r"\nprofiles = .*", "", path.read_text("utf-8")), "utf-8")

    with conveyor(template, tmp_path / "instance", change=agreed("schuldregeling"), at_service=forget) as hub:
        number = hub.send(kennisgeving(str(uuid.uuid4())))
        outcome = hub.push()
        assert (outcome.result, outcome.cause) == (Result.REFUSED, "PeerRefused: SKP015")
        assert (status(hub, number), hub.messages) == (DeliveryState.BESCHIKBAAR, {})


@pytest.mark.clause("WB011")
@pytest.mark.parametrize("services", [("schuldregeling",), ("schuldregeling", "postbus")], ids=["leaving", "accepted"])
def test_a_receipt_in_clear_of_an_encrypted_push_is_no_delivery(
    template: Path, tmp_path: Path, services: tuple[str, ...]
) -> None:
    message = kennisgeving(str(uuid.uuid4()))

    def answer_in_clear(url: str, octets: bytes, action: str, check: object) -> tuple[int, bytes]:
        request = replace(pushing.read(octets), message=etree.fromstring(message))  # as a service that decrypted it
        maker = pushing.Receiver(slug="energie", party=ENERGIE, folder=tmp_path / "instance")
        return 200, pushing.well(maker, request).octets

    with conveyor(template, tmp_path / "instance", change=agreed(*services), post=answer_in_clear) as hub:
        number = hub.send(message)
        outcome = hub.push()
        assert (outcome.result, "not encrypted" in outcome.cause) == (Result.INVALID, True)
        assert status(hub, number) is DeliveryState.BESCHIKBAAR


def test_a_bridged_message_is_pushed_in_the_version_that_is_taken(template: Path, tmp_path: Path) -> None:
    def change(folder: Path) -> None:
        agreed("schuldregeling", "postbus")(folder)
        speak(gemeente='["2.0"]', energie='["1.1"]')(folder)

    with conveyor(template, tmp_path / "instance", change=change) as hub:
        number = hub.send(write(example("SaldoVerzoek-volledig"), ConversatieReferentienummer=str(uuid.uuid4())))
        assert content(hub) == (0, 0, 1)
        assert hub.push().result is Result.DELIVERED
        assert b"urn:schuldenknooppunt:schuldregeling:1.1" in hub.messages[number]


# --- sealed bodies -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sealed_sets(tmp_path_factory.mktemp("sealed"))


@pytest.mark.parametrize("services", [(), ("betalingsregeling", "postbus")], ids=["2W-be-S", "2W-be-SE"])
def test_a_sealed_body_passes_through_as_its_sender_made_it(
    template: Path, sets: Path, tmp_path: Path, services: tuple[str, ...]
) -> None:
    def change(folder: Path) -> None:
        take(sets, folder)
        if services:
            agreed(*services)(folder)

    with conveyor(template, tmp_path / "instance", change=change) as hub:
        sent = client(hub.line, "gemeente").send(sample("SaldoVerzoek", str(uuid.uuid4())))
        assert hub.push().result is Result.DELIVERED
        (kept,) = hub.messages.values()
        assert kept == foreign.canonical(next(etree.fromstring(sent.envelope).iter("{*}SaldoVerzoek")))
