"""What a connection, a party and everybody together may take of the port; and that the others do not notice."""

import gc
import http.client
import socket
import threading
import time
import tracemalloc
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace

import pytest

from gateway.errors import Overloaded, RateLimited
from gateway.transport import ConnectionLimits, Load, RequestLimits, client_tls
from gateway.values import Reply
from tests.unit.transport.conftest import PATH, PLENTY, Running, Start
from tests.unit.transport.test_transport_http import head, read_all, read_until

pytestmark = pytest.mark.clause("§5.4")
OTHER = "00000099000000002000"


def ask(connection: http.client.HTTPSConnection, body: bytes = b"<a/>") -> http.client.HTTPResponse:
    connection.request("POST", PATH, body=body, headers={"Content-Type": "text/xml"})
    response = connection.getresponse()
    response.read()
    return response


def served(hub: Running, name: str = "party") -> bool:
    connection = hub.connection(name, timeout=5)
    try:
        return ask(connection).status == 200
    finally:
        connection.close()


def eventually(holds: Callable[[], bool]) -> None:
    """The event loop may be a step behind."""
    until = time.monotonic() + 5
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.002)


# --- rate ---------------------------------------------------------------------------------------------------------

def test_beyond_its_rate_a_party_gets_429_and_its_connection_goes_on(start: Start) -> None:
    """Once in ten seconds the refusal goes through the pipeline, which signs and journals it; else it is bare."""
    with start(allowance=replace(PLENTY, requests_per_second=1, burst=3)) as hub:
        connection = hub.connection()
        statuses = []
        for _ in range(8):
            response = ask(connection, b"x" * 5_000)
            statuses.append((response.status, response.getheader("Retry-After"), response.getheader("Connection")))
        connection.close()
        assert statuses == [(200, None, None)] * 3 + [(429, "1", None)] * 5
        assert len(hub.received) == 3
        assert [type(error) for _, error in hub.refused] == [RateLimited]
        assert hub.refused[0][0].octets == b"", "nothing of it was kept"
        assert hub.events == ["turned-away"] * 4


def test_contracts_count_too(start: Start) -> None:
    with start(allowance=replace(PLENTY, requests_per_second=1, burst=2), contracts={(PATH, "wsdl"): b"<w/>"}) as hub:
        connection = hub.connection()
        statuses = []
        for _ in range(4):
            connection.request("GET", PATH + "?wsdl")
            response = connection.getresponse()
            response.read()
            statuses.append(response.status)
        connection.close()
        assert statuses == [200, 200, 429, 429]
        assert not hub.refused


def test_a_body_beyond_the_rate_is_not_asked_for_nor_waited_for(start: Start) -> None:
    limits = RequestLimits(linger_seconds=0.2)
    with start(allowance=replace(PLENTY, requests_per_second=1, burst=1), limits=limits) as hub:
        assert served(hub)
        with hub.raw() as raw:
            raw.sendall(head(1_000_000, "Expect: 100-continue\r\n"))
            answer = read_all(raw)
        assert answer.startswith(b"HTTP/1.1 429 ")
        assert b"connection: close" in answer.lower()
        with hub.raw() as raw:
            raw.sendall(head(1_000_000) + b"x" * 1_000)
            assert read_all(raw).startswith(b"HTTP/1.1 429 ")


def test_a_rate_is_the_partys_whatever_certificate_and_connection(start: Start) -> None:
    with start(allowance=replace(PLENTY, requests_per_second=1, burst=2)) as hub:
        hub.pki.issue("spare")
        hub.pki.issue("other", oin=OTHER)
        assert [served(hub, name) for name in ("party", "spare", "party", "spare")] == [True, True, False, False]
        assert served(hub, "other")


# --- connections --------------------------------------------------------------------------------------------------

@pytest.mark.clause("WT008")
def test_a_connection_ends_after_its_term_with_a_full_answer(start: Start) -> None:
    with start(connections=ConnectionLimits(seconds=0.3)) as hub, hub.raw() as raw:
        raw.sendall(head() + b"<a/>")
        assert b"connection: close" not in read_until(raw, b"<answer/>").lower()
        time.sleep(0.35)
        raw.sendall(head() + b"<a/>")
        answer = read_all(raw)
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert answer.endswith(b"<answer/>")
        assert b"connection: close" in answer.lower()


