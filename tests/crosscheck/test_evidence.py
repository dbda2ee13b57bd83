"""The evidence file in the hands of somebody who has only xmlsec1, openssl's CA file, and no code of ours."""

import hashlib
import re
import subprocess
from base64 import b64decode
from dataclasses import replace
from pathlib import Path

import pytest
import signxml
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from lxml import etree
from signxml.verifier import SignatureConfiguration

from gateway.app.checkpoints import CheckpointWriter
from gateway.app.evidence import _facts, evidence_file
from gateway.app.instance import utc_now
from gateway.security import load_certificate, read_checkpoint, sign_checkpoint, verify_evidence, write_evidence
from gateway.storage import Reports
from tests import foreign
from tests.crosscheck.referee import XMLSEC1, needs_xmlsec1
from tests.foreign import D
from tests.line import KN, POSTBUS, Line, code, example
from tests.tsa import Authority, needs_openssl, served


@pytest.fixture
def number(line: Line) -> str:
    """Of one message that was sent, collected and confirmed; its content is erased by then."""
    child = example("Kennisgeving-volledig")
    assert code(line.send(child)) is None
    number = etree.fromstring(child).findtext(f".//{{{KN}}}Referentienummer")
    for operation in ("HaalBerichtOp", "BevestigBericht"):
        request = f'<{operation} xmlns="{KN}"><Referentienummer>{number}</Referentienummer></{operation}>'
        assert code(line.send(request.encode(), path=POSTBUS, party="energie")) is None
    return number


@pytest.fixture
def evidence(line: Line, number: str) -> bytes:
    with line.instance.operations() as operations:
        return operations.evidence(number)


@pytest.fixture
def unsigned_yet(line: Line, number: str) -> bytes:
    """The file of the same message, as it is before a checkpoint covers it."""
    return evidence_file(Reports(line.store), number, afzender=None, signing=line.instance.signing, now=line.at)


