"""Writing the evidence file; what is in it and how it is checked: evidence.py and docs/evidence.md."""

from base64 import b64encode
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from lxml import etree

from gateway.push_values import PushProof
from gateway.security.algorithms import method_for
from gateway.security.journal import Journal, write_journal
from gateway.security.receipts import write_receipts
from gateway.security.seal import Signing
from gateway.soap import declare, leaf, stamp
from gateway.values import Proof


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceFacts:
    """Everything the file of a message says."""

    referentienummer: str
    proof: Proof
    receipts: tuple[tuple[str, PushProof], ...] = ()  # of the addressees to whom it was pushed, by id
    journals: tuple[Journal, ...]  # of each node that wrote of this message: one per checkpoint, one for the rest


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusalFacts:
    """Everything the file of a refused request says. Of what was not accepted no signature is kept."""

    ticket: str  # of the fault
    journals: tuple[Journal, ...]


def write_evidence(facts: EvidenceFacts | RefusalFacts, signing: Signing, now: datetime) -> bytes:
    """The signed file. Uses signxml: exporting is rare, and the checker uses the same well-known form."""
    from signxml.algorithms import CanonicalizationMethod, SignatureConstructionMethod
    from signxml.signer import XMLSigner  # heavy to import; only exporting needs it

    signer = XMLSigner(
        method=SignatureConstructionMethod.enveloped, digest_algorithm="sha256",
        signature_algorithm=method_for(signing.private_key).rpartition("#")[2],
        c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0,
    )
    root = etree.fromstring(_document(facts, now))
    signed = signer.sign(root, key=signing.private_key, cert=[x509.load_der_x509_certificate(signing.certificate)])
    octets: bytes = etree.tostring(signed, encoding="utf-8", xml_declaration=True)
    return octets


def _document(facts: EvidenceFacts | RefusalFacts, now: datetime) -> bytes:
    if isinstance(facts, RefusalFacts):
        about = leaf("kn:Ticket", facts.ticket)
    else:
        about = (leaf("kn:Referentienummer", facts.referentienummer) + _signed_by_sender(facts.proof)
                 + write_receipts(facts.receipts))
    return (
        f"<kn:Bewijs{declare('kn')}>" + leaf("kn:Opgemaakt", stamp(now)) + about
        + "".join(map(write_journal, facts.journals)) + "</kn:Bewijs>"
    ).encode()


def _signed_by_sender(proof: Proof) -> str:
    return (
        "<kn:Ondertekening>"
        + leaf("kn:SignedInfo", b64encode(proof.signed_info).decode())
        + leaf("kn:SignatureValue", b64encode(proof.signature_value).decode())
        + leaf("kn:SignatureMethod", proof.signature_method)
        + leaf("kn:Certificaat", b64encode(proof.certificate).decode())
        + leaf("kn:BodyReferentie", proof.body_reference)
        + leaf("kn:BodyVoor", None if proof.before is None else b64encode(proof.before).decode())
        + leaf("kn:BodyNa", None if proof.after is None else b64encode(proof.after).decode())
        + "</kn:Ondertekening>"
    )
