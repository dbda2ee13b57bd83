"""Files that come apart from their message: kept in sealed pieces, for as long as their message's content is."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import delete, update
from sqlalchemy.sql import Executable

from gateway.errors import StorageError
from gateway.parted import Parted, Place, chunks, length
from gateway.storage import SqlSpool
from gateway.storage.session import Query
from gateway.storage.spool import PIECE
from gateway.storage.tables import file_pieces, uploads
from gateway.values import Acceptance
from tests.contract.conftest import Hub
from tests.contract.samples import BANK, ENERGIE, NOW, acceptance, bridged, number

MARKER = b"a word that is to be found in no database "
FILES = [MARKER * 10_000, b"", MARKER]


def counted(hub: Hub) -> tuple[int, int]:
    return hub.payloads(uploads.name), hub.payloads(file_pieces.name)


def upload(hub: Hub, name: str = "a"):
    made = SqlSpool(hub.store).begin(f"upload-{name}", NOW)
    for place in (2, 0, 1):
        made.open(place)
        for start in range(0, len(FILES[place]), 100_000):
            made.write(FILES[place][start:start + 100_000])
        made.close()
    return made


def parted(hub: Hub, name: str = "a"):
    places = tuple(Place(placeholder=f"PLACE{one}", octets=len(FILES[one])) for one in range(3))
    return upload(hub, name).parted(b"<a>PLACE0<b>PLACE1</b>PLACE2</a>", places)


def test_what_was_written_is_read_again_whatever_its_order(hub: Hub) -> None:
    whole = parted(hub)
    again = b"".join(chunks(whole))
    assert length(whole) == len(again)
    assert [b"".join(whole.read(one)) for one in range(3)] == FILES
    assert counted(hub) == (1, -(-len(FILES[0]) // PIECE) + 2)


PIECES = (file_pieces.c.upload == "upload-a", file_pieces.c.file == 0)
TOUCHED = {
    "swapped": [update(file_pieces).where(*PIECES, file_pieces.c.piece == old).values(piece=new)
                for old, new in ((0, 9), (1, 0), (9, 1))],
    "cut off": [delete(file_pieces).where(*PIECES, file_pieces.c.piece == 1)],
    "changed": [update(file_pieces).where(*PIECES, file_pieces.c.piece == 1).values(sealed=bytes(500))],
    "another file's": [update(file_pieces).where(*PIECES).values(file=9),
                       update(file_pieces).where(PIECES[0], file_pieces.c.file == 2).values(file=0)],
}


@pytest.mark.parametrize("touch", TOUCHED.values(), ids=TOUCHED.keys())
def test_pieces_that_were_touched_do_not_open(hub: Hub, touch: list[Executable]) -> None:
    """Order, end and belonging are authenticated, each piece by its place."""
    whole = parted(hub)
    for statement in touch:
        hub.store.write(lambda write, statement=statement: write.run(Query(statement)))
    with pytest.raises(StorageError, match="a piece of a file"):
        b"".join(whole.read(0))


def carrying(message: Acceptance, payload: Parted) -> Acceptance:
    return replace(message, payload=payload)


@pytest.mark.parametrize("both", [False, True], ids=["as it was sent", "in two versions"])
def test_files_go_with_the_last_addressee_of_the_last_version(hub: Hub, both: bool) -> None:
    payload = parted(hub)
    message = acceptance("a", receivers=(ENERGIE, BANK))
    if both:
        message = bridged(message, BANK)
        other = payload.of(b"<c>PLACE2PLACE0<b>PLACE1</b></c>")
        message = replace(message, bridged={BANK.id: replace(message.bridged[BANK.id], payload=other)})
    hub.accept(carrying(message, payload))
    spool, kept = SqlSpool(hub.store), counted(hub)
    for party in (ENERGIE, BANK):
        assert spool.sweep(NOW + timedelta(days=1)) == 0
        assert counted(hub) == kept
        _, content = hub.mailbox.collect(party.id, number("a"), NOW)
        assert b"".join(content.read(0)) == FILES[0]
        assert hub.mailbox.confirm(party.id, (number("a"),), NOW) == {number("a"): True}
    assert spool.sweep(NOW) == 1
    assert counted(hub) == (0, 0)
    with pytest.raises(StorageError):
        b"".join(content.read(0))


def test_what_was_swept_away_meanwhile_is_not_accepted(hub: Hub) -> None:
    payload = parted(hub)
    assert SqlSpool(hub.store).sweep(NOW + timedelta(hours=4)) == 1
    with pytest.raises(StorageError, match="took so long"):
        hub.accept(carrying(acceptance("a"), payload))
    assert counted(hub) == (0, 0)
    assert hub.payloads("messages") == 0


def test_an_accepted_message_keeps_what_its_request_gives_up(hub: Hub) -> None:
    made = upload(hub)
    payload = made.parted(b"<a>PLACE</a>", (Place(placeholder="PLACE", octets=len(FILES[0])),))
    hub.accept(carrying(acceptance("a"), payload))
    before = counted(hub)
    made.discard()
    assert counted(hub) == before
    other = upload(hub, "b")
    other.discard()
    other.discard()
    assert counted(hub) == before


def test_many_small_files_are_one_commit(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred files of a few octets must not cost a hundred commits."""
    works: list[object] = []
    write = hub.store.write
    monkeypatch.setattr(hub.store, "write", lambda work: (works.append(work), write(work))[1])
    made = SqlSpool(hub.store).begin("upload-small", NOW)
    for place in range(100):
        made.open(place)
        made.write(b"small")
        made.close()
    whole = made.parted(b"<a>PLACE</a>", (Place(placeholder="PLACE", octets=5),))
    assert len(works) == 1
    assert b"".join(chunks(whole)) == b"<a>c21hbGw=</a>"
    assert counted(hub) == (1, 100)
