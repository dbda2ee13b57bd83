"""Which sets and services there are, and what `check_set` says about a set that is not as it should be."""

import hashlib
import shutil
from pathlib import Path

import pytest

from gateway.errors import Misconfigured
from gateway.messagesets import Catalog, MessageSet, load_catalog, write_wsdl
from gateway.values import SetKey, Step

from .conftest import FILES, MANIFEST, PF, REAL, RULES, SCHEMA, header, message, write_set

KEY = SetKey(module="proef", version="1.0")


def test_services_are_found_by_path_and_operations_by_action(small: Catalog) -> None:
    assert [path for path in small.services if "proef" in path] == ["/soap/proef/1.0/shv", "/soap/proef/1.0/se"]
    service = small.services["/soap/proef/1.0/shv"]
    assert service.role is not None
    assert service.role.parties == {"SHV"}
    operation = service.operations[f"{PF}:Vraag"]
    assert (operation.name, operation.namespace, operation.step) == ("Vraag", PF, Step.RECORD)
    assert operation.message_type is not None
    assert operation.message_type.element == "Vraag"
    assert set(service.operations) == {f"{PF}:Vraag", f"{PF}:VraagPubliek"}
    mailbox = small.services["/soap/knooppunt/1.0/postbus"]
    assert mailbox.role is None
    collect = mailbox.operations["urn:schuldenknooppunt:knooppunt:1.0:HaalBerichtOp"]
    assert (collect.step, collect.message_type) == (Step.COLLECT, None)


def test_sets_are_found_by_key_and_namespace(small: Catalog, proef: MessageSet) -> None:
    assert small.by_namespace(PF) is proef
    assert small.by_namespace("urn:x") is None
    assert small.get(SetKey(module="proef", version="9.9")) is None
    assert (proef.core, proef.enforced, str(proef.key)) == (False, True, "proef/1.0")
    assert proef.schema_files[0] == proef.folder / "berichten.xsd"
    assert proef.elements == {"Vraag", "VraagPubliek", "Antwoord"}


@pytest.mark.parametrize("status", ["closed", "archived"])
def test_a_closed_set_has_no_address_but_can_still_be_read(tmp_path: Path, status: str) -> None:
    write_set(tmp_path, manifest=MANIFEST.replace("active", status))
    catalog = load_catalog(tmp_path)
    assert not [path for path in catalog.services if "proef" in path]
    assert catalog.sets[KEY].messages


def test_a_root_without_the_shared_set_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="the shared set"):
        load_catalog(tmp_path)


IMPORT = "../../knooppunt/1.0/knooppunt.xsd"


@pytest.mark.parametrize(("changed", "named"), [
    ({"berichten": SCHEMA.replace(IMPORT, "http://localhost/knooppunt.xsd")}, "line 4: schemaLocation must be"),
    ({"berichten": SCHEMA.replace(IMPORT, "/etc/passwd")}, "schemaLocation must be a relative path"),
    ({"berichten": SCHEMA.replace(IMPORT, "file:knooppunt.xsd")}, "schemaLocation must be a relative path"),
    ({"berichten": SCHEMA.replace(IMPORT, "..\\x.xsd")}, "schemaLocation must be a relative path"),
    ({"berichten": SCHEMA.replace(f'schemaLocation="{IMPORT}"', "")}, "schemaLocation must be a relative path"),
    ({"berichten": SCHEMA.replace(IMPORT, "../../../x.xsd")}, "is no file inside the folder"),
    ({"berichten": SCHEMA.replace(IMPORT, "nergens.xsd")}, "is no file inside the folder"),
    ({"berichten": SCHEMA.replace('import namespace="urn:schuldenknooppunt:knooppunt', 'import namespace="urn:anders')},
     "has targetNamespace urn:schuldenknooppunt:knooppunt:1.0"),
    ({"berichten": SCHEMA.replace('targetNamespace="urn:schuldenknooppunt:proef:1.0"', 'targetNamespace="urn:x"')},
     "targetNamespace must be urn:schuldenknooppunt:proef:1.0"),
    ({"berichten": SCHEMA.replace('<xs:import namespace="urn:schuldenknooppunt:knooppunt:1.0"', "<xs:redefine")},
     "xs:redefine is not used"),
    ({"berichten": "<!DOCTYPE a>" + SCHEMA}, "without a DTD"),
    ({"berichten": SCHEMA[:-30]}, "no readable schema"),
    ({"berichten": SCHEMA.replace('type="pf:KleurType"', 'type="pf:Onbekend"')}, "does not compile"),
    ({"berichten": SCHEMA.replace('element name="Antwoord"', 'element name="Anders"')}, "there is no element Antwoord"),
    ({"manifest": MANIFEST.replace("pf:Akkoord = 'true'", "xx:Akkoord = 'true'")}, "outcome akkoord: no XPath"),
    ({"manifest": MANIFEST.replace("pf:Akkoord = 'true'", "current()")}, "Antwoord: outcome akkoord: calls current"),
    ({"regels": RULES.replace("pf:Kleur = ../pf:Kleur", "pf:Kleur ==")}, "PF-2: no XPath"),
])
def test_a_set_that_cannot_be_used_says_why(tmp_path: Path, changed: dict[str, str], named: str) -> None:
    (tmp_path / "x.xsd").write_text(SCHEMA, encoding="utf-8")
    write_set(tmp_path / "xsd", **changed)
    with pytest.raises(Misconfigured, match=named):
        load_catalog(tmp_path / "xsd")


