"""A change of certificate is rehearsed: what would break is told with cause and remedy, and is what the line does."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.security import EXAMPLE_HUB_OIN, EXAMPLE_OINS, make_crl
from gateway.security.keys import load_private_key
from gateway.security.throwaway import CertificateSpec, Pair, issue, new_key
from tests.command import Ran, gateway
from tests.foreign import build, octets
from tests.hostile.attack import message
from tests.hostile.certificates import authority, identity
from tests.hostile.test_identity import ODD_CALLERS, ODD_SIGNERS
from tests.line import Line, code, make_line

OIN = EXAMPLE_OINS["gemeente"]
GOOD = {"signing": {"usage": ("digitalSignature",)}, "tls": {"purposes": ("clientAuth",)}}


@pytest.fixture(scope="module")
def line(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    made = make_line(template, tmp_path_factory.mktemp("rehearse") / "i")
    yield made
    made.store.close()


class World:
    """An instance of one's own, and certificates of its CA."""

    def __init__(self, line: Line, folder: Path) -> None:
        self.line, self.files = line, folder
        self.folder = line.instance.folder

    def certificate(
        self, name: str = "nieuw", *, key: str = "P-256", own: Pair | None = None, self_signed: bool = False,
        **changes: object,
    ) -> Path:
        values = {"file": name, "name": "Gemeente Voorbeeldstad", "key": key, "oins": (OIN,), **changes}
        private = own.key if own else new_key(key)
        made = issue(CertificateSpec(**values), private, issuer=None if self_signed else authority(self.line),
                     now=self.line.at)
        self.pair, path = made, self.files / f"{name}.pem"
        path.write_bytes(made.certificate.public_bytes(Encoding.PEM))
        return path

    def ran(self, who: str, *words: object) -> Ran:
        return gateway("certs", "rehearse", who, *words, "--instance", self.folder, "--json")

    def broken(self, who: str, *words: object) -> dict[str, str]:
        """What breaks, by place; the exit code must say the same."""
        ran = self.ran(who, *words)
        rows = [row for row in ran.json if row["holds"] is False]
        assert ran.code == (1 if rows else 0), ran.err
        assert all(row["remedy"] for row in rows)
        return {row["place"]: row["detail"] for row in rows}

    def said(self, who: str, place: str, *words: object) -> str:
        return next(row["detail"] for row in self.ran(who, *words).json if row["place"] == place)


@pytest.fixture
def world(line: Line, tmp_path: Path) -> World:
    return World(line, tmp_path)


def test_the_example_world_holds_as_it_is(world: World) -> None:
    for who in ("gemeente", "deurwaarder", "hub"):
        assert world.broken(who) == {}
    ran = gateway("certs", "rehearse", world.folder, "gemeente")
    assert ran.code == 0
    assert "✓ TLS caller: its usage fits a TLS caller (gemeente-tls.pem)" in ran.out
    assert "✓ signer: its usage fits a signer (gemeente-sign.pem)" in ran.out


def test_at_a_later_date_the_present_certificates_have_expired(world: World) -> None:
    found = world.broken("gemeente", "--at", "2100-01-01T00:00:00Z")
    assert "certificate expired at" in found["dates"]
    assert "every CA above it has expired" in found["issuer"]
    assert "dates" in world.broken("hub", "--at", "2100-01-01T00:00:00Z")


