"""`gateway serve` as a process of its own, as a test sees it: a folder, two addresses, and an end with exit code 0."""

import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from gateway.app import open_instance
from gateway.party import PartyClient
from tests.postgres.databases import place

ROOT = Path(__file__).parent.parent.parent
COMMAND = (sys.executable, "-m", "gateway")
_PATIENCE_SECONDS = 30


@dataclass(kw_only=True)
class Hub:
    """A hub on one instance folder. Started anew it keeps its port, so that its parties need not learn another."""

    folder: Path
    options: tuple[str, ...] = ()
    soap: str = ""
    web: str = ""
    started_in: float = 0.0  # seconds from the start of the process to its ready line
    process: subprocess.Popen[bytes] | None = None
    _clients: list[PartyClient] = field(default_factory=list)

    @property
    def port(self) -> int:
        return urlsplit(self.soap).port or 0

    @property
    def log(self) -> str:
        """What it wrote on stderr, over all its lives."""
        return (self.folder / "hub.log").read_text("utf-8")

    def spawn(self) -> None:
        """Start the process without waiting for anything."""
        ports = ("--soap-port", str(self.port), "--web-port", "0")
        with (self.folder / "hub.log").open("ab") as log:
            command = [*COMMAND, "serve", str(self.folder), *ports, *self.options]
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, cwd=ROOT)

    def start(self) -> None:
        """Start it and read its ready line, the one line it prints."""
        began = time.perf_counter()
        self.spawn()
        assert self.process is not None
        readable, _, _ = select.select([self.process.stdout], [], [], _PATIENCE_SECONDS)
        line = self.process.stdout.readline().decode() if readable else ""
        self.started_in = time.perf_counter() - began
        words = line.split()
        assert words[:1] == ["ready"], f"no ready line but {line!r}; log: {self.log[-3000:]}"
        addresses = dict(word.split("=", 1) for word in words[1:])
        assert list(addresses) == ["soap", "web"], line
        self.soap, self.web = addresses["soap"], addresses["web"]

    def kill(self) -> None:
        """SIGKILL: the end that no process sees coming."""
        assert self.process is not None
        self.process.kill()
        self._bury()

    def stop(self) -> int:
        """SIGTERM, and wait for the end; the exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(_PATIENCE_SECONDS)
        finally:
            self._bury()
        return self.process.returncode

    def _bury(self) -> None:
        assert self.process is not None
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()

    def end(self) -> None:
        """Whatever happened, nothing of it stays behind."""
        for client in self._clients:
            client.close()
        if self.process is not None:
            self._bury()

    def party(self, slug: str) -> PartyClient:
        """A party that speaks to this hub over connections of its own; closed with the hub."""
        client = open_instance(self.folder).party(slug, url=self.soap)
        self._clients.append(client)
        return client


@contextmanager
def hub_on(folder: Path, *options: str) -> Iterator[Hub]:
    """A running hub on this folder; stopped by SIGTERM, which must end in exit code 0 unless the test ended it."""
    hub = Hub(folder=folder, options=options)
    try:
        hub.start()
        yield hub
        if hub.process.poll() is None:
            assert hub.stop() == 0, hub.log[-3000:]
    finally:
        hub.end()


@contextmanager
def fresh_hub(template: Path, folder: Path, *options: str) -> Iterator[Hub]:
    """A running hub on a fresh copy of an instance."""
    shutil.copytree(template, folder)
    place(folder)
    with hub_on(folder, *options) as hub:
        yield hub


def children(pid: int) -> list[int]:
    """The process ids whose parent this is, without those that ended and wait to be buried."""
    listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid=,stat="], capture_output=True, text=True, check=True).stdout
    rows = (line.split() for line in listed.splitlines())
    return [int(row[0]) for row in rows if int(row[1]) == pid and not row[2].startswith("Z")]


def is_alive(pid: int) -> bool:
    """Does it run (and not merely wait to be buried)?"""
    listed = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return bool(listed.stdout.strip()) and not listed.stdout.strip().startswith("Z")


def end_all(pids: list[int]) -> None:
    """For a test that failed half-way: leave nothing behind."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
