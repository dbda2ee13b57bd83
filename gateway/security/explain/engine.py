"""The engine: every check in order, none skipped that can be looked at."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from gateway.errors import GatewayError, SecurityRefusal, TrustStale
from gateway.security.explain import (
    addressing,
    certificate,
    digests,
    envelope,
    identities,
    layout,
    references,
    signature,
    timestamp,
)
from gateway.security.explain.case import Budget, Case, Known, Sent, found
from gateway.security.wsse import verify
from gateway.soap import parse, read_addressing
from gateway.values import Diagnosis, Explained

CHECKS: Final[tuple[tuple[str, Callable[[Case], list[Diagnosis] | None]], ...]] = (
    ("http", envelope.http),
    ("xml", envelope.xml),
    ("soap", envelope.soap),
    ("headers", envelope.headers),
    ("security-header", layout.layout),
    ("algorithms", references.algorithms),
    ("references", references.coverage),
    ("digests", digests.digests),
    ("signature-value", signature.signature),
    ("certificate", certificate.certificate),
    ("identities", identities.identities),
    ("timestamp", timestamp.timestamp),
    ("addressing", addressing.addressing),
    ("operation", addressing.operation),
)
_TOLD: Final = 12  # diagnoses of one check
_OCTETS_BASE: Final = 2_500_000  # of the unit of search.Guess, of which a million take a third of a millisecond
_OCTETS_EACH: Final = 24  # times the message: to canonicalise it once, and to hash it a few times
_DECLARATIONS: Final = 2_000  # `xmlns` in octets that the line did not take in; parsing them anew would cost memory


def hub_budget(octets: int) -> Budget:
    """What the hub spends on explaining a refusal: about what accepting such a message costs (docs/costs.md)."""
    return Budget(octets=_OCTETS_BASE + _OCTETS_EACH * octets, verifications=6, declarations=_DECLARATIONS)


def local_budget() -> Budget:
    """What a person's own command may spend on own messages."""
    return Budget(octets=10_000_000_000, verifications=200, declarations=1_000_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What was found: one `Explained` per check, in the order of CHECKS."""

    checks: tuple[Explained, ...]
    differences: tuple[str, ...] = ()  # lines about `Sent.signed`: they hold octets, so for its sender's eyes only

    @property
    def holds(self) -> bool:
        """Does nothing fail that could be looked at?"""
        return all(one.holds is not False for one in self.checks)


def diagnose(sent: Sent, known: Known, budget: Budget) -> Explanation:
    """Look at everything: what holds, what does not and why. Pure; `budget` bounds it whatever the octets are."""
    case = Case(sent=sent, known=known, budget=budget)
    seen = tuple(_explained(name, look(case)) for name, look in CHECKS)
    if all(one.holds is not False for one in seen) and (refused := _line(case)) is not None:
        name = "security-header" if isinstance(refused, SecurityRefusal) else "soap"
        other = found("outside-profile", "/soap:Envelope", error=type(refused).__name__)
        seen = tuple(Explained(check=name, holds=False, diagnoses=(other,)) if one.check == name else one
                     for one in seen)
    return Explanation(checks=seen, differences=tuple(case.shown))


def _explained(name: str, wrong: list[Diagnosis] | None) -> Explained:
    """One check. The same cause at several parts is told once, at the first of them, with the names of all."""
    told: dict[tuple[str, ...], Diagnosis] = {}
    for one in wrong or ():
        key = (one.id, *(value for fact, value in one.facts.items() if fact != "part"))
        if key not in told:
            told[key] = one
        elif (part := one.facts.get("part")) and part not in told[key].facts["part"].split(", "):
            told[key] = replace(told[key], facts={**told[key].facts, "part": f"{told[key].facts['part']}, {part}"})
    return Explained(check=name, holds=None if wrong is None else not wrong,
                     diagnoses=tuple(told.values())[:_TOLD])


def _line(case: Case) -> GatewayError | None:
    """What the line itself refuses of a message in which nothing was found: an explanation may not call that good."""
    if case.sent.refused_as is not None:
        return case.sent.refused_as
    known = case.known
    try:
        parsed = parse(case.sent.octets, known.limits)
        read_addressing(parsed)
        if known.check_signer is not None and known.clock and not case.encrypted:
            verify(parsed, known.policy, known.check_signer, known.now)
    except TrustStale:
        return None  # the hub's own revocation lists, of which the certificate check tells
    except GatewayError as error:
        return error
    return None
