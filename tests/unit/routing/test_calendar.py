"""Terms in working days end when people expect them to."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.calendar_nl import GOOD_FRIDAY, LIBERATION_DAY, dutch_working_day, working_day
from gateway.routing.calendar import expiry

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
times = st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))
terms = st.integers(1, 30)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(("received", "days", "expires", "why"), [
    ("2026-11-02T09:00:00", 5, "2026-11-09T22:59:59", "Monday to Monday, winter time"),
    ("2026-07-06T09:00:00", 5, "2026-07-13T21:59:59", "Monday to Monday, summer time"),
    ("2026-07-04T09:00:00", 5, "2026-07-10T21:59:59", "a Saturday counts from Monday"),
    ("2026-12-21T12:00:00", 5, "2026-12-29T22:59:59", "Christmas on Friday and Saturday"),
    ("2026-12-28T12:00:00", 5, "2027-01-05T22:59:59", "New Year on Friday"),
    ("2026-04-02T12:00:00", 1, "2026-04-03T21:59:59", "Good Friday is a working day"),
    ("2026-04-03T12:00:00", 1, "2026-04-07T21:59:59", "Easter Monday is none"),
    ("2025-05-02T12:00:00", 1, "2025-05-06T21:59:59", "5 May 2025: lustrum"),
    ("2026-05-04T12:00:00", 1, "2026-05-05T21:59:59", "5 May 2026: none"),
    ("2026-03-27T12:00:00", 1, "2026-03-30T21:59:59", "over the start of summer time"),
    ("2026-10-23T12:00:00", 1, "2026-10-26T22:59:59", "over its end"),
    ("2026-11-02T22:59:59", 1, "2026-11-03T22:59:59", "the last second of Monday in Amsterdam"),
    ("2026-11-02T23:00:00", 1, "2026-11-04T22:59:59", "already Tuesday in Amsterdam"),
    ("2026-07-06T22:00:00", 1, "2026-07-08T21:59:59", "already Tuesday in Amsterdam, in summer"),
])
def test_expiry_of_known_days(received: str, days: int, expires: str, why: str) -> None:
    assert expiry(utc(received), days, dutch_working_day) == utc(expires), why


@given(times, terms)
def test_expiry_is_the_end_of_a_working_day_in_amsterdam(received: datetime, days: int) -> None:
    end = expiry(received, days, dutch_working_day)
    local = end.astimezone(AMSTERDAM)
    assert end.utcoffset() == timedelta(0)
    assert (local.hour, local.minute, local.second, local.microsecond) == (23, 59, 59, 0)
    assert dutch_working_day(local.date())


@given(times, terms)
def test_exactly_that_many_working_days_lie_between(received: datetime, days: int) -> None:
    first = received.astimezone(AMSTERDAM).date()
    last = expiry(received, days, dutch_working_day).astimezone(AMSTERDAM).date()
    between = (first + timedelta(days=n) for n in range(1, (last - first).days + 1))
    assert sum(map(dutch_working_day, between)) == days


@given(times, times, terms)
def test_who_comes_later_expires_no_earlier(one: datetime, other: datetime, days: int) -> None:
    early, late = sorted((one, other))
    assert expiry(early, days, dutch_working_day) <= expiry(late, days, dutch_working_day)


@given(times, terms)
def test_a_longer_term_ends_later(received: datetime, days: int) -> None:
    assert expiry(received, days, dutch_working_day) < expiry(received, days + 1, dutch_working_day)


@given(times, terms)
def test_the_zone_of_the_clock_does_not_matter(received: datetime, days: int) -> None:
    assert expiry(received.astimezone(AMSTERDAM), days, dutch_working_day) == expiry(received, days, dutch_working_day)


def test_agreed_days_are_holidays_where_the_settings_name_them() -> None:
    assert dutch_working_day(date(2026, 4, 3))
    assert not working_day(frozenset({GOOD_FRIDAY}))(date(2026, 4, 3))
    assert working_day(frozenset({GOOD_FRIDAY}))(date(2026, 5, 5))
    assert not working_day(frozenset({LIBERATION_DAY}))(date(2026, 5, 5))


@pytest.mark.parametrize("day", [
    "2026-01-01", "2026-04-06", "2026-04-27", "2026-05-14", "2026-05-25", "2026-12-25", "2025-04-26", "2028-12-26",
])
def test_public_holidays(day: str) -> None:
    assert not dutch_working_day(date.fromisoformat(day))


def test_a_time_without_zone_is_our_own_mistake() -> None:
    with pytest.raises(AssertionError, match="without zone"):
        expiry(datetime(2026, 1, 1), 5, dutch_working_day)
    with pytest.raises(AssertionError, match="at least one"):
        expiry(utc("2026-01-01T00:00:00"), 0, dutch_working_day)
