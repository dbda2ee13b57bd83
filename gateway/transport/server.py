"""Runs both listeners in one process and one event loop, until SIGTERM or SIGINT; then drains.

Draining: stop accepting, finish every request that has begun to arrive, close what is idle, end. The sockets are bound
here, before anything is served, so that free ports are known and several processes can share them (workers.py).
"""

import asyncio
import logging
import random
import resource
import signal
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from email.utils import formatdate
from types import FrameType
from typing import Any

from uvicorn.config import Config
from uvicorn.server import ServerState

from gateway.errors import Misconfigured
from gateway.transport.door import Door
from gateway.transport.listener import SoapListener
from gateway.transport.protocol import ConnectionLimits, protocol_class
from gateway.transport.quota import Quota

_BACKLOG = 1024
_FILES_BESIDE = 256  # descriptors for the web port, the store, logs and the rest
_JITTER = 0.1  # share of an interval, so that many nodes do not act at one moment

_log = logging.getLogger(__name__)

Ready = Callable[[str, str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Background:
    """Work that is called about every `seconds`, in a thread beside the requests, first after the first interval.

    An exception of it is logged by its class name, and it is called again next time.
    """

    seconds: float
    function: Callable[[], object]


def bind(listen: str) -> socket.socket:
    """A listening socket for "host:port" or "[ipv6]:port"; port 0 chooses a free one. Raises Misconfigured."""
    host, _, port = listen.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # IPPROTO_TCP spelled out: without it asyncio does not set TCP_NODELAY on what it accepts.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, int(port)))
        listener.listen(_BACKLOG)
    except (OSError, ValueError, OverflowError) as error:
        listener.close()
        raise Misconfigured(f"can't listen on {listen}: {error}; choose another address or port, or 0") from error
    listener.setblocking(False)
    return listener


def url_of(listener: socket.socket, scheme: str) -> str:
    """The URL of a bound socket, such as https://127.0.0.1:8443."""
    host, port = listener.getsockname()[:2]
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


@contextmanager
def end_signals(act: Callable[[], None]) -> Iterator[None]:
    """The first SIGTERM or SIGINT calls `act`. Later ones are ignored until the process is gone: a second must not cut
    its end short. Without any, what was before is restored. Belongs in the main thread.
    """
    came = False

    def first(number: int, frame: FrameType | None) -> None:
        nonlocal came
        came = True
        for one in before:
            signal.signal(one, signal.SIG_IGN)
        act()

    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    for number in before:
        signal.signal(number, first)
    try:
        yield
    finally:
        if not came:
            for number, handler in before.items():
                signal.signal(number, handler)


class Server:
    """Both listeners, the background work, and their end.

    Takes   the SOAP application and the web application (ASGI), a bound socket for each, and the TLS context of the
            SOAP side and its quota; `ready(soap_url, web_url)` is called once, when both accept. A party's receiving
            service has no web side: its URL is then "".
    """

    def __init__(
        self, *, soap: SoapListener, soap_socket: socket.socket, tls: ssl.SSLContext, quota: Quota, ready: Ready,
        web: Any = None, web_socket: socket.socket | None = None, background: Sequence[Background] = (),
        connections: ConnectionLimits | None = None, drain_seconds: float = 30.0,
    ) -> None:
        self._soap = soap
        self._soap_socket, self._web_socket = soap_socket, web_socket
        self._ready = ready
        self._background = tuple(background)
        self._drain_seconds = drain_seconds
        limits = connections or ConnectionLimits()
        self._listeners = [_Listener(soap, soap_socket, tls, limits, quota)]
        if web_socket is not None:
            self._listeners.append(_Listener(web, web_socket, None, ConnectionLimits(), None))
        self._files = limits.connections + limits.handshakes + _FILES_BESIDE
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._stopped = threading.Event()

    def run(self) -> None:
        """Serve until told to stop; comes back when everything is drained, at the latest after `drain_seconds` and
        the time of the work that then still runs. In the main thread SIGTERM and SIGINT stop it.
        """
        with end_signals(self.stop) if threading.current_thread() is threading.main_thread() else nullcontext():
            asyncio.run(self._run())

    def stop(self) -> None:
        """Begin to drain; from any thread, any number of times, also before `run`."""
        self._stopped.set()
        if self._loop is not None and self._stop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._stop.set)

    async def _run(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        _allow_files(self._files)
        for listener in self._listeners:
            listener.start()
        with ThreadPoolExecutor(4, thread_name_prefix="background") as executor:  # two may wait for the network
            chores = [asyncio.create_task(_repeat(work, executor)) for work in self._background]
            chores.append(asyncio.create_task(self._keep_date()))
            web_url = "" if self._web_socket is None else url_of(self._web_socket, "http")
            self._ready(url_of(self._soap_socket, "https"), web_url)
            if not self._stopped.is_set():
                await self._stop.wait()
            await self._drain()
            for chore in chores:
                chore.cancel()
        self._soap.close()

    async def _keep_date(self) -> None:
        """RFC 9110 §6.6.1: an origin server with a clock sends Date. No Server header: it would only help attackers."""
        while True:
            date = [(b"date", formatdate(usegmt=True).encode())]
            for listener in self._listeners:
                listener.state.default_headers = date
            await asyncio.sleep(1)

    async def _drain(self) -> None:
        for listener in self._listeners:
            listener.stop_accepting()
        await asyncio.sleep(0)  # connections accepted in this round of the loop register themselves
        try:
            async with asyncio.timeout(self._drain_seconds):
                for listener in self._listeners:
                    await listener.drained()
        except TimeoutError:
            _log.warning("stopped with requests unfinished after %s seconds", self._drain_seconds)
            for listener in self._listeners:
                listener.abort()


class _Listener:
    """One socket, its connections and the requests on them."""

    def __init__(
        self, app: Any, listener: socket.socket, tls: ssl.SSLContext | None, limits: ConnectionLimits,
        quota: Quota | None,
    ) -> None:
        self._protocol = protocol_class(limits, quota)
        self._config = Config(
            app, http=self._protocol, ws="none", lifespan="off", interface="asgi3", log_config=None,
            log_level="error", access_log=False, proxy_headers=False, server_header=False, date_header=False,
            timeout_keep_alive=int(limits.idle_seconds), loop="none",
        )
        self._config.load()
        self.state = ServerState()
        self._door = Door(listener, tls, self._new, handshake_seconds=limits.handshake_seconds,
                          handshakes=limits.handshakes)

    def _new(self) -> asyncio.Protocol:
        return self._protocol(self._config, self.state, {}, asyncio.get_running_loop())

    def start(self) -> None:
        self._door.open()

    def stop_accepting(self) -> None:
        self._door.close()

    async def drained(self) -> None:
        """Ask each connection to end after its request, and wait until none is left."""
        while self.state.connections or self.state.tasks:
            for connection in list(self.state.connections):
                connection.shutdown()  # again each round: a TLS handshake may just have ended
            await asyncio.sleep(0.05)

    def abort(self) -> None:
        for connection in list(self.state.connections):
            connection.transport.abort()


def _allow_files(wanted: int) -> None:
    """Ask the system for as many descriptors as the limits allow connections; systems give 1,024 unasked."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    granted = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < granted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (granted, hard))
    if granted < wanted:
        _log.warning("the system allows %s open files, the limits ask for %s; raise it or lower them", granted, wanted)


async def _repeat(work: Background, executor: ThreadPoolExecutor) -> None:
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(work.seconds * random.uniform(1 - _JITTER, 1 + _JITTER))  # noqa: S311  # no secret
        try:
            await loop.run_in_executor(executor, work.function)
        except Exception as error:  # one failure must not end the work; its text may hold data, so the class alone
            name = getattr(work.function, "__qualname__", type(work.function).__name__)
            _log.warning("background work %s failed: %s", name, type(error).__name__)

