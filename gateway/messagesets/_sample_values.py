"""Values for samples: of a simple type, of the test ranges, and the content of attachments.

Nothing here can be mistaken for a real person or account: BSNs come from the range that is published for tests, the
bank of the accounts does not exist, texts say that they are examples.
"""

import hashlib
from base64 import b64encode
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import islice
from random import Random
from uuid import UUID

from lxml import etree
from xmlschema.validators import XsdAtomic, XsdSimpleType, XsdUnion

from gateway.errors import Misconfigured
from gateway.messagesets._sample_pattern import text_matching
from gateway.messagesets.checks import content, eleven_test, mod_97
from gateway.messagesets.schema import Vocabulary

_TRIES = 60  # candidates per value; the types of the message sets take one of the first few
_MOST_TEXT = 40  # characters, unless the type asks for more
_MOST_NUMBER = 5000  # larger numbers are allowed, but read badly
_FAR = 2000  # days before and after the moment of the sample
_WORDS = ("voorbeeld", "proef", "invoer", "dossier", "termijn", "overleg", "betaling", "Anna", "Bakker", "Óscar",
          "d'Arc", "É & Z", "Jansen-Test", "straat", "17/2026", "n.v.t.")
_EMPTY_FILES = {  # MimeType → the octets a sample file begins and ends with
    "application/pdf": (b"%PDF-1.4\n%", b"\n%%EOF\n"),
    "image/jpeg": (b"\xff\xd8\xff\xe0", b"\xff\xd9"),
    "image/png": (b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82"),
    "image/tiff": (b"II*\x00", b""),
    "text/xml": (b"<voorbeeld>", b"</voorbeeld>"),
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": (b"PK\x03\x04", b""),
}


class Values:
    """Makes values from one source of randomness: the same source gives the same values."""

    def __init__(self, random: Random, at: datetime, vocabulary: Vocabulary) -> None:
        self.random = random
        self._at = at
        self._vocabulary = vocabulary

    def text(self, tag: str, kind: XsdSimpleType) -> str:
        """A value for an element. Raises Misconfigured, naming the element, when none is found."""
        for candidate in islice(self.candidates(tag, kind), _TRIES):
            if fits(kind, candidate):
                return candidate
        raise Misconfigured(f"{tag}: no value found for type {kind.name or 'without a name'}; simplify its facets")

    def candidates(self, tag: str, kind: XsdSimpleType) -> Iterator[str]:
        """Texts to try for an element, without end; most are valid, none surely."""
        while True:
            if tag in self._vocabulary.bsn:
                yield self._bsn()
            if tag in self._vocabulary.iban:
                yield self._iban()
            if isinstance(kind, XsdUnion):
                member = self.random.choice(list(kind.member_types))
                yield from islice(self.candidates("", member), 2)
                continue
            if kind.enumeration:
                yield self.random.choice([str(value) for value in kind.enumeration])
                continue
            yield from self._of_primitive(kind)
            for pattern in self._patterns(kind):
                yield text_matching(pattern, self.random)

    def _patterns(self, kind: XsdSimpleType) -> list[str]:
        patterns = [str(one) for one in kind.patterns.regexps] if kind.patterns is not None else []
        self.random.shuffle(patterns)
        return patterns

    def _of_primitive(self, kind: XsdSimpleType) -> Iterator[str]:
        match primitive(kind):
            case "boolean":
                yield self.random.choice(("true", "false", "true", "false", "1", "0"))
            case "date":
                yield (self._at + timedelta(days=self.random.randint(-_FAR, _FAR))).date().isoformat()
            case "dateTime":
                moment = self._at + timedelta(seconds=self.random.randint(-_FAR * 1000, _FAR * 1000))
                yield moment.strftime("%Y-%m-%dT%H:%M:%SZ")
            case "decimal":
                yield self._number(kind)
            case "base64Binary":
                length = kind.min_length or 0
                yield b64encode(self.random.randbytes(max(length, min(32, kind.max_length or 32)))).decode()
            case _:
                yield from self._words(kind)

    def _words(self, kind: XsdSimpleType) -> Iterator[str]:
        most = max(min(kind.max_length or _MOST_TEXT, _MOST_TEXT), kind.min_length or 0)
        text = self.random.choice(_WORDS)[:most]
        for _ in range(self.random.randint(0, 4)):
            more = f"{text} {self.random.choice(_WORDS)}"
            text = more if len(more) <= most else text
        yield text
        yield str(UUID(int=self.random.getrandbits(128), version=4))
        yield f"voorbeeld{self.random.randint(1, 99)}@gemeente.example"
        yield f"000 {self.random.randint(100, 999)} {self.random.randint(1000, 9999)}"  # no area code is 000

    def _number(self, kind: XsdSimpleType) -> str:
        digits = fraction_digits(kind)
        low = Decimal(str(kind.min_value)) if kind.min_value is not None else Decimal(-500)
        high = Decimal(str(kind.max_value)) if kind.max_value is not None else max(low, Decimal(0)) + _MOST_NUMBER
        unit = Decimal(10) ** self.random.choice((0, -digits))
        number = self.random.randint(int(low / unit), int(min(high, max(low, Decimal(0)) + _MOST_NUMBER) / unit))
        return f"{number * unit:f}"

    def _bsn(self) -> str:
        numbers = (f"99999{self.random.randint(0, 9999):04}" for _ in range(1000))
        return next(number for number in numbers if eleven_test(number))

    def _iban(self) -> str:
        rest = f"VBLD{self.random.randint(0, 10**10 - 1):010}"  # no bank has this code
        return next(number for check in range(2, 99) if mod_97(number := f"NL{check:02}{rest}"))

    def file(self, attachment: "etree._Element", body: "etree._Element") -> None:
        """Make content, type, size and digest of one attachment agree (docs/contract.md §5)."""
        others = [child for child in attachment.iterchildren("*") if child is not body]
        kind = next((content(child) for child in others if content(child) in _EMPTY_FILES), "application/pdf")
        begin, end = _EMPTY_FILES[kind]
        octets = begin + f"voorbeeld {self.random.getrandbits(48):012x}".encode() + end
        body.text = b64encode(octets).decode()
        for child in others:
            match etree.QName(child).localname:
                case "HashSHA256" | "Sha256":
                    child.text = hashlib.sha256(octets).hexdigest()
                case "Omvang":
                    child.text = str(len(octets))


def fits(kind: XsdSimpleType, text: str) -> bool:
    """Is this a value of the type? xmlschema lets an error of the calendar through for years past 9999."""
    try:
        return kind.is_valid(text)
    except OverflowError:
        return False


def primitive(kind: XsdSimpleType) -> str:
    """The primitive type that a type is derived from: string, decimal, date …"""
    found = kind.primitive_type if isinstance(kind, XsdAtomic) else None
    return found.local_name or "string" if found is not None else "string"


def fraction_digits(kind: XsdSimpleType) -> int:
    """How many decimals a number of this type may have; two where the type does not say."""
    facet = next((value for name, value in kind.facets.items() if str(name).endswith("}fractionDigits")), None)
    return int(getattr(facet, "value", 2))
