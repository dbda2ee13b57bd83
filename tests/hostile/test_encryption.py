"""2W-be-SE under attack: other ciphers, moved parts, oracles (standards catalogue 4.2; docs/decisions/0011)."""

import json
import os
import statistics
import time
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from lxml import etree

from gateway.errors import (
    ActionMismatch,
    AlgorithmForbidden,
    DecryptionFailed,
    ForbiddenHeader,
    GatewayError,
    MalformedEnvelope,
    SecurityMissing,
    SecurityRefusal,
    SignatureInvalid,
)
from gateway.pipeline import encryption
from gateway.pipeline.inbound import enter
from gateway.pipeline.refusal import Trail
from gateway.values import Received, Reply
from tests import encrypted, foreign
from tests.encrypted import E11, GCM128, Cipher, E, encrypt
from tests.foreign import D, O, S
from tests.hostile.attack import Canary, Target, add, body, clone, header, message, security, signature
from tests.hostile.certificates import identity
from tests.line import KN, SHV, code, fault, make_line

Change = Callable[[etree._Element], object]
BEHEER = "/soap/knooppunt/1.0/beheer"
PING = f'<Ping xmlns="{KN}"/>'.encode()


@dataclass(kw_only=True)
class Closed(Target):
    """A hub that agreed 2W-be-SE with the municipality: whatever is built is encrypted, whatever is answered too."""

    def build(self, child: bytes | None = None, *, cipher: dict[str, object] | None = None,
              **changes: object) -> etree._Element:
        hub = encrypted.certificate(self.line, "hub-enc")
        return encrypt(super().build(child, **changes), Cipher(**{"certificate": hub, **(cipher or {})}))

    def still_serves(self, party: str) -> None:
        reply = self.line.post(self.signed())
        assert reply.status == 200

    def verify_answer(self, reply: Reply, signature: str | None) -> object:
        if b"EncryptedData" in reply.octets:  # a fault to an envelope that could not be read is in clear
            reply = replace(reply, octets=encrypted.decrypt(reply.octets, self.line.instance.folder, "gemeente-enc"))
        return super().verify_answer(reply, signature)


@pytest.fixture(scope="module")
def closed(template: Path, tmp_path_factory: pytest.TempPathFactory, canary: Canary) -> Iterator[Closed]:
    line = make_line(template, tmp_path_factory.mktemp("closed") / "instance", change=encrypted.agree)
    made = Closed(line=line, canary=canary)
    yield made
    made.close()


# --- places in an encrypted envelope ---------------------------------------------------------------------------------

def key(root: etree._Element) -> etree._Element:
    return root.find(f".//{{{E}}}EncryptedKey")


def data(root: etree._Element) -> etree._Element:
    return root.find(f".//{{{E}}}EncryptedData")


def reference(root: etree._Element) -> etree._Element:
    return key(root).find(f"{{{D}}}KeyInfo/{{{O}}}SecurityTokenReference")


def _replace(old: etree._Element, new: etree._Element) -> None:
    old.getparent().replace(old, new)


def _wrapped_in(tag: str, inner: etree._Element) -> etree._Element:
    outer = etree.Element(tag)
    outer.append(clone(inner))
    return outer


# --- the profile's form, or nothing ----------------------------------------------------------------------------------

@pytest.mark.clause("WB011", "§4.2")
def test_a_request_in_clear_where_encryption_is_agreed(closed: Closed) -> None:
    octets = foreign.octets(Target.build(closed))
    closed.repels(octets, DecryptionFailed, reason="not encrypted")


@pytest.mark.clause("WB011")
def test_an_encrypted_request_where_none_is_agreed(target: Target) -> None:
    hub = encrypted.certificate(target.line, "hub-enc")
    target.repels(foreign.octets(encrypt(target.build(), Cipher(certificate=hub))), SecurityMissing, reason="2W-be-SE")


def test_a_key_in_the_header_of_a_request_in_clear(target: Target, closed: Closed) -> None:
    root = target.build()
    security(root).insert(0, clone(key(closed.build())))
    target.repels(foreign.octets(root), SecurityMissing, reason="EncryptedKey")


