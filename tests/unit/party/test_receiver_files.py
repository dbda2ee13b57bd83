"""Packages that a party's own service does not take: whatever is wrong, no file stays."""

from collections.abc import Callable
from pathlib import Path

import pytest
from lxml import etree

from gateway.security.keys import load_certificate
from gateway.transport.packages import Arrival
from gateway.values import Received, Reply
from tests import encrypted
from tests.acceptance.load import kennisgeving
from tests.packages import PETITION, XOP, File, Package, pack, petition
from tests.push.conveyor import arrival_at, fed
from tests.receiving import PATH, Receiving, make_receiving

FILES = [File(size=2_000), File(size=3_000)]
INCLUDE = f"{{{XOP}}}Include"


@pytest.fixture
def court(template: Path, tmp_path: Path) -> Receiving:
    return make_receiving(template, tmp_path / "instance", "rechtbank")


def received(service: Receiving, caller: str = "hub") -> Received:
    peer = load_certificate(service.instance.folder / "pki" / f"{caller}-tls.pem")
    return Received(octets=b"", path=PATH, content_type="text/xml", soap_action='""', peer=peer, at=service.at)


def arriving(service: Receiving, package: Package, caller: str = "hub") -> Arrival:
    return arrival_at(service.receiver, received(service, caller), package.content_type)


def post(service: Receiving, package: Package) -> Reply:
    return fed(arriving(service, package), package)


def refused(service: Receiving) -> str:
    """The error; and nothing was kept."""
    assert [event for event, _ in service.events] == ["refused"]
    assert [one for one in service.folder.rglob("*") if one.name != ".coming"] == []
    return str(service.events[0][1]["error"])


def one_more(package: Package) -> None:
    package.files, package.ids = [*FILES, File(size=10)], [*package.ids, "<over@foreign.example>"]


def elsewhere(package: Package) -> None:
    root = etree.fromstring(package.root)
    place = next(root.iter("{*}Bestandsnaam"))
    place.text = None
    place.append(next(root.iter(INCLUDE)))
    package.root = etree.tostring(root)


@pytest.mark.parametrize(("bend", "error"), [
    (one_more, "MalformedEnvelope"),
    (lambda package: setattr(package, "order", [0]), "MalformedEnvelope"),
    (lambda package: setattr(package, "files", [FILES[1], FILES[0]]), "SignatureInvalid"),
    (lambda package: setattr(package, "files", [File(size=2_001), FILES[1]]), "SignatureInvalid"),
    (lambda package: setattr(package, "files", [FILES[0], File(size=20_971_521)]), "AttachmentWrong"),
    (lambda package: setattr(package, "end", ""), "MalformedEnvelope"),
    (lambda package: setattr(package, "root", package.root.replace(b"cid:file-0", b"cid:root")), "MalformedEnvelope"),
    (elsewhere, "MalformedEnvelope"),
], ids=["a part too many", "a part missing", "files changed about", "a file changed", "a file too large",
        "cut off", "the root as a file", "a file elsewhere"])
def test_what_is_not_as_the_hub_signed_it_leaves_no_file(
        court: Receiving, bend: Callable[[Package], None], error: str) -> None:
    package = pack(court.plan(petition(FILES)), FILES)
    bend(package)
    assert post(court, package).status == 500
    assert refused(court) == error


@pytest.mark.parametrize(("signer", "caller", "error"), [
    ("gemeente", "hub", "SenderMismatch"), ("hub", "gemeente", "NotAuthenticated")])
def test_of_anybody_but_the_hub_no_file_is_taken(court: Receiving, signer: str, caller: str, error: str) -> None:
    package = pack(court.plan(petition(FILES), signer=signer), FILES)
    arrival = arriving(court, package, caller)
    pieces = iter(package)
    assert arrival.feed(next(pieces)) is None
    assert arrival.feed(next(pieces)) is not None  # the boundary after the envelope: the answer is there
    assert refused(court) == error


def test_who_goes_away_while_files_come_leaves_nothing(court: Receiving) -> None:
    package = pack(court.plan(petition(FILES)), FILES)
    arrival = arriving(court, package)
    for piece in list(package)[:-1]:
        assert arrival.feed(piece) is None
    (coming,) = (court.folder / ".coming").iterdir()
    assert len(list(coming.iterdir())) == 2
    arrival.abandon()
    assert list((court.folder / ".coming").iterdir()) == []


def test_a_package_without_files_is_a_message_like_any_other(court: Receiving) -> None:
    assert post(court, pack(court.plan(PETITION.encode()), [])).status == 200
    assert len(court.messages) == 1


def test_in_2w_be_se_no_package_is_taken(template: Path, tmp_path: Path) -> None:
    energie = make_receiving(template, tmp_path / "instance", "energie", change=lambda folder: encrypted.agree(
        folder, parties=("energie",), services=("schuldregeling",)))
    assert post(energie, pack(energie.plan(kennisgeving("5d2f4c1e-0000-4000-8000-000000000001")), [])).status == 500
    assert refused(energie) == "MalformedEnvelope"


def test_what_a_crash_left_is_removed_at_the_start(court: Receiving) -> None:
    left = court.receiver.inbox.arriving("dead")
    left.mkdir()
    (left / ".1.coming").write_bytes(b"%PDF-")
    court.receiver.inbox.clear()
    assert not left.exists()


def test_files_of_a_message_that_was_half_kept_are_replaced_the_next_time(court: Receiving) -> None:
    """The process died before the .xml was there: no receipt went out, so the hub sends the same again."""
    child, message_id = petition(FILES), "urn:uuid:5d2f4c1e-0000-4000-8000-000000000002"
    for _ in range(2):
        assert post(court, pack(court.plan(child, message_id=message_id), FILES)).status == 200
        (message,) = court.messages
        files = sorted(message.with_suffix("").iterdir())
        assert [one.stat().st_size for one in files] == [file.size for file in FILES]
        files[0].write_bytes(b"")
        message.unlink()
