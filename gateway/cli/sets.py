"""Commands for message sets: validate one message, list, check, write WSDL."""

from pathlib import Path
from typing import Annotated

import typer

from gateway import app as gateway_app
from gateway.cli.output import Json, err, escape, out, print_json, print_rows

app = typer.Typer()
sets = typer.Typer(no_args_is_help=True, help="Message sets: folders of schemas, manifest, rules and examples.")
app.add_typer(sets, name="sets")

Xsd = Annotated[Path | None, typer.Option("--xsd", exists=True, file_okay=False, help="Another root than our own.")]
Wsdl = Annotated[Path | None, typer.Option("--wsdl", file_okay=False, help="Another root than our own.")]


@app.command()
def validate(
    file: Annotated[Path, typer.Argument(metavar="FILE.xml", exists=True, dir_okay=False)],
    as_json: Json = False, xsd: Xsd = None,
) -> None:
    """Check a message element against its message set, found by namespace; exit 1 when there is a finding."""
    findings = gateway_app.validate_file(file, xsd)
    if as_json:
        print_json([{"xpath": one.xpath, "rule": one.rule, "nl": one.nl, "en": one.en} for one in findings])
    else:
        for one in findings:
            err.print(f"[bold]{escape(one.xpath)}[/]  {escape(one.rule)}")
            err.print(f"  {escape(one.nl)}\n  [dim]{escape(one.en)}[/]")
        if not findings:
            out.print("[bold green]geldig[/]")
    if findings:
        raise typer.Exit(1)


@sets.command("list")
def list_sets(as_json: Json = False, xsd: Xsd = None) -> None:
    """List the message sets."""
    rows = gateway_app.list_sets(xsd)
    if as_json:
        print_json(rows)
    else:
        print_rows("Berichtensets", rows, ("module", "version", "title", "status", "roles", "messages"), empty="geen")


@sets.command("check")
def check_sets(as_json: Json = False, xsd: Xsd = None, wsdl: Wsdl = None) -> None:
    """Check every folder: manifest, hashes, schemas, choreography, examples, WSDL; exit 1 when anything is wrong."""
    problems = gateway_app.check_sets(xsd, wsdl)
    if as_json:
        print_json(problems)
    else:
        for problem in problems:
            err.print(escape(problem))
        if not problems:
            out.print("[bold green]in orde[/]")
    if problems:
        raise typer.Exit(1)


@sets.command("wsdl")
def write_wsdl(xsd: Xsd = None, wsdl: Wsdl = None) -> None:
    """Write the WSDL of every set from its manifest; the same input gives the same octets."""
    for path, changed in gateway_app.write_wsdl(xsd, wsdl):
        out.print(f"{'written ' if changed else 'same    '} {escape(str(path))}")
