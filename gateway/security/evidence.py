"""The evidence file: what proves one message, or one refusal, without content, and the check that needs no hub and no
database.

One XML document, signed by the hub as a whole (XML Signature 1.1, enveloped, exclusive C14N), so any tool can check it;
signxml does here. Inside: what the sender signed (SignedInfo, value, certificate), the canonical octets of the sender's
soap:Body around the message, the journal's records of this message, and the chain of leaves up to a head.
Documented for a reader with xmlsec1 and openssl in docs/evidence.md. docs/verify/bewijs_controleren.py makes the
same checks without this package; a test holds their verdicts equal.
"""

import hashlib
import json
from base64 import b64decode
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import ClassVar

from cryptography import x509
from cryptography.x509.oid import NameOID

from gateway.errors import CertificateRejected, MalformedEnvelope
from gateway.names import DS, KN, clark
from gateway.security._trust import is_issued_by
from gateway.security._x509 import extensions, oin_of
from gateway.security.algorithms import DIGESTS, signature_holds
from gateway.security.c14n import canonical
from gateway.security.journal import (
    EvidenceCheck,
    JournalProof,
    check_note,
    check_token_of,
    read_journal,
    signer_of,
)
from gateway.security.receipts import check_receipts
from gateway.soap import Element, check_xml_octets, read_xml, stamp

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ROOT = clark(KN, "Bewijs")


def verify_evidence(
    octets: bytes, message: bytes | None, anchors: Sequence[bytes], hub_oin: str | None = None,
    tsa_anchors: Sequence[bytes] = (),
) -> list[EvidenceCheck]:
    """Check an evidence file from its octets alone.

    1 the hub's signature; 2 its certificate under an anchor, and that its holder is the hub; 3 the sender's
    SignatureValue over SignedInfo; 4 the sender's certificate under an anchor; 5 the signed Body is the one the hub
    journaled; 6 the journal: each entry in the tree of a checkpoint that the hub signed, and its time-stamp, or in the
    chain of leaves up to its end; 7 what the records say: accepted, bridged, collected, confirmed, and the receipts
    that addressees signed for what was pushed; 8 with the message element at hand: that it is that content, and that
    the sender signed exactly it; or that it is that content as it was bridged for an addressee. Of a refusal there is
    no 3 to 5; 7 is when, why and whose request; 8 is asked of the exact octets of the request.

    Takes   `anchors`: CA certificates (DER), and the hub's OIN. Without these two nobody knows whose word the
            file is: any organisation under the CA could write one. `tsa_anchors`: the certificate of the time-stamp
            authority or of the CA that issues it. Raises nothing for a file that does not hold.
    """
    issuers = [x509.load_der_x509_certificate(one) for one in anchors]
    try:
        check_xml_octets(octets)
        root, hub = _signed_root(octets)
        file = _RefusalFile(root) if root.find(clark(KN, "Ticket")) is not None else _MessageFile(root)
        told = [*file.sender(issuers), *file.checkpoints(issuers, oin_of(hub), tsa_anchors), *file.journal(),
                *file.receipts(issuers)]
    except Exception as error:  # a signer may have put anything in it; whatever cannot be read is not proven
        return [EvidenceCheck(name="handtekening van het knooppunt", holds=False, detail=_reason(error))]
    checks = [
        EvidenceCheck(name="handtekening van het knooppunt", holds=True, detail=_subject(hub)),
        _under_anchor("certificaat van het knooppunt", hub, issuers, file.written_at),
        _is_hub(hub, hub_oin),
        *told,
    ]
    if message is not None:
        checks += file.content(message)
    return checks


