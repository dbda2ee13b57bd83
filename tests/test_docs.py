"""The pages of docs/ are true: what they say twice is compared with the code, what they say to run is run."""

import dataclasses
import json
import re
import shutil
import sqlite3
import subprocess
import tomllib
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from lxml import etree
from typer.main import get_command
from typer.testing import CliRunner

from gateway import settings
from gateway._parties import load_parties
from gateway._toml import Table
from gateway.app.health import store_metrics
from gateway.app.load import load_metrics
from gateway.app.log import Log
from gateway.app.pushed import push_metrics
from gateway.app.watched import watched_metrics
from gateway.cli import app
from gateway.errors import TABLE, Misconfigured
from gateway.party.client import Waiting
from gateway.routing.identities import TABLE as IDENTITIES
from gateway.routing.identities import Relation
from gateway.soap import Receipt
from gateway.storage import Checkpoints, Pushes, Reports
from gateway.tolerances import TABLE as TOLERANCES
from gateway.transport import Load, OwnMeter, Quota
from tests import foreign
from tests.line import POSTBUS, SE, Line, code, example, fault, make_line

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
BESIDE = ("README.md", "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md", "certs-example/README.md")
PAGES = [*sorted(DOCS.rglob("*.md")), *(ROOT / name for name in BESIDE)]
ENERGIE, DEURWAARDER = (f"11111111-1111-4111-8111-00000000000{number}" for number in (2, 3))
TOOLS = ("sh", "xmlsec1", "openssl", "xmllint", "xxd")


def page(name: str) -> str:
    return (DOCS / f"{name}.md").read_text("utf-8")


def section(text: str, title: str) -> str:
    """The text under a heading, up to the next one of its kind."""
    return re.split(r"(?m)^## ", text.split(f"## {title}\n", 1)[1])[0]


def table(text: str, first: str) -> list[list[str]]:
    """The cells of the rows under the table heading whose first cell is `first`."""
    lines = text.split(f"| {first} |", 1)[1].splitlines()[2:]
    rows: list[list[str]] = []
    for line in lines:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    assert rows, first
    return rows


def words(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


# --- links and citations ---------------------------------------------------------------------------------------


def anchors(path: Path) -> set[str]:
    titles = re.findall(r"(?m)^#+ (.+)$", path.read_text("utf-8"))
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text("utf-8")):
        file, _, anchor = target.partition("#")
        if "://" not in file:
            there = path.parent / file if file else path
            assert there.exists(), target
            assert not anchor or anchor in anchors(there), target


def test_sections_that_code_cites_are_there() -> None:
    cited = re.compile(r"docs/([\w-]+)\.md(?:\s+§(\d+)(?:, §(\d+))*)?")
    files = [path for folder in ("gateway", "tests", "benchmarks", "xsd") for path in (ROOT / folder).rglob("*.*")
             if path.suffix in (".py", ".toml", ".xsd", ".sch")]
    for path in files:
        for found in cited.finditer(path.read_text("utf-8")):
            text = page(found[1])
            for number in filter(None, found.groups()[1:]):
                assert re.search(rf"(?m)^## {number}\. ", text), f"{path}: {found[0]}"


# --- faults ------------------------------------------------------------------------------------------------------


def test_the_fault_table_is_that_of_the_code() -> None:
    stated = table(page("contract"), "error")
    assert stated == [
        [kind.__name__, row.code, row.wus or "–", row.faultcode, str(row.http), str(row.retry_after or "–"), row.text,
         row.text_en] for kind, row in TABLE.items()
    ]


def test_the_tolerances_are_those_of_the_code() -> None:
    stated = table(section(page("profile"), "13. Tolerances"), "tolerance")
    assert stated == [[one.id, one.clause, one.nl, one.en] for one in TOLERANCES.values()]
    assert list(TOLERANCES) == [one.id for one in TOLERANCES.values()]


def test_the_table_of_identities_is_that_of_the_code() -> None:
    def cell(relations: frozenset[Relation]) -> str:
        return "; ".join(one for one in Relation if one in relations)

    assert table(page("contract"), "caller is") == [
        [cell(row.caller), cell(row.signer), {None: "–", True: "yes", False: "no"}[row.one],
         "allowed" if row.allowed else "refused", row.why] for row in IDENTITIES
    ]


