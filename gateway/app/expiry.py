"""What lapses soon: every certificate that settings, address book and pki folder name, and the revocation lists."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509

from gateway.app.instance import Instance, open_instance, utc_now
from gateway.app.trust import read_snapshot
from gateway.errors import Misconfigured
from gateway.security import load_certificates
from gateway.settings import named_certificates

_LISTS = 7  # days; a list lives for days and is fetched anew: it is news only when the next one is late


def expiring(folder: Path, days: int) -> list[dict[str, object]]:
    """Certificates and revocation lists of an instance that lapse within so many days, soonest first.

    Of settings: TLS, signing, encryption, anchors, refused CAs, OCSP issuers; of parties.toml: pins that are files,
    encryption, and rollovers; and whatever else lies in pki/.
    """
    instance, now = open_instance(folder), utc_now()
    rows = {(file, der): _row(file, der, now) for file, der in _certificates(instance)}
    found = [row for row in rows.values() if row["not_after"] < now + timedelta(days=days)]  # type: ignore[operator]
    for one in read_snapshot(instance.settings.trust, now).anchors:
        crl = one.revocation
        if crl is not None and crl.next_update < now + timedelta(days=min(days, _LISTS)):
            found.append({"file": Path(crl.source).name, "subject": crl.issuer, "not_after": crl.next_update,
                          "days_left": (crl.next_update - now).days})
    return sorted(found, key=lambda row: (row["not_after"], row["file"]))


def _certificates(instance: Instance) -> Iterator[tuple[str, bytes]]:
    """Each certificate once, by the name of the file that was named first."""
    seen: set[bytes] = set()
    for path, first_only in _files(instance):
        try:
            ders = load_certificates(path)
        except Misconfigured:
            if path.parent == instance.folder / "pki":  # a key that ends in .pem; what settings name was read before
                continue
            raise
        for der in ders[:1] if first_only else ders:
            if der not in seen:
                seen.add(der)
                yield path.name, der
    for party in instance.register.everyone:
        named = [one for rollover in party.rollovers for one in (rollover.old, rollover.new)]
        for one in (party.encryption, *named):
            if one is not None and one.der is not None and one.der not in seen:
                seen.add(one.der)
                yield Path(one.name).name, one.der


def _files(instance: Instance) -> Iterator[tuple[Path, bool]]:
    """Files of certificates; of a party's only the first in a file is its own."""
    settings = instance.settings
    yield settings.soap.tls.certificate, False
    yield from ((pair.certificate, False) for pair in (*settings.signing, *settings.encryption))
    yield from ((path, False) for path in (*settings.trust.anchors, *settings.trust.refused))
    yield from ((one.issuer, False) for one in settings.trust.ocsp)
    for files in named_certificates(instance.folder / "parties.toml").values():
        yield from ((path, True) for path in files)
    yield from ((path, True) for path in sorted((instance.folder / "pki").glob("*.pem")))


def _row(file: str, der: bytes, now: datetime) -> dict[str, object]:
    certificate = x509.load_der_x509_certificate(der)
    until = certificate.not_valid_after_utc
    return {"file": file, "subject": certificate.subject.rfc4514_string(), "not_after": until,
            "days_left": (until - now).days}
