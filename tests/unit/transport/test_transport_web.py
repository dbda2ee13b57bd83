"""Contract documents, and the second listener."""

import asyncio
import json
from collections.abc import Iterable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.metrics_core import CounterMetricFamily, Metric
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from gateway.errors import Misconfigured
from gateway.transport import Check, build_contracts, web_app
from gateway.values import RoleRule, Service, SetKey

SHV = Service(path="/soap/schuldregeling/2.0/shv", key=SetKey(module="schuldregeling", version="2.0"),
              role=RoleRule(name="SHV", parties=frozenset({"SHV"}), title_nl="Schuld<hulp>verlener"), operations={})
BUS = Service(path="/soap/knooppunt/1.0/postbus", key=SetKey(module="knooppunt", version="1.0"), role=None,
              operations={})
SERVICES = {SHV.path: SHV, BUS.path: BUS}
PUBLIC = "https://knooppunt.voorbeeld.nl"

WSDL = b"""<?xml version='1.0'?>
<!-- schemaLocation="anders.xsd" stays -->
<wsdl:definitions xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/" xmlns:xsd="http://www.w3.org/2001/XMLSchema">
  <wsdl:import namespace="urn:abstract" location="abstract.wsdl"/>
  <wsdl:types><xsd:schema>
    <xsd:import namespace="urn:a" schemaLocation='../../../xsd/schuldregeling/2.0/berichten.xsd'/>
    <xsd:import namespace="urn:w3" schemaLocation="https://www.w3.org/x.xsd"/>
    <xsd:import namespace="urn:none"/>
  </xsd:schema></wsdl:types>
  <wsdl:service><wsdl:port><soap:address location="https://example.invalid/soap"/></wsdl:port></wsdl:service>
</wsdl:definitions>
"""


@pytest.fixture
def roots(tmp_path: Path) -> tuple[Path, Path]:
    files = {
        "wsdl/schuldregeling/2.0/shv.wsdl": WSDL,
        "wsdl/schuldregeling/2.0/abstract.wsdl": b"<definitions><types/></definitions>",
        "wsdl/knooppunt/1.0/postbus.wsdl": b'<d><soap:address\n location = "x"/></d>',
        "xsd/schuldregeling/2.0/berichten.xsd":
            b'<xs:schema><xs:include schemaLocation="types.xsd"/>\n<xs:import namespace="urn:kn"\n'
            b'  schemaLocation="../../knooppunt/1.0/knooppunt.xsd"/></xs:schema>',
        "xsd/schuldregeling/2.0/types.xsd": b'<xs:schema><xs:include schemaLocation="berichten.xsd"/></xs:schema>',
        "xsd/knooppunt/1.0/knooppunt.xsd": b"<xs:schema/>",
        "xsd/knooppunt/1.0/manifest.toml": b"geheim",
    }
    for name, octets in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(octets)
    return tmp_path / "wsdl", tmp_path / "xsd"


def test_contracts_hold_what_the_wsdl_leads_to_with_real_addresses(roots: tuple[Path, Path]) -> None:
    found = build_contracts(SERVICES, wsdl_root=roots[0], xsd_root=roots[1], public_url=PUBLIC + "/")
    base = f"{PUBLIC}{SHV.path}".encode()
    assert {query for path, query in found if path == SHV.path} == {
        "wsdl", "wsdl=schuldregeling/2.0/shv.wsdl", "wsdl=schuldregeling/2.0/abstract.wsdl",
        "xsd=schuldregeling/2.0/berichten.xsd", "xsd=schuldregeling/2.0/types.xsd", "xsd=knooppunt/1.0/knooppunt.xsd",
    }
    assert {query for path, query in found if path == BUS.path} == {"wsdl", "wsdl=knooppunt/1.0/postbus.wsdl"}
    assert found[SHV.path, "wsdl"] == (
        WSDL.replace(b"https://example.invalid/soap", base)
        .replace(b"abstract.wsdl", base + b"?wsdl=schuldregeling/2.0/abstract.wsdl")
        .replace(b"../../../xsd/schuldregeling/2.0/berichten.xsd", base + b"?xsd=schuldregeling/2.0/berichten.xsd"))
    assert found[BUS.path, "wsdl"] == b'<d><soap:address\n location = "%b"/></d>' % f"{PUBLIC}{BUS.path}".encode()
    assert found[SHV.path, "xsd=schuldregeling/2.0/berichten.xsd"] == (
        b'<xs:schema><xs:include schemaLocation="%b?xsd=schuldregeling/2.0/types.xsd"/>\n<xs:import namespace="urn:kn"'
        b'\n  schemaLocation="%b?xsd=knooppunt/1.0/knooppunt.xsd"/></xs:schema>' % (base, base))
    assert found[SHV.path, "xsd=knooppunt/1.0/knooppunt.xsd"] == b"<xs:schema/>"


