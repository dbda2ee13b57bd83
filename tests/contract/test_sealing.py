"""Content on disk is noise: before confirming because it is sealed, after it because it is gone."""

import os
import shutil
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Table, select

from gateway.errors import StorageError
from gateway.storage import KeyDirectory, Sealer, SqlMailbox, Store, open_store, sealed_to
from gateway.storage.sealing import Sealed, context_of, epoch_of
from gateway.storage.session import Query
from gateway.storage.tables import addressed_payloads, bridged_payloads, payloads
from tests.contract.conftest import Hub
from tests.contract.samples import BANK, ENERGIE, GEMEENTE, NOW, TERM, acceptance, addressed, bridged, number
from tests.postgres.databases import in_a_file

MARKER = b"HERKENBAAR-999990019"


def on_disk(folder: Path, needle: bytes) -> list[str]:
    """The files under the folder that hold these octets."""
    return [file.name for file in folder.rglob("*") if file.is_file() and needle in file.read_bytes()]


def sealed_rows(store: Store, table: Table = payloads) -> list[tuple[bytes, bytes]]:
    """Wrapped data key and sealed octets of each payload, oldest first."""
    with store.read() as session:
        rows = session.all(Query(select(table.c.wrapped, table.c.sealed).order_by(table.c.message)))
    return [(bytes(wrapped), bytes(sealed)) for wrapped, sealed in rows]


@in_a_file
@pytest.mark.clause("§7.3")
def test_content_never_reaches_the_disk(hub: Hub) -> None:
    hub.accept(acceptance("a", payload=b"<x>" + MARKER * 400 + b"</x>"))
    assert on_disk(hub.folder, number("a").encode())  # so the search would find it
    assert on_disk(hub.folder, MARKER) == []
    assert MARKER in hub.mailbox.collect(ENERGIE.id, number("a"), NOW)[1]
    assert on_disk(hub.folder, MARKER) == []
    hub.mailbox.confirm(ENERGIE.id, (number("a"),), NOW)
    hub.store.close()
    assert on_disk(hub.folder, MARKER) == []


def confirm(hub: Hub) -> None:
    for party in (ENERGIE, BANK):
        hub.mailbox.collect(party.id, number("a"), NOW)
        hub.mailbox.confirm(party.id, (number("a"),), NOW)


def cancel(hub: Hub) -> None:
    for party in (ENERGIE, BANK):
        hub.operator.cancel(number("a"), party.id, who="beheerder", why="proef", now=NOW)


def expire(hub: Hub) -> None:
    assert hub.mailbox.expire(NOW + TERM, 10) == 2


def erase_party(hub: Hub) -> None:
    hub.mailbox.collect(BANK.id, number("a"), NOW)  # also what the other side has, and did not confirm
    assert hub.operator.erase_party(GEMEENTE.id, who="beheerder", why="proef", now=NOW) == 2


@in_a_file
@pytest.mark.parametrize("end", [confirm, cancel, expire, erase_party])
def test_sealed_octets_and_their_key_are_overwritten_at_every_end(end: Callable[[Hub], None], hub: Hub) -> None:
    """In both versions in which it is delivered, in the transaction that says so."""
    hub.accept(bridged(acceptance("a", receivers=(ENERGIE, BANK), payload=MARKER * 40 + b"/>"), BANK))
    sealed = [octets for table in (payloads, bridged_payloads) for row in sealed_rows(hub.store, table)
              for octets in (row[0], row[1][:64])]
    assert len(sealed) == 4
    assert all(on_disk(hub.folder, octets) for octets in sealed)
    end(hub)
    assert (hub.payloads(), hub.payloads("bridged_payloads")) == (0, 0)
    hub.store.close()  # the log is copied into the file and removed
    assert not any(on_disk(hub.folder, octets) for octets in sealed)


@in_a_file
@pytest.mark.parametrize("end", [confirm, cancel, expire, erase_party])
def test_what_is_encrypted_for_an_addressee_is_overwritten_at_every_end(end: Callable[[Hub], None], hub: Hub) -> None:
    """Its wrapped key too; beside an addressee for whom the hub's keys seal it."""
    hub.accept(addressed(acceptance("a", receivers=(ENERGIE, BANK), payload=MARKER * 40 + b"/>"), BANK))
    assert on_disk(hub.folder, MARKER) == []
    sealed = [octets for table in (payloads, addressed_payloads) for row in sealed_rows(hub.store, table)
              for octets in (row[0], row[1][-100:])]
    assert len(sealed) == 4
    assert all(on_disk(hub.folder, octets) for octets in sealed)
    end(hub)
    assert (hub.payloads(), hub.payloads("addressed_payloads")) == (0, 0)
    hub.store.close()
    assert not any(on_disk(hub.folder, octets) for octets in sealed)


