"""`make costs`: look for the refused message that costs most CPU beside a good one of its size; exit 1 at 5 or more.

    python -m tests.costs --seconds 60 [--seed N]
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path
from random import Random, SystemRandom

from gateway.app import create_instance
from tests.costs.bench import Bench
from tests.costs.search import Search, lines
from tests.fuzz.doors import MEMORY, Doors

BOUND = 5.0


def main() -> int:
    parser = argparse.ArgumentParser(prog="make costs", description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--seed", type=int, default=None)
    asked = parser.parse_args()
    seed = SystemRandom().randrange(1, 2**31) if asked.seed is None else asked.seed
    print(f"seed {seed}: make costs SECONDS={asked.seconds} SEED={seed} begins with the same", flush=True)
    with tempfile.TemporaryDirectory(prefix="costs-", dir=MEMORY) as folder:
        create_instance(Path(folder) / "template")
        doors = Doors(template=Path(folder) / "template", renewed=10**9)
        bench = Bench(doors=doors)
        search = Search(bench=bench, random=Random(seed))
        search.run(time.monotonic() + asked.seconds, lambda text: print(text, flush=True))
        print("a good message:", ", ".join(f"{size:,} octets {cost * 1e3:.2f} ms" for size, cost in bench.good.table))
        found = search.confirmed(10)
        print(f"{bench.tried:,} requests, {search.accepted:,} accepted, {len(search.best):,} kinds of refusal:")
        print("\n".join(lines(found)))
        doors.close()
    return 1 if found[0].ratio >= BOUND else 0


if __name__ == "__main__":
    sys.exit(main())