@pytest.mark.clause("§6.4", "PKI001", "PKI002")
@pytest.mark.parametrize(("changes", "purpose", "place", "cause"), [
    ({"from_days": 2}, "signing", "dates", "not valid before"),
    ({"until_days": -1, "from_days": -9}, "signing", "dates", "expired"),
    ({"oins": (EXAMPLE_OINS["energie"],)}, "signing", "OIN", f"it holds OIN {EXAMPLE_OINS['energie']}, asked is {OIN}"),
    ({"oins": ()}, "signing", "OIN", "0 serialNumber"),
    ({"self_signed": True}, "signing", "issuer", "no trusted CA signed it"),
    ({"key": "RSA-1024"}, "signing", "key", "RSA key of 1024 bits"),
    ({"key": "K-256"}, "signing", "key", "secp256k1"),
    ({"digest": "SHA-1"}, "signing", "signature", "SHA-256 or better"),
    ({"authority": True, "usage": ("digitalSignature", "keyCertSign")}, "signing", "kind", "CA certificate"),
    ({"usage": ("keyEncipherment",)}, "signing", "signer", "no digitalSignature"),
    ({"purposes": ("serverAuth",)}, "tls", "TLS caller", "does not fit use as client"),
    ({"usage": ("digitalSignature",)}, "encryption", "addressee of encryption", "no RSA key"),
    ({"key": "RSA-2048"}, "encryption", "addressee of encryption", "no keyEncipherment"),
])
def test_what_would_break_is_said_at_its_place(
    world: World, changes: dict, purpose: str, place: str, cause: str,
) -> None:
    found = world.broken("gemeente", "--purpose", purpose, "--certificate", world.certificate(**changes))
    assert cause in found[place]


@pytest.mark.parametrize(("name", "purpose", "changes"), [
    *((name, "signing", changes) for name, (changes, _) in ODD_SIGNERS.items()),
    *((name, "tls", changes) for name, (changes, _) in ODD_CALLERS.items()),
    *((f"good {purpose}", purpose, changes) for purpose, changes in GOOD.items()),
], ids=lambda value: value if isinstance(value, str) else "")
def test_the_rehearsal_and_the_line_agree(world: World, name: str, purpose: str, changes: dict) -> None:
    """Whatever the line refuses breaks in the rehearsal, and the reverse."""
    line, path = world.line, world.files / "odd.pem"
    odd = identity(line, **changes)
    path.write_bytes(odd.certificate)
    found = world.broken("gemeente", "--purpose", purpose, "--certificate", path)
    if purpose == "tls":
        refused = line.post(octets(build(line.plan(message()))), peer=odd.certificate).status == 403
    else:
        refused = code(line.send(message(), identity=odd)) is not None
    assert bool(found) == refused, (found, line.refusals()[-1])
    assert bool(found) != name.startswith("good")


def test_renewal_on_the_old_key_and_with_a_gap_are_refused(world: World) -> None:
    pki = world.folder / "pki"
    old = Pair(certificate=x509.load_pem_x509_certificate((pki / "deurwaarder-sign.pem").read_bytes()),
               key=load_private_key(pki / "deurwaarder-sign.key"))
    oins = (EXAMPLE_OINS["deurwaarder"],)
    same = world.certificate(oins=oins, own=old)
    assert world.broken("deurwaarder", "--purpose", "signing", "--certificate", same) == {
        "signing: overlap with the old one": "it is on the key of deurwaarder-sign.pem"}
    late = world.certificate(oins=oins, from_days=500, until_days=800)
    at = (world.line.at + timedelta(days=600)).isoformat()
    found = world.broken("deurwaarder", "--purpose", "signing", "--certificate", late, "--at", at)
    assert "and deurwaarder-sign.pem only to" in found["signing: overlap with the old one"]


def test_two_certificates_at_once_serve_each_its_place(world: World) -> None:
    tls = world.certificate("tls", purposes=("clientAuth",))
    sign = world.certificate("sign", purposes=("emailProtection",))
    assert world.broken("gemeente", "--certificate", sign, "--certificate", tls) == {}
    found = world.broken("gemeente", "--certificate", sign)
    assert list(found) == ["TLS caller"]
    assert world.broken("gemeente", "--certificate", sign, "--purpose", "signing") == {}


def test_a_revoked_certificate_breaks(world: World) -> None:
    path = world.certificate()
    make_crl(world.folder / "pki", [world.pair.certificate.serial_number], world.line.at)
    found = world.broken("gemeente", "--purpose", "signing", "--certificate", path)
    make_crl(world.folder / "pki", [], world.line.at)
    assert "is revoked" in found["revocation"]


