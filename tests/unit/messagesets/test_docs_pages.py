"""The documentation of all sets: complete, well-formed, linked, always the same, and drawn so that it can be read."""

import io
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations, pairwise
from pathlib import Path
from posixpath import dirname, normpath
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from lxml import etree
from lxml import html as lxml_html

from gateway.errors import TABLE
from gateway.messagesets import Catalog, build_docs, load_catalog, read_schema
from gateway.messagesets.docs._drawing import width_of
from gateway.messagesets.docs._elements import Row, Schemas
from gateway.messagesets.docs._html import Html, join, tag
from gateway.messagesets.docs._machine import read_machine
from gateway.messagesets.docs._remedies import ADVICE
from gateway.names import KN, clark
from gateway.values import Choreography, SetKey, Transition
from tests.unit.messagesets.conftest import MANIFEST, REAL, RULES, SCHEMA, write_set

ROOT = REAL.parent
NASTY = """<script>alert(1)</script>"&'><img src=x>"""
XML_NASTY = NASTY.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


@dataclass(frozen=True)
class Site:
    """Every file of the site, made."""

    catalog: Catalog
    files: Mapping[str, bytes]
    pages: Mapping[str, "etree._Element"]

    def texts(self, path: str, xpath: str) -> list[str]:
        return [" ".join("".join(node.itertext()).split()) for node in self.pages[path].xpath(xpath)]


def make_site(catalog: Catalog) -> Site:
    files = {path: file.make() for path, file in build_docs(catalog, public_url="https://knooppunt.example").items()}
    return Site(catalog=catalog, files=files,
                pages={path: etree.fromstring(octets) for path, octets in files.items() if path.endswith(".html")})


@pytest.fixture(scope="module")
def site() -> Site:
    """Made once; that every page parses as XML is half of what there is to test."""
    return make_site(load_catalog(REAL))


# --- pages -------------------------------------------------------------------------------------------------------


def test_every_message_has_a_page_in_both_languages(site: Site) -> None:
    for key, one in site.catalog.sets.items():
        for element, message in one.messages.items():
            for lang, title in (("nl", message.title_nl), ("en", message.title_en)):
                assert site.texts(f"{lang}/{key}/berichten/{element}.html", "//h1") == [title]
    shared = site.catalog.namespaces[KN]
    for element in (*(name for rule in shared.service_rules for name in rule.operations), "Berichtheader"):
        assert f"nl/{shared.key}/berichten/{element}.html" in site.pages


def test_every_page_has_the_landmarks_and_marks_that_reading_aids_need(site: Site) -> None:
    for path, page in site.pages.items():
        lang = "en" if path.startswith("en/") else "nl"
        assert page.get("lang") == lang, path
        for landmark in ("header", "main", "footer"):
            assert len(page.findall(f"body/{landmark}")) == 1, path
        assert len(page.findall(".//h1")) == 1, path
        assert page.xpath("string(body/a[1]/@href)") == "#inhoud", path
        assert all(node.get("scope") in ("col", "row") for node in page.iter("th")), path
        assert all(len(node.findall("caption")) == 1 for node in page.iter("table")), path
        assert all(node.get("aria-label") for node in page.iter("nav")), path
        levels = [int(node.tag[1]) for node in page.iter("h1", "h2", "h3", "h4")]
        assert all(after - before <= 1 for before, after in pairwise(levels)), path
        for node in page.xpath("//*[@tabindex]"):
            assert (node.get("tabindex"), bool(node.get("aria-label")), node.get("role")) == ("0", True, "region"), path
        for node in page.iter("svg"):
            names = [page.xpath("string(//*[@id=$one])", one=one) for one in node.get("aria-labelledby").split()]
            assert node.get("role") == "img"
            assert all(names)
            assert node.getparent().getparent().xpath("following-sibling::div/table"), "the same as a table"


def test_dutch_texts_on_english_pages_say_so(site: Site) -> None:
    page = site.pages["en/schuldregeling/2.0/berichten/SaldoVerzoekAntwoord.html"]
    marked = page.xpath("string(//p[@class='lead']/span/@lang)")
    cells = page.xpath("//table[@class='elements']/tbody/tr/td[3][normalize-space()]")
    assert marked == "nl"
    assert cells
    assert all(cell.xpath("span/@lang") == ["nl"] for cell in cells)


