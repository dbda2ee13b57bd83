"""The running hub serves the documentation of its message sets at `/` of the web listener."""

import http.client
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest
from lxml import etree

from gateway.app.sets import catalog_in, documentation
from tests.acceptance.hub import Hub


@dataclass(frozen=True)
class Answer:
    """One HTTP answer."""

    status: int
    headers: dict[str, str]
    body: bytes


def ask(hub: Hub, path: str, method: str = "GET") -> Answer:
    """One request with exactly this path; no client library tidies it up."""
    address = urlsplit(hub.web)
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=20)
    try:
        connection.request(method, path)
        found = connection.getresponse()
        return Answer(found.status, {name.lower(): value for name, value in found.getheaders()}, found.read())
    finally:
        connection.close()


@pytest.mark.parametrize(("path", "kind"), [
    ("/", "text/html; charset=utf-8"),
    ("/nl/", "text/html; charset=utf-8"),
    ("/nl/index.html", "text/html; charset=utf-8"),
    ("/en/faults.html", "text/html; charset=utf-8"),
    ("/en/schuldregeling/2.0/", "text/html; charset=utf-8"),
    ("/nl/schuldregeling/2.0/berichten/SaldoVerzoek.html", "text/html; charset=utf-8"),
    ("/files/docs.css", "text/css; charset=utf-8"),
    ("/files/messages.json", "application/json"),
    ("/files/zip/schuldregeling-2.0.zip", "application/zip"),
    ("/files/wsdl/schuldregeling/2.0/se.wsdl", "application/xml"),
    ("/files/xsd/schuldregeling/2.0/manifest.toml", "text/plain; charset=utf-8"),
])
def test_documents_come_with_their_type_and_the_security_headers(hub: Hub, path: str, kind: str) -> None:
    answer = ask(hub, path)
    assert (answer.status, answer.headers["content-type"]) == (200, kind)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "public, max-age=300"
    head = ask(hub, path, "HEAD")
    assert (head.status, head.body) == (200, b"")
    assert int(head.headers["content-length"]) == len(answer.body)


def test_the_first_page_is_dutch_and_every_link_on_it_is_served(hub: Hub) -> None:
    page = etree.fromstring(ask(hub, "/").body)
    assert page.get("lang") == "nl"
    links = {link.partition("#")[0] for link in page.xpath("//@href")} - {""}
    assert len(links) > 30
    for link in links:
        assert ask(hub, f"/{link}").status == 200, link


def test_pages_and_contracts_name_the_hub_that_serves_them(hub: Hub) -> None:
    page = ask(hub, "/nl/schuldregeling/2.0/index.html").body.decode()
    assert f"{hub.soap}/soap/schuldregeling/2.0/shv" in page
    assert f'location="{hub.soap}/soap/schuldregeling/2.0/shv"' in ask(
        hub, "/files/wsdl/schuldregeling/2.0/shv.wsdl").body.decode()


@pytest.mark.parametrize("path", [
    "/nl/bestaat-niet.html", "/files/", "/files/../gateway.toml", "/files/%2e%2e/gateway.toml",
    "/files/..%2fgateway.toml", "/files/xsd/../../gateway.toml", "/files//etc/passwd", "/files/%2Fetc%2Fpasswd",
    "/nl/index.html/", "/files/xsd/schuldregeling/2.0/", "/NL/index.html", "/nl/index.html%00", "/de/index.html",
])
def test_nothing_else_is_served(hub: Hub, path: str) -> None:
    answer = ask(hub, path)
    assert answer.status == 404
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert b"[hub]" not in answer.body


def test_other_methods_are_refused_and_health_stays(hub: Hub) -> None:
    assert ask(hub, "/", "POST").status == 405
    assert ask(hub, "/nl/index.html", "PUT").status == 405
    assert ask(hub, "/health/live").status == 200
    assert b"# TYPE" in ask(hub, "/metrics").body


def test_nothing_is_made_before_someone_asks() -> None:
    asked: list[str] = []

    class Watched:
        """A catalog that tells when it is read."""

        def __getattr__(self, name: str) -> object:
            asked.append(name)
            return getattr(catalog_in(), name)

    find = documentation(Watched(), "https://knooppunt.example")  # type: ignore[arg-type]
    assert asked == []
    assert find("index.html") is not None
    assert asked
    assert find("gateway.toml") is None
