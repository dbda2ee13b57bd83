"""The second listener: health, metrics and the list of services, for operators and their tools.

It shares nothing with the SOAP port but the process (docs/architecture.md): plain HTTP on an inner address, behind
whatever the operator puts before it. Console, portal and documentation hang their own routes on it.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from gateway.values import Service

_METRICS = "text/plain; version=0.0.4; charset=utf-8"
_CACHED = "public, max-age=300"  # documents are the same for everyone, until the hub starts with other message sets

# No inline script or style, no third party, no frames; a page can't send its address elsewhere.
SECURITY_HEADERS: Mapping[bytes, bytes] = {
    b"content-security-policy": b"default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
                                b"font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
                                b"frame-ancestors 'none'",
    b"x-content-type-options": b"nosniff",
    b"x-frame-options": b"DENY",
    b"referrer-policy": b"no-referrer",
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
    b"cache-control": b"no-store",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that must hold for the hub to serve: store, keys, age of the revocation lists …"""

    ok: bool
    text: str  # cause and remedy when it does not hold; never content, never a secret
    warning: bool = False  # it holds, but will not for long unless somebody acts


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One file as it is served."""

    content_type: str
    octets: bytes


def document_routes(find: Callable[[str], Document | None], folders: Iterable[str]) -> list[BaseRoute]:
    """Routes for `/` and for everything below these folders, for `web_app`.

    `find` is asked in a thread, with the path below `/`; a path that ends in `/` means its `index.html`. It must look
    the path up, never build a file name from it. None: there is no such document.
    """
    async def document(request: Request) -> Response:
        path = str(request.scope["path"]).removeprefix("/")
        found = await run_in_threadpool(find, path + "index.html" if path.endswith("/") or not path else path)
        if found is None:
            return PlainTextResponse("Not Found", status_code=404)
        return Response(found.octets, headers={"content-type": found.content_type, "cache-control": _CACHED})

    return [Route("/", document), *(Route(f"/{folder}/{{path:path}}", document) for folder in folders)]


def web_app(
    *, services: Mapping[str, Service], public_url: str, checks: Callable[[], Mapping[str, Check]],
    collect: Callable[[], Iterable[Metric]], routes: Sequence[BaseRoute] = (),
) -> Callable[..., Awaitable[None]]:
    """The ASGI application of the web listener.

    `checks` and `collect` are asked at each request, in a thread. `routes` come first, so that another room can take
    over `/`. Every answer carries SECURITY_HEADERS, unless a route has set the same header itself.
    """
    registry = CollectorRegistry()
    registry.register(_Collector(collect))

    async def live(request: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def ready(request: Request) -> Response:
        found = await run_in_threadpool(checks)
        well = all(check.ok for check in found.values())
        content = {
            "status": "ok" if well else "fail",
            "checks": {name: {"ok": check.ok, "text": check.text, **({"warning": True} if check.warning else {})}
                       for name, check in found.items()},
        }
        return JSONResponse(content, status_code=200 if well else 503)

    async def metrics(request: Request) -> Response:
        return Response(await run_in_threadpool(generate_latest, registry), headers={"content-type": _METRICS})

    page = _list_services(services, public_url)

    async def home(request: Request) -> Response:
        return HTMLResponse(page, headers={"content-language": "nl"})

    own = [
        Route("/health/live", live), Route("/health/ready", ready), Route("/metrics", metrics), Route("/", home),
    ]
    return _secured(Starlette(routes=[*routes, *own]))


class _Collector(Collector):
    def __init__(self, collect: Callable[[], Iterable[Metric]]) -> None:
        self._collect = collect

    def collect(self) -> Iterable[Metric]:
        return self._collect()

    def describe(self) -> Iterable[Metric]:
        return ()  # names are not known before they are asked for


def _secured(app: Starlette) -> Callable[..., Awaitable[None]]:
    """Put the security headers on every answer, errors included."""

    async def secured(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        async def send_with_headers(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                present = {name.lower() for name, _ in message["headers"]}
                extra = [pair for pair in SECURITY_HEADERS.items() if pair[0] not in present]
                message = {**message, "headers": [*message["headers"], *extra]}
            await send(message)

        await app(scope, receive, send_with_headers)

    return secured


def _list_services(services: Mapping[str, Service], public_url: str) -> str:
    """The services as a page in Dutch."""
    rows = "\n".join(
        f"<tr><td>{escape(service.key.module)}</td><td>{escape(service.key.version)}</td>"
        f"<td>{escape(service.role.title_nl or service.role.name if service.role else path.rpartition('/')[2])}</td>"
        f'<td><a href="{escape(public_url.rstrip("/") + path)}?wsdl">WSDL</a></td></tr>'
        for path, service in sorted(services.items())
    )
    return (
        '<!DOCTYPE html>\n<html lang="nl">\n<head><meta charset="utf-8"><title>Schuldenknooppunt: diensten</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1"></head>\n<body>\n<main>\n'
        "<h1>Diensten van het Schuldenknooppunt</h1>\n"
        "<p>Een WSDL opvragen kan alleen met het certificaat van een aangesloten deelnemer.</p>\n"
        "<table>\n<caption>Alle diensten</caption>\n"
        '<thead><tr><th scope="col">Module</th><th scope="col">Versie</th><th scope="col">Rol of dienst</th>'
        '<th scope="col">Contract</th></tr></thead>\n'
        f"<tbody>\n{rows}\n</tbody>\n</table>\n</main>\n</body>\n</html>\n"
    )
