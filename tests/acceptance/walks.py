"""Ways through the choreography table of a set: over every transition, and to each limit of a message.

How a table is looked up is written anew here, so that a walk does not ask the gateway what the gateway should say.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from gateway.values import Party, SetKey
from tests.acceptance.every_set import CATALOG, Specimen, may_pass, specimens
from tests.postgres.databases import asked

Row = tuple[int, str]  # a transition, and the state it is taken in


@dataclass(frozen=True, kw_only=True)
class Move:
    """One message of a walk, from one of two parties (0 opens) to the other."""

    one: Specimen
    side: int
    answers: str | None  # the element it answers: the last of that kind that the other side sent
    row: Row | None  # None: the table does not allow it


@dataclass(frozen=True)
class _Place:
    """Where a walk stands: all that decides what may come next."""

    state: str
    asked: frozenset[tuple[str, int]] = frozenset()  # element and side, of questions that were put
    open: frozenset[tuple[str, int]] = frozenset()  # the same, not answered yet
    seen: tuple[tuple[str, int], ...] = ()  # how often, of the elements that have a limit


@dataclass(frozen=True, kw_only=True)
class Stop:
    """Where a walk stands between two moves, and what must be refused there."""

    state: str
    refused: tuple[Move, ...]


@dataclass(frozen=True, kw_only=True)
class Way:
    """One conversation: allowed moves from the initial state on, and the stops before, between and after them."""

    key: SetKey
    parties: tuple[Party, Party]
    moves: tuple[Move, ...]
    stops: tuple[Stop, ...]

    @property
    def rows(self) -> set[Row]:
        return {move.row for move in self.moves if move.row is not None}


@dataclass(kw_only=True)
class Walker:
    """Finds ways of one set between two parties, always to the nearest goal, breadth first."""

    key: SetKey
    parties: tuple[Party, Party]
    offers: list[tuple[Specimen, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.set = CATALOG.sets[self.key]
        self.table = self.set.choreography.transitions
        self.start = _Place(self.set.choreography.initial)
        self.answerable = {element for message in self.set.messages.values() for element in message.answers}
        chosen: dict[object, tuple[Specimen, int]] = {}
        for one in specimens(self.key):
            for side, (sender, receiver) in enumerate((self.parties, self.parties[::-1])):
                if may_pass(one, self.set.messages[one.element], sender, receiver, self.key):
                    chosen.setdefault((one.element, one.outcomes, side), (one, side))
        self.offers = list(chosen.values())

    def tour(self, left: set[Row]) -> Way | None:
        """A conversation that takes as many of these rows as it can reach; None when that is none."""
        place, moves, todo = self.start, list[tuple[Move, _Place]](), set(left)
        while leg := self._leg(place, lambda move, _, todo=todo: move.row in todo):
            moves += leg
            place = leg[-1][1]
            todo -= {move.row for move, _ in leg}
        return self._way(moves) if moves else None

    def to_limit(self, element: str) -> Way | None:
        """A conversation after which only their number keeps more of these messages away."""
        limit = self.set.messages[element].max_per_conversation

        def exhausted(_: Move, there: _Place) -> bool:
            return dict(there.seen).get(element) == limit and any(
                row.message == element and there.state in row.states for row in self.table)

        leg = self._leg(self.start, exhausted)
        return self._way(leg) if leg else None

    def _leg(self, place: _Place, goal: Callable[[Move, _Place], bool]) -> list[tuple[Move, _Place]]:
        """The shortest way on, from here up to and with a move that is wanted; empty when there is none."""
        before: dict[_Place, list[tuple[Move, _Place]]] = {place: []}
        queue = [place]
        for here in queue:
            moves = [(move, self._after(here, move)) for move in self._moves(here)]
            for move, there in sorted(moves, key=lambda pair: pair[1].state != here.state):
                if goal(move, there):
                    return [*before[here], (move, there)]
                if there not in before:
                    before[there] = [*before[here], (move, there)]
                    queue.append(there)
        return []

    def _moves(self, place: _Place) -> Iterator[Move]:
        """What may come here; whoever opens is side 0."""
        for one, side in self.offers:
            row = self._row(place, one)
            if row is not None and (side == 0 or place != self.start):
                for answers in self._questions(place, one, side):
                    yield Move(one=one, side=side, answers=answers, row=row)

    def _row(self, place: _Place, one: Specimen) -> Row | None:
        """The first transition that takes this message here."""
        limit = self.set.messages[one.element].max_per_conversation
        if limit is not None and dict(place.seen).get(one.element, 0) >= limit:
            return None
        for number, row in enumerate(self.table):
            if row.message == one.element and place.state in row.states and row.outcome in (None, *one.outcomes):
                return number, place.state
        return None

    def _questions(self, place: _Place, one: Specimen, side: int) -> Iterator[str | None]:
        message = self.set.messages[one.element]
        if message.unasked or not message.answers:
            yield None
        there = place.asked if message.repeatable else place.open
        yield from sorted(element for element, asker in there if asker != side and element in message.answers)

    def _after(self, place: _Place, move: Move) -> _Place:
        assert move.row is not None
        element, seen = move.one.element, dict(place.seen)
        if self.set.messages[element].max_per_conversation is not None:
            seen[element] = seen.get(element, 0) + 1
        new = {(element, move.side)} if element in self.answerable else set()
        return _Place(
            self.table[move.row[0]].next or place.state, place.asked | new,
            (place.open - {(move.answers, 1 - move.side)}) | new, tuple(sorted(seen.items())))

    def _way(self, moves: list[tuple[Move, _Place]]) -> Way:
        places = [self.start, *(place for _, place in moves)]
        return Way(key=self.key, parties=self.parties, moves=tuple(move for move, _ in moves),
                   stops=tuple(Stop(state=place.state, refused=self._refusals(place)) for place in places))

    def _refusals(self, place: _Place) -> tuple[Move, ...]:
        """What may not come here: each message, and each outcome of one that may come with another outcome."""
        taken = {one.element for one, _ in self.offers if self._row(place, one) is not None}
        refused: dict[object, Move] = {}
        for one, side in self.offers:
            if self._row(place, one) is None:
                kind = (one.element, side, one.outcomes if one.element in taken else None)
                refused.setdefault(kind, Move(one=one, side=side, answers=None, row=None))
        return tuple(refused.values())


def table_rows(key: SetKey) -> set[Row]:
    """Every transition of a set in every state it can be taken in."""
    return {(number, state) for number, row in enumerate(CATALOG.sets[key].choreography.transitions)
            for state in row.states}


def table_states(key: SetKey) -> set[str]:
    """Every state of a set."""
    table = CATALOG.sets[key].choreography
    return {table.initial, *(state for row in table.transitions for state in (*row.states, row.next) if state)}


def state_of(folder: Path, conversation: str) -> str:
    """The state of the one conversation of that number in this instance, read past everything the gateway does."""
    ((state,),) = asked(folder, "SELECT state FROM conversations WHERE conversatie = ?", conversation)
    return str(state)
