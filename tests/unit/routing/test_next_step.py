"""When a delivery is tried again."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.push_values import Claim, Outcome, Result
from gateway.routing import Backoff, next_step, pushed_message_id
from gateway.values import SetKey

NOW = datetime(2031, 3, 3, 9, 30, tzinfo=UTC)
BACKOFF = Backoff(first=timedelta(seconds=5), cap=timedelta(minutes=15))
NOT_DELIVERED = [result for result in Result if result is not Result.DELIVERED]
TRIED_SOON = [result for result in NOT_DELIVERED if result is not Result.REFUSED]
jitters = st.floats(0, 1)


def step(result: Result, number: int = 1, jitter: float = 1.0, backoff: Backoff = BACKOFF) -> timedelta | None:
    claim = Claim(
        message=1, receiver="r", number=number, holder="h", lease_until=NOW, conversation=1, action="a",
        key=SetKey(module="m", version="1.0"), referentienummer="n", afzender="s", received_at=NOW, expires_at=NOW,
        message_digest=b"")
    at = next_step(claim, Outcome(result=result, started_at=NOW, ended_at=NOW), NOW, backoff=backoff, jitter=jitter)
    return None if at is None else at - NOW


def test_what_is_delivered_is_not_tried_again() -> None:
    assert step(Result.DELIVERED) is None


@pytest.mark.parametrize("result", TRIED_SOON)
def test_the_longest_wait_doubles_up_to_the_cap(result: Result) -> None:
    waits = [step(result, number) for number in (1, 2, 3, 8, 9, 10**6)]
    assert waits == [timedelta(seconds=seconds) for seconds in (5, 10, 20, 640, 900, 900)]


@given(st.sampled_from(NOT_DELIVERED), st.integers(1, 10**9), jitters, st.integers(1, 900), st.integers(1, 86_400))
def test_never_in_the_past_and_never_later_than_the_cap(
    result: Result, number: int, jitter: float, first: int, cap: int,
) -> None:
    wait = step(result, number, jitter, Backoff(first=timedelta(seconds=first), cap=timedelta(seconds=cap)))
    assert wait is not None
    assert timedelta(0) <= wait <= timedelta(seconds=cap)


@given(st.integers(1, 10**9), jitters)
def test_what_the_receiver_refuses_is_tried_slowly_from_the_first_time(number: int, jitter: float) -> None:
    wait = step(Result.REFUSED, number, jitter)
    assert wait is not None
    assert wait >= BACKOFF.cap / 2


def test_the_wait_is_anywhere_below_its_longest() -> None:
    assert [step(Result.UNREACHABLE, 3, jitter) for jitter in (0.0, 0.25)] == [timedelta(0), timedelta(seconds=5)]


def test_a_delivery_has_one_message_id_and_no_other_has_it() -> None:
    one = pushed_message_id("a", "1", "b")
    assert one == pushed_message_id("a", "1", "b")
    assert len({one, *(pushed_message_id(*each) for each in (("b", "1", "a"), ("a", "2", "b"), ("a", "1", "c")))}) == 4
    assert one.startswith("urn:uuid:")