KEYS: dict[str, Change] = {
    "Type": lambda r: key(r).set("Type", encrypted.CONTENT),
    "MimeType": lambda r: key(r).set("MimeType", "text/xml"),
    "Encoding": lambda r: key(r).set("Encoding", "gzip"),
    "Recipient": lambda r: key(r).set("Recipient", "hub"),
    "no EncryptionMethod": lambda r: key(r).remove(key(r)[0]),
    "no KeyInfo": lambda r: key(r).remove(key(r)[1]),
    "two references": lambda r: key(r)[1].append(clone(reference(r))),
    "KeyName": lambda r: add(key(r)[1], f"{{{D}}}KeyName", "hub"),
    "KeyName alone": lambda r: _replace(reference(r), etree.Element(f"{{{D}}}KeyName")),
    "RetrievalMethod": lambda r: _replace(reference(r), etree.Element(f"{{{D}}}RetrievalMethod", URI="#_3")),
    "a nested EncryptedKey": lambda r: _replace(reference(r), clone(key(r))),
    "a certificate inside": lambda r: _replace(reference(r)[0], etree.Element(f"{{{D}}}X509Data")),
    "a direct reference": lambda r: _replace(reference(r)[0], etree.Element(f"{{{O}}}Reference", URI="#tok-1")),
    "another kind of identifier": lambda r: reference(r)[0].set("ValueType", foreign.X509),
    "no CipherData": lambda r: key(r).remove(key(r)[2]),
    "CipherReference": lambda r: _replace(key(r)[2][0], etree.Element(f"{{{E}}}CipherReference", URI="#_2")),
    "no ReferenceList": lambda r: key(r).remove(key(r)[3]),
    "an empty ReferenceList": lambda r: key(r)[3].remove(key(r)[3][0]),
    "two DataReferences": lambda r: key(r)[3].append(clone(key(r)[3][0])),
    "a KeyReference": lambda r: _replace(key(r)[3][0], etree.Element(f"{{{E}}}KeyReference", URI="#_3")),
    "a reference to the Body": lambda r: key(r)[3][0].set("URI", "#_1"),
    "a reference outside": lambda r: key(r)[3][0].set("URI", "http://example.invalid/#_2"),
    "CarriedKeyName": lambda r: add(key(r), f"{{{E}}}CarriedKeyName", "x"),
    "EncryptionProperties": lambda r: key(r).insert(3, etree.Element(f"{{{E}}}EncryptionProperties")),
    "none": lambda r: security(r).remove(key(r)),
    "two": lambda r: security(r).insert(1, clone(key(r))),
    "after the signature": lambda r: security(r).append(key(r)),
    "inside the data": lambda r: data(r).insert(1, _wrapped_in(f"{{{D}}}KeyInfo", key(r))),
}


@pytest.mark.clause("BSP R3208", "BSP R3209", "BSP R5424", "BSP R5601", "§4.2")
@pytest.mark.parametrize("case", KEYS)
def test_an_encrypted_key_outside_the_profile(closed: Closed, case: str) -> None:
    closed.repels(foreign.octets(closed.build(cipher={"after": KEYS[case]})), DecryptionFailed, cpu=0.5)


DATA: dict[str, Change] = {
    "no Type": lambda r: data(r).attrib.pop("Type"),
    "Type Element": lambda r: data(r).set("Type", E + "Element"),
    "MimeType": lambda r: data(r).set("MimeType", "text/xml"),
    "Encoding": lambda r: data(r).set("Encoding", B64),
    "no Id": lambda r: data(r).attrib.pop("Id"),
    "another Id": lambda r: data(r).set("Id", "_9"),
    "no EncryptionMethod": lambda r: data(r).remove(data(r)[0]),
    "CipherReference": lambda r: _replace(data(r)[1][0], etree.Element(f"{{{E}}}CipherReference", URI="cid:x")),
    "two CipherValues": lambda r: data(r)[1].append(clone(data(r)[1][0])),
    "another key": lambda r: _names_key(r, "#_4"),
    "xop": lambda r: add(data(r)[1][0], "{http://www.w3.org/2004/08/xop/include}Include", href="cid:x"),
    "no base64": lambda r: setattr(data(r)[1][0], "text", "@@@@"),
}
B64 = D + "base64"


