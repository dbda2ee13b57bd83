"""Settings and address book are read exactly or refused with file, line, cause and remedy."""

import base64
import hashlib
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import Misconfigured
from gateway.settings import Change, ChangeKind, Journal, Limits, dump_parties, load_parties, load_settings, plan
from gateway.values import Allowance, Party

HUB = """\
[hub]
id = "0b6f6c8e-6d1c-4c7e-8a53-7a0c51d2e001"
oin = "00000004999999990000"
name = "Knooppunt Voorbeeld"
public_url = "https://localhost:8443/"
"""
DER = b"\x30\x03\x02\x01\x2a"
PEM = b"text before\n-----BEGIN CERTIFICATE-----\n" + base64.b64encode(DER) + b"\n-----END CERTIFICATE-----\n"
PKI = ("ca.pem", "ca.crl", "hub-tls.pem", "hub-tls.key", "hub-sign.pem", "hub-sign.key")
PARTY = """\
[[party]]
id = "6f1c1d5e-5d0b-4c0e-9d57-0a3c0b7d1a01"
name = "Gemeente Voorbeeldstad"
oin = "00000001999999990000"
roles = ["SHV"]
"""
OTHER = """\
[[party]]
id = "6f1c1d5e-5d0b-4c0e-9d57-0a3c0b7d1a02"
name = "Energie Nergens"
oin = "00000003999999990000"
roles = ["SE"]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "pki").mkdir()
    for name in PKI:
        (tmp_path / "pki" / name).write_bytes(PEM)
    return tmp_path


def settings_error(folder: Path, text: str) -> str:
    (folder / "gateway.toml").write_text(text, "utf-8")
    with pytest.raises(Misconfigured) as caught:
        load_settings(folder)
    return caught.value.detail


def parties(folder: Path, text: str) -> tuple[Party, ...]:
    (folder / "parties.toml").write_text(text, "utf-8")
    return load_parties(folder / "parties.toml")


def parties_error(folder: Path, text: str) -> str:
    with pytest.raises(Misconfigured) as caught:
        parties(folder, text)
    return caught.value.detail


# --- gateway.toml ------------------------------------------------------------------------------------------------


def test_hub_alone_is_enough_and_the_rest_has_its_documented_default(folder: Path) -> None:
    (folder / "gateway.toml").write_text(HUB)
    settings = load_settings(folder)
    assert settings.hub.public_url == "https://localhost:8443"
    assert settings.hub.node == "hub"
    assert str(settings.soap.listen) == "127.0.0.1:8443"
    assert settings.soap.max_octets == 10_485_760
    assert settings.soap.tls.key == folder / "pki/hub-tls.key"
    assert str(settings.web.listen) == "127.0.0.1:8080"
    assert [pair.certificate for pair in settings.signing] == [folder / "pki/hub-sign.pem"]
    assert settings.trust.anchors == (folder / "pki/ca.pem",)
    assert settings.trust.crls == (folder / "pki/ca.crl",)
    assert settings.trust.crl_max_age == timedelta(hours=4)
    assert settings.store.database.url == f"sqlite:///{folder / 'gateway.db'}"
    assert settings.store.keys == folder / "keys"
    assert (settings.retention.working_days, settings.retention.calendar) == (5, "NL")
    assert settings.limits.skew == timedelta(seconds=60)
    assert settings.limits.timestamp_ttl == timedelta(seconds=300)
    assert (settings.sets.xsd.name, settings.sets.wsdl.name) == ("xsd", "wsdl")
    assert (settings.sets.xsd.parent / "gateway").is_dir()


def test_every_key_is_read(folder: Path) -> None:
    (folder / "gateway.toml").write_text(HUB.replace("[hub]", '[hub]\nnode = "hub-2"') + """
