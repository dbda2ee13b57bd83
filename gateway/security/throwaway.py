"""A throw-away PKI: CA, certificates, keys and revocation lists in a folder, for a first try, tests and examples.

What is made is described by plain values (`Description`), which a TOML file can add to (`read_description`). Nothing is
ever overwritten except a revocation list by `make_crl`. Private keys are readable for their owner only.
"""

import os
import tomllib
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from gateway.errors import Misconfigured
from gateway.security._issue import AnyKey, CertificateSpec, Pair, issue, new_key, revocation_list
from gateway.security.keys import load_certificate, load_crls, load_private_key

__all__ = [
    "EXAMPLE_HUB_OIN", "EXAMPLE_OINS", "CertificateSpec", "CrlSpec", "Description", "Pair", "default_description",
    "issue", "make_crl", "make_pki", "new_key", "read_description", "revocation_list",
]

T = TypeVar("T")

CRL_VALID: Final = timedelta(days=30)
_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")
EXAMPLE_HUB_OIN: Final = "00000099000000099000"  # prefix 00000099: test
_PARTIES: Final = (
    # slug, name, key that signs: both families occur, as the hub answers each in its own
    ("gemeente", "Gemeente Voorbeeldstad", "RSA-2048"),
    ("energie", "Voorbeeld Energie", "RSA-2048"),
    ("deurwaarder", "Voorbeeld Gerechtsdeurwaarders", "P-256"),
    ("zorgverzekeraar", "Voorbeeld Zorgverzekeraar", "RSA-2048"),
    ("kredietbank", "Kredietbank Voorbeeldstad", "P-256"),
    ("waarborgfonds", "Voorbeeld Waarborgfonds", "P-256"),
    ("bewindvoerder", "Voorbeeld Bewindvoering", "P-256"),
    ("budgetbeheer", "Voorbeeld Budgetbeheer", "P-256"),
    ("matching", "Voorbeeld Matchingsysteem", "P-256"),
    ("rechtbank", "Rechtbank Voorbeeldland", "P-256"),
)
EXAMPLE_OINS: Final[Mapping[str, str]] = {
    slug: f"00000099{number:09}000" for number, (slug, _, _) in enumerate(_PARTIES, start=1)
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CrlSpec:
    """One revocation list to make. Days count from the making."""

    file: str  # <file>.crl
    issuer: str  # file of the CA
    revoked: tuple[str, ...] = ()  # files of certificates
    from_days: int = 0
    until_days: int = 30
    number: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What to make, in order: an issuer stands before what it issues."""

    certificates: tuple[CertificateSpec, ...]
    crls: tuple[CrlSpec, ...] = ()

    def plus(self, other: "Description") -> "Description":
        """Both; what the other asks for comes after."""
        return Description(certificates=self.certificates + other.certificates, crls=self.crls + other.crls)


def default_description() -> Description:
    """The example world of `gateway init`: one CA, the hub and ten parties, each a certificate for TLS, one for signing
    and one to encrypt to.

    TLS certificates serve both ways and name the loopback addresses, as parties may take push on this machine.
    """
    hub = ("hub", "Voorbeeldknooppunt", EXAMPLE_HUB_OIN, "RSA-2048")
    holders = [hub] + [(slug, name, EXAMPLE_OINS[slug], key) for slug, name, key in _PARTIES]
    made = [
        # An RSA CA, as PKIoverheid's: verifying costs a third of what it would on P-256.
        CertificateSpec(file="ca", name="Voorbeeld CA", key="RSA-2048", authority=True, path_length=0,
                        usage=("keyCertSign", "cRLSign"), until_days=5 * 365)
    ]
    for slug, name, oin, key in holders:
        made += [
            CertificateSpec(file=f"{slug}-tls", name=f"{name} (TLS)", oins=(oin,), hosts=_LOOPBACK,
                            purposes=("serverAuth", "clientAuth")),
            CertificateSpec(file=f"{slug}-sign", name=f"{name} (ondertekening)", oins=(oin,), key=key),
            CertificateSpec(file=f"{slug}-enc", name=f"{name} (versleuteling)", oins=(oin,), key="RSA-2048",
                            usage=("keyEncipherment",)),
        ]
    return Description(certificates=tuple(made), crls=(CrlSpec(file="ca", issuer="ca"),))


def read_description(text: str) -> Description:
    """A description in TOML: tables [[certificate]] and [[crl]] with the fields of the specs as keys.

    Raises Misconfigured that names an unknown or missing key, or one with the wrong kind of value.
    """
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Misconfigured(f"description is no TOML: {error}") from error
    for name in tables.keys() - {"certificate", "crl"}:
        raise Misconfigured(f"description: unknown table {name}; known are [[certificate]] and [[crl]]")
    for name, rows in tables.items():
        if not isinstance(rows, list):
            raise Misconfigured(f"description: {name} is no list of tables; write [[{name}]]")
    return Description(
        certificates=tuple(_spec(CertificateSpec, row) for row in tables.get("certificate", ())),
        crls=tuple(_spec(CrlSpec, row) for row in tables.get("crl", ())),
    )


def make_pki(description: Description, folder: Path, now: datetime) -> None:
    """Write what is described into `folder` (made if absent); `now` is aware UTC. Keys are made side by side.

    Raises Misconfigured when a file is there already (nothing is overwritten) or an issuer is not.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        keys = list(pool.map(lambda spec: new_key(spec.key), description.certificates))
    made: dict[str, Pair] = {}
    for spec, key in zip(description.certificates, keys, strict=True):
        issuer = None if spec.issuer == spec.file else _made(made, spec.issuer, spec.file)
        made[spec.file] = issue(spec, key, issuer=issuer, now=now)
        _write_new(folder / f"{spec.file}.key", _key_pem(key), mode=0o600)
        _write_new(folder / f"{spec.file}.pem", made[spec.file].certificate.public_bytes(Encoding.PEM))
    for crl in description.crls:
        found = revocation_list(
            _made(made, crl.issuer, crl.file),
            [_made(made, file, crl.file).certificate.serial_number for file in crl.revoked],
            this_update=now + timedelta(days=crl.from_days),
            next_update=now + timedelta(days=crl.until_days),
            number=crl.number,
        )
        _write_new(folder / f"{crl.file}.crl", found.public_bytes(Encoding.PEM))


def make_crl(
    folder: Path, revoked: Iterable[int], now: datetime, valid_for: timedelta = CRL_VALID, *, ca: str = "ca"
) -> Path:
    """Write a new list of the CA in `folder` that names exactly the serial numbers `revoked`; its number is one up.

    The file changes in one step: a reader sees the old list or the new one. Raises Misconfigured when CA or key lack.
    """
    path = folder / f"{ca}.crl"
    issuer = Pair(
        certificate=x509.load_der_x509_certificate(load_certificate(folder / f"{ca}.pem")),
        key=load_private_key(folder / f"{ca}.key"),
    )
    number = _number(path) + 1 if path.exists() else 1
    found = revocation_list(issuer, revoked, this_update=now, next_update=now + valid_for, number=number)
    fresh = path.with_suffix(".crl.new")
    fresh.write_bytes(found.public_bytes(Encoding.PEM))
    fresh.replace(path)
    return path


def _number(path: Path) -> int:
    crl = x509.load_der_x509_crl(load_crls(path)[0])
    return crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number


def _made(made: dict[str, Pair], file: str, asking: str) -> Pair:
    if file not in made:
        raise Misconfigured(f"{asking}: {file} is not described before it")
    return made[file]


def _key_pem(key: AnyKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _write_new(path: Path, octets: bytes, mode: int = 0o644) -> None:
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(octets)
    except FileExistsError as error:
        raise Misconfigured(f"{path}: exists and is not overwritten; choose an empty folder") from error


def _spec(kind: type[T], row: object) -> T:
    """One table as a spec: every key known, lists as tuples, values of the field's kind."""
    title = "crl" if kind is CrlSpec else "certificate"
    if not isinstance(row, dict):
        raise Misconfigured(f"description: {title} is no table; write [[{title}]]")
    name = row.get("file", "without file")
    known = {field.name: field.type for field in fields(kind)}  # type: ignore[arg-type]
    values: dict[str, object] = {}
    for key, value in row.items():
        if key not in known:
            raise Misconfigured(f"description: {title} {name} has unknown key {key}; known: {', '.join(known)}")
        fits = (
            isinstance(value, list) and all(isinstance(one, str) for one in value)
            if known[key] == tuple[str, ...]
            else type(value) is (int if known[key] == int | None else known[key])
        )
        if not fits:
            raise Misconfigured(f"description: {title} {name} has a wrong kind of value at {key}")
        values[key] = tuple(value) if isinstance(value, list) else value
    try:
        return kind(**values)
    except TypeError as error:
        raise Misconfigured(f"description: {title} {name} lacks a key; asked are file, name or issuer") from error
