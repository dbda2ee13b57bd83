"""A manifest says everything, or is refused with file, line, key and remedy."""

from pathlib import Path

import pytest

from gateway.errors import Misconfigured
from gateway.messagesets.manifest import read_manifest
from gateway.values import Choreography, RoleRule, SetKey, Step, Transition

from .conftest import MANIFEST, REAL, write_set


def read(tmp_path: Path, old: str = "", new: str = "") -> object:
    assert old in MANIFEST
    return read_manifest(write_set(tmp_path, manifest=MANIFEST.replace(old, new, 1)) / "manifest.toml")


def test_what_a_manifest_says(tmp_path: Path) -> None:
    manifest = read_manifest(write_set(tmp_path) / "manifest.toml")
    assert manifest.key == SetKey(module="proef", version="1.0")
    assert (manifest.prefix, manifest.status, manifest.profile, manifest.sealed) == ("pf", "active", "2W-be-S", False)
    assert manifest.roles["SE"] == RoleRule(
        name="SE", parties=frozenset({"SE", "DEURWAARDER"}), title_nl="Schuldeiser", title_en="Creditor")
    question, answer = manifest.messages["Vraag"], manifest.messages["Antwoord"]
    assert (question.max_receivers, question.answer_working_days, question.bsn) == (3, 10, "agreed")
    assert (answer.berichttype, answer.version, answer.answers) == ("VraagAntwoord", "1.1", frozenset({"Vraag"}))
    assert (answer.unasked, answer.repeatable, answer.ground, answer.max_receivers) == (False, False, False, 1)
    assert answer.outcomes == {"akkoord", "top"}
    assert manifest.demands["Vraag"].checks == {"eleven-test", "mod-97", "attachments"}
    assert manifest.demands["Vraag"].max_attachment_octets == 1000
    assert manifest.demands["Antwoord"].max_attachment_octets == 5 * 1024 * 1024
    assert isinstance(manifest.choreography, Choreography)
    assert manifest.choreography.enforced
    assert manifest.choreography.transitions[2] == Transition(
        states=frozenset({"GEVRAAGD"}), message="Antwoord", next="KLAAR", outcome="akkoord", sender="SE")
    assert manifest.choreography.transitions[3].next is None


def test_the_shared_set_has_services_and_what_the_hub_itself_tells() -> None:
    manifest = read_manifest(REAL / "knooppunt" / "1.0" / "manifest.toml")
    assert {name: one.sender_role for name, one in manifest.messages.items()} == {"Verlopen": "KNOOPPUNT"}
    assert manifest.choreography is None
    operations = {name: step for service in manifest.services for name, step in service.operations.items()}
    assert operations["HaalBerichtOp"] is Step.COLLECT
    assert operations["Ping"] is Step.PING


