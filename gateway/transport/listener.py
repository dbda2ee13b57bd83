"""The SOAP listener as an ASGI application: HTTP in, values.Received out, values.Reply back.

What HTTP alone can tell is refused here, before any octet is parsed; the rest is the line's. Order of the checks of a
POST (WS-I BP 1.1 §3.4, docs/profile.md §2):

0. the caller is within its quota, else 429 with Retry-After, before anything is read; and there is room for its work
   and its octets, else 503 with Retry-After;
1. the path is a service of this hub (exact match, nothing is decoded or normalised), else 404;
2. the method: POST, or GET for a contract document, else 405 with Allow;
3. the body fits, by Content-Length or while it streams, else 413; it comes in time, else the connection ends;
4. no Content-Encoding but identity, and text/xml in UTF-8, else 415;
5. a worker thread is free or will be soon (intake.py), else 503 with Retry-After.

Of a package (MTOM, packages.py) 4 comes before 3, which is about its envelope; its files go to the line as they come.

Refusals of a POST go back as signed SOAP faults by the function `refuse`; it works in a thread of its own, so that an
overload can still be told, and beyond its own bound the bare status has to do. So it has under 0 and 5 for all but one
refusal per party in ten seconds: a flood must not buy signatures.
"""

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, replace
from time import monotonic
from typing import Any
from urllib.parse import unquote

from gateway.errors import (
    GatewayError,
    MethodNotAllowed,
    NotFound,
    Overloaded,
    TooLarge,
    UnsupportedContent,
    row,
)
from gateway.multipart import is_package, read_package_type
from gateway.ports import Clock
from gateway.remedies import too_large
from gateway.transport.intake import Backlog, Crew, Gone, Line, Room
from gateway.transport.packages import LONGEST, Begin, Packages
from gateway.transport.quota import Quota
from gateway.transport.replies import Send, bare, send_plain, send_reply, send_start
from gateway.values import Received, Reply

_log = logging.getLogger(__name__)

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Answer = Callable[[Received], Reply]
Refuse = Callable[[Received, GatewayError], Reply]

_TEXT_XML = re.compile(r'text/xml\s*((?:;\s*[\w-]+=(?:[^\s;"]+|"[^"\\]*")\s*)*);?\s*', re.ASCII | re.IGNORECASE)
_PARAMETER = re.compile(r';\s*([\w-]+)=(?:"([^"\\]*)"|([^\s;"]+))', re.ASCII)
_CONTENT_TYPE = 256  # characters; no stack writes half as many




@dataclass(frozen=True, slots=True, kw_only=True)
class RequestLimits:
    """What one request and all requests together may take."""

    max_octets: int = 10_485_760
    body_seconds: float = 20.0  # for a body that does not flow
    body_floor: int = 16_384  # octets per second; each octet received extends the time by this rate
    linger_seconds: float = 2.0  # go on discarding a body that is too large, so that the peer gets to read the refusal
    threads: int = 8  # run `answer`; more than cores, as the store's commit waits on the disk
    waiting: int = 64  # requests beyond those in a thread; some 100 ms of work
    wait_seconds: float = 10.0  # for a thread; by then a peer has given up
    refusals: int = 16  # refusals that may wait for their one thread
    packages: int = 16  # requests with files (MTOM) under way
    octets_in_flight: int = 134_217_728  # of requests and answers in memory at once, per process


