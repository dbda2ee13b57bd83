"""Every committed WSDL and XSD against WS-I Basic Profile 1.1 §4 and Digikoppeling WUS, read as plain XML."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from lxml import etree

ROOT = Path(__file__).parents[2]
W, SOAP, X = ("{http://schemas.xmlsoap.org/wsdl/}", "{http://schemas.xmlsoap.org/wsdl/soap/}",
              "{http://www.w3.org/2001/XMLSchema}")
ACTION = "{http://www.w3.org/2007/05/addressing/metadata}Action"
CONTRACTS = sorted((ROOT / "wsdl").rglob("*.wsdl"))
SCHEMAS = sorted((ROOT / "xsd").rglob("*.xsd"))
_parse = cache(lambda path: etree.parse(path))


def contracts() -> Iterator[tuple[Path, etree._Element]]:
    assert len(CONTRACTS) > 40
    for path in CONTRACTS:
        yield path, _parse(path).getroot()


def named(element: etree._Element, text: str) -> tuple[str | None, str]:
    """A QName in content, by the prefixes in force there."""
    prefix, _, local = text.rpartition(":")
    return element.nsmap[prefix or None], local


@cache
def globals_of(path: Path) -> frozenset[str]:
    """Global elements of a schema and of what it includes."""
    root = _parse(path).getroot()
    below = [globals_of((path.parent / one.get("schemaLocation")).resolve()) for one in root.iterfind(f"{X}include")]
    return frozenset(one.get("name") for one in root.iterfind(f"{X}element")).union(*below)


def parts(wsdl: etree._Element) -> Iterator[etree._Element]:
    yield from wsdl.iterfind(f"{W}message/{W}part")


@pytest.mark.clause("BP R4003", "BP R4004")
def test_documents_are_xml_1_0_in_utf_8() -> None:
    for path in (*CONTRACTS, *SCHEMAS):
        octets = path.read_bytes()
        assert octets.startswith(b'<?xml version="1.0" encoding="UTF-8"?>'), path
        assert octets.decode("utf-8")


@pytest.mark.clause("BP R2001", "BP R2007", "BP R2022", "WS005")
def test_a_contract_has_its_parts_once_and_in_order() -> None:
    for path, wsdl in contracts():
        kinds = [etree.QName(child).localname for child in wsdl]
        order = ["documentation", "types", "message", "portType", "binding", "service"]
        assert kinds == sorted(kinds, key=order.index), path
        assert [kinds.count(kind) for kind in ("types", "portType", "binding", "service")] == [1] * 4, path
        assert all(one.get("schemaLocation") for one in wsdl.iter(f"{X}import")), path


@pytest.mark.clause("BP R2002", "BP R2004", "BP R2005", "BP R2105", "BP R2801")
def test_schemas_come_by_import_and_are_what_the_import_says() -> None:
    for path, wsdl in contracts():
        (schema,) = wsdl.find(f"{W}types")
        assert {child.tag for child in schema} == {f"{X}import"}, path  # so it needs no targetNamespace (R2105)
        for one in schema:
            imported = _parse((path.parent / one.get("schemaLocation")).resolve()).getroot()
            assert imported.tag == f"{X}schema", path
            assert imported.get("targetNamespace") == one.get("namespace"), path
    for path in SCHEMAS:
        assert _parse(path).getroot().get("targetNamespace"), path
        etree.XMLSchema(_parse(path))  # libxml2 knows XSD 1.0 and nothing else


@pytest.mark.clause("BP R2110", "BP R2113", "WW002")
def test_no_soap_encoding_in_types() -> None:
    for path in (*SCHEMAS, *CONTRACTS):
        octets = path.read_bytes()
        assert b"schemas.xmlsoap.org/soap/encoding" not in octets, path
        assert b"arrayType" not in octets, path


@pytest.mark.clause("BP R2101", "BP R2206", "BP R2712")
def test_every_name_leads_to_something() -> None:
    for path, wsdl in contracts():
        target = wsdl.get("targetNamespace")
        kinds = {kind: {one.get("name") for one in wsdl.iterfind(f"{W}{kind}")}
                 for kind in ("message", "portType", "binding")}
        references = [*((one, one.get("message"), "message") for one in wsdl.iterfind(f"{W}portType/{W}operation/*")
                        if one.get("message")),
                      *((one, one.get("type"), "portType") for one in wsdl.iterfind(f"{W}binding")),
                      *((one, one.get("binding"), "binding") for one in wsdl.iterfind(f"{W}service/{W}port"))]
        for element, text, kind in references:
            namespace, local = named(element, text)
            assert namespace == target, (path, text)
            assert local in kinds[kind], (path, text)
        elements = {one.get("namespace"): globals_of((path.parent / one.get("schemaLocation")).resolve())
                    for one in wsdl.iter(f"{X}import")}
        for part in parts(wsdl):
            namespace, local = named(part, part.get("element"))
            assert local in elements[namespace], (path, local)


@pytest.mark.clause("BP R2201", "BP R2204", "BP R2205", "BP R2306", "WW004")
def test_parts_are_one_element_each() -> None:
    for path, wsdl in contracts():
        for message in wsdl.iterfind(f"{W}message"):
            (part,) = message
            assert set(part.attrib) == {"name", "element"}, path


@pytest.mark.clause("BP R2303", "BP R2304", "BP R2740", "WS001", "WS003")
def test_operations_are_requests_with_an_answer_and_a_fault_and_have_names_of_their_own() -> None:
    several = 0
    for path, wsdl in contracts():
        operations = wsdl.findall(f"{W}portType/{W}operation")
        names = [one.get("name") for one in operations]
        assert len(set(names)) == len(names), path
        several += len(names) > 1
        for one in operations:
            kinds = [etree.QName(child).localname for child in one if child.tag != f"{W}documentation"]
            assert kinds == ["input", "output", "fault"], path
    assert several


@pytest.mark.clause("BP R2401", "BP R2701", "BP R2705", "BP R2706", "BP R2716", "WW001")
def test_bindings_are_soap_1_1_over_http_document_literal() -> None:
    for path, wsdl in contracts():
        (binding,) = wsdl.iter(f"{SOAP}binding")
        assert binding.get("transport") == "http://schemas.xmlsoap.org/soap/http", path
        styles = {one.get("style", "document") for one in wsdl.iter(f"{SOAP}binding", f"{SOAP}operation")}
        assert styles == {"document"}, path
        extensions = [one for one in wsdl.find(f"{W}binding").iter() if not str(one.tag).startswith(W)]
        assert all(str(one.tag).startswith(SOAP) for one in extensions), path
        for one in wsdl.iter(f"{SOAP}body", f"{SOAP}fault"):
            assert (one.get("use"), one.get("namespace")) == ("literal", None), path


@pytest.mark.clause("BP R2718", "BP R2721")
def test_the_binding_has_the_operations_and_faults_of_the_port_type() -> None:
    for path, wsdl in contracts():
        abstract, concrete = ([one.get("name") for one in wsdl.iterfind(f"{W}{kind}/{W}operation")]
                              for kind in ("portType", "binding"))
        assert abstract == concrete, path
        for fault in wsdl.iterfind(f"{W}binding/{W}operation/{W}fault"):
            assert [one.get("name") for one in fault] == [fault.get("name")] == ["Foutbericht"], path


@pytest.mark.clause("BP R2710", "BP R2711", "BP R2744", "WS002", "WS008")
def test_operations_differ_on_the_wire_and_services_by_their_address() -> None:
    addresses: list[str] = []
    for path, wsdl in contracts():
        elements = [part.get("element") for part in parts(wsdl)]
        assert len(set(elements)) == len(elements), path
        actions = {one.get("name"): one.find(f"{W}input").get(ACTION)
                   for one in wsdl.iterfind(f"{W}portType/{W}operation")}
        soap_actions = {one.get("name"): one.find(f"{SOAP}operation").get("soapAction")
                        for one in wsdl.iterfind(f"{W}binding/{W}operation")}
        assert actions == soap_actions, path
        assert None not in actions.values(), path
        assert len(set(actions.values())) == len(actions), path
        addresses += [one.get("location") for one in wsdl.iter(f"{SOAP}address")]
    assert len(set(addresses)) == len(addresses) == len(CONTRACTS)


@pytest.mark.clause("WB011")
def test_every_contract_asks_the_one_profile() -> None:
    for path, wsdl in contracts():
        assert "Digikoppeling WUS 2W-be-S:" in wsdl.findtext(f"{W}documentation"), path
