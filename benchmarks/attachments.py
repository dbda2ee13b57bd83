"""Messages with files of 20 MB in MTOM, through a `gateway serve` of its own, in and out.

The sender and the collector are the foreign stack of the tests, in this process: its digests and its TLS share the
processors, so the seconds are of both sides. Memory is the hub's most, above what it was before.
"""

import re
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from lxml import etree

from benchmarks.network import Served
from benchmarks.processes import cpu_seconds
from gateway.names import KN, clark
from tests.mtom.test_served import ASKED, Caller, parts
from tests.packages import RB, File, Package, petition, wrap

SIZE = 20_971_520  # octets
COUNTS = (1, 5)
_MB = 1_000_000
_TAKES = 'multipart/related; type="application/xop+xml"'

Row = dict[str, object]


def measure_attachments(running: Served, *, counts: Sequence[int] = COUNTS, size: int = SIZE, rounds: int = 3,
                        told: Callable[[str], None] = lambda text: None) -> list[Row]:
    """A row per number of files. `running` has one worker."""
    cap = running.peers.instance.settings.soap.max_octets
    sender, court = (Caller(hub=running.hub, slug=slug) for slug in ("gemeente", "rechtbank"))
    told("the first files, which fill the caches")
    _there(sender, _package(sender, 2, size)[1])
    rows = []
    for count in counts:
        told(f"{count} of {size / _MB:.0f} MB")
        found = [_there_and_back(running, sender, court, count, size) for _ in range(rounds)]
        row: Row = {name: statistics.median(one[name] for one in found) for name in found[0]}
        row["memory_mb"] = most = max(one["memory_mb"] for one in found)
        rows.append({"files": count, "file_octets": size, **row, "memory_over_cap": most * _MB / cap})
    return rows


def _there_and_back(running: Served, sender: Caller, court: Caller, count: int, size: int) -> dict[str, float]:
    files, package, number = _package(sender, count, size)
    memory, cpu = _most_memory(running, anew=True), cpu_seconds(running.workers)
    begin = time.perf_counter()
    _there(sender, package)
    between, middle = time.perf_counter(), cpu_seconds(running.workers)
    with court.ask(ASKED.format(number), Accept=_TAKES) as got:
        assert got.status == 200
        assert parts(got)[1:] == [file.sha256 for file in files]
    return {"in_seconds": between - begin, "out_seconds": time.perf_counter() - between,
            "in_hub_cpu_seconds": middle - cpu, "out_hub_cpu_seconds": cpu_seconds(running.workers) - middle,
            "memory_mb": (_most_memory(running) - memory) / _MB}


def _package(sender: Caller, count: int, size: int) -> tuple[list[File], Package, str]:
    """A signed message to the court with so many files, and its number."""
    files = [File(size=size, mark=b"1.%d" % place) for place in range(count)]
    child = petition(files)
    number = etree.fromstring(child).findtext(f".//{clark(KN, 'Referentienummer')}")
    return files, wrap(sender, child, files), number  # type: ignore[arg-type]


def _there(sender: Caller, package: Package) -> None:
    status, answer = sender.send(package, RB)
    assert status == 200, answer


def _most_memory(running: Served, *, anew: bool = False) -> int:
    """The most memory that the hub had, in octets; `anew`: counted from here on."""
    (pid,) = running.workers
    if anew:
        Path(f"/proc/{pid}/clear_refs").write_text("5", "ascii")
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text("ascii"))
    assert found is not None
    return int(found[1]) * 1024
