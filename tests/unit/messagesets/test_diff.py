"""What changed between two sets: every kind of change, and nothing where nothing changed."""

from pathlib import Path

import pytest

from gateway.messagesets import Change, MessageSet, compare_sets, load_catalog
from gateway.messagesets.diff import KINDS
from gateway.values import SetKey

from .conftest import MANIFEST, REAL, RULES, SCHEMA, write_set

PROEF = SetKey(module="proef", version="1.0")
REGELING = [SetKey(module="schuldregeling", version=version) for version in ("1.0", "1.1", "2.0")]


def replaced(text: str, *changes: tuple[str, str]) -> str:
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    return text


@pytest.fixture
def changes(proef: MessageSet, tmp_path: Path):
    """From the small set to the same with these texts replaced in manifest, schema or rules; kind, where, old, new."""

    def compare(*, manifest=(), berichten=(), regels=(), back=False):
        write_set(tmp_path / "xsd", manifest=replaced(MANIFEST, *manifest), berichten=replaced(SCHEMA, *berichten),
                  regels=replaced(RULES, *regels))
        other = load_catalog(tmp_path / "xsd").get(PROEF)
        assert other is not None
        found = compare_sets(other, proef) if back else compare_sets(proef, other)
        for one in found:
            assert one.kind in KINDS
            assert one.nl != one.en
            assert "None" not in one.nl + one.en
        return [(one.kind, one.where, one.old, one.new) for one in found]

    return compare


def test_a_set_does_not_differ_from_itself(proef: MessageSet, changes) -> None:
    assert compare_sets(proef, proef) == ()
    assert changes() == []


def test_names_of_types_and_ways_of_writing_are_no_change(changes) -> None:
    assert changes(berichten=[("KleurType", "TintType"), (
        '<xs:element name="Akkoord" type="xs:boolean"/>',
        '<xs:sequence><xs:element name="Akkoord" type="xs:boolean"/></xs:sequence>')]) == []


@pytest.mark.parametrize(("old", "new", "expected"), [
    ('<xs:element name="Akkoord" type="xs:boolean"/>',
     '<xs:element name="Akkoord" type="xs:boolean"/><xs:element name="Nieuw" type="xs:date" minOccurs="0"/>',
     ("element-added", "Antwoord/Nieuw", None, "0..1")),
    ('<xs:element name="Totaal" type="kn:BedragType" minOccurs="0"/>', "",
     ("element-removed", "Vraag/Totaal", "0..1", None)),
    ('name="Rekeningnummer" type="kn:IbanType" minOccurs="0" maxOccurs="9"',
     'name="Rekeningnummer" type="kn:IbanType" maxOccurs="unbounded"',
     ("occurrence", "Vraag/Rekeningnummer", "0..9", "1..*")),
    ('<xs:element name="Kleur" type="pf:KleurType"/>\n    <xs:element name="Naam" type="pf:KortType" minOccurs="0"/>',
     '<xs:element name="Naam" type="pf:KortType" minOccurs="0"/>\n    <xs:element name="Kleur" type="pf:KleurType"/>',
     ("order", "RegelType", "Kleur, Naam, Bedrag, Regel", "Naam, Kleur, Bedrag, Regel")),
    ('name="Akkoord" type="xs:boolean"', 'name="Akkoord" type="xs:date"',
     ("type", "Antwoord/Akkoord", "boolean", "date")),
    ('<xs:enumeration value="GROEN"/>', '<xs:enumeration value="GROEN"/><xs:enumeration value="BLAUW"/>',
     ("value-added", "KleurType", None, "BLAUW")),
    ('<xs:enumeration value="GROEN"/>', "", ("value-removed", "KleurType", "GROEN", None)),
    ('<xs:enumeration value="ROOD"/><xs:enumeration value="GROEN"/>', "",
     ("values", "KleurType", "ROOD, GROEN", None)),
    ('<xs:maxLength value="5"/>', '<xs:maxLength value="7"/>', ("facet", "KortType maxLength", "5", "7")),
    ('<xs:minLength value="2"/>', '<xs:minLength value="2"/><xs:pattern value="[a-z]+"/>',
     ("facet", "KortType pattern", None, "[a-z]+")),
])
def test_a_change_in_the_schema_is_told_once(changes, old, new, expected) -> None:
    assert changes(berichten=[(old, new)]) == [expected]


