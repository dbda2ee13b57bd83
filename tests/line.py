"""A whole line in one process: a real instance, real store, real keys; requests go in as octets, replies come out.

`Line` is what the hostile, tolerant and acceptance tests speak to when the network is not what they are about.
"""

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from unittest.mock import patch

from lxml import etree

from gateway.app import hub
from gateway.app.hub import build_gate
from gateway.app.instance import Instance, open_instance, utc_now
from gateway.app.switches import LiveSwitches
from gateway.app.trust import LiveTrust
from gateway.messagesets import load_catalog
from gateway.pipeline import Gate, answer
from gateway.security import keys
from gateway.security.keys import SigningKey, load_certificate, load_signing_key
from gateway.settings import dump_parties, load_parties
from gateway.storage import SqlSwitches, Store, open_store
from gateway.values import Received, Reply, Service
from tests import foreign
from tests.postgres.databases import GIVEN, ask, place

KN = "urn:schuldenknooppunt:knooppunt:1.0"
SR = "urn:schuldenknooppunt:schuldregeling:2.0"
BASE = "https://localhost:8443"
SHV = "/soap/schuldregeling/2.0/shv"
SE = "/soap/schuldregeling/2.0/se"
POSTBUS = "/soap/knooppunt/1.0/postbus"
EXAMPLES = Path(__file__).parent.parent / "xsd" / "schuldregeling" / "2.0" / "examples" / "valid"


@dataclass(kw_only=True)
class Line:
    """One instance and its gate; `at` is the time of every request, `skip` moves it."""

    instance: Instance
    store: Store
    gate: Gate
    at: datetime
    trust: LiveTrust
    switches: LiveSwitches
    events: list[tuple[str, dict[str, object]]] = field(default_factory=list)
    _keys: dict[str, SigningKey] = field(default_factory=dict)

    def skip(self, **by: float) -> None:
        self.at += timedelta(**by)
        self.trust.renew()  # as the running hub does beside its requests
        self.switches.renew()

    def identity(self, slug: str) -> foreign.Identity:
        """A party's signing key, for the foreign stack."""
        key = self.signing_key(slug)
        return foreign.Identity(key=key.private_key, certificate=key.certificate)

    def signing_key(self, slug: str) -> SigningKey:
        if slug not in self._keys:
            pki = self.instance.folder / "pki"
            with kept():
                self._keys[slug] = load_signing_key(pki / f"{slug}-sign.pem", pki / f"{slug}-sign.key")
        return self._keys[slug]

    def peer(self, slug: str) -> bytes:
        """A party's TLS certificate (DER)."""
        return load_certificate(self.instance.folder / "pki" / f"{slug}-tls.pem")

    def plan(self, child: bytes, *, path: str = SHV, party: str = "gemeente", **changes: object) -> foreign.Plan:
        """A well-behaved request of `party`; `changes` bend it (fields of foreign.Plan)."""
        name = etree.QName(etree.fromstring(child))
        values: dict[str, object] = {
            "child": child, "action": f"{name.namespace}:{name.localname}", "to": BASE + path, "now": self.at,
            "identity": self.identity(party), "sender": "https://gemeente.example/",
        }
        return foreign.Plan(**{**values, **changes})

    def post(self, octets: bytes, *, path: str = SHV, party: str = "gemeente", soap_action: str | None = '""',
             peer: bytes | None = None) -> Reply:
        """What the hub answers to these octets from this caller."""
        return answer(
            Received(octets=octets, path=path, content_type="text/xml", soap_action=soap_action,
                     peer=self.peer(party) if peer is None else peer, at=self.at),
            self.gate,
        )

    def send(self, child: bytes, *, path: str = SHV, party: str = "gemeente", **changes: object) -> Reply:
        """Build, sign and post one request."""
        root = foreign.build(self.plan(child, path=path, party=party, **changes))
        return self.post(foreign.octets(root), path=path, party=party)

    def rows(self, table: str) -> int:
        """Rows of a table of the store, read past everything the gateway does."""
        return int(str(ask(self.instance.settings.store.database.url, f"SELECT count(*) FROM {table}")[0][0]))

    def refusals(self) -> list[str]:
        """The journal's records of refused requests, oldest first."""
        rows = ask(self.instance.settings.store.database.url,
                   "SELECT record FROM entries WHERE kind = 'refused' ORDER BY position")
        return [str(row[0]) for row in rows]