@pytest.mark.parametrize("version", [None, "1.1"])
def test_each_is_erased_when_its_own_addressees_have_it(hub: Hub, version: str | None) -> None:
    """Whoever the hub's keys seal it for does not wait for those with keys of their own, nor they for him."""
    table = "payloads" if version is None else "bridged_payloads"
    for first, left in ((ENERGIE, (0, 1)), (BANK, (1, 0))):
        message = acceptance(first.slug, receivers=(ENERGIE, BANK))
        if version is not None:
            message = bridged(message, ENERGIE, BANK, version=version)
        hub.accept(addressed(message, BANK))
        before = hub.payloads(table), hub.payloads("addressed_payloads")
        hub.mailbox.collect(first.id, number(first.slug), NOW)
        hub.mailbox.confirm(first.id, (number(first.slug),), NOW)
        after = hub.payloads(table), hub.payloads("addressed_payloads")
        assert (after[0] - before[0] + 1, after[1] - before[1] + 1) == left


def test_where_all_have_keys_of_their_own_the_hub_s_keys_seal_no_content(hub: Hub) -> None:
    message = addressed(bridged(acceptance("a", receivers=(ENERGIE, BANK)), BANK), ENERGIE, BANK)
    hub.accept(message)
    assert [hub.payloads(table) for table in ("payloads", "bridged_payloads", "addressed_payloads")] == [0, 0, 2]
    for party in (ENERGIE, BANK):
        listed, body = hub.mailbox.collect(party.id, number("a"), NOW)
        assert body == message.addressed[party.id]
        assert listed.ontvanger == party.id


def test_requeued_it_is_collected_as_it_was(hub: Hub) -> None:
    hub.accept(addressed(acceptance("a"), ENERGIE))
    first = hub.mailbox.collect(ENERGIE.id, number("a"), NOW)[1]
    hub.operator.requeue(number("a"), ENERGIE.id, who="beheerder", why="proef", now=NOW)
    assert hub.mailbox.collect(ENERGIE.id, number("a"), NOW)[1] == first


@in_a_file
def test_what_is_encrypted_for_an_addressee_needs_the_key_of_its_day_as_well(hub: Hub) -> None:
    """So a copy of the database is noise from then on, also to whoever gets the addressee's key."""
    hub.accept(addressed(acceptance("a"), ENERGIE))
    tomorrow = NOW + timedelta(days=1)
    assert hub.mailbox.retire_keys(tomorrow) == []
    assert on_disk(hub.folder, b"<xenc:EncryptedData>")
    assert on_disk(hub.folder, b"<xenc:EncryptedKey>") == []
    hub.keys.destroy(epoch_of(NOW))
    with pytest.raises(StorageError):
        hub.mailbox.collect(ENERGIE.id, number("a"), tomorrow)


def test_what_waits_is_told_by_the_certificate_that_reads_it(hub: Hub) -> None:
    for name in ("a", "b"):
        hub.accept(addressed(acceptance(name, receivers=(ENERGIE, BANK)), BANK))
    hub.mailbox.collect(BANK.id, number("a"), NOW)
    (told,) = sealed_to(hub.store)
    assert (told.receiver, told.deliveries, told.until) == (BANK.id, 2, NOW + TERM)
    hub.mailbox.confirm(BANK.id, (number("a"),), NOW)
    assert [one.deliveries for one in sealed_to(hub.store)] == [1]


def test_key_of_a_day_is_destroyed_when_it_seals_nothing_any_more(hub: Hub) -> None:
    days = [NOW + timedelta(days=day) for day in range(4)]
    for day, at in enumerate(days):
        hub.accept(acceptance(f"day-{day}", at=at, term=timedelta(days=30)))
    assert hub.keys.epochs() == [epoch_of(at) for at in days]
    assert hub.mailbox.retire_keys(days[3]) == []
    for name in ("day-0", "day-2", "day-3"):
        hub.mailbox.collect(ENERGIE.id, number(name), days[3])
        hub.mailbox.confirm(ENERGIE.id, (number(name),), days[3])
    midnight = days[3].replace(hour=0, minute=30)
    assert hub.mailbox.retire_keys(midnight) == [epoch_of(days[0])]  # day 1 still seals; 2 has only just ended
    assert hub.mailbox.retire_keys(days[3]) == [epoch_of(days[2])]  # and 3 is today
    assert hub.keys.epochs() == [epoch_of(days[1]), epoch_of(days[3])]
    assert hub.mailbox.collect(ENERGIE.id, number("day-1"), days[3])[1]


def test_key_of_a_day_is_destroyed_after_the_term_even_where_expiry_is_stuck(hub: Hub) -> None:
    hub.accept(bridged(acceptance("a", receivers=(ENERGIE, BANK)), BANK))
    assert hub.mailbox.retire_keys(NOW + TERM - timedelta(microseconds=1)) == []
    assert hub.mailbox.retire_keys(NOW + TERM) == [epoch_of(NOW)]
    assert (hub.payloads(), hub.payloads("bridged_payloads")) == (1, 1)  # nothing could be erased, nothing can be read
    assert [hub.mailbox.expire(NOW + TERM, 10), hub.payloads(), hub.payloads("bridged_payloads")] == [2, 0, 0]