# --- settings ----------------------------------------------------------------------------------------------------


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The keys that the code knows, as they are opened; those of inner tables are told in their row."""
    keys: set[str] = set()
    opened = Table.__init__

    def watch(self: Table, file: object, where: tuple[str | int, ...], values: object, names: tuple[str, ...]) -> None:
        if len([part for part in where if isinstance(part, str)]) == 1:
            keys.update(f"{where[0]}.{name}" for name in names)
        opened(self, file, where, values, names)  # type: ignore[arg-type]

    monkeypatch.setattr(Table, "__init__", watch)
    return keys


def setting_rows() -> list[list[str]]:
    return table(section(page("configuration"), "gateway.toml"), "key")


def party_rows() -> list[list[str]]:
    return table(section(page("configuration"), "parties.toml"), "key")


def test_the_keys_of_gateway_toml_are_those_of_the_code(template: Path, asked: set[str]) -> None:
    settings.load_settings(template)
    assert {words(row[0])[0] for row in setting_rows()} == asked


def test_the_keys_of_parties_toml_are_those_of_the_code(template: Path, asked: set[str]) -> None:
    load_parties(template / "parties.toml")
    assert {f"party.{words(row[0])[0]}" for row in party_rows()} == asked


def write_settings(folder: Path, template: Path, more: dict[str, str]) -> settings.Settings:
    """Settings with what must be there, and `more` (dotted key → TOML value)."""
    shutil.copytree(template / "pki", folder / "pki", dirs_exist_ok=True)
    hub = tomllib.loads((template / "gateway.toml").read_text("utf-8"))["hub"]
    values = {**{f"hub.{key}": json.dumps(value) for key, value in hub.items()}, **more}
    (folder / "gateway.toml").write_text("".join(f"{key} = {value}\n" for key, value in values.items()), "utf-8")
    return settings.load_settings(folder)


def test_stated_defaults_of_gateway_toml_are_the_defaults(template: Path, tmp_path: Path) -> None:
    stated = {words(row[0])[0]: words(row[2])[0] for row in setting_rows()
              if row[2] not in ("must", "none") and not row[0].startswith("`sets.")}
    plain = write_settings(tmp_path, template, {})
    assert write_settings(tmp_path, template, stated) == plain


BOUNDED = [(words(row[0])[0], *map(str, found.groups())) for row in setting_rows()
           if row[1] == "number" and (found := re.match(r"([\d,]+) to ([\d,]+)", row[3]))]


@pytest.mark.parametrize(("key", "low", "high"), BOUNDED)
def test_stated_bounds_are_the_bounds(template: Path, tmp_path: Path, key: str, low: str, high: str) -> None:
    smallest, largest = int(low.replace(",", "")), int(high.replace(",", ""))
    for good in (smallest, largest):
        write_settings(tmp_path, template, {key: str(good)})
    for bad in (smallest - 1, largest + 1):
        with pytest.raises(Misconfigured, match=key.partition(".")[2]):
            write_settings(tmp_path, template, {key: str(bad)})


def test_every_number_has_bounds() -> None:
    assert {row[0] for row in setting_rows() if row[1] == "number"} == {f"`{key}`" for key, *_ in BOUNDED}


def test_stated_defaults_of_parties_toml_are_the_defaults(tmp_path: Path) -> None:
    must = {"id": f'"{uuid.uuid4()}"', "name": '"Voorbeeld BV"', "oin": '"00000099000000009000"', "roles": '["SE"]'}
    assert {words(row[0])[0] for row in party_rows() if row[2] == "must"} == set(must)
    stated = {words(row[0])[0]: words(row[2])[0] for row in party_rows()
              if row[2] not in ("must", "none", "from `name`")}

    def read(values: dict[str, str]) -> object:
        text = "[[party]]\n" + "".join(f"{key} = {value}\n" for key, value in values.items())
        (tmp_path / "parties.toml").write_text(text, "utf-8")
        return load_parties(tmp_path / "parties.toml")

    assert read({**must, **stated}) == read(must)


# --- commands ----------------------------------------------------------------------------------------------------


def commands(command: Any, name: str = "gateway") -> Iterator[tuple[str, Any]]:
    """Every command below this one; click's own types, or those that typer brings along."""
    for part, below in getattr(command, "commands", {}).items():
        yield from commands(below, f"{name} {part}")
    if not hasattr(command, "commands"):
        yield name, command


