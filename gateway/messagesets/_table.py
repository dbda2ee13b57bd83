"""One table of a TOML file, read key by key, with refusals that name file, line, key and remedy."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from gateway.errors import Misconfigured

_HASH = re.compile(r"[0-9a-f]{64}")


class Table:
    """A TOML table of which every key must be taken; `done()` refuses what is left."""

    def __init__(self, path: Path, text: str, values: Mapping[str, object], *,
                 header: str = "", index: int = 0, after: int = 0) -> None:
        self._path = path
        self._text = text
        self._values = values
        self._header = header  # "[[message]]", or "" for the top of the file
        self._index = index
        self._after = after  # the line to count headers from: that of the table around this one
        self._taken: set[str] = set()

    def refuse(self, key: str, problem: str) -> NoReturn:
        """Raise Misconfigured for `key`."""
        where = f"{self._header} {self._index + 1}, " if self._header else ""
        raise Misconfigured(f"{self._path}, line {self._line(key)}: {where}key `{key}`: {problem}")

    def _start(self) -> int:
        """The line of this table's header, counted from 0."""
        seen = -1
        lines = self._text.splitlines()
        for number in range(self._after, len(lines)):
            if self._header and lines[number].strip().startswith(self._header):
                seen += 1
                if seen == self._index:
                    return number
        return self._after

    def _line(self, key: str) -> int:
        """The line of `key`, counted from 1; that of the table when the key is not written there."""
        start = self._start()
        lines = self._text.splitlines()
        pattern = re.compile(rf'\s*(\[\[?\s*)?"?{re.escape(key)}"?\s*[=\].]')
        for number in range(start + (1 if self._header else 0), len(lines)):
            if self._header and lines[number].lstrip().startswith("["):
                break
            if pattern.match(lines[number]):
                return number + 1
        return start + 1

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
        return Table(self._path, self._text, value, header=f"[{key}]")

    def tables(self, key: str) -> list["Table"]:
        """The tables of an array; empty when the key is absent."""
        value = self._take(key)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
            self.refuse(key, f"write [[{key}]]")
        header = f"[[{key}]]" if not self._header else f"{self._header[:-2]}.{key}]]"
        start = self._start()
        return [Table(self._path, self._text, one, header=header, index=index, after=start)
                for index, one in enumerate(value)]

    def strings(self) -> dict[str, str]:
        """The whole table as texts by name."""
        return {key: self.text(key) for key in self._values}

    def hashes(self) -> dict[str, str]:
        """The whole table as SHA-256 values by file name."""
        return {key: self.name(key, _HASH) for key in self._values}
