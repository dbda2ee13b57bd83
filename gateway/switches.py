"""What an operator has switched off for a while: parties that are drained, modules that are paused."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType


class SwitchKind(StrEnum):
    """What is switched off."""

    PARTY = "party"  # drained: takes part in no new message; what waits goes on
    MODULE = "module"  # paused: its services answer that they will be back


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch:
    """One thing that is off."""

    kind: SwitchKind
    name: str  # the party's id; `module` or `module/version`
    since: datetime  # aware UTC
    who: str
    why: str


@dataclass(frozen=True, slots=True)
class Switches:
    """Everything that is off at one moment: an immutable snapshot."""

    parties: Mapping[str, Switch]  # by id
    modules: Mapping[str, Switch]  # by `module` or `module/version`

    @classmethod
    def of(cls, switches: Iterable[Switch]) -> "Switches":
        off: dict[SwitchKind, dict[str, Switch]] = {kind: {} for kind in SwitchKind}
        for one in switches:
            off[one.kind][one.name] = one
        return cls(MappingProxyType(off[SwitchKind.PARTY]), MappingProxyType(off[SwitchKind.MODULE]))

    def drained(self, party: str) -> Switch | None:
        """Is this party (id) drained?"""
        return self.parties.get(party)

    def paused(self, module: str, version: str) -> Switch | None:
        """Is this version paused, or its whole module?"""
        return self.modules.get(module) or self.modules.get(f"{module}/{version}")

    def everything(self) -> tuple[Switch, ...]:
        """All that is off, parties first."""
        return (*self.parties.values(), *self.modules.values())


ALL_ON = Switches.of(())
