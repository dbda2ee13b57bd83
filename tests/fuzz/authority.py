"""A CA of a fixed date that signs whatever it is given, and the trust in it."""

from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.security.pki import TrustSnapshot, build_trust
from gateway.security.throwaway import CertificateSpec, issue, new_key, revocation_list

AT = datetime(2026, 11, 24, 12, tzinfo=UTC)  # the moment of everything it does, as seeds hold dates
KEY_ID = b"@CA-KEY-IDENTIFIER-@"  # twenty octets, where a seed has the identifier of the CA's key


class Authority:
    def __init__(self) -> None:
        spec = CertificateSpec(file="ca", name="Fuzz CA", authority=True, usage=("keyCertSign", "cRLSign"))
        self.pair = issue(spec, new_key("P-256"), issuer=None, now=AT)
        self.der = self.pair.certificate.public_bytes(Encoding.DER)
        leaf = CertificateSpec(file="leaf", name="Voorbeeld", oins=("00000099000000050000",), purposes=("clientAuth",))
        self.leaf = issue(leaf, new_key("P-256"), issuer=self.pair, now=AT).certificate.public_bytes(Encoding.DER)
        crl = revocation_list(self.pair, (), this_update=AT - timedelta(hours=1), next_update=AT + timedelta(days=9),
                              number=1)
        self.trust: TrustSnapshot = build_trust([("ca", self.der)], [("list", crl.public_bytes(Encoding.DER))],
                                                loaded_at=AT, max_age=timedelta(hours=4))
        self.key_id = x509.SubjectKeyIdentifier.from_public_key(self.pair.certificate.public_key()).digest

    def issued(self, inner: bytes) -> bytes:
        """The inner part of a certificate or list as the CA would sign it (ECDSA with SHA-256)."""
        inner = inner.replace(KEY_ID, self.key_id)
        signature = self.pair.key.sign(inner, ec.ECDSA(hashes.SHA256()))
        algorithm = bytes.fromhex("300a06082a8648ce3d040302")
        return _tlv(0x30, inner + algorithm + _tlv(0x03, b"\0" + signature))


def _tlv(tag: int, content: bytes) -> bytes:
    size = len(content)
    length = bytes([size]) if size < 128 else bytes([0x80 | (size.bit_length() + 7) // 8]) + size.to_bytes(
        (size.bit_length() + 7) // 8)
    return bytes([tag]) + length + content
