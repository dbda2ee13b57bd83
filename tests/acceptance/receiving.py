"""`gateway listen` as a process of its own, as a test sees it: an address, what it says, an end with exit code 0."""

import json
import select
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.acceptance.hub import COMMAND, ROOT

_PATIENCE_SECONDS = 30


@dataclass(kw_only=True)
class Listening:
    """A party's receiving service; started anew it keeps its port."""

    folder: Path
    slug: str
    into: Path
    url: str = ""
    said: list[dict[str, str]] = field(default_factory=list)  # its lines after the first
    process: subprocess.Popen[bytes] | None = None

    @property
    def port(self) -> int:
        return int(self.url.split(":")[2].split("/")[0]) if self.url else 0

    @property
    def messages(self) -> dict[str, bytes]:
        """What it keeps, by Referentienummer."""
        return {one.stem: one.read_bytes() for one in self.into.glob("*/*.xml")}

    def start(self) -> None:
        """Start it and read its first line."""
        command = [*COMMAND, "listen", str(self.folder), "--party", self.slug, "--port", str(self.port),
                   "--into", str(self.into), "--json"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT)
        first = self._next()
        assert first["event"] == "ready", first
        self.url = first["url"]

    def wait_for(self, event: str, *, seconds: float = _PATIENCE_SECONDS) -> dict[str, str]:
        """Its next line of this kind."""
        while True:
            line = self._next(seconds)
            self.said.append(line)
            if line["event"] == event:
                return line

    def _next(self, seconds: float = _PATIENCE_SECONDS) -> dict[str, str]:
        assert self.process is not None
        assert self.process.stdout is not None
        readable, _, _ = select.select([self.process.stdout], [], [], seconds)
        assert readable, f"nothing said; before that {self.said}"
        line = self.process.stdout.readline()
        assert line, f"ended with {self.process.wait()}"
        return dict(json.loads(line))

    @contextmanager
    def hung(self) -> Iterator[None]:
        """Meanwhile it neither answers nor ends."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    def stop(self) -> int:
        """SIGTERM, and wait for the end; the exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(_PATIENCE_SECONDS)
        finally:
            self.kill()

    def kill(self) -> None:
        """SIGKILL: whatever happened, nothing of it stays behind."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()
            self.process = None


@contextmanager
def listening(folder: Path, slug: str, into: Path) -> Iterator[Listening]:
    """A running service on a free port; stopped by SIGTERM, which must end in exit code 0 unless the test ended it."""
    service = Listening(folder=folder, slug=slug, into=into)
    try:
        service.start()
        yield service
        if service.process is not None:
            assert service.stop() == 0
    finally:
        service.kill()