def _names_key(root: etree._Element, uri: str) -> None:
    info = etree.Element(f"{{{D}}}KeyInfo")
    add(add(info, f"{{{O}}}SecurityTokenReference"), f"{{{O}}}Reference", URI=uri)
    data(root).insert(1, info)


@pytest.mark.clause("ENC002", "BSP R5601", "BSP R5606", "§4.2")
@pytest.mark.parametrize("case", DATA)
def test_encrypted_data_outside_the_profile(closed: Closed, case: str) -> None:
    closed.repels(foreign.octets(closed.build(cipher={"after": DATA[case]})), DecryptionFailed, cpu=0.5)


def test_the_same_with_the_header_key_named_is_taken(closed: Closed) -> None:
    reply = closed.line.post(closed.signed(cipher={"after": lambda r: _names_key(r, "#_3")}))
    assert reply.status == 200


# --- moved, doubled, bare --------------------------------------------------------------------------------------------

def _into_header(root: etree._Element) -> None:
    header(root).append(clone(data(root)))


def _decoy_body(root: etree._Element) -> None:
    """The genuine data where its plaintext would land elsewhere; a message of one's own in the Body."""
    genuine = data(root)
    security(root).append(clone(genuine))
    _replace(genuine, etree.fromstring(message()))


def _below_the_message(root: etree._Element) -> None:
    genuine, decoy = data(root), etree.fromstring(message())
    decoy.append(clone(genuine))
    _replace(genuine, decoy)


MOVED: dict[str, tuple[Change, type[GatewayError]]] = {
    "twice in the Body": (lambda r: body(r).append(clone(data(r))), MalformedEnvelope),
    "beside a message in clear": (lambda r: body(r).append(etree.fromstring(message())), MalformedEnvelope),
    "in the Header": (_into_header, ForbiddenHeader),
    "bare in the security header": (lambda r: security(r).append(encrypted.data_element(os.urandom(40))),
                                    SecurityMissing),
    "in the security header, a decoy in its place": (_decoy_body, DecryptionFailed),
    "below a decoy": (_below_the_message, DecryptionFailed),
    "in the signature": (lambda r: signature(r).append(encrypted.data_element(os.urandom(40))), SecurityMissing),
    "in KeyInfo of the signature": (
        lambda r: signature(r)[2].append(encrypted.data_element(os.urandom(40))), SecurityMissing),
}


@pytest.mark.incident("CVE-2015-0227")
@pytest.mark.clause("WB005", "BSP R3228", "BSP R5440", "§4.2")
@pytest.mark.parametrize("case", MOVED)
def test_encrypted_data_in_another_place(closed: Closed, case: str) -> None:
    change, error = MOVED[case]
    root = closed.build()
    change(root)
    for number, one in enumerate(root.iter(f"{{{E}}}EncryptedData")):
        if one.getparent() is not body(root):
            one.set("Id", f"_2{number}")  # ids stay unique: the place alone decides
    closed.repels(foreign.octets(root), error)


@pytest.mark.clause("WB006")
def test_signed_after_encrypting(closed: Closed) -> None:
    """The signature is over the ciphertext: who strips and re-signs it would own another's message."""
    root = closed.build()
    digests = next(one for one in root.iter(f"{{{D}}}Reference") if one.get("URI") == "#_1")
    digests[2].text = b64encode(_digest(foreign.canonical(body(root)))).decode()
    foreign.resign(root, closed.line.identity("gemeente"), digests=False)
    closed.repels(foreign.octets(root), SignatureInvalid)


def _digest(octets: bytes) -> bytes:
    digest = hashes.Hash(hashes.SHA256())
    digest.update(octets)
    return digest.finalize()


