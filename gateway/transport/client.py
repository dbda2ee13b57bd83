"""Calls one party over mutual TLS, on kept-alive connections: http.client with a small pool of its own.

A call ends in time whatever the other side does: the time-outs hold for the whole answer, not for each packet. Nothing
is followed (no redirects), nothing is unpacked (no compression), and no more is read than the cap. A package (MTOM)
goes out, and comes in where it was asked for, piece by piece; its time grows with its size.
"""

import http.client
import io
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from gateway.errors import GatewayError, MalformedEnvelope, Unreachable, UnsupportedContent
from gateway.multipart import Package, Sink, is_package, read_package_type, sort_out
from gateway.transport.listener import is_text_xml


@dataclass(frozen=True, slots=True, kw_only=True)
class CallLimits:
    """What one call may take."""

    connect_seconds: float = 10.0  # TCP and TLS together get twice this at most
    answer_seconds: float = 30.0  # from the request to the last octet of the answer
    max_octets: int = 10_485_760
    max_package_octets: int = 125_829_120  # of an answer in parts: 100 MB of attachments, its root and what is around
    floor: int = 16_384  # octets per second: each octet of a package gives so much more time
    idle_seconds: float = 20.0  # below the 30 s after which servers commonly close
    idle_connections: int = 8
    session_seconds: float = 900.0  # how long a TLS session is resumed: the other side's certificate is not asked again


class Caller:
    """One party as we call it: its TLS context (tls.client_tls) and its connections. Safe for many threads."""

    def __init__(self, context: ssl.SSLContext, *, limits: CallLimits | None = None) -> None:
        self._context = context
        self._limits = limits or CallLimits()
        self._idle: list[tuple[float, _Connection]] = []
        self._sessions: dict[tuple[str, int], tuple[float, ssl.SSLSession]] = {}  # since when, by host and port
        self._lock = threading.Lock()

    def post(self, url: str, content: bytes | Package, soap_action: str,
             check: Callable[[bytes], None] = lambda certificate: None, sink: Sink | None = None) -> tuple[int, bytes]:
        """Send one SOAP request; the status and the octets of the answer, whatever the status is.

        `soap_action` goes out quoted (BP R1109). `check` sees the other side's certificate (DER) before anything is
        sent, at every request; what it raises ends the call. `sink`: an answer in parts is welcome, its root is what
        is given here, and the other parts go there. Raises Unreachable with cause and remedy, and what the sink
        raises. A call is sent once more only when a kept-alive connection proves closed before any octet of an answer;
        requests are idempotent.
        """
        host, port, target = _parts(url)
        headers = {
            "Content-Type": "text/xml; charset=utf-8", "SOAPAction": f'"{soap_action}"',
            "Accept": "text/xml" if sink is None else "multipart/related, text/xml", "Accept-Encoding": "identity",
        }
        if isinstance(content, Package):
            headers |= {"Content-Type": content.content_type, "Content-Length": str(content.length)}
        request = _Request(target=target, content=content, headers=headers, check=check, sink=sink)
        # A package goes out once, on a new connection: sent again it would take its whole time twice.
        kept = None if isinstance(content, Package) else self._take(host, port)
        if kept is not None:
            try:
                return self._exchange(kept, request)
            except GatewayError:
                kept.close()
                raise
            except (OSError, http.client.HTTPException) as error:
                kept.close()
                if not (kept.unanswered and isinstance(error, _CLOSED)):
                    raise Unreachable(f"{host}:{port}: {explain(error, host)}") from error
        fresh = _Connection(host, port, self._context, self._limits, self._session(host, port))
        try:
            fresh.connect()
            return self._exchange(fresh, request)
        except GatewayError:
            fresh.close()
            raise
        except (OSError, http.client.HTTPException) as error:
            fresh.close()
            raise Unreachable(f"{host}:{port}: {explain(error, host)}") from error

    def renew(self, context: ssl.SSLContext) -> None:
        """Use this TLS context from now on: nothing of before it is kept open or resumed."""
        with self._lock:
            self._context = context
            self._sessions.clear()
        self.close()

    def close(self) -> None:
        """Close the idle connections."""
        with self._lock:
            idle, self._idle = self._idle, []
        for _, connection in idle:
            connection.close()

    def _take(self, host: str, port: int) -> "_Connection | None":
        """The idle connection to that host that was used last, if any; closes those that idled too long."""
        oldest = time.monotonic() - self._limits.idle_seconds
        stale: list[_Connection] = []
        found = None
        with self._lock:
            kept = []
            while self._idle:
                since, connection = self._idle.pop()
                if since < oldest:
                    stale.append(connection)
                elif found is None and (connection.host, connection.port) == (host, port):
                    found = connection
                else:
                    kept.append((since, connection))
            self._idle = kept[::-1]
        for connection in stale:
            connection.close()
        return found

    def _session(self, host: str, port: int) -> ssl.SSLSession | None:
        with self._lock:
            since, session = self._sessions.get((host, port), (0.0, None))
            if session is not None and time.monotonic() - since > self._limits.session_seconds:
                del self._sessions[host, port]
                session = None
        return session

    def _remember(self, connection: "_Connection") -> None:
        """Keep the session of a connection that was checked in full, for the connections after it."""
        session, connection.session = connection.session, None
        if session is not None:
            with self._lock:
                self._sessions[connection.host, connection.port] = (time.monotonic(), session)

    def _exchange(self, connection: "_Connection", request: "_Request") -> tuple[int, bytes]:
        request.check(connection.sock.getpeercert(binary_form=True) or b"")
        connection.begin()
        content = request.content if isinstance(request.content, bytes) else connection.until_answered(request.content)
        connection.request("POST", request.target, body=content, headers=request.headers)
        response = connection.getresponse()
        answer = self._read(response, connection, request.sink)
        self._remember(connection)
        if response.will_close or not response.isclosed() or connection.unfinished:
            connection.close()
        else:
            self._keep(connection)
        return response.status, answer

    def _read(self, response: http.client.HTTPResponse, connection: "_Connection", sink: Sink | None) -> bytes:
        """The whole answer, but for parts. Raises HTTPException for one that the profile does not allow."""
        if response.getheader("Content-Encoding", "identity").lower() != "identity":
            raise http.client.HTTPException("the answer is compressed, which the profile does not allow")
        if is_package(response.getheader("Content-Type", "")):
            return self._sort_out(response, connection, sink)
        most = self._limits.max_octets
        answer = response.read(most + 1) if (response.length or 0) <= most else None
        if answer is None or len(answer) > most:
            raise http.client.HTTPException(f"the answer is larger than {most} octets")
        if response.length:  # http.client does not say so itself when it was given a number to read
            raise http.client.IncompleteRead(answer, response.length)
        if answer.lstrip().startswith(b"<") and not is_text_xml(response.getheader("Content-Type", "")):
            raise http.client.HTTPException("the answer is markup, but not said to be text/xml in UTF-8")
        return answer

    def _sort_out(self, response: http.client.HTTPResponse, connection: "_Connection", sink: Sink | None) -> bytes:
        if sink is None:
            raise http.client.HTTPException("the answer is in parts (MTOM), which was not asked for")
        try:
            package = read_package_type(response.getheader("Content-Type", ""))
            return sort_out(package, self._pieces(response, connection), sink, max_root=self._limits.max_octets)
        except (UnsupportedContent, MalformedEnvelope) as error:
            raise http.client.HTTPException(f"the answer is no package of MTOM: {error.detail}") from error

    def _pieces(self, response: http.client.HTTPResponse, connection: "_Connection") -> Iterator[bytes]:
        most, size = self._limits.max_package_octets, 0
        while piece := response.read(_PIECE):
            size += len(piece)
            if size > most:
                raise http.client.HTTPException(f"the answer is larger than {most} octets")
            connection.extend(len(piece))
            yield piece
        if response.length:
            raise http.client.IncompleteRead(b"", response.length)

    def _keep(self, connection: "_Connection") -> None:
        with self._lock:
            if len(self._idle) < self._limits.idle_connections:
                self._idle.append((time.monotonic(), connection))
                return
        connection.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    """One request as it goes out, and who looks at what comes back."""

    target: str
    content: bytes | Package
    headers: dict[str, str]
    check: Callable[[bytes], None]
    sink: Sink | None


