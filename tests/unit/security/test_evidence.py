"""Evidence files that somebody signed and that hold nonsense: each is said not to hold, none ends in an exception."""

import json
from collections.abc import Callable

import pytest

from gateway.names import RSA_SHA256, SHA256
from gateway.security import (
    EvidenceFacts,
    JournalLine,
    JournalStretch,
    RefusalFacts,
    verify_evidence,
    write_evidence,
)
from gateway.values import Proof
from tests.conftest import Pki

DS = "http://www.w3.org/2000/09/xmldsig#"
INFO = (f'<ds:SignedInfo xmlns:ds="{DS}"><ds:Reference URI="#body"><ds:DigestMethod Algorithm="{SHA256}"/>'
        "<ds:DigestValue>AAAA</ds:DigestValue></ds:Reference></ds:SignedInfo>").encode()
ACCEPTED = {"kind": "accepted", "at": 1, "bridged": []}


def facts(pki: Pki, *, info: bytes = INFO, record: object = ACCEPTED) -> EvidenceFacts:
    proof = Proof(signer_oin="00000099000000001000", signed_info=info, signature_value=b"x",
                  signature_method=RSA_SHA256, certificate=pki.der("gemeente-sign"), caller_oin="00000099000000001000",
                  body_reference="body", before=None, after=None)
    line = JournalLine(position=1, leaf=b"leaf", record=json.dumps(record))
    return EvidenceFacts(referentienummer="r", proof=proof, journals=(
        JournalStretch(node="n", before=b"", lines=(line,), head=b"head"),))


Change = Callable[[Pki], EvidenceFacts]


@pytest.mark.parametrize("made", [
    lambda pki: facts(pki, info=b"no xml"),
    lambda pki: facts(pki, info=INFO.replace(b"#body", b"#other")),
    lambda pki: facts(pki, info=INFO.replace(b"sha256", b"md5")),
    lambda pki: facts(pki, record={"kind": "collected"}),
    lambda pki: facts(pki, record={**ACCEPTED, "bridged": [{}]}),
    lambda pki: facts(pki, record={**ACCEPTED, "at": "soon"}),
    lambda pki: facts(pki, record=[]),
], ids=["info", "no-body", "md5", "no-time", "bridged", "time", "list"])
def test_a_signed_file_of_nonsense_does_not_hold(pki: Pki, made: Change) -> None:
    octets = write_evidence(made(pki), pki.signing_key("hub-sign"), pki.now)
    checks = verify_evidence(octets, b"<a/>", [pki.der("ca")], "00000099000000000000")
    assert [one.holds for one in checks] == [False]


@pytest.mark.parametrize("record", [{}, [], {"kind": "refused"}, {"kind": "refused", "ticket": "t", "at": 1}])
def test_a_signed_refusal_of_nonsense_does_not_hold(pki: Pki, record: object) -> None:
    octets = write_evidence(RefusalFacts(ticket="t", journals=facts(pki, record=record).journals),
                            pki.signing_key("hub-sign"), pki.now)
    assert False in [one.holds for one in verify_evidence(octets, b"", [pki.der("ca")], "00000099000000000000")]


def test_what_is_readable_is_judged_line_by_line(pki: Pki) -> None:
    octets = write_evidence(facts(pki), pki.signing_key("hub-sign"), pki.now)
    judged = {one.name: one.holds for one in verify_evidence(octets, b"<a/>", [pki.der("ca")])}
    assert judged["handtekening van het knooppunt"] is True
    assert judged["handtekening van de afzender, zoals in het journaal"] is False
    assert judged["journaal"] is False
    assert judged["dit bericht is de inhoud"] is False


def test_the_files_of_another_ca_do_not_hold(pki: Pki) -> None:
    octets = write_evidence(facts(pki), pki.signing_key("hub-sign"), pki.now)
    judged = {one.name: one.holds for one in verify_evidence(octets, None, [pki.der("andere-ca")])}
    assert judged["certificaat van het knooppunt"] is False
