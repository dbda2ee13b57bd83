"""The address book answers each question of the line and of the commands."""

from datetime import date

import pytest

from gateway.ports import Register
from gateway.routing.register import AddressBook
from gateway.values import Party

GEMEENTE = Party(
    id="6f1c1d5e-5d0b-4c0e-9d57-0a3c0b7d1a01", slug="gemeente", name="Gemeente Voorbeeldstad",
    oin="00000001999999990000", roles=frozenset({"SHV"}), modules={"schuldregeling": ("1.1", "2.0")},
    gemeentecodes=frozenset({"9999"}),
)
ENERGIE = Party(
    id="6f1c1d5e-5d0b-4c0e-9d57-0a3c0b7d1a02", slug="energie", name="Energie Nergens B.V.",
    oin="00000003999999990000", roles=frozenset({"SE", "SIGNAALPARTNER"}), modules={"vroegsignalering": ("1.0",)},
    kvk="99999999", vestigingen=frozenset({"999999999999"}),
)
OLD = Party(
    id="6f1c1d5e-5d0b-4c0e-9d57-0a3c0b7d1a03", slug="oud", name="Energie van Vroeger", oin="00000003999999990001",
    roles=frozenset({"SE"}), active=False,
)
BOOK = AddressBook((GEMEENTE, ENERGIE, OLD))


def test_is_a_register_of_the_port() -> None:
    register: Register = BOOK
    assert register.by_oin(GEMEENTE.oin) is GEMEENTE
    assert list(BOOK.parties()) == [GEMEENTE, ENERGIE]
    assert register.with_role("SE") == {ENERGIE.id, OLD.id}


@pytest.mark.clause("§1.7")
def test_inactive_party_is_known_by_id_and_never_authenticated_or_found() -> None:
    assert BOOK.by_id(OLD.id) is OLD
    assert BOOK.by_oin(OLD.oin) is None
    assert BOOK.find(naam="vroeger") == []
    assert OLD not in BOOK.parties()
    assert OLD in BOOK.everyone


@pytest.mark.clause("§6.2")
def test_oin_is_compared_as_a_string_of_twenty_characters() -> None:
    assert BOOK.by_oin("00000001999999990000") is GEMEENTE
    assert BOOK.by_oin("1999999990000") is None


def test_id_is_found_in_any_case() -> None:
    assert BOOK.by_id(GEMEENTE.id.upper()) is GEMEENTE


@pytest.mark.parametrize(("question", "answer"), [
    ({}, [GEMEENTE, ENERGIE]),
    ({"naam": "VOORBEELD"}, [GEMEENTE]),
    ({"naam": "e"}, [GEMEENTE, ENERGIE]),
    ({"kvk": "99999999"}, [ENERGIE]),
    ({"kvk": "9999"}, []),
    ({"vestigingsnummer": "999999999999"}, [ENERGIE]),
    ({"rol": "SE"}, [ENERGIE]),
    ({"rol": "se"}, []),
    ({"module": "schuldregeling"}, [GEMEENTE]),
    ({"module": "schuldregeling", "rol": "SE"}, []),
])
def test_find_wants_every_question_to_fit(question: dict[str, str], answer: list[Party]) -> None:
    assert BOOK.find(**question) == answer


@pytest.mark.parametrize("text", ["gemeente", "gemeente voorbeeldstad", " Gemeente Voorbeeldstad ", GEMEENTE.id])
def test_resolve_takes_slug_name_or_id(text: str) -> None:
    assert BOOK.resolve(text) is GEMEENTE


def test_resolve_guesses_nothing() -> None:
    twins = AddressBook((GEMEENTE, Party(id=OLD.id, slug="ander", name=GEMEENTE.name, oin=OLD.oin, roles=OLD.roles)))
    assert twins.resolve(GEMEENTE.name) is None
    assert BOOK.resolve("gemeen") is None


@pytest.mark.parametrize(("today", "active"), [
    (date(2026, 1, 31), False), (date(2026, 2, 1), True), (date(2026, 6, 30), True), (date(2026, 7, 1), False),
])
def test_dates_decide_with_until_exclusive(today: date, active: bool) -> None:
    party = Party(id=OLD.id, slug="kort", name="Kort", oin=OLD.oin, roles=OLD.roles,
                  since=date(2026, 2, 1), until=date(2026, 7, 1))
    book = AddressBook((party,), today=today)
    assert (book.by_oin(party.oin) is not None) is active
    found = book.by_id(party.id)
    assert found is not None
    assert found.active is active
