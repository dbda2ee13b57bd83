"""The catalogue is whole: no line without a test or a reason, no attack outside it, each asserting the invariants."""

import ast
from functools import cache

from tests.hostile.listing import HERE, README, TESTS, Test, attacks, functions, read, table, with_table

LINES, ROWS, APART = read()


def test_every_line_of_the_catalogue_has_a_row() -> None:
    assert {row.line for row in ROWS} == {(section, n) for section, many in LINES.items() for n in range(1, many + 1)}
    assert len({row.id for row in ROWS}) == len(ROWS)


def test_every_row_names_tests_there_are_or_says_why_not() -> None:
    for row in ROWS:
        assert bool(row.tests) != bool(row.excuse), row.id
        assert bool(row.answer) != bool(row.excuse), row.id
        assert [test for test in row.tests if test[1] not in functions(test[0])] == [], row.id


def test_every_attack_belongs_to_a_row() -> None:
    homeless = attacks() - {test for row in ROWS for test in row.tests}
    assert not homeless, f"add to tests/hostile/catalogue.toml: {sorted(homeless)}"


def test_every_attack_asserts_the_invariants_or_says_why_not() -> None:
    """By Target.repels, itself or through a helper of its file."""
    without = {test for test in attacks() if not _repels(test)}
    assert without <= APART.keys(), f"neither through Target.repels nor apart: {sorted(without - APART.keys())}"
    assert APART.keys() <= attacks(), f"not there: {sorted(APART.keys() - attacks())}"


def _repels(test: Test) -> bool:
    helpers = _all_functions(test[0])
    return _calls(helpers[test[1]], helpers, set())


@cache
def _all_functions(path: str) -> dict[str, ast.FunctionDef]:
    tree = ast.parse((TESTS / path).read_text("utf-8"))
    return {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}


def _calls(node: ast.AST, helpers: dict[str, ast.FunctionDef], seen: set[str]) -> bool:
    for one in ast.walk(node):
        if isinstance(one, ast.Attribute) and one.attr == "repels":
            return True
        if isinstance(one, ast.Name) and one.id in helpers and one.id not in seen:
            seen.add(one.id)
            if _calls(helpers[one.id], helpers, seen):
                return True
    return False


def test_every_incident_is_marked_where_the_catalogue_says_and_nowhere_else() -> None:
    said = {(cve, row.id) for row in ROWS for cve in row.cves}
    found = {(cve, row.id) for row in ROWS for test in row.tests for cve in _incidents(functions(test[0])[test[1]])}
    assert said <= found, f"mark a test of the row with @pytest.mark.incident: {sorted(said - found)}"
    marked = {cve for cve, _ in found} | {
        cve for path in HERE.glob("test_*.py") for one in functions(f"hostile/{path.name}").values()
        for cve in _incidents(one)}
    assert marked == {cve for cve, _ in said}


def _incidents(function: ast.FunctionDef) -> set[str]:
    return {argument.value for one in function.decorator_list if ast.unparse(one).startswith("pytest.mark.incident(")
            for argument in one.args}  # type: ignore[attr-defined]


def test_the_readme_is_written_from_it() -> None:
    page = README.read_text("utf-8")
    assert with_table(page, table(ROWS)) == page, "run: python -m tests.hostile"