def _signed_root(octets: bytes) -> tuple[Element, x509.Certificate]:
    """What the hub signed, and the certificate it says it signed with. Only the returned node is ever read."""
    from signxml.verifier import SignatureConfiguration, XMLVerifier

    root = read_xml(octets)
    stated = root.findtext(f"{clark(DS, 'Signature')}/{clark(DS, 'KeyInfo')}/{clark(DS, 'X509Data')}/"
                           f"{clark(DS, 'X509Certificate')}")
    if root.tag != _ROOT or not stated:
        raise MalformedEnvelope("no evidence file: kn:Bewijs with a certificate was expected")
    certificate = x509.load_der_x509_certificate(b64decode(stated))
    config = SignatureConfiguration(location="./", expect_references=1)
    results = XMLVerifier().verify(root, x509_cert=certificate, expect_config=config)
    result = results[0] if isinstance(results, list) else results
    if result.signed_xml is None or result.signed_xml.tag != _ROOT:
        raise MalformedEnvelope("the hub's signature does not cover kn:Bewijs")
    return result.signed_xml, certificate


class _File:
    """What the files of a message and of a refusal have in common, read once from the signed content."""

    kind: ClassVar[str]  # of the record that all is about

    def __init__(self, root: Element) -> None:
        self.written_at = datetime.fromisoformat(root.findtext(clark(KN, "Opgemaakt")) or "")
        self.journals = [read_journal(one) for one in root.findall(clark(KN, "Journaal"))]
        records = [json.loads(line.record) for one in self.journals for line in one.lines if line.record]
        self.records = sorted(records, key=lambda record: int(record.get("at", 0)))
        self.about: dict[str, object] = next((one for one in self.records if one.get("kind") == self.kind), {})

    def checkpoints(
        self, anchors: Sequence[x509.Certificate], hub_oin: str, tsa_anchors: Sequence[bytes]
    ) -> list[EvidenceCheck]:
        """Signature, certificate and time-stamp of each checkpoint in the file."""
        checks: list[EvidenceCheck] = []
        for proof in self.journals:
            if isinstance(proof, JournalProof):
                note, signed = check_note(proof, hub_oin)
                signer = signer_of(proof)
                path = _under_anchor("certificaat van het controlepunt", signer, anchors, note.checkpoint.at)
                if path.holds and oin_of(signer) != hub_oin:
                    path = EvidenceCheck(name=path.name, holds=False, detail=f"OIN {oin_of(signer)}")
                checks += [signed, path, *check_token_of(note, tsa_anchors)]
        return checks

    def places(self, *, fits: bool) -> list[EvidenceCheck]:
        """Each stretch or proof of the journal; `fits`: are the records about the one thing the file is about?"""
        return [
            EvidenceCheck(name="journaal", holds=one.holds() and bool(self.about) and fits, detail=one.detail)
            for one in self.journals
        ] or [EvidenceCheck(name="journaal", holds=False, detail="geen regels")]


class _RefusalFile(_File):
    """Of a refused request."""

    kind = "refused"

    def __init__(self, root: Element) -> None:
        super().__init__(root)
        self.ticket = root.findtext(clark(KN, "Ticket"))

    def sender(self, anchors: Sequence[x509.Certificate]) -> list[EvidenceCheck]:
        """Nothing: the hub keeps no signature of what it did not accept."""
        return []

    def receipts(self, anchors: Sequence[x509.Certificate]) -> list[EvidenceCheck]:
        """Nothing: nobody got it."""
        return []

    def journal(self) -> list[EvidenceCheck]:
        checks = self.places(fits=len(self.records) == 1 and self.about.get("ticket") == self.ticket)
        sound = all(check.holds for check in checks)
        about = self.about
        caller = about.get("caller_oin")
        who = f"OIN {caller}, TLS-certificaat SHA-256 {about.get('caller_certificate')}" if caller else "onbekend"
        return [
            *checks,
            EvidenceCheck(name="geweigerd door het knooppunt", holds=sound,
                          detail=f"{_time(about['at'])}, {about['code']}: {about['error']}, {about['reason']}"),
            EvidenceCheck(name="het verzoek kwam van", holds=sound, detail=who),
        ]

    def content(self, message: bytes) -> list[EvidenceCheck]:
        """Of the octets as they were sent, envelope and all."""
        digest = hashlib.sha256(message).hexdigest()
        return [EvidenceCheck(name="dit is het geweigerde verzoek", detail=f"SHA-256 {digest}",
                              holds=digest == self.about.get("octets_digest"))]


