"""The running hub: the Gate built from an instance, both listeners, the work beside them."""

import ctypes
import gc
import json
import os
import socket
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from time import monotonic
from urllib.parse import urlsplit

from prometheus_client.metrics_core import Metric

from gateway import __version__
from gateway.app import front
from gateway.app.checkpoints import CheckpointWriter
from gateway.app.configuration import ConfigurationJournal, digest_of
from gateway.app.evidence import EvidenceFiles
from gateway.app.health import ready_checks, store_metrics
from gateway.app.instance import RUNNING, Instance, new_id, open_instance, utc_now
from gateway.app.load import load_metrics
from gateway.app.log import Log
from gateway.app.ocsp import Inquiry
from gateway.app.profiles import check_sets
from gateway.app.push import Pusher, build_outlet
from gateway.app.pushed import push_check, push_metrics
from gateway.app.restore import require_whole
from gateway.app.retention import retention
from gateway.app.revocation import Watch
from gateway.app.scheduler import EXTEND_SECONDS, LOOK_SECONDS, Duty, Scheduler
from gateway.app.sets import DOCS, documentation
from gateway.app.switches import RENEW_SECONDS, LiveSwitches
from gateway.app.trust import LiveTrust
from gateway.app.watched import switches_check, watched_metrics
from gateway.calendar_nl import working_day
from gateway.errors import GatewayError
from gateway.pipeline import Encryption, Gate, Signers, Tally, answer, begin, decline, lapsed, write_tally
from gateway.ports import Clock, Observe
from gateway.routing import AddressBook
from gateway.security import Usage
from gateway.settings import Address, Settings
from gateway.soap import Limits
from gateway.storage import (
    Checkpoints,
    Duties,
    Operator,
    Pushes,
    Reports,
    SqlJournal,
    SqlMailbox,
    SqlSpool,
    SqlSwitches,
    SqlTolerances,
    Store,
    open_store,
)
from gateway.switches import Switches
from gateway.transport import (
    Background,
    Caller,
    Check,
    Host,
    Meter,
    OwnMeter,
    Quota,
    Server,
    ServerTls,
    SharedMeter,
    SoapListener,
    Supervisor,
    bind,
    build_contracts,
    document_routes,
    url_of,
    web_app,
)
from gateway.values import Service

Ready = Callable[[str, str], None]
_REREAD_SECONDS = 300  # the certificates that parties.toml pins may have been replaced in place
# mallopt(3): blocks from this size are the system's again when freed; what is freed is overwritten with this octet.
_MMAP_THRESHOLD, _LARGE_BLOCK = -3, 1 << 20
_PERTURB, _OVERWRITTEN = -6, 255
_EXPIRE_AT_ONCE = 200  # messages per commit of the expiry work; each may bring a notification


class LiveRegister:
    """The address book, read again when its file changes. A wrong file changes nothing but the log."""

    def __init__(self, instance: Instance, log: Log) -> None:
        self._instance, self._log = instance, log
        self._file = instance.folder / "parties.toml"
        self._seen = self._mark()
        self._read_at = monotonic()
        self.digest = digest_of(self._file)  # of the file as it was taken over
        self._book = instance.read_register()

    def __call__(self) -> AddressBook:
        return self._book

    def name(self, party_id: str) -> str:
        """How an operator knows the party with this id."""
        party = self._book.by_id(party_id)
        return party.slug if party is not None else party_id

    def renew(self) -> None:
        try:
            mark = self._mark()
            if mark == self._seen and monotonic() - self._read_at < _REREAD_SECONDS:
                return
            changed, self._seen, self._read_at = mark != self._seen, mark, monotonic()
            digest = digest_of(self._file)
            self._book, self.digest = self._instance.read_register(), digest
            if changed:
                self._log("parties-renewed", {"parties": len(self._book.everyone)})
        except (GatewayError, OSError) as error:
            self._log("parties-not-renewed", {"error": error})

    def _mark(self) -> tuple[int, int, str]:
        stat = self._file.stat()
        return stat.st_mtime_ns, stat.st_size, utc_now().date().isoformat()  # parties begin and end at midnight


