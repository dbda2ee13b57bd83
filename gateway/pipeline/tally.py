"""How much refusals may write to the journal: of one kind a few in full, the rest as a number.

Whoever is refused cheaply can be refused a thousand times a second, and the journal keeps everything for ever. So of
one kind of refusal of one caller the first are written down as they come, and what follows is counted until `due` is
asked for, once a minute. Nothing is lost: written and counted together are all there were.
"""

import threading
from dataclasses import dataclass
from typing import Final

from gateway.values import Refusal

_FIRST: Final = 10  # of one kind between two askings: enough to see what somebody does wrong
_KINDS: Final = 1_000  # kept apart; callers beyond them are counted together

Kind = tuple[str, str]  # error class; OIN of the caller, or else the digest of its certificate


@dataclass(slots=True, kw_only=True)
class _Count:
    written: int = 0
    counted: int = 0
    last: Refusal


class Tally:
    """The refusals since `due` was last asked. Safe for many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[Kind, _Count] = {}

    def write_down(self, refusal: Refusal) -> bool:
        """Is this one to be journaled now? If not, it is counted."""
        with self._lock:
            count = self._of(refusal)
            if count.written < _FIRST:
                count.written += 1
                return True
            count.counted, count.last = count.counted + 1, refusal
            return False

    def add(self, refusal: Refusal, times: int) -> None:
        """Refusals that were counted elsewhere, and one of them."""
        with self._lock:
            count = self._of(refusal)
            count.counted, count.last = count.counted + times, refusal

    def due(self) -> list[tuple[Refusal, int]]:
        """The last refusal of each kind that was counted and how many there were; begins anew."""
        with self._lock:
            counts, self._counts = self._counts, {}
        return [(count.last, count.counted) for count in counts.values() if count.counted]

    def _of(self, refusal: Refusal) -> _Count:
        kind = (refusal.error, refusal.caller_oin or refusal.caller_certificate or "")
        if kind not in self._counts and len(self._counts) >= _KINDS:
            kind = (refusal.error, "")
        return self._counts.setdefault(kind, _Count(last=refusal))
