"""`make bench`: the way in, collecting and confirming beside a ceiling, and how cost grows; writes build/bench.json.

The ratio is what counts; the absolute figures are of this machine, now. One thread shows what a message costs; eight
threads share commits, so it shows what the store adds to a disk that takes its time.
"""

import json
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.ceiling import Ceiling
from benchmarks.growth import ENTRIES, WAITING, growth
from benchmarks.measure import compare
from benchmarks.push import measure_push
from benchmarks.world import P256, RSA, World, world
from gateway.app.instance import new_id, utc_now
from gateway.values import Received

_ROUNDS = 7
_TARGET = 0.75
_UNDISTURBED = 0.9  # of the rate of deliveries, beside a service that hangs and one that fails
_SEALED = 6_000  # octets
_COLUMNS = {  # those that fit a terminal; the file has all
    "measure": "measure", "key": "key", "threads": "threads", "ceiling_us": "ceiling µs", "ours_us": "ours µs",
    "ratio": "ratio", "ratio_cpu": "of cpu", "per_second": "per s", "p99_us": "p99 µs",
}

Row = dict[str, object]


@dataclass(frozen=True, kw_only=True)
class Case:
    """One thing to measure."""

    measure: str
    make: Callable[[World, list[str]], list[Received]]  # a request per Referentienummer
    module: tuple[str, str] = ("schuldregeling", "2.0")  # whose schema judges the request
    key: str = RSA
    threads: int = 1
    per_round: int = 100


_CASES = (
    Case(measure="way in, 10 KB", make=lambda hub, numbers: hub.questions(numbers, 2)),
    Case(measure="way in, 50 KB", make=lambda hub, numbers: hub.questions(numbers, 400), per_round=40),
    Case(measure="way in, 10 KB", make=lambda hub, numbers: hub.questions(numbers, 2, P256), key=P256),
    Case(measure="way in, 10 KB", make=lambda hub, numbers: hub.questions(numbers, 2), threads=8, per_round=240),
    Case(measure="way in, 10 KB", make=lambda hub, numbers: hub.questions(numbers, 2, P256), key=P256, threads=8,
         per_round=240),
)
# What the first of these fetches, the second confirms; before them the same numbers go the way in, unmeasured.
_MAILBOX = (
    Case(measure="collect", make=lambda hub, numbers: hub.asked("HaalBerichtOp", numbers), module=("knooppunt", "1.0")),
    Case(measure="confirm", make=lambda hub, numbers: hub.asked("BevestigBericht", numbers),
         module=("knooppunt", "1.0")),
)


def main() -> None:
    """Measure, show, write."""
    with world() as hub:
        rows = [_measured(hub, case, _numbers(case)) for case in _CASES]
        fetched = _numbers(_MAILBOX[0])
        for received in hub.questions(fetched, 2):
            hub.served(received)
        rows += [_measured(hub, case, fetched) for case in _MAILBOX]
        sealing = _sealing(hub)
        push = measure_push(hub)
    grown = growth()
    out = Path("build") / "bench.json"
    out.parent.mkdir(exist_ok=True)
    figures = {"rows": rows, "target": _TARGET, "sealing_us": sealing, "push": push, "growth": grown}
    out.write_text(json.dumps(figures, indent=2), "utf-8")
    _show(rows, out)
    share = sealing / float(str(rows[0]["ours_us"]))
    Console().print(
        f"push: {push['per_second']:.0f} per s; beside a service that hangs and one that fails to the others "
        f"{push['per_second_beside_trouble']:.0f} per s, ratio {push['ratio']:.2f}, target {_UNDISTURBED}",
        soft_wrap=True)
    Console().print(f"sealing {_SEALED} octets takes {sealing:.0f} µs, {share:.1%} of the first way in", soft_wrap=True)
    _show_growth(grown)


def _sealing(hub: World) -> float:
    """Microseconds to seal one message of 6 KB: the median of rounds."""
    sealer, now, content = hub.instance.sealer(), utc_now(), bytes(_SEALED)

    def one_round() -> float:
        begin = time.perf_counter()
        for _ in range(200):
            sealer.seal(content, b"context", now)
        return (time.perf_counter() - begin) / 200 * 1e6

    return statistics.median(one_round() for _ in range(_ROUNDS))


def _numbers(case: Case) -> list[str]:
    return [new_id() for _ in range(case.per_round * (_ROUNDS + 1))]


def _measured(hub: World, case: Case, numbers: list[str]) -> Row:
    requests = case.make(hub, numbers)
    ceiling = Ceiling(hub.instance.folder, hub.schema(*case.module), hub.signing("hub", case.key))
    figures = compare(requests, ceiling.take, hub.served, threads=case.threads, rounds=_ROUNDS)
    ceiling.close()
    return {"measure": case.measure, "octets": len(requests[0].octets), "key": case.key, "threads": case.threads,
            **figures}


def _show_growth(rows: list[Row]) -> None:
    table = Table(title=f"growth: {ENTRIES:,} journal entries and, for each of two parties, {WAITING:,} waiting "
                        "messages, beside a small store", title_justify="left", box=None, padding=(0, 1, 0, 0))
    for title in ("step", "small µs", "large µs", "growth"):
        table.add_column(title, justify="left" if title == "step" else "right", no_wrap=True)
    for row in rows:
        table.add_row(*map(_written, row.values()))
    Console().print(table)


def _show(rows: list[Row], out: Path) -> None:
    table = Table(title="per message (medians of rounds)", title_justify="left", box=None, padding=(0, 1, 0, 0))
    for name, title in _COLUMNS.items():
        table.add_column(title, justify="left" if name in ("measure", "key") else "right", no_wrap=True)
    for row in rows:
        table.add_row(*(_written(row[name]) for name in _COLUMNS))
    console = Console()
    console.print(table)
    console.print(f"ratio = ceiling / ours, target {_TARGET}. 1 would be parse, C14N, digests, verifying a signature, "
                  f"XSD, one durable insert and making a signature, and nothing else. Written to {out}", soft_wrap=True)


def _written(value: object) -> str:
    return str(value) if not isinstance(value, float) else f"{value:.2f}" if value < 10 else f"{value:.0f}"


if __name__ == "__main__":
    main()
