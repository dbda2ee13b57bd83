#!/usr/bin/env python3
"""Controleer een bewijsbestand van het Schuldenknooppunt, zonder het knooppunt en zonder zijn programmatuur.

    pip install signxml cryptography          (Python 3.11 or later)
    python bewijs_controleren.py bewijs.xml --anchor ca.pem --hub-oin 00000099000000099000 [--message bericht.xml]

Checks an evidence file (docs/evidence.md) with general libraries only, makes no network connection, and prints one line
per check: ✓ holds, ✗ does not hold, – could not be asked. Exit 1 when anything does not hold, 2 for wrong use.
Whose word the file is, only --anchor (CA certificate, PEM) and --hub-oin tell: always give both. With --message: is
this the content, and did the sender sign exactly this? Of a refused request --message takes the exact octets.

Sources: XML Signature 1.1, Exclusive XML Canonicalization 1.0, RFC 9162 §2.1 (Merkle tree), RFC 5280 (certificates),
c2sp.org/signed-note and c2sp.org/tlog-checkpoint.
"""

import argparse
import hashlib
import json
import re
import sys
from base64 import b64decode
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from lxml import etree
from signxml import XMLVerifier
from signxml.verifier import SignatureConfiguration

KN = "{urn:schuldenknooppunt:knooppunt:1.0}"
DS = "{http://www.w3.org/2000/09/xmldsig#}"
MORE = "http://www.w3.org/2001/04/xmldsig-more#"
HASHES = {"sha256": hashes.SHA256(), "sha384": hashes.SHA384(), "sha512": hashes.SHA512()}
DIGESTS = {"http://www.w3.org/2001/04/xmlenc#sha256": "sha256", f"{MORE}sha384": "sha384",
           "http://www.w3.org/2001/04/xmlenc#sha512": "sha512"}
PSS = "http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1"
WORDS = {"accepted": "aangenomen door het knooppunt", "collected": "opgehaald door de ontvanger",
         "confirmed": "bevestigd door de ontvanger", "expired": "verlopen", "cancelled": "geannuleerd",
         "leg-refused": "geweigerd voor een ontvanger", "redirected": "omgeleid door de beheerder"}
PLAIN_EXTENSIONS = (x509.BasicConstraints, x509.KeyUsage, x509.ExtendedKeyUsage, x509.SubjectAlternativeName)


def verify(file, message=None, anchors=(), hub_oin=None):
    """The checks in order: (name, holds or None, detail). Nothing outside the signed part of the file is read."""
    try:
        root, hub = signed_part(file)
        about, checks = read(root, hub, anchors)
        written_at = datetime.fromisoformat(root.findtext(f"{KN}Opgemaakt"))
        path = certificate_check("certificaat van het knooppunt", hub, anchors, written_at)
    except Exception as error:  # a signer may have put anything in it; whatever can't be read is not proven
        return [("handtekening van het knooppunt", False, f"{type(error).__name__}: {error}")]
    checks = [("handtekening van het knooppunt", True, name_of(hub)), path,
              ("ondertekenaar van dit bestand is het knooppunt", None if hub_oin is None else oin_of(hub) == hub_oin,
               f"OIN {oin_of(hub)}" + ("" if hub_oin else "; geen OIN opgegeven om mee te vergelijken")), *checks]
    if message is not None:
        checks += content(root, about, message)
    return checks


def signed_part(octets):
    """Step 1: the hub's enveloped signature. Gives the signed kn:Bewijs and the certificate it is signed with."""
    root = parse(octets)
    path = "/".join(DS + name for name in ("Signature", "KeyInfo", "X509Data", "X509Certificate"))
    hub = x509.load_der_x509_certificate(b64decode(root.findtext(path)))
    config = SignatureConfiguration(location="./", expect_references=1)
    signed = XMLVerifier().verify(root, x509_cert=hub, expect_config=config).signed_xml
    if signed is None or signed.tag != f"{KN}Bewijs":
        raise ValueError("the signature does not cover kn:Bewijs")
    return signed, hub


