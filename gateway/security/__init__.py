"""Keys, certificates and signatures: who calls, who signed, and what exactly was signed."""

from gateway.security._xmlenc import DecryptionKey, Recipient, recipient_of
from gateway.security.algorithms import family_of
from gateway.security.answer import Asked, believe
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
from gateway.security.encryption import decrypt_content, is_encrypted
from gateway.security.evidence import verify_evidence
from gateway.security.evidence_file import EvidenceFacts, RefusalFacts, write_evidence
from gateway.security.explain import (
    Explanation,
    Known,
    Sent,
    diagnose,
    hub_budget,
    local_budget,
    stated_created,
    tell,
)
from gateway.security.infoset import InfosetDigest, cut, digest_filled
from gateway.security.journal import EvidenceCheck, Journal, JournalLine, JournalProof, JournalStretch, ProvenLine
from gateway.security.keys import (
    SigningKey,
    decryption_keys_of,
    key_family,
    load_certificate,
    load_certificates,
    load_crls,
    load_decryption_key,
    load_signing_key,
    load_trust,
    same_key,
)
from gateway.security.lists import Lapse, accept_list, lapses
from gateway.security.ocsp import OcspAnswer, ocsp_question, read_ocsp_answer
from gateway.security.parted import Awaiting, verify_all_but_body, verify_body
from gateway.security.pki import (
    CertificateCache,
    Checked,
    TrustSnapshot,
    Usage,
    check_certificate,
    judge_certificate,
    oin_of,
)
from gateway.security.seal import DigestedBody, Outgoing, SignedEnvelope, Signing, digest_body, encrypt_body, seal
from gateway.security.sealed import check_sealed, open_message, seal_message
from gateway.security.throwaway import EXAMPLE_HUB_OIN, EXAMPLE_OINS, default_description, make_crl, make_pki
from gateway.security.timestamp import check_token, stamped_at, timestamp_request, token_in
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
    "EXAMPLE_HUB_OIN", "EXAMPLE_OINS", "Asked", "Awaiting", "CertificateCache", "CheckCertificate", "Checked",
    "Checkpoint", "DecryptionKey", "DigestedBody", "EvidenceCheck", "EvidenceFacts", "Explanation", "InfosetDigest",
    "Journal", "JournalLine", "JournalProof", "JournalStretch", "Known", "Lapse", "Note", "OcspAnswer", "Outgoing",
    "ProvenLine", "Recipient", "RefusalFacts", "SecurityPolicy", "Sent", "SignedEnvelope", "Signer", "Signing",
    "SigningKey", "TrustSnapshot", "Usage", "Verified", "accept_list", "believe", "canonical", "check_certificate",
    "check_checkpoint", "check_sealed", "check_signer", "check_token", "claimed_signatures", "confirms_something",
    "cut", "decrypt_content", "decryption_keys_of", "default_description", "diagnose", "digest_body", "digest_filled",
    "encrypt_body", "family_of", "hub_budget", "is_encrypted", "is_short_key", "judge_certificate", "key_family",
    "lapses", "load_certificate", "load_certificates", "load_crls", "load_decryption_key", "load_signing_key",
    "load_trust", "local_budget", "make_crl", "make_pki", "message_octets", "ocsp_question", "oin_of", "open_message",
    "read_checkpoint", "read_ocsp_answer", "recipient_of", "same_key", "seal", "seal_message", "sign_checkpoint",
    "stamped_at", "stated_created", "tell", "timestamp_request", "token_in", "tolerated_header", "verify",
    "verify_all_but_body", "verify_body", "verify_evidence", "with_token", "write_evidence",
]
