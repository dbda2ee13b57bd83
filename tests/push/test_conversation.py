"""A creditor that takes push, in processes as they run: `gateway serve` on one side of TLS, `gateway listen` beyond it.

A whole conversation, a message to two addressees of whom one collects, evidence, and nothing left of any content.
"""

import platform
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from lxml import etree

from gateway.app import canonical_message, verify_evidence
from gateway.party import PartyClient
from tests.acceptance.hub import Hub, hub_on
from tests.acceptance.memory import found_in, writable
from tests.acceptance.receiving import Listening, listening
from tests.acceptance.test_bridging import write
from tests.acceptance.test_nothing_left import PLANTED, on_disk, planted
from tests.command import DEURWAARDER, ENERGIE, gateway
from tests.line import EXAMPLES, KN, edit_parties, example, opened
from tests.postgres.databases import asked, copied

CONVERSATION = (
    ("gemeente", "Kennisgeving"), ("gemeente", "SaldoVerzoek"), ("energie", "SaldoVerzoekAntwoord"),
    ("gemeente", "BetaalVoorstel"), ("energie", "BetaalVoorstelAntwoord"), ("gemeente", "RegelingGeaccordeerd"),
)
OVERVIEW = EXAMPLES.parents[3] / "schuldenoverzicht/1.0/examples/valid/SchuldenoverzichtVerzoek-volledig.xml"
PATIENCE_SECONDS = 20


@dataclass(kw_only=True)
class World:
    """A running hub, and the running service of energie."""

    hub: Hub
    service: Listening
    clients: dict[str, PartyClient] = field(default_factory=dict)

    def party(self, slug: str) -> PartyClient:
        """A party's software, made once."""
        if slug not in self.clients:
            self.clients[slug] = opened(self.hub.folder).party(slug, url=self.hub.soap)
        return self.clients[slug]

    def taken(self, number: str) -> bytes:
        """The message that the service took under this number, once the hub has it confirmed."""
        while self.service.wait_for("received")["referentienummer"] != number:
            pass
        eventually(lambda: self.status(number)["energie"] == "BEVESTIGD")
        return self.service.messages[number]

    def status(self, number: str) -> dict[str, str]:
        """By addressee, what became of a message."""
        names = {ENERGIE: "energie", DEURWAARDER: "deurwaarder"}
        found = self.select("SELECT receiver, state FROM deliveries JOIN messages ON id = message "
                            "WHERE referentienummer = ?", number)
        return {names[receiver]: state for receiver, state in found}

    def failures(self, number: str) -> int:
        """How many attempts at a message failed."""
        found = self.select("SELECT result FROM attempts JOIN messages ON id = message WHERE referentienummer = ?",
                            number)
        return sum(result != "delivered" for (result,) in found)

    def select(self, query: str, *values: object) -> list[tuple[str, ...]]:
        """Read past everything the gateway does; many times, which the commands would be too slow for."""
        return asked(self.hub.folder, query, *values)


def eventually(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def number_of(message: bytes) -> str:
    return etree.fromstring(message).findtext(f".//{{{KN}}}Referentienummer")


@pytest.fixture(scope="module")
def temporary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("temporary")


@pytest.fixture(scope="module")
def world(template: Path, temporary: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = copied(template, tmp_path_factory.mktemp("push") / "instance")
    with (folder / "gateway.toml").open("a") as settings:
        settings.write("\n[push]\nbackoff_seconds = 1\nconnect_seconds = 1\nanswer_seconds = 2\n")
    with listening(folder, "energie", tmp_path_factory.mktemp("taken")) as service:
        edit_parties(folder, energie={"push": service.url, "mag_bsn": True})
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("TMPDIR", str(temporary))
            with hub_on(folder) as hub:
                made = World(hub=hub, service=service)
                yield made
                for client in made.clients.values():
                    client.close()


def test_a_whole_conversation_with_a_creditor_that_takes_push(world: World) -> None:
    gemeente, energie = world.party("gemeente"), world.party("energie")
    for sender, name in CONVERSATION:
        message = example(f"{name}-volledig")
        number = number_of(message)
        if sender == "gemeente":
            gemeente.send(message)
            assert world.taken(number) == canonical_message(message)
        else:
            energie.send(message)
            assert gemeente.collect(number).octets == canonical_message(message)
            assert gemeente.confirm(number) == {number: True}
    assert energie.waiting() == gemeente.waiting() == []


def test_of_two_addressees_one_is_pushed_and_one_collects(world: World) -> None:
    octets = OVERVIEW.read_bytes().replace(b"11111111-1111-4111-8111-000000000004", ENERGIE.encode())
    octets = write(octets, ConversatieReferentienummer=str(uuid.uuid4()))
    number = world.party("gemeente").send(octets).receipt.referentienummer
    assert world.taken(number) == canonical_message(octets)
    assert world.status(number) == {"energie": "BEVESTIGD", "deurwaarder": "BESCHIKBAAR"}
    deurwaarder = world.party("deurwaarder")
    assert deurwaarder.collect(number).octets == canonical_message(octets)
    assert deurwaarder.confirm(number) == {number: True}
    assert world.status(number) == {"energie": "BEVESTIGD", "deurwaarder": "BEVESTIGD"}


def test_evidence_of_what_was_pushed_is_the_sender_s_and_the_addressee_s(world: World) -> None:
    message = write(example("Kennisgeving-volledig"), ConversatieReferentienummer=str(uuid.uuid4()))
    number = world.party("gemeente").send(message).receipt.referentienummer
    world.taken(number)
    for slug in ("gemeente", "energie"):
        file = world.party(slug).evidence(number)
        checks = verify_evidence(file, canonical_message(message), [world.hub.folder / "pki" / "ca.pem"])
        assert [one.name for one in checks if one.holds is False] == []
        assert b"collected" in file
        assert b"confirmed" in file


@pytest.mark.clause("§7.3")
@pytest.mark.skipif(
    not sys.platform.startswith("linux") or platform.libc_ver()[0] != "glibc",
    reason="the memory of a process is read from /proc; that freed memory is overwritten is promised for glibc")
def test_nothing_is_left_of_what_was_pushed_also_when_it_took_several_attempts(world: World, temporary: Path) -> None:
    numbers = [str(uuid.uuid4()) for _ in range(2)]
    gemeente = world.party("gemeente")
    with world.service.hung():
        for number in numbers:
            gemeente.send(planted(number))
        eventually(lambda: all(map(world.failures, numbers)))
        assert on_disk(world.hub.folder) == []  # while it waits it is sealed
    eventually(lambda: all(world.status(number)["energie"] == "BEVESTIGD" for number in numbers))
    assert {number for number in numbers if PLANTED.encode() in world.service.messages[number]} == set(numbers)
    assert world.hub.process is not None
    eventually(lambda: found_in(writable(world.hub.process.pid), PLANTED) == [])
    assert on_disk(world.hub.folder, temporary) == []
    said = [gateway("messages", "show", number, "--instance", world.hub.folder, "--json").octets for number in numbers]
    said += [gateway("evidence", "export", number, "--instance", world.hub.folder).octets for number in numbers]
    assert found_in(said, numbers[0])
    assert found_in([*said, world.hub.log.encode()], PLANTED) == []
