"""docs/security.md can't lie: its table is what the marks of the tests say, and no clause is claimed without a test."""

import pytest

from tests.clauses import PAGE, REMEDY, collected, problems, read_clauses, table, with_table


@pytest.fixture(scope="module")
def proofs(request: pytest.FixtureRequest) -> dict[str, list[str]]:
    """The tests by the clauses they prove; finding them may take a collection of all tests."""
    return collected(request.session)


def test_every_claimed_clause_is_proven_and_every_mark_is_known(proofs: dict[str, list[str]]) -> None:
    said = problems(read_clauses(), proofs)
    assert not said, "\n".join(said)


def test_the_table_is_what_the_marks_say(proofs: dict[str, list[str]]) -> None:
    page = PAGE.read_text("utf-8")
    same = with_table(page, table(read_clauses(), proofs)) == page
    assert same, f"the marks have changed since docs/security.md was written: {REMEDY}"


FILE = """
[[group]]
title = "Made up"
clauses = [
  { id = "X1", says = "held and proven" }, { id = "X2", says = "claimed only" },
  { id = "X3", says = "let go", not = "no need" }, { id = "X4", says = "let go and proven", not = "no need" },
]
"""


def test_contradictions_are_told() -> None:
    proofs = {"X1": ["tests/a.py::test_a"], "X4": ["tests/a.py::test_b"], "X9": ["tests/a.py::test_c"]}
    said = problems(read_clauses(FILE), proofs)
    assert [line.split()[0] for line in said] == ["X9", "X2", "X4"]
    assert not problems(read_clauses(FILE), {"X1": ["tests/a.py::test_a"], "X2": ["tests/a.py::test_b"]})


def test_rows_name_the_tests_or_the_reason() -> None:
    written = table(read_clauses(FILE), {"X1": ["tests/a.py::test_a", "tests/a.py::test_b", "tests/c/d.py::test_e"]})
    assert "| X1 | held and proven | [a](../tests/a.py): `a`, `b`<br>[d](../tests/c/d.py): `e` |" in written
    assert "| X3 | let go | no need |" in written
