"""The journal's chain: what it says of each entry, and that any change of any entry is found."""

import json
import sqlite3
from collections.abc import Callable
from dataclasses import fields
from hashlib import sha256
from pathlib import Path

import pytest

from gateway.storage import START, leaf_hash, link_hash, open_store, verify_chain
from gateway.values import Refusal
from tests.contract.conftest import Hub
from tests.contract.samples import BANK, ENERGIE, NOW, TERM, acceptance, number


def filled(hub: Hub) -> None:
    """A journal with one entry of every kind."""
    hub.accept(acceptance("a", receivers=(ENERGIE, BANK)))
    hub.mailbox.collect(ENERGIE.id, number("a"), NOW)
    hub.operator.requeue(number("a"), ENERGIE.id, who="beheer-1", why="opnieuw", now=NOW)
    hub.mailbox.collect(ENERGIE.id, number("a"), NOW)
    hub.mailbox.confirm(ENERGIE.id, (number("a"),), NOW)
    hub.operator.cancel(number("a"), BANK.id, who="beheer-1", why="verkeerd geadresseerd", now=NOW)
    hub.journal.refuse(Refusal(ticket=number("t"), code="SKP001", error="NotXml", reason="", path="/", at=NOW))
    hub.accept(acceptance("b"))
    hub.mailbox.expire(NOW + TERM, 10)
    hub.operator.note("parties apply", who="beheer-1", why="nieuwe deelnemer", now=NOW + TERM)


def database(hub: Hub) -> sqlite3.Connection:
    """Straight into the file, as one who wants to change history would."""
    if not hub.url.startswith("sqlite"):
        pytest.skip("writes into the file itself")
    return sqlite3.connect(hub.folder / "gateway.db", isolation_level=None)


def test_chain_is_what_the_documentation_says(hub: Hub) -> None:
    filled(hub)
    end, kinds = START, []
    connection = database(hub)
    rows = connection.execute("SELECT position, kind, record, leaf, hash FROM entries ORDER BY position").fetchall()
    connection.close()
    for expected, (position, kind, record, leaf, after) in enumerate(rows, start=1):
        assert position == expected
        assert leaf == sha256(b"\x00" + record.encode()).digest() == leaf_hash(record)
        end = sha256(b"\x01" + end + leaf).digest()
        assert after == end
        facts = json.loads(record)
        assert record == json.dumps(facts, sort_keys=True, separators=(",", ":"))
        assert facts["kind"] == kind
        kinds.append(kind)
    assert kinds == ["accepted", "collected", "operator", "collected", "confirmed", "cancelled", "refused",
                     "accepted", "expired", "operator"]
    (report,) = verify_chain(hub.url)
    assert (report.node, report.entries, report.hash, report.holds) == ("hub", len(rows), end, True)


@pytest.mark.clause("§7.4")
def test_record_holds_no_content(hub: Hub) -> None:
    hub.accept(acceptance("a", payload=b"<naam>Jansen</naam>"))
    (story,) = hub.reports.stories(number("a"), NOW)
    facts = json.loads(story.recorded[0].record)
    assert "Jansen" not in story.recorded[0].record
    assert set(facts) == {
        "kind", "at", "message", "referentienummer", "conversatie", "afzender", "ontvangers", "module", "set_version",
        "berichttype", "versie", "expires_at", "octets", "message_digest", "body_digest", "message_id", "signer_oin",
        "caller_oin", "certificate", "signature_digest"}


@pytest.mark.clause("§7.4")
def test_any_changed_byte_of_any_entry_is_found(hub: Hub) -> None:
    """Each octet of each column of each entry in turn, then put back; of the long records every fifth."""
    filled(hub)
    connection = database(hub)
    names = [name for (_, name, *_) in connection.execute("PRAGMA table_info(entries)").fetchall()]
    rows = connection.execute(f"SELECT rowid, position, {', '.join(names)} FROM entries").fetchall()
    tried = 0
    for rowid, position, *values in rows:
        for name, value in zip(names, values, strict=True):
            for changed in _changes(value)[position % 5 if name == "record" else 0::5 if name == "record" else 1]:
                connection.execute(f"UPDATE entries SET {name} = ? WHERE rowid = ?", (changed, rowid))
                (report,) = [one for one in verify_chain(hub.url) if one.node == "hub"]
                assert report.broken_at == position, (position, name, changed)
                connection.execute(f"UPDATE entries SET {name} = ? WHERE rowid = ?", (value, rowid))
                tried += 1
    connection.close()
    assert all(report.holds for report in verify_chain(hub.url))
    assert tried > 1000