def test_nothing_outside_the_root_is_opened_through_a_link(tmp_path: Path) -> None:
    folder = write_set(tmp_path / "xsd", berichten=SCHEMA.replace(IMPORT, "link.xsd"))
    shutil.copy(REAL / "knooppunt" / "1.0" / "knooppunt.xsd", tmp_path / "buiten.xsd")
    (folder / "link.xsd").symlink_to(tmp_path / "buiten.xsd")
    with pytest.raises(Misconfigured, match="is no file inside the folder"):
        load_catalog(tmp_path / "xsd")


QUESTION = message("<pf:Totaal>0</pf:Totaal>")
ANSWER = message("<pf:Akkoord>true</pf:Akkoord>", name="Antwoord",
                 head=header(berichttype="VraagAntwoord", versie="1.1"))
PUBLIC = message("<pf:Persoonsnummer>999990019</pf:Persoonsnummer>", name="VraagPubliek",
                 head=header(berichttype="VraagPubliek"))
BAD = {"Vraag": message("<pf:Totaal>1</pf:Totaal>"), "Antwoord": ANSWER.replace(b"true", b"ja"),
       "VraagPubliek": message(name="VraagPubliek", head=header(berichttype="VraagPubliek"))}
PROMISES = {
    "Vraag": 'code = "SKP001"\nxpath = "/pf:Vraag"\nrule = "PF-1"\n',
    "Antwoord": 'code = "SKP001"\nxpath = "/pf:Antwoord/pf:Akkoord"\nrule = "cvc-datatype-valid-1-2-1"\n',
    "VraagPubliek": 'code = "SKP016"\nxpath = "/pf:VraagPubliek"\nrule = "bsn-always"\n',
}


def complete(tmp_path: Path, **changed: str) -> Path:
    """A root where the small set has examples, hashes and WSDL; returns its folder."""
    texts = {name: changed.get(name.partition(".")[0], text) for name, text in FILES.items()}
    hashes = "".join(f'"{name}" = "{hashlib.sha256(texts[name].encode()).hexdigest()}"\n'
                     for name in ("berichten.xsd", "regels.sch"))
    texts["manifest.toml"] += hashes
    folder = write_set(tmp_path / "xsd", manifest=texts["manifest.toml"], berichten=texts["berichten.xsd"],
                       regels=texts["regels.sch"])
    for kind in ("valid", "invalid"):
        (folder / "examples" / kind).mkdir(parents=True)
    for name, octets in (("Vraag", QUESTION), ("Antwoord", ANSWER), ("VraagPubliek", PUBLIC)):
        for size in ("minimaal", "volledig"):
            (folder / "examples" / "valid" / f"{name}-{size}.xml").write_bytes(octets)
        (folder / "examples" / "invalid" / f"{name}-fout.xml").write_bytes(BAD[name])
        (folder / "examples" / "invalid" / f"{name}-fout.toml").write_text(PROMISES[name], encoding="utf-8")
    wsdl = tmp_path / "wsdl" / "proef" / "1.0"
    wsdl.mkdir(parents=True)
    for name, text in write_wsdl(load_catalog(tmp_path / "xsd").sets[KEY]).items():
        (wsdl / name).write_text(text, encoding="utf-8")
    return folder


def problems(tmp_path: Path) -> list[str]:
    found = load_catalog(tmp_path / "xsd").problems()
    return [problem for problem in found if "/proef/" in problem]


