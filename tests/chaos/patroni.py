"""Three PostgreSQL members under Patroni, with etcd, on the loopback: a small copy of the HA of docs/operations.md.

Debian: apt-get install patroni etcd-server postgresql. One etcd: it is not what is broken here.
"""

import json
import os
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from tests.acceptance.hub import children
from tests.chaos.nodes import bury, free_port
from tests.chaos.postgres import BINARIES, owned_folder, unprivileged

_PATIENCE = 240.0
PRIMARY, SYNC, REPLICA, DOWN = "primary", "sync", "replica", "down"

_CONFIGURATION = """\
scope: gateway
name: {name}
restapi: {{listen: "127.0.0.1:{rest}", connect_address: "127.0.0.1:{rest}"}}
etcd3: {{host: "127.0.0.1:{etcd}"}}
bootstrap:
  dcs:
    ttl: 20
    loop_wait: 2
    retry_timeout: 5
    maximum_lag_on_failover: 1048576
    primary_start_timeout: 0
    synchronous_mode: true
    synchronous_mode_strict: true
    postgresql:
      use_pg_rewind: true
      parameters:
        max_connections: 100
        max_wal_senders: 8
        max_replication_slots: 8
        wal_keep_size: 256MB
        wal_log_hints: "on"
        wal_sender_timeout: 5s
        wal_receiver_timeout: 5s
        shared_buffers: 64MB
  initdb: [{{encoding: UTF8}}, no-locale, data-checksums]
postgresql:
  listen: "127.0.0.1:{port}"
  connect_address: "127.0.0.1:{port}"
  data_dir: {folder}/{name}
  bin_dir: {binaries}
  pgpass: {folder}/{name}.pgpass
  authentication:
    replication: {{username: replicator, password: loopback}}
    superuser: {{username: gateway, password: loopback}}
    rewind: {{username: rewinder, password: loopback}}
  parameters: {{unix_socket_directories: "{folder}"}}
  pg_hba: [host all all 127.0.0.1/32 trust, host replication all 127.0.0.1/32 trust, local all all trust]
"""


