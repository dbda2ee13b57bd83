"""Caller, signer, sender: every combination of them through the whole line (standards catalogue 5.5).

The cast plays every relation that the table of routing/identities.py knows. Who may what is written down here a second
time, as names; the table must say the same.
"""

import itertools
import json
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.errors import AddressingError, NotAuthenticated, SenderMismatch
from gateway.routing.identities import NO_SENDER, TABLE, Relation, look_up
from gateway.security import EXAMPLE_HUB_OIN, EXAMPLE_OINS
from gateway.settings import dump_parties, load_parties
from tests.hostile.attack import Target, message
from tests.hostile.watch import Canary
from tests.line import BASE, KN, POSTBUS, SHV, code, make_line

PARTY, SUPPLIER, SECOND, STRANGER, INACTIVE, UNKNOWN = CAST = (
    "kredietbank", "bewindvoerder", "budgetbeheer", "deurwaarder", "matching", "rechtbank")  # all sign with P-256
IDS = {slug: f"11111111-1111-4111-8111-0000000000{number:02}" for number, slug in enumerate(EXAMPLE_OINS, start=1)}
ALLOWED = {  # caller, signer, sender
    (PARTY, PARTY, PARTY), (SUPPLIER, SUPPLIER, SUPPLIER), (SECOND, SECOND, SECOND), (STRANGER, STRANGER, STRANGER),
    (SUPPLIER, PARTY, PARTY), (SUPPLIER, SUPPLIER, PARTY), (SECOND, PARTY, PARTY), (SECOND, SECOND, PARTY),
}
TO_PARTY = {
    PARTY: Relation.SAME, SUPPLIER: Relation.MANDATED, SECOND: Relation.MANDATED, STRANGER: Relation.STRANGER,
    INACTIVE: Relation.ABSENT, UNKNOWN: Relation.ABSENT,
}


def assign(folder: Path) -> None:
    """Everyone may send what the municipality sends; two have a mandate of one."""
    book = {party.slug: party for party in load_parties(folder / "parties.toml")}
    first = book["gemeente"]
    for slug in CAST:
        book[slug] = replace(
            book[slug], roles=first.roles, subtype=first.subtype, modules=first.modules, active=slug != INACTIVE,
            acts_for=frozenset({EXAMPLE_OINS[PARTY]}) if slug in (SUPPLIER, SECOND) else frozenset())
    del book[UNKNOWN]
    (folder / "parties.toml").write_text(dump_parties(book.values()), "utf-8")


@pytest.fixture(scope="module")
def cast(template: Path, tmp_path_factory: pytest.TempPathFactory, canary: Canary) -> Iterator[Target]:
    line = make_line(template, tmp_path_factory.mktemp("cast") / "i", change=assign)
    made = Target(line=line, canary=canary)
    yield made
    made.close()


def expected_reason(caller: str, signer: str, sender: str) -> str:
    """What the journal must say of a refused combination."""
    if sender in (INACTIVE, UNKNOWN):
        return NO_SENDER
    as_seen = {**TO_PARTY, sender: Relation.SAME} if sender == PARTY else {
        slug: Relation.SAME if slug == sender else Relation.ABSENT if slug in (INACTIVE, UNKNOWN) else Relation.STRANGER
        for slug in CAST}
    row = look_up(as_seen[caller], as_seen[signer], one=caller == signer)
    assert not row.allowed
    return row.why


def check(cast: Target, octets: bytes, triple: tuple[str, str, str], path: str) -> None:
    """One combination is let through, or refused with one entry in the journal that says why, and nothing else."""
    caller = triple[0]
    cast.line.gate.tally.due()  # a new minute, or the journal would count the strangers after the tenth
    messages, refusals = cast.line.rows("messages"), cast.line.rows("refusals")
    reply = cast.line.post(octets, party=caller, path=path)
    if triple in ALLOWED:
        assert (reply.status, code(reply)) == (200, None), triple
        assert cast.line.rows("refusals") == refusals
        return
    assert cast.line.rows("messages") == messages
    facts = json.loads(cast.last_refusal)
    if caller in (INACTIVE, UNKNOWN):
        assert (reply.status, reply.content_type, facts["error"]) == (
            403, "text/plain; charset=utf-8", NotAuthenticated.__name__)
        return
    assert (reply.status, code(reply), facts["error"]) == (500, "SKP003", SenderMismatch.__name__), triple
    assert cast.line.rows("refusals") == refusals + 1
    assert expected_reason(*triple) in facts["reason"], triple


