"""What others sign, we accept: signxml on its own tree, and xmlsec1 filling in a template."""

import re
import subprocess
import uuid
from pathlib import Path

import pytest
from lxml import etree

from tests import foreign
from tests.crosscheck.referee import ID_ATTRIBUTES, XMLSEC1, needs_xmlsec1, sign_with_signxml
from tests.foreign import D, O, U
from tests.line import KN, SE, SHV, Line, code, example

SIGNERS = [("gemeente", SHV, "Kennisgeving-volledig"), ("deurwaarder", SE, "GeenMedewerking-volledig")]  # RSA, P-256


def unsigned(line: Line, party: str, path: str, name: str) -> etree._Element:
    """An envelope with every part and no signature yet."""
    number = str(uuid.uuid4()).encode()
    child = re.sub(rb"(<(?:\w+:)?Referentienummer>)[^<]*", rb"\g<1>" + number, example(name), count=1)
    root = foreign.build(line.plan(child, path=path, party=party))
    security = root[0].find(f"{{{O}}}Security")
    security.remove(security.find(f"{{{D}}}Signature"))
    return root


def accepts(line: Line, octets: bytes, party: str, path: str) -> bool:
    """Past the signature: accepted, or refused for what the message says (here: an answer to nothing)."""
    reply = line.post(octets, party=party, path=path)
    assert code(reply) in (None, "SKP010", "SKP011", "SKP009", "SKP003", "SKP015"), reply.octets[-600:]
    return code(reply) != "SKP015"


@pytest.mark.clause("SIGN002", "SIGN003", "WB013")
@pytest.mark.parametrize("digest", ["sha256", "sha384", "sha512"])
@pytest.mark.parametrize(("party", "path", "name"), SIGNERS)
def test_what_signxml_signs_is_accepted(line, party, path, name, digest):
    root = unsigned(line, party, path, name)
    sign_with_signxml(root, line.identity(party), digest=digest)
    assert accepts(line, etree.tostring(root), party, path)
    root.find(f".//{{{KN}}}Referentienummer").text = str(uuid.uuid4())
    assert not accepts(line, etree.tostring(root), party, path)


def test_signxml_signs_and_the_message_is_there(line):
    root = unsigned(line, "gemeente", SHV, "Kennisgeving-volledig")
    sign_with_signxml(root, line.identity("gemeente"))
    assert code(line.post(etree.tostring(root, encoding="utf-8", xml_declaration=True))) is None
    assert line.rows("messages") == 1


@pytest.mark.clause("SIGN002", "SIGN004")
@needs_xmlsec1
@pytest.mark.parametrize("pretty", [False, True])
@pytest.mark.parametrize(("party", "path", "name"), SIGNERS)
def test_what_xmlsec1_signs_is_accepted(line, tmp_path, party, path, name, pretty):
    root = unsigned(line, party, path, name)
    put_template(root, foreign.RSA_SHA256 if party == "gemeente" else foreign.ECDSA_SHA256, pretty=pretty)
    octets = sign_with_xmlsec1(root, line.instance.folder / "pki", party, tmp_path)
    assert etree.fromstring(octets).findtext(f".//{{{D}}}SignatureValue").strip()
    assert accepts(line, octets, party, path)
    altered = etree.fromstring(octets)
    altered.find(f".//{{{U}}}Created").text = "2026-01-01T00:00:00Z"
    assert not accepts(line, etree.tostring(altered), party, path)


def put_template(root: etree._Element, method: str, *, pretty: bool) -> None:
    """A ds:Signature with empty digests and value, as xmlsec1 takes it; pretty: with white space inside, as many do."""
    references = "".join(
        f'<Reference URI="#{part.get(f"{{{U}}}Id")}"><Transforms><Transform Algorithm="{foreign.EXC}"/></Transforms>'
        f'<DigestMethod Algorithm="{foreign.SHA256}"/><DigestValue/></Reference>'
        for part in foreign.parts(root))
    template = (
        f'<Signature xmlns="{D}"><SignedInfo><CanonicalizationMethod Algorithm="{foreign.EXC}"/>'
        f'<SignatureMethod Algorithm="{method}"/>{references}</SignedInfo><SignatureValue/>'
        f'<KeyInfo><w:SecurityTokenReference xmlns:w="{O}"><w:Reference URI="#tok-1" ValueType="{foreign.X509}"/>'
        "</w:SecurityTokenReference></KeyInfo></Signature>")
    if pretty:
        template = template.replace("><", ">\n  <")
    root[0].find(f"{{{O}}}Security").append(etree.fromstring(template))


def sign_with_xmlsec1(root: etree._Element, pki: Path, party: str, folder: Path) -> bytes:
    template, signed = folder / "template.xml", folder / "signed.xml"
    template.write_bytes(etree.tostring(root))
    command = [XMLSEC1, "--sign", *ID_ATTRIBUTES, "--output", str(signed)]
    command += ["--privkey-pem", str(pki / f"{party}-sign.key")]
    done = subprocess.run([*command, str(template)], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr[-1500:]
    return signed.read_bytes()