def read(root, hub, anchors):
    """Steps 2 to 4: the sender's signature, the checkpoints, the journal. Gives the record all is about, and checks."""
    journals = root.findall(f"{KN}Journaal")
    records = sorted((json.loads(record) for one in journals for record in texts(one, f"{KN}Regel/{KN}Record")),
                     key=lambda record: int(record.get("at", 0)))
    ticket = root.findtext(f"{KN}Ticket")
    kind = "accepted" if ticket is None else "refused"
    about = next((one for one in records if one.get("kind") == kind), {})
    checks = sender(root, about, anchors) if ticket is None else []
    for journal in journals:
        if journal.find(f"{KN}Controlepunt") is not None:
            checks += checkpoint(journal, oin_of(hub), anchors)
    if ticket is None:
        fits = about.get("referentienummer") == root.findtext(f"{KN}Referentienummer") and all(
            one.get("message") == about.get("message") for one in records)
    else:
        fits = len(records) == 1 and about.get("ticket") == ticket
    places = [("journaal", in_journal(one) and bool(about) and fits, f"{len(one.findall(f'{KN}Regel'))} regel(s)")
              for one in journals] or [("journaal", False, "geen regels")]
    sound = all(holds for _, holds, _ in places)
    said = told(about, records, sound, refused=ticket is not None)
    receipts = [check for one in root.findall(f"{KN}Ontvangst") for check in receipt(one, about, records, anchors)]
    return about, [*checks, *places, *said, *(receipts if ticket is None else [])]


def told(about, records, sound, *, refused):
    """Step 5: what the records say, which is the hub's word."""
    if refused:
        caller = about.get("caller_oin")
        who = f"OIN {caller}, TLS-certificaat SHA-256 {about.get('caller_certificate')}" if caller else "onbekend"
        why = f"{time(about['at'])}, {about['code']}: {about['error']}, {about['reason']}"
        return [("geweigerd door het knooppunt", sound, why), ("het verzoek kwam van", sound, who)]
    events = [(WORDS[one["kind"]], sound,
               time(one["at"]) + (f", ontvanger {one['ontvanger']}" if one.get("ontvanger") else "")
               + (f", naar {one['naar']}" if one.get("naar") else ""))
              for one in records if one.get("kind") in WORDS]
    return events + [(f"overgezet voor ontvanger {one['ontvanger']}", sound, bridging(about, one))
                     for one in about.get("bridged") or []]


def sender(root, about, anchors):
    """Step 2: SignatureValue over SignedInfo; both as journaled; the Body that is signed is the one journaled."""
    certificate = x509.load_der_x509_certificate(octets_of(root, "Certificaat"))
    info, value = octets_of(root, "SignedInfo"), octets_of(root, "SignatureValue")
    tied = sha(info + value).hex() == about.get("signature_digest")
    method, digest = body_digest(root)
    journaled = about.get("body_digest")
    accepted_at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(about.get("at", 0)))
    holds = tied and signature_holds(field(root, "SignatureMethod"), certificate.public_key(), value, info)
    return [("handtekening van de afzender, zoals in het journaal", holds, name_of(certificate)),
            certificate_check("certificaat van de afzender", certificate, anchors, accepted_at),
            ("ondertekende Body is de aangenomen Body", digest.hex() == journaled if method == "sha256" else None,
             f"SHA-256 {journaled}" if method == "sha256" else f"ondertekend met {method}")]


