"""Revocation lists that the hub keeps current: refused when nobody proved them, alarmed before, good again after."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway.app.health import ready_checks, store_metrics
from gateway.app.instance import utc_now
from gateway.app.log import Log
from gateway.app.revocation import Watch
from gateway.errors import TrustStale
from gateway.security import make_crl
from gateway.storage import Checkpoints, Reports
from gateway.transport import Check
from tests.command import gateway
from tests.hostile.attack import Canary, Target
from tests.hostile.certificates import serial
from tests.line import code, make_line
from tests.publisher import Publisher, publishing

Make = Callable[[str], Target]


@pytest.fixture
def ca() -> Iterator[Publisher]:
    with publishing() as made:
        yield made


@pytest.fixture
def hub(template: Path, tmp_path: Path, canary: Canary) -> Iterator[Make]:
    """A hub whose [trust] crls is what is given; its CA publishes what lies in published.crl."""
    made: list[Target] = []

    def make(crls: str) -> Target:
        def change(folder: Path) -> None:
            (folder / "pki" / "ca.crl").touch()  # the template may be minutes old
            file = folder / "gateway.toml"
            file.write_text(file.read_text("utf-8").replace('crls = ["pki/ca.crl"]', f"crls = [{crls}]"), "utf-8")

        target = Target(line=make_line(template, tmp_path / "i", change=change), canary=canary)
        made.append(target)
        return target

    yield make
    for target in made:
        target.close()


def list_of(target: Target) -> Path:
    return target.line.instance.folder / "pki" / "ca.crl"


def watch(target: Target, events: list[tuple[str, dict]]) -> Watch:
    line = target.line
    return Watch(line.instance.settings.trust, line.trust, lambda: line.at,
                 lambda event, facts: events.append((event, dict(facts))))


@pytest.mark.clause("WT004", "WT005", "PKI003", "PKI004", "§6.3")
def test_a_list_with_an_address_is_fetched_before_it_is_too_old(ca: Publisher, hub: Make) -> None:
    target = hub(f'{{ file = "pki/ca.crl", url = "{ca.url}" }}')
    line, events = target.line, []
    ca.gives(list_of(target).read_bytes())
    line.skip(hours=3, minutes=59)
    target.still_serves("gemeente")
    line.skip(minutes=2)
    target.repels(target.signed(), TrustStale, reason="is over 4:00:00 old")
    watch(target, events).fetch(line.trust.renew)
    assert events == [("crl-fetched", {"list": "ca.crl", "outcome": "current"})]
    target.still_serves("gemeente")
    watch(target, events).fetch(line.trust.renew)  # not due: nothing is asked
    assert len(ca.asked) == 1


def test_a_revocation_counts_as_soon_as_its_list_is_fetched(ca: Publisher, hub: Make) -> None:
    target = hub(f'{{ file = "pki/ca.crl", url = "{ca.url}" }}')
    line, events, path = target.line, [], list_of(target)
    before = path.read_bytes()
    make_crl(path.parent, [serial(line.identity("gemeente").certificate)], line.at)
    ca.gives(path.read_bytes())
    path.write_bytes(before)
    line.skip(hours=2)
    assert code(line.post(target.signed())) is None
    watch(target, events).fetch(line.trust.renew)
    assert [facts["outcome"] for _, facts in events] == ["new"]
    assert code(line.post(target.signed())) == "SKP015"
    assert "is revoked" in line.refusals()[-1]


def test_when_the_ca_is_not_there_the_last_good_list_counts_and_the_alarm_goes_first(ca: Publisher, hub: Make) -> None:
    target = hub(f'{{ file = "pki/ca.crl", url = "{ca.url}" }}')
    line, events = target.line, []
    ca.gives(b"", status="503 Service Unavailable")
    keeper = watch(target, events)
    line.skip(hours=1, minutes=5)
    keeper.fetch(line.trust.renew)
    assert [event for event, _ in events] == ["crl-not-fetched"]
    line.skip(hours=1)
    keeper.fetch(line.trust.renew)
    keeper.fetch(line.trust.renew)
    assert [event for event, _ in events[1:]] == ["crl-not-fetched", "crl-lapsing"]  # tried once, told once
    assert events[-1][1]["list"] == "ca.crl"
    target.still_serves("gemeente")
    line.skip(hours=2)
    target.repels(target.signed(), TrustStale, reason="is over 4:00:00 old")


def test_health_metrics_and_doctor_warn_before_a_list_lapses(ca: Publisher, hub: Make) -> None:
    target = hub(f'{{ file = "pki/ca.crl", url = "{ca.url}" }}')
    line, path = target.line, list_of(target)

    def aged(hours: float) -> tuple[Check, float]:
        """What is told when the list was last proven so long ago."""
        moment = utc_now().timestamp() - 3600 * hours
        os.utime(path, (moment, moment))
        line.trust.renew()
        reports = Reports(line.store)
        (left,) = (one for one in store_metrics(Log(), line.trust, reports, Checkpoints(line.store))
                   if one.name == "gateway_crl_seconds_to_lapse")
        return ready_checks(line.instance, line.trust, reports)["trust"], left.samples[0].value

    check, left = aged(1)
    assert (check.ok, check.warning) == (True, False)
    assert 3 * 3600 - 60 < left <= 3 * 3600
    check, left = aged(4.1)
    assert (check.ok, left < 0) == (False, True)
    check, left = aged(2.1)
    assert (check.ok, check.warning) == (True, True)
    assert "ca.crl lapses at" in check.text
    ran = gateway("doctor", line.instance.folder, "--json")
    (told,) = (one for one in ran.json if one["check"] == "trust")
    assert (told["holds"], told["detail"]) == (True, check.text)
    assert "gateway certs fetch" in told["remedy"]


def test_a_list_that_somebody_else_renews_ages_by_its_file(hub: Make) -> None:
    target = hub('{ file = "pki/ca.crl" }')
    line, path = target.line, list_of(target)
    line.skip(hours=4, minutes=1)
    target.repels(target.signed(), TrustStale, reason="is over 4:00:00 old")
    os.utime(path, (line.at.timestamp(), line.at.timestamp()))  # as a timer does that puts the same list there
    line.trust.renew()
    target.still_serves("gemeente")


def test_a_static_list_counts_for_as_long_as_it_can_be_read(hub: Make) -> None:
    """A throw-away PKI renews its list once a month; the CA's own nextUpdate bounds it."""
    target = hub('"pki/ca.crl"')
    target.line.skip(days=20)
    target.still_serves("gemeente")
    target.line.skip(days=11)
    target.repels(target.signed(), TrustStale, reason="was to be renewed by")


def test_certs_fetch_does_one_round_now(ca: Publisher, hub: Make) -> None:
    folder = hub(f'{{ file = "pki/ca.crl", url = "{ca.url}" }}').line.instance.folder
    path = folder / "pki" / "ca.crl"
    ca.gives(path.read_bytes())
    assert json.loads(gateway("certs", "fetch", folder, "--json").octets) == [
        {"file": "ca.crl", "url": ca.url, "outcome": "current", "detail": ""}]
    path.unlink()
    ran = gateway("certs", "fetch", folder)
    assert (ran.code, ran.out) == (0, f"ca.crl: new ({ca.url})\n")
    assert path.is_file()
    ca.gives(b"nonsense")
    ran = gateway("certs", "fetch", folder)
    assert ran.code == 1
    assert "fetched revocation list refused: revocation list cannot be read; the one in hand stays" in ran.out


def test_certs_fetch_without_any_address_says_what_to_write(template: Path) -> None:
    ran = gateway("certs", "fetch", template)
    assert ran.code == 1
    assert "no list in [trust] crls has a url" in ran.err
