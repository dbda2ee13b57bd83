"""Services that misbehave in every way there is: nothing of it is a delivery, the operator reads what was wrong and no
content, and once the service behaves the same message arrives once and is confirmed.
"""

import gzip
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from gateway.app.instance import utc_now
from gateway.app.push import build_outlet
from gateway.pipeline import Outlet, deliver
from gateway.push_values import Claim, Outcome, Result
from gateway.routing import AddressBook
from gateway.security import EXAMPLE_OINS, make_crl
from gateway.transport import Caller, CallLimits
from gateway.values import DeliveryState
from tests import pushing
from tests.acceptance.test_nothing_left import PLANTED, planted
from tests.command import ENERGIE
from tests.hostile import certificates
from tests.line import Line, code, make_line
from tests.push.rogue import Behaviour, Call, Rogue, rogue, well
from tests.pushing import Request, Told, bare, bent, hub_tls, receipt

ANSWER_SECONDS = 0.4
MAX_OCTETS = 65_536


@dataclass(kw_only=True)
class Out:
    """A hub in this process that pushes over real TLS, and the service of energie."""

    line: Line
    outlet: Outlet
    service: Rogue
    caller: Caller

    def send(self) -> str:
        """A message in a conversation of its own; its number. The service lives in real time, so the hub must too."""
        self.line.at = max(self.line.at, utc_now())
        number = str(uuid.uuid4())
        reply = self.line.send(planted(number))
        assert code(reply) is None
        return number

    def attempt(self) -> tuple[Claim, Outcome]:
        """One, on a fresh connection: on a kept one the service would still behave as before."""
        self.caller.close()
        (claim,) = self.outlet.outbox.claim(
            holder=str(uuid.uuid4()), now=self.line.at, lease_until=self.line.at + timedelta(minutes=2), limit=5,
            allow=lambda party, breaker: (5, breaker))
        outcome = deliver(claim, self.outlet)
        self.outlet.outbox.settle(claim, outcome, breaker=lambda same: same,
                                  next_at=None if outcome.result is Result.DELIVERED else self.line.at)
        return claim, outcome

    def status(self, number: str) -> DeliveryState:
        with self.line.instance.operations() as operations:
            return DeliveryState(str(operations.message(number)["status"]))


@pytest.fixture(scope="module")
def out(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Out]:
    folder = tmp_path_factory.mktemp("misbehaving") / "instance"
    line = make_line(template, folder)
    with rogue(folder, "energie", ENERGIE) as service:
        everyone = line.instance.read_register().everyone
        book = AddressBook([replace(one, push=service.url) if one.slug == "energie" else one for one in everyone])
        line.gate = replace(line.gate, register=lambda: book)
        caller = Caller(hub_tls(folder), limits=CallLimits(
            connect_seconds=ANSWER_SECONDS, answer_seconds=ANSWER_SECONDS, max_octets=MAX_OCTETS))
        outlet = build_outlet(line.instance, store=line.store, trust=line.trust, register=lambda: book,
                              forward=caller.post, clock=lambda: line.at,
                              observe=lambda event, facts: line.events.append((event, dict(facts))))
        yield Out(line=line, outlet=outlet, service=service, caller=caller)
        caller.close()
    line.store.close()


# --- the ways to misbehave -------------------------------------------------------------------------------------------


def says(behaviour: pushing.Behaviour, **changes: object) -> Behaviour:
    """An HTTP answer that is whole, and wrong in what it says; `changes`: of Call.told."""
    def behave(call: Call) -> None:
        request = call.read()
        call.told(behaviour(call.service.maker, request), **changes)  # type: ignore[arg-type]
    return behave


def hanging(call: Call) -> None:
    call.service.released.wait(10)
    call.reset()


def hanging_after_reading(call: Call) -> None:
    call.read()
    hanging(call)


def resetting(call: Call) -> None:
    call.reset()


def resetting_after_reading(call: Call) -> None:
    call.read()
    call.reset()


def closing_after_reading(call: Call) -> None:
    call.read()
    call.socket.close()


def closing_half_way(call: Call) -> None:
    told = pushing.well(call.service.maker, call.read())
    call.told(replace(told, octets=told.octets[:500]), size=len(told.octets))
    call.socket.close()


def unsigned(receiver: pushing.Receiver, request: Request) -> Told:
    told = pushing.well(receiver, request)
    start, end = told.octets.index(b"<wsse:Security"), told.octets.index(b"</wsse:Security>") + len("</wsse:Security>")
    return replace(told, octets=told.octets[:start] + told.octets[end:])


