"""`gateway privacy`: what is held and why, and erasing what is held for a party that left."""

import sqlite3
from contextlib import closing

from tests.acceptance.hub import Hub
from tests.command import ENERGIE, fresh, gateway


def kinds(rows) -> dict[str, int]:
    return {row["soort"].split(":")[0].split(",")[0]: row["aantal"] for row in rows}


def test_what_is_held_is_told_with_ground_and_end(hub: Hub) -> None:
    ran = gateway("privacy", "report", hub.folder, "--json")
    assert ran.code == 0
    told = ran.json
    held = kinds(told["gehouden"])
    assert held["inhoud van berichten"] == held["berichten"] == held["afleveringen"] == 1
    assert all(row["grond"] for row in told["gehouden"])
    content, messages = told["gehouden"][:2]
    assert content["octetten"] > 1000
    assert content["oudste"] < content["oudste_weg_op"] < messages["oudste_weg_op"]
    assert messages["instelling"] == "retention.metadata_months"
    (key,) = told["sleutels"]
    assert (key["berichten"], key["nodig_tot"]) == (1, content["oudste_weg_op"])
    assert told["verloopt"] == [{"op": content["oudste_weg_op"], "afleveringen": 1}]
    words = gateway("privacy", "report", hub.folder).out
    for expected in ("AVG art. 28", "BIO2", key["dag"], "retention.metadata_months"):
        assert expected in words


def test_a_party_that_left_is_erased_and_what_stays_is_told(hub: Hub, tmp_path) -> None:
    (tmp_path / "m.xml").write_bytes(fresh(ENERGIE))
    why = ("--who", "privacy officer", "--why", "uit dienst")
    assert gateway("send", hub.folder, "--party", "gemeente", tmp_path / "m.xml").code == 0
    erase = ("privacy", "erase-party", hub.folder, "--party", "energie")
    assert gateway(*erase, "--yes").code == 2  # who and why
    active = gateway(*erase, *why, "--yes")
    assert active.code == 1
    assert "active = false" in active.err
    parties = hub.folder / "parties.toml"
    text = parties.read_text("utf-8")
    parties.write_text(text.replace('slug = "energie"', 'slug = "energie"\nactive = false'), "utf-8")
    try:
        assert gateway(*erase, *why).code == 1  # nobody said yes
        assert rows(hub, "payloads") > 0
        done = gateway(*erase, *why, "--yes", "--json")
        assert done.code == 0
        assert done.json["beeindigd"] > 0
        assert all(row["grond"] and row["uiterlijk_tot"] for row in done.json["blijft"])
        assert rows(hub, "payloads") == 0
        assert gateway(*erase, *why, "--yes", "--json").json["beeindigd"] == 0
        assert gateway("messages", "list", hub.folder, "--json").json[0]["status"] == "GEANNULEERD"
        assert gateway("privacy", "erase-party", hub.folder, "--party", "nobody", *why, "--yes").code == 1
        assert gateway("privacy", "erase-party", hub.folder, "--party", ENERGIE, *why, "--yes").code == 0
    finally:
        parties.write_text(text, "utf-8")
    assert gateway("journal", "verify", hub.folder).code == 0
    with closing(sqlite3.connect(hub.folder / "gateway.db")) as connection:
        records = [row[0] for row in connection.execute("SELECT record FROM entries WHERE kind = 'operator'")]
    assert any("privacy erase-party" in record and "privacy officer" in record for record in records)


def rows(hub: Hub, table: str) -> int:
    with closing(sqlite3.connect(hub.folder / "gateway.db")) as connection:
        return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])
