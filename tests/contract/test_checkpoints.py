"""Checkpoints: when they are written, what they say, by whom; that time-stamps never stand in the way."""

import shutil
import sqlite3
import time
from base64 import b64decode
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from gateway.app.checkpoints import CheckpointWriter, audit
from gateway.app.instance import Instance, open_instance, utc_now
from gateway.errors import MailboxUnknown, SignatureInvalid
from gateway.merkle import consistent, fold
from gateway.security import check_checkpoint, read_checkpoint, timestamp_request, with_token
from gateway.settings import Settings
from gateway.storage import Checkpoints, Operator, Store, open_store, verify_chain
from tests.conftest import Pki
from tests.tsa import Answer, Authority, needs_openssl, served

NODE = "hub"


@dataclass
class Bench:
    """An instance's store and the writer of its checkpoints, under a clock the test turns."""

    instance: Instance
    settings: Settings
    store: Store
    now: datetime
    events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def writer(self, store: Store | None = None, **journal: object) -> CheckpointWriter:
        settings = replace(self.settings, journal=replace(self.settings.journal, **journal))  # type: ignore[arg-type]
        return CheckpointWriter(settings, self.instance.signing, store or self.store, clock=lambda: self.now,
                                observe=lambda event, facts: self.events.append((event, dict(facts))))

    def add(self, count: int, store: Store | None = None) -> None:
        """So many entries."""
        (store or self.store).write(lambda write: [
            write.chain.append("operator", at=self.now, facts={"action": str(number)}) for number in range(count)])

    def sizes(self, node: str = NODE) -> list[int]:
        return [one.size for one in Checkpoints(self.store).all() if one.node == node]

    def holds(self, **journal: object) -> bool:
        settings = replace(self.settings, journal=replace(self.settings.journal, **journal))  # type: ignore[arg-type]
        return all(report.holds for report in audit(settings, self.instance.signing, lambda done: None))


@pytest.fixture
def bench(template: Path, tmp_path: Path) -> Iterator[Bench]:
    instance = open_instance(Path(shutil.copytree(template, tmp_path / "instance")))
    with open_store(instance.settings.store.database) as store:
        yield Bench(instance=instance, settings=instance.settings, store=store, now=utc_now())


def test_checkpoint_signs_root_and_chain_and_names_the_one_before(bench: Bench) -> None:
    writer = bench.writer()
    for count in (3, 300, 1):
        bench.add(count)
        writer.write()
        bench.now += timedelta(seconds=1)
    with bench.store.read() as session:
        from gateway.storage.chain import _NODES  # the end of the chain, as stored
        ((_, position, end),) = session.all(_NODES)
    one, two, three = Checkpoints(bench.store).all()
    assert [stored.size for stored in (one, two, three)] == [3, 303, position]
    notes = [read_checkpoint(stored.note) for stored in (one, two, three)]
    for note, stored in zip(notes, (one, two, three), strict=True):
        check_checkpoint(note, stored.certificate)
    assert notes[2].checkpoint.chain == bytes(end)
    assert [(note.checkpoint.previous, note.checkpoint.previous_note) for note in notes] == [
        (0, bytes(32)), (3, sha256(one.note).digest()), (303, sha256(two.note).digest())]
    text = notes[2].text.decode().splitlines()
    assert text[:2] == [f"schuldenknooppunt/{bench.settings.hub.oin}/{NODE}", "304"]
    with sqlite3.connect(bench.settings.folder / "gateway.db") as connection:
        leaves = [row[0] for row in connection.execute("SELECT leaf FROM entries ORDER BY position")]
    connection.close()
    assert b64decode(text[2]) == fold(leaves)
    assert bench.holds()


