"""Strict reading of a TOML file that a person wrote: nothing is guessed, and each complaint names file and line."""

import difflib
import re
import tomllib
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import NoReturn, TypeVar

from gateway.errors import Misconfigured
from gateway.toml_lines import Where, lines_of, nearest_line

T = TypeVar("T")

_WORDS = {str: "a text", bool: "true or false", int: "a whole number", float: "a broken number", list: "a list",
          dict: "a table", date: "a date", datetime: "a date with time"}
_AT_LINE = re.compile(r" \(at line (\d+), column \d+\)$")


class Table:
    """One table of a file, opened with the keys it may hold; another key is refused before anything is read."""

    def __init__(self, file: "TomlFile", where: Where, values: Mapping[str, object], keys: tuple[str, ...]) -> None:
        self.file, self.where, self._values = file, where, values
        for key in values:
            if key not in keys:
                near = difflib.get_close_matches(key, keys, n=1)
                remedy = f"did you mean '{near[0]}'?" if near else f"known here: {', '.join(keys)}"
                self.refuse(key, f"unknown key '{key}' in {self.title}", remedy)

    @property
    def title(self) -> str:
        """The table's name as the file shows it: `[soap]`, or `[[party]] number 3`."""
        if not self.where:
            return "the file"
        if isinstance(self.where[-1], int):
            return f"[[{self.where[-2]}]] number {self.where[-1] + 1}"
        return f"[{'.'.join(map(str, self.where))}]"

    @property
    def line(self) -> int | None:
        """Where it begins in the file; None when the file does not show it."""
        return self.file.line_of(self.where)

    def refuse(self, key: str, cause: str, remedy: str) -> NoReturn:
        """Raise Misconfigured for this key of the table."""
        self.file.refuse((*self.where, key), cause, remedy)

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def raw(self, key: str) -> object:
        """The value as tomllib gives it, for a key that may be of more than one type; None when absent."""
        return self._values.get(key)

    def text(self, key: str, default: str | None = None) -> str:
        """A non-empty string. Without `default` the key is mandatory."""
        value = self._value(key, str, "a text", default)
        return value if value.strip() else self.refuse(key, f"'{key}' in {self.title} is empty", "give it a value")

    def flag(self, key: str, default: bool) -> bool:
        """true or false."""
        return self._value(key, bool, "true or false", default)

    def number(self, key: str, default: int, *, minimum: int, maximum: int) -> int:
        """A whole number within its bounds."""
        value = self._value(key, int, "a whole number", default)
        if not minimum <= value <= maximum:
            self.refuse(key, f"'{key}' in {self.title} is {value}", f"use {minimum} to {maximum}")
        return value

    def day(self, key: str) -> date | None:
        """A date (2026-01-31), or None when absent."""
        if key not in self:
            return None
        value = self._values[key]
        if isinstance(value, date) and not isinstance(value, datetime):
            return value
        return self._wrong_type(key, "a date")

    def moment(self, key: str) -> datetime:
        """A date (its first moment in UTC) or a date with time and offset, as aware UTC. Mandatory."""
        value = self._value(key, date, "a date, or a date with time and offset such as 2026-01-31T12:00:00Z", None)
        if not isinstance(value, datetime):
            return datetime(value.year, value.month, value.day, tzinfo=UTC)
        if value.tzinfo is None:
            self.refuse(key, f"'{key}' in {self.title} has no offset", "write Z after the time, for UTC")
        return value.astimezone(UTC)

    def texts(self, key: str, default: tuple[str, ...] = ()) -> tuple[str, ...]:
        """A list of different, non-empty strings."""
        if key not in self:
            return default
        value = self._values[key]
        if not isinstance(value, list) or not all(isinstance(one, str) and one.strip() for one in value):
            self._wrong_type(key, "a list of texts")
        if len(set(value)) != len(value):
            self.refuse(key, f"'{key}' in {self.title} names something twice", "name each once")
        return tuple(value)

    def matching(self, key: str, values: tuple[str, ...], pattern: str, form: str) -> tuple[str, ...]:
        """The values of `key`, once each of them fits the pattern. `form` describes it in words."""
        for value in values:
            if re.fullmatch(pattern, value, re.ASCII) is None:
                self.refuse(key, f"{value!r} of '{key}' in {self.title} is not allowed", f"use {form}")
        return values

    def path(self, key: str, default: str | None) -> Path:
        """A path; a relative one counts from the instance folder. It need not exist. Without `default` mandatory."""
        return self.file.folder / self.text(key, default)

    def existing(self, key: str, default: str | None) -> Path:
        """The path of a file that is there. Without `default` the key is mandatory."""
        return self.existing_file(key, self.text(key, default))

    def several(self, key: str, default: tuple[str, ...] = ()) -> tuple[Path, ...]:
        """The paths of files that are there."""
        return tuple(self.existing_file(key, one) for one in self.texts(key, default))

    def existing_file(self, key: str, name: str) -> Path:
        """The path of this file, named under `key`, once it is there."""
        path = self.file.folder / name
        if not path.is_file():
            self.refuse(key, f"'{key}' in {self.title}: there is no file {name}",
                        "put it there, or correct the path (it counts from the instance folder)")
        return path

    def entries(self, key: str, keys: tuple[str, ...], default: tuple[str, ...]) -> "tuple[str | Table, ...]":
        """A list of texts and tables, mixed; the tables opened with the keys they may hold."""
        value = self._values.get(key, list(default))
        if not isinstance(value, list) or not all(isinstance(one, dict) or (isinstance(one, str) and one.strip())
                                                  for one in value):
            self._wrong_type(key, "a list of texts or tables")
        return tuple(one if isinstance(one, str) else Table(self.file, (*self.where, key, at), one, keys)
                     for at, one in enumerate(value))

    def table(self, key: str, keys: tuple[str, ...]) -> "Table":
        """The table of that name; an absent one reads as empty."""
        value = self._values.get(key, {})
        if not isinstance(value, dict):
            self._wrong_type(key, f"a table [{key}]")
        return Table(self.file, (*self.where, key), value, keys)

    def tables(self, key: str, keys: tuple[str, ...]) -> tuple["Table", ...]:
        """The tables of a list `[[key]]`, in the file's order."""
        value = self._values.get(key, [])
        if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
            self._wrong_type(key, f"a list of tables [[{key}]]")
        return tuple(Table(self.file, (*self.where, key, at), one, keys) for at, one in enumerate(value))

    def _value(self, key: str, kind: type[T], words: str, default: T | None) -> T:
        if key not in self._values:
            if default is None:
                self.refuse(key, f"'{key}' is missing in {self.title}", f"add '{key}': {words}")
            return default
        value = self._values[key]
        if isinstance(value, kind) and (kind is bool or not isinstance(value, bool)):
            return value
        return self._wrong_type(key, words)

    def _wrong_type(self, key: str, words: str) -> NoReturn:
        found = _WORDS.get(type(self._values[key]), "something else")
        self.refuse(key, f"'{key}' in {self.title} is {found}", f"make it {words}")


