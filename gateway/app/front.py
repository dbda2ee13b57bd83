"""What the settings say about the SOAP port's limits and about calls to parties, in the words of the transport."""

import ssl
from collections.abc import Callable
from dataclasses import replace
from time import monotonic

from gateway.ports import Observe
from gateway.routing import AddressBook
from gateway.settings import Settings
from gateway.transport import (
    Caller,
    CallLimits,
    ConnectionLimits,
    Meter,
    Quota,
    RequestLimits,
    ServerTls,
    TlsFiles,
)
from gateway.transport import client_tls as tls_of_client
from gateway.values import Allowance

_LARGEST = 105_000_000  # octets of a package with all the files that a manifest allows
_SPARE_SECONDS = 5  # between the end of the slowest call and that of its lease
METER = "run.meter"  # the requests of every party, shared by the workers of a serving hub


def server_tls(settings: Settings) -> ServerTls:
    """The TLS side of the SOAP port. Raises Misconfigured."""
    return ServerTls.of(_files(settings), session_seconds=settings.limits.session_seconds)


def client_tls(settings: Settings) -> ssl.SSLContext:
    """The hub as it calls parties, with the certificate of the SOAP port. Raises Misconfigured."""
    return tls_of_client(_files(settings))


def _files(settings: Settings) -> TlsFiles:
    return TlsFiles(certificate=settings.soap.tls.certificate, key=settings.soap.tls.key,
                    anchors=settings.trust.anchors, crls=settings.trust.crls)


def caller(settings: Settings) -> Caller:
    """What calls parties' own services. Raises Misconfigured."""
    push = settings.push
    left = push.lease.total_seconds() - 2 * push.connect_seconds - push.answer_seconds - _SPARE_SECONDS
    return Caller(client_tls(settings), limits=CallLimits(
        connect_seconds=push.connect_seconds, answer_seconds=push.answer_seconds, max_octets=push.max_octets,
        floor=int(_LARGEST / max(left, 1)),
        idle_connections=max(push.workers, 1), session_seconds=settings.limits.session_seconds))


def request_limits(settings: Settings) -> RequestLimits:
    limits = settings.limits
    return RequestLimits(max_octets=settings.soap.max_octets, threads=limits.threads, packages=limits.packages,
                         waiting=limits.waiting_requests, wait_seconds=limits.waiting_seconds,
                         octets_in_flight=limits.octets_in_flight,
                         body_seconds=limits.body_seconds, body_floor=limits.body_octets_per_second)


def connection_limits(settings: Settings) -> ConnectionLimits:
    limits = settings.limits
    return ConnectionLimits(
        handshake_seconds=limits.handshake_seconds, handshakes=limits.handshakes,
        header_seconds=limits.header_seconds, idle_seconds=limits.idle_seconds, connections=limits.connections,
        seconds=limits.connection_seconds, requests=limits.connection_requests,
    )


def quota(settings: Settings, register: Callable[[], AddressBook], meter: Meter, observe: Observe) -> Quota:
    """Each party's allowance as the address book has it now: its own `limits`, else the hub's."""
    usual = settings.limits.party

    def allowance(oin: str) -> Allowance | None:
        party = register().by_oin(oin)
        if party is None:
            return None
        return replace(usual, **party.limits) if party.limits else usual

    return Quota(allowance, meter, monotonic, observe)