def example(name: str) -> bytes:
    """A valid example of Schuldregeling 2.0, such as Kennisgeving-volledig."""
    return (EXAMPLES / f"{name}.xml").read_bytes()


def fault(reply: Reply) -> etree._Element | None:
    """The soap:Fault of a reply."""
    if not reply.octets.startswith(b"<"):
        return None
    return etree.fromstring(reply.octets).find(f".//{{{foreign.S}}}Fault")


def code(reply: Reply) -> str | None:
    """The SKP code of a reply's fault; None for a good answer."""
    found = fault(reply)
    return None if found is None else found.findtext(f".//{{{KN}}}Code")


def edit_parties(folder: Path, **parties: dict[str, object]) -> None:
    """Other facts about parties, by slug (fields of values.Party), in an instance's address book."""
    book = load_parties(folder / "parties.toml")
    changed = [replace(party, **parties.get(party.slug, {})) for party in book]  # type: ignore[arg-type]
    (folder / "parties.toml").write_text(dump_parties(changed), "utf-8")


# What every line would make again of the same files: a fifth of a second of CPU each. All of it is read-only.
_catalog = cache(load_catalog)
_private_keys: dict[bytes, keys.PrivateKey] = {}
_hosts: dict[int, tuple[Mapping[str, Service], hub.Host]] = {}  # by identity of the services, which are kept
_load_private_key, _Host = keys.load_private_key, hub.Host


def _private_key(path: Path) -> keys.PrivateKey:
    """OpenSSL checks an RSA key for 40 ms when it is loaded; once for each content of a file will do."""
    octets = path.read_bytes() if path.is_file() else b""
    if octets not in _private_keys:
        _private_keys[octets] = _load_private_key(path)
    return _private_keys[octets]


def _host(services: Mapping[str, Service]) -> hub.Host:
    """The spyne applications of a catalogue that is kept for the whole run."""
    if id(services) not in _hosts:
        _hosts[id(services)] = services, _Host(services)
    return _hosts[id(services)][1]


@contextmanager
def kept() -> Iterator[None]:
    with patch.object(keys, "load_private_key", _private_key), patch.object(hub, "Host", _host):
        yield


def opened(folder: Path) -> Instance:
    """An instance whose message sets are read once for all tests: they never change, and are a second of work."""
    instance = open_instance(folder)
    instance.__dict__["catalog"] = _catalog(instance.settings.sets.xsd)
    return instance


def make_line(template: Path, folder: Path, *, at: datetime | None = None,
              change: Callable[[Path], None] = lambda folder: None) -> Line:
    """A line on a fresh copy of an instance; `change` may edit the copy's files first."""
    shutil.copytree(template, folder)
    place(folder)
    change(folder)
    instance = opened(folder)
    store = open_store(instance.settings.store.database)
    # A third of a request's time is the disk's; what a power cut leaves is the crash tests' matter (tests/acceptance).
    if GIVEN is None:
        store._writer._connection.cursor().execute("PRAGMA synchronous=OFF")
    book, moment = instance.read_register(), at or utc_now()
    made: list[Line] = []
    trust = LiveTrust(instance.settings.trust, lambda: made[0].at if made else moment, lambda event, facts: None)
    line = Line(instance=instance, store=store, gate=None, at=moment, trust=trust,  # type: ignore[arg-type]
                switches=LiveSwitches(SqlSwitches(store), lambda event, facts: None))
    made.append(line)
    with kept(), ExitStack() as stack:
        stack.callback(store.close)
        line.gate = build_gate(
            instance, store=store, trust=trust, register=lambda: book, switches=line.switches,
            urls={BASE}, clock=lambda: line.at,
            observe=lambda event, facts: line.events.append((event, dict(facts))),
        )
        stack.pop_all()  # the line closes it from now on
    return line
