"""When a message expires: a whole number of working days, counted the way people count them."""

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from gateway.ports import WorkingDay

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
_LAST_SECOND = time(23, 59, 59)
_DAY = timedelta(days=1)


def expiry(received_at: datetime, working_days: int, is_working_day: WorkingDay) -> datetime:
    """The last second in which a message received then may still be collected or confirmed.

    Takes   an aware time; how many working days (at least 1); the calendar.
    Gives   aware UTC: 23:59:59 in Amsterdam on the n-th working day after the day of receipt there. The day of
            receipt itself never counts, and collecting does not restart the clock.
    Source  docs/contract.md §8 (the clock's start and end are this hub's reading of the published "5 werkdagen").
    """
    assert received_at.tzinfo is not None, "a time without zone has no day"
    assert working_days >= 1, "a term counts at least one day"
    return _expiry(received_at.astimezone(AMSTERDAM).date(), working_days, is_working_day)


@lru_cache(maxsize=64)  # all messages of a day share it
def _expiry(day: date, working_days: int, is_working_day: WorkingDay) -> datetime:
    while working_days:
        day += _DAY
        working_days -= is_working_day(day)
    return datetime.combine(day, _LAST_SECOND, AMSTERDAM).astimezone(UTC)
