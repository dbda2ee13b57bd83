"""A foreign client: zeep, told nothing but the address of our WSDL, signs with signxml and holds a whole conversation.

The contract comes over the wire (GET ?wsdl and the schemas it leads to, by mutual TLS), so a party that points its own
tool at the hub gets what these tests get. Nothing of gateway/ signs, verifies or builds a message here.
"""

import hashlib
import re
import uuid
from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests
import zeep
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from lxml import etree
from zeep.cache import InMemoryCache
from zeep.wsdl.utils import get_or_create_header

from gateway.app.sets import catalog_in
from gateway.messagesets import validate_text
from tests import foreign
from tests.acceptance.hub import ROOT, Hub
from tests.crosscheck.referee import W11, names, sign_with_signxml, signed_by_signxml, token_of
from tests.foreign import A, D, O, S, U
from tests.line import EXAMPLES, KN, SR

MAIN = ("Kennisgeving", "KennisgevingAntwoord", "SaldoVerzoek", "SaldoVerzoekAntwoord", "BetaalVoorstel",
        "BetaalVoorstelAntwoord", "RegelingGeaccordeerd", "StatusVerzoek", "StatusberichtSHV", "StatusberichtSE",
        "RegelingBeeindigd")
FROM_SE = {"KennisgevingAntwoord", "SaldoVerzoekAntwoord", "BetaalVoorstelAntwoord", "GeenMedewerking", "StatusVerzoek",
           "StatusberichtSE", "SaldoVerzoekAntwoordVoorafAkkoord"}


class Seal:
    """zeep's wsse hook: adds Timestamp and token, has signxml sign; remembers what the answer must confirm."""

    def __init__(self, identity: foreign.Identity) -> None:
        self.identity = identity
        self.sent: etree._Element | None = None

    def apply(self, envelope: etree._Element, headers: dict[str, str]) -> tuple[etree._Element, dict[str, str]]:
        header = get_or_create_header(envelope)
        for block in header:
            block.set(f"{{{U}}}Id", f"h-{uuid.uuid4().hex}")
        envelope.find(f"{{{S}}}Body").set(f"{{{U}}}Id", f"b-{uuid.uuid4().hex}")
        security = etree.SubElement(header, f"{{{O}}}Security", {f"{{{S}}}mustUnderstand": "1"}, nsmap={"o": O, "u": U})
        timestamp = etree.SubElement(security, f"{{{U}}}Timestamp", {f"{{{U}}}Id": f"t-{uuid.uuid4().hex}"})
        now = datetime.now(UTC)
        for name, moment in (("Created", now), ("Expires", now + timedelta(minutes=5))):
            etree.SubElement(timestamp, f"{{{U}}}{name}").text = moment.strftime("%Y-%m-%dT%H:%M:%SZ")
        etree.SubElement(
            security, f"{{{O}}}BinarySecurityToken",
            {f"{{{U}}}Id": f"x-{uuid.uuid4().hex}", "ValueType": foreign.X509, "EncodingType": foreign.B64},
        ).text = b64encode(self.identity.certificate).decode()
        sign_with_signxml(envelope, self.identity)
        self.sent = envelope
        return envelope, headers

    def verify(self, envelope: etree._Element) -> None:
        """Nothing: zeep's parser has dropped white space by now. `Wire` verifies the octets instead."""


