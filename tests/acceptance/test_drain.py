"""The end of a hub, told by SIGTERM: what has begun is finished and answered, nothing is left behind; and its start."""

import itertools
import os
import signal
import socket
import ssl
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from gateway.errors import Unreachable
from tests.acceptance.hub import Hub, children, end_all, fresh_hub, hub_on, is_alive
from tests.acceptance.load import Sender, kennisgeving
from tests.postgres.databases import asked


def test_the_ready_line_comes_soon_and_tells_the_truth(template: Path, tmp_path: Path) -> None:
    with fresh_hub(template, tmp_path / "instance") as hub:
        print(f"ready after {hub.started_in:.2f} s")
        assert hub.started_in < 10  # the target is 2 s on a machine that does nothing else
        assert hub.soap == f"https://localhost:{hub.port}"
        assert hub.web.startswith("http://127.0.0.1:")
        assert hub.party("gemeente").ask("beheer", "Ping") is not None
        assert _get(hub.web, "/health/ready").startswith(b"HTTP/1.1 200")


def test_sigterm_under_load_answers_everything_that_was_accepted(template: Path, tmp_path: Path) -> None:
    """Exactly: no message is in the store whose sender has no receipt, and no receipt without its message."""
    with fresh_hub(template, tmp_path / "instance") as hub:
        senders = [Sender(hub.party("gemeente"), pause=0, tries=1) for _ in range(6)]
        for sender in senders:
            sender.start()
        time.sleep(1)
        try:
            assert hub.stop() == 0, hub.log[-2000:]
        finally:
            for sender in senders:
                sender.halt()
            for sender in senders:
                sender.join(30)
        receipts = {number for one in senders for number in one.sent.receipts}
        assert len(receipts) > 20
        assert not [wrong for one in senders for wrong in one.sent.wrong]
        assert _numbers(hub) == receipts
        counts = dict(asked(hub.folder, "SELECT tolerance, count FROM tolerances"))  # in memory until the end
        assert counts == {"rsa-under-3072-signing": len(receipts)}


def test_requests_that_began_to_arrive_are_finished_after_sigterm(template: Path, tmp_path: Path) -> None:
    with fresh_hub(template, tmp_path / "instance") as hub, ExitStack() as stack:
        started = [stack.enter_context(_half_sent(hub)) for _ in range(4)]
        idle = stack.enter_context(_connection(hub))
        time.sleep(0.3)
        hub.process.send_signal(signal.SIGTERM)
        _until(lambda: _refuses(hub), seconds=5)
        assert idle.recv(1) == b""  # kept-alive connections without a request are closed
        for connection, rest in started:
            connection.sendall(rest)
        answers = [_read_all(connection) for connection, _ in started]
        assert hub.process.wait(20) == 0
    assert all(answer.startswith(b"HTTP/1.1 200 ") for answer in answers)
    assert all(b"Ontvangstbevestiging" in answer for answer in answers)
    assert len(_numbers(hub)) == 4


def test_more_signals_change_nothing_until_the_process_is_gone(template: Path, tmp_path: Path) -> None:
    """Also in the moments between the end of the last request and the end of the process."""
    with fresh_hub(template, tmp_path / "instance") as hub:
        kinds = itertools.cycle((signal.SIGINT, signal.SIGTERM))
        while hub.process.poll() is None:
            hub.process.send_signal(next(kinds))
            time.sleep(0.01)
        assert hub.process.returncode == 0, hub.log[-2000:]
        assert "Traceback" not in hub.log
        assert not (hub.folder / "run.json").exists()


