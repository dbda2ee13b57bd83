"""`make chaos`: breaks a hub again and again under load, then checks that it kept its promise.

    python -m tests.chaos --minutes 10 [--seed N] [--store sqlite|postgres] [--nodes 1|3] [--kills 50] [--json]

Exit 0: no violation. Exit 1: violations; histories and logs are kept in build/chaos/. A seed tries the same plan again.
Loopback only; needs about 100 MB for ten minutes, and leaves nothing running.
"""

import argparse
import json
import shutil
import sys
import tempfile
from functools import partial
from pathlib import Path
from random import SystemRandom

from tests.chaos.nodes import ROOT
from tests.chaos.run import Outcome, Storm, run

_SHOWN = 20


def main() -> int:
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--store", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--nodes", type=int, choices=range(1, 10), default=None, help="1; with postgres 3")
    parser.add_argument("--workers", type=int, choices=range(1, 9), default=None, help="per node: 2; with many nodes 1")
    parser.add_argument("--kills", type=int, default=None, help="5 a minute")
    parser.add_argument("--json", action="store_true", help="figures and violations on stdout, nothing else")
    parser.add_argument("--keep", action="store_true", help="keep the folder of the run in any case")
    asked = parser.parse_args()
    nodes = asked.nodes or (3 if asked.store == "postgres" else 1)
    if nodes > 1 and asked.store == "sqlite":
        parser.error("many nodes need --store postgres")
    storm = Storm(
        seed=SystemRandom().randrange(1, 2**31) if asked.seed is None else asked.seed, seconds=asked.minutes * 60,
        kills=max(1, round(asked.minutes * 5)) if asked.kills is None else asked.kills, nodes=nodes,
        workers=asked.workers or (1 if nodes > 1 else 2), store=asked.store)
    say = partial(print, file=sys.stderr if asked.json else sys.stdout, flush=True)
    say(f"seed {storm.seed}: make chaos MINUTES={asked.minutes:g} SEED={storm.seed} STORE={storm.store} "
        "tries the same plan again")
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    kept = None
    try:
        outcome = run(storm, folder, say=say)
        if outcome.violations or asked.keep:
            kept = keep(outcome, folder)
    except RuntimeError as error:
        kept = ROOT / "build" / "chaos" / f"{storm.store}-{storm.seed}"
        shutil.copytree(folder, kept, dirs_exist_ok=True)
        print(f"the run broke: {error}; {error.__cause__!r}; kept in {kept}", file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    tell(outcome, kept, as_json=asked.json)
    return 1 if outcome.violations else 0


def keep(outcome: Outcome, folder: Path) -> Path:
    """Histories, logs and the violations in build/chaos/; not the databases and keys."""
    to = ROOT / "build" / "chaos" / f"{outcome.storm.store}-{outcome.storm.seed}"
    shutil.rmtree(to, ignore_errors=True)
    shutil.copytree(folder / "history", to / "history")
    for log in folder.glob("node-*/hub.log"):
        shutil.copy(log, to / f"{log.parent.name}.log")
    (to / "violations.txt").write_text("".join(f"{one}\n" for one in outcome.violations), "utf-8")
    return to


def tell(outcome: Outcome, kept: Path | None, *, as_json: bool) -> None:
    violations = [str(one) for one in outcome.violations]
    if as_json:
        print(json.dumps({**outcome.figures, "violations": violations}, indent=2))
        return
    for name, value in outcome.figures.items():
        print(f"  {name:12} {value}")
    print(f"{len(violations)} violation(s)" + "".join(f"\n  {one}" for one in violations[:_SHOWN]))
    if kept is not None:
        print(f"kept in {kept}")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:  # everything is taken down by now
        sys.exit(130)
