"""The command that says why an envelope is refused, and what to change."""

import textwrap
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway import app as gateway_app
from gateway.cli.output import InstanceOption, Json, escape, moment, out, plain, print_json

app = typer.Typer()

_MARKS = {True: "[green]✓[/]", False: "[bold red]✗[/]", None: "[yellow]–[/]"}
_WIDTH = 100  # words are read; a line longer than this is not


@app.command()
def explain(
    file: Annotated[Path, typer.Argument(metavar="FILE.xml", exists=True, dir_okay=False, help="A whole envelope.")],
    instance: InstanceOption = None,
    at: Annotated[datetime | None, typer.Option(
        parser=moment, metavar="TIME", help="When the hub received it; without it the clock is not judged.")] = None,
    signed: Annotated[Path | None, typer.Option(
        exists=True, dir_okay=False, help="The canonical octets that you digested: shows where they differ.")] = None,
    soap_action: Annotated[str | None, typer.Option(help="The HTTP header SOAPAction.")] = None,
    content_type: Annotated[str | None, typer.Option(help="The HTTP header Content-Type.")] = None,
    tls: Annotated[Path | None, typer.Option(
        exists=True, dir_okay=False, metavar="CERT.pem", help="The TLS client certificate of the call.")] = None,
    as_json: Json = False,
) -> None:
    """Say why the hub refuses an envelope, check by check, and what to change; exit 1 when anything does not hold.

    With --instance it is held against that hub's trust, address book and addresses.
    """
    story = gateway_app.explain_file(file, folder=instance, at=at, signed=signed, soap_action=soap_action,
                                     content_type=content_type, tls=tls)
    if as_json:
        print_json({"at": story.at, "holds": story.holds, "checks": story.checks, "differences": story.differences})
    else:
        show_checks(story.checks)
        for line in story.differences:
            out.print(escape(line), soft_wrap=True)
        _hint(story, instance, at)
    if not story.holds:
        raise typer.Exit(1)


def show_checks(checks: Any) -> None:
    """Every check in one line, then each cause with its remedy: rows of Operations.refusals or Story.checks."""
    for one in checks:
        out.print(f"{_MARKS[one['holds']]} {escape(one['nl'])}")
    wrong = [each for one in checks for each in one["diagnoses"]]
    for number, one in enumerate(wrong, start=1):
        out.print(f"\n[bold red]{number}. {escape(_folded(one['cause_nl'], 3))}[/]")
        out.print(f"   [bold]→ {escape(_folded(one['remedy_nl'], 5))}[/]")
        out.print(f"   [dim]{escape(_folded(one['cause_en'], 3))}\n   → {escape(_folded(one['remedy_en'], 5))}[/]")
        out.print(f"   [dim]{escape(one['id'])}  {escape(_short(one['place']))}[/]")


def _hint(story: gateway_app.Story, instance: Path | None, at: datetime | None) -> None:
    """What was not looked at, and how it can be."""
    if story.holds:
        out.print("\n[bold green]alles wat is bekeken, klopt[/]")
    missing = []
    if instance is None:
        missing.append("--instance DIR: vertrouwde CA's, intrekking, adresboek en adressen")
    if at is None:
        missing.append(f"--at TIJD: de klok (nu bekeken alsof het {plain(story.at)} was)")
    for one in missing:
        out.print(f"[dim]niet bekeken zonder {escape(one)}[/]")


def _folded(words: str, indent: int) -> str:
    width = min(_WIDTH, out.width) - indent
    return textwrap.fill(words, width, subsequent_indent=" " * indent, break_long_words=False, break_on_hyphens=False)


def _short(place: str) -> str:
    """The last two steps of a path."""
    return "/".join(place.split("/")[-2:])
