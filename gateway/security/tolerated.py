"""Which tolerances of gateway/tolerances.py a security header and keys use. Proven or not: a remark binds nobody."""

from typing import Final

from gateway.names import DS, WSSE, clark
from gateway.soap import Envelope
from gateway.tolerances import ENCODING_TYPE_ABSENT, VALUE_TYPE_ABSENT, Tolerance
from gateway.values import Certificate

_RSA_BITS: Final = 3072  # NCSC 2025-05: what is shorter is in phase-out
_TOKEN: Final = clark(WSSE, "BinarySecurityToken")
_REFERENCE: Final = "/".join((clark(DS, "Signature"), clark(DS, "KeyInfo"), clark(WSSE, "SecurityTokenReference"),
                              clark(WSSE, "Reference")))


def tolerated_header(envelope: Envelope) -> list[Tolerance]:
    """By the children of wsse:Security."""
    if envelope.security is None:
        return []
    used = []
    token, reference = envelope.security.find(_TOKEN), envelope.security.find(_REFERENCE)
    if token is not None and token.get("EncodingType") is None:
        used.append(ENCODING_TYPE_ABSENT)
    if reference is not None and reference.get("ValueType") is None:
        used.append(VALUE_TYPE_ABSENT)
    return used


def is_short_key(certificate: Certificate) -> bool:
    """An RSA key that is still taken, and is to be replaced."""
    return certificate.rsa_bits is not None and certificate.rsa_bits < _RSA_BITS