def changed(old: bytes, new: bytes) -> pushing.Behaviour:
    """A receipt that was changed after it was signed."""
    def behave(receiver: pushing.Receiver, request: Request) -> Told:
        told = pushing.well(receiver, request)
        assert old in told.octets
        return replace(told, octets=told.octets.replace(old, new))
    return behave


def unsigned_fault(receiver: pushing.Receiver, request: Request) -> Told:
    told = pushing.failing(receiver, request)
    start, end = told.octets.index(b"<wsse:Security"), told.octets.index(b"</wsse:Security>") + len("</wsse:Security>")
    return replace(told, octets=told.octets[:start] + told.octets[end:])


def of_another(receiver: pushing.Receiver, request: Request) -> Told:
    """A receipt for a message that this service never got."""
    return receiver.answers(request, receipt(request, receiver.party, number=str(uuid.uuid4()), digest=bytes(32)))


def wordy(receiver: pushing.Receiver, request: Request) -> Told:
    """A receipt that gives the message back."""
    body = receipt(request, receiver.party).replace(b"</kn:Ontvanger>", b"<kn:Naam>" + PLANTED.encode()
                                                    + b"</kn:Naam></kn:Ontvanger>")
    return receiver.answers(request, body)


def packed(receiver: pushing.Receiver, request: Request) -> Told:
    told = pushing.well(receiver, request)
    return replace(told, octets=gzip.compress(told.octets), headers={"Content_Encoding": "gzip"})


PAGE = b"<html><body>Log in</body></html>"
ELSEWHERE = {"Location": "https://localhost:1/elders"}
CASES: dict[str, tuple[Behaviour, Result, str]] = {
    "hangs before it reads": (hanging, Result.UNREACHABLE, "no answer in time"),
    "hangs after it read": (hanging_after_reading, Result.UNREACHABLE, "no answer in time"),
    "resets before it reads": (resetting, Result.UNREACHABLE, "closed the connection without an answer"),
    "resets after it read": (resetting_after_reading, Result.UNREACHABLE, "closed the connection without an answer"),
    "closes before it answers": (closing_after_reading, Result.UNREACHABLE, "closed the connection without an answer"),
    "closes half-way its answer": (closing_half_way, Result.UNREACHABLE, "IncompleteRead"),
    "answers octet by octet": (says(pushing.well, piece=1, pause=0.02), Result.UNREACHABLE, "no answer in time"),
    "answers without end": (says(bare(200, b"<a>" * 30_000)), Result.UNREACHABLE, f"larger than {MAX_OCTETS}"),
    "says it is larger than it may be": (
        says(pushing.well, size=10**9), Result.UNREACHABLE, f"larger than {MAX_OCTETS}"),
    "sends elsewhere, 302": (says(bare(302, **ELSEWHERE)), Result.INVALID, "redirects are not followed"),
    "sends elsewhere, 307": (says(bare(307, **ELSEWHERE)), Result.INVALID, "redirects are not followed"),
    "says 500 and no more": (says(bare(500)), Result.INVALID, "HTTP 500 without an envelope"),
    "says 200 and no more": (says(bare(200)), Result.INVALID, "HTTP 200 without an envelope"),
    "is busy, says its proxy": (says(bare(503, b"busy")), Result.FAILED, "HTTP 503"),
    "shows a page": (says(bare(200, PAGE), content_type="text/html"), Result.UNREACHABLE, "text/xml"),
    "shows a page as text/xml": (says(bare(200, PAGE)), Result.INVALID, "VersionMismatch"),
    "says it is of another type": (
        says(pushing.well, content_type="application/soap+xml"), Result.UNREACHABLE, "text/xml"),
    "says it is in another encoding": (
        says(pushing.well, content_type="text/xml; charset=iso-8859-1"), Result.UNREACHABLE, "text/xml"),
    "compresses": (says(packed), Result.UNREACHABLE, "compressed"),
    "refuses": (says(pushing.refusing), Result.REFUSED, "a fault without a known code"),
    "fails": (says(pushing.failing), Result.FAILED, "a fault without a known code"),
    "fails, and does not sign it": (says(unsigned_fault), Result.INVALID, "SecurityMissing"),
    "does not sign": (says(unsigned), Result.INVALID, "SecurityMissing"),
    "lets another sign": (says(bent(signing="gemeente-sign")), Result.INVALID, "not by energie itself"),
    "signs with a key for another purpose": (says(bent(signing="energie-enc")), Result.INVALID, "CertificateRejected"),
    "changes what it signed": (
        says(changed(b"<kn:Ontvanger>", b"<kn:Ontvanger> ")), Result.INVALID, "digest of Body"),
    "digests something else": (
        says(lambda receiver, request: receiver.answers(request, receipt(request, receiver.party, digest=bytes(32)))),
        Result.INVALID, "BerichtDigest differs"),
    "answers for a message it did not get": (says(of_another), Result.INVALID, "Referentienummer differs"),
    "answers something else than a receipt": (
        says(bent(body=b'<kn:PingAntwoord xmlns:kn="urn:schuldenknooppunt:knooppunt:1.0"></kn:PingAntwoord>')),
        Result.INVALID, "no receipt"),
    "gives content back": (says(wordy), Result.INVALID, "more than a receipt's facts"),
    "relates to another request": (
        says(bent(relates_to=f"urn:uuid:{uuid.uuid4()}")), Result.INVALID, "relates to another request"),
    "relates to none": (says(bent(relates_to=None)), Result.INVALID, "another operation"),
    "answers another operation": (says(bent(action="urn:x:antwoord")), Result.INVALID, "another operation"),
    "confirms nothing": (says(bent(confirmations=())), Result.INVALID, "SignatureConfirmation"),
    "confirms another signature": (says(bent(confirmations=("AAAA",))), Result.INVALID, "SignatureConfirmation"),
    "confirms that there was none": (says(bent(confirmations=(None,))), Result.INVALID, "SignatureConfirmation"),
}