def test_what_another_process_signed_first_is_no_reason_to_leave_the_rest_unsigned(bench: Bench) -> None:
    bench.add(2)
    other, turns = bench.writer(), iter((True,))

    def clock() -> datetime:  # asked between the drawing up and the keeping
        if next(turns, False):
            other.write()
            bench.add(1)
        return bench.now

    CheckpointWriter(bench.settings, bench.instance.signing, bench.store, clock=clock,
                     observe=lambda event, facts: bench.events.append((event, dict(facts)))).write()
    assert bench.sizes() == [2, 3]
    assert bench.holds()


def test_it_is_written_after_so_many_entries_or_so_long_and_only_when_there_is_news(bench: Bench) -> None:
    writer = bench.writer(checkpoint_entries=10, checkpoint_seconds=60)
    writer.write_due()
    assert bench.sizes() == []
    bench.add(1)
    writer.write_due()
    writer.write_due()
    assert bench.sizes() == [1]
    bench.add(9)
    writer.write_due()
    assert bench.sizes() == [1]
    bench.add(1)
    writer.write_due()
    assert bench.sizes() == [1, 11]
    bench.add(1)
    bench.now += timedelta(seconds=59)
    writer.write_due()
    assert bench.sizes() == [1, 11]
    bench.now += timedelta(seconds=1)
    writer.write_due()
    bench.now += timedelta(days=1)
    writer.write_due()
    assert bench.sizes() == [1, 11, 12]


def test_another_node_signs_for_one_that_is_dead_but_not_for_one_that_lives(bench: Bench) -> None:
    with open_store(bench.settings.store.database, node="south") as south:
        bench.add(5, south)
        ours, theirs = bench.writer(checkpoint_seconds=60), bench.writer(south, checkpoint_seconds=60)
        theirs.write_due()
        assert bench.sizes("south") == [5]
        bench.add(2, south)
    ours.write_due()
    bench.now += timedelta(seconds=179)
    ours.write_due()
    assert bench.sizes("south") == [5]
    bench.now += timedelta(seconds=1)
    ours.write_due()
    assert bench.sizes("south") == [5, 7]
    assert bench.holds()
    assert sorted(file.name for file in bench.settings.journal.checkpoints.iterdir()) == ["south.txt"]


def test_two_processes_that_sign_at_once_make_one_checkpoint(bench: Bench) -> None:
    bench.add(4)
    checkpoints = Checkpoints(bench.store)
    draft = checkpoints.draft(NODE)
    assert draft is not None
    bench.writer().write()
    assert not checkpoints.add(draft, note=b"", at=bench.now, certificate=b"", digest="")
    assert bench.sizes() == [4]
    assert checkpoints.draft(NODE) is None


def test_a_clock_that_is_set_back_makes_no_earlier_checkpoint(bench: Bench) -> None:
    bench.add(1)
    bench.writer().write()
    bench.now -= timedelta(seconds=30)
    bench.add(1)
    bench.writer().write()
    one, two = Checkpoints(bench.store).all()
    assert one.at == two.at
    assert bench.holds()


def test_proof_between_any_two_states_holds_and_links_checkpoints(bench: Bench) -> None:
    sizes = [1, 255, 256, 257, 512, 700]
    for before, size in pairwise((0, *sizes)):
        bench.add(size - before)
        bench.writer().write()
    assert bench.sizes() == sizes
    roots = {one.size: read_checkpoint(one.note).checkpoint.root for one in Checkpoints(bench.store).all()}
    for old in sizes:
        for new in (size for size in sizes if size >= old):
            found = Checkpoints(bench.store).consistency(NODE, old, new)
            assert (found.old_root, found.new_root) == (roots[old], roots[new])
            assert consistent(old, roots[old], new, roots[new], found.proof)
    for old, new in ((0, 5), (5, 3), (1, 701)):
        with pytest.raises(MailboxUnknown):
            Checkpoints(bench.store).consistency(NODE, old, new)