def test_pages_read_the_same_as_html(site: Site) -> None:
    for path in ("index.html", "en/faults.html", "nl/schuldregeling/2.0/index.html"):
        as_html = lxml_html.document_fromstring(site.files[path].decode())
        assert [node.tag for node in as_html.iter()] == [node.tag for node in site.pages[path].iter()]


def test_the_policy_of_the_web_listener_has_nothing_to_forbid(site: Site) -> None:
    for path, page in site.pages.items():
        assert not page.xpath("//script | //style | //iframe | //object | //form | //img"), path
        for node in page.iter():
            assert not [name for name in node.attrib if name == "style" or name.lower().startswith("on")], path
            assert not urlsplit(node.get("src", "")).scheme, path
    assert "url(" not in site.files["files/docs.css"].decode()
    assert "@import" not in site.files["files/docs.css"].decode()


def links_of(site: Site, path: str) -> Iterator[tuple[str, str]]:
    """Each link of a page as (path in the site, anchor)."""
    for node in site.pages[path].xpath("//@href"):
        parts = urlsplit(node)
        assert not parts.scheme, f"{path} leads outside: {node}"
        assert not parts.netloc, f"{path} leads outside: {node}"
        target = normpath(f"{dirname(path)}/{unquote(parts.path)}").lstrip("/") if parts.path else path
        yield target, unquote(parts.fragment)


def test_every_link_and_anchor_resolves_and_every_page_can_be_reached(site: Site) -> None:
    anchors = {path: page.xpath("//@id") for path, page in site.pages.items()}
    for path, ids in anchors.items():
        assert len(ids) == len(set(ids)), f"{path} has an id twice"
    reached, waiting = {"index.html"}, ["index.html"]
    while waiting:
        path = waiting.pop()
        for target, anchor in links_of(site, path):
            assert target in site.files, f"{path} links to {target}"
            assert not anchor or anchor in anchors[target], f"{path} links to {target}#{anchor}"
            if target in site.pages and target not in reached:
                reached.add(target)
                waiting.append(target)
    assert reached == set(site.pages)


def test_the_language_switch_keeps_the_page(site: Site) -> None:
    for path in site.pages:
        lang, _, rest = ("nl", "", path) if path == "index.html" else path.partition("/")
        [switch] = site.pages[path].xpath("//a[@class='switch']")
        other = "en" if lang == "nl" else "nl"
        target = normpath(f"{dirname(path)}/{unquote(switch.get('href'))}").lstrip("/")
        assert (target, switch.get("hreflang"), switch.get("lang")) == (f"{other}/{rest}", other, other)


def test_the_message_page_says_what_the_manifest_says(site: Site) -> None:
    path = "nl/schuldregeling/2.0/berichten/BetaalVoorstelAntwoord.html"
    terms = site.texts(path, "//dl[@class='facts'][1]/dt")
    facts = dict(zip(terms, site.texts(path, "//dl[@class='facts'][1]/dd"), strict=True))
    assert facts["Richting"] == "Schuldeiser (SE) → Schuldhulpverlener (SHV)"
    assert facts["Antwoord op"] == "BetaalVoorstel, Heroverweging"
    assert facts["Mag in toestand"] == "VOORSTEL_UIT, HEROVERWEGING_UIT"
    assert facts["Adres"] == "POST https://knooppunt.example/soap/schuldregeling/2.0/se"
    assert facts["wsa:Action"] == "urn:schuldenknooppunt:schuldregeling:2.0:BetaalVoorstelAntwoord"
    assert {"SR-001", "SR-002"} <= set(site.texts(path, "//h2[@id='regels']/following::table[1]/tbody/tr/th"))
    example = (REAL / "schuldregeling/2.0/examples/valid/BetaalVoorstelAntwoord-minimaal.xml").read_text("utf-8")
    assert "".join(site.pages[path].xpath("(//pre)[1]")[0].itertext()) == example.strip()
    codes = site.texts(path, "//h2[@id='fouten']/following::table[1]/tbody/tr/th")
    assert {"SKP001", "SKP010", "SKP011", "SKP013"} <= set(codes)
    assert "SKP012" not in codes
    english = site.texts(path.replace("nl/", "en/", 1), "//h2[@id='regels']/following::table[1]/tbody/tr/td[1]")
    assert "RedenNietAkkoord is required when the creditor does not agree." in english