def verify(folder: Path, octets: bytes, *, trusted: Path) -> bool:
    file = folder / "evidence.xml"
    file.write_bytes(octets)
    command = [XMLSEC1, "--verify", "--trusted-pem", str(trusted), str(file)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@needs_xmlsec1
def test_xmlsec1_verifies_it_under_the_ca_alone(line, evidence, tmp_path, pki):
    ca = line.instance.folder / "pki" / "ca.pem"
    assert verify(tmp_path, evidence, trusted=ca)
    assert not verify(tmp_path, evidence, trusted=pki.pem("ca"))  # a CA of the same name, with another key
    assert not verify(tmp_path, evidence.replace(b"accepted", b"acceptee", 1), trusted=ca)


def test_signxml_verifies_it_under_the_hubs_certificate(line, evidence):
    hub = x509.load_der_x509_certificate(line.signing_key("hub").certificate)
    result = signxml.XMLVerifier().verify(
        evidence, x509_cert=hub, expect_config=SignatureConfiguration(location="./"))
    assert result.signed_xml.tag == f"{{{KN}}}Bewijs"


@pytest.mark.clause("§3.8")
def test_the_senders_signature_can_be_checked_by_hand(line, evidence):
    """With a general library and the message at hand, step by step as docs tell a reader to."""
    root = etree.fromstring(evidence)

    def field(name: str) -> bytes:
        return b64decode(root.findtext(f"{{{KN}}}Ondertekening/{{{KN}}}{name}"))

    certificate = x509.load_der_x509_certificate(field("Certificaat"))
    certificate.verify_directly_issued_by(
        x509.load_pem_x509_certificate((line.instance.folder / "pki" / "ca.pem").read_bytes()))
    certificate.public_key().verify(field("SignatureValue"), field("SignedInfo"), padding.PKCS1v15(), hashes.SHA256())
    message = foreign.canonical(etree.fromstring(example("Kennisgeving-volledig")))
    digest = hashlib.sha256(field("BodyVoor") + message + field("BodyNa")).digest()
    reference = root.findtext(f"{{{KN}}}Ondertekening/{{{KN}}}BodyReferentie")
    info = etree.fromstring(field("SignedInfo"))
    stated = info.findtext(f"{{{D}}}Reference[@URI='#{reference}']/{{{D}}}DigestValue")
    assert b64decode(stated) == digest


@pytest.mark.clause("§7.4")
def test_the_chain_can_be_followed_by_hand(unsigned_yet):
    """hash = SHA-256(0x01, hash before, leaf); leaf = SHA-256(0x00, record)."""
    journal = etree.fromstring(unsigned_yet).find(f"{{{KN}}}Journaal")
    running = bytes.fromhex(journal.findtext(f"{{{KN}}}HashVoor"))
    kinds = []
    for line in journal.findall(f"{{{KN}}}Regel"):
        leaf, record = bytes.fromhex(line.findtext(f"{{{KN}}}Blad")), line.findtext(f"{{{KN}}}Record")
        if record is not None:
            assert hashlib.sha256(b"\0" + record.encode()).digest() == leaf
            kinds.append(re.search(r'"kind":"(\w+)"', record)[1])
        running = hashlib.sha256(b"\1" + running + leaf).digest()
    assert running.hex() == journal.findtext(f"{{{KN}}}HashNa")
    assert kinds == ["accepted", "collected", "confirmed"]


@pytest.mark.clause("§7.4")
def test_the_checkpoint_can_be_checked_by_hand(line, evidence):
    """The hub's signature over the note's text, and each record's path to the root in it, by the recursive definition
    of RFC 9162 §2.1.3: the sibling's size tells on which side it stands.
    """
    journal = etree.fromstring(evidence).find(f"{{{KN}}}Journaal")
    note = b64decode(journal.findtext(f"{{{KN}}}Controlepunt")).decode()
    text, _, signatures = note.rpartition("\n\n")
    origin, size, root = text.splitlines()[:3]
    assert origin == f"schuldenknooppunt/{line.instance.settings.hub.oin}/hub"
    assert signatures.startswith(f"— {origin} ")
    hub = x509.load_der_x509_certificate(b64decode(journal.findtext(f"{{{KN}}}ControlepuntCertificaat")))
    hub.public_key().verify(b64decode(signatures.split()[2])[4:], f"{text}\n".encode(), padding.PKCS1v15(),
                            hashes.SHA256())

    def climb(index: int, count: int, leaf: bytes, path: list[bytes]) -> bytes:
        if count == 1:
            assert path == []
            return leaf
        split = 1 << (count - 1).bit_length() - 1
        left = index < split
        below = climb(index if left else index - split, split if left else count - split, leaf, path[:-1])
        return hashlib.sha256(b"\1" + (below + path[-1] if left else path[-1] + below)).digest()

    kinds = []
    for row in journal.findall(f"{{{KN}}}Regel"):
        record = row.findtext(f"{{{KN}}}Record")
        leaf = hashlib.sha256(b"\0" + record.encode()).digest()
        path = [bytes.fromhex(step) for step in row.findtext(f"{{{KN}}}Pad").split()]
        assert climb(int(row.findtext(f"{{{KN}}}Positie")) - 1, int(size), leaf, path) == b64decode(root)
        kinds.append(re.search(r'"kind":"(\w+)"', record)[1])
    assert kinds == ["accepted", "collected", "confirmed"]


def test_the_file_ties_the_receipt_to_the_checkpoint(line, evidence):
    """The hash before the entry and the entry's leaf give the JournaalHash that the sender got long before."""
    again = etree.fromstring(line.send(example("Kennisgeving-volledig")).octets)  # a repeated request: the same receipt
    row = etree.fromstring(evidence).find(f"{{{KN}}}Journaal/{{{KN}}}Regel")
    leaf = hashlib.sha256(b"\0" + row.findtext(f"{{{KN}}}Record").encode()).digest()
    after = hashlib.sha256(b"\1" + bytes.fromhex(row.findtext(f"{{{KN}}}HashVoor")) + leaf).digest()
    assert b64decode(again.findtext(f".//{{{KN}}}JournaalHash")) == after
    assert again.findtext(f".//{{{KN}}}JournaalPositie") == row.findtext(f"{{{KN}}}Positie")


def test_it_holds_no_content(evidence):
    """Not even a word of it, save the name of the town: it is also in the sender's certificate."""
    words = {text for element in etree.fromstring(example("Kennisgeving-volledig")).iter()
             if not len(element) and (text := (element.text or "").strip()) and len(text) > 5
             and "Berichtheader" not in str(element.getroottree().getpath(element))}
    words.discard("Voorbeeldstad")
    assert len(words) > 10
    decoded = evidence + b"".join(b64decode(one) for one in re.findall(rb">([A-Za-z0-9+/]{40,}={0,2})<", evidence)
                                  if len(one) % 4 == 0)
    assert not [word for word in words if word.encode() in decoded]


@needs_openssl
@pytest.mark.clause("§7.4")
def test_a_time_stamp_of_a_third_party_is_in_the_file_and_is_checked(line, number, tmp_path):
    """Stamped after the message; stated without the authority's anchor, proven with it, refused by another."""
    authority = Authority(folder=tmp_path)
    settings = line.instance.settings
    with served(authority.reply) as url:
        stamping = replace(settings, journal=replace(settings.journal, tsa=url, tsa_certificates=(authority.ca,)))
        writer = CheckpointWriter(stamping, line.instance.signing, line.store, clock=utc_now, observe=_must_succeed)
        writer.write()
        writer.stamp()
    octets = evidence_file(Reports(line.store), number, afzender=None, signing=line.instance.signing, now=line.at)
    ca = load_certificate(line.instance.folder / "pki" / "ca.pem")

    def judged(*anchors):
        checks = verify_evidence(octets, None, [ca], settings.hub.oin, anchors)
        return {one.holds for one in checks if "tijdstempel op" in one.name}, all(
            one.holds for one in checks if "tijdstempel op" not in one.name)

    assert judged() == ({None}, True)
    assert judged(load_certificate(authority.ca)) == ({True}, True)
    assert judged(ca) == ({False}, True)


def _must_succeed(event, facts):
    assert event in ("checkpoint", "time-stamp"), facts


@pytest.mark.parametrize(("change", "wrong"), [
    (lambda proof, key: replace(proof, node="north"), "journaal"),
    (lambda proof, key: replace(proof, lines=()), "journaal"),
    (lambda proof, key: replace(proof, lines=(replace(proof.lines[0], position=2), *proof.lines[1:])), "journaal"),
    (lambda proof, key: replace(proof, lines=(replace(proof.lines[0], path=proof.lines[0].path[1:]),)), "journaal"),
    (lambda proof, key: replace(proof, certificate=key.certificate), "controlepunt van het knooppunt"),
    (lambda proof, key: _signed_by(proof, key), "certificaat van het controlepunt"),
], ids=["node", "empty", "position", "path", "certificate", "signer"])
def test_a_checkpoint_that_does_not_fit_is_found_though_the_file_is_signed(line, number, change, wrong):
    """Whoever holds the hub's key writes the file; its journal must still be one the hub had signed before."""
    with line.instance.operations() as operations:
        operations.evidence(number)  # signs the journal
    facts = _facts(number, Reports(line.store).evidence_of(number))
    (proof,) = facts.journals
    octets = write_evidence(replace(facts, journals=(change(proof, line.signing_key("gemeente")),)),
                            line.instance.signing[0], line.at)
    ca = load_certificate(line.instance.folder / "pki" / "ca.pem")
    checks = verify_evidence(octets, None, [ca], line.instance.settings.hub.oin)
    assert wrong in {one.name for one in checks if one.holds is False} or [one.holds for one in checks] == [False]


def _signed_by(proof, key):
    """The same state, signed by another organisation under the same CA."""
    told = replace(read_checkpoint(proof.note).checkpoint, certificate=hashlib.sha256(key.certificate).digest())
    return replace(proof, note=sign_checkpoint(told, key), certificate=key.certificate)
