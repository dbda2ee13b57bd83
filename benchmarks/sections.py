"""The sections of `make bench`: what each measures, about how long it takes, and its quick form, which only shows that
it works.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

import psycopg

from benchmarks.attachments import measure_attachments
from benchmarks.growth import SIZES, measure_growth
from benchmarks.line import ON_A_SERVER, WAY_IN, Case, measure_line, measure_mailbox
from benchmarks.network import LOADS, Load, measure_network, served
from benchmarks.primitives import measure_primitives
from benchmarks.push import measure_push
from benchmarks.stacks.run import measure_stacks
from benchmarks.start import measure_start
from benchmarks.world import P256, RSA, RSA3072, instance_folder, world
from tests.postgres.cluster import NotInstalled, cluster
from tests.postgres.databases import fresh, libpq

Told = Callable[[str], None]  # how far a section is
Rows = list[dict[str, object]]


@dataclass(frozen=True, kw_only=True)
class Section:
    """One part of the whole, which can be run alone."""

    name: str
    title: str
    seconds: int  # about, on two quiet cores
    measure: Callable[[Told, bool], object]  # True: quickly; raises Skipped


class Skipped(Exception):
    """What a section needs is not here; the text says what, and how to get it."""


def _ceiling(told: Told, quick: bool) -> object:
    told("each primitive alone, in turn")
    with world(hub_rsa=RSA3072) as hub:
        return measure_primitives(hub, rounds=1, per_round=2) if quick else measure_primitives(hub)


def _way_in(told: Told, quick: bool) -> object:
    found: Rows = []
    for rsa in (RSA, RSA3072):
        cases = [case for case in WAY_IN if case.key == rsa or (case.key, rsa) == (P256, RSA)]
        with world(hub_rsa=rsa) as hub:
            found += measure_line(hub, few(cases), told, rounds=1) if quick else measure_line(hub, cases, told)
    return found


def _mailbox(told: Told, quick: bool) -> object:
    with world() as hub:
        return measure_mailbox(hub, told, rounds=1, per_round=2) if quick else measure_mailbox(hub, told)


def _push(told: Told, quick: bool) -> object:
    told("to four parties, and beside one that hangs and one that fails")
    with world() as hub:
        return [measure_push(hub, rounds=1, each=2) if quick else measure_push(hub)]


def _network(told: Told, quick: bool) -> object:
    found: Rows = []
    for workers in (1, 2):
        with instance_folder() as folder, served(folder, workers) as running:
            found += measure_network(running, light(LOADS) if quick else LOADS, told)
    return found


def _growth(told: Told, quick: bool) -> object:
    if quick:
        return measure_growth({500: 100, 800: 150}, rounds=1, per_round=2, told=told)
    return measure_growth(SIZES, told=told)


def _start(told: Told, quick: bool) -> object:
    told("`gateway serve`, again and again")
    return measure_start(1) if quick else measure_start()


def _postgres(told: Told, quick: bool) -> object:
    with ExitStack() as stack:
        try:
            server = os.environ.get("DATABASE_URL") or stack.enter_context(_durable_cluster())
        except NotInstalled as error:
            raise Skipped(f"PostgreSQL is left out. {error}") from None
        with fresh(server) as url, world(url=url) as hub:
            line = measure_line(hub, few(ON_A_SERVER), rounds=1) if quick else measure_line(hub, ON_A_SERVER, told)
            line += measure_mailbox(hub, rounds=1, per_round=2) if quick else measure_mailbox(hub, told)
        loads = [load for load in LOADS if load.connections == 32]
        with fresh(server) as url, instance_folder(url=url) as folder, served(folder, 2) as running:
            network = measure_network(running, light(loads) if quick else loads, told)
        return {"version": _version(server), "line": line, "network": network}


def _attachments(told: Told, quick: bool) -> object:
    with instance_folder() as folder, served(folder, 1) as running:
        if quick:
            return measure_attachments(running, counts=[2], size=100_000, rounds=1, told=told)
        return measure_attachments(running, told=told)


def _stacks(told: Told, quick: bool) -> object:
    with world() as hub:
        return measure_stacks(hub, seconds=0.05, rounds=1, told=told) if quick else measure_stacks(hub, told=told)


SECTIONS = (
    Section(name="ceiling", title="the ceiling, primitive by primitive", seconds=15, measure=_ceiling),
    Section(name="way-in", title="the way in, in this process", seconds=45, measure=_way_in),
    Section(name="mailbox", title="collect and confirm", seconds=15, measure=_mailbox),
    Section(name="push", title="push", seconds=25, measure=_push),
    Section(name="network", title="end to end over mutual TLS", seconds=80, measure=_network),
    Section(name="growth", title="growth", seconds=90, measure=_growth),
    Section(name="start", title="start", seconds=45, measure=_start),
    Section(name="postgres", title="on PostgreSQL", seconds=60, measure=_postgres),
    Section(name="attachments", title="files of 20 MB", seconds=40, measure=_attachments),
    Section(name="stacks", title="other stacks, the same work", seconds=60, measure=_stacks),
)


@contextmanager
def _durable_cluster() -> Iterator[str]:
    """A server as the tests make it, but one that syncs at every commit; its url."""
    with cluster() as made:
        with psycopg.connect(libpq(made.url), autocommit=True) as connection:
            for name in ("fsync", "full_page_writes"):
                connection.execute(f"ALTER SYSTEM SET {name} = on")
            connection.execute("SELECT pg_reload_conf()")
        yield made.url


def _version(server: str) -> str:
    with psycopg.connect(libpq(server)) as connection:
        return str(connection.execute("SHOW server_version").fetchone()[0])


def few(cases: Sequence[Case]) -> list[Case]:
    """The same, with so few messages that only their working shows."""
    return [replace(case, per_round=2 * case.threads) for case in cases]


def light(loads: Sequence[Load]) -> list[Load]:
    """The same, with a few messages."""
    return [replace(load, messages=24) for load in loads]
