"""`make overload`: a hub under five times what it can do, and after it.

    python -m tests.load.overload [--seconds 12] [--times 5] [--workers 2] [--connections 400] [--json]

1 peak: as many requests as get done over 32 connections. 2 before: half of that, at a steady rate. 3 overload: `times`
the peak, at a steady rate whatever becomes of them, over as many connections as a party may have by default to two
workers; a small party sends its one in twenty beside it. 4 after: half the peak again, at once. Then every receipt is
looked up in the store.

Rates are measured in the same run, with the client on the same cores, so the figures are ratios. Exit 0: all of it
held. Writes build/overload.json.
"""

import argparse
import json
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from gateway.settings import load_settings
from tests.acceptance.hub import Hub
from tests.chaos.run import interruptible, make_template
from tests.load.ceiling import ceiling
from tests.load.gauge import Gauge, take, workers_of
from tests.load.wire import Told

ROOT = Path(__file__).parents[2]
BIG, SMALL = "gemeente", "bewindvoerder"
_GOODPUT = 0.8  # of the peak, under overload
_SMALL_SERVED = 0.9  # of what the small party sends
_ACCEPTED_P99, _REFUSED_P99 = 1.5, 1.0  # seconds: an accepted one stood in a line of 72; a refused one in none, but
# a connection that does not obey Retry-After is not read for half a second
_RECOVERED = 2.0, 0.05  # p99 after ≤ so many times that before, and so many seconds
_SETTLING = 2.0  # seconds after the overload that do not count