class Wire(zeep.Transport):
    """zeep's transport over mutual TLS, which believes no answer that signxml does not."""

    def __init__(self, hub: Hub, slug: str) -> None:
        session = requests.Session()
        session.trust_env = False
        pki = hub.folder / "pki"
        session.cert, session.verify = (str(pki / f"{slug}-tls.pem"), str(pki / f"{slug}-tls.key")), str(pki / "ca.pem")
        super().__init__(session=session, cache=InMemoryCache(), timeout=20)
        self.hub_certificate = x509.load_pem_x509_certificate((pki / "hub-sign.pem").read_bytes())
        self.seal = Seal(_identity(pki, slug))
        self.answer = b""
        self.fetched: list[str] = []

    def load(self, url: str) -> bytes:
        self.fetched.append(url)
        return super().load(url)

    def post(self, address: str, message: bytes, headers: dict[str, str]) -> requests.Response:
        response = super().post(address, message, headers)
        self.answer = response.content
        self._believe(response.content)
        return response

    def _believe(self, octets: bytes) -> None:
        assert token_of(octets) == self.hub_certificate
        signed = signed_by_signxml(
            octets, required=names("To", "Action", "MessageID", "RelatesTo", confirmed=True))
        sent = self.seal.sent
        confirmed = signed[f"{{{W11}}}SignatureConfirmation"].get("Value")
        assert confirmed == "".join(sent.findtext(f".//{{{D}}}SignatureValue").split())
        assert signed[f"{{{A}}}RelatesTo"].text == sent.findtext(f".//{{{A}}}MessageID")
        fault = signed[f"{{{S}}}Body"].find(f"{{{S}}}Fault") is not None
        action = sent.findtext(f".//{{{A}}}Action")
        assert signed[f"{{{A}}}Action"].text == (f"{A}/soap/fault" if fault else f"{action}:antwoord")


def _identity(pki: Path, slug: str) -> foreign.Identity:
    certificate = x509.load_pem_x509_certificate((pki / f"{slug}-sign.pem").read_bytes())
    return foreign.Identity(key=load_pem_private_key((pki / f"{slug}-sign.key").read_bytes(), None),
                            certificate=certificate.public_bytes(Encoding.DER))


class Desk:
    """One party's zeep clients, made from the contract as the hub hands it out."""

    def __init__(self, hub: Hub, slug: str, role: str) -> None:
        self.wire = Wire(hub, slug)
        self.messages = zeep.Client(
            f"{hub.soap}/soap/schuldregeling/2.0/{role}?wsdl", transport=self.wire, wsse=self.wire.seal)
        self.postbus = zeep.Client(
            f"{hub.soap}/soap/knooppunt/1.0/postbus?wsdl", transport=self.wire, wsse=self.wire.seal)

    def typed(self, octets: bytes) -> dict[str, object]:
        """The values of a message element as zeep's own types: Decimal, date, datetime, lists."""
        element = etree.fromstring(octets)
        schema = self.messages.wsdl.types
        return dict(schema.get_element(element.tag).parse(element, schema).__values__)

    def send(self, name: str, values: dict[str, object]) -> tuple[object, etree._Element]:
        """A typed call; the receipt, and the message element as zeep wrote it."""
        receipt = self.messages.service[name](**values)
        return receipt, self.wire.seal.sent.find(f"{{{S}}}Body")[0]


@pytest.fixture(scope="module")
def desks(hub: Hub) -> Iterator[dict[str, Desk]]:
    made = {"gemeente": Desk(hub, "gemeente", "shv"), "energie": Desk(hub, "energie", "se"),
            "zorgverzekeraar": Desk(hub, "zorgverzekeraar", "se"), "deurwaarder": Desk(hub, "deurwaarder", "se")}
    yield made
    for desk in made.values():
        desk.wire.session.close()


def example(name: str, **changes: str) -> bytes:
    text = (EXAMPLES / f"{name}.xml").read_text("utf-8")
    for field, value in changes.items():
        text = re.sub(rf"(<(?:\w+:)?{field}>)[^<]*(</)", rf"\g<1>{value}\g<2>", text, count=1)
    return text.encode()


def exchange(desks: dict[str, Desk], name: str, octets: bytes, *, creditor: str = "energie") -> str:
    """Send one message by a typed call, and let its receiver list, fetch and confirm it; its Referentienummer."""
    sender, receiver = (creditor, "gemeente") if name in FROM_SE else ("gemeente", creditor)
    values = desks[sender].typed(octets)
    receipt, sent = desks[sender].send(name, values)
    number = receipt.Referentienummer
    assert number == values["Berichtheader"].Stuurgegevens.Referentienummer
    assert receipt.BerichtDigest == hashlib.sha256(foreign.canonical(sent)).digest()
    assert receipt.TijdstipOntvangst < receipt.VervalDatum
    postbus = desks[receiver].postbus.service
    listed = postbus.HaalBerichtenlijstOp()
    assert [(one.Referentienummer, one.Berichttype, one.Opgehaald) for one in listed] == [(number, name, False)]
    postbus.HaalBerichtOp(Referentienummer=number)
    got = etree.fromstring(desks[receiver].wire.answer).find(f".//{{{SR}}}{name}")
    assert foreign.canonical(got) == foreign.canonical(sent)
    assert desks[sender].typed(etree.tostring(got)) == values
    assert [one.Bevestigd for one in postbus.BevestigBericht(Referentienummer=[number])] == [True]
    assert not postbus.HaalBerichtenlijstOp()
    return number


