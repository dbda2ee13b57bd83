"""[push] of gateway.toml: how messages go to parties that have a service of their own."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from gateway._toml import Table

PUSH_KEYS: Final = (
    "workers", "per_party", "connect_seconds", "answer_seconds", "max_octets", "lease_seconds", "poll_seconds",
    "backoff_seconds", "backoff_cap_seconds", "breaker_failures", "breaker_open_seconds", "breaker_open_cap_seconds",
)
_DAY: Final = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """How messages go out; the numbers of workers and calls are of one process."""

    workers: int  # calls at once; 0: this node pushes nothing and leaves it to others
    per_party: int  # calls at once to one party
    connect_seconds: int
    answer_seconds: int  # from the request's first octet to the answer's last
    max_octets: int  # of one answer
    lease: timedelta  # how long a delivery is one worker's own
    poll_seconds: int  # between two looks at what other nodes accepted, and at what is to be tried again
    backoff: timedelta  # the longest wait after the first attempt; it doubles
    backoff_cap: timedelta
    breaker_failures: int  # in a row: then a party is not called
    breaker_open: timedelta  # for so long at first; it doubles
    breaker_open_cap: timedelta


def read_push(table: Table) -> Push:
    """Raises Misconfigured."""
    def number(key: str, default: int, minimum: int, maximum: int) -> int:
        return table.number(key, default, minimum=minimum, maximum=maximum)

    connect, answer = number("connect_seconds", 5, 1, 40), number("answer_seconds", 30, 1, 100)
    lease = number("lease_seconds", 120, 60, 3_600)
    if lease <= 2 * connect + answer:
        table.refuse("lease_seconds", f"'lease_seconds' in {table.title} ends before a slow call does",
                     "take more than 2 × connect_seconds + answer_seconds")
    first, cap = number("backoff_seconds", 5, 1, 900), number("backoff_cap_seconds", 900, 5, _DAY)
    opened, most = number("breaker_open_seconds", 10, 1, 300), number("breaker_open_cap_seconds", 300, 10, _DAY)
    for key, low, high in (("backoff_cap_seconds", first, cap), ("breaker_open_cap_seconds", opened, most)):
        if high < low:
            table.refuse(key, f"'{key}' in {table.title} is below what it caps", f"take at least {low}")
    return Push(
        workers=number("workers", 32, 0, 512), per_party=number("per_party", 4, 1, 64), connect_seconds=connect,
        answer_seconds=answer, max_octets=number("max_octets", 262_144, 8_192, 10_485_760),
        lease=timedelta(seconds=lease), poll_seconds=number("poll_seconds", 1, 1, 60),
        backoff=timedelta(seconds=first), backoff_cap=timedelta(seconds=cap),
        breaker_failures=number("breaker_failures", 5, 1, 1_000),
        breaker_open=timedelta(seconds=opened), breaker_open_cap=timedelta(seconds=most),
    )
