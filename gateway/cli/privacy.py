"""Commands for the privacy officer: what is held and why; erasing what the hub holds for a party."""

from typing import Annotated

import typer

from gateway import app as gateway_app
from gateway.cli.output import (
    Folder,
    Json,
    Who,
    Why,
    out,
    print_facts,
    print_json,
    print_rows,
)

app = typer.Typer()
privacy = typer.Typer(no_args_is_help=True, help="What is held, for how long and why. Never content.")
app.add_typer(privacy, name="privacy")

_QUESTION = ("Alles wat aan of van deze partij nog wacht wordt geannuleerd en gewist, ook wat de ander nog niet heeft "
             "bevestigd. Doorgaan?")
_HELD = ("soort", "aantal", "octetten", "oudste", "oudste_weg_op", "instelling")


@privacy.command("report")
def report(folder: Folder, as_json: Json = False) -> None:
    """Show what this hub holds: of each kind how much, since when, until when and on what ground; keys; whom content
    is encrypted for; next expiries.
    """
    with gateway_app.open_instance(folder).privacy() as door:
        found = door.report()
    if as_json:
        print_json(found)
        return
    print_rows("Gehouden", found["gehouden"], _HELD, empty="")
    print_facts({str(one["soort"]).split(":")[0].split(",")[0]: one["grond"] for one in found["gehouden"]})
    print_rows("Sleutels", found["sleutels"], ("dag", "berichten", "nodig_tot"), empty="geen sleutels")
    print_rows("Versleuteld voor", found["versleuteld_voor"],
               ("deelnemer", "certificaat", "in_gebruik", "afleveringen", "nodig_tot"), empty="niets")
    print_rows("Verloopt", found["verloopt"], ("op", "afleveringen"), empty="er wacht niets")


@privacy.command("erase-party")
def erase_party(
    folder: Folder, who: Who, why: Why,
    party: Annotated[str, typer.Option("--party", help="Slug or name of a party that is no longer active, or its id.")],
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False, as_json: Json = False,
) -> None:
    """Erase what the hub holds for a party that left: all content to and from it. Tells what stays, and why."""
    with gateway_app.open_instance(folder).privacy() as door:
        stays = door.stays(party)
        if not yes:
            typer.confirm(_QUESTION, abort=True, err=True)
        ended = door.erase_party(party, by=who, why=why)
    if as_json:
        print_json({"partij": party, "beeindigd": ended, "blijft": stays})
        return
    out.print(f"[bold green]gewist[/]: {ended} aflevering(en) beëindigd, hun inhoud is weg")
    print_rows("Blijft", stays, ("soort", "aantal", "uiterlijk_tot", "grond"), empty="")