def test_the_process_is_told_in_words(site: Site) -> None:
    said = site.texts("nl/schuldregeling/2.0/index.html", "//dl[@class='states']/dd")
    assert "Schuldeiser (SE) mag GeenMedewerking sturen; dan wordt het GEEN_MEDEWERKING." in said
    assert ("Schuldeiser (SE) mag BetaalVoorstelAntwoord met uitkomst akkoord sturen; dan wordt het AKKOORD.") in said
    assert "Schuldeiser (SE) mag KennisgevingAntwoord sturen; de toestand blijft gelijk." in said


# --- faults, files, samples --------------------------------------------------------------------------------------


def test_every_error_has_its_cause_and_remedy_on_the_page(site: Site) -> None:
    assert ADVICE.keys() == TABLE.keys()
    for lang in ("nl", "en"):
        page = site.pages[f"{lang}/faults.html"]
        for kind, row in TABLE.items():
            [head] = page.xpath("//th[@id=$name]", name=kind.__name__)
            told = " ".join("".join(head.getparent().itertext()).split())
            advice = ADVICE[kind]
            for text in (advice.cause_nl, advice.remedy_nl) if lang == "nl" else (advice.cause_en, advice.remedy_en):
                assert " ".join(text.split()) in told
            assert f"HTTP {row.http}" in told
            assert row.faultcode in told


def test_downloads_are_the_files_themselves(site: Site) -> None:
    for path in ("schuldregeling/2.0/types.xsd", "knooppunt/1.0/examples/valid/Ping-minimaal.xml"):
        assert site.files[f"files/xsd/{path}"] == (REAL / path).read_bytes()
    listed = json.loads(site.files["files/messages.json"])
    assert all(f"{lang}/{row['path']}" in site.pages for row in listed for lang in ("nl", "en"))
    assert {row["element"] for row in listed if (row["module"], row["version"]) == ("schuldregeling", "2.0")} == set(
        site.catalog.sets[SetKey(module="schuldregeling", version="2.0")].messages)


def test_a_set_can_be_built_on_from_its_zip_alone(site: Site, tmp_path: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(site.files["files/zip/schuldregeling-2.0.zip"])) as archive:
        names = archive.namelist()
        assert names == sorted(names)
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        archive.extractall(tmp_path)
    schema = etree.XMLSchema(etree.parse(tmp_path / "xsd/schuldregeling/2.0/berichten.xsd"))
    examples = sorted((tmp_path / "xsd/schuldregeling/2.0/examples/valid").glob("*.xml"))
    assert len(examples) >= 30
    for example in examples:
        schema.assertValid(etree.parse(example))
    contracts = sorted((tmp_path / "wsdl/schuldregeling/2.0").glob("*.wsdl"))
    assert {"se.wsdl", "shv.wsdl", "se-ontvangst.wsdl", "shv-ontvangst.wsdl"} == {path.name for path in contracts}
    for contract in contracts:
        for location in etree.parse(contract).xpath("//@schemaLocation"):
            assert (contract.parent / location).is_file()


# --- the same every time, and safe -------------------------------------------------------------------------------


def test_two_runs_give_the_same_octets(tmp_path: Path) -> None:
    """Two processes with other hash seeds: an order that comes from a set would differ."""
    xsd = tmp_path / "xsd"
    for name in ("knooppunt/1.0", "schuldregeling", "schuldinventarisatie/1.0"):
        shutil.copytree(REAL / name, xsd / name)
    seen = []
    for seed in ("1", "77"):
        out = tmp_path / seed
        subprocess.run(
            [sys.executable, "-m", "gateway", "sets", "docs", "--xsd", str(xsd), "--out", str(out)],
            check=True, cwd=ROOT, env=os.environ | {"PYTHONHASHSEED": seed}, capture_output=True)
        seen.append({path.relative_to(out): path.read_bytes() for path in out.rglob("*") if path.is_file()})
    assert len(seen[0]) > 150
    assert seen[0].keys() == seen[1].keys()
    assert [str(path) for path in seen[0] if seen[0][path] != seen[1][path]] == []


