"""Several processes on one store, and processes that die: no receipt without its message, one unbroken chain."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from gateway.storage import open_store, upgrade, verify_chain
from tests.contract.conftest import Hub
from tests.contract.samples import ENERGIE, acceptance, number

ROOT = Path(__file__).parent.parent.parent


def start(url: str, folder: Path, name: str, count: int, threads: int) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "tests.contract.workers", url, str(folder), name, str(count), str(threads)],
        stdout=subprocess.PIPE, text=True, cwd=ROOT)


def test_killed_at_any_moment_every_receipt_stands(url: str, tmp_path: Path) -> None:
    dice = random.Random(20310303)
    receipted: list[str] = []
    for round_ in range(6):
        process = start(url, tmp_path, f"round-{round_}", 100_000, 8)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(dice.uniform(0.02, 0.4))
        process.send_signal(signal.SIGKILL)
        with process.stdout:  # not communicate(): that would lose what was read ahead with the first line
            output = process.stdout.read()
        assert process.wait(30) == -signal.SIGKILL
        receipted += [line for line in output.split("\n")[:-1] if len(line) == 36]  # a cut line is no receipt
    assert len(receipted) > 50
    with open_store(url) as store:
        hub = Hub(url=url, folder=tmp_path, store=store)
        listed = [row.referentienummer for row in
                  hub.mailbox.waiting(ENERGIE.id, berichttype=None, conversatie=None, limit=1_000_000)]
        assert len(listed) == len(set(listed))
        assert set(receipted) <= set(listed)
        assert hub.mailbox.collect(ENERGIE.id, receipted[-1], hub.now)[1] == bytes(3000)
        assert hub.accept(acceptance("after")).position == hub.position()
    (report,) = verify_chain(url)
    assert report.holds
    assert report.entries == len(listed) + 2  # one was collected, one came after


def test_two_processes_keep_one_unbroken_chain(url: str, tmp_path: Path) -> None:
    processes = [start(url, tmp_path, name, 200, 4) for name in ("one", "two", "one")]  # the third repeats the first
    for process in processes:
        output, _ = process.communicate(timeout=120)
        assert process.returncode == 0
        assert len(output.split()) == 201
    (report,) = verify_chain(url)
    assert report.holds
    assert report.entries == 400
    with open_store(url) as store:
        hub = Hub(url=url, folder=tmp_path, store=store)
        assert hub.accept(acceptance("one-0", payload=bytes(3000))).repeated
        assert hub.keys.epochs() == ["2031-03-03"]


def test_nodes_keep_a_chain_each(url: str, tmp_path: Path) -> None:
    with open_store(url, node="north") as north, open_store(url, node="south") as south:
        hubs = [Hub(url=url, folder=tmp_path, store=store) for store in (north, south)]
        for i in range(3):
            assert [hub.accept(acceptance(f"{hub.store.node}-{i}")).position for hub in hubs] == [i + 1, i + 1]
        hubs[1].mailbox.collect(ENERGIE.id, number("north-0"), hubs[1].now)
        assert hubs[1].accept(acceptance("north-1")).repeated
        evidence = hubs[0].reports.evidence_of(number("north-0"))
    assert [(report.node, report.entries, report.holds) for report in verify_chain(url)] == [
        ("north", 3, True), ("south", 4, True)]
    assert [(stretch.end.node, stretch.first) for stretch in evidence.stretches] == [("north", 1), ("south", 4)]


def test_upgrades_at_once_take_turns(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/new.db"
    code = f"from gateway.storage import upgrade; print(upgrade({url!r}))"
    processes = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=ROOT)
                 for _ in range(3)]
    assert [process.communicate(timeout=60)[0] for process in processes] == [upgrade(url) + "\n"] * 3
