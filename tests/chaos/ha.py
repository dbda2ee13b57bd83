"""`make chaos-ha`: three PostgreSQL members under Patroni, three gateway nodes, and the loss of each kind of machine.

    python -m tests.chaos.ha [--seed N] [--json]

The parties and the checker are those of `make chaos`. One scene after another, each until all is whole again: the
primary dies with its Patroni, the primary's PostgreSQL dies alone, a gateway node dies, the synchronous standby is
frozen, a standby dies. Prints for how long no client had a receipt. Some four minutes; needs Debian's patroni,
etcd-server and postgresql.
"""

import argparse
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from itertools import pairwise
from pathlib import Path
from random import SystemRandom

from tests.chaos.__main__ import keep
from tests.chaos.history import Event
from tests.chaos.nemesis import Nemesis
from tests.chaos.nodes import adopt
from tests.chaos.patroni import PRIMARY, REPLICA, SYNC, Member, Patroni
from tests.chaos.plan import Act
from tests.chaos.run import Storm, interruptible, run

_LOAD_SECONDS = 12.0  # between two scenes
_RECOVERY_SECONDS = 240.0
_FROZEN_SECONDS = 25.0
_WHOLE = [PRIMARY, REPLICA, SYNC]


class Scenes:
    """What is done to the cluster, in order."""

    def __init__(self, cluster: Patroni, say: Callable[[str], None]) -> None:
        self._cluster, self._say = cluster, say

    def __call__(self, nemesis: Nemesis, tick: Callable[[], None]) -> None:
        self._nemesis, self._tick = nemesis, tick
        self._load(_LOAD_SECONDS)
        self._lose(PRIMARY, "kill-primary-machine", lambda member: member.kill(), Member.start)
        self._lose(PRIMARY, "kill-primary-process", lambda member: member.kill_postgres(), lambda member: None)
        self._nemesis.run([Act(at=0.0, what="kill-node", node=1, seconds=1.0, choice=0.0)], seconds=_LOAD_SECONDS,
                          tick=tick)
        self._lose(SYNC, "freeze-standby", lambda member: member.signal(signal.SIGSTOP),
                   lambda member: (self._load(_FROZEN_SECONDS), member.signal(signal.SIGCONT)))
        self._lose(SYNC, "kill-standby", lambda member: member.kill(), Member.start)

    def _load(self, seconds: float, until: Callable[[], bool] = lambda: False) -> None:
        self._nemesis.run((), seconds=seconds, tick=self._tick, until=until)

    def _lose(self, role: str, what: str, hurt: Callable[[Member], object], heal: Callable[[Member], object]) -> None:
        """Until another has its role, and then until all three are back."""
        victim, since = self._cluster.one(role), time.monotonic()
        self._say(f"  {what}: {victim.name}")
        self._nemesis.excuse()
        hurt(victim)
        self._until(lambda: any(one.role() == role for one in self._cluster.members if one is not victim))
        self._say(f"  another is {role} after {time.monotonic() - since:.1f} s")
        self._nemesis.note(what, victim.name, since=since)
        heal(victim)
        self._until(lambda: self._cluster.roles() == _WHOLE)
        self._say(f"  three members again after {time.monotonic() - since:.1f} s")
        self._load(_LOAD_SECONDS)

    def _until(self, done: Callable[[], bool]) -> None:
        self._load(_RECOVERY_SECONDS, until=done)
        if not done():
            raise RuntimeError(f"the cluster does not recover: {self._cluster.roles()}")


def outages(events: list[Event]) -> list[dict[str, object]]:
    """Of each act: the longest time around it without any receipt, seconds."""
    receipts = [event.at for event in events if event.kind == "receipt"]
    told = []
    for act in (event for event in events if event.kind == "act"):
        around = [later - earlier for earlier, later in pairwise(receipts)
                  if later > act["since"] and earlier < act["until"]]
        told.append({"what": act["what"], "seconds": round(max(around, default=0.0), 2)})
    return told


def main() -> int:
    parser = argparse.ArgumentParser(prog="make chaos-ha", description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--json", action="store_true", help="figures and violations on stdout, nothing else")
    asked = parser.parse_args()
    say = partial(print, file=sys.stderr if asked.json else sys.stdout, flush=True)
    seed = SystemRandom().randrange(1, 2**31) if asked.seed is None else asked.seed
    storm = Storm(seed=seed, seconds=0, kills=0, nodes=3, workers=1, store="patroni", think=0.06)
    adopt()
    with interruptible(), ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="chaos-ha-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        cluster = Patroni()
        stack.callback(cluster.end)
        cluster.start()
        say(f"seed {seed}; primary {cluster.one(PRIMARY).name}, synchronous standby {cluster.one(SYNC).name}")
        outcome = run(storm, folder, say=say, server=cluster, drama=Scenes(cluster, say))
        kept = keep(outcome, folder) if outcome.violations else None
    violations = [str(one) for one in outcome.violations]
    told = {**outcome.figures, "outages": outages(outcome.events)}
    if asked.json:
        print(json.dumps({**told, "violations": violations}, indent=2))
    else:
        for name, value in told.items():
            say(f"  {name:12} {value}")
        say(f"{len(violations)} violation(s)" + "".join(f"\n  {one}" for one in violations[:20]))
        if kept:
            say(f"kept in {os.path.relpath(kept)}")
    return 1 if violations else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:  # everything is taken down by now
        sys.exit(130)
