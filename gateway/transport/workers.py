"""Several processes that serve the same two sockets, and the parent that watches over them.

The parent binds, starts the workers with the sockets inherited, restarts one that crashes, and passes SIGTERM on. A
worker reads from a pipe of which the parent alone holds the other end: when the parent is gone, however it ended, the
worker drains and ends too.
"""

import logging
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from gateway.transport.server import end_signals, url_of

_log = logging.getLogger(__name__)

_TICK_SECONDS = 0.1
_PATIENCE = 3  # starts in a row that fail before the parent gives up
_GRACE_SECONDS = 10.0  # beyond the drain, before a worker that hangs is killed


@dataclass(slots=True, kw_only=True)
class _Worker:
    index: int
    process: subprocess.Popen[bytes]
    ready_fd: int | None  # readable once it listens; None when read and closed
    failures: int  # starts in a row that ended before the worker listened
    ready: bool = False


class Supervisor:
    """Runs `count` workers.

    Takes   `target`, "module:function" of what a worker runs: function(argument, soap_socket, web_socket, index,
            ready); `argument`, a string for it; and the two bound sockets. `ready(soap_url, web_url)` is called once,
            when every worker listens.
    """

    def __init__(
        self, *, target: str, argument: str, count: int, soap_socket: socket.socket, web_socket: socket.socket,
        ready: Callable[[str, str], None], drain_seconds: float = 30.0,
    ) -> None:
        self._target, self._argument = target, argument
        self._sockets = (soap_socket, web_socket)
        self._urls = (url_of(soap_socket, "https"), url_of(web_socket, "http"))
        self._ready = ready
        self._drain_seconds = drain_seconds
        self._life_read, self._life_write = os.pipe()
        self._workers = [self._start(index, failures=0) for index in range(count)]
        self._announced = False
        self._stopping = False
        self._given_up = False

    def run(self) -> int:
        """Watch until SIGTERM or SIGINT; 0 when every worker that ran then ended well, 1 when one did not or would not
        start. Belongs in the main thread.
        """
        with end_signals(self._stop):
            while not self._stopping:
                self._tick()
            return 0 if self._end() and not self._given_up else 1

    def pids(self) -> list[int]:
        """Process ids of the workers that run."""
        return [worker.process.pid for worker in self._workers if worker.process.poll() is None]

    def _stop(self) -> None:
        self._stopping = True

    def _start(self, index: int, *, failures: int) -> _Worker:
        ready_read, ready_write = os.pipe()
        passed = [*(listener.fileno() for listener in self._sockets), self._life_read, ready_write]
        command = [sys.executable, "-m", "gateway.transport.worker", self._target, self._argument, str(index)]
        process = subprocess.Popen(  # noqa: S603  # our own interpreter and module
            [*command, *map(str, passed)], pass_fds=passed, stdin=subprocess.DEVNULL,
        )
        os.close(ready_write)
        return _Worker(index=index, process=process, ready_fd=ready_read, failures=failures)

    def _tick(self) -> None:
        waiting = {worker.ready_fd: worker for worker in self._workers if worker.ready_fd is not None}
        readable, _, _ = select.select(list(waiting), [], [], _TICK_SECONDS)
        for fd in readable:
            waiting[fd].ready = os.read(fd, 1) != b""
            self._forget(waiting[fd])
        if not self._announced and all(worker.ready for worker in self._workers):
            self._announced = True
            self._ready(*self._urls)
        for worker in list(self._workers):
            if worker.process.poll() is not None and not self._stopping:
                self._restart(worker)

    def _restart(self, worker: _Worker) -> None:
        self._forget(worker)
        failures = 0 if worker.ready else worker.failures + 1
        if failures >= _PATIENCE:
            self._stopping = self._given_up = True
            return
        if failures:
            time.sleep(_TICK_SECONDS * 2**failures)
        self._workers[self._workers.index(worker)] = self._start(worker.index, failures=failures)

    def _end(self) -> bool:
        """Have those that run drain; did they? One that crashed before would have been replaced: it tells nothing."""
        for listener in self._sockets:
            listener.close()  # else the kernel goes on accepting for nobody
        running = [worker for worker in self._workers if worker.process.poll() is None]
        for worker in running:
            worker.process.send_signal(signal.SIGTERM)
        until = time.monotonic() + self._drain_seconds + _GRACE_SECONDS
        for worker in running:
            try:
                worker.process.wait(max(0.0, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                worker.process.kill()
                worker.process.wait()
        os.close(self._life_read)
        os.close(self._life_write)
        for worker in self._workers:
            self._forget(worker)
        failed = [worker for worker in running if not _ended_well(worker)]
        for worker in failed:
            _log.warning("worker %s ended with %s instead of draining", worker.index, worker.process.returncode)
        return not failed

    @staticmethod
    def _forget(worker: _Worker) -> None:
        if worker.ready_fd is not None:
            os.close(worker.ready_fd)
            worker.ready_fd = None


def _ended_well(worker: _Worker) -> bool:
    """Drained; or stopped while it was still starting, when it had nothing to drain and no handler for the signal."""
    return worker.process.returncode == 0 or (not worker.ready and worker.process.returncode == -signal.SIGTERM)
