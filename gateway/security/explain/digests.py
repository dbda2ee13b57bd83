"""DigestValue by DigestValue: does it hold, and if not, what else was digested?"""

import hashlib
from binascii import a2b_base64
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from gateway.errors import GatewayError
from gateway.names import DS, EXC_C14N, XOP, clark
from gateway.security.explain.case import Case, algorithm, canonicalised, found, name_of, place_of
from gateway.security.explain.difference import difference
from gateway.security.explain.references import (
    MAX_REFERENCES,
    prefixes,
    references,
    signed_info,
    target_of,
    transform_of,
)
from gateway.security.explain.search import GUESSES, Guess, View, declared_form, search
from gateway.soap import Element, has_canonical_form, many_namespaces
from gateway.values import Diagnosis

Digest = Callable[[bytes], bytes]


def _hashed(name: str) -> Digest:
    return lambda octets: hashlib.new(name, octets, usedforsecurity=False).digest()


DIGESTS: Final[dict[str, Digest]] = {
    "SHA-256": _hashed("sha256"), "SHA-384": _hashed("sha384"), "SHA-512": _hashed("sha512"),
    "SHA-1": _hashed("sha1"), "SHA-224": _hashed("sha224"), "MD5": _hashed("md5"),
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Mismatch:
    view: View
    reference: Element
    name: str  # of the digest
    expected: bytes

    @property
    def place(self) -> str:
        return place_of(self.view.element)

    def matches(self, octets: bytes) -> bool:
        return DIGESTS[self.name](octets) == self.expected


def digests(case: Case) -> list[Diagnosis] | None:
    """Every DigestValue against the part it points at, by the algorithms the message names."""
    listed = [(one, target_of(case, one)) for one in references(case)]
    pairs = [(one, target) for one, target in listed if target is not None]
    info = signed_info(case)
    if not pairs or info is None or len(info) > MAX_REFERENCES + 2 or many_namespaces(case.octets):
        return None
    wrong: list[Diagnosis] = []
    mismatches: list[_Mismatch] = []
    seen: dict[bytes, str] = {}
    apart = XOP.encode() in case.octets
    if len({id(target) for _, target in pairs}) < len(pairs):
        return None  # a part that is signed more than once: what is told of that comes first
    for reference, target in pairs:
        if target is case.body and (case.encrypted or apart):
            continue  # what was digested is inside, or came in parts of its own
        one = _look(case, reference, target, seen)
        if isinstance(one, Diagnosis):
            wrong.append(one)
        elif one is not None:
            mismatches.append(one)
    wrong += _explained(case, sorted(mismatches, key=lambda one: len(one.view.octets)), seen)
    if not wrong and case.root is not None and not has_canonical_form(case.root):
        wrong.append(found("no-canonical-form", case.root, part="Envelope"))
    return wrong


def _look(case: Case, reference: Element, target: Element, seen: dict[bytes, str]) -> Diagnosis | _Mismatch | None:
    transform, method = transform_of(reference), reference.find(clark(DS, "DigestMethod"))
    name = algorithm(None if method is None else method.get("Algorithm"))
    text = (reference.findtext(clark(DS, "DigestValue")) or "").strip()
    uri = EXC_C14N if transform is None else transform.get("Algorithm")
    if name not in DIGESTS or "c14n" not in algorithm(uri):
        return None  # what is told of the algorithms comes first
    inclusive = prefixes(transform)
    try:
        octets = declared_form(target, uri, inclusive)
    except (GatewayError, ValueError):
        return found("no-canonical-form", target, part=name_of(target))
    case.budget.take(canonicalised(octets))
    actual = DIGESTS[name](octets)
    seen.setdefault(actual, name_of(target))
    expected = _base64(text)
    if actual == expected:
        return None
    view = View(case=case, element=target, inclusive=inclusive, octets=octets)
    return (_spelling(view, name, text, expected)
            or _Mismatch(view=view, reference=reference, name=name, expected=expected))


def _base64(text: str) -> bytes:
    try:
        return a2b_base64("".join(text.split()), strict_mode=True)
    except ValueError:
        return b""


def _spelling(view: View, name: str, text: str, expected: bytes) -> Diagnosis | None:
    """The right digest in the wrong spelling, or of the right octets by another algorithm."""
    part, place = name_of(view.element), place_of(view.element)
    for other, digest in DIGESTS.items():
        octets = digest(view.octets)
        if text.lower() == octets.hex():
            return found("digest-hex", place, part=part)
        if expected.lower() == octets.hex().encode():
            return found("digest-hex-base64", place, part=part)
        if expected == octets:
            return found("digest-other-hash", place, part=part, stated=name, used=other)
    if not expected:
        return found("digest-not-base64", place, part=part)
    if len(expected) != len(DIGESTS[name](b"")):
        return found("digest-length", place, part=part, stated=name, octets=len(expected))
    return None


def _unexplained(view: View, complete: bool) -> str:
    """No guess matched: is there a sign of what happened all the same?"""
    if b"\xef\xbf\xbd" in view.octets:
        return "replacement-characters"
    if set(view.inclusive) - {"#default"} - view.element.nsmap.keys():
        return "prefix-list-unresolved"
    return "digest-unexplained" if complete else "search-stopped"


def _first(identifier: str) -> tuple[Guess, ...]:
    """What explained one part, then its kin (white-space-…), then the rest."""
    kin = identifier.rpartition("-")[0]
    return tuple(sorted(GUESSES, key=lambda one: (one.id != identifier, not one.id.startswith(kin))))


def _explained(case: Case, mismatches: list[_Mismatch], seen: dict[bytes, str]) -> Iterator[Diagnosis]:
    """Smallest part first: what explains it explains the larger ones at the first guess."""
    guesses = GUESSES
    for one in mismatches:
        part = name_of(one.view.element)
        if case.sent.signed is not None and (len(mismatches) == 1 or one.matches(case.sent.signed)):
            case.shown += difference(part, case.sent.signed, one.view.octets)
        if one.expected in seen:
            yield found("digest-of-other-part", one.place, part=part, other=seen[one.expected])
            continue
        identifier, complete = search(one.view, one.matches, guesses)
        if identifier is None:
            identifier = _unexplained(one.view, complete)
        else:
            guesses = _first(identifier)
        yield found(identifier, one.place, part=part)
