"""The `gateway` command: every door for people. No SQL, no XML, no rules; those are behind app and operations."""

import sys

import typer

from gateway.cli import deliveries, explain, instance, messages, party, privacy, routes, sets, switches
from gateway.cli.output import err, escape
from gateway.errors import GatewayError, PeerRefused

app = typer.Typer(
    name="gateway", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
    help="The gateway of the Schuldenknooppunt: signed standard messages between the parties of Dutch debt relief.",
)
_PARTS = (instance, routes, party, messages, deliveries, privacy, switches, sets, explain)
for part in (one.app for one in _PARTS):
    app.registered_commands += part.registered_commands
    app.registered_groups += part.registered_groups

__all__ = ["app", "main"]


def main() -> None:
    """Entry point. Exit code 0 ok, 1 refused or failed, 2 wrong use."""
    try:
        app()
    except BrokenPipeError:  # whoever read our output had enough
        sys.exit(0)
    except GatewayError as error:
        err.print(f"[bold red]{type(error).__name__}:[/] {escape(error.detail or str(error))}")
        fault = error.fault if isinstance(error, PeerRefused) else None
        for finding in fault.findings if fault else error.findings:
            err.print(f"  {escape(finding.xpath)}  {escape(finding.rule)}: {escape(finding.nl)}")
        for remark in fault.remarks if fault else ():
            err.print(f"  opmerking {escape(remark.code)}: {escape(remark.nl)}")
        if fault and fault.ticket:
            err.print(f"  ticket {escape(fault.ticket)}")
        sys.exit(1)
    except OSError as error:
        err.print(f"[bold red]error:[/] {escape(str(error.filename or ''))}: {escape(error.strerror or str(error))}")
        sys.exit(1)
