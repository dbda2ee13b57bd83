"""Bridges between two versions of a small set: what is admitted, what is refused, and that nothing is ever lost."""

import re
import shutil
import threading
from itertools import pairwise
from pathlib import Path

import pytest
from lxml import etree

from gateway.errors import Misconfigured
from gateway.messagesets import Catalog, Crossed, check_bridges, check_set, cross, load_catalog
from gateway.messagesets._stylesheet import Stylesheet
from gateway.values import SetKey
from tests.unit.messagesets.conftest import MANIFEST, PF, message, write_set

XSL = "http://www.w3.org/1999/XSL/Transform"
ONE, TWO = (SetKey(module="proef", version=version) for version in ("1.0", "2.0"))
REGEL = '<pf:Regel><pf:Kleur>ROOD</pf:Kleur><pf:Naam>rood</pf:Naam></pf:Regel>'
TOTAAL = "<pf:Totaal>0.00</pf:Totaal>"

COPY = f"""\
<xsl:stylesheet version="1.0" xmlns:xsl="{XSL}" xmlns:kn="urn:schuldenknooppunt:knooppunt:1.0"
    xmlns:pf="urn:schuldenknooppunt:proef:FROM">
  <xsl:template match="*">
    <xsl:element name="{{name()}}" namespace="{{namespace-uri()}}"><xsl:apply-templates/></xsl:element>
  </xsl:template>
  <xsl:template match="pf:*">
    <xsl:element name="{{name()}}" namespace="urn:schuldenknooppunt:proef:TO"><xsl:apply-templates/></xsl:element>
  </xsl:template>
  <xsl:template match="processing-instruction()"><xsl:copy/></xsl:template>
  <xsl:template match="kn:Versie/text()">TO</xsl:template>
  <!-- more -->
</xsl:stylesheet>
"""
VRAAG = """
[[bridge]]
message = "Vraag"
to = "{to}"
xslt = "brug/{to}.xslt"
"""


def renamed(octets: bytes, version: str) -> bytes:
    """A message of 1.0 as that version has it."""
    octets = octets.replace(b"proef:1.0", f"proef:{version}".encode())
    return octets.replace(b"Versie>1.0<", f"Versie>{version}<".encode())


def versions(root: Path, *, forth: str = VRAAG, back: str = VRAAG, sheet_forth: str = COPY, sheet_back: str = COPY,
             manifest: str = MANIFEST, examples: tuple[bytes, ...] = (message(REGEL),)) -> Catalog:
    """The small set as 1.0 and 2.0, bridged there and back."""
    for here, there, rows, sheet in (("1.0", "2.0", forth, sheet_forth), ("2.0", "1.0", back, sheet_back)):
        folder = write_set(root, manifest=manifest.replace("[files]", rows.format(to=there) + "\n[files]"))
        if here != "1.0":
            folder = folder.rename(folder.parent / here)
            for file in folder.glob("*.*"):
                text = file.read_text("utf-8").replace("proef:1.0", f"proef:{here}")
                file.write_text(text.replace('version = "1.0"', f'version = "{here}"'), "utf-8")
        (folder / "brug").mkdir()
        (folder / "brug" / f"{there}.xslt").write_text(sheet.replace("FROM", here).replace("TO", there), "utf-8")
        (folder / "examples" / "valid").mkdir(parents=True)
        for number, example in enumerate(examples):
            (folder / "examples" / "valid" / f"Vraag-{number}.xml").write_bytes(renamed(example, here))
        if here == "1.0":
            folder.rename(root / "proef" / "kept")
    (root / "proef" / "kept").rename(root / "proef" / "1.0")
    return load_catalog(root)


def problems(catalog: Catalog) -> list[str]:
    return [problem for key in (ONE, TWO) for problem in check_bridges(catalog.sets[key], catalog.sets)]


def canonical(octets: bytes) -> bytes:
    return etree.tostring(etree.fromstring(octets), method="c14n", exclusive=True, with_comments=False)


def over(catalog: Catalog, octets: bytes, element: str = "Vraag") -> Crossed | None:
    return cross(canonical(octets), element, catalog.ways[ONE, element]["2.0"])


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    return versions(tmp_path_factory.mktemp("plain") / "xsd")


