"""Whatever the grammar of envelopes says: a signed answer by the table, and no trace of what was refused."""

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from tests.fuzz.doors import Doors
from tests.fuzz.grammar import envelopes, seeds


@pytest.mark.clause("§5.1", "§5.2", "§5.4")
@settings(max_examples=40, derandomize=True, database=None, deadline=None, phases=[Phase.generate, Phase.shrink],
          suppress_health_check=[HealthCheck.too_slow])
@given(data=envelopes())
def test_any_envelope_of_the_grammar_is_answered_as_the_profile_says(doors: Doors, data: bytes) -> None:
    assert doors.check(data).startswith("line: ")


def test_the_grammar_is_right_often_and_wrong_in_many_ways(doors: Doors) -> None:
    doors.outcomes.clear()
    for data in seeds(40):
        doors.check(data)
    assert doors.outcomes["line: accepted"] >= 5
    assert len(doors.outcomes) >= 6
