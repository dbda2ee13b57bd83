"""A short overload over a real hub, without clocks in what is asserted; and whether the judges of long runs judge."""

import shutil
import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.request import urlopen

import pytest

from gateway.settings import load_settings
from gateway.transport import TlsFiles, client_tls
from tests.acceptance.hub import Hub, hub_on
from tests.acceptance.load import kennisgeving
from tests.line import SHV
from tests.load.client import Client
from tests.load.gauge import take
from tests.load.overload import Phase, lost, verdicts
from tests.load.trend import Bound, judge
from tests.load.wire import Told, drive

LARGEST = 3_000_000
FLAT = Bound(name="x", unit="MB", scale=1.0, share=0.05, room=2.0, why="noise")


@pytest.fixture(scope="module")
def hub(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """A hub that takes on little: one thread, two in line."""
    folder = tmp_path_factory.mktemp("load") / "instance"
    shutil.copytree(template, folder)
    file = folder / "gateway.toml"
    text = file.read_text("utf-8")
    limits = f"[limits]\nthreads = 1\nwaiting_requests = 2\nconnections = 100\noctets_in_flight = {4 * LARGEST}\n"
    assert text.count("[limits]\n") == text.count("[soap]\n") == 1
    text = text.replace("[limits]\n", limits)
    text = text.replace("max_octets = 10_485_760", f"max_octets = {LARGEST}") + "\n[push]\nworkers = 1\n"
    file.write_text(text, "utf-8")
    assert load_settings(folder).soap.max_octets == LARGEST
    with hub_on(folder) as running:
        yield running


def connections(hub: Hub, slug: str, number: int) -> Iterator[ssl.SSLSocket]:
    """Of one party, to say on them what no client would."""
    pki = hub.folder / "pki"
    context = client_tls(TlsFiles(certificate=pki / f"{slug}-tls.pem", key=pki / f"{slug}-tls.key",
                                  anchors=(pki / "ca.pem",), crls=(pki / "ca.crl",)))
    for _ in range(number):
        yield context.wrap_socket(socket.create_connection(("127.0.0.1", hub.port), 10), server_hostname="localhost")


def scraped(hub: Hub) -> str:
    with urlopen(hub.web + "/metrics", timeout=10) as response:
        text: str = response.read().decode()
    return text


def test_under_overload_some_are_served_others_told_when_to_come_and_every_receipt_is_kept(hub: Hub) -> None:
    client = Client(hub.folder, hub.soap, ("gemeente",))
    stream = client.streams["gemeente"]
    client.prepare({"gemeente": 60})
    stream.begin(connections=24, rate=None, now=0.0)
    drive([stream], 0.5)
    told = stream.told
    client.close()
    assert told.accepted
    assert len(told.refused) == len(told.retry_after)
    assert told.refused
    assert told.other == {}
    assert {seconds >= 1 for seconds in told.retry_after} == {True}
    assert len(set(told.receipts)) == len(told.accepted)
    assert lost(hub.folder, told.receipts) == []
    assert lost(hub.folder, ["never-sent"]) == ["never-sent"]
    assert hub.party("gemeente").send(kennisgeving("c0ffee00-0000-4000-8000-000000000001")).receipt
    metrics = scraped(hub)
    assert f'gateway_events_total{{event="turned-away",what="SKP901"}} {len(told.refused) - 1:.1f}' in metrics
    assert "gateway_requests_waiting 0.0" in metrics


def test_bodies_that_never_end_do_not_take_more_memory_than_was_computed(hub: Hub) -> None:
    assert hub.process is not None
    before, settings = take(hub.process.pid).pss, load_settings(hub.folder)
    offered, part = 0, b"x" * (LARGEST - 1)  # all but the last octet
    head = f"POST {SHV} HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/xml\r\nContent-Length: {LARGEST}\r\n\r\n"
    with ExitStack() as stack:
        for slug in ("gemeente", "energie", "deurwaarder", "zorgverzekeraar", "kredietbank"):
            for raw in connections(hub, slug, 12):
                stack.enter_context(raw)
                raw.sendall(head.encode() + part)
                offered += len(part)
        rise = take(hub.process.pid).pss - before
        (told,) = (line for line in scraped(hub).splitlines() if line.startswith("gateway_octets_in_flight"))
        assert 0 < float(told.split()[-1]) <= settings.limits.octets_in_flight
    assert rise < offered / 3
    assert hub.party("energie").waiting(1), "it serves as ever"


# --- the judges ---------------------------------------------------------------------------------------------------


def test_what_rises_more_than_it_may_is_found_and_noise_is_not() -> None:
    at = [float(moment) for moment in range(40)]
    noise = [(-1.0) ** moment for moment in range(40)]
    assert judge(FLAT, at, [100 + one for one in noise]).holds
    assert not judge(FLAT, at, [100 + 0.2 * moment + one for moment, one in zip(at, noise, strict=True)]).holds
    assert judge(FLAT, at, [100 - moment for moment in at]).holds, "what falls does not rise"
    found = judge(FLAT, at, [2 * moment for moment in at])
    assert (round(found.first), round(found.last), found.most) == (0, 78, 78)


def phase(name: str, *, accepted: int, seconds: float = 0.01, refused: int = 0, wrong: int = 0,
          late: int = 0) -> Phase:
    big = Told(offered=accepted + refused, late=late, accepted=[seconds] * accepted, in_time=accepted,
               refused=[0.01] * refused, retry_after=[1] * refused, other={"500": wrong} if wrong else {})
    small = Told(offered=50, accepted=[seconds] * 50, in_time=50)
    return Phase(name=name, seconds=1.0, hub_cpu=1.0, client_cpu=0.5,
                 told={"gemeente": big, **({"bewindvoerder": small} if name == "overload" else {})})


def test_an_overload_is_judged_by_what_was_served_how_quickly_and_by_what_came_after() -> None:
    good = {"peak": phase("peak", accepted=400), "before": phase("before", accepted=200),
            "overload": phase("overload", accepted=350, refused=1_650), "after": phase("after", accepted=200)}

    def failing(missing: tuple[str, ...] = (), octets: int = 10, **changed: Phase) -> set[str]:
        found = verdicts({**good, **changed}, times=5, missing=list(missing), peak_octets=octets, allowed=20)
        return {name for name, (holds, _) in found.items() if not holds}

    assert failing() == set()
    assert failing(overload=phase("overload", accepted=200, refused=1_800)) == {"goodput"}
    assert failing(overload=phase("overload", accepted=400)) == {"asked for", "refused quickly", "Retry-After"}
    assert failing(overload=phase("overload", accepted=350, refused=1_650, late=1_700)) == {"sent"}
    assert failing(overload=phase("overload", accepted=350, refused=1_650, seconds=3.0)) == {"accepted in time"}
    assert failing(after=phase("after", accepted=200, seconds=0.2)) == {"recovered"}
    assert failing(after=phase("after", accepted=200, wrong=1)) == {"nothing else"}
    assert failing(missing=("a",)) == {"receipts"}
    assert failing(octets=30) == {"memory"}
