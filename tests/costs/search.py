"""Hill climbing by CPU: what costs more than before, for its kind, is kept and changed again."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from random import Random

from tests.costs.bench import Bench, Tried, bases
from tests.costs.candidate import Candidate, changed

_KEPT = 3  # of one kind
_CALIBRATED = 400  # tries between two looks at what a good message costs


@dataclass(kw_only=True)
class Search:
    """The dearest of each kind so far; a kind is a refusal and the shapes that led to it."""

    bench: Bench
    random: Random
    best: dict[str, list[Tried]] = field(default_factory=dict)
    accepted: int = 0

    def run(self, until: float, tell: Callable[[str], None]) -> None:
        """Until this moment of time.monotonic()."""
        self.bench.good.measure()
        begun = list(bases(self.bench.line))
        others = [one.recipe for one in begun]
        for one in begun:
            self.look(one)
        told, tried = time.monotonic(), 0
        while time.monotonic() < until:
            tried += 1
            if tried % _CALIBRATED == 0:
                self.bench.good.measure(times=2)
            parent = self.random.choice(begun) if self.random.random() < 0.25 else self.chosen().candidate
            child = changed(parent, self.random, others)
            while self.random.random() < 0.3:
                child = changed(child, self.random, others)
            self.look(child)
            if time.monotonic() - told > 10:
                told = time.monotonic()
                tell(f"  {max(0, int(until - told)):4} s left, {self.bench.tried:,} requests, "
                     f"dearest {self.top(1)[0].ratio:.1f}: {self.top(1)[0].candidate}")

    def look(self, candidate: Candidate) -> None:
        found = self.bench.attempt(candidate)
        if found is None:
            return
        if found.outcome == "accepted":
            self.accepted += 1
            return
        kept = self.best.setdefault(kind_of(found), [])
        kept.append(found)
        kept.sort(key=lambda one: -one.ratio)
        del kept[_KEPT:]

    def chosen(self) -> Tried:
        """One of the dearest kinds, the dearer the more often."""
        ranked = self.top(60)
        return ranked[min(int(self.random.expovariate(0.12)), len(ranked) - 1)]

    def top(self, count: int) -> list[Tried]:
        return sorted((kept[0] for kept in self.best.values()), key=lambda one: -one.ratio)[:count]

    def confirmed(self, count: int) -> list[Tried]:
        """The dearest, measured anew beside good messages of their size."""
        again = [self.bench.compare(one.candidate) for one in self.top(3 * count)]
        return sorted(again, key=lambda one: -one.ratio)[:count]


def kind_of(tried: Tried) -> str:
    shapes = sorted({bomb.shape + ("" if bomb.signed else " late") for bomb in tried.candidate.bombs})
    return f"{tried.outcome}: {', '.join(shapes)}"


def lines(found: Iterable[Tried]) -> Iterable[str]:
    """A table to read."""
    yield f"{'ratio':>6} {'ms':>8} {'octets':>11}  refusal; what it was"
    for one in found:
        yield f"{one.ratio:6.2f} {one.cpu * 1e3:8.2f} {one.size:11,}  {one.outcome}; {one.candidate}"
        yield f"{'':28} {one.reason}"