def stated_commands() -> dict[str, str]:
    """Command → its rows in the contract, as one text."""
    known = {name for name, _ in commands(get_command(app))}
    rows: dict[str, str] = {}
    for cells in table(section(page("contract"), "2. The `gateway` command"), "command"):
        for name in re.findall(r"`(gateway [a-z]+(?: [a-z-]+)?)", cells[0]):
            short = name if name in known else " ".join(name.split()[:2])
            rows[short] = rows.get(short, "") + " | ".join(cells)
    return rows


def test_the_commands_are_those_of_the_code() -> None:
    assert set(stated_commands()) == {name for name, _ in commands(get_command(app))}


def test_every_option_is_stated() -> None:
    everywhere = {"--help", "--json", "--instance"}
    stated = stated_commands()
    for name, command in commands(get_command(app)):
        options = {option for one in command.params for option in one.opts if option.startswith("--")} - everywhere
        assert not {option for option in options if option not in stated[name]}, name


def run_json(*arguments: str) -> object:
    result = CliRunner().invoke(app, [*arguments, "--json"])
    assert result.exit_code in (0, 1), result.output
    return json.loads(result.stdout)


def keys_of(value: object) -> set[str]:
    """Every key at any depth, but not below `modules`, whose keys are data."""
    if isinstance(value, dict):
        return set(value).union(*(keys_of(one) for key, one in value.items() if key != "modules"))
    return set().union(*map(keys_of, value)) if isinstance(value, list) else set()


def test_json_has_the_stated_keys(line: Line, tmp_path: Path) -> None:
    assert code(line.send(example("Kennisgeving-volledig"))) is None
    number = header_field(example("Kennisgeving-volledig"), "Referentienummer")
    folder = str(line.instance.folder)
    (tmp_path / "evidence.xml").write_bytes(export(line, number))
    invalid = next((ROOT / "xsd/schuldregeling/2.0/examples/invalid").glob("*.xml"))
    told = {
        "doctor": run_json("doctor", folder), "validate": run_json("validate", str(invalid)),
        "parties list": run_json("parties", "list", folder),
        "certs expiring": run_json("certs", "expiring", folder, "--days", "9999"),
        "sets list": run_json("sets", "list"),
        "journal verify": run_json("journal", "verify", folder),
        "evidence verify": run_json("evidence", "verify", str(tmp_path / "evidence.xml")),
    }
    rows = table(section(page("contract"), "2. The `gateway` command"), "command")
    stated = {re.match(r"`gateway ([a-z]+(?: [a-z]+)?)", row[0])[1]: set(words(row[2])) for row in rows}  # type: ignore[index]
    assert {name: keys_of(value) for name, value in told.items()} == {name: stated[name] for name in told}
    inbox = {field.name for field in dataclasses.fields(Waiting)}
    receipt = {field.name for field in dataclasses.fields(Receipt)} - {"ontvangers"} | {"ontvanger", "code"}
    listed = inbox - {"antwoord_voor", "te_laat"} | {"ontvanger", "status", "code"}
    assert set(words(next(row[2] for row in rows if "inbox DIR list" in row[0]))) == inbox
    assert stated["send"] == receipt
    line.gate.tolerances.flush()
    assert keys_of(run_json("parties", "show", folder, "gemeente")) == stated["parties list"] | stated["parties show"]
    assert keys_of(run_json("messages", "list", folder)) == listed
    assert keys_of(run_json("messages", "show", folder, number)) == listed | stated["messages show"]


# --- journal, log, metrics ---------------------------------------------------------------------------------------


@pytest.mark.clause("§7.4")
def test_records_hold_the_stated_fields(line: Line) -> None:
    converse(line, ENERGIE, "energie")
    line.send(example("Kennisgeving-minimaal"), action="urn:nothing")
    stated = {words(row[0])[0]: {*words(row[1]), "kind", "at", "message"}
              for row in table(section(page("evidence"), "2. The journal"), "kind") if len(words(row[0])) == 1}
    found: dict[str, set[str]] = {}
    with closing(sqlite3.connect(line.instance.folder / "gateway.db")) as database:
        for (record,) in database.execute("SELECT record FROM entries"):
            facts = json.loads(record)
            found[facts["kind"]] = found.get(facts["kind"], set()) | set(facts)
    for kind in ("accepted", "refused"):
        assert found[kind] <= stated[kind], kind
        # absent in these examples, or later
        left_out = {"bovenliggend", "bridged", "answer_by", "missed", "message", "referentienummer"}
        assert stated[kind] - found[kind] <= left_out, kind