def test_published_checkpoint_of_a_longer_journal_is_kept_and_found(bench: Bench) -> None:
    """An older copy of the database was put back: the folder knows better, and is not overwritten."""
    bench.add(2)
    bench.writer().write()
    copy = bench.settings.folder / "copy.db"
    with sqlite3.connect(bench.settings.folder / "gateway.db") as source, sqlite3.connect(copy) as target:
        source.backup(target)
    source.close()
    target.close()
    bench.add(3)
    bench.writer().write()
    bench.store.close()
    shutil.copyfile(copy, bench.settings.folder / "gateway.db")
    (report,) = audit(bench.settings, bench.instance.signing, lambda done: None)
    assert (report.broken_at, report.reason) == (3, "a checkpoint covers 5 entries, the last entry is 2")
    with open_store(bench.settings.store.database) as store:
        bench.add(1, store)
        bench.writer(store).write()
    published = read_checkpoint((bench.settings.journal.checkpoints / "hub.txt").read_bytes())
    assert published.checkpoint.size == 5
    assert bench.events[-1][0] == "checkpoint-not-written"


def test_a_note_written_in_another_way_is_no_checkpoint(bench: Bench) -> None:
    bench.add(1)
    bench.writer().write()
    (stored,) = Checkpoints(bench.store).all()
    for changed in (b"", b"no", stored.note[:-1], stored.note + b"\n", stored.note.replace(b"\n1\n", b"\n01\n"),
                    stored.note.replace(b"time ", b"tijd "), b" " + stored.note, stored.note * 2,
                    stored.note.replace(b"chain", b"chain\n", 1)):
        with pytest.raises(SignatureInvalid):
            read_checkpoint(changed)
    with pytest.raises(SignatureInvalid):
        check_checkpoint(read_checkpoint(with_token(stored.note, b"x")), b"another certificate")


