"""The log search: each filter alone, filters together, whose messages a party sees, order and limit."""

from dataclasses import asdict, replace
from datetime import timedelta
from itertools import product

import pytest

from gateway.storage.listing import find
from gateway.values import DeliveryState, Listed, Search
from tests.contract.conftest import Hub
from tests.contract.samples import ANTWOORD, BANK, ENERGIE, GEMEENTE, NOW, acceptance, number

SECOND = timedelta(seconds=1)


@pytest.fixture
def filled(hub: Hub) -> Hub:
    """Three questions (one to two addressees), two answers, and some collecting and confirming."""
    hub.accept(acceptance("q0", conversatie="c0", at=NOW))
    hub.accept(acceptance("q1", conversatie="c1", at=NOW + SECOND, receivers=(ENERGIE, BANK)))
    hub.accept(acceptance("a0", conversatie="c0", at=NOW + 2 * SECOND, sender=ENERGIE, receivers=(GEMEENTE,),
                          cross=number("q0"), kind=ANTWOORD))
    hub.accept(acceptance("q2", conversatie="c2", at=NOW + 3 * SECOND, sender=BANK, receivers=(ENERGIE,)))
    hub.accept(acceptance("a1", conversatie="c1", at=NOW + 4 * SECOND, sender=BANK, receivers=(GEMEENTE,),
                          cross=number("q1"), kind=ANTWOORD))
    for party, name in ((ENERGIE, "q0"), (ENERGIE, "q1"), (GEMEENTE, "a1")):
        hub.mailbox.collect(party.id, number(name), NOW + 5 * SECOND)
    hub.mailbox.confirm(ENERGIE.id, (number("q0"),), NOW + 6 * SECOND)
    return hub


def found(hub: Hub, **filters: object) -> list[str]:
    names = {number(name): name for name in ("q0", "q1", "q2", "a0", "a1")}
    return [names[row.referentienummer] for row in hub.mailbox.search(replace(Search(), **filters))]


def test_everything_newest_first_one_row_per_addressee(filled: Hub) -> None:
    assert found(filled) == ["a1", "q2", "a0", "q1", "q1", "q0"]
    assert found(filled, limit=2) == ["a1", "q2"]


def test_each_filter_alone(filled: Hub) -> None:
    assert found(filled, referentienummer=number("q1")) == ["q1", "q1"]
    assert found(filled, conversatie=number("c0")) == ["a0", "q0"]
    assert found(filled, cross=number("q1")) == ["a1"]
    assert found(filled, afzender=BANK.id) == ["a1", "q2"]
    assert found(filled, ontvanger=ENERGIE.id) == ["q2", "q1", "q0"]
    assert found(filled, berichttype="SaldoVerzoekAntwoord") == ["a1", "a0"]
    assert found(filled, versie="1.0") == []
    assert found(filled, opgehaald=True) == ["a1", "q1", "q0"]
    assert found(filled, opgehaald=False) == ["q2", "a0", "q1"]
    assert found(filled, bevestigd=True) == ["q0"]
    assert found(filled, bevestigd=False) == ["a1", "q2", "a0", "q1", "q1"]
    assert found(filled, since=NOW + 3 * SECOND) == ["a1", "q2"]
    assert found(filled, until=NOW + SECOND) == ["q0"]
    assert found(filled, senders=frozenset({BANK.id, GEMEENTE.id})) == ["a1", "q2", "q1", "q1", "q0"]
    assert found(filled, receivers=frozenset({BANK.id})) == ["q1"]
    assert found(filled, senders=frozenset()) == []


def test_the_limit_counts_what_fits(filled: Hub) -> None:
    """Newer messages of other parties do not push a party's own out of the answer."""
    assert found(filled, senders=frozenset({GEMEENTE.id}), limit=1) == ["q1"]
    assert found(filled, party=ENERGIE.id, senders=frozenset({GEMEENTE.id}), limit=1) == ["q1"]
    assert found(filled, receivers=frozenset({ENERGIE.id}), limit=2) == ["q2", "q1"]


def test_party_sees_only_what_it_sent_or_received(filled: Hub) -> None:
    assert found(filled, party=GEMEENTE.id) == ["a1", "a0", "q1", "q1", "q0"]
    assert found(filled, party=ENERGIE.id) == ["q2", "a0", "q1", "q0"]
    assert found(filled, party=BANK.id) == ["a1", "q2", "q1"]
    assert found(filled, party=number("stranger")) == []
    assert found(filled, party=ENERGIE.id, referentienummer=number("a1")) == []
    assert found(filled, party=ENERGIE.id, conversatie=number("c1")) == ["q1"]
    assert found(filled, party=ENERGIE.id, afzender=BANK.id) == ["q2"]
    assert found(filled, party=ENERGIE.id, ontvanger=GEMEENTE.id) == ["a0"]
    assert found(filled, party=BANK.id, bevestigd=True) == []


def test_any_filters_together_are_what_plain_comparison_gives(filled: Hub) -> None:
    """Whatever branches the statements take, the answer is that of a walk over all rows."""
    everything = filled.mailbox.search(Search())
    choices = product(
        (None, GEMEENTE.id, ENERGIE.id), (None, number("q1")), (None, number("c0"), number("c1")),
        (None, number("q0")), (None, GEMEENTE.id, BANK.id), (None, ENERGIE.id), (None, "SaldoVerzoek"),
        (None, True, False), (None, True, False), (None, NOW + SECOND), (None, NOW + 4 * SECOND), (2, 1000),
        (None, frozenset({BANK.id, ENERGIE.id})), (None, frozenset({GEMEENTE.id})))
    names = ("party", "referentienummer", "conversatie", "cross", "afzender", "ontvanger", "berichttype",
             "opgehaald", "bevestigd", "since", "until", "limit", "senders", "receivers")
    with filled.store.read() as session:
        for values in list(product_sample(choices)):
            search = Search(**dict(zip(names, values, strict=True)))  # type: ignore[arg-type]
            expected = [row for row in everything if fits(row, search)][:search.limit]
            assert find(session, search, filled.now) == expected, asdict(search)


def product_sample(choices: "product[tuple[object, ...]]") -> list[tuple[object, ...]]:
    """Every 23rd of the combinations: all pairs are among them, in a second or two."""
    return [values for i, values in enumerate(choices) if i % 23 == 0]


def fits(row: Listed, search: Search) -> bool:
    equal = ((row.referentienummer, search.referentienummer), (row.conversatie, search.conversatie),
             (row.cross, search.cross), (row.afzender, search.afzender), (row.ontvanger, search.ontvanger),
             (row.berichttype, search.berichttype), (row.opgehaald, search.opgehaald),
             (row.bevestigd, search.bevestigd))
    among = ((row.afzender, search.senders), (row.ontvanger, search.receivers))
    return (all(wanted is None or value == wanted for value, wanted in equal)
            and all(wanted is None or value in wanted for value, wanted in among)
            and search.party in (None, row.afzender, row.ontvanger)
            and (search.since is None or row.received_at >= search.since)
            and (search.until is None or row.received_at < search.until))


def test_states_are_those_of_the_moment(filled: Hub) -> None:
    filled.now = NOW + timedelta(days=30)
    states = {(row.referentienummer, row.ontvanger): row.status for row in filled.mailbox.search(Search())}
    assert states.pop((number("q0"), ENERGIE.id)) is DeliveryState.BEVESTIGD
    assert set(states.values()) == {DeliveryState.VERLOPEN}