def test_the_log_has_the_stated_events() -> None:
    call = re.compile(r'(?:\bobserve|_log|\blog|_observe|\bLog\(\))\("([a-z-]+)"')
    written = {found for path in (ROOT / "gateway").rglob("*.py") for found in call.findall(path.read_text("utf-8"))}
    stated = {event for row in table(section(page("operations"), "Logs"), "event") for event in words(row[0])}
    assert stated == written - {"answered", "checkpoint", "time-stamp"}  # counted, not written


def test_the_metrics_have_the_stated_names(line: Line) -> None:
    told = (*store_metrics(Log(), line.trust, Reports(line.store), Checkpoints(line.store)),
            *watched_metrics(line.switches(), (), line.at, line.instance.party_name),
            *push_metrics(Pushes(line.store), line.at, line.instance.party_name),
            *load_metrics(Load(waiting=0, running=0, octets=0), Quota(lambda oin: None, OwnMeter(), float, Log()),
                          line.store))
    names = {metric.name for metric in told}
    rows = table(section(page("operations"), "Metrics"), "series")
    assert {words(row[0])[0].partition("{")[0].removesuffix("_total") for row in rows} == names


# --- evidence by hand ----------------------------------------------------------------------------------------------


def header_field(message: bytes, name: str) -> str:
    found = re.search(rf"<(?:\w+:)?{name}>([^<]*)<", message.decode())
    assert found
    return found[1]


def export(line: Line, number: str) -> bytes:
    with line.instance.operations() as operations:
        return operations.evidence(number)


def converse(line: Line, who: str, slug: str) -> tuple[bytes, bytes]:
    """A message to `who`, and its answer, collected by the municipality: both elements."""
    asked = example("Kennisgeving-volledig").replace(ENERGIE.encode(), who.encode())
    answered = example("KennisgevingAntwoord-minimaal").replace(ENERGIE.encode(), who.encode())
    for name, value in (("ConversatieReferentienummer", "ConversatieReferentienummer"),
                        ("CrossReferentienummer", "Referentienummer")):
        answered = re.sub(rf"(<(?:\w+:)?{name}>)[^<]*".encode(), rb"\g<1>" + header_field(asked, value).encode(),
                          answered, count=1)
    assert code(line.send(asked)) is None
    assert code(line.send(answered, path=SE, party=slug)) is None
    number = header_field(answered, "Referentienummer")
    fields = f"<Referentienummer>{number}</Referentienummer>"
    for operation in ("HaalBerichtOp", "BevestigBericht"):
        child = f'<{operation} xmlns="urn:schuldenknooppunt:knooppunt:1.0">{fields}</{operation}>'.encode()
        assert code(line.send(child, path=POSTBUS)) is None
    return asked, answered


def write_script(folder: Path) -> None:
    """The check by hand, as the page gives it."""
    script = re.search(r"```sh\n(#!/bin/sh\n.*?)```", page("evidence"), re.DOTALL)
    assert script
    (folder / "check-evidence.sh").write_text(script[1], "utf-8")


@pytest.mark.skipif(not all(map(shutil.which, TOOLS)), reason="needs xmlsec1, openssl, xmllint and xxd")
@pytest.mark.parametrize(("who", "slug"), [(ENERGIE, "energie"), (DEURWAARDER, "deurwaarder")], ids=["rsa", "ecdsa"])
def test_evidence_holds_by_hand(line: Line, tmp_path: Path, who: str, slug: str) -> None:
    write_script(tmp_path)
    _, answered = converse(line, who, slug)
    octets = export(line, header_field(answered, "Referentienummer"))
    files = {"bewijs.xml": octets, "bericht.xml": answered, "ander.xml": answered.replace(b"</", b" </", 1),
             "veranderd.xml": octets.replace(b'"kind":"collected"', b'"kind":"confirmed"')}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)

    def check(*names: str) -> subprocess.CompletedProcess[str]:
        anchor = line.instance.folder / "pki" / "ca.pem"
        return subprocess.run(["sh", "check-evidence.sh", names[0], str(anchor), *names[1:]], cwd=tmp_path,
                              capture_output=True, text=True, check=False, timeout=60)

    whole = check("bewijs.xml", "bericht.xml")
    assert (whole.returncode, whole.stderr) == (0, "")
    assert whole.stdout.splitlines()[-2:] == ["the sender signed exactly this message", "all holds"]
    assert [kind for kind in ("accepted", "collected", "confirmed") if f": {kind}, JournaalHash" in whole.stdout] == [
        "accepted", "collected", "confirmed"]
    assert check("bewijs.xml").returncode == 0
    assert "FAILS: message_digest" in check("bewijs.xml", "ander.xml").stderr
    assert "FAILS: the hub's signature" in check("veranderd.xml").stderr


