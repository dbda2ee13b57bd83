"""Gateway nodes as processes that can be killed, stopped and started anew; what a storm needs and nothing more."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.acceptance.hub import children
from tests.dying import dead

ROOT = Path(__file__).parents[2]
PUBLIC = "https://localhost:8443"  # what parties write in wsa:To, whatever port they go to
_PATIENCE = 40.0  # seconds for a port to become free: workers whose parent was killed drain first
# Quick to give up and to try again, so that a short storm shows what a long one would.
_PUSH = """
[push]
connect_seconds = 2
answer_seconds = 6
lease_seconds = 60
backoff_seconds = 1
backoff_cap_seconds = 5
breaker_open_seconds = 2
breaker_open_cap_seconds = 10
"""
# Whatever becomes of this process, nothing it started stays.
_WITH_US = ("setpriv", "--pdeathsig", "KILL", "--") if shutil.which("setpriv") else ()


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def node_folder(template: Path, folder: Path, *, name: str, port: int, shared: Path, store: str) -> Path:
    """An instance folder for one of many nodes: a copy that differs in name and ports (docs/operations.md).

    Takes   `shared`, the folder with sealing keys and published checkpoints of all nodes; `store`, the store's URL.
    """
    folder.mkdir(parents=True)
    shutil.copytree(template / "pki", folder / "pki")
    shutil.copy(template / "parties.toml", folder / "parties.toml")
    text = (template / "gateway.toml").read_text("utf-8")
    for old, new in (
        ("[hub]\n", f'[hub]\nnode = "{name}"\n'),
        ('listen = "127.0.0.1:8443"', f'listen = "127.0.0.1:{port}"'),
        ('listen = "127.0.0.1:8080"', 'listen = "127.0.0.1:0"'),
        ('url = "sqlite:///gateway.db"', f'url = "{store}"\nkeys = "{shared / "keys"}"'),
    ):
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    text += f'\n[journal]\ncheckpoints = "{shared / "checkpoints"}"\ncheckpoint_seconds = 5\n' + _PUSH
    assert tomllib.loads(text)["hub"]["public_url"] == PUBLIC
    (folder / "gateway.toml").write_text(text, "utf-8")
    return folder


@dataclass(kw_only=True)
class Node:
    """One `gateway serve`, with its workers in a process group of its own."""

    folder: Path
    port: int
    workers: int = 1
    process: subprocess.Popen[bytes] | None = None
    ready: threading.Event = field(default_factory=threading.Event)
    paused: bool = False
    wanted: bool = True  # it should run: whoever ends it on purpose says so first
    was_ready: bool = False  # in this life

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def spawn(self) -> None:
        """Start it without waiting. The port must be free: see `port_is_free`."""
        self.ready, self.was_ready, self.paused = threading.Event(), False, False
        serve = (sys.executable, "-m", "gateway", "serve", str(self.folder), "--workers", str(self.workers))
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        with (self.folder / "hub.log").open("ab") as log:
            self.process = subprocess.Popen((*_WITH_US, *serve), stdout=subprocess.PIPE, stderr=log, cwd=ROOT,
                                            stdin=subprocess.DEVNULL, env=environment, start_new_session=True)
        threading.Thread(target=self._listen, args=(self.process, self.ready), daemon=True).start()

    @staticmethod
    def _listen(process: subprocess.Popen[bytes], ready: threading.Event) -> None:
        assert process.stdout
        with process.stdout as lines:
            for line in lines:
                if line.startswith(b"ready "):
                    ready.set()

    def port_is_free(self) -> bool:
        with closing(socket.socket()) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", self.port))
            except OSError:
                return False
            return True

    def family(self) -> list[int]:
        """The workers' process ids; with one worker the node is one process."""
        return children(self.process.pid) if self.process and self.workers > 1 else []

    def signal_all(self, number: int) -> None:
        """To the node and all its workers at once."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)

    def kill(self) -> None:
        """SIGKILL for all of it; buried when this returns."""
        family = self.family()
        self.signal_all(signal.SIGKILL)
        if self.process is not None:
            self.process.wait()
        bury(family)

    def kill_supervisor(self) -> list[int]:
        """SIGKILL for the parent alone; the workers, who drain and end when they notice."""
        family = self.family()
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        return family

    def end(self, seconds: float = 45) -> int:
        """SIGTERM, and SIGKILL when that does not help; the exit code. Draining takes 30 s when connections hang."""
        if self.process is None:
            return 0
        self.signal_all(signal.SIGCONT)
        if self.alive:
            self.process.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(seconds)
        code = self.process.poll()
        self.kill()
        return -signal.SIGKILL if code is None else code


def kill_for_good(pid: int, seconds: float = 5) -> None:
    """SIGKILL, and wait until it took effect: a process that waits for the disk outlives it. Its parent buries it."""
    until = time.monotonic() + seconds
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    while not dead(pid):
        if time.monotonic() > until:
            raise RuntimeError(f"process {pid} outlives SIGKILL")
        time.sleep(0.005)


def bury(pids: Sequence[int]) -> None:
    """Wait for processes that became ours when their parent was killed (see `adopt`)."""
    until = time.monotonic() + 2
    for pid in pids:
        with suppress(ChildProcessError):
            while os.waitpid(pid, os.WNOHANG) == (0, 0) and time.monotonic() < until:
                time.sleep(0.01)


def adopt() -> None:
    """Become the parent of orphans (prctl(2), PR_SET_CHILD_SUBREAPER): else the killed would pile up unburied."""
    import ctypes

    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)


def wait_until_ready(nodes: Sequence[Node]) -> None:
    """Raises RuntimeError with the end of the log of a node that does not come up."""
    for node in nodes:
        if not node.ready.wait(_PATIENCE):
            log = (node.folder / "hub.log").read_text("utf-8")
            raise RuntimeError(f"{node.name} does not come up; its log ends with: {log[-2000:]}")
        node.was_ready = True
