"""Every folder of xsd/: complete, consistent, and read the same way by libraries that share no code with ours."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import zeep
from lxml import etree, isoschematron

from gateway.messagesets import (
    Message,
    MessageSet,
    check_bridges,
    check_set,
    cross,
    load_catalog,
    read_message,
    read_schema,
    write_wsdl,
)
from gateway.messagesets._places import places
from gateway.messagesets.rules import broken_rules
from gateway.names import KN
from gateway.values import SetKey

ROOT = Path(__file__).parents[2]
CATALOG = load_catalog(ROOT / "xsd")
FOLDERS = sorted(path.parent for path in (ROOT / "xsd").glob("*/*/manifest.toml"))
SETS = {f"{folder.parent.name}/{folder.name}": folder for folder in FOLDERS}
EACH = pytest.mark.parametrize("key", CATALOG.sets, ids=str)


def test_every_folder_is_a_set() -> None:
    assert {str(key) for key in CATALOG.sets} == SETS.keys()
    assert {path.name for path in (ROOT / "xsd").glob("*")} == {key.module for key in CATALOG.sets}


@EACH
def test_a_set_has_no_problems(key: SetKey) -> None:
    assert check_set(CATALOG.sets[key], wsdl=ROOT / "wsdl") == []


@EACH
def test_bridges_of_a_set_lose_nothing(key: SetKey) -> None:
    assert check_bridges(CATALOG.sets[key], CATALOG.sets) == []


@EACH
def test_a_bridged_message_leads_to_the_same_state_in_both_versions(key: SetKey) -> None:
    """Versions share a conversation, so wherever both tables allow the message they must agree on what follows."""
    here = CATALOG.sets[key]
    for element in here.bridges:
        for path in sorted((here.folder / "examples" / "valid").glob(f"{element}-*.xml")):
            message = read_message(path.read_bytes(), CATALOG.by_namespace)
            octets = etree.tostring(message.element, method="c14n", exclusive=True)
            for way in CATALOG.ways[key, element].values():
                crossed = cross(octets, element, way)
                if crossed is not None:
                    mine, theirs = (following(*one) for one in ((message, here), (crossed.message, way[-1])))
                    assert all(mine[state] == theirs[state] for state in mine.keys() & theirs.keys()), path


def following(message: Message, message_set: MessageSet) -> dict[str, str]:
    """State → the state after this message, where it may come."""
    found: dict[str, str] = {}
    for row in message_set.choreography.transitions:
        if row.message == message.element_name and row.outcome in (None, *message.outcomes):
            for state in row.states:
                found.setdefault(state, row.next or state)
    return found


@EACH
def test_libxml2_and_xmlschema_agree_on_every_example(key: SetKey) -> None:
    message_set = CATALOG.sets[key]
    rich = read_schema(message_set)
    examples = sorted((message_set.folder / "examples").glob("*/*.xml"))
    assert examples
    for path in examples:
        tree = etree.parse(path)
        assert message_set.schema.accepts(tree.getroot()) == rich.is_valid(tree), path


def valid_by_schema(message_set: MessageSet) -> Iterator["etree._Element"]:
    for path in sorted((message_set.folder / "examples").glob("*/*.xml")):
        element = etree.parse(path).getroot()
        if message_set.schema.accepts(element):
            yield element


@EACH
def test_no_element_stands_where_the_schema_graph_does_not_expect_it(key: SetKey) -> None:
    """Rules walk to the places in this graph, so it may never miss one."""
    message_set = CATALOG.sets[key]
    for element in valid_by_schema(message_set):
        known = places(message_set.schema.vocabulary.children, str(element.tag))
        for node in element.iterdescendants("*") if known is not None else ():
            path = [str(node.tag), *(str(above.tag) for above in node.iterancestors())][-2::-1]
            assert tuple(path) in known[str(node.tag)], (element.tag, path)


@EACH
def test_rules_fire_as_in_the_reference_implementation(key: SetKey) -> None:
    message_set = CATALOG.sets[key]
    references = [
        isoschematron.Schematron(etree.parse(one.rules.path), store_report=True)
        for one in {CATALOG.by_namespace(KN), message_set} if one is not None and one.rules is not None
    ]
    for element in valid_by_schema(message_set):
        needed = message_set.requirements.get(etree.QName(element).localname)
        if needed is None:
            continue
        expected = []
        for reference in references:
            reference.validate(element.getroottree())
            for failed in reference.validation_report.getroot().iter("{http://purl.oclc.org/dsdl/svrl}failed-assert"):
                (node,) = element.xpath(failed.get("location"))
                expected.append((failed.get("id"), node))
        broken = [(rule.id, node) for book in needed.books for node, rule in broken_rules(book, element)]
        assert sorted(broken, key=str) == sorted(expected, key=str)


@EACH
def test_examples_hold_no_number_outside_the_test_range(key: SetKey) -> None:
    for path in (CATALOG.sets[key].folder / "examples").glob("*/*.xml"):
        tree = etree.parse(path)
        for node in tree.iter(*CATALOG.sets[key].schema.vocabulary.bsn):
            assert (node.text or "").startswith("99999"), path


@EACH
def test_wsdl_on_disk_is_what_the_writer_yields_twice(key: SetKey) -> None:
    message_set = CATALOG.sets[key]
    folder = ROOT / "wsdl" / message_set.key.module / message_set.key.version
    on_disk = {path.name: path.read_bytes() for path in folder.iterdir()}
    for _ in range(2):
        assert {name: text.encode() for name, text in write_wsdl(message_set).items()} == on_disk


@pytest.mark.clause("WW001", "WS008")
@EACH
def test_zeep_reads_every_contract(key: SetKey) -> None:
    message_set = CATALOG.sets[key]
    folder = ROOT / "wsdl" / message_set.key.module / message_set.key.version
    for path in sorted(folder.glob("*.wsdl")):
        wsdl = zeep.Client(str(path), settings=zeep.Settings(strict=True, forbid_dtd=True)).wsdl
        (service,) = wsdl.services.values()
        (port,) = service.ports.values()
        for name, operation in port.binding._operations.items():
            assert operation.style == "document"
            assert operation.input.body.qname == etree.QName(message_set.namespace, name)
            assert operation.abstract.wsa_action == f"{message_set.namespace}:{name}"
            assert set(operation.faults) == {"Foutbericht"}
