"""Parties' own services on real TLS, in this process, that take what the hub pushes: well, or in the ways of real life.

    receiver = stack.enter_context(receiving(folder, "energie"))
    receiver.behaves(hanging)            # until told otherwise
    receiver.taken                       # Referentienummers, in the order of their requests
"""

import ssl
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from uuid import uuid4

from lxml import etree

from gateway.names import ANONYMOUS, DS, KN, SOAP, SOAP_FAULT_ACTION, WSA, answer_action, clark
from gateway.security import Outgoing, canonical, seal
from gateway.security.keys import SigningKey, load_signing_key
from gateway.transport import TlsFiles, client_tls

Element = etree._Element


@dataclass(frozen=True, kw_only=True)
class Request:
    """One request of the hub, read without checking anything."""

    octets: bytes
    action: str
    message_id: str
    signature_value: str
    message: Element

    @property
    def referentienummer(self) -> str:
        return self.message.findtext(f".//{clark(KN, 'Referentienummer')}")


@dataclass(frozen=True, kw_only=True)
class Told:
    """An HTTP answer."""

    status: int
    octets: bytes
    headers: dict[str, str] = field(default_factory=dict)


Behaviour = Callable[["Receiver", Request], Told]


def read(octets: bytes) -> Request:
    root = etree.fromstring(octets)
    return Request(
        octets=octets, action=root.findtext(f".//{clark(WSA, 'Action')}"),
        message_id=root.findtext(f".//{clark(WSA, 'MessageID')}"),
        signature_value=root.findtext(f".//{clark(DS, 'SignatureValue')}"), message=root.find(clark(SOAP, "Body"))[0])


def receipt(request: Request, receiver: str, *, digest: bytes | None = None, number: str | None = None) -> bytes:
    digest = sha256(canonical(request.message)).digest() if digest is None else digest
    conversatie = request.message.findtext(f".//{clark(KN, 'ConversatieReferentienummer')}")
    return (
        f'<kn:Ontvangstbevestiging xmlns:kn="{KN}"><kn:Referentienummer>{number or request.referentienummer}'
        f"</kn:Referentienummer><kn:ConversatieReferentienummer>{conversatie}</kn:ConversatieReferentienummer>"
        f"<kn:Ontvanger>{receiver}</kn:Ontvanger><kn:TijdstipOntvangst>2026-11-24T12:00:00Z</kn:TijdstipOntvangst>"
        f"<kn:BerichtDigest>{b64encode(digest).decode()}</kn:BerichtDigest></kn:Ontvangstbevestiging>"
    ).encode()


def fault(code: str, text: str) -> bytes:
    return f"<soap:Fault><faultcode>soap:{code}</faultcode><faultstring>{text}</faultstring></soap:Fault>".encode()


def well(receiver: "Receiver", request: Request) -> Told:
    return receiver.answers(request, receipt(request, receiver.party))


def bent(*, body: bytes | None = None, signing: str | None = None, **changes: object) -> Behaviour:
    """A receipt with other headers (fields of Outgoing), another Body, or signed by another."""
    def behave(receiver: "Receiver", request: Request) -> Told:
        return receiver.answers(request, body or receipt(request, receiver.party), signing=signing, **changes)
    return behave


def refusing(receiver: "Receiver", request: Request) -> Told:
    return receiver.answers(request, fault("Client", "Jan Voorbeeld is geen klant"), status=500,
                            action=SOAP_FAULT_ACTION)


def failing(receiver: "Receiver", request: Request) -> Told:
    return receiver.answers(request, fault("Server", "schijf vol"), status=500, action=f"{SOAP}:Fault",
                            inclusive=("soap",))


def hanging(receiver: "Receiver", request: Request) -> Told:
    receiver.released.wait(60)  # until the test is over
    return Told(status=503, octets=b"")


def bare(status: int, octets: bytes = b"", **headers: str) -> Behaviour:
    return lambda receiver, request: Told(status=status, octets=octets, headers=headers)


@dataclass(kw_only=True)
class Receiver:
    """One party's service."""

    slug: str
    party: str  # its id
    folder: Path  # the instance's
    url: str = ""
    behaviour: Behaviour = well
    requests: list[Request] = field(default_factory=list)
    taken: list[str] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)
    _keys: dict[str, SigningKey] = field(default_factory=dict)

    def behaves(self, behaviour: Behaviour) -> None:
        self.behaviour = behaviour

    def answers(self, request: Request, body: bytes, *, status: int = 200, signing: str | None = None,
                **changes: object) -> Told:
        values: dict[str, object] = {
            "action": answer_action(request.action), "message_id": f"urn:uuid:{uuid4()}", "to": ANONYMOUS,
            "relates_to": request.message_id, "confirmations": (request.signature_value,), "body": body}
        outgoing = Outgoing(**{**values, **changes})  # type: ignore[arg-type]
        return Told(status=status,
                    octets=seal(outgoing, self._key(signing or f"{self.slug}-sign"), datetime.now(UTC),
                                str(uuid4())).octets)

    def _key(self, name: str) -> SigningKey:
        if name not in self._keys:
            pki = self.folder / "pki"
            self._keys[name] = load_signing_key(pki / f"{name}.pem", pki / f"{name}.key")
        return self._keys[name]

    def take(self, octets: bytes) -> Told:
        request = read(octets)
        self.requests.append(request)
        told = self.behaviour(self, request)
        if told.status == 200:
            self.taken.append(request.referentienummer)
        return told


@contextmanager
def receiving(folder: Path, slug: str, party: str, *, certificate: str | None = None) -> Iterator[Receiver]:
    """The service of a party of an instance, on a free port; `certificate`: of its TLS, when not its own."""
    receiver = Receiver(slug=slug, party=party, folder=folder)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(receiver))
    server.daemon_threads = True
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    pki, name = folder / "pki", certificate or f"{slug}-tls"
    context.load_cert_chain(pki / f"{name}.pem", pki / f"{name}.key")
    context.load_verify_locations(pki / "ca.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    receiver.url = f"https://localhost:{server.server_address[1]}/ontvangst"
    thread = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.02), daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.released.set()
        server.shutdown()
        server.server_close()


def _handler(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            told = receiver.take(self.rfile.read(int(self.headers["Content-Length"])))
            with suppress(OSError):  # who hung so long that the hub has gone
                self.send_response(told.status)
                for header, value in told.headers.items():
                    self.send_header(header.replace("_", "-"), value)
                self.send_header("Content-Length", str(len(told.octets)))
                self.send_header("Content-Type", "text/xml; charset=utf-8")
                self.end_headers()
                self.wfile.write(told.octets)

        def log_message(self, *_: object) -> None:
            pass

    return Handler


def hub_tls(folder: Path) -> ssl.SSLContext:
    """The hub as a caller."""
    pki = folder / "pki"
    return client_tls(TlsFiles(certificate=pki / "hub-tls.pem", key=pki / "hub-tls.key", anchors=(pki / "ca.pem",),
                               crls=(pki / "ca.crl",)))
