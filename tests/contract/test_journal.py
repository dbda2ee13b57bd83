"""One message, one effect: idempotency, replay, conversations, and what a failing work or commit leaves behind."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from threading import Barrier, Event, Thread
from time import sleep

import pytest

from gateway.errors import Draining, DuplicateConflict, Misconfigured, Overloaded, Replayed, StorageError
from gateway.ports import Transaction
from gateway.storage import open_store, upgrade, verify_chain
from gateway.values import Conversation, Question, Refusal
from tests.contract.conftest import Hub
from tests.contract.samples import ANTWOORD, BANK, ENERGIE, GEMEENTE, KEY, NOW, TERM, accept, acceptance, number


def queued(hub: Hub, works: int) -> None:
    """Wait until this many works stand in the queue."""
    while hub.store._writer.waiting < works:
        sleep(0.001)


def test_entry_holds_the_facts_of_the_receipt(hub: Hub) -> None:
    message = acceptance("a", receivers=(ENERGIE, BANK))
    entry = hub.accept(message)
    assert (entry.referentienummer, entry.conversatie) == (message.header.referentienummer, message.header.conversatie)
    assert entry.ontvangers == (ENERGIE.id, BANK.id)
    assert (entry.received_at, entry.expires_at) == (NOW, NOW + TERM)
    assert (entry.message_digest, entry.position, entry.repeated) == (message.message_digest, 1, False)
    assert entry.journal_hash == hub.reports.heads()[0].hash


@pytest.mark.clause("§3.5")
def test_repeated_request_gets_the_same_facts_and_changes_nothing(hub: Hub) -> None:
    first = hub.accept(acceptance("a", receivers=(ENERGIE, BANK)))
    hub.accept(acceptance("b"))
    again = hub.accept(acceptance("a", receivers=(ENERGIE, BANK), message_id="urn:uuid:another", at=NOW + TERM))
    assert again == replace(first, repeated=True)
    assert hub.position() == 2
    assert hub.payloads() == 2


@pytest.mark.clause("§3.5")
def test_repeated_request_is_known_after_restart(hub: Hub) -> None:
    first = hub.accept(acceptance("a"))
    hub.store.close()
    with open_store(hub.url) as store:
        assert Hub(url=hub.url, folder=hub.folder, store=store).accept(acceptance("a")) == replace(first, repeated=True)


@pytest.mark.clause("§3.5")
def test_same_number_with_other_content_is_a_conflict(hub: Hub) -> None:
    hub.accept(acceptance("a"))
    with pytest.raises(DuplicateConflict):
        hub.accept(acceptance("a", payload=b"<other/>", message_id="urn:uuid:another"))
    assert hub.position() == 1


def test_two_senders_may_use_one_number(hub: Hub) -> None:
    hub.accept(acceptance("a"))
    entry = hub.accept(acceptance("a", sender=BANK))
    assert not entry.repeated
    assert hub.position() == 2


@pytest.mark.clause("§3.5")
def test_message_id_used_for_something_else_is_a_replay(hub: Hub) -> None:
    hub.accept(acceptance("a", message_id="urn:uuid:one"))
    with pytest.raises(Replayed):
        hub.accept(acceptance("b", message_id="urn:uuid:one"))
    assert not hub.accept(acceptance("c", sender=BANK, message_id="urn:uuid:one")).repeated  # per signer
    assert hub.position() == 2


@pytest.mark.clause("§3.5")
def test_fifty_parallel_copies_have_one_effect(hub: Hub) -> None:
    gate = Barrier(50)

    def send(_: int) -> tuple[int, bool]:
        gate.wait()
        entry = hub.accept(acceptance("a"))
        return entry.position, entry.repeated

    with ThreadPoolExecutor(50) as pool:
        results = list(pool.map(send, range(50)))
    assert sorted(results) == [(1, False)] + [(1, True)] * 49
    assert len(hub.mailbox.waiting(ENERGIE.id, berichttype=None, conversatie=None, limit=99)) == 1


def test_conversation_is_found_from_both_sides_and_keeps_its_state(hub: Hub) -> None:
    hub.accept(acceptance("vraag", conversatie="c"), "SALDO_GEVRAAGD")
    answer = acceptance("antwoord", sender=ENERGIE, receivers=(GEMEENTE,), conversatie="c",
                        cross=number("vraag"), kind=ANTWOORD)
    seen = hub.journal.transaction(lambda tx: tx.conversation(answer, GEMEENTE.id))
    assert isinstance(seen, Conversation)
    assert (seen.initiator, seen.counterpart, seen.state) == (GEMEENTE.id, ENERGIE.id, "SALDO_GEVRAAGD")
    hub.accept(answer, "SALDO_BEKEND")
    after = hub.journal.transaction(lambda tx: tx.conversation(answer, GEMEENTE.id))
    assert after == replace(seen, state="SALDO_BEKEND")


def test_conversation_of_a_third_party_is_another_one(hub: Hub) -> None:
    hub.accept(acceptance("vraag", conversatie="c"))
    stranger = acceptance("x", sender=BANK, receivers=(ENERGIE,), conversatie="c")
    assert hub.journal.transaction(lambda tx: tx.conversation(stranger, ENERGIE.id)) is None
    assert hub.journal.transaction(lambda tx: tx.initiator("schuldregeling", number("c"))) == GEMEENTE.id
    assert hub.journal.transaction(lambda tx: tx.initiator("budgetbeheer", number("c"))) is None


def test_question_is_answered_once_the_answer_is_recorded(hub: Hub) -> None:
    hub.accept(acceptance("vraag", conversatie="c", receivers=(ENERGIE, BANK)))
    answer = acceptance("antwoord", sender=ENERGIE, receivers=(GEMEENTE,), conversatie="c",
                        cross=number("vraag"), kind=ANTWOORD)
    from_bank = replace(answer, header=replace(answer.header, afzender=BANK.id))

    def look(tx: Transaction) -> tuple[Question | None, Question | None, int]:
        energie, bank = tx.conversation(answer, GEMEENTE.id), tx.conversation(from_bank, GEMEENTE.id)
        assert energie is not None
        assert bank is not None
        return (tx.question(energie, number("vraag")), tx.question(bank, number("vraag")),
                tx.count(energie, "SaldoVerzoekAntwoord"))

    open_question = Question(
        family="SaldoVerzoek", sender=GEMEENTE.id, answered=False, asked_at=NOW, key=KEY)
    assert hub.journal.transaction(look) == (open_question, open_question, 0)
    hub.accept(answer)
    assert hub.journal.transaction(look) == (replace(open_question, answered=True), open_question, 1)


def test_question_of_another_conversation_is_not_seen(hub: Hub) -> None:
    hub.accept(acceptance("vraag", conversatie="c"))
    hub.accept(acceptance("ander", conversatie="d"))

    def look(tx: Transaction) -> Question | None:
        conversation = tx.conversation(acceptance("ander", conversatie="d"), ENERGIE.id)
        assert conversation is not None
        return tx.question(conversation, number("vraag"))

    assert hub.journal.transaction(look) is None


def test_record_refuses_conversations_that_do_not_fit_the_receivers(hub: Hub) -> None:
    with pytest.raises(StorageError):
        hub.journal.transaction(lambda tx: tx.record(acceptance("a"), ()))
    assert hub.position() == 0


def test_recording_twice_without_asking_is_a_storage_error_and_keeps_the_chain(hub: Hub) -> None:
    hub.accept(acceptance("a", conversatie="c"))

    def careless(tx: Transaction) -> None:
        message = acceptance("a", conversatie="c")
        conversation = tx.conversation(message, ENERGIE.id)
        assert conversation is not None
        tx.record(message, (conversation,))

    with pytest.raises(StorageError):
        hub.journal.transaction(careless)
    hub.accept(acceptance("b"))
    assert [report.entries for report in verify_chain(hub.url) if report.holds] == [2]


def test_work_that_raises_is_undone_alone_in_its_batch(hub: Hub) -> None:
    """All works are queued while the writer is held, so that they share one commit."""
    held, release = Event(), Event()

    def hold(tx: Transaction) -> None:
        held.set()
        release.wait()

    def broken(tx: Transaction) -> None:
        accept(acceptance("broken"))(tx)
        raise DuplicateConflict("after writing")

    with ThreadPoolExecutor(12) as pool:
        holding = pool.submit(hub.journal.transaction, hold)
        held.wait()
        before = [pool.submit(hub.accept, acceptance(f"before-{i}")) for i in range(3)]
        failing = pool.submit(hub.journal.transaction, broken)
        after = [pool.submit(hub.accept, acceptance(f"after-{i}")) for i in range(3)]
        queued(hub, 7)
        release.set()
        holding.result()
        with pytest.raises(DuplicateConflict):
            failing.result()
        positions = sorted(future.result().position for future in (*before, *after))
    assert positions == [1, 2, 3, 4, 5, 6]
    assert not hub.accept(acceptance("broken")).repeated
    assert [report.entries for report in verify_chain(hub.url) if report.holds] == [7]


def test_commit_that_fails_fails_every_work_of_the_batch(hub: Hub) -> None:
    """A work that breaks the transaction itself stands for a disk that is full at the moment of the commit."""
    held, release = Event(), Event()

    def breaking(tx: Transaction) -> None:
        tx._write._cursor.execute("ROLLBACK")  # type: ignore[attr-defined]

    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(hub.journal.transaction, lambda tx: held.set() or release.wait())
        held.wait()
        works = [pool.submit(hub.accept, acceptance("one")), pool.submit(hub.journal.transaction, breaking),
                 pool.submit(hub.accept, acceptance("two"))]
        queued(hub, 3)
        release.set()
        first.result()
        assert [type(work.exception()) for work in works] == [StorageError] * 3
    for name in ("one", "two"):
        hub.accept(acceptance(name))  # the writer goes on, and no receipt was given for what is not there
    (report,) = verify_chain(hub.url)
    assert report.holds
    assert report.entries == 2


def test_receipt_is_durable_before_it_is_given(hub: Hub) -> None:
    """A second, independent connection sees the message as soon as the caller has its entry."""
    for i in range(20):
        entry = hub.accept(acceptance(f"m{i}"))
        with open_store(hub.url) as other:
            assert Hub(url=hub.url, folder=hub.folder, store=other).position() == entry.position


def test_full_queue_is_overloaded(url: str) -> None:
    with open_store(url, queue_limit=2) as store:
        held, release = Event(), Event()
        threads = [Thread(target=store.write, args=(lambda write: held.set() or release.wait(),))]
        threads[0].start()
        held.wait()
        for _ in range(2):
            threads.append(Thread(target=store.write, args=(lambda write: None,)))
            threads[-1].start()
        while store._writer.waiting < 2:
            sleep(0.001)
        with pytest.raises(Overloaded):
            store.write(lambda write: None)
        release.set()
        for thread in threads:
            thread.join()


def test_close_finishes_what_waits_and_then_refuses(hub: Hub) -> None:
    held, release = Event(), Event()
    with ThreadPoolExecutor(8) as pool:
        pool.submit(hub.store.write, lambda write: held.set() or release.wait())
        held.wait()
        waiting = [pool.submit(hub.accept, acceptance(f"m{i}")) for i in range(4)]
        queued(hub, 4)
        closing = pool.submit(hub.store.close)
        release.set()
        assert sorted(future.result().position for future in waiting) == [1, 2, 3, 4]
        closing.result()
    with pytest.raises(Draining):
        hub.accept(acceptance("late"))
    with pytest.raises(Draining):
        hub.mailbox.waiting(ENERGIE.id, berichttype=None, conversatie=None, limit=1)


def test_any_exception_of_a_work_reaches_its_caller(hub: Hub) -> None:
    def work(tx: Transaction) -> None:
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        hub.journal.transaction(work)
    assert hub.accept(acceptance("a")).position == 1


def test_refused_request_is_found_by_its_ticket(hub: Hub) -> None:
    refusal = Refusal(
        ticket=number("ticket"), code="SKP015", error="SignatureInvalid", reason="digest of the Body differs",
        at=NOW, path="/soap/schuldregeling/2.0/shv", caller_oin=GEMEENTE.oin, caller_certificate="ab" * 32,
        message_id="urn:uuid:x\udcff", action="urn:x", referentienummer=number("a"), octets=6000,
        octets_digest=bytes(range(32)))
    hub.journal.refuse(refusal)
    hub.journal.refuse(Refusal(ticket=number("other"), code="SKP001", error="NotXml", reason="", path="/",
                               at=NOW + timedelta(seconds=1)))
    assert hub.reports.refusal(number("ticket")) == refusal
    assert hub.reports.refusal(number("no ticket")) is None
    later = hub.reports.refusals(since=NOW, until=NOW + timedelta(minutes=1), limit=10)
    assert [one.code for one in later] == ["SKP001", "SKP015"]
    assert hub.reports.refusals(since=NOW, until=NOW + timedelta(seconds=1), limit=10) == [refusal]
    assert all(report.holds for report in verify_chain(hub.url))


def test_store_of_another_revision_is_not_opened(url: str) -> None:
    with open_store(url) as store:
        store.write(lambda write: write._cursor.execute("UPDATE alembic_version SET version_num = '0000'"))
    with pytest.raises(Misconfigured, match="0000"):
        open_store(url)


def test_store_without_tables_or_of_an_unknown_engine_is_not_opened(tmp_path: Path) -> None:
    for url in (f"sqlite:///{tmp_path}/none.db", "sqlite://", "oracle://x/y", "nonsense"):
        with pytest.raises(Misconfigured):
            open_store(url)
    with pytest.raises(Misconfigured):
        verify_chain(f"sqlite:///{tmp_path}/none.db")
    assert list(tmp_path.iterdir()) == []  # asking makes nothing
    (tmp_path / "text.db").write_text("this is not a database " * 100)
    with pytest.raises(Misconfigured):
        open_store(f"sqlite:///{tmp_path}/text.db")
    with pytest.raises(StorageError):
        verify_chain(f"sqlite:///{tmp_path}/text.db")
    with pytest.raises(StorageError):
        upgrade(f"sqlite:///{tmp_path}/no/such/folder/x.db")


def test_busy_database_is_a_storage_error_and_not_a_hang(hub: Hub) -> None:
    if not hub.url.startswith("sqlite"):
        pytest.skip("takes SQLite's one lock")
    hub.accept(acceptance("a"))
    connection = hub.store._engine.connect()
    cursor = connection.cursor()
    cursor.execute("BEGIN IMMEDIATE")
    hub.store._writer._connection.cursor().execute("PRAGMA busy_timeout=20")  # type: ignore[union-attr]
    with pytest.raises(StorageError):
        hub.accept(acceptance("b"))
    assert hub.mailbox.waiting(ENERGIE.id, berichttype=None, conversatie=None, limit=9)  # readers never wait
    cursor.execute("ROLLBACK")
    connection.close()
    assert hub.accept(acceptance("b")).position == 2
