"""From a verified body to a Message, or to findings that say where and why and never what."""

import copy
import hashlib
import sys
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
import xmlschema
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from gateway.errors import (
    AttachmentWrong,
    BsnNotAllowed,
    GatewayError,
    NotXml,
    SchemaInvalid,
    VersionNotAgreed,
)
from gateway.messagesets import Catalog, Message, MessageSet, read_message, read_schema, validate, validate_text

from .conftest import KN, PF, header, message

TOP = "/pf:Vraag/kn:Berichtheader/kn:Stuurgegevens/kn:"
SECRET = "geheim"


def enveloped(octets: bytes) -> "etree._Element":
    """The message element where it stands on the wire: the one child of a Body."""
    return etree.fromstring(b'<s:Envelope xmlns:s="urn:s" xmlns:w="urn:w"><s:Header/>\n<s:Body w:Id="b"> ' + octets
                            + b"\n</s:Body></s:Envelope>")[1][0]


def judge(proef: MessageSet, octets: bytes, name: str = "Vraag") -> Message:
    return validate(enveloped(octets), proef.messages[name], proef)


def refusal(proef: MessageSet, octets: bytes, name: str = "Vraag") -> GatewayError:
    with pytest.raises(GatewayError) as caught:
        judge(proef, octets, name)
    for finding in caught.value.findings:
        assert SECRET not in f"{finding}"
        assert finding.nl
        assert finding.en
    return caught.value


def found(error: GatewayError) -> list[tuple[str, str]]:
    return [(finding.xpath, finding.rule) for finding in error.findings]


def test_a_valid_message_keeps_its_place_and_gives_its_facts(proef: MessageSet) -> None:
    tree = enveloped(message("<pf:Totaal>2</pf:Totaal><pf:Regel><pf:Kleur>ROOD</pf:Kleur><pf:Naam>abc</pf:Naam>"
                             "<pf:Bedrag>2.00</pf:Bedrag></pf:Regel>"))
    before = etree.tostring(tree.getroottree(), method="c14n")
    operation = next(iter(proef.services["/soap/proef/1.0/shv"].operations.values()))
    valid = validate(tree, operation, proef)
    assert valid.element is tree
    assert valid.element_name == "Vraag"
    assert etree.tostring(tree.getroottree(), method="c14n") == before
    facts = valid.header
    assert facts is not None
    assert facts.referentienummer == "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"
    assert facts.conversatie == "cccccccc-cccc-4ccc-8ccc-cccccccccccc"
    assert (facts.versie, facts.berichttype) == ("1.0", "Vraag")
    assert facts.afzender == "11111111-1111-4111-8111-111111111111"
    assert facts.ontvangers == ("22222222-2222-4222-8222-222222222222",)
    assert facts.tijdstip == datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
    assert (facts.cross, facts.bovenliggend, facts.vervalt_op, facts.routering, facts.grondslag) == (None,) * 5
    assert (facts.documents, valid.outcomes, valid.has_bsn, dict(valid.fields)) == (frozenset(), frozenset(), False, {})


def attachment(octets: bytes = b"%PDF-1", *, kind: str = "", digest: str = "") -> str:
    return (f'{kind and f"<kn:Soort>{kind}</kn:Soort>"}<kn:Bestandsnaam>a.pdf</kn:Bestandsnaam>'
            f"<kn:MimeType>application/pdf</kn:MimeType><kn:Inhoud>{b64encode(octets).decode()}</kn:Inhoud>"
            f"<kn:HashSHA256>{digest or hashlib.sha256(octets).hexdigest()}</kn:HashSHA256>")