def test_an_alternative_is_a_change_of_choice_or_of_occurrence(changes) -> None:
    both = '<xs:element name="Naam" type="pf:KortType" minOccurs="0"/>\n    ' \
           '<xs:element name="Bedrag" type="kn:BedragType" minOccurs="0"/>'
    assert changes(berichten=[(both, f"<xs:choice>{both}</xs:choice>")]) == [("choice", "RegelType", None, None)]
    needed = '<xs:element name="Kleur" type="pf:KleurType"/>'
    assert changes(berichten=[(needed, f"<xs:choice>{needed}{needed.replace('Kleur', 'Tint', 1)}</xs:choice>")]) == [
        ("element-added", "RegelType/Tint", None, "0..1"), ("occurrence", "RegelType/Kleur", "1..1", "0..1")]


def test_a_change_in_a_shared_type_names_the_messages_it_shows_in(proef: MessageSet, tmp_path: Path) -> None:
    write_set(tmp_path / "xsd", berichten=replaced(
        SCHEMA, ('<xs:restriction base="kn:BsnType"/>',
                 '<xs:restriction base="kn:BsnType"><xs:pattern value="9.*"/></xs:restriction>')))
    other = load_catalog(tmp_path / "xsd").get(PROEF)
    assert other is not None
    (only,) = compare_sets(proef, other)
    assert only.where == "NummerType pattern"
    assert only.messages == ("Vraag", "Antwoord", "VraagPubliek")


@pytest.mark.parametrize(("old", "new", "expected"), [
    ('status = "active"', 'status = "deprecated"', ("set", "status", "active", "deprecated")),
    ('choreography = "enforce"', 'choreography = "warn"', ("set", "choreografie", "enforce", "warn")),
    ('["SE", "DEURWAARDER"]', '["SE"]', ("role-changed", "SE", "DEURWAARDER, SE", "SE")),
    ("answer_working_days = 10", "answer_working_days = 15", ("term", "Vraag (antwoord)", "10", "15")),
    ("answer_working_days = 10\n", "", ("term", "Vraag (antwoord)", "10", None)),
    ("max_receivers = 3\n", "", ("message-changed", "Vraag, hoogstens ontvangers", "3", "1")),
    ('bsn = "agreed"', 'bsn = "never"', ("message-changed", "Vraag, burgerservicenummer", "agreed", "never")),
    ('"mod-97", "attachments"]', '"attachments"]',
     ("message-changed", "Vraag, controles", "attachments, eleven-test, mod-97", "attachments, eleven-test")),
    ("max_attachment_octets = 1000", "max_attachment_octets = 2000",
     ("message-changed", "Vraag, octetten per bijlage", "1000", "2000")),
    ('answers = ["Vraag"]', 'answers = ["Vraag"]\nrepeatable = true',
     ("message-changed", "Antwoord, mag vaker antwoorden", "false", "true")),
    ('version = "1.1"', 'version = "1.2"', ("message-changed", "Antwoord, berichtversie", "1.1", "1.2")),
    ('state = ["NIEUW", "GEVRAAGD"]', 'state = ["NIEUW"]', ("transition-removed", "GEVRAAGD: Vraag", "=", None)),
    ('next = "KLAAR"', 'next = "AF"\n[[transition]]\nstate = ["AF"]\nmessage = "Vraag"',
     ("transition-changed", "GEVRAAGD: Antwoord (akkoord)", "KLAAR", "AF")),
])
def test_a_change_in_the_manifest_is_told(changes, old, new, expected) -> None:
    assert expected in changes(manifest=[(old, new)])


def test_rules_are_compared_by_what_they_test(changes) -> None:
    assert changes(regels=[("De regels zijn samen niet het totaal.", "Tel de regels op.")]) == []
    assert changes(regels=[('test="pf:Naam"', 'test="pf:Naam or pf:Bedrag"')]) == [
        ("rule-changed", "PF-3", "pf:Naam", "pf:Naam or pf:Bedrag")]
    found = changes(regels=[('id="PF-2"', 'id="PF-9"')])
    assert [(kind, where[:4]) for kind, where, _, _ in found] == [("rule-removed", "PF-2"), ("rule-added", "PF-9")]


