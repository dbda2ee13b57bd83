"""The instance folder's two files as frozen values: gateway.toml here, parties.toml in _parties.py.

Every key has its type, its default and its bounds in this module and nowhere else. Whatever is unknown, missing, of
the wrong type or points to a file that is not there raises Misconfigured with file, line, cause and remedy, before a
socket is opened. Keys and certificates are named here, never read.
"""

import re
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from gateway._parties import (
    ALLOWANCE,
    Change,
    ChangeKind,
    delivery_of,
    dump_parties,
    https_url,
    load_parties,
    named_certificates,
    oin,
    party_id,
    plan,
)
from gateway._push import PUSH_KEYS, Push, read_push
from gateway._routes import load_routes, plan_routes
from gateway._toml import Table, TomlFile
from gateway._trust import TRUST_KEYS, ListSource, Responder, Trust, read_trust
from gateway.database import POSTGRES, Database
from gateway.values import Allowance

__all__ = [
    "Address", "Change", "ChangeKind", "Hub", "Journal", "KeyPair", "Limits", "ListSource", "Push", "Responder",
    "Retention", "Sets", "Settings", "Soap", "Store", "Token", "Trust", "Web", "delivery_of", "dump_parties",
    "load_parties", "load_routes", "load_settings", "named_certificates", "plan", "plan_routes",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a listener listens; port 0 lets the system choose."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hub:
    """Who the hub is, to the parties."""

    id: str  # UUID, lower case
    oin: str
    name: str
    public_url: str  # https, without a slash at the end
    node: str = "hub"  # names this node's own journal chain


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPair:
    """A certificate and its private key, PEM files."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Soap:
    """The SOAP listener."""

    listen: Address
    tls: KeyPair
    max_octets: int  # of one request


@dataclass(frozen=True, slots=True, kw_only=True)
class Web:
    """The web listener: health, metrics, pages."""

    listen: Address


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A PKCS#11 token that keeps the sealing keys."""

    module: Path  # the vendor's library
    label: str
    pin_file: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """The database, and what keeps the sealing keys outside it: a folder, or a token."""

    database: Database  # a relative SQLite file is made absolute
    keys: Path | Token


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How long a message waits for its receiver (docs/contract.md §8), and its metadata for the last question."""

    working_days: int
    metadata_months: int
    calendar: str  # NL
    extra_holidays: frozenset[str]  # goede-vrijdag, bevrijdingsdag: agreed on top of the public ones


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds on clocks and load."""

    skew: timedelta  # how far a peer's clock may be off
    timestamp_ttl: timedelta  # how long a wsu:Timestamp may live (Digikoppeling WUS WB002)
    max_waiting: int  # requests that may wait for a commit before the gateway answers 503
    threads: int  # per worker process
    packages: int  # requests with files of their own (MTOM) under way, per process
    waiting_requests: int  # that have no thread yet, per process
    waiting_seconds: int  # for one
    octets_in_flight: int  # of requests and answers in memory, per process
    party: Allowance  # of each party whose entry in the address book says nothing else
    connections: int  # open at once, of everybody, per process
    handshakes: int  # under way at once, per process
    handshake_seconds: int
    header_seconds: int  # from a request's first octet to the end of its headers
    body_seconds: int  # for a body that does not flow
    body_octets_per_second: int  # by which a body that does flow extends its time
    idle_seconds: int  # between requests, and for an answer that is not being read
    connection_seconds: int  # then a connection ends after its next answer (Digikoppeling WUS WT008)
    connection_requests: int  # likewise
    session_seconds: int  # how long a TLS session may be resumed (WT008)


@dataclass(frozen=True, slots=True, kw_only=True)
class Journal:
    """When the journal is signed and time-stamped."""

    checkpoint_entries: int  # a checkpoint after so many entries,
    checkpoint_seconds: int  # or so long after the last one, when anything came since
    checkpoints: Path  # folder where each node's last checkpoint is published
    tsa: str | None  # URL of a time-stamp authority (RFC 3161)
    tsa_certificates: tuple[Path, ...]  # its certificate, or that of the CA that issues it


@dataclass(frozen=True, slots=True, kw_only=True)
class Sets:
    """Where the message sets and their WSDL lie."""

    xsd: Path
    wsdl: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything of gateway.toml; every path is absolute or counts from where `folder` does."""

    folder: Path
    hub: Hub
    soap: Soap
    web: Web
    signing: tuple[KeyPair, ...]  # newest first: the first signs, all are accepted
    encryption: tuple[KeyPair, ...]  # newest first: the first is for others to use, all decrypt; empty: no 2W-be-SE
    trust: Trust
    store: Store
    retention: Retention
    limits: Limits
    sets: Sets
    journal: Journal
    push: Push


_TABLES = ("hub", "soap", "web", "signing", "encryption", "trust", "store", "retention", "limits", "sets",
           "journal", "push")
_PAIR = ("certificate", "key")
_STORE = ("url", "keys", "password_file", "pool", "retry_seconds", "statement_seconds", "lock_seconds")
_LIMITS = (
    "skew_seconds", "timestamp_ttl_seconds", "max_waiting", "threads", "packages", "waiting_requests",
    "waiting_seconds", "octets_in_flight", "requests_per_second", "burst", "connections_per_party", "connections",
    "handshakes", "handshake_seconds", "header_seconds", "body_seconds", "body_octets_per_second", "idle_seconds",
    "connection_seconds", "connection_requests", "session_seconds",
)


def load_settings(folder: Path) -> Settings:
    """The settings of an instance folder.

    Raises  Misconfigured.
    """
    folder = folder.absolute()
    root = TomlFile(folder / "gateway.toml", folder).root(_TABLES)
    soap = root.table("soap", ("listen", *_PAIR, "max_octets"))
    max_octets = soap.number("max_octets", 10_485_760, minimum=1_024, maximum=1_073_741_824)
    web = root.table("web", ("listen",))
    return Settings(
        folder=folder,
        hub=_hub(root.table("hub", ("id", "oin", "name", "public_url", "node"))),
        soap=Soap(
            listen=_address(soap, "127.0.0.1:8443"),
            tls=_pair(soap, "hub-tls"),
            max_octets=max_octets,
        ),
        web=Web(listen=_address(web, "127.0.0.1:8080")),
        signing=_pairs(root, "signing", "hub-sign"),
        encryption=_pairs(root, "encryption", "hub-enc") if "encryption" in root else (),
        trust=read_trust(root.table("trust", TRUST_KEYS)),
        store=_store(root.table("store", _STORE)),
        retention=_retention(root.table(
            "retention", ("working_days", "metadata_months", "calendar", "extra_holidays"))),
        limits=_limits(root.table("limits", _LIMITS), max_octets),
        sets=_sets(root.table("sets", ("xsd", "wsdl"))),
        journal=_journal(root.table("journal", (
            "checkpoint_entries", "checkpoint_seconds", "checkpoints", "tsa", "tsa_certificate"))),
        push=read_push(root.table("push", PUSH_KEYS)),
    )


def _hub(table: Table) -> Hub:
    node = table.text("node", "hub")
    return Hub(
        id=party_id(table, "id"),
        oin=oin(table, "oin"),
        name=table.text("name"),
        public_url=https_url(table, "public_url", table.text("public_url")).rstrip("/"),
        node=table.matching("node", (node,), r"[a-z0-9][a-z0-9-]{0,39}", "lower-case letters, digits, hyphens")[0],
    )


def _address(table: Table, default: str) -> Address:
    text = table.text("listen", default)
    found = re.fullmatch(r"(?:\[([0-9a-fA-F:]+)\]|([^\s:\[\]]+)):([0-9]{1,5})", text, re.ASCII)
    if found is None or int(found[3]) > 65_535:
        table.refuse("listen", f"'listen' in {table.title} is no address", "use host:port, for instance 127.0.0.1:8443")
    return Address(host=found[1] or found[2], port=int(found[3]))


def _pair(table: Table, name: str) -> KeyPair:
    return KeyPair(
        certificate=table.existing("certificate", f"pki/{name}.pem"),
        key=table.existing("key", f"pki/{name}.key"),
    )


def _pairs(root: Table, name: str, files: str) -> tuple[KeyPair, ...]:
    """The pairs of [signing] or [encryption], which may be one table or a list of them."""
    if not isinstance(root.raw(name), list):
        return (_pair(root.table(name, _PAIR), files),)
    pairs = tuple(_pair(table, files) for table in root.tables(name, _PAIR))
    if not pairs:
        root.refuse(name, f"'{name}' is an empty list", "name at least one certificate and key")
    return pairs


def _store(table: Table) -> Store:
    url = table.text("url", "sqlite:///gateway.db")
    password = table.existing("password_file", "") if "password_file" in table else None
    return Store(
        database=Database(
            url=_server_url(table, url) if url.startswith(POSTGRES) else _file_url(table, url),
            password_file=password,
            pool=table.number("pool", 8, minimum=1, maximum=256),
            retry_seconds=table.number("retry_seconds", 20, minimum=0, maximum=300),
            statement_seconds=table.number("statement_seconds", 30, minimum=1, maximum=3_600),
            lock_seconds=table.number("lock_seconds", 5, minimum=1, maximum=60),
        ),
        keys=_keys(table),
    )


def _file_url(table: Table, url: str) -> str:
    name = url.removeprefix("sqlite:///")
    if name in (url, "", ":memory:") or "?" in name:
        table.refuse("url", "'url' in [store] names no store that lasts",
                     f"use sqlite:///gateway.db, or {POSTGRES}user@host/name")
    return f"sqlite:///{table.file.folder / name}"


def _server_url(table: Table, url: str) -> str:
    """A database on PostgreSQL. What libpq makes of the url is seen when it is opened."""
    user, _, _ = url.removeprefix(POSTGRES).rpartition("@")
    if ":" in user or re.search(r"[?&]password=", url):  # the file may be kept in git, and is shown
        table.refuse("url", "'url' in [store] holds a password",
                     "take it out of the url, and name the file that holds it: password_file")
    if re.fullmatch(r"[^\s#]*/[^\s/?#]+(\?[^\s#]*)?", url.removeprefix(POSTGRES)) is None:
        table.refuse("url", "'url' in [store] names no database", f"use {POSTGRES}user@host/name")
    return url


def _keys(table: Table) -> Path | Token:
    if not isinstance(table.raw("keys"), dict):
        return table.path("keys", "keys")
    inner = table.table("keys", ("pkcs11", "token", "pin_file"))
    module, pin = inner.existing("pkcs11", ""), inner.existing("pin_file", "")
    return Token(module=module, label=inner.text("token"), pin_file=pin)


def _retention(table: Table) -> Retention:
    calendar = table.matching("calendar", (table.text("calendar", "NL"),), "NL", '"NL"')[0]
    extra = table.matching("extra_holidays", table.texts("extra_holidays"), "goede-vrijdag|bevrijdingsdag",
                           '"goede-vrijdag" or "bevrijdingsdag"')
    days = table.number("working_days", 5, minimum=1, maximum=60)
    months = table.number("metadata_months", 24, minimum=6, maximum=240)
    return Retention(working_days=days, metadata_months=months, calendar=calendar, extra_holidays=frozenset(extra))


def _limits(table: Table, max_octets: int) -> Limits:
    def number(key: str, default: int, minimum: int, maximum: int) -> int:
        return table.number(key, default, minimum=minimum, maximum=maximum)

    return Limits(
        skew=timedelta(seconds=number("skew_seconds", 60, 0, 300)),
        timestamp_ttl=timedelta(seconds=number("timestamp_ttl_seconds", 300, 10, 3_600)),
        max_waiting=number("max_waiting", 1_000, 1, 1_000_000),
        threads=number("threads", 8, 1, 256),
        packages=number("packages", 16, 1, 1_000),
        waiting_requests=number("waiting_requests", 64, 1, 100_000),
        waiting_seconds=number("waiting_seconds", 10, 1, 120),
        # One party gets a quarter of it: a message of the largest size must fit.
        octets_in_flight=number("octets_in_flight", max(134_217_728, 4 * max_octets), 4 * max_octets, 1 << 40),
        party=Allowance(
            requests_per_second=number("requests_per_second", 1_000, *ALLOWANCE["requests_per_second"]),
            burst=number("burst", 2_000, *ALLOWANCE["burst"]),
            connections=number("connections_per_party", 200, *ALLOWANCE["connections"]),
        ),
        connections=number("connections", 2_000, 1, 100_000),
        handshakes=number("handshakes", 512, 128, 100_000),  # fewer would put out who came a moment ago
        handshake_seconds=number("handshake_seconds", 10, 1, 120),
        header_seconds=number("header_seconds", 10, 1, 120),
        body_seconds=number("body_seconds", 20, 1, 600),
        body_octets_per_second=number("body_octets_per_second", 16_384, 256, 1_073_741_824),
        idle_seconds=number("idle_seconds", 30, 1, 3_600),
        connection_seconds=number("connection_seconds", 3_600, 1, 86_400),
        connection_requests=number("connection_requests", 10_000, 1, 1_000_000_000),
        session_seconds=number("session_seconds", 900, 60, 7_200),
    )


def _sets(table: Table) -> Sets:
    beside = Path(__file__).resolve().parent.parent
    return Sets(xsd=table.path("xsd", str(beside / "xsd")), wsdl=table.path("wsdl", str(beside / "wsdl")))


def _journal(table: Table) -> Journal:
    tsa = table.text("tsa") if "tsa" in table else None
    if tsa is not None and re.fullmatch(r"https?://[^\s/?#@]+(/[^\s#]*)?", tsa) is None:
        table.refuse("tsa", f"'tsa' in {table.title} is no URL", "use http://host/path or https://host/path")
    if (tsa is None) != ("tsa_certificate" not in table):
        table.refuse("tsa" if tsa else "tsa_certificate", f"'tsa' and 'tsa_certificate' in {table.title} go together",
                     "name the URL, and the certificate (PEM) of the authority or of the CA that issues it")
    return Journal(
        checkpoint_entries=table.number("checkpoint_entries", 10_000, minimum=1, maximum=1_000_000),
        checkpoint_seconds=table.number("checkpoint_seconds", 60, minimum=1, maximum=86_400),
        checkpoints=table.path("checkpoints", "checkpoints"),
        tsa=tsa,
        tsa_certificates=(table.existing("tsa_certificate", ""),) if tsa else (),
    )
