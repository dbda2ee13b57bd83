"""The commands as tools see them: --help, exit codes 0, 1 and 2, the keys of --json, the files of an instance.

Most run in this process through the same `main` that the installed command calls; what is about processes runs as one.
"""

import json
import re
import stat
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography import x509
from lxml import etree

from gateway.security.throwaway import EXAMPLE_OINS
from tests.acceptance.hub import Hub, fresh_hub
from tests.command import (
    CONVERSATION,
    ENERGIE,
    GEMEENTE,
    INBOX,
    INVALID,
    MESSAGE,
    RECEIPT,
    Ran,
    every_command,
    file_of,
    fresh,
    gateway,
)
from tests.foreign import S
from tests.line import EXAMPLES, SR
from tests.packages import XOP

PETITION = EXAMPLES.parents[3] / "rechtbank/1.0/examples/valid/VerzoekschriftWsnp-minimaal.xml"


@pytest.fixture(scope="module")
def revoking(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Hub, float]]:
    """A hub of which one party's certificate was revoked while it ran, and when (monotonic)."""
    with fresh_hub(template, tmp_path_factory.mktemp("revoking") / "instance") as running:
        message = file_of(running.folder, fresh(ENERGIE))
        assert gateway("send", running.folder, "--party", "gemeente", message).code == 0
        assert gateway("certs", "crl", running.folder, "gemeente-tls").code == 0
        yield running, time.monotonic()


# --- every command -------------------------------------------------------------------------------------------


def test_a_certificate_is_revoked_while_the_hub_runs(revoking):
    """First in this file, so that by the last test it must have taken effect."""
    crl = x509.load_pem_x509_crl((revoking[0].folder / "pki" / "ca.crl").read_bytes())
    certificate = x509.load_pem_x509_certificate((revoking[0].folder / "pki" / "gemeente-tls.pem").read_bytes())
    assert [one.serial_number for one in crl] == [certificate.serial_number]


PROMISED = (
    "init", "serve", "send", "inbox", "wrap", "validate", "doctor", "demo", "parties plan", "parties apply",
    "parties list", "parties show", "messages list", "messages show", "messages requeue", "messages cancel",
    "journal verify", "evidence export", "evidence verify", "sets list", "sets check", "sets wsdl", "db upgrade",
    "certs expiring", "certs crl")


def test_the_promised_commands_are_there():
    assert {tuple(one.split()) for one in PROMISED} <= set(every_command())


@pytest.mark.parametrize("words", every_command(), ids=" ".join)
def test_every_command_has_help(words):
    ran = gateway(*words, "--help")
    assert ran.code == 0
    assert "Usage" in ran.out
    assert not ran.err


@pytest.mark.parametrize("words", [one for one in every_command() if one], ids=" ".join)
def test_an_unknown_option_is_wrong_use(words):
    ran = gateway(*words, "--nonsense")
    assert ran.code == 2
    assert ran.err


@pytest.mark.parametrize("words", [
    ("nonsense",), ("send",), ("inbox", ".", "--party", "energie", "steal"),
    ("inbox", ".", "--party", "energie", "get"), ("inbox", ".", "--party", "energie", "confirm"),
    ("wrap", ".", "--party", "gemeente", "no-such-file.xml"), ("validate",), ("serve", ".", "--workers", "0"),
    ("serve", ".", "--soap-port", "65536"), ("parties", "show"),
    ("messages", "show"), ("evidence", "verify", "no-such-file.xml")], ids=" ".join)
def test_wrong_use_ends_with_2(words):
    assert gateway(*words).code == 2


@pytest.mark.parametrize("words", [
    ("serve", "{}"), ("doctor", "{}"), ("parties", "list", "{}"), ("messages", "list", "{}"),
    ("journal", "verify", "{}"), ("certs", "expiring", "{}"), ("certs", "crl", "{}"), ("db", "upgrade", "{}"),
    ("inbox", "{}", "--party", "energie")], ids=" ".join)
