"""The network: HTTP and TLS on both sides, the host of the SOAP services, contract documents, health and metrics."""

from gateway.transport.client import Caller, CallLimits
from gateway.transport.contracts import build as build_contracts
from gateway.transport.crl import Fetched, RemoteList, fetch_list, refresh_after, write_whole
from gateway.transport.fetch import FetchLimits, fetch
from gateway.transport.host import Host
from gateway.transport.listener import Load, RequestLimits, SoapListener
from gateway.transport.protocol import ConnectionLimits
from gateway.transport.quota import Meter, OwnMeter, Quota, SharedMeter
from gateway.transport.server import Background, Server, bind, url_of
from gateway.transport.tls import ServerTls, TlsFiles, client_tls
from gateway.transport.web import Check, Document, document_routes, web_app
from gateway.transport.workers import Supervisor

__all__ = [
    "Background", "CallLimits", "Caller", "Check", "ConnectionLimits", "Document", "FetchLimits", "Fetched", "Host",
    "Load", "Meter", "OwnMeter", "Quota", "RemoteList", "RequestLimits", "Server", "ServerTls", "SharedMeter",
    "SoapListener", "Supervisor", "TlsFiles", "bind", "build_contracts", "client_tls", "document_routes", "fetch",
    "fetch_list", "refresh_after", "url_of", "web_app", "write_whole",
]
