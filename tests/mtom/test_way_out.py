"""What came apart leaves apart, or in line where that fits: the same message, signed by the hub either way."""

import hashlib
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest
from lxml import etree

from gateway.app.push import build_outlet
from gateway.multipart import Data, End, Package, PackageLimits, Reader, read_package_type
from gateway.pipeline import Outlet, answer, deliver
from gateway.push_values import Result
from gateway.values import Received, Reply
from tests import foreign
from tests.foreign import D, U
from tests.line import KN, POSTBUS, Line, code, edit_parties, make_line
from tests.mtom.test_way_in import number, receipt
from tests.packages import RB, XOP, File, in_line, petition, post, wrap

FILES = [File(size=500_000), File(size=40)]
ASKED = f'<k:HaalBerichtOp xmlns:k="{KN}"><k:Referentienummer>{{}}</k:Referentienummer></k:HaalBerichtOp>'
URL = "https://localhost:9/rechtbank"


@pytest.fixture(scope="module")
def line(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    made = make_line(template, tmp_path_factory.mktemp("mtom-out") / "instance")
    yield made
    made.store.close()


@pytest.fixture(scope="module")
def sent(line: Line) -> bytes:
    """A message with files apart, accepted."""
    child = petition(FILES)
    receipt(post(line, wrap(line, child, FILES)))
    return child


def collect(line: Line, child: bytes, *, mtom: bool, party: str = "rechtbank") -> Reply:
    asked = ASKED.format(number(child))
    octets = foreign.octets(foreign.build(line.plan(asked.encode(), path=POSTBUS, party=party)))
    return answer(Received(octets=octets, path=POSTBUS, content_type="text/xml", soap_action='""',
                           peer=line.peer(party), at=line.at, takes_mtom=mtom), line.gate)


@dataclass(kw_only=True)
class Opened:
    """A package as its receiver puts it together again; tests/crosscheck does it with others' readers."""

    root: etree._Element  # with the base64 in place
    includes: int

    @classmethod
    def of(cls, content_type: str, octets: Iterable[bytes]) -> "Opened":
        reader, parts, held = Reader(read_package_type(content_type), PackageLimits()), [], b""
        ids = []
        for piece in octets:
            for event in reader.feed(piece):
                if isinstance(event, Data):
                    held += event.octets
                elif isinstance(event, End):
                    parts.append(held)
                    held = b""
                else:
                    ids.append(event.content_id)
        reader.close()
        root, files = etree.fromstring(parts[0]), dict(zip(ids[1:], parts[1:], strict=True))
        includes = list(root.iter(f"{{{XOP}}}Include"))
        for include in includes:
            parent = include.getparent()
            parent.remove(include)
            parent.text = b64encode(files.pop(include.get("href").removeprefix("cid:"))).decode()
        assert files == {}
        return cls(root=root, includes=len(includes))

    @property
    def message(self) -> etree._Element:
        (found,) = self.root.iter("{urn:schuldenknooppunt:rechtbank:1.0}VerzoekschriftWsnp")
        return found

    def check_signature(self, certificate: bytes) -> None:
        """Every digest, the Body's over the whole, by the foreign stack."""
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import padding

        info = self.root.find(f".//{{{D}}}SignedInfo")
        for reference in info.findall(f"{{{D}}}Reference"):
            (target,) = (one for one in self.root.iter() if one.get(f"{{{U}}}Id") == reference.get("URI")[1:])
            value = b64encode(hashlib.sha256(foreign.canonical(target)).digest()).decode()
            assert reference.findtext(f"{{{D}}}DigestValue") == value, target.tag
        signature = b64decode(self.root.findtext(f".//{{{D}}}SignatureValue"))
        x509.load_der_x509_certificate(certificate).public_key().verify(
            signature, foreign.canonical(info), padding.PKCS1v15(), hashes.SHA256())


def whole(child: bytes) -> bytes:
    return foreign.canonical(etree.fromstring(in_line(child, FILES)))


@pytest.mark.clause("§3.9", "WM001")
def test_who_takes_mtom_collects_a_package_signed_over_the_whole(line: Line, sent: bytes) -> None:
    reply = collect(line, sent, mtom=True)
    assert reply.status == 200, reply.octets
    octets = list(reply.package)
    assert sum(map(len, octets)) == reply.package.length
    opened = Opened.of(reply.content_type, octets)
    assert opened.includes == 2
    opened.check_signature(line.signing_key("hub").certificate)
    alone = etree.fromstring(etree.tostring(opened.message, with_tail=False))
    assert foreign.canonical(alone) == whole(sent)
    digest = opened.root.findtext(f".//{{{KN}}}BerichtDigest")
    assert b64decode(digest) == hashlib.sha256(whole(sent)).digest()


def test_who_does_not_collects_it_in_line_where_it_fits(line: Line, sent: bytes) -> None:
    reply = collect(line, sent, mtom=False)
    assert (reply.status, reply.package) == (200, None)
    opened = Opened(root=etree.fromstring(reply.octets), includes=0)
    opened.check_signature(line.signing_key("hub").certificate)
    assert foreign.canonical(etree.fromstring(etree.tostring(opened.message, with_tail=False))) == whole(sent)


def test_what_came_in_line_leaves_in_line(line: Line) -> None:
    child = petition(FILES[1:])
    receipt(line.send(in_line(child, FILES[1:]), path=RB))
    assert collect(line, child, mtom=True).package is None


def test_a_message_that_fits_nowhere_in_line_is_not_marked_as_collected(line: Line) -> None:
    files = [File(size=9_000_000)]
    child = petition(files)
    receipt(post(line, wrap(line, child, files)))
    reply = collect(line, child, mtom=False)
    assert (reply.status, code(reply)) == (413, "SKP001")
    assert b"mtom-nodig" in reply.octets
    (listed,) = [one for one in line.gate.mailbox.waiting(
        line.instance.register.resolve("rechtbank").id, berichttype=None, conversatie=None, limit=100)
        if one.referentienummer == number(child)]
    assert not listed.opgehaald


# --- pushed ---------------------------------------------------------------------------------------------------


@dataclass(kw_only=True)
class Pushed:
    """What was sent to the court's own service, which then is too busy."""

    outlet: Outlet
    line: Line
    content: list[bytes | Package]

    def once(self) -> None:
        (claim,) = self.outlet.outbox.claim(
            holder="test", now=self.line.at, lease_until=self.line.at + timedelta(minutes=2), limit=1,
            allow=lambda party, breaker: (1, breaker))
        outcome = deliver(claim, self.outlet)
        assert (outcome.result, outcome.cause) == (Result.FAILED, "PeerFailed: HTTP 503")
        self.outlet.outbox.settle(claim, outcome, next_at=self.line.at, breaker=lambda breaker: breaker)


def pushing(template: Path, folder: Path, *, mtom: bool) -> Pushed:
    line = make_line(template, folder, change=lambda made: edit_parties(made, rechtbank={"push": URL, "mtom": mtom}))
    content: list[bytes | Package] = []

    def forward(url: str, octets: bytes | Package, action: str, check: object) -> tuple[int, bytes]:
        content.append(octets)
        return 503, b""

    outlet = build_outlet(line.instance, line.store, line.trust, lambda: line.instance.read_register(), forward,
                          lambda event, facts: None, clock=lambda: line.at)
    return Pushed(outlet=outlet, line=line, content=content)


def test_it_is_pushed_in_line_to_a_service_that_said_nothing_of_mtom(template: Path, tmp_path: Path) -> None:
    """As long as it fits: then as a package, for it could not be sent otherwise; the same at each attempt."""
    pushed = pushing(template, tmp_path / "instance", mtom=False)
    child = petition(FILES)
    receipt(post(pushed.line, wrap(pushed.line, child, FILES)))
    pushed.once()
    opened = Opened(root=etree.fromstring(pushed.content[0]), includes=0)
    opened.check_signature(pushed.line.signing_key("hub").certificate)
    assert foreign.canonical(etree.fromstring(etree.tostring(opened.message))) == whole(child)
    pushed.outlet = replace(pushed.outlet, in_line=100_000)
    for attempt in (1, 2):
        pushed.once()
        again = Opened.of(pushed.content[attempt].content_type, pushed.content[attempt])
        assert again.includes == 2
        again.check_signature(pushed.line.signing_key("hub").certificate)
    pushed.line.store.close()


def test_it_is_pushed_as_a_package_to_a_service_that_takes_mtom(template: Path, tmp_path: Path) -> None:
    pushed = pushing(template, tmp_path / "instance", mtom=True)
    child = petition(FILES)
    receipt(post(pushed.line, wrap(pushed.line, child, FILES)))
    pushed.once()
    package = pushed.content[0]
    assert isinstance(package, Package)
    opened = Opened.of(package.content_type, package)
    opened.check_signature(pushed.line.signing_key("hub").certificate)
    assert foreign.canonical(etree.fromstring(etree.tostring(opened.message))) == whole(child)
    assert b"".join(package) == b"".join(package)  # read anew, where a kept connection proved closed
    pushed.line.store.close()