@pytest.mark.parametrize("case", CASES)
def test_it_is_no_delivery_is_told_and_the_same_message_arrives_when_the_service_behaves(out: Out, case: str) -> None:
    behaviour, result, cause = CASES[case]
    out.service.behaves(behaviour)
    number = out.send()
    _, outcome = out.attempt()
    assert (outcome.result, outcome.proof) == (result, None), outcome.cause
    assert cause in outcome.cause
    assert PLANTED not in outcome.cause
    assert out.status(number) is DeliveryState.BESCHIKBAAR
    then_it_arrives_once(out, number)


def then_it_arrives_once(out: Out, number: str) -> None:
    out.service.behaves(well)
    _, outcome = out.attempt()
    assert outcome.result is Result.DELIVERED, outcome.cause
    assert out.status(number) is DeliveryState.BEVESTIGD
    requests = [one for one in out.service.seen if one.referentienummer == number]
    assert len({one.message_id for one in requests}) == 1
    assert len({pushing.canonical(one.message) for one in requests}) == 1
    assert out.line.rows("outbox") == out.line.rows("payloads") == 0
    assert set(out.service.paths) == {"/ontvangst"}
    assert out.outlet.outbox.claim(holder="nobody", now=out.line.at, lease_until=out.line.at, limit=5,
                                   allow=lambda party, breaker: (5, breaker)) == []


def test_a_receipt_of_another_message_does_not_serve_again(out: Out) -> None:
    kept: list[bytes] = []

    def well_and_kept(call: Call) -> None:
        told = pushing.well(call.service.maker, call.read())
        kept.append(told.octets)
        call.told(told)

    out.service.behaves(well_and_kept)
    out.send()
    assert out.attempt()[1].result is Result.DELIVERED
    out.service.behaves(says(lambda receiver, request: Told(status=200, octets=kept[0])))
    number = out.send()
    _, outcome = out.attempt()
    assert (outcome.result, "SignatureConfirmation" in outcome.cause) == (Result.INVALID, True)
    then_it_arrives_once(out, number)


def test_a_receipt_of_an_earlier_attempt_does_not_serve_again(out: Out) -> None:
    """The answer that was lost, sent from a cache: it confirms a signature that is not this one's."""
    kept: list[Told] = []

    def cached(call: Call) -> None:
        request = call.read()
        kept.append(pushing.well(call.service.maker, request))
        if len(kept) == 1:
            call.reset()
        else:
            call.told(kept[0])

    out.service.behaves(cached)
    number = out.send()
    assert out.attempt()[1].result is Result.UNREACHABLE
    assert "SignatureConfirmation" in out.attempt()[1].cause
    then_it_arrives_once(out, number)


# --- TLS -------------------------------------------------------------------------------------------------------------

