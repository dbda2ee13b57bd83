"""Does to the hub what the plan says, brings everything up again, and notices what fell without its help."""

import heapq
import os
import signal
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from itertools import count
from typing import Protocol

from tests.chaos.history import Recorder
from tests.chaos.nodes import Node, bury, kill_for_good
from tests.chaos.plan import Act

_TICK = 0.05
_WORKER_SECONDS = 15.0  # until a worker's successor listens, at most
_SETTLED = 1.0  # after a node is ready again, its harm may still show for so long
_DATABASE_EXCUSES = 40.0  # a node that is started while the database is down may give up


class Database(Protocol):
    """The database server that all nodes share."""

    def kill_backend(self, choice: float) -> str: ...
    def kill(self) -> None: ...
    def start(self) -> None: ...


class Nemesis:
    """One storm. Belongs in the main thread: what it starts dies with the thread that started it."""

    def __init__(self, nodes: Sequence[Node], database: Database | None, record: Recorder) -> None:
        self._nodes, self._database, self._record = nodes, database, record
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self._harms: dict[str, list[tuple[str, bool, float]]] = {node.name: [] for node in nodes}
        self._database_until = 0.0
        self.kills = 0

    def run(self, acts: Iterable[Act], *, seconds: float, tick: Callable[[], None],
            until: Callable[[], bool] = lambda: False) -> None:
        """The storm, from now; `tick` is called all the time. Ends early when `until` says so."""
        began = time.monotonic()
        for act in acts:
            self._at(began + act.at, lambda act=act: self._do(act))  # type: ignore[misc]
        while time.monotonic() < began + seconds and not until():
            self._step()
            tick()
            time.sleep(_TICK)

    def note(self, what: str, target: str, *, since: float) -> None:
        """Something that somebody else did to the database: it was killed then, and has recovered by now."""
        self.kills += what.startswith("kill")
        self._record("act", what=what, target=target, kill=what.startswith("kill"), since=since,
                     until=time.monotonic() + _SETTLED)

    def excuse(self) -> None:
        """The database is hurt: a node that starts now may give up."""
        self._database_until = time.monotonic() + _DATABASE_EXCUSES

    def calm(self, *, seconds: float, tick: Callable[[], None]) -> None:
        """Nothing new; wait until every node is up. Raises RuntimeError when one does not come up."""
        until = time.monotonic() + seconds
        while self._due or any(self._harms.values()) or not all(self._up(node) for node in self._nodes):
            if time.monotonic() > until:
                raise RuntimeError("not all nodes come up again")
            self._step()
            tick()
            time.sleep(_TICK)

    def _step(self) -> None:
        while self._due and self._due[0][0] <= time.monotonic():
            heapq.heappop(self._due)[2]()
        for node in self._nodes:
            self._watch(node)

    def _at(self, when: float, what: Callable[[], None]) -> None:
        heapq.heappush(self._due, (when, next(self._order), what))

    def _in(self, seconds: float, what: Callable[[], None]) -> None:
        self._at(time.monotonic() + seconds, what)

    @staticmethod
    def _up(node: Node) -> bool:
        return node.alive and node.ready.is_set() and not node.paused

    def _watch(self, node: Node) -> None:
        if self._up(node):
            node.was_ready = True
            for what, kill, since in self._harms[node.name]:
                self._record("act", what=what, target=node.name, kill=kill, since=since,
                             until=time.monotonic() + _SETTLED)
            self._harms[node.name].clear()
        elif node.wanted and not node.alive:
            self._fell(node)

    def _fell(self, node: Node) -> None:
        """It ended and nobody had touched it: told, unless it was starting while it could not start; and started."""
        assert node.process is not None
        if node.was_ready or time.monotonic() > self._database_until:
            self._record("fell", target=node.name, code=node.process.returncode)
        self._down(node, "fell", kill=False, seconds=0.5)

    def _down(self, node: Node, what: str, *, kill: bool, seconds: float) -> None:
        """It is down; it comes up again in so many seconds, or as soon as its port is free."""
        node.wanted = False
        self._harms[node.name].append((what, kill, time.monotonic()))
        self._in(seconds, lambda: self._start(node))

    def _start(self, node: Node) -> None:
        if node.wanted:
            return
        if not node.port_is_free():
            self._in(0.2, lambda: self._start(node))
            return
        node.wanted = True
        node.spawn()

    def _do(self, act: Act) -> None:
        node = self._nodes[act.node]
        if act.what in ("kill-backend", "kill-database"):
            self._hurt_database(act)
            self.kills += 1
            return
        if not node.alive or (act.what in ("stop-node", "kill-supervisor", "kill-worker") and not self._up(node)):
            self._in(0.5, lambda: self._do(act))  # it is down already: hit it when it is there again
            return
        if act.what.startswith("pause"):
            self._pause(node, act)
        elif act.what == "kill-worker":
            if not node.family():  # both are gone just now
                self._in(0.5, lambda: self._do(act))
                return
            self._kill_worker(node, act)
        else:
            self._end(node, act)
            self._down(node, act.what, kill=act.kill, seconds=act.seconds)
        self.kills += act.kill

    def _kill_worker(self, node: Node, act: Act) -> None:
        since = time.monotonic()
        kill_for_good(self._one_of(node, act))  # before anything else is done to the node: a stop would wait for it
        self._record("act", what=act.what, target=node.name, kill=True, since=since, until=since + _WORKER_SECONDS)

    def _end(self, node: Node, act: Act) -> None:
        node.wanted = False
        if act.what == "stop-node":
            code = node.end()
            if code != 0:
                self._record("fell", target=node.name, code=code)
        elif act.what == "kill-supervisor":
            family = node.kill_supervisor()
            self._in(35.0, lambda: bury(family))
        else:
            node.kill()
            if act.what == "kill-starting":
                self._in(act.seconds + 0.2 + act.choice, lambda: self._kill_again(node))

    def _kill_again(self, node: Node) -> None:
        """While it comes up: recovery itself must survive."""
        if node.wanted and not node.ready.is_set():
            node.wanted = False
            node.kill()
            self._down(node, "kill-starting", kill=True, seconds=0.0)

    def _pause(self, node: Node, act: Act) -> None:
        since = time.monotonic()
        if act.what == "pause-worker":
            victim = self._one_of(node, act)
            os.kill(victim, signal.SIGSTOP)
            self._in(act.seconds, lambda: self._go_on([victim]))
            self._record("act", what=act.what, target=node.name, kill=False, since=since,
                         until=since + act.seconds + _SETTLED)
            return
        node.paused, stopped = True, node.process
        node.signal_all(signal.SIGSTOP)
        self._harms[node.name].append((act.what, False, since))

        def go_on() -> None:
            if node.process is stopped:
                node.signal_all(signal.SIGCONT)
                node.paused = False

        self._in(act.seconds, go_on)

    @staticmethod
    def _one_of(node: Node, act: Act) -> int:
        family = node.family() or [node.process.pid] if node.process else []
        return family[int(act.choice * len(family))]

    @staticmethod
    def _go_on(pids: list[int]) -> None:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    def _hurt_database(self, act: Act) -> None:
        assert self._database is not None
        since = time.monotonic()
        self.excuse()
        target = "database"
        if act.what == "kill-backend":
            target = self._database.kill_backend(act.choice)
        else:
            self._database.kill()
            time.sleep(act.seconds)
            self._database.start()
        self._record("act", what=act.what, target=target, kill=True, since=since, until=time.monotonic() + 5)
