"""The operator's commands: messages without content, the journal, evidence, doctor, certificates, the address book."""

import re

import pytest

from gateway.security.throwaway import EXAMPLE_OINS
from gateway.tolerances import TABLE
from tests.command import CONVERSATION, ENERGIE, MESSAGE, MESSAGES, NUMBER, PARTY, fresh, gateway
from tests.line import EXAMPLES
from tests.postgres.databases import asked, no_store

# --- operator ------------------------------------------------------------------------------------------------


@pytest.mark.clause("§7.3")
def test_messages_are_shown_without_content(hub):
    rows = gateway("messages", "list", hub.folder, "--json").json
    assert all(sorted(row) == sorted(MESSAGES) for row in rows)
    assert NUMBER in [row["referentienummer"] for row in rows]
    only = gateway("messages", "list", "--instance", hub.folder, "--conversation", CONVERSATION, "--json").json
    assert [row["referentienummer"] for row in only] == [NUMBER]
    shown = gateway("messages", "show", hub.folder, NUMBER, "--json")
    assert set(MESSAGES) <= set(shown.json)
    told = gateway("messages", "show", NUMBER, "--instance", hub.folder)
    assert (told.code, shown.code) == (0, 0)
    for ran in (shown, told):
        assert "SHV-2026/00417" not in ran.out
    assert gateway("messages", "show", hub.folder, CONVERSATION).code == 1


def test_requeue_and_cancel_ask_who_and_why(hub, tmp_path):
    (tmp_path / "m.xml").write_bytes(fresh("11111111-1111-4111-8111-000000000004"))
    number = gateway("send", hub.folder, "--party", "gemeente", tmp_path / "m.xml", "--json").json["referentienummer"]
    for act in ("requeue", "cancel"):
        assert gateway("messages", act, hub.folder, number).code == 2
    why = ("--who", "beheerder", "--why", "proef")
    assert gateway("messages", "requeue", hub.folder, number, *why).code == 1  # nobody collected it
    assert gateway("inbox", hub.folder, "--party", "zorgverzekeraar", "get", number).code == 0
    assert gateway("messages", "requeue", hub.folder, number, *why).code == 0
    assert gateway("messages", "show", hub.folder, number, "--json").json["status"] == "BESCHIKBAAR"
    assert gateway("messages", "cancel", hub.folder, number, *why).code == 0
    assert gateway("messages", "show", hub.folder, number, "--json").json["status"] == "GEANNULEERD"
    assert gateway("inbox", hub.folder, "--party", "zorgverzekeraar", "--json").json == []


@pytest.mark.clause("§7.4")
def test_the_journal_is_verified_and_a_change_is_found(hub):
    ran = gateway("journal", "verify", hub.folder, "--json")
    assert ran.code == 0
    assert ran.json["holds"] is True
    was = asked(hub.folder, "SELECT record FROM entries WHERE kind = 'accepted' ORDER BY position LIMIT 1")[0][0]
    forged = was.replace("Kennisgeving", "SaldoVerzoek")
    assert forged != was
    change = "UPDATE entries SET record = ? WHERE record = ?"
    asked(hub.folder, change, forged, was)
    broken = gateway("journal", "verify", hub.folder)
    asked(hub.folder, change, was, forged)
    assert broken.code == 1
    assert "breaks at" in broken.err
    assert gateway("journal", "verify", hub.folder).code == 0


def test_checkpoints_are_listed_proven_and_compared_with_one_that_was_kept(hub, tmp_path):
    gateway("evidence", "export", NUMBER, "--instance", hub.folder)  # signs what is not signed yet
    rows = gateway("journal", "checkpoints", hub.folder, "--json").json
    newest = rows[-1]
    assert (hub.folder / "checkpoints" / "hub.txt").read_text("utf-8") == newest["note"]
    assert str(newest["entries"]) in gateway("journal", "checkpoints", hub.folder).out
    proven = gateway("journal", "consistency", hub.folder, "--from", 1, "--to", newest["entries"], "--json")
    assert proven.json["holds"] is True
    assert proven.json["to_root"] == newest["note"].splitlines()[2]
    assert gateway("journal", "consistency", hub.folder, "--from", 5, "--to", 2).code == 1
    kept, other = tmp_path / "kept.txt", tmp_path / "other.txt"
    kept.write_text(newest["note"], "utf-8")
    other.write_text(newest["note"].replace("chain ", "chain A", 1).replace("=\ncert", "\ncert", 1), "utf-8")
    good = gateway("journal", "verify", hub.folder, "--checkpoint", kept, "--json")
    assert (good.code, good.json["checkpoints"] >= 1) == (0, True)
    assert "no checkpoint" in gateway("journal", "verify", hub.folder, "--checkpoint", other).err
    root = newest["note"].splitlines()[2]
    kept.write_text(newest["note"].replace(root, "A" * 43 + "="), "utf-8")
    found = gateway("journal", "verify", hub.folder, "--checkpoint", kept)
    assert found.code == 1
    assert "published" in found.err


