"""Commands for the operator about deliveries: what to do with what waits for a party."""

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
