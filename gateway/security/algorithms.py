"""The allow-list: which algorithms may stand in a signature. What is not here is refused (docs/profile.md §7).

Sources: XML Signature 1.1 §6; RFC 9231 §2; Digikoppeling Beveiligingsstandaarden SIGN001-SIGN004.
"""

import hashlib
from collections.abc import Callable
from functools import lru_cache
from typing import Final, Literal, Protocol, TypeGuard, cast

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from gateway.names import (
    ECDSA_SHA256,
    ECDSA_SHA384,
    ECDSA_SHA512,
    RSA_PSS_SHA256,
    RSA_SHA256,
    RSA_SHA384,
    RSA_SHA512,
    SHA256,
    SHA384,
    SHA512,
)

PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


class _Hash(Protocol):
    @property
    def name(self) -> str: ...

    def digest(self) -> bytes: ...

    def update(self, octets: bytes | memoryview, /) -> None: ...


DIGESTS: Final[dict[str, Callable[[bytes], _Hash]]] = {
    SHA256: hashlib.sha256,
    SHA384: hashlib.sha384,
    SHA512: hashlib.sha512,
}

_RSA: Final[dict[str, tuple[padding.AsymmetricPadding, hashes.HashAlgorithm]]] = {
    RSA_SHA256: (padding.PKCS1v15(), hashes.SHA256()),
    RSA_SHA384: (padding.PKCS1v15(), hashes.SHA384()),
    RSA_SHA512: (padding.PKCS1v15(), hashes.SHA512()),
    # RFC 9231 §2.3.10: MGF1 with the same hash, salt as long as the hash.
    RSA_PSS_SHA256: (padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=32), hashes.SHA256()),
}
_ECDSA: Final[dict[str, hashes.HashAlgorithm]] = {
    ECDSA_SHA256: hashes.SHA256(),
    ECDSA_SHA384: hashes.SHA384(),
    ECDSA_SHA512: hashes.SHA512(),
}
SIGNATURE_METHODS: Final = frozenset((*_RSA, *_ECDSA))


def signature_holds(method: str, key: PublicKey, signature: bytes, octets: bytes) -> bool:
    """Does `signature` by `method` over `octets` verify? False as well when key type or length do not fit the method.

    ECDSA values are r and s side by side, each as long as the curve's order (XML Signature 1.1 §6.4.3).
    """
    try:
        if method in _RSA and _is_rsa_public(key):
            pad, hash_ = _RSA[method]
            key.verify(signature, octets, pad, hash_)
            return True
        if method in _ECDSA and isinstance(key, ec.EllipticCurvePublicKey):
            size = (key.key_size + 7) // 8
            if len(signature) != 2 * size:
                return False
            r, s = int.from_bytes(signature[:size]), int.from_bytes(signature[size:])
            key.verify(encode_dss_signature(r, s), octets, ec.ECDSA(_ECDSA[method]))
            return True
    except InvalidSignature:
        return False
    return False


def method_for(key: PrivateKey) -> str:
    """The method we sign with: the family of the key, SHA-256 (SIGN001)."""
    return RSA_SHA256 if _is_rsa_private(key) else ECDSA_SHA256


def family_of(method: str) -> Literal["rsa", "ecdsa"]:
    """The kind of key that a method of the allow-list asks for."""
    return "ecdsa" if method in _ECDSA else "rsa"


def sign(key: PrivateKey, octets: bytes) -> bytes:
    """The raw SignatureValue over `octets` by `method_for(key)`."""
    if _is_rsa_private(key):
        return key.sign(octets, *_RSA[RSA_SHA256])
    curve = cast(ec.EllipticCurvePrivateKey, key)
    r, s = decode_dss_signature(curve.sign(octets, ec.ECDSA(hashes.SHA256())))
    size = (curve.key_size + 7) // 8
    return r.to_bytes(size) + s.to_bytes(size)


def _is_rsa_public(key: PublicKey) -> TypeGuard[rsa.RSAPublicKey]:
    return _is_a(type(key), rsa.RSAPublicKey)


def _is_rsa_private(key: PrivateKey) -> TypeGuard[rsa.RSAPrivateKey]:
    return _is_a(type(key), rsa.RSAPrivateKey)


@lru_cache(maxsize=16)  # the classes of cryptography are abstract, and asking such a one costs ten times this
def _is_a(one: type, other: type) -> bool:
    return issubclass(one, other)
