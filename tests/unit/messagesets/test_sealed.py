"""What is left of a choreography when nobody can read the content, and what a set with sealed bodies may not say."""

from pathlib import Path

import pytest

from gateway.errors import Misconfigured
from gateway.messagesets.manifest import read_manifest
from gateway.messagesets.sealed import merged
from gateway.values import Choreography, Transition
from tests.unit.messagesets.conftest import MANIFEST, write_set

XSD = Path(__file__).parent.parent.parent.parent / "xsd"


def row(state: str, message: str, following: str | None, outcome: str | None = None) -> Transition:
    return Transition(states=frozenset(state.split()), message=message, next=following, outcome=outcome)


def table(*rows: Transition) -> Choreography:
    return Choreography(initial="NIEUW", transitions=rows)


def test_states_after_one_message_become_one_with_what_either_allowed() -> None:
    found = merged(table(
        row("NIEUW", "Vraag", "GEVRAAGD"), row("GEVRAAGD", "Antwoord", "JA", "akkoord"),
        row("GEVRAAGD", "Antwoord", "NEE", "niet"), row("JA", "Slot", "KLAAR"), row("NEE", "Vraag", "GEVRAAGD")))
    assert found.transitions == (
        row("NIEUW", "Vraag", "GEVRAAGD"), row("GEVRAAGD", "Antwoord", "JA_OF_NEE"), row("JA_OF_NEE", "Slot", "KLAAR"),
        row("JA_OF_NEE", "Vraag", "GEVRAAGD"))


def test_merging_goes_on_until_no_message_leads_two_ways() -> None:
    found = merged(table(
        row("NIEUW", "Vraag", "A", "een"), row("NIEUW", "Vraag", "B", "twee"), row("A", "Stap", "C"),
        row("B", "Stap", "D"), row("C", "Slot", "E"), row("D", "Slot", None)))
    assert {next_ for one in found.transitions for next_ in (one.next,)} == {"A_OF_B", "C_OF_D_OF_E", None}
    assert all(len({one.next or state for one in found.transitions
                    if one.message == message and state in one.states}) <= 1
               for message in ("Vraag", "Stap", "Slot") for state in ("NIEUW", "A_OF_B", "C_OF_D_OF_E"))


def test_a_table_without_outcomes_stays_as_it_is() -> None:
    plain = read_manifest(XSD / "schuldinventarisatie" / "1.0" / "manifest.toml").choreography
    assert plain is not None
    assert not any(one.outcome for one in plain.transitions)
    assert merged(plain) == plain


def test_the_published_merge_of_schuldregeling() -> None:
    """docs/conversations.md: whoever cannot read the answer to a proposal knows that there was one."""
    plain = read_manifest(XSD / "schuldregeling" / "2.0" / "manifest.toml").choreography
    assert plain is not None
    found = merged(plain)
    (answered,) = {one.next for one in found.transitions if one.message == "BetaalVoorstelAntwoord"}
    assert answered == "AKKOORD_OF_NIET_AKKOORD"
    assert {one.message for one in found.transitions if answered in one.states} >= {
        "RegelingGeaccordeerd", "BetaalVoorstel", "Heroverweging"}


@pytest.mark.parametrize("more", ['routes = ["BRON"]', "max_receivers = 2"])
def test_a_sealed_body_has_one_addressee_that_its_sender_names(tmp_path: Path, more: str) -> None:
    sealed = MANIFEST.replace('choreography =', 'body = "sealed"\nchoreography =').replace("max_receivers = 3\n", "")
    with pytest.raises(Misconfigured, match="a sealed body is encrypted for the one"):
        read_manifest(write_set(tmp_path, manifest=sealed.replace("[[message]]\n", f"[[message]]\n{more}\n", 1))
                      / "manifest.toml")