class Member:
    """One PostgreSQL and the Patroni that minds it: a machine of the cluster."""

    def __init__(self, name: str, folder: Path, etcd: int) -> None:
        self.name, self._folder = name, folder
        self.port, self._rest = free_port(), free_port()
        self._process: subprocess.Popen[bytes] | None = None
        (folder / f"{name}.yml").write_text(_CONFIGURATION.format(
            name=name, rest=self._rest, port=self.port, etcd=etcd, folder=folder, binaries=BINARIES[-1]), "utf-8")

    def start(self) -> None:
        """Like switching the machine on: Patroni decides what becomes of it."""
        run, _ = unprivileged()
        with (self._folder / f"{self.name}.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*run, "/usr/bin/patroni", str(self._folder / f"{self.name}.yml")], stdout=log, stderr=log,
                stdin=subprocess.DEVNULL, cwd=self._folder, start_new_session=True,
                env={"PATH": os.environ["PATH"], "HOME": str(self._folder), "LANG": "C.UTF-8"})

    def role(self) -> str:
        """What Patroni says of it."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._rest}/patroni", timeout=1) as answer:
                told = json.load(answer)
        except (OSError, urllib.error.URLError, ValueError):
            return DOWN
        if told.get("state") != "running":
            return DOWN
        if told.get("role") in ("master", "primary"):
            return PRIMARY
        return SYNC if told.get("sync_standby") else REPLICA

    def signal(self, number: int) -> list[int]:
        """To everything of it at once, as when the machine fails or freezes; whom it went to."""
        pids = [self._process.pid, *children(self._process.pid)] if self._process else []
        return _signal([*pids, *self._postgres()], number)

    def kill_postgres(self) -> None:
        """SIGKILL for PostgreSQL alone: Patroni sees it."""
        bury(_signal(self._postgres(), signal.SIGKILL))

    def _postgres(self) -> list[int]:
        """Its postmaster and all it started; nothing when it is down."""
        with suppress(OSError, ValueError, IndexError):
            postmaster = int((self._folder / self.name / "postmaster.pid").read_text("utf-8").split()[0])
            if str(self._folder).encode() in Path(f"/proc/{postmaster}/cmdline").read_bytes():
                return [postmaster, *children(postmaster)]
        return []

    def kill(self) -> None:
        """SIGKILL for PostgreSQL and Patroni."""
        bury([pid for pid in self.signal(signal.SIGKILL) if self._process is None or pid != self._process.pid])
        if self._process is not None:
            self._process.wait()


def _signal(pids: list[int], number: int) -> list[int]:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)
    return pids


class Patroni:
    """The cluster; `url` names all members and finds the one that can write."""

    def __init__(self) -> None:
        for program in ("etcd", "patroni"):
            if shutil.which(program) is None:
                raise RuntimeError(f"{program} is not installed; remedy: apt-get install patroni etcd-server")
        if not BINARIES:
            raise RuntimeError("no PostgreSQL under /usr/lib/postgresql; remedy: apt-get install postgresql")
        self.folder = owned_folder("chaos-patroni-")
        etcd = free_port()
        self._etcd = self._start_etcd(etcd, free_port())
        self.members = [Member(f"member{number}", self.folder, etcd) for number in (1, 2, 3)]
        hosts = ",".join(f"127.0.0.1:{member.port}" for member in self.members)
        self.url = f"postgresql+psycopg://gateway@{hosts}/gateway?target_session_attrs=read-write"

    def _start_etcd(self, client: int, peer: int) -> "subprocess.Popen[bytes]":
        run, _ = unprivileged()
        ours, others = f"http://127.0.0.1:{client}", f"http://127.0.0.1:{peer}"
        with (self.folder / "etcd.log").open("ab") as log:
            return subprocess.Popen(
                [*run, "etcd", "--data-dir", str(self.folder / "etcd"), "--listen-client-urls", ours,
                 "--advertise-client-urls", ours, "--listen-peer-urls", others, "--initial-advertise-peer-urls", others,
                 "--initial-cluster", f"default={others}"],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=self.folder, start_new_session=True)

    def start(self) -> None:
        """All members up, one of them primary with a synchronous standby, and an empty database."""
        for member in self.members:
            member.start()
        self.wait(lambda: self.roles() == [PRIMARY, REPLICA, SYNC])
        options = ("--host=127.0.0.1", f"--port={self.one(PRIMARY).port}", "--username=gateway", "gateway")
        made = subprocess.run([str(BINARIES[-1] / "createdb"), *options], capture_output=True, text=True, check=False)
        if made.returncode:
            raise RuntimeError(f"createdb: {made.stderr[-500:]}")

    def roles(self) -> list[str]:
        """Sorted: [primary, replica, sync] when all is well."""
        return sorted(member.role() for member in self.members)

    def one(self, role: str) -> Member:
        """A member with this role. Raises RuntimeError when there is none."""
        for member in self.members:
            if member.role() == role:
                return member
        raise RuntimeError(f"no member is {role}; they are {self.roles()}")

    def wait(self, until: Callable[[], bool], tick: Callable[[], None] = lambda: None) -> float:
        """Seconds until it is so. Raises RuntimeError with what the members say when it never is."""
        began = time.monotonic()
        while not until():
            if time.monotonic() - began > _PATIENCE:
                logs = "\n".join((self.folder / f"{one.name}.log").read_text("utf-8")[-800:] for one in self.members)
                raise RuntimeError(f"the cluster does not recover: {self.roles()}\n{logs}")
            tick()
            time.sleep(0.2)
        return time.monotonic() - began

    def end(self) -> None:
        """Everything stopped and removed, whatever state it is in."""
        for member in self.members:
            member.kill()
        self._etcd.kill()
        self._etcd.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
