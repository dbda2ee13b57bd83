"""One table of a TOML file, read key by key, with refusals that name file, line, key and remedy."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from gateway.errors import Misconfigured
from gateway.toml_lines import Where, nearest_line

_HASH = re.compile(r"[0-9a-f]{64}")


class Table:
    """A TOML table of which every key must be taken; `done()` refuses what is left."""

    def __init__(self, path: Path, lines: Mapping[Where, int], values: Mapping[str, object], where: Where = ()) -> None:
        self._path, self._lines, self._values, self._where = path, lines, values, where
        self._taken: set[str] = set()

    def refuse(self, key: str, problem: str) -> NoReturn:
        """Raise Misconfigured for `key`."""
        line = nearest_line(self._lines, (*self._where, key)) or 1
        raise Misconfigured(f"{self._path}, line {line}: {self._title()}key `{key}`: {problem}")

    def _title(self) -> str:
        """`[[message]] 2, `: the table as the file shows it; empty at the top."""
        names = ".".join(one for one in self._where if isinstance(one, str))
        last = self._where[-1] if self._where else None
        return f"[[{names}]] {last + 1}, " if isinstance(last, int) else f"[{names}], " if names else ""

    def has(self, key: str) -> bool:
        return key in self._values

    def done(self) -> None:
        """Refuse the first key nobody asked for."""
        for key in self._values:
            if key not in self._taken:
                self.refuse(key, f"unknown; remove it or use one of {', '.join(sorted(self._taken))}")

    def _take(self, key: str) -> object:
        self._taken.add(key)
        return self._values.get(key)

    def optional_text(self, key: str) -> str | None:
        value = self._take(key)
        if value is not None and (not isinstance(value, str) or not value.strip()):
            self.refuse(key, 'write a text between quotes, for instance "…"')
        return value

    def text(self, key: str) -> str:
        return self.optional_text(key) or self.refuse(key, "missing; add it")

    def equal(self, key: str, expected: str) -> str:
        """A text that the folder fixes already."""
        value = self.text(key)
        if value != expected:
            self.refuse(key, f'must be "{expected}", as the folder says; correct the key or move the folder')
        return value

    def name(self, key: str, pattern: re.Pattern[str]) -> str:
        value = self.text(key)
        if not pattern.fullmatch(value):
            self.refuse(key, f"does not have the form {pattern.pattern}")
        return value

    def one_of(self, key: str, allowed: tuple[str, ...], *, default: str | None = None) -> str:
        value = self.optional_text(key)
        if value is None and default is not None:
            return default
        if value not in allowed:
            self.refuse(key, f"{'missing' if value is None else 'not allowed'}; use one of {', '.join(allowed)}")
        return value

    def texts(self, key: str, *, optional: bool = False, allowed: tuple[str, ...] | None = None) -> tuple[str, ...]:
        """A text or a list of texts; not empty unless optional."""
        value = self._take(key)
        if value is None and optional:
            return ()
        values = [value] if isinstance(value, str) else value
        if not isinstance(values, list) or not values or not all(isinstance(v, str) and v for v in values):
            self.refuse(key, 'write a list of texts, for instance ["…"]')
        for one in values:
            if allowed is not None and one not in allowed:
                self.refuse(key, f"{one} is not known; use {', '.join(allowed)}")
        return tuple(values)

    def flag(self, key: str) -> bool:
        value = self._take(key)
        if value is None:
            return False
        if not isinstance(value, bool):
            self.refuse(key, "write true or false")
        return value

    def positive(self, key: str) -> int | None:
        value = self._take(key)
        if value is None:
            return None
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            self.refuse(key, "write a whole number from 1")
        return value

    def table(self, key: str) -> "Table":
        value = self._take(key)
        if not isinstance(value, dict):
            self.refuse(key, "write a table")
        return Table(self._path, self._lines, value, (*self._where, key))

    def tables(self, key: str) -> list["Table"]:
        """The tables of an array; empty when the key is absent."""
        value = self._take(key)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
            self.refuse(key, f"write [[{key}]]")
        return [Table(self._path, self._lines, one, (*self._where, key, index)) for index, one in enumerate(value)]

    def strings(self) -> dict[str, str]:
        """The whole table as texts by name."""
        return {key: self.text(key) for key in self._values}

    def hashes(self) -> dict[str, str]:
        """The whole table as SHA-256 values by file name."""
        return {key: self.name(key, _HASH) for key in self._values}
