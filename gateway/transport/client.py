"""Calls one party over mutual TLS, on kept-alive connections: http.client with a small pool of its own.

A call ends in time whatever the other side does: the time-outs hold for the whole answer, not for each packet. Nothing
is followed (no redirects), nothing is unpacked (no compression), and no more is read than the cap.
"""

import http.client
import io
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from gateway.errors import GatewayError, Unreachable
from gateway.transport.listener import is_text_xml


@dataclass(frozen=True, slots=True, kw_only=True)
class CallLimits:
    """What one call may take."""

    connect_seconds: float = 10.0  # TCP and TLS together get twice this at most
    answer_seconds: float = 30.0  # from the request to the last octet of the answer
    max_octets: int = 10_485_760
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

    def post(self, url: str, octets: bytes, soap_action: str,
             check: Callable[[bytes], None] = lambda certificate: None) -> tuple[int, bytes]:
        """Send one SOAP request; the status and the octets of the answer, whatever the status is.

        `soap_action` goes out quoted (BP R1109). `check` sees the other side's certificate (DER) before anything is
        sent, at every request; what it raises ends the call. Raises Unreachable with cause and remedy. A call is sent
        once more only when a kept-alive connection proves closed before any octet of an answer; requests are
        idempotent.
        """
        host, port, target = _parts(url)
        headers = {
            "Content-Type": "text/xml; charset=utf-8", "SOAPAction": f'"{soap_action}"', "Accept": "text/xml",
            "Accept-Encoding": "identity",
        }
        kept = self._take(host, port)
        if kept is not None:
            try:
                return self._exchange(kept, target, octets, headers, check)
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
            return self._exchange(fresh, target, octets, headers, check)
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

    def _exchange(
        self, connection: "_Connection", target: str, octets: bytes, headers: dict[str, str],
        check: Callable[[bytes], None],
    ) -> tuple[int, bytes]:
        check(connection.sock.getpeercert(binary_form=True) or b"")
        connection.begin()
        connection.request("POST", target, body=octets, headers=headers)
        response = connection.getresponse()
        answer = self._read(response)
        self._remember(connection)
        if response.will_close or not response.isclosed():
            connection.close()
        else:
            self._keep(connection)
        return response.status, answer

    def _read(self, response: http.client.HTTPResponse) -> bytes:
        """The whole answer. Raises HTTPException for one that the profile does not allow."""
        most = self._limits.max_octets
        if response.getheader("Content-Encoding", "identity").lower() != "identity":
            raise http.client.HTTPException("the answer is compressed, which the profile does not allow")
        answer = response.read(most + 1) if (response.length or 0) <= most else None
        if answer is None or len(answer) > most:
            raise http.client.HTTPException(f"the answer is larger than {most} octets")
        if response.length:  # http.client does not say so itself when it was given a number to read
            raise http.client.IncompleteRead(answer, response.length)
        if answer.lstrip().startswith(b"<") and not is_text_xml(response.getheader("Content-Type", "")):
            raise http.client.HTTPException("the answer is markup, but not said to be text/xml in UTF-8")
        return answer

    def _keep(self, connection: "_Connection") -> None:
        with self._lock:
            if len(self._idle) < self._limits.idle_connections:
                self._idle.append((time.monotonic(), connection))
                return
        connection.close()


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
        self.session: ssl.SSLSession | None = None  # a new one; with TLS 1.3 it comes just before the first answer
        self._session_read = False
        self.response_class = self._response  # type: ignore[assignment]  # called like the class

    def connect(self) -> None:
        """TCP and TLS, at the first of the host's addresses that answers.

        The socket is wrapped before it connects: of one that is reset between the two, wrap_socket fails and leaves a
        socket that nobody holds (CPython). HTTPSConnection's own connect can't resume a session either.
        """
        reason: OSError = OSError("no address")
        for family, kind, protocol, _, address in socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM):
            bare = socket.socket(family, kind, protocol)
            bare.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            bare.settimeout(self._limits.connect_seconds)
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

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(self, 65_536)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
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
