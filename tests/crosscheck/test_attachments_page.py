"""docs/attachments.md shows what is sent, and its script puts it together again."""

import re
import subprocess
import sys
from pathlib import Path

from lxml import etree

from gateway.app import find_files, saved
from tests import foreign
from tests.crosscheck.package import optimise, reconstitute
from tests.crosscheck.test_packages import DOSSIER, message
from tests.crosscheck.test_packages import line as line
from tests.line import BASE, Line

DOCS = Path(__file__).parents[2] / "docs"
SCRIPT = DOCS / "verify" / "in_line.py"
SHORT = DOSSIER.with_name("Aanvulling-minimaal.xml")


def put_in_line(file: Path, *options: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-I", "-S", str(SCRIPT), str(file), *options]  # without any package
    return subprocess.run(command, capture_output=True, check=False)


def package(line: Line, path: Path) -> bytes:
    client = line.instance.party("gemeente", url=BASE)
    return b"".join(saved(client.wrap(path.read_bytes(), find_files({}, path.parent), mtom=True).content))


def test_the_example_on_the_page_is_what_is_sent(line: Line) -> None:
    page = (DOCS / "attachments.md").read_bytes()
    shown = re.search(rb"```\n(Content-Type: multipart/related.*?)```\n", page, re.DOTALL)
    assert shown is not None
    sent = package(line, SHORT)
    assert sent.count(b"\r\n") == 15  # the lines of the package end so; those of XML and PDF as they were written
    example = rb".*?".join(re.escape(one) for one in shown[1].split("…".encode()))
    assert re.fullmatch(example, sent.replace(b"\r\n", b"\n"), re.DOTALL), sent


def test_the_script_puts_a_request_together_as_another_parser_does(line: Line, tmp_path: Path) -> None:
    sent = package(line, message(tmp_path, "een.pdf", "twee.pdf"))
    (tmp_path / "request.mime").write_bytes(sent)
    done = put_in_line(tmp_path / "request.mime")
    assert done.returncode == 0, done.stderr
    assert foreign.canonical(etree.fromstring(done.stdout)) == foreign.canonical(etree.fromstring(reconstitute(sent)))
    head, _, body = sent.partition(b"\r\n\r\n")
    (tmp_path / "body.bin").write_bytes(body)
    assert put_in_line(tmp_path / "body.bin").returncode == 1
    typed = put_in_line(tmp_path / "body.bin", "--content-type", head.decode().removeprefix("Content-Type: "))
    assert typed.stdout == done.stdout


def test_the_script_undoes_what_another_stack_did_and_says_what_is_missing(line: Line, tmp_path: Path) -> None:
    client = line.instance.party("gemeente", url=BASE)
    envelope = client.wrap(DOSSIER.read_bytes()).signed.octets
    kind, octets = optimise(envelope)
    (tmp_path / "body.bin").write_bytes(octets)
    done = put_in_line(tmp_path / "body.bin", "--content-type", kind)
    assert foreign.canonical(etree.fromstring(done.stdout)) == foreign.canonical(etree.fromstring(envelope))
    renamed = octets.replace(b"Content-ID: <", b"Content-ID: <x").replace(b"<xmijn", b"<mijn")
    (tmp_path / "body.bin").write_bytes(renamed)
    missing = put_in_line(tmp_path / "body.bin", "--content-type", kind)
    assert (missing.returncode, b"no part" in missing.stderr) == (1, True)
