"""What waits for a party that takes its mailbox in 2W-be-SE, through the whole line: only its own key opens it."""

import shutil
import uuid
from base64 import b64decode
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import replace
from itertools import chain
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from lxml import etree

from gateway.app import examine
from gateway.errors import ReceiptInvalid
from gateway.party import PartyClient
from gateway.security.keys import load_private_key
from gateway.storage import KeyDirectory
from gateway.storage.sealing import context_of
from tests import foreign
from tests.acceptance.test_bridging import speak, write
from tests.acceptance.test_sealed import client
from tests.command import ENERGIE, GEMEENTE
from tests.encrypted import OAEP, SHA256_OAEP, E, agree
from tests.line import EXAMPLES, Line, edit_parties, example, make_line, opened
from tests.postgres.databases import asked, everything, in_a_file

OVERVIEW = Path("schuldenoverzicht/1.0/examples/valid/SchuldenoverzichtVerzoek-volledig.xml")
SECRET = "Voorbeeld-Vliet"
DEURWAARDER = "11111111-1111-4111-8111-000000000003"


def change(folder: Path) -> None:
    """Two creditors take their mailbox in 2W-be-SE; nobody agreed anything else."""
    agree(folder, parties=("energie", "zorgverzekeraar"), services=("postbus",))


@pytest.fixture(scope="module")
def line(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    made = make_line(template, tmp_path_factory.mktemp("addressed") / "instance", change=change)
    yield made
    made.store.close()


def message(**fields: str) -> bytes:
    text = write(example("Kennisgeving-volledig"), ConversatieReferentienummer=str(uuid.uuid4()), **fields)
    assert SECRET.encode() in text
    return text


def accepted(line: Line, octets: bytes) -> str:
    """Send it as the municipality; its number."""
    return client(line, "gemeente").send(octets).receipt.referentienummer


def rows(line: Line, query: str, *values: object) -> list[tuple]:
    return asked(line.instance.folder, query, *values)


def stored(line: Line, number: str) -> tuple:
    """epoch, wrapped, sealed of what waits under this number."""
    (row,) = rows(line, "SELECT epoch, wrapped, sealed FROM addressed_payloads JOIN messages ON id = message "
                        "WHERE referentienummer = ?", number)
    return row


def value(octets: bytes) -> bytes:
    return b64decode(etree.fromstring(octets).findtext(f".//{{{E}}}CipherValue"))


def opens(key: bytes, sealed: bytes) -> bool:
    with suppress(InvalidTag):
        return bool(AESGCM(key).decrypt(sealed[:12], sealed[12:], None))
    return False


@pytest.mark.clause("§7.3")
def test_all_that_the_hub_has_opens_nothing_and_the_addressee_s_key_does(line: Line) -> None:
    """Database, log, sealing keys and every private key of the hub; each 32 octets of them tried as the content's key.
    """
    sent = message()
    number = accepted(line, sent)
    assert SECRET.encode() not in everything(line.instance.folder)
    assert line.rows("payloads") == line.rows("bridged_payloads") == 0

    epoch, wrapped, sealed = stored(line, number)
    vault = KeyDirectory(line.instance.folder / "keys")
    key_element = vault.unwrap(epoch, wrapped, context_of(number, GEMEENTE, ENERGIE))  # as far as the hub comes
    content = value(sealed)
    assert OAEP.encode() in key_element
    pki = line.instance.folder / "pki"
    owned = [load_private_key(file) for file in sorted(pki.glob("hub-*.key"))]
    assert len(owned) >= 3
    for private in owned:
        if hasattr(private, "decrypt"):
            with pytest.raises(ValueError, match=r"[Dd]ecrypt"):
                private.decrypt(value(key_element), SHA256_OAEP)
    days = (line.instance.folder / "keys").iterdir()
    blobs = [key_element, value(key_element), *(file.read_bytes() for file in days)]
    blobs += [cell for table in ("messages", "deliveries", "conversations", "entries", "addressed_payloads", "proofs")
              for row in rows(line, f"SELECT * FROM {table}") for cell in row
              if isinstance(cell, bytes) and len(cell) < 3000]
    windows = set(chain.from_iterable((blob[at:at + 32] for at in range(len(blob) - 31)) for blob in blobs))
    assert len(windows) > 2000
    assert not any(opens(window, content) for window in windows)

    key = load_private_key(pki / "energie-enc.key").decrypt(value(key_element), SHA256_OAEP)
    assert opens(key, content)  # so what was tried above would have been seen
    collected = client(line, "energie").collect(number).octets
    assert collected == foreign.canonical(etree.fromstring(sent))


@in_a_file  # what no table shows: its free pages and its log
@pytest.mark.clause("§7.3")
def test_the_files_of_the_store_do_not_hold_the_content_in_clear(line: Line) -> None:
    accepted(line, message())
    files = list(line.instance.folder.glob("gateway.db*"))
    assert (line.instance.folder / "gateway.db-wal").stat().st_size > 0
    assert not any(SECRET.encode() in file.read_bytes() for file in files)


def test_its_software_notices_nothing(line: Line) -> None:
    """List, collect twice, confirm; a fresh signature each time, the same content, and then it is gone."""
    sent = message()
    number, energie = accepted(line, sent), client(line, "energie")
    assert number in [one.referentienummer for one in energie.waiting()]
    assert energie.collect(number) == energie.collect(number)
    assert [one.opgehaald for one in energie.waiting() if one.referentienummer == number] == [True]
    assert energie.confirm(number) == {number: True}
    assert rows(line, "SELECT 1 FROM addressed_payloads JOIN messages ON id = message "
                      "WHERE referentienummer = ?", number) == []


def test_content_that_was_changed_in_the_store_is_not_believed(line: Line) -> None:
    """The hub can't see it; but its signature is over what was accepted."""
    first, second = accepted(line, message()), accepted(line, message())
    rows(line, "UPDATE addressed_payloads SET sealed = ? WHERE sealed = ?",
         stored(line, second)[2], stored(line, first)[2])
    with pytest.raises(ReceiptInvalid):
        client(line, "energie").collect(first)
    assert client(line, "energie").collect(second).octets


def test_for_who_did_not_agree_it_nothing_changes(line: Line) -> None:
    before = line.rows("payloads"), line.rows("addressed_payloads")
    sent = message(Ontvanger=DEURWAARDER)
    number = accepted(line, sent)
    assert (line.rows("payloads"), line.rows("addressed_payloads")) == (before[0] + 1, before[1])
    assert client(line, "deurwaarder").collect(number).octets == foreign.canonical(etree.fromstring(sent))


def test_of_two_addressees_each_gets_it_in_its_own_way(line: Line) -> None:
    octets = (EXAMPLES.parents[3] / OVERVIEW).read_bytes()
    octets = write(octets, ConversatieReferentienummer=str(uuid.uuid4()))
    before = line.rows("payloads"), line.rows("addressed_payloads")
    number = accepted(line, octets)
    assert (line.rows("payloads"), line.rows("addressed_payloads")) == (before[0] + 1, before[1] + 1)
    verzekeraar, deurwaarder = client(line, "zorgverzekeraar"), client(line, "deurwaarder")
    assert verzekeraar.collect(number) == deurwaarder.collect(number)
    assert deurwaarder.confirm(number) == {number: True}
    assert (line.rows("payloads"), line.rows("addressed_payloads")) == (before[0], before[1] + 1)
    assert verzekeraar.collect(number).octets == foreign.canonical(etree.fromstring(octets))


def test_a_bridged_message_is_encrypted_in_the_version_that_is_taken(template: Path, tmp_path: Path) -> None:
    def both(folder: Path) -> None:
        change(folder)
        speak(gemeente='["2.0"]', energie='["1.1"]')(folder)

    made = make_line(template, tmp_path / "instance", change=both)
    with closing(made.store):
        octets = write(example("SaldoVerzoek-volledig"), ConversatieReferentienummer=str(uuid.uuid4()))
        number = accepted(made, octets)
        assert [made.rows(one) for one in ("payloads", "bridged_payloads", "addressed_payloads")] == [0, 0, 1]
        bridged = client(made, "energie").collect(number).octets
        assert b"urn:schuldenknooppunt:schuldregeling:1.1" in bridged


def test_a_certificate_that_does_not_hold_stops_no_sender(template: Path, tmp_path: Path) -> None:
    """Nobody could ever open what is encrypted to it: the hub's keys seal it; doctor tells (test_encrypted)."""
    def lapsed(folder: Path) -> None:
        change(folder)
        for suffix in ("pem", "key"):  # of another organisation: as good as any that does not hold
            shutil.copy(folder / "pki" / f"gemeente-enc.{suffix}", folder / "pki" / f"energie-enc.{suffix}")

    made = make_line(template, tmp_path / "instance", change=lapsed)
    with closing(made.store):
        accepted(made, message())
        assert (made.rows("payloads"), made.rows("addressed_payloads")) == (1, 0)


def test_what_an_earlier_certificate_opens_is_served_and_told(template: Path, tmp_path: Path) -> None:
    made = make_line(template, tmp_path / "instance", change=change)
    folder = made.instance.folder
    with closing(made.store):
        sent = message()
        number = accepted(made, sent)
        with opened(folder).privacy() as door:
            assert [one["in_gebruik"] for one in door.report()["versleuteld_voor"]] == [True]
        edit_parties(folder, energie={"encryption": None, "profiles": {}})
        found = {one.name: one for one in examine(folder)}["content for addressees alone"]
        assert found.holds
        assert found.detail == "1 waiting, 1 of them for an earlier certificate of energie"
        assert "old key" in found.remedy
        with opened(folder).privacy() as door:
            (told,) = door.report()["versleuteld_voor"]
        assert (told["deelnemer"], told["in_gebruik"], told["afleveringen"]) == ("energie", False, 1)
    again = make_line(folder, tmp_path / "again")  # agreed nothing now, as its address book has it
    with closing(again.store):
        assert client(again, "energie").collect(number).octets == foreign.canonical(etree.fromstring(sent))
        with pytest.raises(ReceiptInvalid):
            keyless(again).collect(number)


def keyless(line: Line) -> PartyClient:
    """The creditor's software after it put its old key away."""
    made = client(line, "energie")
    return replace(made, encryption=replace(made.encryption, keys=()))
