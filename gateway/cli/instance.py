"""Commands for an instance: init, serve, doctor, db, parties, certs, demo."""

import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress

from gateway import app as gateway_app
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
    moment,
    out,
    print_json,
    print_rows,
)

app = typer.Typer()
db = typer.Typer(no_args_is_help=True, help="The store.")
parties = typer.Typer(no_args_is_help=True, help="The address book: plan and apply with a diff.")
certs = typer.Typer(no_args_is_help=True, help="Certificates of hub and parties.")
app.add_typer(db, name="db")
app.add_typer(parties, name="parties")
app.add_typer(certs, name="certs")

_PARTY = ("slug", "name", "oin", "roles", "subtype", "modules", "delivery")
Wanted = Annotated[Path, typer.Argument(metavar="FILE.toml", exists=True, dir_okay=False)]


@app.command()
def init(folder: Folder) -> None:
    """Make an instance folder with a throw-away PKI, the example parties and an empty store."""
    gateway_app.create_instance(folder)
    out.print(f"[bold green]klaar[/]: {escape(str(folder))}")
    out.print(f"  start het knooppunt met: gateway serve {escape(str(folder))}")


@app.command()
def serve(
    folder: Folder,
    soap_port: Annotated[int | None, typer.Option(min=0, max=65535, help="0 chooses a free port.")] = None,
    web_port: Annotated[int | None, typer.Option(min=0, max=65535, help="0 chooses a free port.")] = None,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Worker processes.")] = 1,
) -> None:
    """Run the hub until SIGTERM; then it finishes what it has and ends."""

    def ready(soap_url: str, web_url: str) -> None:
        sys.stdout.write(f"ready soap={soap_url} web={web_url}\n")
        sys.stdout.flush()

    gateway_app.run(folder, soap_port=soap_port, web_port=web_port, workers=workers, ready=ready)


@app.command()
def demo(
    keep: Annotated[Path | None, typer.Option(help="Keep the throw-away instance in this folder.")] = None,
) -> None:
    """Run one whole Schuldregeling conversation between two parties over mutual TLS, and tell it step by step."""
    from gateway.cli.demo import run  # only this command needs it

    run(keep)


@app.command()
def doctor(folder: Folder, as_json: Json = False) -> None:
    """Check an instance; exit 1 when anything is not in order, with cause and remedy."""
    checks = gateway_app.examine(folder)
    if as_json:
        print_json([{"check": one.name, "holds": one.holds, "detail": one.detail, "remedy": one.remedy}
                    for one in checks])
    else:
        for one in checks:
            well = "[bold yellow]![/]" if one.remedy else "[green]✓[/]"
            out.print(f"{well if one.holds else '[bold red]✗[/]'} {escape(one.name)}: {escape(one.detail)}")
            if one.remedy:
                out.print(f"  [bold]remedy:[/] {escape(one.remedy)}")
    if not all(one.holds for one in checks):
        raise typer.Exit(1)


@db.command("upgrade")
def upgrade(folder: Folder) -> None:
    """Bring the store's tables to the newest version."""
    before, after = gateway_app.upgrade_store(folder)
    out.print(f"store is at {after}" if before == after else f"store upgraded from {before or 'nothing'} to {after}")


@db.command("backup")
def backup(
    folder: Folder, to: Annotated[Path, typer.Option("--to", metavar="FILE", help="A file that is not there yet.")],
) -> None:
    """Copy an SQLite store to one file, also while the hub runs; never with the sealing keys."""
    with Progress(console=err, transient=True) as bar:
        task = bar.add_task("pages", total=None)
        octets = gateway_app.backup_store(folder, to, lambda done, of: bar.update(task, completed=done, total=of))
    out.print(f"{escape(str(to))}: {octets} octets, checked")


@db.command("restored")
def restored(folder: Folder, who: Who, why: Why, as_json: Json = False) -> None:
    """After an older copy of the store was put back and this node renamed: end the old journals, begin a new one.

    The new journal's first entry says where each one ended and what the hub had signed beyond.
    """
    rows = gateway_app.declare_restored(folder, who=who, why=why)
    if as_json:
        print_json(rows)
    else:
        print_rows("Beëindigd", rows, ("node", "entries", "signed"), empty="er was nog geen journaal")


@parties.command("list")
def list_parties(words: Words = None, instance: InstanceOption = None, as_json: Json = False) -> None:
    """List the parties of an instance."""
    folder, _ = instance_and_words(words, instance, 0)
    rows = [gateway_app.describe_party(one) for one in gateway_app.open_instance(folder).register.parties()]
    if as_json:
        print_json([{key: row[key] for key in ("id", *_PARTY)} for row in rows])
    else:
        print_rows("Deelnemers", rows, _PARTY, empty="geen deelnemers")


