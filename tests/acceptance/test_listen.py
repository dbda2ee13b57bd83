"""`gateway listen` over real TLS, called by who holds the hub's keys."""

import ssl
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from lxml import etree

from gateway.errors import Unreachable
from gateway.multipart import Package, Part
from gateway.transport import Caller, TlsFiles, client_tls
from tests import foreign
from tests.acceptance.load import kennisgeving
from tests.acceptance.receiving import Listening, listening
from tests.command import gateway
from tests.mtom.test_others import consent
from tests.packages import File, pack
from tests.receiving import Receiving, make_receiving


@pytest.fixture(scope="module")
def hub(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Receiving:
    """The hub's keys, and the means to sign with them."""
    return make_receiving(template, tmp_path_factory.mktemp("listen") / "instance", "energie")


@pytest.fixture(scope="module")
def service(hub: Receiving, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Listening]:
    with listening(hub.instance.folder, "energie", tmp_path_factory.mktemp("taken")) as running:
        yield running


def caller(hub: Receiving, name: str) -> Caller:
    pki = hub.instance.folder / "pki"
    return Caller(client_tls(TlsFiles(certificate=pki / f"{name}-tls.pem", key=pki / f"{name}-tls.key",
                                      anchors=(pki / "ca.pem",), crls=(pki / "ca.crl",))))


def test_what_is_pushed_is_kept_and_told_by_its_numbers(hub: Receiving, service: Listening) -> None:
    number = str(uuid.uuid4())
    child = kennisgeving(number)
    octets = foreign.octets(foreign.build(hub.plan(child, to=service.url)))
    calling = caller(hub, "hub")
    for event in ("received", "repeated"):
        status, answer = calling.post(service.url, octets, "")
        assert (status, b"Ontvangstbevestiging" in answer) == (200, True)
        said = service.wait_for(event)
        assert (said["referentienummer"], said["berichttype"]) == (number, "Kennisgeving")
        assert "Voornamen" not in str(said)
    assert service.messages[number] == foreign.canonical(etree.fromstring(child))
    calling.close()


def test_what_is_pushed_with_files_apart_is_kept_with_them(hub: Receiving, service: Listening) -> None:
    files = [File(size=500_000)]
    sent = pack(hub.plan(consent(files), to=service.url), files)
    parts = [Part(content_id=sent.ids[0][1:-1], size=files[0].size, pieces=files[0])]
    calling = caller(hub, "hub")
    status, answer = calling.post(service.url, Package(boundary=sent.boundary, root=sent.root, parts=parts), "")
    assert (status, b"Ontvangstbevestiging" in answer) == (200, True), answer
    number = service.wait_for("received")["referentienummer"]
    (file,) = service.into.glob(f"*/{number}/*")
    assert file.read_bytes() == files[0].octets
    assert f"cid:{file.name}".encode() in service.messages[number]
    calling.close()


def test_who_is_not_the_hub_is_let_in_by_tls_and_told_no(hub: Receiving, service: Listening) -> None:
    calling = caller(hub, "gemeente")
    octets = foreign.octets(foreign.build(hub.plan(kennisgeving(str(uuid.uuid4())), to=service.url)))
    assert calling.post(service.url, octets, "")[0] == 403
    assert service.wait_for("refused")["error"] == "NotAuthenticated"
    calling.close()


def test_without_a_certificate_there_is_no_connection(hub: Receiving, service: Listening) -> None:
    bare = ssl.create_default_context(cafile=str(hub.instance.folder / "pki" / "ca.pem"))
    with pytest.raises(Unreachable):
        Caller(bare).post(service.url, b"<a/>", "")


def test_a_party_that_is_none_or_a_port_that_is_taken_is_said(hub: Receiving, service: Listening) -> None:
    folder = hub.instance.folder
    ran = gateway("listen", folder, "--party", "niemand")
    assert (ran.code, "no party 'niemand'" in ran.err) == (1, True)
    ran = gateway("listen", folder, "--party", "energie", "--port", service.port)
    assert (ran.code, "can't listen" in ran.err) == (1, True)
