"""Commands for message sets: validate one message, list, check, write WSDL, make samples, tell what changed."""

import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from gateway import app as gateway_app
from gateway.cli.output import Json, err, escape, moment, out, print_json, print_rows

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


@sets.command("sample")
def sample(
    name: Annotated[str, typer.Argument(metavar="SET", help="For instance schuldregeling/2.0.")],
    element: Annotated[str, typer.Argument(metavar="ELEMENT", help="A message, an answer or a service request.")],
    seed: Annotated[int, typer.Option(help="The same seed gives the same octets.")] = 0,
    count: Annotated[int, typer.Option(min=1, help="So many, with the seeds that follow.")] = 1,
    mode: Annotated[str, typer.Option(help="minimal, random or full.")] = "random",
    sender: Annotated[str | None, typer.Option("--from", metavar="PARTY-UUID", help="Afzender.")] = None,
    receivers: Annotated[list[str] | None, typer.Option("--to", metavar="PARTY-UUID", help="Ontvanger.")] = None,
    at: Annotated[datetime | None, typer.Option(
        parser=moment, metavar="TIME", help="TijdstipBericht: UTC with Z, or now; else the seed's.")] = None,
    documents: Annotated[list[str] | None, typer.Option(
        "--document", metavar="KIND", help="A document in the header, for instance beschikking.")] = None,
    bsn: Annotated[bool, typer.Option("--bsn", help="With a BSN where parties may agree on one.")] = False,
    folder: Annotated[Path | None, typer.Option("--out", metavar="DIR", file_okay=False, help="Write files.")] = None,
    xsd: Xsd = None,
) -> None:
    """Make valid messages with invented content, on stdout or as files ELEMENT-SEED.xml."""
    made = gateway_app.sample_messages(
        name, element, seeds=range(seed, seed + count), mode=mode, sender=sender, receivers=tuple(receivers or ()),
        at=at, documents=tuple(documents or ()), bsn=bsn, xsd=xsd)
    for file_name, octets in made:
        if folder is None:
            sys.stdout.buffer.write(octets)
        else:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / file_name).write_bytes(octets)
            out.print(escape(str(folder / file_name)))


@sets.command("diff")
def diff(
    old: Annotated[str, typer.Argument(metavar="SET", help="For instance schuldregeling/1.1.")],
    new: Annotated[str, typer.Argument(metavar="SET", help="For instance schuldregeling/2.0.")],
    as_json: Json = False, xsd: Xsd = None,
) -> None:
    """Tell what changed from one message set to another, in Dutch and English."""
    changes = gateway_app.diff_sets(old, new, xsd)
    if as_json:
        print_json(changes)
        return
    for one in changes:
        shown = f"  ({', '.join(one['messages'])})" if isinstance(one["messages"], tuple) and one["messages"] else ""
        out.print(f"{escape(str(one['nl']))}{escape(shown)}\n  [dim]{escape(str(one['en']))}[/]")
    if not changes:
        out.print("[bold green]geen verschil[/]")


@sets.command("docs")
def write_docs(
    to: Annotated[Path, typer.Option("--out", file_okay=False, help="The folder to write into.")] = Path("build/docs"),
    url: Annotated[str | None, typer.Option("--url", help="The hub's address for parties, for on the pages.")] = None,
    xsd: Xsd = None,
) -> None:
    """Write the documentation of every set as web pages, Dutch and English; the same input gives the same octets."""
    count, changed = gateway_app.write_docs(to, xsd=xsd, public_url=url)
    out.print(f"{count} files, {changed} new or changed; begin at {escape(str(to / 'index.html'))}")
