"""`python -m benchmarks.octets [N]`: octets per message on disk, for docs/operations/sizing.md.

N messages (default 5,000) of 2 and of 400 claims go the way in, are collected and confirmed. The database is measured
after each step, as pages in use; nothing of it depends on the machine. Needs about 2 ms of processor per message.
"""

import json
import sqlite3
import sys
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Final

from benchmarks.world import World, world
from gateway.app.instance import new_id
from gateway.pipeline import answer
from gateway.values import Received

_CLAIMS: Final = (2, 400)


def main(count: int) -> None:
    for claims in _CLAIMS:
        with world() as hub:
            print(json.dumps(_measured(hub, claims, count)))


def _measured(hub: World, claims: int, count: int) -> dict[str, object]:
    file = hub.instance.folder / "gateway.db"
    numbers = [new_id() for _ in range(count)]
    requests = hub.questions(numbers, claims)
    sizes = [_used(file)]
    network = 0
    for step in (requests, hub.asked("HaalBerichtOp", numbers), hub.asked("BevestigBericht", numbers)):
        network += sum(len(received.octets) for received in step) + _serve(hub, step)
        sizes.append(_used(file))
    per = [(size - sizes[0]) / count for size in sizes[1:]]
    return {"claims": claims, "request": len(requests[0].octets), "waiting": per[0], "collected": per[1],
            "confirmed": per[2], "network": network / count, "rows": _rows(file, count)}


def _serve(hub: World, requests: Iterable[Received]) -> int:
    """Octets of the answers."""
    told = 0
    for received in requests:
        reply = answer(received, hub.gate)
        assert reply.status == 200, reply.octets[-800:]
        told += len(reply.octets)
    return told


def _used(file: Path) -> int:
    """Octets of the pages that hold something, the log included."""
    with closing(sqlite3.connect(file)) as database:
        pages, free, size = (database.execute(f"PRAGMA {name}").fetchone()[0]
                             for name in ("page_count", "freelist_count", "page_size"))
    return int((pages - free) * size)


def _rows(file: Path, count: int) -> dict[str, float]:
    """Rows per message of each table that grows with them."""
    with closing(sqlite3.connect(file)) as database:
        tables = [row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        rows = {name: database.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for name in tables}
    return {name: round(found / count, 2) for name, found in rows.items() if found >= count / 2}


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5_000)