def test_no_text_of_a_set_becomes_markup(tmp_path: Path) -> None:
    quoted = json.dumps(NASTY)
    manifest = re.sub(r'title_(nl|en) = "[^"]*"', lambda found: f"title_{found[1]} = {quoted}", MANIFEST)
    schema = SCHEMA.replace(
        '<xs:element name="Vraag"><xs:complexType>',
        f'<xs:element name="Vraag"><xs:annotation><xs:documentation>{XML_NASTY} Grond: {XML_NASTY}</xs:documentation>'
        "</xs:annotation><xs:complexType>").replace(
        '<xs:enumeration value="GROEN"/>', f'<xs:enumeration value="{XML_NASTY.replace(chr(34), "&quot;")}"/>')
    rules = RULES.replace("The lines do not add up to the total.", XML_NASTY).replace(
        "De regels zijn samen niet het totaal.", XML_NASTY)
    folder = write_set(tmp_path / "xsd", manifest=manifest, berichten=schema, regels=rules)
    valid = folder / "examples" / "valid"
    valid.mkdir(parents=True)
    (valid / "Vraag-minimaal.xml").write_text(f"<a b='{XML_NASTY.replace(chr(39), '')}'>{XML_NASTY}<!--<b>--></a>")
    nasty = make_site(load_catalog(tmp_path / "xsd"))
    for path, page in nasty.pages.items():
        assert not page.xpath("//script | //img"), path
    for lang in ("nl", "en"):
        page = f"{lang}/proef/1.0/berichten/Vraag.html"
        assert nasty.texts(page, "//h1") == [NASTY]
        assert NASTY in nasty.texts(page, "//p[@class='lead']")[0]
        assert NASTY in nasty.texts(page, "//tr[th='PF-1']/td[1]")
        assert NASTY in nasty.texts(page, "//li/code")
        assert nasty.texts(f"{lang}/proef/1.0/index.html", "//h1") == [f"{NASTY} 1.0"]
        assert "<!--<b>-->" in nasty.texts(page, "//pre")[0]


def test_only_markup_is_taken_as_markup() -> None:
    assert tag("p", "<b>", tag("b", "&"), None, 3, ["x", ("y",)], class_="a\"b", hidden=True, id=None) == (
        '<p class="a&quot;b" hidden="hidden">&lt;b&gt;<b>&amp;</b>3xy</p>')
    assert join(str(Html("<b>")) + "") == "&lt;b&gt;"  # put together by hand it is text again
    assert tag("br") == "<br/>"


# --- the drawing -------------------------------------------------------------------------------------------------

Box = tuple[float, float, float, float]  # left, top, right, bottom


def boxes(svg: "etree._Element") -> list[tuple["etree._Element", Box]]:
    found = []
    for rect in svg.xpath(".//rect[not(@class='inner')]"):
        left, top, width, height = (float(rect.get(name)) for name in ("x", "y", "width", "height"))
        found.append((rect, (left, top, left + width, top + height)))
    return found


def points(path: str) -> Iterator[tuple[float, float]]:
    """Points on a path of the kind the drawing makes: M, L, C, L."""
    numbers = [float(one) for one in re.findall(r"-?[\d.]+", path)]
    ends = list(zip(numbers[::2], numbers[1::2], strict=True))
    assert len(ends) == 6
    start, a, b, c, d, end = ends
    for step in range(21):
        t = step / 20
        weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t ** 3)
        x, y = (sum(weight * point[axis] for weight, point in zip(weights, (a, b, c, d), strict=True))
                for axis in (0, 1))
        yield x, y
        for one, other in ((start, a), (d, end)):
            yield one[0] + (other[0] - one[0]) * t, one[1] + (other[1] - one[1]) * t


def test_the_diagrams_can_be_read(site: Site) -> None:
    for key, one in site.catalog.sets.items():
        if one.core:
            continue
        [svg] = site.pages[f"nl/{key}/index.html"].iter("svg")
        left, top, width, height = (float(number) for number in svg.get("viewBox").split())
        found = boxes(svg)
        for (_, a), (_, b) in combinations(found, 2):
            assert a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1], f"{key}: boxes overlap"
        for rect, (x1, y1, x2, y2) in found:
            assert left <= x1 < x2 <= left + width, key
            assert top <= y1 < y2 <= top + height, key
            for text in rect.getparent().findall("text"):
                said = "".join(text.itertext())
                assert x1 <= float(text.get("x")) - width_of(said) / 2, f"{key}: {said} is wider than its box"
                assert float(text.get("x")) + width_of(said) / 2 <= x2, f"{key}: {said} is wider than its box"
                assert y1 + 10 <= float(text.get("y")) <= y2 - 3, f"{key}: {said}"
        for path in svg.xpath(".//path[@class='line']/@d"):
            for x, y in points(path):
                assert not any(x1 + 1 < x < x2 - 1 and y1 + 1 < y < y2 - 1 for _, (x1, y1, x2, y2) in found), (
                    f"{key}: a line runs through a box")


