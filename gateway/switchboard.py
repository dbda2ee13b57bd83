"""What an operator switches off and on: parties are drained, modules are paused; and whether the hub's duties are done.

Rows are plain dictionaries with the keys of docs/contract.md §2; times are UTC.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol

from gateway.duties import DutyState
from gateway.errors import RefusedError
from gateway.ports import Clock
from gateway.switches import Switch, Switches, SwitchKind
from gateway.values import Party

Row = dict[str, object]


class Stored(Protocol):
    """The switches where every node reads them. `off` and `on` raise RefusedError when there is nothing to do."""

    def read(self) -> Switches: ...
    def off(self, switch: Switch) -> None: ...
    def on(self, kind: SwitchKind, name: str, *, who: str, why: str, now: datetime) -> None: ...
    def waiting(self, party: str, now: datetime) -> tuple[int, int]: ...


class ModuleVersion(NamedTuple):
    """A message set that can be paused."""

    module: str
    version: str
    title: str
    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Switchboard:
    """The operator's switches of one instance."""

    stored: Stored
    resolve: Callable[[str], Party]  # slug, name or id → party; raises ReceiverUnknown
    sets: Callable[[], Sequence[ModuleVersion]]
    states: Callable[[], Sequence[DutyState]]
    clock: Clock

    def drain(self, party: str, *, who: str, why: str) -> Row:
        """Accept no new messages to or from a party; what waits goes on. Raises RefusedError with the reason."""
        found = self.resolve(party)
        if not found.active:
            raise RefusedError(f"{found.slug} is not active: nothing is accepted to or from it anyway")
        if (drained := self.stored.read().drained(found.id)) is not None:
            raise RefusedError(f"{found.slug} {_since(drained)}")
        self.stored.off(Switch(kind=SwitchKind.PARTY, name=found.id, since=self.clock(), who=who, why=why))
        return self.party(party)

    def resume_party(self, party: str, *, who: str, why: str) -> Row:
        """Accept messages to and from a party again. Raises RefusedError when it is not drained."""
        found = self.resolve(party)
        if self.stored.read().drained(found.id) is None:
            raise RefusedError(f"{found.slug} is not drained")
        self.stored.on(SwitchKind.PARTY, found.id, who=who, why=why, now=self.clock())
        return self.party(party)

    def party(self, party: str) -> Row:
        """Is this party drained, since when and why; and how much still waits, to it and of what it sent."""
        found = self.resolve(party)
        to, sent = self.stored.waiting(found.id, self.clock())
        return {"id": found.id, "slug": found.slug, **_words(self.stored.read().drained(found.id), "drained"),
                "waiting_to": to, "waiting_from": sent}

    def pause(self, target: str, *, who: str, why: str) -> list[Row]:
        """Close the services of a module, or of one version of it. Raises RefusedError with the reason."""
        module, _ = self._known(target)
        off = self.stored.read().modules
        if (paused := off.get(target) or off.get(module)) is not None:
            raise RefusedError(f"{paused.name} {_since(paused)}")
        self.stored.off(Switch(kind=SwitchKind.MODULE, name=target, since=self.clock(), who=who, why=why))
        return self.modules(module)

    def resume_module(self, target: str, *, who: str, why: str) -> list[Row]:
        """Open the services of a module, or of one version, again. Raises RefusedError with the reason."""
        module, version = self._known(target)
        off = self.stored.read().modules
        if target not in off:
            if version and module in off:
                raise RefusedError(f"{module} is paused as a whole; resume {module}, then pause the other versions")
            only = [name for name in off if name.startswith(f"{module}/")]
            raise RefusedError(f"{target} is not paused" + (f"; only {', '.join(only)}" if only else ""))
        self.stored.on(SwitchKind.MODULE, target, who=who, why=why, now=self.clock())
        return self.modules(module)

    def modules(self, only: str | None = None) -> list[Row]:
        """Every message set of parties, or those of one module, and whether it is paused."""
        off = self.stored.read()
        return [{"module": one.module, "version": one.version, "title": one.title, "status": one.status,
                 **_words(off.paused(one.module, one.version), "paused")}
                for one in self.sets() if only in (None, one.module)]

    def duties(self) -> list[Row]:
        """What is done once for the whole hub: who does it, when it was last done, and whether it is late."""
        now = self.clock()
        return [{"name": one.name, "every_seconds": int(one.every.total_seconds()), "node": one.node,
                 "lease_until": one.lease_until, "last_started": one.last_started, "last_ended": one.last_ended,
                 "last_done": one.last_done, "outcome": one.outcome, "late": one.late(now)} for one in self.states()]

    def _known(self, target: str) -> tuple[str, str]:
        """`module` or `module/version`, when there is such a set. Raises RefusedError."""
        module, _, version = target.partition("/")
        sets = self.sets()
        versions = [one.version for one in sets if one.module == module]
        if not versions:
            known = ", ".join(dict.fromkeys(one.module for one in sets))
            raise RefusedError(f"no module '{module}' that can be paused; there are {known}")
        if target != module and version not in versions:
            raise RefusedError(f"no version '{version}' of {module}; there are {', '.join(versions)}")
        return module, version


def _since(switch: Switch) -> str:
    verb = "drained" if switch.kind is SwitchKind.PARTY else "paused"
    return f"was {verb} on {switch.since:%Y-%m-%dT%H:%M:%SZ} by {switch.who}: {switch.why}"


def _words(switch: Switch | None, name: str) -> Row:
    return {name: switch is not None, "since": switch and switch.since, "who": switch and switch.who,
            "why": switch and switch.why}
