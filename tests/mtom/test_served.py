"""A hundred megabytes of files through a hub of its own: in, out, and cut off by a kill; memory stays where it was."""

import hashlib
import http.client
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from pathlib import Path

import pytest
from lxml import etree

from gateway.app.instance import utc_now
from gateway.multipart import Data, End, PackageLimits, Reader, read_package_type
from gateway.security.keys import load_signing_key
from gateway.storage import SqlSpool, open_store
from gateway.transport import TlsFiles, client_tls
from tests import foreign
from tests.acceptance.hub import Hub, fresh_hub
from tests.line import KN, POSTBUS
from tests.packages import RB, File, Package, petition, wrap
from tests.postgres.databases import ask

CAP = 10_485_760
ASKED = f'<k:HaalBerichtOp xmlns:k="{KN}"><k:Referentienummer>{{}}</k:Referentienummer></k:HaalBerichtOp>'
LARGE = [File(size=20_971_520, mark=b"1.%d" % number) for number in range(5)]


@dataclass(kw_only=True)
class Caller:
    """A party with a stack of its own, as far as `wrap` needs one."""

    hub: Hub
    slug: str

    @property
    def pki(self) -> Path:
        return self.hub.folder / "pki"

    def plan(self, child: bytes, *, path: str, **changes: object) -> foreign.Plan:
        name = etree.QName(etree.fromstring(child))
        key = load_signing_key(self.pki / f"{self.slug}-sign.pem", self.pki / f"{self.slug}-sign.key")
        return foreign.Plan(
            child=child, action=f"{name.namespace}:{name.localname}", to=self.hub.soap + path, now=utc_now(),
            identity=foreign.Identity(key=key.private_key, certificate=key.certificate), sender="https://x.example/")

    @contextmanager
    def connection(self) -> Iterator[http.client.HTTPSConnection]:
        files = TlsFiles(certificate=self.pki / f"{self.slug}-tls.pem", key=self.pki / f"{self.slug}-tls.key",
                         anchors=(self.pki / "ca.pem",), crls=(self.pki / "ca.crl",))
        made = http.client.HTTPSConnection("localhost", self.hub.port, context=client_tls(files), timeout=60)
        try:
            yield made
        finally:
            made.close()

    def send(self, package: Package, path: str = RB) -> tuple[int, bytes]:
        with self.connection() as connection:
            connection.request("POST", path, body=iter(package), headers={
                "Content-Type": package.content_type, "SOAPAction": '""', "Transfer-Encoding": "chunked"},
                encode_chunked=True)
            response = connection.getresponse()
            return response.status, response.read()

    @contextmanager
    def ask(self, child: str, **headers: str) -> Iterator[http.client.HTTPResponse]:
        octets = foreign.octets(foreign.build(self.plan(child.encode(), path=POSTBUS)))
        with self.connection() as connection:
            connection.request("POST", POSTBUS, body=octets, headers={
                "Content-Type": "text/xml; charset=utf-8", "SOAPAction": '""', **headers})
            yield connection.getresponse()


@pytest.fixture(scope="module")
def hub(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    with fresh_hub(template, tmp_path_factory.mktemp("mtom") / "instance") as running:
        sender, first = Caller(hub=running, slug="gemeente"), [File(size=1_000_000)]
        assert sender.send(wrap(sender, petition(first), first))[0] == 200  # type: ignore[arg-type]
        yield running


def peak(hub: Hub, *, anew: bool = False) -> int:
    """The most memory of the hub's process, in octets; `anew`: from here on."""
    if anew:
        Path(f"/proc/{hub.process.pid}/clear_refs").write_text("5")
    return int(re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{hub.process.pid}/status").read_text())[1]) * 1024


def rows(hub: Hub, statement: str) -> list[tuple[object, ...]]:
    return ask(f"sqlite:///{hub.folder / 'gateway.db'}", statement)


@pytest.mark.clause("§3.9")
def test_a_hundred_megabytes_go_in_and_out_in_little_memory(hub: Hub) -> None:
    sender, court = Caller(hub=hub, slug="gemeente"), Caller(hub=hub, slug="rechtbank")
    there(sender, LARGE[:2])  # the page cache of the connection that writes, 32 MB, is full now
    before = peak(hub, anew=True)
    number = there_and_back(sender, court, LARGE)
    assert peak(hub) - before < 3 * CAP
    with court.ask(ASKED.format(number)) as refused:  # who does not take MTOM can't have it
        assert refused.status == 413
        assert b"mtom-nodig" in refused.read()


def there(sender: Caller, files: list[File]) -> str:
    """A message with these files is accepted; its number."""
    child = petition(files)
    status, answer = sender.send(wrap(sender, child, files))  # type: ignore[arg-type]
    assert status == 200, answer
    return str(etree.fromstring(child).findtext(f".//{{{KN}}}Referentienummer"))


def there_and_back(sender: Caller, court: Caller, files: list[File]) -> str:
    """It is also collected."""
    number = there(sender, files)
    with court.ask(ASKED.format(number), Accept='multipart/related; type="application/xop+xml"') as got:
        assert got.status == 200
        assert parts(got)[1:] == [file.sha256 for file in files]
    return number


def parts(answer: http.client.HTTPResponse) -> list[str]:
    """SHA-256 of each part, the envelope's first."""
    reader = Reader(read_package_type(answer.getheader("Content-Type", "")), PackageLimits())
    digests, hashed = [], hashlib.sha256()
    while piece := answer.read(65_536):
        for event in reader.feed(piece):
            if isinstance(event, Data):
                hashed.update(event.octets)
            elif isinstance(event, End):
                digests.append(hashed.hexdigest())
                hashed = hashlib.sha256()
    reader.close()
    return digests


def test_a_kill_while_files_arrive_leaves_nothing_that_lasts(hub: Hub) -> None:
    sender = Caller(hub=hub, slug="gemeente")
    package = wrap(sender, petition(LARGE[:1]), LARGE[:1])  # type: ignore[arg-type]
    accepted = "SELECT count(*) FROM messages"
    before = rows(hub, accepted)
    with sender.connection() as connection:
        connection.putrequest("POST", RB)
        for name, value in (("Content-Type", package.content_type), ("Content-Length", "20990000")):
            connection.putheader(name, value)
        connection.endheaders()
        for piece in islice(package, 200):
            connection.send(piece)
        until = time.monotonic() + 30
        while not rows(hub, "SELECT 1 FROM file_pieces JOIN uploads ON upload = id WHERE state = 'arriving'"):
            assert time.monotonic() < until
            time.sleep(0.01)
        hub.kill()
    hub.start()
    assert rows(hub, "SELECT count(*) FROM uploads WHERE state = 'arriving'") == [(1,)]
    with open_store(f"sqlite:///{hub.folder / 'gateway.db'}") as store:
        assert SqlSpool(store).sweep(utc_now() + timedelta(hours=4)) == 1
    assert rows(hub, "SELECT count(*) FROM file_pieces WHERE upload NOT IN (SELECT id FROM uploads)") == [(0,)]
    assert rows(hub, "SELECT count(*) FROM uploads WHERE state = 'arriving'") == [(0,)]
    assert rows(hub, accepted) == before