def test_the_family_of_the_answers_is_told(world: World) -> None:
    words = world.said("gemeente", "answers of the hub", "--certificate", world.certificate(key="P-256"))
    assert words == "to a request signed with ecdsa it answers in rsa, as the hub has no key of its family"
    words = world.said("gemeente", "answers of the hub", "--certificate", world.certificate(key="RSA-2048"))
    assert words == "to a request signed with rsa it answers in the same family"


@pytest.fixture
def booked(world: World) -> Iterator[World]:
    """`world` with an address book that may be edited."""
    file = world.folder / "parties.toml"
    before = file.read_text("utf-8")
    yield world
    file.write_text(before, "utf-8")


def add(world: World, text: str) -> None:
    """Lines for the municipality, which is the first party in the file."""
    file = world.folder / "parties.toml"
    head, mark, rest = file.read_text("utf-8").partition("[[party]]\n")
    second = rest.index("[[party]]")
    file.write_text(head + mark + rest[:second] + text + "\n" + rest[second:], "utf-8")


def test_pins_break_an_unplanned_change_and_a_rollover_says_from_when(booked: World) -> None:
    new = booked.certificate()
    asked = ("gemeente", "--purpose", "signing", "--certificate", new)
    add(booked, 'certificates = ["pki/gemeente-tls.pem", "pki/gemeente-sign.pem"]')
    assert "is not registered for gemeente" in booked.broken(*asked)["signer: address book"]
    at = booked.line.at
    add(booked, f"""
[[party.rollover]]
purpose = "signing"
old = "pki/gemeente-sign.pem"
new = "{new}"
accepted = {(at + timedelta(days=10)):%Y-%m-%d}
preferred = {(at + timedelta(days=20)):%Y-%m-%d}
retired = {(at + timedelta(days=30)):%Y-%m-%d}
""")
    assert "is announced, accepted from" in booked.broken(*asked)["signer: address book"]
    assert booked.broken(*asked, "--at", (at + timedelta(days=11)).isoformat()) == {}
    late = (at + timedelta(days=31)).isoformat()
    old = booked.folder / "pki" / "gemeente-sign.pem"
    assert "was retired on" in booked.broken("gemeente", "--purpose", "signing", "--certificate", old, "--at", late)[
        "signer: address book"]
    assert booked.broken("gemeente", "--at", late) == {}  # what the address book says is used then
    assert booked.said("gemeente", "signing: overlap with the old one", "--at", late).endswith("is valid as well")


def test_the_hub_goes_on_encrypting_to_what_the_address_book_names(booked: World) -> None:
    new = booked.certificate("enc", key="RSA-2048", usage=("keyEncipherment",))
    asked = ("gemeente", "--purpose", "encryption", "--certificate", new)
    assert booked.broken(*asked) == {
        "encryption: address book": "the hub encrypts to pki/gemeente-enc.pem then, by the address book"}
    at = booked.line.at
    add(booked, f"""
[[party.rollover]]
purpose = "encryption"
old = "pki/gemeente-enc.pem"
new = "{new}"
accepted = {(at + timedelta(days=10)):%Y-%m-%d}
preferred = {(at + timedelta(days=20)):%Y-%m-%d}
retired = {(at + timedelta(days=30)):%Y-%m-%d}
""")
    assert "encryption: address book" in booked.broken(*asked, "--at", (at + timedelta(days=19)).isoformat())
    assert booked.broken(*asked, "--at", (at + timedelta(days=21)).isoformat()) == {}
    assert booked.said("gemeente", "encryption: address book") == "named there"  # the present one, at present