def test_anothers_ciphertext_under_ones_own_signature(closed: Closed) -> None:
    """Captured and sent again: the answer must not say what was in it."""
    captured, own = closed.build(), closed.build(PING, path=BEHEER)
    _replace(data(own), clone(data(captured)))
    _replace(key(own), clone(key(captured)))
    closed.repels(foreign.octets(own), SignatureInvalid, path=BEHEER)


def test_another_message_than_the_action_names_is_told_to_its_signer_only(closed: Closed) -> None:
    octets = closed.signed(PING, path=SHV, action="urn:schuldenknooppunt:schuldregeling:2.0:Kennisgeving")
    closed.repels(octets, ActionMismatch)


# --- other ciphers ---------------------------------------------------------------------------------------------------

def _pkcs1(certificate: x509.Certificate, content_key: bytes) -> bytes:
    return certificate.public_key().encrypt(content_key, padding.PKCS1v15())


def _sha1(certificate: x509.Certificate, content_key: bytes) -> bytes:
    return certificate.public_key().encrypt(
        content_key, padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None))


def _method(algorithm: str, *children: tuple[str, str]) -> Change:
    def change(root: etree._Element) -> None:
        method = key(root)[0]
        method.set("Algorithm", algorithm)
        for child in list(method):
            method.remove(child)
        for tag, value in children:
            add(method, tag, Algorithm=value)
    return change


_SHA256 = (f"{{{D}}}DigestMethod", foreign.SHA256)
_MGF = (f"{{{E11}}}MGF", E11 + "mgf1sha256")
TRANSPORT: dict[str, tuple[Change, object]] = {
    "rsa-1_5, truly so": (_method(E + "rsa-1_5"), _pkcs1),
    "rsa-1_5 under the name of OAEP": (lambda root: None, _pkcs1),
    "rsa-oaep-mgf1p, truly so": (_method(E + "rsa-oaep-mgf1p"), _sha1),
    "rsa-oaep-mgf1p with SHA-256": (_method(E + "rsa-oaep-mgf1p", _SHA256), None),
    "rsa-oaep with its defaults": (_method(encrypted.OAEP), _sha1),
    "rsa-oaep without MGF": (_method(encrypted.OAEP, _SHA256), None),
    "rsa-oaep without DigestMethod": (_method(encrypted.OAEP, _MGF), None),
    "rsa-oaep with SHA-1": (_method(encrypted.OAEP, (_SHA256[0], D + "sha1"), _MGF), None),
    "rsa-oaep with MGF1 of SHA-1": (_method(encrypted.OAEP, _SHA256, (_MGF[0], E11 + "mgf1sha1")), None),
    "rsa-oaep with parameters": (lambda r: add(key(r)[0], f"{{{E}}}OAEPparams", "AAAA"), None),
    "rsa-oaep, SHA-256 twice": (_method(encrypted.OAEP, _SHA256, _MGF, _SHA256), None),
    "kw-aes256": (_method(E + "kw-aes256"), None),
    "kw-tripledes": (_method(E + "kw-tripledes"), None),
    "agreement": (_method(E11 + "ECDH-ES"), None),
    "nothing": (_method(""), None),
}


@pytest.mark.clause("ENC004", "WB008", "§4.2")
@pytest.mark.parametrize("case", TRANSPORT)
def test_key_transport_outside_the_list(closed: Closed, case: str) -> None:
    """By its name or by its octets; Bleichenbacher 1998, CVE-2011-2487, CVE-2012-5575."""
    change, wrap = TRANSPORT[case]
    cipher: dict[str, object] = {"after": change, **({"wrap": wrap} if wrap else {})}
    closed.repels(foreign.octets(closed.build(cipher=cipher)), AlgorithmForbidden, DecryptionFailed)


