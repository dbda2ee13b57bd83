"""Commands for the operator: what waits to be pushed to parties' own services, and why it was not taken."""

from typing import Annotated

import typer

from gateway import app as gateway_app
from gateway.cli.output import InstanceOption, Json, Words, instance_and_words, print_json, print_rows

app = typer.Typer()
deliveries = typer.Typer(no_args_is_help=True, help="Deliveries to parties that have a service of their own.")
app.add_typer(deliveries, name="deliveries")

_WAITING = ("referentienummer", "ontvanger", "berichttype", "attempts", "next_at", "breaker", "result", "cause")
_ATTEMPT = ("ontvanger", "number", "node", "started_at", "seconds", "result", "cause")


@deliveries.command("list")
def list_deliveries(
    words: Words = None, instance: InstanceOption = None, as_json: Json = False,
    party: Annotated[str | None, typer.Option(help="Only to this party.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="At most this many.")] = 100,
) -> None:
    """List what waits to be pushed, the next to be tried first. Without next_at it waits for the message before it."""
    folder, _ = instance_and_words(words, instance, 0)
    with gateway_app.open_instance(folder).deliveries() as board:
        rows = board.waiting(party=party, limit=limit)
    if as_json:
        print_json(rows)
    else:
        print_rows("Te bezorgen", rows, _WAITING, empty="niets te bezorgen")


@deliveries.command("show")
def show_delivery(words: Words = None, instance: InstanceOption = None, as_json: Json = False) -> None:
    """Show every attempt at one message. REF is its Referentienummer."""
    folder, (number,) = instance_and_words(words, instance, 1)
    with gateway_app.open_instance(folder).deliveries() as board:
        rows = board.attempts(number)
    if as_json:
        print_json(rows)
    else:
        print_rows("Pogingen", rows, _ATTEMPT, empty="geen pogingen")
