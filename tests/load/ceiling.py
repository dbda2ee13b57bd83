"""The most memory that a worker process can come to take: the sums of docs/operations.md, "Overload"."""

from gateway.settings import Settings

_ANSWER = 1.4  # of the largest request: a message that was stored goes out in an envelope
_AT_WORK = 6  # times a request's octets, while it is parsed, checked and sealed
_TREE = 17_000_000  # of 100,000 tags and 20,000 attributes or namespace declarations
_CONNECTION = 250_000
_NAMES, _NAMES_OF_PUSH = 84_000_000, 5_000_000
_WRITER_PAGES, _READER_PAGES = 33_554_432, 2_097_152  # of one connection to SQLite
_KEPT_READERS = 16


def ceiling(settings: Settings, *, started: int) -> int:
    """In octets. `started`: what it takes when it has begun."""
    limits, largest = settings.limits, settings.soap.max_octets
    return round(
        started + limits.octets_in_flight + limits.threads * _ANSWER * largest
        + _AT_WORK * 2 * largest + limits.threads * _TREE
        + limits.connections * _CONNECTION
        + _NAMES + settings.push.workers * _NAMES_OF_PUSH
        + 2 * _WRITER_PAGES + (_KEPT_READERS + limits.threads) * _READER_PAGES)
