"""docs/dpia.md names every field of the audit record and every table of the store, and none that is not there."""

import json
import re
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gateway.app.log import Log
from gateway.privacy import KINDS
from gateway.storage.tables import metadata
from tests.line import KN, POSTBUS, Line, example, make_line
from tests.test_docs import DEURWAARDER, ENERGIE, converse, header_field, page, section, table, takes_1_1_only, words

AUDIT, HELD = section(page("dpia"), "4. The audit record"), section(page("dpia"), "2. What the hub holds")


@pytest.fixture
def eventful(template: Path, tmp_path: Path) -> Iterator[Line]:
    """A hub to which everything has happened that the journal knows."""
    line = make_line(template, tmp_path / "instance", change=takes_1_1_only)
    converse(line, DEURWAARDER, "deurwaarder")  # accepted, answered, collected, confirmed
    line.send(example("Kennisgeving-minimaal"), action="urn:nothing")  # refused
    line.send(example("BetaalVoorstel-volledig"))  # refused when its header was known
    numbers = {}
    for wish in ("requeue", "cancel", "expire"):
        numbers[wish] = send_to_energie(line)  # bridged to 1.1
    ask(line, "HaalBerichtOp", numbers["requeue"])
    with line.instance.operations() as operations:
        operations.requeue(numbers["requeue"], who="Beheerder", why="proef")
        operations.cancel(numbers["cancel"], who="Beheerder", why="proef")
        operations.note("proef", who="Beheerder", why="proef")
    (waiting,) = (one for one in line.gate.mailbox.waiting(
        ENERGIE, berichttype=None, conversatie=None, limit=9) if one.referentienummer == numbers["requeue"])
    with line.instance.operations() as operations:
        operations.redirect("energie", "zorgverzekeraar", conversation=waiting.conversatie, who="Beheerder",
                            why="proef")
    line.skip(days=30)
    assert line.gate.mailbox.expire(line.at, 100)
    yield line
    line.store.close()


def send_to_energie(line: Line) -> str:
    child = example("SaldoVerzoek-volledig")
    for name in ("Referentienummer", "ConversatieReferentienummer"):
        child = re.sub(rf"(<(?:\w+:)?{name}>)[^<]*".encode(), rb"\g<1>" + str(uuid.uuid4()).encode(), child, count=1)
    assert ENERGIE.encode() in child
    assert line.send(child).status == 200
    return header_field(child, "Referentienummer")


def ask(line: Line, operation: str, number: str) -> None:
    child = f'<{operation} xmlns="{KN}"><Referentienummer>{number}</Referentienummer></{operation}>'
    assert line.send(child.encode(), path=POSTBUS, party="energie").status == 200


def stated(stream: str) -> set[str]:
    return {words(row[0])[0] for row in table(AUDIT, "field") if stream in row[1].split(", ")}


@pytest.mark.clause("§7.4")
def test_the_record_has_the_stated_fields_and_no_others(eventful: Line) -> None:
    with closing(sqlite3.connect(eventful.instance.folder / "gateway.db")) as database:
        records = [json.loads(record) for (record,) in database.execute("SELECT record FROM entries")]
    assert {record["kind"] for record in records} == {
        "accepted", "refused", "collected", "confirmed", "expired", "cancelled", "redirected", "operator"}
    found = set().union(*records)
    # Only where a set has them or when late; only of what was pushed.
    assert stated("journal") - found == {"bovenliggend", "answer_by", "missed", "receipt"}
    assert found <= stated("journal")
    inner = {field for record in records for one in record.get("bridged", ()) for field in one}
    (row,) = (row for row in table(AUDIT, "field") if row[0] == "`bridged`")
    assert inner == set(words(row[2]))


@pytest.mark.clause("§7.4")
def test_the_log_line_of_a_refusal_has_the_stated_fields(eventful: Line, capsys: pytest.CaptureFixture[str]) -> None:
    refused = [(event, facts) for event, facts in eventful.events if event == "refused"]
    assert refused
    for event, facts in refused:
        Log()(event, facts)
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert set().union(*lines) == stated("log")


def test_every_table_of_the_store_is_in_the_map_of_data() -> None:
    named = set(re.findall(r"`([a-z_]+)`", " ".join(row[0] for row in table(HELD, "where"))))
    assert named == set(metadata.tables) - {"chain_heads"}  # a position and a hash


def test_the_report_of_what_is_held_has_a_kind_for_every_table() -> None:
    elsewhere = {"payloads", "bridged_payloads", "addressed_payloads", "uploads", "file_pieces",  # content, files
                 "entries", "chain_heads",  # records and leaves
                 "subtrees", "prunings", "duties"}  # no party's data
    assert set(metadata.tables) - elsewhere <= KINDS.keys(), "add it to gateway/privacy.py and storage/holdings.py"
    assert KINDS.keys() - metadata.tables.keys() == {"content", "files", "records", "leaves"}