def build_gate(
    instance: Instance, *, store: Store, trust: LiveTrust, register: Callable[[], AddressBook],
    switches: Callable[[], Switches], observe: Observe, urls: Collection[str], clock: Clock = utc_now,
    queued: Callable[[], None] = lambda: None,
) -> Gate:
    """Everything one request needs, from an instance and its open store."""
    settings, sealer = instance.settings, instance.sealer()
    keys = instance.encryption
    check_sets(instance.catalog.services.values(), able=bool(keys))
    return Gate(
        name=settings.hub.name, oin=settings.hub.oin, id=settings.hub.id, software=__version__,
        catalog=instance.catalog, register=register, switches=switches,
        check_caller=trust.checker(Usage.CLIENT), check_signer=trust.checker(Usage.SIGNING), policy=instance.policy,
        trust=lambda: trust.snapshot,
        signers=Signers(keys=instance.signing),
        encryption=Encryption(keys=keys, check=trust.checker(Usage.ENCRYPTION)) if keys else None,
        journal=SqlJournal(store, sealer), tally=Tally(), mailbox=SqlMailbox(store, sealer, clock),
        spool=SqlSpool(store),
        evidence=EvidenceFiles(Reports(store), instance.signing),
        tolerances=SqlTolerances(store),
        dispatch=Host(instance.catalog.services).dispatch, addresses=addresses_of(instance.catalog.services, urls),
        limits=Limits(max_octets=settings.soap.max_octets), term_days=settings.retention.working_days,
        is_working_day=working_day(settings.retention.extra_holidays), new_id=new_id, observe=observe,
        queued=queued,
    )


def run(folder: Path, *, soap_port: int | None, web_port: int | None, workers: int, ready: Ready) -> None:
    """Serve an instance until SIGTERM; `ready(soap_url, web_url)` once it listens. Raises Misconfigured."""
    instance = open_instance(folder)
    settings = instance.settings
    soap = bind(_listen(settings.soap.listen.host, settings.soap.listen.port, soap_port))
    web = bind(_listen(settings.web.listen.host, settings.web.listen.port, web_port))
    public = _public_url(settings.hub.public_url, soap, moved=soap_port is not None or settings.soap.listen.port == 0)
    marker, meter = instance.folder / RUNNING, instance.folder / front.METER

    def announce(_: str, web_url: str) -> None:
        marker.write_text(json.dumps({"soap": public, "web": web_url, "pid": os.getpid()}), "utf-8")
        ready(public, web_url)

    try:
        if workers == 1:
            serve(instance, soap, web, public, announce, OwnMeter())
            return
        SharedMeter.make(meter)
        settle()  # this process stays too, beside its workers
        argument = json.dumps({"folder": str(instance.folder), "public": public})
        supervisor = Supervisor(target="gateway.app.hub:serve_worker", argument=argument, count=workers,
                                soap_socket=soap, web_socket=web, ready=announce)
        code = supervisor.run()
        if code:
            sys.exit(code)
    finally:
        if marker.is_file() and json.loads(marker.read_text("utf-8")).get("pid") == os.getpid():  # not another's
            marker.unlink()
            meter.unlink(missing_ok=True)


def serve_worker(argument: str, soap: socket.socket, web: socket.socket, index: int, ready: Ready) -> int:
    """One of several worker processes (transport/workers.py)."""
    given = json.loads(argument)
    try:
        instance = open_instance(Path(given["folder"]))
        serve(instance, soap, web, given["public"], ready, SharedMeter(instance.folder / front.METER), index)
    except GatewayError as error:
        Log()("worker-not-started", {"worker": index, "error": error})
        return 1
    return 0


