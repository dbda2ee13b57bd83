"""Which tolerances of gateway/tolerances.py a security header and keys use. Proven or not: a remark binds nobody."""

from typing import Final

from gateway.names import DS, WSSE, clark
from gateway.soap import Element, Envelope
from gateway.tolerances import ENCODING_TYPE_ABSENT, VALUE_TYPE_ABSENT, Tolerance
from gateway.values import Certificate

_RSA_BITS: Final = 3072  # NCSC 2025-05: what is shorter is in phase-out
_TOKEN: Final = clark(WSSE, "BinarySecurityToken")
_SIGNATURE: Final = clark(DS, "Signature")
_REFERENCE: Final = clark(WSSE, "Reference")


def tolerated_header(envelope: Envelope) -> list[Tolerance]:
    """By the children of wsse:Security; each tolerance once, however many children use it."""
    used = []
    children = list(envelope.security) if envelope.security is not None else []
    if any(child.tag == _TOKEN and child.get("EncodingType") is None for child in children):
        used.append(ENCODING_TYPE_ABSENT)
    if any(child.tag == _SIGNATURE and _names_no_type(child) for child in children):
        used.append(VALUE_TYPE_ABSENT)
    return used


def _names_no_type(signature: Element) -> bool:
    """KeyInfo is the last child, and holds a SecurityTokenReference that holds the Reference."""
    reference = signature
    for place in (-1, 0, 0):
        if not len(reference):
            return False
        reference = reference[place]
    return reference.tag == _REFERENCE and reference.get("ValueType") is None


def is_short_key(certificate: Certificate) -> bool:
    """An RSA key that is still taken, and is to be replaced."""
    return certificate.rsa_bits is not None and certificate.rsa_bits < _RSA_BITS