# --- crossing ---------------------------------------------------------------------------------------------------


def test_a_message_crosses_and_is_valid_there(plain: Catalog) -> None:
    crossed = over(plain, message(REGEL))
    assert crossed is not None
    assert crossed.message_set is plain.sets[TWO]
    assert crossed.message.header is not None
    assert crossed.message.header.versie == "2.0"
    assert crossed.octets == renamed(canonical(message(REGEL)), "2.0")
    assert not problems(plain)


@pytest.mark.parametrize("octets", [
    message(REGEL).replace(b"pf:", b"").replace(b":pf=", b"="),
    message(REGEL).replace(b"pf", b"kn2"),
    message(REGEL.replace("pf:", "").replace("<Regel>", f'<Regel xmlns="{PF}">')),
    message(" \n " + REGEL.replace("><", ">\n\t <") + "\n"),
    message(REGEL + "<?nu ja?>"),
    message(REGEL + "<!-- weg -->"),
    message(REGEL.replace("pf:Kleur>", "kn:Kleur>").replace("<pf:Regel>", f'<pf:Regel xmlns:kn="{PF}">')),
    message(REGEL.replace("rood", "&lt;&#xE9;&#13;")),
], ids=["default", "prefix", "inner default", "white space", "instruction", "comment", "prefix again", "characters"])
def test_the_way_back_gives_the_same_octets_however_it_is_written(plain: Catalog, octets: bytes) -> None:
    crossed = over(plain, octets)
    assert crossed is not None
    back = cross(crossed.octets, "Vraag", plain.ways[TWO, "Vraag"]["1.0"])
    assert back is not None
    assert back.octets == canonical(octets)


def test_a_condition_keeps_back_what_would_be_lost(tmp_path: Path) -> None:
    drop = COPY.replace("<!-- more -->", '<xsl:template match="pf:Totaal"/>')
    catalog = versions(tmp_path / "xsd", forth=VRAAG + 'when = "not(pf:Totaal)"\n', sheet_forth=drop)
    assert over(catalog, message(REGEL)) is not None
    assert over(catalog, message(TOTAAL + REGEL.replace("</pf:Naam>", "</pf:Naam><pf:Bedrag>0.00</pf:Bedrag>"))) is None
    assert not problems(catalog)


def test_a_mapping_that_loses_something_is_found_by_the_check_and_refused_on_the_way(tmp_path: Path) -> None:
    drop = COPY.replace("<!-- more -->", '<xsl:template match="pf:Naam/text()">naam</xsl:template>')
    catalog = versions(tmp_path / "xsd", sheet_forth=drop)
    assert over(catalog, message(REGEL)) is None
    (problem, *_) = problems(catalog)
    assert re.search(r"1\.0/manifest\.toml: \[\[bridge\]\] Vraag to 2\.0: Vraag-0\.xml.*does not come back as it was",
                     problem)


def test_the_check_finds_what_goes_wrong_only_without_a_part_that_may_be_absent(tmp_path: Path) -> None:
    """The example itself comes back; without its second line it would not."""
    wrong = '<xsl:template match="pf:Vraag[count(pf:Regel) = 1]//pf:Naam/text()">naam</xsl:template>'
    catalog = versions(tmp_path / "xsd", sheet_forth=COPY.replace("<!-- more -->", wrong),
                       examples=(message(REGEL + REGEL),))
    assert over(catalog, message(REGEL + REGEL)) is not None
    (problem, *_) = problems(catalog)
    assert "Vraag-0.xml without /pf:Vraag/pf:Regel[2]: it does not come back" in problem
    assert problem in catalog.problems()  # what `gateway sets check` says


def test_a_result_that_is_not_valid_there_is_refused(tmp_path: Path) -> None:
    sheet = COPY.replace("<!-- more -->", '<xsl:template match="pf:Kleur/text()">BLAUW</xsl:template>')
    catalog = versions(tmp_path / "xsd", sheet_forth=sheet)
    assert over(catalog, message(REGEL)) is None
    assert any("no valid Vraag of proef/2.0: /pf:Vraag/pf:Regel/pf:Kleur cvc-enumeration" in one
               for one in problems(catalog))


