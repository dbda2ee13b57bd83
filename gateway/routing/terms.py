"""Until when a question is to be answered, and how long something waits; in working days, like people count them."""

from datetime import datetime, timedelta

from gateway.ports import WorkingDay
from gateway.routing.calendar import AMSTERDAM, expiry
from gateway.values import MessageType


def answer_due(
    message_type: MessageType, asked_at: datetime, answer_by: datetime | None, is_working_day: WorkingDay
) -> datetime | None:
    """The last moment for an answer in time: as the question itself says, else by its type; None: no term is agreed."""
    if answer_by is not None:
        return answer_by
    days = message_type.answer_working_days
    return None if days is None else expiry(asked_at, days, is_working_day)


def working_days_since(moment: datetime, now: datetime, is_working_day: WorkingDay) -> int:
    """How many working days have begun since the day of this moment, which itself does not count."""
    day, today, count = moment.astimezone(AMSTERDAM).date(), now.astimezone(AMSTERDAM).date(), 0
    while day < today:
        day += timedelta(days=1)
        count += is_working_day(day)
    return count
