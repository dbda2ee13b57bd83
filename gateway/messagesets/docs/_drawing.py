"""The state diagram of a set as SVG: states as boxes, messages as labels on the arrows between them.

It is drawn by classes, so the style sheet decides on colours, in light and dark. For those who do not see it, and for
everything in detail, the page has the same as a table.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from gateway.messagesets.docs._html import Html, tag
from gateway.messagesets.docs._layout import Layout, Node, Place, Segment, lay_out
from gateway.messagesets.docs._machine import Machine, Move

_LINE: Final = 18.0  # height of a line of text
_PAD_X, _PAD_Y = 14.0, 9.0
_SHORT: Final = 4  # letters of a role's name that fit before its message
_MANY: Final = 2  # a message that leaves more states than this as they are is told beside the drawing
_NARROW, _WIDE = frozenset("fijlrtI.,:;()'|- "), frozenset("mwMW@")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Label:
    """The messages that lead from any of `sources` to `target`."""

    key: str
    sources: tuple[str, ...]
    target: str
    back: bool
    moves: tuple[Move, ...]


def width_of(text: str) -> float:
    """About how wide a text is at 13 pixels, in the widest of the usual system fonts."""
    return sum(4.9 if one in _NARROW else 11.8 if one in _WIDE else 9.4 if one.isupper() else 7.8 for one in text)


def everywhere(machine: Machine) -> tuple[str, ...]:
    """Messages that leave many states as they are; the drawing leaves them out."""
    counted = Counter(move.message for move in machine.moves if move.stays)
    return tuple(message for message, count in counted.items() if count > _MANY)


def draw(machine: Machine, senders: Mapping[str, str], *, title: str, text: str) -> Html:
    """The diagram; `senders` gives the role that sends a message, `title` and `text` are read out instead of it."""
    labels = _labels(machine)
    kept = {state: _staying(machine, state) for state in machine.states}
    nodes = [_state_node(machine, state, kept[state]) for state in machine.states]
    nodes += [_label_node(machine, label, senders) for label in labels]
    bends, segments = _ways(machine, labels)
    layout = lay_out([*nodes, *bends], segments)
    by_key = {label.key: label for label in labels}
    shapes = [_line(layout, segment, segments, by_key) for segment in segments]
    shapes += [_state(machine, layout.places["s:" + state], state, kept[state]) for state in machine.states]
    shapes += [_message(layout.places[label.key], label, senders) for label in labels]
    return tag(
        "svg", tag("title", title, id="diagram-titel"), tag("desc", text, id="diagram-tekst"), shapes,
        viewBox=f"0 0 {layout.width:g} {layout.height:g}", width=layout.width, height=layout.height, role="img",
        aria_labelledby="diagram-titel diagram-tekst", class_="diagram")


def _labels(machine: Machine) -> list[_Label]:
    """Messages with the same sources and the same target share a label."""
    sources: dict[tuple[str, str | None, str, bool], list[Move]] = {}
    for move in machine.moves:
        if not move.stays:
            back = (move.source, move.target) in machine.backward
            sources.setdefault((move.message, move.outcome, move.target, back), []).append(move)
    shared: dict[tuple[tuple[str, ...], str, bool], list[Move]] = {}
    for (_, _, target, back), moves in sources.items():
        shared.setdefault((tuple(sorted({move.source for move in moves})), target, back), []).append(moves[0])
    return [
        _Label(key=f"m:{number}", sources=froms, target=target, back=back, moves=tuple(moves))
        for number, ((froms, target, back), moves) in enumerate(shared.items())
    ]


def _ways(machine: Machine, labels: Sequence[_Label]) -> tuple[list[Node], list[Segment]]:
    """Bends and segments. All that goes to one label from afar shares one line."""
    bends: list[Node] = []
    segments: list[Segment] = []
    for label in labels:
        away = 1 if label.back else -1  # from the label towards its sources
        at = 2 * machine.layers[label.target] + away
        layers = {source: 2 * machine.layers[source] for source in label.sources}
        furthest = max(layers.values(), key=lambda layer: abs(layer - at))
        line = {layer: f"{label.key}:{layer}" for layer in range(at + away, furthest, away)} | {at: label.key}
        bends += [Node(key=line[layer], layer=layer, width=2.0, height=2.0, bend=True) for layer in line if layer != at]
        ways = [(line[layer + away], line[layer]) for layer in line if layer + away in line]
        ways += [("s:" + source, line[layer - away]) for source, layer in layers.items()]
        ways.append((label.key, "s:" + label.target))
        segments += [(lower, upper) if label.back else (upper, lower) for upper, lower in ways]
    return bends, segments


def _staying(machine: Machine, state: str) -> tuple[str, ...]:
    left_out = everywhere(machine)
    return tuple(dict.fromkeys(f"↻ {_told(move)}" for move in machine.moves_from(state)
                               if move.stays and move.message not in left_out))


def _told(move: Move) -> str:
    return f"{move.message} ({move.outcome})" if move.outcome else move.message


def _state_node(machine: Machine, state: str, kept: Sequence[str]) -> Node:
    return Node(key="s:" + state, layer=2 * machine.layers[state],
                width=round(max(map(width_of, (state, *kept))) + 2 * _PAD_X, 1),
                height=_LINE * (1 + len(kept)) + 2 * _PAD_Y)


def _lines(label: _Label, senders: Mapping[str, str]) -> list[tuple[str, str]]:
    """The lines of a label as (role, message): side by side when the role's name is short, else below each other."""
    lines = [(senders.get(move.message, ""), _told(move)) for move in label.moves]
    if all(len(role) <= _SHORT for role in senders.values()):
        return lines
    roles = dict.fromkeys(role for role, _ in lines)
    return [line for role in roles for line in ((role, ""), *(("", told) for one, told in lines if one == role))]


