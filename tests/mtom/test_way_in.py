"""A message whose files come apart from it is the same message: its receipt, its evidence, what is kept of it."""

import hashlib
import json
import re
from base64 import b64decode
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from lxml import etree

from gateway.app import verify_evidence
from gateway.errors import StorageError
from gateway.parted import chunks
from gateway.storage import SqlSpool
from gateway.values import Reply
from tests import foreign
from tests.line import KN, POSTBUS, Line, code, make_line
from tests.packages import RB, File, feed, in_line, petition, post, wrap
from tests.postgres.databases import ask

PIECE = 393_216


@pytest.fixture(scope="module")
def line(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    made = make_line(template, tmp_path_factory.mktemp("mtom") / "instance")
    yield made
    made.store.close()


def receipt(reply: Reply) -> dict[str, str]:
    assert reply.status == 200, reply.octets
    found = etree.fromstring(reply.octets).find(f".//{{{KN}}}Ontvangstbevestiging")
    return {etree.QName(one).localname: one.text for one in found}


def number(child: bytes) -> str:
    return etree.fromstring(child).findtext(f".//{{{KN}}}Referentienummer")


def kept(line: Line) -> list[tuple[object, ...]]:
    """Files in the store: their states."""
    return ask(line.instance.settings.store.database.url, "SELECT state FROM uploads ORDER BY id")


@pytest.mark.clause("§3.9", "WM001")
@pytest.mark.parametrize("sizes", [(1,), (PIECE, 2), (PIECE + 1, 2 * PIECE, 700_001)],
                         ids=["one octet", "a whole piece", "several pieces"])
def test_the_receipt_is_that_of_the_message_in_line(line: Line, sizes: tuple[int, ...]) -> None:
    """Sent by either way and then by the other, it is one message: BerichtDigest and idempotency are over the whole."""
    files = [File(size=size + 9) for size in sizes]
    child = petition(files)
    whole = hashlib.sha256(foreign.canonical(etree.fromstring(in_line(child, files)))).digest()
    first = receipt(post(line, wrap(line, child, files)))
    assert b64decode(first["BerichtDigest"]) == whole
    again = receipt(line.send(in_line(child, files), path=RB))
    assert again == first
    assert receipt(post(line, wrap(line, child, files))) == first  # and what came a second time is not kept twice
    assert [state for (state,) in kept(line)].count("arriving") == 0


def test_evidence_proves_the_message_in_line(line: Line) -> None:
    files = [File(size=400_000), File(size=30)]
    child = petition(files)
    receipt(post(line, wrap(line, child, files)))
    with line.instance.operations() as operations:
        evidence = operations.evidence(number(child))
    message = foreign.canonical(etree.fromstring(in_line(child, files)))
    checks = verify_evidence(evidence, message, [line.instance.folder / "pki" / "ca.pem"])
    assert checks
    assert all(one.holds is not False for one in checks)
    entry = next(json.loads(row[0]) for row in ask(
        line.instance.settings.store.database.url, "SELECT record FROM entries WHERE kind = 'accepted'")
        if number(child) in row[0])
    assert entry["octets"] == len(message)


def test_parts_may_come_in_any_order(line: Line) -> None:
    files = [File(size=50), File(size=PIECE + 5), File(size=70)]
    child = petition(files)
    package = wrap(line, child, files)
    package.order = [2, 0, 1]
    first = receipt(post(line, package))
    assert receipt(line.send(in_line(child, files), path=RB)) == first


def test_a_package_without_files_is_a_request_like_any_other(line: Line) -> None:
    asked = f'<k:HaalBerichtenlijstOp xmlns:k="{KN}"/>'.encode()
    reply = post(line, wrap(line, asked, [], path=POSTBUS), path=POSTBUS)
    assert reply.status == 200, reply.octets
    assert reply.package is None


def test_a_file_is_unreadable_once_its_message_is_confirmed_and_then_removed(line: Line) -> None:
    files = [File(size=PIECE + 3)]
    child = petition(files)
    receipt(post(line, wrap(line, child, files)))
    mailbox, court = line.gate.mailbox, line.instance.register.resolve("rechtbank").id
    _, content = mailbox.collect(court, number(child), line.at)
    assert b"".join(chunks(content)) == foreign.canonical(etree.fromstring(in_line(child, files)))
    mailbox.confirm(court, (number(child),), line.at)
    stored = line.rows("file_pieces")
    assert stored > 0  # noise, whose key went with the payload
    assert line.gate.spool.sweep(line.at) == 1
    assert line.rows("file_pieces") == stored - 2
    with pytest.raises(StorageError, match="a piece of a file is missing"):
        b"".join(chunks(content))


def test_what_is_cut_off_leaves_nothing_that_opens_and_a_duty_removes_it(line: Line) -> None:
    """A process that is killed can't tidy up: its key was in its memory, and its rows go three hours later."""
    before = line.rows("file_pieces"), line.rows("uploads")
    upload = SqlSpool(line.store).begin("11111111-aaaa-4aaa-8aaa-111111111111", line.at)
    upload.open(0)
    upload.write(bytes(PIECE + 5))
    assert line.rows("file_pieces") == before[0] + 1  # the other may be the last, or not
    assert line.gate.spool.sweep(line.at + timedelta(hours=2)) == 0
    assert line.gate.spool.sweep(line.at + timedelta(hours=4)) == 1
    assert (line.rows("file_pieces"), line.rows("uploads")) == before
    upload.close()
    with pytest.raises(StorageError, match="took so long"):  # whoever comes back to it after all
        upload.parted(b"", ())


def test_the_files_of_a_refused_message_are_removed_at_once(line: Line) -> None:
    """Here by its Body's digest, the last thing that is looked at."""
    files = [File(size=PIECE + 3)]
    package = wrap(line, petition(files), files)
    package.files = [File(size=PIECE + 3, mark=b"1.6")]
    before = line.rows("file_pieces"), line.rows("uploads")
    assert code(post(line, package)) == "SKP015"
    assert (line.rows("file_pieces"), line.rows("uploads")) == before


def test_what_changed_while_the_files_came_counts(line: Line) -> None:
    """Trust, certificates, the address book: asked again when the package is whole."""
    files, before = [File(size=PIECE)], line.rows("uploads")
    package = wrap(line, petition(files), files)
    was, octets = line.at, list(package)

    def late() -> Iterator[bytes]:
        yield from octets[:-1]
        line.at += timedelta(days=4000)
        yield octets[-1]

    try:
        reply = feed(line, package.content_type, late())
    finally:
        line.at = was
    assert reply.status == 403  # the certificate of the caller has lapsed by then
    assert line.rows("uploads") == before


@pytest.mark.parametrize(("files", "change", "rule"), [
    ([File(size=0)], ("", ""), "attachment-size"),
    ([File(size=900)], ("<kn:HashSHA256>", "<kn:HashSHA256>00"), "attachment-digest"),
    ([File(size=900)], ("application/pdf", "image/png"), "attachment-type"),
], ids=["empty", "another hash", "another type"])
def test_what_is_asked_of_files_in_line_is_asked_of_those_apart(
    line: Line, files: list[File], change: tuple[str, str], rule: str
) -> None:
    child = petition(files).decode().replace(*change, 1)
    if rule == "attachment-digest":
        child = re.sub(r"(<kn:HashSHA256>[0-9a-f]{64})[0-9a-f]*", r"\1", child)
    reply = post(line, wrap(line, child.encode(), files))
    assert code(reply) == "SKP013"
    assert rule.encode() in reply.octets