def test_the_diagram_holds_every_state_and_every_move(site: Site) -> None:
    for key, one in site.catalog.sets.items():
        if one.core:
            continue
        machine = read_machine(one.choreography)
        [svg] = site.pages[f"en/{key}/index.html"].iter("svg")
        names = ["".join(node.itertext()) for node in svg.xpath(".//text[@class='name']")]
        assert sorted(names) == sorted(machine.states)
        labels = " ".join("".join(node.itertext()) for node in svg.xpath(".//text[@class='message']")).split()
        moving = {move.message for move in machine.moves if not move.stays}
        assert moving <= set(labels), key
        heads = len(svg.xpath(".//path[@class='head']"))
        assert heads == len(svg.xpath(".//rect[@class='label']")), "each label has one arrow"
        rows = site.pages[f"en/{key}/index.html"].xpath("//caption[.='All transitions']/../tbody/tr")
        assert len(rows) == len(machine.moves)


def test_states_are_layered_by_the_longest_way_and_circles_lead_back() -> None:
    def row(source: str, message: str, target: str | None) -> Transition:
        return Transition(states=frozenset({source}), message=message, next=target)

    machine = read_machine(Choreography(initial="A", transitions=(
        row("A", "m", "D"), row("A", "n", "B"), row("B", "o", "C"), row("C", "p", "D"), row("C", "q", "B"),
        row("C", "r", None))))
    assert machine.states == ("A", "B", "C", "D")
    assert dict(machine.layers) == {"A": 0, "B": 1, "C": 2, "D": 3}
    assert machine.backward == {("C", "B")}
    assert machine.final == {"D"}
    assert [(move.message, move.stays) for move in machine.moves_from("C")] == [("p", False), ("q", False), ("r", True)]


# --- element tables ----------------------------------------------------------------------------------------------


def foreign_rows(element: Any, depth: int, closed: set[str], above: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    """What xmlschema knows of an element, in the order of the table: depth, name, how often at most, values."""
    kind = element.type
    yield depth, element.local_name, element.max_occurs, tuple(map(str, getattr(kind, "enumeration", None) or ()))
    shown_elsewhere = depth and element.name in closed
    if shown_elsewhere or kind.is_simple() or kind.has_simple_content() or kind in above:
        return
    for child in kind.content.iter_elements():
        if getattr(child, "type", None) is not None:  # no wildcard
            yield from foreign_rows(child, depth + 1, closed, (*above, kind))


def own_rows(rows: tuple[Row, ...]) -> Iterator[tuple[Any, ...]]:
    """The same from the table; lines for choices and sequences add depth, which xmlschema's flat lists do not have."""
    open_models: list[int] = []
    for row in rows:
        while open_models and open_models[-1] >= row.depth:
            open_models.pop()
        if row.kind in ("choice", "sequence"):
            open_models.append(row.depth)
        elif row.kind == "element":
            values = tuple(value.value for value in row.simple.values) if row.simple else ()
            yield row.depth - len(open_models), row.name.partition(":")[2], row.highest, values


@pytest.mark.parametrize("name", ["schuldregeling/2.0", "schuldenoverzicht/1.0", "knooppunt/1.0"])
def test_element_tables_say_what_xmlschema_says(site: Site, name: str) -> None:
    module, _, version = name.partition("/")
    one = site.catalog.sets[SetKey(module=module, version=version)]
    closed = {clark(KN, "Berichtheader")}
    schemas = Schemas(one.schema_files, one.naming.prefixes, frozenset(closed))
    foreign = read_schema(one)
    compared = 0
    for element in sorted(one.elements):
        ours = list(own_rows(schemas.rows(clark(one.namespace, element))))
        theirs = list(foreign_rows(foreign.elements[element], 0, closed, ()))
        assert ours == theirs, element
        compared += len(ours)
    assert compared > 100


def test_every_element_of_the_tables_has_its_explanation(site: Site) -> None:
    for path, page in site.pages.items():
        for row in page.xpath("//table[@class='elements']/tbody/tr[.//th//code]"):
            assert "".join(row.xpath("td[3]")[0].itertext()).strip(), f"{path}: {''.join(row[0].itertext())}"