def receipt(one, about, records, anchors):
    """Step 6, of what was pushed: its addressee's own signature, as journaled, under a receipt of this message."""
    info, value, body, der = (b64decode(one.findtext(f"{KN}{name}") or "")
                              for name in ("SignedInfo", "SignatureValue", "Body", "Certificaat"))
    receiver, certificate = one.findtext(f"{KN}Ontvanger") or "", x509.load_der_x509_certificate(der)
    confirmed = next((record for record in records if record.get("kind") == "confirmed"
                      and record.get("ontvanger") == receiver), {})
    method, digest = digest_of(info, one.findtext(f"{KN}BodyReferentie") or "")
    signed = signature_holds(one.findtext(f"{KN}SignatureMethod") or "", certificate.public_key(), value, info)
    tied = sha(info + value).hex() == confirmed.get("receipt")
    covers = method is not None and hashlib.new(method, body).digest() == digest
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(confirmed.get("at", 0)))
    digests = {about.get("message_digest"), *(each["delivered_digest"] for each in about.get("bridged") or []
                                              if each["ontvanger"] == receiver)}
    said = parse(body)
    stated = said[0] if len(said) and said[0].tag == f"{KN}Ontvangstbevestiging" else etree.Element("none")
    number = (stated.findtext(f"{KN}Referentienummer") or "").lower()
    of_this = number == about.get("referentienummer") and b64decode(
        stated.findtext(f"{KN}BerichtDigest") or "").hex() in digests
    who = f"ontvanger {receiver}"
    return [("handtekening van de ontvanger, zoals in het journaal", tied and signed and covers, who),
            certificate_check("certificaat van de ontvanger", certificate, anchors, at),
            ("de ontvanger bevestigde dit bericht", of_this, who)]


def content(root, about, message):
    """Step 7: is this file the content, and did the sender sign exactly it?"""
    if root.find(f"{KN}Ticket") is not None:
        return [("dit is het geweigerde verzoek", sha(message).hex() == about.get("octets_digest"),
                 f"SHA-256 {sha(message).hex()}")]
    payload = etree.tostring(parse(message), method="c14n", exclusive=True, with_comments=False)
    digest, signed = sha(payload).hex(), "de afzender tekende precies deze inhoud"
    for one in about.get("bridged") or []:
        if one["delivered_digest"] == digest:
            return [("dit bericht is de inhoud, overgezet voor een ontvanger", True, bridging(about, one)),
                    (signed, None, "hij tekende het bericht voordat het knooppunt het overzette")]
    checks = [("dit bericht is de inhoud", digest == about.get("message_digest"), f"SHA-256 {digest}")]
    shell = [root.findtext(f"{KN}Ondertekening/{KN}{name}") for name in ("BodyVoor", "BodyNa")]
    if None in shell:
        return [*checks, (signed, None, "de envelop van de afzender staat dit niet toe; de digest geldt")]
    method, stated = body_digest(root)
    again = hashlib.new(method, b64decode(shell[0]) + payload + b64decode(shell[1])).digest()
    return [*checks, (signed, again == stated, f"Body #{field(root, 'BodyReferentie')}, {method}")]


def checkpoint(journal, hub_oin, anchors):
    """Step 3: the note's signature by the certificate beside it, whose OIN is the hub's."""
    certificate = x509.load_der_x509_certificate(b64decode(journal.findtext(f"{KN}ControlepuntCertificaat")))
    text, lines = note_of(journal)
    origin, size, _, time_line, _, certificate_line, _ = text.decode().splitlines()
    at = datetime.fromisoformat(time_line.removeprefix("time "))
    signed = b64decode(lines[0].split(" ")[2])
    key = certificate.public_key()
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    is_rsa = isinstance(key, rsa.RSAPublicKey)
    key_id = sha(origin.encode() + b"\n\xffrsa-pkcs1-sha256" + spki if is_rsa else spki)[:4]
    named = certificate_line == f"certificate {sha(certificate.public_bytes(Encoding.DER)).hex()}"
    try:
        if is_rsa:
            key.verify(signed[4:], text, padding.PKCS1v15(), hashes.SHA256())
        else:
            key.verify(signed[4:], text, ec.ECDSA(hashes.SHA256()))
        holds = named and signed[:4] == key_id and origin.split("/")[1] == hub_oin
    except InvalidSignature:
        holds = False
    path = certificate_check("certificaat van het controlepunt", certificate, anchors, at)
    if path[1] and oin_of(certificate) != hub_oin:
        path = (path[0], False, f"OIN {oin_of(certificate)}")
    checks = [("controlepunt van het knooppunt", holds, f"{size} regels, {time_line.removeprefix('time ')}"), path]
    if lines[1:]:
        checks.append(("tijdstempel op het controlepunt", None, "controleer met openssl ts: docs/evidence.md §5"))
    return checks


