"""What the hub runs with is in its journal: at start, when it takes a change over, at the end; digests, no values."""

import json
from hashlib import sha256
from pathlib import Path

import pytest

from gateway.app.checkpoints import audit
from gateway.app.configuration import ConfigurationJournal
from gateway.app.hub import LiveRegister
from gateway.app.instance import Instance, open_instance, utc_now
from gateway.app.log import Log
from gateway.app.trust import LiveTrust
from gateway.security import make_crl
from gateway.storage import Operator, open_store
from tests.acceptance.hub import fresh_hub
from tests.line import edit_parties
from tests.postgres.databases import asked, copied


def records(folder: Path, kind: str = "config") -> list[dict[str, object]]:
    rows = asked(folder, "SELECT record FROM entries WHERE kind = ? ORDER BY position", kind)
    return [json.loads(str(row[0])) for row in rows]


@pytest.fixture
def instance(template: Path, tmp_path: Path) -> Instance:
    return open_instance(copied(template, tmp_path / "instance"))


@pytest.mark.clause("§7.4")
def test_start_change_and_stop_are_journaled_by_digest(instance: Instance) -> None:
    folder, log = instance.folder, Log()
    trust, register = LiveTrust(instance.settings.trust, utc_now, log), LiveRegister(instance, log)
    with open_store(instance.settings.store.database) as store:
        journal = ConfigurationJournal(
            instance.settings, instance.signing, Operator(store), trust=trust, clock=utc_now, observe=log,
            parties=lambda: (register.digest, register()))
        journal.start()
        journal.look()
        edit_parties(folder, energie={"name": "Andere naam"})
        register.renew()
        journal.look()
        (folder / "parties.toml").write_text("not a table", "utf-8")  # refused: not taken over
        register.renew()
        journal.look()
        make_crl(folder / "pki", [], utc_now())
        trust.renew()
        journal.look()
        journal.stop()
    found = records(folder)
    assert [one["action"] for one in found] == ["start", "change", "change", "stop"]
    start, parties, crl, stop = ({name: value for name, value in one.items() if name not in ("action", "at")}
                                 for one in found)
    assert start["settings"] == sha256((folder / "gateway.toml").read_bytes()).hexdigest()
    assert {name for name in start if start[name] != parties[name]} == {"parties"}
    assert {name for name in start if parties[name] != crl[name]} == {"trust"}
    assert crl == stop
    assert start["signing"] == [sha256(key.certificate).hexdigest() for key in instance.signing]
    assert "localhost" not in json.dumps(found)


def test_a_running_hub_journals_its_start_and_stop_and_signs_to_the_end(template: Path, tmp_path: Path) -> None:
    with fresh_hub(template, tmp_path / "instance", "--workers", "2") as hub:
        folder = hub.folder
    found = records(folder)
    assert [one["action"] for one in found] == ["start", "stop"]  # one of two workers writes for the node
    assert found[0]["parties"] == sha256((folder / "parties.toml").read_bytes()).hexdigest()
    instance = open_instance(folder)
    (report,) = audit(instance.settings, instance.signing, lambda done: None)
    assert (report.holds, report.entries, report.sealed) == (True, 2, 2)
