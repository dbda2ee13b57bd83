"""Samples: valid by construction and by proof, decided by the seed, and honest where there can be none."""

import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pytest
from lxml import etree

from gateway.errors import Misconfigured
from gateway.messagesets import Catalog, MessageSet, load_catalog, read_message, sample_message
from gateway.messagesets._sample_pattern import text_matching
from gateway.messagesets._sample_xpath import Call, Operation, parse, paths, written
from gateway.messagesets._sample_xpath import Path as Location
from gateway.messagesets.checks import eleven_test, mod_97
from gateway.names import KN
from gateway.values import SetKey

from .conftest import PF, RULES, SCHEMA, write_set

SENDER = "11111111-1111-4111-8111-111111111111"
RECEIVERS = tuple(f"22222222-2222-4222-8222-22222222222{n}" for n in "012")
HEAD = f"{{{KN}}}Berichtheader/{{{KN}}}Stuurgegevens/{{{KN}}}"
MESSAGES = ("Vraag", "VraagPubliek", "Antwoord")


def made(message_set: MessageSet, element: str = "Vraag", **options) -> "etree._Element":
    return etree.fromstring(sample_message(message_set, element, **options))


def changed(root: Path, **files: str) -> MessageSet:
    write_set(root, **files)
    found = load_catalog(root).get(SetKey(module="proef", version="1.0"))
    assert found is not None
    return found


# --- patterns and XPath --------------------------------------------------------------------------------------


@pytest.mark.parametrize("pattern", [
    r"[0-9]{4}-[0-9]{2}", r"-?[0-9]{1,10}\.[0-9]{1,2}", r"[A-Z]{2}[0-9]{2}[A-Z0-9]{10,30}", r"a|bc*|(d[ef]+){2}",
    r"true|1", r"[A-Za-z0-9\-]{1,4}", r"[0-9+(][0-9+() \-]{2,19}", r"[^@\s]+@[^@\s]+\.[^@\s.]+", r"\d\d\D\S",
    r"SKP[0-9]{3,}", r".?x",
])
def test_a_text_matches_its_pattern(pattern: str) -> None:
    for seed in range(30):
        assert re.fullmatch(pattern, text_matching(pattern, Random(seed)))


def test_categories_of_unicode_are_known() -> None:
    for seed in range(30):
        assert not set(text_matching(r"[^\p{Cc}\p{Z}]{20}", Random(seed))) & {" ", "\n"}
        assert text_matching(r"\p{Lu}\P{L}", Random(seed))[0].isupper()


@pytest.mark.parametrize(
    "pattern", [r"[a-z-[aeiou]]", r"\p{IsBasicLatin}", r"\i\c*", "a{", "(a", "a)", "*", r"[^\P{Zz}\p{Zz}]"])
def test_what_is_no_supported_pattern_is_refused_by_name(pattern: str) -> None:
    with pytest.raises(Misconfigured, match=re.escape(pattern)):
        text_matching(pattern, Random(1))


def test_a_test_written_back_means_the_same() -> None:
    tree = etree.fromstring("<a><b>1</b><b c='2'>3</b><d><b>4</b></d></a>")
    for test in ("b = 1 and not(d/b > 3)", "count(b[. > 1]) = 1", "- b + 2 * 3 div 4 - 1 mod 2", "b[@c]/.. | d//b",
                 "boolean(x) = (b = 'q' or d)", "translate(d, '4', '5') != b[last()]", "(b | d)[2]", "$m/d/b",
                 "starts-with(normalize-space(b), '1')", "b[2]/preceding-sibling::b", "child::d/child::*", "d/text()"):
        again = written(parse(test))
        assert str(tree.xpath(again, m=tree)) == str(tree.xpath(test, m=tree)), again


def test_a_test_is_read_as_a_tree() -> None:
    found = parse("not(a) or b/c = 'x'")
    assert isinstance(found, Operation)
    assert isinstance(found.left, Call)
    assert [len(one.steps) for one in paths(found)] == [1, 2]
    assert all(isinstance(one, Location) for one in paths(found))
    with pytest.raises(Misconfigured, match="more plainly"):
        parse("a b")