def test_two_workers_both_serve_and_both_drain(template: Path, tmp_path: Path) -> None:
    with fresh_hub(template, tmp_path / "instance", "--workers", "2") as hub:
        workers = children(hub.process.pid)
        assert len(workers) == 2
        try:
            for frozen in workers:  # with one of the two frozen, the other must serve alone
                os.kill(frozen, signal.SIGSTOP)
                client = hub.party("gemeente")
                for _ in range(3):
                    client.send(kennisgeving(str(uuid.uuid4())))
                client.close()
                os.kill(frozen, signal.SIGCONT)
        finally:
            for pid in workers:
                os.kill(pid, signal.SIGCONT)
        assert len(_numbers(hub)) == 6
        assert len(hub.party("energie").waiting()) == 6
        assert hub.stop() == 0, hub.log[-2000:]
        assert not any(is_alive(pid) for pid in workers)


def test_a_killed_worker_is_replaced_and_a_killed_parent_takes_its_workers_along(
        template: Path, tmp_path: Path) -> None:
    with fresh_hub(template, tmp_path / "instance", "--workers", "2") as hub:
        before = children(hub.process.pid)
        os.kill(before[0], signal.SIGKILL)
        _until(lambda: len(set(children(hub.process.pid)) - set(before)) == 1, seconds=10)
        hub.party("gemeente").send(kennisgeving(str(uuid.uuid4())))
        workers = children(hub.process.pid)
        try:
            hub.kill()
            _until(lambda: not any(is_alive(pid) for pid in workers), seconds=15)
        finally:
            end_all([pid for pid in workers if is_alive(pid)])
        assert _refuses(hub)
        with pytest.raises(Unreachable):
            hub.party("gemeente").send(kennisgeving(str(uuid.uuid4())))
    with hub_on(hub.folder) as again:  # and the folder is as good as before
        again.party("gemeente").send(kennisgeving(str(uuid.uuid4())))


def test_a_hub_stopped_while_a_worker_is_still_starting_ends_well(template: Path, tmp_path: Path) -> None:
    with fresh_hub(template, tmp_path / "instance", "--workers", "2") as hub:
        before = children(hub.process.pid)
        os.kill(before[0], signal.SIGKILL)
        _until(lambda: len(set(children(hub.process.pid)) - set(before)) == 1, seconds=10)
        assert hub.stop() == 0, hub.log[-2000:]


@contextmanager
def _connection(hub: Hub) -> Iterator[ssl.SSLSocket]:
    pki = hub.folder / "pki"
    context = ssl.create_default_context(cafile=str(pki / "ca.pem"))
    context.load_cert_chain(pki / "gemeente-tls.pem", pki / "gemeente-tls.key")
    with socket.create_connection(("127.0.0.1", hub.port), timeout=15) as raw, context.wrap_socket(
            raw, server_hostname="localhost") as connection:
        yield connection


@contextmanager
def _half_sent(hub: Hub) -> Iterator[tuple[ssl.SSLSocket, bytes]]:
    """A request of which the headers and half the body are on their way; and the other half."""
    service, action, signed, _ = hub.party("gemeente").wrap(kennisgeving(str(uuid.uuid4())))
    head = (f"POST {service.path} HTTP/1.1\r\nHost: localhost:{hub.port}\r\nContent-Type: text/xml; charset=utf-8\r\n"
            f'SOAPAction: "{action}"\r\nContent-Length: {len(signed.octets)}\r\n\r\n').encode()
    half = len(signed.octets) // 2
    with _connection(hub) as connection:
        connection.sendall(head + signed.octets[:half])
        yield connection, signed.octets[half:]


def _read_all(connection: ssl.SSLSocket) -> bytes:
    octets = b""
    while chunk := connection.recv(65536):
        octets += chunk
    return octets


def _get(url: str, path: str) -> bytes:
    host, _, port = url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        return connection.recv(65536)


def _refuses(hub: Hub) -> bool:
    try:
        socket.create_connection(("127.0.0.1", hub.port), timeout=2).close()
    except OSError:
        return True
    return False


def _until(holds, *, seconds: float) -> None:
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, "it took too long"
        time.sleep(0.05)


def _numbers(hub: Hub) -> set[str]:
    rows = asked(hub.folder, "SELECT referentienummer FROM messages")
    assert len(rows) == len({row[0] for row in rows})
    return {row[0] for row in rows}