@dataclass(frozen=True, slots=True, kw_only=True)
class _Body:
    """What came of a request's body."""

    octets: bytes = b""
    error: GatewayError | None = None  # why nothing of it was kept
    whole: bool = True  # it was read to its end, so that the connection can go on


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What the port is busy with."""

    waiting: int  # requests that have no thread yet
    running: int
    octets: int  # of requests and answers in memory


class SoapListener:
    """The ASGI application of the SOAP port.

    Takes   `answer` and `refuse` of the pipeline (both may block, neither raises), the paths of the services, the
            contract documents by (path, query) as contracts.build makes them, the quota and the clock; `begin` of the
            pipeline where packages are taken.
    Needs   HttpProtocol below it: scope["state"]["peer"] is the client certificate (DER), ["oin"] the OIN in it,
            ["line"] the connection.
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
        self._room = room = Room(limits.octets_in_flight)
        self._backlog = Backlog(monotonic)
        self._work = Crew("answer", threads=limits.threads, places=limits.waiting, seconds=limits.wait_seconds,
                          octets=2 * limits.max_octets, room=room)
        self._refusals = Crew("refuse", threads=1, places=limits.refusals, seconds=limits.wait_seconds,
                              octets=limits.max_octets, room=room)
        self._packages = Packages(begin=begin, now=now, max_octets=limits.max_octets, room=room,
                                  at_once=limits.packages, refuse=refuse)

    @property
    def load(self) -> Load:
        """At this moment, as seen from whatever thread."""
        return Load(waiting=self._work.waiting, running=self._work.running, octets=self._room.held)

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
        except Gone:
            await send_plain(send, 408, "Request Timeout", close=True)

    def close(self) -> None:
        """Wait for the running work; call it when no connection is left."""
        self._work.close()
        self._refusals.close()
        self._packages.close()

    async def _post(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers, party = _headers(scope), scope["state"]["oin"]
        if is_package(headers.get(b"content-type", b"").decode("latin-1")):
            await self._package(scope, headers, receive, send)
            return
        body = await self._body(party, headers, receive)
        held, whole = len(body.octets), body.whole
        try:
            reply = await self._serve(scope, headers, body)
        finally:
            del body  # it stays in memory no longer than it is counted
            self._room.give(party, held)
        await self._give(scope, send, reply, close=not whole)

    async def _give(self, scope: Scope, send: Send, reply: Reply, *, close: bool) -> None:
        """The answer, counted while its peer takes it."""
        party, line, size = scope["state"]["oin"], scope["state"]["line"], len(reply.octets)
        self._room.answer(party, size)
        try:
            await self._send(send, reply, line, close=close)
        finally:
            self._room.answer(party, -size)
        if reply.status == row(Overloaded()).http:
            line.rest()

    async def _package(self, scope: Scope, headers: Mapping[bytes, bytes], receive: Receive, send: Send) -> None:
        received = self._received(scope, headers, b"")
        root = replace(received, content_type="text/xml", takes_mtom=True)  # as if it came alone
        try:
            error = self._check(root, headers, _Body())
            if error is not None:
                raise error
            package = read_package_type(received.content_type)
            reply, whole = await self._packages.serve(root, scope["state"]["oin"], package, self._pace(receive))
        except Overloaded as later:
            later.retry_after = self._backlog.retry_after()
            reply, whole = await self._later(scope, received, later), False
        except GatewayError as refusal:
            reply, whole = await self._refused(scope, received, refusal) or bare(refusal), False
        whole = whole or await self._linger(headers, receive)
        await self._give(scope, send, reply, close=not whole)

    def _pace(self, receive: Receive) -> Callable[[], Awaitable[tuple[bytes, bool]]]:
        """The body as it comes, each piece in its time. Raises Gone."""
        start, size = asyncio.get_running_loop().time(), 0

        async def more() -> tuple[bytes, bool]:
            nonlocal size
            allowed = min(self._limits.body_seconds + size / self._limits.body_floor, LONGEST)
            octets, coming = await _chunk(receive, start + allowed)
            size += len(octets)
            return octets, coming
        return more

    async def _send(self, send: Send, reply: Reply, line: Line, *, close: bool) -> None:
        """The answer; one with files is read while it goes out, as long as somebody takes it."""
        if reply.package is None:
            await send_reply(send, reply, close=close)
            return
        await send_start(send, reply, reply.package.length, close=close)
        pieces = iter(reply.package)
        try:
            while not line.lost and (piece := await self._packages.run(next, pieces, None)) is not None:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        except GatewayError as error:  # its receiver confirmed meanwhile, or the store is gone: the connection ends
            _log.warning("an answer with files broke off: %s", type(error).__name__)
            return
        await send({"type": "http.response.body", "body": b""})

    async def _turn_away(self, error: GatewayError, scope: Scope, receive: Receive, send: Send) -> None:
        """Discard the body, so that the connection can go on, and say when to come again."""
        headers = _headers(scope)
        whole = await self._linger(headers, receive)
        if scope["method"] == "POST":
            reply = await self._later(scope, self._received(scope, headers, b""), error)
        else:
            reply = self._bare(scope, error)
        await send_reply(send, reply, close=not whole)

    def _received(self, scope: Scope, headers: Mapping[bytes, bytes], octets: bytes) -> Received:
        return Received(
            octets=octets, path=_path(scope), content_type=headers.get(b"content-type", b"").decode("latin-1"),
            soap_action=headers[b"soapaction"].decode("latin-1") if b"soapaction" in headers else None,
            peer=scope["state"]["peer"], at=self._now(), takes_mtom=takes_mtom(headers.get(b"accept", b"")),
        )

    async def _serve(self, scope: Scope, headers: Mapping[bytes, bytes], body: _Body) -> Reply:
        received, state = self._received(scope, headers, body.octets), scope["state"]
        error = self._check(received, headers, body)
        if error is None:
            reply = await self._work.run(state["oin"], len(body.octets), state["line"], self._answer, received)
            if reply is not None:
                self._backlog.served()
                return reply
            error = self._overloaded(f"{self._limits.threads} requests are in work, {self._limits.waiting} wait")
        if isinstance(error, Overloaded):
            return await self._later(scope, received, error)
        return await self._refused(scope, received, error) or bare(error)

    async def _refused(self, scope: Scope, received: Received, error: GatewayError) -> Reply | None:
        """The refusal in full; None when too many wait for theirs."""
        state = scope["state"]
        return await self._refusals.run(
            state["oin"], len(received.octets), state["line"], self._refuse, received, error)

    async def _later(self, scope: Scope, received: Received, error: GatewayError) -> Reply:
        """Come again later: in full once in a while, in short to who heard it a moment ago."""
        said = self._quota.may_say(scope["state"]["oin"], error)
        return (said and await self._refused(scope, received, error)) or self._bare(scope, error)

    def _bare(self, scope: Scope, error: GatewayError) -> Reply:
        self._quota.not_said(scope["state"]["oin"], error)
        return bare(error)

    def _overloaded(self, why: str) -> Overloaded:
        error = Overloaded(why)
        error.retry_after = self._backlog.retry_after()
        return error

    def _check(self, received: Received, headers: Mapping[bytes, bytes], body: _Body) -> GatewayError | None:
        """Checks 1, 3 and 4 of the module's list, and what of 0 there was to say about the body."""
        if received.path not in self._services:
            return NotFound(f"POST to {received.path[:200]!a}")
        if body.error is not None:
            return body.error
        encoding = headers.get(b"content-encoding", b"identity")
        if encoding.lower() != b"identity":
            return UnsupportedContent(f"Content-Encoding {encoding[:50]!a}")
        if not is_text_xml(received.content_type):
            return UnsupportedContent(f"Content-Type {received.content_type[:100]!a}")
        return None

    async def _body(self, party: str, headers: Mapping[bytes, bytes], receive: Receive) -> _Body:
        """The whole body, or why it was not read to its end; what it held is then let go at once."""
        length = int(headers.get(b"content-length", b"0"))  # llhttp has refused what is no number
        if length > self._limits.max_octets:
            error: GatewayError = self._too_large()
        elif not self._work.takes(party):
            error = self._overloaded(f"{self._limits.waiting} requests wait")
        elif not self._room.has(party, length):
            error = self._no_room()
        else:
            body = await self._read(party, receive)
            if isinstance(body, bytes):
                return _Body(octets=body)
            error = body
        return _Body(error=error, whole=await self._linger(headers, receive))

    async def _read(self, party: str, receive: Receive) -> bytes | GatewayError:
        """The octets, which then stay counted in the room."""
        start, parts, size, more, kept = asyncio.get_running_loop().time(), list[bytes](), 0, True, False
        try:
            while more:
                allowed = start + self._limits.body_seconds + size / self._limits.body_floor
                chunk, more = await _chunk(receive, allowed)
                if size + len(chunk) > self._limits.max_octets:
                    return self._too_large()
                if not self._room.has(party, len(chunk)):
                    return self._no_room()
                self._room.take(party, len(chunk))
                size += len(chunk)
                parts.append(chunk)
            kept = True
            return b"".join(parts)
        finally:
            if not kept:
                self._room.give(party, size)

    def _too_large(self) -> TooLarge:
        return too_large(f"more than {self._limits.max_octets} octets")

    def _no_room(self) -> Overloaded:
        return self._overloaded(f"requests and answers of {self._room.held} octets are in memory")

    async def _linger(self, headers: Mapping[bytes, bytes], receive: Receive) -> bool:
        """Discard what still comes, for a moment and up to as much again; whether that was all. Of a body that waits to
        be asked for nothing comes.
        """
        if headers.get(b"expect", b"").lower() == b"100-continue":
            return False
        until = asyncio.get_running_loop().time() + self._limits.linger_seconds
        size, more = 0, True
        try:
            while more and size <= self._limits.max_octets:
                chunk, more = await _chunk(receive, until)
                size += len(chunk)
        except Gone:
            return False
        return not more

    async def _get(self, scope: Scope, send: Send) -> None:
        path = _path(scope)
        if path not in self._services:
            await send_plain(send, row(NotFound()).http, "Not Found")
            return
        document = None
        if scope["method"] == "GET":
            document = self._contracts.get((path, contract_query(scope["query_string"])))
            if document is None and scope["query_string"]:
                await send_plain(send, row(NotFound()).http, "Not Found")
                return
        if document is None:
            await send_plain(send, row(MethodNotAllowed()).http, "Method Not Allowed", allow="POST")
        else:
            await send_reply(send, Reply(status=200, octets=document))


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
        raise Gone from error
    if message["type"] != "http.request":
        raise Gone
    return message["body"], message["more_body"]
