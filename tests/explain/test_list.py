"""One list of diagnoses: what the code can say, what the tests make it say, and what docs/explain.md lists."""

import ast
import re
from pathlib import Path

from gateway.security.explain import CHECKS, TITLES, WORDS
from tests.explain.page import PAGE, START, written
from tests.explain.test_mistakes import MISTAKES

_CODE = Path(__file__).parent.parent.parent / "gateway" / "security" / "explain"
_KEBAB = re.compile(r"[a-z0-9]+(-[a-z0-9]+)+")
# Words with a hyphen in the code that are no diagnoses: encodings, algorithm names, header starts.
_OTHER = {"utf-8", "us-ascii", "iso-8859-1", "iso-8859-15", "windows-1252", "utf-16", "utf-16-le", "utf-16-be",
          "latin-1", "iso8859-15", "exc-c14n", "sha256-rsa"}


def test_every_cause_there_is_is_made_by_a_test() -> None:
    made = {identifier for row in MISTAKES for identifier in row[1]}
    assert made == WORDS.keys()
    assert len(made) > 45


def test_code_names_no_cause_without_words() -> None:
    named = {node.value for path in _CODE.glob("*.py") if not path.name.startswith("_words")
             for node in ast.walk(ast.parse(path.read_text("utf-8")))
             if isinstance(node, ast.Constant) and isinstance(node.value, str) and _KEBAB.fullmatch(node.value)}
    assert named - WORDS.keys() - TITLES.keys() <= _OTHER


def test_words_are_complete_in_both_languages() -> None:
    assert [name for name, _ in CHECKS] == list(TITLES)
    for identifier, words in WORDS.items():
        assert _KEBAB.fullmatch(identifier)
        assert all(words), identifier
        assert max(map(len, words)) < 150, identifier
        for nl, en in ((words.cause_nl, words.cause_en), (words.remedy_nl, words.remedy_en)):
            assert set(re.findall(r"\{\w+\}", nl)) == set(re.findall(r"\{\w+\}", en)), identifier


def test_the_page_lists_them_all() -> None:
    head, _, listed = PAGE.read_text("utf-8").partition(START)
    assert listed.strip() == written().strip(), "run: python -m tests.explain"
    assert set(re.findall(r"^\| `([a-z0-9-]+)` \|", listed, re.M)) == WORDS.keys()
    assert "gateway explain" in head
