"""What an operator must not forget of deliveries to parties' own services: who does not take them, and since when."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from gateway.app.watched import Name
from gateway.push_values import Breaker, BreakerState
from gateway.storage import Pushes
from gateway.transport import Check

_LATE: Final = timedelta(minutes=5)  # what is due for so long finds no worker: none runs, or too few


def push_words(pushes: Pushes, now: datetime, name: Name) -> str:
    """Parties that are not called, and work that no worker takes, in words; empty when all is well."""
    breakers, waiting = pushes.breakers(), pushes.waiting(now)
    words = [f"{name(party)} is not called until {breaker.until:%Y-%m-%dT%H:%M:%SZ}, {_count(waiting, party)} waiting"
             for party, breaker in breakers.items() if _open(breaker)]
    words += [f"deliveries to {name(party)} are due since {since:%Y-%m-%dT%H:%M:%SZ} and not tried"
              for party, (_, since) in waiting.items()
              if since is not None and now - since > _LATE and not _open(breakers.get(party, Breaker()))]
    return "; ".join(words)


def push_check(pushes: Pushes, now: datetime, name: Name) -> Check:
    """For /health/ready: another's service that is down is no illness of the hub."""
    words = push_words(pushes, now, name)
    return Check(ok=True, warning=bool(words), text=words or "every service is called")


def push_metrics(pushes: Pushes, now: datetime, name: Name) -> Iterable[Metric]:
    """What waits, by party; attempts by result are events of each process."""
    number = GaugeMetricFamily("gateway_push_waiting", "Open deliveries to a party's own service", labels=["party"])
    due = GaugeMetricFamily("gateway_push_due_seconds", "Since the first of them may be tried", labels=["party"])
    for party, (count, since) in pushes.waiting(now).items():
        number.add_metric([name(party)], count)
        due.add_metric([name(party)], 0.0 if since is None else (now - since).total_seconds())
    opened = GaugeMetricFamily("gateway_push_breaker_open", "1: the party's service is not called", labels=["party"])
    for party, breaker in pushes.breakers().items():
        opened.add_metric([name(party)], float(_open(breaker)))
    yield from (number, due, opened)


def _open(breaker: Breaker) -> bool:
    return breaker.state is not BreakerState.CLOSED


def _count(waiting: Mapping[str, tuple[int, datetime | None]], party: str) -> int:
    return waiting[party][0] if party in waiting else 0
