"""The token bucket, alone and shared by processes, and what the quota says about it."""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import Misconfigured, Overloaded, RateLimited
from gateway.transport import OwnMeter, Quota, SharedMeter, quota
from gateway.transport.quota import draw
from gateway.values import Allowance

FEW = Allowance(requests_per_second=2, burst=3, connections=2)
A, B = "00000099000000001000", "00000099000000002000"


def deaf(event: str, facts: object) -> None:
    """Where nobody listens."""


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@given(st.lists(st.floats(0, 5), max_size=60), st.integers(1, 50), st.integers(1, 50))
def test_no_stretch_of_time_sees_more_than_burst_and_rate_allow(gaps: list[float], rate: int, burst: int) -> None:
    allowance = Allowance(requests_per_second=rate, burst=burst, connections=1)
    now, full_at, granted = 100.0, 0.0, list[float]()
    for gap in gaps:
        now += gap
        full_at, wait = draw(full_at, now, allowance)
        if not wait:
            granted.append(now)
        else:
            later, _ = draw(full_at, now + wait * 0.9, allowance)
            assert draw(full_at, now + wait * 0.9, allowance)[1] > 0, "the wait is no longer than it must be"
            assert draw(full_at, now + wait + 1e-6, allowance)[1] == 0, "nor shorter"
            assert later == full_at, "who is refused pays nothing"
    for first, since in enumerate(granted):
        for last in range(first, len(granted)):
            assert last - first + 1 <= burst + (granted[last] - since) * rate + 1e-3


def test_a_bucket_is_full_after_a_rest_and_never_fuller() -> None:
    full_at = 0.0
    for moment in (0.0, 1_000.0):
        waits = []
        for _ in range(FEW.burst + 1):
            full_at, wait = draw(full_at, moment, FEW)
            waits.append(wait)
        assert waits == [0.0, 0.0, 0.0, pytest.approx(0.5)]


@given(st.lists(st.tuples(st.floats(0, 2), st.sampled_from([A, B, ""])), max_size=40))
def test_a_shared_meter_counts_like_one_of_its_own(
    tmp_path_factory: pytest.TempPathFactory, draws: list[tuple[float, str]]
) -> None:
    """And the draws of two who share are one count."""
    path = tmp_path_factory.getbasetemp() / "run.meter"
    SharedMeter.make(path)
    own, shared, now = OwnMeter(), (SharedMeter(path), SharedMeter(path)), 50.0
    for number, (gap, oin) in enumerate(draws):
        now += gap
        assert shared[number % 2].draw(oin, now, FEW) == own.draw(oin, now, FEW)
    for meter in shared:
        meter.close()


def test_processes_share_a_bucket_to_the_token(tmp_path: Path) -> None:
    """Two at once draw until refused: together as many as the burst, none lost and none twice."""
    path = tmp_path / "run.meter"
    SharedMeter.make(path)
    code = (
        "import importlib.util, sys; from pathlib import Path; from gateway.values import Allowance\n"
        "spec = importlib.util.spec_from_file_location('quota', sys.argv[2])\n"  # without the rest of the room: quick
        "quota = sys.modules['quota'] = importlib.util.module_from_spec(spec); spec.loader.exec_module(quota)\n"
        "meter, count = quota.SharedMeter(Path(sys.argv[1])), 0\n"
        "allowance = Allowance(requests_per_second=1, burst=5000, connections=1)\n"
        "while not meter.draw('x', 100.0, allowance): count += 1\n"
        "print(count)\n")
    command = [sys.executable, "-c", code, path, quota.__file__]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(2)]
    counts = [int(one.communicate(timeout=60)[0]) for one in running]
    assert sum(counts) == 5_000


def test_a_shared_meter_says_when_it_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SharedMeter, "RECORDS", 2)
    SharedMeter.make(tmp_path / "run.meter")
    meter = SharedMeter(tmp_path / "run.meter")
    assert [meter.draw(oin, 5.0, FEW) for oin in (A, B, A)] == [0.0, 0.0, 0.0]
    with pytest.raises(Misconfigured, match="2 parties"):
        meter.draw("third", 5.0, FEW)
    meter.close()


def test_one_refusal_in_ten_seconds_is_said_in_full_and_the_others_are_counted() -> None:
    clock, heard = Clock(), list[tuple[str, object]]()
    quota = Quota(lambda oin: FEW, OwnMeter(), clock, lambda event, facts: heard.append((event, facts["code"])))
    assert [quota.request(A) for _ in range(3)] == [None, None, None]
    first = quota.request(A)
    assert first is not None
    assert first.retry_after == 1
    assert quota.may_say(A, first)
    assert quota.request(B) is None, "one party's flood is not another's"
    assert quota.may_say(A, Overloaded()), "another kind is said by itself"
    said = []
    for _ in range(21):
        clock.now += 0.49
        said.append([quota.may_say(A, first) for _ in range(4)])
    assert said == [[False] * 4] * 20 + [[True, False, False, False]], "9.8 seconds are not ten"
    for _ in range(7):
        quota.not_said(A, first)
    quota.not_said(A, Overloaded())
    quota.not_let_in(429)
    assert heard == [("turned-away", "SKP017")] * 7 + [("turned-away", "SKP901"), ("connection-refused", "429")]
    assert quota.untold() == {(A, RateLimited): 7, (A, Overloaded): 1}
    assert quota.untold() == {}


def test_retry_after_is_when_there_is_room() -> None:
    clock = Clock()
    slow = Allowance(requests_per_second=1, burst=30, connections=1)
    known = {A: slow}
    quota = Quota(known.get, OwnMeter(), clock, deaf)
    for _ in range(30):
        assert quota.request(A) is None
    known[A] = Allowance(requests_per_second=1, burst=10, connections=1)  # a stricter address book counts at once
    excess = quota.request(A)
    assert excess is not None
    assert excess.retry_after == 21
    clock.now += 20.5
    assert quota.request(A) is not None
    clock.now += 0.5
    assert quota.request(A) is None


def test_strangers_share_one_quota() -> None:
    """Whatever their certificates say: a thousand of them get no more than one."""
    quota = Quota(lambda oin: None, OwnMeter(), Clock(), deaf)
    granted = sum(quota.request(f"{number:020}") is None for number in range(1_000))
    assert granted == 50
    keys = {quota.connect(f"{number:020}") for number in range(51)}
    assert keys == {("", True), ("", False)}
    quota.not_said("9" * 20, RateLimited())
    assert quota.untold() == {("", RateLimited): 1}


def test_connections_are_counted_by_party_until_they_leave() -> None:
    quota = Quota(lambda oin: FEW, OwnMeter(), Clock(), deaf)
    assert [quota.connect(A)[1] for _ in range(3)] == [True, True, False]
    assert quota.connect(B) == (B, True)
    quota.leave(A)
    quota.leave(A)
    assert quota.connect(A) == (A, True)