@in_a_file
@pytest.mark.clause("§7.3")
def test_yesterdays_backup_does_not_open_with_any_key_that_is_left(hub: Hub, tmp_path: Path) -> None:
    """Database and log are copied while the message waits; the copy of another message shows that the backup is good.
    """
    tomorrow = NOW + timedelta(days=1)
    hub.accept(acceptance("confirmed", payload=MARKER * 9))
    hub.accept(acceptance("still waiting", payload=MARKER * 8, at=tomorrow))
    backup = tmp_path / "backup"
    backup.mkdir()
    for file in hub.folder.glob("gateway.db*"):
        shutil.copy(file, backup)
    assert (backup / "gateway.db-wal").stat().st_size > 0
    hub.mailbox.collect(ENERGIE.id, number("confirmed"), tomorrow)
    hub.mailbox.confirm(ENERGIE.id, (number("confirmed"),), tomorrow)
    assert hub.mailbox.retire_keys(tomorrow) == [epoch_of(NOW)]

    with open_store(f"sqlite:///{backup}/gateway.db") as store:
        restored = SqlMailbox(store, Sealer(KeyDirectory(hub.folder / "keys")), lambda: tomorrow)
        waiting = restored.waiting(ENERGIE.id, berichttype=None, conversatie=None, limit=9)
        assert [row.referentienummer for row in waiting] == [number("confirmed"), number("still waiting")]
        assert restored.collect(ENERGIE.id, number("still waiting"), tomorrow)[1] == MARKER * 8
        with pytest.raises(StorageError):
            restored.collect(ENERGIE.id, number("confirmed"), tomorrow)
        (wrapped, sealed), _ = sealed_rows(store)
    context = context_of(number("confirmed"), GEMEENTE.id)
    assert hub.keys.epochs() == [epoch_of(tomorrow)]
    for epoch in hub.keys.epochs():
        with pytest.raises(StorageError):
            Sealer(hub.keys).unseal(Sealed(epoch=epoch, wrapped=wrapped, octets=sealed), context)


def test_seal_opens_only_in_its_own_context_and_unchanged(tmp_path: Path) -> None:
    sealer = Sealer(KeyDirectory(tmp_path / "keys"))
    context = context_of("ref", "afzender")
    sealed = sealer.seal(b"content", context, NOW)
    assert sealer.unseal(sealed, context) == b"content"
    assert Sealer(KeyDirectory(tmp_path / "keys")).unseal(sealed, context) == b"content"
    for changed in (replace(sealed, octets=sealed.octets[:-1] + bytes([sealed.octets[-1] ^ 1])),
                    replace(sealed, wrapped=bytes([sealed.wrapped[0] ^ 1]) + sealed.wrapped[1:]),
                    replace(sealed, wrapped=b""), replace(sealed, octets=b"short"),
                    replace(sealed, epoch="2031-03-04")):
        with pytest.raises(StorageError):
            sealer.unseal(changed, context)
    with pytest.raises(StorageError):
        sealer.unseal(sealed, context_of("ref", "another"))


def test_every_seal_has_its_own_key_and_nonce(tmp_path: Path) -> None:
    sealer = Sealer(KeyDirectory(tmp_path / "keys"))
    sealed = [sealer.seal(b"same", b"same", NOW) for _ in range(100)]
    assert len({one.octets for one in sealed}) == len({one.wrapped for one in sealed}) == 100


def test_key_files_are_private_and_whole(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    Sealer(KeyDirectory(folder)).seal(b"x", b"", NOW)
    (file,) = folder.iterdir()
    assert file.name == "2031-03-03.key"
    assert len(file.read_bytes()) == 32
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_many_makers_of_one_key_agree(tmp_path: Path) -> None:
    """Each has a directory object of its own, as processes have."""
    folder = tmp_path / "keys"
    with ThreadPoolExecutor(16) as pool:
        sealed = list(pool.map(lambda i: Sealer(KeyDirectory(folder)).seal(b"%d" % i, b"", NOW), range(64)))
    opener = Sealer(KeyDirectory(folder))
    assert [opener.unseal(one, b"") for one in sealed] == [b"%d" % i for i in range(64)]
    assert os.listdir(folder) == ["2031-03-03.key"]


def test_destroyed_key_is_not_used_from_memory(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    sealer = Sealer(KeyDirectory(folder))
    sealed = sealer.seal(b"x", b"", NOW)
    KeyDirectory(folder).destroy(sealed.epoch)  # another process
    with pytest.raises(StorageError):
        sealer.unseal(sealed, b"")
    KeyDirectory(folder).destroy(sealed.epoch)  # again is no error


def test_broken_or_unwritable_key_is_a_storage_error(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    folder.mkdir()
    (folder / "2031-03-03.key").write_bytes(b"short")
    with pytest.raises(StorageError):
        Sealer(KeyDirectory(folder)).seal(b"x", b"", NOW)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError):
        Sealer(KeyDirectory(tmp_path / "file" / "keys")).seal(b"x", b"", NOW)


def test_epoch_is_the_day_in_utc() -> None:
    assert epoch_of(datetime(2031, 3, 3, 23, 59, 59, tzinfo=UTC)) == "2031-03-03"
    assert epoch_of(datetime.fromisoformat("2031-03-04T00:30:00+01:00")) == "2031-03-03"
