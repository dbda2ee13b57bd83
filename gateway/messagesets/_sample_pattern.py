"""Texts that match a pattern of XML Schema: its regular expressions, read and played backwards.

Read here and not by Python's `re`, which knows neither \\p{…} nor the classes of XML. Not used by the message sets, and
refused: subtraction of classes, blocks (\\p{Is…}), and the multi-character escapes \\i and \\c.
Source: XML Schema 1.0 part 2, appendix F.
"""

import unicodedata
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import NoReturn

from gateway.errors import Misconfigured

_MORE = 8  # how many repetitions "any number" adds at most; the length facets decide what stays
# What a class that says only what may not stand there is filled from: readable, and with what breaks naive software.
_ALPHABET = tuple(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789" " -.,'/&<>\"():;+_@#%*?!=" "éëïöüàçñßŁşЖ€²")
_SINGLE = {"n": "\n", "r": "\r", "t": "\t"}
_CATEGORIES = {"d": ("Nd",), "w": ("L", "M", "N", "S")}  # \w is all but punctuation, separators and other


@dataclass(frozen=True, slots=True, kw_only=True)
class _Piece:
    """One atom with its quantifier: characters to choose from, or a group of branches."""

    characters: tuple[str, ...] = ()
    branches: tuple[tuple["_Piece", ...], ...] = ()
    low: int = 1
    high: int = 1


def text_matching(pattern: str, random: Random) -> str:
    """A random text that matches the whole pattern. Raises Misconfigured for a construction that is not supported."""
    return _play(_read(pattern), random)


def _play(branches: tuple[tuple[_Piece, ...], ...], random: Random) -> str:
    return "".join(
        random.choice(piece.characters) if piece.characters else _play(piece.branches, random)
        for piece in random.choice(branches) for _ in range(random.randint(piece.low, piece.high)))


@cache
def _read(pattern: str) -> tuple[tuple[_Piece, ...], ...]:
    reader = _Reader(pattern)
    branches = reader.branches()
    if reader.rest:
        reader.refuse()
    return branches


class _Reader:
    """A recursive descent over one pattern."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self.rest = pattern

    def refuse(self) -> NoReturn:
        at = len(self._pattern) - len(self.rest)
        raise Misconfigured(f"pattern {self._pattern}: no sample can be made from position {at} on; "
                            "write it with characters, classes, groups and quantifiers")

    def _take(self, text: str) -> bool:
        found = self.rest.startswith(text)
        if found:
            self.rest = self.rest[len(text):]
        return found

    def _one(self) -> str:
        if not self.rest:
            self.refuse()
        one, self.rest = self.rest[0], self.rest[1:]
        return one

    def branches(self) -> tuple[tuple[_Piece, ...], ...]:
        found = [self._branch()]
        while self._take("|"):
            found.append(self._branch())
        return tuple(found)

    def _branch(self) -> tuple[_Piece, ...]:
        pieces = []
        while self.rest and self.rest[0] not in "|)":
            pieces.append(self._piece())
        return tuple(pieces)

    def _piece(self) -> _Piece:
        characters: tuple[str, ...] = ()
        branches: tuple[tuple[_Piece, ...], ...] = ()
        if self._take("("):
            branches = self.branches()
            if not self._take(")"):
                self.refuse()
        elif self._take("["):
            characters = self._class()
        elif self._take("."):
            characters = _ALPHABET
        elif self.rest[0] in "?*+{}])":
            self.refuse()
        else:
            characters = self._character()
        low, high = self._quantifier()
        return _Piece(characters=characters, branches=branches, low=low, high=high)

    def _quantifier(self) -> tuple[int, int]:
        for sign, low, high in (("?", 0, 1), ("*", 0, _MORE), ("+", 1, 1 + _MORE)):
            if self._take(sign):
                return low, high
        if not self._take("{"):
            return 1, 1
        written, closed, self.rest = self.rest.partition("}")
        first, comma, last = written.partition(",")
        if not closed or not first.isdigit() or not (last.isdigit() or not last):
            self.refuse()
        return int(first), int(last) if last else int(first) + (_MORE if comma else 0)

    def _character(self) -> tuple[str, ...]:
        """One character, or the characters of one escape."""
        one = self._one()
        if one != "\\":
            return (one,)
        one = self._one()
        if one in "pP":
            inside, closed, self.rest = self.rest.removeprefix("{").partition("}")
            if not closed or inside.startswith("Is"):
                self.refuse()
            return _of_category((inside,), is_one=one == "p")
        if one.lower() in _CATEGORIES:
            return _of_category(_CATEGORIES[one.lower()], is_one=one.islower())
        if one.lower() == "s":
            return tuple(c for c in (*_ALPHABET, "\n") if (c in " \t\r\n") == (one == "s"))
        if one in "icIC":
            self.refuse()
        return (_SINGLE.get(one, one),)

    def _class(self) -> tuple[str, ...]:
        negated = self._take("^")
        found: dict[str, None] = {}  # a set that keeps the order, so that a seed gives the same text everywhere
        while not self._take("]"):
            if self.rest.startswith("-["):
                self.refuse()
            first = self._character()
            if len(first) == 1 and self.rest[:1] == "-" and self.rest[1:2] not in ("]", "", "["):
                self._one()
                (last,) = self._character()[:1]
                first = tuple(map(chr, range(ord(first[0]), ord(last) + 1)))
            found.update(dict.fromkeys(first))
        characters = tuple(one for one in _ALPHABET if one not in found) if negated else tuple(found)
        return characters or self.refuse()


def _of_category(names: tuple[str, ...], *, is_one: bool) -> tuple[str, ...]:
    return tuple(one for one in _ALPHABET if unicodedata.category(one).startswith(names) == is_one)
