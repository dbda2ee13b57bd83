"""The checks of an explanation as plain rows, for commands and the operator."""

from collections.abc import Iterable

from gateway.security import tell
from gateway.values import Explained


def in_words(checks: Iterable[Explained]) -> list[dict[str, object]]:
    """Every check with its title and its diagnoses in words, Dutch and English."""
    return [
        {"check": one.name, "nl": one.nl, "en": one.en, "holds": one.holds,
         "diagnoses": [each._asdict() for each in one.causes]}
        for one in tell(checks)
    ]