def test_every_part_of_the_header_is_read(proef: MessageSet) -> None:
    head = header(
        routes="<kn:Routering><kn:Soort>GEMEENTECODE</kn:Soort><kn:Waarde>0363</kn:Waarde></kn:Routering>",
        cross="<kn:CrossReferentienummer>DDDDDDDD-dddd-4ddd-8ddd-dddddddddddd</kn:CrossReferentienummer>",
        before="<kn:BovenliggendeConversatie>eeeeeeee-eeee-4eee-8eee-eeeeeeeeeeee</kn:BovenliggendeConversatie>",
        tijdstip="2026-03-02T09:30:00.123456789Z",
        vervalt="<kn:VervaltOp>2026-03-03T00:00:00Z</kn:VervaltOp>",
        after="<kn:Grondslag><kn:Soort>TOESTEMMING</kn:Soort><kn:Document>" + attachment() + "</kn:Document>"
              "</kn:Grondslag><kn:Bijlagen><kn:Bijlage>" + attachment(kind="BESCHIKKING") + "</kn:Bijlage><kn:Bijlage>"
              + attachment(kind="VTLB") + "</kn:Bijlage></kn:Bijlagen>")
    facts = judge(proef, message(head=head)).header
    assert facts is not None
    assert facts.routering == ("GEMEENTECODE", "0363")
    assert facts.ontvangers == ()
    assert facts.cross == "dddddddd-dddd-4ddd-8ddd-dddddddddddd"
    assert facts.bovenliggend == "eeeeeeee-eeee-4eee-8eee-eeeeeeeeeeee"
    assert facts.tijdstip == datetime(2026, 3, 2, 9, 30, 0, 123456, tzinfo=UTC)
    assert facts.vervalt_op == datetime(2026, 3, 3, tzinfo=UTC)
    assert facts.grondslag == "TOESTEMMING"
    assert facts.documents == {"toestemmingsverklaring", "beschikking", "vtlb"}


def test_a_ground_without_document_and_a_document_with_a_kind(proef: MessageSet) -> None:
    plain = judge(proef, message(head=header(after="<kn:Grondslag><kn:Soort>WGS</kn:Soort></kn:Grondslag>"))).header
    assert plain is not None
    assert (plain.grondslag, plain.documents) == ("WGS", frozenset())
    kind = attachment(kind="VOLMACHT")
    with_kind = judge(proef, message(head=header(
        after=f"<kn:Grondslag><kn:Soort>VOLMACHT</kn:Soort><kn:Document>{kind}</kn:Document></kn:Grondslag>"))).header
    assert with_kind is not None
    assert with_kind.documents == {"volmacht"}


def test_comments_in_the_header_do_not_cut_a_value_short(proef: MessageSet) -> None:
    octets = message().replace(b"11111111-1111", b"11111111<!-- x -->-1111")
    facts = judge(proef, octets).header
    assert facts is not None
    assert facts.afzender == "11111111-1111-4111-8111-111111111111"


def test_outcomes_are_found_in_the_message(proef: MessageSet) -> None:
    head = header(berichttype="VraagAntwoord", versie="1.1")
    yes = judge(proef, message("<pf:Akkoord>true</pf:Akkoord>", name="Antwoord", head=head), "Antwoord")
    no = judge(proef, message("<pf:Akkoord>0</pf:Akkoord>", name="Antwoord", head=head), "Antwoord")
    assert (yes.outcomes, no.outcomes) == ({"akkoord", "top"}, {"top"})


def test_a_service_request_gives_its_fields(small: Catalog) -> None:
    core = small.by_namespace(KN)
    assert core is not None
    operation = core.services["/soap/knooppunt/1.0/postbus"].operations[f"{KN}:BevestigBericht"]
    one, two = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
    request = enveloped(f'<k:BevestigBericht xmlns:k="{KN}"><k:Referentienummer>{one}</k:Referentienummer><!-- -->'
                        f"<k:Referentienummer>{two}</k:Referentienummer></k:BevestigBericht>".encode())
    valid = validate(request, operation, core)
    assert valid.header is None
    assert dict(valid.fields) == {"Referentienummer": (one, two)}


REGEL = "<pf:Regel><pf:Kleur>ROOD</pf:Kleur><pf:Naam>abc</pf:Naam></pf:Regel>"


