"""Evidence over a real hub: what the file proves after everything else is gone, to whom it is given, and with what."""

import re
import subprocess
import sys
import uuid
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
import zeep
from lxml import etree

from gateway.app import verify_evidence
from gateway.errors import PeerRefused
from gateway.party import PartyClient
from gateway.security import EXAMPLE_HUB_OIN
from tests.acceptance.hub import ROOT, Hub
from tests.acceptance.load import kennisgeving
from tests.acceptance.test_zeep import Desk
from tests.command import ENERGIE, GEMEENTE, gateway
from tests.line import KN

ALONE = ROOT / "docs" / "verify" / "bewijs_controleren.py"
DEURWAARDER = "11111111-1111-4111-8111-000000000003"


def alone(folder: Path, file: bytes, message: bytes | None, hub: Hub) -> tuple[int, dict[str, bool | None]]:
    """The stand-alone file in a process of its own that can't find the gateway; exit code and verdicts."""
    (folder / "bewijs.xml").write_bytes(file)
    words = [str(folder / "bewijs.xml"), "--anchor", str(hub.folder / "pki" / "ca.pem"), "--hub-oin", EXAMPLE_HUB_OIN]
    if message is not None:
        (folder / "bericht.xml").write_bytes(message)
        words += ["--message", str(folder / "bericht.xml")]
    return run_alone(words, folder)


def run_alone(words: list[str], folder: Path) -> tuple[int, dict[str, bool | None]]:
    """`python -I`: no PYTHONPATH, no working directory; and any import of the gateway or a socket ends it."""
    guard = (
        "import sys, runpy\n"
        "def refuse(event, facts):\n"
        "    if (event == 'import' and facts[0].split('.')[0] == 'gateway') or event == 'socket.connect':\n"
        "        raise SystemExit(f'99 {event} {facts}')\n"
        "sys.addaudithook(refuse)\n"
        "sys.argv = sys.argv[1:]\n"
        "runpy.run_path(sys.argv[0], run_name='__main__')\n"
    )
    ran = subprocess.run([sys.executable, "-I", "-c", guard, str(ALONE), *words], cwd=folder, capture_output=True,
                         text=True, check=False, timeout=60)
    assert ran.stderr == ""
    marks = {"✓": True, "✗": False, "–": None}
    lines = [re.fullmatch(r"([✓✗–]) (.*?): .*", line) for line in ran.stdout.splitlines()]
    return ran.returncode, {found[2]: marks[found[1]] for found in lines if found}


def failing(hub: Hub, file: bytes, message: bytes | None = None) -> set[str]:
    """The checks of `gateway evidence verify` that do not hold."""
    anchors = [hub.folder / "pki" / "ca.pem"]
    return {one.name for one in verify_evidence(file, message, anchors, EXAMPLE_HUB_OIN) if one.holds is False}


@pytest.fixture(scope="module")
def parties(hub: Hub) -> Callable[[str], PartyClient]:
    """A party's client, made once: it reads every message set."""
    return cache(lambda slug: hub.party(slug))


@pytest.fixture(scope="module")
def message() -> bytes:
    return kennisgeving(str(uuid.uuid4()), receiver=ENERGIE)


@pytest.fixture(scope="module")
def number(parties, message: bytes) -> str:
    """Of a message that was sent, collected and confirmed: its content is gone."""
    receipt = parties("gemeente").send(message).receipt
    client = parties("energie")
    client.collect(receipt.referentienummer)
    assert client.confirm(receipt.referentienummer) == {receipt.referentienummer: True}
    return receipt.referentienummer


@pytest.mark.clause("§3.8", "§7.4")
def test_after_confirmation_it_proves_all_and_one_changed_character_nothing(hub, parties, number, message, tmp_path):
    """Sender, time, digest, collection, confirmation; with the message the content; with one other character not."""
    file = parties("gemeente").evidence(number)
    code, verdicts = alone(tmp_path, file, message, hub)
    assert (code, failing(hub, file, message)) == (0, set())
    for name in ("handtekening van de afzender, zoals in het journaal", "ondertekende Body is de aangenomen Body",
                 "journaal", "aangenomen door het knooppunt", "opgehaald door de ontvanger",
                 "bevestigd door de ontvanger", "dit bericht is de inhoud", "de afzender tekende precies deze inhoud"):
        assert verdicts[name] is True, name
    text = max((one for one in etree.fromstring(message).itertext() if one.strip()), key=len).encode()
    changed = message.replace(text, text[:-1] + bytes([text[-1] ^ 1]), 1)
    assert len(changed) == len(message)
    code, verdicts = alone(tmp_path, file, changed, hub)
    assert code == 1
    wrong = {name for name, holds in verdicts.items() if holds is False}
    assert wrong == failing(hub, file, changed) == {"dit bericht is de inhoud",
                                                    "de afzender tekende precies deze inhoud"}
    stated = next(one for one in re.findall(rb'"message_digest":"([0-9a-f]{64})"', file))
    other = file.replace(stated, stated[:-1] + (b"0" if stated[-1:] != b"0" else b"1"))
    code, verdicts = alone(tmp_path, other, message, hub)
    assert (code, verdicts) == (1, {"handtekening van het knooppunt": False})
    assert failing(hub, other, message) == {"handtekening van het knooppunt"}