class _MessageFile(_File):
    """Of an accepted message."""

    kind = "accepted"

    def __init__(self, root: Element) -> None:
        super().__init__(root)
        signing = clark(KN, "Ondertekening")

        def field(group: str, name: str) -> str:
            return root.findtext(f"{group}/{clark(KN, name)}") or ""

        self._root = root
        self.referentienummer = root.findtext(clark(KN, "Referentienummer"))
        self.signed_info = b64decode(field(signing, "SignedInfo"))
        self.signature = b64decode(field(signing, "SignatureValue"))
        self.method = field(signing, "SignatureMethod")
        self.certificate = x509.load_der_x509_certificate(b64decode(field(signing, "Certificaat")))
        self.body_reference = field(signing, "BodyReferentie")
        shell = [root.findtext(f"{signing}/{clark(KN, name)}") for name in ("BodyVoor", "BodyNa")]
        self.shell = tuple(b64decode(part) for part in shell if part is not None)
        bridged = self.about.get("bridged")
        self.bridged: list[dict[str, object]] = bridged if isinstance(bridged, list) else []

    @property
    def accepted_at(self) -> datetime:
        """When the hub took the message, by its journal."""
        return _EPOCH + timedelta(microseconds=int(str(self.about.get("at", 0))))

    def sender(self, anchors: Sequence[x509.Certificate]) -> list[EvidenceCheck]:
        key = self.certificate.public_key()
        method, digest = self._body_digest
        tied = hashlib.sha256(self.signed_info + self.signature).hexdigest() == self.about.get("signature_digest")
        holds = tied and signature_holds(self.method, key, self.signature, self.signed_info)  # type: ignore[arg-type]
        journaled = self.about.get("body_digest")
        return [
            EvidenceCheck(name="handtekening van de afzender, zoals in het journaal", holds=holds,
                          detail=_subject(self.certificate)),
            _under_anchor("certificaat van de afzender", self.certificate, anchors, self.accepted_at),
            EvidenceCheck(
                name="ondertekende Body is de aangenomen Body",
                holds=digest.hex() == journaled if method == "sha256" else None,
                detail=f"SHA-256 {journaled}" if method == "sha256" else f"ondertekend met {method}",
            ),
        ]

    def journal(self) -> list[EvidenceCheck]:
        checks = self.places(fits=self.about.get("referentienummer") == self.referentienummer and all(
            one.get("message") == self.about.get("message") for one in self.records))
        words = {"accepted": "aangenomen door het knooppunt", "collected": "opgehaald door de ontvanger",
                 "confirmed": "bevestigd door de ontvanger", "expired": "verlopen", "cancelled": "geannuleerd",
                 "leg-refused": "geweigerd voor een ontvanger", "redirected": "omgeleid door de beheerder"}
        sound = all(check.holds for check in checks)
        checks += [
            EvidenceCheck(name=words[record["kind"]], holds=sound, detail=_event(record))
            for record in self.records if record.get("kind") in words
        ]
        checks += [
            EvidenceCheck(name=f"overgezet voor ontvanger {one['ontvanger']}", holds=sound, detail=self._bridging(one))
            for one in self.bridged
        ]
        return checks

    def receipts(self, anchors: Sequence[x509.Certificate]) -> list[EvidenceCheck]:
        """What those to whom it was pushed signed."""
        return check_receipts(self._root, self.about, self.records, lambda name, certificate, at: _under_anchor(
            name, certificate, anchors, at))

    def _bridging(self, one: dict[str, object]) -> str:
        return (f"{one['berichttype']} {one['versie']}, SHA-256 {one['delivered_digest']}; verzonden: "
                f"{self.about['berichttype']} {self.about['versie']}, SHA-256 {self.about['message_digest']}")

    def content(self, message: bytes) -> list[EvidenceCheck]:
        check_xml_octets(message)
        payload = canonical(read_xml(message, large=True))
        digest = hashlib.sha256(payload).hexdigest()
        delivered = next((one for one in self.bridged if one["delivered_digest"] == digest), None)
        if delivered is not None:
            return [
                EvidenceCheck(name="dit bericht is de inhoud, overgezet voor een ontvanger", holds=True,
                              detail=self._bridging(delivered)),
                EvidenceCheck(name="de afzender tekende precies deze inhoud", holds=None,
                              detail="hij tekende het bericht voordat het knooppunt het overzette"),
            ]
        same = digest == self.about.get("message_digest")
        checks = [EvidenceCheck(name="dit bericht is de inhoud", holds=same, detail=f"SHA-256 {digest}")]
        if len(self.shell) != 2:
            return [*checks, EvidenceCheck(name="de afzender tekende precies deze inhoud", holds=None,
                                           detail="de envelop van de afzender staat dit niet toe; de digest geldt")]
        method, signed = self._body_digest
        again = hashlib.new(method, self.shell[0] + payload + self.shell[1]).digest()
        return [*checks, EvidenceCheck(name="de afzender tekende precies deze inhoud", holds=again == signed,
                                       detail=f"Body #{self.body_reference}, {method}")]

    @cached_property
    def _body_digest(self) -> tuple[str, bytes]:
        """Digest method and value of the Body's Reference, from the octets the sender signed."""
        info = read_xml(self.signed_info)
        for reference in info.findall(clark(DS, "Reference")):
            if reference.get("URI") == f"#{self.body_reference}":
                method = reference.find(clark(DS, "DigestMethod"))
                algorithm = DIGESTS[method.get("Algorithm", "") if method is not None else ""]
                return algorithm(b"").name, b64decode(reference.findtext(clark(DS, "DigestValue")) or "")
        raise MalformedEnvelope("SignedInfo has no reference to the Body")


