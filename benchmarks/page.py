"""`make docs-performance`: write the figures of build/bench.json into docs/performance.md.

A figure stands in the page in a block of its own, between `<!-- bench:NAME -->` and `<!-- end -->`; what is between the
blocks is written by people. A section that was not run says so in its blocks.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

from benchmarks.machine import ROOT
from benchmarks.tables import TABLES, Shown, cells

PAGE = ROOT / "docs" / "performance.md"
_BLOCK = re.compile(r"(<!-- bench:([a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)

Report = dict[str, Any]


def written(page: str, report: Report) -> str:
    """The page with the figures of this report."""
    blocks = {"machine": _machine(report), **{shown.name: _block(shown, report) for shown in TABLES}}
    return _BLOCK.sub(lambda found: f"{found[1]}{blocks[found[2]]}\n{found[3]}", page)


def blocks_of(page: str) -> list[str]:
    """The names of its blocks, in order."""
    return [found[2] for found in _BLOCK.finditer(page)]


def _machine(report: Report) -> str:
    facts = report["machine"]
    quiet = "" if facts["quiet"] else (
        f" **The machine was not quiet: others used {facts['busy']:.0%} of its processors.**")
    return (
        f"{facts['at'][:10]}, commit `{facts['commit']}`, on {facts['processor']}, {facts['cores']} cores, "
        f"{facts['memory_gb']:g} GB, {facts['system']}; Python {facts['python']}, {facts['openssl_tls']} (TLS), "
        f"{facts['openssl_signatures']} (signatures), libxml2 {facts['libxml2']}, SQLite {facts['sqlite']}"
        f"{_postgres(report)}.{quiet}")


def _postgres(report: Report) -> str:
    found = report["sections"].get("postgres")
    return f", PostgreSQL {found['version'].split()[0]}" if found else ""


def _block(shown: Shown, report: Report) -> str:
    found = {**report["sections"], "targets": report["targets"]}.get(shown.section)
    run = report["runs"].get(shown.section, {})
    if found is None:
        return f"Not measured: {run.get('skipped') or run.get('failed') or 'the section was not run'}"
    head, *rows = cells(shown, found)
    lines = [head, ["---"] * len(head), *rows]
    other = run.get("at", report["machine"]["at"]) != report["machine"]["at"]
    remark = [f"\nOf another run: {run['at']}, commit `{run['commit']}`."] if other else []
    return "\n".join(["| " + " | ".join(line) + " |" for line in lines] + remark)


def main(file: Path = Path("build") / "bench.json") -> int:
    if not file.is_file():
        print(f"There is no {file}; make it with: make bench", file=sys.stderr)
        return 1
    report = json.loads(file.read_text("utf-8"))
    if any(run["quick"] for run in report["runs"].values()):
        print(f"{file} is of a quick run, whose figures say nothing; make it with: make bench", file=sys.stderr)
        return 1
    PAGE.write_text(written(PAGE.read_text("utf-8"), report), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
