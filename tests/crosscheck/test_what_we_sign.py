"""What gateway/ signs, others accept: requests, receipts, answers and faults, before signxml and before xmlsec1."""

import re
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from lxml import etree
from signxml.exceptions import InvalidDigest, InvalidSignature

from gateway.security.throwaway import EXAMPLE_HUB_OIN, CertificateSpec, Pair, issue, new_key
from gateway.values import Reply
from tests import foreign
from tests.crosscheck.referee import (
    XMLSEC1,
    holds_for_xmlsec1,
    names,
    needs_xmlsec1,
    signed_by_signxml,
    token_of,
)
from tests.foreign import A, O, S, U
from tests.line import BASE, KN, POSTBUS, SE, SHV, Line, example, make_line

REQUEST = names("To", "Action", "MessageID", "From", "ReplyTo")
ANSWER = names("To", "Action", "MessageID", "RelatesTo", confirmed=True)
UNRELATED = names("To", "Action", "MessageID", confirmed=True)  # a fault to a request whose MessageID was unusable


@pytest.fixture(scope="module")
def world(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    """One line for all: nothing below depends on what the others sent."""
    made = make_line(template, tmp_path_factory.mktemp("crosscheck") / "instance")
    yield made
    made.store.close()


def wrapped(line: Line, party: str, message: bytes) -> bytes:
    return line.instance.party(party, url=BASE).wrap(message)[2].octets


def ping(line: Line, **changes: object) -> Reply:
    return line.send(f'<Ping xmlns="{KN}"/>'.encode(), path="/soap/knooppunt/1.0/beheer", **changes)


def ask(line: Line, operation: str, fields: str = "") -> Reply:
    return line.send(f'<{operation} xmlns="{KN}">{fields}</{operation}>'.encode(), path=POSTBUS, party="energie")


def fresh(name: str) -> bytes:
    number = str(uuid.uuid4()).encode()
    return re.sub(rb"(<(?:\w+:)?(?:Conversatie)?Referentienummer>)[^<]*", rb"\g<1>" + number, example(name), count=2)


def opened(line: Line) -> Reply:
    return line.send(fresh("Kennisgeving-volledig"))


def collected(line: Line) -> Reply:
    child = fresh("Kennisgeving-volledig")
    line.send(child)
    number = etree.fromstring(child).findtext(f".//{{{KN}}}Referentienummer")
    return ask(line, "HaalBerichtOp", f"<Referentienummer>{number}</Referentienummer>")


def spoiled(root: etree._Element) -> None:
    root.find(f".//{{{U}}}Expires").text = "2031-01-01T00:00:00Z"


def without_security(root: etree._Element) -> None:
    root[0].remove(root[0].find(f"{{{O}}}Security"))


ANSWERS: dict[str, tuple[Callable[[Line], Reply], str | None, list[str]]] = {
    "receipt": (opened, None, ANSWER),
    "pong": (ping, None, ANSWER),
    "mailbox list": (lambda line: ask(line, "HaalBerichtenlijstOp"), None, ANSWER),
    "collected message": (collected, None, ANSWER),
    "fault of the choreography": (
        lambda line: line.send(fresh("RegelingGeaccordeerd-volledig")), "soap:Client", ANSWER),
    "fault of the schema": (
        lambda line: line.send(fresh("Kennisgeving-volledig").replace(b"2026-02-24", b"2026-02-31")), "soap:Client",
        ANSWER),
    "fault of the envelope": (lambda line: line.post(b"<nothing/>"), "soap:VersionMismatch", UNRELATED),
    "fault of security": (lambda line: ping(line, after_signing=spoiled), "wsse:InvalidSecurity", ANSWER),
    "fault of no security": (lambda line: ping(line, after_signing=without_security), "wsse:InvalidSecurity", ANSWER),
    "fault of wsa:To": (lambda line: ping(line, to=None), "wsa:MessageAddressingHeaderRequired", ANSWER),
    "fault of wsa:Action": (
        lambda line: ping(line, action="urn:schuldenknooppunt:knooppunt:1.0:Pang"), "soap:Client", ANSWER),
    "fault of wsa:ReplyTo": (
        lambda line: ping(line, reply_to="https://elsewhere.example/"), "wsa:InvalidAddressingHeader", ANSWER),
    "fault of wsa:MessageID": (
        lambda line: ping(line, message_id="no iri"), "wsa:InvalidAddressingHeader", UNRELATED),
}


@pytest.fixture(scope="module")
def answers(world: Line) -> dict[str, bytes]:
    return {name: make(world).octets for name, (make, _, _) in ANSWERS.items()}


def faultcode(octets: bytes) -> tuple[str, str | None] | None:
    """The fault's code as a name: namespace of its prefix where it stands, and local name."""
    found = etree.fromstring(octets).find(f".//{{{S}}}Fault/faultcode")
    if found is None:
        return None
    prefix, _, local = found.text.partition(":")
    return local, found.nsmap.get(prefix)


@pytest.mark.clause("WB001", "WB004", "WB014", "SIGN002", "BSP R5441", "§3.4")
@pytest.mark.parametrize("name", ANSWERS)
def test_signxml_accepts_every_answer(answers, world, name):
    _, code, required = ANSWERS[name]
    octets = answers[name]
    signed = signed_by_signxml(octets, required=required)
    assert token_of(octets) == own_certificate(world, "hub")
    namespaces = {"soap": S, "wsa": A, "wsse": O}
    expected = (code.partition(":")[2], namespaces[code.partition(":")[0]]) if code else None
    assert faultcode(octets) == expected
    assert signed[f"{{{S}}}Body"] is not None
    if code and not code.startswith("soap:"):  # the prefix stands in text alone: the signature must hold its meaning
        lists = etree.fromstring(octets).iter(f"{{{foreign.EXC}}}InclusiveNamespaces")
        assert [one.get("PrefixList") for one in lists] == [code.partition(":")[0]]


@pytest.mark.clause("SIGN002")
@needs_xmlsec1
@pytest.mark.parametrize("name", ANSWERS)
def test_xmlsec1_accepts_every_answer(answers, tmp_path, name):
    assert holds_for_xmlsec1(tmp_path, answers[name])


@pytest.mark.clause("WB004", "SIGN002")
@pytest.mark.parametrize(("party", "path", "name"), [
    ("gemeente", SHV, "Kennisgeving-volledig"), ("energie", SE, "StatusVerzoek-volledig"),
    ("deurwaarder", SE, "GeenMedewerking-volledig"), ("gemeente", SHV, "BetaalVoorstel-minimaal"),
])
def test_both_accept_every_request(world, tmp_path, party, path, name):
    octets = wrapped(world, party, example(name))
    signed = signed_by_signxml(octets, required=REQUEST)
    assert signed[f"{{{A}}}To"].text == BASE + path
    assert token_of(octets) == own_certificate(world, party)
    if XMLSEC1:
        assert holds_for_xmlsec1(tmp_path, octets)


@pytest.mark.parametrize("part", [f"{{{KN}}}Achternaam", f"{{{A}}}Action", f"{{{U}}}Created"])
def test_the_referees_are_awake(world, tmp_path, part):
    """They refuse what was touched; else the tests above would prove nothing."""
    root = etree.fromstring(wrapped(world, "gemeente", example("Kennisgeving-volledig")))
    root.find(f".//{part}").text += "x"
    with pytest.raises((InvalidDigest, InvalidSignature)):
        signed_by_signxml(etree.tostring(root), required=REQUEST)
    if XMLSEC1:
        assert not holds_for_xmlsec1(tmp_path, etree.tostring(root))


def test_a_hub_with_two_keys_answers_each_party_in_its_own_family(template, tmp_path):
    line = make_line(template, tmp_path / "instance", change=_add_elliptic_key)
    try:
        for party, method in (("gemeente", foreign.RSA_SHA256), ("deurwaarder", foreign.ECDSA_SHA256)):
            octets = ping(line, party=party).octets
            signed_by_signxml(octets, required=ANSWER)
            found = etree.fromstring(octets).find(f".//{{{foreign.D}}}SignatureMethod")
            assert found.get("Algorithm") == method
            if XMLSEC1:
                assert holds_for_xmlsec1(tmp_path, octets)
    finally:
        line.store.close()


def _add_elliptic_key(folder: Path) -> None:
    pki = folder / "pki"
    issuer = Pair(certificate=x509.load_pem_x509_certificate((pki / "ca.pem").read_bytes()),
                  key=load_pem_private_key((pki / "ca.key").read_bytes(), None))
    spec = CertificateSpec(file="hub-ec", name="Voorbeeldknooppunt", oins=(EXAMPLE_HUB_OIN,), key="P-256")
    key = new_key(spec.key)
    made = issue(spec, key, issuer=issuer, now=datetime.now(UTC))
    (pki / "hub-ec.pem").write_bytes(made.certificate.public_bytes(Encoding.PEM))
    (pki / "hub-ec.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    settings = folder / "gateway.toml"
    both = '[[signing]]\ncertificate = "pki/hub-ec.pem"\nkey = "pki/hub-ec.key"\n\n[[signing]]'
    settings.write_text(settings.read_text("utf-8").replace("[signing]", both), "utf-8")


def own_certificate(line: Line, slug: str) -> x509.Certificate:
    return x509.load_der_x509_certificate(line.signing_key(slug).certificate)