def serve(
    instance: Instance, soap: socket.socket, web: socket.socket, public: str, ready: Ready, meter: Meter,
    index: int = 0,
) -> None:
    """Both listeners in this process, until told to stop."""
    settings, log = instance.settings, Log()
    trust = LiveTrust(settings.trust, utc_now, log)
    register = LiveRegister(instance, log)
    tls, quota = front.server_tls(settings), front.quota(settings, register, meter, log)
    services = instance.catalog.services
    urls = {public, url_of(soap, "https"), _with_host(url_of(soap, "https"), "localhost")}
    with open_store(settings.store.database, node=settings.hub.node, queue_limit=settings.limits.max_waiting) as store:
        require_whole(instance, store)
        switches = LiveSwitches(SqlSwitches(store), log)
        caller = front.caller(settings)
        pusher = Pusher(build_outlet(instance, store, trust, register, caller.post, log), settings.push)
        gate = build_gate(instance, store=store, trust=trust, register=register, switches=switches, observe=log,
                          urls=urls, queued=pusher.wake)
        scheduler = Scheduler(_duties(gate, store, settings, log), Duties(store, holder=new_id()), clock=utc_now,
                              observe=log)
        listener = SoapListener(
            answer=lambda received: answer(received, gate),
            begin=lambda received, root: begin(received, root, gate),
            refuse=lambda received, error: decline(received, error, gate), services=services, now=utc_now,
            contracts=build_contracts(services, wsdl_root=settings.sets.wsdl, xsd_root=settings.sets.xsd,
                                      public_url=public),
            limits=front.request_limits(settings), quota=quota,
        )
        pages = web_app(services=services, public_url=public,
                        checks=lambda: _checks(instance, trust, store, switches, register),
                        collect=lambda: (*_metrics(log, trust, store, switches, register),
                                         *load_metrics(listener.load, quota, store)),
                        routes=document_routes(documentation(instance.catalog, public), DOCS))
        settle()
        beside = [Watch(settings.trust, trust, utc_now, log).fetch]
        if settings.trust.ocsp:
            beside.append(Inquiry(settings.trust, trust, utc_now, log).ask)
        reload = partial(_reload, tls, caller, settings)
        with _journaled(instance, store, trust, register, log, configured=index == 0) as journaling, pusher:
            Server(soap=listener, web=pages, soap_socket=soap, web_socket=web, tls=tls, quota=quota, ready=ready,
                   background=(*_chores(gate, trust, register, switches, tls, reload, beside, quota), *journaling,
                               Background(seconds=LOOK_SECONDS, function=scheduler.look),
                               Background(seconds=EXTEND_SECONDS, function=scheduler.keep)),
                   connections=front.connection_limits(settings)).run()
        scheduler.close()
        write_tally(gate, utc_now(), quota.untold())
        try:
            gate.tolerances.flush()
        except GatewayError as error:  # figures only: the hub has ended well without them
            log("tolerances-not-written", {"error": error})


def settle() -> None:
    """Make the memory of a process that is to serve for long behave.

    What is there now stays: the cycle collector would take 70 ms to walk its hundred thousand objects. From now on what
    is freed is overwritten (docs/decisions/0020; what was loaded until now is nobody's). And a large block goes back to
    the system when it is let go; glibc else learns to keep blocks of up to 32 MB, in pieces.
    """
    gc.enable()
    gc.collect()
    gc.freeze()
    with suppress(AttributeError, OSError):  # another C library than glibc
        library = ctypes.CDLL(None)
        library.mallopt(_PERTURB, _OVERWRITTEN)
        library.mallopt(_MMAP_THRESHOLD, _LARGE_BLOCK)


def _reload(tls: ServerTls, caller: Caller, settings: Settings) -> None:
    """Both sides of TLS with the files as they are now. Raises Misconfigured."""
    tls.reload()
    caller.renew(front.client_tls(settings))


