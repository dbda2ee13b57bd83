"""Keys, certificates and signatures: who calls, who signed, and what exactly was signed."""

from gateway.security.c14n import canonical, message_octets
from gateway.security.seal import Outgoing, SignedEnvelope, Signing, seal
from gateway.security.wsse import CheckCertificate, SecurityPolicy, Signer, Verified, claimed_signatures, verify

__all__ = [
    "CheckCertificate", "Outgoing", "SecurityPolicy", "SignedEnvelope", "Signer", "Signing", "Verified", "canonical",
    "claimed_signatures", "message_octets", "seal", "verify",
]
