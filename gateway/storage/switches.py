"""What is switched off, in the store: read by every process every two seconds, changed by an operator.

Each change is an entry of the journal in the same transaction.
"""

from datetime import datetime

from sqlalchemy import bindparam, delete, func, insert, select

from gateway.errors import RefusedError
from gateway.storage.engine import Store
from gateway.storage.listing import OPEN
from gateway.storage.records import OPERATOR, micros, moment_of
from gateway.storage.session import Query
from gateway.storage.tables import deliveries, messages, switches
from gateway.storage.writer import Write
from gateway.switches import Switch, Switches, SwitchKind

_ALL = Query(select(switches.c.kind, switches.c.name, switches.c.since, switches.c.who, switches.c.why)
             .order_by(switches.c.kind, switches.c.name))
_ADD = Query(insert(switches).values(kind=bindparam("what"), name=bindparam("which"), since=bindparam("at"),
                                     who=bindparam("by"), why=bindparam("reason")))
_THIS = (switches.c.kind == bindparam("what"), switches.c.name == bindparam("which"))
_ONE = Query(select(switches.c.name).where(*_THIS))
_REMOVE = Query(delete(switches).where(*_THIS))
_TO = Query(select(func.count()).where(deliveries.c.receiver == bindparam("party"),
                                       deliveries.c.state == bindparam("state"),
                                       deliveries.c.expires_at + 0 > bindparam("now")))  # + 0: as in mailbox.py
_FROM = Query(select(func.count()).select_from(deliveries.join(messages, messages.c.id == deliveries.c.message))
              .where(messages.c.afzender == bindparam("party"), deliveries.c.state.concat("") == bindparam("state"),
                     deliveries.c.expires_at + 0 > bindparam("now")))
_VERBS = {SwitchKind.PARTY: ("parties drain", "parties resume"), SwitchKind.MODULE: ("modules pause", "modules resume")}


class SqlSwitches:
    """The switches of one store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def read(self) -> Switches:
        """All that is off now. Raises StorageError."""
        with self._store.read() as session:
            return Switches.of(
                Switch(kind=SwitchKind(row[0]), name=row[1], since=moment_of(row[2]), who=row[3], why=row[4])
                for row in session.all(_ALL))

    def off(self, switch: Switch) -> None:
        """Switch it off; journaled. Raises RefusedError when it is off."""
        def work(write: Write) -> None:
            if write.one(_ONE, what=switch.kind.value, which=switch.name) is not None:
                raise RefusedError(f"{switch.name} is switched off already")
            write.run(_ADD, what=switch.kind.value, which=switch.name, at=micros(switch.since), by=switch.who,
                      reason=switch.why)
            _note(write, _VERBS[switch.kind][0], switch.name, switch.who, switch.why, switch.since)
        self._store.write(work)

    def on(self, kind: SwitchKind, name: str, *, who: str, why: str, now: datetime) -> None:
        """Switch it on again; journaled. Raises RefusedError when it is on."""
        def work(write: Write) -> None:
            if write.one(_ONE, what=kind.value, which=name) is None:
                raise RefusedError(f"{name} is not switched off")
            write.run(_REMOVE, what=kind.value, which=name)
            _note(write, _VERBS[kind][1], name, who, why, now)
        self._store.write(work)

    def waiting(self, party: str, now: datetime) -> tuple[int, int]:
        """How many open deliveries there are in their term: to this party (id), and of what it sent."""
        with self._store.read() as session:
            counts = [sum(session.all(query, party=party, state=state.value, now=micros(now))[0][0] for state in OPEN)
                      for query in (_TO, _FROM)]
        return counts[0], counts[1]


def _note(write: Write, verb: str, name: str, who: str, why: str, now: datetime) -> None:
    write.chain.append(OPERATOR, at=now, facts={"action": f"{verb} {name}", "who": who, "why": why})