def test_a_stylesheet_may_refuse_by_itself(tmp_path: Path) -> None:
    stop = '<xsl:template match="pf:Totaal"><xsl:message terminate="yes">nee</xsl:message></xsl:template>'
    catalog = versions(tmp_path / "xsd", sheet_forth=COPY.replace("<!-- more -->", stop))
    assert over(catalog, message(TOTAAL + REGEL.replace("</pf:Naam>", "</pf:Naam><pf:Bedrag>0.00</pf:Bedrag>"))) is None
    assert over(catalog, message(REGEL)) is not None


def test_a_mapping_without_an_example_is_not_proven(tmp_path: Path) -> None:
    assert all("nothing proves it" in one for one in problems(versions(tmp_path / "xsd", examples=())))


def test_a_message_that_asks_other_things_of_its_parties_is_another(tmp_path: Path) -> None:
    rows = VRAAG + 'element = "VraagPubliek"\n'
    back = VRAAG.replace('"Vraag"', '"VraagPubliek"') + 'element = "Vraag"\n'
    found = problems(versions(tmp_path / "xsd", forth=rows, back=back))
    assert any("bsn is another for VraagPubliek" in one for one in found)


def test_threads_may_cross_at_once(plain: Catalog) -> None:
    octets = [message(REGEL.replace("rood", f"r{number}")) for number in range(8)]
    wrong: list[int] = []

    def work(number: int) -> None:
        for _ in range(30):
            crossed = over(plain, octets[number])
            if crossed is None or f"r{number}<".encode() not in crossed.octets:
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


# --- what may be declared ------------------------------------------------------------------------------------------


def test_an_inverse_must_be_declared(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"Vraag to 2\.0: its inverse is not declared; add"):
        versions(tmp_path / "xsd", back="")


@pytest.mark.parametrize(("rows", "said"), [
    (VRAAG + 'element = "Vrag"\n', r"there is no Vrag in proef 2\.0"),
    (VRAAG + 'element = "Antwoord"\n', "goes between other roles"),
    (VRAAG.replace("{to}", "1.0"), "is this version"),
    (VRAAG.replace('"Vraag"', '["Vraag", "VraagPubliek"]') + 'element = "Vraag"\n', "one name for several"),
    (VRAAG.replace('"Vraag"', '"Vrag"'), "Vrag is not known"),
    (VRAAG + 'when = "not("\n', "no XPath 1.0"),
    (VRAAG + "soms = true\n", "unknown"),
    (VRAAG.replace("brug/", "../"), "lies outside"),
    (VRAAG.replace("brug/", "weg/"), "no readable stylesheet"),
], ids=["no message", "roles", "itself", "one name", "own message", "xpath", "key", "outside", "no file"])
def test_what_a_manifest_may_not_say(tmp_path: Path, rows: str, said: str) -> None:
    with pytest.raises(Misconfigured, match=said):
        versions(tmp_path / "xsd", forth=rows)


def test_a_version_that_was_left_out_is_passed_over_and_told_by_the_check(tmp_path: Path) -> None:
    versions(tmp_path / "xsd")
    shutil.rmtree(tmp_path / "xsd" / "proef" / "2.0")
    catalog = load_catalog(tmp_path / "xsd")
    assert catalog.bridged_to(ONE, "Vraag") == {}
    (problem,) = check_bridges(catalog.sets[ONE], catalog.sets)
    assert "there is no version 2.0 here" in problem


def test_a_sealed_body_is_not_bridged(tmp_path: Path) -> None:
    sealed = MANIFEST.replace('choreography = "enforce"', 'choreography = "enforce"\nbody = "sealed"')
    with pytest.raises(Misconfigured, match="can't map what it can't read"):
        versions(tmp_path / "xsd", manifest=sealed)


def test_a_condition_names_only_elements_of_the_schema(tmp_path: Path) -> None:
    catalog = versions(tmp_path / "xsd", forth=VRAAG + 'when = "not(pf:Totall)"\n')
    assert any("when names pf:Totall" in one for one in problems(catalog))