def test_a_push_endpoint_needs_a_server_certificate_for_its_host(booked: World) -> None:
    file = booked.folder / "parties.toml"
    text = file.read_text("utf-8")
    push = 'delivery = { push = "https://ontvangst.example/soap" }'
    file.write_text(text.replace('delivery = "pull"', push, 1), "utf-8")
    serve = {"purposes": ("clientAuth", "serverAuth")}
    good = booked.certificate(hosts=("ontvangst.example",), **serve)
    assert booked.broken("gemeente", "--purpose", "tls", "--certificate", good) == {}
    assert booked.broken("gemeente", "--purpose", "tls", "--certificate", booked.certificate(**serve)) == {
        "push endpoint": "it is not for ontvangst.example (subjectAltName)"}
    client = booked.certificate(hosts=("ontvangst.example",), purposes=("clientAuth",))
    found = booked.broken("gemeente", "--purpose", "tls", "--certificate", client)
    assert "does not fit use as server" in found["push endpoint"]


def test_the_hub_rehearses_its_own_change(world: World) -> None:
    hub = {"oins": (EXAMPLE_HUB_OIN,)}
    rsa = world.certificate("rsa", key="RSA-2048", **hub)
    assert world.broken("hub", "--certificate", rsa) == {}
    assert "(rsa.pem)" in gateway("certs", "rehearse", world.folder, "hub", "--certificate", rsa).out
    elliptic = world.certificate("ec", **hub)
    assert world.broken("hub", "--certificate", elliptic) == {}  # the old RSA key stays in the list
    at = (world.line.at + timedelta(days=370)).isoformat()  # when the old one has expired
    longer = world.certificate("ec", until_days=700, **hub)
    found = world.broken("hub", "--certificate", longer, "--at", at)
    assert found == {"answers to parties that sign with rsa":
                     "the family changes from rsa to ecdsa: parties may not be able to verify it"}
    wrong = world.certificate("wrong", oins=(OIN,))
    assert "asked is " + EXAMPLE_HUB_OIN in world.broken("hub", "--certificate", wrong)["OIN"]
    sealing = world.certificate("enc", **hub)
    found = world.broken("hub", "--purpose", "encryption", "--certificate", sealing)
    assert "no RSA key" in found["encryption, as parties see it"]
    tls = world.certificate("tls", hosts=("elders.example",), purposes=("serverAuth",), **hub)
    found = world.broken("hub", "--purpose", "tls", "--certificate", tls)
    assert found == {"TLS, as parties see it": "it is not for localhost (subjectAltName)"}


def test_wrong_use_is_told(world: World) -> None:
    assert world.ran("nobody").code == 1
    assert gateway("certs", "rehearse", "gemeente", "--purpose", "mail", "--instance", world.folder).code == 2
    assert gateway("certs", "rehearse", "gemeente", "--at", "morgen", "--instance", world.folder).code == 2
    nonsense = world.files / "x.pem"
    nonsense.write_text("nonsense")
    ran = world.ran("gemeente", "--certificate", nonsense)
    assert ran.code == 1
    assert "holds no certificate in PEM or DER" in ran.err


def test_expiring_knows_what_address_book_and_settings_name_anywhere(booked: World) -> None:
    """A pin, both sides of a rollover, and a refused CA: none of them lies in pki/."""
    pin, new = (booked.certificate(name, until_days=20) for name in ("pin", "nieuw"))
    refused = booked.certificate("personen", until_days=20, self_signed=True, authority=True, usage=("keyCertSign",))
    at = booked.line.at
    add(booked, f"""certificates = ["{pin}"]
[[party.rollover]]
purpose = "signing"
old = "{pin}"
new = "{new}"
accepted = {at:%Y-%m-%d}
preferred = {at:%Y-%m-%d}
retired = {(at + timedelta(days=9)):%Y-%m-%d}
""")
    settings = booked.folder / "gateway.toml"
    before = settings.read_text("utf-8")
    settings.write_text(before.replace("[trust]", f'[trust]\nrefused = ["{refused}"]'), "utf-8")
    ran = gateway("certs", "expiring", booked.folder, "--days", "30", "--json")
    settings.write_text(before, "utf-8")
    assert ran.code == 1
    assert sorted(row["file"] for row in ran.json) == ["nieuw.pem", "personen.pem", "pin.pem"]
    assert {row["days_left"] for row in ran.json} == {19}