def test_contracts_that_do_not_hold_stop_the_start(roots: tuple[Path, Path]) -> None:
    def build() -> None:
        build_contracts(SERVICES, wsdl_root=roots[0], xsd_root=roots[1], public_url=PUBLIC)

    (roots[1] / "schuldregeling/2.0/types.xsd").write_bytes(b'<xs:include schemaLocation="../../../../etc/passwd"/>')
    with pytest.raises(Misconfigured, match="outside"):
        build()
    (roots[1] / "schuldregeling/2.0/types.xsd").unlink()
    with pytest.raises(Misconfigured, match=r"types\.xsd.*No such file"):
        build()


class Asked:
    """One GET of an ASGI application, without a network."""

    def __init__(self, app: Any, path: str, method: str = "GET") -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = b""
        scope = {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "path": path,
                 "raw_path": path.encode(), "query_string": b"", "headers": [], "scheme": "http", "root_path": "",
                 "server": ("127.0.0.1", 80), "client": ("127.0.0.1", 1), "state": {}}
        asyncio.run(app(scope, self.receive, self.send))

    async def receive(self) -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            names = [name for name, _ in message["headers"]]
            assert len(names) == len(set(names))
            self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
        else:
            self.body += message.get("body", b"")


def app(checks: dict[str, Check] | None = None, **options: Any) -> Any:
    def collect() -> Iterable[Metric]:
        counter = CounterMetricFamily("knooppunt_berichten", "Aangenomen berichten", labels=["module"])
        counter.add_metric(["schuldregeling"], 7)
        return [counter]

    return web_app(services=SERVICES, public_url=PUBLIC, checks=lambda: checks or {}, collect=collect, **options)


def test_live_is_always_well_and_ready_is_honest() -> None:
    checks = {"store": Check(ok=True, text="ok"), "crl": Check(ok=True, text="ok")}
    subject = app(checks)
    assert Asked(subject, "/health/live").status == 200
    good = Asked(subject, "/health/ready")
    assert (good.status, json.loads(good.body)["status"]) == (200, "ok")
    checks["crl"] = Check(ok=False, text="6 uur oud; controleer de ophaler")
    bad = Asked(subject, "/health/ready")
    assert bad.status == 503
    assert json.loads(bad.body) == {"status": "fail", "checks": {
        "store": {"ok": True, "text": "ok"}, "crl": {"ok": False, "text": "6 uur oud; controleer de ophaler"}}}
    assert Asked(subject, "/health/live").status == 200


def test_metrics_are_asked_at_each_request() -> None:
    answer = Asked(app(), "/metrics")
    assert (answer.status, answer.headers["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    assert b'knooppunt_berichten_total{module="schuldregeling"} 7.0\n' in answer.body


@pytest.mark.parametrize("path", ["/", "/health/live", "/health/ready", "/metrics", "/bestaat-niet"])
def test_every_answer_carries_the_security_headers(path: str) -> None:
    headers = Asked(app(), path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    assert (headers["x-content-type-options"], headers["x-frame-options"]) == ("nosniff", "DENY")
    assert headers["referrer-policy"] == "no-referrer"


def test_the_list_of_services_is_dutch_html_without_third_parties() -> None:
    class Page(HTMLParser):
        links: list[str] = []  # noqa: RUF012
        tags: list[str] = []  # noqa: RUF012

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            self.tags.append(tag)
            self.links.extend(value for name, value in attrs if name in ("href", "src") and value)

    answer = Asked(app(), "/")
    page = Page()
    page.feed(answer.body.decode())
    assert page.links == [f"{PUBLIC}{BUS.path}?wsdl", f"{PUBLIC}{SHV.path}?wsdl"]
    assert not {"script", "style", "link", "img", "iframe"} & set(page.tags)
    assert b'lang="nl"' in answer.body
    assert b"Schuld&lt;hulp&gt;verlener" in answer.body


def test_other_rooms_hang_their_routes_on_it() -> None:
    async def home(request: Request) -> Response:
        return PlainTextResponse("console", headers={"Referrer-Policy": "same-origin"})

    subject = app(routes=[Route("/", home)])
    assert Asked(subject, "/").body == b"console"
    assert Asked(subject, "/").headers["referrer-policy"] == "same-origin"
    assert Asked(subject, "/health/live").status == 200
    assert Asked(subject, "/", "POST").status == 405
