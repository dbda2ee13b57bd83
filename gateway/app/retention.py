"""The retention rule, beside the requests (docs/privacy.md §3)."""

from collections.abc import Callable

from gateway.app.instance import utc_now
from gateway.app.log import Log
from gateway.storage import Pruned, Pruning, Store, months_later


def retention(store: Store, months: int, log: Log) -> Callable[[], None]:
    """Drop metadata that is older than so many months; nearly always there is none."""
    pruning = Pruning(store)

    def prune() -> None:
        now = utc_now()
        done = pruning.prune(before=months_later(now, -months), now=now)
        if done != Pruned():
            log("pruned", {"entries": done.entries, "messages": done.messages, "certificates": done.certificates})

    return prune
