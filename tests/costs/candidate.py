"""A request that may be refused at some cost: a recipe of the fuzzer, and what is put into it in great number."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random

from tests.costs.shapes import ATTRIBUTES, CONTENT
from tests.fuzz.mutate import mutate
from tests.fuzz.recipe import DIGEST, SIGNATURE, Recipe

LARGEST = 10_300_000  # octets, a little under the hub's own bound
_FIRST, _MOST = (50, 200, 1_000, 5_000, 20_000), 3_000_000
_TAG = re.compile(rb"<[A-Za-z][^<>]*?(/?)>")
_LEAF = re.compile(rb"(<([A-Za-z][\w:.-]*)[^<>]*>)[^<>]*(</\2>)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bomb:
    """`count` of a shape at a tag, or the element that begins there so often; `signed`: before it is signed."""

    shape: str
    count: int
    place: int
    signed: bool

    def __str__(self) -> str:
        return f"{self.count:,} {self.shape} ({'' if self.signed else 'un'}signed)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """What is tried."""

    recipe: Recipe
    origin: str  # which recipe it began as
    bombs: tuple[Bomb, ...] = ()
    spoilt: str = ""  # what of the signature is wrong: "", "digests" or "value"

    def octets(self, *, signed: bool) -> bytes:
        """With the bombs that are put in before it is signed; the template for a signer."""
        octets = _spoil(self.recipe.octets, self.spoilt)
        for bomb in self.bombs:
            octets = _put(octets, bomb) if bomb.signed is signed else octets
        return octets

    def late(self, octets: bytes) -> bytes:
        """With those that are put in afterwards."""
        for bomb in self.bombs:
            octets = octets if bomb.signed else _put(octets, bomb)
        return octets

    def __str__(self) -> str:
        parts = [self.origin, *map(str, self.bombs), *([f"wrong {self.spoilt}"] if self.spoilt else [])]
        return ", ".join(parts)


def _spoil(octets: bytes, what: str) -> bytes:
    if what == "digests":
        return octets.replace(DIGEST, b"AAAA" * 10 + b"AAA=")
    return octets.replace(SIGNATURE, b"AAAA" * 86) if what == "value" else octets


def _put(octets: bytes, bomb: Bomb) -> bytes:
    """Where the tag has gone, at another; where nothing fits, unchanged."""
    found = list(_TAG.finditer(octets[:200_000]))
    if not found:
        return octets
    tag = found[bomb.place % len(found)]
    if bomb.shape in ATTRIBUTES:
        at = tag.end() - len(tag[1]) - 1
        return octets[:at] + ATTRIBUTES[bomb.shape](bomb.count) + octets[at:]
    if bomb.shape in ("the element", "the element, emptied"):
        return _again(octets, tag, bomb)
    return octets[:tag.end()] + CONTENT[bomb.shape](bomb.count) + octets[tag.end():]


def _again(octets: bytes, tag: re.Match[bytes], bomb: Bomb) -> bytes:
    name = re.match(rb"<([^\s/>]+)", tag[0])
    assert name
    end = tag.end() if tag[1] else octets.find(b"</" + name[1] + b">", tag.end()) + len(name[1]) + 3
    element = octets[tag.start():end]
    if end < tag.end() or len(element) * bomb.count > LARGEST:
        return octets
    if bomb.shape.endswith("emptied"):
        element = _LEAF.sub(rb"\1\3", element)
    return octets[:end] + element * bomb.count + octets[end:]


SHAPES = (*CONTENT, *ATTRIBUTES, *("the element", "the element, emptied") * 6)


def drawn(random: Random) -> Bomb:
    """Some bomb."""
    return Bomb(shape=random.choice(SHAPES), count=random.choice(_FIRST), place=random.randrange(400),
                signed=random.random() < 0.6)


def changed(one: Candidate, random: Random, others: Sequence[Recipe]) -> Candidate:
    """The same with one thing otherwise."""
    how, bombs = random.random(), list(one.bombs)
    if not bombs or how < 0.15:
        return replace(one, bombs=(*bombs[-2:], drawn(random)))
    at = random.randrange(len(bombs))
    bomb = bombs[at]
    if how < 0.55:
        bombs[at] = replace(bomb, count=min(_MOST, max(1, int(bomb.count * random.choice((0.3, 0.6, 0.8, 1.3, 2, 5))))))
    elif how < 0.67:
        bombs[at] = replace(bomb, place=random.randrange(400))
    elif how < 0.77:
        bombs[at] = replace(bomb, shape=random.choice(SHAPES))
    elif how < 0.84:
        bombs[at] = replace(bomb, signed=not bomb.signed)
    elif how < 0.88:
        del bombs[at]
    elif how < 0.93:
        return replace(one, spoilt=random.choice(("", "digests", "value")))
    else:
        return replace(one, recipe=mutate(one.recipe, random, others))
    return replace(one, bombs=tuple(bombs))
