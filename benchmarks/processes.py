"""What processes use, as Linux tells it."""

import os
from collections.abc import Sequence
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")
_MB = 1_000_000


def cpu_seconds(pids: Sequence[int]) -> float:
    """Processor of these processes since they began, their own and the system's for them."""
    total = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / _TICK


def memory_mb(pid: int) -> dict[str, float]:
    """`pss`: its own memory and its share of what it shares; `rss`: all of both."""
    found = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text("utf-8").splitlines():
        name, _, rest = line.partition(":")
        if name in ("Pss", "Rss"):
            found[name.lower()] = int(rest.split()[0]) * 1024 / _MB
    return found
