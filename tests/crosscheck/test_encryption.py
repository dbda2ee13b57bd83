"""2W-be-SE before other stacks: xmlsec1 opens and verifies what gateway/ wrote; gateway/ takes what xmlsec1 encrypted.

xmlsec1 1.2 knows AES-GCM but not the OAEP of XML Encryption 1.1, so the key is carried by the openssl command: two
implementations that share no code with gateway/.
"""

import os
import shutil
import subprocess
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from lxml import etree

from gateway.security.keys import load_private_key
from tests import encrypted, foreign
from tests.crosscheck.referee import ID_ATTRIBUTES, XMLSEC1, holds_for_xmlsec1
from tests.encrypted import GCM128, GCM256, Cipher, E, agree
from tests.foreign import O, S
from tests.line import BASE, KN, Line, code, example, make_line

OPENSSL = shutil.which("openssl")
pytestmark = pytest.mark.skipif(
    XMLSEC1 is None or OPENSSL is None, reason="the commands xmlsec1 and openssl are not both installed")
OAEP = ["-pkeyopt", "rsa_padding_mode:oaep", "-pkeyopt", "rsa_oaep_md:sha256", "-pkeyopt", "rsa_mgf1_md:sha256"]
BEHEER = "/soap/knooppunt/1.0/beheer"


