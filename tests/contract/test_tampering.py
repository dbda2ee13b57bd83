"""Whatever is done to the journal's tables, `gateway journal verify` finds it.

Two attackers on copies of a real store: one who changes anything anywhere, and one who knows how everything is made
and makes it anew after the change (leaves, chain, heads, tree, text of the checkpoints), but has not the hub's key.
"""

import json
import shutil
import sqlite3
from base64 import b64encode
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.app.checkpoints import CheckpointWriter, audit
from gateway.app.instance import Instance, open_instance, utc_now
from gateway.merkle import fold
from gateway.security import SigningKey, load_signing_key, read_checkpoint, sign_checkpoint
from gateway.settings import Settings
from gateway.storage import ChainReport, Operator, open_store
from tests.tsa import Authority, needs_openssl, served

pytestmark = needs_openssl
ENTRIES, SIZES = 300, (120, 260, 300)
TABLES = ("entries", "chain_heads", "checkpoints", "subtrees")


@dataclass(frozen=True, kw_only=True)
class World:
    """A journal of 300 entries under three checkpoints, two of them time-stamped; `copy` is the one to spoil."""

    settings: Settings
    signing: tuple[SigningKey, ...]
    foreign: SigningKey  # under the same CA, not the hub's
    whole: Path
    rows: dict[str, list[tuple[int, dict[str, object]]]] = field(default_factory=dict)

    @property
    def file(self) -> Path:
        return Path(self.settings.store.database.url.removeprefix("sqlite:///"))

    def verify(self) -> ChainReport:
        (report,) = audit(self.settings, self.signing, lambda done: None)
        return report

    def fresh(self) -> sqlite3.Connection:
        """The database as it was, open to whoever has the file."""
        for end in ("-wal", "-shm"):
            Path(f"{self.file}{end}").unlink(missing_ok=True)
        shutil.copyfile(self.whole, self.file)
        return sqlite3.connect(self.file, isolation_level=None)


