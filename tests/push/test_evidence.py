"""Pushed delivery is provable: the receiver's own signature is in the evidence file, and both checkers hold it."""

import runpy
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree

from gateway.app.evidence import evidence_file
from gateway.security import EXAMPLE_HUB_OIN, verify_evidence
from gateway.storage import Reports
from tests.crosscheck.test_evidence_alone import ALONE, signed_again
from tests.line import KN, example
from tests.push.test_line_out import MESSAGE, REF, Out, pushing
from tests.test_docs import ENERGIE, header_field

SIGNATURE, CERTIFICATE, CONFIRMED = (
    "handtekening van de ontvanger, zoals in het journaal", "certificaat van de ontvanger",
    "de ontvanger bevestigde dit bericht")
Alone = Callable[..., list[tuple[str, bool | None, str]]]


@pytest.fixture(scope="module")
def alone() -> Alone:
    return runpy.run_path(str(ALONE))["verify"]  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def pushed(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Out]:
    with pushing(template, tmp_path_factory.mktemp("evidence") / "instance") as out:
        out.attempt()
        yield out


def file_of(out: Out, number: str = REF, party: str | None = None) -> bytes:
    return evidence_file(Reports(out.line.store), number, afzender=None, signing=out.line.instance.signing,
                         now=out.line.at, party=party)


def verdicts(out: Out, alone: Alone, file: bytes, message: bytes | None = None) -> dict[str, bool | None]:
    """By check; both checkers say the same."""
    pem = (out.line.instance.folder / "pki" / "ca.pem").read_bytes()
    anchor = x509.load_pem_x509_certificate(pem)
    ours = [(one.name, one.holds) for one in verify_evidence(
        file, message, [anchor.public_bytes(Encoding.DER)], EXAMPLE_HUB_OIN)]
    assert [(name, holds) for name, holds, _ in alone(file, message, [anchor], EXAMPLE_HUB_OIN)] == ours
    return dict(ours)


def test_the_receivers_signature_proves_the_delivery(pushed: Out, alone: Alone) -> None:
    found = verdicts(pushed, alone, file_of(pushed), MESSAGE)
    assert found[SIGNATURE] is found[CERTIFICATE] is found[CONFIRMED] is True
    assert False not in found.values()
    assert verdicts(pushed, alone, file_of(pushed, party=ENERGIE))[SIGNATURE] is True


def test_what_is_collected_has_no_receipt_and_holds_as_before(template: Path, tmp_path: Path, alone: Alone) -> None:
    with pushing(template, tmp_path / "instance", push=None) as out:
        found = verdicts(out, alone, file_of(out), MESSAGE)
        assert SIGNATURE not in found
        assert False not in found.values()


def test_a_bridged_message_is_proven_by_the_digest_that_its_receiver_got(
    template: Path, tmp_path: Path, alone: Alone,
) -> None:
    message = example("SaldoVerzoek-volledig")
    with pushing(template, tmp_path / "instance", message=message, modules={"schuldregeling": ("1.1",)}) as out:
        out.attempt()
        found = verdicts(out, alone, file_of(out, header_field(message, "Referentienummer")), message)
        assert found[SIGNATURE] is found[CONFIRMED] is True
        assert False not in found.values()


def bend(name: str, change: Callable[[bytes], bytes]) -> Callable[[etree._Element], None]:
    def bent(root: etree._Element) -> None:
        element = root.find(f"{{{KN}}}Ontvangst/{{{KN}}}{name}")
        element.text = b64encode(change(b64decode(element.text))).decode()
    return bent


def other_receiver(root: etree._Element) -> None:
    root.find(f"{{{KN}}}Ontvangst/{{{KN}}}Ontvanger").text = "11111111-1111-4111-8111-000000000009"


@pytest.mark.parametrize(("change", "wrong"), [
    (bend("SignatureValue", lambda value: bytes([value[0] ^ 1]) + value[1:]), {SIGNATURE}),
    (bend("SignedInfo", lambda info: info.replace(b"ds:", b"dz:").replace(b":ds=", b":dz=")), {SIGNATURE}),
    (bend("Body", lambda body: body.replace(b"2026-11-24", b"2026-11-25")), {SIGNATURE}),
    (bend("Body", lambda body: body.replace(REF.encode(), b"11111111-1111-4111-8111-111111111111")),
     {SIGNATURE, CONFIRMED}),
    (other_receiver, {SIGNATURE, CERTIFICATE}),
])
def test_a_receipt_that_was_changed_does_not_hold(
    pushed: Out, alone: Alone, change: Callable[[etree._Element], None], wrong: set[str],
) -> None:
    found = verdicts(pushed, alone, signed_again(pushed.line, file_of(pushed), change))  # type: ignore[arg-type]
    assert {name for name, holds in found.items() if holds is False} == wrong
