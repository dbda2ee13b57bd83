"""A TCP proxy that loses connections: between parties and one node, it cuts after so many octets, either way.

    python -m tests.chaos.proxy SEED PORT…

Listens on as many free ports of the loopback, prints them in one line, and passes on to the PORTs. Half of the
connections are doomed: after a number of octets in one direction they are reset, closed, or nothing comes through any
more. A cut on the way in hits before the hub's commit; one on the way out hits behind it. A line `calm` on stdin ends
all that. Ends when stdin does.
"""

import asyncio
import contextlib
import socket
import struct
import sys
from dataclasses import dataclass
from random import Random

_HANG_SECONDS = 20.0  # a connection through which nothing comes ends some time, too
_CHUNK = 65_536


@dataclass(slots=True, kw_only=True)
class Doom:
    """What becomes of one connection: in this direction, after so many octets."""

    inward: bool
    octets: int
    how: str  # reset, close, hang


class Proxy:
    """All connections to one node."""

    def __init__(self, chance: Random, target: int) -> None:
        self._chance, self._target = chance, target
        self.calm = False

    def _doom(self) -> Doom | None:
        if self._chance.random() < 0.5:
            return None
        return Doom(inward=self._chance.random() < 0.5, octets=int(10 ** self._chance.uniform(2.3, 5.8)),
                    how=self._chance.choice(("reset", "reset", "close", "hang")))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        doom = self._doom()
        try:
            there = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            _reset(writer)
            return
        ways = [asyncio.ensure_future(self._pass(reader, there[1], doom if doom and doom.inward else None)),
                asyncio.ensure_future(self._pass(there[0], writer, doom if doom and not doom.inward else None))]
        done, pending = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        cut = any(not way.exception() and way.result() == "reset" for way in done)
        for way in pending:
            way.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        for end in (writer, there[1]):
            _reset(end) if cut else end.close()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, doom: Doom | None) -> str:
        """Octets one way until their end or the doom; how it ended."""
        passed = 0
        with contextlib.suppress(OSError):
            while octets := await reader.read(_CHUNK):
                if doom is not None and not self.calm and passed + len(octets) >= doom.octets:
                    writer.write(octets[:max(0, doom.octets - passed)])
                    await writer.drain()
                    if doom.how == "hang":
                        await asyncio.sleep(_HANG_SECONDS)
                    return doom.how
                passed += len(octets)
                writer.write(octets)
                await writer.drain()
            return "end"
        return "reset"


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close with RST, as a crashed peer or a firewall does."""
    connection = writer.get_extra_info("socket")
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.close()


async def main(seed: str, targets: list[int]) -> None:
    proxies = [Proxy(Random(f"{seed}/proxy/{number}"), target) for number, target in enumerate(targets)]
    servers = [await asyncio.start_server(proxy.serve, "127.0.0.1", 0) for proxy in proxies]
    print(*(server.sockets[0].getsockname()[1] for server in servers), flush=True)
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        for proxy in proxies:
            proxy.calm = line.strip() == "calm"
    for server in servers:
        server.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], [int(port) for port in sys.argv[2:]]))