@pytest.mark.clause("TLS002", "WT001")
def test_the_contract_comes_over_mutual_tls_alone(hub, desks):
    fetched = desks["gemeente"].wire.fetched
    assert len(fetched) > 5
    assert all(url.startswith(f"{hub.soap}/soap/") for url in fetched)
    address = desks["gemeente"].messages.service._binding_options["address"]
    assert address == f"{hub.soap}/soap/schuldregeling/2.0/shv"
    with pytest.raises(requests.exceptions.RequestException), requests.Session() as nobody:
        nobody.get(fetched[0], verify=str(hub.folder / "pki" / "ca.pem"), timeout=10)


def test_every_operation_of_the_contract_is_a_typed_call(desks):
    wanted = {path.stem.removesuffix("-volledig") for path in EXAMPLES.glob("*-volledig.xml")}
    offered = {name for desk in ("gemeente", "energie")
               for name in desks[desk].messages.service._binding._operations}
    assert offered == wanted
    assert set(desks["gemeente"].postbus.service._binding._operations) == {
        "HaalBerichtenlijstOp", "HaalBerichtOp", "BevestigBericht"}


@pytest.mark.clause("WW001", "WM001")
def test_a_whole_conversation_by_typed_calls(desks):
    numbers = [exchange(desks, name, example(f"{name}-volledig")) for name in MAIN]
    assert len(set(numbers)) == len(MAIN)


def test_the_remaining_messages_in_conversations_of_their_own(desks):
    conversation, publicly = str(uuid.uuid4()), str(uuid.uuid4())

    def step(name: str, *, answers: str | None = None, **changes: str) -> str:
        cross = {"CrossReferentienummer": answers} if answers else {}
        octets = example(f"{name}-volledig", Referentienummer=str(uuid.uuid4()), **{
            "ConversatieReferentienummer": conversation, **cross, **changes})
        creditor = "zorgverzekeraar" if changes else "energie"
        return exchange(desks, name, octets, creditor=creditor)

    asked = step("SaldoVerzoek")
    step("SaldoVerzoekAntwoordVoorafAkkoord", answers=asked)
    step("BetaalVoorstel")
    opened = step("KennisgevingPubliek", ConversatieReferentienummer=publicly)
    step("GeenMedewerking", answers=opened, ConversatieReferentienummer=publicly,
         Afzender="11111111-1111-4111-8111-000000000004")


def test_a_refused_proposal_is_reconsidered(desks):
    """Heads set on typed values, as software would."""
    conversation, asked = str(uuid.uuid4()), ""
    for name in ("SaldoVerzoek", "SaldoVerzoekAntwoord", "BetaalVoorstel"):
        cross = {"CrossReferentienummer": asked} if name in FROM_SE else {}
        asked = exchange(desks, name, example(f"{name}-volledig", Referentienummer=str(uuid.uuid4()),
                                              ConversatieReferentienummer=conversation, **cross))
    refusal = desks["energie"].typed(example("BetaalVoorstelAntwoord-minimaal"))
    heads = refusal["Berichtheader"].Stuurgegevens
    heads.ConversatieReferentienummer, heads.CrossReferentienummer = conversation, asked
    assert refusal["Akkoord"] is False
    receipt, _ = desks["energie"].send("BetaalVoorstelAntwoord", refusal)
    assert uuid.UUID(receipt.ConversatieReferentienummer) == uuid.UUID(conversation)
    postbus = desks["gemeente"].postbus.service
    assert [one.Berichttype for one in postbus.HaalBerichtenlijstOp()] == ["BetaalVoorstelAntwoord"]
    postbus.HaalBerichtOp(Referentienummer=receipt.Referentienummer)
    assert [one.Bevestigd for one in postbus.BevestigBericht(Referentienummer=[receipt.Referentienummer])] == [True]
    exchange(desks, "Heroverweging", example(
        "Heroverweging-volledig", Referentienummer=str(uuid.uuid4()), ConversatieReferentienummer=conversation,
        CrossReferentienummer=receipt.Referentienummer))


