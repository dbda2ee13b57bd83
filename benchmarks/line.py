"""The line in this process, from octets to a signed and durable answer, beside the ceiling for the same messages.

One thread shows what a message costs; eight threads share commits, so they show what the store adds to a disk that
takes its time.
"""

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass

from benchmarks.ceiling import Ceiling
from benchmarks.measure import compare
from benchmarks.rows import rows_beside
from benchmarks.world import P256, RSA, RSA3072, World
from gateway.app.instance import new_id
from gateway.values import Received

Row = dict[str, object]
_ROUNDS = 9


@dataclass(frozen=True, kw_only=True)
class Case:
    """One thing to measure."""

    measure: str
    make: Callable[[World, list[str]], list[Received]]  # a request per Referentienummer
    module: tuple[str, str] = ("schuldregeling", "2.0")  # whose schema judges the request
    key: str = RSA
    threads: int = 1
    per_round: int = 100


def _way_in(size: str, key: str = RSA, threads: int = 1, per_round: int = 100) -> Case:
    makes: dict[str, Callable[[World, list[str]], list[Received]]] = {
        "6 KB": lambda hub, numbers: hub.lean(numbers, key),
        "10 KB": lambda hub, numbers: hub.questions(numbers, 2, key),
        "60 KB": lambda hub, numbers: hub.questions(numbers, 500, key),
    }
    return Case(measure=f"way in, {size}", make=makes[size], key=key, threads=threads, per_round=per_round)


WAY_IN = (
    _way_in("6 KB"), _way_in("6 KB", threads=8, per_round=240), _way_in("6 KB", P256),
    _way_in("6 KB", P256, threads=8, per_round=240), _way_in("6 KB", RSA3072, per_round=80), _way_in("10 KB"),
    _way_in("60 KB", per_round=40), _way_in("60 KB", threads=8, per_round=80),
)
# What the first of these fetches, the second confirms; before them the same numbers go the way in, unmeasured.
MAILBOX = (
    Case(measure="collect, 6 KB", make=lambda hub, numbers: hub.asked("HaalBerichtOp", numbers),
         module=("knooppunt", "1.0")),
    Case(measure="confirm", make=lambda hub, numbers: hub.asked("BevestigBericht", numbers),
         module=("knooppunt", "1.0")),
)
ON_A_SERVER = (_way_in("6 KB"), _way_in("6 KB", threads=8, per_round=240))


def measure_line(hub: World, cases: Sequence[Case], told: Callable[[str], None] = lambda text: None, *,
                 rounds: int = _ROUNDS) -> list[Row]:
    """A row per case, all on one hub. `told` hears how far it is."""
    return [_row(hub, case, told, rounds, [new_id() for _ in range(case.per_round * (rounds + 1))]) for case in cases]


def measure_mailbox(hub: World, told: Callable[[str], None] = lambda text: None, *, rounds: int = _ROUNDS,
                    per_round: int = 100) -> list[Row]:
    """A row for each of MAILBOX."""
    fetched = [new_id() for _ in range(per_round * (rounds + 1))]
    for received in hub.lean(fetched):
        hub.served(received)
    return [_row(hub, case, told, rounds, fetched) for case in MAILBOX]


def _row(hub: World, case: Case, told: Callable[[str], None], rounds: int, numbers: list[str]) -> Row:
    told(f"{case.measure}, {case.key}, {case.threads} thread{'s' * (case.threads > 1)}")
    requests = case.make(hub, numbers)
    rows, schema = rows_beside(hub.instance), hub.schema(*case.module)
    with closing(Ceiling(rows, schema, hub.signing("hub", case.key))) as ceiling:
        figures = compare(requests, ceiling.take, hub.served, threads=case.threads, rounds=rounds)
    return {"measure": case.measure, "octets": len(requests[0].octets), "key": case.key, "threads": case.threads,
            **figures}
