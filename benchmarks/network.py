"""End to end: a `gateway serve` of its own, mutual TLS on loopback, and a load client that shares its processors.

The ceiling of a request over the network is that of the line, and the hub's half of TLS and HTTP besides. `ratio_cpu`
sets it beside the processor time of the hub's processes; `ratio` sets the rate beside what all processors together
could do at that ceiling, were the client to take what it takes now. Memory is that of the workers. A session is known
to the worker that made it and to no other, so with two workers half of the connections at most are resumed.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.ceiling import Ceiling
from benchmarks.measure import quantiles
from benchmarks.primitives import handshake_us, wire_us
from benchmarks.processes import cpu_seconds, memory_mb
from benchmarks.rows import rows_beside
from benchmarks.wire import http_request
from benchmarks.world import P256, RSA, Peers
from gateway.app import open_instance
from gateway.app.instance import new_id
from tests.acceptance.hub import Hub, children, hub_on

_CEILING = 60  # messages, before each load

Figure = dict[str, object]


@dataclass(frozen=True, kw_only=True)
class Load:
    """One way to ask."""

    connections: int
    kind: str = "kept"  # or new, resumed
    key: str = RSA
    messages: int


LOADS = (
    Load(connections=1, messages=600), Load(connections=8, messages=1_600), Load(connections=32, messages=4_000),
    Load(connections=32, key=P256, messages=4_000),
    Load(connections=8, kind="new", messages=600), Load(connections=8, kind="resumed", messages=800),
)


@dataclass(kw_only=True)
class Served:
    """A hub that runs."""

    peers: Peers
    hub: Hub
    workers: list[int]  # process ids

    @property
    def memory(self) -> dict[str, float]:
        """Megabytes of one worker, on average."""
        each = [memory_mb(pid) for pid in self.workers]
        return {name: statistics.mean(one[name] for one in each) for name in each[0]}


@contextmanager
def served(folder: Path, workers: int) -> Iterator[Served]:
    """A hub on this instance folder, with so many workers."""
    with hub_on(folder, "--workers", str(workers)) as hub:
        assert hub.process is not None
        pids = children(hub.process.pid) if workers > 1 else [hub.process.pid]
        yield Served(peers=Peers(instance=open_instance(folder), base=hub.soap), hub=hub, workers=pids)


def measure_network(running: Served, loads: Sequence[Load] = LOADS,
                    told: Callable[[str], None] = lambda text: None) -> list[Figure]:
    """A row per load, one after the other on the same hub; with the memory before the first and after the last. `told`
    hears how far it is.
    """
    made, idle, workers = [], running.memory, len(running.workers)
    for load in loads:
        told(f"{workers} worker{'s' * (workers > 1)}, {load.connections} connections, {load.kind}, {load.key}")
        made.append({**_measured(running, load), "workers": workers})
    loaded = running.memory
    memory = {f"{name}_mb": figure for name, figure in idle.items()}
    memory |= {f"{name}_loaded_mb": figure for name, figure in loaded.items()}
    return [{**row, **memory} for row in made]


def _measured(running: Served, load: Load) -> Figure:
    requests = running.peers.lean([new_id() for _ in range(load.messages)], load.key)
    ceiling = _ceiling_us(running.peers, load)
    octets = [http_request(one, close=load.kind != "kept") for one in requests]
    seen, hub_cpu = fire(running, octets, load.connections, load.kind)
    assert not seen["refused"], f"{seen['refused']} of {load.messages} requests were not taken"
    count = len(seen["waits"])
    hub_us = hub_cpu / load.messages * 1e6  # the requests that warmed up are among them
    client_us = seen["client_cpu_seconds"] / count * 1e6
    rate = count / seen["seconds"]
    return {
        "connections": load.connections, "kind": load.kind, "key": load.key, "octets": len(requests[0].octets),
        "messages": count, "resumed": seen["resumed"] / count,
        "per_second": rate, **quantiles([wait * 1e6 for wait in seen["waits"]]),
        "hub_cpu_us": hub_us, "client_cpu_us": client_us, "ceiling_cpu_us": ceiling, "ratio_cpu": ceiling / hub_us,
        "ratio": rate / ((os.cpu_count() or 1) * 1e6 / (ceiling + client_us)),
    }


def fire(running: Served, requests: list[bytes], connections: int, kind: str) -> tuple[dict, float]:
    """Send them; what the client saw, and the seconds of processor that the hub took for all of them."""
    pki = running.peers.instance.folder / "pki"
    command = [sys.executable, "-m", "benchmarks.load", str(running.hub.port), str(pki), "gemeente", str(connections),
               kind]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as client:
        assert client.stdin is not None
        assert client.stdout is not None
        for request in requests:
            client.stdin.write(b"%d\n" % len(request) + request)
        client.stdin.close()
        assert client.stdout.readline() == b"ready\n"
        before = cpu_seconds(running.workers)
        seen = json.loads(client.stdout.readline())
        return seen, cpu_seconds(running.workers) - before


def _ceiling_us(peers: Peers, load: Load) -> float:
    """Processor microseconds of the least that a request needs, measured now."""
    requests = peers.lean([new_id() for _ in range(min(_CEILING, load.messages))], load.key)
    rows, schema = rows_beside(peers.instance), peers.schema("schuldregeling", "2.0")
    costs = []
    with closing(Ceiling(rows, schema, peers.signing("hub", load.key))) as top:
        for received in requests:
            begin = time.process_time()
            top.take(received)
            costs.append((time.process_time() - begin) * 1e6)
    wire = wire_us(peers, requests[0])
    if load.kind != "kept":
        wire += handshake_us(peers, resumed=load.kind == "resumed")
    return statistics.median(costs) + wire
