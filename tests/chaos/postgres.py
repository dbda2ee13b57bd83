"""A PostgreSQL server of our own: in a folder under /tmp, on the loopback, with the installed binaries, killed at will.

PostgreSQL refuses to run as root: then it runs as the user `postgres` or `nobody`.
"""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from tests.acceptance.hub import children
from tests.chaos.nodes import bury, free_port

BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
_PATIENCE = 60.0


def unprivileged() -> tuple[list[str], int | None]:
    """How a command is run as somebody else than root, and who that is; nothing to do for others."""
    if os.geteuid() != 0:
        return [], None
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            user = pwd.getpwnam(name)
            return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"], user.pw_uid
    raise RuntimeError("PostgreSQL does not run as root, and there is no user postgres or nobody")


def owned_folder(prefix: str) -> Path:
    """A folder under /tmp that the unprivileged user owns: elsewhere it may not come in."""
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir="/tmp"))
    _, uid = unprivileged()
    if uid is not None:
        os.chown(folder, uid, -1)
    return folder


class Postgres:
    """One server; `url` is what goes into gateway.toml."""

    def __init__(self) -> None:
        if not BINARIES:
            raise RuntimeError("no PostgreSQL under /usr/lib/postgresql; remedy: apt-get install postgresql")
        self._binaries = BINARIES[-1]
        self._run, _ = unprivileged()
        self.folder = owned_folder("chaos-postgres-")
        self.port = free_port()
        self.url = f"postgresql+psycopg://gateway@127.0.0.1:{self.port}/gateway"
        self._process: subprocess.Popen[bytes] | None = None
        self._command("initdb", "--no-locale", "--encoding=UTF8", "--auth=trust", "--username=gateway", "--pgdata",
                      str(self.folder / "data"))
        self.start()
        self._command("createdb", "--host=127.0.0.1", f"--port={self.port}", "--username=gateway", "gateway")

    def _command(self, name: str, *options: str) -> None:
        done = subprocess.run([*self._run, str(self._binaries / name), *options], capture_output=True, text=True,
                              check=False, cwd=self.folder)
        if done.returncode:
            raise RuntimeError(f"{name}: {done.stderr[-1000:]}")

    def start(self) -> None:
        """Start it, and wait until it takes connections: after a kill that means recovery."""
        dying = [*self._run, *(("--pdeathsig=KILL",) if self._run else ())]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*dying, str(self._binaries / "postgres"), "-D", str(self.folder / "data"), "-h", "127.0.0.1",
                 "-p", str(self.port), "-k", str(self.folder), "-c", "max_connections=100",
                 "-c", "shared_buffers=64MB"],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=self.folder, start_new_session=True)
        until = time.monotonic() + _PATIENCE
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"PostgreSQL does not start: {self.log[-1500:]}")
            time.sleep(0.1)

    def _answers(self) -> bool:
        return subprocess.run(
            [str(self._binaries / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)], check=False,
        ).returncode == 0

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text("utf-8", "replace")

    def kill_backend(self, choice: float) -> str:
        """SIGKILL for one process that serves a client: the server ends all others too, and recovers."""
        backends = [pid for pid in children(self._pid) if _title(pid).startswith("postgres: gateway gateway")]
        if not backends:
            return "no backend"
        with suppress(ProcessLookupError):
            os.kill(backends[int(choice * len(backends))], signal.SIGKILL)
        return "backend"

    def kill(self) -> None:
        """SIGKILL for the whole server at once, as when the machine fails."""
        family = children(self._pid)
        for pid in (self._pid, *family):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        assert self._process is not None
        self._process.wait()
        bury(family)

    @property
    def _pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def end(self) -> None:
        """Stop it and remove its folder, whatever state it is in."""
        if self._process is not None and self._process.poll() is None:
            self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


def _title(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
    return ""