# --- samples -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["minimal", "random", "full"])
@pytest.mark.parametrize("element", MESSAGES)
def test_every_sample_is_accepted_and_decided_by_its_seed(
    proef: MessageSet, small: Catalog, element: str, mode: str
) -> None:
    seen = set()
    for seed in range(12):
        octets = sample_message(proef, element, seed=seed, mode=mode)
        assert octets == sample_message(proef, element, seed=seed, mode=mode)
        message = read_message(octets, small.by_namespace)
        assert message.header is not None
        assert message.header.berichttype == proef.messages[element].berichttype
        assert bool(message.header.cross) == bool(proef.messages[element].answers)
        assert len(message.header.ontvangers) <= proef.messages[element].max_receivers
        seen.add(octets)
    assert len(seen) == 12


def test_rules_hold_also_where_they_have_something_to_say(proef: MessageSet) -> None:
    samples = [made(proef, seed=seed, mode="full") for seed in range(10)]
    sums = [(node.find(f"{{{PF}}}Totaal"), node.findall(f"{{{PF}}}Regel/{{{PF}}}Bedrag")) for node in samples]
    added = [(float(total.text), sum(float(one.text) for one in lines)) for total, lines in sums if total is not None]
    assert added
    assert all(total == pytest.approx(lines) for total, lines in added)


def test_full_holds_more_than_minimal(proef: MessageSet) -> None:
    sizes = [len(list(made(proef, mode=mode).iter())) for mode in ("minimal", "full")]
    assert sizes[0] * 2 < sizes[1]


def test_sender_receivers_and_moment_are_as_asked(proef: MessageSet) -> None:
    at = datetime(2027, 3, 4, 5, 6, 7, tzinfo=UTC)
    for seed in range(6):
        message = made(proef, seed=seed, sender=SENDER, receivers=RECEIVERS, at=at)
        assert message.findtext(HEAD + "Afzender") == SENDER
        assert tuple(node.text for node in message.findall(HEAD + "Ontvanger")) == RECEIVERS
        assert message.findtext(HEAD + "TijdstipBericht") == "2027-03-04T05:06:07Z"


def test_documents_are_in_the_header_when_asked(proef: MessageSet, small: Catalog) -> None:
    for seed in range(6):
        octets = sample_message(proef, "Antwoord", seed=seed, documents=["beschikking", "toestemmingsverklaring"])
        header = read_message(octets, small.by_namespace).header
        assert header is not None
        assert {"beschikking", "toestemmingsverklaring"} <= header.documents


def test_a_number_stands_where_it_must_and_where_it_may_only_when_asked(proef: MessageSet) -> None:
    for seed in range(8):
        (number,) = made(proef, "VraagPubliek", seed=seed, mode="minimal").iter(f"{{{PF}}}Persoonsnummer")
        assert number.text.startswith("99999")
        assert eleven_test(number.text)
        assert not list(made(proef, seed=seed, mode="full").iter(f"{{{PF}}}Persoonsnummer"))
        assert len(list(made(proef, seed=seed, bsn=True).iter(f"{{{PF}}}Persoonsnummer"))) == 1
        assert not list(made(proef, "Antwoord", seed=seed, mode="full", bsn=True).iter(f"{{{PF}}}Persoonsnummer"))


def test_accounts_hold_and_belong_to_no_bank(proef: MessageSet) -> None:
    accounts = [node.text for seed in range(8)
                for node in made(proef, seed=seed, mode="full").iter(f"{{{PF}}}Rekeningnummer")]
    assert accounts
    assert all(mod_97(account) and account[4:8] == "VBLD" for account in accounts)


def test_every_element_of_the_shared_set_has_samples(small: Catalog) -> None:
    core = small.by_namespace(KN)
    assert core is not None
    for element in sorted(core.elements):
        for mode in ("minimal", "full"):
            read_message(sample_message(core, element, mode=mode), small.by_namespace)


# --- refusals ------------------------------------------------------------------------------------------------


def test_an_unknown_element_or_mode_is_refused_with_what_there_is(proef: MessageSet) -> None:
    with pytest.raises(Misconfigured, match="Antwoord, Vraag, VraagPubliek"):
        sample_message(proef, "Bestaat")
    with pytest.raises(Misconfigured, match="minimal, random, full"):
        sample_message(proef, "Vraag", mode="veel")