@pytest.mark.parametrize(("old", "new", "named"), [
    ('module = "proef"', 'module = "anders"', r'line 1: key `module`: must be "proef"'),
    ('version = "1.0"', "version = 1.0", r"line 2: key `version`: write a text"),
    (':proef:1.0"', ':proef:2.0"', r"line 3: key `namespace`: must be"),
    ('prefix = "pf"', 'prefix = "1 f"', r"line 4: key `prefix`: does not have the form"),
    ('status = "active"', 'status = "actief"', r"line 7: key `status`: not allowed; use one of draft"),
    ('profile = "2W-be-S"\n', "", r"key `profile`: missing; use one of 2W-be,"),
    ('schema = "berichten.xsd"\n', "", r"key `schema`: missing; add it"),
    ('initial = "NIEUW"', 'initial = "NIEUW"\nkleur = "rood"', r"line 13: key `kleur`: unknown; remove it"),
    ('parties = ["SHV"]', "parties = []", r"\[\[role\]\] 1, key `parties`: write a list"),
    ('name = "SE"', 'name = "SHV"', r"line 21: \[\[role\]\] 2, key `name`: SHV stands here for the second time"),
    ('from = "SE"', 'from = "BANK"', r"line 45: \[\[message\]\] 2, key `from`: not allowed; use one of SHV, SE"),
    ('version = "1.1"', 'version = "1.1.0"', r"\[\[message\]\] 2, key `version`: does not have the form"),
    ("max_receivers = 3", "max_receivers = 0", r"line 34: \[\[message\]\] 1, key `max_receivers`: write a whole"),
    ("max_receivers = 3", "max_receivers = true", r"line 34: .*write a whole number"),
    ("max_receivers = 3", "max_recievers = 3", r"line 34: \[\[message\]\] 1, key `max_recievers`: unknown"),
    ("max_attachment_octets = 1000", "max_attachment_octets = 1000\nmax_attachments_octets = 999",
     r"\[\[message\]\] 1, key `max_attachments_octets`: is 999, less than what one attachment may have"),
    ("max_receivers = 3", 'max_receivers = 3\nmax_attachments = 0', r"key `max_attachments`: write a whole number"),
    ('bsn = "agreed"', 'bsn = "sometimes"', r"key `bsn`: not allowed; use one of never, agreed, always"),
    ('bsn = "agreed"', 'ground = "yes"', r"key `ground`: write true or false"),
    ('"mod-97", ', '"mod-98", ', r"key `checks`: mod-98 is not known; use eleven-test"),
    ('answers = ["Vraag"]', 'answers = ["Vraagje"]', r"Antwoord answers Vraagje, which is no message of this set"),
    ('outcomes = { akkoord', 'outcomes = { anders', r"\[\[transition\]\] 3, key `outcome`: Antwoord declares no"),
    ('message = "VraagPubliek"', 'message = "Vraagje"', r"\[\[transition\]\] 2, key `message`: not allowed"),
    ('next = "KLAAR"', 'naar = "KLAAR"', r"\[\[transition\]\] 3, key `naar`: unknown; .*message, next, outcome, state"),
    ("[files]", '[files]\n"berichten.xsd" = "abc"', r"key `berichten.xsd`: does not have the form"),
    ("[files]", 'files = 3\n', r"key `files`: unknown"),  # belongs to the last transition then
    ('module = "proef"', "module = proef", r"no readable TOML .*; correct the file"),
])
def test_a_wrong_manifest_names_line_key_and_remedy(tmp_path: Path, old: str, new: str, named: str) -> None:
    with pytest.raises(Misconfigured, match=named):
        read(tmp_path, old, new)


def test_tables_must_be_tables(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"key `role`: write \[\[role\]\]"):
        read_manifest(write_set(tmp_path, manifest='role = "SHV"\n' + MANIFEST.split("[[role]]")[0]) / "manifest.toml")
    with pytest.raises(Misconfigured, match=r"key `message`: there is no \[\[message\]\]; add at least one"):
        read_manifest(write_set(tmp_path, manifest=MANIFEST.split("[[message]]")[0]) / "manifest.toml")
    with pytest.raises(Misconfigured, match=r"key `outcomes`: write a table"):
        read(tmp_path, "outcomes = { akkoord = ", "outcomes = 1 # ")


def test_a_line_of_a_nested_table_is_counted_from_its_own_parent(tmp_path: Path) -> None:
    text = (REAL / "knooppunt" / "1.0" / "manifest.toml").read_text(encoding="utf-8")
    folder = tmp_path / "knooppunt" / "1.0"
    folder.mkdir(parents=True)
    wrong = text.replace('step = "search-log"', 'step = "search"')
    (folder / "manifest.toml").write_text(wrong, encoding="utf-8")
    line = wrong.splitlines().index('step = "search"') + 1
    with pytest.raises(Misconfigured, match=rf"line {line}: \[\[service.operation\]\] 1, key `step`: not allowed"):
        read_manifest(folder / "manifest.toml")
