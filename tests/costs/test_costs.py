"""The dearest refusals that were found cost less than five good messages of their size; and the search sees cost."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from lxml import etree

from gateway.messagesets import _xpath
from tests.costs.bench import CORPUS, Bench, Tried
from tests.costs.candidate import Bomb, Candidate, changed
from tests.costs.good import SIZES
from tests.costs.search import Search
from tests.fuzz.doors import Doors
from tests.fuzz.recipe import Recipe, read
from tests.line import SR, example

BOUND = 5.0
FOUND = {  # corpus recipe, bombs, what of the signature is wrong; each cost ten to seven hundred good messages once
    "an id of marks": ("line-83b48bb", (Bomb(shape="one id of marks", count=2_000, place=18, signed=False),), ""),
    "comments": ("line-83b48bb", (Bomb(shape="comments", count=8_000, place=18, signed=False),), ""),
    "elements, unsigned": ("line-83b48bb", (Bomb(shape="elements", count=20_000, place=18, signed=False),), ""),
    "elements, a few": ("line-83b48bb", (Bomb(shape="elements with text", count=325, place=18, signed=False),), ""),
    "every digest wrong": ("line-f019dd7", (), "digests"),
    "attributes": ("line-83b48bb", (Bomb(shape="five attributes each", count=6_500, place=18, signed=False),), ""),
    "namespaces around SignedInfo's parts": ("line-83b48bb", (
        Bomb(shape="the element", count=52, place=24, signed=False),
        Bomb(shape="declarations", count=2_000, place=13, signed=False)), "digests"),
    "marks": ("line-83b48bb", (Bomb(shape="marks", count=4_000, place=18, signed=False),), ""),
}


@pytest.fixture(scope="module")
def bench(template: Path) -> Iterator[Bench]:
    doors = Doors(template=template, renewed=10**9)
    made = Bench(doors=doors)
    made.good.measure(times=1, sizes=SIZES[:4])
    yield made
    doors.close()


def corpus(name: str) -> Candidate:
    path = next(path for path in CORPUS.iterdir() if path.name.startswith(name))
    recipe = read(path.read_bytes())
    return Candidate(recipe=Recipe(fields={**recipe.fields, "door": "line"}, octets=recipe.octets), origin=name)


@pytest.mark.parametrize("name", FOUND)
def test_what_was_dearest_once_costs_less_than_five_good_messages(bench: Bench, name: str) -> None:
    """CPU of the process, measured in turn with good messages of the same size; the best of each."""
    base, bombs, spoilt = FOUND[name]
    tried = bench.compare(replace(corpus(base), bombs=bombs, spoilt=spoilt), times=4)
    assert tried.outcome != "accepted"
    assert tried.ratio < BOUND, tried


def test_a_finding_does_not_walk_the_list_it_stands_in(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of twenty looked through all 8,000 claims, one object of Python after the other."""
    looked = Counter[str]()
    fits = _xpath._fits

    def counted(child: etree._Element, prefix: str | None, name: str) -> bool:
        looked[name] += 1
        return fits(child, prefix, name)

    monkeypatch.setattr(_xpath, "_fits", counted)
    message_set = next(one for key, one in bench.line.gate.catalog.sets.items() if str(key) == "schuldregeling/2.0")
    text = example("SaldoVerzoek-volledig").replace(b"<Vordering", b"<sr:Vordering").replace(
        b"</Vordering", b"</sr:Vordering").replace(b"<SaldoVerzoek ", b'<SaldoVerzoek xmlns:sr="%s" ' % SR.encode())
    child = etree.fromstring(text.replace(b"<sr:Vorderingen>", b"<sr:Vorderingen>" + b"<sr:Vordering/>" * 8_000))
    found = message_set.schema.findings(child, message_set.naming)
    assert len(found) == 20
    assert all("sr:Vordering[" in one.xpath for one in found)
    assert 0 < looked.total() < 20 * 4


def test_the_search_keeps_what_costs_more(bench: Bench) -> None:
    search = Search(bench=bench, random=Random(1))
    base = corpus("line-83b48bb")
    for count in (10, 5_000, 500):
        search.look(replace(base, bombs=(Bomb(shape="elements", count=count, place=18, signed=False),)))
    dearest: list[Tried] = search.top(1)
    assert dearest[0].candidate.bombs[0].count == 5_000
    assert all(one.outcome != "accepted" for kept in search.best.values() for one in kept)


def test_a_seed_repeats_what_is_tried() -> None:
    def drawn() -> list[str]:
        random, one, told = Random(7), corpus("line-83b48bb"), []
        for _ in range(50):
            one = changed(one, random, [one.recipe])
            told.append(str(one))
        return told

    assert drawn() == drawn()
