"""How often each party uses which tolerance: counted in memory, written down beside the requests.

A request must not pay a write for a remark, and the figures decide nothing. So a process that is killed loses what it
counted since the last flush, a minute at most.
"""

from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from typing import Final

from sqlalchemy import BindParameter, bindparam, case, insert, update

from gateway import ports
from gateway.storage.engine import Store
from gateway.storage.records import micros
from gateway.storage.session import Query
from gateway.storage.tables import tolerances
from gateway.storage.writer import Write

_FIRST: Final[BindParameter[int]] = bindparam("first")
_LAST: Final[BindParameter[int]] = bindparam("last")
# Several nodes and processes write here: each adds to what stands there.
_ADD = Query(
    update(tolerances)
    .where(tolerances.c.party == bindparam("who"), tolerances.c.tolerance == bindparam("what"))
    .values(first_seen=case((tolerances.c.first_seen > _FIRST, _FIRST), else_=tolerances.c.first_seen),
            last_seen=case((tolerances.c.last_seen < _LAST, _LAST), else_=tolerances.c.last_seen),
            count=tolerances.c.count + bindparam("times"))
    .returning(tolerances.c.count))
_BEGIN = Query(insert(tolerances).values(
    party=bindparam("who"), tolerance=bindparam("what"), first_seen=_FIRST, last_seen=_LAST, count=bindparam("times")))


@dataclass(slots=True, kw_only=True)
class _Tally:
    first: datetime
    last: datetime
    times: int


class SqlTolerances(ports.Tolerances):
    """The tolerances of one store. Safe between threads."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = Lock()
        self._noted: dict[tuple[str, str], _Tally] = {}  # by party and tolerance: bounded by the address book

    def note(self, party: str, used: tuple[str, ...], at: datetime) -> None:
        """See ports.Tolerances."""
        with self._lock:
            for one in used:
                self._merge((party, one), _Tally(first=at, last=at, times=1))

    def flush(self) -> None:
        """See ports.Tolerances."""
        with self._lock:
            noted, self._noted = self._noted, {}
        if not noted:
            return

        def work(write: Write) -> None:
            for (party, tolerance), tally in noted.items():
                values = {"who": party, "what": tolerance, "first": micros(tally.first), "last": micros(tally.last),
                          "times": tally.times}
                if write.one(_ADD, **values) is None:
                    write.run(_BEGIN, **values)

        try:
            self._store.write(work)
        except BaseException:
            with self._lock:
                for key, tally in noted.items():
                    self._merge(key, tally)
            raise

    def _merge(self, key: tuple[str, str], tally: _Tally) -> None:
        found = self._noted.get(key)
        if found is None:
            self._noted[key] = tally
        else:
            found.first, found.last = min(found.first, tally.first), max(found.last, tally.last)
            found.times += tally.times