def _is_hub(certificate: x509.Certificate, hub_oin: str | None) -> EvidenceCheck:
    name = "ondertekenaar van dit bestand is het knooppunt"
    try:
        oin = oin_of(certificate)
    except CertificateRejected as error:
        return EvidenceCheck(name=name, holds=False, detail=error.detail)
    if hub_oin is None:
        return EvidenceCheck(name=name, holds=None, detail=f"OIN {oin}; geen OIN opgegeven om mee te vergelijken")
    return EvidenceCheck(name=name, holds=oin == hub_oin, detail=f"OIN {oin}")


def _under_anchor(
    name: str, certificate: x509.Certificate, anchors: Sequence[x509.Certificate], at: datetime
) -> EvidenceCheck:
    """Issued by an anchor, in force at that moment, and meant for signing."""
    if not anchors:
        return EvidenceCheck(name=name, holds=None, detail=f"geen anker opgegeven; uitgever {_issuer(certificate)}")
    if any(is_issued_by(certificate, anchor) for anchor in anchors):
        wrong = _unfit(certificate, at)
        return EvidenceCheck(name=name, holds=not wrong, detail=wrong or f"uitgegeven door {_issuer(certificate)}")
    return EvidenceCheck(name=name, holds=False, detail=f"uitgever {_issuer(certificate)} is geen opgegeven anker")


def _unfit(certificate: x509.Certificate, at: datetime) -> str:
    """Why the certificate could not sign at that moment; empty when it could."""
    if not certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc:
        return f"niet geldig op {stamp(at)}"
    try:
        usage = extensions(certificate).usage
    except CertificateRejected as error:
        return error.detail
    if usage is None or not (usage.digital_signature or usage.content_commitment):
        return "niet bedoeld om mee te ondertekenen (key usage)"
    return ""


def _subject(certificate: x509.Certificate) -> str:
    return certificate.subject.rfc4514_string({NameOID.SERIAL_NUMBER: "OIN"})


def _issuer(certificate: x509.Certificate) -> str:
    return certificate.issuer.rfc4514_string({NameOID.SERIAL_NUMBER: "OIN"})


def _event(record: dict[str, object]) -> str:
    """When, and with whom where it is about one addressee."""
    receiver = record.get("ontvanger")
    heir = record.get("naar")
    return _time(record["at"]) + (f", ontvanger {receiver}" if receiver else "") + (f", naar {heir}" if heir else "")


def _time(microseconds: object) -> str:
    return stamp(_EPOCH + timedelta(microseconds=int(str(microseconds))))


def _reason(error: Exception) -> str:
    return getattr(error, "detail", "") or f"{type(error).__name__}: {error}"
