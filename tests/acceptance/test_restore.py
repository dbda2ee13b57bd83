"""Yesterday's copy is put back: senders send again what they hold receipts for; each message arrives once in effect."""

import shutil
import subprocess
from pathlib import Path

import pytest

from gateway.party import PartyClient
from tests.acceptance.hub import COMMAND, ROOT, Hub, hub_on
from tests.command import ENERGIE, fresh, gateway

WHO = ("--who", "beheerder", "--why", "schijf stuk; kopie van gisteren teruggezet")


def collect(receiver: PartyClient, received: list[bytes]) -> None:
    """Fetch and confirm what waits; what came twice is in the list twice."""
    waiting = [one.referentienummer for one in receiver.waiting()]
    received += [receiver.collect(number).octets for number in waiting]
    assert all(receiver.confirm(*waiting).values())


def put_back(folder: Path, copy: Path) -> None:
    """The procedure of docs/operations/backup.md."""
    for name in ("gateway.db", "gateway.db-wal", "gateway.db-shm"):
        (folder / name).unlink(missing_ok=True)
    shutil.copyfile(copy, folder / "gateway.db")


def rename(folder: Path) -> None:
    file = folder / "gateway.toml"
    file.write_text(file.read_text("utf-8").replace("[hub]\n", '[hub]\nnode = "hub-2"\n', 1), "utf-8")


def ended(folder: Path, *words: object) -> list[dict[str, object]]:
    told = gateway("journal", "verify", folder, *words, "--json")
    assert told.code == 0, told.err
    assert told.json["holds"]
    return list(told.json["ended"])


def two_days(hub: Hub, copy: Path, sent: dict[str, bytes], received: list[bytes]) -> dict[str, object]:
    """Two messages, a copy, two more; one of each is collected after the copy. The receipts."""
    sender, receiver = hub.party("gemeente"), hub.party("energie")
    receipts = {name: sender.send(sent[name]).receipt for name in ("before", "waiting")}
    copied = gateway("db", "backup", hub.folder, "--to", copy)
    assert copied.code == 0, copied.err
    assert copy.stat().st_mode & 0o777 == 0o600
    receipts["after"] = sender.send(sent["after"]).receipt
    collect(receiver, received)
    receipts["lost"] = sender.send(sent["lost"]).receipt
    return dict(receipts)


def test_what_is_lost_with_a_restore_is_sent_again_and_the_journal_tells_the_gap(
    template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, copy = Path(shutil.copytree(template, tmp_path / "instance")), tmp_path / "copy.db"
    sent = {name: fresh(ENERGIE) for name in ("before", "waiting", "after", "lost")}
    received: list[bytes] = []
    with hub_on(folder) as hub:
        first = two_days(hub, copy, sent, received)
    published = tmp_path / "elsewhere.txt"
    shutil.copyfile(folder / "checkpoints" / "hub.txt", published)

    put_back(folder, copy)
    refused = subprocess.run([*COMMAND, "serve", str(folder), "--soap-port", "0", "--web-port", "0"], cwd=ROOT,
                             capture_output=True, text=True, check=False, timeout=30)
    assert refused.returncode == 1
    assert "gateway db restored" in refused.stderr
    assert gateway("doctor", folder).code == 1
    assert gateway("journal", "verify", folder).code == 1
    early = gateway("db", "restored", folder, *WHO)
    assert (early.code, "hub-2" in early.err) == (1, True)
    rename(folder)
    told = gateway("db", "restored", folder, *WHO, "--json")
    assert told.code == 0, told.err
    (row,) = told.json
    assert row["node"] == "hub"
    assert row["entries"] < row["signed"]
    assert gateway("db", "restored", folder, *WHO).code == 1  # once

    with hub_on(folder) as hub:
        sender, receiver = hub.party("gemeente"), hub.party("energie")
        again = {name: sender.send(octets).receipt for name, octets in sent.items()}
        collect(receiver, received)
        assert not receiver.waiting()
    assert {name for name in sent if again[name] == first[name]} == {"before", "waiting"}
    assert len(received) > len(sent)  # two came again …
    assert len(set(received)) == len(sent)  # … and are the same octets with the same number
    for note in ((), ("--checkpoint", published)):
        assert ended(folder, *note) == [{**row, "by": "hub-2"}]
    assert (folder / "checkpoints" / "hub.txt").read_bytes() == published.read_bytes()
    assert (folder / "checkpoints" / "hub-2.txt").is_file()
    assert gateway("doctor", folder).code == 0
    assert "beëindigd" in gateway("journal", "verify", folder).out
