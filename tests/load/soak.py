"""`make soak`: steady load for as long as you like; does anything grow?

    python -m tests.load.soak --minutes 10 [--store sqlite|postgres] [--rate 12] [--workers 1] [--seed N] [--json]

First the store is filled, so that what it keeps in memory is full. Then parties send, collect, confirm, take push, are
refused, repeat, let messages expire and ask after them, at a steady pace. Memory, files, threads, logs and answer times
are sampled all the while. What counts is the straight line through them after the first quarter: what it may rise is in
BOUNDS, with the reason. Exit 0: nothing grows. Writes build/soak.json.
"""

import argparse
import json
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from random import SystemRandom

from rich.console import Console
from rich.table import Table

from gateway.app import open_instance, upgrade_store
from tests import pushing
from tests.acceptance.hub import Hub
from tests.chaos.messages import PARTIES
from tests.chaos.run import interruptible, make_template
from tests.line import edit_parties
from tests.load.actors import Book, Cast
from tests.load.client import Client
from tests.load.gauge import Gauge, workers_of
from tests.load.overload import ms, quantile
from tests.load.trend import Bound, Trend, judge
from tests.load.wire import drive
from tests.pushing import Receiver, Request, Told, receiving

ROOT = Path(__file__).parents[2]
_WARMING = 0.25  # share of the run that does not count: caches fill, threads and connections are made
_PUSHED = "deurwaarder"
_FILLED, _AT_ONCE = 4_500, 500  # messages before it begins, of some 9 KB in the store
_MB = 1e-6

BOUNDS = {
    "pss": Bound(name="memory", unit="MB", scale=_MB, share=0.04, room=8.0,
                 why="1 KB a message in ten minutes, and what allocators and caches do"),
    "files": Bound(name="file handles", unit="", scale=1.0, share=0.0, room=15.0,
                   why="a connection to the store has three, and there are a few more or less"),
    "threads": Bound(name="threads", unit="", scale=1.0, share=0.0, room=4.0, why="they are renewed now and then"),
    "wal": Bound(name="log of the store", unit="MB", scale=_MB, share=0.1, room=8.0,
                 why="it is written over from its begin, between two bounds"),
    "p50": Bound(name="answer, median", unit="ms", scale=1e3, share=0.4, room=8.0, why="others use this machine"),
    "p99": Bound(name="answer, p99", unit="ms", scale=1e3, share=0.5, room=50.0, why="one checkpoint of the disk"),
}


