"""An operator sees everything except content: whatever the hub says, no value of a message is in it.

Every example of every set goes through a whole hub, the valid ones to their end, the invalid ones to their refusal.
Then each of their values is looked for in everything that was said: receipts, faults, log, metrics, health, lists,
stories, refusals, evidence, the privacy report, and the database itself.
"""

import io
import json
import re
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, redirect_stderr
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from urllib.request import urlopen

import pytest
from lxml import etree
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.registry import Collector

from gateway.app import open_instance
from gateway.app.health import ready_checks, store_metrics
from gateway.app.log import Log
from gateway.errors import PeerRefused
from gateway.storage import Checkpoints, Reports
from gateway.values import SetKey
from tests.acceptance.every_set import CATALOG, MODULES, ask, conversations, fields, parties, path_of, plays, send
from tests.acceptance.hub import Hub
from tests.command import gateway
from tests.line import Line, code, make_line
from tests.test_docs import page, section, table

KN = "urn:schuldenknooppunt:knooppunt:1.0"
SHORTEST = 4  # characters of a value that is looked for
_OWN_WORDS = {"reason", "error", "who", "why", "checks", "diagnoses"}  # fields of a record that hold no identifier
_UNBROKEN = 200  # characters without a space: base64


@dataclass(kw_only=True)
class Said:
    """What a hub said, by where: what stands between two tags or on one line, each once. And the messages it was about.
    """

    texts: dict[str, dict[str, None]] = field(default_factory=dict)
    messages: list[etree._Element] = field(default_factory=list)

    def add(self, where: str, text: str | bytes) -> None:
        text = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
        self.texts.setdefault(where, {}).update(dict.fromkeys(re.split(r"[<>\n]+", text)))


# --- what may be said ----------------------------------------------------------------------------------------------


def published() -> set[str]:
    """The fields of a journal record, as evidence.md publishes them."""
    rows = table(section(page("evidence"), "2. The journal"), "kind")
    names = {name for row in rows for name in re.findall(r"`(\w+)`", row[1])}
    return names | {"kind", "at", "message"} | set(re.findall(r"`(\w+)`", section(page("evidence"), "2. The journal")))