class Caller:
    """The client's process."""

    def __init__(self, folder: Path, url: str) -> None:
        self._process = subprocess.Popen([sys.executable, "-m", "tests.load.client", str(folder), url], cwd=ROOT,
                                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def _ask(self, asked: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the client broke")
        told: dict[str, Any] = json.loads(line)
        return told

    def prepare(self, **numbers: int) -> None:
        self._ask({"prepare": numbers})

    def run(self, seconds: float, **streams: dict[str, float]) -> tuple[dict[str, Told], float, float]:
        """What became of each stream, the seconds it took, and the client's processor."""
        told = self._ask({"seconds": seconds, "streams": streams})
        return {slug: Told(**one) for slug, one in told["streams"].items()}, told["seconds"], told["cpu"]

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """One phase, as it is told."""

    name: str
    seconds: float  # of the phase
    told: dict[str, Told]
    hub_cpu: float  # cores
    client_cpu: float

    @property
    def per_second(self) -> float:
        return sum(one.in_time for one in self.told.values()) / self.seconds

    def p99(self, *, refused: bool = False) -> float:
        return quantile([second for one in self.told.values() for second in (one.refused if refused else one.accepted)])

    def row(self) -> dict[str, object]:
        told = self.told.values()
        return {
            "phase": self.name, "seconds": round(self.seconds, 1), "offered": sum(one.offered for one in told),
            "late": sum(one.late for one in told), "accepted": sum(len(one.accepted) for one in told),
            "per_second": round(self.per_second, 1), "refused_503": sum(len(one.refused) for one in told),
            "accepted_p50_ms": ms(quantile([s for one in told for s in one.accepted], 0.5)),
            "accepted_p99_ms": ms(self.p99()), "refused_p99_ms": ms(self.p99(refused=True)),
            "hub_cores": round(self.hub_cpu, 2), "client_cores": round(self.client_cpu, 2),
        }


def quantile(values: Sequence[float], share: float = 0.99) -> float:
    return statistics.quantiles(values, n=1000)[round(share * 1000) - 1] if len(values) > 1 else 0.0


def ms(seconds: float) -> float:
    return round(seconds * 1000, 1)


@contextmanager
def serving(folder: Path, workers: int) -> Iterator[Hub]:
    """A hub in which no quota hides the overload."""
    make_template(folder)
    file = folder / "gateway.toml"
    text = file.read_text("utf-8")
    limits = "[limits]\nrequests_per_second = 100_000\nburst = 1_000_000\nconnections_per_party = 2_000\n"
    assert text.count("[limits]\n") == 1
    file.write_text(text.replace("[limits]\n", limits), "utf-8")
    hub = Hub(folder=folder, options=("--workers", str(workers)))
    try:
        hub.start()
        yield hub
    finally:
        hub.end()


class Run:
    """The phases on one hub."""

    def __init__(self, hub: Hub, caller: Caller, gauge: Gauge, say: Callable[[str], None]) -> None:
        self._hub, self._caller, self._gauge, self._say = hub, caller, gauge, say
        self.phases: list[Phase] = []
        self.receipts: list[str] = []

    def phase(self, name: str, seconds: float, **streams: dict[str, float]) -> Phase:
        cpu = self._gauge.look()["cpu"]
        told, took, client = self._caller.run(seconds, **streams)
        spent = self._gauge.look()["cpu"] - cpu
        phase = Phase(name=name, seconds=seconds, told=told, hub_cpu=spent / took, client_cpu=client / took)
        for one in told.values():
            self.receipts += one.receipts
        if name:
            self.phases.append(phase)
            self._say(f"{name}: {phase.per_second:.0f} accepted a second of {phase.row()['offered']} in {took:.1f} s")
        return phase

    def all(self, seconds: float, times: float, connections: int) -> None:
        self._caller.prepare(**{BIG: 1_200, SMALL: 1})
        first = self.phase("", 2.0, **{BIG: {"connections": 32}}).per_second  # warms up, and says how much to prepare
        self._caller.prepare(**{BIG: int(first * seconds * 2.2) + 500, SMALL: int(first * seconds / 10) + 200})
        peak = self.phase("peak", seconds / 2, **{BIG: {"connections": 32}}).per_second
        half = {BIG: {"connections": 32, "rate": peak / 2}}
        self.phase("before", seconds / 3, **half)
        self.phase("overload", seconds, **{BIG: {"connections": connections, "rate": times * peak},
                                           SMALL: {"connections": 8, "rate": peak / 20}})
        self.phase("", _SETTLING, **half)
        self.phase("after", seconds / 3, **half)


def lost(folder: Path, receipts: Iterable[str]) -> list[str]:
    """The numbers that had a receipt and are not in the store."""
    with closing(sqlite3.connect(folder / "gateway.db")) as database:
        kept = {row[0] for row in database.execute("SELECT referentienummer FROM messages")}
    return sorted(set(receipts) - kept)


def verdicts(phases: dict[str, Phase], *, times: float, missing: list[str], peak_octets: int, allowed: int,
             ) -> dict[str, tuple[bool, str]]:
    """What must hold → whether it does, and by how much."""
    peak, before, over, after = (phases[name] for name in ("peak", "before", "overload", "after"))
    small, big = over.told[SMALL], over.told[BIG]
    answered = len(small.accepted) + len(small.refused)
    came, held_back = (big.offered + small.offered) / over.seconds, (big.late + small.late) / over.seconds
    retries = [one for told in over.told.values() for one in told.retry_after]
    wrong = {what: count for phase in phases.values() for told in phase.told.values()
             for what, count in told.other.items()}
    most = _RECOVERED[0] * before.p99() + _RECOVERED[1]
    goodput = over.per_second / peak.per_second
    return {
        "goodput": (goodput >= _GOODPUT, f"{goodput:.0%} of the peak; at least {_GOODPUT:.0%}"),
        "asked for": (came >= 0.9 * times * peak.per_second,
                      f"{came:.0f} requests a second, {came / peak.per_second:.1f} × the peak"),
        "sent": (came - held_back > peak.per_second,
                 f"{came - held_back:.0f} a second, more than the peak; {held_back:.0f} found every connection of "
                 "their party waiting for an answer"),
        "accepted in time": (over.p99() <= _ACCEPTED_P99, f"p99 {ms(over.p99())} ms; at most {ms(_ACCEPTED_P99)}"),
        "refused quickly": (0 < over.p99(refused=True) <= _REFUSED_P99,
                            f"p99 {ms(over.p99(refused=True))} ms; at most {ms(_REFUSED_P99)}"),
        "Retry-After": (not any(told.without for told in over.told.values()) and bool(retries),
                        f"in each of {len(retries)}, {min(retries, default=0)} to {max(retries, default=0)} s"),
        "the small party": (len(small.accepted) >= _SMALL_SERVED * answered > 0,
                            f"{len(small.accepted)} of {answered} served; at least {_SMALL_SERVED:.0%}"),
        "recovered": (after.p99() <= most and not after.told[BIG].refused,
                      f"p99 {ms(after.p99())} ms, before {ms(before.p99())}; {_SETTLING:g} s after the end"),
        "receipts": (not missing, f"{len(missing)} of those that had one are not in the store"),
        "nothing else": (not wrong, str(wrong or "only 200 and 503")),
        "memory": (peak_octets <= allowed, f"a process had {peak_octets / 1e6:.0f} MB; ceiling {allowed / 1e6:.0f}"),
    }


def show(rows: list[dict[str, object]], found: dict[str, tuple[bool, str]]) -> None:
    console = Console(width=150)
    table = Table(*rows[0])
    for row in rows:
        table.add_row(*map(str, row.values()))
    console.print(table)
    for name, (holds, words) in found.items():
        console.print(f"{'✓' if holds else '✗'} {name}: {words}")


def main() -> int:
    parser = argparse.ArgumentParser(prog="make overload", description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=12.0, help="of the overload")
    parser.add_argument("--times", type=float, default=5.0, help="the peak")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--connections", type=int, default=400)
    parser.add_argument("--json", action="store_true", help="on stdout, nothing else")
    asked = parser.parse_args()
    say = partial(print, file=sys.stderr if asked.json else sys.stdout, flush=True)
    folder = Path(tempfile.mkdtemp(prefix="overload-"))
    try:
        with interruptible(), serving(folder / "instance", asked.workers) as hub:
            assert hub.process is not None
            pids = workers_of(hub.process.pid)
            begun = max(take(pid).pss for pid in pids)
            gauge, caller = Gauge(pids=pids), Caller(hub.folder, hub.soap)
            gauge.start()
            try:
                run = Run(hub, caller, gauge, say)
                run.all(asked.seconds, asked.times, asked.connections)
            finally:
                gauge.halt()
                caller.close()
            code = hub.stop()
            missing = lost(hub.folder, run.receipts)
            allowed = ceiling(load_settings(hub.folder), started=begun)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    phases = {phase.name: phase for phase in run.phases}
    found = verdicts(phases, times=asked.times, missing=missing, peak_octets=gauge.peak, allowed=allowed)
    found["drained"] = (code == 0, f"exit code {code}")
    rows = [phase.row() for phase in run.phases]
    report = {"workers": asked.workers, "times": asked.times, "phases": rows, "receipts": len(run.receipts),
              "verdicts": {name: {"holds": holds, "words": words} for name, (holds, words) in found.items()}}
    (ROOT / "build").mkdir(exist_ok=True)
    (ROOT / "build" / "overload.json").write_text(json.dumps(report, indent=2) + "\n", "utf-8")
    print(json.dumps(report)) if asked.json else show(rows, found)
    return 0 if all(holds for holds, _ in found.values()) else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
