"""Fetching revocation lists: bounded, one process at a time, and the last good list survives whatever comes."""

import fcntl
import os
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.errors import GatewayError, Misconfigured, Unreachable
from gateway.transport import Fetched, FetchLimits, RemoteList, fetch, fetch_list, refresh_after
from tests.conftest import Pki
from tests.publisher import Publisher, publishing

HOUR = timedelta(hours=1)


@pytest.fixture
def ca() -> Iterator[Publisher]:
    with publishing() as made:
        yield made


def plain(fetched: bytes, kept: bytes | None, url: str) -> bytes:
    """Takes what begins with "good"; stands for the check of signature and age (tests/unit/security/test_lists.py)."""
    if not fetched.startswith(b"good"):
        raise Misconfigured(f"{url}: not good")
    return fetched


def now() -> datetime:
    return datetime.now(UTC)


def aged(path: Path, age: timedelta) -> None:
    moment = time.time() - age.total_seconds()
    os.utime(path, (moment, moment))


def test_a_due_list_is_fetched_and_an_unchanged_one_is_proven_current(ca: Publisher, tmp_path: Path) -> None:
    wanted = RemoteList(file=tmp_path / "ca.crl", url=ca.url)
    ca.gives(b"good 1")
    assert fetch_list(wanted, plain, now=now(), after=HOUR) is Fetched.NEW
    assert wanted.file.read_bytes() == b"good 1"
    assert fetch_list(wanted, plain, now=now(), after=HOUR) is Fetched.NOT_DUE
    aged(wanted.file, 2 * HOUR)
    aged(tmp_path / "ca.crl.lock", 2 * HOUR)
    assert fetch_list(wanted, plain, now=now(), after=HOUR) is Fetched.CURRENT
    assert time.time() - wanted.file.stat().st_mtime < 60
    assert len(ca.asked) == 2
    assert ca.asked[0].startswith(b"GET /lijst.crl HTTP/1.1\r\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ca.crl", "ca.crl.lock"]


def test_a_file_of_the_future_proves_nothing(ca: Publisher, tmp_path: Path) -> None:
    """Else a clock that was wrong once would end fetching for as long."""
    wanted = RemoteList(file=tmp_path / "ca.crl", url=ca.url)
    ca.gives(b"good 1")
    wanted.file.write_bytes(b"good 1")
    aged(wanted.file, -900 * HOUR)
    assert fetch_list(wanted, plain, now=now(), after=HOUR) is Fetched.CURRENT
    assert fetch_list(wanted, plain, now=now(), after=HOUR) is Fetched.NOT_DUE


def test_after_a_failure_it_waits_before_it_tries_again(ca: Publisher, tmp_path: Path) -> None:
    """Also another process: the attempt is told by the lock file."""
    wanted = RemoteList(file=tmp_path / "ca.crl", url=ca.url)
    wanted.file.write_bytes(b"good 1")
    aged(wanted.file, 2 * HOUR)
    ca.gives(b"bad")
    with pytest.raises(Misconfigured):
        fetch_list(wanted, plain, now=now(), after=HOUR)
    assert fetch_list(wanted, plain, now=now(), after=HOUR) is Fetched.NOT_DUE
    ca.gives(b"good 2")
    assert fetch_list(wanted, plain, now=now() + timedelta(minutes=6), after=HOUR) is Fetched.NEW
    assert len(ca.asked) == 2


def test_asked_for_by_hand_it_is_fetched_though_not_due(ca: Publisher, tmp_path: Path) -> None:
    wanted = RemoteList(file=tmp_path / "ca.crl", url=ca.url)
    ca.gives(b"good 1")
    for expected in (Fetched.NEW, Fetched.CURRENT):
        assert fetch_list(wanted, plain, now=now(), after=None) is expected


def test_many_at_once_fetch_once(ca: Publisher, tmp_path: Path) -> None:
    """Workers and nodes on one folder do not stampede."""
    wanted = RemoteList(file=tmp_path / "ca.crl", url=ca.url)
    ca.gives(b"good 1")
    found: list[Fetched] = []
    start = threading.Barrier(8)

    def work() -> None:
        start.wait()
        found.append(fetch_list(wanted, plain, now=now(), after=HOUR))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found.count(Fetched.NEW) == 1
    assert set(found) <= {Fetched.NEW, Fetched.BUSY, Fetched.NOT_DUE}
    assert len(ca.asked) == 1


