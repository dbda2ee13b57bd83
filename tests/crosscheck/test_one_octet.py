"""Any one octet of a signed envelope, changed: refused, or nothing that was signed is changed.

Seeded: `ONE_OCTET_SEED` repeats a run. Whether the signed parts are the same is judged by lxml's C14N here, not by the
gateway's own digests.
"""

import os
import random

import pytest
from lxml import etree

from tests import foreign
from tests.line import BASE, SE, SHV, Line, code, example

CHANGES = 350


def signed_parts(octets: bytes) -> list[tuple[str, bytes]]:
    """Name and canonical octets of every part the profile has signed."""
    return [(str(part.tag), foreign.canonical(part)) for part in foreign.parts(etree.fromstring(octets))]


@pytest.mark.clause("WB013", "§5.2")
@pytest.mark.parametrize(("party", "path", "name"), [
    ("gemeente", SHV, "Kennisgeving-minimaal"), ("deurwaarder", SE, "StatusVerzoek-volledig")])
def test_one_changed_octet_is_refused_or_changes_nothing(line: Line, party: str, path: str, name: str) -> None:
    seed = int(os.environ.get("ONE_OCTET_SEED", random.SystemRandom().randrange(10**6)))
    print(f"ONE_OCTET_SEED={seed}")
    choose = random.Random(seed)
    octets = line.instance.party(party, url=BASE).wrap(example(name))[2].octets
    before = signed_parts(octets)
    outcomes = {"refused": 0, "harmless": 0}
    for position in choose.sample(range(len(octets)), CHANGES):
        other = choose.choice([one for one in range(256) if one != octets[position]])
        changed = octets[:position] + bytes([other]) + octets[position + 1:]
        reply = line.post(changed, party=party, path=path)
        refusal = code(reply) if reply.status != 200 else None
        if refusal is not None or not reply.octets.startswith(b"<"):
            outcomes["refused"] += 1
            if refusal not in ("SKP011", "SKP010", "SKP009", "SKP003"):
                continue
        else:
            outcomes["harmless"] += 1
        # Whatever came past the signature, accepted or refused for its content, must be what was signed.
        assert signed_parts(changed) == before, f"octet {position}: {octets[position]:#x} became {other:#x}"
    print(outcomes)
    assert outcomes["refused"] > CHANGES * 0.9
    assert line.rows("messages") <= 1


@pytest.mark.clause("WB013")
def test_every_bit_of_the_signature_value_counts(line: Line) -> None:
    """The value itself: each character of its base64 changed once, but for the few bits that base64 pads with."""
    octets = line.instance.party("gemeente", url=BASE).wrap(example("Kennisgeving-minimaal"))[2].octets
    start = octets.index(b"<ds:SignatureValue>") + len(b"<ds:SignatureValue>")
    end = octets.index(b"==</ds:SignatureValue>")
    for position in range(start, end - 1, 7):
        other = b"A" if octets[position:position + 1] != b"A" else b"B"
        changed = octets[:position] + other + octets[position + 1:]
        assert code(line.post(changed)) == "SKP015"
    assert line.rows("messages") == 0