@pytest.mark.incident("CVE-2012-5575")
@pytest.mark.clause("ENC001", "ENC003", "§4.2")
@pytest.mark.parametrize("algorithm", [
    E + "aes128-cbc", E + "aes192-cbc", E + "aes256-cbc", E + "tripledes-cbc", E11 + "aes192-gcm", E + "aes256-gcm",
    "http://www.w3.org/2001/04/xmldsig-more#camellia256-cbc", "http://www.w3.org/2021/04/xmldsig-more#chacha20",
    "none", ""])
def test_content_ciphers_outside_the_list(closed: Closed, algorithm: str) -> None:
    """Also for octets that GCM made: the same key may never serve two modes (Jager/Somorovsky 2011, CVE-2012-5575)."""
    octets = closed.signed(cipher={"after": lambda r: data(r)[0].set("Algorithm", algorithm)})
    closed.repels(octets, AlgorithmForbidden)


def test_a_cipher_with_parameters(closed: Closed) -> None:
    octets = closed.signed(cipher={"after": lambda r: add(data(r)[0], f"{{{E}}}KeySize", "128")})
    closed.repels(octets, AlgorithmForbidden)


def test_the_signing_key_does_not_decrypt(closed: Closed) -> None:
    """Key separation: what is encrypted to the hub's signing certificate is not for the hub."""
    signing = encrypted.certificate(closed.line, "hub-sign")
    closed.repels(closed.signed(cipher={"certificate": signing}), DecryptionFailed, reason="not one of ours")


# --- what comes out --------------------------------------------------------------------------------------------------

PLAIN: dict[str, Callable[[bytes], bytes]] = {
    "nothing": lambda content: b"",
    "text": lambda content: b"text",
    "two elements": lambda content: content + content,
    "text beside it": lambda content: content + b"text",
    "a comment": lambda content: b"<!-- -->" + content,
    "a processing instruction": lambda content: b"<?x y?>" + content,
    "a declaration": lambda content: b'<?xml version="1.0"?>' + content,
    "a DTD": lambda content: b'<!DOCTYPE a [<!ENTITY b "c">]>' + content,
    "an entity": lambda content: content.replace(b"Geheimhouder", b"&b;"),
    "octets that are no UTF-8": lambda content: content.replace(b"Geheimhouder", b"\xff\xfe"),
    "NUL": lambda content: content + b"\0",
    "UTF-16": lambda content: content.decode().encode("utf-16"),
    "half an element": lambda content: content[:-4],
    "an end of the Body": lambda content: b"</s:Body><s:Body>" + content,
    "an end of the Envelope": lambda content: content + b"</s:Body></s:Envelope>",
    "an unknown prefix": lambda content: b"<q:a/>",
    "no namespace": lambda content: b"<a/>",
    "depth": lambda content: b'<a xmlns="urn:x">' * 70 + b"</a>" * 70,
    "more than libxml2's depth": lambda content: b'<a xmlns="urn:x">' * 100_000,
    "attributes": lambda content: b'<a xmlns="urn:x" ' + b" ".join(b'a%d="1"' % n for n in range(100)) + b"/>",
    "tags": lambda content: b'<a xmlns="urn:x">' + b"<b/>" * 100_001 + b"</a>",
    "data that is encrypted again": lambda content: etree.tostring(encrypted.data_element(os.urandom(60))),
    "another message": lambda content: content.replace(b"Geheimhouder", b"Verwisseld"),
    "a space more": lambda content: content + b" ",
}


@pytest.mark.clause("WB006", "§3.7")
@pytest.mark.parametrize("case", PLAIN)
def test_plaintext_is_held_to_what_octets_in_clear_are_held_to(closed: Closed, case: str) -> None:
    """All under one error to the peer: whoever cannot sign what is inside may not learn what it is."""
    octets = closed.signed(cipher={"content": PLAIN[case]})
    closed.repels(octets, DecryptionFailed, SignatureInvalid)


