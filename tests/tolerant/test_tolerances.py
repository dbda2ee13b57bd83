"""Each declared tolerance (gateway/tolerances.py): taken, counted for its caller, and said beside a fault."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from lxml import etree

from gateway.soap import Limits, parse, read_fault
from gateway.storage import Reports
from gateway.tolerances import TABLE
from gateway.values import Party, Remark, Reply
from tests import foreign
from tests.foreign import O, S
from tests.hostile.attack import message
from tests.hostile.certificates import identity
from tests.line import KN, Line, code
from tests.tolerant.accepting import Host, body_text

KEYS = {"rsa-under-3072-tls", "rsa-under-3072-signing"}  # the example party signs with RSA-2048, and calls with P-256


@dataclass(kw_only=True)
class Oddity:
    """What a request does otherwise than it should."""

    style: dict[str, object] = field(default_factory=dict)
    octets: Callable[[bytes], bytes] = lambda octets: octets
    soap_action: str | None = '""'


def other_headers(octets: bytes) -> bytes:
    """Two blocks for another actor, one of them a Security of its own; nobody signed them."""
    blocks = (b'<x:Route xmlns:x="urn:x" s:actor="urn:other">KANARIE</x:Route>'
              b'<o:Security s:actor="urn:other" s:mustUnderstand="0"/>')
    return octets.replace(b"<s:Header>", b"<s:Header>" + blocks, 1)


ODDITIES: dict[str, Oddity] = {
    "soapaction-absent": Oddity(soap_action=None),
    "soapaction-unquoted": Oddity(soap_action="urn:schuldenknooppunt:schuldregeling:2.0:Kennisgeving"),
    "byte-order-mark": Oddity(octets=lambda octets: b"\xef\xbb\xbf" + octets),
    "declared-us-ascii": Oddity(octets=lambda octets: b'<?xml version="1.0" encoding="US-ASCII"?>' + octets),
    "header-for-another-actor": Oddity(octets=other_headers),
    "from-absent": Oddity(style={"headers": ("To", "Action", "MessageID")}),
    "token-encoding-type-absent": Oddity(style={"encoding_type": False}),
    "reference-value-type-absent": Oddity(style={"value_type": False}),
    "clock-skew": Oddity(style={"shift": timedelta(seconds=30)}),
}


@pytest.fixture(scope="module")
def modern(host: Host) -> foreign.Identity:
    """A signing key that nobody phases out."""
    return identity(host.target.line, key="P-256")


def used(line: Line, slug: str = "gemeente") -> dict[str, int]:
    """The counts on a party's page."""
    line.gate.tolerances.flush()
    return {one.tolerance: one.count for one in Reports(line.store).tolerances(party(line, slug).id)}


def party(line: Line, slug: str) -> Party:
    found = line.instance.register.resolve(slug)
    assert found is not None
    return found


def remarks(reply: Reply) -> set[str]:
    """The remarks of a fault, each in the words of the table."""
    seen = read_fault(parse(reply.octets, Limits())).remarks
    assert all(one == Remark(code=one.code, nl=TABLE[one.code].nl, en=TABLE[one.code].en) for one in seen)
    return {one.code for one in seen}


def test_every_tolerance_has_its_oddity_here() -> None:
    assert {*ODDITIES, *KEYS} == {*TABLE}


@pytest.mark.clause("WS002", "WS007", "WA001", "WB002", "BP R1109", "BSP R3029", "BSP R3059")
@pytest.mark.parametrize("name", ODDITIES)
def test_it_is_taken_counted_and_remarked_upon(host: Host, modern: foreign.Identity, name: str) -> None:
    """And nothing else is said of the same request."""
    line, odd = host.target.line, ODDITIES[name]
    style = {"identity": modern, "method": foreign.ECDSA_SHA256, **odd.style}
    before = used(line)
    reply = line.post(odd.octets(host.write(**style)), soap_action=odd.soap_action)
    assert (reply.status, code(reply)) == (200, None), line.refusals()[-1:]
    assert used(line) == {**before, name: before.get(name, 0) + 1}
    wrong = body_text(message()).replace("2026-02-24", "2026-02-31")
    reply = line.post(odd.octets(host.write(wrong, **style)), soap_action=odd.soap_action)
    assert code(reply) == "SKP001"
    assert remarks(reply) == {name}
    assert used(line)[name] == before.get(name, 0) + 2


def test_a_request_as_the_standards_ask_it_has_no_remark(host: Host, modern: foreign.Identity) -> None:
    line, before = host.target.line, used(host.target.line)
    style = {"identity": modern, "method": foreign.ECDSA_SHA256}
    assert line.post(host.write(**style)).status == 200
    wrong = body_text(message()).replace("2026-02-24", "2026-02-31")
    reply = line.post(host.write(wrong, **style))
    assert (code(reply), remarks(reply)) == ("SKP001", set())
    assert b"Opmerkingen" not in reply.octets
    assert used(line) == before


