"""Does something grow? A straight line through what was measured, held against what it may do in that time."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """What a figure may do over the part of a run that counts."""

    name: str
    unit: str
    scale: float  # of the samples to the unit
    share: float  # of its mean, by which it may grow
    room: float  # in the unit: the growth that is noise, whatever the mean
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """What it did."""

    bound: Bound
    first: float  # of the line, at both ends
    last: float
    most: float
    allowed: float

    @property
    def holds(self) -> bool:
        return self.last - self.first <= self.allowed


def judge(bound: Bound, at: Sequence[float], values: Sequence[float]) -> Trend:
    """The line through these values (at least two moments), in the bound's unit."""
    scaled = [value * bound.scale for value in values]
    slope, begin = statistics.linear_regression(at, scaled)
    return Trend(bound=bound, first=begin + slope * at[0], last=begin + slope * at[-1], most=max(scaled),
                 allowed=max(bound.room, bound.share * statistics.mean(scaled)))