@pytest.mark.parametrize(("content", "where", "rule", "text"), [
    (f"<pf:Totaal>{SECRET}</pf:Totaal>", "/pf:Vraag/pf:Totaal", "cvc-datatype-valid-1-2-1", "required type"),
    ("<pf:Totaal>-1</pf:Totaal>", "/pf:Vraag/pf:Totaal", "cvc-mininclusive-valid", "At least 0."),
    (f"{REGEL}<pf:Regel><pf:Kleur>{SECRET}</pf:Kleur></pf:Regel>", "/pf:Vraag/pf:Regel[2]/pf:Kleur",
     "cvc-enumeration-valid", "Allowed: ROOD, GROEN."),
    (f"<pf:Regel><pf:Kleur>ROOD</pf:Kleur><pf:Naam>{SECRET}</pf:Naam></pf:Regel>", "/pf:Vraag/pf:Regel/pf:Naam",
     "cvc-maxlength-valid", "At most 5 characters."),
    ("<pf:Regel><pf:Kleur>ROOD</pf:Kleur><pf:Naam>a</pf:Naam></pf:Regel>", "/pf:Vraag/pf:Regel/pf:Naam",
     "cvc-minlength-valid", "At least 2 characters."),
    ("<pf:Totaal>1.234</pf:Totaal>", "/pf:Vraag/pf:Totaal", "cvc-fractiondigits-valid", "At most 2."),
    ("<pf:Regel/>", "/pf:Vraag/pf:Regel", "element-content", "A part is missing. Expected: pf:Kleur."),
    (f"{REGEL}<pf:Totaal>1</pf:Totaal>", "/pf:Vraag/pf:Totaal", "element-content", "Expected: pf:Bewijs."),
    (f"<pf:{SECRET}/>", "/pf:Vraag/*[2]", "element-content", "not expected here"),
    (f'<x:{SECRET} xmlns:x="urn:x"/>', "/pf:Vraag/*[2]", "element-content", "not expected here"),
    (f'<pf:Totaal {SECRET}="{SECRET}">1</pf:Totaal>', "/pf:Vraag/pf:Totaal", "cvc-type-3-1-1", "attribute"),
    (f'<pf:Regel {SECRET}="1"><pf:Kleur>ROOD</pf:Kleur></pf:Regel>', "/pf:Vraag/pf:Regel", "cvc-complex-type-3-2-1",
     "attribute"),
    (SECRET, "/pf:Vraag", "cvc-complex-type-2-3", "loose text"),
    (f"<pf:Totaal><pf:{SECRET}/></pf:Totaal>", "/pf:Vraag/pf:Totaal", "cvc-type-3-1-2", "text only"),
])
def test_what_the_schema_refuses(proef: MessageSet, content: str, where: str, rule: str, text: str) -> None:
    error = refusal(proef, message(content))
    assert isinstance(error, SchemaInvalid)
    assert found(error)[0] == (where, rule)
    assert text in error.findings[0].en
    assert SECRET not in error.detail


def test_default_namespaces_get_the_known_prefixes(proef: MessageSet) -> None:
    octets = (f'<Vraag xmlns="{PF}"><B:Berichtheader xmlns:B="{KN}"/><Regel><Kleur>ROOD</Kleur></Regel>'
              f'<Regel><a:Kleur xmlns:a="{PF}">x</a:Kleur></Regel></Vraag>')
    assert found(refusal(proef, octets.encode())) == [
        ("/pf:Vraag/kn:Berichtheader", "element-content"),
        ("/pf:Vraag/pf:Regel[2]/pf:Kleur", "cvc-enumeration-valid"),
    ]


@pytest.mark.clause("§7.3")
def test_a_value_that_imitates_libxml2_reveals_nothing(proef: MessageSet) -> None:
    tricks = [
        f"'. Expected is ( {SECRET} ).", "' is not an element of the set {'" + SECRET + "'}.", f"allowed ('{SECRET}').",
    ]
    for trick in tricks:
        judged = refusal(proef, message(f"<pf:Regel><pf:Kleur>{trick}</pf:Kleur><pf:Naam>{trick}</pf:Naam></pf:Regel>"))
        assert judged.findings


def test_findings_are_capped_and_paths_are_short(proef: MessageSet) -> None:
    many = message("<pf:Regel><pf:Kleur>x</pf:Kleur></pf:Regel>" * 60)
    assert len(refusal(proef, many).findings) == 20
    deep = message("<pf:Regel><pf:Kleur>ROOD</pf:Kleur>" * 90 + "<pf:Naam>te lang</pf:Naam>" + "</pf:Regel>" * 90)
    (one,) = refusal(proef, deep).findings
    assert len(one.xpath) == 300
    assert one.xpath.endswith("…")


@pytest.mark.clause("BP R1017")
@pytest.mark.parametrize("attribute", [
    'xsi:type="x"', 'xsi:nil="true"', 'xsi:schemaLocation="urn:a http://127.0.0.1/a.xsd"',
    'xsi:noNamespaceSchemaLocation="http://127.0.0.1/a.xsd"', 'xsi:eigen="1"'])
