"""A small message set, written to disk for these tests beside a copy of the shared set."""

import shutil
from pathlib import Path

import pytest

from gateway.messagesets import Catalog, MessageSet, load_catalog
from gateway.values import SetKey

REAL = Path(__file__).parents[3] / "xsd"
KN = "urn:schuldenknooppunt:knooppunt:1.0"
PF = "urn:schuldenknooppunt:proef:1.0"

MANIFEST = """\
module = "proef"
version = "1.0"
namespace = "urn:schuldenknooppunt:proef:1.0"
prefix = "pf"
title_nl = "Proef"
title_en = "Trial"
status = "active"
profile = "2W-be-S"
choreography = "enforce"
schema = "berichten.xsd"
rules = "regels.sch"
initial = "NIEUW"

[[role]]
name = "SHV"
title_nl = "Schuldhulpverlener"
title_en = "Debt counsellor"
parties = ["SHV"]

[[role]]
name = "SE"
title_nl = "Schuldeiser"
title_en = "Creditor"
parties = ["SE", "DEURWAARDER"]

[[message]]
element = "Vraag"
title_nl = "Vraag"
title_en = "Question"
version = "1.0"
from = "SHV"
to = "SE"
answer_working_days = 10
max_receivers = 3
bsn = "agreed"
checks = ["eleven-test", "mod-97", "attachments"]
max_attachment_octets = 1000

[[message]]
element = "Antwoord"
berichttype = "VraagAntwoord"
title_nl = "Antwoord"
title_en = "Answer"
version = "1.1"
from = "SE"
to = "SHV"
answers = ["Vraag"]
bsn = "never"
outcomes = { akkoord = "pf:Akkoord = 'true' or pf:Akkoord = '1'", top = "/pf:Antwoord and count(//pf:Akkoord) = 1" }

[[message]]
element = "VraagPubliek"
title_nl = "Vraag publiek"
title_en = "Public question"
version = "1.0"
from = "SHV"
to = "SE"
bsn = "always"

[[transition]]
state = ["NIEUW", "GEVRAAGD"]
message = "Vraag"
next = "GEVRAAGD"

[[transition]]
state = ["NIEUW"]
message = "VraagPubliek"
next = "GEVRAAGD"

[[transition]]
state = ["GEVRAAGD"]
message = "Antwoord"
outcome = "akkoord"
next = "KLAAR"

[[transition]]
state = ["KLAAR"]
message = "Vraag"

[files]
"""

SCHEMA = """\
<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:kn="urn:schuldenknooppunt:knooppunt:1.0"
    xmlns:pf="urn:schuldenknooppunt:proef:1.0" targetNamespace="urn:schuldenknooppunt:proef:1.0"
    elementFormDefault="qualified">
  <xs:import namespace="urn:schuldenknooppunt:knooppunt:1.0" schemaLocation="../../knooppunt/1.0/knooppunt.xsd"/>
  <xs:simpleType name="NummerType"><xs:restriction base="kn:BsnType"/></xs:simpleType>
  <xs:simpleType name="KleurType"><xs:restriction base="xs:string">
    <xs:enumeration value="ROOD"/><xs:enumeration value="GROEN"/>
  </xs:restriction></xs:simpleType>
  <xs:simpleType name="KortType"><xs:restriction base="xs:string">
    <xs:minLength value="2"/><xs:maxLength value="5"/>
  </xs:restriction></xs:simpleType>
  <xs:complexType name="RegelType"><xs:sequence>
    <xs:element name="Kleur" type="pf:KleurType"/>
    <xs:element name="Naam" type="pf:KortType" minOccurs="0"/>
    <xs:element name="Bedrag" type="kn:BedragType" minOccurs="0"/>
    <xs:element name="Regel" type="pf:RegelType" minOccurs="0" maxOccurs="9"/>
  </xs:sequence></xs:complexType>
  <xs:element name="Vraag"><xs:complexType><xs:sequence>
    <xs:element ref="kn:Berichtheader"/>
    <xs:element name="Persoonsnummer" type="pf:NummerType" minOccurs="0"/>
    <xs:element name="Rekeningnummer" type="kn:IbanType" minOccurs="0" maxOccurs="9"/>
    <xs:element name="Totaal" type="kn:BedragType" minOccurs="0"/>
    <xs:element name="Regel" type="pf:RegelType" minOccurs="0" maxOccurs="99"/>
    <xs:element name="Bewijs" type="kn:BijlageType" minOccurs="0"/>
  </xs:sequence></xs:complexType></xs:element>
  <xs:element name="VraagPubliek"><xs:complexType><xs:sequence>
    <xs:element ref="kn:Berichtheader"/>
    <xs:element name="Persoonsnummer" type="pf:NummerType" minOccurs="0"/>
  </xs:sequence></xs:complexType></xs:element>
  <xs:element name="Antwoord"><xs:complexType><xs:sequence>
    <xs:element ref="kn:Berichtheader"/>
    <xs:element name="Akkoord" type="xs:boolean"/>
    <xs:element name="Persoonsnummer" type="pf:NummerType" minOccurs="0"/>
  </xs:sequence></xs:complexType></xs:element>
</xs:schema>
"""

