"""Commands for the routing table: who gets what is sent under a key, on which day."""

from datetime import date
from typing import Annotated

import typer

from gateway import app as gateway_app
from gateway.cli.output import InstanceOption, Json, Words, instance_and_words, print_json, print_rows

app = typer.Typer()
routes = typer.Typer(no_args_is_help=True, help="The routing table: who gets what is sent under a key.")
app.add_typer(routes, name="routes")

_COLUMNS = ("value", "kind", "module", "party", "from", "until", "fallback", "registered")


def _day(written: str) -> date:
    try:
        return date.fromisoformat(written)
    except ValueError as error:
        raise typer.BadParameter(f"{written} is no date; write 2027-01-01") from error


@routes.command("list")
def list_routes(
    words: Words = None, instance: InstanceOption = None, as_json: Json = False,
    on: Annotated[date | None, typer.Option(parser=_day, metavar="DATE", help="Only what counts on this day.")] = None,
) -> None:
    """List the rows of the routing table and the keys that parties registered themselves."""
    folder, _ = instance_and_words(words, instance, 0)
    rows = gateway_app.list_routes(folder, on)
    if as_json:
        print_json(rows)
    else:
        print_rows("Routes", rows, _COLUMNS, empty="geen routes")
