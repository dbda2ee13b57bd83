"""The attack catalogue (catalogue.toml) read, and written as the table of README.md: `python -m tests.hostile`."""

import ast
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

HERE = Path(__file__).parent
TESTS = HERE.parent
README = HERE / "README.md"
BEGIN, END = "<!-- begin: written by python -m tests.hostile -->", "<!-- end -->"
APART_FROM_IT = {"test_catalogue.py", "test_harness.py"}  # of the folder, but no attacks
TITLES = {
    "5.1": "Signature wrapping", "5.2": "Signature exclusion and keys", "5.3": "Parser and resources",
    "5.4": "SOAP, addressing, HTTP", "5.5": "Time, replay, identity, TLS", "5.6": "Incidents of their own kind",
}

Test = tuple[str, str]  # path from tests/, function


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the catalogue, or one case of it."""

    id: str
    says: str
    answer: str
    tests: tuple[Test, ...]
    note: str
    excuse: str
    cves: tuple[str, ...]

    @property
    def line(self) -> tuple[str, int]:
        """Section and number."""
        section, _, number = self.id.rpartition(".")
        return section, int(number.rstrip("abcdefgh"))


def read() -> tuple[dict[str, int], list[Row], dict[Test, str]]:
    """How many lines each section has; the rows; the tests that stand apart from Target.repels, with the reason."""
    known = tomllib.loads((HERE / "catalogue.toml").read_text("utf-8"))
    rows = [
        Row(id=row.pop("id"), says=row.pop("says"), answer=row.pop("answer", ""), note=row.pop("note", ""),
            tests=tuple(_expand(row.pop("tests", ()))), excuse=row.pop("not", ""), cves=tuple(row.pop("cves", ())))
        for row in known["row"]
    ]
    assert not any(known["row"]), "unknown keys in a row"
    apart = {test: group["why"] for group in known["apart"] for test in _expand(group["tests"])}
    return known["lines"], rows, apart


def _expand(names: Iterable[str]) -> Iterator[Test]:
    for name in names:
        file, _, function = name.partition("::")
        path = file if file.endswith(".py") else f"hostile/test_{file}.py"
        if function == "*":
            yield from ((path, one) for one in functions(path))
        else:
            yield path, function if file.endswith(".py") else f"test_{function}"


@cache
def functions(path: str) -> dict[str, ast.FunctionDef]:
    """The test functions of a file by name; none when there is no such file."""
    file = TESTS / path
    tree = ast.parse(file.read_text("utf-8")) if file.is_file() else ast.Module(body=[], type_ignores=[])
    found = (node for node in tree.body if isinstance(node, ast.FunctionDef))
    return {node.name: node for node in found if node.name.startswith("test_")}


def attacks() -> set[Test]:
    """Every test of this folder but those of the harness and of the list."""
    return {(f"hostile/{file.name}", name) for file in HERE.glob("test_*.py") if file.name not in APART_FROM_IT
            for name in functions(f"hostile/{file.name}")}


def table(rows: Iterable[Row]) -> str:
    """The rows as a table for each section."""
    lines: list[str] = []
    section = ""
    for row in rows:
        if row.line[0] != section:
            section = row.line[0]
            lines += ["", f"### {section} {TITLES[section]}", "", "| line | attack | answer | tests |"]
            lines += ["|---|---|---|---|"]
        says = row.says + "".join(f"; {cve}" for cve in row.cves)
        answer = row.answer + (f" *({row.note})*" if row.note else "")
        lines.append(f"| {row.id.rpartition('.')[2]} | {says} | {answer or 'not applicable'} | "
                     f"{row.excuse or '<br>'.join(_shown(row.tests))} |")
    return "\n".join(lines[1:]) + "\n"


def _shown(tests: Iterable[Test]) -> Iterator[str]:
    by_file: dict[str, list[str]] = {}
    for path, name in tests:
        by_file.setdefault(path, []).append(name.removeprefix("test_"))
    for path, names in by_file.items():
        link = path.removeprefix("hostile/") if path.startswith("hostile/") else f"../{path}"
        whole = len(names) > 3 and len(names) == len(functions(path))
        told = "all of it" if whole else ", ".join(f"`{one}`" for one in names)
        yield f"[{Path(path).stem.removeprefix('test_')}]({link}): {told}"


def with_table(page: str, made: str) -> str:
    """The page with its written part replaced."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    assert begin, f"README.md has lost the line {BEGIN}"
    assert end, f"README.md has lost the line {END}"
    return f"{before}{BEGIN}\n\n{made}\n{END}{after}"
