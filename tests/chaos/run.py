"""One run: a world, nodes, parties, a storm, calm; then the audit. What came of it is judged by the checker."""

import signal
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from queue import Queue
from random import Random
from typing import Protocol
from unittest.mock import patch

from sqlalchemy import select

from gateway.app import Instance, create_instance, open_instance, upgrade_store, verify_evidence, world
from gateway.errors import GatewayError
from gateway.names import KN, clark
from gateway.security.throwaway import Description, default_description
from gateway.soap import leaf
from gateway.storage import open_store
from gateway.storage.records import ACCEPTED
from gateway.storage.session import Query
from gateway.storage.tables import entries, messages
from tests.chaos.checker import History, Violation, check
from tests.chaos.clients import Actor, Administrator, Collector, Counsellor, Creditor, Sender, Way
from tests.chaos.history import Event, Recorder, read
from tests.chaos.messages import PARTIES
from tests.chaos.nemesis import Database, Nemesis
from tests.chaos.nodes import ROOT, Node, adopt, free_port, node_folder, wait_until_ready
from tests.chaos.plan import plan_acts
from tests.chaos.receivers import Service, Watcher, serving
from tests.line import edit_parties

_DRAIN_SECONDS = 240.0  # longer than a lease: what a killed node had claimed to push is another's only then
_RESPONDING = ("energie", "zorgverzekeraar")  # creditors that answer
_SAMPLE = 20  # messages whose evidence is verified, and those whose status is asked for although they arrived
_ENTRIES = Query(select(entries.c.node, entries.c.position, entries.c.hash, messages.c.referentienummer)
                 .join(messages, messages.c.id == entries.c.message).where(entries.c.kind == ACCEPTED))