@pytest.fixture(scope="module")
def world(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    made = make_line(template, tmp_path_factory.mktemp("encrypted") / "instance", change=agree)
    yield made
    made.store.close()


def run(*command: str | Path, given: bytes = b"") -> bytes:
    return subprocess.run([str(one) for one in command], input=given, capture_output=True, check=True).stdout


def opened_by_others(octets: bytes, key: Path, folder: Path) -> bytes:
    """An encrypted envelope as xmlsec1 decrypts it, with the content key as openssl unwraps it."""
    wrapped = etree.fromstring(octets).findtext(f".//{{{E}}}EncryptedKey//{{{E}}}CipherValue")
    content_key, closed, found = folder / "content.key", folder / "closed.xml", folder / "opened.xml"
    content_key.write_bytes(run(OPENSSL, "pkeyutl", "-decrypt", "-inkey", key, *OAEP, given=b64decode(wrapped)))
    closed.write_bytes(octets)
    run(XMLSEC1, "--decrypt", "--aeskey", content_key, "--output", found, closed)
    return found.read_bytes()


@pytest.mark.clause("ENC002", "ENC003", "ENC004", "WB006", "WB008")
@pytest.mark.parametrize("what", ["request", "receipt", "fault"])
def test_others_open_and_verify_what_we_encrypt(world: Line, tmp_path: Path, what: str) -> None:
    request = world.instance.party("gemeente", url=BASE).wrap(example("Kennisgeving-volledig"))[2].octets
    pki = world.instance.folder / "pki"
    if what == "request":
        octets, key = request, pki / "hub-enc.key"
    else:
        reply = world.post(request if what == "receipt" else request.replace(b"<wsu:Created>2", b"<wsu:Created>1"))
        assert (reply.status == 200) == (what == "receipt")
        octets, key = reply.octets, pki / "gemeente-enc.key"
    assert octets.count(b"EncryptedData ") == 1
    found = opened_by_others(octets, key, tmp_path)
    body = etree.fromstring(found).find(f"{{{S}}}Body")
    expected = {"request": "Kennisgeving", "receipt": "Ontvangstbevestiging", "fault": "Fault"}[what]
    assert [etree.QName(child).localname for child in body] == [expected]
    assert holds_for_xmlsec1(tmp_path, found)


TEMPLATE = f"""<e:EncryptedData xmlns:e="{E}" Id="_2" Type="{encrypted.CONTENT}">
<e:EncryptionMethod Algorithm="METHOD"/><e:CipherData><e:CipherValue/></e:CipherData></e:EncryptedData>"""


@pytest.mark.clause("ENC002", "ENC003", "WB006", "WB008")
@pytest.mark.parametrize(("method", "size"), [(GCM256, 32), (GCM128, 16)])
def test_we_take_what_xmlsec1_encrypts(world: Line, tmp_path: Path, method: str, size: int) -> None:
    """Signed by the foreign stack, encrypted in place by xmlsec1 after it, the key wrapped by openssl."""
    files = {name: tmp_path / name for name in ("signed.xml", "template.xml", "content.key", "closed.xml")}
    child = f'<k:Ping xmlns:k="{KN}"/>'.encode()
    files["signed.xml"].write_bytes(foreign.octets(foreign.build(world.plan(child, path=BEHEER))))
    files["template.xml"].write_text(TEMPLATE.replace("METHOD", method).replace("\n", ""), "utf-8")
    files["content.key"].write_bytes(os.urandom(size))
    run(XMLSEC1, "--encrypt", "--aeskey", files["content.key"], "--xml-data", files["signed.xml"], *ID_ATTRIBUTES,
        "--node-name", f"{S}:Body", "--output", files["closed.xml"], files["template.xml"])
    pem = world.instance.folder / "pki" / "hub-enc.pem"
    wrapped = run(OPENSSL, "pkeyutl", "-encrypt", "-certin", "-inkey", pem, *OAEP,
                  given=files["content.key"].read_bytes())
    root = etree.fromstring(files["closed.xml"].read_bytes())
    assert [etree.QName(one).localname for one in root.find(f"{{{S}}}Body")] == ["EncryptedData"]
    assert KN.encode() not in files["closed.xml"].read_bytes().partition(b"Body")[2]
    certificate = x509.load_pem_x509_certificate(pem.read_bytes())
    cipher = Cipher(certificate=encrypted.certificate(world, "hub-enc"))
    root[0].find(f"{{{O}}}Security").insert(0, encrypted.key_element(cipher, certificate, wrapped))
    reply = world.post(foreign.octets(root), path=BEHEER)
    assert (reply.status, code(reply)) == (200, None)


def test_the_referees_are_awake(world: Line, tmp_path: Path) -> None:
    """One changed octet, or another key, and neither opens anything; else the tests above would prove nothing."""
    octets = world.instance.party("gemeente", url=BASE).wrap(example("Kennisgeving-volledig"))[2].octets
    pki = world.instance.folder / "pki"
    with pytest.raises(subprocess.CalledProcessError):
        opened_by_others(octets, pki / "gemeente-enc.key", tmp_path)
    root = etree.fromstring(octets)
    value = root.findall(f".//{{{E}}}CipherValue")[-1]
    value.text = ("A" if value.text[100] != "A" else "B").join((value.text[:100], value.text[101:]))
    with pytest.raises(subprocess.CalledProcessError):
        opened_by_others(etree.tostring(root), pki / "hub-enc.key", tmp_path)


@pytest.mark.parametrize("reference", ["ski", "thumbprint", "serial"])
@pytest.mark.clause("BSP R5424")
def test_every_way_to_name_our_key(world: Line, reference: str) -> None:
    """WSS4J by issuer and serial number, WCF by key identifier, both by thumbprint."""
    cipher = Cipher(certificate=encrypted.certificate(world, "hub-enc"), reference=reference)
    root = encrypted.encrypt(foreign.build(world.plan(f'<Ping xmlns="{KN}"/>'.encode(), path=BEHEER)), cipher)
    assert world.post(foreign.octets(root), path=BEHEER).status == 200


def test_namespaces_of_the_body_reach_the_plaintext(world: Line) -> None:
    """The message may use prefixes that only the Envelope declares (XML Encryption 1.1 §4.4)."""
    def declare(root: etree._Element) -> None:
        body = root.find(f"{{{S}}}Body")
        body.remove(body[0])
        etree.SubElement(body, f"{{{KN}}}Ping", nsmap={"k": KN})

    plan = world.plan(f'<Ping xmlns="{KN}"/>'.encode(), path=BEHEER, before_signing=declare)
    root = foreign.build(plan)
    cipher = Cipher(certificate=encrypted.certificate(world, "hub-enc"),
                    content=lambda _: b"<k:Ping/>", after=lambda r: None)
    octets = foreign.octets(encrypted.encrypt(root, cipher)).replace(
        b"<s:Envelope ", f'<s:Envelope xmlns:k="{KN}" '.encode(), 1)
    assert world.post(octets, path=BEHEER).status == 200


def test_the_key_of_a_receipt_is_fresh(world: Line) -> None:
    """Two answers share neither key nor IV."""
    seen = set()
    for _ in range(2):
        cipher = Cipher(certificate=encrypted.certificate(world, "hub-enc"))
        root = encrypted.encrypt(foreign.build(world.plan(f'<Ping xmlns="{KN}"/>'.encode(), path=BEHEER)), cipher)
        answer = etree.fromstring(world.post(foreign.octets(root), path=BEHEER).octets)
        key = load_private_key(world.instance.folder / "pki" / "gemeente-enc.key")
        wrapped, value = (b64decode(one.text) for one in answer.iter(f"{{{E}}}CipherValue"))
        seen |= {key.decrypt(wrapped, encrypted.SHA256_OAEP), value[:12]}
    assert len(seen) == 4


