"""The `gateway` command run in this process, through the same `main` that the installed command calls."""

import io
import json
import sys
import uuid
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import typer.main

from gateway.cli import app as commands
from gateway.cli import main
from tests.acceptance.load import kennisgeving
from tests.line import EXAMPLES

MESSAGE = EXAMPLES / "Kennisgeving-volledig.xml"
NUMBER, CONVERSATION = "b92ab4d6-ef2c-4661-b0f8-6b1dedd0c8f3", "ce295b82-3439-44c4-89ad-2e7c693b6873"
INVALID = EXAMPLES.parent / "invalid" / "Kennisgeving-twee-adressen.xml"
GEMEENTE, ENERGIE, DEURWAARDER = (f"11111111-1111-4111-8111-00000000000{number}" for number in (1, 2, 3))
INBOX = ["referentienummer", "cross_referentienummer", "conversatie_referentienummer", "afzender", "berichttype",
         "versie", "tijdstip_ontvangst", "verval_datum", "opgehaald", "antwoord_voor", "te_laat"]
MESSAGES = [*INBOX[:-2], "ontvanger", "status", "code"]
PARTY = ["id", "slug", "name", "oin", "roles", "subtype", "modules", "delivery"]
RECEIPT = ["referentienummer", "conversatie_referentienummer", "ontvanger", "tijdstip_ontvangst", "verval_datum",
           "bericht_digest", "journaal_positie", "journaal_hash", "geweigerd"]


@dataclass(frozen=True, kw_only=True)
class Ran:
    """What a command did."""

    code: int
    octets: bytes
    err: str

    @property
    def out(self) -> str:
        return self.octets.decode()

    @property
    def json(self):
        return json.loads(self.octets)


def gateway(*words: object) -> Ran:
    """Run `gateway WORD…` in this process."""
    out, err = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.StringIO()
    code = 0
    with patch.object(sys, "argv", ["gateway", *map(str, words)]), redirect_stdout(out), redirect_stderr(err):
        try:
            main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1 if end.code else 0
        out.flush()
    return Ran(code=code, octets=out.buffer.getvalue(), err=err.getvalue())


def every_command() -> list[tuple[str, ...]]:
    """The path of every command and group there is."""
    def walk(command, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        yield path
        for name, child in sorted(getattr(command, "commands", {}).items()):
            yield from walk(child, (*path, name))
    return list(walk(typer.main.get_command(commands), ()))


def fresh(receiver: str) -> bytes:
    """A Kennisgeving nobody sent before."""
    return kennisgeving(str(uuid.uuid4()), receiver=receiver)


def file_of(folder: Path, octets: bytes) -> Path:
    """A file that holds these octets."""
    path = folder / "given"
    path.write_bytes(octets)
    return path
