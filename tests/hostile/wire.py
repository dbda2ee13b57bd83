"""The attacked hub on a real TLS port: same line, same store, and the listener in front of it."""

import http.client
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from gateway.app import front
from gateway.pipeline import answer, begin, decline
from gateway.transport import (
    ConnectionLimits,
    OwnMeter,
    Quota,
    RequestLimits,
    Server,
    ServerTls,
    SoapListener,
    TlsFiles,
    bind,
    build_contracts,
    client_tls,
)
from gateway.values import Reply
from tests.hostile.attack import CAP, Target
from tests.line import SHV


@dataclass(kw_only=True)
class Wire:
    """Where the hub listens, and how its parties call it."""

    target: Target
    port: int
    tls: ServerTls
    quota: Quota
    ahead: timedelta = timedelta()  # how far the hub's clock is moved

    def files(self, slug: str) -> TlsFiles:
        pki = self.target.line.instance.folder / "pki"
        return TlsFiles(certificate=pki / f"{slug}-tls.pem", key=pki / f"{slug}-tls.key",
                        anchors=(pki / "ca.pem",), crls=(pki / "ca.crl",))

    def call(self, method: str = "POST", path: str = SHV, body: bytes | None = None, *, party: str = "gemeente",
             **headers: str) -> Reply:
        """One request on a connection of its own."""
        with self.connection(party) as connection:
            return exchange(connection, method, path, body, **headers)

    @contextmanager
    def connection(self, party: str = "gemeente") -> Iterator[http.client.HTTPSConnection]:
        made = http.client.HTTPSConnection("localhost", self.port, context=client_tls(self.files(party)), timeout=10)
        try:
            yield made
        finally:
            made.close()

    @contextmanager
    def raw(
        self, party: str = "gemeente", context: ssl.SSLContext | None = None, session: ssl.SSLSession | None = None,
    ) -> Iterator[ssl.SSLSocket]:
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=10)
        made = context or client_tls(self.files(party))
        with made.wrap_socket(plain, server_hostname="localhost", session=session) as tls:
            yield tls

    def bare(self, certificate: Path | None = None, key: Path | None = None) -> ssl.SSLContext:
        """A client that checks nothing and would send anything, to see what the hub refuses by itself."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        if certificate is not None:
            context.load_cert_chain(certificate, key)
        return context


def exchange(
    connection: http.client.HTTPSConnection, method: str = "POST", path: str = SHV, body: bytes | None = None,
    **headers: str,
) -> Reply:
    sent = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": '""'} if body is not None else {}
    sent.update({name.replace("_", "-"): value for name, value in headers.items()})
    connection.request(method, path, body=body, headers=sent)
    response = connection.getresponse()
    return Reply(status=response.status, octets=response.read(), content_type=response.getheader("Content-Type", ""))


def read_all(raw: socket.socket) -> bytes:
    """Everything until the other side closes, however it closes."""
    parts = []
    try:
        while part := raw.recv(65_536):
            parts.append(part)
    except OSError:
        pass
    return b"".join(parts)


@contextmanager
def listening(target: Target, connections: ConnectionLimits | None = None) -> Iterator[Wire]:
    """Serve the target's line until the block ends."""
    gate, settings, up = target.line.gate, target.line.instance.settings, threading.Event()
    services = target.line.instance.catalog.services
    wire = Wire(target=target, port=0, tls=None, quota=None)  # type: ignore[arg-type]
    wire.tls = ServerTls.of(wire.files("hub"))
    book = gate.register  # an AddressBook
    quota = wire.quota = front.quota(settings, book, OwnMeter(), gate.observe)  # type: ignore[arg-type]
    listener = SoapListener(
        answer=lambda received: answer(received, gate), begin=lambda received, root: begin(received, root, gate),
        refuse=lambda received, error: decline(received, error, gate),
        services=services, now=lambda: datetime.now(UTC) + wire.ahead,
        limits=RequestLimits(max_octets=CAP, linger_seconds=0.3), quota=quota,
        contracts=build_contracts(services, wsdl_root=settings.sets.wsdl, xsd_root=settings.sets.xsd,
                                  public_url="https://localhost:8443"))

    async def nothing(scope: object, receive: object, send: object) -> None:
        raise AssertionError("nobody asks the web port")

    soap, web = bind("127.0.0.1:0"), bind("127.0.0.1:0")
    server = Server(soap=listener, web=nothing, soap_socket=soap, web_socket=web, tls=wire.tls, quota=quota,
                    ready=lambda one, other: up.set(), drain_seconds=5, connections=connections)
    wire.port = soap.getsockname()[1]
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        assert up.wait(10)
        yield wire
    finally:
        server.stop()
        thread.join(15)
        assert not thread.is_alive()
