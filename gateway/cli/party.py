"""Commands that act as a connected party: send, inbox, wrap, listen."""

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from gateway import app as gateway_app
from gateway.cli.output import Folder, Json, escape, fail, out, plain, print_facts, print_json, print_rows
from gateway.multipart import Package

app = typer.Typer()

Who = Annotated[str, typer.Option("--party", metavar="NAME", help="Slug, name or id of the party to act as.")]
Message = Annotated[Path, typer.Argument(metavar="FILE.xml", exists=True, dir_okay=False, help="A message element.")]
Attach = Annotated[list[str] | None, typer.Option("--attach", metavar="NAME=FILE", show_default=False, help=(
    'The file that stands for `<xop:Include href="cid:NAME"/>` in the message; without it: the file NAME beside '
    "FILE.xml."))]
Mtom = Annotated[bool, typer.Option("--mtom", help="Also send the attachments that are in line as parts of their own.")]
Hub = Annotated[str | None, typer.Option("--url", help="Where the hub listens, if not where this instance says.")]
_NOT_CONFIRMED = "niet bevestigd: onbekend, verlopen, niet opgehaald of niet voor u"
_INBOX = ("referentienummer", "berichttype", "versie", "afzender", "conversatie_referentienummer",
          "tijdstip_ontvangst", "verval_datum", "opgehaald", "antwoord_voor", "te_laat")


@app.command()
def send(
    folder: Folder, message: Message, party: Who, as_json: Json = False, url: Hub = None, attach: Attach = None,
    mtom: Mtom = False,
    envelope_out: Annotated[Path | None, typer.Option("--envelope-out", metavar="F", help=(
        "Also save the exact octets of the request; of one with files after its Content-Type."))] = None,
) -> None:
    """Wrap a message element in a signed envelope, send it as PARTY and print the receipt."""
    def keep(content: bytes | Package) -> None:
        if envelope_out is not None:
            with envelope_out.open("wb") as file:
                file.writelines(gateway_app.saved(content))

    with gateway_app.open_instance(folder).acting(party, url=url) as client:
        sent = client.send(message.read_bytes(), keep, _files(message, attach), mtom=mtom)
    receipt = asdict(sent.receipt)
    receipt["ontvanger"] = list(receipt.pop("ontvangers"))
    receipt["geweigerd"] = [{"ontvanger": who, "code": code} for who, code in receipt["geweigerd"]]
    if as_json:
        print_json(receipt)
        return
    out.print("[bold green]ontvangen[/] door het knooppunt, getekende ontvangstbevestiging gecontroleerd")
    refused = receipt.pop("geweigerd")
    print_facts(receipt)
    for one in refused:
        out.print(f"[bold red]niet[/] voor {escape(one['ontvanger'])}: {escape(one['code'])}")


@app.command()
def wrap(folder: Folder, message: Message, party: Who, url: Hub = None, attach: Attach = None, mtom: Mtom = False,
         ) -> None:
    """Print the signed envelope for a message element without sending it; with files after its Content-Type."""
    client = gateway_app.open_instance(folder).party(party, url=url)
    wrapped = client.wrap(message.read_bytes(), _files(message, attach), mtom=mtom)
    sys.stdout.buffer.writelines(gateway_app.saved(wrapped.content))
    sys.stdout.buffer.flush()


def _files(message: Path, attach: list[str] | None) -> gateway_app.Find:
    """The files that a message may name: those given, else those beside it."""
    given = {}
    for words in attach or ():
        name, equals, file = words.partition("=")
        if not equals or not name or not file:
            raise typer.BadParameter(f"'{words}' is not NAME=FILE")
        given[name] = Path(file)
    return gateway_app.find_files(given, message.parent)


@app.command()
def inbox(
    folder: Folder, party: Who,
    action: Annotated[str, typer.Argument(metavar="[list|get|confirm]")] = "list",
    numbers: Annotated[list[str] | None, typer.Argument(metavar="REF…", help="Referentienummer(s).")] = None,
    as_json: Json = False, url: Hub = None,
    into: Annotated[Path | None, typer.Option("--out", metavar="FOLDER", file_okay=False, help=(
        "get: write the message to FOLDER/REF.xml and the files that lie apart from it beside it."))] = None,
) -> None:
    """List the messages that wait for PARTY, get one, or confirm those that were handled."""
    refs = list(numbers or ())
    if action not in ("list", "get", "confirm"):
        raise typer.BadParameter(f"'{action}' is not one of list, get, confirm")
    if (action == "get" and len(refs) != 1) or (action == "confirm" and not refs) or (action == "list" and refs):
        raise typer.BadParameter({"get": "get takes one REF", "confirm": "confirm takes at least one REF",
                                  "list": "list takes no REF"}[action])
    with gateway_app.open_instance(folder).acting(party, url=url) as client:
        if action == "list":
            rows = [asdict(one) for one in client.waiting()]
            if as_json:
                print_json(rows)
            else:
                print_rows(f"Postbus van {party}", rows, _INBOX, empty="geen wachtende berichten")
        elif action == "get":
            _get(client.collect(refs[0], into), into, as_json)
        else:
            _confirm(client.confirm(*refs), as_json)


@app.command()
def listen(
    folder: Folder, party: Who, as_json: Json = False,
    port: Annotated[int | None, typer.Option(min=0, max=65535, metavar="N", show_default=False, help=(
        "Default: that of the address registered for PARTY, else 9443; 0 chooses a free one."))] = None,
    into: Annotated[Path | None, typer.Option(metavar="FOLDER", file_okay=False, show_default=False, help=(
        "Where messages are kept, in clear; default DIR/ontvangen/PARTY."))] = None,
) -> None:
    """Take the messages that the hub pushes to PARTY, until SIGTERM. To try out push on this machine, not a product.

    Prints `ready URL` once it listens on the loopback address, and then a line per message with its numbers.
    """
    def ready(url: str) -> None:
        _line(json.dumps({"event": "ready", "url": url}) if as_json else f"ready {url}")

    def tell(event: str, facts: Mapping[str, object]) -> None:
        known = {name: plain(value) for name, value in facts.items() if value is not None}
        said = " ".join(f"{name}={value}" for name, value in known.items())
        _line(json.dumps({"event": event, **known}, ensure_ascii=False) if as_json else f"{event} {said}")

    gateway_app.listen(folder, party, port=port, into=into, ready=ready, tell=tell)


def _line(text: str) -> None:
    """One whole line at once: several threads have something to say."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _get(taken: gateway_app.Collected, into: Path | None, as_json: bool) -> None:
    if into is not None:
        into.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = into / f"{taken.referentienummer}.xml"
        file.write_bytes(taken.octets)
        if as_json:
            print_json({"referentienummer": taken.referentienummer, "bestand": str(file), "bijlagen": taken.files})
        else:
            print_rows("Opgehaald", [{"bestand": str(into / name)} for name in (file.name, *taken.files)],
                       ("bestand",), empty="")
    elif as_json:
        print_json({"referentienummer": taken.referentienummer, "bericht": taken.octets.decode()})
    else:
        sys.stdout.buffer.write(taken.octets + b"\n")
        sys.stdout.buffer.flush()


def _confirm(results: dict[str, bool], as_json: bool) -> None:
    if as_json:
        print_json([{"referentienummer": number, "bevestigd": done} for number, done in results.items()])
    else:
        for number, done in results.items():
            out.print(f"{number}  {'bevestigd' if done else _NOT_CONFIRMED}")
    if not all(results.values()):
        if as_json:
            raise typer.Exit(1)
        fail("not every message was confirmed")