def test_a_folder_that_is_no_instance_ends_with_1_and_says_so(tmp_path, words):
    ran = gateway(*(word.format(tmp_path) for word in words))
    assert ran.code == 1
    assert "gateway init" in ran.err + ran.out


def test_the_installed_command_and_the_module_are_the_same(tmp_path):
    installed = Path(sys.executable).parent / "gateway"
    for command in ([str(installed)], [sys.executable, "-m", "gateway"]):
        done = subprocess.run([*command, "validate", str(INVALID), "--json"], capture_output=True, check=False)
        assert done.returncode == 1
        assert json.loads(done.stdout)[0].keys() == {"xpath", "rule", "nl", "en"}


# --- init ----------------------------------------------------------------------------------------------------


def test_init_makes_exactly_the_promised_files(tmp_path):
    assert gateway("init", tmp_path / "new").code == 0
    made = {str(path.relative_to(tmp_path / "new")) for path in (tmp_path / "new").rglob("*") if path.is_file()}
    holders = ("hub", *EXAMPLE_OINS)
    assert list(EXAMPLE_OINS) == ["gemeente", "energie", "deurwaarder", "zorgverzekeraar", "kredietbank",
                                  "waarborgfonds", "bewindvoerder", "budgetbeheer", "matching", "rechtbank"]
    assert made == {"gateway.toml", "parties.toml", "gateway.db", "pki/ca.pem", "pki/ca.key", "pki/ca.crl"} | {
        f"pki/{holder}-{use}.{kind}" for holder in holders for use in ("tls", "sign", "enc") for kind in ("pem", "key")}
    for key in (tmp_path / "new" / "pki").glob("*.key"):
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert gateway("doctor", tmp_path / "new").code == 0


def test_init_takes_an_empty_folder_and_refuses_one_that_is_not(tmp_path):
    (tmp_path / "empty").mkdir()
    assert gateway("init", tmp_path / "empty").code == 0
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "note").write_text("mine")
    ran = gateway("init", tmp_path / "full")
    assert ran.code == 1
    assert "not empty" in ran.err
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["note"]
    again = gateway("init", tmp_path / "empty")
    assert again.code == 1


# --- as a party ----------------------------------------------------------------------------------------------


def test_send_without_a_hub_names_cause_and_remedy(folder):
    ran = gateway("send", folder, "--party", "gemeente", MESSAGE)
    assert ran.code == 1
    assert "refused" in ran.err
    assert "gateway serve" in ran.err
    assert "--url" in ran.err


def test_send_prints_the_receipt_and_can_keep_the_envelope(hub, tmp_path):
    message = tmp_path / "message.xml"
    message.write_bytes(fresh(ENERGIE))
    envelope = tmp_path / "envelope.xml"
    ran = gateway("send", hub.folder, "--party", "Gemeente Voorbeeldstad", message, "--json",
                  "--envelope-out", envelope)
    assert ran.code == 0, ran.err
    assert sorted(ran.json) == sorted(RECEIPT)
    assert ran.json["ontvanger"] == [ENERGIE]
    body = etree.fromstring(envelope.read_bytes()).find(f"{{{S}}}Body")
    assert body[0].tag == f"{{{SR}}}Kennisgeving"
    again = gateway("send", hub.folder, "--party", GEMEENTE, message, "--json")
    assert (again.code, again.json) == (0, ran.json)  # the first receipt's facts
    told = gateway("send", hub.folder, "--party", "gemeente", message)
    assert told.code == 0
    assert ran.json["journaal_hash"] in told.out
    message.write_bytes(message.read_bytes().replace(b"SHV-2026", b"SHV-2027"))
    refused = gateway("send", hub.folder, "--party", "gemeente", message)
    assert refused.code == 1
    assert "SKP008" in refused.err


def test_send_shows_what_the_hub_found_wrong(hub, tmp_path):
    ran = gateway("send", hub.folder, "--party", "gemeente", INVALID)
    assert ran.code == 1
    assert "SKP001" in ran.err
    nobody = gateway("send", hub.folder, "--party", "niemand", MESSAGE)
    assert nobody.code == 1
    assert "gemeente" in nobody.err  # those there are
    (tmp_path / "odd.xml").write_text("<odd/>")
    assert gateway("send", hub.folder, "--party", "gemeente", tmp_path / "odd.xml").code == 1
    (tmp_path / "no.xml").write_text("<no")
    broken = gateway("send", hub.folder, "--party", "gemeente", tmp_path / "no.xml")
    assert broken.code == 1
    assert "Traceback" not in broken.err