@pytest.mark.parametrize("cut", [b"<![CDATA[", b"<e:EncryptedData "])
def test_a_start_that_is_not_the_start(closed: Closed, cut: bytes) -> None:
    """The place of the data is found in the octets; text that looks like it must not lead elsewhere."""
    octets = closed.signed().replace(b"<e:CipherValue>", b"<e:CipherValue><![CDATA[" + cut + b"]]>")
    closed.repels(octets, DecryptionFailed)
    good = closed.signed()
    value = data(etree.fromstring(good)).findtext(f".//{{{E}}}CipherValue").encode()
    closed.repels(good.replace(value, b"<![CDATA[" + value + b"]]>"), DecryptionFailed, reason="not written plainly")


# --- no oracle --------------------------------------------------------------------------------------------------------

def _flip(octets: bytes, place: int) -> bytes:
    changed = bytearray(octets)
    changed[place] ^= 1
    return bytes(changed)


def _wrapped_flip(root: etree._Element) -> None:
    value = key(root)[2][0]
    value.text = b64encode(_flip(b64decode(value.text), 200)).decode()


ORACLES: dict[str, dict[str, object]] = {
    "broken OAEP": {"after": _wrapped_flip},
    "a wrapped key of another length": {"after": lambda r: setattr(key(r)[2][0], "text", "AAAA")},
    "OAEP around a key that is too short": {"method": GCM128, "after": lambda r: data(r)[0].set(
        "Algorithm", encrypted.GCM256)},
    "another content key": {"wrap": lambda certificate, _: certificate.public_key().encrypt(
        os.urandom(32), encrypted.SHA256_OAEP)},
    "PKCS#1 v1.5": {"wrap": _pkcs1},
    "a changed tag": {"octets": lambda octets: _flip(octets, -1)},
    "a changed IV": {"octets": lambda octets: _flip(octets, 0)},
    "a changed octet": {"octets": lambda octets: _flip(octets, 40)},
    "too short": {"octets": lambda octets: octets[:20]},
    "cut off": {"octets": lambda octets: octets[:-1]},
    "plaintext that is no XML": {"content": lambda content: content[:-4]},
    "plaintext that is not what was signed": {"content": lambda content: content + b" "},
}


@pytest.mark.incident("CVE-2015-0226")
@pytest.mark.clause("§4.2")
@pytest.mark.parametrize("case", ORACLES)
def test_every_failure_of_decryption_looks_alike(closed: Closed, case: str) -> None:
    """Manger 2001, Jager/Somorovsky 2011, CVE-2015-0226: one fault, whatever failed, as for a wrong signature."""
    reply = closed.repels(closed.signed(cipher=ORACLES[case]), DecryptionFailed, SignatureInvalid)
    other = closed.line.post(closed.signed(after_signing=lambda r: setattr(body(r)[0], "tail", " ")))
    assert _told(closed, reply) == _told(closed, other)
    ticket = json.loads(closed.last_refusal)["ticket"]
    assert closed.line.gate.journal.refused(ticket).explained == ()  # HaalFoutToelichtingOp says no more than the fault
    assert (reply.status, len(reply.octets)) == (other.status, len(other.octets))


def _told(closed: Closed, reply: Reply) -> bytes:
    """The fault, but for its ticket and time."""
    octets = encrypted.decrypt(reply.octets, closed.line.instance.folder, "gemeente-enc")
    found = fault(replace(reply, octets=octets))
    for name in ("Ticket", "Tijdstip"):
        found.find(f".//{{{KN}}}{name}").text = ""
    return etree.tostring(found)


def _failing(closed: Closed, octets: bytes) -> Callable[[], float]:
    """How long opening and verifying these octets takes until it fails, in seconds of this thread."""
    received = Received(octets=octets, path=SHV, content_type="text/xml", soap_action='""',
                        peer=closed.line.peer("gemeente"), at=closed.line.at)
    admitted = enter(received, closed.line.gate, Trail(received=received))

    gate = closed.line.gate

    def once() -> float:
        began = time.thread_time()
        with pytest.raises(SecurityRefusal):
            encryption.open_request(admitted.envelope, admitted.permit, gate.policy, received, gate)
        return time.thread_time() - began
    return once