def _duties(gate: Gate, store: Store, settings: Settings, log: Log) -> tuple[Duty, ...]:
    """What is done once for the whole hub, by whichever process comes first."""
    def expire() -> None:
        count = _EXPIRE_AT_ONCE
        while count == _EXPIRE_AT_ONCE:
            now = utc_now()
            count = gate.mailbox.expire(now, _EXPIRE_AT_ONCE, partial(lapsed, gate=gate, now=now))

    hour = timedelta(hours=1)
    return (
        Duty(name="expire", every=timedelta(minutes=1), work=expire),
        Duty(name="sweep-files", every=timedelta(minutes=1), work=lambda: gate.spool.sweep(utc_now())),
        Duty(name="retire-keys", every=hour, work=lambda: gate.mailbox.retire_keys(utc_now())),
        Duty(name="partitions", every=hour, work=lambda: _tables(store, log)),
        Duty(name="retention", every=hour, work=retention(store, settings.retention.metadata_months, log)),
    )


def _tables(store: Store, log: Log) -> None:
    done = store.maintain(utc_now())
    if done:
        log("partitions", {"done": done})


def _checks(instance: Instance, trust: LiveTrust, store: Store, switches: LiveSwitches,
            register: LiveRegister) -> dict[str, Check]:
    return {**ready_checks(instance, trust, Reports(store)), "switches": switches_check(switches(), register.name),
            "push": push_check(Pushes(store), utc_now(), register.name)}


def _metrics(log: Log, trust: LiveTrust, store: Store, switches: LiveSwitches,
             register: LiveRegister) -> Iterator[Metric]:
    yield from store_metrics(log, trust, Reports(store), Checkpoints(store))
    yield from watched_metrics(switches(), Duties(store, holder="").all(), utc_now(), register.name)
    yield from push_metrics(Pushes(store), utc_now(), register.name)


def _chores(
    gate: Gate, trust: LiveTrust, register: LiveRegister, switches: LiveSwitches, tls: ServerTls,
    reload: Callable[[], None], beside: Iterable[Callable[[Callable[[], None]], None]], quota: Quota,
) -> tuple[Background, ...]:
    """What each process does for itself: what it read, counted and holds open."""
    def renew() -> None:
        trust.renew(reload)

    return (
        Background(seconds=2, function=register.renew),
        Background(seconds=RENEW_SECONDS, function=switches.renew),
        Background(seconds=20, function=renew),
        Background(seconds=20, function=tls.renew_sessions),
        *(Background(seconds=15, function=partial(work, renew)) for work in beside),  # most rounds have nothing to do
        Background(seconds=60, function=gate.tolerances.flush),
        Background(seconds=60, function=lambda: write_tally(gate, utc_now(), quota.untold())),
    )


@contextmanager
def _journaled(instance: Instance, store: Store, trust: LiveTrust, register: LiveRegister, log: Log, *,
               configured: bool) -> Iterator[tuple[Background, ...]]:
    """What is journaled beside the requests, from start to stop; `configured`: this process writes for the node."""
    checkpoints = CheckpointWriter(instance.settings, instance.signing, store, clock=utc_now, observe=log)
    configuration = ConfigurationJournal(
        instance.settings, instance.signing, Operator(store), trust=trust, clock=utc_now, observe=log,
        parties=lambda: (register.digest, register()))
    signing = (Background(seconds=2, function=checkpoints.write_due), Background(seconds=2, function=checkpoints.stamp))
    if configured:
        configuration.start()
        yield (*signing, Background(seconds=5, function=configuration.look))
        configuration.stop()
    else:
        yield signing
    checkpoints.write()


def addresses_of(services: Mapping[str, Service], urls: Collection[str]) -> Callable[[Service], Collection[str]]:
    """The absolute addresses of each service below these URLs."""
    by_path = {path: frozenset(url + path for url in urls) for path in services}
    return lambda service: by_path[service.path]


def _listen(host: str, port: int, given: int | None) -> str:
    return str(Address(host=host, port=port if given is None else given))


def _public_url(stated: str, listener: socket.socket, *, moved: bool) -> str:
    """The address parties use: as stated, unless the listener was moved to another port by hand."""
    if not moved:
        return stated
    host = urlsplit(stated).hostname or "localhost"
    port = listener.getsockname()[1]
    return f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"


def _with_host(url: str, host: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{host}:{parts.port}"
