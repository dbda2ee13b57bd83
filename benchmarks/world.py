"""A throw-away hub in this process, and signed requests for it made beforehand."""

import tempfile
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
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

BASE = "https://localhost:8443"
SHV, POSTBUS = "/soap/schuldregeling/2.0/shv", "/soap/knooppunt/1.0/postbus"
SR = "urn:schuldenknooppunt:schuldregeling:2.0"
RSA, P256 = "RSA-2048", "P-256"
_FILES = {RSA: "sign", P256: "p256"}  # <slug>-<this>.pem: who signs with what
_GEMEENTE, ENERGIE, DEURWAARDER = (f"11111111-1111-4111-8111-00000000000{number}" for number in (1, 2, 3))
_SIGNING = '[signing]\ncertificate = "pki/hub-sign.pem"\nkey = "pki/hub-sign.key"\n'


@dataclass(kw_only=True)
class World:
    """A hub to measure."""

    instance: Instance
    gate: Gate
    store: Store
    trust: LiveTrust
    sealer: Sealer

    def schema(self, module: str, version: str) -> Path:
        return self.instance.catalog.sets[SetKey(module=module, version=version)].schema.path

    def signing(self, slug: str, key: str) -> SigningKey:
        file = self.instance.folder / "pki" / f"{slug}-{_FILES[key]}"
        return load_signing_key(file.with_suffix(".pem"), file.with_suffix(".key"))

    def served(self, received: Received) -> None:
        """Answer a request that has to be taken."""
        reply = answer(received, self.gate)
        assert reply.status == 200, reply.octets[-800:]
        assert b">false<" not in reply.octets, "not confirmed"

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
        signing = self.signing(slug, key)
        peer = load_certificate(self.instance.folder / "pki" / f"{slug}-tls.pem")
        made = []
        for number in numbers:
            outgoing = Outgoing(
                action=action, message_id=f"urn:uuid:{new_id()}", to=BASE + path, sender=f"https://{slug}.example/",
                reply_to=ANONYMOUS, body=body(number),
            )
            now = utc_now()
            octets = sealed(outgoing, signing, now, new_id()).octets
            made.append(Received(octets=octets, path=path, content_type="text/xml", soap_action='""', peer=peer,
                                 at=now))
        return made


@contextmanager
def world(push: Collection[str] = ()) -> Iterator[World]:
    """A hub on a fresh store in a temporary folder; hub and gemeente have keys of both families.

    `push`: the parties (slugs) that take push, at an address where nobody listens.
    """
    with tempfile.TemporaryDirectory(prefix="gateway-bench-") as name:
        folder = Path(name) / "instance"
        create_instance(folder)
        _second_keys(folder)
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


def _take_push(folder: Path, slugs: Collection[str]) -> None:
    file = folder / "parties.toml"
    parties = load_parties(file)
    file.write_text(dump_parties(
        [replace(one, push="https://localhost:1/") if one.slug in slugs else one for one in parties]), "utf-8")


def _second_keys(folder: Path) -> None:
    pki = folder / "pki"
    authority = Pair(certificate=x509.load_der_x509_certificate(load_certificate(pki / "ca.pem")),
                     key=load_private_key(pki / "ca.key"))
    for slug, oin in (("hub", EXAMPLE_HUB_OIN), ("gemeente", EXAMPLE_OINS["gemeente"])):
        file, key = pki / f"{slug}-{_FILES[P256]}", new_key(P256)
        spec = CertificateSpec(file=file.name, name=f"{slug} ({P256})", oins=(oin,))
        made = issue(spec, key, issuer=authority, now=utc_now())
        file.with_suffix(".pem").write_bytes(made.certificate.public_bytes(Encoding.PEM))
        file.with_suffix(".key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    settings = folder / "gateway.toml"
    one = _SIGNING.replace("[signing]", "[[signing]]")
    both = one + "\n" + one.replace("hub-sign", f"hub-{_FILES[P256]}")
    settings.write_text(settings.read_text("utf-8").replace(_SIGNING, both), "utf-8")


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
