"""The SOAP listener as an ASGI application: HTTP in, values.Received out, values.Reply back.

What HTTP alone can tell is refused here, before any octet is parsed; the rest is the line's. Order of the checks of a
POST (WS-I BP 1.1 §3.4, docs/profile.md §2):

0. the caller is within its quota, else 429 with Retry-After, before anything is read;
1. the path is a service of this hub (exact match, nothing is decoded or normalised), else 404;
2. the method: POST, or GET for a contract document, else 405 with Allow;
3. the body fits, by Content-Length or while it streams, else 413; it comes in time, else the connection ends;
4. no Content-Encoding but identity, and text/xml in UTF-8, else 415;
5. a worker thread is free or will be soon, else 503 with Retry-After.

Of a package (MTOM, packages.py) 4 comes before 3, which is about its envelope; its files go to the line as they come.

Refusals of a POST go back as signed SOAP faults by the function `refuse`; it works in a thread of its own, so that an
overload can still be told, and beyond its own bound the bare status has to do. So it has under 0 for all but one
refusal per party in ten seconds: a flood must not buy signatures.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import unquote

from gateway.errors import (
    GatewayError,
    MethodNotAllowed,
    NotFound,
    Overloaded,
    RateLimited,
    TooLarge,
    UnsupportedContent,
    row,
)
from gateway.multipart import is_package, read_package_type
from gateway.ports import Clock
from gateway.transport.packages import LONGEST, Begin, Packages, Refuse
from gateway.transport.quota import Excess, Quota
from gateway.values import Received, Reply

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Answer = Callable[[Received], Reply]

_TEXT_XML = re.compile(r'text/xml\s*((?:;\s*[\w-]+=(?:[^\s;"]+|"[^"\\]*")\s*)*);?\s*', re.ASCII | re.IGNORECASE)
_PARAMETER = re.compile(r';\s*([\w-]+)=(?:"([^"\\]*)"|([^\s;"]+))', re.ASCII)
_CONTENT_TYPE = 256  # characters; no stack writes half as many
_PLAIN = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestLimits:
    """What one request and all requests together may take."""

    max_octets: int = 10_485_760
    body_seconds: float = 20.0  # for a body that does not flow
    body_floor: int = 16_384  # octets per second; each octet received extends the time by this rate
    linger_seconds: float = 2.0  # go on discarding a body that is too large, so that the peer gets to read the refusal
    threads: int = 8  # run `answer`; more than cores, as the store's commit waits on the disk
    waiting: int = 64  # requests beyond those in a thread; some 100 ms of work
    refusals: int = 16  # refusals that may wait for their one thread
    held_octets: int = 268_435_456  # of all bodies in memory at once, per process
    packages: int = 16  # requests with files (MTOM) under way


class _Gone(Exception):
    """The peer closed the connection or was too slow; there is nobody to answer."""


class SoapListener:
    """The ASGI application of the SOAP port.

    Takes   `answer`, `begin` and `refuse` of the pipeline (they may block, none raises; without `begin` no
            packages are taken), the paths of the services, the
            contract documents by (path, query) as contracts.build makes them, the quota and the clock.
    Needs   HttpProtocol below it: scope["state"]["peer"] is the client certificate (DER), ["oin"] the OIN in it.
    """

    def __init__(
        self, *, answer: Answer, refuse: Refuse, services: Collection[str],
        contracts: Mapping[tuple[str, str], bytes], now: Clock, limits: RequestLimits, quota: Quota,
        begin: Begin | None = None,
    ) -> None:
        self._answer = answer
        self._refuse = refuse
        self._services = frozenset(services)
        self._contracts = contracts
        self._now = now
        self._limits = limits
        self._quota = quota
        self._held = 0  # octets of bodies in memory
        self._work = _Pool("answer", limits.threads, limits.threads + limits.waiting)
        self._refusals = _Pool("refuse", 1, 1 + limits.refusals)
        self._packages = Packages(begin=begin, refuse=refuse, now=now, max_octets=limits.max_octets,
                                  held_octets=limits.held_octets, at_once=limits.packages)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request (ASGI 3.0, type http)."""
        try:
            excess = self._quota.request(scope["state"]["oin"])
            if excess is not None:
                await self._turn_away(excess, scope, receive, send)
            elif scope["method"] == "POST":
                await self._post(scope, receive, send)
            else:
                await self._get(scope, send)
        except _Gone:
            await _plain(send, 408, "Request Timeout", close=True)

    def close(self) -> None:
        """Wait for the running work; call it when no connection is left."""
        self._work.close()
        self._refusals.close()
        self._packages.close()

    async def _post(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = _headers(scope)
        if is_package(headers.get(b"content-type", b"").decode("latin-1")):
            await self._package(scope, headers, receive, send)
            return
        body = await self._body(headers, receive)
        octets = body if isinstance(body, bytes) else b""
        received = self._received(scope, headers, octets)
        self._held += len(octets)
        try:
            reply = await self._serve(received, headers, body)
        finally:
            self._held -= len(octets)
        await self._send(send, reply, close=not isinstance(body, bytes))

    async def _package(self, scope: Scope, headers: Mapping[bytes, bytes], receive: Receive, send: Send) -> None:
        received = self._received(scope, headers, b"")
        root = replace(received, content_type="text/xml", takes_mtom=True)  # as if it came alone
        try:
            error = self._check(root, headers, b"")
            if error is not None:
                raise error
            package = read_package_type(received.content_type)
            if not self._packages.taken:
                raise UnsupportedContent("a package, which is not taken here")
        except GatewayError as refusal:
            reply, whole = await self._refused(received, refusal), False
        else:
            reply, whole = await self._packages.serve(root, scope["state"]["oin"], package, self._pace(receive))
        if not whole and headers.get(b"expect", b"").lower() != b"100-continue":
            await self._linger(receive)
        await self._send(send, reply, close=not whole)

    def _pace(self, receive: Receive) -> Callable[[], Awaitable[tuple[bytes, bool]]]:
        """The body as it comes, each piece in its time. Raises _Gone."""
        start, size = asyncio.get_running_loop().time(), 0

        async def more() -> tuple[bytes, bool]:
            nonlocal size
            allowed = min(self._limits.body_seconds + size / self._limits.body_floor, LONGEST)
            octets, coming = await _chunk(receive, start + allowed)
            size += len(octets)
            return octets, coming
        return more

    async def _turn_away(self, excess: Excess, scope: Scope, receive: Receive, send: Send) -> None:
        """Discard the body, so that the connection can go on, and say when to come again: in full, or in short."""
        headers = _headers(scope)
        invited = headers.get(b"expect", b"").lower() != b"100-continue"
        whole = await self._linger(receive) if invited else False
        reply = None
        if excess.said is not None and scope["method"] == "POST":
            reply = await self._refusals.run(self._refuse, self._received(scope, headers, b""), excess.said)
        if reply is None:
            self._quota.not_said(scope["state"]["oin"])
            reply = Reply(status=row(RateLimited()).http, octets=b"Too many requests.\n", content_type=_PLAIN,
                          retry_after=excess.retry_after)
        await _reply(send, reply, close=not whole)

    def _received(self, scope: Scope, headers: Mapping[bytes, bytes], octets: bytes) -> Received:
        return Received(
            octets=octets, path=_path(scope), content_type=headers.get(b"content-type", b"").decode("latin-1"),
            soap_action=headers[b"soapaction"].decode("latin-1") if b"soapaction" in headers else None,
            peer=scope["state"]["peer"], at=self._now(), takes_mtom=takes_mtom(headers.get(b"accept", b"")),
        )

    async def _serve(self, received: Received, headers: Mapping[bytes, bytes], body: bytes | GatewayError) -> Reply:
        error = self._check(received, headers, body)
        reply = None if error else await self._work.run(self._answer, received)
        if reply is None:
            error = error or Overloaded(f"{self._limits.threads} requests are in work, {self._limits.waiting} wait")
            reply = await self._refused(received, error)
        return reply

    async def _refused(self, received: Received, error: GatewayError) -> Reply:
        """The refusal, in full or, where too many wait to be refused, its bare status."""
        reply = await self._refusals.run(self._refuse, received, error)
        if reply is None:
            seen = row(error)
            reply = Reply(status=seen.http, octets=b"Refused.\n", content_type=_PLAIN, retry_after=seen.retry_after)
        return reply

    async def _send(self, send: Send, reply: Reply, *, close: bool) -> None:
        """The answer; one with files is read while it goes out."""
        if reply.package is None:
            await _reply(send, reply, close=close)
            return
        await _start(send, reply, reply.package.length, close=close)
        pieces = iter(reply.package)
        while (piece := await self._packages.run(next, pieces, None)) is not None:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    def _check(
        self, received: Received, headers: Mapping[bytes, bytes], body: bytes | GatewayError,
    ) -> GatewayError | None:
        """Checks 1, 3 and 4 of the module's list."""
        if received.path not in self._services:
            return NotFound(f"POST to {received.path[:200]!a}")
        if isinstance(body, GatewayError):
            return body
        encoding = headers.get(b"content-encoding", b"identity")
        if encoding.lower() != b"identity":
            return UnsupportedContent(f"Content-Encoding {encoding[:50]!a}")
        if not is_text_xml(received.content_type):
            return UnsupportedContent(f"Content-Type {received.content_type[:100]!a}")
        return None

    async def _body(self, headers: Mapping[bytes, bytes], receive: Receive) -> bytes | GatewayError:
        """The whole body, or why it was not read to its end; what it held is then let go at once."""
        length = int(headers.get(b"content-length", b"0"))  # llhttp has refused what is no number
        body = await self._read(receive) if length <= self._limits.max_octets else self._too_large()
        if isinstance(body, GatewayError) and headers.get(b"expect", b"").lower() != b"100-continue":
            await self._linger(receive)
        return body

    async def _read(self, receive: Receive) -> bytes | GatewayError:
        start, parts, size, more = asyncio.get_running_loop().time(), list[bytes](), 0, True
        try:
            while more:
                allowed = start + self._limits.body_seconds + size / self._limits.body_floor
                chunk, more = await _chunk(receive, allowed)
                size += len(chunk)
                self._held += len(chunk)
                if size > self._limits.max_octets:
                    return self._too_large()
                if self._held > self._limits.held_octets:
                    return Overloaded(f"bodies of more than {self._limits.held_octets} octets are in memory")
                parts.append(chunk)
            return b"".join(parts)
        finally:
            self._held -= size

    def _too_large(self) -> TooLarge:
        return TooLarge(f"more than {self._limits.max_octets} octets")

    async def _linger(self, receive: Receive) -> bool:
        """Discard what still comes, for a moment and up to as much again; whether that was all."""
        until = asyncio.get_running_loop().time() + self._limits.linger_seconds
        size, more = 0, True
        try:
            while more and size <= self._limits.max_octets:
                chunk, more = await _chunk(receive, until)
                size += len(chunk)
        except _Gone:
            return False
        return not more

    async def _get(self, scope: Scope, send: Send) -> None:
        path = _path(scope)
        if path not in self._services:
            await _plain(send, row(NotFound()).http, "Not Found")
            return
        document = None
        if scope["method"] == "GET":
            document = self._contracts.get((path, contract_query(scope["query_string"])))
            if document is None and scope["query_string"]:
                await _plain(send, row(NotFound()).http, "Not Found")
                return
        if document is None:
            await _plain(send, row(MethodNotAllowed()).http, "Method Not Allowed", allow="POST")
        else:
            await _reply(send, Reply(status=200, octets=document))


class _Pool:
    """Threads with a bound on what runs and waits; used from the event loop only."""

    def __init__(self, name: str, threads: int, bound: int) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._bound = bound
        self._taken = 0

    async def run(self, function: Callable[..., Reply], *arguments: object) -> Reply | None:
        """The function's result, computed in a thread; None at once when the bound is reached."""
        if self._taken >= self._bound:
            return None
        self._taken += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, function, *arguments)
        finally:
            self._taken -= 1

    def close(self) -> None:
        self._executor.shutdown(wait=True)