[soap]
listen = "[::1]:0"
certificate = "pki/hub-tls.pem"
key = "pki/hub-tls.key"
max_octets = 2_000_000
[web]
listen = "localhost:9000"
[[signing]]   # the new one
certificate = "pki/hub-tls.pem"
key = "pki/hub-tls.key"
[[signing]]
certificate = "pki/hub-sign.pem"
key = "pki/hub-sign.key"
[trust]
anchors = ["pki/ca.pem", "pki/hub-tls.pem"]
crls = ["pki/ca.crl"]
crl_max_age_hours = 12
[store]
url = "sqlite:////var/lib/gateway/store.db"
keys = "/var/lib/gateway/keys"
[retention]
working_days = 10
calendar = "NL"
extra_holidays = ["goede-vrijdag"]
[limits]
skew_seconds = 5
timestamp_ttl_seconds = 60
max_waiting = 50
threads = 2
packages = 3
waiting_requests = 30
waiting_seconds = 4
octets_in_flight = 9_000_000
requests_per_second = 50
burst = 100
connections_per_party = 20
connections = 500
handshakes = 200
handshake_seconds = 5
header_seconds = 6
body_seconds = 7
body_octets_per_second = 8_192
idle_seconds = 9
connection_seconds = 600
connection_requests = 1_000
session_seconds = 300
[sets]
xsd = "xsd"
[journal]
checkpoint_entries = 500
checkpoint_seconds = 30
checkpoints = "/srv/worm"
tsa = "http://tsa.example/stamp"
tsa_certificate = "pki/ca.pem"
""")
    settings = load_settings(folder)
    assert settings.hub.node == "hub-2"
    assert settings.journal == Journal(
        checkpoint_entries=500, checkpoint_seconds=30, checkpoints=Path("/srv/worm"), tsa="http://tsa.example/stamp",
        tsa_certificates=(folder / "pki" / "ca.pem",))
    assert (settings.soap.listen.host, settings.soap.listen.port) == ("::1", 0)
    assert str(settings.soap.listen) == "[::1]:0"
    assert settings.soap.max_octets == 2_000_000
    assert str(settings.web.listen) == "localhost:9000"
    assert [pair.key.name for pair in settings.signing] == ["hub-tls.key", "hub-sign.key"]
    assert len(settings.trust.anchors) == 2
    assert settings.store.database.url == "sqlite:////var/lib/gateway/store.db"
    assert settings.store.keys == Path("/var/lib/gateway/keys")
    assert settings.retention.extra_holidays == {"goede-vrijdag"}
    assert settings.limits == Limits(
        skew=timedelta(seconds=5), timestamp_ttl=timedelta(seconds=60), max_waiting=50, threads=2, packages=3,
        waiting_requests=30, waiting_seconds=4, octets_in_flight=9_000_000,
        party=Allowance(requests_per_second=50, burst=100, connections=20), connections=500, handshakes=200,
        handshake_seconds=5, header_seconds=6, body_seconds=7, body_octets_per_second=8_192, idle_seconds=9,
        connection_seconds=600, connection_requests=1_000, session_seconds=300)
    assert settings.sets.xsd == folder / "xsd"


@pytest.mark.parametrize(("added", "message"), [
    ('[soap]\nlisen = "x"', "gateway.toml line 7: unknown key 'lisen' in [soap]; did you mean 'listen'?"),
    ("[sope]", "gateway.toml line 6: unknown key 'sope' in the file; did you mean 'soap'?"),
    ('[journal]\ntsa = "ftp://tsa.example"', "gateway.toml line 7: 'tsa' in [journal] is no URL; use http"),
    ('[journal]\ntsa = "http://tsa.example"', "'tsa' and 'tsa_certificate' in [journal] go together; name the URL"),
    ('[journal]\ntsa_certificate = "pki/ca.pem"', "'tsa' and 'tsa_certificate' in [journal] go together"),
    ("[web]\ncolour = 1", "gateway.toml line 7: unknown key 'colour' in [web]; known here: listen"),
    ("[web]\nlisten = 8080", "gateway.toml line 7: 'listen' in [web] is a whole number; make it a text"),
    ("web = 3", "gateway.toml line 6: unknown key 'web' in [hub]"),
    ('[web]\nlisten = "8080"', "gateway.toml line 7: 'listen' in [web] is no address; use host:port"),
    ('[web]\nlisten = "h:70000"', "gateway.toml line 7: 'listen' in [web] is no address"),
    ('[web]\nlisten = " "', "gateway.toml line 7: 'listen' in [web] is empty"),
    ("[soap]\nmax_octets = true", "gateway.toml line 7: 'max_octets' in [soap] is true or false; make it a whole"),
    ("[soap]\nmax_octets = 2_000\n[limits]\noctets_in_flight = 7_999",
     "gateway.toml line 9: 'octets_in_flight' in [limits] is 7999; use 8000 to"),
    ("[soap]\nmax_octets = 1", "gateway.toml line 7: 'max_octets' in [soap] is 1; use 1024 to"),
    ('[soap]\nkey = "pki/none.key"', "line 7: 'key' in [soap]: there is no file pki/none.key; put it there"),
    ("[trust]\ncrls = []", "gateway.toml line 7: 'crls' in [trust] is empty"),
    ("[trust]\nanchors = []", "gateway.toml line 7: 'anchors' in [trust] is empty"),
    ('[trust]\nanchors = "pki/ca.pem"', "line 7: 'anchors' in [trust] is a text; make it a list of texts"),
    ('[trust]\ncrls = ["pki/ca.crl", "pki/ca.crl"]', "line 7: 'crls' in [trust] names something twice"),
    ('[store]\nurl = "sqlite://"', "gateway.toml line 7: 'url' in [store] names no store that lasts"),
    ('[store]\nurl = "postgresql+psycopg://g:geheim@db/gateway"',
     "gateway.toml line 7: 'url' in [store] holds a password"),
    ('[store]\nurl = "postgresql+psycopg://g@db/gateway?password=geheim"',
     "'url' in [store] holds a password"),
    ('[store]\nurl = "postgresql+psycopg://g@db"', "gateway.toml line 7: 'url' in [store] names no database"),
    ('[store]\npassword_file = "geen"', "gateway.toml line 7: "),
    ('[store]\nurl = "sqlite:///:memory:"', "gateway.toml line 7: 'url' in [store] names no store that lasts"),
    ('[store]\nurl = "mysql://x"', "gateway.toml line 7: 'url' in [store] names no store that lasts"),
    ('[retention]\ncalendar = "BE"', "gateway.toml line 7: 'BE' of 'calendar' in [retention] is not allowed"),
    ('[[signing]]\nkey = "pki/no"\n', "gateway.toml line 7: 'key' in [[signing]] number 1: there is no file pki/no"),
    ("[web\n", "gateway.toml line 6: is no TOML: "),
    ("[web]\nlisten = 'x", "gateway.toml line 7: is no TOML: "),
])
def test_a_wrong_setting_names_line_cause_and_remedy(folder: Path, added: str, message: str) -> None:
    assert message in settings_error(folder, HUB + added + "\n")


@pytest.mark.parametrize(("old", "new", "message"), [
    ('name = "Knooppunt Voorbeeld"\n', "", "gateway.toml line 1: 'name' is missing in [hub]; add 'name': a text"),
    ("name =", "nam =", "gateway.toml line 4: unknown key 'nam' in [hub]; did you mean 'name'?"),
    ("0b6f6c8e-6d1c-4c7e-8a53-7a0c51d2e001", "x", "gateway.toml line 2: 'id' in [hub] is no UUID"),
    ("0b6f6c8e-6d1c-4c7e-8a53-7a0c51d2e001", "00000000-0000-0000-0000-000000000000", "line 2: 'id' in [hub] is no"),
    ("00000004999999990000", "4", "gateway.toml line 3: '4' of 'oin' in [hub] is not allowed; use an OIN of 20"),
    ("https://localhost:8443/", "http://localhost", "gateway.toml line 5: 'public_url' in [hub] is no https URL"),
    ("https://localhost:8443/", "https://u@localhost", "gateway.toml line 5: 'public_url' in [hub] is no https URL"),
    ("https://localhost:8443/", "https://localhost:x", "gateway.toml line 5: 'public_url' in [hub] is no https URL"),
])
def test_a_wrong_hub_names_line_cause_and_remedy(folder: Path, old: str, new: str, message: str) -> None:
    assert message in settings_error(folder, HUB.replace(old, new))


def test_lists_may_be_files_and_tables_with_an_address(folder: Path) -> None:
    (folder / "pki" / "tsp.crl").write_bytes(b"")
    (folder / "gateway.toml").write_text(HUB + """\