def test_no_schema_instance_attribute_anywhere(proef: MessageSet, attribute: str) -> None:
    declared = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
    assert found(refusal(proef, message(attributes=f" {declared} {attribute}"))) == [("/pf:Vraag", "xsi-attribute")]
    inner = message(f"{REGEL}<pf:Regel><pf:Kleur {declared} {attribute}>ROOD</pf:Kleur></pf:Regel>")
    assert found(refusal(proef, inner)) == [("/pf:Vraag/pf:Regel[2]/pf:Kleur", "xsi-attribute")]


def test_schema_instance_attributes_of_the_envelope_are_not_the_message_s(proef: MessageSet) -> None:
    element = enveloped(message())
    element.getparent().set("{http://www.w3.org/2001/XMLSchema-instance}type", "x")
    assert validate(element, proef.messages["Vraag"], proef).element_name == "Vraag"


@pytest.mark.parametrize("octets", [
    message(name="Antwoord"), message().replace(PF.encode(), b"urn:anders"),
    message().replace(b"pf:Vraag", b"pf:vraag")])
def test_another_element_than_the_operation_s(proef: MessageSet, octets: bytes) -> None:
    assert found(refusal(proef, octets)) == [("/*", "element-name")]


def test_header_of_another_type_or_version(proef: MessageSet) -> None:
    other = refusal(proef, message(head=header(berichttype="Antwoord")))
    assert isinstance(other, SchemaInvalid)
    assert found(other) == [(TOP + "Berichttype", "berichttype")]
    newer = refusal(proef, message(head=header(versie="2.0")))
    assert isinstance(newer, VersionNotAgreed)
    assert found(newer) == [(TOP + "Versie", "versie")]


def test_a_moment_that_no_calendar_knows(proef: MessageSet) -> None:
    assert found(refusal(proef, message(head=header(tijdstip="2026-03-02T24:00:00Z")))) == [
        (TOP + "TijdstipBericht", "tijdstip")]


def test_rules_are_judged_after_the_schema(proef: MessageSet) -> None:
    error = refusal(proef, message("<pf:Totaal>3</pf:Totaal>"
                                   "<pf:Regel><pf:Kleur>ROOD</pf:Kleur><pf:Bedrag>1</pf:Bedrag>"
                                   "<pf:Regel><pf:Kleur>GROEN</pf:Kleur></pf:Regel></pf:Regel>"))
    assert found(error) == [
        ("/pf:Vraag", "PF-1"), ("/pf:Vraag/pf:Regel/pf:Regel", "PF-2"), ("/pf:Vraag/pf:Regel", "PF-3")]
    assert error.findings[0].nl == "De regels zijn samen niet het totaal."
    assert error.findings[0].en == "The lines do not add up to the total."


def test_rules_of_the_shared_set_hold_for_every_set(proef: MessageSet) -> None:
    twice = "<kn:Ontvanger>22222222-2222-4222-8222-222222222222</kn:Ontvanger>" * 2
    assert found(refusal(proef, message(head=header(routes=twice)))) == [(TOP + "Ontvanger[2]", "KN-002")]


def test_named_checks(proef: MessageSet) -> None:
    assert judge(proef, message("<pf:Persoonsnummer>999990019</pf:Persoonsnummer>")).has_bsn
    wrong = refusal(proef, message("<pf:Persoonsnummer>999990018</pf:Persoonsnummer>"))
    assert found(wrong) == [("/pf:Vraag/pf:Persoonsnummer", "eleven-test")]
    account = refusal(proef, message("<pf:Rekeningnummer>NL91ABNA0417164300</pf:Rekeningnummer>"
                                     "<pf:Rekeningnummer>NL92ABNA0417164300</pf:Rekeningnummer>"))
    assert found(account) == [("/pf:Vraag/pf:Rekeningnummer[2]", "mod-97")]
    proof = refusal(proef, message(f'<pf:Bewijs xmlns:kn="{KN}">{attachment(digest="0" * 64)}</pf:Bewijs>'))
    assert isinstance(proof, AttachmentWrong)
    assert found(proof) == [("/pf:Vraag/pf:Bewijs/kn:HashSHA256", "attachment-digest")]
    large = refusal(proef, message(f'<pf:Bewijs xmlns:kn="{KN}">{attachment(b"%PDF-" + bytes(996))}</pf:Bewijs>'))
    assert found(large) == [("/pf:Vraag/pf:Bewijs/kn:Inhoud", "attachment-size")]