RENAMED = [('element = "VraagPubliek"', 'element = "OpenVraag"'), ('message = "VraagPubliek"', 'message = "OpenVraag"')]


def test_a_message_with_another_name_and_the_same_structure_was_renamed(changes) -> None:
    """Its steps are no news then, its Berichttype follows."""
    schema = [('<xs:element name="VraagPubliek">', '<xs:element name="OpenVraag">')]
    assert changes(manifest=RENAMED, berichten=schema) == [
        ("message-renamed", "VraagPubliek", "VraagPubliek", "OpenVraag")]
    assert changes(manifest=RENAMED, berichten=schema, back=True) == [
        ("message-renamed", "OpenVraag", "OpenVraag", "VraagPubliek")]


def test_a_message_that_nothing_resembles_is_gone_and_the_other_is_new(changes) -> None:
    head = '"><xs:complexType><xs:sequence>\n    <xs:element ref="kn:Berichtheader"/>\n'
    schema = [(f'<xs:element name="VraagPubliek{head}'
               '    <xs:element name="Persoonsnummer" type="pf:NummerType" minOccurs="0"/>',
               f'<xs:element name="OpenVraag{head}'
               '    <xs:element name="A" type="xs:date"/><xs:element name="B" type="xs:date"/>'
               '<xs:element name="C" type="xs:date"/><xs:element name="Bsn" type="pf:NummerType" minOccurs="0"/>')]
    manifest = [*RENAMED, ('state = ["NIEUW"]\nmessage = "OpenVraag"', 'state = ["KLAAR"]\nmessage = "OpenVraag"')]
    found = changes(manifest=manifest, berichten=schema)
    assert found[:2] == [("message-removed", "VraagPubliek", "SHV → SE", None),
                         ("message-added", "OpenVraag", None, "SHV → SE")]
    assert ("transition-added", "KLAAR: OpenVraag", None, "GEVRAAGD") in found
    assert ("transition-removed", "NIEUW: VraagPubliek", "GEVRAAGD", None) in found


@pytest.fixture(scope="module")
def regeling() -> list[MessageSet]:
    catalog = load_catalog(REAL)
    return [catalog.sets[key] for key in REGELING]


def told(changes: tuple[Change, ...], kind: str) -> list[tuple[str, str | None, str | None]]:
    return [(one.where, one.old, one.new) for one in changes if one.kind == kind]


def test_schuldregeling_1_1_is_1_0_and_claims_that_were_taken_over(regeling: list[MessageSet]) -> None:
    found = compare_sets(regeling[0], regeling[1])
    assert {one.kind for one in found} == {"element-added", "value-added", "rule-added", "rule-changed"}
    assert told(found, "element-added") == [("SaldoVorderingType/Overgenomen", None, "0..1")]
    assert told(found, "value-added") == [("SaldoVorderingType/Schuldtype", None, "OVERGENOMEN")]
    (taken,) = [one for one in found if one.kind == "element-added"]
    assert taken.messages == ("SaldoVerzoekAntwoord",)


def test_schuldregeling_2_0_gave_four_messages_their_present_names(regeling: list[MessageSet]) -> None:
    found = compare_sets(regeling[1], regeling[2])
    assert {(old, new) for _, old, new in told(found, "message-replaced")} == {
        ("KlantGemeldVoorSHV", "Kennisgeving"), ("KlantBSNGemeldVoorSHV", "KennisgevingPubliek"),
        ("KlantGemeldVoorSHVAntwoord", "KennisgevingAntwoord"), ("KlantOnbekend", "GeenMedewerking")}
    assert {where for where, _, _ in told(found, "message-added")} == {
        "SaldoVerzoekAntwoordVoorafAkkoord", "Heroverweging", "StatusberichtSHV", "StatusberichtSE", "StatusVerzoek"}


def test_what_is_added_one_way_is_removed_the_other(regeling: list[MessageSet]) -> None:
    there, back = compare_sets(regeling[0], regeling[1]), compare_sets(regeling[1], regeling[0])
    for what in ("element", "value", "message", "transition"):
        added = {(where, new) for where, _, new in told(there, f"{what}-added")}
        assert added == {(where, old) for where, old, _ in told(back, f"{what}-removed")}
    assert len(there) == len(back)
