"""SIGTERM drains; workers share a port, are restarted, and never outlive their parent."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from gateway.errors import Misconfigured, Unreachable
from gateway.transport import Caller, Supervisor, bind, client_tls, url_of
from tests.dying import dead
from tests.unit.transport.conftest import PATH, Pki

ROOT = Path(__file__).parents[3]


class Hub:
    def __init__(self, pki: Pki, process: "subprocess.Popen[str]", url: str, pids: list[int]) -> None:
        self.pki, self.process, self.url, self.pids = pki, process, url, pids

    def caller(self) -> Caller:
        return Caller(client_tls(self.pki.files("party")))

    def started(self) -> set[str]:
        return set((self.pki.folder / "started").read_text().split())


@contextmanager
def hub(pki: Pki, count: int) -> Iterator[Hub]:
    environment = {**os.environ, "STARTED": str(pki.folder / "started")}
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.unit.transport.processes", str(pki.folder), str(count)],
        stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment)
    assert process.stdout is not None
    pids: list[int] = []
    try:
        if count:
            pids = [int(pid) for pid in process.stdout.readline().split()]
        word, url, _ = process.stdout.readline().split()
        assert word == "ready"
        yield Hub(pki, process, url + PATH, pids)
    finally:
        process.kill()
        process.wait(10)
        process.stdout.close()


def wait_for(condition: object, seconds: float = 15) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():  # type: ignore[operator]
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("count", [0, 2])
def test_stopping_under_load_answers_every_request_that_began_and_ends_well(own_pki: Pki, count: int) -> None:
    answered: set[str] = set()
    lock = threading.Lock()

    def load(number: int) -> None:
        caller = running.caller()
        for turn in range(10_000):
            octets = b"<m-%d-%d/>" % (number, turn)
            try:
                status, answer = caller.post(running.url, octets, "")
            except Unreachable:
                break
            assert status == 200
            assert answer.startswith(octets)
            with lock:
                answered.add(octets.decode())
        caller.close()

    with hub(own_pki, count) as running:
        threads = [threading.Thread(target=load, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        assert wait_for(lambda: len(answered) > 20)
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(20) == 0
        for thread in threads:
            thread.join(20)
        assert running.started() <= answered
        assert len(answered) > 20
        assert all(dead(pid) for pid in running.pids)


def test_workers_share_the_port_and_a_crashed_one_is_replaced(own_pki: Pki) -> None:
    with hub(own_pki, 2) as running:
        assert len(running.pids) == 2

        def seen() -> set[int]:
            pids = set()
            for number in range(12):
                caller = running.caller()
                try:
                    _, answer = caller.post(running.url, b"<a%d/>" % number, "")
                    pids.add(int(answer.split()[1]))
                finally:
                    caller.close()
            return pids

        assert seen() <= set(running.pids)
        with pytest.raises(Unreachable):
            running.caller().post(running.url, b"<crash/>", "")
        assert wait_for(lambda: any(dead(pid) for pid in running.pids))
        assert wait_for(lambda: seen() - set(running.pids), 20)
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(20) == 0


def test_a_worker_that_crashed_just_before_the_end_makes_it_no_failure(own_pki: Pki) -> None:
    """Its parent would have replaced it the next moment; what was to be drained was."""
    with hub(own_pki, 2) as found:
        found.process.send_signal(signal.SIGSTOP)  # so that it hears of both at once
        os.kill(found.pids[0], signal.SIGKILL)
        while not dead(found.pids[0]):
            time.sleep(0.01)
        found.process.send_signal(signal.SIGTERM)
        found.process.send_signal(signal.SIGCONT)
        assert found.process.wait(20) == 0
        assert dead(found.pids[1])


def test_workers_end_when_their_parent_is_killed(own_pki: Pki) -> None:
    with hub(own_pki, 2) as running:
        running.process.kill()
        running.process.wait(10)
        assert wait_for(lambda: all(dead(pid) for pid in running.pids))
        with pytest.raises(Unreachable, match="refused"):
            running.caller().post(running.url, b"<a/>", "")


def test_workers_that_will_not_start_end_the_parent(capfd: pytest.CaptureFixture[str]) -> None:
    soap_socket, web_socket = bind("127.0.0.1:0"), bind("127.0.0.1:0")
    supervisor = Supervisor(target="tests.unit.transport.processes:absent", argument="", count=1,
                            soap_socket=soap_socket, web_socket=web_socket, ready=lambda *urls: None)
    assert supervisor.run() == 1
    assert "absent" in capfd.readouterr().err


def test_ports_are_bound_and_told_and_a_taken_one_is_explained() -> None:
    with bind("127.0.0.1:0") as listener:
        url = url_of(listener, "https")
        port = urlsplit(url).port
        assert url == f"https://127.0.0.1:{port}"
        for address in (f"127.0.0.1:{port}", "127.0.0.1:http", "127.0.0.1:99999", "nowhere.invalid:0"):
            with pytest.raises(Misconfigured, match="can't listen on"):
                bind(address)
