"""The wire does not change by accident: a change of any octet is a change of a file here, to be read in review.

After a change that is meant: `python -m tests.golden --write`, and look at the difference.
"""

from pathlib import Path

import pytest

from tests.golden.cases import FOLDER, make_cases, normalise

NAMES = sorted(path.name for path in FOLDER.glob("*.xml"))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return make_cases(tmp_path_factory.mktemp("golden"))


def test_every_case_has_its_file(made):
    assert sorted(made) == NAMES
    assert len(NAMES) >= 8


@pytest.mark.clause("§3.2", "BSP R5205", "BSP R5402")
@pytest.mark.parametrize("name", NAMES)
def test_the_octets_are_those_of_the_file(made, name):
    golden = (FOLDER / name).read_bytes()
    octets = made[name]
    same = (one == other for one, other in zip(golden, octets, strict=False))
    at = next((number for number, one in enumerate(same) if not one), min(len(golden), len(octets)))
    assert octets == golden, (
        f"differs from octet {at}: {golden[at - 60:at + 60]!r} became {octets[at - 60:at + 60]!r}; if this is meant: "
        "python -m tests.golden --write")


@pytest.mark.parametrize("name", NAMES)
def test_only_what_depends_on_a_key_is_a_placeholder(name):
    """What was written is normalised already, holds each placeholder it must, and no certificate or signature."""
    golden = (FOLDER / name).read_bytes()
    assert golden.count(b">SIGNATURE</ds:SignatureValue>") == 1
    assert golden.count(b">TOKEN</wsse:BinarySecurityToken>") == 1
    assert golden.count(b">DIGEST</ds:DigestValue>") == {True: 1, False: 2}[name.startswith("request")] + (
        name == "receipt.xml")
    assert b"MII" not in golden
    assert normalise(golden) == golden


def test_the_answers_are_those_they_are_meant_to_be():
    def has(name: str, word: bytes) -> bool:
        return word in Path(FOLDER / f"{name}.xml").read_bytes()

    assert has("receipt", b"<kn:JournaalPositie>1<")
    assert has("mailbox-message", b"<sr:Kennisgeving ")
    assert has("mailbox-confirmed", b"<kn:Bevestigd>true<")
    for name, word in (("choreography", b"SKP011"), ("schema", b"[0004]"), ("security", b"wsse:InvalidSecurity"),
                       ("addressing", b"wsa:InvalidAddressingHeader")):
        assert has(f"fault-{name}", word)