def test_the_inbox_lists_gives_and_confirms(hub, tmp_path):
    (tmp_path / "m.xml").write_bytes(fresh("11111111-1111-4111-8111-000000000003"))
    number = gateway("send", hub.folder, "--party", "gemeente", tmp_path / "m.xml", "--json").json["referentienummer"]

    def inbox(*words: str) -> Ran:
        return gateway("inbox", hub.folder, "--party", "deurwaarder", *words)

    listed = inbox("list", "--json")
    assert [sorted(row) for row in listed.json] == [sorted(INBOX)]
    assert (listed.json[0]["referentienummer"], listed.json[0]["opgehaald"]) == (number, False)
    assert inbox("--json").json == listed.json
    assert number in inbox().out
    early = inbox("confirm", number)
    assert early.code == 1, "confirming what was never fetched was taken as handled"
    got = inbox("get", number)
    assert got.code == 0
    assert etree.fromstring(got.octets).tag == f"{{{SR}}}Kennisgeving"
    assert inbox("--json").json[0]["opgehaald"] is True
    assert inbox("confirm", number).code == 0
    assert inbox("--json").json == []
    assert inbox("get", number).code == 1
    unknown = inbox("confirm", CONVERSATION, "--json")
    assert unknown.code == 1
    assert unknown.json == [{"referentienummer": CONVERSATION, "bevestigd": False}]


def test_wrap_prints_the_envelope_and_sends_nothing(folder):
    ran = gateway("wrap", folder, "--party", "gemeente", MESSAGE)
    assert ran.code == 0
    root = etree.fromstring(ran.octets)
    assert root.find(f"{{{S}}}Body")[0].tag == f"{{{SR}}}Kennisgeving"
    assert gateway("messages", "list", folder, "--json").json == []


# --- message sets --------------------------------------------------------------------------------------------


def test_validate_says_where_and_why():
    good = gateway("validate", MESSAGE)
    assert (good.code, good.err) == (0, "")
    assert gateway("validate", MESSAGE, "--json").json == []
    bad = gateway("validate", INVALID, "--json")
    assert bad.code == 1
    assert bad.json
    assert all(list(one) == ["xpath", "rule", "nl", "en"] for one in bad.json)
    told = gateway("validate", INVALID)
    assert told.code == 1
    assert bad.json[0]["xpath"] in told.err


@pytest.mark.parametrize("octets", [b"", b"<no", b"<a xmlns='urn:x'/>", b"\xff\xfe<\x00", b"<!DOCTYPE a><a/>"])
def test_validate_of_anything_else_is_a_finding_or_a_refusal(tmp_path, octets):
    (tmp_path / "odd.xml").write_bytes(octets)
    ran = gateway("validate", tmp_path / "odd.xml")
    assert ran.code == 1
    assert ran.err
    assert "Traceback" not in ran.err


def test_sets_are_listed_in_order_and_their_wsdl_is_stable(tmp_path):
    rows = gateway("sets", "list", "--json").json
    assert {"schuldregeling", "knooppunt"} <= {row["module"] for row in rows}
    assert gateway("sets", "check").code == 0
    first = gateway("sets", "wsdl", "--wsdl", tmp_path)
    assert first.code == 0
    assert "written" in first.out
    second = gateway("sets", "wsdl", "--wsdl", tmp_path)
    assert "written" not in second.out
    committed = EXAMPLES.parents[4] / "wsdl"
    assert wsdl_files(tmp_path) == wsdl_files(committed)


def wsdl_files(folder: Path) -> dict[Path, bytes]:
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.wsdl")}


# --- a running hub takes changes over ------------------------------------------------------------------------