def _changes(value: object) -> list[object]:
    """The value with one octet changed, for every octet; for a number one more and far away; for NULL a number."""
    if isinstance(value, bytes):
        return [value[:i] + bytes([value[i] ^ 1]) + value[i + 1:] for i in range(len(value))] + [value[:-1], b""]
    if isinstance(value, str):
        return [value[:i] + chr(ord(value[i]) ^ 1) + value[i + 1:] for i in range(len(value))] + [value + " "]
    if isinstance(value, int):
        return [value + 1000, value + 2000]
    return [1]


def _remove_middle(connection: sqlite3.Connection) -> None:
    connection.execute("DELETE FROM entries WHERE position = 3")


def _remove_end(connection: sqlite3.Connection) -> None:
    connection.execute("DELETE FROM entries WHERE position = 10")


def _remove_start(connection: sqlite3.Connection) -> None:
    connection.execute("DELETE FROM entries WHERE position = 1")


def _swap(connection: sqlite3.Connection) -> None:
    for old, new in ((4, 99), (5, 4), (99, 5)):
        connection.execute("UPDATE entries SET position = ? WHERE position = ?", (new, old))


def _insert(connection: sqlite3.Connection) -> None:
    connection.execute("INSERT INTO entries SELECT node, 11, at, kind, message, record, leaf, hash FROM entries "
                       "WHERE position = 10")


def _other_head(connection: sqlite3.Connection) -> None:
    connection.execute("UPDATE chain_heads SET hash = zeroblob(32)")


def _shorter_head(connection: sqlite3.Connection) -> None:
    connection.execute("UPDATE chain_heads SET position = 9, hash = (SELECT hash FROM entries WHERE position = 9)")


def _no_head(connection: sqlite3.Connection) -> None:
    connection.execute("DELETE FROM chain_heads")


def _nothing_left(connection: sqlite3.Connection) -> None:
    connection.execute("DELETE FROM entries")


@pytest.mark.parametrize(("change", "broken_at"), [
    (_remove_start, 1), (_remove_middle, 3), (_remove_end, 10), (_swap, 4), (_insert, 11), (_other_head, 10),
    (_shorter_head, 11), (_no_head, 10), (_nothing_left, 1)])
def test_gap_order_and_ends_are_found(hub: Hub, change: Callable[[sqlite3.Connection], None], broken_at: int) -> None:
    filled(hub)
    connection = database(hub)
    change(connection)
    connection.close()
    (report,) = verify_chain(hub.url)
    assert not report.holds
    assert report.broken_at == broken_at
    assert report.reason


def test_walk_tells_how_far_it_is_and_may_run_beside_the_hub(url: str, tmp_path: Path) -> None:
    told: list[int] = []
    with open_store(url) as store:
        hub = Hub(url=url, folder=tmp_path, store=store)
        for i in range(1001):
            store.write(lambda write, i=i: write.chain.append("operator", at=NOW, facts={"action": str(i)}))
        (report,) = verify_chain(url, told.append)
        assert hub.position() == report.entries == 1001
    assert told == [1000]
    assert verify_chain(url) == [report]


def test_report_of_an_empty_store_holds(url: str) -> None:
    with open_store(url) as store:
        assert verify_chain(url) == []
        store.write(lambda write: None)
    (report,) = verify_chain(url)
    assert (report.entries, report.hash, report.holds) == (0, START, True)
    assert {field.name for field in fields(report)} >= {"node", "entries", "hash", "broken_at", "reason"}


def test_links_and_leaves_never_collide() -> None:
    assert leaf_hash("x") != link_hash(b"", b"x")
    assert link_hash(START, START) != link_hash(link_hash(START, START), b"")
