"""How long `gateway serve` takes from its start as a process to its ready line, with all message sets."""

import statistics
import time

from benchmarks.network import Figure
from benchmarks.world import instance_folder
from gateway.app import open_instance
from tests.acceptance.hub import hub_on


def measure_start(runs: int = 7) -> list[Figure]:
    """A row for one worker and one for two: median, least and most. The first start, which reads all files, is told
    apart: what it needs is in the system's cache afterwards.
    """
    with instance_folder() as folder:
        sets = len(open_instance(folder).catalog.sets)
        seconds: dict[int, list[float]] = {1: [], 2: []}
        first = 0.0
        for run in range(runs + 1):
            for workers, found in seconds.items():
                with hub_on(folder, "--workers", str(workers)) as hub:
                    if run:
                        found.append(hub.started_in)
                    else:
                        first = first or hub.started_in
                time.sleep(0.05)  # what ended is gone
    return [{"workers": workers, "sets": sets, "runs": runs, "first_seconds": first,
             "seconds": statistics.median(found), "least_seconds": min(found), "most_seconds": max(found)}
            for workers, found in seconds.items()]
