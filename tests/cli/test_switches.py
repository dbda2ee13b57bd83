"""Draining a party, pausing a module, and the duties of the hub: through the commands, against a hub that runs."""

import json
import time
import urllib.request
from collections.abc import Callable

import pytest

from gateway.errors import PeerFailed
from gateway.party import PartyClient
from tests.acceptance.hub import Hub
from tests.command import ENERGIE, GEMEENTE, fresh, gateway
from tests.line import KN, SHV, Line, code, example, fault
from tests.postgres.databases import asked

WHY = ("--who", "beheerder", "--why", "overstap op een ander pakket")
ZORG = "11111111-1111-4111-8111-000000000004"
PATIENCE_SECONDS = 10


@pytest.fixture(scope="module")
def gemeente(hub: Hub) -> PartyClient:
    """A client costs a second to make: it reads every message set."""
    return hub.party("gemeente")


def until(condition: Callable[[], bool]) -> None:
    """A running hub looks every two seconds."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def refused(gemeente: PartyClient, to: str = ENERGIE) -> bool:
    try:
        gemeente.send(fresh(to))
    except PeerFailed as error:
        return "SKP901" in error.detail
    return False


def ready(hub: Hub) -> dict[str, object]:
    with urllib.request.urlopen(f"{hub.web}/health/ready", timeout=10) as answer:
        return dict(json.load(answer)["checks"]["switches"])


def journaled(hub: Hub) -> list[tuple[object, ...]]:
    rows = [json.loads(str(row[0])) for row in asked(
        hub.folder, "SELECT record FROM entries WHERE kind = 'operator' ORDER BY at, position")]
    return [(row["action"], row["who"], row["why"]) for row in rows]


def test_a_drained_party_takes_no_new_messages_and_keeps_what_waits(hub: Hub, gemeente: PartyClient) -> None:
    waiting = gateway("parties", "show", hub.folder, "energie", "--json").json["waiting_to"]
    gemeente.send(fresh(ENERGIE))
    ran = gateway("parties", "drain", hub.folder, "energie", *WHY, "--json")
    assert ran.code == 0
    assert (ran.json["drained"], ran.json["waiting_to"], ran.json["who"]) == (True, waiting + 1, "beheerder")
    until(lambda: refused(gemeente))
    assert refused(gemeente)
    assert not refused(gemeente, ZORG)
    assert ready(hub) == {"ok": True, "warning": True, "text": ready(hub)["text"]}
    assert "energie drained since" in str(ready(hub)["text"])
    mailbox = hub.party("energie")
    numbers = [one.referentienummer for one in mailbox.waiting()]
    mailbox.collect(numbers[-1])
    assert mailbox.confirm(numbers[-1]) == {numbers[-1]: True}
    shown = gateway("parties", "show", hub.folder, "energie", "--json").json
    assert (shown["drained"], shown["why"]) == (True, WHY[3])
    again = gateway("parties", "drain", hub.folder, "energie", *WHY)
    assert (again.code, "was drained on" in again.err) == (1, True)
    assert gateway("parties", "resume", hub.folder, "energie", *WHY).code == 0
    until(lambda: not refused(gemeente))
    assert gateway("parties", "resume", hub.folder, "energie", *WHY).code == 1
    assert [row for row in journaled(hub) if ENERGIE in str(row[0])] == [
        (f"parties drain {ENERGIE}", *WHY[1::2]), (f"parties resume {ENERGIE}", *WHY[1::2])]


def test_a_paused_module_answers_later_and_stays_described(hub: Hub, gemeente: PartyClient) -> None:
    ran = gateway("modules", "pause", "schuldregeling", "--instance", hub.folder, *WHY, "--json")
    assert ran.code == 0
    assert {(row["module"], row["paused"]) for row in ran.json} == {("schuldregeling", True)}
    until(lambda: refused(gemeente))
    assert gemeente.waiting() == []  # the hub's own services stay
    listed = gateway("modules", "list", hub.folder, "--json").json
    assert {row["module"] for row in listed if row["paused"]} == {"schuldregeling"}
    assert len({row["module"] for row in listed}) == 12
    with urllib.request.urlopen(f"{hub.web}/metrics", timeout=10) as answer:
        told = answer.read().decode()
    assert 'gateway_switched_off_seconds{kind="module",name="schuldregeling"}' in told
    assert gateway("doctor", hub.folder, "--json").json[-2]["detail"].startswith("schuldregeling paused since")
    assert gateway("modules", "resume", hub.folder, "schuldregeling", *WHY).code == 0
    until(lambda: not refused(gemeente))


def test_the_duties_are_listed_once_a_hub_has_run(hub: Hub) -> None:
    def rows() -> list[dict[str, object]]:
        return list(gateway("duties", "list", hub.folder, "--json").json)

    until(lambda: len(rows()) >= 4 and all(row["outcome"] for row in rows()))
    assert {row["name"]: row["every_seconds"] for row in rows()} == {
        "expire": 60, "partitions": 3600, "retention": 3600, "retire-keys": 3600, "sweep-files": 60}
    assert all(row["outcome"] == "done" and not row["late"] and row["node"] == "hub" for row in rows())
    assert gateway("duties", "list", hub.folder).code == 0
    assert gateway("doctor", hub.folder, "--json").json[-1]["detail"] == "5, all done in time"


def test_the_fault_says_when_to_come_back_and_a_repeated_request_gets_its_receipt(line: Line) -> None:
    message = example("Kennisgeving-volledig")
    first = line.send(message)
    assert first.status == 200
    for slug in ("energie", "gemeente"):
        assert gateway("parties", "drain", line.instance.folder, slug, *WHY).code == 0
        line.switches.renew()
        later = line.send(fresh(ENERGIE))
        assert (later.status, later.retry_after, code(later)) == (503, 300, "SKP901")
        party = {"energie": ENERGIE, "gemeente": GEMEENTE}[slug]
        assert party in (fault(later).findtext(f".//{{{KN}}}Bevinding/{{{KN}}}Omschrijving") or "")
        assert line.send(message).status == 200
        assert gateway("parties", "resume", line.instance.folder, slug, *WHY).code == 0
    assert gateway("modules", "pause", line.instance.folder, "schuldregeling/2.0", *WHY).code == 0
    line.switches.renew()
    closed = line.send(fresh(ENERGIE), path=SHV)
    assert (closed.status, closed.retry_after, code(closed)) == (503, 300, "SKP901")
    assert len(line.refusals()) == 3
