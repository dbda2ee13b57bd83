"""A throw-away hub in this process, and signed requests for it made beforehand."""

import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gateway.app import create_instance
from gateway.app.hub import build_gate
from gateway.app.instance import Instance, new_id, open_instance, utc_now
from gateway.app.trust import LiveTrust
from gateway.names import ANONYMOUS
from gateway.pipeline import Gate
from gateway.security import Outgoing, load_certificate, load_signing_key, seal
from gateway.storage import open_store
from gateway.values import Received

BASE = "https://localhost:8443"
PATH = "/soap/schuldregeling/2.0/shv"
SR = "urn:schuldenknooppunt:schuldregeling:2.0"
_GEMEENTE = "11111111-1111-4111-8111-000000000001"


@dataclass(kw_only=True)
class World:
    """A hub to measure."""

    instance: Instance
    gate: Gate

    def requests(self, count: int, claims: int, *, party: str = "gemeente") -> list[Received]:
        """`count` different SaldoVerzoeken of `party`, each opening a conversation, signed now."""
        pki = self.instance.folder / "pki"
        signing = load_signing_key(pki / f"{party}-sign.pem", pki / f"{party}-sign.key")
        peer = load_certificate(pki / f"{party}-tls.pem")
        made = []
        for _ in range(count):
            outgoing = Outgoing(
                action=f"{SR}:SaldoVerzoek", message_id=f"urn:uuid:{uuid.uuid4()}", to=BASE + PATH,
                sender="https://gemeente.example/", reply_to=ANONYMOUS, body=saldo_verzoek(claims),
            )
            now = utc_now()
            octets = seal(outgoing, signing, now, uuid.uuid4().hex).octets
            made.append(Received(octets=octets, path=PATH, content_type="text/xml", soap_action='""', peer=peer,
                                 at=now))
        return made


@contextmanager
def world() -> Iterator[World]:
    """A hub on a fresh store in a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="gateway-bench-") as name:
        folder = Path(name) / "instance"
        create_instance(folder)
        instance = open_instance(folder)
        with open_store(instance.settings.store.url) as store:
            trust = LiveTrust(instance.settings.trust, utc_now, lambda event, facts: None)
            register = instance.register
            gate = build_gate(instance, store=store, trust=trust, register=lambda: register, urls={BASE},
                              observe=lambda event, facts: None)
            yield World(instance=instance, gate=gate)


def saldo_verzoek(claims: int) -> bytes:
    """A valid SaldoVerzoek with so many claims, in canonical form; a new number and conversation each time."""
    stuurgegevens = (
        ("Referentienummer", new_id()), ("ConversatieReferentienummer", new_id()), ("Versie", "2.0"),
        ("Berichttype", "SaldoVerzoek"), ("Afzender", _GEMEENTE), ("Ontvanger", _GEMEENTE[:-1] + "2"),
        ("TijdstipBericht", "2026-11-24T12:00:00Z"),
    )
    header = "".join(f"<kn:{name}>{value}</kn:{name}>" for name, value in stuurgegevens)
    invoices = "".join(
        "<sr:Vordering><sr:FactuurnummerSEVolgensSHV>"
        f"2026-{number:06}</sr:FactuurnummerSEVolgensSHV></sr:Vordering>" for number in range(claims)
    )
    kn = "urn:schuldenknooppunt:knooppunt:1.0"

    def inner(name: str, content: str) -> str:
        return f'<kn:{name} xmlns:kn="{kn}">{content}</kn:{name}>'

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