def test_it_is_fetched_by_command_and_by_a_foreign_client(hub, number, message, tmp_path):
    for slug in ("gemeente", "energie"):
        ran = gateway("evidence", "fetch", hub.folder, "--party", slug, "--url", hub.soap, number.upper())
        assert (ran.code, failing(hub, ran.octets, message)) == (0, set())
    desk = Desk(hub, "gemeente", "shv")
    service = zeep.Client(f"{hub.soap}/soap/knooppunt/1.0/logboek?wsdl", transport=desk.wire, wsse=desk.wire.seal)
    answer = service.service.HaalBewijsOp(Referentienummer=number)
    assert answer.Referentienummer == number
    assert alone(tmp_path, answer.Bewijs, message, hub)[0] == 0


def test_nobody_else_learns_even_that_there_is_one(parties, number):
    faults = []
    for asked in (number, str(uuid.uuid4())):
        with pytest.raises(PeerRefused) as caught:
            parties("deurwaarder").evidence(asked)
        faults.append(re.sub(r"[0-9a-f-]{36}|[0-9T:.-]+Z", "", str(caught.value.detail)))
    assert faults[0] == faults[1]
    assert faults[0].startswith("SKP014")


def test_an_addressee_sees_nothing_of_what_others_did(hub, parties):
    sent = (ROOT / "xsd/meldingen-bewindvoering/1.0/examples/valid/"
            "MeldingBewindAanmelding-meer-schuldeisers.xml").read_bytes()
    assert all(f"Ontvanger>{one}<".encode() in sent for one in (ENERGIE, DEURWAARDER))
    number = parties("bewindvoerder").send(sent).receipt.referentienummer
    for slug in ("energie", "deurwaarder"):
        parties(slug).collect(number)
    parties("deurwaarder").confirm(number)

    def events(slug: str) -> list[tuple[str, str]]:
        file = parties(slug).evidence(number)
        assert failing(hub, file, sent) == set()
        records = list(etree.fromstring(file).iter(f"{{{KN}}}Record"))
        return sorted((re.search('"kind":"([a-z]+)"', one.text)[1], found[1] if (
            found := re.search('"ontvanger":"([^"]+)"', one.text)) else "") for one in records)

    assert events("bewindvoerder") == sorted([
        ("accepted", ""), ("collected", ENERGIE), ("collected", DEURWAARDER), ("confirmed", DEURWAARDER)])
    assert events("energie") == [("accepted", ""), ("collected", ENERGIE)]
    assert events("deurwaarder") == [("accepted", ""), ("collected", DEURWAARDER), ("confirmed", DEURWAARDER)]


def test_a_refusal_is_proven_to_the_octet(hub, parties, number, tmp_path):
    """Who was refused, when and why, and that it was this request: the operator exports it by the fault's ticket."""
    kept: list[bytes] = []
    with pytest.raises(PeerRefused) as caught:
        parties("gemeente").send(kennisgeving(number, receiver=ENERGIE), kept.append)  # the number is used
    ticket = caught.value.fault.ticket
    ran = gateway("evidence", "export", "--ticket", ticket.upper(), "--instance", hub.folder)
    assert ran.code == 0
    code, verdicts = alone(tmp_path, ran.octets, kept[0], hub)
    assert code == 0
    assert failing(hub, ran.octets, kept[0]) == set()
    assert verdicts["geweigerd door het knooppunt"] is verdicts["het verzoek kwam van"] is True
    assert verdicts["dit is het geweigerde verzoek"] is True
    changed = kept[0].replace(b"urn:uuid:", b"urn:uuie:", 1)
    code, verdicts = alone(tmp_path, ran.octets, changed, hub)
    assert code == 1
    assert {name for name, holds in verdicts.items() if holds is False} == failing(hub, ran.octets, changed) == {
        "dit is het geweigerde verzoek"}
    for words in ((), (number, "--ticket", ticket), ("--ticket", ticket, "--party", "gemeente")):
        assert gateway("evidence", "export", *words, "--instance", hub.folder).code == 2
    assert gateway("evidence", "export", "--ticket", str(uuid.uuid4()), "--instance", hub.folder).code == 1
    assert GEMEENTE not in ran.out
