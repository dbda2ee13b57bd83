"""The breaker is a table: each state, each result; and what holds for any sequence of calls."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.push_values import Breaker, BreakerState, Result
from gateway.routing import BreakerRules, admitted, after

NOW = datetime(2031, 3, 3, 9, 30, tzinfo=UTC)
SECOND = timedelta(seconds=1)
LEASE = NOW + timedelta(minutes=2)
RULES = BreakerRules(failures=3, refusals=5, first=10 * SECOND, cap=60 * SECOND)
OPEN = Breaker(state=BreakerState.OPEN, failures=3, openings=1, until=NOW + 10 * SECOND)
HALF = replace(OPEN, state=BreakerState.HALF_OPEN, until=LEASE)
FAILURES = (Result.UNREACHABLE, Result.FAILED, Result.INVALID)


def told(breaker: Breaker, *results: Result, number: int = 1, at: datetime = NOW) -> Breaker:
    for result in results:
        breaker = after(breaker, result, number, at, RULES)
    return breaker


@pytest.mark.parametrize("kind", FAILURES)
def test_opens_after_so_many_failures_in_a_row(kind: Result) -> None:
    assert told(Breaker(), kind, kind).state is BreakerState.CLOSED
    assert told(Breaker(), kind, kind, kind) == OPEN


def test_a_delivery_between_them_begins_the_count_anew() -> None:
    down = Result.UNREACHABLE
    assert told(Breaker(), down, down, Result.DELIVERED, down, down) == Breaker(failures=2)


def test_one_message_that_is_refused_over_and_over_opens_nothing() -> None:
    assert told(Breaker(), *[Result.REFUSED] * 50, number=2).state is BreakerState.CLOSED


def test_a_party_that_refuses_every_message_is_not_called_for_a_while() -> None:
    assert told(Breaker(), *[Result.REFUSED] * 4).state is BreakerState.CLOSED
    assert told(Breaker(), *[Result.REFUSED] * 5).state is BreakerState.OPEN


def test_a_refusal_is_an_answer_so_the_service_is_up() -> None:
    down = Result.UNREACHABLE
    assert told(Breaker(), down, down, Result.REFUSED, down, down).state is BreakerState.CLOSED
    assert told(HALF, Result.REFUSED, number=4).state is BreakerState.CLOSED


def test_our_own_failures_say_nothing_of_a_party() -> None:
    assert told(Breaker(failures=2), *[Result.UNSENT] * 9) == Breaker(failures=2)


def test_open_lets_nothing_begin_until_its_time_is_over_and_then_one() -> None:
    assert admitted(OPEN, NOW + 10 * SECOND - timedelta(microseconds=1), LEASE) == (0, OPEN)
    assert admitted(OPEN, NOW + 10 * SECOND, LEASE) == (1, HALF)


def test_half_open_lets_nothing_more_begin_until_word_comes_or_the_lease_ends() -> None:
    assert admitted(HALF, LEASE - SECOND, LEASE) == (0, HALF)
    assert admitted(HALF, LEASE, LEASE + SECOND)[0] == 1


def test_one_that_could_not_be_sent_leaves_the_try_to_another() -> None:
    assert admitted(told(HALF, Result.UNSENT), NOW, LEASE)[0] == 1


def test_half_open_closes_with_a_delivery_and_opens_for_longer_with_a_failure() -> None:
    assert told(HALF, Result.DELIVERED) == Breaker()
    times = []
    breaker = OPEN
    for _ in range(5):
        breaker = told(replace(breaker, state=BreakerState.HALF_OPEN), Result.FAILED)
        assert breaker.until is not None
        times.append(breaker.until - NOW)
    assert times == [20 * SECOND, 40 * SECOND, *[60 * SECOND] * 3]


def test_calls_that_were_under_way_when_it_opened_do_not_prolong_it() -> None:
    assert told(OPEN, *[Result.FAILED] * 9, at=NOW + SECOND).until == OPEN.until
    assert told(OPEN, Result.DELIVERED) == Breaker()


@given(st.lists(st.tuples(st.sampled_from(Result), st.integers(1, 3), st.integers(0, 90)), max_size=60))
def test_whatever_comes_it_is_never_open_for_longer_than_the_cap_and_a_delivery_always_closes_it(
    calls: list[tuple[Result, int, int]],
) -> None:
    breaker, now = Breaker(), NOW
    for result, number, seconds in calls:
        now += timedelta(seconds=seconds)
        room, begun = admitted(breaker, now, now + timedelta(minutes=2))
        if room != 0:
            breaker = after(begun, result, number, now, RULES)
        if breaker.state is BreakerState.OPEN:
            assert breaker.until is not None
            assert breaker.until - now <= RULES.cap
        if room != 0 and result is Result.DELIVERED:
            assert breaker == Breaker()
