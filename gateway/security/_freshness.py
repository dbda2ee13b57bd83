"""The Timestamp of a WS-Security header: within the window that the policy gives."""

import re
from datetime import datetime, timedelta
from itertools import islice
from typing import Final, Protocol

from gateway.errors import TimestampStale
from gateway.names import WSU, clark
from gateway.soap import Element

_TIMES: Final = ([clark(WSU, "Created")], [clark(WSU, "Created"), clark(WSU, "Expires")])
_UTC: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:[0-5]\d(?:\.\d{1,3})?Z")
_DRIFT: Final = timedelta(seconds=5)  # a clock that is this far off is not synchronised


class Window(Protocol):
    """What a policy says of time (wsse.SecurityPolicy)."""

    @property
    def skew(self) -> timedelta: ...
    @property
    def max_age(self) -> timedelta: ...
    @property
    def max_span(self) -> timedelta: ...


def check_fresh(timestamp: Element, policy: Window, now: datetime) -> bool:
    """WB002, SMS §10, BSP R3203, R3213-R3229: Created ≤ now + skew; now ≤ min(Expires, Created + age) + skew.

    Did it take the skew for that to hold?
    """
    times = list(islice(timestamp, 3))
    if [child.tag for child in times] not in _TIMES:
        raise TimestampStale("a Timestamp holds Created, then at most one Expires")
    created = _moment(times[0])
    if created > now + policy.skew:  # first: nothing can be added to the last moment there is
        raise TimestampStale(f"Created is {(created - now).total_seconds():.0f} s ahead of the hub's clock")
    limit = created + policy.max_age
    if len(times) == 2:
        expires = _moment(times[1])
        if not created < expires <= created + policy.max_span:
            raise TimestampStale("Expires is not within the allowed span after Created")
        limit = min(limit, expires)
    if now > limit + policy.skew:
        raise TimestampStale(f"expired {(now - limit).total_seconds():.0f} s ago by the hub's clock")
    return created > now + _DRIFT or now > limit


def _moment(element: Element) -> datetime:
    value = (element.text or "").strip()
    if len(element) or element.keys() or not _UTC.fullmatch(value):
        raise TimestampStale("a time must be UTC with Z and at most three decimals")
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        raise TimestampStale("no such date or time") from None
