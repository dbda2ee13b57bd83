"""What goes over the wire, octet by octet: the same requests at the same moment with the same ids, each run anew.

No private key may be committed, so each run makes its own; what depends on a key, and nothing else, is replaced by a
placeholder before it is compared: certificates and the ids made of them, signature values, the digests of parts that
hold one of these, and the journal's hash (its record names the signer's certificate and signature).
"""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from lxml import etree

from gateway.app import create_instance
from gateway.security import Usage
from gateway.security.throwaway import default_description, make_pki
from gateway.values import Reply
from tests import foreign
from tests.line import BASE, KN, POSTBUS, SE, Line, example, make_line

FOLDER = Path(__file__).parent / "octets"
AT = datetime(2026, 3, 2, 9, 30, 0, 250_000, UTC)
W11 = "http://docs.oasis-open.org/wss/oasis-wss-wssecurity-secext-1.1.xsd"


def make_cases(folder: Path) -> dict[str, bytes]:
    """File name → normalised octets of every case. `folder` is empty and may be filled."""
    template = folder / "template"
    create_instance(template)
    shutil.rmtree(template / "pki")
    make_pki(default_description(), template / "pki", AT)
    line = make_line(template, folder / "instance", at=AT)
    try:
        line.gate = replace(line.gate, new_id=_counter("1"))
        return {f"{name}.xml": normalise(octets) for name, octets in _exchange(line)}
    finally:
        line.store.close()


def _exchange(line: Line) -> Iterator[tuple[str, bytes]]:
    """One message from request to mailbox, and the kinds of fault, in a fixed order."""
    ids = _counter("2")
    request = _wrap(line, ids, "gemeente", example("Kennisgeving-volledig"))
    yield "request", request
    yield "receipt", line.post(request).octets
    yield "mailbox-list", _ask(line, "HaalBerichtenlijstOp").octets
    number = etree.fromstring(request).findtext(f".//{{{KN}}}Referentienummer")
    yield "mailbox-message", _ask(line, "HaalBerichtOp", f"<Referentienummer>{number}</Referentienummer>").octets
    yield "mailbox-confirmed", _ask(line, "BevestigBericht", f"<Referentienummer>{number}</Referentienummer>").octets
    yield "request-p256", _wrap(line, ids, "deurwaarder", example("StatusVerzoek-minimaal"))
    faults: dict[str, Callable[[], Reply]] = {
        "fault-choreography": lambda: line.post(_wrap(line, ids, "gemeente", example("RegelingGeaccordeerd-minimaal"))),
        "fault-schema": lambda: line.post(
            _wrap(line, ids, "gemeente", example("Kennisgeving-volledig").replace(b"2026-02-24", b"2026-02-31"))),
        "fault-security": lambda: line.post(request.replace(b"SHV-2026", b"SHV-2027")),
        "fault-addressing": lambda: line.post(request, path=SE, party="energie"),
    }
    for name, make in faults.items():
        yield name, make().octets


def _wrap(line: Line, ids: Callable[[], str], party: str, message: bytes) -> bytes:
    client = line.instance.party(party, url=BASE)
    client = replace(client, clock=lambda: AT, new_id=ids, check_hub=line.trust.checker(Usage.SIGNING))
    return client.wrap(message)[2].octets


def _ask(line: Line, operation: str, fields: str = "") -> Reply:
    child = f'<{operation} xmlns="{KN}">{fields}</{operation}>'.encode()
    return line.send(child, path=POSTBUS, party="energie", message_id="urn:uuid:30000000-0000-4000-8000-000000000000")


def _counter(first: str) -> Callable[[], str]:
    numbers = iter(range(1, 1000))
    return lambda: f"{first}0000000-0000-4000-8000-{next(numbers):012}"


def normalise(octets: bytes) -> bytes:
    """Placeholders for what depends on the run's own keys; every other octet stays as it is on the wire."""
    root = etree.fromstring(octets)
    dependent = {
        part.get(f"{{{foreign.U}}}Id") for part in root.iter(f"{{{foreign.O}}}BinarySecurityToken",
                                                             f"{{{W11}}}SignatureConfirmation")}
    if root.find(f".//{{{KN}}}JournaalHash") is not None:
        dependent.add(root.find(f"{{{foreign.S}}}Body").get(f"{{{foreign.U}}}Id"))
    secrets = [("TOKEN", one.text) for one in root.iter(f"{{{foreign.O}}}BinarySecurityToken")]
    secrets += [("TOKEN-ID", one.get(f"{{{foreign.U}}}Id")) for one in root.iter(f"{{{foreign.O}}}BinarySecurityToken")]
    secrets += [("SIGNATURE", one.text) for one in root.iter(f"{{{foreign.D}}}SignatureValue")]
    secrets += [("CONFIRMED", one.get("Value")) for one in root.iter(f"{{{W11}}}SignatureConfirmation")]
    secrets += [("JOURNAL", one.text) for one in root.iter(f"{{{KN}}}JournaalHash")]
    references = [one for one in root.iter(f"{{{foreign.D}}}Reference") if one.get("URI")[1:] in dependent]
    secrets += [("DIGEST", one.findtext(f"{{{foreign.D}}}DigestValue")) for one in references]
    for placeholder, text in secrets:
        octets = octets.replace(text.encode(), placeholder.encode())
    return octets