@pytest.fixture(scope="module")
def world(template: Path, tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = Path(shutil.copytree(template, tmp_path_factory.mktemp("tampering") / "instance"))
    authority, instance = Authority(folder=tmp_path_factory.mktemp("tsa")), open_instance(folder)
    with served(authority.reply) as url:
        journal = replace(instance.settings.journal, tsa=url, tsa_certificates=(authority.ca,))
        made = replace(instance.settings, journal=journal)
        _fill(made, instance)
    with closing(sqlite3.connect(folder / "gateway.db")) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    whole = shutil.copyfile(folder / "gateway.db", folder / "whole.db")
    foreign = load_signing_key(folder / "pki" / "gemeente-sign.pem", folder / "pki" / "gemeente-sign.key")
    result = World(settings=made, signing=instance.signing, foreign=foreign, whole=Path(whole))
    with closing(sqlite3.connect(whole)) as connection:
        connection.row_factory = sqlite3.Row
        for table in TABLES:
            rows = [dict(row) for row in connection.execute(f"SELECT * FROM {table}")]
            result.rows[table] = list(enumerate(rows))
    return result


def _fill(made: Settings, instance: Instance) -> None:
    now = utc_now()
    with open_store(made.store.database) as store:
        operator = Operator(store)
        writer = CheckpointWriter(made, instance.signing, store, clock=lambda: now, observe=_fail_on_error)
        for number in range(1, ENTRIES + 1):
            operator.note(f"act {number}", who="beheer", why="proef", now=now - timedelta(seconds=ENTRIES - number))
            if number in SIZES:
                writer.write()
                if number != SIZES[0]:
                    writer.stamp()


def _fail_on_error(event: str, facts: object) -> None:
    assert event in ("checkpoint", "time-stamp"), facts


def test_what_nobody_touched_holds(world: World) -> None:
    world.fresh().close()
    report = world.verify()
    assert (report.holds, report.entries, report.checkpoints, report.stamped, report.sealed) == (
        True, ENTRIES, 3, 2, ENTRIES), report.reason


def _changed(value: object, draw: st.DrawFn) -> object:
    """Another value for one cell: one octet of it, when it has octets."""
    if isinstance(value, int):
        return value + draw(st.integers(-2**40, 2**40).filter(bool))
    if value is None:
        return draw(st.integers(1, 10**6))
    octets = bytearray(value if isinstance(value, bytes) else str(value).encode())
    octets[draw(st.integers(0, len(octets) - 1))] ^= draw(st.integers(1, 127))
    try:
        return bytes(octets) if isinstance(value, bytes) else octets.decode()
    except UnicodeDecodeError:
        return ""


@st.composite
def cell_changes(draw: st.DrawFn, world: World) -> tuple[str, dict[str, object], str, object]:
    """A table, a row of it, a column, and its new value."""
    table = draw(st.sampled_from(TABLES))
    _, row = draw(st.sampled_from(world.rows[table]))
    column = draw(st.sampled_from(sorted(row)))
    return table, row, column, _changed(row[column], draw)


KEYS = {"entries": ("node", "position"), "chain_heads": ("node",), "checkpoints": ("node", "size"),
        "subtrees": ("node", "height", "number")}


@pytest.mark.clause("§7.4")
@settings(max_examples=60, deadline=None, database=None,  # an example of an earlier run is of other keys
          suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_changed_octet_of_any_column_is_found(world: World, data: st.DataObject) -> None:
    table, row, column, value = data.draw(cell_changes(world))
    with closing(world.fresh()) as connection:
        where = " AND ".join(f"{key} = ?" for key in KEYS[table])
        connection.execute(f"UPDATE OR REPLACE {table} SET {column} = ? WHERE {where}",  # where the new key is in use
                           (value, *(row[key] for key in KEYS[table])))
    reports = audit(world.settings, world.signing, lambda done: None)
    assert not all(report.holds for report in reports), (table, column, value)


# --- the attacker who makes everything anew --------------------------------------------------------------------------


@dataclass
class Forger:
    """Holds the whole journal, changes it, and writes it back with every hash recomputed."""

    connection: sqlite3.Connection

    def __post_init__(self) -> None:
        self.records = [row[0] for row in self.connection.execute("SELECT record FROM entries ORDER BY position")]

    def write(self, *, notes: str, signing: SigningKey) -> None:
        """`notes`: what becomes of checkpoints whose root no longer fits: kept, retold (new text under the old
        signature), signed by another key, or dropped.
        """
        run = self.connection.execute
        run("DELETE FROM entries")
        run("DELETE FROM subtrees")
        leaves, hash_, hashes = [], bytes(32), [bytes(32)]
        for position, record in enumerate(self.records, start=1):
            facts, leaf = json.loads(record), sha256(b"\0" + record.encode()).digest()
            hash_ = sha256(b"\1" + hash_ + leaf).digest()
            leaves.append(leaf)
            hashes.append(hash_)
            run("INSERT INTO entries VALUES ('hub', ?, ?, ?, NULL, ?, ?, ?)",
                (position, facts["at"], facts["kind"], record, leaf, hash_))
        run("UPDATE chain_heads SET position = ?, hash = ?", (len(leaves), hash_))
        if len(leaves) >= 256:
            run("INSERT INTO subtrees VALUES ('hub', 8, 0, ?)", (fold(leaves[:256]),))
        self._notes(notes, leaves, hashes, signing)

    def _notes(self, notes: str, leaves: list[bytes], hashes: list[bytes], signing: SigningKey) -> None:
        run, before, size_before = self.connection.execute, bytes(32), 0
        for size, note in run("SELECT size, note FROM checkpoints ORDER BY size").fetchall():
            read = read_checkpoint(note)
            if size > len(leaves) or (notes == "drop" and read.checkpoint.root != fold(leaves[:size])):
                run("DELETE FROM checkpoints WHERE size = ?", (size,))
                continue
            told = replace(read.checkpoint, root=fold(leaves[:size]), chain=hashes[size], previous=size_before,
                           previous_note=before)
            if notes == "retell":
                text = read.text.decode().splitlines()
                text[2] = b64encode(told.root).decode()
                text[4] = f"chain {b64encode(told.chain).decode()}"
                text[6] = f"previous {size_before} {b64encode(before).decode()}"
                note = "\n".join(text).encode() + b"\n" + note[len(read.text):]
            elif notes == "sign":
                digest = sha256(signing.certificate)
                note = sign_checkpoint(replace(told, certificate=digest.digest()), signing)
                run("INSERT OR IGNORE INTO certificates VALUES (?, ?)", (digest.hexdigest(), signing.certificate))
                run("UPDATE checkpoints SET certificate = ?, stamped_at = NULL WHERE size = ?",
                    (digest.hexdigest(), size))
            run("UPDATE checkpoints SET note = ? WHERE size = ?", (note, size))
            before, size_before = sha256(note).digest(), size


def _forge(records: list[str], data: st.DataObject) -> None:
    """Another history: an entry changed, back-dated, taken out, put in, or two in another order; or the end cut off."""
    at = data.draw(st.integers(0, len(records) - 1), label="entry")
    what = data.draw(st.sampled_from(["change", "backdate", "remove", "insert", "swap", "cut"]), label="what")
    facts = json.loads(records[at])
    if what == "change":
        facts["why"] = "anders"
    elif what == "backdate":
        facts["at"] -= data.draw(st.integers(1, 10**12), label="by")
    record = json.dumps(facts, sort_keys=True, separators=(",", ":"))
    if what == "insert":
        records.insert(min(at, len(records) - 2), record)  # at the very end it would be a next entry, no change
    elif what == "remove":
        del records[at]
    elif what == "cut":
        del records[at:]
    elif what == "swap":
        other = data.draw(st.integers(0, len(records) - 2), label="with, of the others")
        other += other >= at
        records[at], records[other] = records[other], records[at]
    else:
        records[at] = record


@pytest.mark.clause("§7.4")
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_history_made_anew_without_the_key_is_found(world: World, data: st.DataObject) -> None:
    """Also the last entries taken away with every checkpoint that speaks of them: the published one tells."""
    notes = data.draw(st.sampled_from(["keep", "retell", "sign", "drop"]), label="notes")
    with closing(world.fresh()) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("BEGIN")
        forger = Forger(connection)
        _forge(forger.records, data)
        forger.write(notes=notes, signing=world.foreign)
        connection.execute("COMMIT")
    report = world.verify()
    assert not report.holds
    assert report.reason


def test_a_checkpoint_kept_elsewhere_finds_even_the_holder_of_the_key(world: World) -> None:
    """The hub's own key signs another history, the folder's copy is replaced too; the auditor's is not."""
    published = world.settings.journal.checkpoints / "hub.txt"
    kept = published.read_bytes()
    try:
        with closing(world.fresh()) as connection:
            connection.execute("BEGIN")
            forger = Forger(connection)
            forger.records[10] = forger.records[10].replace("act 11", "act 12")
            forger.write(notes="sign", signing=world.signing[0])
            connection.execute("COMMIT")
            published.write_bytes(connection.execute("SELECT note FROM checkpoints ORDER BY size DESC").fetchone()[0])
        assert world.verify().holds
        (report,) = audit(world.settings, world.signing, lambda done: None, [kept])
        assert not report.holds
        assert "published" in report.reason
    finally:
        published.write_bytes(kept)
