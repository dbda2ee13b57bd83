"""Keys, certificates and signatures: who calls, who signed, and what exactly was signed."""

from gateway.security.algorithms import family_of
from gateway.security.c14n import canonical, message_octets
from gateway.security.evidence import (
    EvidenceCheck,
    EvidenceFacts,
    JournalLine,
    JournalStretch,
    verify_evidence,
    write_evidence,
)
from gateway.security.keys import (
    SigningKey,
    load_certificate,
    load_certificates,
    load_crls,
    load_signing_key,
    load_trust,
)
from gateway.security.lists import Lapse, accept_list, lapses
from gateway.security.pki import (
    CertificateCache,
    Checked,
    TrustSnapshot,
    Usage,
    check_certificate,
)
from gateway.security.seal import Outgoing, SignedEnvelope, Signing, seal
from gateway.security.throwaway import EXAMPLE_HUB_OIN, EXAMPLE_OINS, default_description, make_crl, make_pki
from gateway.security.tolerated import is_short_key, tolerated_header
from gateway.security.wsse import (
    CheckCertificate,
    SecurityPolicy,
    Signer,
    Verified,
    claimed_signatures,
    confirms_something,
    verify,
)

__all__ = [
    "EXAMPLE_HUB_OIN", "EXAMPLE_OINS", "CertificateCache", "CheckCertificate", "Checked", "EvidenceCheck",
    "EvidenceFacts", "JournalLine", "JournalStretch", "Lapse", "Outgoing", "SecurityPolicy", "SignedEnvelope",
    "Signer", "Signing", "SigningKey", "TrustSnapshot", "Usage", "Verified", "accept_list", "canonical",
    "check_certificate", "claimed_signatures", "confirms_something", "default_description", "family_of",
    "is_short_key", "lapses", "load_certificate", "load_certificates", "load_crls", "load_signing_key", "load_trust",
    "make_crl", "make_pki", "message_octets", "seal", "tolerated_header", "verify", "verify_evidence",
    "write_evidence",
]
