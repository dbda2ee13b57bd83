"""Ways through the choreography table of a set: over each transition, to each state, to each limit of a message.

How a table is looked up is written anew here, so that a walk does not ask the gateway what the gateway should say.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from gateway.values import Party, SetKey
from tests.acceptance.every_set import CATALOG, Specimen, may_pass, specimens

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
class Way:
    """Moves from the initial state, each allowed, that end in `state`; `refused`: moves that are not allowed there."""

    key: SetKey
    parties: tuple[Party, Party]
    moves: tuple[Move, ...]
    state: str
    refused: tuple[Move, ...]

    @property
    def rows(self) -> set[Row]:
        return {move.row for move in self.moves if move.row is not None}

    def after(self, move: Move) -> str:
        """The state that a move of this way leads to."""
        assert move.row is not None
        number, state = move.row
        return CATALOG.sets[self.key].choreography.transitions[number].next or state


@dataclass(kw_only=True)
class Walker:
    """Finds the shortest ways of one set between two parties, breadth first."""

    key: SetKey
    parties: tuple[Party, Party]
    offers: list[tuple[Specimen, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        message_set, chosen = CATALOG.sets[self.key], {}
        for one in specimens(self.key):
            for side, (sender, receiver) in enumerate((self.parties, self.parties[::-1])):
                if may_pass(one, message_set.messages[one.element], sender, receiver, self.key):
                    chosen.setdefault((one.element, one.outcomes, side), (one, side))
        self.offers = list(chosen.values())

    def row(self, place: _Place, one: Specimen) -> Row | None:
        """The first transition that takes this message here."""
        message = CATALOG.sets[self.key].messages[one.element]
        if message.max_per_conversation is not None and dict(place.seen).get(
                one.element, 0) >= message.max_per_conversation:
            return None
        for number, row in enumerate(CATALOG.sets[self.key].choreography.transitions):
            if row.message == one.element and place.state in row.states and row.outcome in (None, *one.outcomes):
                return number, place.state
        return None

    def _questions(self, place: _Place, one: Specimen, side: int) -> Iterator[str | None]:
        message = CATALOG.sets[self.key].messages[one.element]
        if message.unasked or not message.answers:
            yield None
        there = place.asked if message.repeatable else place.open
        yield from sorted(element for element, asker in there if asker != side and element in message.answers)

    def moves(self, place: _Place) -> Iterator[Move]:
        """What may come here."""
        for one, side in self.offers:
            row = self.row(place, one)
            if row is not None and (place != self._start or side == 0):
                for answers in self._questions(place, one, side):
                    yield Move(one=one, side=side, answers=answers, row=row)

    def refusals(self, place: _Place) -> tuple[Move, ...]:
        """What may not: each message, and each outcome of one that may come with another outcome."""
        taken = {one.element for one, _ in self.offers if self.row(place, one) is not None}
        refused: dict[object, Move] = {}
        for one, side in self.offers:
            if self.row(place, one) is None:
                kind = (one.element, side, one.outcomes if one.element in taken else None)
                refused.setdefault(kind, Move(one=one, side=side, answers=None, row=None))
        return tuple(refused.values())

    @property
    def _start(self) -> _Place:
        return _Place(CATALOG.sets[self.key].choreography.initial)

    def after(self, place: _Place, move: Move) -> _Place:
        assert move.row is not None
        message_set = CATALOG.sets[self.key]
        sent = (move.one.element, move.side)
        seen = dict(place.seen)
        if message_set.messages[move.one.element].max_per_conversation is not None:
            seen[move.one.element] = seen.get(move.one.element, 0) + 1
        answerable = {element for message in message_set.messages.values() for element in message.answers}
        new = {sent} if move.one.element in answerable else set()
        return _Place(
            message_set.choreography.transitions[move.row[0]].next or place.state, place.asked | new,
            (place.open - {(move.answers, 1 - move.side)}) | new, tuple(sorted(seen.items())))

    def ways(self) -> list[Way]:
        """The shortest way over each transition, to each state, and to each limit of a message."""
        found: dict[object, Way] = {}
        places: dict[_Place, tuple[Move, ...]] = {self._start: ()}
        queue = [self._start] if any(True for _ in self.moves(self._start)) else []
        for place in queue:
            if place.state not in {way.state for way in found.values()}:
                found[place.state] = self._way(places[place], place)
            for move in self.moves(place):
                there = self.after(place, move)
                moves = (*places[place], move)
                if move.row not in found:
                    found[move.row] = self._way(moves, there)
                if there not in places:
                    places[there] = moves
                    queue.append(there)
            for element in self._exhausted(place):
                found.setdefault(("limit", element), self._way(places[place], place))
        return list(found.values())

    def _exhausted(self, place: _Place) -> Iterator[str]:
        """Messages that only their number keeps from coming here."""
        for element, seen in place.seen:
            at_limit = seen == CATALOG.sets[self.key].messages[element].max_per_conversation
            if at_limit and any(row.message == element and place.state in row.states
                                for row in CATALOG.sets[self.key].choreography.transitions):
                yield element

    def _way(self, moves: tuple[Move, ...], place: _Place) -> Way:
        return Way(key=self.key, parties=self.parties, moves=moves, state=place.state, refused=self.refusals(place))


def table_rows(key: SetKey) -> set[Row]:
    """Every transition of a set in every state it can be taken in."""
    return {(number, state) for number, row in enumerate(CATALOG.sets[key].choreography.transitions)
            for state in row.states}