RULES = """\
<sch:schema xmlns:sch="http://purl.oclc.org/dsdl/schematron">
  <sch:ns prefix="pf" uri="urn:schuldenknooppunt:proef:1.0"/>
  <sch:ns prefix="kn" uri="urn:schuldenknooppunt:knooppunt:1.0"/>
  <sch:pattern>
    <sch:rule context="pf:Vraag[pf:Totaal]">
      <sch:assert id="PF-1" test="sum(/pf:Vraag/pf:Regel/pf:Bedrag) = pf:Totaal" diagnostics="PF-1-en">
        De regels zijn samen niet het totaal.
      </sch:assert>
    </sch:rule>
  </sch:pattern>
  <sch:pattern>
    <sch:rule context="pf:Regel/pf:Regel">
      <sch:assert id="PF-2" test="pf:Kleur = ../pf:Kleur" diagnostics="PF-2-en">Andere kleur dan erboven.</sch:assert>
    </sch:rule>
    <sch:rule context="pf:Regel">
      <sch:assert id="PF-3" test="pf:Naam" diagnostics="PF-3-en">Een regel bovenaan heeft een naam.</sch:assert>
    </sch:rule>
  </sch:pattern>
  <sch:diagnostics>
    <sch:diagnostic id="PF-1-en" xml:lang="en">The lines do not add up to the total.</sch:diagnostic>
    <sch:diagnostic id="PF-2-en" xml:lang="en">Another colour than above.</sch:diagnostic>
    <sch:diagnostic id="PF-3-en" xml:lang="en">A line at the top has a name.</sch:diagnostic>
  </sch:diagnostics>
</sch:schema>
"""

FILES = {"manifest.toml": MANIFEST, "berichten.xsd": SCHEMA, "regels.sch": RULES}


def write_set(root: Path, **changed: str) -> Path:
    """The small set under `root`, beside the shared set; `manifest`, `berichten`, `regels` replace a file's text."""
    if not (root / "knooppunt").exists():
        shutil.copytree(REAL / "knooppunt", root / "knooppunt")
    folder = root / "proef" / "1.0"
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in FILES.items():
        (folder / name).write_text(changed.get(name.partition(".")[0], text), encoding="utf-8")
    return folder


def header(*, berichttype: str = "Vraag", versie: str = "1.0", tijdstip: str = "2026-03-02T09:30:00Z",
           routes: str = "<kn:Ontvanger>22222222-2222-4222-8222-222222222222</kn:Ontvanger>",
           cross: str = "", before: str = "", vervalt: str = "", after: str = "") -> str:
    """A kn:Berichtheader."""
    return (
        f'<kn:Berichtheader xmlns:kn="{KN}"><kn:Stuurgegevens>'
        "<kn:Referentienummer>AAAAAAAA-aaaa-4aaa-8aaa-aaaaaaaaaaaa</kn:Referentienummer>"
        f"{cross}<kn:ConversatieReferentienummer>cccccccc-cccc-4ccc-8ccc-cccccccccccc</kn:ConversatieReferentienummer>"
        f"{before}<kn:Versie>{versie}</kn:Versie><kn:Berichttype>{berichttype}</kn:Berichttype>"
        f"<kn:Afzender>11111111-1111-4111-8111-111111111111</kn:Afzender>{routes}"
        f"<kn:TijdstipBericht>{tijdstip}</kn:TijdstipBericht>{vervalt}</kn:Stuurgegevens>{after}</kn:Berichtheader>"
    )


def message(content: str = "", *, name: str = "Vraag", head: str | None = None, attributes: str = "") -> bytes:
    """A message of the small set."""
    top = header() if head is None else head
    return f'<pf:{name} xmlns:pf="{PF}"{attributes}>{top}{content}</pf:{name}>'.encode()


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    root = tmp_path_factory.mktemp("sets") / "xsd"
    write_set(root)
    return load_catalog(root)


@pytest.fixture(scope="session")
def proef(small: Catalog) -> MessageSet:
    found = small.get(SetKey(module="proef", version="1.0"))
    assert found is not None
    return found
