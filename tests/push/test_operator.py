"""What an operator sees of deliveries to parties' own services."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from typer.testing import CliRunner

from gateway.app import examine
from gateway.app.instance import utc_now
from gateway.app.pushed import push_check, push_metrics
from gateway.cli import app
from gateway.pipeline import deliver
from gateway.push_values import Breaker, BreakerState
from gateway.storage import Pushes
from tests.push.test_line_out import REF, Out, pushing
from tests.pushing import failing, well
from tests.test_docs import ENERGIE, keys_of, stated_commands, words


@pytest.fixture
def out(template: Path, tmp_path: Path) -> Iterator[Out]:
    with pushing(template, tmp_path / "instance") as made:
        yield made


def run(out: Out, *arguments: str) -> object:
    result = CliRunner().invoke(app, [*arguments, "--instance", str(out.line.instance.folder), "--json"])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def opened(breaker: Breaker) -> Breaker:
    return replace(breaker, state=BreakerState.OPEN, failures=5, openings=1, until=utc_now() + timedelta(minutes=5))


def fail_once(out: Out, *, again: timedelta = timedelta(0)) -> None:
    out.receiver.behaves(failing)
    claim = out.claim()
    out.outlet.outbox.settle(claim, deliver(claim, out.outlet), breaker=opened, next_at=out.line.at + again)


def stated(command: str) -> set[str]:
    return set(words(stated_commands()[f"gateway deliveries {command}"].rpartition(" | ")[2]))


def test_a_delivery_that_waits_is_listed_with_what_went_wrong_last(out: Out) -> None:
    (fresh,) = run(out, "deliveries", "list")
    assert (fresh["attempts"], fresh["result"], fresh["cause"], fresh["breaker"]) == (0, None, None, "closed")
    fail_once(out)
    (row,) = run(out, "deliveries", "list", "--party", "energie")
    assert set(row) == stated("list")
    assert (row["referentienummer"], row["ontvanger"], row["attempts"]) == (REF, ENERGIE, 1)
    assert (row["result"], row["breaker"]) == ("failed", "open")
    assert row["cause"] == "PeerFailed: a fault without a known code"
    assert run(out, "deliveries", "list", "--party", "deurwaarder") == []


def test_every_attempt_is_shown_also_when_it_is_delivered(out: Out) -> None:
    fail_once(out)
    out.attempt(well)
    rows = run(out, "deliveries", "show", REF)
    assert keys_of(rows) == stated("show")
    assert [(row["number"], row["result"]) for row in rows] == [(1, "failed"), (2, "delivered")]
    assert run(out, "messages", "show", REF)["attempts"] == rows
    assert run(out, "deliveries", "list") == []


def test_who_is_not_called_is_seen_by_party_health_metrics_and_doctor(out: Out) -> None:
    pushes = Pushes(out.line.store)
    assert push_check(pushes, out.line.at, str).text == "every service is called"
    fail_once(out)
    shown = run(out, "parties", "show", "energie")
    assert (shown["breaker"], shown["failures"]) == ("open", 5)
    assert shown["breaker_until"]
    check = push_check(pushes, out.line.at, lambda party: "energie")
    assert check.ok
    assert check.warning
    assert check.text.startswith("energie is not called until ")
    assert check.text.endswith(", 1 waiting")
    registry = CollectorRegistry()
    registry.register(Metrics(pushes, out))  # type: ignore[arg-type]
    series = generate_latest(registry).decode()
    assert 'gateway_push_breaker_open{party="energie"} 1.0' in series
    assert 'gateway_push_waiting{party="energie"} 1.0' in series
    (told,) = (one for one in examine(out.line.instance.folder) if one.name == "push")
    assert told.holds
    assert told.detail.startswith("energie is not called until")


class Metrics:
    def __init__(self, pushes: Pushes, out: Out) -> None:
        self._pushes, self._out = pushes, out

    def collect(self) -> object:
        return push_metrics(self._pushes, self._out.line.at, lambda party: "energie")


def test_a_queue_without_workers_is_said(out: Out) -> None:
    check = push_check(Pushes(out.line.store), out.line.at + timedelta(minutes=6), lambda party: "energie")
    assert check.warning
    assert "deliveries to energie are due since" in check.text
