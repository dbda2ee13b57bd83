"""Commands for the operator: messages, journal, evidence. They never print content."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress

from gateway import app as gateway_app
from gateway.cli.explain import show_checks
from gateway.cli.output import (
    Folder,
    InstanceOption,
    Json,
    Who,
    Why,
    Words,
    err,
    escape,
    fail,
    instance_and_words,
    out,
    print_facts,
    print_json,
    print_rows,
)

app = typer.Typer()
messages = typer.Typer(no_args_is_help=True, help="Messages, as an operator may see them: never their content.")
journal = typer.Typer(no_args_is_help=True, help="The hash chain over everything the hub did.")
evidence = typer.Typer(no_args_is_help=True, help="Proof of one message, checkable without the hub.")
app.add_typer(messages, name="messages")
app.add_typer(journal, name="journal")
app.add_typer(evidence, name="evidence")

_COLUMNS = ("referentienummer", "berichttype", "versie", "afzender", "ontvanger", "tijdstip_ontvangst", "status")


@messages.command("list")
def list_messages(
    words: Words = None, instance: InstanceOption = None, as_json: Json = False,
    conversation: Annotated[str | None, typer.Option(help="Only this ConversatieReferentienummer.")] = None,
    party: Annotated[str | None, typer.Option(help="Only what this party sent or received.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="At most this many, newest first.")] = 100,
) -> None:
    """List messages, newest first."""
    folder, _ = instance_and_words(words, instance, 0)
    with gateway_app.open_instance(folder).operations() as operations:
        rows = operations.messages(conversation=conversation, party=party, limit=limit)
    if as_json:
        print_json(rows)
    else:
        print_rows("Berichten", rows, _COLUMNS, empty="geen berichten")


@messages.command("show")
def show_message(words: Words = None, instance: InstanceOption = None, as_json: Json = False) -> None:
    """Show one message: who, when, status, and every step the journal knows of. REF is its Referentienummer."""
    folder, (number,) = instance_and_words(words, instance, 1)
    with gateway_app.open_instance(folder).operations() as operations:
        story = operations.message(number)
    if as_json:
        print_json(story)
        return
    print_facts({name: value for name, value in story.items() if not isinstance(value, list)})
    for name in ("deliveries", "geweigerd", "attempts", "journal"):
        rows = story[name]
        if isinstance(rows, list) and rows:
            print_rows(name, rows, tuple(rows[0]), empty="")


@messages.command("refused")
def refused(
    words: Words = None, instance: InstanceOption = None, as_json: Json = False,
    ticket: Annotated[str | None, typer.Option(help="The ticket of one fault.")] = None,
    hours: Annotated[int, typer.Option(min=1, help="Look back so many hours.")] = 24,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most this many, newest first.")] = 100,
) -> None:
    """Say why requests were refused: the reason that the fault keeps to itself."""
    folder, _ = instance_and_words(words, instance, 0)
    with gateway_app.open_instance(folder).operations() as operations:
        rows = operations.refusals(ticket=ticket, hours=hours, limit=limit)
    if as_json:
        print_json(rows)
    elif ticket is not None:
        print_facts({name: value for name, value in rows[0].items() if name != "toelichting"})
        show_checks(rows[0]["toelichting"])
    else:
        print_rows("Geweigerd", rows, ("tijdstip", "ticket", "code", "fout", "reden", "oin"), empty="niets geweigerd")


@messages.command("requeue")
def requeue(who: Who, why: Why, words: Words = None, instance: InstanceOption = None) -> None:
    """Make a collected but unconfirmed message available again."""
    folder, (number,) = instance_and_words(words, instance, 1)
    with gateway_app.open_instance(folder).operations() as operations:
        operations.requeue(number, who=who, why=why)
    out.print(f"{number} is weer beschikbaar")


@messages.command("cancel")
def cancel(who: Who, why: Why, words: Words = None, instance: InstanceOption = None) -> None:
    """Withdraw a message that nobody collected yet; its content is erased."""
    folder, (number,) = instance_and_words(words, instance, 1)
    with gateway_app.open_instance(folder).operations() as operations:
        operations.cancel(number, who=who, why=why)
    out.print(f"{number} is geannuleerd en gewist")


@journal.command("verify")
def verify_journal(
    folder: Folder, as_json: Json = False,
    checkpoint: Annotated[list[Path] | None, typer.Option(
        "--checkpoint", exists=True, dir_okay=False, help="A published checkpoint that was kept elsewhere.")] = None,
) -> None:
    """Walk every journal, with its checkpoints; exit 1 at the first entry that does not hold.

    The checkpoints in the instance folder are always compared; one that was kept elsewhere also finds a history that
    was made anew by somebody who holds the hub's key.
    """
    kept = [file.read_bytes() for file in checkpoint or ()]
    with gateway_app.open_instance(folder).operations() as operations, Progress(console=err, transient=True) as bar:
        task = bar.add_task("entries", total=None)
        verdict = operations.verify_journal(lambda done: bar.update(task, completed=done), kept)
    if as_json:
        print_json(verdict)
    elif verdict["holds"]:
        out.print(f"[bold green]klopt[/]: {verdict['entries']} regels, waarvan {verdict['signed']} ondertekend in "
                  f"{verdict['checkpoints']} controlepunt(en), {verdict['time_stamps']} met tijdstempel")
    ends = verdict["ended"]
    for one in ends if isinstance(ends, list) and not as_json else ():
        signed = f"; getekend was tot {one['signed']}" if one["signed"] else ""
        out.print(f"[bold yellow]{escape(one['node'])}[/] is na {one['entries']} regels beëindigd bij een herstel, "
                  f"zegt {escape(one['by'])}; wat erna kwam ging verloren{signed}")
    if not verdict["holds"]:
        fail(f"the journal breaks at {verdict['position']}: {verdict['cause']}")


@journal.command("checkpoints")
def list_checkpoints(folder: Folder, as_json: Json = False) -> None:
    """List the signed states of the journal; --json holds the notes themselves."""
    with gateway_app.open_instance(folder).operations() as operations:
        rows = operations.signed_states()
    if as_json:
        print_json(rows)
    else:
        print_rows("Controlepunten", rows, ("node", "entries", "tijdstip", "tijdstempel"), empty="geen controlepunten")


@journal.command("consistency")
def prove_consistency(
    folder: Folder, old: Annotated[int, typer.Option("--from", min=1, help="Entries at the earlier moment.")],
    new: Annotated[int, typer.Option("--to", min=1, help="Entries at the later moment.")],
    node: Annotated[str | None, typer.Option(help="The node whose journal it is; default this one's.")] = None,
    as_json: Json = False,
) -> None:
    """Prove that the journal of --to entries continues that of --from entries (RFC 9162 §2.1.4)."""
    instance = gateway_app.open_instance(folder)
    with instance.operations() as operations:
        found = operations.consistency(node or instance.settings.hub.node, old, new)
    if as_json:
        print_json(found)
    else:
        print_facts(found)
    if not found["holds"]:
        fail("the later journal does not continue the earlier one")


@evidence.command("export")
def export_evidence(
    number: Annotated[str | None, typer.Argument(metavar="[REF]", help="Referentienummer.")] = None,
    instance: InstanceOption = None,
    party: Annotated[str | None, typer.Option(help="The sender, where two parties used one number.")] = None,
    ticket: Annotated[str | None, typer.Option(help="Of a refusal: the ticket of its fault, in place of REF.")] = None,
) -> None:
    """Write the evidence file of one message or refusal to stdout: signatures, digests and times, no content."""
    if (number is None) == (ticket is None) or (ticket is not None and party is not None):
        raise typer.BadParameter("give REF (and --party), or --ticket")
    folder, _ = instance_and_words((), instance, 0)
    with gateway_app.open_instance(folder).operations() as operations:
        _write_out(operations.evidence(number, sender=party) if number else operations.refusal_evidence(ticket or ""))


@evidence.command("fetch")
def fetch_evidence(
    folder: Folder, number: Annotated[str, typer.Argument(metavar="REF", help="Referentienummer.")],
    party: Annotated[str, typer.Option(metavar="NAME", help="Slug, name or id of the party to act as.")],
    sender: Annotated[str | None, typer.Option(help="The sender, where two parties used one number.")] = None,
    url: Annotated[str | None, typer.Option(help="Where the hub listens, if not where this instance says.")] = None,
) -> None:
    """As PARTY, ask the hub for the evidence file of a message it sent or received (HaalBewijsOp); to stdout."""
    instance = gateway_app.open_instance(folder)
    with instance.acting(party, url=url) as client:
        _write_out(client.evidence(number, afzender=instance.resolve(sender).id if sender else None))


def _write_out(octets: bytes) -> None:
    sys.stdout.buffer.write(octets)
    sys.stdout.buffer.flush()


@evidence.command("verify")
def verify_evidence(
    file: Annotated[Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False)],
    message: Annotated[Path | None, typer.Option(
        "--message", exists=True, dir_okay=False,
        help="The message element: proves that this is the content. Of a refusal: the exact octets of the request.",
    )] = None,
    anchor: Annotated[list[Path] | None, typer.Option("--anchor", exists=True, dir_okay=False,
                                                      help="A CA certificate (PEM) to trust.")] = None,
    hub_oin: Annotated[str | None, typer.Option("--hub-oin", help="The OIN of the hub that must have signed.")] = None,
    tsa_anchor: Annotated[list[Path] | None, typer.Option(
        "--tsa-anchor", exists=True, dir_okay=False, help="Certificate (PEM) of the time-stamp authority, or its CA's.",
    )] = None,
    as_json: Json = False,
) -> None:
    """Check an evidence file, without hub or database; exit 1 when anything in it does not hold.

    Whose word the file is, only --anchor and --hub-oin can tell.
    """
    content = message.read_bytes() if message else None
    checks = gateway_app.verify_evidence(file.read_bytes(), content, anchor or [], hub_oin, tsa_anchor or [])
    if as_json:
        print_json([{"check": one.name, "holds": one.holds, "detail": one.detail} for one in checks])
    else:
        for one in checks:
            mark = {True: "[green]✓[/]", False: "[bold red]✗[/]", None: "[yellow]–[/]"}[one.holds]
            out.print(f"{mark} {escape(one.name)}: {escape(one.detail)}")
    if any(one.holds is False for one in checks):
        raise typer.Exit(1)
