"""Builds everything from an instance folder and hands it over. The only room that knows every other."""

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from pathlib import Path

from cryptography import x509

from gateway.app.expiry import expiring
from gateway.app.explain import Story, explain_file
from gateway.app.health import Diagnosis, examine
from gateway.app.hub import run
from gateway.app.instance import Instance, open_instance, utc_now
from gateway.app.listen import listen
from gateway.app.rehearsal import Rehearsed
from gateway.app.rehearse import rehearse
from gateway.app.restore import backup_store, declare_restored
from gateway.app.revocation import fetch_round
from gateway.app.sets import (
    check_sets,
    diff_sets,
    list_sets,
    sample_messages,
    validate_file,
    write_docs,
    write_wsdl,
)
from gateway.app.world import create_instance
from gateway.errors import Misconfigured
from gateway.multipart import Package
from gateway.party import Collected, Find, find_files
from gateway.routing import routing_keys
from gateway.security import EvidenceCheck, canonical, load_certificate, load_certificates, make_crl
from gateway.security import verify_evidence as _verify_evidence
from gateway.settings import delivery_of
from gateway.soap import check_xml_octets, read_xml
from gateway.storage import current, upgrade
from gateway.values import Party, Purpose, Route

__all__ = [
    "Collected", "Diagnosis", "EvidenceCheck", "Find", "Instance", "Rehearsed", "Story", "backup_store",
    "canonical_message", "check_sets", "create_instance", "declare_restored", "demo_messages", "describe_party",
    "diff_sets", "examine", "expiring", "explain_file", "fetch_revocation", "find_files", "list_routes", "list_sets",
    "listen", "open_instance", "rehearse_certificates", "renew_crl", "run", "sample_messages", "saved", "upgrade_store",
    "validate_file", "verify_evidence", "write_docs", "write_wsdl",
]


def describe_party(party: Party) -> dict[str, object]:
    """A party as `gateway parties` shows it (docs/contract.md §2)."""
    return {
        "id": party.id, "slug": party.slug, "name": party.name, "oin": party.oin, "roles": sorted(party.roles),
        "subtype": party.subtype, "modules": {name: list(versions) for name, versions in party.modules.items()},
        "delivery": delivery_of(party), "mag_bsn": party.mag_bsn,
        "requires": sorted(party.requires), "agreements": sorted(party.agreements),
        "notifications": sorted(party.notifications), "active": party.active,
        "profiles": dict(party.profiles), "encryption": party.encryption.name if party.encryption else None,
        "rollovers": [
            {"purpose": str(one.purpose), "old": one.old.name, "new": one.new.name, "state": str(one.state(utc_now())),
             "accepted": one.accepted, "preferred": one.preferred, "retired": one.retired}
            for one in party.rollovers
        ],
    }


def list_routes(folder: Path, on: date | None = None) -> list[dict[str, object]]:
    """`gateway routes list`: the rows of the routing table, and what parties registered themselves; those of a day.

    Without a day every row, whenever it counts.
    """
    book = open_instance(folder).register
    names = {party.id: party.slug for party in book.everyone}
    rows = [_route(row, names, registered=False) for row in book.routes if on is None or row.counts_on(on)]
    own = (Route(kind=kind, value=value, party=party.id, since=party.since, until=party.until)
           for party in book.everyone for kind, values in routing_keys(party).items() for value in sorted(values))
    rows += [_route(row, names, registered=True) for row in own if on is None or row.counts_on(on)]
    return sorted(rows, key=lambda row: (str(row["kind"]), str(row["value"]), bool(row["registered"])))


def _route(route: Route, names: Mapping[str, str], *, registered: bool) -> dict[str, object]:
    return {"kind": route.kind, "value": route.value, "module": route.module,
            "party": names.get(route.party, route.party), "from": route.since and route.since.isoformat(),
            "until": route.until and route.until.isoformat(), "fallback": route.fallback, "registered": registered}


def upgrade_store(folder: Path) -> tuple[str | None, str]:
    """Bring the store to the newest revision: the one before, the one after. Raises Misconfigured."""
    url = open_instance(folder).settings.store.database
    return current(url), upgrade(url)


def renew_crl(folder: Path, names: list[str]) -> Path:
    """A fresh list of an instance's throw-away CA that revokes these certificates (names without .pem)."""
    pki = open_instance(folder).folder / "pki"
    serials = [x509.load_der_x509_certificate(load_certificate(pki / f"{name}.pem")).serial_number for name in names]
    return make_crl(pki, serials, utc_now())


def fetch_revocation(folder: Path) -> Iterator[dict[str, object]]:
    """`gateway certs fetch`: one round now, over every list that has an address; a row for each as it is done."""
    instance = open_instance(folder)
    trust = instance.settings.trust
    if not any(one.url for one in trust.lists):
        raise Misconfigured("no list in [trust] crls has a url; write { file = \"pki/ca.crl\", url = \"http://…\" }")
    for one in fetch_round(trust, clock=utc_now, after=None):
        yield {"file": one.wanted.file.name, "url": one.wanted.url, "outcome": str(one.fetched or "failed"),
               "detail": one.error.detail if one.error is not None else ""}


def rehearse_certificates(
    folder: Path, who: str, files: list[Path], *, at: datetime | None, purposes: list[str]
) -> list[Rehearsed]:
    """`gateway certs rehearse`: place by place, what would work and what would break."""
    return rehearse(open_instance(folder), who, files, at=at, purposes=[Purpose(one) for one in purposes])


def verify_evidence(
    octets: bytes, message: bytes | None, anchors: list[Path], hub_oin: str | None = None,
    tsa_anchors: list[Path] | None = None,
) -> list[EvidenceCheck]:
    """Check an evidence file; needs no instance. Raises Misconfigured for an anchor that is no certificate."""
    ders, tsa_ders = ([der for path in paths for der in load_certificates(path)]
                      for paths in (anchors, tsa_anchors or []))
    return _verify_evidence(octets, message, ders, hub_oin, tsa_ders)


def demo_messages(instance: Instance) -> dict[str, bytes]:
    """The full example of each Schuldregeling message, by element: together they are one conversation."""
    folder = instance.settings.sets.xsd / "schuldregeling" / "2.0" / "examples" / "valid"
    return {path.stem.removesuffix("-volledig"): path.read_bytes() for path in sorted(folder.glob("*-volledig.xml"))}


def saved(content: bytes | Package) -> Iterator[bytes]:
    """A request as it is kept in a file: its octets; of one with files its Content-Type comes first, as in a mail."""
    if isinstance(content, Package):
        yield f"Content-Type: {content.content_type}\r\n\r\n".encode("ascii")
        yield from content
    else:
        yield content


def canonical_message(octets: bytes) -> bytes:
    """A message element's exclusive canonical form: what is digested, delivered and proven."""
    check_xml_octets(octets)
    return canonical(read_xml(octets, large=True))
