"""What the processes of a hub take of the machine, read from /proc."""

import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.acceptance.hub import children

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """Of one process, at one moment."""

    pss: int  # octets, shared pages by their share
    files: int
    threads: int
    cpu: float  # seconds since it began


def take(pid: int) -> Taken:
    """Raises OSError when the process is gone."""
    folder = Path(f"/proc/{pid}")
    fields = (folder / "stat").read_text().rpartition(")")[2].split()
    pss = next(line for line in (folder / "smaps_rollup").read_text().splitlines() if line.startswith("Pss:"))
    return Taken(pss=int(pss.split()[1]) * 1024, files=len(os.listdir(folder / "fd")), threads=int(fields[17]),
                 cpu=(int(fields[11]) + int(fields[12])) / _TICKS)


def workers_of(pid: int) -> list[int]:
    """The processes that serve: the workers, or the one process itself."""
    return children(pid) or [pid]


@dataclass(kw_only=True)
class Gauge(threading.Thread):
    """Looks every so often, in the background; `peak` is the most octets that one process had, `samples` all of it."""

    pids: list[int]
    every: float = 0.25
    also: Callable[[], dict[str, float]] = dict
    samples: list[dict[str, float]] = field(default_factory=list)
    peak: int = 0

    def __post_init__(self) -> None:
        super().__init__(daemon=True)
        self._halted = threading.Event()

    __hash__ = threading.Thread.__hash__

    def run(self) -> None:
        while not self._halted.wait(self.every):
            with suppress(OSError):
                self.look()

    def look(self) -> dict[str, float]:
        """One sample, of all processes together."""
        taken = [take(pid) for pid in self.pids]
        self.peak = max(self.peak, *(one.pss for one in taken))
        sample = {"at": time.monotonic(), "pss": float(sum(one.pss for one in taken)),
                  "files": float(sum(one.files for one in taken)), "threads": float(sum(one.threads for one in taken)),
                  "cpu": sum(one.cpu for one in taken), **self.also()}
        self.samples.append(sample)
        return sample

    def halt(self) -> None:
        self._halted.set()
        self.join()
