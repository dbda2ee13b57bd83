"""What a run will do, from its seed alone: the acts of the nemesis, and what clients make of each message.

How long an act lasts and whom it hits is in the plan; what it meets on its way is chance, as in life. So a seed tries
the same storm again, not the same interleaving.
"""

from dataclasses import dataclass
from random import Random

KILLS = ("kill-node", "kill-worker", "kill-starting", "kill-supervisor", "kill-backend", "kill-database")
OTHERS = ("pause-node", "stop-node", "pause-worker")
_CALM_AT_THE_END = 3.0  # seconds without new acts before the storm is called off


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One thing the nemesis does: `seconds` is how long the victim stays down or stopped."""

    at: float  # seconds after the start
    what: str
    node: int
    seconds: float
    choice: float  # in [0, 1): which of several processes

    @property
    def kill(self) -> bool:
        return self.what in KILLS


def plan_acts(seed: int, *, seconds: float, kills: int, nodes: int, workers: int, database: bool) -> list[Act]:
    """The storm: exactly `kills` kills, and among them pauses and orderly stops, spread over the time."""
    chance = Random(f"{seed}/nemesis")
    weights = {"kill-node": 5, "kill-starting": 1}
    if workers > 1:
        weights |= {"kill-worker": 4, "kill-supervisor": 1}
    if database:
        weights |= {"kill-backend": 3, "kill-database": 1}
    others = {"pause-node": 3, "stop-node": 1, **({"pause-worker": 2} if workers > 1 else {})}
    names = chance.choices(list(weights), list(weights.values()), k=kills)
    names += chance.choices(list(others), list(others.values()), k=(kills + 2) // 3)
    chance.shuffle(names)
    step = max(0.0, seconds - _CALM_AT_THE_END) / len(names) if names else 0.0
    acts = []
    for number, what in enumerate(names):
        lasts = chance.choice((0.3, 1.0, 2.0, 4.0, 7.0)) if what.startswith("pause") else chance.uniform(0.0, 1.0)
        acts.append(Act(at=(number + chance.random()) * step + min(1.0, step), what=what, node=chance.randrange(nodes),
                        seconds=lasts, choice=chance.random()))
    return acts


@dataclass(frozen=True, slots=True, kw_only=True)
class Whims:
    """What a client does with one message, whatever happens."""

    tries: int  # after which it gives up and never asks again
    same_octets: bool  # a repeat is the same envelope, else a fresh one
    twin: bool  # sent twice at once, over two nodes
    again: bool  # asked for the receipt once more after it has it
    conflict: bool  # other content under the same number afterwards: must be refused
    think: float  # seconds before the next message


_PATIENT = 10_000  # outlives any storm


def whims(seed: int, actor: str, number: int, *, think: float) -> Whims:
    """Of the `number`-th message of an actor."""
    chance = Random(f"{seed}/{actor}/{number}")
    return Whims(
        tries=1 if chance.random() < 0.04 else _PATIENT, same_octets=chance.random() < 0.3,
        twin=chance.random() < 0.05, again=chance.random() < 0.08, conflict=chance.random() < 0.03,
        think=chance.uniform(0, 2 * think),
    )