def test_a_stylesheet_is_one_of_the_files_of_its_set(plain: Catalog) -> None:
    found = check_set(plain.sets[ONE], wsdl=plain.root)
    assert any('[files] lacks brug/2.0.xslt; add "brug/2.0.xslt" = ' in one for one in found)


def test_a_family_is_a_message_of_another_version(tmp_path: Path) -> None:
    named = MANIFEST.replace('element = "Vraag"\n', 'element = "Vraag"\nfamily = "Vrag"\n')
    assert any("family Vrag is no message of another version" in one
               for one in problems(versions(tmp_path / "xsd", manifest=named)))


@pytest.mark.parametrize("content", [
    '<xsl:import href="ander.xslt"/>',
    '<xsl:include href="ander.xslt"/>',
    """<xsl:template match="/"><xsl:copy-of select="document('http://example.org/')"/></xsl:template>""",
    """<xsl:template match="/"><x y="{document('/etc/passwd')}"/></xsl:template>""",
    """<xsl:template match="/"><xsl:value-of select="system-property('xsl:vendor')"/></xsl:template>""",
    """<xsl:template match="/"><xsl:value-of xmlns:d="http://exslt.org/dates-and-times" select="d:date()"/>
       </xsl:template>""",
    """<xsl:template match="/"><x xmlns:e="http://exslt.org/common" xsl:extension-element-prefixes="e"/>
       </xsl:template>""",
])
def test_a_stylesheet_reaches_nothing_outside_itself(tmp_path: Path, content: str) -> None:
    path = tmp_path / "brug.xslt"
    path.write_text(f'<xsl:stylesheet version="1.0" xmlns:xsl="{XSL}">{content}</xsl:stylesheet>', "utf-8")
    with pytest.raises(Misconfigured, match=r"use XSLT 1\.0 without document"):
        Stylesheet(path, tmp_path)


@pytest.mark.parametrize("text", [
    "", "<x/>", f'<xsl:stylesheet version="1.0" xmlns:xsl="{XSL}"><xsl:template match="["/></xsl:stylesheet>',
    f'<!DOCTYPE x><xsl:stylesheet version="1.0" xmlns:xsl="{XSL}"/>',
])
def test_what_is_no_stylesheet_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "brug.xslt"
    path.write_text(text, "utf-8")
    with pytest.raises(Misconfigured, match=r"brug\.xslt"):
        Stylesheet(path, tmp_path)


def test_even_a_stylesheet_that_got_past_the_check_reads_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """libxslt is told the same once more."""
    monkeypatch.setattr("gateway.messagesets._stylesheet.Stylesheet._check", lambda self, tree: None)
    (tmp_path / "geheim.xml").write_text("<geheim>ja</geheim>", "utf-8")
    path = tmp_path / "brug.xslt"
    path.write_text(f"""<xsl:stylesheet version="1.0" xmlns:xsl="{XSL}"><xsl:template match="/"><x>
        <xsl:copy-of select="document('{tmp_path}/geheim.xml')"/></x></xsl:template></xsl:stylesheet>""", "utf-8")
    made = Stylesheet(path, tmp_path)(etree.fromstring("<a/>"))
    assert made is None or b"ja" not in made


# --- the sets that come along -------------------------------------------------------------------------------------


def test_a_way_may_pass_a_version_in_between() -> None:
    catalog = load_catalog(Path(__file__).parents[3] / "xsd")
    oldest, newest = (SetKey(module="schuldregeling", version=version) for version in ("1.0", "2.0"))
    way = catalog.ways[oldest, "SaldoVerzoek"]["2.0"]
    assert [one.key.version for one in way] == ["1.0", "1.1", "2.0"]
    assert all(one.key.module == other.key.module for one, other in pairwise(way))
    octets = canonical((way[0].folder / "examples" / "valid" / "KlantOnbekend-volledig.xml").read_bytes())
    crossed = cross(octets, "KlantOnbekend", catalog.ways[oldest, "KlantOnbekend"]["2.0"])
    assert crossed is not None
    assert crossed.message.element_name == "GeenMedewerking"
    assert catalog.bridged_to(newest, "Heroverweging") == {}
    assert set(catalog.bridged_to(newest, "SaldoVerzoek")) == {"1.0", "1.1"}
