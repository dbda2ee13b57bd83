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
from gateway.security.explain import (
    TITLES,
    Explanation,
    Known,
    Sent,
    Told,
    diagnose,
    hub_budget,
    local_budget,
    stated_created,
    tell,
)
from gateway.security.keys import (
    SigningKey,
    load_certificate,
    load_certificates,
    load_crls,
    load_signing_key,
    load_trust,
)
from gateway.security.pki import (
    CertificateCache,
    Checked,
    TrustSnapshot,
    Usage,
    check_certificate,
)
from gateway.security.seal import Outgoing, SignedEnvelope, Signing, seal
from gateway.security.throwaway import EXAMPLE_HUB_OIN, EXAMPLE_OINS, default_description, make_crl, make_pki
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
    "EXAMPLE_HUB_OIN", "EXAMPLE_OINS", "TITLES", "CertificateCache", "CheckCertificate", "Checked", "EvidenceCheck",
    "EvidenceFacts", "Explanation", "JournalLine", "JournalStretch", "Known", "Outgoing", "SecurityPolicy", "Sent",
    "SignedEnvelope", "Signer", "Signing", "SigningKey", "Told", "TrustSnapshot", "Usage", "Verified", "canonical",
    "check_certificate", "claimed_signatures", "confirms_something", "default_description", "diagnose", "family_of",
    "hub_budget", "load_certificate", "load_certificates", "load_crls", "load_signing_key", "load_trust",
    "local_budget", "make_crl", "make_pki", "message_octets", "seal", "stated_created", "tell", "verify",
    "verify_evidence", "write_evidence",
]