def test_parties_are_party_ids_and_no_more_than_the_manifest_allows(proef: MessageSet) -> None:
    with pytest.raises(Misconfigured, match="gemeente is no party id"):
        sample_message(proef, "Vraag", sender="gemeente")
    with pytest.raises(Misconfigured, match="Antwoord goes to at most 1"):
        sample_message(proef, "Antwoord", receivers=RECEIVERS)
    assert len(made(proef, "Antwoord", receivers=RECEIVERS[:1] * 2).findall(HEAD + "Ontvanger")) == 1


def test_a_rule_that_the_schema_contradicts_is_named(tmp_path: Path) -> None:
    rules = RULES.replace('context="pf:Vraag[pf:Totaal]"', 'context="pf:Vraag"').replace(
        'test="sum(/pf:Vraag/pf:Regel/pf:Bedrag) = pf:Totaal"', 'test="kn:Berichtheader and not(kn:Berichtheader)"')
    with pytest.raises(Misconfigured, match=r"no valid Vraag .* PF-1"):
        sample_message(changed(tmp_path / "xsd", regels=rules), "Vraag")


def test_a_number_the_schema_asks_for_and_the_manifest_forbids_is_named(tmp_path: Path) -> None:
    schema = SCHEMA.replace('<xs:element name="Akkoord" type="xs:boolean"/>\n    <xs:element name="Persoonsnummer" '
                            'type="pf:NummerType" minOccurs="0"/>',
                            '<xs:element name="Akkoord" type="xs:boolean"/>\n    <xs:element name="Persoonsnummer" '
                            'type="pf:NummerType"/>')
    assert schema != SCHEMA
    with pytest.raises(Misconfigured, match=r"Antwoord: the schema asks for what this message may not hold"):
        sample_message(changed(tmp_path / "xsd", berichten=schema), "Antwoord")


@pytest.mark.parametrize("test", [
    "count(pf:Regel) = 3", "pf:Regel[2]/pf:Kleur = 'GROEN'", "pf:Totaal > 12345.5 and pf:Totaal &lt; 12345.7",
    "pf:Regel/pf:Bedrag = 7.25",
    "not(pf:Regel/pf:Bedrag != 3) and pf:Regel/pf:Bedrag", "starts-with(pf:Regel/pf:Naam, 'qz')",
    "2 * pf:Regel[1]/pf:Bedrag + 1 = sum(pf:Regel/pf:Bedrag) and count(pf:Regel) = 2",
    "boolean(pf:Bewijs) = not(pf:Totaal)",

    "count(pf:Regel) = pf:Totaal and pf:Totaal >= 2", "contains(concat(pf:Regel/pf:Kleur, pf:Regel/pf:Naam), 'ROODx')",
    "string-length(pf:Regel/pf:Naam) = 5", "(pf:Totaal = 1 or pf:Totaal = 2) = (pf:Regel/pf:Kleur = 'ROOD')",
    "number(translate(substring(kn:Berichtheader/kn:Stuurgegevens/kn:VervaltOp, 1, 10), '-', '')) > 20300101",
])
def test_a_rule_of_any_kind_is_met(tmp_path: Path, test: str) -> None:
    """Each move of the repair, on a rule that a fresh message rarely meets."""
    rules = RULES.replace('context="pf:Vraag[pf:Totaal]"', 'context="pf:Vraag"').replace(
        'test="sum(/pf:Vraag/pf:Regel/pf:Bedrag) = pf:Totaal"', f'test="{test}"')
    message_set = changed(tmp_path / "xsd", regels=rules)
    spaces = {"pf": PF, "kn": KN}
    for seed in range(4):
        message = made(message_set, seed=seed)
        assert message.xpath(f"boolean({test.replace('&lt;', '<')})", namespaces=spaces) is True


def test_start_up_does_not_import_what_only_commands_need() -> None:
    late = "name == 'xmlschema' or '_sample' in name or '_diff' in name or name.endswith(('.sample', '.diff'))"
    done = subprocess.run(
        [sys.executable, "-c", f"import sys, gateway.cli; print([name for name in sys.modules if {late}])"],
        cwd=Path(__file__).parents[3], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
