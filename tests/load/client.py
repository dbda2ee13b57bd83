"""A client in a process of its own: what it is told on stdin it does, what came of it it says on stdout, in JSON lines.

    {"prepare": {"gemeente": 500}}                                 makes so many signed requests
    {"seconds": 5, "streams": {"gemeente": {"connections": 32, "rate": 2000}}}      runs a phase

A process of its own, so that its share of the processor is known, and is not in the way of who measures.
"""

import json
import sys
import time
import uuid
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from urllib.parse import urlsplit

from gateway.app import open_instance
from gateway.party import PartyClient
from gateway.transport import client_tls
from tests.chaos.messages import NOTICE, OPENING, letter
from tests.load.wire import Prepared, Stream, drive

SENDS = {"gemeente": (OPENING, "energie"), "bewindvoerder": (NOTICE, "energie")}


def preparing(client: PartyClient, slug: str, receiver: str | None) -> Callable[[], Prepared]:
    """A signed request of this party; each opens a conversation of its own."""
    element, usual = SENDS[slug]
    to = receiver or usual

    def prepare() -> Prepared:
        number = str(uuid.uuid4())
        message = letter(element, ref=number, conv=str(uuid.uuid4()), sender=slug, to=(to,))
        service, _, signed, *_ = client.wrap(message.octets)
        head = (f"POST {service.path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/xml; charset=utf-8\r\n"
                f'SOAPAction: ""\r\nContent-Length: {len(signed.octets)}\r\n\r\n')
        return Prepared(number=number, octets=head.encode() + signed.octets)

    return prepare


class Client:
    """The streams of a few parties of one instance."""

    def __init__(
        self, folder: Path, url: str, slugs: tuple[str, ...] = tuple(SENDS), receiver: str | None = None,
    ) -> None:
        instance, port = open_instance(folder), urlsplit(url).port or 0
        self._parties = {slug: instance.party(slug, url=url) for slug in slugs}
        self._prepare = {slug: preparing(client, slug, receiver) for slug, client in self._parties.items()}
        self.streams = {slug: Stream("127.0.0.1", port, client_tls(instance.party_tls(instance.resolve(slug))))
                        for slug in slugs}

    def prepare(self, numbers: dict[str, int]) -> None:
        """So many more of each party."""
        for slug, number in numbers.items():
            self.streams[slug].ready.extend(self._prepare[slug]() for _ in range(number))

    def run(self, seconds: float, streams: dict[str, dict[str, float]]) -> dict[str, object]:
        """A phase; what became of each stream, and the processor that it took here."""
        began, cpu = time.perf_counter(), time.process_time()
        chosen = [self.streams[slug] for slug in streams]
        for stream, asked in zip(chosen, streams.values(), strict=True):
            stream.begin(connections=int(asked["connections"]), rate=asked.get("rate"), now=time.perf_counter())
        feeding = time.perf_counter()
        drive(chosen, seconds)
        return {"began": began, "seconds": time.perf_counter() - feeding, "cpu": time.process_time() - cpu,
                "streams": {slug: asdict(self.streams[slug].told) for slug in streams}}

    def close(self) -> None:
        for stream in self.streams.values():
            stream.close()
        for party in self._parties.values():
            party.close()


def main(folder: str, url: str) -> None:
    client = Client(Path(folder), url)
    for line in sys.stdin:
        asked = json.loads(line)
        if "prepare" in asked:
            client.prepare(asked["prepare"])
            told: dict[str, object] = {"ready": {slug: len(one.ready) for slug, one in client.streams.items()}}
        else:
            told = client.run(asked["seconds"], asked["streams"])
        print(json.dumps(told), flush=True)
    client.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
