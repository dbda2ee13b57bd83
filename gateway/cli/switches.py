"""Commands for the operator: drain a party, pause a module, and see whether the hub's duties are done."""

from collections.abc import Sequence

import typer

from gateway import app as gateway_app
from gateway.cli.instance import parties
from gateway.cli.output import (
    Folder,
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
modules = typer.Typer(no_args_is_help=True, help="Modules: which are paused, and pausing them.")
duties = typer.Typer(no_args_is_help=True, help="Work that is done once for the whole hub, on any node.")
app.add_typer(modules, name="modules")
app.add_typer(duties, name="duties")

_MODULE = ("module", "version", "title", "status", "paused", "since", "who", "why")
_DUTY = ("name", "every_seconds", "node", "last_started", "last_done", "outcome", "late")


@parties.command("drain")
def drain(
    who: Who, why: Why, words: Words = None, instance: InstanceOption = None, as_json: Json = False,
) -> None:
    """Accept no new messages to or from a party, until it is resumed. What waits can be collected and confirmed."""
    folder, (party,) = instance_and_words(words, instance, 1)
    with gateway_app.open_instance(folder).switchboard() as board:
        _tell_party(board.drain(party, who=who, why=why), as_json)


@parties.command("resume")
def resume_party(
    who: Who, why: Why, words: Words = None, instance: InstanceOption = None, as_json: Json = False,
) -> None:
    """Accept messages to and from a drained party again."""
    folder, (party,) = instance_and_words(words, instance, 1)
    with gateway_app.open_instance(folder).switchboard() as board:
        _tell_party(board.resume_party(party, who=who, why=why), as_json)


@modules.command("list")
def list_modules(words: Words = None, instance: InstanceOption = None, as_json: Json = False) -> None:
    """List the message sets, and which are paused, since when and why."""
    folder, _ = instance_and_words(words, instance, 0)
    with gateway_app.open_instance(folder).switchboard() as board:
        _tell_modules(board.modules(), as_json)


@modules.command("pause")
def pause(
    who: Who, why: Why, words: Words = None, instance: InstanceOption = None, as_json: Json = False,
) -> None:
    """Close the services of a MODULE, or of MODULE/VERSION: they answer "later". What waits can be collected."""
    folder, (target,) = instance_and_words(words, instance, 1)
    with gateway_app.open_instance(folder).switchboard() as board:
        _tell_modules(board.pause(target, who=who, why=why), as_json)


@modules.command("resume")
def resume_module(
    who: Who, why: Why, words: Words = None, instance: InstanceOption = None, as_json: Json = False,
) -> None:
    """Open the services of a paused MODULE or MODULE/VERSION again."""
    folder, (target,) = instance_and_words(words, instance, 1)
    with gateway_app.open_instance(folder).switchboard() as board:
        _tell_modules(board.resume_module(target, who=who, why=why), as_json)


@duties.command("list")
def list_duties(folder: Folder, as_json: Json = False) -> None:
    """List the duties of the hub: on which node, when last, with what outcome; exit 1 when one is late."""
    with gateway_app.open_instance(folder).switchboard() as board:
        rows = board.duties()
    if as_json:
        print_json(rows)
    else:
        print_rows("Taken", rows, _DUTY, empty="geen taken; het knooppunt heeft nog niet gedraaid")
    if any(row["late"] for row in rows):
        raise typer.Exit(1)


def _tell_party(row: dict[str, object], as_json: bool) -> None:
    if as_json:
        print_json(row)
        return
    state = "neemt niet deel aan nieuwe berichten" if row["drained"] else "neemt deel aan nieuwe berichten"
    out.print(f"{escape(str(row['slug']))} {state}; er wachten {row['waiting_to']} aflevering(en) aan en "
              f"{row['waiting_from']} van deze deelnemer")


def _tell_modules(rows: Sequence[dict[str, object]], as_json: bool) -> None:
    if as_json:
        print_json(rows)
    else:
        print_rows("Modules", rows, _MODULE, empty="geen modules")
