"""A layered drawing of a directed graph: every node gets a layer, a place in it, and a box; lines run between layers.

The method of Sugiyama, Tagawa and Toda (1981): layers are given; what spans more than one layer bends in each between;
the order within the layers comes from barycenters and swaps; places from least squares. Labels are nodes, so they
can't lie on anything. All of it is deterministic.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

SWEEPS: Final = 24
ROUNDS: Final = 80
STRAIGHT: Final = 30.0  # how much harder a bend pulls at the bends of its own line than at anything else
GAP_X: Final = 18.0  # between neighbours
GAP_Y: Final = 38.0  # between layers: room for the curves
MARGIN: Final = 14.0

Segment = tuple[str, str]  # upper node, lower node, in adjacent layers


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """What is placed; a bend is narrow and has no box."""

    key: str
    layer: int
    width: float
    height: float
    bend: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a node lies: its centre, and the edges of its layer."""

    node: Node
    x: float
    y: float
    layer_top: float
    layer_bottom: float

    @property
    def top(self) -> float:
        return self.y - self.node.height / 2

    @property
    def bottom(self) -> float:
        return self.y + self.node.height / 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """All places, and the size of the whole, margins included."""

    places: Mapping[str, Place]
    width: float
    height: float


def lay_out(nodes: Sequence[Node], segments: Sequence[Segment]) -> Layout:
    """Place the nodes so that few segments cross and most run straight."""
    near: dict[str, list[str]] = {node.key: [] for node in nodes}
    for upper, lower in segments:
        near[upper].append(lower)
        near[lower].append(upper)
    layers = _ordered(nodes, segments, near)
    x = _spread(layers, near)
    left = min(x[node.key] - node.width / 2 for node in nodes) - MARGIN
    places: dict[str, Place] = {}
    top = MARGIN
    for layer in layers:
        height = max(node.height for node in layer)
        for node in layer:
            places[node.key] = Place(node=node, x=round(x[node.key] - left, 1), y=round(top + height / 2, 1),
                                     layer_top=round(top, 1), layer_bottom=round(top + height, 1))
        top += height + GAP_Y
    width = max(place.x + place.node.width / 2 for place in places.values()) + MARGIN
    return Layout(places=places, width=round(width, 1), height=round(top - GAP_Y + MARGIN, 1))


# --- the order within the layers ---------------------------------------------------------------------------------


def _ordered(nodes: Sequence[Node], segments: Sequence[Segment], near: Mapping[str, list[str]]) -> list[list[Node]]:
    """The best order that the sweeps come by."""
    layers = [[node for node in nodes if node.layer == number] for number in sorted({node.layer for node in nodes})]
    best, fewest = layers, _crossings(layers, segments)
    for sweep in range(SWEEPS):
        layers = _swept(layers, near, down=sweep % 2 == 0)
        layers = _swapped(layers, segments)
        crossings = _crossings(layers, segments)
        if crossings < fewest:
            best, fewest = layers, crossings
    return best


def _swept(layers: list[list[Node]], near: Mapping[str, list[str]], *, down: bool) -> list[list[Node]]:
    """Each layer sorted by the mean position of its neighbours in the layer before."""
    result: list[list[Node]] = []
    place: dict[str, int] = {}
    for layer in layers if down else layers[::-1]:
        here = {node.key: number for number, node in enumerate(layer)}

        centre = {node.key: _mean([place[key] for key in near[node.key] if key in place], here[node.key])
                  for node in layer}
        ordered = sorted(layer, key=lambda node: (centre[node.key], here[node.key]))
        place = {node.key: number for number, node in enumerate(ordered)}
        result.append(ordered)
    return result if down else result[::-1]


def _mean(numbers: Sequence[int], otherwise: int) -> float:
    return sum(numbers) / len(numbers) if numbers else float(otherwise)


def _swapped(layers: list[list[Node]], segments: Sequence[Segment]) -> list[list[Node]]:
    """Swap neighbours as long as that leaves fewer crossings."""
    layers = [list(layer) for layer in layers]
    fewest, better = _crossings(layers, segments), True
    while better:
        better = False
        for layer in layers:
            for at in range(len(layer) - 1):
                layer[at], layer[at + 1] = layer[at + 1], layer[at]
                crossings = _crossings(layers, segments)
                if crossings < fewest:
                    fewest, better = crossings, True
                else:
                    layer[at], layer[at + 1] = layer[at + 1], layer[at]
    return layers


def _crossings(layers: Iterable[Sequence[Node]], segments: Sequence[Segment]) -> int:
    place = {node.key: (node.layer, number) for layer in layers for number, node in enumerate(layer)}
    by_layer: dict[int, list[tuple[int, int]]] = {}
    for upper, lower in segments:
        by_layer.setdefault(place[upper][0], []).append((place[upper][1], place[lower][1]))
    return sum(
        (a[0] - b[0]) * (a[1] - b[1]) < 0
        for lines in by_layer.values() for number, a in enumerate(lines) for b in lines[:number]
    )


# --- places across -----------------------------------------------------------------------------------------------


def _spread(layers: Sequence[Sequence[Node]], near: Mapping[str, list[str]]) -> dict[str, float]:
    """Each node near the mean of its neighbours, in order and apart; bends pull hardest, so lines are straight."""
    bends = {node.key for layer in layers for node in layer if node.bend}
    x: dict[str, float] = {}
    for layer in layers:
        at = 0.0
        for node in layer:
            x[node.key] = at + node.width / 2
            at += node.width + GAP_X
        for node in layer:
            x[node.key] -= at / 2
    for sweep in range(ROUNDS):
        for layer in layers if sweep % 2 == 0 else layers[::-1]:
            wished = []
            for node in layer:
                pulls = [(x[key], STRAIGHT if node.key in bends and key in bends else 1.0) for key in near[node.key]]
                weight = sum(pull for _, pull in pulls)
                wished.append((sum(at * pull for at, pull in pulls) / weight if weight else x[node.key], weight or 0.1))
            x.update(_apart(layer, wished))
    return x


def _apart(layer: Sequence[Node], wished: Sequence[tuple[float, float]]) -> dict[str, float]:
    """The places nearest to those wished (place, weight) that keep order and distance.

    Least squares under an order: pool adjacent violators, on places from which the distances are taken away.
    """
    offsets, at = [], 0.0
    for number, node in enumerate(layer):
        at += (layer[number - 1].width + node.width) / 2 + GAP_X if number else 0.0
        offsets.append(at)
    pools: list[tuple[float, float, int]] = []  # mean, weight, how many
    for (place, weight), offset in zip(wished, offsets, strict=True):
        mean, total, count = place - offset, weight, 1
        while pools and pools[-1][0] > mean:
            before, heavy, many = pools.pop()
            mean = (before * heavy + mean * total) / (heavy + total)
            total, count = heavy + total, many + count
        pools.append((mean, total, count))
    means = [mean for mean, _, count in pools for _ in range(count)]
    return {node.key: mean + offset for node, mean, offset in zip(layer, means, offsets, strict=True)}
