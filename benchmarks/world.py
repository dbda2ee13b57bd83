"""A throw-away hub in this process, on an instance folder of its own, and signed requests made beforehand."""

import atexit
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from gateway.app import create_instance
from gateway.app.hub import build_gate, settle
from gateway.app.instance import Instance, new_id, open_instance, utc_now
from gateway.app.trust import LiveTrust
from gateway.names import ANONYMOUS, KN
from gateway.pipeline import Gate, answer
from gateway.security import EXAMPLE_HUB_OIN, EXAMPLE_OINS, Outgoing, SigningKey, load_certificate, load_signing_key
from gateway.security import seal as sealed
from gateway.security.keys import load_private_key
from gateway.security.throwaway import CertificateSpec, Pair, issue, new_key
from gateway.settings import dump_parties, load_parties
from gateway.storage import Sealer, Store, open_store
from gateway.switches import ALL_ON
from gateway.values import Received, SetKey
from tests import foreign

BASE = "https://localhost:8443"
SHV, POSTBUS = "/soap/schuldregeling/2.0/shv", "/soap/knooppunt/1.0/postbus"
SR = "urn:schuldenknooppunt:schuldregeling:2.0"
RSA, RSA3072, P256 = "RSA-2048", "RSA-3072", "P-256"
_FILES = {RSA: "sign", RSA3072: "rsa3072", P256: "p256"}  # <slug>-<this>.pem: who signs with what
_GEMEENTE, ENERGIE, DEURWAARDER = (f"11111111-1111-4111-8111-00000000000{number}" for number in (1, 2, 3))
_SIGNING = '[signing]\ncertificate = "pki/hub-sign.pem"\nkey = "pki/hub-sign.key"\n'


@dataclass(kw_only=True)
class Peers:
    """The parties of an instance, as they sign requests for its hub."""

    instance: Instance
    base: str = BASE  # where the hub is, as wsa:To says it

    def schema(self, module: str, version: str) -> Path:
        return self.instance.catalog.sets[SetKey(module=module, version=version)].schema.path

    def signing(self, slug: str, key: str) -> SigningKey:
        file = self.instance.folder / "pki" / f"{slug}-{_FILES[key]}"
        return load_signing_key(file.with_suffix(".pem"), file.with_suffix(".key"))

    def peer(self, slug: str) -> bytes:
        """The certificate of a party's connections."""
        return load_certificate(self.instance.folder / "pki" / f"{slug}-tls.pem")

    def lean(self, numbers: Sequence[str], key: str = RSA) -> list[Received]:
        """As `questions` with three claims, in as few octets as the profile allows: 6 signed parts, short prefixes and
        names, as a stack with a tree writes them. The "6 KB" of the figures.
        """
        signing, peer = self.signing("gemeente", key), self.peer("gemeente")
        identity = foreign.Identity(key=signing.private_key, certificate=signing.certificate)
        made = []
        for number in numbers:
            now = utc_now()
            plan = foreign.Plan(child=saldo_verzoek(number, 3), action=f"{SR}:SaldoVerzoek", to=self.base + SHV,
                                identity=identity, now=now, reply_to=None)
            made.append(_received(foreign.octets(foreign.build(plan)), SHV, peer, now))
        return made

    def questions(self, numbers: Sequence[str], claims: int, key: str = RSA, receiver: str = ENERGIE) -> list[Received]:
        """A SaldoVerzoek of the gemeente for each number, each opening a conversation, signed now."""
        return self._signed("gemeente", key, SHV, f"{SR}:SaldoVerzoek", numbers,
                            lambda number: saldo_verzoek(number, claims, receiver))

    def asked(self, operation: str, numbers: Sequence[str]) -> list[Received]:
        """A mailbox request of the energy company for each number, signed now."""
        def body(number: str) -> bytes:
            field = f"<kn:Referentienummer>{number}</kn:Referentienummer>"
            return f'<kn:{operation} xmlns:kn="{KN}">{field}</kn:{operation}>'.encode()

        return self._signed("energie", RSA, POSTBUS, f"{KN}:{operation}", numbers, body)

    def _signed(self, slug: str, key: str, path: str, action: str, numbers: Sequence[str],
                body: Callable[[str], bytes]) -> list[Received]:
        signing, peer = self.signing(slug, key), self.peer(slug)
        made = []
        for number in numbers:
            outgoing = Outgoing(
                action=action, message_id=f"urn:uuid:{new_id()}", to=self.base + path,
                sender=f"https://{slug}.example/", reply_to=ANONYMOUS, body=body(number),
            )
            now = utc_now()
            made.append(_received(sealed(outgoing, signing, now, new_id()).octets, path, peer, now))
        return made


@dataclass(kw_only=True)
class World(Peers):
    """A hub to measure."""

    gate: Gate
    store: Store
    trust: LiveTrust
    sealer: Sealer

    def served(self, received: Received) -> None:
        """Answer a request that has to be taken."""
        reply = answer(received, self.gate)
        assert reply.status == 200, reply.octets[-800:]
        assert b">false<" not in reply.octets, "not confirmed"


@contextmanager
def world(push: Collection[str] = (), *, hub_rsa: str = RSA, url: str | None = None,
          template: Path | None = None) -> Iterator[World]:
    """A hub on a fresh store in a temporary folder; hub and gemeente have keys of both families.

    `push`: the parties (slugs) that take push, at an address where nobody listens. `hub_rsa`: the RSA key that the hub
    answers with. `url`: an empty, upgraded database to use instead of the folder's own. `template`: an instance folder
    as `gateway init` makes it, to copy.
    """
    with instance_folder(hub_rsa=hub_rsa, url=url, template=template) as folder:
        _take_push(folder, push)
        instance = open_instance(folder)
        with open_store(instance.settings.store.database) as store:
            trust = LiveTrust(instance.settings.trust, utc_now, lambda event, facts: None)
            register = instance.register
            gate = build_gate(instance, store=store, trust=trust, register=lambda: register,
                              switches=lambda: ALL_ON, urls={BASE},
                              observe=lambda event, facts: None)
            settle()
            yield World(instance=instance, gate=gate, store=store, sealer=instance.sealer(),
                        trust=trust)