class TomlFile:
    """A file, parsed. `folder` is where its relative paths count from."""

    def __init__(self, path: Path, folder: Path) -> None:
        self.name, self.folder = path.name, folder
        try:
            self._text = path.read_text("utf-8-sig")
            self._values = tomllib.loads(self._text)
        except OSError as cause:
            raise Misconfigured(f"{path.name}: cannot be read ({cause.strerror}); "
                                "is this the folder that gateway init made?") from cause
        except UnicodeDecodeError as cause:
            raise Misconfigured(f"{path.name}: is not in UTF-8; save it as UTF-8") from cause
        except tomllib.TOMLDecodeError as cause:
            found = _AT_LINE.search(str(cause))
            line = int(found[1]) if found else len(self._text.rstrip().split("\n"))
            words = _AT_LINE.sub("", str(cause)).removesuffix(" (at end of document)")
            raise Misconfigured(f"{path.name} line {line}: is no TOML: {words}; correct that line") from cause
        self._lines = lines_of(self._text)

    def root(self, keys: tuple[str, ...]) -> Table:
        """The file's outermost table."""
        return Table(self, (), self._values, keys)

    def line_of(self, where: Where) -> int | None:
        """The line of the key, or of the nearest table around it."""
        return nearest_line(self._lines, where)

    def refuse(self, where: Where, cause: str, remedy: str) -> NoReturn:
        """Raise Misconfigured with the line of the key, or of the nearest table around it."""
        line = self.line_of(where)
        raise Misconfigured(f"{self.name}{f' line {line}' if line else ''}: {cause}; {remedy}")
