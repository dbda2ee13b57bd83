"""`make bench`: the way in beside its ceiling, in one run; writes build/bench.json.

Two loops over the same signed requests, in turn, so that a machine that drifts drifts for both. The ratio is what
counts; the absolute figures are of this machine, now. One thread sends; processor time is of the whole process.
"""

import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.ceiling import Ceiling
from benchmarks.world import world
from gateway.pipeline import answer
from gateway.values import Received

_SIZES = (("6 KB", 2), ("60 KB", 400))  # name, claims in the SaldoVerzoek
_ROUNDS, _PER_ROUND, _WARM = 7, 100, 60
_TARGET = 0.75


def main() -> None:
    """Measure, show, write."""
    rows = []
    with world() as hub:
        schema = hub.instance.settings.sets.xsd / "schuldregeling" / "2.0" / "berichten.xsd"
        ceiling = Ceiling(hub.instance.folder, schema, hub.instance.signing[0])
        for name, claims in _SIZES:
            requests = hub.requests(_WARM + _ROUNDS * _PER_ROUND, claims)
            rows.append({"measure": "way in", "size": name, "octets": len(requests[0].octets),
                         **_compare(requests, ceiling.take, lambda received: _accept(received, hub.gate))})
    out = Path("build") / "bench.json"
    out.parent.mkdir(exist_ok=True)
    out.write_text(json.dumps({"rows": rows, "target": _TARGET}, indent=2), "utf-8")
    _show(rows, out)


def _accept(received: Received, gate: object) -> None:
    reply = answer(received, gate)  # type: ignore[arg-type]
    assert reply.status == 200, reply.octets[-800:]


def _compare(requests: list[Received], ceiling: Callable[[Received], object],
             ours: Callable[[Received], object]) -> dict[str, float]:
    for received in requests[:_WARM]:
        ceiling(received)
        ours(received)
    measured: dict[str, list[float]] = {"ceiling": [], "ours": [], "ceiling_cpu": [], "ours_cpu": []}
    waits: list[float] = []
    for number in range(_ROUNDS):
        start = _WARM + number * _PER_ROUND
        part = requests[start:start + _PER_ROUND]
        for name, work in (("ceiling", ceiling), ("ours", ours)):
            begin, cpu = time.perf_counter(), time.process_time()
            for received in part:
                before = time.perf_counter()
                work(received)
                if name == "ours":
                    waits.append(time.perf_counter() - before)
            measured[name].append((time.perf_counter() - begin) / len(part) * 1e6)
            measured[f"{name}_cpu"].append((time.process_time() - cpu) / len(part) * 1e6)
    middle = {name: statistics.median(values) for name, values in measured.items()}
    quantiles = statistics.quantiles(waits, n=100)
    pairs = zip(measured["ceiling"], measured["ours"], strict=True)
    pairs_cpu = zip(measured["ceiling_cpu"], measured["ours_cpu"], strict=True)
    return {
        "ceiling_us": middle["ceiling"], "ours_us": middle["ours"], "ceiling_cpu_us": middle["ceiling_cpu"],
        "ours_cpu_us": middle["ours_cpu"], "p50_us": quantiles[49] * 1e6, "p95_us": quantiles[94] * 1e6,
        "p99_us": quantiles[98] * 1e6, "ratio": statistics.median(one / other for one, other in pairs),
        "ratio_cpu": statistics.median(one / other for one, other in pairs_cpu),
    }


def _show(rows: list[dict[str, object]], out: Path) -> None:
    table = Table(title="one message in, microseconds (median of rounds)", title_justify="left")
    columns = ("size", "octets", "ceiling_us", "ours_us", "ratio", "ceiling_cpu_us", "ours_cpu_us", "ratio_cpu",
               "p99_us")
    for column in columns:
        table.add_column(column.replace("_us", "").replace("_", " "), justify="right")
    for row in rows:
        table.add_row(*(f"{value:.2f}" if isinstance(value, float) and value < 10 else
                        f"{value:.0f}" if isinstance(value, float) else str(value)
                        for value in (row[column] for column in columns)))
    console = Console()
    console.print(table)
    console.print(f"ratio = ceiling / ours, target {_TARGET}. 1 would be parse, C14N, digests, RSA verify, XSD, one "
                  f"durable insert and one RSA signature, and nothing else. Written to {out}", soft_wrap=True)


if __name__ == "__main__":
    main()
