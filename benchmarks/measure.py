"""Loops that take turns, so that a machine that drifts drifts for all of them."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from gateway.values import Received

Work = Callable[[Received], object]
Figures = dict[str, float]


@dataclass(kw_only=True)
class Loop:
    """What one of them cost, per message and in microseconds, round by round."""

    work: Work
    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)  # of the whole process: all threads, checkpoints too
    waits: list[float] = field(default_factory=list)  # of each message

    def run(self, part: list[Received], threads: int) -> None:
        """One round: the requests spread over the threads, each thread one after the other."""
        begin, cpu = time.perf_counter(), time.process_time()
        if threads == 1:
            waits = self._each(part)
        else:
            with ThreadPoolExecutor(threads) as pool:
                waits = [wait for some in pool.map(self._each, (part[one::threads] for one in range(threads)))
                         for wait in some]
        self.wall.append((time.perf_counter() - begin) / len(part) * 1e6)
        self.cpu.append((time.process_time() - cpu) / len(part) * 1e6)
        self.waits += waits

    def _each(self, part: list[Received]) -> list[float]:
        waits = []
        for received in part:
            before = time.perf_counter()
            self.work(received)
            waits.append((time.perf_counter() - before) * 1e6)
        return waits


def compare(requests: list[Received], ceiling: Work, ours: Work, *, threads: int, rounds: int) -> Figures:
    """Medians over the rounds; the ratios are of the two halves of one round. The first round only warms up."""
    loops = {"ceiling": Loop(work=ceiling), "ours": Loop(work=ours)}
    size = len(requests) // (rounds + 1)
    for number in range(rounds + 1):
        for loop in loops.values():
            loop.run(requests[number * size:(number + 1) * size], threads)
            if number == 0:
                loop.wall, loop.cpu, loop.waits = [], [], []
    top, own = loops["ceiling"], loops["ours"]
    return {
        "ceiling_us": statistics.median(top.wall), "ours_us": statistics.median(own.wall),
        "ratio": statistics.median(one / other for one, other in zip(top.wall, own.wall, strict=True)),
        "ceiling_cpu_us": statistics.median(top.cpu), "ours_cpu_us": statistics.median(own.cpu),
        "ratio_cpu": statistics.median(one / other for one, other in zip(top.cpu, own.cpu, strict=True)),
        "per_second": 1e6 / statistics.median(own.wall), "per_core_second": 1e6 / statistics.median(own.cpu),
        **quantiles(own.waits), **quantiles(top.waits, "ceiling_"),
    }


def in_turn(steps: Mapping[str, Callable[[], object]], *, rounds: int, per_round: int) -> dict[str, Figures]:
    """What each step costs: so many calls of each, in turn. The first round warms up.

    A step that measures a part of itself returns the seconds of that part, as a float.
    """
    waits: dict[str, list[float]] = {name: [] for name in steps}
    for number in range(rounds + 1):
        for name, step in steps.items():
            for _ in range(per_round):
                begin = time.perf_counter()
                own = step()
                seconds = own if isinstance(own, float) else time.perf_counter() - begin
                if number:
                    waits[name].append(seconds * 1e6)
    return {name: quantiles(found) for name, found in waits.items()}


def quantiles(waits: Sequence[float], prefix: str = "") -> Figures:
    """Median, 95th and 99th percentile."""
    found = statistics.quantiles(waits if len(waits) > 1 else [*waits, *waits], n=100, method="inclusive")
    return {f"{prefix}p{place}_us": found[place - 1] for place in (50, 95, 99)}
