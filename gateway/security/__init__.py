"""Keys, certificates and signatures: who calls, who signed, and what exactly was signed."""

from gateway.security.algorithms import family_of
from gateway.security.c14n import canonical, message_octets
from gateway.security.checkpoint import (
    Checkpoint,
    Note,
    check_checkpoint,
    check_signer,
    read_checkpoint,
    sign_checkpoint,
    with_token,
)
from gateway.security.evidence import EvidenceFacts, verify_evidence, write_evidence
from gateway.security.journal import EvidenceCheck, JournalLine, JournalProof, JournalStretch, ProvenLine
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
from gateway.security.timestamp import check_token, timestamp_request, token_in
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
    "EXAMPLE_HUB_OIN", "EXAMPLE_OINS", "CertificateCache", "CheckCertificate", "Checked", "Checkpoint",
    "EvidenceCheck", "EvidenceFacts", "JournalLine", "JournalProof", "JournalStretch", "Lapse", "Note", "Outgoing",
    "ProvenLine", "SecurityPolicy", "SignedEnvelope", "Signer", "Signing", "SigningKey", "TrustSnapshot", "Usage",
    "Verified", "accept_list", "canonical", "check_certificate", "check_checkpoint", "check_signer", "check_token",
    "claimed_signatures", "confirms_something", "default_description", "family_of", "is_short_key", "lapses",
    "load_certificate", "load_certificates", "load_crls", "load_signing_key", "load_trust", "make_crl", "make_pki",
    "message_octets", "read_checkpoint", "seal", "sign_checkpoint", "timestamp_request", "token_in",
    "tolerated_header", "verify", "verify_evidence", "with_token", "write_evidence",
]
