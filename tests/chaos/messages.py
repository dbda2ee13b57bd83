"""The messages of a run: what counsellors, administrators and creditors say to each other, several to a conversation.

Cut from the examples of the message sets; only the numbers and the addressees change. All persons are invented.
"""

import hashlib
import re
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from gateway.app import canonical_message

_XSD = Path(__file__).parents[2] / "xsd"
_PARTY = "11111111-1111-4111-8111-0000000000{:02}"
PARTIES = {slug: _PARTY.format(number) for slug, number in
           (("gemeente", 1), ("energie", 2), ("deurwaarder", 3), ("zorgverzekeraar", 4), ("bewindvoerder", 7))}
_SET = {"MeldingBewindAanmelding": "meldingen-bewindvoering/1.0"}
OPENING, FOLLOWING, ANSWER, NOTICE = "Kennisgeving", ("SaldoVerzoek", "StatusberichtSHV"), "StatusberichtSE", \
    "MeldingBewindAanmelding"


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """One message, ready to send."""

    element: str
    ref: str
    conv: str
    sender: str  # party ids
    to: tuple[str, ...]
    octets: bytes
    digest: str  # SHA-256 of the canonical message element, hex

    def other(self) -> "Letter":
        """The same number with other content."""
        return replace(self, **_sealed(self.octets.replace(b":00Z</kn:TijdstipBericht>", b":01Z</kn:TijdstipBericht>")))


@cache
def _example(element: str) -> str:
    folder = _XSD / _SET.get(element, "schuldregeling/2.0") / "examples" / "valid"
    return (folder / f"{element}-minimaal.xml").read_text("utf-8")


def letter(element: str, *, ref: str, conv: str, sender: str, to: tuple[str, ...]) -> Letter:
    """A message of this kind; sender and addressees are slugs."""
    ids = tuple(PARTIES[one] for one in to)
    text = _example(element)
    values = {"Referentienummer": ref, "ConversatieReferentienummer": conv, "Afzender": PARTIES[sender]}
    for name, value in values.items():
        text, count = re.subn(f"(<kn:{name}>)[^<]*", rf"\g<1>{value}", text)
        assert count == 1, (element, name)
    addressees = "".join(f"<kn:Ontvanger>{one}</kn:Ontvanger>" for one in ids)
    text, count = re.subn("<kn:Ontvanger>[^<]*</kn:Ontvanger>", addressees, text, count=1)
    assert count == 1, element
    return Letter(element=element, ref=ref, conv=conv, sender=PARTIES[sender], to=ids, **_sealed(text.encode()))


def _sealed(octets: bytes) -> dict[str, object]:
    canonical = canonical_message(octets)
    return {"octets": canonical, "digest": hashlib.sha256(canonical).hexdigest()}


_HEADER = re.compile(rb"<(?:\w+:)?(Referentienummer|ConversatieReferentienummer|Afzender|Ontvanger)>([^<]*)<")


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a receiver reads in a message that came."""

    ref: str
    conv: str
    sender: str
    to: tuple[str, ...]
    digest: str


def seen(canonical: bytes) -> Seen:
    """From the canonical octets of a message element."""
    found: dict[bytes, list[str]] = {}
    for name, value in _HEADER.findall(canonical):
        found.setdefault(name, []).append(value.decode())
    return Seen(ref=found[b"Referentienummer"][0], conv=found[b"ConversatieReferentienummer"][0],
                sender=found[b"Afzender"][0], to=tuple(found[b"Ontvanger"]),
                digest=hashlib.sha256(canonical).hexdigest())
