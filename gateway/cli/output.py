"""What the commands print: tables and words for people, JSON for programs; errors on stderr with an exit code."""

import json
import os
import sys
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.markup import escape as escape
from rich.table import Table

_UNBOUNDED = 1000  # columns; in a pipe there is no edge to fold at, and tables take only what they need
out = Console(highlight=False, emoji=False, soft_wrap=True, width=None if sys.stdout.isatty() else _UNBOUNDED)
err = Console(stderr=True, highlight=False, emoji=False, soft_wrap=True)


Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Folder = Annotated[Path, typer.Argument(metavar="DIR", help="The instance folder.", show_default=False)]
InstanceOption = Annotated[
    Path | None, typer.Option("--instance", metavar="DIR", help="The instance folder; default $GATEWAY_INSTANCE or .")
]
Who = Annotated[str, typer.Option("--who", help="Who decides this; is journaled.")]
Why = Annotated[str, typer.Option("--why", help="Why; is journaled.")]
Words = Annotated[list[str] | None, typer.Argument(metavar="[DIR] …", show_default=False)]


def fail(message: str, *, code: int = 1) -> NoReturn:
    """End with a message that says what went wrong and what to do."""
    err.print(f"[bold red]error:[/] {escape(message)}")
    raise typer.Exit(code)


def instance_and_words(words: Sequence[str] | None, option: Path | None, wanted: int) -> tuple[Path, list[str]]:
    """`DIR WORD…` or `WORD… --instance DIR`: the folder, and exactly `wanted` words."""
    rest = list(words or ())
    if option is None and len(rest) == wanted + 1:
        option = Path(rest.pop(0))
    if len(rest) != wanted:
        raise typer.BadParameter(f"expected the folder and {wanted} word(s) after it")
    return option or Path(os.environ.get("GATEWAY_INSTANCE", ".")), rest


def print_json(value: object) -> None:
    """JSON on stdout, times in UTC with Z."""
    json.dump(value, sys.stdout, ensure_ascii=False, indent=2, default=plain)
    sys.stdout.write("\n")


def plain(value: object) -> object:
    """A value as JSON or a table cell shows it."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
    if isinstance(value, bytes):
        return b64encode(value).decode()  # as on the wire
    if isinstance(value, frozenset | set | tuple):
        return sorted(value) if isinstance(value, frozenset | set) else list(value)
    if isinstance(value, Mapping):
        return dict(value)
    return str(value)


def print_rows(title: str, rows: Iterable[Mapping[str, object]], columns: Sequence[str], *, empty: str) -> None:
    """A table with these columns, or one line when there is nothing."""
    listed = list(rows)
    if not listed:
        out.print(empty)
        return
    table = Table(title=title, title_justify="left", header_style="bold")
    for number, column in enumerate(columns):  # the first names the row: kept whole, so that it can be copied
        table.add_column(column.replace("_", " "), overflow="fold", no_wrap=number == 0)
    for row in listed:
        table.add_row(*(escape(_cell(row.get(column))) for column in columns))
    out.print(table)


def print_facts(facts: Mapping[str, object]) -> None:
    """A line for each name and its value."""
    for name, value in facts.items():
        out.print(f"  {name.replace('_', ' '):<29} {escape(_cell(value))}")


def _cell(value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "ja" if value else "nee"
    shown = plain(value)
    return ", ".join(map(str, shown)) if isinstance(shown, list) else str(shown)


def moment(written: str) -> datetime:
    """A moment with an offset from UTC; "now" for this one."""
    try:
        found = datetime.now(UTC) if written == "now" else datetime.fromisoformat(written)
    except ValueError as error:
        raise typer.BadParameter(f"{written} is no moment; write 2026-03-02T09:30:00Z or now") from error
    if found.tzinfo is None:
        raise typer.BadParameter(f"{written} has no offset from UTC; add Z")
    return found