@dataclass(frozen=True, slots=True, kw_only=True)
class Storm:
    """What is asked of a run."""

    seed: int
    seconds: float
    kills: int
    nodes: int = 1
    workers: int = 2
    store: str = "sqlite"
    counsellors: int = 3
    push: tuple[str, ...] = ("deurwaarder", "zorgverzekeraar")  # parties with a service of their own
    think: float = 0.03  # seconds, on average, between two messages of one sender


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What became of it."""

    storm: Storm
    violations: list[Violation]
    figures: dict[str, object]
    events: list[Event] = field(repr=False)


def make_template(folder: Path) -> None:
    """An instance in which everybody signs with P-256: cheaper for two cores, and no less true."""
    described = default_description()
    cheap = Description(crls=described.crls, certificates=tuple(
        replace(one, key="P-256") if one.file.endswith("-sign") else one for one in described.certificates))
    with patch.object(world, "default_description", lambda: cheap):
        create_instance(folder)


Drama = Callable[[Nemesis, Callable[[], None]], None]  # what is done to the hub; the second is called all the time


class Server(Protocol):
    """A database server that is made for this run."""

    url: str

    def end(self) -> None: ...


def run(
    storm: Storm, folder: Path, *, template: Path | None = None, say: Callable[[str], None] = print,
    server: Server | None = None, drama: Drama | None = None,
) -> Outcome:
    """The whole of it in `folder`, which keeps instances, logs and `history/`. Leaves no process behind.

    `server`: the database of all nodes, already up, ended by its owner; else one of this run's own where the storm asks
    it. `drama`: instead of the storm of the plan.
    """
    adopt()
    folder.mkdir(parents=True, exist_ok=True)
    if template is None:
        template = folder / "template"
        make_template(template)
    with interruptible(), ExitStack() as stack:
        stage = Stage(storm, folder, template, stack, say, server)
        stage.play(drama or stage.storm)
    events = read(folder / "history")
    violations = check(events)
    return Outcome(storm=storm, violations=violations, figures=figures(storm, events, stage.kills), events=events)


class Stage:
    """Everything that runs, set up in order and taken down in reverse, whatever happens."""

    def __init__(
        self, storm: Storm, folder: Path, template: Path, stack: ExitStack, say: Callable[[str], None],
        server: Server | None,
    ) -> None:
        self._storm, self._folder, self._stack, self._say = storm, folder, stack, say
        self._history = folder / "history"
        self._history.mkdir()
        self._counts: Counter[str] = Counter()
        self._began = self._told = time.monotonic()
        self.kills = 0
        self._database = self._start_database() if server is None else None
        self._url = getattr(server or self._database, "url", f"sqlite:///{folder / 'gateway.db'}")
        self._opened: dict[str, Queue[str]] = {slug: Queue(50) for slug in _RESPONDING}
        self._services: list[Service] = []
        pushed = {slug: self._serve(slug, template) for slug in storm.push}
        self._nodes = [self._node(number, template, pushed) for number in range(1, storm.nodes + 1)]
        self._instance: Instance = open_instance(self._nodes[0].folder)
        upgrade_store(self._nodes[0].folder)
        self._proxy = self._start_proxy()
        ports = [int(port) for port in self._proxy.stdout.readline().split()]  # type: ignore[union-attr]
        self._ways = lambda slug, first: Way(self._instance, slug, ports, first)
        for node in self._nodes:
            node.spawn()
        wait_until_ready(self._nodes)

    def _start_database(self) -> "Database | None":
        if self._storm.store == "sqlite":
            return None
        from tests.chaos.postgres import Postgres

        server = Postgres()
        self._stack.callback(server.end)
        return server

    def _serve(self, slug: str, template: Path) -> str:
        """A party's own service; its URL."""
        record = self._recorder(f"service-{slug}")
        url, service = self._stack.enter_context(
            serving(template, slug, self._storm.seed, record, self._opened.get(slug)))
        self._services.append(service)
        return url

    def _node(self, number: int, template: Path, pushed: dict[str, str]) -> Node:
        name = f"node-{number}"
        port = free_port()
        node = Node(port=port, workers=self._storm.workers, folder=node_folder(
            template, self._folder / name, name=name, port=port, shared=self._folder, store=self._url))
        if pushed:
            edit_parties(node.folder, **{slug: {"push": one} for slug, one in pushed.items()})
        self._stack.callback(node.kill)
        return node

    def _start_proxy(self) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "tests.chaos.proxy", str(self._storm.seed),
                   *(str(node.port) for node in self._nodes)]
        proxy = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        self._stack.callback(_stop, proxy)
        return proxy

    def _recorder(self, name: str) -> Recorder:
        recorder = Recorder(self._history, name, self._counts)
        self._stack.callback(recorder.close)
        return recorder

    # --- the play --------------------------------------------------------------------------------------------

    def storm(self, nemesis: Nemesis, tick: Callable[[], None]) -> None:
        """What the plan says."""
        storm = self._storm
        acts = plan_acts(storm.seed, seconds=storm.seconds, kills=storm.kills, nodes=storm.nodes, workers=storm.workers,
                         database=self._database is not None)
        nemesis.run(acts, seconds=storm.seconds, tick=tick)

    def play(self, drama: Drama) -> None:
        """The drama, the calm, the audit."""
        senders, collectors = self._cast()
        nemesis = Nemesis(self._nodes, self._database, self._recorder("nemesis"))
        for actor in (*senders, *collectors):
            actor.start()
        self._stack.callback(_let_go, [*senders, *collectors])
        drama(nemesis, self._tick)
        self._say_progress("calm")
        self._proxy.stdin.write("calm\n")  # type: ignore[union-attr]
        self._proxy.stdin.flush()  # type: ignore[union-attr]
        nemesis.calm(seconds=_DRAIN_SECONDS, tick=self._tick)
        self.kills = nemesis.kills
        self._drain(senders, collectors)
        self._say_progress("drained")
        self._audit()

    def _cast(self) -> tuple[list[Sender], list[Collector | Watcher]]:
        storm = self._storm
        opened = self._opened

        def given(name: str, slug: str) -> dict[str, object]:
            return {"name": name, "slug": slug, "seed": storm.seed, "way": self._ways, "record": self._recorder(name)}

        senders: list[Sender] = [Counsellor(**given(f"counsellor-{number}", "gemeente"), think=storm.think)
                                 for number in range(storm.counsellors)]
        senders.append(Administrator(**given("administrator", "bewindvoerder"), think=3 * storm.think))
        senders += [Creditor(**given(f"creditor-{slug}", slug), opened=queue, think=storm.think)
                    for slug, queue in opened.items()]
        collectors: list[Collector | Watcher] = [Collector(**given(f"collector-{slug}", slug), opened=opened.get(slug))
                      for slug in ("gemeente", "energie", "deurwaarder", "zorgverzekeraar") if slug not in storm.push]
        collectors.append(Collector(**given("collector-energie-2", "energie"), opened=opened["energie"]))
        collectors += [Watcher(**given(f"watcher-{slug}", slug)) for slug in storm.push]
        return senders, collectors

    def _drain(self, senders: Sequence[Sender], collectors: Sequence[Collector | Watcher]) -> None:
        """Senders finish what they began, receivers empty their mailboxes; then everybody is gone."""
        deadline = time.monotonic() + _DRAIN_SECONDS
        for service in self._services:
            service.calm.set()
        for sender in senders:
            sender.deadline = deadline
            sender.halted.set()
        self._join(senders)
        for collector in collectors:
            collector.deadline = deadline
            collector.draining.set()
        self._join(collectors)

    def _join(self, actors: Sequence[Actor]) -> None:
        for actor in actors:
            while actor.is_alive():
                actor.join(0.2)
                self._tick()
        for actor in actors:
            if actor.broken is not None:
                raise RuntimeError(f"{actor.name} broke") from actor.broken

    def _tick(self) -> None:
        if time.monotonic() - self._told >= 10:
            self._say_progress("storm")

    def _say_progress(self, word: str) -> None:
        self._told, counts = time.monotonic(), self._counts
        self._say(f"{self._told - self._began:5.0f} s  {word:7}  {counts['request']:,} requests, {counts['receipt']:,} "
                  f"receipts, {counts['silent']:,} without answer, {counts['refused']:,} refused, "
                  f"{counts['got'] + counts['pushed']:,} received, {counts['act']:,} acts")

    # --- the audit -------------------------------------------------------------------------------------------

    def _audit(self) -> None:
        """What parties see in the end, and what the journal says."""
        record = self._recorder("auditor")
        history = History(read(self._history))
        sample = self._sampled(history)
        self._ask_status(history, sample, record)
        for node in self._nodes:
            node.wanted = False
            code = node.end()
            if code != 0:
                record("fell", target=node.name, code=code)
        self._verify(sample[:_SAMPLE], record)

    def _sampled(self, history: History) -> list[tuple[str, str]]:
        """Keys of receipted messages: all that some addressee did not get, and a few others."""
        receipted = [key for key, message in history.messages.items() if message.receipts]
        missing = [(sender, ref) for sender, ref in receipted if not all(
            history.deliveries[to, sender, ref].arrivals for to in history.messages[sender, ref].to)]
        chance = Random(f"{self._storm.seed}/sample")
        return chance.sample(receipted, min(_SAMPLE, len(receipted))) + missing[:200]

    def _ask_status(self, history: History, keys: Sequence[tuple[str, str]], record: Recorder) -> None:
        slugs = {party: slug for slug, party in PARTIES.items()}
        for sender, ref in keys:
            for party in (sender, *history.messages[sender, ref].to):
                client = self._ways(slugs[party], 0).client
                with suppress(GatewayError):
                    for line in client.ask("logboek", "ZoekLogboek", leaf("kn:Referentienummer", ref)):
                        seen = {name: line.findtext(clark(KN, name)) for name in ("Afzender", "Ontvanger", "Status")}
                        record("status", party=party, ref=ref, sender=seen["Afzender"], receiver=seen["Ontvanger"],
                               status=seen["Status"])
                client.close()

    def _verify(self, keys: Sequence[tuple[str, str]], record: Recorder) -> None:
        anchor = self._instance.folder / "pki" / "ca.pem"
        with self._instance.operations() as operations:
            verdict = operations.verify_journal(lambda done: None)
            record("journal", holds=verdict["holds"], entries=verdict["entries"], cause=verdict["cause"])
            for sender, ref in keys:
                proof = operations.prove(ref, sender)
                wrong = [one for one in verify_evidence(proof, None, [anchor]) if one.holds is False]
                record("evidence", ref=ref, holds=not wrong, detail=str(wrong[:1]))
        with open_store(self._instance.settings.store.database) as store, store.read() as session:
            for node, position, digest, ref in session.all(_ENTRIES):
                record("entry", node=node, position=position, hash=bytes(digest).hex(), ref=ref)


