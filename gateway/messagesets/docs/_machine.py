"""A choreography as people read it: its states in order, and what may happen in each."""

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.values import Choreography


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """In state `source` this message (with this outcome) leads to state `target`, which may be the same."""

    source: str
    target: str
    message: str
    outcome: str | None = None

    @property
    def stays(self) -> bool:
        return self.source == self.target


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """The state machine of one set."""

    initial: str
    states: tuple[str, ...]  # from the initial one on, each after those that lead to it
    layers: Mapping[str, int]  # the longest way from the initial state, going back not counted
    moves: tuple[Move, ...]
    backward: frozenset[tuple[str, str]]  # (source, target) that lead back to where the conversation was before

    @property
    def final(self) -> frozenset[str]:
        """States that no message leads out of."""
        return frozenset(self.states) - {move.source for move in self.moves if not move.stays}

    def moves_from(self, state: str) -> tuple[Move, ...]:
        return tuple(move for move in self.moves if move.source == state)


def read_machine(table: Choreography) -> Machine:
    """The machine of a transition table; the same input gives the same order."""
    moves = tuple(
        Move(source=state, target=row.next or state, message=row.message, outcome=row.outcome)
        for row in table.transitions for state in sorted(row.states)
    )
    named = dict.fromkeys([table.initial, *(state for move in moves for state in (move.source, move.target))])
    leads = {state: list(dict.fromkeys(move.target for move in moves if move.source == state and not move.stays))
             for state in named}
    backward, order = _walk(leads)
    layers = dict.fromkeys(named, 0)
    for state in order:
        for target in leads[state]:
            if (state, target) not in backward:
                layers[target] = max(layers[target], layers[state] + 1)
    return Machine(
        initial=table.initial,
        states=tuple(sorted(named, key=lambda state: (layers[state], order.index(state)))),
        layers=layers, moves=moves, backward=backward,
    )


def _walk(leads: Mapping[str, list[str]]) -> tuple[frozenset[tuple[str, str]], list[str]]:
    """Depth first: the arrows that close a circle, and the states in an order in which all others point forward."""
    backward: set[tuple[str, str]] = set()
    path: set[str] = set()
    done: list[str] = []

    def visit(state: str) -> None:
        path.add(state)
        for target in leads[state]:
            if target in path:
                backward.add((state, target))
            elif target not in done:
                visit(target)
        path.remove(state)
        done.append(state)

    for state in leads:
        if state not in done:
            visit(state)
    return frozenset(backward), done[::-1]