def in_journal(journal):
    """Step 4: each record in the Merkle tree of the checkpoint, or each leaf in the chain from HashVoor to HashNa."""
    rows = journal.findall(f"{KN}Regel")
    if journal.find(f"{KN}Controlepunt") is not None:
        text, _ = note_of(journal)
        origin, size, root = text.decode().splitlines()[:3]
        return bool(rows) and origin.split("/")[2] == journal.findtext(f"{KN}Knoop") and all(
            included(sha(b"\0" + (row.findtext(f"{KN}Record") or "").encode()), int(row.findtext(f"{KN}Positie")) - 1,
                     int(size), [bytes.fromhex(step) for step in (row.findtext(f"{KN}Pad") or "").split()],
                     b64decode(root))
            for row in rows)
    running, before = bytes.fromhex(journal.findtext(f"{KN}HashVoor")), None
    for row in rows:
        position, leaf = int(row.findtext(f"{KN}Positie")), bytes.fromhex(row.findtext(f"{KN}Blad"))
        record = row.findtext(f"{KN}Record")
        if before not in (None, position - 1) or (record is not None and sha(b"\0" + record.encode()) != leaf):
            return False
        running, before = sha(b"\1" + running + leaf), position
    return bool(rows) and running.hex() == journal.findtext(f"{KN}HashNa")


def included(leaf, index, size, path, root):
    """RFC 9162 §2.1.3.2: does the path lead from this leaf to the root?"""
    if not 0 <= index < size:
        return False
    fn, sn, node = index, size - 1, leaf
    for step in path:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            node = sha(b"\1" + step + node)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            node = sha(b"\1" + node + step)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and node == root


def signature_holds(method, key, value, octets):
    """RSA (PKCS#1 v1.5, PSS) or ECDSA with SHA-256 or better; ECDSA values are r and s side by side."""
    try:
        if method == PSS and isinstance(key, rsa.RSAPublicKey):
            pss = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=32)
            key.verify(value, octets, pss, hashes.SHA256())
            return True
        family, _, name = method.removeprefix(MORE).partition("-")
        if family == "rsa" and name in HASHES and isinstance(key, rsa.RSAPublicKey):
            key.verify(value, octets, padding.PKCS1v15(), HASHES[name])
            return True
        if family == "ecdsa" and name in HASHES and isinstance(key, ec.EllipticCurvePublicKey):
            half = (key.key_size + 7) // 8
            if len(value) == 2 * half:
                der = encode_dss_signature(int.from_bytes(value[:half], "big"), int.from_bytes(value[half:], "big"))
                key.verify(der, octets, ec.ECDSA(HASHES[name]))
                return True
    except InvalidSignature:
        pass
    return False


def certificate_check(name, certificate, anchors, at):
    """Directly issued by an anchor, in force at that moment, and meant for signing. Revocation is not asked."""
    issuer = certificate.issuer.rfc4514_string()
    if not anchors:
        return (name, None, f"geen anker opgegeven; uitgever {issuer}")
    if not any(issued_by(certificate, anchor) for anchor in anchors):
        return (name, False, f"uitgever {issuer} is geen opgegeven anker")
    if not certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc:
        return (name, False, f"niet geldig op {at:%Y-%m-%dT%H:%M:%SZ}")
    usage = next((one.value for one in certificate.extensions if isinstance(one.value, x509.KeyUsage)), None)
    unknown = any(isinstance(one.value, x509.NameConstraints)
                  or (one.critical and not isinstance(one.value, PLAIN_EXTENSIONS)) for one in certificate.extensions)
    if unknown or usage is None or not (usage.digital_signature or usage.content_commitment):
        return (name, False, "niet bedoeld om mee te ondertekenen")
    return (name, True, f"uitgegeven door {issuer}")


def issued_by(certificate, anchor):
    try:
        certificate.verify_directly_issued_by(anchor)
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True