@contextmanager
def interruptible() -> Iterator[None]:
    """SIGTERM ends a run as Ctrl-C does: everything is taken down."""
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    try:
        before = signal.signal(signal.SIGTERM, stop)
    except ValueError:  # not in the main thread: somebody else sees to it
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _stop(process: "subprocess.Popen[str]") -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(OSError):
                pipe.close()


def _let_go(actors: Sequence[Actor]) -> None:
    """At the end of a run, also of one that failed half-way."""
    for actor in actors:
        actor.deadline = 0.0
        actor.halted.set()
        if isinstance(actor, Collector | Watcher):
            actor.draining.set()
    for actor in actors:
        if actor.ident is not None:
            actor.join(10)


def figures(storm: Storm, events: Sequence[Event], kills: int) -> dict[str, object]:
    """What a closing note asks for."""
    history = History(events)
    answered = sorted((one.at - history.asked[one["id"]].at) * 1000 for one in history.by_kind["receipt"]
                      if history.asked[one["id"]]["how"] == "first")
    acts = Counter(one["what"] for one in history.by_kind["act"])
    hows = Counter(one["how"] for one in history.by_kind["request"])
    arrivals = [one for delivery in history.deliveries.values() for one in delivery.arrivals]
    return {
        "seed": storm.seed, "store": storm.store, "nodes": storm.nodes, "seconds": storm.seconds,
        "messages": len(history.messages), "requests": sum(hows.values()), "receipts": len(history.by_kind["receipt"]),
        "receipted": sum(bool(message.receipts) for message in history.messages.values()),
        "abandoned": len(history.by_kind["abandoned"]), "unanswered": len(history.by_kind["silent"]),
        "retries": hows["repeat"], "duplicates": hows["again"] + hows["twin"], "conflicts": hows["conflict"],
        "deliveries": len(history.deliveries), "arrivals": len(arrivals),
        "pushes": len(history.by_kind["pushed"]), "kills": kills, "acts": dict(acts),
        "p50_ms": round(statistics.median(answered), 1) if answered else None,
        "p99_ms": round(answered[int(len(answered) * 0.99)], 1) if answered else None,
        "journal": sum(one["entries"] for one in history.by_kind["journal"]),
    }
