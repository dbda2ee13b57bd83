"""The line out, from a claimed delivery to its outcome, over real TLS to services that answer well and otherwise."""

import json
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from lxml import etree

from gateway.app.push import build_outlet
from gateway.errors import CertificateRejected
from gateway.names import DS, SOAP, WSA, clark
from gateway.pipeline import Outlet, deliver
from gateway.push_values import Claim, Outcome, Result
from gateway.routing import AddressBook, pushed_message_id
from gateway.security import Checked, canonical
from gateway.transport import Caller, CallLimits
from gateway.values import DeliveryState
from tests.line import Line, example, make_line
from tests.postgres.databases import asked
from tests.pushing import (
    Behaviour,
    Receiver,
    Request,
    Told,
    bare,
    bent,
    failing,
    hanging,
    hub_tls,
    receipt,
    receiving,
    refusing,
    well,
)
from tests.test_docs import ENERGIE, header_field

MESSAGE = example("Kennisgeving-volledig")
REF = header_field(MESSAGE, "Referentienummer")
OTHER = "11111111-1111-4111-8111-111111111111"


@dataclass(kw_only=True)
class Out:
    """A hub in this process, and the service of energie."""

    line: Line
    receiver: Receiver
    outlet: Outlet
    book: AddressBook

    def claim(self) -> Claim:
        (one,) = self.outlet.outbox.claim(
            holder="test", now=self.line.at, lease_until=self.line.at + timedelta(minutes=2), limit=5,
            allow=lambda party, breaker: (5, breaker))
        return one

    def attempt(self, behaviour: Behaviour = well) -> tuple[Claim, Outcome]:
        self.receiver.behaves(behaviour)
        claim = self.claim()
        outcome = deliver(claim, self.outlet)
        self.outlet.outbox.settle(claim, outcome, breaker=lambda same: same,
                                  next_at=None if outcome.result is Result.DELIVERED else self.line.at)
        return claim, outcome

    def status(self) -> DeliveryState:
        with self.line.instance.operations() as operations:
            return DeliveryState(str(operations.message(REF)["status"]))


@contextmanager
def pushing(template: Path, folder: Path, *, certificate: str | None = None, message: bytes = MESSAGE,
            **energie: object) -> Iterator[Out]:
    line = make_line(template, folder)
    with receiving(folder, "energie", ENERGIE, certificate=certificate) as receiver:
        parties = line.instance.read_register().everyone
        book = AddressBook([replace(one, **{"push": receiver.url, **energie}) if one.slug == "energie" else one
                            for one in parties])
        line.gate = replace(line.gate, register=lambda: book)
        caller = Caller(hub_tls(folder), limits=CallLimits(connect_seconds=5, answer_seconds=1, max_octets=65_536))
        outlet = build_outlet(line.instance, line.store, line.trust, lambda: book, caller.post,
                              lambda event, facts: line.events.append((event, dict(facts))), clock=lambda: line.at)
        assert line.send(message).status == 200
        yield Out(line=line, receiver=receiver, outlet=outlet, book=book)
        caller.close()
    line.store.close()


@pytest.fixture
def out(template: Path, tmp_path: Path) -> Iterator[Out]:
    with pushing(template, tmp_path / "instance") as made:
        yield made


@pytest.fixture(scope="module")
def stubborn(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Out]:
    """One message that is never delivered, however often it is tried."""
    with pushing(template, tmp_path_factory.mktemp("out") / "instance") as made:
        yield made


def test_a_message_is_pushed_and_its_signed_receipt_ends_the_delivery(out: Out) -> None:
    claim, outcome = out.attempt()
    assert (outcome.result, outcome.cause) == (Result.DELIVERED, "")
    assert out.status() is DeliveryState.BEVESTIGD
    assert out.line.rows("payloads") == out.line.rows("outbox") == 0
    (request,) = out.receiver.requests
    assert request.message_id == pushed_message_id(claim.afzender, REF, ENERGIE)
    assert canonical(request.message) == canonical(etree.fromstring(MESSAGE))
    root = etree.fromstring(request.octets)
    assert root.findtext(f".//{clark(WSA, 'To')}") == out.receiver.url
    assert request.action == claim.action == etree.QName(request.message).namespace + ":Kennisgeving"


