"""How many packages a process has under way: bounded, and no party has all of them."""

import asyncio
from datetime import UTC, datetime

import pytest

from gateway.errors import GatewayError, Overloaded, TooLarge, UnsupportedContent
from gateway.multipart import read_package_type
from gateway.transport.intake import Room
from gateway.transport.packages import Packages
from gateway.values import Received, Reply

NOW = datetime(2031, 3, 3, tzinfo=UTC)
TYPE = 'multipart/related; type="application/xop+xml"; boundary="b"; start="<r@x>"; start-info="text/xml"'
HEAD = b'--b\r\nContent-Type: application/xop+xml; type="text/xml"\r\nContent-ID: <r@x>\r\n\r\n'
RECEIVED = Received(octets=b"", path="/", content_type="text/xml", soap_action=None, peer=b"", at=NOW)


class Taken:
    """A request whose envelope was let in."""

    def __init__(self) -> None:
        self.abandoned = False

    def open(self, content_id: str | None) -> None: ...
    def write(self, octets: bytes) -> None: ...
    def close(self) -> None: ...

    def finish(self, at: datetime) -> Reply:
        return Reply(status=200, octets=b"done")

    def refuse(self, error: Exception) -> Reply:
        self.abandoned = True
        return Reply(status=500, octets=type(error).__name__.encode())

    def abandon(self) -> None:
        self.abandoned = True


def packages(*, room: int = 1000, begun: list[Taken] | None = None, most: int = 1000) -> Packages:
    def begin(received: Received, root: str | None) -> Taken:
        taken = Taken()
        (begun if begun is not None else []).append(taken)
        return taken

    def refuse(received: Received, error: GatewayError) -> Reply:
        return Reply(status=500, octets=type(error).__name__.encode())

    return Packages(begin=begin, refuse=refuse, now=lambda: NOW, max_octets=most, room=Room(room), at_once=8)


def stream(*pieces: bytes, wait: asyncio.Event | None = None):
    """The body, piece by piece; the last one after `wait`."""
    left = list(pieces)

    async def more() -> tuple[bytes, bool]:
        if wait is not None and len(left) == 1:
            await wait.wait()
        return left.pop(0), bool(left)
    return more


def test_of_eight_packages_a_party_has_two_and_all_have_eight() -> None:
    async def run() -> None:
        made, wait = packages(), asyncio.Event()
        whole = (HEAD + b"<a/>", b"\r\n--b--\r\n")
        tasks = [asyncio.create_task(made.serve(RECEIVED, f"oin-{number // 2}", read_package_type(TYPE),
                                                stream(*whole, wait=wait))) for number in range(8)]
        await asyncio.sleep(0)
        for oin in ("oin-0", "oin-9"):
            with pytest.raises(Overloaded):
                await made.serve(RECEIVED, oin, read_package_type(TYPE), stream(*whole))
        wait.set()
        assert {(await task)[0].octets for task in tasks} == {b"done"}
        assert (await made.serve(RECEIVED, "oin-0", read_package_type(TYPE), stream(*whole)))[0].octets == b"done"
        made.close()
    asyncio.run(run())


def test_an_envelope_for_which_there_is_no_room_or_that_is_too_large() -> None:
    async def run() -> None:
        made = packages(most=50)
        reply, whole = await made.serve(RECEIVED, "oin", read_package_type(TYPE), stream(HEAD + b"x" * 100))
        assert (reply.octets, whole) == (TooLarge.__name__.encode(), True)
        made.close()
        made = packages(room=400)
        with pytest.raises(Overloaded):  # the listener says how, and how often in full
            await made.serve(RECEIVED, "oin", read_package_type(TYPE), stream(HEAD + b"x" * 100))
        made.close()
    asyncio.run(run())


def test_what_breaks_off_is_abandoned() -> None:
    async def broken() -> tuple[bytes, bool]:
        if not begun:
            return HEAD + b"<a/>\r\n--b\r\nContent-ID: <f@x>\r\n\r\n" + b"y" * 300_000, True
        raise ConnectionError

    async def run() -> None:
        made = packages(room=10_000_000, begun=begun)
        with pytest.raises(ConnectionError):
            await made.serve(RECEIVED, "oin", read_package_type(TYPE), broken)
        made.close()

    begun: list[Taken] = []
    asyncio.run(run())
    assert begun[0].abandoned


def test_where_none_are_taken() -> None:
    made = Packages(begin=None, refuse=lambda received, error: Reply(status=500, octets=b""), now=lambda: NOW,
                    max_octets=9, room=Room(9), at_once=1)
    with pytest.raises(UnsupportedContent):
        asyncio.run(made.serve(RECEIVED, "oin", read_package_type(TYPE), stream(b"")))
    made.close()