class Scene:
    """A hub with its parties, set up in order and taken down in reverse."""

    def __init__(self, folder: Path, *, store: str, workers: int, rate: float, seed: int, stack: ExitStack) -> None:
        self.book = Book()
        instance = folder / "instance"
        make_template(instance)
        self._log = instance / "gateway.db-wal"
        self._data = instance / "gateway.db"
        if store == "postgres":
            self._use_postgres(instance, stack)
        receiver = stack.enter_context(receiving(instance, _PUSHED, PARTIES[_PUSHED]))
        receiver.behaves(self._taken)
        edit_parties(instance, **{_PUSHED: {"push": receiver.url}})
        self.hub = Hub(folder=instance, options=("--workers", str(workers)))
        stack.callback(self.hub.end)
        self.hub.start()
        assert self.hub.process is not None
        self.gauge = Gauge(pids=workers_of(self.hub.process.pid), also=self._also)
        self.actors = Cast(self.hub.party, self.book, seed).actors(rate)

    def _use_postgres(self, instance: Path, stack: ExitStack) -> None:
        from tests.chaos.postgres import Postgres

        server = Postgres()
        stack.callback(server.end)
        file = instance / "gateway.toml"
        text = file.read_text("utf-8")
        assert text.count("sqlite:///gateway.db") == 1
        file.write_text(text.replace("sqlite:///gateway.db", server.url), "utf-8")
        upgrade_store(instance)
        self._data = server.folder / "data" / "base"
        self._log = server.folder / "data" / "pg_wal"

    def fill(self) -> None:
        """As many messages, for one who never fetches, as the cache of the store holds (32 MiB), and some more."""
        client = Client(self.hub.folder, self.hub.soap, ("gemeente",), receiver="zorgverzekeraar")
        stream = client.streams["gemeente"]
        for _ in range(_FILLED // _AT_ONCE):
            client.prepare({"gemeente": _AT_ONCE})
            while stream.ready:
                stream.begin(connections=16, rate=None, now=0.0)
                drive([stream], 0.5)
                assert not stream.told.other, stream.told.other
        client.close()

    def _taken(self, receiver: Receiver, request: Request) -> Told:
        receiver.requests.clear()
        receiver.taken.clear()
        self.book.counts["pushed"] += 1
        return pushing.well(receiver, request)

    def _also(self) -> dict[str, float]:
        window = self.book.window()
        return {"wal": float(size_of(self._log)), "store": float(size_of(self._data)),
                "accepted": float(self.book.counts["accepted"]),
                "p50": statistics.median(window) if window else 0.0, "p99": quantile(window)}


def size_of(path: Path) -> int:
    """Octets of a file, or of all files below a folder."""
    files = path.rglob("*") if path.is_dir() else [path]
    total = 0
    for file in files:
        try:
            total += file.stat().st_size
        except FileNotFoundError:
            continue
    return total


@contextmanager
def acting(scene: Scene) -> Iterator[None]:
    for actor in scene.actors:
        actor.start()
    try:
        yield
    finally:
        for actor in scene.actors:
            actor.halt()


def soak(scene: Scene, seconds: float, say: Callable[[str], None]) -> None:
    """Sample until the time is over."""
    began = time.monotonic()
    every = min(5.0, seconds / 40)
    told = began
    with acting(scene):
        while time.monotonic() < began + seconds:
            time.sleep(every)
            sample = scene.gauge.look()
            if time.monotonic() - told >= 30:
                told = time.monotonic()
                say(f"{told - began:5.0f} s  {sample['accepted']:,.0f} accepted, {sample['pss'] * _MB:.0f} MB, "
                    f"{sample['files']:.0f} files, {sample['threads']:.0f} threads, log {sample['wal'] * _MB:.1f} MB, "
                    f"p50 {ms(sample['p50'])} ms, p99 {ms(sample['p99'])} ms")


def trends(samples: list[dict[str, float]]) -> list[Trend]:
    """What the run did once it was warm."""
    counted = samples[round(len(samples) * _WARMING):]
    at = [sample["at"] - samples[0]["at"] for sample in counted]
    return [judge(bound, at, [sample[key] for sample in counted]) for key, bound in BOUNDS.items()]


def store_growth(samples: list[dict[str, float]]) -> tuple[float, float]:
    """Octets of the store per accepted message, in the first and in the last third of what counts."""
    counted = samples[round(len(samples) * _WARMING):]
    third = len(counted) // 3

    def per_message(part: list[dict[str, float]]) -> float:
        return (part[-1]["store"] - part[0]["store"]) / max(1.0, part[-1]["accepted"] - part[0]["accepted"])

    return per_message(counted[:third + 1]), per_message(counted[-third - 1:])


def show(found: list[Trend], lines: list[tuple[str, bool]]) -> None:
    table = Table("", "what", "from", "to", "at most", "may rise", "because")
    for one in found:
        unit = one.bound.unit
        table.add_row("✓" if one.holds else "✗", one.bound.name, *(f"{value:.1f} {unit}" for value in (
            one.first, one.last, one.most, one.allowed)), one.bound.why)
    console = Console(width=150)
    console.print(table)
    for words, holds in lines:
        console.print(f"{'✓' if holds else '✗'} {words}")


def main() -> int:
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--store", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--rate", type=float, default=12.0, help="messages a second that are accepted")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--json", action="store_true", help="on stdout, nothing else")
    asked = parser.parse_args()
    seed = SystemRandom().randrange(1, 2**31) if asked.seed is None else asked.seed
    say = partial(print, file=sys.stderr if asked.json else sys.stdout, flush=True)
    say(f"seed {seed}; {asked.minutes:g} minutes at {asked.rate:g} messages a second")
    folder = Path(tempfile.mkdtemp(prefix="soak-"))
    try:
        with interruptible(), ExitStack() as stack:
            scene = Scene(folder, store=asked.store, workers=asked.workers, rate=asked.rate, seed=seed, stack=stack)
            if asked.store == "sqlite":  # else the cache is another process'
                say(f"{_FILLED} messages before it begins")
                scene.fill()
            soak(scene, asked.minutes * 60, say)
            code = scene.hub.stop()
            with open_instance(scene.hub.folder).operations() as operations:
                whole = operations.verify_journal(lambda done: None)["holds"]
            log = scene.hub.log
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    book, samples, found = scene.book, scene.gauge.samples, trends(scene.gauge.samples)
    early, late = store_growth(samples)
    mistakes = sum('"event": "mistake"' in line for line in log.splitlines())
    lines = [
        (f"the store grows by {early:,.0f} octets a message early on, {late:,.0f} later", late <= 1.3 * early + 2_000),
        (f"{dict(book.counts)}", all(book.counts[one] for one in ("accepted", "confirmed", "pushed", "refused"))),
        (f"{len(book.wrong)} things went wrong {book.wrong[:3] or ''}", not book.wrong),
        (f"{mistakes} mistakes in the log", not mistakes),
        ("the journal holds", bool(whole)),
        (f"the hub drained with exit code {code}", code == 0),
    ]
    report = {
        "minutes": asked.minutes, "store": asked.store, "rate": asked.rate, "workers": asked.workers, "seed": seed,
        "trends": {one.bound.name: {"unit": one.bound.unit, "first": one.first, "last": one.last, "most": one.most,
                                    "allowed": one.allowed, "holds": one.holds} for one in found},
        "also": dict(lines), "samples": samples,
    }
    (ROOT / "build").mkdir(exist_ok=True)
    (ROOT / "build" / "soak.json").write_text(json.dumps(report, indent=1) + "\n", "utf-8")
    print(json.dumps(report)) if asked.json else show(found, lines)
    return 0 if all(one.holds for one in found) and all(holds for _, holds in lines) else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
