"""The first check that fails decides: a request wrong in every way, mended step by step (docs/profile.md §1)."""

import json
import uuid

import pytest
from lxml import etree

from tests import foreign
from tests.foreign import S
from tests.line import SHV, Line, code, example

# What is wrong, and the error each is refused with, in the order of the checks.
STEPS = {
    "other path": "NotFound", "not utf-8": "NotUtf8", "two roots": "NotXml", "other root": "VersionMismatch",
    "two bodies": "MalformedEnvelope", "not understood": "NotUnderstood", "own header": "ForbiddenHeader",
    "no MessageID": "MessageIdMissing", "other SOAPAction": "ActionMismatch", "other element": "ActionMismatch",
    "no token": "SecurityMissing", "unsigned part": "ReferenceMissing", "self-made certificate": "CertificateRejected",
    "changed body": "SignatureInvalid", "stale": "TimestampStale", "invalid": "SchemaInvalid",
    "unknown addressee": "ReceiverUnknown", "before its time": "ChoreographyError",
}


def request(line: Line, wrong: set[str]) -> tuple[bytes, str, str | None]:
    """The octets, path and SOAPAction of a request that is wrong in these ways."""
    name = "RegelingGeaccordeerd-volledig" if "before its time" in wrong else "Kennisgeving-volledig"
    child = example(name)
    if "unknown addressee" in wrong:
        child = child.replace(b"11111111-1111-4111-8111-000000000002", str(uuid.uuid4()).encode())
    if "invalid" in wrong:
        child = child.replace(b"<kn:TijdstipBericht>20", b"<kn:TijdstipBericht>XX")
        assert b"XX" in child
    action = etree.QName(etree.fromstring(child))
    changes: dict[str, object] = {"action": f"{action.namespace}:{action.localname}"}
    if "no MessageID" in wrong:
        changes["message_id"] = None
    if "stale" in wrong:
        changes["created"] = "2020-01-01T00:00:00Z"
        changes["expires"] = None
    if "unsigned part" in wrong:
        changes["unsigned"] = frozenset({"To"})
    if "self-made certificate" in wrong:
        changes["token"] = b"no certificate"
    root = foreign.build(line.plan(child, **changes))
    header, body = root
    if "changed body" in wrong:
        body[0][0].tail = "\n"
    if "no token" in wrong:
        security = header.find(f"{{{foreign.O}}}Security")
        security.remove(security.find(f"{{{foreign.O}}}BinarySecurityToken"))
    if "other element" in wrong:
        body[0].tag = body[0].tag + "Anders"
    if "own header" in wrong:
        etree.SubElement(header, "{urn:x}eigen")
    if "not understood" in wrong:
        etree.SubElement(header, "{urn:x}moet", {f"{{{S}}}mustUnderstand": "1"})
    if "two bodies" in wrong:
        etree.SubElement(root, f"{{{S}}}Body")
    if "other root" in wrong:
        root.tag = "{urn:x}Envelope"
    octets = etree.tostring(root)
    octets += b"<tweede/>" if "two roots" in wrong else b""
    octets += b"\xff" if "not utf-8" in wrong else b""
    soap_action = '"urn:anders"' if "other SOAPAction" in wrong else '""'
    return octets, "/soap/anders" if "other path" in wrong else SHV, soap_action


@pytest.mark.clause("§3.7", "BP R1015", "BP R1025", "BP R1027", "BP R1028", "BP R1029", "BP R2724", "WB013")
def test_the_first_check_that_fails_decides_and_has_no_effect(line: Line) -> None:
    wrong, seen = list(STEPS), []
    while wrong:
        octets, path, soap_action = request(line, set(wrong))
        before = line.rows("refusals")
        assert line.post(octets, path=path, soap_action=soap_action).status >= 400
        assert line.rows("refusals") == before + 1
        seen.append(json.loads(line.refusals()[-1])["error"])
        del wrong[0]
    assert seen == list(STEPS.values())
    assert [line.rows(table) for table in ("messages", "deliveries", "conversations", "proofs")] == [0] * 4
    octets, path, soap_action = request(line, set())
    assert code(line.post(octets, path=path, soap_action=soap_action)) is None