@pytest.mark.clause("WT007", "WT008")
def test_a_connection_carries_so_many_requests(start: Start) -> None:
    with start(connections=ConnectionLimits(requests=3)) as hub:
        connection = hub.connection()
        assert [ask(connection).getheader("Connection") for _ in range(3)] == [None, None, "close"]
        assert ask(connection).status == 200, "on a new connection"
        connection.close()


def test_beyond_the_number_of_all_connections_there_is_503(start: Start) -> None:
    with start(connections=ConnectionLimits(connections=3)) as hub:
        with ExitStack() as stack:
            for _ in range(3):
                raw = stack.enter_context(hub.raw())
                raw.sendall(head() + b"<a/>")
                read_until(raw, b"<answer/>")
            with hub.raw() as fourth:
                answer = read_all(fourth)
            assert answer.startswith(b"HTTP/1.1 503 ")
            assert b"Retry-After: 10" in answer
        time.sleep(0.1)
        assert served(hub)


def test_many_idle_connections_stop_at_the_cap_and_others_are_served(start: Start) -> None:
    with start(allowance=replace(PLENTY, connections=5)) as hub:
        hub.pki.issue("other", oin=OTHER)
        context = client_tls(hub.pki.files("party"))
        with ExitStack() as stack:
            crowd = [stack.enter_context(hub.raw(context)) for _ in range(60)]
            assert served(hub, "other")
            refused = [raw for raw in crowd[5:] if read_all(raw).startswith(b"HTTP/1.1 429 ")]
            assert len(refused) == 55
            crowd[0].sendall(head() + b"<a/>")
            assert read_until(crowd[0], b"<answer/>").startswith(b"HTTP/1.1 200 ")


def test_answers_that_are_never_read_do_not_hold_the_connection(start: Start) -> None:
    """The listener stops to answer when its buffer is full, waits a while, and ends it; who reads gets all."""
    big = b"<a>" + b"x" * 2_000_000 + b"</a>"
    with start(lambda received: Reply(status=200, octets=big), connections=ConnectionLimits(idle_seconds=1)) as hub:
        with hub.raw() as raw:
            raw.sendall((head() + b"<a/>") * 10)
            time.sleep(1.6)
            assert read_all(raw).count(b"HTTP/1.1 200") < 10
        with hub.raw() as raw:
            raw.sendall((head() + b"<a/>") * 10)
            for _ in range(10):
                assert read_until(raw, b"</a>").endswith(big)


def test_more_requests_at_once_than_are_listened_to_end_the_connection_after_those_that_are(start: Start) -> None:
    """A segment of 32 KiB holds a thousand small requests; each would cost some kilobytes before any is served."""
    with start() as hub, hub.raw() as raw:
        raw.sendall((head() + b"<a/>") * 300)
        answers = read_all(raw)
        assert answers.count(b"HTTP/1.1 200") == answers.count(b"<answer/>") == len(hub.received) == 17
        assert answers.lower().count(b"connection: close") == 1
        assert served(hub)


# --- memory -------------------------------------------------------------------------------------------------------

def test_beyond_the_places_in_line_a_body_is_not_kept_and_the_connection_goes_on(start: Start) -> None:
    """Said in full once; then in short, with the moment to come again. Who then comes is served."""
    release = threading.Event()

    def answer(received: object) -> Reply:
        release.wait(10)
        return Reply(status=200, octets=b"<late/>")

    with start(answer, limits=RequestLimits(threads=1, waiting=1)) as hub, ExitStack() as stack:
        held = [stack.enter_context(hub.raw()) for _ in range(2)]
        for number, raw in enumerate(held, 1):
            raw.sendall(head() + b"<a/>")
            eventually(lambda number=number: sum((hub.load.running, hub.load.waiting)) == number)
        connection = hub.connection()
        told = [ask(connection, b"x" * 5_000) for _ in range(2)]
        assert [response.status for response in told] == [503] * 2
        assert [response.getheader("Connection") for response in told] == [None] * 2
        assert [type(error) for _, error in hub.refused] == [Overloaded]
        assert hub.refused[0][0].octets == b""
        assert hub.events == ["turned-away"]
        eventually(lambda: hub.load.octets == 2 * len(b"<a/>"))
        release.set()
        for raw in held:
            assert read_until(raw, b"<late/>").startswith(b"HTTP/1.1 200")
        time.sleep(int(told[-1].getheader("Retry-After") or "0"))
        assert ask(connection).status == 200
        connection.close()
        eventually(lambda: hub.load == Load(waiting=0, running=0, octets=0))