@pytest.mark.clause("§4.2")
def test_every_failure_of_decryption_takes_the_same_work(closed: Closed) -> None:
    """In turns, in one run: the medians lie within a band that a skipped RSA, GCM, or verification would leave."""
    cases = {name: _failing(closed, closed.signed(cipher=ORACLES[name])) for name in (
        "broken OAEP", "another content key", "a changed tag", "plaintext that is no XML",
        "plaintext that is not what was signed")}
    taken: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(41):
        for name, once in cases.items():
            taken[name].append(once())
    medians = {name: statistics.median(times) for name, times in taken.items()}
    assert max(medians.values()) < 1.5 * min(medians.values()), medians


@pytest.mark.parametrize("case", ORACLES)
def test_the_signature_is_looked_at_whatever_decryption_said(closed: Closed, case: str) -> None:
    """Why the times are alike: the same steps are gone through."""
    seen: list[bytes] = []
    gate = closed.line.gate
    watched = replace(gate, check_signer=lambda der, now: seen.append(der) or gate.check_signer(der, now))
    received = Received(octets=closed.signed(cipher=ORACLES[case]), path=SHV, content_type="text/xml",
                        soap_action='""', peer=closed.line.peer("gemeente"), at=closed.line.at)
    admitted = enter(received, gate, Trail(received=received))
    with pytest.raises(SecurityRefusal):
        encryption.open_request(admitted.envelope, admitted.permit, gate.policy, received, watched)
    assert len(seen) == 1


# --- whom the answer is for ------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def unregistered(template: Path, tmp_path_factory: pytest.TempPathFactory, canary: Canary) -> Iterator[Closed]:
    """2W-be-SE agreed, but no certificate registered: the answer goes to the request's own (WB012)."""
    line = make_line(template, tmp_path_factory.mktemp("unregistered") / "instance",
                     change=lambda folder: encrypted.agree(folder, registered=False))
    made = Closed(line=line, canary=canary)
    yield made
    made.close()


@pytest.mark.clause("WB012")
def test_an_answer_to_the_request_s_own_certificate(unregistered: Closed) -> None:
    odd = identity(unregistered.line, key="RSA-2048", usage=("digitalSignature", "keyEncipherment"))
    reply = unregistered.line.post(unregistered.signed(identity=odd))
    assert reply.status == 200
    opened = etree.fromstring(encrypted.decrypt_with(reply.octets, odd.key))
    assert opened.find(f"{{{S}}}Body/{{{KN}}}Ontvangstbevestiging") is not None


@pytest.mark.clause("WB012")
@pytest.mark.parametrize(("changes", "reason"), [
    ({"key": "RSA-2048"}, "keyEncipherment"), ({"key": "P-256", "usage": ("digitalSignature", "keyEncipherment")},
                                                "no RSA key")])
def test_no_answer_that_nobody_may_be_encrypted_to(
    unregistered: Closed, changes: dict[str, object], reason: str
) -> None:
    """Refused before anything is recorded: an accepted message whose receipt cannot be given would be worse."""
    before = unregistered.line.rows("messages")
    reply = unregistered.line.post(unregistered.signed(identity=identity(unregistered.line, **changes)))
    assert code(reply) == "SKP015"
    assert reason in unregistered.last_refusal
    assert "CertificateRejected" in unregistered.last_refusal
    assert unregistered.line.rows("messages") == before


def test_a_registered_certificate_that_no_longer_holds(template: Path, tmp_path: Path, canary: Canary) -> None:
    """Nothing is encrypted to it, and nothing else is tried in its stead."""
    def change(folder: Path) -> None:
        encrypted.agree(folder)
        path = folder / "parties.toml"
        path.write_text(path.read_text("utf-8").replace("pki/gemeente-enc.pem", "pki/energie-enc.pem"), "utf-8")

    line = make_line(template, tmp_path / "instance", change=change)
    target = Closed(line=line, canary=canary)
    reply = line.post(target.signed())
    assert code(reply) == "SKP015"
    assert "CertificateRejected" in target.last_refusal
    target.close()


