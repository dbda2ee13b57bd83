"""Files apart where more is asked of a message than to be passed on: encrypted to somebody, bridged to a version."""

import hashlib
import re
import uuid
from base64 import b64decode
from pathlib import Path

import pytest
from lxml import etree

from gateway.parted import Parted, chunks
from tests import foreign
from tests.acceptance.test_bridging import speak, without
from tests.encrypted import agree
from tests.line import KN, SHV, code, example, fault, make_line
from tests.mtom.test_way_in import number, receipt
from tests.packages import File, in_line, petition, post, token, wrap
from tests.postgres.databases import everything

FILES = [File(size=600_000), File(size=40)]


def rules(reply: object) -> list[str | None]:
    return [one.text for one in fault(reply).iter(f"{{{KN}}}Regel")]  # type: ignore[arg-type, union-attr]


@pytest.mark.clause("WB005")
def test_2w_be_se_and_mtom_do_not_go_together(template: Path, tmp_path: Path) -> None:
    """A package is refused where 2W-be-SE is agreed; and an addressee with 2W-be-SE gets files in its encrypted Body,
    or, where they are too large for that, not at all, which its sender hears at once.
    """
    line = make_line(template, tmp_path / "instance", change=lambda folder: agree(
        folder, parties=("rechtbank",), services=("rechtbank", "postbus")))
    child = petition(FILES)
    receipt(post(line, wrap(line, child, FILES)))
    assert line.rows("addressed_payloads") == 1
    assert line.rows("payloads") == 0
    assert line.gate.spool.sweep(line.at) == 1  # they are in its Body now
    assert line.rows("file_pieces") == 0
    assert b"%PDF-" not in everything(line.instance.folder)
    large = [File(size=9_000_000)]
    reply = post(line, wrap(line, petition(large), large))
    assert (code(reply), rules(reply)) == ("SKP001", ["mtom-2w-be-se"])
    assert line.rows("file_pieces") == 0
    other = make_line(template, tmp_path / "other", change=lambda folder: agree(
        folder, parties=("gemeente",), services=("rechtbank",)))
    child = petition(FILES)
    assert b"mtom-2w-be-se" not in (reply := post(other, wrap(other, child, FILES))).octets  # the fault is encrypted
    assert reply.status == 500
    assert "a package in 2W-be-SE" in other.refusals()[-1]
    for made in (line, other):
        made.store.close()


def consent(files: list[File]) -> bytes:
    """A message of Schuldregeling 2.0 with its documents apart."""
    text = without(example("Kennisgeving-volledig"), "DatumAanmelding").decode()
    for name in ("Referentienummer", "ConversatieReferentienummer"):
        text = re.sub(rf"(<(?:\w+:)?{name}>)[^<]*(</)", rf"\g<1>{uuid.uuid4()}\g<2>", text, count=1)
    document = ("<kn:Bijlagen><kn:Bijlage><kn:Soort>OVERIG</kn:Soort><kn:Bestandsnaam>a.pdf</kn:Bestandsnaam>"
                f"<kn:MimeType>application/pdf</kn:MimeType><kn:Inhoud>{token(0)}</kn:Inhoud>"
                f"<kn:HashSHA256>{files[0].sha256}</kn:HashSHA256></kn:Bijlage></kn:Bijlagen>")
    return re.sub(r"<kn:Bijlagen>.*?</kn:Bijlagen>|(?=</kn:Berichtheader>)", document, text, count=1,
                  flags=re.DOTALL).encode()


def test_a_bridged_message_keeps_its_files(template: Path, tmp_path: Path) -> None:
    """Its digest in the other version is that of the same message sent in line, and its files are kept once."""
    line = make_line(template, tmp_path / "instance", change=speak(gemeente='["2.0"]', energie='["1.1"]'))
    files = [File(size=500_000)]
    child, again = consent(files), consent(files)
    first = receipt(post(line, wrap(line, child, files, path=SHV), path=SHV))
    assert b64decode(first["BerichtDigest"]) == hashlib.sha256(
        foreign.canonical(etree.fromstring(in_line(child, files)))).digest()
    receipt(line.send(in_line(again, files)))
    energie = line.instance.register.resolve("energie").id
    (apart, whole) = (line.gate.mailbox.collect(energie, number(one), line.at)[1] for one in (child, again))
    assert isinstance(apart, Parted)
    changed = re.compile(rb"(<(?:\w+:)?(?:Conversatie)?Referentienummer>)[^<]*(</)")
    assert changed.sub(rb"\1\2", b"".join(chunks(apart))) == changed.sub(rb"\1\2", whole)  # type: ignore[arg-type]
    assert (line.rows("bridged_payloads"), line.rows("payloads"), line.rows("uploads")) == (2, 0, 1)
    line.store.close()


