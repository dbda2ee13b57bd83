"""A receiving service of another stack: what the hub signs it verifies, and what it answers is a receipt.

Node serves HTTPS, xmlsec1 verifies and signs, xmllint makes the canonical form (tests/toolkits/receiver.cjs). Debian:
nodejs, xmlsec1, libxml2-utils.
"""

import json
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import pytest
from lxml import etree

from gateway.push_values import Result
from gateway.transport import Caller, TlsFiles, client_tls
from gateway.values import Reply
from tests import foreign
from tests.acceptance.load import kennisgeving
from tests.push.conveyor import conveyor
from tests.receiving import Receiving, believed, make_receiving

PROGRAM = Path(__file__).parent / "receiver.cjs"
TOOLS = ("node", "xmlsec1", "xmllint")
MISSING = [tool for tool in TOOLS if shutil.which(tool) is None]

pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")


@dataclass(kw_only=True)
class Foreign:
    """The service as a process."""

    url: str
    process: subprocess.Popen[str]
    folder: Path

    def next(self) -> dict[str, str]:
        return dict(json.loads(self.process.stdout.readline()))


@pytest.fixture(scope="module")
def hub(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Receiving:
    """The hub's keys, and the means to sign with them."""
    return make_receiving(template, tmp_path_factory.mktemp("foreign") / "instance", "energie")


@pytest.fixture(scope="module")
def service(hub: Receiving, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Foreign]:
    folder = tmp_path_factory.mktemp("kept")
    party = hub.receiver.party
    command = ["node", str(PROGRAM), str(hub.instance.folder / "pki"), party.slug, party.id, hub.receiver.hub_oin,
               str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        yield Foreign(url=process.stdout.readline().strip(), process=process, folder=folder)
        process.terminate()


def calls(hub: Receiving, name: str) -> Caller:
    pki = hub.instance.folder / "pki"
    return Caller(client_tls(TlsFiles(certificate=pki / f"{name}-tls.pem", key=pki / f"{name}-tls.key",
                                      anchors=(pki / "ca.pem",), crls=(pki / "ca.crl",))))


def post(hub: Receiving, service: Foreign, octets: bytes, *, caller: str = "hub") -> Reply:
    calling = calls(hub, caller)
    status, answer = calling.post(service.url, octets, "")
    calling.close()
    return Reply(status=status, octets=answer)


def test_it_verifies_what_the_hub_signs_and_its_receipt_holds(hub: Receiving, service: Foreign) -> None:
    number = str(uuid.uuid4())
    child = kennisgeving(number)
    sent = hub.sealed(child, to=service.url)  # by our own hand: the prefixes that the service looks for
    first = post(hub, service, sent)
    receipt = believed(hub, first, etree.fromstring(sent))
    canonical = foreign.canonical(etree.fromstring(child))
    assert (receipt.referentienummer, receipt.bericht_digest) == (number, sha256(canonical).digest())
    assert service.next() == {"event": "received", "referentienummer": number}
    assert (service.folder / f"{number}.xml").read_bytes() == canonical
    again = hub.sealed(child, to=service.url)
    assert believed(hub, post(hub, service, again), etree.fromstring(again)) == receipt
    assert service.next() == {"event": "repeated", "referentienummer": number}


def test_it_takes_nothing_that_another_signed_or_that_was_changed(hub: Receiving, service: Foreign) -> None:
    child = kennisgeving(str(uuid.uuid4()))
    for octets, caller in ((hub.sealed(child, to=service.url, signer="gemeente"), "hub"),
                           (hub.sealed(child, to=service.url).replace(b"SHV-2026/00417", b"SHV-2026/00418"), "hub"),
                           (hub.sealed(child, to=service.url), "gemeente")):
        assert post(hub, service, octets, caller=caller).status == 500
        assert service.next()["event"] == "refused"


def test_the_hub_pushes_to_it_and_believes_its_receipt(
    hub: Receiving, service: Foreign, template: Path, tmp_path: Path
) -> None:
    calling = calls(hub, "hub")
    with conveyor(template, tmp_path / "instance", url=service.url, post=calling.post) as out:
        number = out.send(kennisgeving(str(uuid.uuid4())))
        outcome = out.push()
        assert (outcome.result, outcome.cause) == (Result.DELIVERED, "")
        assert service.next() == {"event": "received", "referentienummer": number}
    calling.close()
