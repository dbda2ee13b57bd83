"""A message set with sealed bodies, made from one that has clear ones, through the whole line and back.

Two lines of its manifest differ: the sender encrypts for the addressee, and the hub sees header and size.
"""

import re
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from lxml import etree

from gateway.errors import DecryptionFailed, Misconfigured, PeerRefused, ReceiverUnknown, SchemaInvalid
from gateway.messagesets import build_docs, load_catalog, sample_message, validate_text, write_wsdl
from gateway.party import PartyClient
from gateway.security import seal_message, verify_evidence
from gateway.values import SetKey
from tests import encrypted, foreign
from tests.encrypted import E
from tests.line import BASE, KN, Line, code, fault, make_line
from tests.postgres.databases import asked

ROOT = Path(__file__).parent.parent.parent
MODULE = "betalingsregeling"
KEY = SetKey(module=MODULE, version="1.0")
NS = f"urn:schuldenknooppunt:{MODULE}:1.0"
SHV = f"/soap/{MODULE}/1.0/shv"
SECRET = "Geheimhouder"


def sealed_sets(folder: Path) -> Path:
    """The folders of a hub that knows one module, whose bodies are sealed; with its WSDL."""
    for name in ("knooppunt", MODULE):
        shutil.copytree(ROOT / "xsd" / name, folder / "xsd" / name)
        shutil.copytree(ROOT / "wsdl" / name, folder / "wsdl" / name)
    manifest = folder / "xsd" / MODULE / "1.0" / "manifest.toml"
    text = manifest.read_text("utf-8")
    assert text.count('body = "clear"') == 1
    manifest.write_text(text.replace('body = "clear"', 'body = "sealed"'), "utf-8")
    for name, octets in write_wsdl(load_catalog(folder / "xsd").sets[KEY]).items():
        (folder / "wsdl" / MODULE / "1.0" / name).write_text(octets, "utf-8")
    return folder


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sealed_sets(tmp_path_factory.mktemp("sealed"))


def take(sets: Path, folder: Path) -> None:
    """An instance of these sets alone."""
    path = folder / "gateway.toml"
    text = path.read_text("utf-8") + f'\n[sets]\nxsd = "{sets / "xsd"}"\nwsdl = "{sets / "wsdl"}"\n'
    path.write_text(text, "utf-8")


