"""docs/verify/bewijs_controleren.py says the same as `gateway evidence verify`, whatever is wrong with a file.

Here both run in this process, so that many files can be tried; tests/acceptance/test_evidence.py runs it where there is
no gateway.
"""

import ast
import base64
import re
import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree
from signxml.algorithms import CanonicalizationMethod
from signxml.signer import XMLSigner

from gateway.app.evidence import evidence_file, refusal_file
from gateway.security import EXAMPLE_HUB_OIN, verify_evidence
from gateway.storage import Reports
from tests import foreign
from tests.foreign import D
from tests.line import KN, POSTBUS, Line, code, example, fault, make_line
from tests.test_docs import DEURWAARDER, ENERGIE, takes_1_1_only

ALONE = Path(__file__).parents[2] / "docs" / "verify" / "bewijs_controleren.py"
NUMBER = "b92ab4d6-ef2c-4661-b0f8-6b1dedd0c8f3"
MESSAGE = example("Kennisgeving-volledig").replace(ENERGIE.encode(), DEURWAARDER.encode())


@pytest.fixture(scope="module")
def world(template: Path, tmp_path_factory: pytest.TempPathFactory):
    """A hub with a message that was sent, collected and confirmed; Energie takes another version than others."""
    line = make_line(template, tmp_path_factory.mktemp("alone") / "instance", change=takes_1_1_only)
    assert code(line.send(MESSAGE)) is None
    for operation in ("HaalBerichtOp", "BevestigBericht"):
        child = f'<{operation} xmlns="{KN}"><Referentienummer>{NUMBER}</Referentienummer></{operation}>'
        assert code(line.send(child.encode(), path=POSTBUS, party="deurwaarder")) is None
    yield line
    line.store.close()


@pytest.fixture(scope="module")
def unsigned(world: Line) -> bytes:
    """The file before a checkpoint covers anything: a stretch of the chain."""
    return evidence_file(Reports(world.store), NUMBER, afzender=None, signing=world.instance.signing, now=world.at)


@pytest.fixture(scope="module")
def good(world: Line, unsigned: bytes) -> bytes:
    with world.instance.operations() as operations:
        return operations.evidence(NUMBER)


@pytest.fixture(scope="module")
def alone() -> Callable[..., list[tuple[str, bool | None, str]]]:
    return runpy.run_path(str(ALONE))["verify"]


def both(world: Line, alone, file: bytes, message: bytes | None = MESSAGE, *, ca: Path | None = None,
         oin: str | None = EXAMPLE_HUB_OIN) -> dict[str, list[bool | None]]:
    """The verdicts per check, which must be the same of both."""
    pem = (ca or world.instance.folder / "pki" / "ca.pem").read_bytes()
    anchors = [x509.load_pem_x509_certificate(pem)]
    ours = [(one.name, one.holds) for one in verify_evidence(
        file, message, [one.public_bytes(Encoding.DER) for one in anchors], oin)]
    theirs = [(name, holds) for name, holds, _ in alone(file, message, anchors, oin)]
    assert theirs == ours
    found: dict[str, list[bool | None]] = {}
    for name, holds in ours:
        found.setdefault(name, []).append(holds)
    return found


def wrong(verdicts: dict[str, list[bool | None]]) -> set[str]:
    return {name for name, all_ in verdicts.items() if False in all_}


def signed_again(world: Line, file: bytes, change: Callable[[etree._Element], None]) -> bytes:
    """The file as the hub would have signed it with other things in it."""
    root = etree.fromstring(file)
    root.remove(root.find(f"{{{D}}}Signature"))
    change(root)
    hub = world.instance.signing[0]
    signer = XMLSigner(c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0)
    return etree.tostring(signer.sign(
        root, key=hub.private_key, cert=[x509.load_der_x509_certificate(hub.certificate)]))


def test_good_files_hold_for_both(world, alone, good, unsigned):
    assert wrong(both(world, alone, good)) == wrong(both(world, alone, unsigned)) == set()
    assert set(both(world, alone, good, None)) < set(both(world, alone, good))
    assert both(world, alone, good, oin=None)["ondertekenaar van dit bestand is het knooppunt"] == [None]


def test_a_bridged_leg_is_told_and_known_by_its_digest(world, alone):
    """What the addressee got in its own version is proven to be what the hub made of what the sender signed."""
    sent = example("SaldoVerzoek-volledig")
    assert code(world.send(sent)) is None
    number = etree.fromstring(sent).findtext(f".//{{{KN}}}Referentienummer")
    child = f'<HaalBerichtOp xmlns="{KN}"><Referentienummer>{number}</Referentienummer></HaalBerichtOp>'
    answer = etree.fromstring(world.send(child.encode(), path=POSTBUS, party="energie").octets)
    got = foreign.canonical(answer.find(f".//{{{KN}}}Bericht")[0])
    assert b"schuldregeling:1.1" in got
    with world.instance.operations() as operations:
        file = operations.evidence(number)
    told = both(world, alone, file, got)
    assert told["dit bericht is de inhoud, overgezet voor een ontvanger"] == [True]
    assert told[f"overgezet voor ontvanger {ENERGIE}"] == [True]
    assert told["de afzender tekende precies deze inhoud"] == [None]
    assert both(world, alone, file, sent)["de afzender tekende precies deze inhoud"] == [True]
    assert wrong(both(world, alone, file, got.replace(b"</", b" </", 1))) >= {"dit bericht is de inhoud"}


