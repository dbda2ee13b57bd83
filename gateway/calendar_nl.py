"""The Dutch working day, for terms that count in working days.

Monday to Friday without the public holidays. Two days are matters of agreement: Good Friday is a working day here
unless the settings name it, and 5 May is one except in the lustrum years (…2025, 2030…), unless the settings name it
(docs/decisions/0007). `holidays` is imported when the first day is asked: it costs start-up time.
"""

from collections.abc import Callable
from datetime import date
from functools import lru_cache

GOOD_FRIDAY = "goede-vrijdag"
LIBERATION_DAY = "bevrijdingsdag"


def dutch_working_day(day: date) -> bool:
    """Is this a Dutch working day? Goede Vrijdag is one; Bevrijdingsdag is one except in lustrum years."""
    return day.weekday() < 5 and day not in _holidays(day.year, frozenset())


def working_day(extra: frozenset[str]) -> Callable[[date], bool]:
    """The calendar in which the named days (GOOD_FRIDAY, LIBERATION_DAY) are holidays too."""
    return lambda day: day.weekday() < 5 and day not in _holidays(day.year, extra)


@lru_cache(maxsize=64)  # the library fills its own dictionary while it is read, which threads must not share
def _holidays(year: int, extra: frozenset[str]) -> frozenset[date]:
    import holidays

    found = holidays.country_holidays("NL", years=year, language="en_US")
    days = {day for day, name in found.items() if name != "Good Friday" or GOOD_FRIDAY in extra}
    if LIBERATION_DAY in extra:
        days.add(date(year, 5, 5))
    return frozenset(days)