@pytest.mark.parametrize(("key", "said"), [("RSA-2048", KEYS), ("RSA-3072", set())])
def test_short_rsa_keys_are_remarked_upon_for_tls_and_signature(host: Host, key: str, said: set[str]) -> None:
    line = host.target.line
    mine = identity(line, key=key, purposes=("clientAuth",))
    before = used(line)
    assert line.post(host.write(identity=mine), peer=mine.certificate).status == 200
    assert {name for name, count in used(line).items() if count > before.get(name, 0)} == said
    wrong = host.write(body_text(message()).replace("2026-02-24", "2026-02-31"), identity=mine)
    assert remarks(line.post(wrong, peer=mine.certificate)) == said


@pytest.mark.clause("§3.6")
@pytest.mark.parametrize(("touch", "said"), [
    (lambda octets: octets.replace(b"SHV-2026", b"SHV-2027"), {"soapaction-absent", "reference-value-type-absent"}),
    (lambda octets: octets[:-3], {"soapaction-absent"})], ids=["signature", "no XML"])
def test_a_security_fault_says_what_is_visible_and_not_what_held(
    host: Host, touch: Callable[[bytes], bytes], said: set[str],
) -> None:
    """A remark that is known only after the signature held would tell that it held."""
    reply = host.target.line.post(touch(host.write(value_type=False)), soap_action=None)
    assert remarks(reply) == said


@pytest.mark.clause("§3.6")
def test_a_replayed_number_is_no_oracle_for_the_signature(host: Host) -> None:
    style = {"message_id": "urn:uuid:dddddddd-dddd-4ddd-8ddd-dddddddddddd"}
    line = host.target.line
    assert line.post(host.write(**style)).status == 200
    replayed = line.post(host.write(**style))
    forged = line.post(host.write(**style).replace(b"SHV-2026", b"SHV-2027"))
    assert code(replayed) == code(forged) == "SKP015"
    assert remarks(replayed) == remarks(forged) == set()


def test_a_fault_with_remarks_fits_its_schema(host: Host) -> None:
    line = host.target.line
    octets = host.write(headers=("To", "Action", "MessageID"), encoding_type=False, value_type=False)
    reply = line.post(b"\xef\xbb\xbf" + other_headers(octets).replace(b"SHV-2026", b"SHV-2027"), soap_action=None)
    report = next(etree.fromstring(reply.octets).iter(f"{{{KN}}}Foutbericht"))
    schema = etree.XMLSchema(file=str(line.instance.settings.sets.xsd / "knooppunt" / "1.0" / "fout.xsd"))
    schema.assertValid(report)
    assert len(report.findall(f"{{{KN}}}Opmerkingen/{{{KN}}}Opmerking")) == 6
    assert not re.search(rb"KANARIE", reply.octets)


@pytest.mark.clause("WS007", "BP R1027", "BP R1013")
@pytest.mark.parametrize(("block", "refusal"), [
    ('<x:B xmlns:x="urn:x" s:actor="urn:other" s:mustUnderstand="1"/>', "[0010]"),
    ('<x:B xmlns:x="urn:x" s:actor=""/>', "[0010]"), ('<x:B xmlns:x="urn:x"/>', "[0010]"),
    (f'<x:B xmlns:x="urn:x" s:actor="{S.replace("/envelope/", "/actor/next")}"/>', "[0010]"),
    ('<x:B xmlns:x="urn:x" s:actor="urn:other" s:mustUnderstand="true"/>', "[0001]"),
    ('<a:To s:actor="urn:other">urn:x</a:To>', "[0010]"),
    (f'<o:Security xmlns:o="{O}" s:actor="urn:other" s:mustUnderstand="1"/>', "[0010]"),
    ('<x:B xmlns:x="urn:x" s:actor="urn:other" Id="id-Body"/>', "wsse:InvalidSecurity"),
])
def test_blocks_that_are_ours_or_would_be_are_not_passed_by(host: Host, block: str, refusal: str) -> None:
    """The line around header-for-another-actor."""
    octets = host.write().replace(b"<s:Header>", b"<s:Header>" + block.encode(), 1)
    reply = host.target.line.post(octets)
    assert reply.status == 500
    assert refusal.encode() in reply.octets


def test_a_tolerance_used_hundreds_of_times_is_one_remark(host: Host) -> None:
    octets = host.write(encoding_type=False, value_type=False)
    token = octets[octets.index(b"<o:BinarySecurityToken"):octets.index(b"<u:Timestamp")]
    crowd = b"".join(token.replace(b"id-Binary", b"id-%d-Binary" % number) for number in range(450))
    reply = host.target.line.post(octets.replace(token, token + crowd))
    assert (code(reply), len(read_fault(parse(reply.octets, Limits())).remarks)) == ("SKP015", 2)
    assert len(reply.octets) < 15_000


def test_what_a_party_is_not_charged_for(host: Host) -> None:
    """Others' requests, and requests of nobody."""
    line = host.target.line
    before = used(line, "energie")
    assert line.post(host.write(), peer=b"x").status == 403
    assert line.post(host.write(), soap_action=None).status == 200
    assert used(line, "energie") == before