def test_a_complete_set_has_no_problems(tmp_path: Path) -> None:
    complete(tmp_path)
    assert problems(tmp_path) == []


@pytest.mark.parametrize(("changed", "named"), [
    ({"manifest": MANIFEST.replace('state = ["KLAAR"]', 'state = ["KLAAR", "ELDERS"]')}, "state ELDERS is never"),
    ({"manifest": MANIFEST.replace('message = "VraagPubliek"', 'message = "Vraag"')},
     "VraagPubliek stands in no transition"),
    ({"manifest": MANIFEST.replace("[[message]]", '[[role]]\nname = "BANK"\ntitle_nl = "B"\ntitle_en = "B"\n'
                                                  'parties = ["X"]\n\n[[message]]', 1)}, "role BANK sends and"),
    ({"regels": RULES.replace("pf:Vraag[pf:Totaal]", "pf:Vrag[pf:Totaal]")}, "PF-1 names pf:Vrag, which the schema"),
    ({"regels": RULES.replace('test="pf:Naam"', 'test="kn:Naam/kn:Nam"')}, "PF-3 names kn:Nam, which the schema"),
    ({"manifest": MANIFEST.replace("pf:Akkoord = '1'", "pf:Accoord = '1'")}, "outcome akkoord names pf:Accoord"),
])
def test_a_set_that_does_not_hold_together(tmp_path: Path, changed: dict[str, str], named: str) -> None:
    complete(tmp_path, **changed)
    assert any(named in problem for problem in problems(tmp_path)), problems(tmp_path)


def test_a_rule_that_can_fire_in_no_message_is_reported(tmp_path: Path) -> None:
    flat = SCHEMA.replace('    <xs:element name="Regel" type="pf:RegelType" minOccurs="0" maxOccurs="9"/>\n', "")
    complete(tmp_path, berichten=flat, regels=RULES.replace("pf:Regel/pf:Regel", "kn:Deelnemer"))
    assert [problem.partition(": ")[2] for problem in problems(tmp_path)] == [
        "PF-2 can fire in no message of the set; correct its context"]


def test_each_file_is_checked(tmp_path: Path) -> None:
    folder = complete(tmp_path)
    (folder / "berichten.xsd").write_text(SCHEMA + "\n", encoding="utf-8")
    (folder / "extra.xsd").write_text("x", encoding="utf-8")
    (folder / "examples" / "valid" / "Vraag-minimaal.xml").unlink()
    (folder / "examples" / "valid" / "Antwoord-volledig.xml").write_bytes(BAD["Antwoord"])
    (folder / "examples" / "invalid" / "Antwoord-fout.xml").write_bytes(ANSWER)
    (folder / "examples" / "invalid" / "Vraag-fout.toml").write_text(PROMISES["Antwoord"], encoding="utf-8")
    (folder / "examples" / "invalid" / "VraagPubliek-fout.toml").write_text('code = "SKP016"', encoding="utf-8")
    wsdl = tmp_path / "wsdl" / "proef" / "1.0"
    (wsdl / "se.wsdl").unlink()
    (wsdl / "shv.wsdl").write_text((wsdl / "shv.wsdl").read_text(encoding="utf-8") + "\n", encoding="utf-8")
    (wsdl / "oud.wsdl").write_text("", encoding="utf-8")
    found = [problem.replace(str(tmp_path), "") for problem in problems(tmp_path)]
    for start in (
        "/xsd/proef/1.0/berichten.xsd: differs from its SHA-256",
        "/xsd/proef/1.0/manifest.toml: [files] lacks extra.xsd",
        "/xsd/proef/1.0/examples/valid: Vraag-minimaal.xml is missing",
        "/xsd/proef/1.0/examples/valid/Antwoord-volledig.xml: should be valid, but is refused with SKP001 | /pf:Antw",
        "/xsd/proef/1.0/examples/invalid/Antwoord-fout.xml: should be refused",
        "/xsd/proef/1.0/examples/invalid/Vraag-fout.toml: promises SKP001",
        "/xsd/proef/1.0/examples/invalid/VraagPubliek-fout.toml: write exactly the keys",
        "/wsdl/proef/1.0/se.wsdl: is missing",
        "/wsdl/proef/1.0/shv.wsdl: differs from the message set",
        "/wsdl/proef/1.0/oud.wsdl: no service has this contract",
    ):
        assert any(problem.startswith(start) for problem in found), (start, found)
    assert len(found) == 10
