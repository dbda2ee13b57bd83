"""Who gets a message in which version: chosen newest first, refused with the versions that the party takes."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from gateway.errors import CrossReferenceWrong, ModuleNotAgreed, RoleNotAllowed, VersionNotAgreed
from gateway.routing import AddressBook, address, check_reference, not_taken, taken_as
from gateway.values import Header, MessageType, Party, Question, RoleRule, Service, SetKey

KEY = SetKey(module="proef", version="2.0")
SE = RoleRule(name="SE", parties=frozenset({"SE"}))
ROLES = {"SHV": RoleRule(name="SHV", parties=frozenset({"SHV"})), "SE": SE}
BRIDGES = {"1.1": SE, "1.0": SE, "1.10": SE}
VRAAG = MessageType(element="Vraag", namespace="urn:x", berichttype="Vraag", version="2.0", sender_role="SHV",
                    receiver_role="SE")
ANTWOORD = MessageType(element="Antwoord", namespace="urn:x", berichttype="Antwoord", version="2.0", sender_role="SE",
                       receiver_role="SHV", answers=frozenset({"Vraag"}))
GEMEENTE = Party(id="00000000-0000-4000-8000-000000000001", slug="gemeente", name="Gemeente",
                 oin="00000099000000001000", roles=frozenset({"SHV"}), modules={"proef": ("2.0",)})
SERVICE = Service(path="/soap/proef/2.0/shv", key=KEY, role=ROLES["SHV"], operations={})
HEADER = Header(referentienummer="a", conversatie="c", versie="2.0", berichttype="Vraag", afzender=GEMEENTE.id,
                tijdstip=datetime(2031, 3, 3, tzinfo=UTC))


def creditor(*versions: str, module: str = "proef", roles: frozenset[str] = frozenset({"SE"})) -> Party:
    return replace(GEMEENTE, id="00000000-0000-4000-8000-000000000002", slug="energie", oin="00000099000000002000",
                   roles=roles, modules={module: versions})


def addressed(party: Party, bridges: dict[str, RoleRule]) -> tuple[Party, ...]:
    found = address(sender=GEMEENTE, header=replace(HEADER, ontvangers=(party.id,)), message_type=VRAAG, has_bsn=False,
                    service=SERVICE, roles=ROLES, register=AddressBook([GEMEENTE, party]), bridges=bridges,
                    on=HEADER.tijdstip.date())
    assert found.refused == ()
    return found.receivers


@pytest.mark.parametrize(("versions", "expected"), [
    (("2.0",), ()), (("1.0", "2.0"), ()), (("1.0",), ("1.0",)), (("1.0", "1.1"), ("1.1", "1.0")),
    (("1.1", "1.10", "3.0"), ("1.10", "1.1")), (("3.0",), ()), ((), ()),
])
def test_the_senders_version_or_else_the_newest_that_can_be_reached(
    versions: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    assert taken_as(creditor(*versions), KEY, BRIDGES) == expected


def test_a_version_whose_role_the_party_does_not_play_is_passed_over() -> None:
    other = RoleRule(name="SE", parties=frozenset({"DEURWAARDER"}))
    subtype = RoleRule(name="SE", parties=frozenset({"SE"}), subtypes=frozenset({"BANK"}))
    assert taken_as(creditor("1.0", "1.1"), KEY, {"1.1": other, "1.0": SE}) == ("1.0",)
    assert taken_as(creditor("1.0", "1.1"), KEY, {"1.1": subtype, "1.0": SE}) == ("1.0",)


def test_an_addressee_of_a_reachable_version_is_let_through() -> None:
    assert addressed(creditor("1.1"), BRIDGES) == (creditor("1.1"),)


def test_without_a_bridge_the_refusal_names_the_versions() -> None:
    with pytest.raises(VersionNotAgreed) as refused:
        addressed(creditor("1.1", "3.0"), {})
    (finding,) = refused.value.findings
    assert "1.1, 3.0" in finding.nl
    assert "1.1, 3.0" in finding.en


def test_a_refused_crossing_names_them_too_and_says_what_was_tried() -> None:
    error = not_taken(creditor("1.0", "1.1"), KEY, tried=("1.1", "1.0"))
    assert [one.rule for one in error.findings] == ["versie", "overzetten", "overzetten"]
    assert "1.0, 1.1" in error.findings[0].nl
    assert "versie 1.1" in error.findings[1].nl


def test_other_refusals_stay_what_they_were() -> None:
    with pytest.raises(RoleNotAllowed):
        addressed(creditor("1.1", roles=frozenset({"BANK"})), BRIDGES)
    with pytest.raises(ModuleNotAgreed):
        addressed(creditor("1.1", module="ander"), BRIDGES)


def test_an_answer_fits_a_question_of_its_family() -> None:
    header = replace(HEADER, afzender="another", cross="a")
    asked = Question(family="Vraag", sender=GEMEENTE.id, answered=False, asked_at=HEADER.tijdstip, key=KEY)
    old = replace(ANTWOORD, element="OudAntwoord", berichttype="OudAntwoord", answers=frozenset({"OudeVraag"}),
                  answered_families=frozenset({"Vraag"}))
    for kind in (ANTWOORD, old):
        check_reference(kind, header, asked, opening=False)
    for kind, question in ((replace(old, answered_families=frozenset()), asked),
                           (ANTWOORD, replace(asked, family="OudeVraag"))):
        with pytest.raises(CrossReferenceWrong):
            check_reference(kind, header, question, opening=False)


def test_a_message_without_a_family_is_known_by_its_own_name() -> None:
    assert (VRAAG.correlates_as, ANTWOORD.answers_as) == ("Vraag", {"Vraag"})
    assert replace(VRAAG, family="Ander").correlates_as == "Ander"