def test_an_elliptic_curve_signer_is_served_alike(desks):
    opened = str(uuid.uuid4())
    octets = example("Kennisgeving-volledig", Referentienummer=opened, ConversatieReferentienummer=str(uuid.uuid4()),
                     Ontvanger="11111111-1111-4111-8111-000000000003")
    exchange(desks, "Kennisgeving", octets, creditor="deurwaarder")


@pytest.mark.clause("BP R1029", "BP R2740")
def test_a_refusal_reaches_zeep_as_a_signed_typed_fault(desks):
    values = desks["gemeente"].typed(example("RegelingGeaccordeerd-volledig", Referentienummer=str(uuid.uuid4()),
                                             ConversatieReferentienummer=str(uuid.uuid4())))
    with pytest.raises(zeep.exceptions.Fault) as caught:
        desks["gemeente"].send("RegelingGeaccordeerd", values)
    assert caught.value.code == "soap:Client"
    report = caught.value.detail.find(f"{{{KN}}}Foutbericht")
    assert report.findtext(f"{{{KN}}}Code") == "SKP011"
    typed = desks["gemeente"].messages.wsdl.types.get_element(report.tag).parse(
        report, desks["gemeente"].messages.wsdl.types)
    assert uuid.UUID(typed.Ticket)


def test_the_same_call_again_gets_the_first_receipt(desks):
    values = desks["gemeente"].typed(example("Kennisgeving-volledig", Referentienummer=str(uuid.uuid4()),
                                             ConversatieReferentienummer=str(uuid.uuid4())))
    first, _ = desks["gemeente"].send("Kennisgeving", values)
    again, _ = desks["gemeente"].send("Kennisgeving", values)
    assert first == again




@pytest.fixture(scope="module")
def readers() -> list[zeep.Client]:
    """zeep on the contract files as they lie in the repository."""
    return [zeep.Client(str(ROOT / "wsdl" / "schuldregeling" / "2.0" / f"{role}.wsdl")) for role in ("shv", "se")]


@pytest.mark.parametrize("name", [path.stem for path in sorted(EXAMPLES.glob("*.xml"))])
def test_zeep_reads_every_example_and_writes_a_valid_message(readers, name):
    element = etree.fromstring(example(name))
    operation = etree.QName(element).localname
    client = next(one for one in readers if operation in one.service._binding._operations)
    values = client.wsdl.types.get_element(element.tag).parse(element, client.wsdl.types).__values__
    written = client.create_message(client.service, operation, **values).find(f"{{{S}}}Body")[0]
    assert list(written.itertext()) != []
    assert not validate_text(etree.tostring(written), catalog_in().by_namespace)


def test_the_explanation_of_a_refusal_is_a_typed_call(hub, desks):
    """What an ESB does to a signed message, and what zeep's user learns of it."""
    desk = desks["gemeente"]
    desk.send("Kennisgeving", desk.typed(example("Kennisgeving-volledig", Referentienummer=str(uuid.uuid4()),
                                                 ConversatieReferentienummer=str(uuid.uuid4()))))
    etree.indent(desk.wire.seal.sent)
    response = desk.wire.session.post(f"{hub.soap}/soap/schuldregeling/2.0/shv", timeout=20,
                                      data=etree.tostring(desk.wire.seal.sent), headers={"Content-Type": "text/xml"})
    assert response.status_code == 500
    ticket = etree.fromstring(response.content).findtext(f".//{{{KN}}}Ticket")
    beheer = zeep.Client(f"{hub.soap}/soap/knooppunt/1.0/beheer?wsdl", transport=desk.wire, wsse=desk.wire.seal)
    answer = beheer.service.HaalFoutToelichtingOp(Ticket=ticket)
    wrong = {one.Naam: [each.Kenmerk for each in one.Oorzaak] for one in answer.Toets if one.Uitkomst == "KLOPT_NIET"}
    assert "white-space-added" in wrong["digests"]
    assert {one.Uitkomst for one in answer.Toets if one.Naam == "certificate"} == {"KLOPT"}