def is_text_xml(content_type: str) -> bool:
    """Is it text/xml, with charset absent or UTF-8? (WS-I BP R1012 as narrowed by WS006; SSBP R1018, R1019)."""
    # The pattern's time grows with the square of the white space inside: a short value first.
    whole = _TEXT_XML.fullmatch(content_type.strip()) if len(content_type) <= _CONTENT_TYPE else None
    if whole is None:
        return False
    charsets = [quoted or bare for name, quoted, bare in _PARAMETER.findall(whole[1]) if name.lower() == "charset"]
    return all(charset.lower() == "utf-8" for charset in charsets)


def takes_mtom(accept: bytes) -> bool:
    """Does an Accept header name packages of MTOM? Read loosely: who does not want them never writes these words."""
    return b"multipart/related" in accept[:_CONTENT_TYPE].lower()


def contract_query(query: bytes) -> str:
    """The key of a contract document: `wsdl` or `xsd=<name>`; any other text is a key that is in no mapping."""
    name, equals, value = query.decode("latin-1").partition("=")
    return name.lower() + equals + unquote(value)


def _path(scope: Scope) -> str:
    path: bytes = scope["raw_path"]
    return path.decode("latin-1")


def _headers(scope: Scope) -> dict[bytes, bytes]:
    """By lower-case name; one that comes twice gets both values, as RFC 9110 §5.3 reads it, and so fits no check."""
    headers: dict[bytes, bytes] = {}
    for name, value in scope["headers"]:
        headers[name] = headers[name] + b", " + value if name in headers else value
    return headers


async def _chunk(receive: Receive, until: float) -> tuple[bytes, bool]:
    try:
        async with asyncio.timeout_at(until):
            message = await receive()
    except TimeoutError as error:
        raise _Gone from error
    if message["type"] != "http.request":
        raise _Gone
    return message["body"], message["more_body"]


async def _plain(send: Send, status: int, text: str, *, allow: str | None = None, close: bool = False) -> None:
    reply = Reply(status=status, octets=text.encode() + b"\n", content_type=_PLAIN)
    await _reply(send, reply, allow=allow, close=close)


async def _reply(send: Send, reply: Reply, *, allow: str | None = None, close: bool = False) -> None:
    await _start(send, reply, len(reply.octets), allow=allow, close=close)
    await send({"type": "http.response.body", "body": reply.octets})


async def _start(send: Send, reply: Reply, length: int, *, allow: str | None = None, close: bool = False) -> None:
    headers = [(b"content-type", reply.content_type.encode("latin-1")), (b"content-length", b"%d" % length)]
    if reply.retry_after is not None:
        headers.append((b"retry-after", b"%d" % reply.retry_after))
    if allow is not None:
        headers.append((b"allow", allow.encode()))
    if close:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