@parties.command("show")
def show_party(words: Words = None, instance: InstanceOption = None, as_json: Json = False) -> None:
    """Show one party, by slug, name or id: is it drained, what waits, and where what it sends departs from the
    standards.
    """
    folder, (who,) = instance_and_words(words, instance, 1)
    opened = gateway_app.open_instance(folder)
    row = gateway_app.describe_party(opened.resolve(who))
    with opened.operations() as operations, opened.switchboard() as board, opened.deliveries() as deliveries:
        used, switched, called = operations.tolerances(who), board.party(who), deliveries.breaker(who)
    row |= {key: switched[key] for key in ("drained", "since", "who", "why", "waiting_to", "waiting_from")}
    row |= called
    routes = [{key: value for key, value in route.items() if key != "party"}
              for route in gateway_app.list_routes(folder) if route["party"] == row["slug"]]
    if as_json:
        print_json({**row, "tolerances": used, "routes": routes})
    else:
        print_rows(str(row["name"]), [{"key": key, "value": value} for key, value in row.items()], ("key", "value"),
                   empty="")
        print_rows("Afwijkingen die worden aanvaard", used, ("id", "count", "first_seen", "last_seen", "nl"),
                   empty="geen afwijkingen van de standaarden gezien")
        print_rows("Routes", routes, ("value", "kind", "module", "from", "until", "fallback", "registered"),
                   empty="geen routes")


@parties.command("plan")
def plan(folder: Folder, file: Wanted, as_json: Json = False) -> None:
    """Say what applying FILE.toml would change, without changing it."""
    _show_changes(gateway_app.open_instance(folder).plan_parties(file), as_json)


@parties.command("apply")
def apply(
    folder: Folder, file: Wanted, as_json: Json = False,
    who: Who = "operator", why: Why = "parties apply",
) -> None:
    """Make FILE.toml the address book; a running hub takes it over within seconds."""
    _show_changes(gateway_app.open_instance(folder).apply_parties(file, who=who, why=why), as_json)


def _purpose(written: str) -> str:
    if written not in ("tls", "signing", "encryption"):
        raise typer.BadParameter(f"{written} is no purpose; use tls, signing or encryption")
    return written


def _show_changes(changes: list[str], as_json: bool) -> None:
    if as_json:
        print_json(changes)
        return
    for change in changes:
        out.print(escape(change))
    if not changes:
        out.print("geen wijzigingen")


@certs.command("crl")
def revoke(
    folder: Folder,
    names: Annotated[list[str] | None, typer.Argument(metavar="NAME…", help="For instance gemeente-tls.")] = None,
) -> None:
    """Of a throw-away PKI: write a fresh revocation list that revokes exactly the named certificates."""
    path = gateway_app.renew_crl(folder, list(names or ()))
    out.print(f"{escape(str(path))}: {len(names or ())} ingetrokken; een draaiend knooppunt neemt dit vanzelf over")


@certs.command("fetch")
def fetch(folder: Folder, as_json: Json = False) -> None:
    """Fetch every revocation list that has an address now; exit 1 when one could not be had."""
    rows = []
    for row in gateway_app.fetch_revocation(folder):
        rows.append(row)
        if not as_json:
            out.print(escape(f"{row['file']}: {row['outcome']} ({row['url']}) {row['detail']}".rstrip()))
    if as_json:
        print_json(rows)
    if any(row["outcome"] == "failed" for row in rows):
        raise typer.Exit(1)


@certs.command("rehearse")
def rehearse(
    words: Annotated[list[str] | None, typer.Argument(metavar="PARTY", show_default=False,
                                                      help="Slug, name or id; hub for the hub itself.")] = None,
    certificate: Annotated[list[Path] | None, typer.Option(
        metavar="FILE", exists=True, dir_okay=False, help="A certificate to change to; may be repeated.")] = None,
    at: Annotated[datetime | None, typer.Option(
        parser=moment, metavar="TIME", help="When it would be used: UTC with Z; now by default.")] = None,
    purpose: Annotated[list[str] | None, typer.Option(
        parser=_purpose, metavar="PURPOSE", help="tls, signing or encryption; may be repeated; else all.")] = None,
    instance: InstanceOption = None, as_json: Json = False,
) -> None:
    """Say place by place what would work and what would break with these certificates, or at that moment; exit 1 when
    something breaks.
    """
    folder, (who,) = instance_and_words(words, instance, 1)
    found = gateway_app.rehearse_certificates(folder, who, list(certificate or ()), at=at,
                                              purposes=list(purpose or ()))
    if as_json:
        print_json([{"place": one.place, "certificate": one.certificate, "holds": one.holds, "detail": one.detail,
                     "remedy": one.remedy} for one in found])
    for one in found if not as_json else ():
        mark = {True: "[green]✓[/]", False: "[bold red]✗[/]", None: "·"}[one.holds]
        out.print(f"{mark} {escape(one.place)}: {escape(one.detail)}" + (f" ({escape(one.certificate)})"
                                                                       if one.certificate else ""))
        if one.remedy:
            out.print(f"  [bold]remedy:[/] {escape(one.remedy)}")
    if any(one.holds is False for one in found):
        raise typer.Exit(1)


@certs.command("expiring")
def expiring(
    folder: Folder, as_json: Json = False,
    days: Annotated[int, typer.Option(min=1, help="Within this many days; revocation lists within 7 at most.")] = 56,
) -> None:
    """List certificates and revocation lists that lapse soon; exit 1 when there are any."""
    rows = gateway_app.expiring(folder, days)
    if as_json:
        print_json(rows)
    else:
        print_rows(f"Verloopt binnen {days} dagen", rows, ("file", "subject", "not_after", "days_left"),
                   empty=f"niets verloopt binnen {days} dagen")
    if rows:
        fail("renew these in time (docs/operations.md)") if not as_json else sys.exit(1)