[trust]
crls = ["pki/ca.crl", { file = "pki/tsp.crl" }, { file = "pki/new.crl", url = "http://crl.example:8080/a?b=c" }]
crl_alarm_hours = 12
refused = ["pki/ca.pem"]
policies = ["2.16.528.1.1003.1.2.5.6"]
ocsp = [{ issuer = "pki/ca.pem", url = "https://ocsp.example" }]
""", "utf-8")
    trust = load_settings(folder).trust
    assert trust.crls == tuple(folder / "pki" / name for name in ("ca.crl", "tsp.crl", "new.crl"))
    assert [(one.url, one.kept_fresh) for one in trust.lists] == [
        (None, False), (None, True), ("http://crl.example:8080/a?b=c", True)]
    assert trust.kept_fresh == trust.crls[1:]
    assert trust.crl_alarm == timedelta(hours=12)
    assert (trust.refused, trust.policies) == ((folder / "pki/ca.pem",), {"2.16.528.1.1003.1.2.5.6"})
    (responder,) = trust.ocsp
    assert (responder.issuer, responder.url) == (folder / "pki/ca.pem", "https://ocsp.example")
    assert trust.ocsp_answers == folder / "ocsp"


@pytest.mark.parametrize(("line", "message"), [
    ("crls = [1]", "line 7: 'crls' in [trust] is a list; make it a list of texts or tables"),
    ('crls = [{ url = "http://x" }]', "line 7: 'file' is missing in [[crls]] number 1"),
    ('crls = [{ file = "pki/none.crl" }]', "line 7: 'file' in [[crls]] number 1: there is no file pki/none.crl"),
    ('crls = [{ file = "pki/ca.crl", urls = "" }]', "line 7: unknown key 'urls' in [[crls]] number 1; did you mean"),
    ('crls = ["pki/ca.crl", { file = "pki/ca.crl" }]', "line 7: 'crls' in [trust] names something twice"),
    ('crls = [{ file = "a", url = "ftp://x/y" }]', "line 7: 'url' in [[crls]] number 1 is no http or https URL"),
    ('crls = [{ file = "a", url = "http://u:p@x/" }]', "line 7: 'url' in [[crls]] number 1 is no http or https URL"),
    ('crls = [{ file = "a", url = "http://x/ y" }]', "line 7: 'url' in [[crls]] number 1 is no http or https URL"),
    ('crls = [{ file = "a", url = "http:///y" }]', "line 7: 'url' in [[crls]] number 1 is no http or https URL"),
    ('ocsp = [{ issuer = "pki/x.pem", url = "http://x" }]', "line 7: 'issuer' in [[ocsp]] number 1: there is no file"),
    ('ocsp = [{ issuer = "pki/ca.pem" }]', "line 7: 'url' is missing in [[ocsp]] number 1"),
    ("crl_alarm_hours = 0", "line 7: 'crl_alarm_hours' in [trust] is 0; use 1 to 720"),
    ('policies = ["private"]', "line 7: 'private' of 'policies' in [trust] is not allowed; use object identifiers"),
    ('refused = ["pki/x.pem"]', "line 7: 'refused' in [trust]: there is no file pki/x.pem"),
])
def test_a_wrong_word_about_trust_names_line_cause_and_remedy(folder: Path, line: str, message: str) -> None:
    assert message in settings_error(folder, HUB + "[trust]\n" + line + "\n")


def test_signing_may_not_be_an_empty_list(folder: Path) -> None:
    assert "gateway.toml line 1: 'signing' is an empty list" in settings_error(folder, "signing = []\n" + HUB)


def test_keys_inside_an_inline_table_are_found_at_the_line_of_the_table(folder: Path) -> None:
    assert "gateway.toml line 1: unknown key 'port' in [web]" in settings_error(folder, "web = { port = 1 }\n" + HUB)


def test_a_folder_without_settings_says_so(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"gateway\.toml: cannot be read .*gateway init"):
        load_settings(tmp_path)


def test_a_file_in_another_encoding_says_so(folder: Path) -> None:
    (folder / "gateway.toml").write_bytes(HUB.replace("Voorbeeld", "Reünie").encode("latin-1"))
    with pytest.raises(Misconfigured, match="is not in UTF-8"):
        load_settings(folder)


# --- parties.toml ------------------------------------------------------------------------------------------------


def test_a_short_party_has_the_documented_defaults(folder: Path) -> None:
    (party,) = parties(folder, PARTY)
    assert party == Party(id="6f1c1d5e-5d0b-4c0e-9d57-0a3c0b7d1a01", slug="gemeente-voorbeeldstad",
                          name="Gemeente Voorbeeldstad", oin="00000001999999990000", roles=frozenset({"SHV"}))


def test_a_full_party_is_read_whole(folder: Path) -> None:
    (folder / "pki" / "gemeente.pem").write_bytes(PEM)
    (party,) = parties(folder, PARTY.replace("6f1c", "6F1C") + """\
