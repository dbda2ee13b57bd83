"""Receipts in the evidence file: what addressees of a pushed message signed when they took it (docs/evidence.md §3).

With one, it is the addressee itself that says that it has the message, and no longer the hub's word alone.
"""

import hashlib
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from cryptography import x509

from gateway.names import DS, KN, clark
from gateway.push_values import PushProof
from gateway.security.algorithms import DIGESTS, signature_holds
from gateway.security.journal import EvidenceCheck
from gateway.soap import Element, leaf, read_receipt, read_xml

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
UnderAnchor = Callable[[str, x509.Certificate, datetime], EvidenceCheck]


def write_receipts(receipts: Iterable[tuple[str, PushProof]]) -> str:
    """One kn:Ontvangst per addressee (id) that signed for the message."""
    return "".join(
        "<kn:Ontvangst>"
        + leaf("kn:Ontvanger", receiver)
        + leaf("kn:SignedInfo", b64encode(proof.signed_info).decode())
        + leaf("kn:SignatureValue", b64encode(proof.signature_value).decode())
        + leaf("kn:SignatureMethod", proof.signature_method)
        + leaf("kn:Certificaat", b64encode(proof.certificate).decode())
        + leaf("kn:BodyReferentie", proof.body_reference)
        + leaf("kn:Body", b64encode(proof.body).decode())
        + "</kn:Ontvangst>"
        for receiver, proof in receipts)


def check_receipts(
    root: Element, about: Mapping[str, object], records: Sequence[Mapping[str, object]], under_anchor: UnderAnchor,
) -> list[EvidenceCheck]:
    """Each receipt: its signature, over its Body, as journaled; the certificate; that it is a receipt of this message.

    Takes   the signed kn:Bewijs, the record of acceptance, all records, and the check of a certificate.
    """
    return [check for one in root.findall(clark(KN, "Ontvangst"))
            for check in _check(one, about, records, under_anchor)]


def _check(
    one: Element, about: Mapping[str, object], records: Sequence[Mapping[str, object]], under_anchor: UnderAnchor,
) -> list[EvidenceCheck]:
    def octets(name: str) -> bytes:
        return b64decode(one.findtext(clark(KN, name)) or "")

    receiver = one.findtext(clark(KN, "Ontvanger")) or ""
    info, value, body = octets("SignedInfo"), octets("SignatureValue"), octets("Body")
    certificate = x509.load_der_x509_certificate(octets("Certificaat"))
    method = one.findtext(clark(KN, "SignatureMethod")) or ""
    confirmed = next((record for record in records if record.get("kind") == "confirmed"
                      and record.get("ontvanger") == receiver), {})
    tied = hashlib.sha256(info + value).hexdigest() == confirmed.get("receipt")
    signed = signature_holds(method, certificate.public_key(), value, info)  # type: ignore[arg-type]
    at = _EPOCH + timedelta(microseconds=int(str(confirmed.get("at", 0))))
    return [
        EvidenceCheck(name="handtekening van de ontvanger, zoals in het journaal", detail=f"ontvanger {receiver}",
                      holds=tied and signed and _covers(info, one.findtext(clark(KN, "BodyReferentie")) or "", body)),
        under_anchor("certificaat van de ontvanger", certificate, at),
        EvidenceCheck(name="de ontvanger bevestigde dit bericht", detail=f"ontvanger {receiver}",
                      holds=_is_of(body, about, receiver)),
    ]


def _covers(signed_info: bytes, reference: str, body: bytes) -> bool:
    """Is this Body the one that was signed?"""
    for one in read_xml(signed_info).findall(clark(DS, "Reference")):
        if one.get("URI") == f"#{reference}":
            method = one.find(clark(DS, "DigestMethod"))
            digest = DIGESTS[method.get("Algorithm", "") if method is not None else ""]
            return bool(digest(body).digest() == b64decode(one.findtext(clark(DS, "DigestValue")) or ""))
    return False


def _is_of(body: bytes, about: Mapping[str, object], receiver: str) -> bool:
    """Does the receipt name this message, as it was sent or as this addressee got it?"""
    try:
        receipt = read_receipt(read_xml(body)[0])
    except (ValueError, IndexError):
        return False
    bridged = about.get("bridged")
    digests = {str(about.get("message_digest")), *(
        str(one["delivered_digest"]) for one in (bridged if isinstance(bridged, list) else ())
        if one["ontvanger"] == receiver)}
    return (receipt.referentienummer.lower() == about.get("referentienummer")
            and receipt.bericht_digest.hex() in digests)
