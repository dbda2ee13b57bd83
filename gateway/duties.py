"""Duties: work beside the requests that is to be done once, whatever the number of processes and nodes.

What is known of one is a row that all of them share. Here is what follows from the row; storage/duties.py writes it.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

DONE: Final = "done"  # the outcome of a run without failure
_PATIENCE: Final = timedelta(minutes=5)  # beyond the interval: for a dead node's lease, a restart, a long run


@dataclass(frozen=True, slots=True, kw_only=True)
class DutyState:
    """One duty, as every node sees it. All times are aware UTC."""

    name: str
    every: timedelta  # from the start of one run to the start of the next
    since: datetime  # first registered
    node: str | None = None  # which runs it, or ran it last
    lease_until: datetime | None = None  # None: nobody runs it
    last_started: datetime | None = None
    last_ended: datetime | None = None
    last_done: datetime | None = None  # the last end without failure
    outcome: str | None = None  # of the last end: "done", or what failed

    def due(self, now: datetime) -> bool:
        """May somebody begin it now? A run that never ended, and whose lease did, is taken over at once."""
        if self.lease_until is not None and self.lease_until > now:
            return False
        if self.last_started is None or self.last_ended is None or self.last_ended < self.last_started:
            return True
        return self.last_started <= now - self.every

    def late(self, now: datetime) -> bool:
        """Was it not done for so long that somebody should look?"""
        return now > (self.last_done or self.since) + 2 * self.every + _PATIENCE
