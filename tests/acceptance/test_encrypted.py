"""2W-be-SE over real TLS, by the commands: a hub process, two parties that agreed it, one that did not."""

import shutil
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from lxml import etree

from gateway.app import canonical_message, examine, verify_evidence
from gateway.errors import Misconfigured
from gateway.party import PartyClient
from gateway.security.keys import load_certificate, load_private_key
from gateway.security.throwaway import CertificateSpec, Pair, issue, new_key
from tests import encrypted, foreign
from tests.acceptance.hub import Hub, fresh_hub
from tests.command import MESSAGE, NUMBER, gateway
from tests.encrypted import agree
from tests.line import make_line, opened
from tests.postgres.databases import copied, everything


@pytest.fixture(scope="module")
def hub(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    agreed = tmp_path_factory.mktemp("agreed") / "instance"
    shutil.copytree(template, agreed)
    agree(agreed)
    with fresh_hub(agreed, tmp_path_factory.mktemp("hub") / "instance") as running:
        yield running


@pytest.mark.clause("WB005", "WB006", "WB011")
def test_a_message_goes_there_and_back_encrypted(hub: Hub, tmp_path: Path) -> None:
    """send and inbox get, as their users run them: requests and answers; what arrives is what was sent."""
    envelope = tmp_path / "envelope.xml"
    sent = gateway("send", hub.folder, MESSAGE, "--party", "gemeente", "--json", "--envelope-out", envelope)
    assert sent.code == 0, sent.err
    root = etree.fromstring(envelope.read_bytes())
    assert [etree.QName(one).localname for one in root[1]] == ["EncryptedData"]
    assert NUMBER.encode() not in envelope.read_bytes()
    got = gateway("inbox", hub.folder, "get", NUMBER, "--party", "energie")
    assert got.code == 0, got.err
    assert foreign.canonical(etree.fromstring(got.octets)) == foreign.canonical(etree.parse(MESSAGE).getroot())
    with opened(hub.folder).operations() as operations:
        evidence = operations.evidence(NUMBER)
    checks = verify_evidence(evidence, canonical_message(MESSAGE.read_bytes()), [hub.folder / "pki" / "ca.pem"])
    assert checks
    assert all(one.holds is not False for one in checks)  # the signature is over the message in clear


def test_who_agreed_nothing_goes_on_in_clear(hub: Hub) -> None:
    assert hub.party("deurwaarder").waiting() == []


def test_nothing_of_an_encrypted_message_is_stored_in_clear(hub: Hub) -> None:
    stored = everything(hub.folder)
    assert b"Kennisgeving" in stored  # its type
    assert b"<sr:Kennisgeving" not in stored


# --- which certificate, which key -----------------------------------------------------------------------------------

def _renewed(folder: Path, name: str, file: str) -> None:
    """A second encryption pair of a holder, under the instance's own CA."""
    pki = folder / "pki"
    issuer = Pair(certificate=x509.load_der_x509_certificate(load_certificate(pki / "ca.pem")),
                  key=load_private_key(pki / "ca.key"))
    (oin,) = (one.value for one in x509.load_der_x509_certificate(load_certificate(pki / f"{name}-enc.pem")).subject
              if one.oid == x509.NameOID.SERIAL_NUMBER)
    key = new_key("RSA-2048")
    spec = CertificateSpec(file=file, name=file, oins=(oin,), key="RSA-2048", usage=("keyEncipherment",))
    made = issue(spec, key, issuer=issuer, now=datetime.now(UTC))
    (pki / f"{file}.pem").write_bytes(made.certificate.public_bytes(Encoding.PEM))
    (pki / f"{file}.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def test_both_keys_of_the_hub_decrypt_while_one_takes_over(template: Path, tmp_path: Path) -> None:
    def change(folder: Path) -> None:
        agree(folder)
        _renewed(folder, "hub", "hub-enc-2")
        path = folder / "gateway.toml"
        pairs = '[[encryption]]\ncertificate = "pki/hub-enc-2.pem"\nkey = "pki/hub-enc-2.key"\n\n[[encryption]]'
        path.write_text(path.read_text("utf-8").replace("[encryption]", pairs), "utf-8")

    line = make_line(template, tmp_path / "instance", change=change)
    with closing(line.store):
        for name in ("hub-enc", "hub-enc-2"):
            root = line.plan(b'<Ping xmlns="urn:schuldenknooppunt:knooppunt:1.0"/>', path="/soap/knooppunt/1.0/beheer")
            built = encrypted.encrypt(
                foreign.build(root), encrypted.Cipher(certificate=encrypted.certificate(line, name)))
            assert line.post(etree.tostring(built), path="/soap/knooppunt/1.0/beheer").status == 200


def test_an_answer_follows_a_party_s_rollover(template: Path, tmp_path: Path) -> None:
    """From the day the new certificate is preferred, the hub encrypts to it."""
    day = datetime.now(UTC)

    def change(folder: Path) -> None:
        agree(folder)
        _renewed(folder, "gemeente", "gemeente-enc-2")
        path = folder / "parties.toml"
        stamp = [f"{day + timedelta(seconds=30 * step):%Y-%m-%dT%H:%M:%SZ}" for step in (0, 2, 4)]
        rollover = ('rollover = [{ purpose = "encryption", old = "pki/gemeente-enc.pem", '
                    f'new = "pki/gemeente-enc-2.pem", accepted = {stamp[0]}, preferred = {stamp[1]}, '
                    f'retired = {stamp[2]} }}]\n')
        text = path.read_text("utf-8").replace('encryption = "pki/gemeente-enc.pem"\n', rollover)
        path.write_text(text, "utf-8")

    line = make_line(template, tmp_path / "instance", change=change, at=day)
    with closing(line.store):
        for later, name in ((0, "gemeente-enc"), (90, "gemeente-enc-2")):
            line.skip(seconds=later)
            reply = line.post(b"<nothing/>")
            assert b"EncryptedData" not in reply.octets  # not read, so nothing is known to be agreed
            plan = line.plan(b'<Ping xmlns="urn:schuldenknooppunt:knooppunt:1.0"/>', path="/soap/knooppunt/1.0/beheer")
            built = encrypted.encrypt(
                foreign.build(plan), encrypted.Cipher(certificate=encrypted.certificate(line, "hub-enc")))
            reply = line.post(etree.tostring(built), path="/soap/knooppunt/1.0/beheer")
            assert reply.status == 200
            assert b"PingAntwoord" in encrypted.decrypt(reply.octets, line.instance.folder, name)


# --- what the settings refuse ---------------------------------------------------------------------------------------

def instance(template: Path, tmp_path: Path, *changes: tuple[str, str, str]) -> Path:
    """A copy in which in this file, this text gives way to that."""
    folder = copied(template, tmp_path / "instance")
    for file, old, new in changes:
        text = (folder / file).read_text("utf-8")
        assert old in text
        (folder / file).write_text(text.replace(old, new, 1), "utf-8")
    return folder


ENCRYPTION = '[encryption]\ncertificate = "pki/hub-enc.pem"\nkey = "pki/hub-enc.key"\n'
AGREED = 'profiles = {{ {} = "2W-be-SE" }}\nencryption = "pki/gemeente-enc.pem"'
GEMEENTE = 'encryption = "pki/gemeente-enc.pem"'


def test_an_instance_from_before_goes_on_without_encryption(template: Path, tmp_path: Path) -> None:
    folder = instance(template, tmp_path, ("gateway.toml", ENCRYPTION, ""))
    for path in (folder / "pki").glob("*-enc.*"):
        path.unlink()
    text = (folder / "parties.toml").read_text("utf-8").splitlines(keepends=True)
    (folder / "parties.toml").write_text("".join(one for one in text if not one.startswith("encryption")), "utf-8")
    found = {one.name: one for one in examine(folder)}
    assert [one for one in found.values() if not one.holds] == []
    assert found["encryption keys"].detail == "0 key(s)"


def test_encryption_is_not_agreed_with_a_hub_that_has_no_key(template: Path, tmp_path: Path) -> None:
    folder = instance(template, tmp_path, ("gateway.toml", ENCRYPTION, ""),
                      ("parties.toml", GEMEENTE, AGREED.format("postbus")))
    with pytest.raises(Misconfigured, match=r"gemeente asks 2W-be-SE for postbus; add \[encryption\]"):
        opened(folder).read_register()


def test_a_misspelt_service_would_leave_messages_in_clear(template: Path, tmp_path: Path) -> None:
    folder = instance(template, tmp_path, ("parties.toml", GEMEENTE, AGREED.format("postbuss")))
    with pytest.raises(Misconfigured, match="there is no module or service postbuss; known here: adresboek"):
        opened(folder).read_register()


@pytest.mark.clause("§4.2")
@pytest.mark.parametrize("other", ["hub-sign", "hub-tls"])
def test_one_key_one_use(template: Path, tmp_path: Path, other: str) -> None:
    folder = instance(template, tmp_path, ("gateway.toml", ENCRYPTION, ENCRYPTION.replace("hub-enc", other)))
    with pytest.raises(Misconfigured, match=r"for encryption alone|not on an RSA key"):
        _ = opened(folder).encryption


def test_another_s_certificate_is_told_by_doctor(template: Path, tmp_path: Path) -> None:
    folder = instance(template, tmp_path, ("parties.toml", "pki/gemeente-enc.pem", "pki/energie-enc.pem"))
    found = {one.name: one for one in examine(folder)}["certificates of parties"]
    assert not found.holds
    assert "gemeente is of OIN" in found.detail


def test_a_message_set_may_ask_it_of_everybody(template: Path, tmp_path: Path) -> None:
    """`profile = "2W-be-SE"` in a manifest: no party has to agree it, none can do without."""
    sets = tmp_path / "sets"
    for name in ("knooppunt", "schuldinventarisatie"):
        shutil.copytree(Path(__file__).parent.parent.parent / "xsd" / name, sets / name)
    manifest = sets / "schuldinventarisatie" / "1.0" / "manifest.toml"
    manifest.write_text(manifest.read_text("utf-8").replace('profile = "2W-be-S"', 'profile = "2W-be-SE"'), "utf-8")

    def change(folder: Path) -> None:
        with (folder / "gateway.toml").open("a") as file:
            file.write(f'\n[sets]\nxsd = "{sets}"\n')

    line = make_line(template, tmp_path / "instance", change=change)
    with closing(line.store):
        path = "/soap/schuldinventarisatie/1.0/shv"
        example = (sets / "schuldinventarisatie/1.0/examples/valid/SaldoVerzoek-volledig.xml").read_bytes()
        assert line.send(example, path=path).status == 500
        assert "DecryptionFailed" in line.refusals()[-1]
        client: PartyClient = line.instance.party("gemeente", url="https://localhost:8443")
        octets = client.wrap(example)[2].octets
        assert b"EncryptedData" in octets
        assert line.post(octets, path=path).status == 200
    bare = instance(template, tmp_path / "bare", ("gateway.toml", ENCRYPTION, f'[sets]\nxsd = "{sets}"\n'))
    with pytest.raises(Misconfigured, match=r"schuldinventarisatie/1\.0 asks 2W-be-SE"):
        make_line(bare, tmp_path / "copy")