def _label_node(machine: Machine, label: _Label, senders: Mapping[str, str]) -> Node:
    lines = _lines(label, senders)
    return Node(key=label.key, layer=2 * machine.layers[label.target] + (1 if label.back else -1),
                width=round(max(width_of(f"{role}  {told}".strip()) for role, told in lines) + 20, 1),
                height=_LINE * len(lines) + 6)


# --- shapes ------------------------------------------------------------------------------------------------------


def _box(place: Place, class_: str, inset: float = 0.0, round_: float = 6.0) -> Html:
    node = place.node
    return tag("rect", x=round(place.x - node.width / 2 + inset, 1), y=round(place.top + inset, 1),
               width=round(node.width - 2 * inset, 1), height=round(node.height - 2 * inset, 1), rx=round_,
               class_=class_)


def _state(machine: Machine, place: Place, state: str, kept: Sequence[str]) -> Html:
    final = state in machine.final
    kind = "state initial" if state == machine.initial else "state final" if final else "state"
    first = place.top + _PAD_Y + 13
    texts = [tag("text", line, x=place.x, y=round(first + number * _LINE, 1), class_="name" if not number else "kept")
             for number, line in enumerate((state, *kept))]
    return tag("g", _box(place, kind), _box(place, "inner", 3.5, 4.0) if final else None, texts)


def _message(place: Place, label: _Label, senders: Mapping[str, str]) -> Html:
    lines = _lines(label, senders)
    texts = [
        tag("text", tag("tspan", role, class_="who") if role else None, f"  {told}" if role and told else told,
            x=place.x, y=round(place.top + 16 + number * _LINE, 1), class_="message")
        for number, (role, told) in enumerate(lines)
    ]
    return tag("g", _box(place, "label", round_=place.node.height / 2 if len(lines) == 1 else 10.0), texts)


def _line(layout: Layout, segment: Segment, segments: Sequence[Segment], labels: Mapping[str, _Label]) -> Html:
    upper, lower = (layout.places[key] for key in segment)
    x1, x2 = _port(layout, segment, segments, down=True), _port(layout, segment, segments, down=False)
    y1, y2 = upper.layer_bottom, lower.layer_top
    start = upper.y if upper.node.bend else upper.bottom
    end = lower.y if lower.node.bend else lower.top
    middle = round((y1 + y2) / 2, 1)
    path = f"M{x1:g} {start:g}L{x1:g} {y1:g}C{x1:g} {middle:g} {x2:g} {middle:g} {x2:g} {y2:g}L{x2:g} {end:g}"
    down, up = labels.get(segment[0]), labels.get(segment[1])
    head = None
    if down is not None and not down.back and segment[1] == "s:" + down.target:
        head = f"M{x2 - 4.5:g} {end - 8:g}L{x2:g} {end:g}L{x2 + 4.5:g} {end - 8:g}Z"
    elif up is not None and up.back and segment[0] == "s:" + up.target:
        head = f"M{x1 - 4.5:g} {start + 8:g}L{x1:g} {start:g}L{x1 + 4.5:g} {start + 8:g}Z"
    return tag("g", tag("path", d=path, class_="line"), tag("path", d=head, class_="head") if head else None)


def _port(layout: Layout, segment: Segment, segments: Sequence[Segment], *, down: bool) -> float:
    """Where a segment leaves its upper node (`down`) or comes to its lower one: those of a state lie side by side."""
    own, other = (0, 1) if down else (1, 0)
    place = layout.places[segment[own]]
    if not place.node.key.startswith("s:"):
        return place.x
    same = sorted((one for one in segments if one[own] == segment[own]),
                  key=lambda one: (layout.places[one[other]].x, one))
    step = min(20.0, (place.node.width - 28) / max(len(same) - 1, 1))
    return round(place.x + (same.index(segment) - (len(same) - 1) / 2) * step, 1)
