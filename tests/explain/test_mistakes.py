"""Every diagnosis, made the way a real stack makes the mistake: the engine names that cause and no other."""

from string import Formatter

import pytest

from gateway.security import tell
from gateway.security.explain import WORDS
from tests.explain.of_layout import LAYOUT
from tests.explain.of_signing import SIGNING
from tests.explain.of_trust import TRUST
from tests.explain.of_wire import WIRE
from tests.explain.world import World

MISTAKES = [*WIRE, *LAYOUT, *SIGNING, *TRUST]


@pytest.mark.parametrize(("ids", "make"), [row[1:] for row in MISTAKES], ids=[row[0] for row in MISTAKES])
def test_the_cause_is_named(world: World, ids, make) -> None:
    explanation = make(world)
    found = [one for each in explanation.checks for one in each.diagnoses]
    assert {one.id for one in found} == ids
    assert not explanation.holds
    for one in found:
        asked = {name for text in WORDS[one.id] for _, name, _, _ in Formatter().parse(text) if name}
        assert asked <= one.facts.keys()
    for told in tell(explanation.checks):
        assert told.holds is not bool(told.causes)
        assert all(all(cause) for cause in told.causes)
