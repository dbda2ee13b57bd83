"""A message with files apart, pushed as a package to a party's receiving service: all files as sent, or none."""

from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest
from lxml import etree

from gateway.push_values import Result
from gateway.values import DeliveryState
from tests import foreign
from tests.foreign import D
from tests.mtom.test_way_in import receipt
from tests.packages import XOP, File, in_line, petition, post, wrap
from tests.push.conveyor import Conveyor, conveyor

FILES = [File(size=500_000), File(size=40, mark=b"1.4")]


@pytest.fixture
def court(template: Path, tmp_path: Path) -> Iterator[Conveyor]:
    with conveyor(template, tmp_path / "instance", "rechtbank", mtom=True) as made:
        yield made


def send(court: Conveyor) -> tuple[str, bytes]:
    """A petition with files, accepted by the hub: its number and it, as it is in line."""
    child = petition(FILES)
    number = receipt(post(court.line, wrap(court.line, child, FILES)))["Referentienummer"]
    return number, foreign.canonical(etree.fromstring(in_line(child, FILES)))


def kept(court: Conveyor) -> list[Path]:
    return sorted(one for one in court.folder.rglob("*") if one.is_file() and one.parent.name != "message-ids")


def put_back(message: bytes, folder: Path) -> bytes:
    """The message in line again."""
    root = etree.fromstring(message)
    for include in list(root.iter(f"{{{XOP}}}Include")):
        place = include.getparent()
        place.remove(include)
        place.text = b64encode((folder / include.get("href").removeprefix("cid:")).read_bytes()).decode()
    return foreign.canonical(root)


def test_files_are_kept_as_they_were_sent_and_the_delivery_is_confirmed(court: Conveyor) -> None:
    number, whole = send(court)
    outcome = court.push()
    assert (outcome.result, outcome.cause) == (Result.DELIVERED, "")
    assert b"Include" in court.requests[0]
    (message,) = court.folder.glob(f"*/{number}.xml")
    folder = message.with_suffix("")
    assert sorted(one.read_bytes() for one in folder.iterdir()) == sorted(file.octets for file in FILES)
    assert all(one.name.startswith(number) for one in folder.iterdir())
    assert put_back(message.read_bytes(), folder) == whole
    assert [one for one in court.folder.rglob("*") if one.stat().st_mode & 0o077] == []
    with court.line.instance.operations() as operations:
        assert DeliveryState(str(operations.message(number)["status"])) is DeliveryState.BEVESTIGD
    assert court.line.rows("outbox") == 0


def test_a_lost_answer_gives_the_same_receipt_again_and_no_second_file(court: Conveyor) -> None:
    send(court)
    court.lost = 1
    assert court.push().result is Result.UNREACHABLE
    before = {one: one.stat().st_mtime_ns for one in kept(court)}
    assert court.push().result is Result.DELIVERED
    assert {one: one.stat().st_mtime_ns for one in kept(court)} == before
    assert len(before) == 4  # the message, its facts, two files
    first, second = (etree.fromstring(one) for one in court.answers)
    assert len({etree.tostring(one.find(".//{*}Ontvangstbevestiging"), method="c14n") for one in (first, second)}) == 1
    assert first.findtext(f".//{{{D}}}SignatureValue") != second.findtext(f".//{{{D}}}SignatureValue")
    assert [event for event, _ in court.line.events if event in ("received", "repeated")] == ["received", "repeated"]


def test_of_a_message_with_a_spoilt_file_nothing_is_kept_and_it_can_come_again(court: Conveyor) -> None:
    number, whole = send(court)
    court.spoil = lambda piece: piece.replace(b"%PDF-1.4", b"%PDF-1.5")
    outcome = court.push()
    assert (outcome.result, "SKP" in outcome.cause) == (Result.REFUSED, True), outcome
    assert (kept(court), list((court.folder / ".coming").iterdir())) == ([], [])
    court.spoil = lambda piece: piece
    assert court.push().result is Result.DELIVERED
    (message,) = court.folder.glob(f"*/{number}.xml")
    assert put_back(message.read_bytes(), message.with_suffix("")) == whole