slug = "gemeente"
subtype = "SHV_FASE2"
mag_bsn = true
requires = ["toestemmingsverklaring"]
modules = { schuldregeling = ["1.1", "2.0"], meldingen-bewindvoering = ["1.0"] }
delivery = { push = "https://ontvangst.example:9443/soap" }
certificates = ["pki/gemeente.pem"]
gemeentecodes = ["0363"]
acts_for = ["00000001999999990001"]
agreements = ["rsa-pss"]
kvk = "99999999"
vestigingen = ["999999999999"]
limits = { requests_per_second = 50, connections = 20 }
active = false
from = 2026-01-01
until = 2027-01-01
""")
    assert party.id == "6f1c1d5e-5d0b-4c0e-9d57-0a3c0b7d1a01"
    assert party.modules == {"schuldregeling": ("1.1", "2.0"), "meldingen-bewindvoering": ("1.0",)}
    assert party.push == "https://ontvangst.example:9443/soap"
    assert party.pins == {hashlib.sha256(DER).hexdigest()}
    assert (party.slug, party.subtype, party.mag_bsn, party.active) == ("gemeente", "SHV_FASE2", True, False)
    assert (party.since, party.until) == (date(2026, 1, 1), date(2027, 1, 1))
    assert party.acts_for == {"00000001999999990001"}
    assert party.limits == {"requests_per_second": 50, "connections": 20}
    assert party.agreements == {"rsa-pss"}


@pytest.mark.parametrize(("added", "message"), [
    ("rols = 1", "parties.toml line 11: unknown key 'rols' in [[party]] number 2; did you mean 'roles'?"),
    ('slug = "Energie"', "parties.toml line 11: 'Energie' of 'slug' in [[party]] number 2 is not allowed"),
    ('delivery = "post"', "parties.toml line 11: 'delivery' in [[party]] number 2 is neither of its two forms"),
    ('delivery = { push = "http://x" }', "parties.toml line 11: 'push' in [party.1.delivery] is no https URL"),
    ('delivery = { pull = "https://x" }', "parties.toml line 11: unknown key 'pull'"),
    ('certificates = ["pki/none.pem"]', "line 11: 'certificates' in [[party]] number 2: there is no file pki/none.pem"),
    ('certificates = ["parties.toml"]', "line 11: parties.toml of 'certificates' in [[party]] number 2 holds no cert"),
    ('modules = ["x"]', "parties.toml line 11: 'modules' in [[party]] number 2 is a list; make it a table"),
    ("modules = { x = [] }", "parties.toml line 11: module 'x' has no versions"),
    ('modules = { x = ["one"] }', "parties.toml line 11: 'one' of 'x' in [party.1.modules] is not allowed"),
    ('modules = { X = ["1.0"] }', "parties.toml line 11: 'X' of 'X' in [party.1.modules] is not allowed"),
    ('[party.modules]\nx = ["1.0"]\ny = "2.0"', "parties.toml line 13: 'y' in [party.1.modules] is a text"),
    ('gemeentecodes = ["363"]', "parties.toml line 11: '363' of 'gemeentecodes'"),
    ('acts_for = ["1"]', "parties.toml line 11: '1' of 'acts_for'"),
    ("limits = { burst = 0 }", "parties.toml line 11: 'burst' in [party.1.limits] is 0; use 1 to 1000000"),
    ("limits = { octets = 1 }", "parties.toml line 11: unknown key 'octets' in [party.1.limits]"),
    ('agreements = ["pss"]', "parties.toml line 11: 'pss' of 'agreements' in [[party]] number 2 is not allowed"),
    ('kvk = "1"', "parties.toml line 11: '1' of 'kvk'"),
    ('from = "2026-01-01"', "parties.toml line 11: 'from' in [[party]] number 2 is a text; make it a date"),
    ("from = 2026-01-01T00:00:00Z", "parties.toml line 11: 'from' in [[party]] number 2 is a date with time"),
    ("from = 2026-01-02\nuntil = 2026-01-02", "parties.toml line 12: 'until' in [[party]] number 2 does not come"),
    ('slug = "gemeente-voorbeeldstad"', "parties.toml line 11: 'slug' in [[party]] number 2 is that of 'gemeente-v"),
])
def test_a_wrong_party_names_line_cause_and_remedy(folder: Path, added: str, message: str) -> None:
    assert message in parties_error(folder, PARTY + OTHER + added + "\n")


@pytest.mark.parametrize(("old", "new", "message"), [
    ("0a3c0b7d1a02", "0a3c0b7d1a01", "parties.toml line 7: 'id' in [[party]] number 2 is that of 'gemeente-v"),
    ("00000003999999990000", "00000001999999990000", "parties.toml line 9: 'oin' in [[party]] number 2 is that of"),
    ("00000003999999990000", "0000000399999999000a", "parties.toml line 9: '0000000399999999000a' of 'oin' in"),
    ("Energie Nergens", "Gemeente: Voorbeeldstad", "parties.toml line 8: 'slug' in [[party]] number 2 is that of"),
    ("Energie Nergens", "…", "parties.toml line 6: '-' of 'slug' in [[party]] number 2 is not allowed"),
    ('["SE"]', "[]", "parties.toml line 10: 'roles' in [[party]] number 2 is missing or empty"),
    ('["SE"]', '["se"]', "parties.toml line 10: 'se' of 'roles' in [[party]] number 2 is not allowed"),
    ("[[party]]", "[[partij]]", "parties.toml line 6: unknown key 'partij' in the file; did you mean 'party'?"),
])
def test_parties_are_whole_and_unlike(folder: Path, old: str, new: str, message: str) -> None:
    assert message in parties_error(folder, PARTY + OTHER.replace(old, new))


def test_an_encryption_certificate_and_profiles_are_read_whole(folder: Path) -> None:
    (party,) = parties(folder, PARTY + 'encryption = "pki/ca.pem"\nprofiles = { schuldregeling = "2W-be-SE" }\n')
    assert party.encryption is not None
    assert (party.encryption.name, party.encryption.der) == ("pki/ca.pem", DER)
    assert dict(party.profiles) == {"schuldregeling": "2W-be-SE"}
    assert parties(folder, dump_parties([party])) == (party,)
    (bare,) = parties(folder, PARTY)
    said = [str(one) for one in plan([bare], [party])]
    assert said == [
        f"change gemeente-voorbeeldstad: encryption from nothing to pki/ca.pem ({hashlib.sha256(DER).hexdigest()})",
        "change gemeente-voorbeeldstad: profiles from nothing to schuldregeling 2W-be-SE"]


@pytest.mark.parametrize(("line", "message"), [
    ('encryption = "pki/none.pem"', "parties.toml line 6: 'encryption' in [[party]] number 1: there is no file pki/"),
    ('encryption = "pki/hub-tls.key"', "hub-tls.key of 'encryption' in [[party]] number 1 holds no certificate"),
    ("encryption = true", "parties.toml line 6: 'encryption' in [[party]] number 1 is true or false; make it a text"),
    ('profiles = { postbus = "2W-be" }', "'2W-be' of 'postbus' in [party.0.profiles] is not allowed; use"),
    ('profiles = { postbus = "2w-be-se" }', "'2w-be-se' of 'postbus' in"),
    ('profiles = "2W-be-SE"', "parties.toml line 6: 'profiles' in [[party]] number 1 is a text; make it a table"),
])
def test_encryption_of_a_party_is_said_plainly(folder: Path, line: str, message: str) -> None:
    (folder / "pki" / "hub-tls.key").write_text("no certificate")
    assert message in parties_error(folder, PARTY + line + "\n")


def test_encryption_keys_of_the_hub(folder: Path) -> None:
    def read(text: str) -> list[tuple[str, str]]:
        (folder / "gateway.toml").write_text(HUB + text, "utf-8")
        return [(pair.certificate.name, pair.key.name) for pair in load_settings(folder).encryption]

    assert read("") == []
    for name in ("hub-enc.pem", "hub-enc.key"):
        (folder / "pki" / name).write_bytes(PEM)
    assert read("") == []  # a file that lies there is no setting
    assert read("[encryption]\n") == [("hub-enc.pem", "hub-enc.key")]
    both = '[[encryption]]\ncertificate = "pki/ca.pem"\nkey = "pki/hub-tls.key"\n[[encryption]]\n'
    assert read(both) == [("ca.pem", "hub-tls.key"), ("hub-enc.pem", "hub-enc.key")]
    assert "'encryption' is an empty list" in settings_error(folder, "encryption = []\n" + HUB)
    assert "unknown key 'cert' in [encryption]; known here: certificate, key" in settings_error(
        folder, HUB + "[encryption]\ncert = 1\n")


ROLLOVER = """\
[[party.rollover]]
purpose = "signing"
old = "pki/ca.pem"
new = "%s"
accepted = 2026-12-01
preferred = 2026-12-08T12:00:00+01:00
retired = 2027-01-01
""" % ("b" * 64)


def test_a_rollover_of_certificates_is_read_whole(folder: Path) -> None:
    (party,) = parties(folder, PARTY + ROLLOVER)
    (one,) = party.rollovers
    assert (one.purpose, one.old.name, one.old.sha256) == ("signing", "pki/ca.pem", hashlib.sha256(DER).hexdigest())
    assert (one.old.der, one.new.name, one.new.sha256, one.new.der) == (DER, "b" * 64, "b" * 64, None)
    assert one.accepted == datetime(2026, 12, 1, tzinfo=UTC)
    assert one.preferred == datetime(2026, 12, 8, 11, tzinfo=UTC)
    assert parties(folder, dump_parties([party])) == (party,)


@pytest.mark.parametrize(("old", "new", "message"), [
    ('"signing"', '"mail"', "line 7: 'mail' of 'purpose' in [[rollover]] number 1 is not allowed; use \"tls\""),
    ("pki/ca.pem", "pki/none.pem", "line 8: 'old' in [[rollover]] number 1: there is no file pki/none.pem"),
    ("pki/ca.pem", "b" * 64, "line 9: 'new' in [[rollover]] number 1 is the certificate of 'old'"),
    ('"signing"', '"encryption"', "line 9: 'new' in [[rollover]] number 1 is a digest; name the file"),
    ("2026-12-01", '"morgen"', "line 10: 'accepted' in [[rollover]] number 1 is a text; make it a date"),
    ("12:00:00+01:00", "12:00:00", "line 11: 'preferred' in [[rollover]] number 1 has no offset"),
    ("2026-12-08T12:00:00+01:00", "2026-11-30", "line 11: 'preferred' in [[rollover]] number 1 comes before 'accep"),
    ("retired = 2027-01-01", "retired = 2026-12-08", "line 12: 'retired' in [[rollover]] number 1 does not come af"),
    ("retired = 2027-01-01", "", "line 6: 'retired' is missing in [[rollover]] number 1"),
    ("retired", "ended = 1\nretired", "line 12: unknown key 'ended' in [[rollover]] number 1"),
])
def test_a_wrong_rollover_names_line_cause_and_remedy(folder: Path, old: str, new: str, message: str) -> None:
    assert message in parties_error(folder, PARTY + ROLLOVER.replace(old, new))


@pytest.mark.parametrize(("old", "new", "message"), [
    ("pki/ca.pem", "c" * 64, "line 15: 'old' in [[rollover]] number 2 is not the 'new' of the signing rollover befo"),
    ("pki/ca.pem", "b" * 64, "line 19: 'retired' in [[rollover]] number 2 comes before that of the signing"),
])
def test_rollovers_of_one_purpose_follow_one_another(folder: Path, old: str, new: str, message: str) -> None:
    second = ROLLOVER.replace("b" * 64, "d" * 64).replace(old, new).replace("2027-01-01", "2026-12-31")
    assert message in parties_error(folder, PARTY + ROLLOVER + second)


def test_plan_tells_a_rollover_and_its_state(folder: Path) -> None:
    before, after = parties(folder, PARTY), parties(folder, PARTY + ROLLOVER)
    words = "signing pki/ca.pem to " + "b" * 64 + (", accepted 2026-12-01T00:00:00Z, preferred 2026-12-08T11:00:00Z, "
                                                  "retired 2027-01-01T00:00:00Z")
    (change,) = plan(before, after)
    assert str(change) == f"change gemeente-voorbeeldstad: rollover from nothing to {words}"
    (change,) = plan(before, after, now=datetime(2026, 12, 9, tzinfo=UTC))
    assert str(change).endswith(f"to {words} (now: new preferred)")


def test_relative_certificates_may_count_from_another_folder(folder: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "new.toml").write_text(PARTY + 'certificates = ["pki/ca.pem"]\n')
    (party,) = load_parties(elsewhere / "new.toml", folder=folder)
    assert party.pins == {hashlib.sha256(DER).hexdigest()}


# --- writing and comparing ---------------------------------------------------------------------------------------

names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(str.strip)
digits = st.text("0123456789", min_size=20, max_size=20)
some_parties = st.builds(
    Party, id=st.uuids().map(str), slug=st.from_regex(r"[a-z0-9]{1,9}(-[a-z0-9]{1,9})?", fullmatch=True), name=names,
    oin=digits, roles=st.frozensets(st.sampled_from(["SHV", "SE", "DEURWAARDER"]), min_size=1),
    subtype=st.none() | st.just("SHV_FASE2"), mag_bsn=st.booleans(), requires=st.frozensets(names, max_size=2),
    modules=st.dictionaries(st.sampled_from(["schuldregeling", "warme-doorverwijzing"]),
                            st.lists(st.sampled_from(["1.0", "1.1", "2.0"]), min_size=1, unique=True).map(tuple)),
    push=st.none() | st.just("https://ontvangst.example/soap"),
    pins=st.frozensets(st.binary(min_size=32, max_size=32).map(bytes.hex), max_size=2),
    gemeentecodes=st.frozensets(st.from_regex("[0-9]{4}", fullmatch=True), max_size=3),
    limits=st.dictionaries(st.sampled_from(["requests_per_second", "burst", "connections"]), st.integers(1, 100_000)),
    acts_for=st.frozensets(digits, max_size=2), agreements=st.frozensets(st.just("rsa-pss")),
    kvk=st.none() | st.just("99999999"),
    vestigingen=st.frozensets(st.just("999999999999")), active=st.booleans(),
    since=st.none() | st.dates(max_value=date(2026, 1, 1)), until=st.none() | st.dates(min_value=date(2026, 1, 2)),
)


@given(some_parties)
def test_what_was_written_reads_back_the_same(tmp_path_factory: pytest.TempPathFactory, party: Party) -> None:
    path = tmp_path_factory.getbasetemp() / "parties.toml"
    path.write_text(dump_parties([party]), "utf-8")
    (again,) = load_parties(path)
    assert again == party
    assert plan([party], [again]) == []


def test_written_parties_name_their_certificate_files_where_these_are_given(folder: Path) -> None:
    before = parties(folder, PARTY + 'certificates = ["pki/ca.pem"]\n' + OTHER)
    text = dump_parties(before, certificates={"gemeente-voorbeeldstad": ["pki/ca.pem"]})
    assert 'certificates = ["pki/ca.pem"]' in text
    assert "pins" not in text
    assert parties(folder, text) == before
    assert dump_parties(parties(folder, text)).count("pins = ") == 1


def test_plan_says_in_words_what_would_change(folder: Path) -> None:
    gemeente, energie = parties(folder, PARTY + OTHER)
    wanted = replace(energie, roles=frozenset({"SE", "DEURWAARDER"}), mag_bsn=True, push="https://x.example/",
                     modules={"schuldregeling": ("2.0",)}, kvk="99999999", limits={"burst": 5, "connections": 2},
                     until=date(2027, 1, 1))
    new = replace(gemeente, id="6f1c1d5e-5d0b-4c0e-9d57-0a3c0b7d1a09", slug="nieuw", name="Nieuw")
    changes = plan([gemeente, energie], [wanted, new])
    assert changes[0] == Change(kind=ChangeKind.REMOVE, slug="gemeente-voorbeeldstad",
                                old="Gemeente Voorbeeldstad, OIN 00000001999999990000")
    assert [str(change) for change in changes] == [
        "remove gemeente-voorbeeldstad: Gemeente Voorbeeldstad, OIN 00000001999999990000",
        "change energie-nergens: roles from SE to DEURWAARDER, SE",
        "change energie-nergens: mag_bsn from no to yes",
        "change energie-nergens: modules from nothing to schuldregeling 2.0",
        "change energie-nergens: delivery from pull to push https://x.example/",
        "change energie-nergens: limits from nothing to burst 5; connections 2",
        "change energie-nergens: kvk from nothing to 99999999",
        "change energie-nergens: until from nothing to 2027-01-01",
        "add nieuw: Nieuw, OIN 00000001999999990000",
    ]


def test_plan_follows_a_party_by_its_id(folder: Path) -> None:
    (gemeente,) = parties(folder, PARTY)
    (change,) = plan([gemeente], [replace(gemeente, slug="gemeente")])
    assert str(change) == "change gemeente-voorbeeldstad: slug from gemeente-voorbeeldstad to gemeente"


def test_a_store_on_a_server_has_its_bounds(folder: Path) -> None:
    (folder / "db-password").write_text("geheim\n", "utf-8")
    (folder / "gateway.toml").write_text(
        HUB + '[store]\nurl = "postgresql+psycopg://g@db1,db2:5433/gateway?sslmode=verify-full"\n'
        'password_file = "db-password"\npool = 3\nretry_seconds = 0\n', "utf-8")
    database = load_settings(folder).store.database
    assert (database.password_file, database.pool, database.retry_seconds) == (folder / "db-password", 3, 0)
    assert "geheim" not in repr(database)
