"""Seeds: what the tests send, as recipes, and one of each kind for the doors that no test of the line goes through.

    python -m pytest -p tests.fuzz.gather tests/hostile tests/tolerant tests/acceptance/test_conversation.py
    python -m tests.fuzz.gather          the grammar's, and those of the other doors

Both write to build/fuzz/gathered/; `make fuzz-corpus` keeps of them what adds coverage (tests/fuzz/README.md).
"""

import hashlib
import re
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from cryptography import x509
from lxml import etree

from gateway.app import create_instance
from gateway.errors import GatewayError
from gateway.security.throwaway import CertificateSpec, issue, new_key, revocation_list
from gateway.values import Reply
from tests import foreign
from tests.foreign import A, D
from tests.fuzz.authority import AT, KEY_ID, Authority
from tests.fuzz.doors import ENCRYPTS, MESSAGE, RECORD
from tests.fuzz.grammar import seeds
from tests.fuzz.recipe import CREATED, DIGEST, EXPIRES, METHOD, SIGNATURE, TOKEN, Recipe, write
from tests.line import KN, POSTBUS, SHV, Line, make_line

ROOT = Path(__file__).parents[2]
BEHEER = "/soap/knooppunt/1.0/beheer"
GATHERED = ROOT / "build" / "fuzz" / "gathered"
_LARGEST = 30_000  # octets; larger ones tell the same more slowly
_SIGNERS = ("gemeente", "energie", "deurwaarder", "hub", "kredietbank", "rechtbank", "zorgverzekeraar", "bewindvoerder")


def pytest_configure(config: pytest.Config) -> None:
    send = Line.post

    def post(self: Line, octets: bytes, *, path: str = SHV, party: str = "gemeente", soap_action: str | None = '""',
             peer: bytes | None = None) -> Reply:
        if len(octets) < _LARGEST and peer is None:
            keep(write(as_recipe(self, octets, path, party, soap_action)))
        return send(self, octets, path=path, party=party, soap_action=soap_action, peer=peer)

    Line.post = post  # type: ignore[method-assign]


def keep(data: bytes) -> None:
    GATHERED.mkdir(parents=True, exist_ok=True)
    (GATHERED / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)


def as_recipe(line: Line, octets: bytes, path: str, party: str, soap_action: str | None) -> Recipe:
    """What was sent, with placeholders for all that depends on keys and clock."""
    signer = party
    for slug in _SIGNERS:
        token = b64encode(line.signing_key(slug).certificate)
        if token in octets:
            octets, signer = octets.replace(token, TOKEN), slug
    for moment, placeholder in ((line.at, CREATED), (line.at + timedelta(minutes=5), EXPIRES)):
        minute = moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M").encode()
        octets = re.sub(b">" + minute + rb"[0-9:.]*Z<", b">" + placeholder + b"<", octets)
    octets = re.sub(rb"(DigestValue>)[A-Za-z0-9+/=]+<", rb"\1" + DIGEST + b"<", octets)
    octets = re.sub(rb"(SignatureValue>)[A-Za-z0-9+/=]+<", rb"\1" + SIGNATURE + b"<", octets)
    octets = re.sub(rb'(SignatureMethod Algorithm=")[^"]*#(?:rsa|ecdsa)-sha256"', rb"\1" + METHOD + b'"', octets)
    fields = {"door": "line", "path": path, "caller": party, "signer": signer}
    return Recipe(fields=fields if soap_action is None else {**fields, "action": soap_action}, octets=octets)


def others() -> Iterator[Recipe]:
    """One of each kind for the other doors."""
    ca = Authority()
    specs = (
        CertificateSpec(file="a", name="Voorbeeld", oins=("00000099000000050000",), purposes=("clientAuth",)),
        CertificateSpec(file="b", name="Voorbeeld", oins=("00000099000000050000",), hosts=("localhost", "127.0.0.1"),
                        purposes=("clientAuth", "serverAuth"), key="RSA-2048"),
        CertificateSpec(file="c", name="Voorbeeld", authority=True, path_length=1, usage=("keyCertSign",)),
        CertificateSpec(file="d", name="Voorbeeld", oddities=("unknown-critical",)),
        CertificateSpec(file="e", name="Voorbeeld", oddities=("name-constraints",)),
    )
    for spec in specs:
        inner = issue(spec, new_key(spec.key), issuer=ca.pair, now=AT).certificate.tbs_certificate_bytes
        for usage in ("client", "signing"):
            yield Recipe(fields={"door": "certificate", "sign": "ca", "usage": usage},
                         octets=inner.replace(ca.key_id, KEY_ID))
    leaf = x509.load_der_x509_certificate(ca.leaf).serial_number
    for revoked in ((), (leaf,), tuple(range(1, 40))):
        found = revocation_list(ca.pair, revoked, this_update=AT - timedelta(hours=1),
                                next_update=AT + timedelta(days=9), number=7)
        yield Recipe(fields={"door": "revocation", "sign": "ca"},
                     octets=found.tbs_certlist_bytes.replace(ca.key_id, KEY_ID))
    yield Recipe(fields={"door": "evidence"}, octets=RECORD)


def of_an_instance(folder: Path) -> Iterator[Recipe]:
    """Settings and address book as `gateway init` writes them; what the hub answers to a party."""
    create_instance(folder / "template")
    for door, name in (("settings", "gateway"), ("parties", "parties")):
        yield Recipe(fields={"door": door}, octets=(folder / "template" / f"{name}.toml").read_bytes())
    line = make_line(folder / "template", folder / "instance")
    answers: list[bytes] = []

    def post(url: str, request: bytes, action: str) -> tuple[int, bytes]:
        reply = line.post(request, path=url.partition("8443")[2])
        root = etree.fromstring(request)
        octets = reply.octets.replace(root.findtext(f".//{{{D}}}SignatureValue").encode(), b"@VALUE@")
        answers.append(octets.replace(root.findtext(f".//{{{A}}}MessageID").encode(), b"@RELATES@"))
        return reply.status, reply.octets

    yield from encrypting(line)
    client = replace(line.instance.party("gemeente"), post=post, clock=lambda: line.at)
    calls: dict[str, Callable[[], object]] = {
        "send": lambda: client.send(MESSAGE), "list": client.waiting, "collect": lambda: client.collect("1")}
    for ask, call in calls.items():
        with suppress(GatewayError):
            call()
        made = as_recipe(line, answers[-1], "", "hub", None)
        yield Recipe(fields={"door": "answer", "ask": ask, "signer": "hub"}, octets=made.octets)
    line.store.close()


def encrypting(line: Line) -> Iterator[Recipe]:
    """Requests of the party that encrypts its Bodies."""
    for path, child in ((POSTBUS, f'<HaalBerichtenlijstOp xmlns="{KN}"/>'), (BEHEER, f'<Ping xmlns="{KN}"/>')):
        octets = foreign.octets(foreign.build(line.plan(child.encode(), path=path, party=ENCRYPTS)))
        made = as_recipe(line, octets, path, ENCRYPTS, '""')
        for more in ({}, {"inner": "1"}, {"outer": "2"}):
            yield Recipe(fields={**made.fields, "encrypt": "yes", **more}, octets=made.octets)


if __name__ == "__main__":
    with TemporaryDirectory() as scratch:
        for recipe in (*others(), *of_an_instance(Path(scratch))):
            keep(write(recipe))
    for made in seeds(400):
        keep(made)