def test_a_refusal_is_told_and_known_by_its_octets(world, alone):
    octets = foreign.octets(foreign.build(world.plan(MESSAGE))).replace(b"</s:Body>", b" </s:Body>")
    ticket = fault(world.post(octets)).findtext(f".//{{{KN}}}Ticket")
    file = refusal_file(Reports(world.store), ticket, signing=world.instance.signing, now=world.at)
    told = both(world, alone, file, octets)
    assert told["geweigerd door het knooppunt"] == told["dit is het geweigerde verzoek"] == [True]
    assert "handtekening van de afzender, zoals in het journaal" not in told
    assert wrong(both(world, alone, file, octets + b" ")) == {"dit is het geweigerde verzoek"}
    other = signed_again(world, file, lambda root: put(root, "Ticket", "5f0c1a52-8d1f-4a0b-9a67-2d8f6d6a9f10"))
    assert "journaal" in wrong(both(world, alone, other, octets))


def put(root: etree._Element, name: str, value: str) -> None:
    next(root.iter(f"{{{KN}}}{name}")).text = value


def flip(name: str) -> Callable[[etree._Element], None]:
    """One octet of a base64 or hex field, or one character of a text."""
    def change(root: etree._Element) -> None:
        field = next(root.iter(f"{{{KN}}}{name}"))
        place = len(field.text) // 2
        field.text = field.text[:place] + ("a" if field.text[place] != "a" else "b") + field.text[place + 1:]
    return change


def kind_changed(root: etree._Element) -> None:
    record = list(root.iter(f"{{{KN}}}Record"))[-1]
    record.text = re.sub('"kind":"[a-z]+"', '"kind":"expired"', record.text)


def signer_replaced(name: str) -> Callable[[etree._Element], None]:
    """Another party's certificate in this place."""
    def change(root: etree._Element) -> None:
        pem = (Path(signer_replaced.folder) / "pki" / "zorgverzekeraar-sign.pem").read_bytes()  # type: ignore[attr-defined]
        der = x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)
        put(root, name, base64.b64encode(der).decode())
    return change


WRONG = {
    "sender-info": flip("SignedInfo"), "sender-value": flip("SignatureValue"), "sender-method": flip("SignatureMethod"),
    "sender-certificate": signer_replaced("Certificaat"), "body-reference": flip("BodyReferentie"),
    "shell": flip("BodyVoor"), "record": flip("Record"), "kind": kind_changed, "path": flip("Pad"),
    "node": flip("Knoop"), "position": lambda root: put(root, "Positie", "99"),
    "note": flip("Controlepunt"), "note-certificate": signer_replaced("ControlepuntCertificaat"),
    "old": lambda root: put(root, "Opgemaakt", "2001-01-01T00:00:00.000Z"),
    "number": lambda root: put(root, "Referentienummer", "ce295b82-3439-44c4-89ad-2e7c693b6873"),
    "no-journal": lambda root: [root.remove(one) for one in root.findall(f"{{{KN}}}Journaal")],
}


@pytest.mark.parametrize("change", WRONG.values(), ids=WRONG)
def test_what_even_the_hub_may_not_sign_fails_for_both(world, alone, good, change):
    """The hub's own signature holds over each of these: what is inside does not."""
    signer_replaced.folder = world.instance.folder
    assert wrong(both(world, alone, signed_again(world, good, change)))


@pytest.mark.parametrize("name", ["Blad", "Record", "HashVoor", "HashNa", "Positie"])
def test_a_changed_stretch_fails_for_both(world, alone, unsigned, name):
    change = flip(name) if name != "Positie" else lambda root: put(root, "Positie", "99")
    assert wrong(both(world, alone, signed_again(world, unsigned, change)))


@pytest.mark.parametrize("file", [
    b"", b"<a/>", b"<!DOCTYPE a><a/>", b"\xff", "<a/>".encode("utf-16"),
    b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
], ids=["empty", "other", "dtd", "octet", "utf-16", "entity"])
def test_what_is_no_evidence_fails_for_both(world, alone, file):
    assert wrong(both(world, alone, file)) == {"handtekening van het knooppunt"}


def test_changed_octets_another_ca_another_hub_and_another_message_fail_for_both(world, alone, good, pki):
    assert wrong(both(world, alone, good.replace(b"collected", b"confirmed", 1))) == {"handtekening van het knooppunt"}
    assert "certificaat van de afzender" in wrong(both(world, alone, good, ca=pki.pem("ca")))
    assert wrong(both(world, alone, good, oin="00000099000000001000")) == {
        "ondertekenaar van dit bestand is het knooppunt"}
    assert wrong(both(world, alone, good, MESSAGE.replace(b"</", b" </", 1))) == {
        "dit bericht is de inhoud", "de afzender tekende precies deze inhoud"}


def test_it_needs_only_signxml_cryptography_and_lxml():
    imported = {name.split(".")[0] for node in ast.walk(ast.parse(ALONE.read_text("utf-8")))
                for name in ([one.name for one in node.names] if isinstance(node, ast.Import)
                             else [node.module or ""] if isinstance(node, ast.ImportFrom) else [])}
    assert imported - set(sys.stdlib_module_names) == {"signxml", "cryptography", "lxml"}