def test_the_receipts_signature_is_kept_and_tied_to_the_journal(out: Out) -> None:
    _, outcome = out.attempt()
    proof = outcome.proof
    assert proof is not None
    folder = out.line.instance.folder
    (kept,) = asked(folder, "SELECT p.signed_info, p.signature_value, p.body, c.der FROM push_proofs p "
                            "JOIN certificates c ON c.sha256 = p.certificate")
    records = [json.loads(row[0]) for row in asked(folder, "SELECT record FROM entries ORDER BY position")]
    assert kept == (proof.signed_info, proof.signature_value, proof.body, proof.certificate)
    assert sha256(kept[2]).digest() in {
        b64decode(one.text) for one in etree.fromstring(kept[0]).iter(clark(DS, "DigestValue"))}
    tied = {record["kind"]: record.get("receipt") for record in records if record["kind"] != "config"}
    digest = sha256(kept[0] + kept[1]).hexdigest()
    assert tied == {"accepted": None, "collected": digest, "confirmed": digest}


def test_every_attempt_repeats_the_message_id_and_signs_anew(out: Out) -> None:
    out.attempt(failing)
    assert out.status() is DeliveryState.BESCHIKBAAR
    _, outcome = out.attempt(well)
    assert outcome.result is Result.DELIVERED
    one, other = out.receiver.requests
    assert one.message_id == other.message_id
    assert one.signature_value != other.signature_value
    assert canonical(one.message) == canonical(other.message)


def other_number(receiver: Receiver, request: Request) -> Told:
    return receiver.answers(request, receipt(request, receiver.party, number=OTHER))


def other_digest(receiver: Receiver, request: Request) -> Told:
    return receiver.answers(request, receipt(request, receiver.party, digest=sha256(request.octets).digest()))


def with_content(receiver: Receiver, request: Request) -> Told:
    own = receipt(request, receiver.party)
    return receiver.answers(request, own.replace(b"<kn:Bericht", b"<kn:Naam><kn:A>Jan</kn:A></kn:Naam><kn:Bericht", 1))


def unsigned(receiver: Receiver, request: Request) -> Told:
    body = receipt(request, receiver.party).decode()
    return Told(status=200, octets=f'<soap:Envelope xmlns:soap="{SOAP}"><soap:Body>{body}</soap:Body></soap:Envelope>'
                .encode())


def parroting(receiver: Receiver, request: Request) -> Told:
    return Told(status=200, octets=request.octets)


INVALID, UNREACHABLE = Result.INVALID, Result.UNREACHABLE
WRONG: dict[str, tuple[Behaviour, Result, str]] = {
    "it refuses": (refusing, Result.REFUSED, "PeerRefused"),
    "it fails": (failing, Result.FAILED, "PeerFailed"),
    "it is busy": (bare(503, b"busy"), Result.FAILED, "HTTP 503"),
    "it sends us elsewhere": (bare(302, Location="https://elsewhere.example/"), INVALID, "redirects are not followed"),
    "it does not know the address": (bare(404, b"nothing here"), INVALID, "HTTP 404"),
    "it says nothing": (bare(200), INVALID, "HTTP 200 without an envelope"),
    "it answers a web page": (bare(200, b"<html></html>"), INVALID, "HTTP 200"),
    "it hangs": (hanging, UNREACHABLE, "no answer in time"),
    "it answers without end": (bare(200, b"<" * 70_000), UNREACHABLE, "larger than 65536 octets"),
    "it compresses": (bare(200, b"<a/>", Content_Encoding="gzip"), UNREACHABLE, "compressed"),
    "its receipt is not signed": (unsigned, INVALID, "SecurityMissing"),
    "its receipt is our own envelope": (parroting, INVALID, "SignatureConfirmation"),
    "another party signed": (bent(signing="gemeente-sign"), INVALID, "not by energie itself"),
    "the hub signed": (bent(signing="hub-sign"), INVALID, "not by energie itself"),
    "its key for encryption signed": (bent(signing="energie-enc"), INVALID, "CertificateRejected"),
    "it confirms another signature": (bent(confirmations=("AAAA",)), INVALID, "SignatureConfirmation"),
    "it confirms no signature": (bent(confirmations=()), INVALID, "SignatureConfirmation"),
    "it relates to another request": (bent(relates_to=f"urn:uuid:{OTHER}"), INVALID, "another"),
    "it relates to nothing": (bent(relates_to=None), INVALID, "another operation"),
    "its Action is another's": (bent(action="urn:other:antwoord"), INVALID, "another operation"),
    "it answers something else": (bent(body=b'<a xmlns="urn:a"></a>'), INVALID, "no receipt"),
    "its receipt is for another message": (other_number, INVALID, "Referentienummer differs"),
    "its receipt is for other content": (other_digest, INVALID, "BerichtDigest differs"),
    "its receipt holds content": (with_content, INVALID, "more than a receipt's facts"),
}