def strings(value: object) -> Iterator[str]:
    """Every text in a record, also in its lists; times as dates."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for one in value.values() if isinstance(value, dict) else value:
            yield from strings(one)


def stated(records: Iterable[str]) -> set[str]:
    """What the published fields hold: identifiers, and the days of their times. Why something was refused is no excuse.
    """
    found: set[str] = set()
    for record in records:
        facts = json.loads(record)
        assert facts.keys() <= published(), facts.keys() - published()
        found |= set(strings([value for name, value in facts.items() if name not in _OWN_WORDS]))
        found |= {(datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=facts[name])).date().isoformat()
                  for name in ("at", "expires_at") if name in facts}
    return found


def values(message: etree._Element) -> Iterator[tuple[str, bool]]:
    """Each value of a message with 4 characters or more, and whether it stands in the control fields of its header."""
    for element in message.iter("*"):
        control = any(one.tag == f"{{{KN}}}Stuurgegevens" for one in element.iterancestors())
        for text in (element.text if not len(element) else "", *element.attrib.values()):
            if len((text or "").strip()) >= SHORTEST:
                yield text.strip(), control


def secrets(said: Said, before: Said, records: list[str]) -> dict[str, str]:
    """Every value that nobody may see, with the name of its message.

    Not: values of a code list; what the journal states that it keeps of the header, also where a body repeats it
    (BetreftBericht); dates of days on which the hub worked; whole numbers that are a position or a size; and what the
    hub says before it has seen a message, such as the names in its address book.
    """
    keeps = stated(records)
    excused = {"true", "false"} | {value for one in CATALOG.sets.values() for value in one.schema.vocabulary.values}
    excused |= {value for message in said.messages for value, control in values(message) if control and value in keeps}
    excused |= {value for value in keeps if re.fullmatch(r"[\d-]{10}", value)}
    excused |= {str(number) for number in range(len(records) + 1)} | {
        str(json.loads(record).get("octets")) for record in records} | {bytes(32).hex()}  # hash_0 of the journal
    found = {value: etree.QName(message).localname for message in said.messages for value, _ in values(message)
             if value not in excused}
    for _, _, value in betrayed(before, found):
        found.pop(value, None)
    return found


def betrayed(said: Said, hidden: dict[str, str]) -> list[tuple[str, str, str]]:
    """Each hidden value that was said: where, of which message, and what."""
    found = []
    for where, parts in said.texts.items():
        short = [part for part in parts if len(part) < _UNBROKEN or " " in part]  # no signatures and certificates
        found += [(where, message, value) for value, message in hidden.items() if value in parts and value not in short]
        text = re.sub(r"X'[0-9A-F]{64,}'", "", "\n".join(short))  # no blobs of the database either
        for value, message in hidden.items():
            # As a whole word; what holds the text at all is looked at closely, and that is nearly nothing.
            if value in text and re.search(rf"(?<![\w.:-]){re.escape(value)}(?![\w:-]|\.\w)", text):
                found.append((where, message, value))
    return found


# --- every message of every set, in this process -------------------------------------------------------------------


@pytest.fixture(scope="module")
def line(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    made = make_line(template, tmp_path_factory.mktemp("said") / "instance")
    yield made
    made.store.close()


def every_example(line: Line, said: Said) -> None:
    by_id = {party.id: party for party in parties(line)}
    for key in MODULES:
        for one in (one for conversation in conversations(key) for one in conversation):
            reply = send(line, key, one.octets, by_id[one.text("Afzender") or ""])
            assert code(reply) is None, (key, one.name, line.refusals()[-1:])
            said.messages.append(etree.fromstring(one.octets))
            said.add("receipts", reply.octets)
            for receiver in (by_id[party] for party in fields(reply, "Ontvanger")):
                if one.name.endswith("volledig"):
                    said.add("lists and confirmations", ask(line, "HaalBerichtenlijstOp", receiver).octets)
                assert code(ask(line, "HaalBerichtOp", receiver, one.number)) is None
                said.add("lists and confirmations", ask(line, "BevestigBericht", receiver, one.number).octets)
        for path in sorted((CATALOG.sets[key].folder / "examples" / "invalid").glob("*.xml")):
            refuse(line, said, key, path.read_bytes())


def refuse(line: Line, said: Said, key: SetKey, octets: bytes) -> None:
    """One invalid example, from a party that may send it where there is one."""
    message = etree.fromstring(octets)
    element = etree.QName(message).localname
    element = element if element in CATALOG.sets[key].messages else next(iter(CATALOG.sets[key].messages))
    role = CATALOG.sets[key].roles[CATALOG.sets[key].messages[element].sender_role]
    sender = next(party for party in parties(line) if plays(party, role, key))
    reply = line.send(octets, path=path_of(key, element), party=sender.slug, sender=None)
    assert code(reply) is not None
    said.messages.append(message)
    said.add("faults", reply.octets)


def told(line: Line, log: Log, said: Said) -> None:
    """Everything an operator can ask for."""
    folder, reports = line.instance.folder, Reports(line.store)
    for command in (("messages", "list", "--limit", "100000"), ("messages", "refused", "--limit", "10000"),
                    ("journal", "verify"), ("privacy", "report"), ("parties", "list")):
        for options in ((), ("--json",)):
            ran = gateway(*command[:2], folder, *command[2:], *options)
            assert ran.code == 0
            said.add(" ".join(command[:2]), ran.out + ran.err)
    with line.instance.operations() as operations:
        for row in operations.messages(limit=100_000):
            said.add("messages show", json.dumps(operations.message(str(row["referentienummer"])), default=str))
            said.add("evidence", operations.evidence(str(row["referentienummer"])))
    registry = CollectorRegistry()
    registry.register(_Metrics(log, line, reports))
    said.add("metrics", generate_latest(registry))
    said.add("health", str(ready_checks(line.instance, line.trust, reports)))
    with closing(sqlite3.connect(folder / "gateway.db")) as database:
        said.add("database", "\n".join(database.iterdump()))


class _Metrics(Collector):
    def __init__(self, log: Log, line: Line, reports: Reports) -> None:
        self.collect = lambda: store_metrics(log, line.trust, reports, Checkpoints(line.store))  # type: ignore[method-assign]


@pytest.mark.clause("§7.3")
def test_no_value_of_any_example_is_in_anything_that_is_said(line: Line) -> None:
    said, stderr = Said(), io.StringIO()
    with redirect_stderr(stderr):
        log = Log()
    line.gate = replace(line.gate, observe=log)
    before = Said()
    told(line, log, before)
    for rules in (line.instance.settings.sets.xsd).rglob("*.sch"):  # faults say our own sentences
        before.add("rules", rules.read_text("utf-8"))
    every_example(line, said)
    told(line, log, said)
    assert line.rows("payloads") == line.rows("bridged_payloads") == 0
    said.add("log", re.sub(r'"timestamp": "[^"]*"', "", stderr.getvalue()))
    assert len(said.messages) > 200
    assert all(said.texts[where] for where in ("faults", "log", "database", "evidence"))
    with closing(sqlite3.connect(line.instance.folder / "gateway.db")) as database:
        hidden = secrets(said, before, [row[0] for row in database.execute("SELECT record FROM entries")])
    assert len(hidden) > 1000
    said.add("a control", f"says {next(iter(hidden))}.")
    assert [where for where, *_ in betrayed(said, hidden) if where == "a control"]
    del said.texts["a control"]
    assert betrayed(said, hidden) == []


# --- and over the network ------------------------------------------------------------------------------------------


@pytest.mark.clause("§7.3")
def test_no_value_of_a_conversation_is_on_a_page_or_in_the_log_of_a_running_hub(hub: Hub) -> None:
    slugs = {party.id: party.slug for party in open_instance(hub.folder).read_register().parties()}
    client = cache(lambda party: hub.party(slugs[party]))
    conversation = max((one for key in MODULES for one in conversations(key)), key=len)
    before, said = Said(), Said()
    pages(hub, before)
    for one in conversation:
        sender = client(one.text("Afzender") or "")
        receipt = sender.send(one.octets).receipt
        for receiver in receipt.ontvangers:
            assert client(receiver).collect(one.number).octets
            client(receiver).confirm(one.number)
        with pytest.raises(PeerRefused) as refused:
            sender.send(one.octets.replace(b"</kn:Berichtheader>", b"</kn:Berichtheader>\n"))
        said.add("faults", str(refused.value.fault))
        said.messages.append(etree.fromstring(one.octets))
    pages(hub, said)
    assert said.texts.pop("documentation") == before.texts.pop("documentation")  # which shows the published examples
    said.add("log", re.sub(r'"timestamp": "[^"]*"', "", hub.log))
    assert "refused" in hub.log
    with closing(sqlite3.connect(hub.folder / "gateway.db")) as database:
        records = [row[0] for row in database.execute("SELECT record FROM entries")]
        said.add("database", "\n".join(database.iterdump()))
    hidden = secrets(said, before, records)
    assert len(hidden) > 30
    assert betrayed(said, hidden) == []


def pages(hub: Hub, said: Said) -> None:
    for where, path in (("health", "/health/ready"), ("metrics", "/metrics"), ("documentation", "/")):
        with urlopen(hub.web + path, timeout=10) as answer:
            said.add(where, answer.read())