def oin_of(certificate):
    """The subject's one serialNumber, 20 characters."""
    (attribute,) = certificate.subject.get_attributes_for_oid(x509.NameOID.SERIAL_NUMBER)
    if not re.fullmatch("[0-9A-Z]{20}", attribute.value):
        raise ValueError("no OIN in the certificate")
    return attribute.value


def parse(octets):
    """XML in UTF-8 without a DTD; no entity is resolved and nothing is fetched."""
    octets.decode("utf-8")
    declared = re.match(rb"(?:\xef\xbb\xbf)?<\?xml[^>]*encoding=[\"']([^\"']*)", octets)
    if declared and declared[1].lower() not in (b"utf-8", b"us-ascii"):
        raise ValueError("another encoding than UTF-8")
    if b"\0" in octets or b"<!DOCTYPE" in octets or b"<!ENTITY" in octets:
        raise ValueError("a DTD, or NUL")
    return etree.fromstring(octets, etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False))


def note_of(journal):
    """The checkpoint: the text that is signed, and the signature lines: the hub's, then perhaps a time-stamp's."""
    note = b64decode(journal.findtext(f"{KN}Controlepunt"))
    text, _, lines = note.decode().rpartition("\n\n")
    return f"{text}\n".encode(), lines.splitlines()


def body_digest(root):
    """Digest method and value of the Body's Reference in the sender's SignedInfo."""
    method, digest = digest_of(octets_of(root, "SignedInfo"), field(root, "BodyReferentie"))
    if method is None:
        raise ValueError("SignedInfo has no reference to the Body")
    return method, digest


def digest_of(signed_info, identifier):
    """Digest method and value of the Reference to this Id; None without one."""
    for reference in parse(signed_info).findall(f"{DS}Reference"):
        if reference.get("URI") == f"#{identifier}":
            return (DIGESTS[reference.find(f"{DS}DigestMethod").get("Algorithm")],
                    b64decode(reference.findtext(f"{DS}DigestValue")))
    return None, b""


def bridging(about, one):
    return (f"{one['berichttype']} {one['versie']}, SHA-256 {one['delivered_digest']}; verzonden: "
            f"{about['berichttype']} {about['versie']}, SHA-256 {about['message_digest']}")


def field(root, name):
    return root.findtext(f"{KN}Ondertekening/{KN}{name}") or ""


def octets_of(root, name):
    return b64decode(field(root, name))


def texts(element, path):
    return [one.text for one in element.findall(path) if one.text]


def sha(octets):
    return hashlib.sha256(octets).digest()


def name_of(certificate):
    return certificate.subject.rfc4514_string({x509.NameOID.SERIAL_NUMBER: "OIN"})


def time(microseconds):
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(microseconds))
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def main():
    parser = argparse.ArgumentParser(description="Controleer een bewijsbestand van het Schuldenknooppunt.")
    parser.add_argument("file", type=Path, metavar="FILE")
    parser.add_argument("--message", type=Path, help="het bericht; van een geweigerd verzoek de octetten ervan")
    parser.add_argument("--anchor", type=Path, action="append", default=[], help="CA-certificaat (PEM)")
    parser.add_argument("--hub-oin", help="OIN van het knooppunt dat ondertekend moet hebben")
    asked = parser.parse_args()
    try:
        file, message = asked.file.read_bytes(), asked.message.read_bytes() if asked.message else None
        anchors = [one for path in asked.anchor for one in x509.load_pem_x509_certificates(path.read_bytes())]
    except (OSError, ValueError) as error:
        parser.error(str(error))
    try:
        checks = verify(file, message, anchors, asked.hub_oin)
    except (ValueError, etree.LxmlError) as error:  # the message is no XML
        sys.exit(f"{asked.message}: {error}")
    for name, holds, detail in checks:
        print({True: "✓", False: "✗", None: "–"}[holds], f"{name}: {detail}")
    sys.exit(any(holds is False for _, holds, _ in checks))


if __name__ == "__main__":
    main()
