"""Ours accepts ⇒ signxml and xmlsec1 accept: a bounded, repeatable part of what `make fuzz` does."""

from pathlib import Path
from random import Random

import pytest

from tests.fuzz.__main__ import CORPUS
from tests.fuzz.differential import Bench, draw
from tests.fuzz.doors import Finding
from tests.fuzz.recipe import Recipe, read, write

SEEDS = [read(path.read_bytes()) for path in sorted(CORPUS.iterdir())]


@pytest.fixture
def bench(template: Path):
    made = Bench(template=template)
    yield made
    made.close()


@pytest.mark.clause("SIGN002", "WB013", "§5.1")
def test_what_ours_accepts_the_others_accept(bench: Bench) -> None:
    random = Random(11)
    for _ in range(60):
        bench.check(draw(SEEDS, random))
    assert bench.accepted > bench.tried * 0.3  # else it would prove little


def test_the_comparison_is_awake(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A verifier of ours that forgot the digests would be found."""
    ours = [one for one in SEEDS if one.fields.get("signer") == "gemeente"]
    good = next(one for one in ours if bench.check(write(one)) == "accepted")
    changed = Recipe(fields=good.fields, octets=good.octets.replace(b"@DIGEST@", b"AAAA", 1))
    assert bench.check(write(changed)) == "refused"
    monkeypatch.setattr("gateway.security.wsse.hmac.compare_digest", lambda one, other: True)
    with pytest.raises(Finding, match="signxml InvalidDigest"):
        bench.check(write(changed))
