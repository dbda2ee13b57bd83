"""What an operator must not forget: what is switched off, and duties of the hub that are not done."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from gateway.duties import DutyState
from gateway.switches import Switches, SwitchKind
from gateway.transport import Check

_VERBS = {SwitchKind.PARTY: "drained", SwitchKind.MODULE: "paused"}

Name = Callable[[str], str]  # a party's id → how an operator knows it


def switched_off(switches: Switches, name: Name) -> str:
    """All that is off, in words; empty when everything is on."""
    return "; ".join(f"{_name(one.kind, one.name, name)} {_VERBS[one.kind]} since {one.since:%Y-%m-%dT%H:%M:%SZ}"
                     for one in switches.everything())


def switches_check(switches: Switches, name: Name) -> Check:
    """For /health/ready: a pause is no illness, but it should not be forgotten."""
    words = switched_off(switches, name)
    return Check(ok=True, warning=bool(words), text=words or "everything is on")


def late_duties(states: Sequence[DutyState], now: datetime) -> str:
    """The duties that somebody should look at, in words; empty when there are none."""
    return "; ".join(f"{one.name} was last done {_when(one.last_done)}" + (f" ({one.outcome})" if one.outcome else "")
                     for one in states if one.late(now))


def watched_metrics(switches: Switches, states: Sequence[DutyState], now: datetime, name: Name) -> Iterable[Metric]:
    """Ages, so that an alarm needs no history."""
    off = GaugeMetricFamily("gateway_switched_off_seconds", "Since a party was drained or a module paused",
                            labels=["kind", "name"])
    for one in switches.everything():
        off.add_metric([one.kind.value, _name(one.kind, one.name, name)], (now - one.since).total_seconds())
    yield off
    age = GaugeMetricFamily("gateway_duty_age_seconds", "Since a duty of the hub was last done", labels=["duty"])
    late = GaugeMetricFamily("gateway_duty_late", "Was a duty of the hub not done for too long", labels=["duty"])
    for state in states:
        age.add_metric([state.name], (now - (state.last_done or state.since)).total_seconds())
        late.add_metric([state.name], float(state.late(now)))
    yield age
    yield late


def _name(kind: SwitchKind, name: str, party: Name) -> str:
    return party(name) if kind is SwitchKind.PARTY else name


def _when(moment: datetime | None) -> str:
    return f"at {moment:%Y-%m-%dT%H:%M:%SZ}" if moment is not None else "never"