def test_a_connection_that_was_told_to_come_again_is_left_alone_for_a_moment(start: Start) -> None:
    """Its peer asks again and again without waiting: the octets stay in the socket, and others are answered first."""
    release = threading.Event()

    def answer(received: object) -> Reply:
        release.wait(10)
        return Reply(status=200, octets=b"<late/>")

    with start(answer, limits=RequestLimits(threads=1, waiting=1)) as hub, ExitStack() as stack:
        hub.pki.issue("other", oin=OTHER)
        first, second, hasty = [stack.enter_context(hub.raw()) for _ in range(3)]
        for number, raw in enumerate((first, second), 1):
            raw.sendall(head() + b"<a/>")
            eventually(lambda number=number: sum((hub.load.running, hub.load.waiting)) == number)
        hasty.sendall(head() + b"<a/>")
        assert read_until(hasty, b"<fault/>").startswith(b"HTTP/1.1 503 ")
        hasty.sendall(head() + b"<a/>")
        assert not served(hub, "other"), "one more to whom it is said"
        assert len(hub.events) + len(hub.refused) == 2, "the hasty one was not heard yet"
        release.set()
        assert b"<late/>" in read_until(hasty, b"<late/>"), "then it is heard"


def test_a_body_that_says_it_does_not_fit_is_not_waited_for(start: Start) -> None:
    limits = RequestLimits(octets_in_flight=400_000, linger_seconds=0.1)
    with start(limits=limits) as hub, hub.raw() as raw:
        raw.sendall(head(100_001) + b"x" * 50_000)
        assert read_all(raw).startswith(b"HTTP/1.1 503 ")
        eventually(lambda: hub.load.octets == 0)


def test_answers_that_are_not_read_count_until_they_are_and_keep_only_their_reader_waiting(start: Start) -> None:
    big = b"<a>" + b"x" * 20_000_000 + b"</a>"  # more than the system takes for a socket
    limits = RequestLimits(octets_in_flight=40_000_000)
    with start(lambda received: Reply(status=200, octets=big), limits=limits) as hub, hub.raw() as slow:
        hub.pki.issue("other", oin=OTHER)
        slow.sendall(head() + b"<a/>")
        eventually(lambda: hub.load.octets == len(big))
        assert not served(hub)
        assert served(hub, "other")
        assert read_until(slow, b"</a>").endswith(big)
        eventually(lambda: hub.load.octets == 0)
        assert served(hub)


def test_an_idle_connection_costs_little_memory(start: Start) -> None:
    """asyncio's own buffer of 256 KiB would take half a gigabyte for the connections of one process."""
    tracemalloc.start()
    try:
        with start() as hub, ExitStack() as stack:
            context = client_tls(hub.pki.files("party"))
            seen, count = list[int](), 40
            for _ in range(2):
                for _ in range(count):
                    raw = stack.enter_context(hub.raw(context))
                    raw.sendall(head() + b"<a/>")
                    read_until(raw, b"<answer/>")
                gc.collect()
                seen.append(tracemalloc.get_traced_memory()[0])
            assert 0 < (seen[1] - seen[0]) / count < 60_000
    finally:
        tracemalloc.stop()


# --- handshakes ---------------------------------------------------------------------------------------------------

def half_open(hub: Running, count: int, stack: ExitStack) -> list[socket.socket]:
    """Connections that begin a TLS record and say no more."""
    opened = []
    for _ in range(count):
        raw = stack.enter_context(socket.create_connection(("127.0.0.1", hub.port), timeout=10))
        raw.sendall(b"\x16\x03\x01")
        opened.append(raw)
    return opened


def test_half_open_handshakes_starve_nobody_and_end(start: Start) -> None:
    with start(connections=ConnectionLimits(handshake_seconds=1.0)) as hub, ExitStack() as stack:
        crowd = half_open(hub, 200, stack)
        began = time.monotonic()
        assert served(hub)
        assert time.monotonic() - began < 0.9, "before any of them ended"
        for raw in crowd:
            assert read_all(raw) == b""
        assert time.monotonic() - began < 5
        assert served(hub)


def test_beyond_their_number_the_oldest_handshake_makes_room(start: Start) -> None:
    with start(connections=ConnectionLimits(handshakes=128)) as hub, ExitStack() as stack:
        crowd = half_open(hub, 300, stack)
        assert served(hub)
        assert [read_all(raw) for raw in crowd[:100]] == [b""] * 100
        crowd[-1].settimeout(0.05)
        with pytest.raises(TimeoutError):
            crowd[-1].recv(1)
        assert served(hub)