@pytest.fixture(scope="module")
def hub(template: Path, sets: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    made = make_line(template, tmp_path_factory.mktemp("hub") / "instance", change=lambda folder: take(sets, folder))
    yield made
    made.store.close()


def client(line: Line, slug: str) -> PartyClient:
    """The party's own software, over the line instead of the network."""
    def post(url: str, octets: bytes, action: str) -> tuple[int, bytes]:
        reply = line.post(octets, path=url.removeprefix(BASE), party=slug)
        return reply.status, reply.octets

    return replace(line.instance.party(slug, url=BASE), post=post, clock=lambda: line.at)


def message(element: str, conversation: str, *, cross: str | None = None, kind: str = "volledig",
            **fields: str) -> bytes:
    """An example of the set in this conversation, with a number of its own."""
    path = ROOT / "xsd" / MODULE / "1.0" / "examples" / "valid" / f"{element}-{kind}.xml"
    text = path.read_text("utf-8")
    values = {"Referentienummer": str(uuid.uuid4()), "ConversatieReferentienummer": conversation, **fields}
    if cross is not None:
        values["CrossReferentienummer"] = cross
    for field, value in values.items():
        text, count = re.subn(rf"(<(?:\w+:)?{field}>)[^<]*(</)", rf"\g<1>{value}\g<2>", text, count=1)
        assert count == 1, field
    return text.encode()


def number(octets: bytes) -> str:
    return etree.fromstring(octets).findtext(f".//{{{KN}}}Referentienummer")


def test_the_set_is_in_order(sets: Path) -> None:
    assert load_catalog(sets / "xsd").problems(sets / "wsdl") == []


def test_documentation_contract_and_samples_know_that_it_is_sealed(sets: Path) -> None:
    catalog = load_catalog(sets / "xsd")
    page = build_docs(catalog)[f"nl/{MODULE}/1.0/index.html"].make().decode()
    assert "versleuteld door de afzender" in page
    assert "AKKOORD_OF_NIET_AKKOORD" in page
    contract = (sets / "wsdl" / MODULE / "1.0" / "shv.wsdl").read_text("utf-8")
    assert "De inhoud is verzegeld" in contract
    sample = sample_message(catalog.sets[KEY], "SaldoVerzoek", seed=1, mode="random")
    assert validate_text(sample, catalog.by_namespace) == ()  # in clear, as its sender has it


def test_a_sealed_body_in_a_mailbox_that_is_taken_encrypted(template: Path, sets: Path, tmp_path: Path) -> None:
    """Twice encrypted to the addressee: by its sender, and by the hub when it was accepted."""
    def change(folder: Path) -> None:
        take(sets, folder)
        encrypted.agree(folder, parties=("energie",), services=("postbus",))

    line = make_line(template, tmp_path / "instance", change=change)
    with closing(line.store):
        sent = message("SaldoVerzoek", str(uuid.uuid4()))
        reference = client(line, "gemeente").send(sent).receipt.referentienummer
        assert (line.rows("payloads"), line.rows("addressed_payloads")) == (0, 1)
        collected = client(line, "energie").collect(reference).octets
        assert collected == foreign.canonical(etree.fromstring(sent))


def test_a_message_arrives_sealed_and_is_opened_by_its_addressee(hub: Line) -> None:
    sender, receiver = client(hub, "gemeente"), client(hub, "energie")
    clear = message("SaldoVerzoek", str(uuid.uuid4()), Achternaam=SECRET)
    sent = sender.send(clear)
    assert SECRET.encode() not in sent.envelope
    ref = sent.receipt.referentienummer
    reply = hub.send(f'<HaalBerichtOp xmlns="{KN}"><Referentienummer>{ref}</Referentienummer></HaalBerichtOp>'.encode(),
                     path="/soap/knooppunt/1.0/postbus", party="energie")
    stored = etree.fromstring(reply.octets).find(f".//{{{NS}}}SaldoVerzoek")
    assert [etree.QName(child).localname for child in stored] == ["Berichtheader", "EncryptedData"]
    assert SECRET.encode() not in reply.octets
    assert sha256(foreign.canonical(stored)).digest() == sent.receipt.bericht_digest  # what was sealed is what arrived
    assert receiver.collect(ref).octets == foreign.canonical(etree.fromstring(clear))
    assert [one.berichttype for one in receiver.waiting() if one.referentienummer == ref] == ["SaldoVerzoek"]
    assert receiver.confirm(ref) == {ref: True}


def test_nobody_but_the_addressee_opens_it(hub: Line) -> None:
    sender, receiver = client(hub, "gemeente"), client(hub, "energie")
    ref = sender.send(message("SaldoVerzoek", str(uuid.uuid4()))).receipt.referentienummer
    wrong = replace(receiver, encryption=replace(receiver.encryption, keys=hub.instance.encryption))
    with pytest.raises(DecryptionFailed):
        wrong.collect(ref)


def test_evidence_proves_what_was_sealed(hub: Line) -> None:
    sender = client(hub, "gemeente")
    clear = message("SaldoVerzoek", str(uuid.uuid4()), Achternaam=SECRET)
    sent = sender.send(clear)
    sealed = foreign.canonical(etree.fromstring(sent.envelope).find(f".//{{{NS}}}SaldoVerzoek"))
    with hub.instance.operations() as operations:
        octets = operations.evidence(sent.receipt.referentienummer)
    anchor = encrypted.certificate(hub, "ca")
    checks = verify_evidence(octets, sealed, [anchor], None)
    assert checks
    assert all(one.holds is not False for one in checks)
    assert any(one.holds is False for one in verify_evidence(octets, clear, [anchor], None))


def test_repeating_the_envelope_gives_the_same_facts_and_sealing_anew_is_another_message(hub: Line) -> None:
    sender = client(hub, "gemeente")
    clear = message("SaldoVerzoek", str(uuid.uuid4()))
    sent = sender.send(clear)
    again = hub.post(sent.envelope, path=SHV)
    assert etree.fromstring(again.octets).findtext(f".//{{{KN}}}JournaalPositie") == str(sent.receipt.journaal_positie)
    sealed = foreign.canonical(etree.fromstring(sent.envelope).find(f".//{{{NS}}}SaldoVerzoek"))
    assert sender.send(sealed).receipt == sent.receipt  # sealed already: sent as it is
    with pytest.raises(PeerRefused) as refused:
        sender.send(clear)
    assert refused.value.fault.code == "SKP008"


@pytest.mark.parametrize("then", ["RegelingGeaccordeerd", "BetaalVoorstel"])
@pytest.mark.parametrize("answer", ["volledig", "minimaal"])  # agreed, and not
def test_states_that_only_content_tells_apart_are_one(hub: Line, answer: str, then: str) -> None:
    """After an answer to the proposal everything is allowed that either answer would allow; not before."""
    shv, se, conversation = client(hub, "gemeente"), client(hub, "energie"), str(uuid.uuid4())
    asked, proposal = message("SaldoVerzoek", conversation), message("BetaalVoorstel", conversation)
    shv.send(asked)
    se.send(message("SaldoVerzoekAntwoord", conversation, cross=number(asked)))
    shv.send(proposal)
    with pytest.raises(PeerRefused) as refused:
        shv.send(message(then, conversation))
    assert refused.value.fault.code == "SKP011"
    se.send(message("BetaalVoorstelAntwoord", conversation, cross=number(proposal), kind=answer))
    assert state(hub, conversation) == "AKKOORD_OF_NIET_AKKOORD"
    shv.send(message(then, conversation))


def state(line: Line, conversation: str) -> str:
    ((found,),) = asked(line.instance.folder, "SELECT state FROM conversations WHERE conversatie = ?", conversation)
    return str(found)


# --- what the hub refuses -------------------------------------------------------------------------------------------

def sealed(line: Line, clear: bytes, change: Callable[[etree._Element], object] = lambda element: None) -> bytes:
    """A message sealed for energie, then changed by its sender."""
    recipient = client(line, "gemeente").encryption.to_addressee(
        line.instance.resolve("energie").id, line.at)
    element = etree.fromstring(seal_message(etree.fromstring(clear), recipient))
    change(element)
    return etree.tostring(element)


def rules(reply: object) -> set[str]:
    return {one.text for one in fault(reply).iter(f"{{{KN}}}Regel")}


def test_a_clear_body_is_refused(hub: Line) -> None:
    reply = hub.send(message("SaldoVerzoek", str(uuid.uuid4())), path=SHV)
    assert (code(reply), rules(reply)) == ("SKP001", {"sealed"})


SHAPES: dict[str, Callable[[etree._Element], object]] = {
    "content beside it": lambda m: m.append(etree.fromstring(f'<Klant xmlns="{NS}"/>')),
    "two of them": lambda m: m.append(encrypted.data_element(b"x" * 40)),
    "text beside it": lambda m: setattr(m[-1], "tail", "text"),
    "an attribute on the message": lambda m: m.set("a", "b"),
    "no header": lambda m: m.remove(m[0]),
    "before the header": lambda m: m.insert(0, m[-1]),
}


@pytest.mark.parametrize("case", SHAPES)
def test_a_message_of_another_shape_is_refused(hub: Line, case: str) -> None:
    reply = hub.send(sealed(hub, message("SaldoVerzoek", str(uuid.uuid4())), SHAPES[case]), path=SHV)
    assert (code(reply), rules(reply)) == ("SKP001", {"sealed"})


def _into_body(root: etree._Element) -> None:
    key = root.find(f".//{{{E}}}EncryptedKey")
    key.getparent().append(etree.fromstring(etree.tostring(key)))


FORMS: dict[str, Callable[[etree._Element], object]] = {
    "CBC": lambda m: m.find(f"{{{E}}}EncryptedData")[0].set("Algorithm", E + "aes256-cbc"),
    "rsa-1_5": lambda m: m.find(f".//{{{E}}}EncryptedKey")[0].set("Algorithm", E + "rsa-1_5"),
    "no key": lambda m: m[-1].remove(m[-1][1]),
    "two keys": _into_body,
    "another Type": lambda m: m[-1].set("Type", E + "Element"),
    "a reference": lambda m: m[-1][2].replace(m[-1][2][0], etree.Element(f"{{{E}}}CipherReference", URI="http://x/")),
}


@pytest.mark.clause("§4.2")
@pytest.mark.parametrize("case", FORMS)
def test_encryption_outside_the_profile_is_refused_unopened(hub: Line, case: str) -> None:
    reply = hub.send(sealed(hub, message("SaldoVerzoek", str(uuid.uuid4())), FORMS[case]), path=SHV)
    assert code(reply) == "SKP015"


def test_the_header_is_held_to_its_schema_and_rules(hub: Line) -> None:
    clear = message("SaldoVerzoek", str(uuid.uuid4()))
    reply = hub.send(sealed(hub, clear.replace(b"Z</kn:TijdstipBericht>", b"</kn:TijdstipBericht>")), path=SHV)
    assert code(reply) == "SKP001"
    assert rules(reply) != {"sealed"}
    reply = hub.send(sealed(hub, message("SaldoVerzoek", str(uuid.uuid4()), Berichttype="BetaalVoorstel")), path=SHV)
    assert rules(reply) == {"berichttype"}


def test_a_sealed_file_is_judged_as_the_hub_does(hub: Line) -> None:
    octets = sealed(hub, message("SaldoVerzoek", str(uuid.uuid4())))
    find = hub.instance.catalog.by_namespace
    assert validate_text(octets, find) == ()
    assert {one.rule for one in validate_text(sealed(hub, message("SaldoVerzoek", str(uuid.uuid4())),
                                                     SHAPES["text beside it"]), find)} == {"sealed"}


def test_a_touched_seal_is_a_broken_signature(hub: Line) -> None:
    def touch(root: etree._Element) -> None:
        value = root.findall(f".//{{{E}}}CipherValue")[-1]
        value.text = ("A" if value.text[0] != "A" else "B") + value.text[1:]

    octets = sealed(hub, message("SaldoVerzoek", str(uuid.uuid4())))
    assert code(hub.send(octets, path=SHV, after_signing=touch)) == "SKP015"


def test_what_would_not_hold_is_not_sealed(hub: Line) -> None:
    """The sender's own software is the last that can tell."""
    clear = message("SaldoVerzoek", str(uuid.uuid4()))
    with pytest.raises(SchemaInvalid):
        client(hub, "gemeente").wrap(re.sub(rb"<(\w+:)?Geboortedatum>[^<]*", rb"<\1Geboortedatum>gisteren", clear))


def test_nobody_to_seal_for(hub: Line) -> None:
    sender = client(hub, "gemeente")
    clear = message("SaldoVerzoek", str(uuid.uuid4()))
    for by_id, error in ((lambda _: None, ReceiverUnknown),
                         (lambda one: replace(hub.instance.register.by_id(one), encryption=None), Misconfigured)):
        with pytest.raises(error):
            replace(sender, encryption=replace(sender.encryption, by_id=by_id)).wrap(clear)