def test_a_running_hub_takes_a_changed_address_book_over(template, tmp_path):
    with fresh_hub(template, tmp_path / "instance") as hub:
        client = hub.party("gemeente")
        client.send(fresh(ENERGIE))
        text = (hub.folder / "parties.toml").read_text("utf-8")
        wanted = tmp_path / "wanted.toml"
        head, *tables = text.split("[[party]]")
        wanted.write_text("[[party]]".join([head, *(one for one in tables if ENERGIE not in one)]), "utf-8")
        assert gateway("parties", "apply", hub.folder, wanted).code == 0
        began = time.monotonic()
        while True:
            ran = gateway("send", hub.folder, "--party", "gemeente", file_of(tmp_path, fresh(ENERGIE)))
            if ran.code:
                break
            assert time.monotonic() - began < 5
            time.sleep(0.2)
        assert "SKP004" in ran.err
        assert gateway("parties", "apply", hub.folder, file_of(tmp_path, text.encode())).code == 0
        began = time.monotonic()
        while gateway("send", hub.folder, "--party", "gemeente", file_of(tmp_path, fresh(ENERGIE))).code:
            assert time.monotonic() - began < 5
            time.sleep(0.2)


@pytest.mark.clause("WT004", "§6.3")
def test_a_revoked_certificate_is_refused_by_the_running_hub(revoking, tmp_path):
    """Last in this file: the revocation was made when the first test began, and had the others' time to take effect."""
    hub, revoked_at = revoking
    message = file_of(tmp_path, fresh(ENERGIE))
    while (ran := gateway("send", hub.folder, "--party", "gemeente", message)).code == 0:
        assert time.monotonic() - revoked_at < 30
        time.sleep(0.5)
    assert "certificate" in ran.err
    assert gateway("inbox", hub.folder, "--party", "energie", "--json").code == 0  # the others go on
    assert gateway("certs", "crl", hub.folder, "no-such-name").code == 1


def test_a_message_goes_with_its_files_and_comes_with_them(hub, tmp_path):
    """Sent as MTOM, collected as MTOM; what lies in the folder then is what was sent, and can be sent as it lies."""
    text, number = PETITION.read_text("utf-8"), str(uuid.uuid4())
    content = b"%PDF-1.4\n" + bytes(range(256)) * 4000
    text = re.sub(r"(<kn:(?:Conversatie)?Referentienummer>)[^<]*", rf"\g<1>{number}", text)
    text = re.sub(r"<kn:Inhoud>[^<]*</kn:Inhoud>(\s*<kn:HashSHA256>)\w+", '<kn:Inhoud><x:Include href="cid:a.pdf" '
                  f'xmlns:x="{XOP}"/></kn:Inhoud>\\g<1>{sha256(content).hexdigest()}', text, count=1)
    (tmp_path / "message.xml").write_text(text, "utf-8")
    (tmp_path / "elsewhere").write_bytes(content)
    sent = gateway("send", hub.folder, "--party", "gemeente", tmp_path / "message.xml", "--json",
                   "--attach", f"a.pdf={tmp_path / 'elsewhere'}", "--envelope-out", tmp_path / "request.mime")
    assert sent.code == 0, sent.err
    assert (tmp_path / "request.mime").read_bytes().startswith(b"Content-Type: multipart/related; ")
    assert content in (tmp_path / "request.mime").read_bytes()
    out = tmp_path / "out"
    got = gateway("inbox", hub.folder, "--party", "rechtbank", "get", number, "--out", out, "--json")
    assert got.code == 0, got.err
    (name,) = got.json["bijlagen"]
    assert (out / name).read_bytes() == content
    assert {path.name for path in out.iterdir()} == {name, f"{number}.xml"}
    assert stat.S_IMODE((out / name).stat().st_mode) == 0o600
    again = gateway("send", hub.folder, "--party", "gemeente", out / f"{number}.xml", "--json")
    assert (again.code, again.json) == (0, sent.json)  # the same message: its receipt
    unknown = gateway("send", hub.folder, "--party", "gemeente", tmp_path / "message.xml", "--attach", "a.pdf")
    assert unknown.code == 2