@contextmanager
def instance_folder(*, hub_rsa: str = RSA, url: str | None = None, template: Path | None = None) -> Iterator[Path]:
    """An instance folder as for `world`, that takes as many requests of one party as may come."""
    with tempfile.TemporaryDirectory(prefix="gateway-bench-") as name:
        folder = Path(name) / "instance"
        shutil.copytree(template or _template(), folder)
        _more_keys(folder, hub_rsa)
        file = folder / "gateway.toml"
        settings = file.read_text("utf-8")
        if url is not None:
            settings = settings.replace("sqlite:///gateway.db", url)
        file.write_text(settings.replace("[limits]", "[limits]\nrequests_per_second = 100_000\nburst = 1_000_000"),
                        "utf-8")
        yield folder


@cache
def _template() -> Path:
    """An instance that is only copied: its keys take seconds to make."""
    folder = Path(tempfile.mkdtemp(prefix="gateway-bench-"))
    atexit.register(shutil.rmtree, folder)
    create_instance(folder / "instance")
    return folder / "instance"


def _take_push(folder: Path, slugs: Collection[str]) -> None:
    file = folder / "parties.toml"
    parties = load_parties(file)
    file.write_text(dump_parties(
        [replace(one, push="https://localhost:1/") if one.slug in slugs else one for one in parties]), "utf-8")


def _more_keys(folder: Path, hub_rsa: str) -> None:
    """For hub and gemeente a P-256 key, and an RSA key of the kind asked for; the hub answers with those two."""
    pki = folder / "pki"
    authority = Pair(certificate=x509.load_der_x509_certificate(load_certificate(pki / "ca.pem")),
                     key=load_private_key(pki / "ca.key"))
    kinds = (hub_rsa, P256)
    for slug, oin in (("hub", EXAMPLE_HUB_OIN), ("gemeente", EXAMPLE_OINS["gemeente"])):
        for kind in kinds:
            file = pki / f"{slug}-{_FILES[kind]}"
            if kind != RSA:  # that one is there
                _make_key(file, CertificateSpec(file=file.name, name=f"{slug} ({kind})", oins=(oin,)), kind, authority)
    one = _SIGNING.replace("[signing]", "[[signing]]")
    settings = folder / "gateway.toml"
    settings.write_text(settings.read_text("utf-8").replace(
        _SIGNING, "\n".join(one.replace("hub-sign", f"hub-{_FILES[kind]}") for kind in kinds)), "utf-8")


def _make_key(file: Path, spec: CertificateSpec, kind: str, authority: Pair) -> None:
    key = new_key(kind)
    made = issue(spec, key, issuer=authority, now=utc_now())
    file.with_suffix(".pem").write_bytes(made.certificate.public_bytes(Encoding.PEM))
    file.with_suffix(".key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def _received(octets: bytes, path: str, peer: bytes, now: datetime) -> Received:
    return Received(octets=octets, path=path, content_type="text/xml", soap_action='""', peer=peer, at=now)


def saldo_verzoek(number: str, claims: int, receiver: str = ENERGIE) -> bytes:
    """A valid SaldoVerzoek with so many claims, in canonical form; opens a conversation of its own."""
    stuurgegevens = (
        ("Referentienummer", number), ("ConversatieReferentienummer", new_id()), ("Versie", "2.0"),
        ("Berichttype", "SaldoVerzoek"), ("Afzender", _GEMEENTE), ("Ontvanger", receiver),
        ("TijdstipBericht", "2026-11-24T12:00:00Z"),
    )
    header = "".join(f"<kn:{name}>{value}</kn:{name}>" for name, value in stuurgegevens)
    invoices = "".join(
        "<sr:Vordering><sr:FactuurnummerSEVolgensSHV>"
        f"2026-{invoice:06}</sr:FactuurnummerSEVolgensSHV></sr:Vordering>" for invoice in range(claims)
    )
    def inner(name: str, content: str) -> str:
        return f'<kn:{name} xmlns:kn="{KN}">{content}</kn:{name}>'

    return (
        f'<sr:SaldoVerzoek xmlns:sr="{SR}">'
        + inner("Berichtheader", f"<kn:Stuurgegevens>{header}</kn:Stuurgegevens>")
        + "<sr:KlantnummerSHV>SHV-2026/00417</sr:KlantnummerSHV>"
        + f"<sr:Klant>{inner('Voorletters', 'A.M.')}{inner('Achternaam', 'Voorbeeld')}"
        + f"{inner('Geboortedatum', '1984-02-29')}</sr:Klant>"
        + f"<sr:Adres>{inner('Straatnaam', 'Voorbeeldstraat')}{inner('Huisnummer', '12')}"
        + f"{inner('Postcode', '1234AB')}{inner('Woonplaats', 'Voorbeeldstad')}</sr:Adres>"
        + f"<sr:Contactpersoon>{inner('Naam', 'B. Hulp')}{inner('Telefoonnummer', '020-5550100')}</sr:Contactpersoon>"
        + f"<sr:Vorderingen>{invoices}</sr:Vorderingen></sr:SaldoVerzoek>"
    ).encode()
