"""The scheduler: duties of the whole hub, done once, on whatever node and process comes first (docs/operations.md).

Each process looks at the duties every few seconds, which is one small read, and takes what is due. What it took it
keeps by a lease, which it extends as long as the work goes on; of a process that dies, the lease lapses and another
takes over. Each run is in a thread of its own: a long one holds up no other.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from threading import Lock, Thread
from typing import Final

from gateway.duties import DONE
from gateway.errors import GatewayError
from gateway.ports import Clock, Observe
from gateway.storage import Duties

LOOK_SECONDS: Final = 5
LEASE: Final = timedelta(seconds=120)  # longer than clocks of nodes differ and than a store is busy with a failover
EXTEND_SECONDS: Final = 30  # a quarter of it: three may fail


@dataclass(frozen=True, slots=True, kw_only=True)
class Duty:
    """Work that one process does for all; it must be safe to be done twice (storage/duties.py)."""

    name: str
    every: timedelta
    work: Callable[[], object]


def in_thread(work: Callable[[], None]) -> Thread:
    thread = Thread(target=work, name="duty", daemon=True)
    thread.start()
    return thread


class Scheduler:
    """One process's part in the duties. `look` and `keep` are called beside the requests."""

    def __init__(self, wanted: Sequence[Duty], duties: Duties, *, clock: Clock, observe: Observe,
                 start: Callable[[Callable[[], None]], Thread | None] = in_thread) -> None:
        self._wanted, self._duties = {one.name: one for one in wanted}, duties
        self._clock, self._observe, self._start = clock, observe, start
        self._lock = Lock()
        self._running: dict[str, Thread | None] = {}
        self._registered = False

    def look(self) -> None:
        """Begin what is due and nobody does. Raises StorageError; then it is tried again the next time."""
        if not self._registered:
            self._duties.register({name: one.every for name, one in self._wanted.items()}, self._clock())
            self._registered = True
        for state in self._duties.all():
            duty = self._wanted.get(state.name)
            if duty is None or not state.due(self._clock()) or not self._take(state.name):
                continue
            if self._claimed(state.name):
                thread = self._start(partial(self._run, duty))
                with self._lock:
                    if state.name in self._running:
                        self._running[state.name] = thread

    def keep(self) -> None:
        """Extend the lease of what still runs here."""
        with self._lock:
            names = list(self._running)
        for name in names:
            try:
                if not self._duties.extend(name, self._clock(), LEASE):
                    self._observe("duty-lost", {"duty": name})
            except GatewayError as error:
                self._observe("duty-not-kept", {"duty": name, "error": error})

    def close(self) -> None:
        """Wait for what runs here; nothing new begins unless `look` is called again."""
        with self._lock:
            threads = list(self._running.values())
        for thread in threads:
            if thread is not None:
                thread.join()

    def _take(self, name: str) -> bool:
        """Is it not running here already, under a lease that lapsed?"""
        with self._lock:
            if name in self._running:
                return False
            self._running[name] = None
            return True

    def _claimed(self, name: str) -> bool:
        claimed = False
        try:
            claimed = self._duties.claim(name, self._clock(), LEASE)
        finally:
            if not claimed:
                self._leave(name)
        return claimed

    def _run(self, duty: Duty) -> None:
        try:
            outcome = self._outcome(duty)
            if not self._duties.settle(duty.name, outcome, self._clock()):
                self._observe("duty-lost", {"duty": duty.name})
        except GatewayError as error:  # the lease lapses by itself
            self._observe("duty-not-settled", {"duty": duty.name, "error": error})
        finally:
            self._leave(duty.name)

    def _outcome(self, duty: Duty) -> str:
        """Do the work; what became of it, in words that hold no data."""
        try:
            duty.work()
        except GatewayError as error:
            self._observe("duty-failed", {"duty": duty.name, "error": error})
            return f"{type(error).__name__}: {error.detail}" if error.detail else type(error).__name__
        except Exception as error:  # our own mistake must not end the duty; its text may hold data
            self._observe("mistake", {"duty": duty.name, "error": error})
            return type(error).__name__
        return DONE

    def _leave(self, name: str) -> None:
        with self._lock:
            self._running.pop(name, None)