def test_checkpoint_by_an_ecdsa_key_holds_and_has_the_key_id_of_the_specification(bench: Bench, pki: Pki) -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    from gateway.security import Checkpoint, sign_checkpoint

    key = pki.signing_key("deurwaarder-sign")
    assert key.family == "ecdsa"
    note = sign_checkpoint(Checkpoint(
        oin=key.oin, node=NODE, size=1, root=bytes(32), at=bench.now.replace(microsecond=0), chain=bytes(32),
        certificate=sha256(key.certificate).digest(), previous=0, previous_note=bytes(32)), key)
    check_checkpoint(read_checkpoint(note), key.certificate)
    spki = x509.load_der_x509_certificate(key.certificate).public_key().public_bytes(
        Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert b64decode(note.split()[-1])[:4] == sha256(spki).digest()[:4]
    with pytest.raises(SignatureInvalid):
        check_checkpoint(read_checkpoint(note.replace(b"\n1\n", b"\n2\n")), key.certificate)


# --- back-dating -----------------------------------------------------------------------------------------------------


def test_times_that_go_back_are_found_beyond_the_tolerance(bench: Bench) -> None:
    operator, url = Operator(bench.store), bench.settings.store.database
    operator.note("a", who="b", why="c", now=bench.now)
    operator.note("a", who="b", why="c", now=bench.now - timedelta(minutes=4, seconds=59))
    assert verify_chain(url)[0].holds
    bench.writer().write()
    operator.note("a", who="b", why="c", now=bench.now - timedelta(minutes=5, seconds=2))
    (report,) = verify_chain(url)
    assert report.broken_at == 3
    assert "before what stands before it" in report.reason


# --- time-stamps -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(folder=tmp_path_factory.mktemp("tsa"))


@needs_openssl
@pytest.mark.clause("§7.4")
def test_checkpoint_gets_a_time_stamp_of_a_real_authority(bench: Bench, authority: Authority) -> None:
    bench.add(2)
    with served(authority.reply) as url:
        writer = bench.writer(tsa=url, tsa_certificates=(authority.ca,))
        writer.write()
        writer.stamp()
        writer.stamp()
    (stored,) = Checkpoints(bench.store).all()
    assert stored.stamped_at is not None
    assert abs(stored.stamped_at - utc_now()) < timedelta(minutes=1)
    assert (bench.settings.journal.checkpoints / "hub.txt").read_bytes() == stored.note
    assert [event for event, _ in bench.events] == ["checkpoint", "time-stamp"]
    assert bench.holds(tsa_certificates=(authority.ca,))
    (report,) = audit(bench.settings, bench.instance.signing, lambda done: None)
    assert (report.holds, report.stamped) == (True, 1)
    with closing(sqlite3.connect(bench.settings.folder / "gateway.db", isolation_level=None)) as connection:
        connection.execute("UPDATE checkpoints SET stamped_at = stamped_at - 1")
    assert not bench.holds(tsa_certificates=(authority.ca,))
    assert not bench.holds()


@needs_openssl
@pytest.mark.parametrize(("wrong", "reason"), [
    ("garbage", "no time-stamp"), ("nonce", "another nonce"), ("digest", "over something else"),
    ("signer", "not the one in the settings"), ("nobody", "connection refused")])
def test_a_time_stamp_that_is_not_proven_is_not_kept_and_nothing_waits_for_it(
    bench: Bench, authority: Authority, tmp_path: Path, wrong: str, reason: str,
) -> None:
    bench.add(1)
    bench.writer().write()
    text = read_checkpoint(Checkpoints(bench.store).all()[0].note).text
    answers: dict[str, Answer] = {
        "garbage": lambda query: b"<html>",
        "nonce": lambda query: authority.reply(timestamp_request(text, 4711)),
        "digest": lambda query: authority.reply(query.replace(sha256(text).digest(), sha256(b"other").digest())),
    }
    anchor = Authority(folder=tmp_path).ca if wrong == "signer" else authority.ca
    with served(answers.get(wrong, authority.reply)) as url:
        writer = bench.writer(tsa="http://127.0.0.1:9/" if wrong == "nobody" else url, tsa_certificates=(anchor,))
        writer.stamp()
        writer.stamp()  # not at once again
    (_, (event, facts)) = bench.events
    assert event == "time-stamp-not-made"
    assert reason in facts["error"].detail
    assert Checkpoints(bench.store).all()[0].stamped_at is None
    bench.add(1)
    bench.now += timedelta(seconds=61)
    with served(authority.reply) as url:
        writer = bench.writer(tsa=url, tsa_certificates=(authority.ca,))
        writer.write_due()
        writer.stamp()
    assert [one.stamped_at is not None for one in Checkpoints(bench.store).all()] == [False, True]
    assert bench.holds(tsa_certificates=(authority.ca,))


@needs_openssl
def test_a_hanging_authority_is_left_after_its_time(
    bench: Bench, authority: Authority, monkeypatch: pytest.MonkeyPatch,
) -> None:
    from gateway.app import checkpoints as module
    from gateway.transport import FetchLimits

    monkeypatch.setattr(module, "_TSA_LIMITS", FetchLimits(connect_seconds=1, total_seconds=0.2, max_octets=1000))
    bench.add(1)
    with served(authority.reply, delay=1.5) as url:
        writer = bench.writer(tsa=url, tsa_certificates=(authority.ca,))
        writer.write()
        began = time.monotonic()
        writer.stamp()
        assert time.monotonic() - began < 1.4
    assert [event for event, _ in bench.events] == ["checkpoint", "time-stamp-not-made"]


@needs_openssl
def test_only_the_newest_checkpoint_is_stamped_for_the_next_holds_its_digest(
    bench: Bench, authority: Authority,
) -> None:
    bench.add(1)
    bench.writer().write()
    stale = Checkpoints(bench.store).newest(NODE)
    assert stale is not None
    bench.add(1)
    bench.writer().write()
    assert not Checkpoints(bench.store).stamp(stale, note=stale.note, at=bench.now)
    with served(authority.reply) as url:
        bench.writer(tsa=url, tsa_certificates=(authority.ca,)).stamp()
    assert [one.stamped_at is not None for one in Checkpoints(bench.store).all()] == [False, True]