@pytest.mark.clause("§7.3")
def test_a_bsn_stands_where_it_must_and_nowhere_else(proef: MessageSet) -> None:
    head = header(berichttype="VraagAntwoord", versie="1.1")
    number = "<pf:Persoonsnummer>999990019</pf:Persoonsnummer>"
    never = refusal(proef, message(f"<pf:Akkoord>1</pf:Akkoord>{number}", name="Antwoord", head=head), "Antwoord")
    assert isinstance(never, BsnNotAllowed)
    assert found(never) == [("/pf:Antwoord/pf:Persoonsnummer", "bsn-never")]
    assert "999990019" not in never.detail
    head = header(berichttype="VraagPubliek")
    assert judge(proef, message(number, name="VraagPubliek", head=head), "VraagPubliek").has_bsn
    always = refusal(proef, message(name="VraagPubliek", head=head), "VraagPubliek")
    assert isinstance(always, BsnNotAllowed)
    assert found(always) == [("/pf:VraagPubliek", "bsn-always")]


def test_many_threads_get_their_own_verdict_and_findings(proef: MessageSet) -> None:
    cases = [
        (message(REGEL), []),
        (message("<pf:Totaal>x</pf:Totaal>"), [("/pf:Vraag/pf:Totaal", "cvc-datatype-valid-1-2-1")]),
        (message("<pf:Regel><pf:Kleur>x</pf:Kleur></pf:Regel>"),
         [("/pf:Vraag/pf:Regel/pf:Kleur", "cvc-enumeration-valid")]),
        (message("<pf:Totaal>3</pf:Totaal>"), [("/pf:Vraag", "PF-1")]),
    ]

    def work(number: int) -> bool:
        octets, expected = cases[number % len(cases)]
        element = enveloped(octets)
        try:
            validate(element, proef.messages["Vraag"], proef)
        except SchemaInvalid as error:
            return found(error) == expected
        return expected == []

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(work, range(2000)))
    finally:
        sys.setswitchinterval(interval)


parts = st.lists(st.sampled_from([
    "<pf:Totaal>0</pf:Totaal>", "<pf:Totaal> 0.00</pf:Totaal>", REGEL,
    "<pf:Regel><pf:Kleur>ROOD </pf:Kleur></pf:Regel>", "<pf:Regel/>", "<!-- c -->", " ", "t",
    "<pf:Persoonsnummer>999990019</pf:Persoonsnummer>", "<pf:Onbekend/>",
    "<pf:Rekeningnummer>NL91ABNA0417164300</pf:Rekeningnummer>", '<pf:Totaal a="1">0</pf:Totaal>', "<?p i?>",
]), max_size=5).map("".join)


@pytest.fixture(scope="module")
def rich(proef: MessageSet) -> xmlschema.XMLSchema10:
    return read_schema(proef)


@settings(max_examples=80, deadline=None)
@given(content=parts)
def test_libxml2_and_xmlschema_agree(proef: MessageSet, rich: xmlschema.XMLSchema10, content: str) -> None:
    octets = message(content)
    assert proef.schema.accepts(enveloped(octets)) == rich.is_valid(etree.fromstring(octets))


@pytest.mark.parametrize(("octets", "expected"), [
    (message(), []),
    (message().replace(b"Vraag", b"Vrag"), [("/*", "cvc-elt-1")]),
    (b"<a/>", [("/*", "namespace")]),
    (b"<a", [("/", "not-xml")]),
    (b"", [("/", "not-xml")]),
    (b'<!DOCTYPE a [<!ENTITY x "y">]>' + message(), [("/", "not-xml")]),
    (f'<PingAntwoord xmlns="{KN}"/>'.encode(), [("/kn:PingAntwoord", "element-content")]),
    (f'<Ping xmlns="{KN}"/>'.encode(), []),
])
def test_a_file_is_judged_by_its_namespace(small: Catalog, octets: bytes, expected: list[tuple[str, str]]) -> None:
    findings = validate_text(octets, small.by_namespace)
    assert [(one.xpath, one.rule) for one in findings] == expected


def test_a_file_that_is_no_xml_says_so_with_its_own_error(small: Catalog) -> None:
    with pytest.raises(NotXml):
        read_message(b"<a", small.by_namespace)


def test_a_copy_of_a_message_is_judged_like_the_message(proef: MessageSet) -> None:
    alone = copy.deepcopy(enveloped(message("<pf:Totaal>3</pf:Totaal>")))
    with pytest.raises(SchemaInvalid) as caught:
        validate(alone, proef.messages["Vraag"], proef)
    assert found(caught.value) == [("/pf:Vraag", "PF-1")]
