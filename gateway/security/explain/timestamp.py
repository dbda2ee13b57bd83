"""The Timestamp: its form, its span, and how far the sender's clock is off and why that may be.

Source: Digikoppeling WB002; WSS SMS §10; BSP R3203, R3213-R3229; docs/profile.md §8.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from gateway.names import WSU, clark
from gateway.security.explain.case import TIMESTAMP, Case, found
from gateway.soap import Element
from gateway.values import Diagnosis

_CREATED, _EXPIRES = clark(WSU, "Created"), clark(WSU, "Expires")
_PROFILE: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:[0-5]\d(?:\.\d{1,3})?Z")
_MOMENT: Final = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:[0-5]\d)(?:\.(\d{1,12}))?(Z|[+-]\d\d:\d\d)?")
_IN_OCTETS: Final = re.compile(rb"Created[^<>]{0,200}>\s*([0-9TZ:.+-]{19,40})\s*<")
# How near to a whole hour a difference must be to look like a time zone, and how many hours there are.
_NEAR_HOUR: Final = timedelta(minutes=5)
_ZONES: Final = 14


def stated_created(octets: bytes) -> datetime | None:
    """The first wsu:Created in a file, however it is written; None when there is none that reads as a moment."""
    match = _IN_OCTETS.search(octets)
    return _read(match[1].decode()) if match else None


def timestamp(case: Case) -> list[Diagnosis] | None:
    """Created, then at most one Expires, UTC with Z; within the window around `now`."""
    element = None if case.security is None else case.security.find(TIMESTAMP)
    if element is None:
        return None
    children = list(element.iterchildren("{*}*"))[:4]
    if [one.tag for one in children] not in ([_CREATED], [_CREATED, _EXPIRES]):
        return [found("timestamp-layout", element)]
    wrong = [found(one, child) for child in children if (one := _form(child))]
    moments = [_read((child.text or "").strip()) for child in children]
    if moments[0] is None:
        return wrong
    return wrong + _span(case, element, moments[0], moments[1] if len(moments) > 1 else None)


def _form(element: Element) -> str | None:
    """What is wrong with how one moment is written."""
    value = (element.text or "").strip()
    if element.attrib or len(element):
        return "timestamp-attributes"
    if _PROFILE.fullmatch(value):
        return None if _read(value) else "timestamp-form"
    match = _MOMENT.fullmatch(value)
    if match is None:
        return "timestamp-form"
    if match[3] is None:
        return "timestamp-no-zone"
    return "timestamp-offset" if match[3] != "Z" else "timestamp-decimals"


def _read(value: str) -> datetime | None:
    match = _MOMENT.fullmatch(value)
    if match is None:
        return None
    try:
        moment = datetime.fromisoformat(match[1] + "." + (match[2] or "0")[:6].ljust(6, "0") + (match[3] or "Z"))
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


_LAST: Final = datetime.max.replace(tzinfo=UTC)


def _span(case: Case, element: Element, created: datetime, expires: datetime | None) -> list[Diagnosis]:
    policy, now, wrong = case.known.policy, case.known.now, []
    limit = created + min(policy.max_age, _LAST - created)
    if expires is not None:
        if expires <= created:
            wrong.append(found("timestamp-expires-before-created", element))
        elif expires - created > policy.max_span:
            wrong.append(found("timestamp-lifetime", element, seconds=_seconds(expires - created),
                               most=_seconds(policy.max_span)))
        else:
            limit = min(limit, expires)
    if not case.known.clock:
        return wrong
    if created > now + policy.skew:
        wrong.append(_off(element, created - now, "timestamp-ahead"))
    elif now > limit + policy.skew and not wrong:
        wrong.append(_off(element, now - created, "timestamp-expired", lifetime=_seconds(limit - created)))
    return wrong


def _off(element: Element, by: timedelta, identifier: str, **facts: object) -> Diagnosis:
    """By how much, and whether that looks like local time written as UTC."""
    hours = round(by / timedelta(hours=1))
    if 1 <= hours <= _ZONES and abs(by - timedelta(hours=hours)) < _NEAR_HOUR:
        return found("timestamp-time-zone", element, hours=hours, seconds=_seconds(by),
                     sign="+" if identifier == "timestamp-ahead" else "-")
    return found(identifier, element, seconds=_seconds(by), **facts)


def _seconds(span: timedelta) -> str:
    return f"{span.total_seconds():.0f}"