_PIECE = 65_536  # octets
_CLOSED = (http.client.RemoteDisconnected, ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError)


class _Connection(http.client.HTTPSConnection):
    """A connection whose answers are read under one deadline."""

    sock: ssl.SSLSocket

    def __init__(
        self, host: str, port: int, context: ssl.SSLContext, limits: CallLimits, session: ssl.SSLSession | None,
    ) -> None:
        super().__init__(host, port, context=context, timeout=limits.connect_seconds)
        self._limits = limits
        self._tls, self._resumed = context, session
        self._deadline = 0.0
        self.unanswered = True
        self.unfinished = False  # the answer came before the request was whole
        self._early = b""  # octets of that answer
        self.session: ssl.SSLSession | None = None  # a new one; with TLS 1.3 it comes just before the first answer
        self._session_read = False
        self.response_class = self._response  # type: ignore[assignment]  # called like the class

    def connect(self) -> None:
        """TCP and TLS, at the first of the host's addresses that answers.

        The socket is wrapped before it connects: of one that is reset between the two, wrap_socket fails and leaves a
        socket that nobody holds (CPython). HTTPSConnection's own connect can't resume a session either.
        """
        reason: OSError = OSError("no address")
        until = time.monotonic() + 2 * self._limits.connect_seconds
        for family, kind, protocol, _, address in socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM):
            left = (until - time.monotonic()) / 2  # for TCP, and as much again for TLS
            if left <= 0:
                break
            try:
                bare = socket.socket(family, kind, protocol)
            except OSError as error:  # a family that this host does not have
                reason = error
                continue
            bare.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            bare.settimeout(left)
            self.sock = self._tls.wrap_socket(bare, server_hostname=self.host, session=self._resumed)
            try:
                self.sock.connect(address)
            except ssl.SSLError:
                raise
            except OSError as error:
                reason = error
                self.sock.close()
            else:
                self.begin()  # connecting has its own time
                return
        raise reason

    def begin(self) -> None:
        """Start the clock of one exchange."""
        self.unanswered = True
        self._deadline = time.monotonic() + self._limits.answer_seconds
        if self.sock is not None:
            self.sock.settimeout(self._limits.answer_seconds)

    def send(self, data: Any) -> None:
        """In pieces, all within the exchange's time: who takes them slowly would else have that time for each."""
        for start in range(0, len(data), _PIECE):
            self.sock.settimeout(self.left())
            self.sock.sendall(data[start:start + _PIECE])

    def extend(self, octets: int) -> None:
        """So many octets of a package took their time."""
        self._deadline += octets / self._limits.floor

    def until_answered(self, package: Package) -> Iterator[bytes]:
        """The package piece by piece, as long as nobody answers: a refusal comes before all of it is there."""
        for piece in package:
            if self._answers():
                self.unfinished = True
                return
            self.extend(len(piece))
            yield piece

    def _answers(self) -> bool:
        """Has an answer begun? Its octets are kept. Reading is the only way to know: TLS has words of its own too."""
        self.sock.settimeout(0)
        try:
            self._early = self.sock.recv(_PIECE)
        except (ssl.SSLWantReadError, BlockingIOError):
            return False
        return True

    def early(self) -> bytes:
        """The octets of an answer that were read while the request was sent, once."""
        octets, self._early = self._early, b""
        return octets

    def answered(self) -> None:
        """The first octets of an answer are there."""
        self.unanswered = False
        if not self._session_read:
            self._session_read = True
            self.session = None if self.sock.session_reused else self.sock.session

    def left(self) -> float:
        """Seconds of the exchange's time that are left. Raises TimeoutError."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    def _response(self, sock: socket.socket, **options: Any) -> http.client.HTTPResponse:
        return http.client.HTTPResponse(_Source(self, sock), **options)  # type: ignore[arg-type]  # uses makefile only


class _Source(io.RawIOBase):
    """A connection's socket as HTTPResponse wants to read it, each read within what is left of the time."""

    def __init__(self, connection: _Connection, sock: socket.socket) -> None:
        self._connection = connection
        self._sock = sock
        self._raw = sock.makefile("rb", buffering=0)  # holds the socket open when http.client lets go of it
        self._first = memoryview(connection.early())

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(self, 65_536)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self._first:
            size: int | None = min(len(buffer), len(self._first))
            buffer[:size], self._first = self._first[:size], self._first[size:]
        else:
            self._sock.settimeout(self._connection.left())
            size = self._raw.readinto(buffer)
        if size and self._connection.unanswered:
            self._connection.answered()
        return size

    def close(self) -> None:
        self._raw.close()
        super().close()


