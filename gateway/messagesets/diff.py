"""What changed from one message set to another, in words: for `gateway sets diff` and for who has to follow a version.

Two versions are two folders with other names, namespaces and often other names of messages. So messages are paired
first: by name, then, among those that remain, by what they hold and who sends them to whom.
"""

from collections.abc import Iterator, Mapping

from gateway.messagesets._diff_manifest import (
    message_changes,
    role_changes,
    rule_changes,
    set_changes,
    transition_changes,
)
from gateway.messagesets._diff_schema import Comparison, Side
from gateway.messagesets._diff_words import KINDS, Change, change
from gateway.messagesets._sample_tree import schema_of
from gateway.messagesets.sets import MessageSet
from gateway.names import clark

__all__ = ["KINDS", "Change", "compare_sets"]

Outline = frozenset[tuple[object, ...]]  # what a message holds: path, cardinality and so on of each element

_ALIKE = 0.7  # likeness from which one message is said to have replaced the other: that of the known pairs is 0.75 up


def compare_sets(old: MessageSet, new: MessageSet) -> tuple[Change, ...]:
    """Every change from `old` to `new`, in the order of a reader: set, roles, messages, content, steps, rules.

    None where nothing differs that a party could notice: names of types, documentation and the wording of a rule are
    not compared, and a message version that only follows the version of its set is not told.
    """
    before, after = _side(old), _side(new)
    renamed = dict(_renamed(before, after))
    names = {name: name for name in before.roots if name in after.roots} | {
        name: now for name, (now, _) in renamed.items()}
    comparison = Comparison(before, after)
    for name, now in names.items():
        comparison.message(before.roots[name], after.roots[now], now)
    return (
        *set_changes(old, new),
        *role_changes(old.roles, new.roles),
        *_messages(before, after, renamed),
        *message_changes(old, new, names),
        *comparison.changes(),
        *transition_changes(old, new, names),
        *rule_changes(old, new),
    )


def _side(message_set: MessageSet) -> Side:
    globals_ = schema_of(message_set).maps.elements
    order = [*message_set.messages, *sorted(message_set.elements - message_set.messages.keys())]
    return Side(message_set=message_set, roots={
        name: globals_[clark(message_set.namespace, name)] for name in order})


def _messages(old: Side, new: Side, renamed: Mapping[str, tuple[str, bool]]) -> Iterator[Change]:
    arrived = {now for now, _ in renamed.values()}
    for name in (name for name in old.roots if name not in new.roots):
        if name in renamed:
            now, same = renamed[name]
            yield change("message-renamed" if same else "message-replaced", name, name, now)
        else:
            yield change("message-removed", name, _direction(old, name), None)
    for name in (name for name in new.roots if name not in old.roots and name not in arrived):
        yield change("message-added", name, None, _direction(new, name))


def _direction(side: Side, name: str) -> str:
    message = side.message_set.messages.get(name)
    return f"{message.sender_role} → {message.receiver_role}" if message is not None else "knooppunt"


def _renamed(old: Side, new: Side) -> Iterator[tuple[str, tuple[str, bool]]]:
    """Old name → new name, and whether the structure is the same; each message at most once, the most alike first."""
    gone = [name for name in old.roots if name not in new.roots]
    come = [name for name in new.roots if name not in old.roots]
    before, after = {name: _outline(old, name) for name in gone}, {now: _outline(new, now) for now in come}
    pairs = sorted(
        (before[name] != after[now], -_likeness(old, name, before[name], new, now, after[now]),
         gone.index(name), come.index(now))
        for name in gone for now in come if _direction(old, name) == _direction(new, now))
    left, right = set(gone), set(come)
    for differs, unlike, name_at, now_at in pairs:
        name, now = gone[name_at], come[now_at]
        if (not differs or -unlike >= _ALIKE) and name in left and now in right:
            left.remove(name)
            right.remove(now)
            yield name, (now, not differs)


def _outline(side: Side, name: str) -> Outline:
    return frozenset(side.outline(side.roots[name]))


def _likeness(old: Side, name: str, before: Outline, new: Side, now: str, after: Outline) -> float:
    """From 0 to 1: half for the elements at the top, the rest for the same place among the steps and the same BSN rule.

    Depth does not count: one address more or less would outweigh all that a message is about.
    """
    tops = [frozenset(path[:1] for path, *_ in outline if isinstance(path, tuple)) for outline in (before, after)]
    steps = [frozenset((state, row.next) for row in side.message_set.choreography.transitions if row.message == one
                       for state in row.states) for side, one in ((old, name), (new, now))]
    messages = old.message_set.messages.get(name), new.message_set.messages.get(now)
    numbers = [one.bsn if one is not None else "" for one in messages]
    return 0.5 * _shared(*tops) + 0.35 * _shared(*steps) + 0.15 * (numbers[0] == numbers[1])


def _shared(one: frozenset[object], other: frozenset[object]) -> float:
    return len(one & other) / len(one | other) if one | other else 1.0