@pytest.mark.parametrize("what", WRONG)
def test_nothing_but_a_receipt_of_this_message_by_this_party_ends_a_delivery(stubborn: Out, what: str) -> None:
    behaviour, result, words = WRONG[what]
    _, outcome = stubborn.attempt(behaviour)
    assert outcome.result is result, outcome.cause
    assert words in outcome.cause
    assert "Jan" not in outcome.cause  # a peer's own words may hold anything
    assert outcome.proof is None
    assert stubborn.status() is DeliveryState.BESCHIKBAAR
    assert stubborn.line.rows("payloads") == 1


def test_nobody_listens(stubborn: Out) -> None:
    gone = replace(stubborn.book.by_slug("energie"), push="https://localhost:1/ontvangst")
    outlet = replace(stubborn.outlet, register=lambda: AddressBook([gone]))
    claim = stubborn.claim()
    outcome = deliver(claim, outlet)
    outlet.outbox.settle(claim, outcome, breaker=lambda same: same, next_at=stubborn.line.at)
    assert (outcome.result, outcome.cause) == (
        UNREACHABLE, "Unreachable: localhost:1: connection refused; the service is down or the port is wrong")


def test_a_party_that_takes_no_push_any_more_is_not_called(stubborn: Out) -> None:
    for book in (AddressBook([replace(stubborn.book.by_slug("energie"), push=None)]), AddressBook([])):
        claim, before = stubborn.claim(), len(stubborn.receiver.requests)
        outcome = deliver(claim, replace(stubborn.outlet, register=lambda book=book: book))
        stubborn.outlet.outbox.settle(claim, outcome, breaker=lambda same: same, next_at=stubborn.line.at)
        assert outcome.result is Result.UNSENT
        assert len(stubborn.receiver.requests) == before


@pytest.mark.parametrize(("mandate", "result"), [(False, UNREACHABLE), (True, Result.DELIVERED)])
def test_nothing_is_sent_to_a_server_that_is_not_the_partys_or_of_who_acts_for_it(
    template: Path, tmp_path: Path, mandate: bool, result: Result,
) -> None:
    with pushing(template, tmp_path / "instance", certificate="kredietbank-tls") as out:
        if mandate:
            oin = out.book.by_slug("energie").oin
            out.book = AddressBook([replace(one, acts_for=frozenset({oin})) if one.slug == "kredietbank" else one
                                    for one in out.book.everyone])
            out.outlet = replace(out.outlet, register=lambda: out.book)
        _, outcome = out.attempt()
        assert outcome.result is result, outcome.cause
        assert len(out.receiver.requests) == int(mandate)


def test_a_pin_holds_for_the_server_too(template: Path, tmp_path: Path) -> None:
    with pushing(template, tmp_path / "instance", pins=frozenset({"00" * 32})) as out:
        _, outcome = out.attempt()
        assert outcome.result is UNREACHABLE
        assert "not registered for energie" in outcome.cause
        assert out.receiver.requests == []


def test_a_revoked_server_gets_nothing(template: Path, tmp_path: Path) -> None:
    with pushing(template, tmp_path / "instance") as out:
        def revoked(der: bytes, now: object) -> Checked:
            raise CertificateRejected("revoked")
        out.outlet = replace(out.outlet, check_server=revoked)
        _, outcome = out.attempt()
        assert outcome.result is UNREACHABLE
        assert out.receiver.requests == []


def test_a_server_is_looked_at_again_on_a_connection_that_is_kept(stubborn: Out) -> None:
    seen: list[bytes] = []

    def checked(der: bytes, now: datetime) -> Checked:
        seen.append(der)
        return stubborn.outlet.check_server(der, now)  # type: ignore[return-value]

    outlet = replace(stubborn.outlet, check_server=checked)
    for _ in range(2):
        stubborn.receiver.behaves(refusing)
        claim = stubborn.claim()
        outcome = deliver(claim, outlet)
        outlet.outbox.settle(claim, outcome, breaker=lambda same: same, next_at=stubborn.line.at)
    assert seen == [stubborn.line.peer("energie")] * 2


def test_a_bridged_message_goes_in_the_version_of_its_receiver(template: Path, tmp_path: Path) -> None:
    with pushing(template, tmp_path / "instance", message=example("SaldoVerzoek-volledig"),
                 modules={"schuldregeling": ("1.1",)}) as out:
        claim, outcome = out.attempt()
        assert outcome.result is Result.DELIVERED, outcome.cause
        (request,) = out.receiver.requests
        name = etree.QName(request.message)
        assert name.namespace == "urn:schuldenknooppunt:schuldregeling:1.1"
        assert request.action == claim.action == f"{name.namespace}:{name.localname}"