def explain(error: Exception, host: str) -> str:
    """What went wrong and what to do about it, in words for the operator."""
    if isinstance(error, ssl.SSLCertVerificationError):
        if error.verify_code in (62, 64):  # X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH
            return f"the certificate is not for {host}; the party must renew it, or the registered address is wrong"
        return f"the certificate is not accepted ({error.verify_message}); check the anchors and lists, then the party"
    if isinstance(error, ssl.SSLError) and "ALERT" in (error.reason or ""):
        return f"the party ended the TLS handshake ({error.reason}); it may not trust our certificate: ask the party"
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return "the party closed the connection without an answer; try again, then ask the party"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed ({error.reason or 'no cause given'}); check TLS version and ciphers at the party"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused; the service is down or the port is wrong"
    if isinstance(error, socket.gaierror):
        return "the host name can't be resolved; check the registered address and DNS"
    if isinstance(error, TimeoutError):
        return "no answer in time; the party is slow, or a firewall drops the connection"
    if isinstance(error, http.client.RemoteDisconnected | ConnectionError):
        return "the party closed the connection without an answer; try again, then ask the party"
    if isinstance(error, http.client.HTTPException):
        text = str(error) if type(error) is http.client.HTTPException else type(error).__name__
        return f"no usable HTTP answer ({text}); ask the party"
    return f"the network failed ({error.strerror if isinstance(error, OSError) else error}); check route and firewall"


def _parts(url: str) -> tuple[str, int, str]:
    """Host, port and request target. Raises Unreachable for anything but a plain https URL."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or 443
    except ValueError:
        host = None
    if host is None or parts.scheme != "https" or "@" in parts.netloc or parts.fragment or not url.isascii():
        raise Unreachable("the registered address is no plain https URL; correct it in the address book")
    return host, port, (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
