"""Odd certificates under the CA that an attacked instance trusts, and signing identities made of them."""

from datetime import timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gateway.security import EXAMPLE_OINS, load_certificate
from gateway.security._issue import ORGANISATION
from gateway.security.keys import load_private_key
from gateway.security.throwaway import CertificateSpec, Pair, issue, new_key
from tests import foreign
from tests.line import Line

GEMEENTE = EXAMPLE_OINS["gemeente"]


def authority(line: Line) -> Pair:
    """The instance's own CA."""
    pki = line.instance.folder / "pki"
    return Pair(certificate=x509.load_der_x509_certificate(load_certificate(pki / "ca.pem")),
                key=load_private_key(pki / "ca.key"))


def identity(
    line: Line, *, key: str | ec.EllipticCurve = "P-256", oins: tuple[str, ...] = (GEMEENTE,),
    self_signed: bool = False, **changes: object,
) -> foreign.Identity:
    """A fresh key and its certificate: by default a good signing certificate of the municipality."""
    organisation = str(changes.pop("organisation", ORGANISATION))
    values = {"file": "odd", "name": "Gemeente Voorbeeldstad (ondertekening)", "oins": oins, **changes}
    own = new_key(key) if isinstance(key, str) else ec.generate_private_key(key)
    made = issue(CertificateSpec(**values), own, issuer=None if self_signed else authority(line), now=line.at,
                 organisation=organisation)
    return foreign.Identity(key=own, certificate=made.certificate.public_bytes(Encoding.DER))


def pem(certificate: bytes) -> bytes:
    return x509.load_der_x509_certificate(certificate).public_bytes(Encoding.PEM)


def serial(certificate: bytes) -> int:
    return x509.load_der_x509_certificate(certificate).serial_number


# --- DER, by hand, for what no library still writes -----------------------------------------------

def tlv(tag: int, *content: bytes) -> bytes:
    octets = b"".join(content)
    size = len(octets)
    if size < 128:
        return bytes([tag, size]) + octets
    length = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes([tag, 0x80 | len(length)]) + length + octets


def explicit_parameters(line: Line, key: ec.EllipticCurvePrivateKey) -> bytes:
    """The municipality's certificate for a P-256 key whose curve is written out in full (CVE-2020-0601)."""
    prime = 2**256 - 2**224 + 2**192 + 2**96 - 1
    b = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    generator = ec.derive_private_key(1, ec.SECP256R1()).public_key().public_bytes(
        Encoding.X962, PublicFormat.UncompressedPoint)
    domain = tlv(
        0x30, tlv(2, b"\1"), tlv(0x30, bytes.fromhex("06072a8648ce3d0101"), tlv(2, b"\0", prime.to_bytes(32))),
        tlv(0x30, tlv(4, (prime - 3).to_bytes(32)), tlv(4, b.to_bytes(32))), tlv(4, generator),
        tlv(2, b"\0", order.to_bytes(32)), tlv(2, b"\1"))
    point = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    spki = tlv(0x30, tlv(0x30, bytes.fromhex("06072a8648ce3d0201"), domain), tlv(3, b"\0", point))
    return _certify(line, key.public_key(), spki)


def _certify(line: Line, key: ec.EllipticCurvePublicKey, spki: bytes) -> bytes:
    """Issue for a plain key, put other octets in the place of its SubjectPublicKeyInfo, and sign that with the CA."""
    issuer = authority(line)
    plain = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.SERIAL_NUMBER, GEMEENTE)]))
        .issuer_name(issuer.certificate.subject).public_key(key).serial_number(4711)
        .not_valid_before(line.at - timedelta(days=1)).not_valid_after(line.at + timedelta(days=1))
        .sign(issuer.key, hashes.SHA256()))
    old = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    inner = plain.tbs_certificate_bytes
    head = 2 + (inner[1] & 0x7F if inner[1] & 0x80 else 0)
    tbs = tlv(0x30, inner[head:].replace(old, spki))
    assert spki in tbs
    assert isinstance(issuer.key, rsa.RSAPrivateKey)
    value = issuer.key.sign(tbs, padding.PKCS1v15(), hashes.SHA256())
    return tlv(0x30, tbs, bytes.fromhex("300d06092a864886f70d01010b0500"), tlv(3, b"\0", value))


def forge_low_exponent(data: bytes, bits: int) -> bytes:
    """A number whose cube begins like PKCS#1 padding with this SHA-256 (Bleichenbacher 2006): no private key needed."""
    digest = hashes.Hash(hashes.SHA256())
    digest.update(data)
    info = bytes.fromhex("3031300d060960864801650304020105000420") + digest.finalize()
    size = bits // 8
    start = b"\0\1" + b"\xff" * 8 + b"\0" + info
    wanted = int.from_bytes(start + b"\xff" * (size - len(start)))
    low, high = 0, 1 << (bits // 3 + 1)
    while low < high:  # the largest number whose cube is not above
        middle = (low + high + 1) // 2
        low, high = (middle, high) if middle**3 <= wanted else (low, middle - 1)
    assert (low**3).to_bytes(size).startswith(start)
    return low.to_bytes(size)
