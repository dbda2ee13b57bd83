"""A PostgreSQL server of the tests' own, from the installed binaries: made, started, killed and thrown away."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_INSTALLED = Path("/usr/lib/postgresql")
_SETTINGS = """
listen_addresses = '127.0.0.1'
max_connections = 200
fsync = off  # these servers are killed, but the machine they run on is not
full_page_writes = off
autovacuum_naptime = 5s
deadlock_timeout = 200ms
log_min_messages = fatal
"""


class NotInstalled(Exception):
    """There is no PostgreSQL on this machine, or nobody to run it as."""


def binaries() -> Path:
    """The folder of initdb and pg_ctl: the newest under /usr/lib/postgresql, or of PATH. Raises NotInstalled."""
    found = sorted(_INSTALLED.glob("*/bin/initdb"), key=lambda file: int(file.parent.parent.name))
    path = found[-1] if found else shutil.which("initdb")
    if path is None:
        raise NotInstalled("PostgreSQL is not installed. On Debian and Ubuntu: apt-get install postgresql\n"
                           "Or name a server that is there: DATABASE_URL=postgresql+psycopg://user@host/postgres")
    return Path(path).resolve().parent


def _user() -> str | None:
    """Whom to run the server as: PostgreSQL refuses root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    raise NotInstalled("PostgreSQL does not run as root, and there is no user postgres or nobody to run it as")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(kw_only=True)
class Cluster:
    """One server; its data and its socket are in `folder`."""

    folder: Path
    port: int
    bin: Path
    user: str | None

    @property
    def url(self) -> str:
        """By its socket."""
        return f"postgresql+psycopg://gateway@/postgres?host={self.folder}&port={self.port}"

    @property
    def tcp(self) -> str:
        """By loopback."""
        return f"postgresql+psycopg://gateway@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        self._run("pg_ctl", "start", "-w", "-s", "-D", f"{self.folder}/data", "-l", f"{self.folder}/log",
                  "-o", f"-p {self.port} -k {self.folder}")

    def stop(self, mode: str = "fast") -> None:
        """`immediate` is a crash: nothing is finished or written down."""
        self._run("pg_ctl", "stop", "-w", "-s", "-D", f"{self.folder}/data", "-m", mode)

    def kill(self) -> None:
        """SIGKILL to the server's first process; the others notice and end."""
        lock = self.folder / "data" / "postmaster.pid"
        os.kill(int(lock.read_text("ascii").split("\n")[0]), signal.SIGKILL)

    def _run(self, program: str, *arguments: str) -> None:
        become = ["setpriv", f"--reuid={self.user}", f"--regid={pwd.getpwnam(self.user).pw_gid}",
                  "--clear-groups"] if self.user else []
        subprocess.run([*become, str(self.bin / program), *arguments], check=True, cwd=self.folder,
                       stdout=subprocess.DEVNULL, env={**os.environ, "LC_ALL": "C.UTF-8"})

    def make(self) -> None:
        self._run("initdb", "-D", f"{self.folder}/data", "-U", "gateway", "-A", "trust", "-E", "UTF8",
                  "--locale=C.UTF-8", "--no-sync", "--no-instructions")
        with (self.folder / "data" / "postgresql.conf").open("a", encoding="utf-8") as file:
            file.write(_SETTINGS)


@contextmanager
def cluster() -> Iterator[Cluster]:
    """A running server, and nothing of it left afterwards. Raises NotInstalled."""
    user, programs = _user(), binaries()
    folder = Path(tempfile.mkdtemp(prefix="gateway-pg-"))
    made = Cluster(folder=folder, port=free_port(), bin=programs, user=user)
    try:
        if user:
            shutil.chown(folder, user)
        made.make()
        made.start()
        try:
            yield made
        finally:
            if (folder / "data" / "postmaster.pid").exists():
                made.stop("immediate")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """SIGTERM ends this process as Ctrl-C does: with what it started."""
    def end(*_: object) -> None:
        sys.exit(143)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
