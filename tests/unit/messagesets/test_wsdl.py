"""The contract that is published: complete, within WS-I BP and Digikoppeling WUS, and the same every time."""

from pathlib import Path

import pytest
from lxml import etree

from gateway.messagesets import Catalog, MessageSet, load_catalog, write_wsdl

from .conftest import KN, PF, write_set

NS = {
    "w": "http://schemas.xmlsoap.org/wsdl/", "s": "http://schemas.xmlsoap.org/wsdl/soap/",
    "x": "http://www.w3.org/2001/XMLSchema", "a": "http://www.w3.org/2007/05/addressing/metadata",
}
ACTION = f"{{{NS['a']}}}Action"


@pytest.fixture(scope="module")
def files(proef: MessageSet) -> dict[str, "etree._Element"]:
    return {name: etree.fromstring(text.encode()) for name, text in write_wsdl(proef).items()}


def test_one_file_per_role_and_direction(files: dict[str, "etree._Element"], small: Catalog) -> None:
    assert list(files) == ["shv.wsdl", "shv-ontvangst.wsdl", "se.wsdl", "se-ontvangst.wsdl"]
    core = small.by_namespace(KN)
    assert core is not None
    assert list(write_wsdl(core)) == ["postbus.wsdl", "adresboek.wsdl", "logboek.wsdl", "beheer.wsdl",
                                      "deelnemer-ontvangst.wsdl"]


@pytest.mark.clause("WS001", "WS002", "WS008", "BP R2718")
@pytest.mark.parametrize(("name", "operations"), [
    ("shv.wsdl", ["Vraag", "VraagPubliek"]), ("shv-ontvangst.wsdl", ["Antwoord"]),
    ("se.wsdl", ["Antwoord"]), ("se-ontvangst.wsdl", ["Vraag", "VraagPubliek"])])
def test_operations_are_the_messages_of_that_role(
        files: dict[str, "etree._Element"], name: str, operations: list[str]) -> None:
    wsdl = files[name]
    assert wsdl.xpath("w:portType/w:operation/@name", namespaces=NS) == operations
    assert wsdl.xpath("w:binding/w:operation/@name", namespaces=NS) == operations  # BP R2718
    for operation in wsdl.findall("w:portType/w:operation", NS):
        action = f"{PF}:{operation.get('name')}"
        assert operation.find("w:input", NS).get(ACTION) == action  # WS008
        assert operation.find("w:output", NS).get(ACTION) == f"{action}:antwoord"
        assert operation.find("w:fault", NS).get(ACTION) == "http://www.w3.org/2005/08/addressing/soap/fault"
        assert wsdl.xpath("w:binding/w:operation[@name=$n]/s:operation/@soapAction", namespaces=NS,
                          n=operation.get("name")) == [action]  # WS002


@pytest.mark.clause("WW001", "WW004", "WS005", "BP R2201", "BP R2204", "BP R2706", "BP R2716")
def test_every_file_follows_the_profile(files: dict[str, "etree._Element"]) -> None:
    addresses = []
    for name, wsdl in files.items():
        assert [etree.QName(child).localname for child in wsdl if etree.QName(child).localname != "message"] == [
            "documentation", "types", "portType", "binding", "service"]  # R2022, R2023, WS005
        namespace = f"{PF}:wsdl:{name.removesuffix('.wsdl')}"
        assert wsdl.get("targetNamespace") == namespace
        assert wsdl.nsmap["tns"] == namespace
        messages = {one.get("name"): one.findall("w:part", NS) for one in wsdl.findall("w:message", NS)}
        assert all(len(found) == 1 and found[0].get("element") and not found[0].get("type")
                   for found in messages.values())  # R2201, R2204, WW004
        used = wsdl.xpath("w:portType/w:operation/*/@message", namespaces=NS)
        assert {one.removeprefix("tns:") for one in used} == messages.keys()  # R2101
        for operation in wsdl.findall("w:portType/w:operation", NS):
            assert messages[operation.get("name")][0].get("element") == f"pf:{operation.get('name')}"  # wrapped
        assert messages["Ontvangstbevestiging"][0].get("element") == "kn:Ontvangstbevestiging"
        assert messages["Foutbericht"][0].get("element") == "kn:Foutbericht"
        binding = wsdl.find("w:binding/s:binding", NS)
        assert (binding.get("style"), binding.get("transport")) == ("document", "http://schemas.xmlsoap.org/soap/http")
        for part in (*wsdl.iterfind(".//s:body", NS), *wsdl.iterfind(".//s:fault", NS)):
            assert part.get("use") == "literal"  # R2706
            assert part.get("namespace") is None  # R2716
        assert {fault.get("name") for fault in wsdl.iterfind(".//s:fault", NS)} == {"Foutbericht"}  # R2721, R2754
        word = wsdl.find("w:portType", NS).get("name")
        assert word.endswith("_v1_0")
        assert wsdl.find("w:binding", NS).get("type") == f"tns:{word}"
        assert wsdl.find("w:service/w:port", NS).get("binding") == f"tns:{wsdl.find('w:binding', NS).get('name')}"
        addresses.append(wsdl.find("w:service/w:port/s:address", NS).get("location"))
        documentation = wsdl.findtext("w:documentation", "", NS)
        assert "2W-be-S" in documentation
        assert "TLS 1.2 of 1.3" in documentation
    assert addresses == [f"https://localhost:8443/soap/proef/1.0/{name}"
                         for name in ("shv", "shv-ontvangst", "se", "se-ontvangst")]  # R2711


@pytest.mark.clause("BP R2002", "BP R2004", "BP R2005")
def test_schemas_are_imported_from_where_they_lie(proef: MessageSet, files: dict[str, "etree._Element"]) -> None:
    place = proef.folder.parents[2] / "wsdl" / "proef" / "1.0"
    for wsdl in files.values():
        (schema,) = wsdl.findall("w:types/x:schema", NS)
        assert schema.get("targetNamespace") is None  # R2105: it only imports
        for imported in schema.findall("x:import", NS):
            target = (place / imported.get("schemaLocation")).resolve()
            assert etree.parse(target).getroot().get("targetNamespace") == imported.get("namespace")  # R2004, R2005
        assert {one.get("namespace") for one in schema.findall("x:import", NS)} == {PF, KN}


def test_same_set_same_octets_and_another_address_on_request(proef: MessageSet, tmp_path: Path) -> None:
    write_set(tmp_path / "xsd")
    again = load_catalog(tmp_path / "xsd").by_namespace(PF)
    assert again is not None
    assert write_wsdl(again) == write_wsdl(proef)
    elsewhere = write_wsdl(proef, base_url='https://hub.example:443/"&')
    assert 'location=\'https://hub.example:443/"&amp;/soap/proef/1.0/se\'' in elsewhere["se.wsdl"]
    assert all(etree.fromstring(text.encode()) is not None for text in elsewhere.values())


def test_titles_are_escaped(proef: MessageSet, tmp_path: Path) -> None:
    folder = write_set(tmp_path / "xsd")
    manifest = folder / "manifest.toml"
    text = manifest.read_text(encoding="utf-8").replace('"Schuldeiser"', '"Schuld & <eiser>"')
    manifest.write_text(text, encoding="utf-8")
    changed = load_catalog(tmp_path / "xsd").by_namespace(PF)
    assert changed is not None
    wsdl = etree.fromstring(write_wsdl(changed)["se.wsdl"].encode())
    assert "Schuld & <eiser>" in wsdl.findtext("w:documentation", "", NS)