@pytest.mark.skipif(not all(map(shutil.which, TOOLS)), reason="needs xmlsec1, openssl, xmllint and xxd")
def test_evidence_of_a_bridged_message_holds_by_hand(template: Path, tmp_path: Path) -> None:
    write_script(tmp_path)
    line = make_line(template, tmp_path / "instance", change=takes_1_1_only)
    try:
        sent = example("SaldoVerzoek-volledig")
        assert code(line.send(sent)) is None
        number = header_field(sent, "Referentienummer")
        field = f"<Referentienummer>{number}</Referentienummer>"
        child = f'<HaalBerichtOp xmlns="urn:schuldenknooppunt:knooppunt:1.0">{field}</HaalBerichtOp>'.encode()
        answer = etree.fromstring(line.send(child, path=POSTBUS, party="energie").octets)
        (delivered,) = answer.find(".//{urn:schuldenknooppunt:knooppunt:1.0}Bericht")
        got = etree.tostring(delivered, method="c14n", exclusive=True)
        assert b"schuldregeling:1.1" in got
        for name, content in (("bewijs.xml", export(line, number)), ("sent.xml", sent), ("got.xml", got)):
            (tmp_path / name).write_bytes(content)
        said = {}
        for name in ("sent.xml", "got.xml"):
            command = ["sh", "check-evidence.sh", "bewijs.xml", str(line.instance.folder / "pki" / "ca.pem"), name]
            done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60)
            said[name] = done.stdout.splitlines()[-2]
        assert said["sent.xml"] == "the sender signed exactly this message"
        assert said["got.xml"].startswith("this is the message as the hub bridged it for an addressee")
    finally:
        line.store.close()


@pytest.mark.skipif(not all(map(shutil.which, TOOLS)), reason="needs xmlsec1, openssl, xmllint and xxd")
def test_evidence_of_a_refusal_holds_by_hand(line: Line, tmp_path: Path) -> None:
    write_script(tmp_path)
    signed = foreign.octets(foreign.build(line.plan(example("Kennisgeving-volledig"))))
    sent = signed.replace(b"</s:Body>", b" </s:Body>")
    refused = fault(line.post(sent))
    assert refused is not None
    ticket = refused.findtext(".//{urn:schuldenknooppunt:knooppunt:1.0}Ticket")
    with line.instance.operations() as operations:
        (tmp_path / "bewijs.xml").write_bytes(operations.refusal_evidence(ticket or ""))
    (tmp_path / "sent.xml").write_bytes(sent)
    (tmp_path / "other.xml").write_bytes(sent + b" ")
    command = ["sh", "check-evidence.sh", "bewijs.xml", str(line.instance.folder / "pki" / "ca.pem")]
    said = [subprocess.run([*command, *names], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
            for names in ((), ("sent.xml",), ("other.xml",))]
    assert [one.returncode for one in said] == [0, 0, 1]
    assert said[1].stdout.splitlines()[-2].startswith("refused: SKP015, SignatureInvalid, ")
    assert "FAILS: octets_digest" in said[2].stderr


def takes_1_1_only(folder: Path) -> None:
    """Energie takes no other version of Schuldregeling."""
    before, energie, after = (folder / "parties.toml").read_text("utf-8").partition('slug = "energie"')
    after = re.sub(r"schuldregeling = \[[^]]*\]", 'schuldregeling = ["1.1"]', after, count=1)
    (folder / "parties.toml").write_text(before + energie + after, "utf-8")
