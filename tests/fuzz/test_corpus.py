"""The corpus does no harm; and the harness would see it if it did."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from tests import foreign
from tests.fuzz.__main__ import CORPUS, cut_down
from tests.fuzz.doors import Doors, Finding
from tests.fuzz.recipe import Recipe, read, write

INPUTS = sorted(CORPUS.iterdir())
EXC = foreign.EXC.encode()


@pytest.mark.clause("§5.1", "§5.2", "§5.3", "§5.4")
def test_no_input_of_the_corpus_does_harm(doors: Doors) -> None:
    for path in INPUTS:
        doors.check(path.read_bytes())
    met = {outcome.partition(":")[0] for outcome in doors.outcomes}
    assert met == {"line", "certificate", "revocation", "settings", "parties", "evidence", "answer", "explain"}
    assert doors.outcomes["line: accepted"] > 10
    assert len([outcome for outcome in doors.outcomes if outcome.startswith("line:")]) > 25


def test_the_corpus_is_small_and_holds_no_ones_number() -> None:
    assert sum(path.stat().st_size for path in INPUTS) < 1_000_000
    for path in INPUTS:
        if read(path.read_bytes()).door == "line":
            for number in re.findall(rb"(?<![\w.+/@-])\d{9}(?![\w.+/@-])", path.read_bytes()):
                assert number.startswith((b"99999", b"0")), (path.name, number)


def test_a_recipe_reads_back_as_written() -> None:
    for data in (b"", b"x", b"door: line\n\n<a/>", b"a: \xff\n\n\n\xff", b"a: b\nA: c\n\n", b"\n\n"):
        assert read(write(read(data))) == read(data)


def test_a_list_whose_lines_lack_a_field_is_refused(doors: Doors) -> None:
    """Found here: it ended in a KeyError."""
    empty = next(one for one in map(read, (path.read_bytes() for path in INPUTS)) if one.fields.get("ask") == "list")
    assert doors.check(write(empty)) == "answer: believed"
    end = b"</kn:HaalBerichtenlijstOpAntwoord>"
    assert empty.octets.count(end) == 1
    line = b"<kn:Bericht><kn:Versie>2.0</kn:Versie></kn:Bericht>"
    lacking = Recipe(fields=empty.fields, octets=empty.octets.replace(end, line + end))
    assert doors.check(write(lacking)) == "answer: ReceiptInvalid"


def test_a_signedinfo_without_the_canonical_form_it_names_is_explained(doors: Doors) -> None:
    """Found here: a relative namespace under another canonicalisation than ours ended in an exception of lxml."""
    good = next(one for one in map(read, (path.read_bytes() for path in INPUTS))
                if one.door == "line" and "encrypt" not in one.fields and b'Method Algorithm="' + EXC in one.octets)
    other = b'Method xmlns:n="1" n:x="" Algorithm="http://www.w3.org/TR/2001/REC-xml-c14n-20010315'
    bent = good.octets.replace(b'Method Algorithm="' + EXC, other, 1)
    assert doors.check(write(Recipe(fields={**good.fields, "door": "explain"}, octets=bent))) == "explain: told"


GOOD = next(path.read_bytes() for path in INPUTS if b"kn:Ping" in path.read_bytes() or b"Ping " in path.read_bytes())


@pytest.fixture
def broken(template: Path) -> Doors:
    """A hub that makes a mistake of its own when a message says so."""
    made = Doors(template=template)
    gate = made.line.gate

    def dispatch(path: str, operation: str, work: object) -> bytes:
        raise ZeroDivisionError("a mistake")

    made.line.gate = replace(gate, dispatch=dispatch)
    return made


def test_a_mistake_of_ours_is_found(broken: Doors) -> None:
    with pytest.raises(Finding, match=r"(?s)line: mistake: ZeroDivisionError.*a mistake"):
        broken.check(GOOD)
    broken.close()


def test_an_exception_that_leaves_a_door_is_found(doors: Doors, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Doors, "at_settings", lambda self, recipe: [][1])
    with pytest.raises(Finding, match="settings: IndexError"):
        doors.check(b"door: settings\n\nx")


def test_a_finding_is_cut_down_to_what_makes_it(template: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fussy(self: Doors, recipe: Recipe) -> str:
        if b"KANARIE" in recipe.octets:
            raise ValueError("found")
        return "fine"

    monkeypatch.setattr(Doors, "at_settings", fussy)
    data = b"door: settings\n\n" + b"x" * 500 + b"KANARIE" + b"y" * 700
    assert cut_down(data, template, seconds=5) == b"door: settings\n\nKANARIE"