def test_evidence_is_written_and_verified_without_an_instance(hub, tmp_path):
    ran = gateway("evidence", "export", NUMBER, "--instance", hub.folder)
    assert ran.code == 0
    file = tmp_path / "evidence.xml"
    file.write_bytes(ran.octets)
    ca = hub.folder / "pki" / "ca.pem"
    full = gateway("evidence", "verify", file, "--message", MESSAGE, "--anchor", ca, "--hub-oin",
                   "00000099000000099000", "--json")
    assert full.code == 0
    assert all(one["holds"] is True for one in full.json)
    assert gateway("evidence", "verify", file).code == 0
    assert gateway("evidence", "verify", file, "--message", EXAMPLES / "Kennisgeving-minimaal.xml").code == 1
    file.write_bytes(ran.octets.replace(NUMBER.encode(), CONVERSATION.encode(), 1))
    assert gateway("evidence", "verify", file).code == 1
    file.write_text("<a/>")
    assert gateway("evidence", "verify", file).code == 1
    assert gateway("evidence", "export", CONVERSATION, "--instance", hub.folder).code == 1


def test_doctor_names_cause_and_remedy(folder):
    assert gateway("doctor", folder).code == 0
    (folder / "pki" / "hub-sign.key").unlink()
    ran = gateway("doctor", folder, "--json")
    assert ran.code == 1
    bad = [one for one in ran.json if not one["holds"]]
    assert bad
    assert all(one["detail"] and one["remedy"] for one in bad)
    assert "remedy" in gateway("doctor", folder).out


def test_certificates_that_lapse_are_listed(folder):
    far = gateway("certs", "expiring", folder, "--days", "5", "--json")
    assert (far.code, far.json) == (0, [])
    assert gateway("certs", "expiring", folder, "--days", "40", "--json").json == []  # a list of 30 days is no news yet
    soon = gateway("certs", "expiring", folder, "--days", "4000", "--json")
    assert soon.code == 1
    assert {"file", "subject", "not_after", "days_left"} == set(soon.json[0])


def test_the_store_is_upgraded_when_there_is_none(folder):
    no_store(folder)
    assert gateway("db", "upgrade", folder).code == 0
    assert "is at" in gateway("db", "upgrade", folder).out
    assert gateway("messages", "list", folder, "--json").json == []


# --- the address book ----------------------------------------------------------------------------------------


def test_parties_are_listed_with_the_keys_of_the_contract(folder):
    rows = gateway("parties", "list", folder, "--json").json
    assert [row["slug"] for row in rows] == list(EXAMPLE_OINS)
    assert all(list(row) == PARTY for row in rows)
    one = gateway("parties", "show", folder, "energie", "--json").json
    assert set(PARTY) <= set(one)
    assert one["id"] == ENERGIE
    for name in ("energie", "Voorbeeld Energie", ENERGIE):
        assert gateway("parties", "show", name, "--instance", folder, "--json").json == one
    assert gateway("parties", "show", folder, "niemand").code == 1


def test_show_names_the_tolerances_a_party_uses(line):
    assert line.send(MESSAGE.read_bytes()).status == 200
    line.gate.tolerances.flush()
    shown = gateway("parties", "show", line.instance.folder, "gemeente", "--json").json
    used = {one["id"]: one for one in shown["tolerances"]}
    assert {name: one["count"] for name, one in used.items()} == {"rsa-under-3072-signing": 1}
    assert used["rsa-under-3072-signing"]["nl"] == TABLE["rsa-under-3072-signing"].nl
    told = gateway("parties", "show", line.instance.folder, "gemeente")
    assert "rsa-under-3072-signing" in told.out
    assert "RSA-3072 of P-256" in " ".join(told.out.split())
    assert gateway("parties", "show", line.instance.folder, "rechtbank", "--json").json["tolerances"] == []


def test_plan_says_and_apply_does(folder, tmp_path):
    wanted = tmp_path / "wanted.toml"
    text = (folder / "parties.toml").read_text("utf-8")
    wanted.write_text(text, "utf-8")
    same = gateway("parties", "plan", folder, wanted, "--json")
    assert (same.code, same.json) == (0, [])
    wanted.write_text(text.replace('name = "Voorbeeld Energie"', 'name = "Voorbeeld Stroom"'), "utf-8")
    planned = gateway("parties", "plan", folder, wanted)
    assert planned.code == 0
    assert "Voorbeeld Stroom" in planned.out
    assert (folder / "parties.toml").read_text("utf-8") == text
    assert gateway("parties", "apply", folder, wanted, "--who", "beheerder", "--why", "andere naam").code == 0
    assert gateway("parties", "show", folder, "energie", "--json").json["name"] == "Voorbeeld Stroom"
    assert gateway("parties", "plan", folder, wanted, "--json").json == []
    wanted.write_text(text + "\nunknown = 1\n", "utf-8")
    wrong = gateway("parties", "plan", folder, wanted)
    assert wrong.code == 1
    assert "unknown" in wrong.err
    assert re.search(rf"\b{len(text.splitlines()) + 2}\b", wrong.err)  # the line