def test_a_list_that_another_process_fetches_is_left_to_it(ca: Publisher, tmp_path: Path) -> None:
    wanted = RemoteList(file=tmp_path / "ca.crl", url=ca.url)
    held = os.open(tmp_path / "ca.crl.lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(held, fcntl.LOCK_EX)
    assert fetch_list(wanted, plain, now=now(), after=HOUR) is Fetched.BUSY
    os.close(held)
    assert ca.asked == []


Arrange = Callable[[Publisher], None]
BAD: dict[str, tuple[Arrange, str]] = {
    "refused content": (lambda ca: ca.gives(b"bad"), "not good"),
    "redirect": (lambda ca: ca.gives(b"good", status="302 Found", headers=f"Location: {ca.url}2\r\n"), "redirects"),
    "not found": (lambda ca: ca.gives(b"good", status="404 Not Found"), "HTTP 404"),
    "too large": (lambda ca: ca.gives(b"good" * 1000), "larger than 1000 octets"),
    "half-way": (lambda ca: setattr(ca, "answer", lambda _: b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\ngood"),
                 "half-way"),
    "no HTTP": (lambda ca: setattr(ca, "answer", lambda _: b"good"), "no usable answer"),
    "nothing": (lambda ca: setattr(ca, "answer", lambda _: b""), "no usable answer"),
    "gone": (lambda ca: ca.close(), "connection refused"),
}


@pytest.mark.clause("§6.3")
@pytest.mark.parametrize("name", BAD)
def test_the_last_good_list_survives(ca: Publisher, tmp_path: Path, name: str) -> None:
    arrange, reason = BAD[name]
    wanted = RemoteList(file=tmp_path / "ca.crl", url=ca.url)
    wanted.file.write_bytes(b"good 1")
    aged(wanted.file, 2 * HOUR)
    before = wanted.file.stat()
    arrange(ca)
    with pytest.raises(GatewayError) as caught:
        fetch_list(wanted, plain, now=now(), after=HOUR, limits=FetchLimits(max_octets=1000))
    assert reason in caught.value.detail
    assert wanted.url in caught.value.detail
    after = wanted.file.stat()
    assert wanted.file.read_bytes() == b"good 1"
    assert (after.st_mtime_ns, after.st_ino) == (before.st_mtime_ns, before.st_ino)
    assert len(ca.asked) <= 1  # no redirect was followed


def test_a_server_that_trickles_is_left_in_time(ca: Publisher) -> None:
    release = threading.Event()

    def trickle(_: bytes) -> bytes:
        release.wait(5)
        return b"HTTP/1.1 200 OK\r\n"

    ca.answer = trickle
    began = time.monotonic()
    with pytest.raises(Unreachable, match="took too long"):
        fetch(ca.url, limits=FetchLimits(total_seconds=0.2))
    assert time.monotonic() - began < 3
    release.set()


def test_https_asks_a_certificate_that_the_system_trusts(pki: Pki, monkeypatch: pytest.MonkeyPatch) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pki.pem("hub-tls"), pki.key("hub-tls"))
    with publishing(context) as made:
        made.gives(b"good")
        with pytest.raises(Unreachable, match="TLS certificate is not accepted"):
            fetch(made.url)
        monkeypatch.setenv("SSL_CERT_FILE", str(pki.pem("ca")))
        assert fetch(made.url) == b"good"


def test_a_proxy_of_the_environment_is_not_asked(ca: Publisher, monkeypatch: pytest.MonkeyPatch) -> None:
    with publishing() as proxy:
        proxy.gives(b"evil")
        ca.gives(b"good")
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        assert fetch(ca.url) == b"good"
        assert proxy.asked == []


def test_a_list_is_tried_four_times_before_it_is_too_old() -> None:
    assert refresh_after(4 * HOUR) == HOUR
    assert refresh_after(HOUR) == HOUR / 4
    assert refresh_after(168 * HOUR) == HOUR


def test_a_folder_that_can_not_be_written_says_so(ca: Publisher, tmp_path: Path) -> None:
    ca.gives(b"good")
    with pytest.raises(Misconfigured, match="let the gateway's user write there"):
        fetch_list(RemoteList(file=tmp_path / "absent" / "ca.crl", url=ca.url), plain, now=now(), after=None)
