"""The routing table is read exactly or refused with both lines; of a key the first group that can answer decides."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from gateway.errors import Misconfigured
from gateway.routing import AddressBook
from gateway.settings import load_parties, load_routes, plan_routes
from gateway.values import Party, Route

BOOK = """\
[[party]]
id = "6f1c1d5e-5d0b-4c0e-9d57-0a3c0b7d1a01"
name = "Gemeente"
oin = "00000001999999990000"
roles = ["SHV"]
gemeentecodes = ["0416"]

[[party]]
id = "6f1c1d5e-5d0b-4c0e-9d57-0a3c0b7d1a02"
name = "Fusie"
oin = "00000001999999990001"
roles = ["SHV", "GEMEENTE"]

[[party]]
id = "6f1c1d5e-5d0b-4c0e-9d57-0a3c0b7d1a03"
name = "Matching"
oin = "00000001999999990002"
roles = ["MATCHINGSYSTEEM"]
"""
ROW = '\n[[route]]\nkind = "GEMEENTECODE"\nvalue = "0416"\n'  # the header of the first stands on line 20


def read(folder: Path, *rows: str) -> tuple[tuple[Party, ...], tuple[Route, ...]]:
    path = folder / "parties.toml"
    path.write_text(BOOK + "".join(ROW + row + "\n" for row in rows), "utf-8")
    parties = load_parties(path)
    return parties, load_routes(path, parties)


def test_a_row_is_read_whole(tmp_path: Path) -> None:
    parties, (row,) = read(tmp_path, 'party = "fusie"\nmodule = "pauzeknop"\nfrom = 2027-01-01\nuntil = 2028-01-01\n'
                                     "fallback = true")
    assert row == Route(kind="GEMEENTECODE", value="0416", module="pauzeknop", party=parties[1].id,
                        since=date(2027, 1, 1), until=date(2028, 1, 1), fallback=True)
    assert [row.counts_on(day) for day in (date(2026, 12, 31), date(2027, 1, 1), date(2027, 12, 31), date(2028, 1, 1))
            ] == [False, True, True, False]


@pytest.mark.parametrize(("rows", "message"), [
    (['party = "niemand"'], "line 23: 'party' in [[route]] number 1: there is no party 'niemand'"),
    (['party = "fusie"\nfrom = 2027-01-01\nuntil = 2027-01-01'],
     "line 25: 'until' in [[route]] number 1 does not come after 'from'"),
    (['party = "fusie"\nkleur = 1'], "line 24: unknown key 'kleur'"),
    (['party = "fusie"', 'party = "gemeente"'],
     "line 27: [[route]] number 2 and the row on line 20 count on the same days and lead to two parties of role SHV"),
    (['party = "fusie"\nfrom = 2027-01-01', 'party = "fusie"'],
     "line 28: [[route]] number 2 and the row on line 20 count on the same days and say the same"),
])
def test_a_wrong_row_names_its_line_and_the_other_one(tmp_path: Path, rows: list[str], message: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        read(tmp_path, *rows)
    assert message in caught.value.detail


@pytest.mark.parametrize("rows", [
    ['party = "gemeente"\nuntil = 2027-01-01', 'party = "fusie"\nfrom = 2027-01-01'],  # one after the other
    ['party = "gemeente"', 'party = "matching"'],  # no role in common
    ['party = "gemeente"', 'party = "fusie"\nmodule = "pauzeknop"'],
    ['party = "gemeente"', 'party = "fusie"\nfallback = true'],
])
def test_rows_that_do_not_contradict_stand_together(tmp_path: Path, rows: list[str]) -> None:
    assert len(read(tmp_path, *rows)[1]) == 2


def test_the_most_particular_group_comes_first_and_fall_backs_last(tmp_path: Path) -> None:
    parties, rows = read(tmp_path, 'party = "fusie"\nfrom = 2027-01-01', 'party = "matching"\nmodule = "pauzeknop"',
                         'party = "matching"\nfallback = true')
    book = AddressBook(parties, routes=rows)
    gemeente, fusie, matching = parties

    def groups(module: str, on: date) -> list[list[str]]:
        return [[party.slug for party in group] for group in book.by_route("GEMEENTECODE", "0416", module, on=on)]

    assert groups("pauzeknop", date(2027, 1, 1)) == [["matching"], ["fusie"], ["gemeente"], ["matching"]]
    assert groups("ander", date(2026, 12, 31)) == [["gemeente"], ["matching"]]
    assert book.by_route("GEMEENTECODE", "9999", "pauzeknop", on=date(2027, 1, 1)) == ()
    gone = AddressBook([gemeente, replace(fusie, active=False), matching], routes=rows)
    assert not gone.by_route("GEMEENTECODE", "0416", "ander", on=date(2027, 1, 1))[0][0].active  # told, not passed over


def test_a_plan_says_which_rows_come_and_go(tmp_path: Path) -> None:
    parties, (old, new) = read(tmp_path, 'party = "gemeente"\nuntil = 2027-01-01',
                               'party = "fusie"\nfrom = 2027-01-01\nmodule = "pauzeknop"')
    assert plan_routes([old], [new], parties) == [
        "remove route GEMEENTECODE 0416 to gemeente until 2027-01-01",
        "add route GEMEENTECODE 0416 of pauzeknop to fusie from 2027-01-01"]
    assert plan_routes([old, new], [new, old], parties) == []
