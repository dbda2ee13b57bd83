"""Real TLS on loopback: a throw-away PKI, a server in a thread, and raw or pooled callers."""

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from gateway.errors import GatewayError, row
from gateway.security.throwaway import (
    CertificateSpec,
    Description,
    Pair,
    issue,
    make_crl,
    make_pki,
    new_key,
)
from gateway.transport import (
    Background,
    ConnectionLimits,
    Load,
    OwnMeter,
    Quota,
    RequestLimits,
    Server,
    ServerTls,
    SoapListener,
    TlsFiles,
    bind,
    client_tls,
)
from gateway.values import Allowance, Received, Reply

NOW = datetime.now(UTC)
PLENTY = Allowance(requests_per_second=100_000, burst=100_000, connections=1_000)
PATH = "/soap/schuldregeling/2.0/shv"


class Pki:
    """The house's throw-away PKI in a folder, to which a test adds: `issue` writes <name>.pem and <name>.key."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.revoked: list[int] = []
        ca = CertificateSpec(file="ca", name="Voorbeeld-CA", authority=True, usage=("keyCertSign", "cRLSign"))
        make_pki(Description(certificates=(ca,)), folder, NOW)
        self.crl = make_crl(folder, (), NOW - timedelta(minutes=1))
        key = load_pem_private_key((folder / "ca.key").read_bytes(), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        self._ca = Pair(certificate=x509.load_pem_x509_certificate((folder / "ca.pem").read_bytes()), key=key)

    def issue(
        self, name: str, *, purposes: tuple[str, ...] = ("clientAuth", "serverAuth"), from_days: int = -1,
        until_days: int = 1, oin: str = "00000099000000001000",
    ) -> x509.Certificate:
        spec = CertificateSpec(
            file=name, name=f"Voorbeeld {name}", oins=(oin,), purposes=purposes,
            hosts=("localhost", "127.0.0.1"), from_days=from_days, until_days=until_days)
        key = new_key(spec.key)
        certificate = issue(spec, key, issuer=self._ca, now=NOW).certificate
        (self.folder / f"{name}.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
        (self.folder / f"{name}.key").write_bytes(
            key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return certificate

    def revoke(self, certificate: x509.Certificate) -> None:
        self.revoked.append(certificate.serial_number)
        make_crl(self.folder, self.revoked, NOW)

    def files(self, name: str) -> TlsFiles:
        return TlsFiles(certificate=self.folder / f"{name}.pem", key=self.folder / f"{name}.key",
                        anchors=(self.folder / "ca.pem",), crls=(self.crl,))


@pytest.fixture
def own_pki(tmp_path: Path) -> Pki:
    pki = Pki(tmp_path)
    pki.issue("hub")
    pki.issue("party")
    return pki


@dataclass
class Running:
    """A server that runs, and what reached the two functions of the pipeline."""

    port: int
    web_port: int
    tls: ServerTls
    server: Server
    pki: Pki
    listener: SoapListener
    received: list[Received] = field(default_factory=list)
    refused: list[tuple[Received, GatewayError]] = field(default_factory=list)
    events: list[str] = field(default_factory=list)

    @property
    def load(self) -> Load:
        return self.listener.load

    def connection(self, name: str = "party", *, timeout: float = 10) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection(
            "localhost", self.port, context=client_tls(self.pki.files(name)), timeout=timeout)

    def raw(
        self, context: ssl.SSLContext | None = None, *, timeout: float = 10, session: ssl.SSLSession | None = None,
    ) -> ssl.SSLSocket:
        context = context or client_tls(self.pki.files("party"))
        return context.wrap_socket(
            socket.create_connection(("127.0.0.1", self.port), timeout=timeout), server_hostname="localhost",
            session=session)

    def post(
        self, body: Any = b"<a/>", path: str = PATH, **headers: str,
    ) -> tuple[int, http.client.HTTPResponse, bytes]:
        connection = self.connection()
        try:
            all_headers = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": '""'}
            all_headers.update({name.replace("_", "-"): value for name, value in headers.items()})
            connection.request("POST", path, body=body, headers=all_headers)
            response = connection.getresponse()
            return response.status, response, response.read()
        finally:
            connection.close()


async def no_web(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


Start = Callable[..., Any]


@pytest.fixture
def start(own_pki: Pki) -> Start:
    @contextmanager
    def run(
        answer: Callable[[Received], Reply] | None = None, *, limits: RequestLimits | None = None,
        connections: ConnectionLimits | None = None, allowance: Allowance = PLENTY,
        background: tuple[Background, ...] = (), web: Any = no_web,
        contracts: dict[tuple[str, str], bytes] | None = None, drain_seconds: float = 10,
    ) -> Iterator[Running]:
        up = threading.Event()
        def note(received: Received) -> Reply:
            running.received.append(received)
            return answer(received) if answer else Reply(status=200, octets=b"<answer/>")

        def refuse(received: Received, error: GatewayError) -> Reply:
            running.refused.append((received, error))
            seen = row(error)
            return Reply(status=seen.http, octets=b"<fault/>", retry_after=error.retry_after or seen.retry_after)

        def observe(event: str, facts: Mapping[str, object]) -> None:
            running.events.append(event)

        quota = Quota(lambda oin: allowance, OwnMeter(), time.monotonic, observe)

        listener = SoapListener(
            answer=note, refuse=refuse, services={PATH}, contracts=contracts or {},
            now=lambda: datetime.now(UTC), limits=limits or RequestLimits(linger_seconds=0.3), quota=quota)
        tls = ServerTls.of(own_pki.files("hub"))
        soap_socket, web_socket = bind("127.0.0.1:0"), bind("127.0.0.1:0")
        server = Server(
            soap=listener, web=web, soap_socket=soap_socket, web_socket=web_socket, tls=tls, quota=quota,
            ready=lambda soap_url, web_url: up.set(), background=background, connections=connections,
            drain_seconds=drain_seconds)
        running = Running(port=soap_socket.getsockname()[1], web_port=web_socket.getsockname()[1], tls=tls,
                          server=server, pki=own_pki, listener=listener)
        thread = threading.Thread(target=server.run)
        thread.start()
        try:
            assert up.wait(10)
            yield running
        finally:
            server.stop()
            thread.join(drain_seconds + 10)
            assert not thread.is_alive()

    return run
