"""A CA that answers questions (a real responder): revoked refuses at once, everything else leaves it to the list."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography import x509

from gateway.app.instance import utc_now
from gateway.app.ocsp import Inquiry
from gateway.app.trust import LiveTrust
from gateway.errors import CertificateRejected, Misconfigured
from gateway.security import Usage, load_certificate
from gateway.security.keys import load_private_key
from gateway.security.throwaway import CertificateSpec, Pair, issue, new_key
from tests.hostile.attack import Canary, Target
from tests.line import code, make_line
from tests.publisher import publishing
from tests.responder import Responder, responding

Told = list[tuple[str, dict]]
Make = Callable[[str], tuple[Target, Inquiry, Told]]


@pytest.fixture
def hub(template: Path, tmp_path: Path, canary: Canary) -> Iterator[Make]:
    """A hub that asks at this address after certificates of its CA; its work, and what it told."""
    made: list[Target] = []

    def make(url: str) -> tuple[Target, Inquiry, Told]:
        def change(folder: Path) -> None:
            file = folder / "gateway.toml"
            asked = f'[trust]\nocsp = [{{ issuer = "pki/ca.pem", url = "{url}" }}]'
            file.write_text(file.read_text("utf-8").replace("[trust]", asked), "utf-8")

        target, told = Target(line=make_line(template, tmp_path / "i", change=change), canary=canary), []
        made.append(target)
        line = target.line
        work = Inquiry(line.instance.settings.trust, line.trust, lambda: line.at,
                       lambda event, facts: told.append((event, dict(facts))))
        return target, work, told

    yield make
    for target in made:
        target.close()


@pytest.fixture(params=["the CA itself", "whom it appointed"])
def responder(template: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Responder]:
    """The responder of the example CA; not started. It signs with the CA's key, or with one that the CA certified."""
    pki, folder = template / "pki", tmp_path / "responder"
    folder.mkdir()
    ca = Pair(certificate=x509.load_der_x509_certificate(load_certificate(pki / "ca.pem")),
              key=load_private_key(pki / "ca.key"))
    spec = CertificateSpec(file="x", name="Voorbeeld responder", purposes=("OCSPSigning",))
    appointed = issue(spec, new_key("P-256"), issuer=ca, now=utc_now())
    with responding(folder, ca, ca if request.param == "the CA itself" else appointed) as made:
        yield made


def signer(target: Target) -> x509.Certificate:
    return x509.load_der_x509_certificate(target.line.identity("gemeente").certificate)


def caller(target: Target) -> x509.Certificate:
    return x509.load_der_x509_certificate(target.line.peer("gemeente"))


@pytest.mark.clause("PKI002", "§6.3")
def test_a_real_responder_revokes_and_lifts(hub: Make, responder: Responder) -> None:
    target, work, told = hub(responder.url)
    line, folder = target.line, target.line.instance.folder / "ocsp"
    responder.knows(signer(target), caller(target))
    responder.start()
    target.still_serves("gemeente")
    work.ask(line.trust.renew)
    assert sorted(path.suffix for path in folder.iterdir()) == [".good", ".good"]
    assert told == []
    target.still_serves("gemeente")

    responder.stop()
    responder.knows(caller(target), revoked=(signer(target),))
    responder.start()
    work.ask(line.trust.renew)
    assert told == []  # asked within the hour: not yet again
    line.skip(hours=1, seconds=1)
    work.ask(line.trust.renew)
    assert [event for event, _ in told] == ["ocsp-revoked"]
    assert code(line.post(target.signed())) == "SKP015"
    assert "certificate is revoked: the OCSP answer of CN=Voorbeeld CA" in line.refusals()[-1]
    after_restart = LiveTrust(line.instance.settings.trust, lambda: line.at, lambda event, facts: None)
    with pytest.raises(CertificateRejected, match="OCSP answer"):
        after_restart.checker(Usage.SIGNING)(line.identity("gemeente").certificate, line.at)

    responder.stop()
    responder.knows(signer(target), caller(target))
    responder.start()
    line.skip(hours=1, seconds=1)
    work.ask(line.trust.renew)
    target.still_serves("gemeente")


def test_an_unknown_certificate_and_a_silent_responder_leave_it_to_the_list(hub: Make, responder: Responder) -> None:
    target, work, told = hub(responder.url)
    line = target.line
    responder.knows()  # nobody
    target.still_serves("gemeente")
    work.ask(line.trust.renew)
    assert [event for event, _ in told] == ["ocsp-not-asked"]
    assert "connection refused" in told[0][1]["error"].detail
    work.ask(line.trust.renew)
    assert len(told) == 1  # not asked again at once
    responder.start()
    line.skip(hours=1, seconds=1)
    work.ask(line.trust.renew)
    assert [event for event, _ in told[1:]] == ["ocsp-unknown", "ocsp-unknown"]
    target.still_serves("gemeente")


def test_a_forged_answer_changes_nothing(hub: Make) -> None:
    with publishing() as forger:
        target, work, told = hub(forger.url)
        target.still_serves("gemeente")
        forger.gives(b"\x30\x03\x0a\x01\x00")
        work.ask(target.line.trust.renew)
        assert b"application/ocsp-request" in forger.asked[0]
    assert [event for event, _ in told] == ["ocsp-not-asked"]
    assert not (target.line.instance.folder / "ocsp").exists()
    target.still_serves("gemeente")


def test_nothing_is_asked_on_the_way_in(hub: Make) -> None:
    with publishing() as watched:
        target, _, _ = hub(watched.url)
        target.still_serves("gemeente")
        assert watched.asked == []


def test_an_issuer_that_is_no_anchor_is_refused_at_the_start(template: Path, tmp_path: Path) -> None:
    def change(folder: Path) -> None:
        file = folder / "gateway.toml"
        asked = '[trust]\nocsp = [{ issuer = "pki/hub-tls.pem", url = "http://ocsp.example" }]'
        file.write_text(file.read_text("utf-8").replace("[trust]", asked), "utf-8")

    with pytest.raises(Misconfigured, match=r"hub-tls\.pem: is asked after under \[trust\] ocsp, but is none of"):
        make_line(template, tmp_path / "i", change=change)
