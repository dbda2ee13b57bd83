"""The retention rule, beside the requests (docs/privacy.md §3)."""

from gateway.app.instance import utc_now
from gateway.app.log import Log
from gateway.storage import Pruned, Pruning, Store, months_later
from gateway.transport import Background


def retention(store: Store, months: int, log: Log) -> Background:
    """Drop metadata that is older than so many months; nearly always there is none."""
    pruning = Pruning(store)

    def prune() -> None:
        now = utc_now()
        done = pruning.prune(before=months_later(now, -months), now=now)
        if done != Pruned():
            log("pruned", {"entries": done.entries, "messages": done.messages, "certificates": done.certificates})

    return Background(seconds=3600, function=prune)
