"""`make bench`: every section in turn, a table of each, the targets, and build/bench.json.

    python -m benchmarks [--only way-in,growth] [--quick] [--out FILE]

With --only the sections that are not run keep the figures they have in the file. --quick shows that everything works;
its figures say nothing. Exit 1 when a section failed; a target that is missed, or a section whose tools are not
installed, is told and is no failure.
"""

import json
import sys
import time
import traceback
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.machine import facts
from benchmarks.sections import SECTIONS, Section, Skipped
from benchmarks.tables import TABLES, cells
from benchmarks.targets import judge
from tests.postgres.cluster import ended_by_signals

Report = dict[str, Any]


def main(words: list[str]) -> int:
    chosen = _arguments(words)
    out = Console(soft_wrap=True)
    machine = facts()
    out.print(f"{machine['processor']}, {machine['cores']} cores, Python {machine['python']}", highlight=False)
    if not machine["quiet"]:
        out.print(f"[bold yellow]This machine is not quiet:[/] others use {machine['busy']:.0%} of its processors. "
                  "Ratios hold to a point; take no other figure from this run.")
    report = _kept(chosen.out)
    report["machine"] = machine
    failed = _run(chosen, report, out)
    report["targets"] = judge(report["sections"])
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    chosen.out.write_text(json.dumps(report, indent=1, ensure_ascii=False), "utf-8")
    show(report, out, [section.name for section in chosen.sections])
    out.print(f"\nWritten to {chosen.out}. What the columns mean: docs/performance.md", highlight=False)
    return 1 if failed else 0


def _arguments(words: list[str]) -> Namespace:
    names = {section.name: section for section in SECTIONS}
    parser = ArgumentParser(prog="python -m benchmarks", epilog=f"sections: {', '.join(names)}")
    parser.add_argument("--only", metavar="SECTION,…", default=",".join(names))
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--out", type=Path, default=Path("build") / "bench.json")
    found = parser.parse_args(words)
    wanted = [name for name in found.only.split(",") if name]
    if unknown := [name for name in wanted if name not in names]:
        parser.error(f"there is no section {', '.join(unknown)}; there are {', '.join(names)}")
    found.sections = [section for section in SECTIONS if section.name in wanted]
    return found


def _kept(file: Path) -> Report:
    """The report of before, in which what is run now takes its place."""
    try:
        report = json.loads(file.read_text("utf-8"))
        return {"sections": dict(report["sections"]), "runs": dict(report["runs"])}
    except (OSError, ValueError, LookupError):
        return {"sections": {}, "runs": {}}


def _run(chosen: Namespace, report: Report, out: Console) -> list[str]:
    """Run what was chosen; the names of the sections that failed."""
    failed, left = [], sum(section.seconds for section in chosen.sections)
    for place, section in enumerate(chosen.sections, start=1):
        minutes = f"; {_minutes(left)} to go" if not chosen.quick else ""
        out.print(f"\\[{place}/{len(chosen.sections)}] {section.title}, about {section.seconds} s{minutes}",
                  highlight=False)
        if not _measured(section, chosen.quick, report, out):
            failed.append(section.name)
        left -= section.seconds
    return failed


def _measured(section: Section, quick: bool, report: Report, out: Console) -> bool:
    report["sections"].pop(section.name, None)
    begin = time.monotonic()
    run = {"at": report["machine"]["at"], "commit": report["machine"]["commit"]}
    try:
        with out.status("") as status:
            report["sections"][section.name] = section.measure(lambda text: status.update(text), quick)
    except Skipped as missing:
        run["skipped"] = str(missing)
        out.print(f"[yellow]{missing}[/]")
    except Exception as error:  # the others still have figures to give
        run["failed"] = f"{type(error).__name__}: {error}"
        traceback.print_exc()
        return False
    finally:
        report["runs"][section.name] = {**run, "seconds": round(time.monotonic() - begin, 1), "quick": quick}
    return True


def show(report: Report, out: Console, names: list[str]) -> None:
    """The tables of these sections and the targets."""
    found = {**report["sections"], "targets": report["targets"]}
    for shown in TABLES:
        if shown.section in (*names, "targets") and shown.section in found:
            head, *rows = cells(shown, found[shown.section])
            table = Table(title=shown.name, title_justify="left", box=None, padding=(0, 1, 0, 0))
            for title in head:
                left = all(not row[head.index(title)][:1].isdigit() for row in rows)
                table.add_column(title, justify="left" if left else "right", overflow="fold")
            for row in rows:
                table.add_row(*(cell.replace("**", "") for cell in row))
            out.print()
            Console(width=max(out.width, 130)).print(table)


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.0f} minutes" if seconds >= 90 else f"{seconds:.0f} seconds"


if __name__ == "__main__":
    with ended_by_signals():
        sys.exit(main(sys.argv[1:]))
