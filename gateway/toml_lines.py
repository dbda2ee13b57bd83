"""Where a key stands in a TOML file: `tomllib` keeps no positions, so the text is scanned once more.

The scan understands table headers and `key =` at the start of a line, which is how people write such files; for
anything else (a key inside an inline table) the nearest place is that of what holds it.
"""

import re
from collections.abc import Mapping

Where = tuple[str | int, ...]  # ("party", 2, "oin"): a key's place in the file

_NAME = r"(?:[\w-]+|\"[^\"]*\"|'[^']*')"
_PART = re.compile(_NAME)
_HEADER = re.compile(r"^\s*(\[{1,2})\s*([^\[\]]+?)\s*\]{1,2}\s*(?:#.*)?$")
_KEY = re.compile(rf"^\s*({_NAME}(?:\s*\.\s*{_NAME})*)\s*=")


def nearest_line(lines: Mapping[Where, int], where: Where) -> int | None:
    """The line of this place, or of the nearest table around it; None at the top of the file."""
    return next((lines[where[:length]] for length in range(len(where), 0, -1) if where[:length] in lines), None)


def lines_of(text: str) -> dict[Where, int]:
    """Where each table and key begins (first line is 1)."""
    found: dict[Where, int] = {}
    counts: dict[Where, int] = {}
    table: Where = ()
    for number, line in enumerate(text.split("\n"), start=1):
        if header := _HEADER.match(line):
            table = _place(_names(header[2]), counts)
            if header[1] == "[[":
                counts[table] = counts.get(table, -1) + 1
                found.setdefault(table, number)
                table = (*table, counts[table])
            found.setdefault(table, number)
        elif key := _KEY.match(line):
            names = _names(key[1])
            for length in range(1, len(names) + 1):
                found.setdefault((*table, *names[:length]), number)
    return found


def _place(names: Where, counts: Mapping[Where, int]) -> Where:
    """The place a header names: `[party.modules]` belongs to the latest `[[party]]`."""
    place: Where = ()
    for name in names[:-1]:
        place = (*place, name)
        if place in counts:
            place = (*place, counts[place])
    return (*place, names[-1])


def _names(dotted: str) -> Where:
    return tuple(part.strip("\"'") for part in _PART.findall(dotted))
