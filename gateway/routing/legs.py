"""One message, several addressees: which of them it goes to, and when it goes to none (docs/decisions/0026).

A leg that is refused does not undo the others. Only when nobody is left is the message refused, with the fault of the
first leg; of more than one, the fault says of each leg why.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, TypeVar

from gateway.errors import Draining, RefusedError, row
from gateway.values import Finding, Party, RefusedLeg

T = TypeVar("T")
Result = TypeVar("Result")

_FINDINGS: Final = 20  # a fault says no more (docs/contract.md §7)


@dataclass(frozen=True, slots=True)
class Refused:
    """An addressee, by id, that does not get the message, and why."""

    receiver: str
    error: RefusedError | Draining

    @property
    def leg(self) -> RefusedLeg:
        return RefusedLeg(receiver=self.receiver, code=row(self.error).code, error=type(self.error).__name__,
                          reason=self.error.detail)


@dataclass(frozen=True, slots=True, kw_only=True)
class Addressed:
    """The addressees of one message."""

    receivers: tuple[Party, ...]
    refused: tuple[Refused, ...] = ()


def sift(
    legs: Iterable[T], judge: Callable[[T], Result], receiver: Callable[[T], str], before: tuple[Refused, ...] = ()
) -> tuple[tuple[Result, ...], tuple[Refused, ...]]:
    """What `judge` makes of each leg, and the legs that it refused, after those refused `before`.

    `receiver` names a leg's addressee (id). Raises RefusedError or Draining when no leg is left.
    """
    found: list[Result] = []
    refused = list(before)
    for one in legs:
        try:
            found.append(judge(one))
        except (RefusedError, Draining) as error:
            refused.append(Refused(receiver(one), error))
    if refused and not found:
        raise whole(refused)
    return tuple(found), tuple(refused)


def whole(refused: list[Refused]) -> RefusedError | Draining:
    """The refusal of a message of which every leg was refused."""
    first = refused[0].error
    if len(refused) > 1:
        first.findings = (*first.findings, *(_finding(one) for one in refused))[:_FINDINGS]
    return first


def _finding(one: Refused) -> Finding:
    told = row(one.error)
    return Finding(xpath="/*/kn:Berichtheader/kn:Stuurgegevens", rule=told.code,
                   nl=f"Ontvanger {one.receiver}: {told.text}", en=f"Addressee {one.receiver}: {told.text_en}")
