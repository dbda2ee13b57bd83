"""What is taken although a standard asks otherwise: one table, in the words the sender reads.

A tolerance is no error: the request is judged as if it had been written as asked. Each use is counted for the caller
(`gateway parties show`), and a fault on the same request says it as a remark (docs/contract.md §7). What a standard
leaves free (prefixes, CRLF, an absent Expires or ReplyTo …) is no tolerance and is not here (docs/decisions/0016).
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """One departure that is taken, the clause that asks otherwise, and what its sender would change."""

    id: str  # stable: stands in faults, in the store and in JSON
    clause: str
    nl: str
    en: str


SOAPACTION_ABSENT: Final = Tolerance(
    id="soapaction-absent", clause="SOAP 1.1 §6.1.1; WUS WS002",
    nl='Het verzoek heeft geen SOAPAction-header. Stuur SOAPAction: "" of de waarde van wsa:Action tussen '
       "aanhalingstekens.",
    en='The request has no SOAPAction header. Send SOAPAction: "" or the value of wsa:Action in quotes.')
SOAPACTION_UNQUOTED: Final = Tolerance(
    id="soapaction-unquoted", clause="BP R1109; WUS WS002",
    nl="De waarde van SOAPAction staat niet tussen aanhalingstekens. Zet ze erom.",
    en="The value of SOAPAction is not in quotes. Add them.")
BYTE_ORDER_MARK: Final = Tolerance(
    id="byte-order-mark", clause="WUS WS006",
    nl="Het verzoek begint met een byte order mark. Laat dat weg: UTF-8 heeft er geen nodig en niet iedere ontvanger "
       "leest het.",
    en="The request begins with a byte order mark. Leave it out: UTF-8 needs none and not every receiver reads it.")
DECLARED_US_ASCII: Final = Tolerance(
    id="declared-us-ascii", clause="WUS WS006; BP R1012",
    nl="De XML-declaratie noemt US-ASCII. Zet er UTF-8.",
    en="The XML declaration names US-ASCII. Let it say UTF-8.")
HEADER_FOR_ANOTHER: Final = Tolerance(
    id="header-for-another-actor", clause="WUS WS007",
    nl="De envelop bevat een header voor een andere actor. Die is niet gelezen; stuur alleen headers van het profiel.",
    en="The envelope holds a header for another actor. It was not read; send only the headers of the profile.")
FROM_ABSENT: Final = Tolerance(
    id="from-absent", clause="WUS WA001",
    nl="wsa:From ontbreekt. Zet uw adres erin, als wsa:Address, en onderteken de header.",
    en="wsa:From is missing. Put your address in it, as wsa:Address, and sign the header.")
ENCODING_TYPE_ABSENT: Final = Tolerance(
    id="token-encoding-type-absent", clause="BSP R3029",
    nl="Het BinarySecurityToken heeft geen EncodingType. Zet EncodingType op …#Base64Binary.",
    en="The BinarySecurityToken has no EncodingType. Set EncodingType to …#Base64Binary.")
VALUE_TYPE_ABSENT: Final = Tolerance(
    id="reference-value-type-absent", clause="BSP R3059",
    nl="De verwijzing naar het token heeft geen ValueType. Zet ValueType op …#X509v3, zoals op het token.",
    en="The reference to the token has no ValueType. Set ValueType to …#X509v3, as on the token.")
CLOCK_SKEW: Final = Tolerance(
    id="clock-skew", clause="WUS WB002; BIO2 8.17",
    nl="Created ligt meer dan 5 seconden vóór op de klok van het knooppunt, of Expires was al voorbij. Zet uw klok "
       "gelijk (NTP).",
    en="Created is more than 5 seconds ahead of the hub's clock, or Expires had passed. Synchronise your clock (NTP).")
SHORT_KEY_TLS: Final = Tolerance(
    id="rsa-under-3072-tls", clause="NCSC 2025-05; TLSCIPH001",
    nl="Het TLS-certificaat heeft een RSA-sleutel korter dan 3072 bits; die wordt uitgefaseerd. Vraag bij vernieuwing "
       "RSA-3072 of P-256.",
    en="The TLS certificate has an RSA key shorter than 3072 bits, which is being phased out. Ask for RSA-3072 or "
       "P-256 when you renew it.")
SHORT_KEY_SIGNING: Final = Tolerance(
    id="rsa-under-3072-signing", clause="NCSC 2025-05",
    nl="Het ondertekencertificaat heeft een RSA-sleutel korter dan 3072 bits; die wordt uitgefaseerd. Vraag bij "
       "vernieuwing RSA-3072 of P-256.",
    en="The signing certificate has an RSA key shorter than 3072 bits, which is being phased out. Ask for RSA-3072 or "
       "P-256 when you renew it.")

TABLE: Final = {one.id: one for one in (
    SOAPACTION_ABSENT, SOAPACTION_UNQUOTED, BYTE_ORDER_MARK, DECLARED_US_ASCII, HEADER_FOR_ANOTHER, FROM_ABSENT,
    ENCODING_TYPE_ABSENT, VALUE_TYPE_ABSENT, CLOCK_SKEW, SHORT_KEY_TLS, SHORT_KEY_SIGNING,
)}
