"""The clauses of the standards and the tests that prove them, from docs/clauses.toml and from the tests' own marks.

    make docs-security                     collect the marks and write the table into docs/security.md
    python -m pytest --clause WB004        run what proves one clause

The hooks are used by conftest.py; tests/test_security_page.py compares page, file and marks.
"""

import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.postgres.databases import GIVEN

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "security.md"
BEGIN, END = "<!-- begin: written by make docs-security -->", "<!-- end -->"
REMEDY = "run `make docs-security` and commit docs/security.md (after a merge conflict in it too)"
_MARKS = pytest.StashKey[dict[str, list[str]]]()

Proofs = Mapping[str, list[str]]  # clause → tests, as path::function


@dataclass(frozen=True, slots=True, kw_only=True)
class Clause:
    """One requirement; `excuse` says why it is not held, and then no test may claim it."""

    id: str
    says: str
    excuse: str | None
    note: str | None
    recalled: bool


def read_clauses(text: str | None = None) -> dict[str, list[Clause]]:
    """Title of a group → its clauses, as docs/clauses.toml has them."""
    known = tomllib.loads((ROOT / "docs" / "clauses.toml").read_text("utf-8") if text is None else text)
    return {group["title"]: [_clause(**one) for one in group["clauses"]] for group in known["group"]}


def _clause(*, id: str, says: str, note: str | None = None, recalled: bool = False, **more: str) -> Clause:  # noqa: A002
    excuse = more.pop("not", None)
    assert not more, f"{id}: unknown keys {', '.join(more)}"
    return Clause(id=id, says=says, excuse=excuse, note=note, recalled=recalled)


# --- the marks ---------------------------------------------------------------------------------------------------


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--clause", help="run only the tests that prove this clause of a standard, such as WB004")
    parser.addoption("--write-clauses", help="write the marks of all collected tests to this file, as JSON")


@pytest.hookimpl(tryfirst=True)  # before -k and -m take any away
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    config.stash[_MARKS] = marks_of(items)
    if file := config.getoption("--write-clauses"):
        Path(file).write_text(json.dumps(config.stash[_MARKS]), "utf-8")
    if wanted := config.getoption("--clause"):
        others = [item for item in items if wanted not in _claims(item)]
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if wanted in _claims(item)]


def marks_of(items: Iterable[pytest.Item]) -> dict[str, list[str]]:
    """Clause → the functions that claim it, each once, in the order of their names."""
    found: dict[str, set[str]] = {}
    for item in items:
        for clause in _claims(item):
            found.setdefault(clause, set()).add(re.sub(r"\[.*", "", item.nodeid, flags=re.DOTALL))
    return {clause: sorted(tests) for clause, tests in sorted(found.items())}


def _claims(item: pytest.Item) -> set[str]:
    return {str(clause) for mark in item.iter_markers("clause") for clause in mark.args}


def collected(session: pytest.Session) -> Proofs:
    """The marks of every test there is: those of this run where it collected all, else collected beside it.

    The tests that need a server of their own are only there with one, in either way.
    """
    files = {path.resolve() for path in (ROOT / "tests").rglob("test_*.py") if GIVEN or path.parent.name != "postgres"}
    if files <= {item.path.resolve() for item in session.items} and not any("::" in one for one in session.config.args):
        return session.config.stash[_MARKS]
    return collect()


def collect() -> Proofs:
    """The marks of every test, by a collection of its own (about ten seconds)."""
    file = ROOT / "build" / f"clauses-{os.getpid()}.json"
    file.parent.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "pytest", "--collect-only", "-qq", "--write-clauses", str(file), "tests"]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return json.loads(file.read_text("utf-8"))
    finally:
        file.unlink(missing_ok=True)


# --- what must agree ---------------------------------------------------------------------------------------------


def problems(groups: Mapping[str, list[Clause]], proofs: Proofs) -> list[str]:
    """Where the file of clauses and the marks contradict each other, in sentences."""
    clauses = [clause for group in groups.values() for clause in group]
    known = {clause.id: clause for clause in clauses}
    said = [f"{clause} is marked in {tests[0]}, and docs/clauses.toml does not know it"
            for clause, tests in proofs.items() if clause not in known]
    said += [f"{one.id} is claimed in docs/clauses.toml, and no test proves it: mark one, or say `not`"
             for one in clauses if one.excuse is None and one.id not in proofs]
    said += [f"{one.id} is `not` held by docs/clauses.toml, and yet {proofs[one.id][0]} proves it"
             for one in clauses if one.excuse is not None and one.id in proofs]
    if len(known) != len(clauses):
        said.append("a clause stands twice in docs/clauses.toml")
    return said


# --- the page ----------------------------------------------------------------------------------------------------


def table(groups: Mapping[str, list[Clause]], proofs: Proofs) -> str:
    """The generated part of docs/security.md."""
    clauses = [clause for group in groups.values() for clause in group]
    held = [clause for clause in clauses if clause.excuse is None]
    tests = {test for found in proofs.values() for test in found}
    lines = [f"{len(held)} of {len(clauses)} clauses are held, proven by {len(tests)} test functions.", ""]
    for title, group in groups.items():
        lines += [f"### {title}", ""]
        rows = [_row(clause, proofs.get(clause.id, [])) for clause in group if clause.excuse is None]
        excuses = [f"| {_name(one)} | {one.says} | {one.excuse} |" for one in group if one.excuse is not None]
        if rows:
            lines += ["| clause | says | proven by |", "|---|---|---|", *rows, ""]
        if excuses:
            lines += ["| not held | says | why |", "|---|---|---|", *excuses, ""]
    return "\n".join(lines)


def _row(clause: Clause, tests: list[str]) -> str:
    says = clause.says + (f" *({clause.note})*" if clause.note else "")
    by_file: dict[str, list[str]] = {}
    for test in tests:
        file, _, name = test.removeprefix("tests/").partition("::")
        by_file.setdefault(file, []).append(name.removeprefix("test_"))
    return f"| {_name(clause)} | {says} | {'<br>'.join(map(_proof, by_file.items()))} |"


def _proof(found: tuple[str, list[str]]) -> str:
    file, names = found
    return f"[{file.rpartition('/')[2].removesuffix('.py')}](../tests/{file}): {', '.join(f'`{one}`' for one in names)}"


def _name(clause: Clause) -> str:
    return clause.id.replace(" ", "\u00a0") + ("°" if clause.recalled else "")


def with_table(page: str, made: str) -> str:
    """The page with its generated part replaced."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    assert begin, f"docs/security.md has lost the line {BEGIN}"
    assert end, f"docs/security.md has lost the line {END}"
    return f"{before}{BEGIN}\n\n{made}\n{END}{after}"


def main() -> int:
    """Write the table; 1, with the reasons, when marks and clauses contradict each other."""
    groups, proofs = read_clauses(), collect()
    PAGE.write_text(with_table(PAGE.read_text("utf-8"), table(groups, proofs)), "utf-8")
    wrong = problems(groups, proofs)
    print("\n".join(wrong) or f"wrote {PAGE.relative_to(ROOT)}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
