"""Commands for the operator about deliveries: what waits, why it was not taken, and what to do with it."""

from typing import Annotated

import typer

from gateway import app as gateway_app
from gateway.cli.output import (
    InstanceOption,
    Json,
    Who,
    Why,
    Words,
    escape,
    instance_and_words,
    out,
    print_json,
    print_rows,
)

app = typer.Typer()
deliveries = typer.Typer(no_args_is_help=True, help="Deliveries: what waits for a party.")
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


@deliveries.command("retry")
def retry(
    who: Who, why: Why,
    party: Annotated[str, typer.Option("--party", help="The addressee: slug, name or id.")],
    words: Words = None, instance: InstanceOption = None,
    reset: Annotated[bool, typer.Option("--reset", help="Also when its service failed too often.")] = False,
) -> None:
    """Try now what waits to be pushed to a party. REF is its Referentienummer."""
    folder, (number,) = instance_and_words(words, instance, 1)
    with gateway_app.open_instance(folder).operations() as operations:
        operations.retry(number, party, reset=reset, who=who, why=why)
    out.print(f"{number} wordt nu opnieuw bezorgd")


@deliveries.command("redirect")
def redirect(
    who: Who, why: Why,
    old: Annotated[str, typer.Option("--from", metavar="PARTY", help="Whose conversations go over.")],
    new: Annotated[str, typer.Option("--to", metavar="PARTY", help="With whom they go on.")],
    words: Words = None, instance: InstanceOption = None, as_json: Json = False,
    conversation: Annotated[str | None, typer.Option(help="Only those under this ConversatieReferentienummer.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All of them.")] = False,
) -> None:
    """After a merger: let conversations of one party, and what waits for it, go on with another. Exit 1 when some
    can't; they stay, with the reason.
    """
    if (conversation is not None) == everything:
        raise typer.BadParameter("name one --conversation, or say --all")
    folder, _ = instance_and_words(words, instance, 0)
    with gateway_app.open_instance(folder).operations() as operations:
        done = operations.redirect(old, new, conversation=conversation, who=who, why=why)
    stays = done["blijft"]
    if as_json:
        print_json(done)
    else:
        out.print(f"{done['conversaties']} conversatie(s) van {escape(str(done['van']))} gaan verder met "
                  f"{escape(str(done['naar']))}, met {done['afleveringen']} wachtende aflevering(en)")
        if isinstance(stays, list) and stays:
            print_rows("Blijft", stays, ("conversatie_referentienummer", "reden"), empty="")
    if stays:
        raise typer.Exit(1)
