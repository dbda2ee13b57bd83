"""The demonstration: a throw-away hub, two parties, one whole Schuldregeling conversation, told step by step.

Nothing is staged: the hub is `gateway serve` in its own process, every exchange goes over mutual TLS with signed
envelopes, and a step that does not hold ends the demonstration.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway import app as gateway_app
from gateway.cli.output import escape, out
from gateway.errors import GatewayError

_CONVERSATION = (
    ("gemeente", "energie", "Kennisgeving", "meldt dat de klant hulp heeft aangevraagd"),
    ("gemeente", "energie", "SaldoVerzoek", "vraagt wat de klant schuldig is"),
    ("energie", "gemeente", "SaldoVerzoekAntwoord", "noemt de openstaande vorderingen"),
    ("gemeente", "energie", "BetaalVoorstel", "doet een voorstel tegen finale kwijting"),
    ("energie", "gemeente", "BetaalVoorstelAntwoord", "gaat akkoord"),
    ("gemeente", "energie", "RegelingGeaccordeerd", "bevestigt de regeling"),
)
_READY_SECONDS = 30


class DemoFailed(GatewayError):
    """A step of the demonstration did not hold."""


def run(keep: Path | None) -> None:
    """Tell it. Raises GatewayError at the first step that does not hold."""
    if keep is not None:
        _in(keep)
    else:
        with tempfile.TemporaryDirectory(prefix="gateway-demo-") as folder:
            _in(Path(folder) / "instance")


def _in(folder: Path) -> None:
    out.print("[bold]Schuldregeling in zes berichten[/]: gemeente ↔ knooppunt ↔ energiebedrijf\n")
    with _step("wegwerp-PKI, tien deelnemers en een lege opslag maken"):
        gateway_app.create_instance(folder)
    with _hub(folder) as (soap, web):
        out.print(f"  knooppunt luistert op {soap} (mutual TLS) en {web}\n")
        instance = gateway_app.open_instance(folder)
        clients = {who: instance.party(who, url=soap) for who in ("gemeente", "energie")}
        messages = gateway_app.demo_messages(instance)
        sent: dict[str, str] = {}  # element → Referentienummer
        for sender, receiver, name, words in _CONVERSATION:
            message = messages[name]
            out.print(f"[bold]{name}[/]: {sender} {words}")
            with _step("  tekenen, versturen, ontvangstbevestiging controleren"):
                receipt = clients[sender].send(message).receipt
            sent[name] = receipt.referentienummer
            out.print(f"    referentie {receipt.referentienummer}, journaal {receipt.journaal_positie}")
            with _step(f"  {receiver} haalt op en bevestigt"):
                waiting = [one.referentienummer for one in clients[receiver].waiting()]
                if waiting != [receipt.referentienummer]:
                    raise DemoFailed(f"{len(waiting)} berichten in de postbus, niet precies dit ene")
                collected = clients[receiver].collect(receipt.referentienummer)
                if collected.octets != gateway_app.canonical_message(message):
                    raise DemoFailed("het opgehaalde bericht is niet octet voor octet het verstuurde")
                if not all(clients[receiver].confirm(receipt.referentienummer).values()):
                    raise DemoFailed("bevestigen is geweigerd")
        _prove(folder, sent["SaldoVerzoekAntwoord"], messages["SaldoVerzoekAntwoord"])
    out.print("\n[bold green]Elke stap klopte.[/] De inhoud is gewist, het bewijs is gebleven.")


def _prove(folder: Path, number: str, message: bytes) -> None:
    """The hub is told nothing here: file and message suffice."""
    out.print("[bold]Bewijs[/]: zonder inhoud bewaard, zonder knooppunt te controleren")
    with _step("  journaal naslaan en bewijsbestand schrijven"):
        instance = gateway_app.open_instance(folder)
        with instance.operations() as operations:
            verdict = operations.verify_journal(lambda done: None)
            octets = operations.evidence(number)
        if not verdict["holds"]:
            raise DemoFailed(f"journaal: {verdict['cause']}")
    with _step("  bewijs controleren, met het bericht erbij"):
        checks = gateway_app.verify_evidence(octets, message, [folder / "pki" / "ca.pem"], instance.settings.hub.oin)
    for one in checks:
        out.print(f"    {'✓' if one.holds else '✗'} {escape(one.name)}: {escape(one.detail)}")
    if not all(one.holds for one in checks):
        raise DemoFailed("het bewijs klopt niet")


@contextmanager
def _step(words: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    out.print(f"  [green]✓[/] {escape(words)} [dim]({(time.perf_counter() - start) * 1000:.0f} ms)[/]")


@contextmanager
def _hub(folder: Path) -> Iterator[tuple[str, str]]:
    """`gateway serve` in a process of its own, on free ports; stopped by SIGTERM."""
    command = [sys.executable, "-m", "gateway", "serve", str(folder), "--soap-port", "0", "--web-port", "0"]
    log = folder / "demo.log"
    with log.open("wb") as errors:
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors)  # noqa: S603
        try:
            assert process.stdout is not None, "stdout is a pipe"
            line = process.stdout.readline().decode().split()
            if line[:1] != ["ready"]:
                raise DemoFailed(f"het knooppunt kwam niet op; zie {log}:\n{log.read_text()[-2000:]}")
            out.print(f"  [green]✓[/] knooppunt gestart [dim]({(time.perf_counter() - start) * 1000:.0f} ms)[/]")
            urls = dict(word.split("=", 1) for word in line[1:])
            yield urls["soap"], urls["web"]
        finally:
            process.terminate()
            code = process.wait(timeout=_READY_SECONDS)
        if code != 0:
            raise DemoFailed(f"het knooppunt eindigde met {code}; zie {log}")
