"""Redirecting after a merger, through the command, against a hub that runs."""

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.routing import missing
from gateway.values import Party, SetKey
from tests.acceptance.hub import Hub
from tests.command import ENERGIE, fresh, gateway
from tests.line import KN, Line, code, example, fault, opened
from tests.test_docs import header_field

WHY = ("--who", "beheerder", "--why", "energie gaat op in deurwaarder")
DEURWAARDER = "11111111-1111-4111-8111-000000000003"


def redirect(folder: Path, old: str, new: str, *more: object):
    return gateway("deliveries", "redirect", folder, "--from", old, "--to", new, *WHY, *more)


def test_what_waits_goes_on_with_the_heir(hub: Hub) -> None:
    message = fresh(ENERGIE)
    hub.party("gemeente").send(message)
    reference, conversation = (header_field(message, name) for name in ("Referentienummer",
                                                                        "ConversatieReferentienummer"))
    ran = redirect(hub.folder, "energie", "deurwaarder", "--conversation", conversation, "--json")
    assert (ran.code, ran.json) == (0, {"van": "energie", "naar": "deurwaarder", "conversaties": 1, "afleveringen": 1,
                                        "blijft": []})
    heir = hub.party("deurwaarder")
    assert reference in [one.referentienummer for one in heir.waiting()]
    heir.collect(reference)
    assert heir.confirm(reference) == {reference: True}
    shown = gateway("messages", "show", reference, "--instance", hub.folder, "--json").json
    assert [leg["ontvanger"] for leg in shown["deliveries"]] == [DEURWAARDER]
    assert [step["soort"] for step in shown["journal"]] == ["accepted", "redirected", "collected", "confirmed"]
    again = redirect(hub.folder, "energie", "deurwaarder", "--conversation", conversation)
    assert (again.code, "takes part in no conversation" in again.err) == (1, True)


def test_all_that_can_goes_and_what_can_not_is_told(hub: Hub) -> None:
    """The rechtbank plays no part in debt settlement."""
    refused = redirect(hub.folder, "energie", "rechtbank", "--all", "--json")
    assert refused.code == 1
    assert (refused.json["conversaties"], len(refused.json["blijft"]) > 0) == (0, True)
    assert all("rechtbank does not play SE in schuldregeling" in one["reden"] for one in refused.json["blijft"])
    done = redirect(hub.folder, "energie", "deurwaarder", "--all", "--json")
    assert (done.code, done.json["blijft"]) == (0, [])
    assert done.json["afleveringen"] > 0
    assert gateway("inbox", hub.folder, "--party", "energie", "--json").json == []


def test_the_journal_has_who_and_why(hub: Hub) -> None:
    hub.party("gemeente").send(fresh(ENERGIE))
    assert redirect(hub.folder, "energie", "deurwaarder", "--all").code == 0
    with closing(sqlite3.connect(hub.folder / "gateway.db")) as database:
        rows = [json.loads(row[0]) for row in database.execute(
            "SELECT record FROM entries WHERE kind IN ('redirected', 'operator')")]
    assert rows
    assert {(row["who"], row["why"]) for row in rows} == {WHY[1::2]}


@pytest.mark.parametrize(("words", "exit_code", "why"), [
    (("energie", "energie", "--all"), 1, "can't be redirected to itself"),
    (("energie", "niemand", "--all"), 1, "no party 'niemand'"),
    (("waarborgfonds", "energie", "--all"), 1, "takes part in no conversation"),
    (("energie", "deurwaarder"), 2, "name one --conversation, or say --all"),
])
def test_what_makes_no_sense_is_refused_with_words(hub: Hub, words: tuple[str, ...], exit_code: int, why: str) -> None:
    ran = redirect(hub.folder, *words)
    assert ran.code == exit_code
    assert why in " ".join(ran.err.replace("│", " ").split())


def test_the_other_party_writes_to_the_heir_and_is_told_so(line: Line) -> None:
    """Kennisgeving to energie; energie merges; the counsellor goes on with a SaldoVerzoek."""
    folder = line.instance.folder
    assert line.send(example("Kennisgeving-volledig")).status == 200
    vraag = example("SaldoVerzoek-volledig")
    assert redirect(folder, "energie", "deurwaarder", "--all").code == 0
    refused = line.send(vraag)
    assert code(refused) == "SKP009"
    assert DEURWAARDER in (fault(refused).findtext(f".//{{{KN}}}Bevinding/{{{KN}}}Omschrijving") or "")
    assert line.send(vraag.replace(ENERGIE.encode(), DEURWAARDER.encode())).status == 200


def test_what_an_heir_lacks_is_named(template: Path) -> None:
    instance = opened(template)
    parties = {one.slug: one for one in instance.register.everyone}
    key = SetKey(module="schuldregeling", version="2.0")
    message_set = instance.catalog.sets[key]

    def lacks(heir: Party, element: str, *, old: str = "energie", waits: bool = True,
              receives: bool = True) -> str | None:
        return missing(heir, parties[old], message_set.messages[element], key, message_set.roles,
                       receives=receives, waits=waits)

    energie = parties["energie"]
    assert lacks(energie, "SaldoVerzoek") is None
    assert lacks(replace(energie, modules={}), "SaldoVerzoek") == "energie has not switched on schuldregeling"
    older = replace(energie, modules={"schuldregeling": ("1.1",)})
    assert lacks(older, "SaldoVerzoek") == "energie takes schuldregeling 1.1, not 2.0"
    assert lacks(older, "SaldoVerzoek", waits=False) is None
    assert lacks(energie, "SaldoVerzoek", receives=False) == "energie does not play SHV in schuldregeling"
    bsn = next(name for name, one in message_set.messages.items() if one.bsn != "never" and one.receiver_role == "SE")
    held = "zorgverzekeraar"  # it may process one, so there may be one
    assert lacks(energie, bsn, old=held) == f"energie may not process a BSN, and {bsn} may hold one"
    assert lacks(parties["deurwaarder"], bsn, old=held) is None