LOOPBACK = ("localhost", "127.0.0.1")
BOTH = ("serverAuth", "clientAuth")
SHOWN: dict[str, tuple[dict[str, object], str]] = {
    "expired": ({"until_days": -1, "from_days": -30}, "certificate has expired"),
    "not yet valid": ({"from_days": 2}, "certificate is not yet valid"),
    "for another host": ({"hosts": ("elders.example",)}, "the certificate is not for localhost"),
    "for clients only": ({"purposes": ("clientAuth",)}, "purpose"),
    "of its own making": ({"self_signed": True}, "self-signed"),
    "of another party": ({"oins": (EXAMPLE_OINS["gemeente"],)}, "does not act for energie"),
    "of nobody here": ({"oins": ("00000099000000099000",)}, "does not act for energie"),
}


def shown(out: Out, folder: Path, **changes: object) -> bytes:
    """The service shows this certificate from now on; DER."""
    values = {"name": "Voorbeeld Energie (TLS)", "oins": (EXAMPLE_OINS["energie"],), "hosts": LOOPBACK,
              "purposes": BOTH, **changes}
    made = certificates.identity(out.line, **values)
    (folder / "shown.pem").write_bytes(certificates.pem(made.certificate))
    (folder / "shown.key").write_bytes(made.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    out.service.shows(folder / "shown.pem", folder / "shown.key")
    return made.certificate


@pytest.fixture
def own(out: Out) -> Iterator[None]:
    """Afterwards it shows its own certificate again."""
    yield
    pki = out.line.instance.folder / "pki"
    out.service.shows(pki / "energie-tls.pem", pki / "energie-tls.key")
    out.caller.close()


@pytest.mark.usefixtures("own")
@pytest.mark.clause("PKI002", "PKI003", "TLS002")
@pytest.mark.parametrize("case", SHOWN)
def test_nothing_is_sent_to_a_server_whose_certificate_does_not_hold(out: Out, tmp_path: Path, case: str) -> None:
    changes, cause = SHOWN[case]
    shown(out, tmp_path, **changes)
    number, before = out.send(), len(out.service.seen)
    _, outcome = out.attempt()
    assert (outcome.result, cause in outcome.cause) == (Result.UNREACHABLE, True), outcome.cause
    assert len(out.service.seen) == before
    shown(out, tmp_path)
    then_it_arrives_once(out, number)


@pytest.mark.usefixtures("own")
@pytest.mark.clause("PKI003", "WT005")
def test_nothing_is_sent_to_a_server_whose_certificate_was_revoked(out: Out, tmp_path: Path) -> None:
    serial = certificates.serial(shown(out, tmp_path))
    pki = out.line.instance.folder / "pki"
    make_crl(pki, [serial], out.line.at)
    out.caller.renew(hub_tls(out.line.instance.folder))
    number, before = out.send(), len(out.service.seen)
    _, outcome = out.attempt()
    assert (outcome.result, "revoked" in outcome.cause) == (Result.UNREACHABLE, True), outcome.cause
    assert len(out.service.seen) == before
    make_crl(pki, [], out.line.at)
    out.caller.renew(hub_tls(out.line.instance.folder))
    then_it_arrives_once(out, number)


def without_tls(service: Rogue) -> Callable[[], None]:
    kept, service.context = service.context, None
    return lambda: setattr(service, "context", kept)


def without_handshake(service: Rogue) -> Callable[[], None]:
    service.handshakes = False
    return lambda: setattr(service, "handshakes", True)


@pytest.mark.parametrize(("how", "cause"), [(without_tls, "TLS failed"), (without_handshake, "no answer in time")])
def test_a_server_that_speaks_no_tls_gets_nothing(
    out: Out, how: Callable[[Rogue], Callable[[], None]], cause: str
) -> None:
    back = how(out.service)
    number, before = out.send(), len(out.service.seen)
    _, outcome = out.attempt()
    back()
    assert (outcome.result, cause in outcome.cause) == (Result.UNREACHABLE, True), outcome.cause
    assert len(out.service.seen) == before
    then_it_arrives_once(out, number)


def test_a_service_that_is_not_there_is_told_as_that(out: Out) -> None:
    number = out.send()
    book = AddressBook([replace(one, push="https://localhost:1/ontvangst") if one.slug == "energie" else one
                        for one in out.line.gate.register().everyone])
    kept, out.outlet = out.outlet, replace(out.outlet, register=lambda: book)
    _, outcome = out.attempt()
    out.outlet = kept
    assert (outcome.result, "connection refused" in outcome.cause) == (Result.UNREACHABLE, True)
    then_it_arrives_once(out, number)