@pytest.mark.clause("§1.7", "§5.5")
@pytest.mark.parametrize("signer", CAST)
@pytest.mark.parametrize("caller", CAST)
def test_who_may_send_a_message(cast: Target, caller: str, signer: str) -> None:
    for sender in CAST:
        octets = cast.signed(message(Afzender=IDS[sender]), identity=cast.line.identity(signer))
        check(cast, octets, (caller, signer, sender), SHV)


@pytest.mark.clause("§1.7", "§5.5")
@pytest.mark.parametrize("signer", CAST)
@pytest.mark.parametrize("caller", CAST)
def test_who_may_look_into_a_mailbox(cast: Target, caller: str, signer: str) -> None:
    """The same table; who names nobody speaks for the signer."""
    for named in (PARTY, STRANGER, None):
        fields = f"<Namens>{IDS[named]}</Namens>" if named else ""
        child = f'<HaalBerichtenlijstOp xmlns="{KN}">{fields}</HaalBerichtenlijstOp>'.encode()
        octets = cast.signed(child, path=POSTBUS, identity=cast.line.identity(signer))
        check(cast, octets, (caller, signer, named or signer), POSTBUS)


def test_every_combination_fits_one_row() -> None:
    used = set()
    for caller, signer, one in itertools.product(Relation, Relation, (True, False)):
        if one and caller is not signer:
            continue  # one party is one thing to the sender
        rows = [row for row in TABLE if row.fits(caller, signer, one=one)]
        assert len(rows) == 1, (caller, signer, one)
        used.update(rows)
    assert used == set(TABLE)


def test_the_table_allows_what_the_names_allow() -> None:
    allowed = {(caller, signer) for caller, signer, sender in ALLOWED if sender == PARTY}
    for caller, signer in itertools.product(CAST, CAST):
        row = look_up(TO_PARTY[caller], TO_PARTY[signer], one=caller == signer)
        assert row.allowed == ((caller, signer) in allowed), (caller, signer)


@pytest.mark.parametrize("signer", ["energie", "hub"])
@pytest.mark.parametrize(("caller", "sender"), [(PARTY, PARTY), (SUPPLIER, PARTY), (SUPPLIER, SUPPLIER)])
def test_a_third_signer(cast: Target, caller: str, sender: str, signer: str) -> None:
    """Someone else's good signature helps nobody, the hub's own neither."""
    octets = cast.signed(message(Afzender=IDS[sender]), identity=cast.line.identity(signer))
    cast.repels(octets, SenderMismatch, party=caller)


def test_a_sender_that_never_was(cast: Target) -> None:
    for party in (PARTY, SUPPLIER):
        octets = cast.signed(message(Afzender=str(uuid.uuid4())), party=party)
        cast.repels(octets, SenderMismatch, party=party, reason=NO_SENDER)


OINS = {**{slug: EXAMPLE_OINS[slug] for slug in CAST}, "hub": EXAMPLE_HUB_OIN, "nobody": "00000099000000077000",
        "zeros": "0" * 20}


@pytest.mark.parametrize("whose", [None, *OINS])
def test_whose_oin_a_from_may_carry(cast: Target, whose: str | None) -> None:
    """Of a message that a supplier signs and sends: the supplier's or the party's."""
    address = f"https://afzender.example/?OIN={OINS[whose]}" if whose else "https://afzender.example/"
    octets = cast.signed(message(Afzender=IDS[PARTY]), party=SUPPLIER, sender=address)
    if whose in (None, PARTY, SUPPLIER):
        assert code(cast.line.post(octets, party=SUPPLIER)) is None
    else:
        cast.repels(octets, SenderMismatch, party=SUPPLIER, reason="wsa:From")


@pytest.mark.parametrize("whose", [None, *OINS])
def test_whose_oin_a_to_may_carry(cast: Target, whose: str | None) -> None:
    octets = cast.signed(message(Afzender=IDS[PARTY]), party=PARTY,
                         to=f"{BASE}{SHV}" + (f"?OIN={OINS[whose]}" if whose else ""))
    if whose in (None, "hub"):
        assert code(cast.line.post(octets, party=PARTY)) is None
    else:
        cast.repels(octets, AddressingError, party=PARTY)
