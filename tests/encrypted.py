"""Encrypting the foreign way: XML Encryption built as a tree after the foreign stack signed it, sharing no code with
gateway/. Prefixes and places as .NET writes them. Every step can be bent.
"""

import os
from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from lxml import etree

from gateway.security.keys import load_private_key
from tests import foreign
from tests.foreign import B64, D, O, S
from tests.line import Line

E = "http://www.w3.org/2001/04/xmlenc#"
E11 = "http://www.w3.org/2009/xmlenc11#"
GCM256, GCM128 = E11 + "aes256-gcm", E11 + "aes128-gcm"
OAEP = E11 + "rsa-oaep"
CONTENT = E + "Content"
W11 = "http://docs.oasis-open.org/wss/oasis-wss-soap-message-security-1.1"
SKI = foreign.X509.replace("#X509v3", "#X509SubjectKeyIdentifier")
SHA256_OAEP = padding.OAEP(mgf=padding.MGF1(hashes.SHA256()), algorithm=hashes.SHA256(), label=None)


@dataclass(kw_only=True)
class Cipher:
    """How one Body is encrypted; every field has the well-behaved value."""

    certificate: bytes  # of whom it is for, DER
    method: str = GCM256
    key: bytes | None = None
    reference: str = "ski"  # ski, thumbprint, serial
    wrap: Callable[[x509.Certificate, bytes], bytes] = field(
        default=lambda certificate, key: certificate.public_key().encrypt(key, SHA256_OAEP))
    content: Callable[[bytes], bytes] = lambda content: content  # what is encrypted instead
    octets: Callable[[bytes], bytes] = lambda octets: octets  # IV, ciphertext and tag instead
    after: Callable[[etree._Element], None] = lambda root: None


def encrypt(root: etree._Element, cipher: Cipher) -> etree._Element:
    """Encrypt the content of a signed envelope's Body, in place."""
    body, security = root.find(f"{{{S}}}Body"), root[0].find(f"{{{O}}}Security")
    content = (body.text or "").encode() + b"".join(etree.tostring(child) for child in body)
    key = cipher.key or os.urandom(16 if cipher.method == GCM128 else 32)
    iv = os.urandom(12)
    octets = iv + AESGCM(key).encrypt(iv, cipher.content(content), None)
    for child in list(body):
        body.remove(child)
    body.text = None
    body.append(data_element(cipher.octets(octets), cipher.method))
    certificate = x509.load_der_x509_certificate(cipher.certificate)
    security.insert(0, key_element(cipher, certificate, cipher.wrap(certificate, key)))
    cipher.after(root)
    return root


def data_element(octets: bytes, method: str = GCM256) -> etree._Element:
    data = etree.Element(f"{{{E}}}EncryptedData", Id="_2", Type=CONTENT, nsmap={"e": E})
    etree.SubElement(data, f"{{{E}}}EncryptionMethod", Algorithm=method)
    _value(data, octets)
    return data


def key_element(cipher: Cipher, certificate: x509.Certificate, wrapped: bytes) -> etree._Element:
    key = etree.Element(f"{{{E}}}EncryptedKey", Id="_3", nsmap={"e": E})
    method = etree.SubElement(key, f"{{{E}}}EncryptionMethod", Algorithm=OAEP)
    etree.SubElement(method, f"{{{D}}}DigestMethod", Algorithm=foreign.SHA256, nsmap={None: D})
    etree.SubElement(method, f"{{{E11}}}MGF", Algorithm=E11 + "mgf1sha256", nsmap={None: E11})
    info = etree.SubElement(key, f"{{{D}}}KeyInfo", nsmap={None: D})
    _refer(etree.SubElement(info, f"{{{O}}}SecurityTokenReference", nsmap={"o": O}), cipher.reference, certificate)
    _value(key, wrapped)
    references = etree.SubElement(key, f"{{{E}}}ReferenceList")
    etree.SubElement(references, f"{{{E}}}DataReference", URI="#_2")
    return key


def _refer(parent: etree._Element, how: str, certificate: x509.Certificate) -> None:
    if how == "serial":
        data = etree.SubElement(parent, f"{{{D}}}X509Data", nsmap={None: D})
        serial = etree.SubElement(data, f"{{{D}}}X509IssuerSerial")
        etree.SubElement(serial, f"{{{D}}}X509IssuerName").text = certificate.issuer.rfc4514_string()
        etree.SubElement(serial, f"{{{D}}}X509SerialNumber").text = str(certificate.serial_number)
        return
    ski = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    value, kind = (ski, SKI) if how == "ski" else (certificate.fingerprint(hashes.SHA1()), W11 + "#ThumbprintSHA1")
    etree.SubElement(parent, f"{{{O}}}KeyIdentifier", ValueType=kind, EncodingType=B64).text = b64encode(value).decode()


def _value(parent: etree._Element, octets: bytes) -> None:
    cipher_data = etree.SubElement(parent, f"{{{E}}}CipherData")
    etree.SubElement(cipher_data, f"{{{E}}}CipherValue").text = b64encode(octets).decode()


def decrypt(octets: bytes, folder: Path, name: str) -> bytes:
    """An encrypted envelope as it was before encryption, by the key `<name>.key` of a pki folder."""
    return decrypt_with(octets, _private_key(folder / "pki" / f"{name}.key"))


def decrypt_with(octets: bytes, private: object) -> bytes:
    """The same by a private key, of an envelope in the prefixes that the gateway writes."""
    root = etree.fromstring(octets)
    key_element = root.find(f"{{{S}}}Header/{{{O}}}Security/{{{E}}}EncryptedKey")
    data = root.find(f"{{{S}}}Body/{{{E}}}EncryptedData")
    key = private.decrypt(b64decode(key_element.findtext(f".//{{{E}}}CipherValue")), SHA256_OAEP)
    value = b64decode(data.findtext(f".//{{{E}}}CipherValue"))
    content = AESGCM(key).decrypt(value[:12], value[12:], None)
    start, end = octets.index(b"<xenc:EncryptedData"), octets.index(b"</soap:Body>")
    head, _, rest = octets[:start].partition(b"<xenc:EncryptedKey")
    return head + rest.partition(b"</xenc:EncryptedKey>")[2] + content + octets[end:]


_private_key = cache(load_private_key)  # OpenSSL proves an RSA key for 40 ms when it reads it


def certificate(line: Line, name: str) -> bytes:
    """A certificate of the instance, DER."""
    return foreign_der((line.instance.folder / "pki" / f"{name}.pem").read_bytes())


def foreign_der(pem: bytes) -> bytes:
    return b64decode(b"".join(pem.split(b"-----")[2].split()))


def agree(folder: Path, *, parties: tuple[str, ...] = ("gemeente", "energie"), registered: bool = True,
          services: tuple[str, ...] = ("schuldregeling", "postbus", "beheer")) -> None:
    """2W-be-SE for these parties and services, in an instance folder; with or without a registered certificate."""
    path = folder / "parties.toml"
    text = path.read_text("utf-8")
    agreed = ", ".join(f'{name} = "2W-be-SE"' for name in services)
    for slug in parties:
        line = f'encryption = "pki/{slug}-enc.pem"\n'
        assert line in text
        text = text.replace(line, (line if registered else "") + f"profiles = {{ {agreed} }}\n")
    path.write_text(text, "utf-8")
